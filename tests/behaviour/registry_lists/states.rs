//! Which states may follow which.

use super::Texts;
use tollgate::model::Standing;
use tollgate::registry::MerchantState;
use tollgate::registry::MerchantState::{Active, Applied, Closed, Reviewing, Suspended};

const ALL: [MerchantState; 5] = [Applied, Reviewing, Active, Suspended, Closed];

#[test]
fn a_merchants_life_goes_by_the_table() {
    let steps: Vec<_> =
        ALL.iter().flat_map(|from| ALL.map(|to| (*from, to))).filter(|(from, to)| to.may_follow(*from)).collect();
    assert_eq!(
        steps,
        [
            (Applied, Reviewing),
            (Applied, Closed),
            (Reviewing, Applied),
            (Reviewing, Active),
            (Reviewing, Closed),
            (Active, Suspended),
            (Active, Closed),
            (Suspended, Active),
            (Suspended, Closed),
        ]
    );
}

#[test]
fn between_two_looks_any_number_of_steps_may_have_been_and_none_leads_back_from_the_end() {
    assert!(ALL.iter().all(|state| state.may_come_of(*state)));
    assert!(Active.may_come_of(Applied) && Suspended.may_come_of(Applied) && Closed.may_come_of(Applied));
    assert!(!Applied.may_come_of(Active) && !Reviewing.may_come_of(Suspended));
    assert!([Applied, Reviewing, Active, Suspended].iter().all(|state| !state.may_come_of(Closed)));
    let standings = [Standing::Active, Standing::Suspended, Standing::Terminated];
    let risen = standings.map(|next| Standing::Terminated.may_become(next));
    assert_eq!(risen, [false, false, true]);
    assert!(standings.iter().all(|next| Standing::Suspended.may_become(*next)));
}

#[test]
fn who_is_at_an_end_does_not_rise_again() {
    let lists = |state: &str, standing: &str| {
        let merchants = format!("merchant,name,state\n898110054110001,A,{state}\n");
        let terminals = format!("terminal,merchant,standing\n10000001,898110054110001,{standing}\n");
        Texts { merchants: &merchants, terminals: &terminals, ..Texts::default() }.loaded()
    };
    let risen = |old: (&str, &str), new: (&str, &str)| -> Vec<String> {
        let risen = lists(old.0, old.1).risen(&lists(new.0, new.1));
        risen.into_iter().map(|(_, what)| what).collect()
    };
    assert!(risen(("active", "active"), ("closed", "terminated")).is_empty());
    assert_eq!(
        risen(("closed", "terminated"), ("suspended", "suspended")),
        [
            "merchant 898110054110001 was closed, and cannot become suspended",
            "terminal 10000001 was terminated, and cannot become suspended"
        ]
    );
}
