//! What many terminals share: templates, groups; and what they are made of: devices, and the regions they stand in.

use super::given::{ABOVE, GROUP, Given, TEMPLATE, bound, from};
use super::names::{LABEL_FORM, Names, label};
use super::regions;
use super::regions::Regions;
use super::table::{Breaches, Row, Source, rows};
use super::timeline::{Dated, Presence, Timeline, Turn};
use crate::model::BusinessDate;
use crate::model::Firmware;
use crate::model::Hardware;
use crate::model::MerchantId;
use crate::model::Region;
use crate::model::TerminalId;
use crate::model::Timestamp;
use std::borrow::Borrow;
use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The lists that terminals are filled from, those there are.
#[derive(Clone, Default)]
pub struct FleetSources<'a> {
    /// `serial,check,model,maker,firmware,certification,certified_until,custodian,terminal,from`.
    pub devices: Vec<Source<'a>>,
    /// `template,inherits,from` and what a terminal's row may leave out.
    pub templates: Vec<Source<'a>>,
    /// `group,from` and what a terminal's row may leave out.
    pub groups: Vec<Source<'a>>,
    /// `region,name` and a box around it: `west,south,east,north`.
    pub regions: Vec<Source<'a>>,
    /// The instant whose rows count, where rows have one from which they hold; without it the latest ones do.
    pub at: Option<Timestamp>,
}

pub(super) const DEVICE: &[&str; 10] = &[
    "serial",
    "check",
    "model",
    "maker",
    "firmware",
    "certification",
    "certified_until",
    "custodian",
    "terminal",
    "from",
];

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
    /// `None` of a row that is not in force yet.
    pub(super) hardware: Option<Arc<Hardware>>,
    pub(super) place: Place<'a>,
}

/// What was read, to fill terminals from.
pub(super) struct Fleet<'a> {
    pub(super) names: Names,
    pub(super) regions: Regions,
    templates: Dated<Raw<'a>>,
    /// What each template says now, and those behind it.
    filled: HashMap<Arc<str>, Given>,
    groups: Dated<Given>,
    pub(super) devices: HashSet<BySerial>,
    device_line: Timeline<Box<str>>,
    pub(super) bound: Vec<AtTerminal<'a>>,
    has_regions: bool,
}

/// A template, before its own templates are looked at.
#[derive(Clone)]
struct Raw<'a> {
    given: Given,
    inherits: Option<Arc<str>>,
    from: Option<Timestamp>,
    /// Where it says what it inherits.
    place: Place<'a>,
    /// The line on which a bound of an amount stands, if it says one.
    bound: Option<usize>,
}

impl<'a> Fleet<'a> {
    /// Reads all its other lists. `merchant_known`: templates may name a merchant.
    pub(super) fn fill(
        &mut self,
        sources: &FleetSources<'a>,
        merchant_known: &dyn Fn(&MerchantId) -> bool,
        breaches: &mut Breaches,
    ) {
        for source in &sources.groups {
            rows(*source, "group", GROUP, breaches, |row, breaches| self.add_group(row, breaches));
        }
        // What a template inherits is known when all are read; it is told among what else is wrong with its row.
        let (mut all, mut own) = (Vec::new(), Breaches::default());
        for source in &sources.templates {
            rows(*source, "template", TEMPLATE, &mut own, |row, own| {
                all.push(self.add_template(row, source.file, merchant_known, own));
            });
        }
        for (name, template) in &all {
            self.check_template(name.as_ref(), template, &mut own);
        }
        breaches.extend(own.in_order(&sources.templates));
        self.filled =
            self.templates.names().filter_map(|name| Some((Arc::clone(name), self.resolved(name, None)?))).collect();
        for source in &sources.devices {
            rows(*source, "device", DEVICE, breaches, |row, breaches| self.add_device(row, source.file, breaches));
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
            templates: Dated::new(sources.at),
            filled: HashMap::new(),
            groups: Dated::new(sources.at),
            devices: HashSet::new(),
            device_line: Timeline::new(sources.at),
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
            row.breach("region", format!("region {region} is not listed"), breaches);
        }
    }

    /// The group that a row or its template names, when the row takes effect.
    pub(super) fn group(&self, name: &str, from: Option<Timestamp>) -> Option<&Given> {
        self.groups.beside(name, from).map(|(_, group)| group)
    }

