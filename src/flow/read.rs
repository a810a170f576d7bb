//! From an authentic message to a business request: every value of its type, or 30.

use super::asking::{Asking, passed};
use super::authentic::{Authentic, Proven};
use super::exchange::{Exchange, Stop};
use super::settle::counts_itself;
use super::station::{Station, World};
use crate::hsm::DukptKey;
use crate::hsm::Hsm;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::Value;
use crate::ledger::Recorded;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::Currency;
use crate::model::EncryptedPinBlock;
use crate::model::Expiry;
use crate::model::Icc;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::Pan;
use crate::model::PosEntryMode;
use crate::model::ProcessingCode;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::Sealer;
use crate::model::Stan;
use crate::model::TerminalFacts;
use crate::model::Track2;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// The request this message makes, with the original that it names, or the code that says what is missing.
    pub(super) async fn read_request(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        kind: Kind,
        authentic: &Authentic,
    ) -> Result<Asking, Stop> {
        let message = exchange.message;
        if message.dialect().missing(message, Some(kind)).is_some() {
            return Err(Stop::format("mandatory-element"));
        }
        let track2 = self.track2(message, authentic).await?;
        let card = card(message, track2.as_ref())?;
        let token = card.map(|pan| self.parts.sealer.token(&pan));
        let (original, names_one) = self.find_original(exchange, facts, kind, token)?;
        let pan = card.map_or_else(|| self.card_of(kind, original.as_ref()), Ok)?;
        let expiry = optional(message, Role::Expiry, Expiry::parse, "expiry")?;
        let request = Request {
            kind,
            terminal: facts.terminal,
            merchant: required(message, Role::Merchant, MerchantId::parse, "merchant")?,
            stan: required(message, Role::Stan, Stan::parse, "stan")?,
            batch: optional(message, Role::Batch, BatchNumber::parse, "batch")?
                .or_else(|| self.open_batch(exchange, facts)),
            processing_code: required(message, Role::ProcessingCode, ProcessingCode::parse, "processing-code")?,
            amount: optional(message, Role::Amount, Amount::parse, "amount")?.unwrap_or(Amount::ZERO),
            currency: required(message, Role::Currency, Currency::parse, "currency")?,
            pan,
            expiry: expiry.or_else(|| track2.as_ref().and_then(Track2::expiry)),
            entry_mode: required(message, Role::EntryMode, PosEntryMode::parse, "entry-mode")?,
            card_sequence: optional(message, Role::CardSequence, |value| value.try_into().ok(), "card-sequence")?,
            condition_code: optional(message, Role::ConditionCode, |value| value.try_into().ok(), "condition-code")?,
            pin_block: optional(message, Role::PinBlock, EncryptedPinBlock::new, "pin-block")?,
            icc: message.role(Role::Icc).map(|value| Icc::new(Bytes::copy_from_slice(&value))),
            track2,
            acquirer: facts.acquirer,
            received: exchange.received,
        };
        let original_unknown = names_one && original.is_none() && kinds::may_stand_alone(kind);
        Ok(Asking { request, original, original_unknown, passed: passed(message, kind) })
    }

    /// The batch that a transaction belongs to where only settlements say one: the terminal's open one.
    fn open_batch(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Option<BatchNumber> {
        let current = || self.session(&facts.terminal).unwrap_or_default().batch.max(BatchNumber::FIRST);
        counts_itself(exchange).then(current)
    }

    /// The card of a follow-up that does not bring it: its original's.
    fn card_of(&self, kind: Kind, original: Option<&Recorded>) -> Result<Pan, Stop> {
        match original {
            Some(original) => {
                self.open_pan(&original.intent).ok_or(Stop::code(ResponseCode::SystemFailure, "seal-fault"))
            }
            None if kinds::found_by(kind).is_empty() => Err(Stop::code(ResponseCode::CardInvalid, "no-card")),
            None => Err(Stop::code(ResponseCode::OriginalNotFound, "original")),
        }
    }

    /// Track 2 in clear; deciphered in the HSM where the dialect says that the message says so.
    async fn track2(&self, message: &Message, authentic: &Authentic) -> Result<Option<Track2>, Stop> {
        let (Some(value), Some(row)) = (message.role(Role::Track2), message.dialect().role(Role::Track2)) else {
            return Ok(None);
        };
        if !message.enciphered(row.de) {
            return Track2::parse(&value).map(Some).ok_or(Stop::format("track2"));
        }
        let (packed, digits) = (message.raw(row.de).unwrap_or_default(), value.len());
        let (ctx, hsm) = (Self::ctx(), &self.parts.hsm);
        let track = match &authentic.keys {
            Proven::Lasting { data: None, .. } => {
                return Err(Stop::code(ResponseCode::SecurityFailure, "track-key"));
            }
            Proven::Lasting { data: Some(key), .. } => hsm.track_decrypt(&ctx, key, packed, digits).await,
            Proven::Transaction { base, ksn } => {
                hsm.packed_track_decrypt_dukpt(&ctx, DukptKey { base, ksn }, packed, digits).await
            }
        };
        match track {
            Ok(Some(track)) => Ok(Some(track)),
            Ok(None) => Err(Stop::code(ResponseCode::SecurityFailure, "track-cipher")),
            Err(fault) => {
                tracing::error!(event = "hsm-fault", fault = %fault, "a track could not be deciphered");
                Err(Stop::code(ResponseCode::SystemFailure, "hsm"))
            }
        }
    }
}

/// The card: a payment code that was scanned, the number as sent, or the track's. Of a code of 20 digits the
/// first 19 stand for it; the issuer gets the whole.
fn card(message: &Message, track2: Option<&Track2>) -> Result<Option<Pan>, Stop> {
    if let Some(code) = message.role(Role::PaymentCode) {
        let digits = code.get(..Pan::MOST).unwrap_or(&code);
        let plain = (PAYMENT_CODE.contains(&code.len()) && code.iter().all(u8::is_ascii_digit)).then_some(digits);
        return plain.and_then(Pan::parse).map(Some).ok_or(Stop::format("payment-code"));
    }
    let pan = optional(message, Role::Pan, Pan::parse, "pan")?.or_else(|| track2.and_then(Track2::pan));
    if track2.is_some_and(|track| track.pan() != pan) {
        return Err(Stop::code(ResponseCode::CardInvalid, "card-differs-from-track"));
    }
    Ok(pan)
}

/// How many digits a customer's payment code has.
const PAYMENT_CODE: std::ops::RangeInclusive<usize> = 16..=20;

fn optional<T>(
    message: &Message,
    role: Role,
    parse: impl Fn(&[u8]) -> Option<T>,
    name: &'static str,
) -> Result<Option<T>, Stop> {
    let parsed = |value: Value<'_>| parse(&value).ok_or(Stop::format(name));
    message.role(role).map(parsed).transpose()
}

fn required<T>(
    message: &Message,
    role: Role,
    parse: impl Fn(&[u8]) -> Option<T>,
    name: &'static str,
) -> Result<T, Stop> {
    optional(message, role, parse, name)?.ok_or(Stop::format(name))
}
