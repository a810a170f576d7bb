//! Who is at an end in the lists is so in the ledger too: closed is for good, also after a restart with another row.

use super::clock::SystemClock;
use super::enforce::name;
use super::standing_said::Places;
use crate::ledger::Ledger;
use crate::ledger::Stepped;
use crate::model::Clock;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::Standing;
use crate::model::Subject;
use crate::registry::Registry;
use futures_util::future::join_all;
use std::collections::HashMap;

/// Who says so on record.
pub(super) const ACTOR: &str = "registry";
/// Steps that are under way at once: they share a commit.
const AT_ONCE: usize = 256;
/// Of how many a log line says so each.
const SAID: usize = 20;

/// Takes the last step on the ladder for everybody whom the lists terminate and the ledger does not yet, and says who
/// would trade by the lists and does not, because they once terminated him.
pub(super) async fn note(registry: &Registry, ledger: &impl Ledger, places: impl Fn(&[Subject]) -> Places) {
    let ladders: HashMap<_, _> = ledger.ladders().into_iter().collect();
    let is_over =
        |subject: &Subject| ladders.get(subject).is_some_and(|ladder| ladder.standing == Standing::Terminated);
    let by_registry = |subject: &Subject| {
        let last = ladders.get(subject).and_then(|ladder| ladder.entries.back());
        last.is_some_and(|last| last.step == LadderStep::Terminate && &*last.actor == ACTOR)
    };
    let terminals = registry.terminals().map(|facts| (Subject::Terminal(facts.terminal), facts.standing));
    let merchants = registry.merchants().map(|merchant| (Subject::Merchant(merchant.id), merchant.standing));
    let (mut ending, mut risen) = (Vec::new(), Vec::new());
    for (subject, standing) in terminals.chain(merchants) {
        match (standing == Standing::Terminated, is_over(&subject)) {
            (true, false) => ending.push(subject),
            (false, true) if by_registry(&subject) => risen.push(subject),
            _ => {}
        }
    }
    ending.sort_unstable();
    risen.sort_unstable();
    if !ending.is_empty() {
        end(&ending, ledger, &places(&ending)).await;
    }
    if !risen.is_empty() {
        warn(&risen, &places(risen.get(..SAID).unwrap_or(&risen)));
    }
}

async fn end(subjects: &[Subject], ledger: &impl Ledger, places: &Places) {
    let at = SystemClock::start().wall();
    for some in subjects.chunks(AT_ONCE) {
        let mut steps = Vec::with_capacity(some.len());
        for subject in some {
            let place = places.get(subject).map_or_else(String::new, |place| format!(", {place}"));
            let reason = match subject {
                Subject::Terminal(_) => format!("the lists terminate it{place}"),
                Subject::Merchant(_) => format!("the lists close it{place}"),
            };
            let reason = reason.chars().filter(|letter| !letter.is_control()).take(LadderEntry::REASON).collect();
            let (subject, step) = (*subject, LadderStep::Terminate);
            steps.push(ledger.step(LadderEntry { subject, step, actor: ACTOR.into(), reason, at }));
        }
        for (subject, outcome) in some.iter().zip(join_all(steps).await) {
            let subject = name(subject);
            match outcome {
                Ok(Stepped::Done(_)) => {}
                Ok(Stepped::Refused(why)) => {
                    tracing::error!(event = "ended", subject, why, "that it is terminated is not on record");
                }
                Err(fault) => {
                    tracing::error!(event = "ended", subject, %fault, "that it is terminated is not on record");
                }
            }
        }
    }
    tracing::info!(event = "ended", count = subjects.len(), "terminated by the lists, which is for good and on record");
}

fn warn(subjects: &[Subject], places: &Places) {
    for subject in subjects.iter().take(SAID) {
        let (place, subject) = (places.get(subject).map_or("", String::as_str), name(subject));
        tracing::warn!(
            event = "risen",
            subject,
            place,
            "its row would let it trade, and it does not: the lists terminated it, which is for good"
        );
    }
    if let Some(more) = subjects.len().checked_sub(SAID).filter(|more| *more > 0) {
        tracing::warn!(event = "risen", "and {more} more");
    }
}
