//! What a terminal knows of its batch and of the one before it, and what it still has to tell the host.

use super::account::Account;
use super::follow::Original;
use super::slip::{Side, Slip, Standing};
use crate::iso8583::De;
use crate::model::Amount;
use crate::model::BatchEntry;
use crate::model::BatchNumber;
use crate::model::BatchTotals;
use crate::model::Direction;
use crate::model::Kind;
use crate::model::Stan;
use crate::model::VoidsInTotals;
use std::ops::Range;

/// A terminal's slips, and its messages that nobody acknowledged yet.
#[derive(Clone, Default)]
pub struct Log {
    /// Of the batch that is open.
    pub slips: Vec<Slip>,
    /// Of the batch closed last: for refunds, completions and second receipts.
    pub before: Vec<Slip>,
    /// Advices to be acknowledged, the oldest first.
    pub advices: Vec<Advice>,
    /// The settlement under way.
    pub closing: Option<Closing>,
    /// The last one that ended.
    pub settled: Option<Settled>,
}

/// A message that goes again until it is answered.
#[derive(Clone)]
pub struct Advice {
    /// What it tells.
    pub kind: Kind,
    /// Its number.
    pub stan: Stan,
    /// What it is charged to.
    pub account: Option<Account>,
    /// Its elements but card number, track, PIN and MAC, in canonical form.
    pub elements: Vec<(De, Vec<u8>)>,
    /// How often it went out.
    pub attempts: u32,
    /// Somebody waits at the counter to see it go out for the first time: if it cannot, it is not told at all.
    pub is_asked: bool,
}

/// A settlement that began: what was claimed, and how far it has come. Kept before each message leaves, so
/// that a power cut resumes at the step that failed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Closing {
    /// Which batch.
    pub batch: BatchNumber,
    /// The number of the settlement message, the same for each repeat.
    pub stan: Stan,
    /// How often that message went out: once it may have arrived, the batch may be closed at the host.
    pub attempts: u32,
    /// What the terminal claims.
    pub totals: BatchTotals,
    /// How far it has come.
    pub step: Step,
    /// Whether the host had the same.
    pub balanced: bool,
    /// The number of the upload message of this step, once it went out.
    pub upload: Option<Stan>,
}

impl Closing {
    /// Whether the host may have closed the batch by it.
    #[must_use]
    pub fn may_be_known(&self) -> bool {
        self.step != Step::Totals || self.attempts > 0
    }
}

/// How a batch was closed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Settled {
    /// Which batch.
    pub batch: BatchNumber,
    /// What the terminal claimed.
    pub totals: BatchTotals,
    /// Whether the host had the same; otherwise every transaction was uploaded.
    pub balanced: bool,
}

/// How far a settlement has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// The totals are to be compared.
    Totals,
    /// They differ. So many debits are uploaded.
    Details(usize),
    /// All debits are; so many credits are.
    Notices(usize),
    /// The totals are equal. So many certificates of chips are uploaded.
    Certificates(usize),
    /// Everything is: the end is to be said.
    End,
}

impl Log {
    /// A slip of the open batch, or else of the one before it, by its number; the last one of that number.
    #[must_use]
    pub fn find(&self, stan: Stan) -> Option<&Slip> {
        self.before.iter().chain(&self.slips).rfind(|slip| slip.stan == stan)
    }

    /// The slip that an original names by its batch and number.
    pub(super) fn slip_of(&self, original: &Original) -> Option<&Slip> {
        self.find(original.stan?).filter(|slip| Some(slip.batch) == original.batch)
    }

    /// The last slip of these kinds that stands; of any kind if none is named.
    #[must_use]
    pub fn last(&self, kinds: &[Kind]) -> Option<&Slip> {
        let fits = |slip: &&Slip| slip.standing == Standing::Stands && (kinds.is_empty() || kinds.contains(&slip.kind));
        self.before.iter().chain(&self.slips).rfind(fits)
    }

    /// What the open batch comes to; `None` if that cannot be counted.
    #[must_use]
    pub fn totals(&self, voids: VoidsInTotals) -> Option<BatchTotals> {
        self.items(voids).try_fold(BatchTotals::default(), |totals, (slip, direction)| {
            totals.plus(BatchEntry { foreign: slip.foreign, direction, amount: slip.amount })
        })
    }

    /// The slips that are in the totals, and on which side.
    pub fn items(&self, voids: VoidsInTotals) -> impl Iterator<Item = (&Slip, Direction)> {
        self.slips.iter().filter_map(move |slip| {
            let direction = match (slip.side()?, slip.standing, voids) {
                (_, Standing::Refused, _) => return None,
                (Side::Debit, Standing::Voided, VoidsInTotals::Removed) | (Side::Void, _, VoidsInTotals::Removed) => {
                    return None;
                }
                (Side::Debit, _, _) => Direction::Debit,
                (Side::Credit, _, _) | (Side::Void, _, VoidsInTotals::Credit) => Direction::Credit,
            };
            Some((slip, direction))
        })
    }

