//! What follows when rules speak.

use super::Desk;
use super::desk;
use super::sale;
use std::sync::Arc;
use tollgate::model::Amount;
use tollgate::model::Kind;
use tollgate::risk::Action;
use tollgate::risk::Checks;
use tollgate::risk::Hit;
use tollgate::risk::RiskNote;
use tollgate::risk::RuleSet;
use tollgate::risk::RuleStep;
use tollgate::risk::judge_both;

fn hits(note: Option<Box<RiskNote>>) -> Vec<(String, Action, bool)> {
    let hit = |hit: Hit| (hit.rule.to_string(), hit.action, hit.shadow);
    note.map_or_else(Vec::new, |note| note.hits.into_iter().map(hit).collect())
}

fn told(desk: &Desk, asked: &super::Asked) -> Vec<(String, Action, bool)> {
    hits(desk.judge(asked).note)
}

fn rule(id: &str, action: &str, rest: &str) -> String {
    format!("id = \"{id}\"\nkind = \"always\"\naction = \"{action}\"\nkinds = [\"sale\", \"offline-sale\"]\n{rest}")
}

#[test]
fn the_first_rule_that_declines_answers_and_all_that_speak_are_told() {
    let desk = desk(&[&rule("tell", "alert", ""), &rule("no", "decline", "code = \"57\""), &rule("never", "hold", "")]);
    let refusal = desk.judge(&sale(0)).refusal.unwrap();
    assert_eq!((&*refusal.rule, refusal.code.code()), ("no", "57"));
    let told = told(&desk, &sale(0));
    let of = |id: &str, action| (id.to_owned(), action, false);
    assert_eq!(told, [of("tell", Action::Alert), of("no", Action::Decline), of("never", Action::Hold)]);
    assert_eq!(&*desk.judge(&sale(0)).note.unwrap().version, "test");
}

#[test]
fn an_allow_ends_the_questions_and_does_not_take_back_what_was_said_before() {
    let after = desk(&[&rule("yes", "allow", ""), &rule("no", "decline", "")]);
    assert!(after.judge(&sale(0)).refusal.is_none());
    assert_eq!(told(&after, &sale(0)).len(), 1);
    let before = desk(&[&rule("no", "decline", ""), &rule("yes", "allow", ""), &rule("late", "alert", "")]);
    assert!(before.judge(&sale(0)).refusal.is_some());
    assert_eq!(told(&before, &sale(0)).len(), 2);
}

#[test]
fn what_is_allowed_is_not_limited_by_daily_rules_behind() {
    let desk = desk(&[&rule("yes", "allow", ""), "kind = \"daily\"\nper = \"card\"\namount = 1"]);
    let judgement = desk.judge(&sale(0));
    let [reservation] = judgement.reservations[..] else { panic!("counted all the same") };
    assert_eq!((judgement.refusal, reservation.amount_limit), (None, None));
}

#[test]
fn what_is_never_refused_is_only_told() {
    let desk = desk(&[&rule("no", "decline", ""), &rule("never", "hold", "")]);
    let advice = sale(0).kind(Kind::OfflineSale);
    assert!(desk.judge(&advice).refusal.is_none());
    assert!(told(&desk, &advice).iter().all(|(_, action, _)| *action == Action::Alert));
    for kind in [Kind::Reversal, Kind::SignIn, Kind::Settlement, Kind::Echo, Kind::BatchUpload] {
        assert!(desk.judge(&sale(0).kind(kind)).note.is_none(), "{kind:?}");
    }
}

#[test]
fn a_rule_in_shadow_counts_and_decides_nothing() {
    let desk = desk(&[
        &rule("trial", "decline", "mode = \"shadow\""),
        &rule("pass", "allow", "mode = \"shadow\""),
        &rule("tell", "alert", ""),
    ]);
    assert!(desk.judge(&sale(0)).refusal.is_none());
    let shadows: Vec<bool> = told(&desk, &sale(0)).iter().map(|(_, _, shadow)| *shadow).collect();
    assert_eq!(shadows, [true, true, false]);
}

#[test]
fn a_set_in_shadow_is_told_behind_the_live_one_and_what_it_counts_is_reserved() {
    let live = desk(&[&rule("tell", "alert", "")]);
    let shadow = desk(&[&rule("no", "decline", ""), "kind = \"daily\"\nper = \"card\"\namount = 1000000"]);
    let (memory, counters) = (live.memory, live.counters);
    let checks = Checks { live: Arc::new(live.rules), shadow: Some(Arc::new(shadow.rules)) };
    let judgement = judge_both(&checks, &sale(0).situation(), &memory, &counters);
    assert!(judgement.refusal.is_none());
    assert_eq!(judgement.reservations.iter().map(|row| row.amount_limit).collect::<Vec<_>>(), [None]);
    let expected = [("tell".to_owned(), Action::Alert, false), ("no".to_owned(), Action::Decline, true)];
    assert_eq!(hits(judgement.note), expected);
}

