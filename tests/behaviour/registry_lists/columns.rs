//! Each column of merchants and terminals: what it means, and what it may not say.

use super::{Texts, facts, terminal};
use std::net::IpAddr;
use tollgate::model::Capabilities;
use tollgate::model::EntryMethod;
use tollgate::model::MerchantId;
use tollgate::model::NetworkPolicy;
use tollgate::model::Region;
use tollgate::model::Standing;
use tollgate::model::TerminalClass;
use tollgate::registry::MerchantState;

#[test]
fn a_terminal_says_what_it_is_and_where_in_csv_and_in_toml() {
    let csv = "terminal,merchant,class,capabilities,region,address,network,custodian\n\
        10000001,898110054110001,mobile,stripe+chip+pin,2900,Pier 4,10.0.0.0/8+192.0.2.1,Li\n";
    let toml = "[[terminal]]\nterminal = \"10000001\"\nmerchant = \"898110054110001\"\nclass = \"mobile\"\n\
        capabilities = [\"stripe\", \"chip\", \"pin\"]\nregion = \"2900\"\naddress = \"Pier 4\"\n\
        network = [\"10.0.0.0/8\", \"192.0.2.1\"]\ncustodian = \"Li\"\n";
    let both = [csv, toml].map(|terminals| Texts { terminals, ..Texts::default() }.loaded());
    let [one, other] = both.each_ref().map(|registry| facts(registry, "10000001"));
    assert_eq!(one, other);
    let site = &one.site;
    assert_eq!((site.class, site.region), (Some(TerminalClass::Mobile), Region::new(2900)));
    let can = site.capabilities.unwrap();
    assert!(can.has(Capabilities::CHIP) && can.reads(EntryMethod::Fallback) && !can.reads(EntryMethod::Tap));
    let NetworkPolicy::Among(networks) = &site.network else { panic!("{:?}", site.network) };
    let inside = |peer: &str| networks.iter().any(|network| network.contains(peer.parse::<IpAddr>().unwrap()));
    assert!(inside("10.7.7.7") && inside("192.0.2.1") && !inside("192.0.2.2"));
    let papers = site.papers.as_deref().unwrap();
    assert_eq!((papers.address.as_deref(), papers.custodian.as_deref()), (Some("Pier 4"), Some("Li")));
    assert_eq!((site.shop.mcc.unwrap().value(), &*site.shop.name, site.shop.region), (5411, "A", Region::new(1100)));
}

#[test]
fn old_lists_mean_what_they_meant() {
    let registry = Texts { terminals: "terminal,merchant\n10000001,898110054110001\n", ..Texts::default() }.loaded();
    let site = &facts(&registry, "10000001").site;
    assert_eq!((site.class, site.capabilities, &site.network), (None, None, &NetworkPolicy::Any));
    assert_eq!((&site.papers, &site.hardware, site.region), (&None, &None, Region::new(1100)), "its shop's region");
    assert_eq!(registry.at(), None);
}

#[test]
fn terminals_of_one_shop_share_what_is_the_shops() {
    let terminals = "terminal,merchant\n10000001,898110054110001\n10000002,898110054110001\n";
    let registry = Texts { terminals, ..Texts::default() }.loaded();
    let [one, other] = ["10000001", "10000002"].map(|id| facts(&registry, id));
    assert!(std::sync::Arc::ptr_eq(&one.site.shop, &other.site.shop));
}

#[test]
fn what_a_terminals_column_cannot_say_is_refused_with_its_line() {
    let row = |more: &str| format!("10000001,898110054110001,{more}\n");
    let cases = [
        ("class", "round", "class: is not fixed, mobile, wireless or unattended"),
        ("capabilities", "stripe+nose", "capabilities: is not some of stripe, chip, tap, manual, code and pin"),
        ("region", "11", "region: is not 4 digits"),
        ("network", "home", "network: is not any, pin, learn, warn, or up to 16 networks such as 10.0.0.0/8"),
        ("network", "10.0.0.0/33", "network: is not any, pin, learn, warn, or up to 16 networks such as 10.0.0.0/8"),
        ("device", "A B", "device: is not 1 to 32 letters, digits, hyphens or slashes"),
        ("device", "A-1", "device A-1 is not listed"),
        ("template", "t", "template t is not listed"),
        ("group", "g", "group g is not listed"),
        ("from", "tomorrow", "from: is not a time such as 2026-11-22T03:00:00+08:00"),
        ("address", "\"a\u{1b}[2Jb\"", "address: is not 1 to 128 characters, none of which steers a screen"),
    ];
    for (column, value, what) in cases {
        let text = format!("terminal,merchant,{column}\n{}", row(value));
        let breaches = Texts { terminals: &text, ..Texts::default() }.breaches();
        assert_eq!(breaches, [format!("t.csv:2: {what}")], "{column}={value}");
    }
}

