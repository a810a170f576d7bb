//! A terminal opens its day: fresh working keys under its master key, and its batch.

use super::exchange::{Exchange, Stop, put};
use super::station::{Station, World};
use crate::hsm::GeneratedKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::model::BatchNumber;
use crate::model::Clock;
use crate::model::KeyName;
use crate::model::MerchantId;
use crate::model::Opening;
use crate::model::RemoteAction;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::Standing;
use crate::model::TerminalFacts;
use crate::model::WorkingKeys;
use crate::mutant;
use crate::mutant::Mutant;
use crate::registry::Asked;
use crate::registry::Flood;
use crate::registry::Flooded;
use bytes::Bytes;
use smallvec::SmallVec;

/// What a sign-in asks for: cn-pos 60.3.
#[derive(Clone, Copy)]
struct Order {
    pin: KeyAlgorithm,
    track: bool,
}

impl Order {
    /// 001 single length, 003 double length, 004 double length with a track key.
    fn parse(network_code: &[u8]) -> Option<Self> {
        match network_code {
            b"001" => Some(Self { pin: KeyAlgorithm::Des, track: false }),
            b"003" => Some(Self { pin: KeyAlgorithm::Tdes2, track: false }),
            b"004" => Some(Self { pin: KeyAlgorithm::Tdes2, track: true }),
            _ => None,
        }
    }
}

/// The keys of one sign-in, as made.
struct Made {
    pin: GeneratedKey,
    mac: GeneratedKey,
    data: Option<GeneratedKey>,
}

impl<W: World> Station<W> {
    /// Sign-in. Where terminals get no keys, there is nothing to hand out: 00.
    pub(super) async fn sign_in(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        if !exchange.door.keys.are_issued() {
            return self.manage_answer(exchange, facts, None, |_| Ok(()));
        }
        trading(exchange, facts)?;
        self.may_open(facts)?;
        let operator = self.operator(exchange, facts)?;
        let code = exchange.message.role(Role::NetworkCode).ok_or(Stop::format("network-code"))?;
        let order = Order::parse(&code).ok_or(Stop::code(ResponseCode::FunctionUnsupported, "key-layout"))?;
        let single = exchange.door.legacy_single_des && self.parts.hsm.capabilities().single_des;
        if order.pin == KeyAlgorithm::Des && !single {
            return Err(Stop::code(ResponseCode::FunctionUnsupported, "single-des"));
        }
        let proven = shows_certificate(exchange, facts);
        if facts.certificate.is_some() && !proven {
            return Err(Stop::code(ResponseCode::TerminalForbidden, "certificate"));
        }
        self.hear_sign_in(exchange, facts, proven).await?;
        let under = facts.master_key.clone().ok_or(Stop::code(ResponseCode::SystemFailure, "no-master-key"))?;
        let mak_length = exchange.door.profile.mak_length;
        let asked = Asked { code: SmallVec::from_slice(&code), mak_length, operator, under };
        let (batch, layout) = match self.same_again(exchange, facts, &asked).await? {
            Some(same) => same,
            None => {
                if !proven {
                    self.admit_sign_in(exchange, facts)?;
                }
                let made = self.new_keys(exchange, facts, order, asked).await;
                if made.is_err() && !proven {
                    self.parts.sessions.sign_ins().withdrawn(facts.terminal, exchange.from.household);
                }
                made?
            }
        };
        self.done(exchange, facts, RemoteAction::SignIn).await?;
        let afar = self.told_from_afar(exchange, facts).await?;
        self.manage_answer(exchange, facts, afar, |builder| {
            put(builder, Role::Batch, &batch.digits())?;
            put(builder, Role::KeyData, &layout)
        })
    }

    /// What a sign-in got a short while ago that asked for the same, if those keys were not used yet: a sign-in whose
    /// answer was lost comes again, and another's must not make the terminal's keys older than they are.
    async fn same_again(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        asked: &Asked,
    ) -> Result<Option<(BatchNumber, Bytes)>, Stop> {
        let Some(session) = self.session(&facts.terminal) else { return Ok(None) };
        let registry = self.parts.registry.load();
        let waits = |generation| {
            let keys = session.waiting(generation);
            keys.is_some_and(|keys| !registry.renewal().asks(facts, keys.opening.at, exchange.received))
        };
        let now = self.parts.clock.monotonic();
        let Some(layout) = self.parts.sessions.sign_ins().again(facts.terminal, asked, now, waits) else {
            return Ok(None);
        };
        if !session.signed_in {
            let back = |session| SessionFacts { signed_in: true, ..session };
            let session = self.parts.sessions.change(facts.terminal, back);
            let kept = self.parts.ledger.note_terminal(facts.terminal, session).await;
            kept.map_err(|fault| self.ledger_stop(&fault))?;
        }
        Ok(Some((session.batch.max(BatchNumber::FIRST), layout)))
    }

