//! The lists of the field: operators, what terminals fetch, when keys are due. What is wrong is said, all of it.

use proptest::prelude::*;
use std::fmt::Write;
use tollgate::model::Acquirer;
use tollgate::model::Currency;
use tollgate::model::DownloadSet;
use tollgate::model::Kind;
use tollgate::model::Limits;
use tollgate::model::MerchantId;
use tollgate::model::Operator;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::model::Versions;
use tollgate::registry::Breaches;
use tollgate::registry::Days;
use tollgate::registry::Defaults;
use tollgate::registry::Document;
use tollgate::registry::DownloadSources;
use tollgate::registry::Duty;
use tollgate::registry::FleetSources;
use tollgate::registry::RENEWAL;
use tollgate::registry::Registry;
use tollgate::registry::Renewal;
use tollgate::registry::Rules;
use tollgate::registry::Sessions;
use tollgate::registry::Source;
use tollgate::registry::Sources;

const MERCHANTS: &str = "merchant,name\n898110054110001,One\n898110054110002,Two\n";
const PARAMETERS: &str = include_str!("../../specs/demo/parameters.toml");
const CAPKS: &str = include_str!("../../specs/demo/capks.toml");
const APPLICATIONS: &str = include_str!("../../specs/demo/applications.toml");
const CONTACTLESS: &str = include_str!("../../specs/demo/contactless.toml");

fn load(operators: &str, downloads: DownloadSources<'_>) -> Result<Registry, Vec<String>> {
    let loaded = Registry::load(&Sources {
        defaults: Defaults {
            acquirer: Acquirer::parse(b"89811000").unwrap(),
            currency: Currency::CNY,
            offset_minutes: 480,
            days: Days::default(),
            limits: Limits::default(),
        },
        merchants: vec![Source { file: "merchants.csv", text: MERCHANTS }],
        terminals: vec![Source { file: "terminals.csv", text: "terminal,merchant\n10000001,898110054110001\n" }],
        fleet: FleetSources::default(),
        issuers: Vec::new(),
        bins: Vec::new(),
        operators: vec![Source { file: "operators.csv", text: operators }],
        downloads,
        rules: Rules { supervisor_for: vec![Kind::Refund], ..Rules::default() },
        profile_known: &|_| true,
    });
    loaded.map_err(|breaches| breaches.iter().map(ToString::to_string).collect())
}

const NOBODY: &str = "merchant,operator,role\n";

fn parameters(text: &str) -> Result<Registry, Vec<String>> {
    let parameters = Some(Source { file: "p.toml", text });
    load(NOBODY, DownloadSources { parameters, ..DownloadSources::default() })
}

fn capks(text: &str) -> Result<Registry, Vec<String>> {
    load(NOBODY, DownloadSources { capks: Some(Source { file: "c.toml", text }), ..DownloadSources::default() })
}

fn applications(text: &str) -> Result<Registry, Vec<String>> {
    let applications = Some(Source { file: "a.toml", text });
    load(NOBODY, DownloadSources { applications, ..DownloadSources::default() })
}

fn contactless(text: &str) -> Result<Registry, Vec<String>> {
    let contactless = Some(Source { file: "n.toml", text });
    load(NOBODY, DownloadSources { contactless, ..DownloadSources::default() })
}

fn merchant(id: &str) -> MerchantId {
    MerchantId::parse(id.as_bytes()).unwrap()
}

#[test]
fn the_demo_lists_are_read() {
    let registry = load(
        include_str!("../../specs/demo/operators.csv"),
        DownloadSources {
            parameters: Some(Source { file: "p.toml", text: PARAMETERS }),
            capks: Some(Source { file: "c.toml", text: CAPKS }),
            applications: Some(Source { file: "a.toml", text: APPLICATIONS }),
            contactless: Some(Source { file: "n.toml", text: CONTACTLESS }),
        },
    )
    .unwrap();
    assert_eq!(registry.downloads().versions(), Versions([1; 4]));
    let count = |set| registry.downloads().catalogue(set).unwrap().entries().len();
    assert_eq!(
        (count(DownloadSet::Capks), count(DownloadSet::Applications), count(DownloadSet::Contactless)),
        (2, 2, 2)
    );
    assert!(registry.operators().needs_supervisor(Kind::Refund) && !registry.operators().needs_supervisor(Kind::Sale));
}

