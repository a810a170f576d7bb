//! `tollgate keys ceremony`: a key out of its custodians' components, each entered in a run of its own.
//!
//! What waits between the runs is in a file beside the key file: one line a ceremony, its sum a block under the master
//! key that no operation takes for a key.

use super::super::crypto::is_test_key;
use super::Exit;
use super::Failure;
use super::Hand;
use super::Kind;
use super::Outcome;
use super::Period;
use super::audit::Note;
use super::entry;
use super::refused;
use super::safe::Safe;
use crate::hsm::Kcv;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::software::Ceremony;
use crate::hsm::software::Component;
use crate::hsm::software::MOST_COMPONENTS;
use crate::hsm::software::Progress;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use crate::server::private_file;
use clap::Args;
use std::io;
use std::io::Write;
use std::path::Path;
use std::path::PathBuf;

/// Enter one component of a key; the last custodian's run makes the key
///
/// Each custodian runs this once, and never two of them the same. The component is typed at the terminal, which does not
/// show it, or comes from a file descriptor. A run that is refused changes nothing.
#[derive(Args, Debug)]
pub(super) struct Enter {
    /// The key's name
    #[arg(value_parser = name)]
    name: KeyName,
    #[command(flatten)]
    kind: Kind,
    /// The check value that stands beside the component
    #[arg(long, value_name = "HEX", value_parser = check, required_unless_present = "abandon")]
    check: Option<Kcv>,
    /// The check value that the whole key must have; kept with the parts until it is made
    #[arg(long, value_name = "HEX", value_parser = check)]
    whole: Option<Kcv>,
    /// Of how many components the key is
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(2..=i64::from(MOST_COMPONENTS)))]
    components: u8,
    /// Read the component from this file descriptor: `--component-fd 3 3< component.txt`
    #[arg(long, value_name = "N")]
    component_fd: Option<u32>,
    /// Forget what was entered for this key
    #[arg(long, conflicts_with_all = ["check", "whole", "component_fd"])]
    abandon: bool,
    #[command(flatten)]
    period: Period,
    #[command(flatten)]
    hand: Hand,
}

/// A key's name.
pub(super) fn name(text: &str) -> Result<KeyName, &'static str> {
    KeyName::parse(text)
        .ok_or("1 to 64 letters, digits, / - _ . and no path: neither . nor .. nor nothing between slashes")
}

/// A check value.
pub(super) fn check(text: &str) -> Result<Kcv, &'static str> {
    Kcv::parse(text).ok_or("6 to 10 hex digits")
}

/// What waits for its next custodian.
struct Waiting {
    subject: String,
    block: KeyBlock,
}

fn path_of(keys: &Path) -> PathBuf {
    keys.with_extension("parts")
}

fn waiting(path: &Path) -> Result<Vec<Waiting>, Failure> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Failure::new(Exit::Config, format!("{}: {error}", path.display()))),
    };
    let line = |line: &str| {
        let (subject, block) = line.split_once(' ')?;
        Some(Waiting { subject: subject.to_owned(), block: KeyBlock::new(block) })
    };
    let read: Option<Vec<Waiting>> = text.lines().map(line).collect();
    read.ok_or_else(|| Failure::new(Exit::Config, format!("{}: is not as it was written", path.display())))
}

/// Writes what waits, or takes the file away if nothing does.
fn write(path: &Path, waiting: &[Waiting]) -> Result<(), Failure> {
    let text: String = waiting.iter().map(|one| format!("{} {}\n", one.subject, one.block.as_str())).collect();
    let done = match (waiting.is_empty(), path.exists()) {
        (true, true) => std::fs::remove_file(path),
        (true, false) => Ok(()),
        (false, _) => private_file::replace(path, text.as_bytes()),
    };
    done.map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))
}

