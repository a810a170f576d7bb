//! Reads a station's file and every list it names.

use super::super::clock::SystemClock;
use super::super::text_file;
use super::needs;
use super::needs::{StatedKey, Texts};
use super::{Config, HsmSetup, KeyList, parse};
use crate::model::Breach;
use crate::model::Clock;
use crate::model::Timestamp;
use crate::registry::Breaches;
use crate::registry::DownloadSources;
use crate::registry::FleetSources;
use crate::registry::Registry;
use crate::registry::Source;
use crate::registry::Sources;
use crate::risk::Checks;
use crate::risk::RuleSet;
use crate::settle::calendar::Calendar;
use crate::settle::fees::Fees;
use sha2::Digest;
use sha2::Sha256;
use std::collections::HashMap;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A whole station, ready to be built.
pub struct Loaded {
    /// The station's file.
    pub config: Config,
    /// Its lists, joined.
    pub registry: Registry,
    /// Its keys.
    pub keys: KeyList,
    /// What the lists say of them, and who needs them.
    pub stated: Vec<StatedKey>,
    /// What its merchants pay.
    pub fees: Fees,
    /// When banks work.
    pub calendar: Calendar,
    /// The rules that judge requests.
    pub checks: Checks,
    /// SHA-256 of the texts of the registry's lists.
    pub digest: [u8; 32],
}

/// How a station's files are looked at.
#[derive(Clone, Debug)]
pub struct Look {
    /// The instant whose rows count.
    pub at: Timestamp,
    /// Texts to be taken instead of those of files: what the files would be.
    pub instead: HashMap<PathBuf, String>,
}

impl Look {
    /// As the files are, at this instant.
    #[must_use]
    pub fn at(at: Timestamp) -> Self {
        Self { at, instead: HashMap::new() }
    }
}

/// Loads a station from its file, as it is now.
///
/// # Errors
/// Every breach of every file, missing files included. If the station's own file has breaches, its lists
/// are not looked at.
pub fn load(path: &Path, profile_known: &dyn Fn(&str) -> bool) -> Result<Loaded, Vec<Breach>> {
    load_as(path, profile_known, &Look::at(SystemClock::start().wall()))
}

/// Loads a station from its file, as it is at an instant, or as it would be.
///
/// # Errors
/// As [`load`].
pub fn load_as(path: &Path, profile_known: &dyn Fn(&str) -> bool, look: &Look) -> Result<Loaded, Vec<Breach>> {
    let file = path.display().to_string();
    let text = text_file::read(path).map_err(|breach| vec![breach])?;
    let config = parse(Source { file: &file, text: &text }, profile_known)?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let mut breaches = Breaches::default();
    let mut read = |names: &[String]| -> Vec<(String, Zeroizing<String>)> { texts(folder, names, look, &mut breaches) };
    let lists = &config.lists;
    let (merchants, terminals) = (read(&lists.merchants), read(&lists.terminals));
    let (devices, templates) = (read(&lists.devices), read(&lists.templates));
    let (groups, regions) = (read(&lists.groups), read(&lists.regions));
    let (issuers, bins, key_files) = (read(&lists.issuers), read(&lists.bins), read(&lists.keys));
    let (fees, holidays) = (read(&lists.fees), read(&lists.holidays));
    let operators = read(&lists.operators);
    let mut one = |name: &Option<String>| read(name.as_slice());
    let (parameters, capks) = (one(&lists.parameters), one(&lists.capks));
    let (applications, contactless) = (one(&lists.applications), one(&lists.contactless));
    let (rules, shadow) = (one(&lists.rules), one(&lists.shadow));
    let registry = Registry::load(&Sources {
        defaults: config.defaults.clone(),
        merchants: sources(&merchants),
        terminals: sources(&terminals),
        fleet: FleetSources {
            devices: sources(&devices),
            templates: sources(&templates),
            groups: sources(&groups),
            regions: sources(&regions),
            at: Some(look.at),
        },
        issuers: sources(&issuers),
        bins: sources(&bins),
        operators: sources(&operators),
        downloads: DownloadSources {
            parameters: sources(&parameters).pop(),
            capks: sources(&capks).pop(),
            applications: sources(&applications).pop(),
            contactless: sources(&contactless).pop(),
        },
        rules: config.rules.clone(),
        profile_known,
    });
    let key_files = sources(&key_files);
    let (keys, mut stated) = KeyList::read(config.hsm.kind(), config.test_keys, &key_files, &mut breaches);
    let fees = Fees::load(&sources(&fees), &mut breaches);
    let calendar = Calendar::load(&sources(&holidays), &mut breaches);
    let checks = checks(&rules, &shadow, &mut breaches);
    let all = [&merchants, &terminals, &devices, &templates, &groups, &regions, &issuers, &bins, &operators];
    let digest = digest(&all);
    match registry {
        Ok(registry) => {
            let station = Source { file: &file, text: &text };
            let texts = Texts { station, issuers: &sources(&issuers), terminals: &sources(&terminals) };
            needs::check(&config, &registry, &mut stated, &texts, &mut breaches);
            check_doors(&config, &texts, &mut breaches);
            breaches.or(Loaded { config, registry, keys, stated, fees, calendar, checks, digest })
        }
        Err(found) => {
            breaches.extend(found);
            Err(breaches.into_inner())
        }
    }
}

