//! A terminal on a wire: one connection, one request at a time.

use super::answer::{Answer, Heard, Unexpected};
use super::request::{Purchase, Sent};
use super::{Terminal, TerminalFault};
use crate::channel::Deframer;
use crate::model::Clock;
use crate::model::Timestamp;
use crate::server::SystemClock;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio::time::timeout_at;

/// How often a reversal goes out before the terminal gives up for now.
pub const REVERSAL_ATTEMPTS: u32 = 3;

/// Where a terminal calls.
#[derive(Clone)]
pub struct Target {
    /// `host:port`.
    pub address: String,
    /// TLS, if the door has it.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// How long a connection may take to come about.
    pub connect_within: Duration,
    /// How long an answer may take.
    pub answer_within: Duration,
}

pub(super) fn now() -> Timestamp {
    SystemClock::start().wall()
}

/// Both halves of a connection.
pub(in crate::sim) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Line {
    stream: Box<dyn Stream>,
    deframer: Deframer,
}

/// How a request ended.
pub enum Outcome {
    /// With an answer.
    Answered(Box<Answer>),
    /// Without one in time, or the connection broke while it was awaited.
    Silent,
    /// Nothing left: there is no connection.
    NoConnection(io::Error),
}

impl Outcome {
    /// The answer, if there is one.
    #[must_use]
    pub fn answer(&self) -> Option<&Answer> {
        match self {
            Self::Answered(answer) => Some(answer),
            Self::Silent | Self::NoConnection(_) => None,
        }
    }
}

