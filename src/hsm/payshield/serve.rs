//! The counterpart on a socket: host commands answered as a [`Behaviour`] says.

use super::behaviour::Behaviour;
use super::behaviour::Dice;
use super::behaviour::Fate;
use super::command::AnyCommand;
use super::counterpart::Counterpart;
use super::counterpart::refusal;
use super::fields::Body;
use super::frame;
use super::frame::Deframer;
use super::frame::Frame;
use parking_lot::Mutex;
use rustls::ServerConfig;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// Connections at once, as real ones have them; further ones are closed.
const CONNECTIONS: usize = 64;
/// Commands of one connection at once; then it is not read any more.
const IN_FLIGHT: usize = 256;
/// Connections whose commands are counted one by one: the first so many.
const TAKEN_MOST: usize = 1024;
/// For a TLS handshake.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// Bytes that one read takes at most.
const READ_MOST: usize = 16 * 1024;

/// How often a command came to what: by its letters and the result.
pub type Counts = BTreeMap<([u8; 2], [u8; 2]), u64>;

/// A served HSM. Share it behind an `Arc`; its behaviour can be changed while it runs.
pub struct Served {
    host: Counterpart,
    header: usize,
    behaviour: Mutex<(Behaviour, Dice)>,
    engines: Semaphore,
    /// How many commands found all engines at work.
    waited: AtomicU64,
    counts: Mutex<Counts>,
    /// How many commands were taken in, answered or not.
    taken: Mutex<Vec<u64>>,
}

/// What a connection's writer is told.
enum Out {
    /// Write this.
    Write(Body),
    /// Write this and end.
    Last(Body),
    /// End.
    End,
}

impl Served {
    /// With headers of `header` characters.
    #[must_use]
    pub fn new(host: Counterpart, header: usize, behaviour: Behaviour, seed: u64) -> Self {
        let engines = Semaphore::new(behaviour.engines.max(1));
        let (counts, taken) = (Mutex::default(), Mutex::default());
        let (behaviour, waited) = (Mutex::new((behaviour, Dice::new(seed))), AtomicU64::new(0));
        Self { host, header, behaviour, engines, waited, counts, taken }
    }

    /// Changes how it behaves from the next command on; the number of engines stays.
    pub fn behave(&self, behaviour: Behaviour) {
        self.behaviour.lock().0 = behaviour;
    }

    /// What it was asked so far, and what came of it.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.lock().clone()
    }

    /// How many commands had to wait because all engines were at work. If nearly all have, the HSM is what limits its
    /// callers.
    #[must_use]
    pub fn waited(&self) -> u64 {
        self.waited.load(Ordering::Relaxed)
    }

    /// Commands taken in by each of the first 1,024 connections in the order they came, diagnostics not counted.
    #[must_use]
    pub fn taken(&self) -> Vec<u64> {
        self.taken.lock().clone()
    }

    /// One command, from its frame to what the writer does. `None`: no answer. `kept` is an answer of this connection
    /// that waits for one to be swapped with.
    async fn answer(&self, frame: Frame, code: [u8; 2], kept: &Mutex<Option<Frame>>) -> Option<Out> {
        let (delay, fate) = {
            let mut behaviour = self.behaviour.lock();
            let (behaviour, dice) = &mut *behaviour;
            behaviour.draw(code, dice)
        };
        let engine = match self.engines.try_acquire() {
            Ok(engine) => engine,
            Err(_) => {
                self.waited.fetch_add(1, Ordering::Relaxed);
                self.engines.acquire().await.ok()?
            }
        };
        if !delay.is_zero() {
            sleep(delay).await;
        }
        let served = self.host.serve(&frame.body);
        drop(engine);
        let served = served?;
        let (result, body) = match fate {
            Fate::Error(code) => (code, refusal(served.code, code, &trailer_of(&frame.body))),
            _ => (served.result, served.answer),
        };
        *self.counts.lock().entry((served.code, *result.as_bytes())).or_default() += 1;
        let whole = frame::frame(&frame.header, &body).ok()?;
        match fate {
            Fate::Answer | Fate::Error(_) => Some(Out::Write(whole)),
            Fate::Drop => None,
            Fate::Close => Some(Out::End),
            Fate::Half => Some(Out::Last(Zeroizing::new(whole.get(..whole.len() / 2).unwrap_or_default().to_vec()))),
            Fate::Garbage => frame::frame(&frame.header, b"?!\x00\xFF garbage").ok().map(Out::Write),
            Fate::Swap => {
                let mut kept = kept.lock();
                let Some(first) = kept.take() else {
                    *kept = Some(Frame { header: frame.header, body });
                    return None;
                };
                let swapped =
                    [frame::frame(&frame.header, &first.body).ok()?, frame::frame(&first.header, &body).ok()?];
                Some(Out::Write(Zeroizing::new(swapped.map(|frame| frame.to_vec()).concat())))
            }
            Fate::Other => frame::frame(&vec![b'~'; frame.header.len()], &body).ok().map(Out::Write),
        }
    }
}

