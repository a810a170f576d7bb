//! What every flow stands on: the four traits, the registry, the live sessions.

use super::exchange::{Door, Exchange, Stop};
use super::issuer::Issuer;
use super::walk::{Stage, Walk};
use super::witness::{Event, Witness};
use crate::channel::CorrelationKey;
use crate::channel::Frame;
use crate::channel::Received;
use crate::hsm::Ctx;
use crate::hsm::Hsm;
use crate::hsm::KeyRing;
use crate::iso8583::Message;
use crate::iso8583::Rejected;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::ledger::LedgerFault;
use crate::link::IssuerLink;
use crate::model::Caller;
use crate::model::Clock;
use crate::model::Kind;
use crate::model::RateTable;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::registry::Registry;
use crate::registry::Sessions;
use crate::risk::Checks;
use arc_swap::ArcSwap;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The implementations a station is made of, chosen once by configuration.
pub trait World: Send + Sync + 'static {
    /// Keys.
    type Hsm: Hsm;
    /// Money's memory.
    type Ledger: Ledger;
    /// The way to issuers.
    type Link: IssuerLink<Received = Received, Key = CorrelationKey>;
    /// Time.
    type Clock: Clock;
    /// Card numbers at rest.
    type Sealer: KeyRing;
    /// Who watches.
    type Witness: Witness;
}

/// What all workers share.
pub struct Parts<W: World> {
    /// Keys.
    pub hsm: Arc<W::Hsm>,
    /// Money's memory.
    pub ledger: Arc<W::Ledger>,
    /// Time.
    pub clock: Arc<W::Clock>,
    /// Card numbers at rest.
    pub sealer: Arc<W::Sealer>,
    /// Who watches.
    pub witness: Arc<W::Witness>,
    /// Terminals, merchants, issuers, routes; swapped whole.
    pub registry: Arc<ArcSwap<Registry>>,
    /// The rules that judge requests; swapped whole.
    pub checks: Arc<ArcSwap<Checks>>,
    /// What merchants pay; swapped whole.
    pub rates: Arc<ArcSwap<RateTable>>,
    /// Session facts of the terminals, as the ledger keeps them.
    pub sessions: Arc<Sessions>,
    /// Cancelled when the ledger fails: the station must stop.
    pub failed: CancellationToken,
}

/// By derive this would ask the implementations to be `Clone` too.
impl<W: World> Clone for Parts<W> {
    fn clone(&self) -> Self {
        Self {
            hsm: Arc::clone(&self.hsm),
            ledger: Arc::clone(&self.ledger),
            clock: Arc::clone(&self.clock),
            sealer: Arc::clone(&self.sealer),
            witness: Arc::clone(&self.witness),
            registry: Arc::clone(&self.registry),
            checks: Arc::clone(&self.checks),
            rates: Arc::clone(&self.rates),
            sessions: Arc::clone(&self.sessions),
            failed: self.failed.clone(),
        }
    }
}

/// One worker's station: the shared parts and its own links to the issuers.
pub struct Station<W: World> {
    pub(super) parts: Parts<W>,
    pub(super) issuers: Vec<Issuer<W::Link>>,
}

impl<W: World> Station<W> {
    /// How long an HSM may take for one call.
    pub const HSM_TIME: Duration = Duration::from_secs(1);

    /// A station over these parts and links.
    #[must_use]
    pub fn new(parts: Parts<W>, issuers: Vec<Issuer<W::Link>>) -> Self {
        Self { parts, issuers }
    }

    /// Answers one frame of a terminal, which came at an instant from somebody: the whole walk of design rooms 3 to 12.
    ///
    /// `None` is silence: the frame cannot be answered, or the answer's MAC cannot be made. The future
    /// must be driven to its end even if the terminal is gone: its repeat gets the answer.
    pub async fn answer(
        &self,
        door: &Door,
        frame: &Frame,
        read: Result<Message, Box<Rejected>>,
        came: (Timestamp, Caller),
    ) -> Option<Bytes> {
        self.answer_on(&Walk::unmeasured(), door, frame, read, came).await
    }

    /// The same on a walk that somebody follows.
    pub async fn answer_on(
        &self,
        walk: &Walk,
        door: &Door,
        frame: &Frame,
        read: Result<Message, Box<Rejected>>,
        (received, from): (Timestamp, Caller),
    ) -> Option<Bytes> {
        match read {
            Ok(message) => {
                let exchange = Exchange { door, frame, message: &message, received, from, walk };
                match self.serve(&exchange).await {
                    Ok(unit) => Some(unit),
                    Err(stop) => self.refuse(&exchange, stop),
                }
            }
            Err(rejected) => {
                let exchange = Exchange { door, frame, message: &rejected.partial, received, from, walk };
                let terminal = exchange.terminal();
                self.parts.witness.note(terminal.as_ref(), &Event::Rejected { error: &rejected.error });
                if rejected.partial.mti().is_none_or(|mti| mti.is_response()) {
                    return None;
                }
                rejected.partial.role(Role::Stan)?;
                exchange.plain_answer(ResponseCode::FormatError)
            }
        }
    }

