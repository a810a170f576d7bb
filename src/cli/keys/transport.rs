//! `tollgate keys import` and `export`: keys that come from and go to others, under a key that both have.

use super::Exit;
use super::Failure;
use super::Hand;
use super::Kind;
use super::Outcome;
use super::Period;
use super::audit::Note;
use super::ceremony::check;
use super::ceremony::name;
use super::refused;
use super::safe::CTX;
use super::safe::Safe;
use super::safe::reference;
use crate::cli::input::from_hex;
use crate::cli::input::to_hex;
use crate::hsm::BlockKek;
use crate::hsm::Hsm;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::WrappedKey;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use clap::Args;
use std::io;
use std::io::Read;
use std::io::Write;

/// Longest file with a cipher or a block.
const LONGEST: u64 = 16 << 10;

/// Take in a key that came under a key both sides have
///
/// Under a key of usage key-block it is a key block (TR-31, X9.143), under one of usage kek its cipher in hex.
#[derive(Args, Debug)]
pub(super) struct Import {
    /// The key's name
    #[arg(value_parser = name)]
    name: KeyName,
    #[command(flatten)]
    kind: Kind,
    /// The key it is under
    #[arg(long, value_name = "NAME", value_parser = name)]
    under: KeyName,
    /// The file with the block or the cipher, or `-`
    #[arg(long, value_name = "FILE")]
    from: String,
    /// Its check value; a bare cipher needs it, for nothing else tells whether it is right
    #[arg(long, value_name = "HEX", value_parser = check)]
    check: Option<Kcv>,
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    hand: Hand,
}

/// Give out a key under a key that the other side has, if it may leave
#[derive(Args, Debug)]
pub(super) struct Export {
    /// The key's name
    #[arg(value_parser = name)]
    name: KeyName,
    /// Which generation, if not the one in use
    #[arg(long, value_name = "N")]
    generation: Option<u16>,
    /// The key it is to be under
    #[arg(long, value_name = "NAME", value_parser = name)]
    under: KeyName,
    #[command(flatten)]
    hand: Hand,
}

fn text(from: &str) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match from {
        "-" => io::stdin().lock().take(LONGEST).read_to_string(&mut text),
        file => std::fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::new(Exit::Usage, format!("{from}: {error}")))?;
    Ok(text.split_ascii_whitespace().collect())
}

impl Import {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        self.period.check()?;
        let mut safe = Safe::open(&self.hand)?;
        let generation = safe.file.next(&self.name)?;
        let note = Note {
            what: "import",
            key: Some(self.name.as_str().to_owned()),
            generation: Some(generation),
            check: self.check.as_ref().map(ToString::to_string),
            under: Some(self.under.as_str().to_owned()),
            ..Note::default()
        };
        let (check, block) = match self.taken(&safe) {
            Ok(taken) => taken,
            Err(failure) => return safe.refuse(note, failure),
        };
        let state = match safe.file.find(&self.name, KeyState::Current) {
            None => KeyState::Current,
            Some(_) => KeyState::Pending,
        };
        let (Kind { usage, algorithm }, Period { not_before, not_after, test }) = (self.kind, self.period);
        let kept = KeptKey {
            name: self.name.clone(),
            usage,
            algorithm,
            generation,
            state,
            check: Some(check.clone()),
            not_before,
            not_after,
            test,
            block: Some(block),
        };
        let note = Note { under: note.under, ..Note::of("import", &kept) };
        safe.file.put(kept);
        safe.commit(note)?;
        writeln!(out, "{} generation {generation}: check value {check}, {}", self.name.as_str(), state.word())?;
        Ok(Exit::Ok)
    }

    /// The key as a block of this house, and its check value.
    fn taken(&self, safe: &Safe) -> Result<(Kcv, KeyBlock), Failure> {
        let Kind { usage, algorithm } = self.kind;
        safe.file.may_have(&self.name, usage, algorithm)?;
        let under = safe.kek(&self.under)?;
        let (by, text) = (reference(under)?, text(&self.from)?);
        let taken = if under.usage == KeyUsage::KeyBlock {
            let (by, check) = (BlockKek(by), self.check.as_ref());
            safe.runtime.block_on(safe.hsm.key_import_block(&CTX, (usage, algorithm), &by, &text, check))
        } else {
            let check = self.check.as_ref();
            let check = check.ok_or_else(|| Failure::new(Exit::Usage, "a bare cipher needs --check"))?;
            let cipher = from_hex(text.as_bytes()).ok_or_else(|| Failure::new(Exit::Usage, "the cipher is not hex"))?;
            let cipher = WrappedKey::new(cipher.into());
            safe.runtime.block_on(safe.hsm.key_import(&CTX, usage, algorithm, &Kek(by), &cipher, Some(check)))
        };
        let block = taken.map_err(|fault| refused(&fault))?;
        Ok((safe.check_value(&block)?, block))
    }
}

