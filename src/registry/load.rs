//! From texts to one joined table, or to the list of everything that is wrong with them.

use super::days::Days;
use super::downloads::{DownloadSources, Downloads};
use super::issuer::{self, Issuer};
use super::operators::{self, Operators};
use super::payout::Payout;
use super::renewal::{Renewal, sign_in_after};
use super::sign_ins::KeyTerms;
use super::table::{Breaches, Row, Source, rows};
use crate::model::Acquirer;
use crate::model::Amount;
use crate::model::BinPrefix;
use crate::model::BinTable;
use crate::model::Breach;
use crate::model::CardClass;
use crate::model::Currency;
use crate::model::DayRule;
use crate::model::DeviceId;
use crate::model::IssuerName;
use crate::model::KeyName;
use crate::model::Kind;
use crate::model::Limits;
use crate::model::MerchantId;
use crate::model::Organisation;
use crate::model::Product;
use crate::model::Standing;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use std::collections::HashMap;
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
    /// `merchant,name,name_en,acquirer,currency,offset_minutes,standing`, how it is paid (`mcc,account,cycle,cut_off`)
    /// and the limits.
    pub merchants: Vec<Source<'a>>,
    /// `terminal,merchant,currency,offset_minutes,standing,test_mode,master_key,ksn,sign_in_after,certificate` and the
    /// limits.
    pub terminals: Vec<Source<'a>>,
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

/// A shop: what a receipt shows, and what its terminals inherit.
#[derive(Clone, Debug)]
pub struct Merchant {
    /// DE 42.
    pub id: MerchantId,
    /// Its name as its receipts print it; may be Chinese.
    pub name: Box<str>,
    /// Its name in English, if it has one.
    pub name_en: Option<Box<str>>,
    /// Its standing.
    pub standing: Standing,
    /// How it is paid.
    pub payout: Payout,
    acquirer: Acquirer,
    currency: Currency,
    offset_minutes: i16,
    limits: Limits,
}

/// Everything static that the switch knows of its peers. Immutable.
#[derive(Debug, Default)]
pub struct Registry {
    terminals: HashMap<TerminalId, Arc<TerminalFacts>>,
    merchants: HashMap<MerchantId, Merchant>,
    issuers: HashMap<IssuerName, Arc<Issuer>>,
    bins: BinTable,
    days: Vec<Arc<DayRule>>,
    operators: Operators,
    downloads: Downloads,
    renewal: Renewal,
    devices: HashMap<DeviceId, TerminalId>,
    dukpt_jump: DukptJump,
    key_terms: KeyTerms,
}

