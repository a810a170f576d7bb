//! What happens at the counter, each with everything that must come before it and what follows from its answer.

use super::account::Account;
use super::drive::{Attendant, DriveFault, Driver, Outcome, now};
use super::follow::FollowUp;
use super::log::Settled;
use super::request::{Purchase, Sent};
use crate::iso8583::Role;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::Kind;
use crate::model::OnUnknown;
use crate::model::Stan;

/// How often each message of a settlement goes out before the terminal gives up for now.
pub const SETTLEMENT_ATTEMPTS: u32 = 3;

/// How often a terminal signs in during a settlement: to be heard, and to learn the batch once the host has said that
/// the totals are of none that it knows.
const SIGN_INS: u32 = 2;

/// The most slips of a batch: a settlement counts to 999.
pub const SLIPS_AT_MOST: usize = 900;

/// What a cashier asks of the terminal.
pub enum Order<'a> {
    /// A sale, an authorization, an inquiry, a verification.
    Purchase(&'a Purchase<'a>),
    /// A card's money goes to another account.
    Transfer(&'a Purchase<'a>, &'a str),
    /// A sale against the code on a customer's telephone.
    Scan(&'a Account, Amount),
    /// A void, an increment, a completion, a refund, a tip.
    FollowUp(&'a FollowUp<'a>),
}

/// How an order ended.
pub enum Served {
    /// It went out.
    Asked(Box<Sent>, Outcome),
    /// It did not: the sign-in or the reversal before it was not accepted.
    NotReady(Option<Outcome>),
}

/// How a settlement ended, for now.
pub enum Settlement {
    /// The batch is closed.
    Closed(Settled),
    /// The host had closed it without the terminal, which is signed in to the next one.
    ByHost,
    /// Not yet: the next attempt goes on where this one stopped.
    Stopped(Option<Outcome>),
}

impl<A: Attendant> Driver<A> {
    /// Serves an order: signs in, undoes and tells what must come first; and if the host wants a sign-in, once
    /// more after it. What the header of the answer asks for is done afterwards.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn serve(&mut self, order: &Order<'_>) -> Result<Served, DriveFault> {
        let served = self.serve_in_turn(order).await?;
        if let Served::Asked(_, outcome) = &served
            && let Some(asked) = outcome.answer().and_then(|answer| answer.asked)
        {
            self.obey(asked).await?;
        }
        Ok(served)
    }

    /// What the host says of a slip while it is told of it is taken over into what follows that slip.
    async fn serve_in_turn(&mut self, order: &Order<'_>) -> Result<Served, DriveFault> {
        let slip = match order {
            Order::FollowUp(follow) => self.terminal().memory().log.slip_of(follow.original).cloned(),
            _ => None,
        };
        let before = self.make_ready().await?;
        let told = slip.as_ref().is_none_or(|slip| self.terminal().is_told(slip));
        if !self.is_ready() || !told {
            return Ok(Served::NotReady(before));
        }
        match (order, &slip) {
            (Order::FollowUp(follow), Some(slip)) => {
                let original = self.terminal().as_told(follow.original, slip)?;
                let follow = FollowUp { original: &original, ..**follow };
                self.ask(&Order::FollowUp(&follow)).await
            }
            _ => self.ask(order).await,
        }
    }

    /// Sends an order, and if the host wants a sign-in once more after it.
    async fn ask(&mut self, order: &Order<'_>) -> Result<Served, DriveFault> {
        self.terminal().room_for_a_slip()?;
        let sent = self.take(order)?;
        let outcome = self.send(&sent).await?;
        if !self.wants_sign_in(&outcome) {
            return Ok(Served::Asked(Box::new(sent), outcome));
        }
        let signed_in = self.sign_in().await?;
        if !self.is_ready() {
            return Ok(Served::NotReady(Some(signed_in)));
        }
        // What is told until it is acknowledged keeps its number; what was only asked gets another.
        let sent = match kinds::of(sent.kind).on_unknown {
            OnUnknown::Repeat => self.told_again(sent)?,
            OnUnknown::Reverse | OnUnknown::Nothing => self.take(order)?,
        };
        let outcome = self.send(&sent).await?;
        Ok(Served::Asked(Box::new(sent), outcome))
    }

    fn told_again(&mut self, sent: Sent) -> Result<Sent, DriveFault> {
        let Some(stan) = sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan)) else { return Ok(sent) };
        Ok(self.terminal_mut().advice_of(stan)?.unwrap_or(sent))
    }

    fn take(&mut self, order: &Order<'_>) -> Result<Sent, DriveFault> {
        let terminal = self.terminal_mut();
        Ok(match order {
            Order::Purchase(purchase) => terminal.purchase(purchase, now())?,
            Order::Transfer(purchase, to) => terminal.transfer(purchase, to, now())?,
            Order::Scan(code, amount) => terminal.scan(code, *amount, now())?,
            Order::FollowUp(follow) => terminal.follow_up(follow, now())?,
        })
    }

    /// Settles the batch, or goes on with a settlement that was interrupted: undoes and tells what is open,
    /// sends the totals, and every transaction if they differ.
    ///
    /// # Errors
    /// [`DriveFault`].
    pub async fn settle(&mut self) -> Result<Settlement, DriveFault> {
        let batch = self.terminal().memory().batch;
        let before = self.make_ready().await?;
        if !self.is_ready() || self.terminal().untold() > 0 {
            return Ok(Settlement::Stopped(before));
        }
        let memory = self.terminal().memory();
        if memory.batch != batch && memory.log.slips.is_empty() {
            return Ok(Settlement::ByHost);
        }
        let batch = memory.batch;
        self.terminal_mut().begin_settlement()?;
        self.close(batch).await
    }

    /// The messages of a settlement that began, one after the other.
    async fn close(&mut self, batch: BatchNumber) -> Result<Settlement, DriveFault> {
        let (mut attempts, mut sign_ins) = (0, 0);
        while let Some(sent) = self.terminal_mut().settlement(now())? {
            let outcome = self.send(&sent).await?;
            let done = outcome.answer().is_some_and(|answer| answer.approved);
            attempts = if done { 0 } else { attempts + 1 };
            if attempts >= SETTLEMENT_ATTEMPTS && matches!(outcome, Outcome::Silent) {
                self.terminal_mut().end_unanswered();
            }
            if let Some(settled) = self.settled(batch) {
                self.keep()?;
                return Ok(Settlement::Closed(settled));
            }
            let log = &self.terminal().memory().log;
            let (ended, balanced) = (log.closing.is_none(), log.closing.as_ref().is_some_and(|it| it.balanced));
            // What the host says after it found the totals equal does not matter any more.
            if self.wants_sign_in(&outcome) && !balanced {
                if sign_ins > 0 && sent.kind == Kind::BatchUpload {
                    self.terminal_mut().give_up_upload();
                    self.keep()?;
                    return Ok(Settlement::ByHost);
                }
                if sign_ins < SIGN_INS {
                    sign_ins += 1;
                    if let Some(ended) = self.sign_in_to_settle(batch).await? {
                        return Ok(ended);
                    }
                    continue;
                }
            }
            if ended || attempts >= SETTLEMENT_ATTEMPTS || matches!(outcome, Outcome::NoConnection(_)) {
                return Ok(Settlement::Stopped(Some(outcome)));
            }
        }
        Ok(Settlement::Stopped(None))
    }

    /// How this batch was closed, if it is.
    fn settled(&self, batch: BatchNumber) -> Option<Settled> {
        let memory = self.terminal().memory();
        let settled = memory.log.settled.as_ref().filter(|settled| settled.batch == batch && memory.batch != batch);
        settled.filter(|_| memory.log.closing.is_none()).cloned()
    }

    /// A sign-in in the middle of a settlement. `None`: it goes on.
    async fn sign_in_to_settle(&mut self, batch: BatchNumber) -> Result<Option<Settlement>, DriveFault> {
        let outcome = self.sign_in().await?;
        if self.terminal().memory().batch != batch {
            return Ok(Some(Settlement::ByHost));
        }
        if !self.is_ready() {
            return Ok(Some(Settlement::Stopped(Some(outcome))));
        }
        self.terminal_mut().begin_settlement()?;
        Ok(None)
    }
}
