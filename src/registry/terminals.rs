//! Merchants and terminals, row by row, and the join of both with what terminals are filled from.

use super::days::Days;
use super::fleet::{AtTerminal, BySerial, Fleet, Place, SERIAL_FORM, serial};
use super::given::{Given, TERMINAL, from};
use super::load::{Defaults, Registry, Sources};
use super::merchant;
use super::merchant::Merchant;
use super::names::{LABEL_FORM, label};
use super::regions::Regions;
use super::table::{Breaches, Row, rows};
use super::timeline::{Timeline, Turn};
use crate::model::Acquirer;
use crate::model::DayRule;
use crate::model::DeviceId;
use crate::model::Hardware;
use crate::model::KeyName;
use crate::model::MerchantId;
use crate::model::Papers;
use crate::model::Site;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::model::Timestamp;
use std::collections::HashMap;
use std::collections::HashSet;
use std::collections::hash_map::Entry;
use std::sync::Arc;

const DEVICE_FORM: &str = "a key serial number in 20 or 24 hex digits, its counter zero";
const TERMINAL_FORM: &str = "8 characters";

/// What came of all rows.
pub(super) struct Joined {
    pub(super) terminals: HashMap<TerminalId, Arc<TerminalFacts>>,
    pub(super) merchants: HashMap<MerchantId, Merchant>,
    pub(super) days: Vec<Arc<DayRule>>,
    pub(super) devices: HashMap<DeviceId, TerminalId>,
    pub(super) hardware: HashSet<BySerial>,
    pub(super) regions: Regions,
    pub(super) changes: Vec<Timestamp>,
}

/// A row that says which device its terminal is.
struct Claim<'a> {
    terminal: TerminalId,
    from: Option<Timestamp>,
    ksn: Option<DeviceId>,
    hardware: Option<Arc<Hardware>>,
    place: Place<'a>,
}

/// Rows as they are read.
pub(super) struct Rows<'a> {
    fleet: Fleet<'a>,
    defaults: &'a Defaults,
    terminals: HashMap<TerminalId, Arc<TerminalFacts>>,
    merchants: HashMap<MerchantId, Merchant>,
    merchant_line: Timeline<MerchantId>,
    terminal_line: Timeline<TerminalId>,
    claims: Vec<Claim<'a>>,
    days: Vec<Arc<DayRule>>,
    /// The rule of the row before: neighbours mostly share it.
    day: Option<((Acquirer, i16), Arc<DayRule>)>,
}

impl<'a> Rows<'a> {
    /// Reads merchants, terminals and what they are filled from.
    pub(super) fn read(sources: &'a Sources<'_>, breaches: &mut Breaches) -> Registry {
        let at = sources.fleet.at;
        let mut all = Self {
            fleet: Fleet::regions(&sources.fleet, breaches),
            defaults: &sources.defaults,
            terminals: HashMap::new(),
            merchants: HashMap::new(),
            merchant_line: Timeline::new(at),
            terminal_line: Timeline::new(at),
            claims: Vec::new(),
            days: Vec::new(),
            day: None,
        };
        for source in &sources.merchants {
            rows(*source, "merchant", merchant::COLUMNS, breaches, |row, breaches| all.add_merchant(row, breaches));
        }
        let Self { fleet, merchants, merchant_line, .. } = &mut all;
        let known = |id: &MerchantId| merchants.contains_key(id) || merchant_line.begins(id).is_some();
        fleet.fill(&sources.fleet, &known, breaches);
        for source in &sources.terminals {
            rows(*source, "terminal", TERMINAL, breaches, |row, breaches| {
                all.add_terminal(row, source.file, breaches);
            });
        }
        all.joined(breaches)
    }

