//! The registry: what its files may say, and what comes out joined.

use sha2::Digest;
use tollgate::model::Acquirer;
use tollgate::model::Amount;
use tollgate::model::Currency;
use tollgate::model::IssuerName;
use tollgate::model::Ksn;
use tollgate::model::Limits;
use tollgate::model::MerchantId;
use tollgate::model::Pan;
use tollgate::model::SerialFault;
use tollgate::model::SerialMark;
use tollgate::model::SerialStep;
use tollgate::model::SessionFacts;
use tollgate::model::Standing;
use tollgate::model::TerminalId;
use tollgate::registry::Days;
use tollgate::registry::Defaults;
use tollgate::registry::DownloadSources;
use tollgate::registry::FleetSources;
use tollgate::registry::Registry;
use tollgate::registry::Rules;
use tollgate::registry::Sessions;
use tollgate::registry::Shown;
use tollgate::registry::Source;
use tollgate::registry::Sources;

const MERCHANTS: &str = include_str!("../../specs/demo/merchants.csv");
const TERMINALS: &str = include_str!("../../specs/demo/terminals.csv");
const ISSUERS: &str = include_str!("../../specs/demo/issuers.toml");
const BINS: &str = include_str!("../../specs/demo/bins.csv");
const KEYS: &str = include_str!("../../specs/demo/keys.csv");

fn defaults() -> Defaults {
    Defaults {
        acquirer: Acquirer::parse(b"89811000").unwrap(),
        currency: Currency::CNY,
        offset_minutes: 480,
        days: Days::default(),
        limits: Limits { most: Amount::new(5_000_000), ..Limits::default() },
    }
}

fn sources<'a>(merchants: &'a str, terminals: &'a str, issuers: &'a str, bins: &'a str) -> Sources<'a> {
    Sources {
        defaults: defaults(),
        merchants: vec![Source { file: "merchants.csv", text: merchants }],
        terminals: vec![Source { file: "terminals.csv", text: terminals }],
        fleet: FleetSources::default(),
        issuers: vec![Source { file: "issuers.toml", text: issuers }],
        bins: vec![Source { file: "bins.csv", text: bins }],
        operators: Vec::new(),
        downloads: DownloadSources::default(),
        rules: Rules::default(),
        profile_known: &|name| name.starts_with("bank-") || name == "qr-a",
    }
}

fn breaches(sources: &Sources<'_>) -> Vec<String> {
    Registry::load(sources).unwrap_err().iter().map(ToString::to_string).collect()
}

fn terminal(id: &str) -> TerminalId {
    TerminalId::parse(id.as_bytes()).unwrap()
}

#[test]
fn the_demo_station_loads_and_joins() {
    let registry = Registry::load(&sources(MERCHANTS, TERMINALS, ISSUERS, BINS)).unwrap();
    assert_eq!(registry.terminals().count(), 200);
    assert_eq!(registry.issuers().count(), 3);
    let first = registry.terminal(terminal("10000001")).unwrap();
    assert_eq!(first.merchant.as_str(), "898110054110001");
    assert_eq!(first.acquirer.as_str(), "89811000");
    assert_eq!(first.currency, Currency::CNY);
    assert_eq!(first.offset_minutes, 480);
    assert_eq!(first.limits.most, Amount::new(5_000_000));
    assert_eq!(first.master_key.as_ref().unwrap().as_str(), "terminal/10000001/tmk");
    let last = registry.terminal(terminal("10000200")).unwrap();
    assert_eq!(last.merchant.as_str(), "898110054110200");
    assert!(registry.merchant(last.merchant).is_some());
    for (pan, issuer) in [
        ("6225000000000253", "bank-a"),
        ("6221000000000018001", "qr-a"),
        ("4111111111111111", "bank-b"),
        ("5555555555554444", "bank-b"),
    ] {
        let pan = Pan::parse(pan.as_bytes()).unwrap();
        assert_eq!(registry.bins().candidates(&pan), [IssuerName::parse(issuer).unwrap()]);
    }
}