    /// What a template says when a row from `from` on takes effect, and what those behind it say; and its name.
    pub(super) fn template(&self, name: &str, from: Option<Timestamp>) -> Option<(Arc<str>, Cow<'_, Given>)> {
        if from.is_none() {
            let (name, given) = self.filled.get_key_value(name)?;
            return Some((Arc::clone(name), Cow::Borrowed(given)));
        }
        let (name, _) = self.templates.beside(name, from)?;
        Some((Arc::clone(name), Cow::Owned(self.resolved(name, from)?)))
    }

    /// The template of a row must be there when it takes effect.
    pub(super) fn check_named_template<const N: usize>(
        &self,
        (name, from): (&str, Option<Timestamp>),
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) {
        if let Some(what) = lacking("template", name, self.templates.presence(name, from), "its terminal") {
            row.breach("template", what, breaches);
        }
    }

    /// The group of a row or a template must be there when it takes effect.
    pub(super) fn check_group<const N: usize>(
        &self,
        (given, from): (&Given, Option<Timestamp>),
        whose: &str,
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) {
        let Some(group) = &given.group else { return };
        if let Some(what) = lacking("group", group, self.groups.presence(group, from), whose) {
            row.breach("group", what, breaches);
        }
    }

    /// The device of a row, which must be there when it takes effect; `None` also if that is later.
    pub(super) fn device<const N: usize>(
        &self,
        (serial, from): (&str, Option<Timestamp>),
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) -> Option<Arc<Hardware>> {
        if let Some(device) = self.devices.get(serial) {
            return Some(Arc::clone(&device.0));
        }
        let presence = match self.device_line.begins(&Box::from(serial)) {
            None => Presence::Missing,
            Some(begins) if from.is_none_or(|from| from < begins) => Presence::Later,
            Some(_) => Presence::There,
        };
        if let Some(what) = lacking("device", serial, presence, "its terminal") {
            row.breach("device", what, breaches);
        }
        None
    }

    /// The instants at which rows of these lists take effect.
    pub(super) fn ahead(&self) -> impl Iterator<Item = Timestamp> {
        self.templates.ahead().chain(self.groups.ahead()).chain(self.device_line.ahead())
    }

