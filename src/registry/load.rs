//! From texts to one joined table, or to the list of everything that is wrong with them.

use super::ahead::Ahead;
use super::days::Days;
use super::downloads::{DownloadSources, Downloads};
use super::fleet::{BySerial, FleetSources};
use super::issuer::{self, Issuer};
use super::merchant::Merchant;
use super::operators::{self, Operators};
use super::regions::Regions;
use super::renewal::Renewal;
use super::sign_ins::KeyTerms;
use super::table::{Breaches, Row, Source, rows};
use super::terminals::{Joined, Rows};
use super::timeline::Later;
use crate::model::Acquirer;
use crate::model::BinPrefix;
use crate::model::BinTable;
use crate::model::Breach;
use crate::model::CardClass;
use crate::model::Currency;
use crate::model::DayRule;
use crate::model::DeviceId;
use crate::model::Hardware;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Limits;
use crate::model::MerchantId;
use crate::model::Organisation;
use crate::model::Product;
use crate::model::Region;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::model::Timestamp;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

/// What holds where neither a terminal's nor its merchant's row says anything.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Defaults {
    /// DE 32.
    pub acquirer: Acquirer,
    /// DE 49.
    pub currency: Currency,
    /// Minutes east of UTC.
    pub offset_minutes: i16,
    /// The business days of acquirers.
    pub days: Days,
    /// Bounds on amounts and counts.
    pub limits: Limits,
}

/// What holds for all terminals.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Rules {
    /// Kinds that only a supervisor may ask for.
    pub supervisor_for: Vec<Kind>,
    /// When terminals are to sign in again.
    pub renewal: Renewal,
    /// Bounds of working keys.
    pub key_terms: KeyTerms,
    /// How many transactions a DUKPT device may leave out without an alarm.
    pub dukpt_jump: DukptJump,
}

/// How many counters of a DUKPT device may be left out between two messages without an alarm; 10,000.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct DukptJump(pub u32);

impl Default for DukptJump {
    fn default() -> Self {
        Self(10_000)
    }
}

/// The texts a registry is made of. Each list may be spread over several files.
pub struct Sources<'a> {
    /// For rows that leave something out.
    pub defaults: Defaults,
    /// `merchant,name,name_en,acquirer,currency,offset_minutes,state`, how it is paid (`mcc,account,cycle,cut_off`), the
    /// limits, and what people know of it: `region,address,contact,licence,numbered`; `from` when the row holds.
    pub merchants: Vec<Source<'a>>,
    /// `terminal,merchant,currency,offset_minutes,standing,test_mode,master_key,ksn,sign_in_after,certificate`, the
    /// limits, and what it is: `template,group,class,capabilities,region,address,network,custodian,device`; `from` when
    /// the row holds.
    pub terminals: Vec<Source<'a>>,
    /// Templates, groups, devices, regions, and the instant that is looked at.
    pub fleet: FleetSources<'a>,
    /// `name,address,profile,pin_key,mac_key,timeout_ms,connections,echo_s,sign_on`; in TOML also the lists
    /// `accepted` and `retry`, and `stand_in_*`.
    pub issuers: Vec<Source<'a>>,
    /// `prefix,issuer,fallback,product,foreign,organisation`.
    pub bins: Vec<Source<'a>>,
    /// `merchant,operator,role`.
    pub operators: Vec<Source<'a>>,
    /// What terminals fetch.
    pub downloads: DownloadSources<'a>,
    /// What holds for all terminals.
    pub rules: Rules,
    /// Whether there is a profile of this name.
    pub profile_known: &'a dyn Fn(&str) -> bool,
}

/// Everything static that the switch knows of its peers. Immutable.
#[derive(Debug, Default)]
pub struct Registry {
    pub(super) terminals: HashMap<TerminalId, Arc<TerminalFacts>>,
    pub(super) merchants: HashMap<MerchantId, Merchant>,
    issuers: HashMap<IssuerName, Arc<Issuer>>,
    bins: BinTable,
    pub(super) days: Vec<Arc<DayRule>>,
    operators: Operators,
    downloads: Downloads,
    renewal: Renewal,
    pub(super) devices: HashMap<DeviceId, TerminalId>,
    pub(super) hardware: HashSet<BySerial>,
    regions: Regions,
    at: Option<Timestamp>,
    /// When rows take effect that have not, in order.
    changes: Vec<Timestamp>,
    /// Which rows these are.
    pub(super) ahead: Ahead,
    dukpt_jump: DukptJump,
    key_terms: KeyTerms,
}