impl Registry {
    /// Reads and joins all sources.
    ///
    /// # Errors
    /// Every breach of every file, in the order of the files: merchants, terminals, issuers, BINs, operators,
    /// downloads.
    pub fn load(sources: &Sources<'_>) -> Result<Self, Vec<Breach>> {
        let mut registry = Self::default();
        let mut breaches = Breaches::default();
        for source in &sources.merchants {
            rows(*source, "merchant", MERCHANT, &mut breaches, |row, breaches| {
                registry.add_merchant(row, &sources.defaults, breaches);
            });
        }
        for source in &sources.terminals {
            rows(*source, "terminal", TERMINAL, &mut breaches, |row, breaches| {
                registry.add_terminal(row, &sources.defaults.days, breaches);
            });
        }
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
        breaches.or(registry)
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

const MERCHANT: &[&str; 15] = &[
    "merchant",
    "name",
    "name_en",
    "mcc",
    "account",
    "cycle",
    "cut_off",
    "acquirer",
    "currency",
    "offset_minutes",
    "standing",
    "least",
    "most",
    "daily_amount",
    "daily_count",
];
const TERMINAL: &[&str; 14] = &[
    "terminal",
    "merchant",
    "currency",
    "offset_minutes",
    "standing",
    "test_mode",
    "master_key",
    "ksn",
    "sign_in_after",
    "certificate",
    "least",
    "most",
    "daily_amount",
    "daily_count",
];
const BIN: &[&str; 6] = &["prefix", "issuer", "fallback", "product", "foreign", "organisation"];

const MERCHANT_FORM: &str = "15 characters";
const DEVICE_FORM: &str = "a key serial number in 20 or 24 hex digits, its counter zero";
const TERMINAL_FORM: &str = "8 characters";

/// SHA-256 in hex.
fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let digits: [u8; 64] = text.as_bytes().try_into().ok()?;
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    let mut hash = [0; 32];
    for (byte, pair) in hash.iter_mut().zip(digits.as_chunks::<2>().0) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(hash)
}

impl Registry {
    fn add_merchant<const N: usize>(&mut self, row: &Row<'_, N>, defaults: &Defaults, breaches: &mut Breaches) {
        let id = row.required("merchant", MERCHANT_FORM, |text| MerchantId::parse(text.as_bytes()), breaches);
        let name = row.required("name", "a name", |text| Some(Box::from(text)), breaches);
        let name_en = row.optional("name_en", "a name", |text| Some(Box::from(text)), breaches);
        let acquirer = row.optional("acquirer", "1 to 11 digits", |text| Acquirer::parse(text.as_bytes()), breaches);
        let standing = standing(row, breaches);
        let payout = Payout::read(row, breaches);
        let currency = currency(row, breaches).unwrap_or(defaults.currency);
        let offset_minutes = offset(row, breaches).unwrap_or(defaults.offset_minutes);
        let limits = limits(row, &defaults.limits, breaches);
        let (Some(id), Some(name)) = (id, name) else { return };
        let acquirer = acquirer.unwrap_or(defaults.acquirer);
        let merchant = Merchant { id, name, name_en, standing, payout, acquirer, currency, offset_minutes, limits };
        match self.merchants.entry(id) {
            Entry::Occupied(_) => breaches.add(row.file(), row.line(), format!("merchant {id} is listed twice")),
            Entry::Vacant(vacant) => {
                vacant.insert(merchant);
            }
        }
    }

    fn add_terminal<const N: usize>(&mut self, row: &Row<'_, N>, days: &Days, breaches: &mut Breaches) {
        let id = row.required("terminal", TERMINAL_FORM, |text| TerminalId::parse(text.as_bytes()), breaches);
        let merchant = row.required("merchant", MERCHANT_FORM, |text| MerchantId::parse(text.as_bytes()), breaches);
        let standing = standing(row, breaches);
        let test_mode = row.optional("test_mode", "true or false", |text| text.parse().ok(), breaches);
        let named_key = row.optional("master_key", "a key name or none", master_key, breaches);
        let sign_in_after = sign_in_after(row, breaches);
        let device = row.optional("ksn", DEVICE_FORM, DeviceId::parse, breaches);
        let certificate = row.optional("certificate", "64 hex digits: SHA-256 of it", fingerprint, breaches);
        let (currency, offset_minutes) = (currency(row, breaches), offset(row, breaches));
        let merchant = merchant.and_then(|id| {
            let merchant = self.merchants.get(&id);
            if merchant.is_none() {
                breaches.add(row.file(), row.line(), format!("merchant {id} is not listed"));
            }
            merchant
        });
        let limits = limits(row, &merchant.map(|merchant| merchant.limits).unwrap_or_default(), breaches);
        let (Some(terminal), Some(merchant)) = (id, merchant) else { return };
        let own_key = || KeyName::parse(&format!("terminal/{}/tmk", terminal.as_str().trim_end()));
        let offset_minutes = offset_minutes.unwrap_or(merchant.offset_minutes);
        let day = shared(&mut self.days, days.rule(&merchant.acquirer, offset_minutes));
        let facts = TerminalFacts {
            terminal,
            merchant: merchant.id,
            acquirer: merchant.acquirer,
            standing,
            merchant_standing: merchant.standing,
            test_mode: test_mode.unwrap_or(false),
            currency: currency.unwrap_or(merchant.currency),
            limits,
            offset_minutes,
            day,
            master_key: named_key.unwrap_or_else(own_key),
            sign_in_after,
            device,
            certificate,
        };
        if device.is_some_and(|device| self.devices.insert(device, terminal).is_some_and(|other| other != terminal)) {
            breaches.add(row.file(), row.line(), "ksn: another terminal has this device");
        }
        match self.terminals.entry(terminal) {
            Entry::Occupied(_) => breaches.add(row.file(), row.line(), format!("terminal {terminal} is listed twice")),
            Entry::Vacant(vacant) => {
                vacant.insert(Arc::new(facts));
            }
        }
    }