#[test]
fn a_merchant_that_lists_its_operators_knows_no_others() {
    let rows = format!("{NOBODY}898110054110001,01,operator\n898110054110001,boS,supervisor\n");
    let registry = load(&rows, DownloadSources::default()).unwrap();
    let duty = |shop, operator: &str| registry.operators().duty(&merchant(shop), Operator::parse(operator.as_bytes()));
    assert_eq!(duty("898110054110001", "01"), Some(Duty::Operator));
    assert_eq!(duty("898110054110001", "boS"), Some(Duty::Supervisor));
    assert_eq!((duty("898110054110001", "00"), duty("898110054110001", "")), (None, None));
    assert_eq!(duty("898110054110002", "00"), Some(Duty::Supervisor));
    assert_eq!(
        (duty("898110054110002", "98"), duty("898110054110002", "")),
        (Some(Duty::Operator), Some(Duty::Operator))
    );
}

#[test]
fn what_is_wrong_with_operators_is_said_with_its_line() {
    let rows = "merchant,operator,role,pin\n898110054110001,01,operator,1\n898110054110001,01,supervisor,1\n\
        898110054110009,02,operator,1\nshop,0003,boss,1\n";
    assert_eq!(
        load(rows, DownloadSources::default()).unwrap_err(),
        [
            "operators.csv:1: unknown column \"pin\"",
            "operators.csv:3: operator 01 of 898110054110001 is listed twice",
            "operators.csv:4: merchant 898110054110009 is not listed",
            "operators.csv:5: merchant: is not 15 characters",
            "operators.csv:5: operator: is not 1 to 3 letters and digits",
            "operators.csv:5: role: is not operator or supervisor",
        ]
    );
}

#[test]
fn what_is_wrong_with_parameters_is_said_with_its_line() {
    let text = "version = 0\n[parameters]\ntimeout_s = 100\nretries = -1\ntelephone_1 = \"+86 10 5555\"\ntips = \"yes\"\n\
        functions = \"FF\"\nmerchant_name = \"Shop\"\ncolour = 1\n[more]\n";
    assert_eq!(
        parameters(text).unwrap_err(),
        [
            "p.toml:10: unknown key \"more\"",
            "p.toml:1: version: is not a whole number from 1",
            "p.toml:9: unknown key \"colour\"",
            "p.toml:3: timeout_s: is not a number of up to 2 digits",
            "p.toml:4: retries: is not a number of up to 1 digits",
            "p.toml:5: telephone_1: is not up to 14 digits, blanks and hyphens",
            "p.toml:6: tips: is not true or false",
            "p.toml:8: merchant_name: is not true or false",
            "p.toml:7: functions: is not 4 bytes in hex",
        ]
    );
    assert_eq!(parameters("[parameters]\n").unwrap_err(), ["p.toml:1: version: is missing"]);
    assert!(parameters("version = 1").is_ok(), "nothing is sent, and that is a version too");
    assert!(!parameters("version = \n").unwrap_err().is_empty());
}

