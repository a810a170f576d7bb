//! The station's file: what it may say, and that everything wrong with it is said at once.

use std::path::Path;
use std::time::Duration;
use tollgate::registry::Source;
use tollgate::server::config::ClientCertificates;
use tollgate::server::config::Config;
use tollgate::server::config::Network;
use tollgate::server::config::load;
use tollgate::server::config::parse;

fn known(profile: &str) -> bool {
    ["pos", "host", "bank-a", "bank-b"].contains(&profile)
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
    assert_eq!(loaded.keys.len(), 208);
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
    let none = with("").unwrap().keeping;
    assert_eq!((none.folder, none.master, none.capacity), (None, None, 2_000_000));
    let kept = with("[ledger]\nfolder = \"data\"\nanchor_ms = 5\n[hsm]\nmaster = \"m.key\"\n").unwrap().keeping;
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
    std::fs::write(&path, format!("{STATION}{DOOR}{files}")).unwrap();
    std::fs::write(folder.path().join("keys.csv"), "name,usage,algorithm,key\ndoor/zak,pin,tdes2,00\n").unwrap();
    let Err(found) = load(&path, &known) else { panic!("it must not load") };
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found[0].contains("nowhere.csv:0: "), "{found:?}");
    assert!(found[1].ends_with("keys.csv:2: key: its length is not the algorithm's"), "{found:?}");
    assert!(found[2].ends_with("door pos: key door/zak has another usage"), "{found:?}");
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
