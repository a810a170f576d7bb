//! What is left of a terminal's limit when its day is over.

use super::plan::Manner;
use super::till::CALM_TRIES;
use super::till::Till;
use crate::ledger::Ledger;
use crate::model::Kind;
use crate::model::ResponseCode;

impl Till {
    /// I10: what is left of the day's limit can be sold, and not a cent more.
    pub(super) async fn probe_limit(&mut self) {
        let Some(limit) = self.outside.daily_amount else { return };
        let date = self.outside.today();
        let left = limit.saturating_sub(self.outside.sold_on(self.line.terminal, date));
        let whole = left / 100 * 100;
        if whole > 0 && self.sells(whole).await == Some(ResponseCode::AmountLimit) && self.is_full() {
            let terminal = self.line.terminal;
            self.outside.history.breach(format!("I10: {terminal} is refused {whole} with {left} left of its limit"));
        }
        let left = limit.saturating_sub(self.outside.sold_on(self.line.terminal, date));
        let sells = left < 100 && self.sells(100).await.is_some_and(ResponseCode::is_approval);
        if sells && self.outside.today() == date {
            self.outside.history.breach(format!("I10: {} sells 100 with {left} left of its limit", self.line.terminal));
        }
    }

    /// Whether its own counter refused its last request: cards and shops have limits of their own, and others use them.
    fn is_full(&self) -> bool {
        let Some(station) = self.outside.front() else { return false };
        let own = station.ledger().records().into_iter().map(|record| record.intent);
        let last = own.filter(|intent| intent.identity.terminal == self.line.terminal).max_by_key(|intent| intent.id);
        last.and_then(|intent| intent.refusal.clone()).is_none_or(|refusal| refusal.rule == "terminal-daily")
    }

    /// What a sale is answered.
    async fn sells(&mut self, minor: u64) -> Option<ResponseCode> {
        self.ready(CALM_TRIES).await;
        let number = self.outside.history.read(|seen| seen.deals.len());
        self.buy(Kind::Sale, minor, 0, Manner::Plain, CALM_TRIES).await;
        let rrn = self.outside.history.read(|seen| {
            seen.deals.iter().skip(number).find(|deal| deal.terminal == self.line.terminal).and_then(|deal| deal.rrn)
        })?;
        self.outside.history.read(|seen| {
            let answer = seen.answered.iter().rfind(|answer| answer.rrn == Some(rrn))?;
            ResponseCode::parse(&answer.code)
        })
    }
}