impl Enter {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        self.period.check()?;
        let mut safe = Safe::open(&self.hand)?;
        let generation = safe.file.next(&self.name)?;
        let subject = format!("{}@{generation}", self.name.as_str());
        let parts = path_of(&safe.file.path);
        let mut waiting = waiting(&parts)?;
        let so_far = waiting.iter().position(|one| one.subject == subject).map(|place| waiting.swap_remove(place));
        let note = Note {
            key: Some(self.name.as_str().to_owned()),
            generation: Some(generation),
            check: self.check.as_ref().map(ToString::to_string),
            ..Note::default()
        };
        let Some(check) = &self.check else {
            if so_far.is_none() {
                let failure = Failure::new(Exit::No, format!("nothing was entered for {subject}"));
                return safe.refuse(Note { what: "abandon", ..note }, failure);
            }
            safe.commit(Note { what: "abandon", ..note })?;
            write(&parts, &waiting)?;
            writeln!(out, "what was entered for {} generation {generation} is forgotten", self.name.as_str())?;
            return Ok(Exit::Ok);
        };
        let note = Note { what: "component", ..note };
        let Kind { usage, algorithm } = self.kind;
        let ceremony = Ceremony { subject: &subject, usage, algorithm, components: self.components };
        let so_far = so_far.map(|one| one.block);
        let turn = self.turn(&mut safe, &ceremony, so_far.as_ref(), &note)?;
        let prompt = format!("{}, component {turn} of {} of {}", safe.by, self.components, self.name.as_str());
        let clear = entry::component(self.component_fd, &prompt)?;
        if is_test_key(&clear) && !self.period.test {
            return safe.refuse(note, Failure::new(Exit::No, "a published or written component: say --test"));
        }
        let by = safe.by.clone();
        let component = Component { custodian: &by, clear: &clear, check };
        match safe.hsm.enter_component(&ceremony, so_far.as_ref(), &component, self.whole.as_ref()) {
            Err(fault) => safe.refuse(note, refused(&fault)),
            Ok(Progress::Waits(block)) => {
                safe.commit(note)?;
                waiting.push(Waiting { subject, block });
                write(&parts, &waiting)?;
                writeln!(out, "component {turn} of {}: check value {check}", self.components)?;
                writeln!(out, "{} waits for another custodian's component", self.name.as_str())?;
                Ok(Exit::Ok)
            }
            Ok(Progress::Made(block, whole)) => {
                safe.audit.add(&by, note)?;
                writeln!(out, "component {turn} of {}: check value {check}", self.components)?;
                let state = self.made(&mut safe, generation, block, &whole)?;
                write(&parts, &waiting)?;
                let state = state.word();
                writeln!(out, "{} generation {generation}: check value {whole}, {state}", self.name.as_str())?;
                Ok(Exit::Ok)
            }
        }
    }

    /// Which component this run is for. Who has entered one is told so before anything is asked.
    fn turn(
        &self,
        safe: &mut Safe,
        ceremony: &Ceremony<'_>,
        so_far: Option<&KeyBlock>,
        note: &Note,
    ) -> Result<usize, Failure> {
        let turn = self.may_enter(safe, ceremony, so_far);
        turn.or_else(|failure| safe.refuse(note.clone(), failure))
    }

    fn may_enter(&self, safe: &Safe, ceremony: &Ceremony<'_>, so_far: Option<&KeyBlock>) -> Result<usize, Failure> {
        safe.file.may_have(&self.name, ceremony.usage, ceremony.algorithm)?;
        let entered = so_far.map(|block| safe.hsm.custodians(ceremony, block)).transpose().map_err(|fault| {
            let what = format!("what waits for {} is of another usage, algorithm or number", self.name.as_str());
            Failure::new(Exit::No, format!("{what}: {}", refused(&fault).message))
        })?;
        let entered = entered.unwrap_or_default();
        if entered.contains(&safe.by) {
            return Err(Failure::new(Exit::No, "the same custodian twice"));
        }
        Ok(entered.len() + 1)
    }

    /// Puts the key into the key file: in use, unless another generation is.
    fn made(&self, safe: &mut Safe, generation: u16, block: KeyBlock, check: &Kcv) -> Result<KeyState, Failure> {
        let state = match safe.file.find(&self.name, KeyState::Current) {
            None => KeyState::Current,
            Some(_) => KeyState::Pending,
        };
        let Period { not_before, not_after, test } = self.period;
        let (name, Kind { usage, algorithm }, check) = (self.name.clone(), self.kind, Some(check.clone()));
        let block = Some(block);
        let kept = KeptKey { name, usage, algorithm, generation, state, check, not_before, not_after, test, block };
        let note = Note::of("ceremony", &kept);
        safe.file.put(kept);
        safe.commit(note)?;
        Ok(state)
    }
}
