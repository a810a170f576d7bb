//! Which keys a station needs, whose they are, and what its lists say of them.

use super::{Config, HsmSetup};
use crate::channel;
use crate::hsm::Kcv;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::model::Breach;
use crate::model::MacScheme;
use crate::registry::Breaches;
use crate::registry::List;
use crate::registry::Registry;
use crate::registry::Source;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// Who cannot do without a key.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Need {
    /// Nobody that the station knows of.
    Nobody,
    /// A terminal's row.
    Terminal,
    /// A door, an issuer, or what keeps the sealing keys.
    Station,
}

/// What a list says of a key that the HSM must have.
#[derive(Clone, Debug)]
pub struct StatedKey {
    /// Its name.
    pub name: KeyName,
    /// What it is for.
    pub usage: KeyUsage,
    /// Algorithm and length.
    pub algorithm: KeyAlgorithm,
    /// Its check value, if the list states one.
    pub check: Option<Kcv>,
    /// The list.
    pub file: Arc<str>,
    /// The line in it.
    pub line: usize,
    /// Who needs it.
    pub need: Need,
    /// The MACs that doors and issuers make with it.
    pub schemes: Vec<MacScheme>,
}

/// The texts in which keys are named.
pub(super) struct Texts<'a> {
    pub(super) station: Source<'a>,
    pub(super) issuers: &'a [Source<'a>],
    pub(super) terminals: &'a [Source<'a>],
}

/// One use of a key.
struct Use<'a> {
    /// `door`, `issuer`, `terminal` or `hsm`, and which one.
    whose: (&'static str, &'a str),
    name: &'a KeyName,
    usage: KeyUsage,
    need: Need,
    scheme: Option<MacScheme>,
}

/// Every key that a door, an issuer or a terminal names must be there, once, with the right usage. What they need is
/// noted beside what the lists say.
pub(super) fn check(
    config: &Config,
    registry: &Registry,
    stated: &mut [StatedKey],
    texts: &Texts<'_>,
    breaches: &mut Breaches,
) {
    let mut places: HashMap<KeyName, usize> = HashMap::with_capacity(stated.len());
    for (place, key) in stated.iter().enumerate() {
        match places.entry(key.name.clone()) {
            Entry::Occupied(_) => {
                breaches.add(&key.file, key.line, format!("key {} is listed twice", key.name.as_str()));
            }
            Entry::Vacant(vacant) => {
                vacant.insert(place);
            }
        }
    }
    // Issuers and terminals come in no order.
    let mut found = Vec::new();
    for used in uses(config, registry) {
        let key = places.get(used.name).and_then(|place| stated.get_mut(*place));
        let fault = match key {
            Some(key) if key.usage == used.usage => {
                key.need = key.need.max(used.need);
                if let Some(scheme) = used.scheme.filter(|scheme| !key.schemes.contains(scheme)) {
                    key.schemes.push(scheme);
                }
                continue;
            }
            Some(_) => "has another usage",
            None => "is not in the list of keys",
        };
        found.push((used.whose, used.name, fault));
    }
    let terminals = texts.terminal_lines(found.iter().map(|(whose, ..)| *whose));
    let found = found.into_iter().map(|(whose, name, fault)| {
        let (kind, which) = whose;
        let (file, line) =
            terminals.get(which).filter(|_| kind == "terminal").copied().unwrap_or_else(|| texts.place(whose));
        let whose = if kind == "hsm" { format!("[hsm] {which}") } else { format!("{kind} {which}") };
        Breach::new(file, line, format!("{whose}: key {} {fault}", name.as_str()))
    });
    let mut found: Vec<Breach> = found.collect();
    found.sort();
    breaches.extend(found);
}

fn scheme(profile: &str) -> Option<MacScheme> {
    channel::builtin::profile(profile).map(|profile| profile.mac.scheme)
}

