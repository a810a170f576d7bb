//! The other end of the wire: answers host commands over the calculators of the software HSM.
//!
//! For tests and for integrators without an HSM. Its master key is the published test key of variant
//! HSMs, so it protects nothing. Pure: bytes in, bytes out; [`Served`] tells what they came to.

mod card;
mod keys;
mod lmk;
mod mac;
mod pin;

use super::block;
use super::code::ErrorCode;
use super::code::KeyType;
use super::command;
use super::command::AnyCommand;
use super::command::Command;
use super::command::Reply;
use super::command::Tail;
use super::command::Unreadable;
use super::command::answer_code;
use super::command::diagnostics::DiagnosticsAnswer;
use super::command::keys::Under;
use super::fields::Body;
use super::fields::body;
use super::key::HostKey;
use super::key::Scheme;
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyUsage;
use crate::hsm::TranslationPolicy;
use crate::model::Entropy;
use lmk::Opened;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Firmware number in its diagnostics: none of the manufacturer's.
const FIRMWARE: &str = "0000-TEST";
/// Its status: buffer 32 KiB, TCP, 64 connections, firmware, two settings that mean nothing here.
const STATUS: &str = "31640000-TEST00000";

/// An HSM of host commands in process, under the public test master key.
pub struct Counterpart {
    odd_parity: bool,
    entropy: Arc<dyn Entropy>,
    policy: TranslationPolicy,
}

/// What a command came to.
pub struct Served {
    /// Its two letters; those of the answer are next to them.
    pub code: [u8; 2],
    /// `00`, or why not.
    pub result: ErrorCode,
    /// The answer, for the frame.
    pub answer: Body,
}

/// An answer to a command that cannot be carried out.
#[must_use]
pub fn refusal(code: [u8; 2], result: ErrorCode, trailer: &[u8]) -> Body {
    let mut out = body();
    out.extend_from_slice(&answer_code(code));
    out.extend_from_slice(result.as_bytes());
    Tail { lmk: None, trailer: trailer.to_vec() }.write(&mut out);
    out
}

/// A clear key under the public test master key: how integrators get keys to try with.
///
/// `None` if the type is not known or the key is none of 8, 16 or 24 bytes.
#[must_use]
pub fn test_key(key_type: KeyType, clear: &Zeroizing<Vec<u8>>) -> Option<HostKey> {
    lmk::seal(clear, key_type).ok()
}

/// The same in a key block, which is how AES keys are kept; a terminal's key or a zone's.
#[must_use]
pub fn test_key_block(
    usage: KeyUsage,
    algorithm: KeyAlgorithm,
    under: Under,
    clear: &Zeroizing<Vec<u8>>,
) -> Option<HostKey> {
    lmk::seal_block(clear, &block::attributes(usage, under, algorithm), &[0; 32]).ok()
}

/// Whether a master key's check value is that of the published test key: whoever has it reads every key.
#[must_use]
pub fn is_test_master(check: &Kcv) -> bool {
    lmk::CHECK.starts_with(&check.to_string())
}

/// Writes a reply, and says what it was.
fn served<C: Command>(_command: &C, reply: &Reply<C::Answer>, tail: &Tail) -> Served {
    let result = reply.as_ref().map_or_else(|code| *code, |_| ErrorCode::OK);
    Served { code: C::CODE, result, answer: command::write_answer::<C>(reply, &tail.trailer) }
}

