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
use crate::model::MerchantId;
use crate::model::Opening;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::Standing;
use crate::model::TerminalFacts;
use crate::model::WorkingKeys;
use bytes::Bytes;

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
            return self.manage_answer(exchange, facts, |_| Ok(()));
        }
        trading(exchange, facts)?;
        let operator = self.operator(exchange, facts)?;
        let code = exchange.message.role(Role::NetworkCode).ok_or(Stop::format("network-code"))?;
        let order = Order::parse(&code).ok_or(Stop::code(ResponseCode::FunctionUnsupported, "key-layout"))?;
        let made = self.make_keys(exchange, facts, order).await.map_err(|fault| {
            tracing::error!(event = "hsm-fault", fault = %fault, terminal = %facts.terminal, "no working keys");
            Stop::code(ResponseCode::SystemFailure, "hsm")
        })?;
        let layout = layout(&made).ok_or(Stop::code(ResponseCode::SystemFailure, "key-layout"))?;
        let opening = Opening { operator, at: Some(exchange.received) };
        let batch = self.hand_out(facts, made, opening).await?;
        self.manage_answer(exchange, facts, |builder| {
            put(builder, Role::Batch, &batch.digits())?;
            put(builder, Role::KeyData, &layout)
        })
    }

    async fn make_keys(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, order: Order) -> Result<Made, HsmError> {
        let name = facts.master_key.clone().ok_or(HsmError::Policy("the terminal has no master key"))?;
        let kek = Kek(KeyRef::Named(name));
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
    async fn hand_out(&self, facts: &TerminalFacts, made: Made, opening: Opening) -> Result<BatchNumber, Stop> {
        let session = self.parts.sessions.change(facts.terminal, |session| {
            let keys = WorkingKeys {
                generation: session.next_generation(),
                pin: made.pin.block,
                mac: made.mac.block,
                data: made.data.map(|key| key.block),
                opening,
            };
            let batch = session.batch.max(BatchNumber::FIRST);
            SessionFacts { batch, ..session.signed_in(keys) }
        });
        let batch = session.batch;
        let kept = self.parts.ledger.note_terminal(facts.terminal, session).await;
        kept.map_err(|fault| self.ledger_stop(&fault))?;
        Ok(batch)
    }
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
