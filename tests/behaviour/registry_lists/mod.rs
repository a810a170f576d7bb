//! What the lists of merchants, terminals and devices may say, what follows from it, and how it changes.

mod columns;
mod command;
mod fleet;
mod lines;
mod reload;
mod sheets;
mod states;
mod times;

use tollgate::model::Acquirer;
use tollgate::model::Currency;
use tollgate::model::Limits;
use tollgate::model::TerminalFacts;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::registry::Days;
use tollgate::registry::Defaults;
use tollgate::registry::DownloadSources;
use tollgate::registry::FleetSources;
use tollgate::registry::Registry;
use tollgate::registry::Rules;
use tollgate::registry::Source;
use tollgate::registry::Sources;

/// A merchant and nothing else.
const SHOP: &str = "merchant,name,mcc,region\n898110054110001,A,5411,1100\n";

/// The texts of a registry; those that end in `.toml` by their name are TOML.
#[derive(Clone, Default)]
struct Texts<'a> {
    merchants: &'a str,
    terminals: &'a str,
    devices: &'a str,
    templates: &'a str,
    groups: &'a str,
    regions: &'a str,
    at: Option<Timestamp>,
}

impl Texts<'_> {
    fn read(&self) -> Result<Registry, Vec<String>> {
        fn list<'a>(name: &'static str, text: &'a str) -> Vec<Source<'a>> {
            let files = [
                ("merchants", "m.csv", "m.toml"),
                ("terminals", "t.csv", "t.toml"),
                ("devices", "d.csv", "d.toml"),
                ("templates", "tp.csv", "tp.toml"),
                ("groups", "g.csv", "g.toml"),
                ("regions", "r.csv", "r.toml"),
            ];
            let (_, csv, toml) = files.into_iter().find(|(known, _, _)| *known == name).unwrap();
            let file = if text.starts_with("[[") { toml } else { csv };
            if text.is_empty() { Vec::new() } else { vec![Source { file, text }] }
        }
        let merchants = if self.merchants.is_empty() { SHOP } else { self.merchants };
        let loaded = Registry::load(&Sources {
            defaults: Defaults {
                acquirer: Acquirer::parse(b"89811000").unwrap(),
                currency: Currency::CNY,
                offset_minutes: 480,
                days: Days::default(),
                limits: Limits::default(),
            },
            merchants: list("merchants", merchants),
            terminals: list("terminals", self.terminals),
            fleet: FleetSources {
                devices: list("devices", self.devices),
                templates: list("templates", self.templates),
                groups: list("groups", self.groups),
                regions: list("regions", self.regions),
                at: self.at,
            },
            issuers: Vec::new(),
            bins: Vec::new(),
            operators: Vec::new(),
            downloads: DownloadSources::default(),
            rules: Rules::default(),
            profile_known: &|_| true,
        });
        loaded.map_err(|breaches| breaches.iter().map(ToString::to_string).collect())
    }

    fn loaded(&self) -> Registry {
        self.read().unwrap_or_else(|breaches| panic!("{breaches:#?}"))
    }

    fn breaches(&self) -> Vec<String> {
        self.read().err().unwrap_or_default()
    }
}

fn terminal(id: &str) -> TerminalId {
    TerminalId::parse(id.as_bytes()).unwrap()
}

fn facts<'a>(registry: &'a Registry, id: &str) -> &'a TerminalFacts {
    registry.terminal(terminal(id)).unwrap()
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
