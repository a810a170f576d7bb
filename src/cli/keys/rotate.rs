//! `tollgate keys rotate`: the next generation of a key, from its making to the end of the one before.

use super::Exit;
use super::Failure;
use super::Hand;
use super::Outcome;
use super::audit;
use super::audit::Audit;
use super::audit::Note;
use super::ceremony::name;
use super::last_day;
use super::refused;
use super::safe::CTX;
use super::safe::Safe;
use super::safe::located;
use super::safe::reference;
use super::transport::may_go;
use super::transport::wrapped;
use super::word;
use crate::cli::batch::ask;
use crate::cli::input::to_hex;
use crate::hsm::Hsm;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use crate::server::control::Order;
use crate::server::control::SOCKET;
use clap::Args;
use jiff::civil::Date;
use serde_json::Value;
use std::io::Write;
use std::path::Path;

/// Make the next generation of a key, put it to use, or end the one before
///
/// Without a flag a new generation is made, pending, and with --under given out once for the other side: a key that
/// wraps others never leaves later. --activate makes the pending one current, the current one the one before; the
/// station takes it at its next start. --settle destroys the one before, --withdraw the pending one. --zone tells the
/// running station to give an issuer a new zone key; both use it at once.
#[derive(Args, Debug)]
pub(super) struct Rotate {
    /// The key's name
    #[arg(value_parser = name)]
    name: KeyName,
    /// The key that the other side gets it under
    #[arg(long, value_name = "NAME", value_parser = name, conflicts_with = "step")]
    under: Option<KeyName>,
    /// What a key is for that has no generation yet
    #[arg(long, value_parser = word::<KeyUsage>, requires = "algorithm", conflicts_with = "step")]
    usage: Option<KeyUsage>,
    /// Its algorithm
    #[arg(long, value_parser = word::<KeyAlgorithm>, requires = "usage", conflicts_with = "step")]
    algorithm: Option<KeyAlgorithm>,
    /// The last day the new generation may be used
    #[arg(long, value_name = "DATE", value_parser = last_day, conflicts_with = "step")]
    not_after: Option<Date>,
    /// Give this running station's issuer NAME a new zone key over its link: `pin` or `mac`
    #[arg(long, value_name = "KEY", value_parser = ["pin", "mac"], conflicts_with_all = ["step", "under", "usage"], requires = "reason")]
    zone: Option<String>,
    /// Why; the station's log says so
    #[arg(long, value_name = "TEXT", requires = "zone")]
    reason: Option<String>,
    #[command(flatten)]
    step: Step,
    #[command(flatten)]
    hand: Hand,
}

/// What else may happen to generations.
#[derive(Args, Clone, Copy, Debug)]
#[group(id = "step", multiple = false)]
struct Step {
    /// The pending generation comes into use
    #[arg(long)]
    activate: bool,
    /// The other side has the new one: the generation before is destroyed
    #[arg(long)]
    settle: bool,
    /// The pending generation is destroyed
    #[arg(long)]
    withdraw: bool,
}

