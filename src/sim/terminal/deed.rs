//! Everything that can be done at a terminal, by name, as command lines and day scripts name it.

use super::TerminalFault;
use super::account::Account;
use super::card::{Card, Entry};
use super::drive::{Attendant, DriveFault, Driver, Outcome, now};
use super::follow::{FollowUp, Original};
use super::log::Log;
use super::request::{Purchase, Sent};
use super::shift::{Order, Served, Settlement};
use super::slip::Slip;
use crate::hsm::calculator::ClearPin;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::Kind;
use crate::model::Stan;

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deed {
    /// Get working keys and the batch number.
    SignIn,
    /// Close the day.
    SignOff,
    /// Is anybody there?
    Echo,
    /// Undo the last approved request, or what is pending.
    Reversal,
    /// A card is charged, held, asked or checked.
    Card(Kind),
    /// A card's money goes to another account.
    Transfer,
    /// A payment code is charged.
    Scan,
    /// Something follows an earlier transaction.
    Follow(Kind),
    /// A card is charged or credited without the host.
    Offline(Kind),
    /// What the host was not told of is told.
    Upload,
    /// The batch is settled.
    Settle,
    /// Parameters, public keys, applications and contactless parameters are fetched.
    Download,
}

/// Names of deeds, as people write them.
const NAMES: [(&str, Deed); 25] = [
    ("sign-in", Deed::SignIn),
    ("sign-off", Deed::SignOff),
    ("echo", Deed::Echo),
    ("reversal", Deed::Reversal),
    ("sale", Deed::Card(Kind::Sale)),
    ("preauth", Deed::Card(Kind::Authorization)),
    ("balance", Deed::Card(Kind::Balance)),
    ("verify", Deed::Card(Kind::Verification)),
    ("transfer", Deed::Transfer),
    ("scan", Deed::Scan),
    ("void", Deed::Follow(Kind::SaleVoid)),
    ("refund", Deed::Follow(Kind::Refund)),
    ("preauth-void", Deed::Follow(Kind::AuthorizationVoid)),
    ("increment", Deed::Follow(Kind::Increment)),
    ("complete", Deed::Follow(Kind::Completion)),
    ("complete-advice", Deed::Follow(Kind::CompletionAdvice)),
    ("complete-void", Deed::Follow(Kind::CompletionVoid)),
    ("tip", Deed::Follow(Kind::Adjustment)),
    ("offline-sale", Deed::Offline(Kind::OfflineSale)),
    ("offline-refund", Deed::Offline(Kind::OfflineRefund)),
    ("upload", Deed::Upload),
    ("settle", Deed::Settle),
    ("download", Deed::Download),
    ("adjust", Deed::Follow(Kind::Adjustment)),
    ("qr-sale", Deed::Scan),
];

impl Deed {
    /// From its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, deed)| *deed)
    }

    /// All names, for people.
    #[must_use]
    pub fn names() -> String {
        NAMES.map(|(name, _)| name).join(", ")
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(_, known)| *known == self).map_or("?", |(name, _)| name)
    }

    /// The kinds of which it follows the last one, if nobody says which.
    #[must_use]
    pub fn follows(self) -> &'static [Kind] {
        match self {
            Self::Follow(Kind::AuthorizationVoid | Kind::Increment | Kind::Completion | Kind::CompletionAdvice) => {
                &[Kind::Authorization]
            }
            Self::Follow(Kind::CompletionVoid) => &[Kind::Completion],
            Self::Follow(Kind::Refund) | Self::Offline(Kind::OfflineRefund) => {
                &[Kind::Sale, Kind::OfflineSale, Kind::Completion, Kind::CompletionAdvice]
            }
            Self::Follow(_) => &[Kind::Sale, Kind::OfflineSale],
            _ => &[],
        }
    }
}

/// A card at the reader.
pub struct Presented {
    /// The card.
    pub card: Card,
    /// How it is read.
    pub entry: Entry,
    /// The PIN, if one is entered.
    pub pin: Option<ClearPin>,
}

/// A deed with everything it needs.
pub struct Task<'a> {
    /// What is to be done.
    pub deed: Deed,
    /// How much.
    pub amount: Amount,
    /// The tip in it.
    pub tip: Amount,
    /// The card at the reader.
    pub card: Option<&'a Presented>,
    /// What it follows.
    pub original: Option<&'a Original>,
    /// The payment code, of a scan.
    pub code: Option<&'a Account>,
    /// The other account, of a transfer.
    pub to: Option<&'a str>,
    /// What somebody gave by voice, of a sale made offline.
    pub approval: Option<ApprovalCode>,
}

