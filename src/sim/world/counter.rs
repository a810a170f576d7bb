//! What a terminal does beyond buying: it follows up, works offline, and settles its batch.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::history::SettledBatch;
use super::till::CALM_TRIES;
use super::till::PATIENCE;
use super::till::TRIES;
use super::till::Till;
use crate::ledger::Ledger;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::OnUnknown;
use crate::model::Rrn;
use crate::sim::terminal::Card;
use crate::sim::terminal::Entry;
use crate::sim::terminal::FollowUp;
use crate::sim::terminal::Original;
use crate::sim::terminal::Purchase;
use crate::sim::terminal::Sent;
use crate::sim::terminal::Settled;
use crate::sim::terminal::Slip;
use std::sync::Arc;
use std::time::Duration;

impl Till {
    /// Follows the last transaction that this kind may follow, if there is one.
    pub(super) async fn follow(&mut self, kind: Kind, percent: u64) {
        self.ready(TRIES).await;
        self.tell(TRIES).await;
        if self.terminal.memory().pending.is_some() || self.terminal.needs_sign_in() || self.terminal.untold() > 0 {
            return;
        }
        let Some((_, of_kinds)) = kinds::of(kind).follows else { return };
        let log = &self.terminal.memory().log;
        let Some(slip) = log.last(of_kinds).cloned() else { return };
        let whole = slip.amount.minor();
        let bare = whole.saturating_sub(slip.tip.minor());
        let amount = whole * percent / 100;
        // The cents of what is told choose the answer too: some would be told for ever.
        let amount = if kinds::of(kind).is_advice { amount - amount % 100 } else { amount };
        let (Some(amount), Some(tip)) = (Amount::new(amount), Amount::new(amount.saturating_sub(bare))) else {
            return;
        };
        let original = Original::from(&slip);
        let follow = FollowUp { kind, amount, tip, original: &original, card: None, pin: None };
        let now = self.now();
        if kind == Kind::OfflineRefund {
            let Ok(given) = self.terminal.offline_refund(&follow, now) else { return };
            self.enter_slip(&given, self.deal_of(&slip));
            return self.tell(TRIES).await;
        }
        let Ok(sent) = self.terminal.follow_up(&follow, now) else { return };
        self.enter(&sent, amount.minor(), kind, self.deal_of(&slip));
        if kinds::of(kind).on_unknown == OnUnknown::Repeat {
            self.send(&sent);
            self.heard(&sent).await;
            return self.tell(TRIES).await;
        }
        self.send(&sent);
        let closed = self.is_closed(slip.rrn);
        self.heard(&sent).await;
        if closed && self.terminal.memory().pending.is_none() {
            self.outside.nature.sometimes(Sometimes::FollowedClosed);
        }
        self.undo(TRIES).await;
    }

    /// Whether what has this number has left the station's memory.
    fn is_closed(&self, rrn: Option<Rrn>) -> bool {
        let Some(station) = self.outside.front() else { return false };
        !station.ledger().records().iter().any(|record| Some(record.intent.rrn) == rrn)
    }

    /// The request that a slip is of.
    fn deal_of(&self, slip: &Slip) -> Option<usize> {
        let terminal = self.line.terminal;
        self.outside.history.read(|seen| {
            seen.deals
                .iter()
                .rposition(|deal| (deal.terminal, deal.stan, deal.kind) == (terminal, slip.stan, slip.kind))
        })
    }

    /// Waits for an answer, and believes it.
    async fn heard(&mut self, sent: &Sent) {
        let Some(answer) = self.hear(sent, PATIENCE).await else { return };
        self.judge(sent, &answer);
        if answer.wants_sign_in() {
            self.sign_in().await;
        }
    }

    /// Sells or refunds without asking, and tells it.
    pub(super) async fn offline(&mut self, kind: Kind, minor: u64, card: usize) {
        self.ready(TRIES).await;
        let (Some(amount), Some(card)) = (Amount::new(minor), self.cards.get(card % self.cards.len().max(1))) else {
            return;
        };
        if self.terminal.needs_sign_in() {
            return;
        }
        let card = Card::of(card);
        let purchase = Purchase { kind, amount, card: &card, entry: Entry::Manual, pin: None };
        let now = self.now();
        let Ok(slip) = self.terminal.offline(&purchase, None, now) else { return };
        self.enter_slip(&slip, None);
        self.tell(TRIES).await;
    }

    /// Tells what is to be told, until it is acknowledged.
    pub(super) async fn tell(&mut self, tries: usize) {
        for _ in 0..tries {
            if self.terminal.needs_sign_in() {
                self.sign_in().await;
            }
            let Ok(Some(sent)) = self.terminal.advice() else { return };
            self.send(&sent);
            self.heard(&sent).await;
        }
    }