    fn add_group<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let name = row.required("group", LABEL_FORM, label, breaches).map(|name| self.names.shared(name));
        // The column that names the row is no membership.
        let mut given = Given { group: None, ..Given::read(row, &mut self.names, breaches) };
        let from = from(row, breaches);
        self.check_region(given.region, row, breaches);
        if given.limits.contradict() {
            row.breach(bound(row), ABOVE, breaches);
        }
        given.limits = given.limits.told();
        let Some(name) = name else { return };
        if !self.groups.add(Arc::clone(&name), from, given) {
            row.breach("group", format!("group {name} is listed twice"), breaches);
        }
    }

    fn add_template<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        file: &'a str,
        merchant_known: &dyn Fn(&MerchantId) -> bool,
        breaches: &mut Breaches,
    ) -> (Option<Arc<str>>, Raw<'a>) {
        let name = row.required("template", LABEL_FORM, label, breaches).map(|name| self.names.shared(name));
        let inherits = row.optional("inherits", LABEL_FORM, label, breaches).map(|name| self.names.shared(name));
        let given = Given::read(row, &mut self.names, breaches);
        let from = from(row, breaches);
        self.check_region(given.region, row, breaches);
        self.check_group((&given, from), "its template", row, breaches);
        if let Some(merchant) = given.merchant.filter(|merchant| !merchant_known(merchant)) {
            row.breach("merchant", format!("merchant {merchant} is not listed"), breaches);
        }
        let place = Place { file, line: row.line_of("inherits") };
        let bound = ["least", "most"].into_iter().find(|column| row.has(column)).map(|column| row.line_of(column));
        let template = Raw { given, inherits, from, place, bound };
        if let Some(name) = &name
            && !self.templates.add(Arc::clone(name), from, template.clone())
        {
            row.breach("template", format!("template {name} is listed twice"), breaches);
        }
        (name, template)
    }

    /// What is wrong with a template and those behind it, when it takes effect.
    fn check_template(&self, name: Option<&Arc<str>>, template: &Raw<'a>, breaches: &mut Breaches) {
        let Place { file, line } = template.place;
        if let Some(fault) = self.fault(name, template) {
            breaches.add(file, line, format!("inherits: {fault}"));
        }
        if let Some(line) = template.bound
            && self.stacked(template).limits.contradict()
        {
            breaches.add(file, line, ABOVE);
        }
    }

    /// The templates behind one another, from this one on, at most one more than there may be behind it.
    fn behind(&self, template: &Raw<'a>) -> Vec<(&Arc<str>, &Raw<'a>)> {
        let next = |of: &Raw<'a>| self.templates.beside(of.inherits.as_ref()?, template.from);
        std::iter::successors(next(template), |(_, behind)| next(behind)).take(DEEP + 1).collect()
    }

    fn stacked(&self, template: &Raw<'a>) -> Given {
        let behind = self.behind(template);
        behind.iter().take(DEEP).fold(template.given.clone(), |given, (_, behind)| given.or(&behind.given))
    }

    /// What a template says when a row from `from` on takes effect, and what those behind it say.
    fn resolved(&self, name: &str, from: Option<Timestamp>) -> Option<Given> {
        let (_, template) = self.templates.beside(name, from)?;
        let given = self.stacked(&Raw { from: template.from.max(from), ..template.clone() });
        Some(Given { limits: given.limits.told(), ..given })
    }

    /// What is wrong with the templates behind a template.
    fn fault(&self, name: Option<&Arc<str>>, template: &Raw<'a>) -> Option<String> {
        let parent = template.inherits.as_ref()?;
        let lacking = lacking("template", parent, self.templates.presence(parent, template.from), "this one");
        if lacking.is_some() {
            return lacking;
        }
        let behind: Vec<_> = self.behind(template).into_iter().map(|(name, _)| name).collect();
        if behind.len() <= DEEP && name.is_none_or(|name| !behind.contains(&name)) {
            return None;
        }
        let once: HashSet<_> = name.iter().chain(&behind).collect();
        let is_round = once.len() < behind.len() + name.iter().count();
        Some(if is_round {
            "goes round in a circle".to_owned()
        } else {
            format!("more than {DEEP} templates behind one another")
        })
    }

    fn add_device<const N: usize>(&mut self, row: &Row<'_, N>, file: &'a str, breaches: &mut Breaches) {
        let serial = row.required("serial", SERIAL_FORM, serial, breaches);
        let checked = row.optional("check", "luhn or none", check, breaches).unwrap_or(false);
        if checked && serial.is_some_and(|serial| !is_luhn(serial)) {
            row.breach("serial", "serial: its check digit is wrong", breaches);
        }
        let model = self.names.prose(row, "model", breaches);
        let maker = self.names.prose(row, "maker", breaches);
        let firmware = row.optional("firmware", "up to three numbers as 2.1.7", Firmware::parse, breaches);
        let certification = self.names.prose(row, "certification", breaches);
        let until = row.optional("certified_until", "a date as 2026-11-22", BusinessDate::parse, breaches);
        let custodian = self.names.prose(row, "custodian", breaches);
        let terminal = row.optional("terminal", "8 characters", |text| TerminalId::parse(text.as_bytes()), breaches);
        let from = from(row, breaches);
        let Some(serial) = serial.map(Box::<str>::from) else { return };
        let turn = self.device_line.turn(&serial, from, self.devices.contains(&*serial));
        if turn == Turn::Twice {
            return row.breach("serial", format!("device {serial} is listed twice"), breaches);
        }
        let hardware =
            Arc::new(Hardware { serial, model, maker, firmware, certification, certified_until: until, custodian });
        if let Some(terminal) = terminal {
            let place = Place { file, line: row.line_of("terminal") };
            let hardware = (turn == Turn::Now).then(|| Arc::clone(&hardware));
            self.bound.push(AtTerminal { terminal, hardware, place });
        }
        if turn == Turn::Now {
            self.devices.replace(BySerial(hardware));
        }
    }
}

/// What to say of a row that another one needs, if it is not there when that takes effect.
fn lacking(what: &str, name: &str, presence: Presence, whose: &str) -> Option<String> {
    match presence {
        Presence::There => None,
        Presence::Later => Some(format!("{what} {name} begins later than {whose}")),
        Presence::Missing => Some(format!("{what} {name} is not listed")),
    }
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
