//! Every breach has the line on which its fault stands, however the file is written.

use super::Texts;

#[test]
fn lines_are_counted_over_comments_blank_lines_and_other_line_ends() {
    let row = "10000001,898110054110001,round\n";
    let other = row.replace("10000001", "10000002");
    let commented = format!("# a list\n\nterminal,merchant,class\n# one\n# two\n\n{row}\n# three\n{other}");
    let class = "class: is not fixed, mobile, wireless or unattended";
    let breaches = |terminals: &str| Texts { terminals, ..Texts::default() }.breaches();
    assert_eq!(breaches(&commented), [format!("t.csv:7: {class}"), format!("t.csv:10: {class}")]);
    assert_eq!(breaches(&commented.replace('\n', "\r\n")), breaches(&commented), "as other systems end lines");
    assert_eq!(
        breaches("# a\n\n# b\nterminal,colour\n10000001\n"),
        ["t.csv:4: unknown column \"colour\"", "t.csv:5: 1 values for 2 columns",]
    );
}

#[test]
fn a_breach_of_a_toml_row_has_the_line_of_its_key() {
    let templates = "[[template]]\ntemplate = \"a\"\ncapabilities = [\"nose\"]\nnetwork = \"home\"\nregion = \"9999\"\n\
        group = \"nowhere\"\nmerchant = \"898110054110009\"\ninherits = \"nobody\"\n\
        [[template]]\n# twice\ntemplate = \"a\"\nleast = \"9\"\nmost = 5\n";
    let regions = "region,name\n1100,Beijing\n";
    assert_eq!(
        Texts { templates, regions, ..Texts::default() }.breaches(),
        [
            "tp.toml:3: capabilities: is not some of stripe, chip, tap, manual, code and pin",
            "tp.toml:4: network: is not any, pin, learn, warn, or up to 16 networks such as 10.0.0.0/8",
            "tp.toml:5: region 9999 is not listed",
            "tp.toml:6: group nowhere is not listed",
            "tp.toml:7: merchant 898110054110009 is not listed",
            "tp.toml:8: inherits: template nobody is not listed",
            "tp.toml:11: template a is listed twice",
            "tp.toml:12: least: is above most",
        ]
    );
    let merchants = "[[merchant]]\nmerchant = \"898110054110001\"\nname = \"A\"\nnumbered = true\nstate = \"active\"\n\
        standing = \"suspended\"\nregion = \"2900\"\nmcc = \"5812\"\n[[merchant]]\nname = \"B\"\nmerchant = \"898110054110001\"\n";
    assert_eq!(
        Texts { merchants, ..Texts::default() }.breaches(),
        [
            "m.toml:6: standing: suspended contradicts the state active",
            "m.toml:7: region: the merchant's number says 1100 in places 4 to 7",
            "m.toml:8: mcc: the merchant's number says 5411 in places 8 to 11",
            "m.toml:11: merchant 898110054110001 is listed twice",
        ]
    );
    let devices =
        "[[device]]\ncheck = \"luhn\"\nserial = \"7700100015\"\n[[device]]\nserial = \"B\"\nterminal = \"99999999\"\n";
    let terminals = "[[terminal]]\nterminal = \"10000001\"\nmerchant = \"898110054110009\"\ntemplate = \"none\"\n\
        device = \"C\"\n[[terminal]]\nmerchant = \"898110054110001\"\nterminal = \"10000002\"\ndevice = \"B\"\n\
        [[terminal]]\nmerchant = \"898110054110001\"\nterminal = \"10000003\"\ndevice = \"B\"\n";
    assert_eq!(
        Texts { devices, terminals, ..Texts::default() }.breaches(),
        [
            "d.toml:3: serial: its check digit is wrong",
            "t.toml:5: device C is not listed",
            "t.toml:4: template none is not listed",
            "t.toml:3: merchant 898110054110009 is not listed",
            "t.toml:13: device B is at terminal 10000002 already",
            "d.toml:6: terminal 99999999 is not listed",
        ]
    );
}
