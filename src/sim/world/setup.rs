//! The parts of a world that every plan shares: two banks, three doors, a few cards, keys.

use super::chance::SimEntropy;
use super::outside::Outside;
use super::plan::Plan;
use super::plan::StandIn;
use super::station::Ground;
use super::vault::Vault;
use crate::channel::builtin;
use crate::flow::Door;
use crate::flow::DoorKeys;
use crate::hsm::BdKey;
use crate::hsm::KeyName;
use crate::hsm::KeyRef;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::hsm::software::SoftwareHsm;
use crate::model::Acquirer;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::DayRule;
use crate::model::DukptScheme;
use crate::model::IssuerName;
use crate::model::Limits;
use crate::model::Zone;
use crate::registry::Breaches;
use crate::registry::Days;
use crate::registry::Defaults;
use crate::registry::DownloadSources;
use crate::registry::FleetSources;
use crate::registry::Registry;
use crate::registry::Rules;
use crate::registry::Source;
use crate::registry::Sources;
use crate::server::config::NamedKey;
use crate::server::config::key_rows;
use crate::sim::cards;
use crate::sim::cards::CardUse;
use crate::sim::cards::TestCard;
use crate::sim::issuer;
use crate::sim::issuer::Bank;
use crate::sim::issuer::DEMO_KEYS;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::OnceLock;
use std::time::Duration;
use zeroize::Zeroizing;

/// The first and the last of a world's terminals.
pub(super) const TERMINALS: [u32; 2] = [10_000_001, 10_000_004];
/// Stands in the first one's shop.
const SECOND: u32 = TERMINALS[0] + 1;
const BANKS: [&str; 2] = ["bank-a", "bank-b"];
/// The most that is approved on behalf of an issuer, in minor units.
const STAND_IN_MOST: u64 = 50_00;
/// Minutes of the terminals' clocks east of UTC.
pub(super) const OFFSET_MINUTES: i16 = 480;
/// When an issuer's own late answers come.
const LATE: Duration = Duration::from_secs(9);

/// Whose a terminal is.
pub(super) fn merchant(terminal: u32) -> String {
    let shop = if terminal == SECOND { TERMINALS[0] } else { terminal };
    format!("89811005411{:04}", shop.saturating_sub(10_000_000))
}

/// The demo's keys that a world needs, read once.
fn keys() -> &'static [NamedKey] {
    static KEYS: OnceLock<Vec<NamedKey>> = OnceLock::new();
    KEYS.get_or_init(|| {
        let mut keys = key_rows(Source { file: "keys.csv", text: DEMO_KEYS }, &mut Breaches::default());
        let wanted = TERMINALS[0]..=TERMINALS[1];
        let terminal = |name: &str| name.split('/').nth(1).and_then(|number| number.parse().ok());
        keys.retain(|key| {
            !key.name.as_str().starts_with("terminal/")
                || terminal(key.name.as_str()).is_some_and(|number| wanted.contains(&number))
        });
        keys
    })
}

/// The cards of a world: those of the demo's visitors.
pub(super) fn cards() -> Vec<TestCard> {
    static CARDS: OnceLock<Vec<TestCard>> = OnceLock::new();
    let cards = CARDS.get_or_init(|| {
        let mut cards = cards::demo();
        cards.retain(|card| card.used_by == CardUse::Visitor);
        cards
    });
    cards.clone()
}

/// Both banks.
pub(super) fn banks(entropy: &Arc<SimEntropy>) -> Option<Vec<Bank<SoftwareHsm>>> {
    let cards = cards();
    let bank = |name: &&str| {
        let parts = issuer::Parts {
            name: IssuerName::parse(name)?,
            profile: builtin::profile(name)?,
            keys: keys(),
            cards: &cards,
            late: LATE,
            entropy: Arc::clone(entropy) as Arc<_>,
        };
        issuer::assemble(&parts).ok()
    };
    BANKS.iter().map(bank).collect()
}

