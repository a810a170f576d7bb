//! The key file: read with every breach told, written whole or not at all.

use super::super::hsm::refuse;
use super::Exit;
use super::Failure;
use super::audit::Head;
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use crate::server::config::kept_rows;
use crate::server::private_file;
use std::fmt::Write as _;
use std::io;
use std::path::Path;
use std::path::PathBuf;

const COLUMNS: &str = "name,usage,algorithm,generation,state,check,not_before,not_after,test,key";
/// What the file says of itself, in remarks of its own.
const MASTER: &str = "# master ";
const AUDIT: &str = "# audit ";

/// The generations of keys, in the order of the file.
pub(super) struct KeyFile {
    pub(super) path: PathBuf,
    /// The check value of the master key it is under.
    pub(super) master: Option<Kcv>,
    /// How far the audit file went when this was written.
    pub(super) audited: Option<Head>,
    /// Remarks of people at its top.
    remarks: Vec<String>,
    pub(super) keys: Vec<KeptKey>,
}

fn at(path: &Path, error: &io::Error) -> Failure {
    Failure::new(Exit::Config, format!("{}: {error}", path.display()))
}

fn head(text: &str) -> Option<Head> {
    let (number, hash) = text.split_once(' ')?;
    Some(Head { number: number.parse().ok()?, hash: hash.trim().to_owned() })
}

impl KeyFile {
    /// A file that is not there yet.
    pub(super) fn fresh(path: PathBuf) -> Self {
        let remarks = vec![
            "# Keys as blocks under the station's master key. Change this file by `tollgate keys` only.".to_owned(),
        ];
        Self { path, master: None, audited: None, remarks, keys: Vec::new() }
    }

    /// Reads it.
    ///
    /// # Errors
    /// Every breach, with its line.
    pub(super) fn read(path: PathBuf) -> Result<Self, Failure> {
        let text = std::fs::read_to_string(&path).map_err(|error| at(&path, &error))?;
        let mut breaches = Breaches::default();
        let keys = kept_rows(Source { file: &path.display().to_string(), text: &text }, &mut breaches);
        let keys = breaches.or(keys).map_err(refuse)?;
        let top = || text.lines().take_while(|line| line.starts_with('#'));
        let said = |what: &str| top().find_map(|line| line.strip_prefix(what).map(str::trim));
        let (master, audited) = (said(MASTER).and_then(Kcv::parse), said(AUDIT).and_then(head));
        let own = |line: &&str| line.starts_with(MASTER) || line.starts_with(AUDIT);
        let remarks = top().filter(|line| !own(line)).map(str::to_owned).collect();
        Ok(Self { path, master, audited, remarks, keys })
    }

    /// The generation of a name that is in this state.
    pub(super) fn find(&self, name: &KeyName, state: KeyState) -> Option<&KeptKey> {
        self.keys.iter().find(|key| key.name == *name && key.state == state)
    }

    /// One generation of a name.
    pub(super) fn generation(&self, name: &KeyName, generation: u16) -> Option<&KeptKey> {
        self.keys.iter().find(|key| key.name == *name && key.generation == generation)
    }

    /// The number of a name's next generation.
    ///
    /// # Errors
    /// There were 65,535.
    pub(super) fn next(&self, name: &KeyName) -> Result<u16, Failure> {
        let last = self.keys.iter().filter(|key| key.name == *name).map(|key| key.generation).max().unwrap_or(0);
        last.checked_add(1).ok_or_else(|| Failure::new(Exit::No, "this key has no more generations"))
    }

    /// Whether a name may have another generation, of this usage and algorithm.
    ///
    /// # Errors
    /// It is another kind of key, or a generation of it waits: somebody may have that already.
    pub(super) fn may_have(&self, name: &KeyName, usage: KeyUsage, algorithm: KeyAlgorithm) -> Result<(), Failure> {
        let no = |why: &str| Err(Failure::new(Exit::No, format!("{}: {why}", name.as_str())));
        match self.keys.iter().rfind(|key| key.name == *name) {
            Some(key) if (key.usage, key.algorithm) != (usage, algorithm) => {
                no("a key stays what it is: another usage or algorithm is another key")
            }
            Some(_) if self.find(name, KeyState::Pending).is_some() => {
                no("a generation of it is pending: rotate --activate or --withdraw comes first")
            }
            _ => Ok(()),
        }
    }

    /// Adds a generation behind the others of its name.
    pub(super) fn put(&mut self, key: KeptKey) {
        let last = self.keys.iter().rposition(|other| other.name == key.name);
        self.keys.insert(last.map_or(self.keys.len(), |place| place + 1), key);
    }

    /// Moves what is in one state to another; what is retired loses its block.
    pub(super) fn shift(&mut self, name: &KeyName, from: KeyState, to: KeyState) {
        for key in self.keys.iter_mut().filter(|key| key.name == *name && key.state == from) {
            key.state = to;
            if to == KeyState::Retired {
                key.block = None;
            }
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for remark in &self.remarks {
            text.push_str(remark);
            text.push('\n');
        }
        // Into a string nothing fails.
        if let Some(master) = &self.master {
            let _ = writeln!(text, "{MASTER}{master}");
        }
        if let Some(Head { number, hash }) = &self.audited {
            let _ = writeln!(text, "{AUDIT}{number} {hash}");
        }
        let _ = writeln!(text, "{COLUMNS}");
        for key in &self.keys {
            let KeptKey { name, usage, algorithm, generation, state, check, not_before, not_after, test, block } = key;
            let (check, first) = (shown(check.as_ref()), shown(not_before.as_ref()));
            let (last, block) = (shown(not_after.as_ref()), block.as_ref().map_or("", KeyBlock::as_str));
            let (name, usage, algorithm, state) = (name.as_str(), usage.word(), algorithm.word(), state.word());
            let _ =
                writeln!(text, "{name},{usage},{algorithm},{generation},{state},{check},{first},{last},{test},{block}");
        }
        text
    }

    /// Writes it in place of what is there. Under its name there is always a whole file.
    ///
    /// # Errors
    /// The operating system's.
    pub(super) fn write(&self) -> Result<(), Failure> {
        private_file::replace(&self.path, self.text().as_bytes()).map_err(|error| at(&self.path, &error))
    }
}

fn shown<T: ToString>(value: Option<&T>) -> String {
    value.map(T::to_string).unwrap_or_default()
}
