//! One frame of a terminal and the answer to it.

use super::walk::Walk;
use crate::channel::Frame;
use crate::channel::Profile;
use crate::hsm::BdKey;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::iso8583::BuildFault;
use crate::iso8583::Builder;
use crate::iso8583::EncodeError;
use crate::iso8583::Message;
use crate::iso8583::Path;
use crate::iso8583::Role;
use crate::iso8583::Value;
use crate::model::Caller;
use crate::model::DukptScheme;
use crate::model::ResponseCode;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::model::Timestamp;
use bytes::Bytes;
use std::sync::Arc;

/// How a door's terminals come by their keys.
#[derive(Clone, Debug)]
pub enum DoorKeys {
    /// By sign-in: working keys under each terminal's master key.
    Issued,
    /// Fixed for the whole door: hosts that speak for their terminals.
    Fixed {
        /// Makes and checks MACs, both ways.
        mac: MacKey,
        /// Enciphers PIN blocks.
        pin: PinKey,
    },
    /// One for each transaction: terminals are DUKPT devices, and say in each message which key it is.
    Dukpt {
        /// From which the devices' keys come.
        base: BdKey,
        /// Which serial numbers they have.
        scheme: DukptScheme,
    },
}

impl DoorKeys {
    /// Whether terminals get their keys by signing in.
    #[must_use]
    pub fn are_issued(&self) -> bool {
        matches!(self, Self::Issued)
    }
}

/// A listener's conventions, as flows need them.
#[derive(Clone)]
pub struct Door {
    /// Its configured name.
    pub name: String,
    /// Its wire.
    pub profile: Arc<Profile>,
    /// Its keys.
    pub keys: DoorKeys,
    /// Whether a sign-in there may ask for a single-length PIN key: a legacy exception, for tests.
    pub legacy_single_des: bool,
}

/// The dialect has no message of that kind.
pub(super) const NO_MTI: EncodeError = EncodeError { path: Path::Mti, fault: BuildFault::Undefined };

/// Why a flow stopped before anything was recorded.
#[derive(Debug)]
pub(super) enum Stop {
    /// Answer this code.
    Code {
        /// The code.
        code: ResponseCode,
        /// The check that stopped it.
        rule: &'static str,
    },
    /// Answer nothing.
    Silent(&'static str),
}

impl Stop {
    pub(super) fn code(code: ResponseCode, rule: &'static str) -> Self {
        Self::Code { code, rule }
    }

    /// An element is missing or not of its form: 30.
    pub(super) fn format(element: &'static str) -> Self {
        Self::code(ResponseCode::FormatError, element)
    }
}

/// One frame of a terminal, decoded, on its way through a flow.
pub(super) struct Exchange<'a> {
    pub(super) door: &'a Door,
    pub(super) frame: &'a Frame,
    pub(super) message: &'a Message,
    pub(super) received: Timestamp,
    pub(super) from: Caller,
    pub(super) walk: &'a Walk,
}

impl Exchange<'_> {
    pub(super) fn terminal(&self) -> Option<TerminalId> {
        TerminalId::parse(&self.message.role(Role::Terminal)?)
    }

    /// What its MAC covers, and the MAC.
    pub(super) fn authenticated(&self) -> Result<(&[u8], Value<'_>), Stop> {
        let parts = self.message.mac_input().zip(self.message.mac());
        parts.ok_or(Stop::code(ResponseCode::MacFailure, "mac-missing"))
    }

    /// A response with the echoes its dialect lists and this code; nothing else.
    pub(super) fn response(&self, code: ResponseCode) -> Result<Builder, EncodeError> {
        self.walk.answers(code);
        let dialect = self.message.dialect();
        let mti = self.message.mti().ok_or(NO_MTI)?.without_repeat().response();
        let mut builder = dialect.build(mti);
        for element in dialect.echo(mti) {
            builder.copy(*element, self.message)?;
        }
        builder.role(Role::ResponseCode, dialect.wire_code(code).as_bytes())?;
        Ok(builder)
    }

    /// The switch's time, where the dialect has it and the request did not bring its own.
    pub(super) fn stamp(&self, builder: &mut Builder, facts: &TerminalFacts, at: Timestamp) -> Result<(), EncodeError> {
        if builder.dialect().role(Role::LocalTime).is_some_and(|row| builder.has(row.de)) {
            return Ok(());
        }
        let digits = at.digits(facts.offset_minutes);
        put(builder, Role::LocalYear, &digits[..2])?;
        put(builder, Role::LocalDate, &digits[2..6])?;
        put(builder, Role::LocalTime, &digits[6..])
    }

    /// A whole answer of a code alone, without a MAC; `None` if even that cannot be written.
    pub(super) fn plain_answer(&self, code: ResponseCode) -> Option<Bytes> {
        self.message.mti()?;
        self.enclose(&self.response(code).ok()?.finish().ok()?)
    }

    /// The unit that carries `body` back to where the frame came from.
    pub(super) fn enclose(&self, body: &[u8]) -> Option<Bytes> {
        self.door.profile.enclose(body, Some(self.frame)).ok()
    }
}

/// Sets a role if the dialect has it.
pub(super) fn put(builder: &mut Builder, role: Role, value: &[u8]) -> Result<(), EncodeError> {
    if builder.dialect().role(role).is_some() {
        builder.role(role, value)?;
    }
    Ok(())
}
