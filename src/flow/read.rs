//! From an authentic message to a business request: every value of its type, or 30.

use super::authentic::Authentic;
use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::hsm::Hsm;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::Value;
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
use crate::model::Stan;
use crate::model::TerminalFacts;
use crate::model::Track2;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// The request this message makes, or the code that says what is missing.
    pub(super) async fn read_request(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        kind: Kind,
        authentic: &Authentic,
    ) -> Result<Request, Stop> {
        let message = exchange.message;
        if message.dialect().missing(message, Some(kind)).is_some() {
            return Err(Stop::format("mandatory-element"));
        }
        let track2 = self.track2(message, authentic).await?;
        let pan = match optional(message, Role::Pan, Pan::parse, "pan")? {
            Some(pan) => pan,
            None => track2.as_ref().and_then(Track2::pan).ok_or(Stop::code(ResponseCode::CardInvalid, "no-card"))?,
        };
        if track2.as_ref().is_some_and(|track| track.pan() != Some(pan)) {
            return Err(Stop::code(ResponseCode::CardInvalid, "card-differs-from-track"));
        }
        let expiry = optional(message, Role::Expiry, Expiry::parse, "expiry")?;
        Ok(Request {
            kind,
            terminal: facts.terminal,
            merchant: required(message, Role::Merchant, MerchantId::parse, "merchant")?,
            stan: required(message, Role::Stan, Stan::parse, "stan")?,
            batch: optional(message, Role::Batch, BatchNumber::parse, "batch")?,
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
        })
    }

    /// Track 2 in clear; deciphered in the HSM where the dialect says that the message says so.
    async fn track2(&self, message: &Message, authentic: &Authentic) -> Result<Option<Track2>, Stop> {
        let (Some(value), Some(row)) = (message.role(Role::Track2), message.dialect().role(Role::Track2)) else {
            return Ok(None);
        };
        if !message.enciphered(row.de) {
            return Track2::parse(&value).map(Some).ok_or(Stop::format("track2"));
        }
        let unkeyed = || Stop::code(ResponseCode::SecurityFailure, "track-key");
        let key = authentic.data.as_ref().ok_or_else(unkeyed)?;
        let packed = message.raw(row.de).unwrap_or_default();
        let track = self.parts.hsm.track_decrypt(&Self::ctx(), key, packed, value.len()).await;
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