fn merchant(more: (&str, &str)) -> Texts<'static> {
    let text = format!("merchant,name,mcc,region{}\n898110054110001,A,5411,1100{}\n", more.0, more.1);
    Texts { merchants: Box::leak(text.into_boxed_str()), ..Texts::default() }
}

#[test]
fn a_merchants_number_may_be_held_against_its_region_and_category() {
    assert!(merchant((",numbered", ",true")).read().is_ok());
    let texts = |row: &str| {
        let text = format!("merchant,name,mcc,region,numbered\n{row}\n");
        Texts { merchants: Box::leak(text.into_boxed_str()), ..Texts::default() }.breaches()
    };
    assert_eq!(
        texts("898290054110001,A,5812,1100,true"),
        [
            "m.csv:2: region: the merchant's number says 2900 in places 4 to 7",
            "m.csv:2: mcc: the merchant's number says 5411 in places 8 to 11",
        ]
    );
    assert_eq!(texts("898290054110001,A,5812,1100,false"), Vec::<String>::new(), "nobody said that it is numbered so");
    assert_eq!(texts("ABC290054110001,A,5411,2900,true"), ["m.csv:2: merchant: a numbered one has 15 digits"]);
}

#[test]
fn an_account_with_wrong_check_digits_is_refused() {
    let breaches = |account: &str| merchant((",account", &format!(",{account}"))).breaches();
    assert_eq!(breaches("GB29NWBK60161331926819"), Vec::<String>::new());
    assert_eq!(breaches("6222020200012345678"), Vec::<String>::new());
    assert_eq!(breaches("GB92NWBK60161331926819"), ["m.csv:2: account: the check digits of this IBAN are wrong"]);
}

#[test]
fn the_state_says_whether_a_merchant_trades_and_may_not_contradict_the_older_word() {
    let id = MerchantId::parse(b"898110054110001").unwrap();
    let of = |columns: &str, values: &str| {
        let registry = merchant((columns, values)).loaded();
        let merchant = registry.merchant(id).unwrap();
        (merchant.state, merchant.standing)
    };
    assert_eq!(of(",state", ",reviewing"), (MerchantState::Reviewing, Standing::Suspended));
    assert_eq!(of(",state", ",closed"), (MerchantState::Closed, Standing::Terminated));
    assert_eq!(of(",standing", ",terminated"), (MerchantState::Closed, Standing::Terminated));
    assert_eq!(of(",state,standing", ",applied,suspended"), (MerchantState::Applied, Standing::Suspended));
    assert_eq!(of("", ""), (MerchantState::Active, Standing::Active));
    assert_eq!(
        merchant((",state,standing", ",closed,active")).breaches(),
        ["m.csv:2: standing: active contradicts the state closed"]
    );
    assert_eq!(
        merchant((",state", ",dead")).breaches(),
        ["m.csv:2: state: is not applied, reviewing, active, suspended or closed"]
    );
}

#[test]
fn where_regions_are_listed_no_other_is_known() {
    let regions = "region,name\n1100,北京\n2900,上海\n";
    let terminals = "terminal,merchant,region\n10000001,898110054110001,2900\n10000002,898110054110001,3300\n";
    let texts = Texts { regions, terminals, ..Texts::default() };
    assert_eq!(texts.breaches(), ["t.csv:3: region 3300 is not listed"]);
    let registry = Texts { terminals: "", ..texts }.loaded();
    assert_eq!(
        (registry.region(Region::new(2900).unwrap()), registry.terminal(terminal("10000001"))),
        (Some("上海"), None)
    );
    let twice = "region,name\n1100,A\n1100,B\n";
    assert_eq!(Texts { regions: twice, ..Texts::default() }.breaches(), ["r.csv:3: region 1100 is listed twice"]);
}

#[test]
fn no_name_steers_a_screen_whoever_shows_it() {
    let merchants = "merchant,name,name_en\n898110054110001,a\u{1b}[2Jb,c\u{7}d\n";
    let breaches = Texts { merchants, ..Texts::default() }.breaches();
    let regions = "region,name\n1100,a\u{9b}b\n";
    let all = [breaches, Texts { regions, ..Texts::default() }.breaches()].concat();
    for column in ["name", "name_en"] {
        let told = format!("{column}: is not 1 to 128 characters, none of which steers a screen");
        assert!(all.iter().any(|breach| breach.ends_with(&told)), "{column}: {all:?}");
    }
    assert!(all.iter().any(|breach| breach.starts_with("r.csv:2: name: is not 1 to 128")), "{all:?}");
    assert!(!all.concat().contains(char::is_control), "{all:?}");
    let cited = tollgate::model::Breach::new("a.csv", 2, "terminal \u{1b}[2J is not listed").to_string();
    assert_eq!(cited, "a.csv:2: terminal \\u{1b}[2J is not listed");
}
