//! Host commands, each a pure pair of writing and reading, for either side of the wire.
//!
//! Layouts are those that several open implementations agree on; the manufacturer's manuals were
//! not used. What a firmware does differently shows as a typed fault, never as a panic.

pub mod card;
pub mod data;
pub mod diagnostics;
pub mod emv;
pub mod keys;
pub mod mac;
pub mod offset;
pub mod pin;
pub mod transaction;

use super::code::ErrorCode;
use super::fields::Body;
use super::fields::FieldFault;
use super::fields::Fields;
use super::fields::body;
use super::fields::put_number;
use card::GenerateCvv;
use card::VerifyCvv;
use data::DecryptData;
use data::EncryptData;
use diagnostics::Diagnostics;
use diagnostics::Echo;
use diagnostics::Random;
use diagnostics::Status;
use emv::VerifyCsk;
use emv::VerifyStatic;
use keys::CheckKey;
use keys::ExportKey;
use keys::GenerateKey;
use keys::ImportKey;
use mac::GenerateMac;
use mac::VerifyMac;
use offset::MakePvv;
use offset::VerifyTerminalOffset;
use offset::VerifyZoneOffset;
use pin::TranslateDukpt;
use pin::TranslateTerminal;
use pin::TranslateZone;
use pin::VerifyTerminalPvv;
use pin::VerifyZonePvv;
use transaction::TransactionMac;

/// A command and its answer.
pub trait Command: Sized {
    /// Its two letters.
    const CODE: [u8; 2];
    /// Whether it may be asked a second time when the first answer was lost.
    const REPEATABLE: bool = true;
    /// What success brings.
    type Answer;

    /// Writes the fields behind the code.
    fn write(&self, out: &mut Body);

    /// Reads the fields behind the code.
    ///
    /// # Errors
    /// The first field that does not hold.
    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault>;

    /// Writes the fields behind the error code.
    fn write_answer(answer: &Self::Answer, out: &mut Body);

    /// Reads the fields behind the error code; what was asked may decide which there are.
    ///
    /// # Errors
    /// The first field that does not hold.
    fn read_answer(&self, fields: &mut Fields<'_>) -> Result<Self::Answer, FieldFault>;

    /// Whether an answer with this code has the fields of success.
    fn succeeds(code: ErrorCode) -> bool {
        code == ErrorCode::OK
    }
}

/// What may stand behind a command's own fields.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tail {
    /// `%`: which of the HSM's master keys is meant.
    pub lmk: Option<u8>,
    /// Behind a control character 19: up to 32 characters that come back.
    pub trailer: Vec<u8>,
}

/// Control character in front of a trailer.
const TRAILER: u8 = 0x19;
/// Longest trailer.
const TRAILER_MOST: usize = 32;

impl Tail {
    pub(super) fn write(&self, out: &mut Body) {
        if let Some(lmk) = self.lmk {
            out.push(b'%');
            put_number(out, usize::from(lmk), 2);
        }
        if !self.trailer.is_empty() {
            out.push(TRAILER);
            out.extend_from_slice(&self.trailer);
        }
    }

    fn read(fields: &mut Fields<'_>) -> Result<Self, FieldFault> {
        let lmk = if fields.skip(b'%') { u8::try_from(fields.number(2, "an LMK identifier")?).ok() } else { None };
        let mut trailer = Vec::new();
        if fields.skip(TRAILER) {
            let fault = fields.fault("a trailer of at most 32 characters");
            trailer = fields.rest().to_vec();
            if trailer.len() > TRAILER_MOST {
                return Err(fault);
            }
        }
        fields.end()?;
        Ok(Self { lmk, trailer })
    }
}

/// The code of the answer to a command: the second letter is the next one.
#[must_use]
pub fn answer_code([first, second]: [u8; 2]) -> [u8; 2] {
    [first, second.wrapping_add(1)]
}

/// A command as it goes into a frame.
pub fn write<C: Command>(command: &C, tail: &Tail) -> Body {
    let mut out = body();
    out.extend_from_slice(&C::CODE);
    command.write(&mut out);
    tail.write(&mut out);
    out
}

/// What a command came to: its fields, or the HSM's reason.
pub type Reply<A> = Result<A, ErrorCode>;

/// Reads the answer to `command`.
///
/// Fields behind the last one that this side knows are left alone: firmwares add some.
///
/// # Errors
/// If it is the answer to another command, or its fields do not hold.
pub fn read_answer<C: Command>(command: &C, bytes: &[u8]) -> Result<Reply<C::Answer>, FieldFault> {
    let mut fields = Fields::new(bytes);
    let fault = fields.fault("the code of the answer");
    if fields.binary::<2>("the code of the answer")? != answer_code(C::CODE) {
        return Err(fault);
    }
    let code = ErrorCode::read(&mut fields)?;
    if C::succeeds(code) { command.read_answer(&mut fields).map(Ok) } else { Ok(Err(code)) }
}

