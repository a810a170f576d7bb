//! The station's file: what it may say, and that everything wrong with it is said at once.

use std::path::Path;
use std::time::Duration;
use tollgate::registry::Source;
use tollgate::server::config::ClientCertificates;
use tollgate::server::config::Config;
use tollgate::server::config::HsmKind;
use tollgate::server::config::HsmSetup;
use tollgate::server::config::MasterPlace;
use tollgate::server::config::Network;
use tollgate::server::config::PinPlace;
use tollgate::server::config::StationProfile;
use tollgate::server::config::load;
use tollgate::server::config::parse;

fn known(profile: &str) -> bool {
    ["pos", "host", "bank-a", "bank-b", "qr-a"].contains(&profile)
}

fn read(text: &str) -> Result<Config, Vec<String>> {
    let found = parse(Source { file: "station.toml", text }, &known);
    found.map_err(|breaches| breaches.iter().map(ToString::to_string).collect())
}

const STATION: &str = "[station]\nname = \"s\"\nacquirer = \"1\"\ncurrency = \"156\"\noffset_minutes = 480\n";
const DOOR: &str = "[[door]]\nname = \"pos\"\nlisten = \"127.0.0.1:1\"\nprofile = \"pos\"\n";

#[test]
fn the_demo_station_is_ready_to_run() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/demo/station.toml");
    let loaded = load(&path, &known).map_err(|breaches| format!("{breaches:?}")).unwrap();
    let doors: Vec<_> = loaded.config.doors.iter().map(|door| (door.name.as_ref(), door.listen.port())).collect();
    assert_eq!(doors, [("pos", 8583), ("host", 8584)]);
    assert!(loaded.config.test_keys);
    assert_eq!(loaded.registry.terminals().count(), 200);
    assert_eq!(loaded.keys.names().len(), 220);
}

#[test]
fn what_is_left_out_has_the_written_default() {
    let config = read(&format!("{STATION}{DOOR}")).unwrap();
    assert_eq!(config.ceilings.handshakes, 64);
    assert_eq!(config.ceilings.first_frame, Duration::from_secs(10));
    assert_eq!(config.defaults.limits.most, None);
    assert!(config.doors[0].tls.is_none() && config.doors[0].allow.is_empty());
}

#[test]
fn a_ledger_that_is_kept_needs_a_master_key_outside_its_folder() {
    let with = |tables: &str| read(&format!("{STATION}{DOOR}{tables}"));
    let none = with("").unwrap();
    assert_eq!((none.keeping.folder, none.hsm.master_file(), none.keeping.capacity), (None, None, 2_000_000));
    let kept = with("[ledger]\nfolder = \"data\"\nanchor_ms = 5\n[hsm]\nmaster = \"m.key\"\n").unwrap();
    assert_eq!(kept.hsm.master_file(), Some("m.key"));
    let kept = kept.keeping;
    assert_eq!((kept.folder.as_deref(), kept.anchor), (Some("data"), Duration::from_millis(5)));
    let breaches = with("[ledger]\nfolder = \"data\"\n").unwrap_err();
    assert!(breaches[0].contains("needs [hsm] master"), "{breaches:?}");
    let breaches = with("[ledger]\nfolder = \"data\"\n[hsm]\nmaster = \"data/m.key\"\n").unwrap_err();
    assert!(breaches[0].contains("must not be kept in the ledger's folder"), "{breaches:?}");
    let breaches = with("[ledger]\nsegment_bytes = 100\ndays = 3\n").unwrap_err();
    assert_eq!(breaches.len(), 2, "{breaches:?}");
}

#[test]
fn a_tls_door_names_its_files() {
    let tls = "certificate = \"a.pem\"\nprivate_key = \"a.key\"\nclient_ca = \"ca.pem\"\nclient_certificates = \"required\"\n";
    let config = read(&format!("{STATION}{DOOR}{tls}")).unwrap();
    let tls = config.doors[0].tls.as_ref().unwrap();
    assert_eq!(tls.client_certificates, ClientCertificates::Required);
    assert_eq!(tls.client_ca.as_deref(), Some("ca.pem"));
}

#[test]
fn every_breach_of_the_station_is_reported() {
    let found = read(
        "[station]\nname = \"s\"\nacquirer = \"x\"\ncurrency = \"156\"\nworker = 3\n\
         [[door]]\nname = \"pos\"\nlisten = \"here\"\nprofile = \"pso\"\nallow = [\"10.0.0.0/99\"]\n\
         [limits]\nhandshakes = 0\n[risk]\nleast = 5\nmost = 4\n[extra]\n",
    );
    assert_eq!(
        found.unwrap_err(),
        [
            "station.toml:16: unknown key \"extra\"",
            "station.toml:8: listen: is not address:port",
            "station.toml:9: profile: is not a profile",
            "station.toml:10: allow: has a value that is not a network such as 10.0.0.0/8",
            "station.toml:1: no [[door]] that can be used",
            "station.toml:5: unknown key \"worker\"",
            "station.toml:12: handshakes: is not a whole number from 1 to 65536",
            "station.toml:13: least: is above most",
            "station.toml:3: acquirer: is not 1 to 11 digits",
            "station.toml:1: offset_minutes: is missing",
        ]
    );
}