/// What a command wants back, if it can be read.
fn trailer_of(command: &[u8]) -> Vec<u8> {
    AnyCommand::read(command).map(|(_, tail)| tail.trailer).unwrap_or_default()
}

/// Serves until `end`: connections are accepted on `listener`, with TLS if it is given.
pub async fn serve(served: Arc<Served>, listener: TcpListener, tls: Option<Arc<ServerConfig>>, end: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let acceptor = tls.map(TlsAcceptor::from);
    loop {
        let stream = tokio::select! {
            () = end.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Too many open files, or a peer that left at once: the next one may do better.
                Err(_) => {
                    sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        // Answers are small; without this they wait for each other.
        let _ = stream.set_nodelay(true);
        let (served, acceptor, end) = (Arc::clone(&served), acceptor.clone(), end.clone());
        tokio::spawn(async move {
            let conversation = async {
                match acceptor {
                    None => converse(served, stream).await,
                    Some(acceptor) => {
                        if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
                            converse(served, stream).await;
                        }
                    }
                }
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = conversation => {}
            }
            drop(place);
        });
    }
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(served: Arc<Served>, stream: S) {
    let (reader, writer) = tokio::io::split(stream);
    let (out, written) = mpsc::channel(IN_FLIGHT);
    let connection = {
        let mut taken = served.taken.lock();
        // A number behind the last is nobody's, and counts nothing.
        if taken.len() < TAKEN_MOST {
            taken.push(0);
            taken.len() - 1
        } else {
            TAKEN_MOST
        }
    };
    tokio::select! {
        () = read(&served, connection, reader, out) => {}
        () = write(writer, written) => {}
    }
}

async fn read<R: AsyncRead + Unpin>(served: &Arc<Served>, connection: usize, mut reader: R, out: mpsc::Sender<Out>) {
    let mut deframer = Deframer::new(served.header);
    let mut buffer = Zeroizing::new(vec![0; READ_MOST]);
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let kept = Arc::new(Mutex::new(None));
    while let Ok(count @ 1..) = reader.read(&mut buffer).await {
        let mut input = buffer.get(..count).unwrap_or_default();
        loop {
            match deframer.next(&mut input) {
                Ok(Some(frame)) => {
                    let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                    let Some(code) = frame.body.first_chunk::<2>().copied() else { return };
                    if &code != b"NC"
                        && let Some(taken) = served.taken.lock().get_mut(connection)
                    {
                        *taken += 1;
                    }
                    let (served, out, kept) = (Arc::clone(served), out.clone(), Arc::clone(&kept));
                    tokio::spawn(async move {
                        if let Some(answer) = served.answer(frame, code, &kept).await {
                            // The connection may be gone.
                            let _ = out.send(answer).await;
                        }
                        drop(place);
                    });
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        buffer.get_mut(..count).unwrap_or_default().zeroize();
    }
}

async fn write<W: AsyncWrite + Unpin>(mut writer: W, mut out: mpsc::Receiver<Out>) {
    while let Some(next) = out.recv().await {
        let (body, ends) = match next {
            Out::Write(body) => (body, false),
            Out::Last(body) => (body, true),
            Out::End => return,
        };
        if writer.write_all(&body).await.is_err() || writer.flush().await.is_err() || ends {
            return;
        }
    }
}