impl Registry {
    /// Reads and joins all sources.
    ///
    /// # Errors
    /// Every breach of every file, in the order of the files: regions, merchants, groups, templates, devices,
    /// terminals, issuers, BINs, operators, downloads.
    pub fn load(sources: &Sources<'_>) -> Result<Self, Vec<Breach>> {
        let mut breaches = Breaches::default();
        let mut registry = Rows::read(sources, &mut breaches);
        registry.at = sources.fleet.at;
        for source in &sources.issuers {
            rows(*source, "issuer", issuer::COLUMNS, &mut breaches, |row, breaches| {
                registry.add_issuer(row, sources.profile_known, breaches);
            });
        }
        for source in &sources.bins {
            rows(*source, "bin", BIN, &mut breaches, |row, breaches| registry.add_bin(row, breaches));
        }
        let mut operators = Operators::new(&sources.rules.supervisor_for);
        for source in &sources.operators {
            rows(*source, "operator", operators::COLUMNS, &mut breaches, |row, breaches| {
                operators.add(row, |merchant| registry.merchants.contains_key(merchant), breaches);
            });
        }
        registry.operators = operators;
        registry.downloads = Downloads::load(&sources.downloads, &mut breaches);
        registry.renewal = sources.rules.renewal;
        registry.dukpt_jump = sources.rules.dukpt_jump;
        registry.key_terms = sources.rules.key_terms;
        if let Some(at) = registry.at.filter(|_| !registry.changes.is_empty()) {
            registry.ahead = Ahead::read(sources, at);
        }
        breaches.or(registry)
    }

    /// With what was read of merchants and terminals.
    pub(super) fn of(rows: Joined) -> Self {
        let Joined { terminals, merchants, days, devices, hardware, regions, mut changes } = rows;
        changes.sort_unstable();
        Self { terminals, merchants, days, devices, hardware, regions, changes, ..Self::default() }
    }

    /// Lists beside merchants, terminals and devices that differ.
    pub(super) fn other_lists(&self, new: &Self) -> Vec<&'static str> {
        let rules = (&self.renewal, self.dukpt_jump, &self.key_terms) != (&new.renewal, new.dukpt_jump, &new.key_terms);
        let lists = [
            ("issuers", self.issuers != new.issuers),
            ("bins", self.bins != new.bins),
            ("operators", self.operators != new.operators),
            ("downloads", self.downloads != new.downloads),
            ("regions", self.regions != new.regions),
            ("keys", rules),
        ];
        lists.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name).collect()
    }

    /// The instant whose rows these are, if the lists were read for one.
    #[must_use]
    pub fn at(&self) -> Option<Timestamp> {
        self.at
    }

    /// When the next row takes effect after `now`: the lists are to be read again then.
    #[must_use]
    pub fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.later(now).map(|later| later.first)
    }

    /// The rows that take effect after `now`, if there are any.
    #[must_use]
    pub fn later(&self, now: Timestamp) -> Option<Later> {
        let ahead = self.changes.get(self.changes.partition_point(|change| *change <= now)..)?;
        ahead.first().map(|first| Later { rows: ahead.len(), first: *first })
    }

    /// A device by its serial number.
    #[must_use]
    pub fn hardware(&self, serial: &str) -> Option<&Arc<Hardware>> {
        self.hardware.get(serial).map(|device| &device.0)
    }

    /// All devices, in no order.
    pub fn all_hardware(&self) -> impl Iterator<Item = &Arc<Hardware>> {
        self.hardware.iter().map(|device| &device.0)
    }

    /// The region that a text names, where regions are listed: of several the one with the longest name.
    #[must_use]
    pub fn region_named_in(&self, text: &str) -> Option<Region> {
        self.regions.named_in(text)
    }

    /// What a region is called, where regions are listed.
    #[must_use]
    pub fn region(&self, region: Region) -> Option<&str> {
        self.regions.name(region)
    }

    /// The region around a place, in millionths of a degree, where regions are listed with theirs: of several the
    /// smallest.
    #[must_use]
    pub fn region_at(&self, east: i32, north: i32) -> Option<Region> {
        self.regions.at(east, north)
    }

    /// A terminal joined with its merchant.
    #[must_use]
    pub fn terminal(&self, terminal: TerminalId) -> Option<&Arc<TerminalFacts>> {
        self.terminals.get(&terminal)
    }

    /// All terminals, in no order.
    pub fn terminals(&self) -> impl Iterator<Item = &Arc<TerminalFacts>> {
        self.terminals.values()
    }

    /// A merchant.
    #[must_use]
    pub fn merchant(&self, merchant: MerchantId) -> Option<&Merchant> {
        self.merchants.get(&merchant)
    }

    /// All merchants, in no order.
    pub fn merchants(&self) -> impl Iterator<Item = &Merchant> {
        self.merchants.values()
    }

    /// An issuer.
    #[must_use]
    pub fn issuer(&self, name: &IssuerName) -> Option<&Arc<Issuer>> {
        self.issuers.get(name)
    }

    /// All issuers, in no order.
    pub fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.issuers.values()
    }

    /// Who may sign in, and who may do what.
    #[must_use]
    pub fn operators(&self) -> &Operators {
        &self.operators
    }

    /// What terminals fetch.
    #[must_use]
    pub fn downloads(&self) -> &Downloads {
        &self.downloads
    }

    /// When terminals are to sign in again.
    #[must_use]
    pub fn renewal(&self) -> &Renewal {
        &self.renewal
    }

    /// The terminal to which the lists give a DUKPT device.
    #[must_use]
    pub fn terminal_of(&self, device: DeviceId) -> Option<TerminalId> {
        self.devices.get(&device).copied()
    }

    /// How many counters a DUKPT device may leave out without an alarm.
    #[must_use]
    pub fn dukpt_jump(&self) -> u32 {
        self.dukpt_jump.0
    }

    /// Bounds of working keys.
    #[must_use]
    pub fn key_terms(&self) -> &KeyTerms {
        &self.key_terms
    }

    /// The rules by which terminals get their business dates, each once.
    #[must_use]
    pub fn days(&self) -> &[Arc<DayRule>] {
        &self.days
    }

    /// The card number prefixes.
    #[must_use]
    pub fn bins(&self) -> &BinTable {
        &self.bins
    }
}

