//! Zone keys that change in the course of a day, from either side, whatever else happens.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::outside::Outside;
use super::station::SimWorld;
use crate::flow::KeyChangeFault;
use crate::flow::Station;
use crate::hsm::KeyUsage;
use crate::ledger::Ledger;
use crate::model::ZoneLine;
use crate::model::ZoneUse;
use std::sync::Arc;
use std::time::Duration;

/// In which part of a day keys change.
const WITHIN_MS: u64 = 120_000;
/// How often a change is tried when no fault is about any more.
const CALM_TRIES: usize = 40;
/// A change is over after so long where nothing goes wrong: the world is not to go on longer than it must.
const SOON: Duration = Duration::from_millis(300);
/// Between two tries: longer than an unanswered one takes.
const AGAIN: Duration = Duration::from_secs(11);

/// Which key changes, and who makes the new one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    pub(super) bank: usize,
    pub(super) pin: bool,
    /// The bank does.
    pub(super) theirs: bool,
}

/// The changes of a day, drawn as the day goes on.
pub(super) fn in_the_course(outside: &Arc<Outside>, changes: u32) {
    for _ in 0..changes {
        let (after, change) = outside.nature.draw(|chance| {
            let after = chance.millis(0, WITHIN_MS);
            let (bank, pin, theirs) = (chance.place(2), chance.below(2) == 0, chance.below(2) == 0);
            (after, Change { bank, pin, theirs })
        });
        change_after(outside, after, change);
    }
}

/// One change in a while.
pub(super) fn change_after(outside: &Arc<Outside>, after: Duration, change: Change) {
    let outside = Arc::clone(outside);
    Arc::clone(&outside).spawner.spawn(Realm::Outside, async move {
        outside.nature.after(after).await;
        begin(&outside, change).await;
    });
}

async fn begin(outside: &Arc<Outside>, Change { bank, pin, theirs }: Change) {
    let Some(host) = outside.hosts.get(bank) else { return };
    if theirs {
        return host.offer_key(if pin { KeyUsage::Pin } else { KeyUsage::Mac }).await;
    }
    let Some(station) = outside.front() else { return };
    let (outside, name) = (Arc::clone(outside), host.name().clone());
    Arc::clone(&outside).spawner.spawn(Realm::Station, async move {
        let changed = station.change_zone_key(&name, if pin { ZoneUse::Pin } else { ZoneUse::Mac }).await;
        outside.nature.say(&format!("station: a zone key of {name}: {}", changed.is_ok()));
        match changed {
            Ok(_) => outside.nature.sometimes(Sometimes::ZoneKeyGiven),
            Err(KeyChangeFault::Unknown) => outside.nature.sometimes(Sometimes::ZoneKeyUnknown),
            Err(_) => {}
        }
    });
}

/// Whether a key was sent to an issuer that has not acknowledged it.
pub(super) fn is_under_way(station: &Station<SimWorld>) -> bool {
    let waits = |line: &Option<ZoneLine>| line.as_ref().is_some_and(|line| line.pending.is_some());
    station.ledger().zones().iter().any(|(_, facts)| waits(&facts.mac) || waits(&facts.pin))
}

/// What the station shares with a bank now: the generations of its MAC key and its PIN key.
fn generations(outside: &Outside, bank: usize) -> Option<[u32; 2]> {
    let (station, host) = (outside.front()?, outside.hosts.get(bank)?);
    let zones = station.ledger().zones();
    let facts = zones.into_iter().find(|(name, _)| name == host.name()).map(|(_, facts)| facts).unwrap_or_default();
    let of = |line: Option<ZoneLine>| line.map_or(0, |line| line.current.generation);
    Some([of(facts.mac), of(facts.pin)])
}

/// What takes part in a day in which keys change: a last look when all faults have stopped.
pub(super) async fn last_look(outside: Arc<Outside>) {
    outside.day.step_done();
    outside.day.calm().await;
    can_still_change(&outside).await;
    outside.day.closed();
}

/// Whether each key of each bank can still be changed, from each side: what one side does not understand could not be.
async fn can_still_change(outside: &Arc<Outside>) {
    for (bank, host) in outside.hosts.iter().enumerate() {
        for (pin, theirs) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut changed = false;
            for _ in 0..CALM_TRIES {
                let before = generations(outside, bank);
                begin(outside, Change { bank, pin, theirs }).await;
                outside.nature.after(SOON).await;
                let place = usize::from(pin);
                let of = |both: Option<[u32; 2]>| both.and_then(|both| both.get(place).copied());
                changed = of(before).is_some() && of(before) != of(generations(outside, bank));
                if changed {
                    break;
                }
                outside.nature.after(AGAIN).await;
            }
            if !changed {
                let (which, who) = (if pin { "PIN" } else { "MAC" }, if theirs { "it" } else { "the station" });
                outside.history.breach(format!("I14: {who} cannot change the {which} key of {}", host.name()));
            } else if theirs {
                outside.nature.sometimes(Sometimes::ZoneKeyTaken);
            }
        }
    }
}