#[test]
fn what_is_wrong_with_a_public_key_is_said() {
    let one = |from: &str, to: &str| capks(&CAPKS.replacen(from, to, 1)).err().unwrap_or_default();
    let said = |from: &str, to: &str| one(from, to).first().map(|first| first.split_once(": ").unwrap().1.to_owned());
    assert_eq!(said("", ""), None);
    assert_eq!(said("rid = \"A0", "rid = \"").as_deref(), Some("rid: is not 5 bytes in hex"));
    assert_eq!(said("\"F0\"", "\"F\"").as_deref(), Some("index: is not 1 byte in hex"));
    assert_eq!(said("2035-12-31", "2035-02-29").as_deref(), Some("expires: is not a date such as 2030-12-31"));
    assert_eq!(said("2035-12-31", "20351231").as_deref(), Some("expires: is not a date such as 2030-12-31"));
    assert_eq!(said("exponent = \"03\"", "exponent = \"05\"").as_deref(), Some("exponent: is not 03 or 010001"));
    let form = "modulus: is not an odd number of 64 to 248 bytes in hex, its top bit set";
    assert_eq!(said("modulus = \"E1", "modulus = \"61").as_deref(), Some(form));
    assert_eq!(said("22D1\"", "22D0\"").as_deref(), Some(form));
    assert_eq!(said("22D1\"", "22D3\"").as_deref(), Some("check: is not that of this key"), "a digit was mistyped");
    assert_eq!(said("\"F1\"", "\"F0\"").as_deref(), Some("check: is not that of this key"), "the index is part of it");
    let twice = format!("{CAPKS}{}", CAPKS.split_once("version = 1\n").unwrap().1);
    let told = capks(&twice).unwrap_err();
    assert_eq!((told.len(), told[0].ends_with("is listed twice")), (2, true), "{told:?}");
}

#[test]
fn what_is_wrong_with_applications_is_said() {
    let told =
        applications(&APPLICATIONS.replacen("floor_limit = \"00000000\"", "floor = \"00000000\"", 1)).unwrap_err();
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("unknown key \"floor\"") && told[1].contains("floor_limit: is missing"), "{told:?}");
    let told = applications(&APPLICATIONS.replace("\"A000000333010102\"", "\"A000\"")).unwrap_err();
    assert!(told[0].ends_with("aid: is not 5 to 16 bytes in hex"), "{told:?}");
    let told = applications(&APPLICATIONS.replace("A000000333010102", "A000000333010101")).unwrap_err();
    assert!(told[0].ends_with("is listed twice"), "{told:?}");
    let long = format!("\"{}\"", "AA".repeat(252));
    assert!(applications(&APPLICATIONS.replacen("\"9F3704\"", &long, 1)).is_ok(), "the longest fits into a block");
    let mut many = "version = 1\n".to_owned();
    for number in 0..100 {
        let row = APPLICATIONS.rsplit("[[aid]]").next().unwrap().replace("A000000333010102", &format!("{number:010X}"));
        write!(many, "[[aid]]{row}").unwrap();
    }
    assert_eq!(applications(&many).unwrap_err(), ["a.toml:1: has more than 99 rows"]);
}

#[test]
fn what_is_wrong_with_contactless_parameters_is_said() {
    let told = contactless(&CONTACTLESS.replace("FF8058", "9F02")).unwrap_err();
    assert!(told[0].ends_with("tag: is not FF803A, FF803C, FF8054 to FF805A or FF805D"), "{told:?}");
    let told = contactless(&CONTACTLESS.replace("\"01\"", "\"\"")).unwrap_err();
    assert!(told[0].ends_with("value: is not 1 to 240 bytes in hex"), "{told:?}");
    assert!(contactless(&CONTACTLESS.replace("\"01\"", &format!("\"{}\"", "00".repeat(240)))).is_ok());
}

#[test]
fn the_first_list_of_another_version_is_wanted() {
    let both = DownloadSources {
        capks: Some(Source { file: "c.toml", text: CAPKS }),
        contactless: Some(Source { file: "n.toml", text: CONTACTLESS }),
        ..DownloadSources::default()
    };
    let registry = load(NOBODY, both).unwrap();
    let wanted = |versions| registry.downloads().wanted(&Versions(versions));
    assert_eq!(wanted([0, 0, 0, 0]), Some(DownloadSet::Capks));
    assert_eq!(wanted([9, 1, 9, 0]), Some(DownloadSet::Contactless), "lists that there are not are not wanted");
    assert_eq!(wanted([0, 1, 0, 1]), None);
    assert_eq!(wanted([0, 2, 0, 1]), Some(DownloadSet::Capks), "a newer one than ours is another one");
}