    fn add_merchant<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let Some((merchant, from)) = Merchant::read(row, self.defaults, breaches) else { return };
        self.fleet.check_region(merchant.region, row, breaches);
        let id = merchant.id;
        match self.merchant_line.turn(&id, from, self.merchants.contains_key(&id)) {
            Turn::Now => drop(self.merchants.insert(id, merchant)),
            Turn::Later | Turn::Over => {}
            Turn::Twice => row.breach("merchant", format!("merchant {id} is listed twice"), breaches),
        }
    }

    fn add_terminal<const N: usize>(&mut self, row: &Row<'_, N>, file: &'a str, breaches: &mut Breaches) {
        let id = row.required("terminal", TERMINAL_FORM, |text| TerminalId::parse(text.as_bytes()), breaches);
        let template = row.optional("template", LABEL_FORM, label, breaches);
        let given = Given::read(row, &mut self.fleet.names, breaches);
        let ksn = row.optional("ksn", DEVICE_FORM, DeviceId::parse, breaches);
        let certificate = row.optional("certificate", "64 hex digits: SHA-256 of it", fingerprint, breaches);
        let device = row.optional("device", SERIAL_FORM, serial, breaches);
        let from = from(row, breaches);
        let hardware = device.and_then(|serial| self.fleet.device((serial, from), row, breaches));
        let (given, papers) = self.filled(given, (template, from), row, breaches);
        let merchant = self.merchant_of(&given, from, row, breaches);
        let inherited = merchant.and_then(|id| self.merchants.get(&id)).map(|merchant| merchant.limits);
        let limits = given.limits.over(&inherited.unwrap_or_default(), row, breaches);
        let (Some(terminal), Some(merchant)) = (id, merchant) else { return };
        match self.terminal_line.turn(&terminal, from, self.terminals.contains_key(&terminal)) {
            Turn::Later | Turn::Over => return,
            Turn::Twice => {
                return row.breach("terminal", format!("terminal {terminal} is listed twice"), breaches);
            }
            Turn::Now => {}
        }
        let Some(merchant) = self.merchants.get(&merchant) else { return };
        let offset_minutes = given.offset_minutes.unwrap_or(merchant.offset_minutes);
        let site = Site {
            shop: Arc::clone(&merchant.shop),
            region: given.region.or(merchant.region),
            class: given.class,
            capabilities: given.capabilities,
            network: given.network.unwrap_or_default(),
            hardware: hardware.clone(),
            papers,
        };
        let own_key = || KeyName::parse(&format!("terminal/{}/tmk", terminal.as_str().trim_end()));
        let facts = TerminalFacts {
            terminal,
            merchant: merchant.id,
            acquirer: merchant.acquirer,
            standing: given.standing.unwrap_or_default(),
            merchant_standing: merchant.standing,
            test_mode: given.test_mode.unwrap_or(false),
            currency: given.currency.unwrap_or(merchant.currency),
            limits,
            offset_minutes,
            day: day(&mut self.day, &mut self.days, &self.defaults.days, (merchant.acquirer, offset_minutes)),
            master_key: given.master_key.unwrap_or_else(own_key),
            sign_in_after: given.sign_in_after,
            device: ksn,
            certificate,
            site,
        };
        self.terminals.insert(terminal, Arc::new(facts));
        if ksn.is_some() || hardware.is_some() {
            self.claims.push(Claim {
                terminal,
                from,
                ksn,
                hardware,
                place: Place { file, line: row.line_of("device") },
            });
        }
    }

    /// The row, with its template and its group behind it, as they are when it takes effect; and what only people read.
    fn filled<const N: usize>(
        &mut self,
        given: Given,
        (template, from): (Option<&str>, Option<Timestamp>),
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) -> (Given, Option<Box<Papers>>) {
        self.fleet.check_region(given.region, row, breaches);
        let (mut given, mut named) = (given, None);
        if let Some(name) = template {
            self.fleet.check_named_template((name, from), row, breaches);
            if let Some((name, behind)) = self.fleet.template(name, from) {
                given = given.or(&behind);
                named = Some(name);
            }
        }
        self.fleet.check_group((&given, from), "its terminal", row, breaches);
        let group = given.group.clone();
        if let Some(group) = group.as_ref().and_then(|name| self.fleet.group(name, from)) {
            given = given.or(group);
        }
        let papers =
            Papers { address: given.address.clone(), custodian: given.custodian.clone(), template: named, group };
        let papers = (papers != Papers::default()).then(|| Box::new(papers));
        (given, papers)
    }

    /// The merchant of a row, which must be there when the row takes effect.
    fn merchant_of<const N: usize>(
        &self,
        given: &Given,
        from: Option<Timestamp>,
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) -> Option<MerchantId> {
        let Some(id) = given.merchant else {
            // One that cannot be read is a breach already.
            if !row.has("merchant") {
                row.breach("merchant", "merchant: is missing", breaches);
            }
            return None;
        };
        if self.merchants.contains_key(&id) {
            return Some(id);
        }
        match self.merchant_line.begins(&id) {
            None => row.breach("merchant", format!("merchant {id} is not listed"), breaches),
            Some(begins) if from.is_none_or(|from| from < begins) => {
                row.breach("merchant", format!("merchant {id} begins later than its terminal"), breaches);
            }
            Some(_) => return Some(id),
        }
        None
    }

    /// Every device at one terminal, and every terminal one device.
    fn joined(mut self, breaches: &mut Breaches) -> Registry {
        let mut devices: HashMap<DeviceId, TerminalId> = HashMap::new();
        let mut bound = Bound::new();
        for claim in std::mem::take(&mut self.claims) {
            let Claim { terminal, from, ksn, hardware, place } = claim;
            if self.terminal_line.since(&terminal) != from {
                continue;
            }
            if ksn.is_some_and(|ksn| devices.insert(ksn, terminal).is_some_and(|other| other != terminal)) {
                breaches.add(place.file, place.line, "ksn: another terminal has this device");
            }
            if let Some(hardware) = hardware {
                bind(&mut bound, &hardware, terminal, place, breaches);
            }
        }
        for AtTerminal { terminal, hardware, place } in std::mem::take(&mut self.fleet.bound) {
            let Entry::Occupied(mut row) = self.terminals.entry(terminal) else {
                if self.terminal_line.begins(&terminal).is_none() {
                    breaches.add(place.file, place.line, format!("terminal {terminal} is not listed"));
                }
                continue;
            };
            // A row that another one took the place of, or that is still to come, puts nothing anywhere.
            let in_force = |hardware: &Arc<Hardware>| {
                self.fleet.devices.get(&*hardware.serial).is_some_and(|device| Arc::ptr_eq(&device.0, hardware))
            };
            let Some(hardware) = hardware.filter(in_force) else { continue };
            match &row.get().site.hardware {
                Some(other) if !Arc::ptr_eq(other, &hardware) => {
                    breaches.add(place.file, place.line, format!("terminal {terminal} has device {}", other.serial));
                }
                Some(_) => {}
                None => {
                    if bind(&mut bound, &hardware, terminal, place, breaches)
                        && let Some(facts) = Arc::get_mut(row.get_mut())
                    {
                        facts.site.hardware = Some(hardware);
                    }
                }
            }
        }
        let changes = self.merchant_line.ahead().chain(self.terminal_line.ahead()).chain(self.fleet.ahead()).collect();
        Registry::of(Joined {
            terminals: self.terminals,
            merchants: self.merchants,
            days: self.days,
            devices,
            hardware: self.fleet.devices,
            regions: self.fleet.regions,
            changes,
        })
    }
}