#[test]
fn missing_files_and_missing_keys_are_breaches() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("station.toml");
    let files = "mac_key = \"door/zak\"\n[files]\nkeys = [\"keys.csv\"]\nterminals = [\"nowhere.csv\"]\n";
    std::fs::write(&path, format!("{STATION}test_keys = true\n{DOOR}{files}")).unwrap();
    std::fs::write(folder.path().join("keys.csv"), "name,usage,algorithm,key\ndoor/zak,pin,tdes2,00\n").unwrap();
    let Err(found) = load(&path, &known) else { panic!("it must not load") };
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("nowhere.csv: "), "{found:?}");
    assert!(found[1].ends_with("keys.csv:2: key: its length is not the algorithm's"), "{found:?}");
    assert!(found[2].ends_with("station.toml:7: door pos: key door/zak has another usage"), "{found:?}");
}

#[test]
fn a_network_is_a_prefix_of_addresses() {
    let inside = |network: &str, peer: &str| Network::parse(network).unwrap().contains(peer.parse().unwrap());
    assert!(inside("127.0.0.0/8", "127.255.0.1") && !inside("127.0.0.0/8", "128.0.0.1"));
    assert!(inside("10.1.2.3", "10.1.2.3") && !inside("10.1.2.3", "10.1.2.4"));
    assert!(inside("0.0.0.0/0", "8.8.8.8") && !inside("0.0.0.0/0", "::1"));
    assert!(inside("2001:db8::/32", "2001:db8:ffff::1") && !inside("2001:db8::/32", "2001:db9::1"));
    assert!(inside("10.0.0.0/8", "::ffff:10.0.0.1"), "IPv4 over an IPv6 socket");
    assert!(Network::parse("10.0.0.0/33").is_none() && Network::parse("shop").is_none());
}

/// An `[hsm]` table of its kind that is in order.
const HOST: &str = "[hsm]\nkind = \"payshield\"\naddresses = [\"10.0.0.1:1500\"]\nsealing_key = \"seal/data\"\n\
    sealing_mac = \"seal/mac\"\n";
const TOKEN: &str = "[hsm]\nkind = \"pkcs11\"\nlibrary = \"p11.so\"\ntoken = \"t\"\npin_env = \"PIN\"\n\
    token_key = \"seal\"\n";

#[test]
fn the_hsm_is_chosen_by_its_kind_and_software_by_default() {
    let kind = |tables: &str| read(&format!("{STATION}{DOOR}{tables}")).unwrap().hsm;
    assert_eq!(kind(""), HsmSetup::default());
    assert_eq!(kind("[hsm]\nkind = \"software\"\n").kind(), HsmKind::Software);
    let HsmSetup::Payshield(host) = kind(HOST) else { panic!("another kind") };
    assert_eq!((host.connections, host.header, host.tls.is_none()), (4, 4, true));
    let HsmSetup::Pkcs11(token) = kind(TOKEN) else { panic!("another kind") };
    assert_eq!((token.token.as_str(), token.pin), ("t", PinPlace::Variable("PIN".to_owned())));
    let HsmSetup::Software(software) = kind("[hsm]\nmaster_env = \"MASTER\"\n") else { panic!("another kind") };
    assert_eq!(software.master, Some(MasterPlace::Variable("MASTER".to_owned())));
    let wrapped = TOKEN.replace("kind = \"pkcs11\"", "master = \"m.wrapped\"");
    let HsmSetup::Software(software) = kind(&wrapped) else { panic!("another kind") };
    assert!(matches!(software.master, Some(MasterPlace::Token(file, _)) if file == "m.wrapped"));
}

