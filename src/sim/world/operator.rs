//! An operator of the station: lets terminals trade again that a rule has suspended.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::outside::Outside;
use super::station::SimWorld;
use crate::flow::Station;
use crate::ledger::Ledger;
use crate::ledger::Stepped;
use crate::model::Clock;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::Standing;
use crate::model::Subject;
use crate::model::TerminalId;
use std::sync::Arc;
use std::time::Duration;

/// Between two looks at who is suspended, in milliseconds: so long may a terminal stay so.
const LOOKS_MS: [u64; 2] = [20_000, 60_000];
/// The same when all faults have stopped.
const CALM_LOOK: Duration = Duration::from_secs(2);

/// Where a terminal stands on the ladder, if it is suspended.
pub(super) fn suspended(station: &Station<SimWorld>, terminal: TerminalId) -> Option<Ladder> {
    let ladder = station.ledger().ladder(&Subject::Terminal(terminal));
    ladder.filter(|ladder| ladder.standing == Standing::Suspended)
}

/// Looks after suspended terminals, until so many others have nothing to do any more.
pub(super) async fn watch(outside: Arc<Outside>, others: usize) {
    outside.day.step_done();
    loop {
        let pause = match outside.weather.is_calm() {
            true => CALM_LOOK,
            false => outside.nature.draw(|chance| chance.millis(LOOKS_MS[0], LOOKS_MS[1])),
        };
        tokio::select! {
            biased;
            () = outside.nature.after(pause) => {}
            () = outside.day.calm(), if !outside.weather.is_calm() => {}
        }
        let done = outside.day.all_closed() >= others;
        let waiting = resume_all(&outside).await;
        if done && !waiting {
            break;
        }
    }
    outside.day.closed();
}

/// Whether anybody is still suspended, as far as the station can say.
async fn resume_all(outside: &Arc<Outside>) -> bool {
    let Some(station) = outside.front() else { return true };
    let all = station.ledger().ladders().into_iter();
    let waiting: Vec<_> = all.filter(|(_, ladder)| ladder.standing == Standing::Suspended).collect();
    for (subject, _) in &waiting {
        let (subject, station, nature) = (*subject, Arc::clone(&station), Arc::clone(&outside.nature));
        let at = super::nature::SimClock(Arc::clone(&nature)).wall();
        outside.spawner.spawn(Realm::Station, async move {
            let (actor, reason) = ("operator".into(), "looked at".into());
            let entry = LadderEntry { subject, step: LadderStep::Resume, actor, reason, at };
            let done = matches!(station.ledger().step(entry).await, Ok(Stepped::Done(_)));
            nature.say(&format!("station: {subject:?} resumed by an operator: {done}"));
            if done {
                nature.sometimes(Sometimes::Resumed);
            }
        });
    }
    !waiting.is_empty()
}
