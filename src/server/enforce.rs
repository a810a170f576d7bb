//! Steps on the enforcement ladder, as an operator orders them from a running station.

use super::control::Lists;
use super::control::signed;
use super::standing_said::Saying;
use super::station::Real;
use crate::flow::Station;
use crate::ledger::Ledger;
use crate::ledger::Stepped;
use crate::model::Amount;
use crate::model::Clock;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::MerchantId;
use crate::model::RemoteAction;
use crate::model::Standing;
use crate::model::Subject;
use crate::model::TerminalId;
use serde::Deserialize;
use serde::Serialize;
use serde_json::Value;
use serde_json::json;

/// A step on the ladder: whose, which, who says so, why.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// DE 41, if it is a terminal's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<String>,
    /// DE 42, if it is a merchant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merchant: Option<String>,
    /// `warn`, `fine`, `suspend`, `resume`, `terminate`; `sign-in`, `download`, `upgrade`.
    pub step: String,
    /// Of a fine, in minor units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<u64>,
    /// Who says so.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// Takes the step, and says where its subject stands then.
pub(super) async fn step(order: Step, station: &Station<Real>, lists: &Lists) -> Result<Value, String> {
    let subject = subject(&order, station)?;
    let step = ladder_step(&order, &subject)?;
    signed(&order.actor, &order.reason)?;
    let Step { actor, reason, .. } = order;
    tracing::warn!(
        event = "control",
        actor,
        reason,
        subject = name(&subject),
        step = word(&step),
        "an operator takes a step on the ladder"
    );
    let at = station.clock().wall();
    let entry = LadderEntry { subject, step, actor: actor.into(), reason: reason.into(), at };
    match station.ledger().step(entry).await {
        Ok(Stepped::Done(ladder)) => {
            let mut row = row(&subject, &ladder);
            if step == LadderStep::Resume
                && let Some(still) = suspended_by_lists(&subject, station, lists).await
                && let Some(row) = row.as_object_mut()
            {
                row.insert("but".to_owned(), still.into());
            }
            Ok(row)
        }
        Ok(Stepped::Refused(why)) => {
            let is_free = station.ledger().ladder(&subject).is_none_or(|ladder| ladder.standing == Standing::Active);
            let by = match step {
                LadderStep::Resume if is_free => suspended_by_lists(&subject, station, lists).await,
                _ => None,
            };
            Err(by.map_or_else(|| why.to_owned(), |by| format!("{why} on the ladder: {by}")))
        }
        Err(fault) => Err(fault.to_string()),
    }
}

/// In words what is to be changed in the lists before somebody trades, if they keep him from it. They are looked at on a
/// thread of its own: they may be long.
async fn suspended_by_lists(subject: &Subject, station: &Station<Real>, lists: &Lists) -> Option<String> {
    let registry = station.registry();
    let (blamed, standing, whose) = match subject {
        Subject::Terminal(id) => {
            let facts = registry.terminal(*id)?;
            match facts.standing {
                Standing::Active => {
                    let merchant = facts.merchant;
                    (Subject::Merchant(merchant), facts.merchant_standing, Some(format!("its merchant {merchant}")))
                }
                standing => (*subject, standing, None),
            }
        }
        Subject::Merchant(id) => (*subject, registry.merchant(*id)?.standing, None),
    };
    let verb = match standing {
        Standing::Active => return None,
        Standing::Suspended => "suspends",
        Standing::Terminated => "terminates",
    };
    let found = match lists.get().cloned() {
        Some(lists) => tokio::task::spawn_blocking(move || lists.standing_said(&blamed)).await.ok().flatten(),
        None => None,
    };
    let whom = whose.unwrap_or_else(|| "it".to_owned());
    let place = match found {
        Some(Saying { whose: Some(whose), place }) => format!("change the row of {whose}, {place}"),
        Some(Saying { whose: None, place }) => format!("change its row, {place}"),
        None => "change its row".to_owned(),
    };
    Some(match standing {
        Standing::Terminated => format!("the registry {verb} {whom}, which is for good"),
        _ => format!("the registry {verb} {whom}: {place}, then tollgate reload"),
    })
}