    async fn serve(&self, exchange: &Exchange<'_>) -> Result<Bytes, Stop> {
        let message = exchange.message;
        if message.mti().is_none_or(|mti| mti.is_response()) {
            return Err(Stop::Silent("a response nobody asked for"));
        }
        let terminal = exchange.terminal().ok_or(Stop::format("terminal"))?;
        let facts = self.parts.registry.load().terminal(terminal).cloned();
        let facts = &*facts.ok_or(Stop::code(ResponseCode::TerminalUnknown, "terminal-unknown"))?;
        let kind = message.dialect().kind_of(message).ok_or(Stop::code(ResponseCode::FunctionUnsupported, "kind"))?;
        exchange.walk.is_of(kind);
        match kind {
            Kind::SignIn => self.sign_in(exchange, facts).await,
            Kind::SignOff => self.sign_off(exchange, facts).await,
            Kind::Echo => self.echo(exchange, facts).await,
            Kind::Settlement => self.settle(exchange, facts).await,
            Kind::BatchUpload => self.upload(exchange, facts).await,
            Kind::Download => self.download(exchange, facts).await,
            // Terminals get their keys by signing in.
            Kind::KeyChange => Err(Stop::code(ResponseCode::FunctionUnsupported, "kind")),
            Kind::Reversal => {
                let authentic = self.authenticate(exchange, facts).await?;
                self.ended(exchange, Stage::Mac);
                self.hear_device(exchange, facts).await?;
                let answer = self.reverse(exchange, facts, &authentic).await;
                self.keep_raised(facts, &authentic).await?;
                answer
            }
            _ => {
                let authentic = self.authenticate(exchange, facts).await?;
                self.ended(exchange, Stage::Mac);
                self.hear_device(exchange, facts).await?;
                let answer = self.authorize(exchange, facts, kind, &authentic).await;
                self.keep_raised(facts, &authentic).await?;
                answer
            }
        }
    }

    /// Answers what was stopped before it was recorded: in clear text, without a MAC. A terminal takes
    /// no money on such an answer.
    fn refuse(&self, exchange: &Exchange<'_>, stop: Stop) -> Option<Bytes> {
        let terminal = exchange.terminal();
        match stop {
            Stop::Code { code, rule } => {
                if loses_reversal(code) && self.on_record(exchange) {
                    let why = "a copy of a recorded request cannot be served now";
                    self.parts.witness.note(terminal.as_ref(), &Event::Silent { why });
                    return None;
                }
                self.parts.witness.note(terminal.as_ref(), &Event::Refused { code, rule });
                exchange.plain_answer(code)
            }
            Stop::Silent(why) => {
                self.parts.witness.note(terminal.as_ref(), &Event::Silent { why });
                None
            }
        }
    }

    /// What stops a flow when the ledger cannot keep something.
    pub(super) fn ledger_stop(&self, fault: &LedgerFault) -> Stop {
        match fault {
            LedgerFault::Full => Stop::code(ResponseCode::SystemFailure, "ledger-full"),
            LedgerFault::Unknown | LedgerFault::Failed(_) => {
                tracing::error!(event = "ledger-failed", fault = %fault, "the ledger failed: the station stops");
                self.parts.failed.cancel();
                Stop::Silent("ledger failed")
            }
        }
    }

    /// The answer to what there is no room to serve: 96 without a MAC, and nothing recorded; silence to
    /// responses, and to reversals and copies of what is on record.
    #[must_use]
    pub fn overloaded(
        &self,
        door: &Door,
        frame: &Frame,
        message: &Message,
        (received, from): (Timestamp, Caller),
    ) -> Option<Bytes> {
        let walk = &Walk::unmeasured();
        let exchange = Exchange { door, frame, message, received, from, walk };
        let answered = message.mti().is_none_or(|mti| mti.is_response());
        if answered || message.dialect().kind_of(message) == Some(Kind::Reversal) {
            return None;
        }
        self.refuse(&exchange, Stop::code(ResponseCode::SystemFailure, "overloaded"))
    }

    /// Whether the message's identity is that of a recorded request, which may be approved.
    fn on_record(&self, exchange: &Exchange<'_>) -> bool {
        let facts = exchange.terminal().and_then(|terminal| self.parts.registry.load().terminal(terminal).cloned());
        let identity = facts.and_then(|facts| self.identity(exchange, &facts).ok());
        identity.is_some_and(|identity| self.parts.ledger.knows(&identity))
    }

    /// A stage of the exchange is over.
    pub(super) fn ended(&self, exchange: &Exchange<'_>, stage: Stage) {
        exchange.walk.ends(stage, || self.parts.clock.monotonic());
    }

    /// The station's time.
    #[must_use]
    pub fn clock(&self) -> &W::Clock {
        &self.parts.clock
    }

    /// The station's ledger, for those who look and do not write.
    #[must_use]
    pub fn ledger(&self) -> &W::Ledger {
        &self.parts.ledger
    }

    /// Who takes part, as of now.
    #[must_use]
    pub fn registry(&self) -> Arc<Registry> {
        self.parts.registry.load_full()
    }

    pub(super) fn ctx() -> Ctx {
        Ctx { within: Self::HSM_TIME }
    }

    /// The live facts of a terminal's session, if it ever signed in.
    pub(super) fn session(&self, terminal: &TerminalId) -> Option<SessionFacts> {
        self.parts.sessions.read(*terminal, Clone::clone)
    }
}

/// Answers given without a look at the record. A terminal drops its reversal on any answer, so a copy of
/// a request that may be approved must not get one of them (rules of the money, 2).
fn loses_reversal(code: ResponseCode) -> bool {
    matches!(code, ResponseCode::SystemFailure | ResponseCode::SignInRequired)
}