#[test]
fn at_most_sixteen_hits_are_kept_and_what_decides_is_among_them() {
    let alerts: Vec<String> = (0..40).map(|at| rule(&format!("tell-{at}"), "alert", "")).collect();
    let mut rules: Vec<&str> = alerts.iter().map(String::as_str).collect();
    let no = rule("no", "decline", "");
    rules.push(&no);
    let desk = desk(&rules);
    let told = told(&desk, &sale(0));
    assert_eq!(told.len(), RiskNote::MOST);
    assert_eq!(told.last().unwrap().0, "no");
}

#[test]
fn a_rule_holds_from_its_beginning_until_before_its_end() {
    let desk = desk(&[&rule("hour", "decline", "from = 2026-11-23T01:00:00Z\nuntil = \"2026-11-23T10:00:00+08:00\"")]);
    let refused = |second| desk.refused(&sale(second)).is_some();
    assert_eq!((refused(3_599), refused(3_600), refused(7_199), refused(7_200)), (false, true, true, false));
}

#[test]
fn a_rule_is_for_what_its_filters_let_through() {
    let cases = [
        ("terminals = [\"00000001\"]", true),
        ("terminals = [\"2\"]", false),
        ("merchants = [\"000000000000001\"]", true),
        ("mccs = [\"5812\"]", false),
        ("bins = [\"622588\", \"400000\"]", true),
        ("entries = [\"chip\"]", true),
        ("entries = [\"tap\", \"manual\"]", false),
        ("regions = [\"1100\"]", false),
        ("currencies = [\"156\"]", true),
        ("currencies = [\"840\"]", false),
        ("least_amount = 10000", true),
        ("least_amount = 10001", false),
        ("most_amount = 9999", false),
        ("kinds = [\"refund\"]", false),
    ];
    for (filter, meant) in cases {
        let desk = desk(&[&format!("kind = \"always\"\n{filter}")]);
        assert_eq!(desk.refused(&sale(0)).is_some(), meant, "{filter}");
    }
}

#[test]
fn steps_of_the_ladder_are_told_by_what_spoke_live() {
    let desk = desk(&[
        &rule("warned", "alert", "step = \"warn\""),
        &rule("fined", "decline", "step = \"fine\"\nfine = 5000"),
        &rule("held", "hold", ""),
        &rule("trial", "decline", "step = \"suspend\"\nmode = \"shadow\""),
        &rule("only", "decline", ""),
    ]);
    let fine = RuleStep::Fine(Amount::new(5_000).unwrap());
    let note = desk.judge(&sale(0)).note.unwrap();
    let steps: Vec<_> = desk.rules.steps(&note).collect();
    assert_eq!(steps, [("warned", RuleStep::Warn), ("fined", fine), ("held", RuleStep::Suspend)]);
    assert_eq!(desk.rules.step("trial"), Some(RuleStep::Suspend));
    assert_eq!((desk.rules.step("only"), desk.rules.step("nobody")), (None, None));
    let note = desk.judge(&sale(0).kind(Kind::OfflineSale)).note.unwrap();
    assert_eq!(desk.rules.steps(&note).count(), 2, "an advice holds nobody");
}

#[test]
fn the_sample_is_a_rule_set_with_every_kind_that_needs_no_list() {
    let rules = RuleSet::read("default.toml", RuleSet::SAMPLE).unwrap();
    assert!(rules.len() > 25 && !rules.is_empty());
    assert_eq!(rules.ids().next(), Some("region-jump"));
    assert_ne!(rules.digest(), RuleSet::default().digest());
    let ordinary = judge_both(
        &Checks { live: Arc::new(rules), shadow: None },
        &sale(43_200).situation(),
        &tollgate::risk::Memory::default(),
        &super::Counters::default(),
    );
    assert!(ordinary.refusal.is_none() && ordinary.note.is_none(), "{ordinary:?}");
}

#[test]
fn nothing_that_is_told_shows_more_of_a_card_than_its_tokens_head() {
    let desk = desk(&["kind = \"velocity\"\nper = \"card\"\nwithin_s = 60\namount = 1"]);
    let evidence = desk.evidence(&sale(0).card(0xAB));
    assert_eq!(evidence, "card abababababab: 100.00 within 60 s, 0.01 at most");
}
