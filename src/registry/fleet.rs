//! What many terminals share: templates, groups; and what they are made of: devices, and the regions they stand in.

use super::given::Given;
use super::names::{LABEL_FORM, Names, label};
use super::regions;
use super::regions::Regions;
use super::table::{Breaches, Row, Source, rows};
use crate::model::BusinessDate;
use crate::model::Firmware;
use crate::model::Hardware;
use crate::model::MerchantId;
use crate::model::Region;
use crate::model::TerminalId;
use crate::model::Timestamp;
use std::borrow::Borrow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The lists that terminals are filled from, those there are.
#[derive(Clone, Default)]
pub struct FleetSources<'a> {
    /// `serial,check,model,maker,firmware,certification,certified_until,custodian,terminal`.
    pub devices: Vec<Source<'a>>,
    /// `template,inherits` and what a terminal's row may leave out.
    pub templates: Vec<Source<'a>>,
    /// `group` and what a terminal's row may leave out.
    pub groups: Vec<Source<'a>>,
    /// `region,name` and a box around it: `west,south,east,north`.
    pub regions: Vec<Source<'a>>,
    /// The instant whose rows count, where rows have one from which they hold; without it the latest ones do.
    pub at: Option<Timestamp>,
}

pub(super) const TEMPLATE: &[&str; 20] = &[
    "template",
    "inherits",
    "merchant",
    "group",
    "class",
    "capabilities",
    "region",
    "address",
    "network",
    "custodian",
    "currency",
    "offset_minutes",
    "standing",
    "test_mode",
    "master_key",
    "sign_in_after",
    "least",
    "most",
    "daily_amount",
    "daily_count",
];
pub(super) const GROUP: &[&str; 16] = &[
    "group",
    "class",
    "capabilities",
    "region",
    "address",
    "network",
    "custodian",
    "currency",
    "offset_minutes",
    "standing",
    "test_mode",
    "sign_in_after",
    "least",
    "most",
    "daily_amount",
    "daily_count",
];
pub(super) const DEVICE: &[&str; 9] =
    &["serial", "check", "model", "maker", "firmware", "certification", "certified_until", "custodian", "terminal"];

/// How many templates may stand behind one another.
const DEEP: usize = 16;

/// A device, found by its serial number.
#[derive(Clone, Debug)]
pub(super) struct BySerial(pub(super) Arc<Hardware>);

impl Borrow<str> for BySerial {
    fn borrow(&self) -> &str {
        &self.0.serial
    }
}

impl Hash for BySerial {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Borrow::<str>::borrow(self).hash(state);
    }
}

impl PartialEq for BySerial {
    fn eq(&self, other: &Self) -> bool {
        self.0.serial == other.0.serial
    }
}

impl Eq for BySerial {}

/// Where a row stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) file: &'a str,
    pub(super) line: usize,
}

/// The row of a device that says where it is.
pub(super) struct AtTerminal<'a> {
    pub(super) terminal: TerminalId,
    pub(super) hardware: Arc<Hardware>,
    pub(super) place: Place<'a>,
}

/// What was read, to fill terminals from.
pub(super) struct Fleet<'a> {
    pub(super) names: Names,
    pub(super) regions: Regions,
    pub(super) templates: HashMap<Arc<str>, Given>,
    pub(super) groups: HashMap<Arc<str>, Given>,
    pub(super) devices: HashSet<BySerial>,
    pub(super) bound: Vec<AtTerminal<'a>>,
    has_regions: bool,
}

/// A template, before its own templates are looked at.
struct Raw<'a> {
    given: Given,
    inherits: Option<Arc<str>>,
    place: Place<'a>,
}

/// Templates by their names.
type RawTemplates<'a> = HashMap<Arc<str>, Raw<'a>>;

impl<'a> Fleet<'a> {
    /// Reads all its other lists. `merchant_known`: templates may name a merchant.
    pub(super) fn fill(
        &mut self,
        sources: &FleetSources<'a>,
        merchant_known: &dyn Fn(&MerchantId) -> bool,
        breaches: &mut Breaches,
    ) {
        let fleet = self;
        for source in &sources.groups {
            rows(*source, "group", GROUP, breaches, |row, breaches| fleet.add_group(row, breaches));
        }
        let mut raw = RawTemplates::new();
        for source in &sources.templates {
            rows(*source, "template", TEMPLATE, breaches, |row, breaches| {
                fleet.add_template(row, source.file, (&mut raw, merchant_known), breaches);
            });
        }
        fleet.templates = raw.keys().map(|name| (Arc::clone(name), resolved(name, &raw))).collect();
        let mut faults: Vec<_> = raw.iter().filter_map(|(name, template)| fault(name, template, &raw)).collect();
        faults.sort_by_key(|(place, _)| (place.file, place.line));
        faults.into_iter().for_each(|(place, what)| breaches.add(place.file, place.line, what));
        for source in &sources.devices {
            rows(*source, "device", DEVICE, breaches, |row, breaches| fleet.add_device(row, source.file, breaches));
        }
    }

    /// Reads the regions, which merchants need.
    pub(super) fn regions(sources: &FleetSources<'a>, breaches: &mut Breaches) -> Self {
        let mut regions = Regions::default();
        for source in &sources.regions {
            rows(*source, "region", regions::COLUMNS, breaches, |row, breaches| regions.add(row, breaches));
        }
        Self {
            names: Names::default(),
            regions,
            templates: HashMap::new(),
            groups: HashMap::new(),
            devices: HashSet::new(),
            bound: Vec::new(),
            has_regions: !sources.regions.is_empty(),
        }
    }