    /// Anybody can send a sign-in, and each that gets new keys costs the HSM and the ledger: 65 beyond the bounds.
    fn admit_sign_in(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<(), Stop> {
        let (registry, source) = (self.parts.registry.load(), exchange.from.household);
        let (sign_ins, now) = (self.parts.sessions.sign_ins(), self.parts.clock.monotonic());
        sign_ins.admit(facts.terminal, source, now, registry.key_terms()).map_err(|Flooded { flood, first }| {
            let rule = match flood {
                Flood::Terminal => "sign-ins-of-terminal",
                Flood::Source => "sign-ins-of-source",
            };
            if first {
                tracing::error!(
                    event = "sign-ins-limited", terminal = %facts.terminal, source = %source, rule,
                    "somebody signs in again and again and does not use the keys"
                );
            }
            Stop::code(ResponseCode::CountLimit, rule)
        })
    }

    async fn new_keys(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        order: Order,
        asked: Asked,
    ) -> Result<(BatchNumber, Bytes), Stop> {
        let made = self.make_keys(exchange, order, &asked.under).await.map_err(|fault| {
            tracing::error!(event = "hsm-fault", fault = %fault, terminal = %facts.terminal, "no working keys");
            Stop::code(ResponseCode::SystemFailure, "hsm")
        })?;
        let layout = layout(&made).ok_or(Stop::code(ResponseCode::SystemFailure, "key-layout"))?;
        let layout = Bytes::from(layout);
        let opening = Opening { operator: asked.operator, at: Some(exchange.received) };
        let session = self.hand_out(facts, made, opening).await?;
        if let Some(keys) = &session.pending {
            let waits = |generation| session.waiting(generation).is_some();
            let handed = (asked, keys.generation, layout.clone());
            self.parts.sessions.sign_ins().handed(facts.terminal, handed, self.parts.clock.monotonic(), waits);
        }
        Ok((session.batch, layout))
    }

    async fn make_keys(&self, exchange: &Exchange<'_>, order: Order, under: &KeyName) -> Result<Made, HsmError> {
        let kek = Kek(KeyRef::Named(under.clone()));
        // A single-length sign-in has no room for a longer MAC key.
        let single = exchange.door.profile.mak_length == 8 || order.pin == KeyAlgorithm::Des;
        let mac = if single { KeyAlgorithm::Des } else { KeyAlgorithm::Tdes2 };
        let (ctx, hsm) = (Self::ctx(), &self.parts.hsm);
        Ok(Made {
            pin: hsm.key_generate(&ctx, KeyUsage::Pin, order.pin, Some(&kek)).await?,
            mac: hsm.key_generate(&ctx, KeyUsage::Mac, mac, Some(&kek)).await?,
            data: match order.track {
                true => Some(hsm.key_generate(&ctx, KeyUsage::Data, KeyAlgorithm::Tdes2, Some(&kek)).await?),
                false => None,
            },
        })
    }

    /// Keeps the keys as pending, durably, before the terminal can have them.
    async fn hand_out(&self, facts: &TerminalFacts, made: Made, opening: Opening) -> Result<SessionFacts, Stop> {
        let session = self.parts.sessions.change(facts.terminal, |mut session| {
            let keys = WorkingKeys {
                generation: session.next_generation(),
                pin: made.pin.block,
                mac: made.mac.block,
                data: made.data.map(|key| key.block),
                opening,
            };
            if mutant::is(Mutant::SignInTakesKeysAway) {
                session.pending = None;
                session.unused.clear();
            }
            let batch = session.batch.max(BatchNumber::FIRST);
            SessionFacts { batch, ..session.signed_in(keys) }
        });
        let kept = self.parts.ledger.note_terminal(facts.terminal, session.clone()).await;
        kept.map_err(|fault| self.ledger_stop(&fault))?;
        Ok(session)
    }
}

/// Whether the message came by a session whose client certificate is the terminal's own.
pub(super) fn shows_certificate(exchange: &Exchange<'_>, facts: &TerminalFacts) -> bool {
    facts.certificate.is_some() && facts.certificate == exchange.from.certificate
}

/// Whether the terminal may open its day: its own merchant (03), in good standing (58).
pub(super) fn trading(exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<(), Stop> {
    let merchant = exchange.message.role(Role::Merchant).and_then(|value| MerchantId::parse(&value));
    if merchant != Some(facts.merchant) {
        return Err(Stop::code(ResponseCode::MerchantInvalid, "merchant-binding"));
    }
    if facts.standing != Standing::Active || facts.merchant_standing != Standing::Active {
        return Err(Stop::code(ResponseCode::TerminalForbidden, "standing"));
    }
    Ok(())
}

/// DE 62 of the sign-in answer: each key's cipher and four bytes of check value. After a
/// double-length PIN key the MAC key stands in 16 bytes, a single-length one with eight zero bytes
/// behind it. 24, 40 or 60 bytes.
fn layout(made: &Made) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(60);
    let slot = made.pin.wrapped.as_ref()?.as_bytes().len();
    for key in [&made.pin, &made.mac].into_iter().chain(&made.data) {
        let cipher = key.wrapped.as_ref()?.as_bytes();
        bytes.extend_from_slice(cipher);
        bytes.resize(bytes.len() + slot.saturating_sub(cipher.len()), 0);
        bytes.extend_from_slice(key.kcv.as_bytes().get(..4)?);
    }
    Some(bytes)
}