    fn add_issuer<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        profile_known: &dyn Fn(&str) -> bool,
        breaches: &mut Breaches,
    ) {
        let Some(issuer) = Issuer::read(row, profile_known, breaches) else { return };
        match self.issuers.entry(issuer.name.clone()) {
            Entry::Occupied(_) => {
                breaches.add(row.file(), row.line(), format!("issuer {} is listed twice", issuer.name));
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
            breaches.add(row.file(), row.line(), what);
        }
        let class = CardClass { product: product.unwrap_or_default(), foreign, organisation };
        let (Some(prefix), Some(issuer)) = (prefix, issuer) else { return };
        if fallback.as_ref() == Some(&issuer) {
            breaches.add(row.file(), row.line(), "fallback: is the issuer itself");
        }
        if !self.bins.insert(prefix, class, std::iter::once(issuer).chain(fallback)) {
            breaches.add(row.file(), row.line(), "prefix: is listed twice");
        }
    }

    fn known_issuer(&self, name: &str) -> Option<IssuerName> {
        IssuerName::parse(name).filter(|name| self.issuers.contains_key(name))
    }
}

/// Terminals with equal rules share one.
fn shared(known: &mut Vec<Arc<DayRule>>, rule: Arc<DayRule>) -> Arc<DayRule> {
    if let Some(equal) = known.iter().find(|equal| **equal == rule) {
        return Arc::clone(equal);
    }
    known.push(Arc::clone(&rule));
    rule
}

/// `none` is a terminal that never signs in.
fn master_key(text: &str) -> Option<Option<KeyName>> {
    if text == "none" { Some(None) } else { KeyName::parse(text).map(Some) }
}

fn standing<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Standing {
    let parse = |text: &str| match text {
        "active" => Some(Standing::Active),
        "suspended" => Some(Standing::Suspended),
        "terminated" => Some(Standing::Terminated),
        _ => None,
    };
    row.optional("standing", "active, suspended or terminated", parse, breaches).unwrap_or_default()
}

fn currency<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Currency> {
    row.optional("currency", "3 digits of ISO 4217", |text| Currency::parse(text.as_bytes()), breaches)
}

fn offset<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<i16> {
    let within = |text: &str| text.parse().ok().filter(|minutes| (-840..=840).contains(minutes));
    row.optional("offset_minutes", "-840 to 840 minutes east of UTC", within, breaches)
}

/// The row's own limits, and `inherited` where it has none; `none` lifts an inherited one.
fn limits<const N: usize>(row: &Row<'_, N>, inherited: &Limits, breaches: &mut Breaches) -> Limits {
    let form = "an amount in minor units, or none";
    let mut amount = |column: &str, inherited: Option<Amount>| {
        row.optional(column, form, |text| or_none(text, |text| Amount::parse(text.as_bytes())), breaches)
            .unwrap_or(inherited)
    };
    let least = amount("least", inherited.least);
    let most = amount("most", inherited.most);
    let daily_amount = amount("daily_amount", inherited.daily_amount);
    let count =
        row.optional("daily_count", "a count, or none", |text| or_none(text, |text| text.parse().ok()), breaches);
    if let (Some(least), Some(most)) = (least, most)
        && least > most
    {
        breaches.add(row.file(), row.line(), "least: is above most");
    }
    Limits { least, most, daily_amount, daily_count: count.unwrap_or(inherited.daily_count) }
}

fn or_none<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "none" { Some(None) } else { parse(text).map(Some) }
}
