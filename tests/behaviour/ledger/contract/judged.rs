//! Rules judge a request in the commit that records it.

use super::*;

const RULES: &str = r#"
version = "7"

[[rule]]
id = "card-day"
kind = "daily"
action = "decline"
per = "card"
amount = 1000

[[rule]]
id = "device-differs"
kind = "device"
action = "hold"
when = ["differs"]

[[rule]]
id = "source-change"
kind = "source-change"
action = "alert"

[[rule]]
id = "region-jump"
kind = "region-jump"
action = "decline"
per = ["terminal"]
within_s = 1800
step = "warn"
"#;

/// `intent`, judged by the rules.
fn judged(intent: Intent) -> Asked {
    let live = Arc::new(RuleSet::read("risk.toml", RULES).unwrap());
    Asked { checks: Some(Arc::new(Checks { live, shadow: None })), ..intent.into() }
}

fn seen(intent: Intent, signs: Signs) -> Intent {
    Intent { scene: Scene { signs, ..Scene::default() }, ..intent }
}

/// Intends what rules must decline; by which, and what they said, told and recorded.
async fn refused<L: Ledger>(ledger: &L, intent: Intent) -> (String, Option<Box<RiskNote>>) {
    let id = intent.id;
    let told = ledger.intend(judged(intent)).await.unwrap();
    let Intended::Declined(_, explained) = told else { panic!("not declined: {told:?}") };
    let recorded = found(ledger, id).intent;
    assert_eq!(recorded.refusal.as_ref().map(|refusal| &refusal.rule), Some(&explained.rule));
    assert_eq!(recorded.risk, explained.note);
    (explained.rule.into_owned(), explained.note)
}

async fn paid<L: Ledger>(ledger: &L, intent: Intent) -> Intent {
    let told = ledger.intend(judged(intent.clone())).await.unwrap();
    assert!(matches!(told, Intended::Fresh), "{told:?}");
    ledger.decide(intent.id, decision(Approved, intent.received)).await.unwrap();
    intent
}

pub(in crate::ledger) async fn a_rule_declines_in_the_commit_that_records_the_request<L: Ledger>(ledger: L) {
    paid(&ledger, sale(&ledger, 1, 1, 900)).await;
    let (rule, note) = refused(&ledger, sale(&ledger, 2, 1, 101)).await;
    let note = note.unwrap();
    assert_eq!((&*rule, &*note.version, &*note.hits[0].rule), ("card-day", "7", "card-day"));
    assert!(ledger.open_intents().is_empty());
    let whole = paid(&ledger, sale(&ledger, 2, 2, 100)).await;
    let again = ledger.intend(judged(sale(&ledger, 2, 2, 100))).await.unwrap();
    assert!(matches!(again, Intended::Duplicate(decided) if decided.rrn == whole.rrn), "the card's day is full");
    ledger.reverse(reversal(1, 9, 1, 900)).await.unwrap();
    paid(&ledger, sale(&ledger, 2, 3, 900)).await;
}

pub(in crate::ledger) async fn a_rule_that_holds_suspends_the_terminal_in_the_same_commit<L: Ledger>(ledger: L) {
    let who = Subject::Terminal(terminal(1));
    let swapped = seen(sale(&ledger, 1, 1, 100), Signs::DEVICE_DIFFERS);
    let (rule, note) = refused(&ledger, swapped).await;
    assert_eq!((&*rule, note.unwrap().hits[0].action), ("device-differs", Action::Hold));
    let ladder = ledger.ladder(&who).unwrap();
    assert_eq!((ladder.standing, ladder.entries.len()), (Standing::Suspended, 1));
    assert_eq!(&*ladder.entries[0].actor, "rule:device-differs");
    assert_eq!(refused(&ledger, sale(&ledger, 1, 2, 100)).await, ("terminal-suspended".to_owned(), None));
    // An advice is never refused, and suspends nobody.
    let offline = seen(Intent { kind: Kind::OfflineSale, ..sale(&ledger, 2, 1, 100) }, Signs::DEVICE_DIFFERS);
    let told = ledger.intend(judged(offline)).await.unwrap();
    assert!(matches!(told, Intended::Flagged(note) if note.hits[0].action == Action::Alert));
    assert_eq!(ledger.ladders().len(), 1);
}

