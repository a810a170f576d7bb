//! What is in force since when, on record: the lists and the rules, as they were at the start and as they were read again.

use super::clock::SystemClock;
use crate::ledger::Ledger;
use crate::model::Clock;
use crate::model::LadderEntry;
use crate::model::Revised;
use crate::model::Revision;
use crate::registry::Registry;
use crate::risk::Checks;

/// What is in force from now on.
pub(super) struct InForce<'a> {
    /// Who takes part.
    pub(super) registry: &'a Registry,
    /// SHA-256 of the lists' texts.
    pub(super) digest: [u8; 32],
    /// The rules.
    pub(super) checks: &'a Checks,
}

impl InForce<'_> {
    /// Notes what differs from what is on record already. What cannot be noted is in force all the same, and said.
    pub(super) async fn note(&self, ledger: &impl Ledger, actor: &str, reason: &str) {
        let at = SystemClock::start().wall();
        let text = |text: &str, most| text.chars().filter(|letter| !letter.is_control()).take(most).collect();
        for (what, version, digest) in self.parts() {
            let (actor, reason) = (text(actor, LadderEntry::ACTOR), text(reason, LadderEntry::REASON));
            let revision = Revision { what, version: text(&version, Revision::VERSION), digest, actor, reason, at };
            match ledger.revise(revision).await {
                Ok(None) => {}
                Ok(Some(why)) => {
                    tracing::error!(event = "revision", what = what.name(), why, "what is in force is not on record")
                }
                Err(fault) => {
                    tracing::error!(event = "revision", what = what.name(), %fault, "what is in force is not on record")
                }
            }
        }
    }

    fn parts(&self) -> Vec<(Revised, String, [u8; 32])> {
        let Checks { live, shadow } = self.checks;
        let lists =
            format!("{} terminals, {} merchants", self.registry.terminals().count(), self.registry.merchants().count());
        let shadow =
            shadow.as_ref().map_or(("none".to_owned(), [0; 32]), |rules| (rules.version.to_string(), rules.digest()));
        vec![
            (Revised::Registry, lists, self.digest),
            (Revised::Rules, live.version.to_string(), live.digest()),
            (Revised::Shadow, shadow.0, shadow.1),
        ]
    }
}