/// Whose a terminal's key is: its name says so, as for `tollgate hsm keys`.
fn terminal_of(name: &KeyName) -> Option<&str> {
    name.as_str().strip_prefix("terminal/")?.split('/').next()
}

/// Whether a key may leave under another: what a zone has goes out under a zone's keys only, a terminal's keys under
/// its own master key. A terminal's new master key goes to its injector too, under the key of that zone.
///
/// # Errors
/// Who would get what is not theirs.
pub(super) fn may_go(name: &KeyName, usage: KeyUsage, under: &KeyName) -> Result<(), Failure> {
    let wraps = matches!(usage, KeyUsage::Kek | KeyUsage::KeyBlock);
    let why = match (terminal_of(name), terminal_of(under)) {
        (None, None) => return Ok(()),
        (None, Some(_)) => "a zone's key does not go out under a terminal's",
        (Some(_), None) if wraps => return Ok(()),
        (Some(_), None) => "a terminal's working key goes out under the terminal's own master key only",
        (Some(own), Some(other)) if own == other => return Ok(()),
        (Some(_), Some(_)) => "a terminal's key does not go out under another terminal's",
    };
    Err(Failure::new(Exit::No, format!("{}: {why}, and {} is none such", name.as_str(), under.as_str())))
}

/// A key under the current generation of another, as it is told to the other side.
pub(super) fn wrapped(safe: &Safe, key: &KeyRef, under: &KeyName) -> Result<String, Failure> {
    let under = safe.kek(under)?;
    let by = reference(under)?;
    let given = match under.usage {
        KeyUsage::KeyBlock => safe.runtime.block_on(safe.hsm.key_export_block(&CTX, key, &BlockKek(by))),
        _ => {
            let cipher = safe.runtime.block_on(safe.hsm.key_export(&CTX, key, &Kek(by)));
            cipher.map(|cipher| to_hex(cipher.as_bytes()))
        }
    };
    given.map_err(|fault| refused(&fault))
}

impl Export {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut safe = Safe::open(&self.hand)?;
        let key = match self.generation {
            None => safe.current(&self.name)?,
            Some(generation) => {
                let missing = || Failure::new(Exit::No, format!("{}: no such generation", self.name.as_str()));
                safe.file.generation(&self.name, generation).ok_or_else(missing)?
            }
        };
        let KeptKey { generation, usage, check, .. } = key.clone();
        let check = check.map(|check| check.to_string());
        let note = Note {
            what: "export",
            key: Some(self.name.as_str().to_owned()),
            generation: Some(generation),
            check: check.clone(),
            under: Some(self.under.as_str().to_owned()),
            ..Note::default()
        };
        let may = may_go(&self.name, usage, &self.under).and_then(|()| reference(key));
        let given = match may.and_then(|key| wrapped(&safe, &key, &self.under)) {
            Ok(given) => given,
            Err(failure) => return safe.refuse(note, failure),
        };
        // Noted before anybody has it.
        safe.commit(note)?;
        writeln!(out, "key         {} generation {generation}", self.name.as_str())?;
        writeln!(out, "under       {}", self.under.as_str())?;
        writeln!(out, "check value {}", check.unwrap_or_default())?;
        writeln!(out, "cipher      {given}")?;
        Ok(Exit::Ok)
    }
}
