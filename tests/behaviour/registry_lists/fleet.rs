//! Templates, groups, devices.

use super::{Texts, facts};
use tollgate::model::Amount;
use tollgate::model::BusinessDate;
use tollgate::model::Firmware;
use tollgate::model::Region;
use tollgate::model::TerminalClass;

const TEMPLATES: &str = "template,inherits,merchant,group,class,region,most,master_key\n\
    base,,898110054110001,kiosks,fixed,,500,none\n\
    tall,base,,,mobile,2900,,\n";
const GROUPS: &str = "group,most,daily_count,class\nkiosks,900,7,unattended\n";

#[test]
fn a_row_comes_before_its_template_that_before_those_behind_it_and_these_before_the_group() {
    let terminals = "terminal,merchant,template,group,most,region,class\n\
        10000001,,tall,,,,\n10000002,,base,,100,1100,wireless\n10000003,898110054110001,,kiosks,,,\n";
    let registry = Texts { terminals, templates: TEMPLATES, groups: GROUPS, ..Texts::default() }.loaded();
    let seen = |id: &str| {
        let facts = facts(&registry, id);
        (facts.site.class, facts.site.region, facts.limits.most.map(Amount::minor), facts.limits.daily_count)
    };
    use TerminalClass::{Mobile, Unattended, Wireless};
    assert_eq!(seen("10000001"), (Some(Mobile), Region::new(2900), Some(500), Some(7)));
    assert_eq!(seen("10000002"), (Some(Wireless), Region::new(1100), Some(100), Some(7)));
    assert_eq!(seen("10000003"), (Some(Unattended), Region::new(1100), Some(900), Some(7)));
    assert_eq!(facts(&registry, "10000001").master_key, None);
    let papers = facts(&registry, "10000001").site.papers.as_deref().unwrap();
    assert_eq!((papers.template.as_deref(), papers.group.as_deref()), (Some("tall"), Some("kiosks")));
}

#[test]
fn templates_that_go_round_or_hang_in_the_air_are_refused() {
    let templates = "template,inherits,group,merchant\n\
        a,b,,\nb,c,,\nc,a,,\nd,nobody,,\ne,e,,\nf,,nowhere,\ng,,,898110054110009\ng,,,\n";
    assert_eq!(
        Texts { templates, ..Texts::default() }.breaches(),
        [
            "tp.csv:2: inherits: goes round in a circle",
            "tp.csv:3: inherits: goes round in a circle",
            "tp.csv:4: inherits: goes round in a circle",
            "tp.csv:5: inherits: template nobody is not listed",
            "tp.csv:6: inherits: goes round in a circle",
            "tp.csv:7: group nowhere is not listed",
            "tp.csv:8: merchant 898110054110009 is not listed",
            "tp.csv:9: template g is listed twice",
        ]
    );
    let chain = |links: usize| {
        let rows = (0..=links).map(|link| match link {
            0 => "t0,\n".to_owned(),
            link => format!("t{link},t{}\n", link - 1),
        });
        let text = format!("template,inherits\n{}", rows.collect::<String>());
        Texts { templates: &text, ..Texts::default() }.breaches()
    };
    assert_eq!(chain(15), Vec::<String>::new());
    assert_eq!(chain(17), ["tp.csv:19: inherits: more than 16 templates behind one another"]);
}

#[test]
fn a_template_says_nothing_that_only_one_terminal_can_be() {
    let templates = "template,device,ksn,certificate,terminal\n";
    let breaches = Texts { templates, ..Texts::default() }.breaches();
    let columns = ["device", "ksn", "certificate", "terminal"];
    assert_eq!(breaches, columns.map(|column| format!("tp.csv:1: unknown column {column:?}")));
}

#[test]
fn what_a_row_inherits_is_looked_at_whatever_else_is_wrong_with_it() {
    let templates = "template,inherits,class\n\
        a b,nobody,\n,nobody,\nc,nobody,round\nd,,\nd,nobody,\nx,y,\ny,z,\nz,y,\n";
    let missing = "inherits: template nobody is not listed";
    let round = "inherits: goes round in a circle";
    assert_eq!(
        Texts { templates, ..Texts::default() }.breaches(),
        [
            "tp.csv:2: template: is not 1 to 32 letters, digits, hyphens or underscores".to_owned(),
            format!("tp.csv:2: {missing}"),
            "tp.csv:3: template: is missing".to_owned(),
            format!("tp.csv:3: {missing}"),
            "tp.csv:4: class: is not fixed, mobile, wireless or unattended".to_owned(),
            format!("tp.csv:4: {missing}"),
            "tp.csv:6: template d is listed twice".to_owned(),
            format!("tp.csv:6: {missing}"),
            format!("tp.csv:7: {round}"),
            format!("tp.csv:8: {round}"),
            format!("tp.csv:9: {round}"),
        ]
    );
}