#[test]
fn an_end_counts_for_the_version_that_the_download_began_with() {
    let (sessions, id) = (Sessions::default(), TerminalId::parse(b"10000001").unwrap());
    assert_eq!(sessions.end_download(id, DownloadSet::Capks), None);
    sessions.begin_download(id, DownloadSet::Capks, 1, true);
    sessions.begin_download(id, DownloadSet::Capks, 2, false);
    assert_eq!(sessions.end_download(id, DownloadSet::Applications), None);
    assert_eq!(sessions.end_download(id, DownloadSet::Capks), Some(1));
    assert_eq!(sessions.end_download(id, DownloadSet::Capks), None);
    sessions.begin_download(id, DownloadSet::Capks, 1, false);
    sessions.begin_download(id, DownloadSet::Capks, 2, true);
    assert_eq!(sessions.end_download(id, DownloadSet::Capks), Some(2));
}

fn renewal(text: &str) -> Result<Renewal, Vec<String>> {
    let mut breaches = Breaches::default();
    let document = Document::parse(Source { file: "s.toml", text }, &mut breaches);
    let renewal = Renewal::read(&document.table("keys", RENEWAL, &mut breaches), &mut breaches);
    breaches.or(renewal).map_err(|found| found.iter().map(ToString::to_string).collect())
}

#[test]
fn keys_are_due_by_age_or_from_an_instant_on() {
    let registry = load(NOBODY, DownloadSources::default()).unwrap();
    let facts = registry.terminal(TerminalId::parse(b"10000001").unwrap()).unwrap();
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let now = at("2026-11-22T12:00:00Z");
    let rule = renewal("[keys]\nmax_age_h = 24\nrefuse_age_h = 48\n").unwrap();
    let asks = |rule: &Renewal, issued: &str| rule.asks(facts, Some(at(issued)), now);
    assert!(!asks(&rule, "2026-11-21T12:00:00Z") && asks(&rule, "2026-11-21T11:59:59.999999Z"));
    assert!(
        !rule.refuses(Some(at("2026-11-20T12:00:00Z")), now) && rule.refuses(Some(at("2026-11-20T11:59:59Z")), now)
    );
    assert!(rule.asks(facts, None, now) && rule.refuses(None, now), "nobody knows how old they are");
    let rule = renewal("[keys]\nsign_in_after = \"2026-11-22T19:00:00+08:00\"\n").unwrap();
    assert!(asks(&rule, "2026-11-22T10:59:59Z") && !asks(&rule, "2026-11-22T11:00:00Z"));
    assert!(!rule.refuses(None, now));
    let rule = renewal("[keys]\nsign_in_after = \"2026-11-22T21:00:00+08:00\"\n").unwrap();
    assert!(!asks(&rule, "2026-11-21T00:00:00Z"), "not yet");
    let never = renewal("").unwrap();
    assert!(!never.asks(facts, None, now) && !never.refuses(None, now));
}

#[test]
fn what_is_wrong_with_key_ages_is_said() {
    assert_eq!(
        renewal("[keys]\nmax_age_h = 0\nsign_in_after = \"tomorrow\"\nage = 1\n").unwrap_err(),
        [
            "s.toml:4: unknown key \"age\"",
            "s.toml:2: max_age_h: is not a whole number from 1 to 87600",
            "s.toml:3: sign_in_after: is not a time such as 2026-11-22T03:00:00+08:00",
        ]
    );
    assert_eq!(
        renewal("[keys]\nmax_age_h = 24\nrefuse_age_h = 24\n").unwrap_err(),
        ["s.toml:3: refuse_age_h: is not above max_age_h"]
    );
}

proptest! {
    /// Whatever stands in a file, loading it ends, with a registry or with breaches.
    #[test]
    fn no_text_stops_the_loader(text in "(version = 1\n)?(\\[\\[?(capk|aid|contactless|parameters)\\]?\\]\n)?\\PC{0,60}") {
        for load in [parameters, capks, applications, contactless] {
            if let Err(breaches) = load(&text) {
                prop_assert!(!breaches.is_empty());
            }
        }
    }
}