#[test]
fn the_demo_keys_follow_their_rule() {
    let mut terminals = 0;
    for line in KEYS.lines().filter(|line| line.starts_with("terminal/")) {
        let [name, usage, algorithm, key] = line.split(',').collect::<Vec<_>>().try_into().unwrap();
        assert_eq!((usage, algorithm), ("kek", "tdes2"));
        let id = name.trim_start_matches("terminal/").trim_end_matches("/tmk");
        let digest = sha2::Sha256::digest(format!("tollgate demo TMK {id}"));
        let derived: String = digest[..16].iter().map(|byte| format!("{byte:02X}")).collect();
        let expected = if id == "10000001" { "0123456789ABCDEFFEDCBA9876543210" } else { &derived };
        assert_eq!(key, expected, "{id}");
        terminals += 1;
    }
    assert_eq!(terminals, 200);
    assert!(KEYS.starts_with("# TEST KEYS"));
}

#[test]
fn every_breach_of_every_file_is_reported_with_its_line() {
    let found = breaches(&sources(
        "merchant,name,colour\n898110054110001,A,red\nshort,B,blue\n898110054110001,C,green\n",
        "terminal,merchant,standing,most\n1,898110054110001,,\n10000001,898110054119999,,\n10000002,898110054110001,asleep,x\n10000003\n",
        "[[issuer]]\nname = \"bank-a\"\naddress = \"nowhere\"\nprofile = \"bank-a\"\ntimout_ms = 5\n\n[other]\n",
        "prefix,issuer\n62,bank-z\n",
    ));
    assert_eq!(
        found,
        [
            "merchants.csv:1: unknown column \"colour\"",
            "merchants.csv:3: merchant: is not 15 characters",
            "merchants.csv:4: merchant 898110054110001 is listed twice",
            "terminals.csv:2: terminal: is not 8 characters",
            "terminals.csv:3: merchant 898110054119999 is not listed",
            "terminals.csv:4: standing: is not active, suspended or terminated",
            "terminals.csv:4: most: is not an amount in minor units, or none",
            "terminals.csv:5: 1 values for 4 columns",
            "issuers.toml:7: unknown key \"other\"",
            "issuers.toml:5: unknown key \"timout_ms\"",
            "issuers.toml:3: address: is not host:port",
            "bins.csv:2: issuer: is not a listed issuer",
        ]
    );
}

#[test]
fn a_broken_toml_file_is_a_breach_and_not_a_panic() {
    let found = breaches(&sources("merchant,name\n", "terminal,merchant\n", "[[issuer]\nname = \n", "prefix,issuer\n"));
    assert!(found.iter().all(|breach| breach.starts_with("issuers.toml:")), "{found:?}");
    assert!(found.iter().any(|breach| breach.starts_with("issuers.toml:2:")), "{found:?}");
}

#[test]
fn a_terminal_inherits_what_its_row_leaves_out() {
    let merchants = "merchant,name,standing,most,daily_count,acquirer,currency\n\
        898110054110001,A,suspended,1000,7,12345678,840\n";
    let terminals = "terminal,merchant,most,daily_count,test_mode,master_key,standing\n\
        10000001,898110054110001,,,,,\n\
        10000002,898110054110001,2000,none,true,none,terminated\n\
        10000003,898110054110001,,,,shared/tmk,\n";
    let registry = Registry::load(&sources(merchants, terminals, ISSUERS, BINS)).unwrap();
    let [one, two, three] =
        ["10000001", "10000002", "10000003"].map(|id| registry.terminal(terminal(id)).unwrap().as_ref());
    assert_eq!((one.limits.most, one.limits.daily_count), (Amount::new(1000), Some(7)));
    assert_eq!((one.standing, one.merchant_standing), (Standing::Active, Standing::Suspended));
    assert_eq!((one.acquirer.as_str(), one.currency.digits()), ("12345678", *b"840"));
    assert_eq!((two.limits.most, two.limits.daily_count), (Amount::new(2000), None));
    assert!(two.test_mode && two.master_key.is_none() && two.standing == Standing::Terminated);
    assert_eq!(three.master_key.as_ref().unwrap().as_str(), "shared/tmk");
}