impl Counterpart {
    /// Starts one with its randomness.
    #[must_use]
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { odd_parity: false, entropy, policy: TranslationPolicy::default() }
    }

    /// Refuses keys without odd parity, and mends those it takes in, as real HSMs are usually set: so
    /// a key of another type, or under another master key, shows.
    #[must_use]
    pub fn odd_parity(mut self) -> Self {
        self.odd_parity = true;
        self
    }

    /// Opens a key; `parity` is the code that says it does not come out as one.
    fn open(&self, key: &HostKey, key_type: KeyType, parity: ErrorCode) -> Result<Opened, ErrorCode> {
        let opened = lmk::open(key, key_type)?;
        // A key block proves itself by its MAC.
        let by_parity = self.odd_parity && key.scheme() != Scheme::Block;
        if by_parity && !lmk::has_odd_parity(&opened.clear) { Err(parity) } else { Ok(opened) }
    }

    /// Answers one command, its two letters first. `None`: not even a code.
    #[must_use]
    pub fn serve(&self, bytes: &[u8]) -> Option<Served> {
        match AnyCommand::read(bytes) {
            Ok((_, Tail { lmk: Some(lmk), trailer })) if lmk != 0 => {
                let code = *bytes.first_chunk::<2>()?;
                Some(Served { code, result: ErrorCode::LMK, answer: refusal(code, ErrorCode::LMK, &trailer) })
            }
            Ok((command, tail)) => Some(self.carry_out(&command, &tail)),
            Err(Unreadable::Code(code)) => {
                Some(Served { code, result: ErrorCode::DISABLED, answer: refusal(code, ErrorCode::DISABLED, &[]) })
            }
            Err(Unreadable::Field(code, _)) => {
                Some(Served { code, result: ErrorCode::INPUT, answer: refusal(code, ErrorCode::INPUT, &[]) })
            }
            Err(Unreadable::Short) => None,
        }
    }

    fn carry_out(&self, command: &AnyCommand, tail: &Tail) -> Served {
        use AnyCommand as A;
        match command {
            A::Diagnostics(c) => {
                let answer = DiagnosticsAnswer { lmk_check: lmk::CHECK.into(), firmware: FIRMWARE.into() };
                served(c, &Ok(answer), tail)
            }
            A::Status(c) => served(c, &Ok(STATUS.to_owned()), tail),
            A::Echo(c) => served(c, &Ok(c.data.clone()), tail),
            A::Random(c) => {
                let mut bytes = Zeroizing::new(vec![0; usize::from(c.length)]);
                self.entropy.fill(&mut bytes);
                served(c, &Ok(bytes), tail)
            }
            A::GenerateKey(c) => served(c, &self.generate_key(c), tail),
            A::ImportKey(c) => {
                let (reply, mended) = self.import_key(c);
                let mut done = served(c, &reply, tail);
                if mended {
                    done.result = ErrorCode::VERIFICATION;
                    done.answer.iter_mut().skip(2).zip(b"01").for_each(|(to, digit)| *to = *digit);
                }
                done
            }
            A::ExportKey(c) => served(c, &self.export_key(c), tail),
            A::CheckKey(c) => served(c, &self.check_key(c), tail),
            A::TranslateTerminal(c) => served(c, &self.translate(&c.0, KeyType::TMK), tail),
            A::TranslateZone(c) => served(c, &self.translate(&c.0, KeyType::ZPK), tail),
            A::TranslateDukpt(c) => served(c, &self.translate_dukpt(c), tail),
            A::VerifyTerminalPvv(c) => served(c, &self.verify_pvv(&c.0, KeyType::TMK), tail),
            A::VerifyZonePvv(c) => served(c, &self.verify_pvv(&c.0, KeyType::ZPK), tail),
            A::VerifyTerminalOffset(c) => served(c, &self.verify_offset(&c.0, KeyType::TMK), tail),
            A::VerifyZoneOffset(c) => served(c, &self.verify_offset(&c.0, KeyType::ZPK), tail),
            A::MakePvv(c) => served(c, &self.make_pvv(c), tail),
            A::TransactionMac(c) => served(c, &self.transaction_mac(c), tail),
            A::GenerateMac(c) => served(c, &self.generate_mac(&c.0), tail),
            A::VerifyMac(c) => served(c, &self.verify_mac(c), tail),
            A::GenerateCvv(c) => served(c, &self.cvv(&c.cvk, &c.input), tail),
            A::VerifyCvv(c) => served(c, &self.verify_cvv(c), tail),
            A::VerifyStatic(c) => served(c, &self.verify_static(c), tail),
            A::VerifyCsk(c) => served(c, &self.verify_csk(c), tail),
            A::EncryptData(c) => served(c, &self.cipher_data(&c.0, true), tail),
            A::DecryptData(c) => served(c, &self.cipher_data(&c.0, false), tail),
        }
    }
}