#[test]
fn every_breach_of_the_hsm_table_is_reported_with_its_line() {
    let breaches = |tables: &str| read(&format!("{STATION}{DOOR}{tables}")).unwrap_err();
    assert_eq!(
        breaches(
            "[hsm]\nkind = \"payshield\"\naddresses = [\"nowhere\"]\nheader = 0\nlmk_check = \"12\"\nmaster = \"m\"\n"
        ),
        [
            "station.toml:10: master: is nothing to kind payshield",
            "station.toml:12: addresses: has a value that is not host:port",
            "station.toml:10: addresses: at least one host:port",
            "station.toml:13: header: is not a whole number from 1 to 255",
            "station.toml:14: lmk_check: is not 16 hex digits",
            "station.toml:10: sealing_key: is missing",
            "station.toml:10: sealing_mac: is missing",
        ]
    );
    assert_eq!(
        breaches("[hsm]\nkind = \"pkcs11\"\ntoken = \"t\"\nworkers = 0\n"),
        [
            "station.toml:10: library: is missing",
            "station.toml:10: token_key: is missing",
            "station.toml:10: pin_file or pin_env: one of them",
            "station.toml:13: workers: is not a whole number from 1 to 256",
        ]
    );
    assert_eq!(
        breaches(&format!("{HOST}key_types = [\"tpk=001\"]\n")),
        ["station.toml:10: key_types: one type for two roles of a usage"]
    );
    assert_eq!(breaches("[hsm]\nkind = \"cloud\"\n"), ["station.toml:11: kind: is not software, payshield or pkcs11"]);
    assert_eq!(
        breaches("[hsm]\nmaster = \"m\"\nmaster_env = \"M\"\n"),
        ["station.toml:10: master and master_env: one of them"]
    );
}

#[test]
fn a_production_station_has_no_hsm_that_may_not_do_pins_and_says_why() {
    let production = STATION.replace("[station]\n", "[station]\nprofile = \"production\"\n");
    let with = |tables: &str| read(&format!("{production}{DOOR}{tables}"));
    assert_eq!(with(HOST).unwrap().profile, StationProfile::Production);
    for (tables, kind, why) in [("", "software", "in this process"), (TOKEN, "pkcs11", "hands deciphered blocks")] {
        let breaches = with(tables).unwrap_err();
        assert_eq!(breaches.len(), 1, "{breaches:?}");
        for word in [&format!("kind: {kind} may not handle PINs"), why, "PINs of real cards need a PTS HSM"] {
            assert!(breaches[0].contains(word), "{breaches:?}");
        }
    }
    let test_keys = production.replace("name = ", "test_keys = true\nname = ");
    let breaches = read(&format!("{test_keys}{DOOR}{HOST}")).unwrap_err();
    assert_eq!(breaches, ["station.toml:1: test_keys: a station in profile production has none"]);
}

/// The breaches of a station whose key list is `keys`.
fn listed(station: &str, keys: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("station.toml");
    std::fs::write(&path, format!("{STATION}{station}[files]\nkeys = [\"keys.csv\"]\n")).unwrap();
    std::fs::write(folder.path().join("keys.csv"), keys).unwrap();
    let found = load(&path, &known).err().unwrap_or_default();
    let of_the_list = |breach: &String| !breach.contains("no [[") && !breach.contains(": door pos: key");
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    let folder = format!("{}/", folder.path().display());
    found.iter().map(|breach| breach.replace(&folder, "")).filter(of_the_list).collect()
}

#[test]
fn each_kind_of_hsm_has_a_list_of_keys_of_its_own() {
    let clear = "name,usage,algorithm,key\na,mac,tdes2,0123456789ABCDEFFEDCBA9876543210\n";
    assert_eq!(listed(&format!("test_keys = true\n{DOOR}"), clear), [""; 0]);
    let refused = listed(DOOR, clear);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].starts_with("keys.csv:2: key: is in clear"), "{refused:?}");
    let of_a_host = "name,usage,algorithm,type,key\n\
        seal/data,data,tdes2,00B,U0123456789ABCDEF0123456789ABCDEF\nseal/mac,mac,tdes2,008,UXYZ\n";
    assert_eq!(
        listed(&format!("{DOOR}{HOST}"), of_a_host),
        [
            "keys.csv:3: key: is not what a payshield HSM gives out",
            "station.toml:6: door pos: working keys are handed out with check values of four bytes: say \
             long_check_values = true in [hsm], if the HSM gives them, or name a mac_key and a pin_key",
        ]
    );
    assert_eq!(listed(&format!("{DOOR}{HOST}long_check_values = true\n"), of_a_host).len(), 1);
    let without = of_a_host.lines().take(2).collect::<Vec<_>>().join("\n");
    assert_eq!(
        listed(&format!("{DOOR}{HOST}long_check_values = true\n"), &without),
        ["station.toml:14: [hsm] sealing_mac: key seal/mac is not in the list of keys"]
    );
    assert_eq!(
        listed(&format!("{DOOR}{TOKEN}"), clear),
        [
            "keys.csv:2: key: is nothing to a list for kind pkcs11",
            "station.toml:6: door pos: a PKCS#11 token hands out no working keys: name a mac_key and a pin_key"
        ]
    );
}
