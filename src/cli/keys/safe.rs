//! Everything that a command on keys opens: the station's HSM, the key file, the audit file.

use super::super::hsm::station_file;
use super::super::serve::hsm_failure;
use super::Exit;
use super::Failure;
use super::Hand;
use super::Place;
use super::audit::Audit;
use super::audit::Note;
use super::file::KeyFile;
use super::refused;
use crate::hsm::Ctx;
use crate::hsm::Hsm;
use crate::hsm::Kcv;
use crate::hsm::KeyBlock;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::software::SoftwareHsm;
use crate::server::config::Config;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use crate::server::hsm::software_of;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;
use tokio::runtime::Runtime;

/// For one call; the software HSM answers at once.
pub(super) const CTX: Ctx = Ctx { within: Duration::from_secs(10) };

/// A station's keys, open for one command.
pub(super) struct Safe {
    pub(super) hsm: SoftwareHsm,
    pub(super) file: KeyFile,
    pub(super) audit: Audit,
    pub(super) by: String,
    pub(super) runtime: Runtime,
}

/// The station's file and its key file's place.
pub(super) fn located(place: &Place) -> Result<(Config, PathBuf), Failure> {
    let station = station_file(&place.config)?;
    let folder = place.config.parent().unwrap_or(Path::new(""));
    let file = match (&place.file, station.lists.keys.as_slice()) {
        (Some(file), _) => file.clone(),
        (None, [only]) => folder.join(only),
        (None, []) => return Err(Failure::new(Exit::Config, "the station's [files] names no key file: say --file")),
        (None, _) => {
            return Err(Failure::new(Exit::Usage, "the station's [files] names several key files: say --file"));
        }
    };
    Ok((station, file))
}

/// The HSM of a station, without its keys, and what drives it.
pub(super) fn hsm_of(station: &Config, place: &Place) -> Result<(SoftwareHsm, Runtime, Kcv), Failure> {
    let folder = place.config.parent().unwrap_or(Path::new(""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let hsm = runtime.block_on(software_of(station, folder));
    let hsm = hsm.map_err(|fault| Failure::new(hsm_failure(&fault), fault.to_string()))?;
    let master = runtime.block_on(hsm.diagnostics(&CTX)).map_err(|fault| refused(&fault))?.master;
    let master = master.ok_or_else(|| Failure::new(Exit::Keys, "the master key has no check value"))?;
    Ok((hsm, runtime, master))
}

impl Safe {
    /// Opens the keys of a station.
    ///
    /// # Errors
    /// Files that are not as they were written, and a master key that is not the key file's.
    pub(super) fn open(hand: &Hand) -> Result<Self, Failure> {
        let (station, path) = located(&hand.place)?;
        let audit = Audit::open(&path, false)?;
        let file = KeyFile::read(path)?;
        let shown = file.path.display();
        if file.audited.as_ref().is_none_or(|head| !audit.reaches(head)) {
            let fault = "its audit file lacks lines that were there when this was written";
            return Err(Failure::new(Exit::Config, format!("{shown}: {fault}")));
        }
        let (hsm, runtime, master) = hsm_of(&station, &hand.place)?;
        if file.master.as_ref() != Some(&master) {
            let fault = format!("is under another master key than the station's, whose check value is {master}");
            return Err(Failure::new(Exit::Keys, format!("{shown}: {fault}")));
        }
        Ok(Self { hsm, file, audit, by: hand.by.clone(), runtime })
    }

    /// Notes what is done, then does it to the key file, which tells how far the audit file went.
    pub(super) fn commit(&mut self, note: Note) -> Result<(), Failure> {
        self.audit.add(&self.by, note)?;
        self.file.audited = Some(self.audit.head());
        self.file.write()
    }

    /// Notes what was refused, and refuses it.
    pub(super) fn refuse<T>(&mut self, note: Note, failure: Failure) -> Result<T, Failure> {
        self.commit(Note { refused: Some(failure.message.clone()), ..note })?;
        Err(failure)
    }

    /// The key of this name that is in use, and may wrap others.
    pub(super) fn kek(&self, name: &KeyName) -> Result<&KeptKey, Failure> {
        let key = self.current(name)?;
        match key.usage {
            KeyUsage::Kek | KeyUsage::KeyBlock => Ok(key),
            other => {
                let fault = format!("{}: is a key of usage {}, not kek or key-block", name.as_str(), other.word());
                Err(Failure::new(Exit::No, fault))
            }
        }
    }

    /// The generation of a key that is in use.
    pub(super) fn current(&self, name: &KeyName) -> Result<&KeptKey, Failure> {
        let found = self.file.find(name, KeyState::Current);
        found.ok_or_else(|| Failure::new(Exit::No, format!("{}: no such key is in use", name.as_str())))
    }

    /// The three bytes that a key is known by.
    pub(super) fn check_value(&self, block: &KeyBlock) -> Result<Kcv, Failure> {
        let key = KeyRef::Block(block.clone());
        self.runtime.block_on(self.hsm.key_check_value(&CTX, &key, 3)).map_err(|fault| refused(&fault))
    }
}

/// How an operation names a key of the file.
pub(super) fn reference(key: &KeptKey) -> Result<KeyRef, Failure> {
    let block = key.block.clone().map(KeyRef::Block);
    block.ok_or_else(|| Failure::new(Exit::No, format!("{}: this generation is destroyed", key.name.as_str())))
}