fn uses<'a>(config: &'a Config, registry: &'a Registry) -> Vec<Use<'a>> {
    let mut uses = Vec::new();
    let mut add = |whose, name: &'a KeyName, usage, need, scheme| {
        uses.push(Use { whose, name, usage, need, scheme });
    };
    for door in &config.doors {
        let whose = ("door", &*door.name);
        door.pin_key.iter().for_each(|name| add(whose, name, KeyUsage::Pin, Need::Station, None));
        let mac = scheme(&door.profile);
        door.mac_key.iter().for_each(|name| add(whose, name, KeyUsage::Mac, Need::Station, mac));
        door.dukpt_key.iter().for_each(|name| add(whose, name, KeyUsage::Bdk, Need::Station, None));
    }
    if let HsmSetup::Payshield(host) = &config.hsm {
        add(("hsm", "sealing_key"), &host.sealing_key, KeyUsage::Data, Need::Station, None);
        add(("hsm", "sealing_mac"), &host.sealing_mac, KeyUsage::Mac, Need::Station, None);
    }
    for issuer in registry.issuers() {
        let whose = ("issuer", issuer.name.as_str());
        add(whose, &issuer.pin_key, KeyUsage::Pin, Need::Station, None);
        add(whose, &issuer.mac_key, KeyUsage::Mac, Need::Station, scheme(&issuer.profile));
        issuer.master_key.iter().for_each(|name| add(whose, name, KeyUsage::Kek, Need::Station, None));
    }
    for terminal in registry.terminals() {
        let whose = ("terminal", terminal.terminal.as_str().trim_end());
        terminal.master_key.iter().for_each(|name| add(whose, name, KeyUsage::Kek, Need::Terminal, None));
    }
    uses
}

impl<'a> Texts<'a> {
    /// Where the rows of these terminals stand, found in one pass: a million may lack their keys.
    fn terminal_lines<'b>(
        &self,
        wanted: impl Iterator<Item = (&'static str, &'b str)>,
    ) -> HashMap<&'b str, (&'a str, usize)> {
        let wanted: HashSet<&str> = wanted.filter(|(kind, _)| *kind == "terminal").map(|(_, which)| which).collect();
        let mut places = HashMap::new();
        if wanted.is_empty() {
            return places;
        }
        for source in self.terminals {
            // What is wrong with them was told when they were read.
            List::Terminals.scan(*source, &mut Breaches::default(), &mut |row| {
                if let Some(which) = row.cell("terminal").and_then(|terminal| wanted.get(terminal)) {
                    places.entry(*which).or_insert((source.file, row.line("terminal")));
                }
            });
        }
        places
    }

    /// The file and the line of a row; line 0, which is none, if it cannot be told.
    pub(super) fn place(&self, (kind, which): (&str, &str)) -> (&'a str, usize) {
        let sources = match kind {
            "issuer" => self.issuers,
            "terminal" => self.terminals,
            _ => std::slice::from_ref(&self.station),
        };
        let found = sources.iter().find_map(|source| Some((source.file, row_line(*source, kind, which)?)));
        found.unwrap_or((sources.first().map_or(self.station.file, |source| source.file), 0))
    }
}

/// The line on which the row of this name begins, or for a table the line of this key.
fn row_line(Source { file, text }: Source<'_>, kind: &str, which: &str) -> Option<usize> {
    let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
    if !file.ends_with(".toml") {
        let mut rows = lines.filter(|(_, line)| !line.starts_with('#'));
        return rows.find(|(_, line)| line.split(',').any(|cell| cell.trim() == which)).map(|(number, _)| number);
    }
    let (array, table) = (format!("[[{kind}]]"), format!("[{kind}]"));
    let mut begun = None;
    lines.find_map(|(number, line)| {
        if line.starts_with('[') {
            begun = (line.starts_with(&array) || line.starts_with(&table)).then_some(number);
        }
        let (key, value) = line.split_once('=')?;
        let (key, value) = (key.trim(), value.trim());
        let is_table = kind == "hsm" && key == which;
        let is_row = key == "name" && value.strip_prefix('"').and_then(|name| name.split('"').next()) == Some(which);
        begun.filter(|_| is_table || is_row).map(|begun| if is_table { number } else { begun })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rows_line_is_found_where_it_stands() {
        let toml = "[station]\nname = \"pos\"\n\n[[door]]\nlisten = \"x\"\nname = \"pos\" # this\n[hsm]\nsealing_key = \"a\"\n";
        let source = Source { file: "station.toml", text: toml };
        assert_eq!(row_line(source, "door", "pos"), Some(4));
        assert_eq!(row_line(source, "door", "po"), None);
        assert_eq!(row_line(source, "hsm", "sealing_key"), Some(8));
        let csv = Source { file: "terminals.csv", text: "# 10000001\nterminal,merchant\n10000001,A\n" };
        assert_eq!(row_line(csv, "terminal", "10000001"), Some(3));
    }
}