/// At which terminal each device is, by the place of its row in memory.
type Bound = HashMap<*const Hardware, TerminalId>;

/// Whether the device is at this terminal now; it is not if it is at another one.
fn bind(
    bound: &mut Bound,
    hardware: &Arc<Hardware>,
    terminal: TerminalId,
    place: Place<'_>,
    breaches: &mut Breaches,
) -> bool {
    let whose = *bound.entry(Arc::as_ptr(hardware)).or_insert(terminal);
    if whose != terminal {
        breaches.add(place.file, place.line, format!("device {} is at terminal {whose} already", hardware.serial));
    }
    whose == terminal
}

/// The rule for dates of a terminal. Those with equal rules share one.
fn day(
    last: &mut Option<((Acquirer, i16), Arc<DayRule>)>,
    known: &mut Vec<Arc<DayRule>>,
    days: &Days,
    whose: (Acquirer, i16),
) -> Arc<DayRule> {
    if let Some((_, rule)) = last.as_ref().filter(|(before, _)| *before == whose) {
        return Arc::clone(rule);
    }
    let rule = days.rule(&whose.0, whose.1);
    let rule = match known.iter().find(|equal| **equal == rule) {
        Some(equal) => Arc::clone(equal),
        None => {
            known.push(Arc::clone(&rule));
            rule
        }
    };
    *last = Some((whose, Arc::clone(&rule)));
    rule
}

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