pub(in crate::ledger) async fn an_alert_is_told_and_recorded_with_what_goes_on<L: Ledger>(ledger: L) {
    let moved = seen(sale(&ledger, 1, 1, 100), Signs::SOURCE_CHANGED);
    let Intended::Flagged(note) = ledger.intend(judged(moved.clone())).await.unwrap() else { panic!("not flagged") };
    assert_eq!((&*note.hits[0].rule, note.hits[0].action), ("source-change", Action::Alert));
    let recorded = found(&ledger, moved.id);
    assert_eq!((recorded.intent.risk.as_ref(), &recorded.intent.scene), (Some(&note), &moved.scene));
    assert_eq!(ledger.open_intents(), [moved.id]);
}

pub(in crate::ledger) async fn a_rule_is_named_before_the_binding_and_behind_all_else<L: Ledger>(ledger: L) {
    let swapped = |stan, code, rule: &'static str| {
        let refusal = Some(Refusal { code, rule: rule.into() });
        seen(Intent { refusal, ..sale(&ledger, 1, stan, 100) }, Signs::SOURCE_CHANGED)
    };
    let binding = swapped(1, ResponseCode::MerchantInvalid, "merchant-binding");
    assert_eq!(refused(&ledger, binding).await.0, "merchant-binding", "an alert refuses nothing");
    paid(&ledger, sale(&ledger, 2, 1, 1_000)).await;
    let binding = swapped(2, ResponseCode::MerchantInvalid, "merchant-binding");
    assert_eq!(refused(&ledger, binding).await.0, "card-day");
    let (rule, note) = refused(&ledger, swapped(3, ResponseCode::AmountInvalid, "currency")).await;
    assert_eq!((&*rule, note.unwrap().hits.len()), ("currency", 2), "rules are heard all the same");
}

pub(in crate::ledger) async fn rules_remember_across_the_end_of_a_day<L: Ledger>(ledger: L) {
    let at = |region, stan, date| {
        let scene = Scene { region: Region::new(region), ..Scene::default() };
        Intent { scene, date: day(date), ..sale(&ledger, 1, stan, 10) }
    };
    paid(&ledger, at(1_100, 1, 21)).await;
    ledger.close_day(day(21)).await.unwrap();
    paid(&ledger, at(1_100, 2, 22)).await;
    let (rule, _) = refused(&ledger, at(2_900, 3, 22)).await;
    assert_eq!(rule, "region-jump");
    let ladder = ledger.ladder(&Subject::Terminal(terminal(1))).unwrap();
    assert_eq!((ladder.warnings, ladder.standing), (1, Standing::Active));
    ledger.close_day(day(22)).await.unwrap();
    assert_eq!(refused(&ledger, at(2_900, 4, 23)).await.0, "region-jump");
}

const OF_DECLINES: &str = r#"
version = "8"

[[rule]]
id = "many-declines"
kind = "velocity"
action = "decline"
per = "terminal"
within_s = 60
counting = "declines"
count = 2

[[rule]]
id = "tested"
kind = "card-testing"
action = "decline"
cards = 2
within_s = 60
declines = 1
terminals = ["10000002"]
"#;

/// What a request of so many seconds after noon is told; the issuer declines what it is asked.
async fn told<L: Ledger>(ledger: &L, number: u8, card: u8, stan: u32) -> Option<String> {
    let live = Arc::new(RuleSet::read("risk.toml", OF_DECLINES).unwrap());
    let checks = Some(Arc::new(Checks { live, shadow: None }));
    let intent = Intent { token: PanToken([card; 32]), ..sale(ledger, number, stan, 10) };
    let asked = Asked { checks, ..intent.clone().into() };
    match ledger.intend(asked).await.unwrap() {
        Intended::Declined(_, explained) => Some(explained.rule.into_owned()),
        Intended::Fresh => {
            ledger.decide(intent.id, decision(Declined, intent.received)).await.unwrap();
            None
        }
        told => panic!("{told:?}"),
    }
}

pub(in crate::ledger) async fn a_rule_that_counts_declines_does_not_feed_on_its_own<L: Ledger>(ledger: L) {
    for stan in [1, 2] {
        assert_eq!(told(&ledger, 1, 1, stan).await, None);
    }
    for stan in [3, 30, 60] {
        assert_eq!(told(&ledger, 1, 1, stan).await.as_deref(), Some("many-declines"), "{stan}");
    }
    assert_eq!(told(&ledger, 1, 1, 62).await, None, "those that it counted are old");
    assert_eq!(told(&ledger, 2, 1, 101).await, None);
    for stan in [102, 130, 160] {
        assert_eq!(told(&ledger, 2, 2, stan).await.as_deref(), Some("tested"), "{stan}");
    }
    assert_eq!(told(&ledger, 2, 3, 161).await, None, "cards enough, and no decline but its own");
}