/// Where everybody stands who ever took a step.
pub(super) fn all(station: &Station<Real>) -> Vec<Value> {
    station.ledger().ladders().iter().map(|(subject, ladder)| row(subject, ladder)).collect()
}

fn subject(order: &Step, station: &Station<Real>) -> Result<Subject, String> {
    match (&order.terminal, &order.merchant) {
        (Some(terminal), None) => {
            let terminal = TerminalId::parse(terminal.as_bytes()).ok_or("a terminal has 8 characters")?;
            let known = station.registry().terminal(terminal).is_some();
            known.then_some(Subject::Terminal(terminal)).ok_or_else(|| format!("terminal {terminal} is not listed"))
        }
        (None, Some(merchant)) => {
            let merchant = MerchantId::parse(merchant.as_bytes()).ok_or("a merchant has 15 characters")?;
            let known = station.registry().merchant(merchant).is_some();
            known.then_some(Subject::Merchant(merchant)).ok_or_else(|| format!("merchant {merchant} is not listed"))
        }
        _ => Err("one terminal or one merchant".to_owned()),
    }
}

fn ladder_step(order: &Step, subject: &Subject) -> Result<LadderStep, String> {
    let of_terminal = matches!(subject, Subject::Terminal(_));
    let step = match (&*order.step, order.amount) {
        ("fine", Some(0)) => return Err("a fine of nothing".to_owned()),
        ("fine", Some(amount)) => Amount::new(amount).filter(|amount| *amount > Amount::ZERO).map(LadderStep::Fine),
        ("fine", None) => return Err("a fine has an amount".to_owned()),
        (_, Some(_)) => return Err("only a fine has an amount".to_owned()),
        ("warn", None) => Some(LadderStep::Warn),
        ("suspend", None) => Some(LadderStep::Suspend),
        ("resume", None) => Some(LadderStep::Resume),
        ("terminate", None) => Some(LadderStep::Terminate),
        ("sign-in", None) if of_terminal => Some(LadderStep::Ask(RemoteAction::SignIn)),
        ("download", None) if of_terminal => Some(LadderStep::Ask(RemoteAction::Download)),
        ("upgrade", None) if of_terminal => Some(LadderStep::Ask(RemoteAction::Upgrade)),
        _ => None,
    };
    step.ok_or_else(|| {
        "no such step: warn, fine, suspend, resume, terminate; of a terminal also sign-in, download, upgrade".to_owned()
    })
}

/// A subject as commands and reports write it.
pub(super) fn name(subject: &Subject) -> String {
    match subject {
        Subject::Terminal(terminal) => format!("terminal {terminal}"),
        Subject::Merchant(merchant) => format!("merchant {merchant}"),
    }
}

/// A step as reports write it.
fn word(step: &LadderStep) -> String {
    match step {
        LadderStep::Fine(amount) => format!("fine of {amount}"),
        LadderStep::Ask(action) | LadderStep::Done(action) => format!("{} {}", step.name(), action.name()),
        _ => step.name().to_owned(),
    }
}

fn row(subject: &Subject, ladder: &Ladder) -> Value {
    let entries = ladder.entries.iter().map(|entry| {
        json!({
            "step": word(&entry.step),
            "actor": &*entry.actor,
            "reason": &*entry.reason,
            "at": entry.at.to_string(),
        })
    });
    json!({
        "subject": name(subject),
        "standing": ladder.standing.name(),
        "warnings": ladder.warnings,
        "fines": ladder.fines.0,
        "fined": ladder.fines.1,
        "asked": ladder.asked.iter().map(|action| action.name()).collect::<Vec<_>>(),
        "entries": entries.collect::<Vec<_>>(),
    })
}
