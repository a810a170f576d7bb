//! A million terminals loaded from CSV: plain rows, and rows that say everything. Prints seconds and bytes a terminal;
//! judges none.
//!
//! `cargo bench --bench registry -- [N]` (default 1,000,000). Each measure is a process of its own, for memory that was
//! given back is not seen to be free. The yardstick is the `csv` crate reading the same text and looking at every cell.
//! Targets: 5 s and 1 KiB a terminal for a million.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nobody to answer to")]

use std::fmt::Write;
use std::process::Command;
use std::time::Instant;
use tollgate::model::Acquirer;
use tollgate::model::Currency;
use tollgate::model::Limits;
use tollgate::registry::Days;
use tollgate::registry::Defaults;
use tollgate::registry::DownloadSources;
use tollgate::registry::FleetSources;
use tollgate::registry::Registry;
use tollgate::registry::Rules;
use tollgate::registry::Source;
use tollgate::registry::Sources;

/// Makes this binary do one measure.
const AS_MEASURE: &str = "--as-measure";
/// Terminals of one shop.
const OF_A_SHOP: usize = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((AS_MEASURE, words)) = arguments.split_first().map(|(first, words)| (first.as_str(), words)) {
        return measure(&words[0], words[1].parse().unwrap());
    }
    let count: usize = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(1_000_000);
    for what in ["plain", "full", "yardstick-plain", "yardstick-full"] {
        let mut command = Command::new(std::env::current_exe().unwrap());
        assert!(command.args([AS_MEASURE, what, &count.to_string()]).status().unwrap().success());
    }
}

/// Bytes that are resident now.
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn measure(what: &str, count: usize) {
    let is_full = what.ends_with("full");
    let (merchants, terminals, devices) = texts(count, is_full);
    let (before, start) = (resident(), Instant::now());
    if what.starts_with("yardstick") {
        let mut cells = 0;
        for text in [&merchants, &terminals, &devices] {
            let mut reader = csv::Reader::from_reader(text.as_bytes());
            let mut record = csv::StringRecord::new();
            while reader.read_record(&mut record).unwrap() {
                cells += record.iter().filter(|cell| !cell.trim().is_empty()).count();
            }
        }
        return println!("{what}: {cells} cells looked at in {:.2} s", start.elapsed().as_secs_f64());
    }
    let registry = load(&merchants, &terminals, &devices);
    let (took, bytes) = (start.elapsed().as_secs_f64(), resident().saturating_sub(before));
    assert_eq!(registry.terminals().count(), count);
    assert_eq!(registry.all_hardware().count(), if is_full { count } else { 0 });
    println!("{what}: {count} terminals in {took:.2} s, {} bytes each", bytes / count);
    let start = Instant::now();
    assert!(registry.diff(&registry, 1).is_empty());
    println!("{what}: compared with itself in {:.2} s", start.elapsed().as_secs_f64());
}

fn load(merchants: &str, terminals: &str, devices: &str) -> Registry {
    Registry::load(&Sources {
        defaults: Defaults {
            acquirer: Acquirer::parse(b"89811000").unwrap(),
            currency: Currency::CNY,
            offset_minutes: 480,
            days: Days::default(),
            limits: Limits::default(),
        },
        merchants: vec![Source { file: "merchants.csv", text: merchants }],
        terminals: vec![Source { file: "terminals.csv", text: terminals }],
        fleet: FleetSources {
            devices: vec![Source { file: "devices.csv", text: devices }],
            templates: vec![Source { file: "templates.csv", text: "template,class\ncounter,fixed\n" }],
            groups: vec![Source { file: "groups.csv", text: "group,daily_count\nkiosks,500\n" }],
            ..FleetSources::default()
        },
        issuers: Vec::new(),
        bins: Vec::new(),
        operators: Vec::new(),
        downloads: DownloadSources::default(),
        rules: Rules::default(),
        profile_known: &|_| true,
    })
    .unwrap()
}

/// Merchants, terminals, devices.
fn texts(count: usize, is_full: bool) -> (String, String, String) {
    let mut merchants = String::from("merchant,name,name_en,mcc,region,address\n");
    for shop in 0..count.div_ceil(OF_A_SHOP) {
        writeln!(merchants, "8981100{shop:08},商店 {shop},Shop {shop},5411,1100,Street {shop}").unwrap();
    }
    let mut devices = String::from("serial,model,maker,firmware,certification,certified_until,custodian\n");
    let mut terminals = String::from(match is_full {
        true => {
            "terminal,merchant,template,group,class,capabilities,region,address,network,custodian,currency,\
            offset_minutes,standing,test_mode,master_key,sign_in_after,least,most,daily_amount,daily_count,certificate,\
            device,from\n"
        }
        false => "terminal,merchant\n",
    });
    for terminal in 0..count {
        let shop = terminal / OF_A_SHOP;
        if !is_full {
            writeln!(terminals, "{terminal:08},8981100{shop:08}").unwrap();
            continue;
        }
        writeln!(
            terminals,
            "{terminal:08},8981100{shop:08},counter,kiosks,mobile,stripe+chip+tap+pin,1100,Street {shop} counter \
            {terminal},10.{}.0.0/16,custodian {},156,480,active,false,terminal/{terminal:08}/tmk,2026-01-01T00:00:00Z,1,\
            500000,9000000,400,{:064x},SN{terminal:010},2026-01-01T00:00:00Z",
            shop % 250,
            shop % 1_000,
            terminal
        )
        .unwrap();
        writeln!(devices, "SN{terminal:010},T-1,Maker,2.1.7,4-10001,2031-04-30,custodian {}", shop % 1_000).unwrap();
    }
    (merchants, terminals, devices)
}