/// An answer without its trailer, which must be `trailer`: else it is the answer to another call.
///
/// An error other than a failed comparison may come without: an HSM that cannot read a command does not find its
/// trailer either.
///
/// # Errors
/// If it has another trailer, or none where it must have one.
pub fn without_trailer<'a>(bytes: &'a [u8], trailer: &[u8]) -> Result<&'a [u8], FieldFault> {
    if trailer.is_empty() {
        return Ok(bytes);
    }
    let own = bytes.strip_suffix(trailer).and_then(|rest| rest.strip_suffix(&[TRAILER]));
    let bare = match bytes {
        [_, _, first, second] => {
            ![ErrorCode::OK, ErrorCode::VERIFICATION].iter().any(|code| code.as_bytes() == &[*first, *second])
        }
        _ => false,
    };
    own.or(bare.then_some(bytes)).ok_or(FieldFault { at: bytes.len(), what: "the trailer of the command" })
}

/// Writes the answer to a command.
pub fn write_answer<C: Command>(reply: &Reply<C::Answer>, trailer: &[u8]) -> Body {
    let mut out = body();
    out.extend_from_slice(&answer_code(C::CODE));
    match reply {
        Ok(answer) => {
            out.extend_from_slice(ErrorCode::OK.as_bytes());
            C::write_answer(answer, &mut out);
        }
        Err(code) => out.extend_from_slice(code.as_bytes()),
    }
    let tail = Tail { lmk: None, trailer: trailer.to_vec() };
    tail.write(&mut out);
    out
}

/// Why a body is no command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unreadable {
    /// Nobody knows its code; the two bytes as they came.
    Code([u8; 2]),
    /// A field does not hold.
    Field([u8; 2], FieldFault),
    /// Shorter than a code.
    Short,
}

/// All commands of this room as one type, for whoever answers them.
macro_rules! commands {
    ($($name:ident),* $(,)?) => {
        /// Any command this room knows.
        pub enum AnyCommand {
            $(
                #[doc = concat!("See [`", stringify!($name), "`].")]
                $name($name),
            )*
        }

        impl AnyCommand {
            /// Reads a command with its tail.
            ///
            /// # Errors
            /// [`Unreadable`].
            pub fn read(bytes: &[u8]) -> Result<(Self, Tail), Unreadable> {
                let mut fields = Fields::new(bytes);
                let code = fields.binary::<2>("a command code").map_err(|_| Unreadable::Short)?;
                let command = match code {
                    $(<$name as Command>::CODE => $name::read(&mut fields).map(Self::$name),)*
                    _ => return Err(Unreadable::Code(code)),
                };
                let whole = command.and_then(|command| Ok((command, Tail::read(&mut fields)?)));
                whole.map_err(|fault| Unreadable::Field(code, fault))
            }

            /// Writes it as it goes into a frame.
            pub fn write(&self, tail: &Tail) -> Body {
                match self {
                    $(Self::$name(command) => write(command, tail),)*
                }
            }

            /// Whether `bytes` read as an answer to it, with success or without.
            ///
            /// # Errors
            /// As [`read_answer`].
            pub fn check_answer(&self, bytes: &[u8]) -> Result<(), FieldFault> {
                match self {
                    $(Self::$name(command) => read_answer(command, bytes).map(drop),)*
                }
            }
        }
    };
}

commands!(
    Diagnostics,
    Status,
    Echo,
    Random,
    GenerateKey,
    ImportKey,
    ExportKey,
    CheckKey,
    TranslateTerminal,
    TranslateZone,
    TranslateDukpt,
    VerifyTerminalPvv,
    VerifyZonePvv,
    VerifyTerminalOffset,
    VerifyZoneOffset,
    MakePvv,
    GenerateMac,
    VerifyMac,
    TransactionMac,
    GenerateCvv,
    VerifyCvv,
    VerifyStatic,
    VerifyCsk,
    EncryptData,
    DecryptData,
);

#[cfg(test)]
mod tests {
    use super::without_trailer;

    #[test]
    fn an_answer_without_its_commands_trailer_is_none() {
        let own = |bytes| without_trailer(bytes, b"0007").ok();
        assert_eq!(own(b"M700C57E42AA\x190007"), Some(b"M700C57E42AA".as_slice()));
        assert_eq!(own(b"M901\x190007"), Some(b"M901".as_slice()));
        for other in [b"M700C57E42AA\x190008".as_slice(), b"M700C57E42AA", b"M700C57E42AA0007", b"M900", b"M901", b""] {
            assert!(own(other).is_none());
        }
        assert_eq!(own(b"M915"), Some(b"M915".as_slice()), "what it could not read it could not give back");
        assert_eq!(without_trailer(b"M700", b"").ok(), Some(b"M700".as_slice()), "nothing is asked for");
    }
}
