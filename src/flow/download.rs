//! Terminals fetch their parameters, public keys and chip applications, in blocks that fit into DE 62.
//!
//! None of these messages carries a MAC: what they hold is public, and the only thing that they change is which
//! version the switch believes that a terminal has.

use super::exchange::{Exchange, Stop, put};
use super::sign_in::trading;
use super::station::{Station, World};
use crate::channel::Switches;
use crate::iso8583::Role;
use crate::iso8583::tlv;
use crate::ledger::Ledger;
use crate::model::DownloadSet;
use crate::model::ResponseCode;
use crate::model::SessionFacts;
use crate::model::TerminalFacts;
use crate::registry::Catalogue;
use crate::registry::Entry;
use crate::registry::Parameter;
use crate::registry::Parameters;
use bytes::Bytes;

/// What a message of a download asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Step {
    /// The parameters.
    Parameters,
    /// What there is in a list, from the first that did not come yet.
    Told(DownloadSet),
    /// One object of a list.
    One(DownloadSet),
    /// The objects of a list themselves, from the first that did not come yet.
    All(DownloadSet),
    /// Nothing more: the terminal has it all.
    End(DownloadSet),
}

impl Step {
    /// By network management code, cn-pos 60.3.
    fn parse(code: &[u8]) -> Option<Self> {
        use DownloadSet::{Applications, Capks, Contactless};
        Some(match code {
            b"360" => Self::Parameters,
            b"361" => Self::End(DownloadSet::Parameters),
            b"370" => Self::One(Capks),
            b"371" => Self::End(Capks),
            b"372" => Self::Told(Capks),
            b"380" => Self::One(Applications),
            b"381" => Self::End(Applications),
            b"382" => Self::Told(Applications),
            b"394" => Self::All(Contactless),
            b"395" => Self::End(Contactless),
            _ => return None,
        })
    }
}

/// What DE 62 begins with: nothing there, nothing more, or what the profile says where more follow.
const NONE: u8 = b'0';
const LAST: u8 = b'1';
/// Tag of the date on which a public key ends.
const EXPIRES: &[u8] = &[0xDF, 0x05];

impl<W: World> Station<W> {
    /// One message of a download: 00 with a block, or with none after the last.
    pub(super) async fn download(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        trading(exchange, facts)?;
        let unsupported = || Stop::code(ResponseCode::FunctionUnsupported, "download");
        let code = exchange.message.role(Role::NetworkCode).ok_or(Stop::format("network-code"))?;
        let step = Step::parse(&code).ok_or_else(unsupported)?;
        let registry = self.parts.registry.load_full();
        let (downloads, switches) = (registry.downloads(), &exchange.door.profile.switches);
        let asked = exchange.message.role(Role::KeyData);
        let asked = asked.as_deref().unwrap_or_default();
        let entries = |set| downloads.catalogue(set).map_or(&[][..], Catalogue::entries);
        let block = match step {
            Step::End(set) => {
                self.downloaded(facts, set).await?;
                return self.download_answer(exchange, facts, None);
            }
            Step::Parameters => {
                let name = registry.merchant(facts.merchant).map_or("", |merchant| &*merchant.name);
                parameters(downloads.parameters().ok_or_else(unsupported)?, name)
            }
            Step::Told(set) => list(entries(set), asked, switches, |entry| written(entry.told(), switches))?,
            Step::All(set) => list(entries(set), asked, switches, |entry| written(entry.tags(), switches))?,
            Step::One(set) => one(entries(set), asked, switches)?,
        };
        self.begins(facts, step, asked);
        self.download_answer(exchange, facts, Some(&block))
    }

    /// Notes with which version a download begins: an end counts for that one alone.
    fn begins(&self, facts: &TerminalFacts, step: Step, asked: &[u8]) {
        let (set, first) = match step {
            Step::Parameters => (DownloadSet::Parameters, true),
            Step::Told(set) | Step::All(set) => (set, received(asked) == Some(0)),
            Step::One(set) | Step::End(set) => (set, false),
        };
        let version = self.parts.registry.load().downloads().versions().of(set);
        self.parts.sessions.begin_download(facts.terminal, set, version, first);
    }

    /// The terminal has all of a list: that is kept, unless the list changed meanwhile.
    async fn downloaded(&self, facts: &TerminalFacts, set: DownloadSet) -> Result<(), Stop> {
        let version = self.parts.registry.load().downloads().versions().of(set);
        let begun = self.parts.sessions.end_download(facts.terminal, set);
        let has = self.session(&facts.terminal).unwrap_or_default().downloaded.of(set);
        if begun != Some(version) || has == version {
            return Ok(());
        }
        let session = self.parts.sessions.change(facts.terminal, |session| SessionFacts {
            downloaded: session.downloaded.with(set, version),
            ..session
        });
        let kept = self.parts.ledger.note_terminal(facts.terminal, session).await;
        kept.map_err(|fault| self.ledger_stop(&fault))?;
        tracing::info!(event = "downloaded", terminal = %facts.terminal, list = set.name(), version, "it has them all");
        Ok(())
    }