/// The texts of lists, wiped when they were read: some hold keys.
fn texts(folder: &Path, names: &[String], look: &Look, breaches: &mut Breaches) -> Vec<(String, Zeroizing<String>)> {
    let mut texts = Vec::new();
    for name in names {
        let path = folder.join(name);
        let file = path.display().to_string();
        let instead = look.instead.get(&path).cloned();
        match instead.map_or_else(|| text_file::read(&path), Ok) {
            Ok(text) => texts.push((file, Zeroizing::new(text))),
            Err(breach) => breaches.extend([breach]),
        }
    }
    texts
}

/// The rules that decide and those that only count; none where no file is named.
fn checks(
    live: &[(String, Zeroizing<String>)],
    shadow: &[(String, Zeroizing<String>)],
    breaches: &mut Breaches,
) -> Checks {
    let mut read = |texts: &[(String, Zeroizing<String>)]| -> Option<Arc<RuleSet>> {
        let (file, text) = texts.first()?;
        match RuleSet::read(file, text) {
            Ok(rules) => Some(Arc::new(rules)),
            Err(found) => {
                breaches.extend(found);
                None
            }
        }
    };
    Checks { live: read(live).unwrap_or_default(), shadow: read(shadow) }
}

/// Names what the lists say.
fn digest(lists: &[&Vec<(String, Zeroizing<String>)>]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for list in lists {
        for (_, text) in *list {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update([0xFF]);
    }
    hash.finalize().into()
}

fn sources(texts: &[(String, Zeroizing<String>)]) -> Vec<Source<'_>> {
    texts.iter().map(|(file, text)| Source { file, text }).collect()
}

/// A door without keys of its own hands out working keys, which not every HSM can make.
fn check_doors(config: &Config, texts: &Texts<'_>, breaches: &mut Breaches) {
    let fault = match &config.hsm {
        HsmSetup::Pkcs11(_) => "a PKCS#11 token hands out no working keys: name a mac_key and a pin_key",
        HsmSetup::Payshield(host) if !host.long_check_values => {
            "working keys are handed out with check values of four bytes: say long_check_values = true in [hsm], \
             if the HSM gives them, or name a mac_key and a pin_key"
        }
        HsmSetup::Payshield(_) | HsmSetup::Software(_) => return,
    };
    let issued = config.doors.iter().filter(|door| door.mac_key.is_none() || door.pin_key.is_none());
    for door in issued.filter(|door| door.dukpt_key.is_none()) {
        let (file, line) = texts.place(("door", &door.name));
        breaches.add(file, line, format!("door {}: {fault}", door.name));
    }
}