#[test]
fn many_terminals_load_from_one_csv() {
    let mut merchants = String::from("merchant,name\n");
    let mut terminals = String::from("terminal,merchant\n");
    for number in 0..20_000 {
        if number % 10 == 0 {
            merchants.push_str(&format!("89811005{number:07},Shop {number}\n"));
        }
        terminals.push_str(&format!("{:08},89811005{:07}\n", number, number / 10 * 10));
    }
    let registry = Registry::load(&sources(&merchants, &terminals, ISSUERS, BINS)).unwrap();
    assert_eq!(registry.terminals().count(), 20_000);
    let facts = registry.terminal(terminal("00019999")).unwrap();
    assert_eq!(facts.merchant, MerchantId::parse(b"898110050019990").unwrap());
    assert!(size_of_val(facts.as_ref()) < 256, "a terminal's row must stay well under 1 KiB");
}

#[test]
fn sessions_change_under_a_lock_that_does_not_escape() {
    let sessions = Sessions::default();
    let id = terminal("10000001");
    assert!(sessions.read(id, |facts| facts.signed_in).is_none());
    let facts = sessions.change(id, |facts| SessionFacts { signed_in: true, ..facts });
    assert_eq!((facts.signed_in, facts.version), (true, 1));
    assert_eq!(sessions.read(id, |facts| facts.signed_in), Some(true));
    assert_eq!(sessions.len(), 1);
    let other = terminal("10000002");
    sessions.refill([(other, SessionFacts { version: 7, ..SessionFacts::default() })]);
    assert_eq!(sessions.change(other, |facts| facts).version, 8);
}

#[test]
fn a_terminals_row_may_name_its_dukpt_device() {
    let merchants = "merchant,name\n898110054110001,A\n";
    let terminals = "terminal,merchant,ksn\n\
        10000001,898110054110001,FFFF9876543210E00000\n\
        10000002,898110054110001,123456789012345600000000\n\
        10000003,898110054110001,\n";
    let registry = Registry::load(&sources(merchants, terminals, ISSUERS, BINS)).unwrap();
    let device = |ksn: &[u8]| Ksn::read(ksn).unwrap().device();
    let tdes = device(b"FFFF9876543210E00ABC");
    assert_eq!(registry.terminal(terminal("10000001")).unwrap().device, Some(tdes));
    assert_eq!(registry.terminal_of(tdes), Some(terminal("10000001")));
    assert_eq!(registry.terminal_of(device(b"123456789012345600000001")), Some(terminal("10000002")));
    assert_eq!(registry.terminal_of(device(b"FFFF9876543211000001")), None);
    assert_eq!(registry.terminal(terminal("10000003")).unwrap().device, None);
    let terminals = "terminal,merchant,ksn\n\
        10000001,898110054110001,FFFF9876543210E00001\n\
        10000002,898110054110001,FFFF9876543210\n\
        10000003,898110054110001,FFFF9876543210E00000\n\
        10000004,898110054110001,FFFF9876543210E00000\n";
    assert_eq!(
        breaches(&sources(merchants, terminals, ISSUERS, BINS)),
        [
            "terminals.csv:2: ksn: is not a key serial number in 20 or 24 hex digits, its counter zero",
            "terminals.csv:3: ksn: is not a key serial number in 20 or 24 hex digits, its counter zero",
            "terminals.csv:5: ksn: another terminal has this device",
        ]
    );
}

/// A device's serial number as a terminal shows it.
fn shown(id: &str, named: Option<&str>, ksn: &str) -> Shown {
    let read = |digits: &str| Ksn::read(digits.as_bytes()).unwrap();
    let mark = SerialMark { ksn: read(ksn), content: [1; 32] };
    Shown { terminal: terminal(id), named: named.map(|named| read(named).device()), mark }
}