/// The pos door, the host door and the door for DUKPT devices.
pub(super) fn doors() -> Option<[Door; 3]> {
    let key = |name: &str| KeyName::parse(name).map(KeyRef::Named);
    let fixed = DoorKeys::Fixed { mac: MacKey(key("host/zak")?), pin: PinKey(key("host/zpk")?) };
    let door = |name: &str, keys| {
        Some(Door { name: name.to_owned(), profile: builtin::profile(name)?, keys, legacy_single_des: false })
    };
    let device = DoorKeys::Dukpt { base: BdKey(key("dukpt/bdk")?), scheme: DukptScheme::Tdes };
    Some([door("pos", DoorKeys::Issued)?, door("host", fixed)?, door("dukpt", device)?])
}

/// What outlives the station's process.
pub(super) fn ground(plan: &Plan, outside: &Outside, entropy: &Arc<SimEntropy>) -> Option<Ground> {
    let shared: Arc<SimEntropy> = Arc::clone(entropy);
    let builder = SoftwareHsm::builder(Arc::clone(&shared) as Arc<_>, Zeroizing::new([7; 32])).legacy_single_des();
    let own = keys().iter().filter(|key| !key.name.as_str().ends_with("/pvk"));
    let builder =
        own.fold(builder, |builder, key| builder.key(key.name.clone(), key.usage, key.algorithm, key.key.clone()));
    let software = builder.build().ok()?;
    let hsm = Arc::new(Vault::new(software, Arc::clone(&outside.nature), Arc::clone(&outside.weather)));
    let checks = Arc::new(plan.rules.checks()?);
    Some(Ground { hsm, registry: Arc::new(registry(plan)?), checks, entropy: shared })
}

/// Which business date an instant belongs to.
pub(super) fn calendar(plan: &Plan) -> DayRule {
    DayRule::new(Zone::fixed(OFFSET_MINUTES), plan.cut_over)
}

fn registry(plan: &Plan) -> Option<Registry> {
    let (mut merchants, mut terminals) = ("merchant,name\n".to_owned(), "terminal,merchant\n".to_owned());
    for number in TERMINALS[0]..=TERMINALS[1] {
        // Writing to a text does not fail.
        if number != SECOND {
            let _ = writeln!(merchants, "{},shop {number}", merchant(number));
        }
        let _ = writeln!(terminals, "{number},{}", merchant(number));
    }
    let stand_in = match plan.stand_in {
        StandIn::Never => String::new(),
        StandIn::Small => format!("stand_in_most = {STAND_IN_MOST}\n"),
        StandIn::Counted(most) => format!("stand_in_most = {STAND_IN_MOST}\nstand_in_card_amount = {most}\n"),
    };
    let row = |name: &str| {
        format!(
            "[[issuer]]\nname = \"{name}\"\naddress = \"{name}:1\"\nprofile = \"{name}\"\ntimeout_ms = 5000\n\
             master_key = \"{name}/zmk\"\n{stand_in}"
        )
    };
    let issuers: String = BANKS.map(row).concat();
    let fallback = if plan.fallback { "bank-b" } else { "" };
    let bins = format!("prefix,issuer,fallback,organisation\n62,bank-a,{fallback},\n4,bank-b,,VIS\n5,bank-b,,\n");
    let limits = Limits { daily_amount: plan.daily_amount.and_then(Amount::new), ..Limits::default() };
    let defaults = Defaults {
        acquirer: Acquirer::parse(b"89811000")?,
        currency: Currency::CNY,
        offset_minutes: OFFSET_MINUTES,
        days: Days::new(None, plan.cut_over),
        limits,
    };
    Registry::load(&Sources {
        defaults,
        merchants: vec![Source { file: "merchants.csv", text: &merchants }],
        terminals: vec![Source { file: "terminals.csv", text: &terminals }],
        fleet: FleetSources::default(),
        issuers: vec![Source { file: "issuers.toml", text: &issuers }],
        bins: vec![Source { file: "bins.csv", text: &bins }],
        operators: Vec::new(),
        downloads: DownloadSources::default(),
        rules: Rules::default(),
        profile_known: &|name| builtin::profile(name).is_some(),
    })
    .ok()
}