impl Rotate {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        if let Some((which, reason)) = self.zone.as_deref().zip(self.reason.as_deref()) {
            return self.change_zone(which, reason, out);
        }
        let mut safe = Safe::open(&self.hand)?;
        match self.step {
            Step { activate: true, .. } => self.activate(&mut safe, out),
            Step { settle: true, .. } => self.end(&mut safe, "settle", KeyState::Before, out),
            Step { withdraw: true, .. } => self.end(&mut safe, "withdraw", KeyState::Pending, out),
            Step { .. } => self.make(&mut safe, out),
        }
    }

    /// Asks the running station; its key file keeps no zone keys that came this way, its ledger does.
    fn change_zone(&self, which: &str, reason: &str, out: &mut dyn Write) -> Outcome {
        let (station, path) = located(&self.hand.place)?;
        let folder = self.hand.place.config.parent().unwrap_or(Path::new(""));
        let ledger = station.keeping.folder.map(|ledger| folder.join(ledger));
        let ledger =
            ledger.ok_or_else(|| Failure::new(Exit::Config, "the station keeps no ledger, and no zone keys"))?;
        let kept = audit::path_of(&path).exists();
        let mut audit = kept.then(|| Audit::open(&path, false)).transpose()?;
        let (issuer, actor) = (self.name.as_str().to_owned(), self.hand.by.clone());
        let order = Order::ChangeKey { issuer, which: which.to_owned(), actor, reason: reason.to_owned() };
        let said = ask(&ledger.join(SOCKET), &order)?;
        let word = |name: &str| said.get(name).and_then(Value::as_str).map(str::to_owned);
        let note = Note {
            what: if which == "pin" { "zone-pin" } else { "zone-mac" },
            key: Some(self.name.as_str().to_owned()),
            generation: said.get("generation").and_then(Value::as_u64).and_then(|number| u16::try_from(number).ok()),
            check: word("check"),
            refused: word("error"),
            ..Note::default()
        };
        let (generation, check) = (note.generation.unwrap_or_default(), note.check.clone().unwrap_or_default());
        let refused = note.refused.clone();
        audit.as_mut().map_or(Ok(()), |audit| audit.add(&self.hand.by, note))?;
        if said.get("ok") != Some(&Value::Bool(true)) {
            return Err(Failure::new(Exit::No, refused.unwrap_or_else(|| "the station refused".to_owned())));
        }
        writeln!(out, "{} {which} key, generation {generation}: check value {check}", self.name.as_str())?;
        Ok(Exit::Ok)
    }

    fn note(&self, what: &'static str, key: Option<&KeptKey>) -> Note {
        Note {
            what,
            key: Some(self.name.as_str().to_owned()),
            generation: key.map(|key| key.generation),
            check: key.and_then(|key| key.check.as_ref()).map(ToString::to_string),
            ..Note::default()
        }
    }

    /// The generation in a state, to do something to.
    fn in_state(&self, safe: &mut Safe, what: &'static str, state: KeyState) -> Result<KeptKey, Failure> {
        if let Some(key) = safe.file.find(&self.name, state) {
            return Ok(key.clone());
        }
        let failure = Failure::new(Exit::No, format!("{}: no generation is {}", self.name.as_str(), state.word()));
        safe.refuse(self.note(what, None), failure)
    }

    fn activate(&self, safe: &mut Safe, out: &mut dyn Write) -> Outcome {
        let pending = self.in_state(safe, "activate", KeyState::Pending)?;
        safe.file.shift(&self.name, KeyState::Before, KeyState::Retired);
        safe.file.shift(&self.name, KeyState::Current, KeyState::Before);
        safe.file.shift(&self.name, KeyState::Pending, KeyState::Current);
        safe.commit(self.note("activate", Some(&pending)))?;
        writeln!(out, "{} generation {}: current", self.name.as_str(), pending.generation)?;
        Ok(Exit::Ok)
    }

    fn end(&self, safe: &mut Safe, what: &'static str, state: KeyState, out: &mut dyn Write) -> Outcome {
        let ended = self.in_state(safe, what, state)?;
        safe.file.shift(&self.name, state, KeyState::Retired);
        safe.commit(self.note(what, Some(&ended)))?;
        writeln!(out, "{} generation {}: destroyed", self.name.as_str(), ended.generation)?;
        Ok(Exit::Ok)
    }

    /// What the key is for: what its generations say, or the command does if there are none.
    fn kind(&self, safe: &Safe) -> Result<(KeyUsage, KeyAlgorithm, bool), Failure> {
        let known = safe.file.keys.iter().rfind(|key| key.name == self.name);
        let said = self.usage.zip(self.algorithm);
        let kind = said.or(known.map(|key| (key.usage, key.algorithm)));
        let none = || {
            Failure::new(Exit::No, format!("{}: there is none yet; say --usage and --algorithm", self.name.as_str()))
        };
        let (usage, algorithm) = kind.ok_or_else(none)?;
        safe.file.may_have(&self.name, usage, algorithm)?;
        Ok((usage, algorithm, known.is_some_and(|key| key.test)))
    }

    /// A fresh key, and what the other side gets of it.
    fn made(&self, safe: &Safe) -> Result<Made, Failure> {
        let (usage, algorithm, test) = self.kind(safe)?;
        self.under.iter().try_for_each(|under| may_go(&self.name, usage, under))?;
        let kek = self.under.as_ref().map(|under| safe.kek(under)).transpose()?;
        let bare = kek.filter(|kek| kek.usage == KeyUsage::Kek).map(reference).transpose()?.map(Kek);
        let made = safe.runtime.block_on(safe.hsm.key_generate(&CTX, usage, algorithm, bare.as_ref()));
        let made = made.map_err(|fault| refused(&fault))?;
        let given = match (&self.under, &made.wrapped) {
            (_, Some(cipher)) => Some(to_hex(cipher.as_bytes())),
            (None, None) => None,
            (Some(under), None) => Some(wrapped(safe, &KeyRef::Block(made.block.clone()), under)?),
        };
        let check = safe.check_value(&made.block)?;
        Ok(Made { usage, algorithm, test, check, block: made.block, given })
    }

    fn make(&self, safe: &mut Safe, out: &mut dyn Write) -> Outcome {
        let generation = safe.file.next(&self.name)?;
        let under = self.under.as_ref().map(|name| name.as_str().to_owned());
        let note = Note { generation: Some(generation), under, ..self.note("rotate", None) };
        let Made { usage, algorithm, test, check, block, given } = match self.made(safe) {
            Ok(made) => made,
            Err(failure) => return safe.refuse(note, failure),
        };
        let state = match safe.file.find(&self.name, KeyState::Current) {
            None => KeyState::Current,
            Some(_) => KeyState::Pending,
        };
        let kept = KeptKey {
            name: self.name.clone(),
            usage,
            algorithm,
            generation,
            state,
            check: Some(check.clone()),
            not_before: None,
            not_after: self.not_after,
            test,
            block: Some(block),
        };
        let note = Note { under: note.under, ..Note::of("rotate", &kept) };
        safe.file.put(kept);
        // Kept and noted before anybody has it.
        safe.commit(note)?;
        writeln!(out, "key         {} generation {generation}, {}", self.name.as_str(), state.word())?;
        writeln!(out, "check value {check}")?;
        if let (Some(under), Some(given)) = (&self.under, given) {
            writeln!(out, "under       {}", under.as_str())?;
            writeln!(out, "cipher      {given}")?;
        }
        Ok(Exit::Ok)
    }
}

/// A fresh key, and its cipher for the other side if it goes there.
struct Made {
    usage: KeyUsage,
    algorithm: KeyAlgorithm,
    test: bool,
    check: Kcv,
    block: KeyBlock,
    given: Option<String>,
}