    /// Settles the batch, or goes on with a settlement that was interrupted. Whether it is over.
    pub(super) async fn settle(&mut self, lies: bool, tries: usize) -> bool {
        let batch = self.terminal.memory().batch;
        self.make_ready(tries).await;
        self.tell(tries).await;
        let memory = self.terminal.memory();
        if memory.pending.is_some() || self.terminal.needs_sign_in() || self.terminal.untold() > 0 {
            return false;
        }
        if memory.batch != batch {
            return true;
        }
        if memory.log.closing.is_none() {
            self.lied |= lies && self.terminal.lose(1);
        }
        if self.terminal.begin_settlement().is_err() {
            return false;
        }
        self.close(tries).await
    }

    /// Claims the totals of its batch without one of its slips, and does not hear the answer.
    pub(super) async fn settle_unheard(&mut self) {
        self.make_ready(TRIES).await;
        self.tell(TRIES).await;
        let lost = self.terminal.memory().log.closing.is_none() && self.terminal.lose(1);
        self.lied |= lost;
        if self.terminal.begin_settlement().is_err() {
            return;
        }
        let now = self.now();
        if let Ok(Some(sent)) = self.terminal.settlement(now) {
            self.send_unheard(&sent).await;
        }
    }

    /// The messages of a settlement that began.
    async fn close(&mut self, tries: usize) -> bool {
        let (batch, mut unheard) = (self.terminal.memory().batch, 0);
        while unheard < tries {
            let now = self.now();
            let Ok(Some(sent)) = self.terminal.settlement(now) else { break };
            self.send(&sent);
            let Some(answer) = self.hear(&sent, PATIENCE).await else {
                unheard += 1;
                continue;
            };
            unheard = if answer.approved { 0 } else { unheard + 1 };
            if answer.wants_sign_in() {
                self.sign_in().await;
                if self.terminal.memory().batch != batch {
                    self.outside.nature.sometimes(Sometimes::ClosedByHost);
                    return true;
                }
                if self.terminal.needs_sign_in() || self.terminal.begin_settlement().is_err() {
                    return false;
                }
            } else if self.terminal.memory().log.closing.is_none() {
                break;
            }
        }
        let settled = self.terminal.memory().log.settled.clone();
        let settled = settled.filter(|settled| settled.batch == batch && self.terminal.memory().batch != batch);
        settled.map(|settled| self.closed(settled)).is_some()
    }

    fn closed(&mut self, settled: Settled) {
        let Settled { batch, totals, balanced } = settled;
        let (terminal, lied) = (self.line.terminal, std::mem::take(&mut self.lied));
        self.outside.nature.sometimes(if balanced { Sometimes::Balanced } else { Sometimes::Unbalanced });
        self.outside.history.note(|seen| seen.settled.push(SettledBatch { terminal, batch, totals, lied, balanced }));
    }

    /// At the end of the day everything is told and settled.
    pub(super) async fn close_the_day(&mut self) {
        if self.terminal.setup().profile.sign_in {
            let mut over = false;
            for _ in 0..CALM_TRIES {
                over = over || self.settle(false, CALM_TRIES).await;
                if over {
                    return;
                }
                self.outside.nature.after(Duration::from_secs(3)).await;
            }
            self.outside.history.breach(format!("I13: the batch of {} is not settled", self.line.terminal));
            return;
        }
        for _ in 0..CALM_TRIES {
            self.tell(1).await;
            if self.terminal.untold() == 0 {
                return;
            }
            self.outside.nature.after(Duration::from_secs(3)).await;
        }
        self.outside.history.breach(format!("I13: {} cannot tell what it has to", self.line.terminal));
    }

    /// An operator closes this terminal's batch in a while.
    pub(super) fn force_close(&self, after: Duration) {
        let (outside, terminal) = (Arc::clone(&self.outside), self.line.terminal);
        self.outside.spawner.spawn(Realm::Outside, async move {
            outside.nature.after(after).await;
            let Some(station) = outside.front() else { return };
            let nature = Arc::clone(&outside.nature);
            outside.spawner.spawn(Realm::Station, async move {
                let who = ("operator".to_owned(), "lost terminal".to_owned());
                let closed = station.close_for_operator(terminal, None, who).await;
                nature.say(&format!("station: batch of {terminal} closed by an operator: {}", closed.is_ok()));
                if closed.is_ok() {
                    nature.sometimes(Sometimes::ForcedClose);
                }
            });
        });
    }
}