    /// While a download goes on, nothing else is asked of the terminal.
    fn download_answer(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        block: Option<&[u8]>,
    ) -> Result<Bytes, Stop> {
        let carried = &exchange.door.profile.switches.download_answer;
        let body = self.unsigned_answer(exchange, facts, carried, |builder| {
            block.map_or(Ok(()), |block| put(builder, Role::KeyData, block))
        })?;
        let unit = match block {
            Some(_) => exchange.enclose(&body),
            None => self.enclose(exchange, facts, &body),
        };
        unit.ok_or(Stop::Silent("the answer cannot be enclosed"))
    }
}

/// Tags in digits and values, one behind the other.
fn parameters(parameters: &Parameters, merchant: &str) -> Vec<u8> {
    let mut block = Vec::new();
    for parameter in parameters.values() {
        match parameter {
            Parameter::Value { tag, value } => {
                block.extend_from_slice(tag);
                block.extend_from_slice(value);
            }
            Parameter::MerchantName { tag } => {
                block.extend_from_slice(tag);
                block.extend(name(merchant));
            }
        }
    }
    block
}

/// A name in GBK, whole characters, filled up with blanks.
fn name(text: &str) -> Vec<u8> {
    let mut name = Vec::with_capacity(Parameters::NAME);
    for letter in text.chars() {
        let mut utf8 = [0; 4];
        let (wire, _, _) = encoding_rs::GBK.encode(letter.encode_utf8(&mut utf8));
        if name.len() + wire.len() > Parameters::NAME {
            break;
        }
        name.extend_from_slice(&wire);
    }
    name.resize(Parameters::NAME, b' ');
    name
}

/// How many objects a terminal has got: `1` and two digits; 0 if it does not say.
fn received(asked: &[u8]) -> Option<usize> {
    match asked {
        [] => Some(0),
        [b'1', tens @ b'0'..=b'9', ones @ b'0'..=b'9'] => Some(usize::from((tens - b'0') * 10 + (ones - b'0'))),
        _ => None,
    }
}

/// As many objects as fit, behind what says whether more follow.
fn list(
    entries: &[Entry],
    asked: &[u8],
    switches: &Switches,
    write: impl Fn(&Entry) -> Vec<u8>,
) -> Result<Vec<u8>, Stop> {
    let received = received(asked).ok_or(Stop::format("download-count"))?;
    let mut block = vec![if received < entries.len() { LAST } else { NONE }];
    for entry in entries.iter().skip(received) {
        let written = write(entry);
        if block.len() + written.len() > usize::from(switches.download_block) {
            if let Some(status) = block.first_mut() {
                *status = switches.download_more;
            }
            break;
        }
        block.extend(written);
    }
    Ok(block)
}

/// The object that has all that the request says of it.
fn one(entries: &[Entry], asked: &[u8], switches: &Switches) -> Result<Vec<u8>, Stop> {
    if tlv::Reader::new(asked).any(|object| object.is_err()) {
        return Err(Stop::format("download-object"));
    }
    let says = |(tag, value): (&[u8], &[u8])| tlv::Reader::new(asked).find(tag) == Some(value);
    let found = entries.iter().find(|entry| entry.key().all(says));
    Ok(found.map_or(vec![NONE], |entry| [&[LAST][..], &written(entry.tags(), switches)].concat()))
}

/// Tags and values as BER.
fn written<'a>(tags: impl Iterator<Item = (&'a [u8], &'a [u8])>, switches: &Switches) -> Vec<u8> {
    let mut out = Vec::new();
    for (tag, value) in tags {
        let text = (tag == EXPIRES && switches.capk_expiry_text)
            .then(|| value.iter().map(|byte| format!("{byte:02X}")).collect::<String>());
        // The registry holds only tags that are some, and short values.
        let _fits = tlv::write(tag, text.as_ref().map_or(value, |text| text.as_bytes()), &mut out);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_a_one_and_two_digits() {
        assert_eq!((received(b""), received(b"100"), received(b"142")), (Some(0), Some(0), Some(42)));
        assert!([&b"1"[..], b"1000", b"200", b"1x0", b"\x31\x00\x01"].iter().all(|asked| received(asked).is_none()));
    }

    #[test]
    fn a_merchants_name_is_cut_between_characters() {
        assert_eq!(name("中国")[..5], *b"\xD6\xD0\xB9\xFA ");
        let long = name(&format!("x{}", "店".repeat(30)));
        assert_eq!((long.len(), long[39]), (40, b' '));
    }
}
