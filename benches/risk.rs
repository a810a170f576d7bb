//! What the rules cost: the whole sample rule set over a million known terminals. Prints figures; judges none but that
//! it runs and that few are declined.
//!
//! `cargo bench --bench risk -- [TERMINALS] [REQUESTS]` (default 1,000,000 each). Every terminal sells once, then come
//! as many requests again from terminals and cards drawn at random, each judged, counted on the day's counters and noted.
//! Beside it the yardstick: the same requests in two plain hash maps, a count of each terminal and one of each card,
//! looked up and raised.

#![expect(clippy::unwrap_used, reason = "a bench that cannot run has nobody to answer to")]

use std::collections::HashMap;
use std::hint::black_box;
use tollgate::model::Amount;
use tollgate::model::Bin;
use tollgate::model::BusinessDate;
use tollgate::model::Currency;
use tollgate::model::Kind;
use tollgate::model::Mcc;
use tollgate::model::MerchantId;
use tollgate::model::PanToken;
use tollgate::model::PosEntryMode;
use tollgate::model::Region;
use tollgate::model::SplitMix64;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::risk::Counters;
use tollgate::risk::Fate;
use tollgate::risk::Memory;
use tollgate::risk::RuleSet;
use tollgate::risk::Scene;
use tollgate::risk::Signs;
use tollgate::risk::Situation;
use tollgate::risk::counted;
use tollgate::risk::judge;

/// 2026-11-23T02:00:00Z: ten in the morning in China.
const BEGIN: i64 = 1_795_399_200_000_000;
/// One in so many microseconds: 10,000 a second.
const APART: i64 = 100;
const ROUNDS: usize = 3;
const SCENES: u64 = 4_096;

fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

fn scenes(random: &mut SplitMix64) -> Vec<Scene> {
    let scene = |random: &mut SplitMix64| {
        let region = Region::new(u16::try_from(1_100 + random.draw() % 30 * 100).unwrap());
        let mcc = Mcc::new(5_812);
        let bin = Bin::new(u32::try_from(600_000 + random.draw() % 2_000).unwrap());
        let signs = Signs::PIN.with(Signs::CHIP_CARD).with(Signs::CHIP_TERMINAL);
        Scene { region, home: region, mcc, registered_mcc: mcc, bin, fee: Some(60), signs, ..Scene::default() }
    };
    (0..SCENES).map(|_| scene(random)).collect()
}

/// A request of a terminal by a card drawn at random.
fn request<'a>(number: u64, terminal: u64, cards: u64, scenes: &'a [Scene], random: &mut SplitMix64) -> Situation<'a> {
    // A card stays in its region, or all of them would jump.
    let here = terminal % SCENES;
    let mut card = SplitMix64::new(random.draw() % cards / SCENES * SCENES + here);
    let mut token = [0; 32];
    token.as_chunks_mut().0.iter_mut().for_each(|part| *part = card.draw().to_be_bytes());
    Situation {
        kind: Kind::Sale,
        terminal: TerminalId::parse(format!("{terminal:08}").as_bytes()).unwrap(),
        merchant: MerchantId::parse(format!("{:015}", terminal / 5).as_bytes()).unwrap(),
        card: PanToken(token),
        amount: Amount::new(100 + random.draw() % 50_000).unwrap(),
        currency: Currency::CNY,
        entry: PosEntryMode::parse(b"051").unwrap(),
        date: BusinessDate::new(2026, 11, 23).unwrap(),
        at: Timestamp(BEGIN + i64::try_from(number).unwrap() * APART),
        offset_minutes: 480,
        scene: &scenes[usize::try_from(here).unwrap()],
    }
}

/// Processor time of this thread so far, in nanoseconds: other work of the machine is not in it.
fn processor() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse().unwrap()
}

fn per(requests: usize, start: f64) -> f64 {
    (processor() - start) / requests as f64
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

fn main() {
    let mut numbers = std::env::args().skip(1).filter_map(|text| text.parse::<u64>().ok());
    let (terminals, requests) = (numbers.next().unwrap_or(1_000_000), numbers.next().unwrap_or(1_000_000));
    let rules = RuleSet::read("sample", RuleSet::SAMPLE).unwrap();
    let mut random = SplitMix64::new(6);
    let (scenes, mut counters) = (scenes(&mut random), Counters::default());
    let before = resident();
    let mut memory = Memory::default();
    for terminal in 0..terminals {
        let first = request(terminal, terminal, terminals * 2, &scenes, &mut random);
        memory.note(&first, Fate::Live);
        counters.take(&counted(&rules, &first));
    }
    let per_terminal = (resident() - before) / terminals.max(1);
    println!(
        "{terminals} terminals, one sale each: {per_terminal} bytes a terminal, its card, merchant and range included"
    );

    let (mut judged, mut looked_up, mut plain) = (Vec::new(), Vec::new(), Vec::new());
    let mut number = terminals;
    let mut by_terminal: HashMap<TerminalId, u32> = HashMap::new();
    let mut by_card: HashMap<PanToken, u32> = HashMap::new();
    for terminal in 0..terminals {
        let known = request(terminal, terminal, terminals * 2, &scenes, &mut random);
        by_terminal.insert(known.terminal, 1);
        by_card.insert(known.card, 1);
    }
    for _ in 0..ROUNDS {
        let mut draw = || {
            number += 1;
            let terminal = random.draw() % terminals;
            request(number, terminal, terminals * 2, &scenes, &mut random)
        };
        let asked: Vec<Situation<'_>> = (0..requests).map(|_| draw()).collect();
        let start = processor();
        for situation in &asked {
            *by_terminal.entry(situation.terminal).or_default() += 1;
            *by_card.entry(situation.card).or_default() += 1;
        }
        plain.push(per(asked.len(), start));
        let (start, mut declined, mut spoken) = (processor(), 0, 0);
        for situation in &asked {
            let judgement = judge(&rules, situation, &memory, &counters);
            let fate = if judgement.refusal.is_none() { Fate::Live } else { Fate::Declined { pin: false } };
            memory.note(situation, fate);
            counters.take(&judgement.reservations);
            declined += u64::from(judgement.refusal.is_some());
            spoken += u64::from(judgement.note.is_some());
        }
        judged.push(per(asked.len(), start));
        let start = processor();
        for situation in &asked {
            black_box(judge(&rules, situation, &memory, &counters));
        }
        looked_up.push(per(asked.len(), start));
        assert!(declined * 10 < requests, "{declined} of {requests} were declined");
        println!("of {requests} requests, rules spoke of {spoken} and declined {declined}");
    }
    println!(
        "{} rules: judged, counted and noted {:.0} ns, judged only {:.0} ns",
        rules.len(),
        median(judged),
        median(looked_up)
    );
    println!("yardstick, two hash maps looked up and raised: {:.0} ns", median(plain));
}