/// What happens on the wire, for whoever looks on.
pub enum Event<'a> {
    /// A unit goes out.
    Sending(&'a Sent),
    /// A unit came that is not the answer awaited.
    Unexpected(&'a Unexpected),
    /// The answer came.
    Answered(&'a Answer),
    /// The host closed the connection, or sent what no frame is.
    Broken,
}

/// Who stands beside a driver: keeps the terminal's memory and looks on. `()` does neither.
pub trait Attendant {
    /// Keeps the memory. Called before a unit leaves and after its answer was judged.
    ///
    /// # Errors
    /// It could not be kept; nothing is sent then.
    fn keep(&mut self, _terminal: &Terminal) -> io::Result<()> {
        Ok(())
    }

    /// Sees what happens on the wire.
    fn see(&mut self, _event: Event<'_>) {}
}

impl Attendant for () {}

/// A terminal with its connection. The connection is made when it is needed and again when it broke.
pub struct Driver<A = ()> {
    terminal: Terminal,
    target: Target,
    line: Option<Line>,
    attendant: A,
}

/// Why a driver could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DriveFault {
    /// The terminal could not make the message.
    #[error(transparent)]
    Terminal(#[from] TerminalFault),
    /// The memory could not be kept: nothing was sent.
    #[error("state file: {0}")]
    Keep(io::Error),
}

impl<A: Attendant> Driver<A> {
    /// A terminal that will call `target`.
    #[must_use]
    pub fn new(terminal: Terminal, target: Target, attendant: A) -> Self {
        Self { terminal, target, line: None, attendant }
    }

    /// The terminal.
    #[must_use]
    pub fn terminal(&self) -> &Terminal {
        &self.terminal
    }

    /// The terminal, for changes between two requests.
    pub fn terminal_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }

    /// Who stands beside it.
    pub fn attendant_mut(&mut self) -> &mut A {
        &mut self.attendant
    }

    /// Makes a request without sending it; a pending reversal must have gone first.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub fn prepare(&mut self, purchase: &Purchase<'_>) -> Result<Sent, DriveFault> {
        Ok(self.terminal.purchase(purchase, now())?)
    }

    /// Drops the connection.
    pub fn hang_up(&mut self) {
        self.line = None;
    }

    /// Signs in.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn sign_in(&mut self) -> Result<Outcome, DriveFault> {
        let sent = self.terminal.sign_in(now())?;
        self.send(&sent).await
    }

    /// Asks whether anybody is there.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn echo(&mut self) -> Result<Outcome, DriveFault> {
        let sent = self.terminal.echo(now())?;
        self.send(&sent).await
    }

    /// Closes the day: what is owed must have gone first.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn sign_off(&mut self) -> Result<Outcome, DriveFault> {
        let sent = self.terminal.sign_off(now())?;
        self.send(&sent).await
    }

    /// A sale, an authorization or a balance inquiry; a pending reversal must have gone first.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn purchase(&mut self, purchase: &Purchase<'_>) -> Result<(Sent, Outcome), DriveFault> {
        let sent = self.terminal.purchase(purchase, now())?;
        let outcome = self.send(&sent).await?;
        Ok((sent, outcome))
    }

    /// Does what must come before a request: signs in if there are no working keys, sends a pending reversal
    /// until it is answered, [`REVERSAL_ATTEMPTS`] times at most, and tells what was not told yet, once each.
    /// A host that wants a sign-in gets one. Returns how the last message ended, if one was sent; only if
    /// [`Driver::is_ready`] afterwards may a request go.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn make_ready(&mut self) -> Result<Option<Outcome>, DriveFault> {
        let mut last = None;
        let mut signs_in = self.terminal.needs_sign_in();
        for _ in 0..REVERSAL_ATTEMPTS {
            if signs_in {
                let outcome = self.sign_in().await?;
                let done = outcome.answer().is_some_and(|answer| answer.approved && answer.valid);
                last = Some(outcome);
                if !done {
                    break;
                }
            }
            let Some(sent) = self.terminal.reversal(now())? else { break };
            let outcome = self.send(&sent).await?;
            signs_in = self.wants_sign_in(&outcome);
            let unreachable = matches!(outcome, Outcome::NoConnection(_));
            last = Some(outcome);
            if self.terminal.memory().pending.is_none() || unreachable {
                break;
            }
        }
        if self.is_ready() { Ok(self.tell().await?.or(last)) } else { Ok(last) }
    }

    /// Tells the host what it has not acknowledged yet, the oldest first. Stops at the first that is not
    /// acknowledged, after a sign-in if the host wants one.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn tell(&mut self) -> Result<Option<Outcome>, DriveFault> {
        let mut last = None;
        let mut signed_in = false;
        loop {
            let untold = self.terminal.untold();
            let Some(sent) = self.terminal.advice()? else { return Ok(last) };
            let outcome = self.send(&sent).await?;
            let again = self.wants_sign_in(&outcome) && !signed_in;
            last = Some(outcome);
            if again {
                signed_in = true;
                last = Some(self.sign_in().await?);
            }
            if self.terminal.untold() == untold && !(again && self.is_ready()) {
                return Ok(last);
            }
        }
    }

    pub(super) fn wants_sign_in(&self, outcome: &Outcome) -> bool {
        let wants = outcome.answer().is_some_and(|answer| answer.wants_sign_in() && !answer.approved);
        wants && self.terminal.setup().profile.sign_in
    }

    /// Whether a request may go: there are keys, and nothing is pending.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        !self.terminal.needs_sign_in() && self.terminal.memory().pending.is_none()
    }

    /// Sends a message of the terminal's and waits for its answer. Other units that come are shown to
    /// whoever looks on, and waited through.
    ///
    /// # Errors
    /// [`DriveFault::Keep`]: the memory could not be kept, and nothing was sent.
    pub async fn send(&mut self, sent: &Sent) -> Result<Outcome, DriveFault> {
        self.keep()?;
        if let Err(error) = self.connect().await {
            self.terminal.not_sent(sent);
            self.keep()?;
            return Ok(Outcome::NoConnection(error));
        }
        self.attendant.see(Event::Sending(sent));
        let outcome = self.exchange(sent).await;
        self.keep()?;
        Ok(outcome)
    }

    /// Sends a message and hangs up before its answer can come.
    ///
    /// # Errors
    /// As [`Driver::send`].
    pub async fn send_and_hang_up(&mut self, sent: &Sent) -> Result<Outcome, DriveFault> {
        self.keep()?;
        if let Err(error) = self.connect().await {
            self.terminal.not_sent(sent);
            return Ok(Outcome::NoConnection(error));
        }
        self.attendant.see(Event::Sending(sent));
        if let Some(line) = &mut self.line {
            let _gone = line.stream.write_all(&sent.unit).await;
            let _gone = line.stream.flush().await;
        }
        self.line = None;
        Ok(Outcome::Silent)
    }

    pub(super) fn keep(&mut self) -> Result<(), DriveFault> {
        self.attendant.keep(&self.terminal).map_err(DriveFault::Keep)
    }

    async fn connect(&mut self) -> io::Result<()> {
        if self.line.is_some() {
            return Ok(());
        }
        let deadline = Instant::now() + self.target.connect_within;
        let stream = timeout_at(deadline, open(&self.target)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let deframer = Deframer::new(self.terminal.setup().profile.framing);
        self.line = Some(Line { stream, deframer });
        Ok(())
    }

    async fn exchange(&mut self, sent: &Sent) -> Outcome {
        let deadline = Instant::now() + self.target.answer_within;
        let Some(line) = &mut self.line else { return Outcome::Silent };
        let (terminal, attendant) = (&mut self.terminal, &mut self.attendant);
        let mut whole = false;
        let waited = timeout_at(deadline, async {
            line.stream.write_all(&sent.unit).await?;
            line.stream.flush().await?;
            whole = true;
            loop {
                let unit = line.next().await?;
                match terminal.on_answer(sent, unit) {
                    Heard::Answer(answer) => return Ok::<_, io::Error>(answer),
                    Heard::Other(unexpected) => attendant.see(Event::Unexpected(&unexpected)),
                }
            }
        })
        .await;
        match waited {
            Ok(Ok(answer)) => {
                attendant.see(Event::Answered(&answer));
                Outcome::Answered(answer)
            }
            Ok(Err(_)) => {
                attendant.see(Event::Broken);
                self.line = None;
                Outcome::Silent
            }
            Err(_) => {
                // After half a unit the stream has no meaning any more.
                if !whole {
                    self.line = None;
                }
                Outcome::Silent
            }
        }
    }
}

/// Connects, with TLS where the target has it.
pub(in crate::sim) async fn open(target: &Target) -> io::Result<Box<dyn Stream>> {
    let stream = TcpStream::connect(&target.address).await?;
    stream.set_nodelay(true)?;
    let Some(tls) = &target.tls else { return Ok(Box::new(stream)) };
    let host = target.address.rsplit_once(':').map_or(target.address.as_str(), |(host, _)| host);
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let connector = tokio_rustls::TlsConnector::from(Arc::clone(tls));
    Ok(Box::new(connector.connect(name, stream).await?))
}

impl Line {
    /// The next unit with something in it; units of length zero are signs of life.
    async fn next(&mut self) -> io::Result<bytes::Bytes> {
        let mut buffer = [0; 2048];
        loop {
            while let Some(unit) = self.deframer.next().map_err(io::Error::other)? {
                if !unit.is_empty() {
                    return Ok(unit);
                }
            }
            match self.stream.read(&mut buffer).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.deframer.push(buffer.get(..read).unwrap_or_default()),
            }
        }
    }
}