    /// Adds the slip of an approval, with what it does to the slip it follows. One of another batch than the
    /// `open` one, told late, is with those before.
    pub(super) fn add(&mut self, mut slip: Slip, open: BatchNumber) {
        // A follow-up by voucher does not say the code: its payment's slip does.
        if slip.account.is_none() && slip.voucher.is_some() {
            let paid = self.before.iter().chain(&self.slips).rfind(|paid| paid.voucher == slip.voucher);
            slip.account = paid.and_then(|paid| paid.account.clone());
        }
        match slip.original {
            Some(original) if slip.is_void() => self.mark(original, Standing::Voided),
            Some(original) if slip.kind == Kind::Adjustment => self.adjust(original, slip.amount),
            Some(original) if slip.kind == Kind::Increment => self.hold(original, |held| held.plus(slip.amount)),
            _ => {}
        }
        if slip.batch == open { self.slips.push(slip) } else { self.before.push(slip) }
    }

    /// Takes a slip out again: its request was undone. What it cancelled stands again.
    pub(super) fn undo(&mut self, stan: Stan) {
        let Some(at) = self.slips.iter().rposition(|slip| slip.stan == stan) else { return };
        let slip = self.slips.remove(at);
        if let Some(original) = slip.original.filter(|_| slip.is_void()) {
            self.mark(original, Standing::Stands);
        }
        if let Some(original) = slip.original.filter(|_| slip.kind == Kind::Increment) {
            self.hold(original, |held| held.minus(slip.amount));
        }
    }

    /// Changes what a hold holds in all: its void is of all of it.
    fn hold(&mut self, stan: Stan, change: impl FnOnce(Amount) -> Option<Amount>) {
        if let Some(hold) = self.find_mut(stan).filter(|slip| slip.kind == Kind::Authorization)
            && let Some(amount) = change(hold.amount)
        {
            hold.amount = amount;
        }
    }

    /// The host has what was made offline.
    pub(super) fn accept(&mut self, stan: Stan, answered: Option<Slip>) {
        let Some(slip) = self.find_mut(stan) else { return };
        if let Some(answered) = answered {
            slip.rrn = answered.rrn.or(slip.rrn);
            slip.approval = answered.approval.or(slip.approval);
            slip.foreign = answered.foreign;
            // The host knows it by the day on which it was told.
            slip.at = answered.at.or(slip.at);
        }
    }

    /// A message did not leave: it was not told this time, and what was only asked is not told later.
    pub(super) fn not_sent(&mut self, stan: Option<Stan>) {
        for advice in self.advices.iter_mut().filter(|advice| Some(advice.stan) == stan) {
            advice.attempts = advice.attempts.saturating_sub(1);
        }
        self.advices.retain(|advice| advice.attempts > 0 || Some(advice.stan) != stan || !advice.is_asked);
        let claimed =
            self.closing.as_mut().filter(|closing| closing.step == Step::Totals && Some(closing.stan) == stan);
        if let Some(closing) = claimed {
            closing.attempts = closing.attempts.saturating_sub(1);
        }
    }

    /// The host would not take what was made offline.
    pub(super) fn refuse(&mut self, stan: Stan) {
        self.mark(stan, Standing::Refused);
    }

    fn mark(&mut self, stan: Stan, standing: Standing) {
        if let Some(slip) = self.find_mut(stan) {
            slip.standing = standing;
        }
    }

    fn find_mut(&mut self, stan: Stan) -> Option<&mut Slip> {
        self.before.iter_mut().chain(&mut self.slips).rfind(|slip| slip.stan == stan)
    }

    /// A sale is worth `whole` from now on; what is more than it was asked is a tip.
    fn adjust(&mut self, stan: Stan, whole: Amount) {
        let Some(slip) = self.slips.iter_mut().rfind(|slip| slip.stan == stan) else { return };
        let bare = slip.amount.minus(slip.tip).unwrap_or(slip.amount);
        (slip.amount, slip.tip) = (whole, whole.minus(bare).unwrap_or(Amount::ZERO));
    }

    /// Closes the batch: its slips are the ones before.
    pub(super) fn close(&mut self, settled: Option<Settled>) {
        self.before = std::mem::take(&mut self.slips);
        self.closing = None;
        self.settled = settled;
    }

    /// Another batch begins than ours: its slips are the ones before, but what never went out goes with it. What
    /// did may be known to the host under the batch it named, and keeps it: under another it would be another
    /// transaction. `place` is where an advice says its batch.
    pub(super) fn move_on(&mut self, batch: BatchNumber, place: Option<(De, Range<usize>)>) {
        self.close(None);
        self.take_along(batch, place);
    }

    /// What the host does not have belongs to the batch that is open now. `place` is where an advice says its batch.
    pub(super) fn take_along(&mut self, batch: BatchNumber, place: Option<(De, Range<usize>)>) {
        let unsent = || self.advices.iter().filter(|advice| advice.attempts == 0);
        let comes = |slip: &Slip| slip.batch != batch && unsent().any(|advice| advice.stan == slip.stan);
        let (come, stay) = std::mem::take(&mut self.before).into_iter().partition::<Vec<_>, _>(comes);
        self.before = stay;
        self.slips.extend(come.into_iter().map(|slip| Slip { batch, ..slip }));
        let Some((de, range)) = place else { return };
        let unsent = self.advices.iter_mut().filter(|advice| advice.attempts == 0);
        let elements = unsent.flat_map(|advice| &mut advice.elements);
        for (_, value) in elements.filter(|(element, _)| *element == de) {
            if let Some(digits) = value.get_mut(range.clone()).filter(|digits| digits.len() == 6) {
                digits.copy_from_slice(&batch.digits());
            }
        }
    }
}