#[test]
fn limits_that_contradict_each_other_are_told_where_they_stand_and_once() {
    let groups = "group,least,most\nnarrow,9,5\nwide,,\n";
    let templates = "template,inherits,group,least,most\nbase,,,,5\nabove,base,,9,\nown,,,7,6\n";
    let terminals = "terminal,merchant,template,group,least\n\
        10000001,898110054110001,,narrow,\n10000002,898110054110001,,narrow,\n\
        10000003,898110054110001,own,,\n10000004,898110054110001,base,,6\n";
    let above = "least: is above most";
    let unused = [format!("g.csv:2: {above}"), format!("tp.csv:3: {above}"), format!("tp.csv:4: {above}")];
    assert_eq!(Texts { groups, templates, ..Texts::default() }.breaches(), unused);
    let used = [&unused[..], &[format!("t.csv:5: {above}")]].concat();
    assert_eq!(Texts { groups, templates, terminals, ..Texts::default() }.breaches(), used);
}

const DEVICES: &str = "serial,check,model,maker,firmware,certification,certified_until,custodian,terminal\n\
    79927398713,luhn,T-1,Maker,2.1.7,4-1,2031-04-30,Wu,10000001\n\
    A-2,,T-1,Maker,,,,,\n";

#[test]
fn a_terminals_device_stands_in_its_row_or_in_the_devices() {
    let terminals = "terminal,merchant,device\n10000001,898110054110001,\n10000002,898110054110001,A-2\n";
    let registry = Texts { terminals, devices: DEVICES, ..Texts::default() }.loaded();
    let one = facts(&registry, "10000001").site.hardware.as_deref().unwrap();
    assert_eq!((&*one.serial, one.firmware), ("79927398713", Firmware::parse("2.1.7")));
    assert_eq!(one.certified_until, BusinessDate::parse("2031-04-30"));
    assert_eq!((one.custodian.as_deref(), one.maker.as_deref()), (Some("Wu"), Some("Maker")));
    let two = facts(&registry, "10000002").site.hardware.as_ref().unwrap();
    assert!(std::sync::Arc::ptr_eq(two, registry.hardware("A-2").unwrap()));
    assert_eq!((registry.all_hardware().count(), registry.hardware("A-3")), (2, None));
}

#[test]
fn a_device_is_at_one_terminal_and_a_terminal_is_one_device() {
    let row = |device: &str| format!("terminal,merchant,device\n10000001,898110054110001,{device}\n");
    let breaches = |terminals: &str, devices: &str| Texts { terminals, devices, ..Texts::default() }.breaches();
    assert_eq!(breaches(&row("79927398713"), DEVICES), Vec::<String>::new(), "both say the same");
    assert_eq!(breaches(&row("A-2"), DEVICES), ["d.csv:2: terminal 10000001 has device A-2"]);
    let both = format!("{}10000002,898110054110001,A-2\n10000003,898110054110001,A-2\n", row(""));
    assert_eq!(breaches(&both, DEVICES), ["t.csv:4: device A-2 is at terminal 10000002 already"]);
    let other = format!("{}10000002,898110054110001,79927398713\n", row(""));
    assert_eq!(breaches(&other, DEVICES), ["d.csv:2: device 79927398713 is at terminal 10000002 already"]);
    assert_eq!(breaches("", DEVICES), ["d.csv:2: terminal 10000001 is not listed"]);
}

#[test]
fn what_a_devices_column_cannot_say_is_refused_with_its_line() {
    let cases = [
        ("79927398710,luhn,,,,", "serial: its check digit is wrong"),
        ("A-1,luhn,,,,", "serial: its check digit is wrong"),
        ("A-1,mod97,,,,", "check: is not luhn or none"),
        ("A-1,none,1.2.3.4,,,", "firmware: is not up to three numbers as 2.1.7"),
        ("A-1,,,2026-02-30,,", "certified_until: is not a date as 2026-11-22"),
        ("A-1,,,,1,", "terminal: is not 8 characters"),
        (",,,,,", "serial: is missing"),
    ];
    for (row, what) in cases {
        let devices = format!("serial,check,firmware,certified_until,terminal,model\n{row}\n");
        assert_eq!(Texts { devices: &devices, ..Texts::default() }.breaches(), [format!("d.csv:2: {what}")], "{row}");
    }
    let devices = "serial\nA-1\nA-1\n";
    assert_eq!(Texts { devices, ..Texts::default() }.breaches(), ["d.csv:3: device A-1 is listed twice"]);
}