#[test]
fn a_serial_number_is_judged_and_raised_in_one_step() {
    const DEVICE: &str = "FFFF9876543210E00000";
    let sessions = Sessions::default();
    let show = |id, named, ksn| sessions.show(&shown(id, named, ksn), 10);
    let step = |id, named, ksn| show(id, named, ksn).map(|(step, raised)| (step, raised.map(|facts| facts.version)));
    assert_eq!(step("10000001", None, "FFFF9876543210E00001"), Ok((SerialStep::Bound, Some(1))));
    assert_eq!(step("10000001", None, "FFFF9876543210E00001"), Ok((SerialStep::Repeat, None)));
    assert_eq!(step("10000001", None, "FFFF9876543210E0000C"), Ok((SerialStep::On, Some(2))));
    assert_eq!(step("10000001", None, "FFFF9876543210E00018"), Ok((SerialStep::Jump(11), Some(3))));
    assert_eq!(step("10000001", None, "FFFF9876543210E00001"), Err(SerialFault::Back));
    assert_eq!(step("10000001", None, "FFFF9876543211000001"), Err(SerialFault::Device));
    assert_eq!(step("10000002", None, "FFFF9876543210E00019"), Err(SerialFault::Elsewhere));
    assert_eq!(sessions.read(terminal("10000002"), |facts| facts.serial), Some(None), "and nothing is bound");
    assert_eq!(step("10000002", Some(DEVICE), "FFFF9876543210E00019"), Ok((SerialStep::Bound, Some(1))));
    assert_eq!(step("10000002", Some(DEVICE), "FFFF9876543211000001"), Err(SerialFault::Device));
    let serial = sessions.read(terminal("10000001"), |facts| facts.serial).flatten().unwrap();
    assert_eq!(serial.ksn.counter(), Some(0x18));
    // After a restart the ledger's facts say whose devices are whose.
    let again = Sessions::default();
    let facts = SessionFacts { serial: Some(serial), version: 3, ..SessionFacts::default() };
    again.refill([(terminal("10000001"), facts)]);
    let elsewhere = again.show(&shown("10000003", None, "FFFF9876543210E00019"), 10);
    assert_eq!(elsewhere.map(|(step, _)| step), Err(SerialFault::Elsewhere));
    let on = again.show(&shown("10000001", None, "FFFF9876543210E00019"), 10);
    assert_eq!(on.map(|(step, raised)| (step, raised.map(|facts| facts.version))), Ok((SerialStep::On, Some(4))));
}

#[test]
fn a_foreign_card_names_the_organisation_by_which_terminals_know_it() {
    let bins = "prefix,issuer,foreign,organisation\n62,bank-a,,\n4,bank-b,,VIS\n5,bank-b,true,MCC\n";
    let registry = Registry::load(&sources(MERCHANTS, TERMINALS, ISSUERS, bins)).unwrap();
    let class = |pan: &str| registry.bins().class(&Pan::parse(pan.as_bytes()).unwrap());
    let told = |pan: &str| (class(pan).organisation.to_string(), class(pan).foreign);
    assert_eq!(told("6225000000000253"), ("CUP".to_owned(), false));
    assert_eq!(told("4111111111111111"), ("VIS".to_owned(), true));
    assert_eq!(told("5555555555554444"), ("MCC".to_owned(), true));
    let bins = "prefix,issuer,foreign,organisation\n62,bank-a,true,\n4,bank-b,false,VIS\n5,bank-b,,mc\n";
    let lines = breaches(&sources(MERCHANTS, TERMINALS, ISSUERS, bins));
    let by = "terminals go by organisation: CUP is domestic, every other one foreign";
    assert_eq!(
        lines,
        [
            format!("bins.csv:2: foreign: {by}"),
            format!("bins.csv:3: foreign: {by}"),
            "bins.csv:4: organisation: is not three capital letters".to_owned(),
        ]
    );
}