    /// Where regions are listed, others are not known.
    pub(super) fn check_region<const N: usize>(
        &self,
        region: Option<Region>,
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) {
        if let Some(region) = region.filter(|region| self.has_regions && !self.regions.has(*region)) {
            breaches.add(row.file(), row.line(), format!("region {region} is not listed"));
        }
    }

    /// The group of a row or a template must be there.
    pub(super) fn check_group<const N: usize>(&self, given: &Given, row: &Row<'_, N>, breaches: &mut Breaches) {
        if let Some(group) = given.group.as_ref().filter(|group| !self.groups.contains_key(*group)) {
            breaches.add(row.file(), row.line(), format!("group {group} is not listed"));
        }
    }

    fn add_group<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let name = row.required("group", LABEL_FORM, label, breaches).map(|name| self.names.shared(name));
        // The column that names the row is no membership.
        let given = Given { group: None, ..Given::read(row, &mut self.names, breaches) };
        self.check_region(given.region, row, breaches);
        let Some(name) = name else { return };
        if self.groups.insert(Arc::clone(&name), given).is_some() {
            breaches.add(row.file(), row.line(), format!("group {name} is listed twice"));
        }
    }

    fn add_template<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        file: &'a str,
        (raw, merchant_known): (&mut RawTemplates<'a>, &dyn Fn(&MerchantId) -> bool),
        breaches: &mut Breaches,
    ) {
        let name = row.required("template", LABEL_FORM, label, breaches).map(|name| self.names.shared(name));
        let inherits = row.optional("inherits", LABEL_FORM, label, breaches).map(|name| self.names.shared(name));
        let given = Given::read(row, &mut self.names, breaches);
        self.check_region(given.region, row, breaches);
        self.check_group(&given, row, breaches);
        if let Some(merchant) = given.merchant.filter(|merchant| !merchant_known(merchant)) {
            breaches.add(row.file(), row.line(), format!("merchant {merchant} is not listed"));
        }
        let Some(name) = name else { return };
        let template = Raw { given, inherits, place: Place { file, line: row.line() } };
        if raw.insert(Arc::clone(&name), template).is_some() {
            breaches.add(row.file(), row.line(), format!("template {name} is listed twice"));
        }
    }

    fn add_device<const N: usize>(&mut self, row: &Row<'_, N>, file: &'a str, breaches: &mut Breaches) {
        let serial = row.required("serial", SERIAL_FORM, serial, breaches);
        let checked = row.optional("check", "luhn or none", check, breaches).unwrap_or(false);
        if checked && serial.is_some_and(|serial| !is_luhn(serial)) {
            breaches.add(row.file(), row.line(), "serial: its check digit is wrong");
        }
        let model = self.names.prose(row, "model", breaches);
        let maker = self.names.prose(row, "maker", breaches);
        let firmware = row.optional("firmware", "up to three numbers as 2.1.7", Firmware::parse, breaches);
        let certification = self.names.prose(row, "certification", breaches);
        let until = row.optional("certified_until", "a date as 2026-11-22", BusinessDate::parse, breaches);
        let custodian = self.names.prose(row, "custodian", breaches);
        let terminal = row.optional("terminal", "8 characters", |text| TerminalId::parse(text.as_bytes()), breaches);
        let Some(serial) = serial.map(Box::<str>::from) else { return };
        if self.devices.contains(&*serial) {
            return breaches.add(row.file(), row.line(), format!("device {serial} is listed twice"));
        }
        let hardware =
            Arc::new(Hardware { serial, model, maker, firmware, certification, certified_until: until, custodian });
        if let Some(terminal) = terminal {
            let place = Place { file, line: row.line() };
            self.bound.push(AtTerminal { terminal, hardware: Arc::clone(&hardware), place });
        }
        self.devices.insert(BySerial(hardware));
    }
}

/// What a template says, and what those behind it say.
fn resolved(name: &Arc<str>, raw: &RawTemplates<'_>) -> Given {
    let chain = std::iter::successors(raw.get(name), |template| raw.get(template.inherits.as_ref()?));
    chain.take(DEEP).fold(Given::default(), |given, behind| given.or(&behind.given))
}

/// What is wrong with the templates behind a template.
fn fault<'a>(name: &Arc<str>, template: &Raw<'a>, raw: &RawTemplates<'a>) -> Option<(Place<'a>, String)> {
    let parent = template.inherits.as_ref()?;
    if !raw.contains_key(parent) {
        return Some((template.place, format!("inherits: template {parent} is not listed")));
    }
    let mut behind = std::iter::successors(Some(parent), |name| raw.get(*name)?.inherits.as_ref());
    let what = match behind.by_ref().take(DEEP).any(|other| other == name) {
        true => "inherits: goes round in a circle".to_owned(),
        false if behind.next().is_some() => format!("inherits: more than {DEEP} templates behind one another"),
        false => return None,
    };
    Some((template.place, what))
}

pub(super) const SERIAL_FORM: &str = "1 to 32 letters, digits, hyphens or slashes";

/// A serial number as devices show it.
pub(super) fn serial(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'/';
    ((1..=32).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

/// Whether a serial number has a check digit.
fn check(text: &str) -> Option<bool> {
    match text {
        "luhn" => Some(true),
        "none" => Some(false),
        _ => None,
    }
}

/// Whether the last digit is right, by the rule of card numbers. What is no digit has none.
fn is_luhn(serial: &str) -> bool {
    let digits: Option<Vec<u32>> = serial.chars().map(|digit| digit.to_digit(10)).collect();
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    digits.is_some_and(|digits| {
        let sum: u32 = digits
            .iter()
            .rev()
            .enumerate()
            .map(|(place, digit)| if place % 2 == 1 { doubled(*digit) } else { *digit })
            .sum();
        digits.len() > 1 && sum.is_multiple_of(10)
    })
}