impl Task<'_> {
    /// A deed that needs nothing.
    #[must_use]
    pub fn of(deed: Deed) -> Self {
        let (amount, tip) = (Amount::ZERO, Amount::ZERO);
        Self { deed, amount, tip, card: None, original: None, code: None, to: None, approval: None }
    }
}

/// How a deed ended.
pub enum Done {
    /// The host was asked; the slip is there if it approved something that leaves one.
    Asked(Option<Box<Sent>>, Outcome, Option<Box<Slip>>),
    /// It was done offline.
    Offline(Box<Slip>),
    /// The batch was settled, or not yet.
    Settled(Settlement),
    /// The sign-in or the reversal before it was not accepted.
    NotReady(Option<Outcome>),
    /// There was nothing to do.
    Nothing,
}

impl<A: Attendant> Driver<A> {
    /// Does it, with everything that must come before it.
    ///
    /// # Errors
    /// [`DriveFault`]; [`TerminalFault::Incomplete`] if the task lacks what its deed needs.
    pub async fn perform(&mut self, task: &Task<'_>) -> Result<Done, DriveFault> {
        let card = task.card.ok_or(TerminalFault::Incomplete("a card"));
        let original = task.original.ok_or(TerminalFault::Incomplete("an original"));
        match task.deed {
            Deed::SignIn => self.sign_in().await.map(bare),
            Deed::SignOff => self.sign_off().await.map(bare),
            Deed::Echo => self.echo().await.map(bare),
            Deed::Reversal if !self.terminal_mut().undo_last() => Ok(Done::Nothing),
            Deed::Reversal => Ok(self.make_ready().await?.map_or(Done::Nothing, bare)),
            Deed::Upload => Ok(self.make_ready().await?.map_or(Done::Nothing, bare)),
            Deed::Download => self.download_all().await.map(bare),
            Deed::Settle => self.settle().await.map(Done::Settled),
            Deed::Card(kind) => self.order(&Order::Purchase(&purchase(kind, task, card?))).await,
            Deed::Transfer => {
                let to = task.to.ok_or(TerminalFault::Incomplete("an account"))?;
                self.order(&Order::Transfer(&purchase(Kind::Transfer, task, card?), to)).await
            }
            Deed::Scan => {
                let code = task.code.ok_or(TerminalFault::Incomplete("a payment code"))?;
                self.order(&Order::Scan(code, task.amount)).await
            }
            Deed::Offline(Kind::OfflineRefund) if original.is_ok() => {
                let follow = follow_up(Kind::OfflineRefund, task, original?);
                let slip = self.terminal_mut().offline_refund(&follow, now())?;
                self.keep()?;
                Ok(Done::Offline(Box::new(slip)))
            }
            Deed::Offline(kind) => {
                let slip = self.terminal_mut().offline(&purchase(kind, task, card?), task.approval, now())?;
                self.keep()?;
                Ok(Done::Offline(Box::new(slip)))
            }
            Deed::Follow(kind) => self.order(&Order::FollowUp(&follow_up(kind, task, original?))).await,
        }
    }

    async fn order(&mut self, order: &Order<'_>) -> Result<Done, DriveFault> {
        Ok(match self.serve(order).await? {
            Served::NotReady(outcome) => Done::NotReady(outcome),
            Served::Asked(sent, outcome) => {
                let log = &self.terminal().memory().log;
                let approved = outcome.answer().is_some_and(|answer| answer.approved && answer.valid);
                let slip = slip_of(log, &sent).filter(|_| approved).cloned().map(Box::new);
                Done::Asked(Some(sent), outcome, slip)
            }
        })
    }
}

fn bare(outcome: Outcome) -> Done {
    Done::Asked(None, outcome, None)
}

fn purchase<'a>(kind: Kind, task: &Task<'_>, shown: &'a Presented) -> Purchase<'a> {
    Purchase { kind, amount: task.amount, card: &shown.card, entry: shown.entry, pin: shown.pin.as_ref() }
}

fn follow_up<'a>(kind: Kind, task: &Task<'a>, original: &'a Original) -> FollowUp<'a> {
    FollowUp {
        kind,
        amount: task.amount,
        tip: task.tip,
        original,
        card: task.card.map(|shown| (&shown.card, shown.entry)),
        pin: task.card.and_then(|shown| shown.pin.as_ref()),
    }
}

fn slip_of<'a>(log: &'a Log, sent: &Sent) -> Option<&'a Slip> {
    let stan = sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan))?;
    log.slips.iter().rfind(|slip| slip.stan == stan && slip.kind == sent.kind)
}
