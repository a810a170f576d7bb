//! `tollgate keys init`: a new key file, its audit file, and the master key if the station has none yet.

use super::super::crypto::is_test_key;
use super::super::hsm::clear_list;
use super::Exit;
use super::Failure;
use super::Hand;
use super::Outcome;
use super::audit;
use super::audit::Audit;
use super::audit::Note;
use super::file::KeyFile;
use super::refused;
use super::safe::Safe;
use super::safe::hsm_of;
use super::safe::located;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use crate::server::config::NamedKey;
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

/// Make a key file, empty or out of a list of clear keys
///
/// The master key is where the station's table hsm says; a file that is not there is made if the ledger is new.
#[derive(Args, Debug)]
pub(super) struct Init {
    #[command(flatten)]
    hand: Hand,
    /// A list of clear keys to take in: name,usage,algorithm,key. Take it away afterwards
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The keys of that list are test keys
    #[arg(long)]
    test: bool,
}

impl Init {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let (station, path) = located(&self.hand.place)?;
        let there = [path.clone(), audit::path_of(&path)].into_iter().find(|file| file.exists());
        if let Some(there) = there {
            return Err(Failure::new(Exit::Usage, format!("{}: is there already", there.display())));
        }
        let clear = self.from.as_deref().map(clear_list).transpose()?.unwrap_or_default();
        let (hsm, runtime, master) = hsm_of(&station, &self.hand.place)?;
        let mut file = KeyFile::fresh(path);
        file.master = Some(master.clone());
        let audit = Audit::open(&file.path, true)?;
        let mut safe = Safe { hsm, file, audit, by: self.hand.by.clone(), runtime };
        safe.audit.add(&safe.by, Note { what: "init", check: Some(master.to_string()), ..Note::default() })?;
        for key in &clear {
            let kept = self.taken(&safe, key)?;
            safe.audit.add(&safe.by, Note::of("take-in", &kept))?;
            safe.file.put(kept);
        }
        safe.file.audited = Some(safe.audit.head());
        safe.file.write()?;
        writeln!(out, "key file    {}", safe.file.path.display())?;
        writeln!(out, "audit file  {}", audit::path_of(&safe.file.path).display())?;
        writeln!(out, "master key  check value {master}")?;
        writeln!(out, "keys        {}", safe.file.keys.len())?;
        Ok(Exit::Ok)
    }

    fn taken(&self, safe: &Safe, NamedKey { name, usage, algorithm, key }: &NamedKey) -> Result<KeptKey, Failure> {
        let (usage, algorithm) = (*usage, *algorithm);
        let whose = |failure: Failure| Failure::new(Exit::No, format!("key {}: {}", name.as_str(), failure.message));
        let block = safe.hsm.keep(usage, algorithm, key).map_err(|fault| whose(refused(&fault)))?;
        let check = safe.check_value(&block).map_err(whose)?;
        Ok(KeptKey {
            name: name.clone(),
            usage,
            algorithm,
            generation: safe.file.next(name)?,
            state: KeyState::Current,
            check: Some(check),
            not_before: None,
            not_after: None,
            test: self.test || is_test_key(key),
            block: Some(block),
        })
    }
}