const BIN: &[&str; 6] = &["prefix", "issuer", "fallback", "product", "foreign", "organisation"];

impl Registry {
    fn add_issuer<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        profile_known: &dyn Fn(&str) -> bool,
        breaches: &mut Breaches,
    ) {
        let Some(issuer) = Issuer::read(row, profile_known, breaches) else { return };
        match self.issuers.entry(issuer.name.clone()) {
            Entry::Occupied(_) => {
                row.breach("name", format!("issuer {} is listed twice", issuer.name), breaches);
            }
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::new(issuer));
            }
        }
    }

    fn add_bin<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let prefix = row.required("prefix", "1 to 12 digits", |text| BinPrefix::parse(text.as_bytes()), breaches);
        let issuer = row.required("issuer", "a listed issuer", |name| self.known_issuer(name), breaches);
        let fallback = row.optional("fallback", "a listed issuer", |name| self.known_issuer(name), breaches);
        let product = row.optional("product", "debit, credit, prepaid, qr or unknown", Product::parse, breaches);
        let foreign = row.optional("foreign", "true or false", |text| text.parse().ok(), breaches);
        let read = |text: &str| Organisation::parse(text.as_bytes());
        let organisation = row.optional("organisation", "three capital letters", read, breaches).unwrap_or_default();
        let foreign = foreign.unwrap_or(organisation.is_foreign());
        if foreign != organisation.is_foreign() {
            let what = "foreign: terminals go by organisation: CUP is domestic, every other one foreign";
            row.breach("foreign", what, breaches);
        }
        let class = CardClass { product: product.unwrap_or_default(), foreign, organisation };
        let (Some(prefix), Some(issuer)) = (prefix, issuer) else { return };
        if fallback.as_ref() == Some(&issuer) {
            row.breach("fallback", "fallback: is the issuer itself", breaches);
        }
        if !self.bins.insert(prefix, class, std::iter::once(issuer).chain(fallback)) {
            row.breach("prefix", "prefix: is listed twice", breaches);
        }
    }

    fn known_issuer(&self, name: &str) -> Option<IssuerName> {
        IssuerName::parse(name).filter(|name| self.issuers.contains_key(name))
    }
}
