//! The verbs, and what each needs to be told.

use super::options::{CardOptions, parse_amount};
use super::usage;
use crate::cli::Failure;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::Stan;
use crate::sim::terminal::Account;
use crate::sim::terminal::Deed;
use crate::sim::terminal::Log;
use crate::sim::terminal::Original;
use clap::Args;
use clap::Subcommand;
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Get working keys and the batch number
    SignIn,
    /// Close the day and forget the working keys here; a host may keep them, for the message has no MAC
    SignOff,
    /// Is anybody there?
    Echo,
    /// Sell
    Sale(Sale),
    /// Sell against the code on a customer's telephone
    QrSale(Scan),
    /// Hold money
    Preauth(Charge),
    /// Ask what is on the account
    Balance(CardOptions),
    /// Ask whether the card may be used
    Verify(CardOptions),
    /// Send a card's money to another account
    Transfer(Transfer),
    /// Cancel a sale of this batch, whole
    Void(Follow),
    /// Give money of a sale back, all or a part
    Refund(Follow),
    /// Cancel a hold
    PreauthVoid(Follow),
    /// Hold more on top of a hold
    Increment(Follow),
    /// Take what a hold holds, asking the issuer
    Complete(Follow),
    /// Take what a hold holds, telling the issuer
    CompleteAdvice(Follow),
    /// Cancel a completion; the hold holds again
    CompleteVoid(Follow),
    /// Put a tip on a sale of this batch
    #[command(alias = "adjust")]
    Tip(Tip),
    /// Sell without the host; it is told at the next occasion
    OfflineSale(Offline),
    /// Give money of a sale back without the host; it is told at the next occasion
    #[command(
        after_help = "The host refuses one that names no sale (25), after the money was given, unless its station file \
            says `refund_without_original = true` in `[follow_ups]`."
    )]
    OfflineRefund(OfflineRefund),
    /// Undo what has no valid answer; if there is nothing, the last approved request
    Reversal,
    /// Tell the host what it was not told of yet
    Upload,
    /// Close the batch: totals, every transaction if they differ, the next batch
    Settle(Settle),
    /// Fetch parameters, public keys, applications and contactless parameters
    Download,
    /// Show the batch: its slips, its totals, what is not told yet
    Log,
    /// Print a receipt once more
    Reprint {
        /// Its voucher number [default: the last one]
        voucher: Option<u32>,
    },
    /// Live a whole day from a script
    #[command(
        after_help = "The script is described in the manual, page `terminal`; specs/demo/day.toml is an example."
    )]
    Day {
        /// The script
        #[arg(long, value_name = "FILE")]
        script: PathBuf,
    },
}

#[derive(Args, Debug)]
pub(super) struct Sale {
    /// How much, as 12.34
    #[arg(value_parser = parse_amount)]
    pub(super) amount: Amount,
    #[command(flatten)]
    pub(super) card: CardOptions,
    /// Hold the money only (0100), as preauth
    #[arg(long)]
    pub(super) authorize: bool,
    /// Send the same message a second time after its answer
    #[arg(long)]
    pub(super) repeat: bool,
    /// Spoil the MAC
    #[arg(long, conflicts_with = "repeat")]
    pub(super) wrong_mac: bool,
    /// Hang up before the answer comes
    #[arg(long, conflicts_with_all = ["repeat", "wrong_mac"])]
    pub(super) drop_answer: bool,
}

#[derive(Args, Debug)]
pub(super) struct Charge {
    /// How much, as 12.34
    #[arg(value_parser = parse_amount)]
    pub(super) amount: Amount,
    #[command(flatten)]
    pub(super) card: CardOptions,
}

#[derive(Args, Debug)]
pub(super) struct Scan {
    /// How much, as 12.34
    #[arg(value_parser = parse_amount)]
    pub(super) amount: Amount,
    /// The code, 16 to 20 digits: good for one payment
    #[arg(long)]
    code: String,
}

#[derive(Args, Debug)]
pub(super) struct Transfer {
    #[command(flatten)]
    pub(super) charge: Charge,
    /// The account that gets it
    #[arg(long)]
    pub(super) to: String,
}

#[derive(Args, Debug)]
pub(super) struct Offline {
    #[command(flatten)]
    pub(super) charge: Charge,
    /// The approval somebody gave by voice, 6 characters
    #[arg(long, value_parser = approval)]
    pub(super) approval: Option<ApprovalCode>,
}

#[derive(Args, Debug)]
pub(super) struct OfflineRefund {
    #[command(flatten)]
    pub(super) follow: Follow,
    /// Of no sale, to the card that is presented; so it is too where the terminal remembers no sale
    #[arg(long, conflicts_with_all = ["of", "batch", "rrn", "date", "present"])]
    alone: bool,
}

#[derive(Args, Debug)]
pub(super) struct Settle {
    /// Lose this slip first, counted from one: for tests of batches that differ
    #[arg(long, value_name = "N")]
    pub(super) lie: Option<usize>,
}

#[derive(Args, Debug)]
pub(super) struct Tip {
    /// The tip, as 12.34
    #[arg(value_parser = parse_amount)]
    pub(super) tip: Amount,
    /// The sale's voucher number [default: the last sale's]
    #[arg(long)]
    pub(super) of: Option<u32>,
}

/// What a follow-up follows, and how much of it.
#[derive(Args, Debug)]
pub(super) struct Follow {
    /// How much, as 12.34 [default: all of it]
    #[arg(value_parser = parse_amount)]
    pub(super) amount: Option<Amount>,
    /// The original's voucher number (STAN) [default: the last that fits]
    #[arg(long)]
    pub(super) of: Option<u32>,
    /// The original's batch, if this terminal does not remember it
    #[arg(long)]
    batch: Option<u32>,
    /// The original's reference number (RRN)
    #[arg(long)]
    rrn: Option<String>,
    /// The original's date, MMDD
    #[arg(long)]
    date: Option<String>,
    /// The original's approval code
    #[arg(long, value_parser = approval)]
    pub(super) approval: Option<ApprovalCode>,
    /// Present the card again
    #[arg(long)]
    pub(super) present: bool,
    #[command(flatten)]
    pub(super) card: CardOptions,
}

fn approval(text: &str) -> Result<ApprovalCode, String> {
    ApprovalCode::parse(text.as_bytes()).ok_or_else(|| "an approval code has 6 characters".to_owned())
}

impl Scan {
    pub(super) fn code(&self) -> Result<Account, Failure> {
        Account::code(&self.code).ok_or_else(|| usage("--code: 16 to 20 digits"))
    }
}

impl OfflineRefund {
    /// The sale, and how much of it; `None` if it is of none.
    pub(super) fn original(&self, log: &Log) -> Result<Option<(Original, Amount)>, Failure> {
        let deed = Deed::Offline(Kind::OfflineRefund);
        let named = self.follow.of.is_some() || self.follow.is_said();
        let alone = self.alone || (!named && log.last(deed.follows()).is_none());
        if alone { Ok(None) } else { self.follow.original(deed, log).map(Some) }
    }
}

impl Follow {
    /// Whether the original is named by what a receipt says.
    fn is_said(&self) -> bool {
        self.rrn.is_some() || self.batch.is_some()
    }

    /// What it follows, and how much of it: from the terminal's log, or from what a receipt says.
    pub(super) fn original(&self, deed: Deed, log: &Log) -> Result<(Original, Amount), Failure> {
        let said = self.is_said();
        let slip = match self.of {
            _ if said => None,
            Some(number) => Stan::new(number).and_then(|stan| log.find(stan)),
            None => log.last(deed.follows()),
        };
        if let Some(slip) = slip {
            let original = Original { approval: self.approval.or(slip.approval), ..Original::from(slip) };
            return Ok((original, self.amount.unwrap_or(slip.amount)));
        }
        if !said {
            return Err(usage("the terminal remembers no such transaction: say --rrn and --date, or --batch and --of"));
        }
        let amount = self.amount.ok_or_else(|| usage("the amount is needed: the terminal does not remember it"))?;
        let read = |text: &Option<String>| text.as_ref().map(|text| text.as_bytes().to_vec());
        let rrn =
            read(&self.rrn).map(|rrn| Rrn::parse(&rrn).ok_or_else(|| usage("--rrn: 12 characters"))).transpose()?;
        let date = read(&self.date).map(|date| date.try_into().map_err(|_| usage("--date: MMDD"))).transpose()?;
        let batch = self.batch.and_then(BatchNumber::new);
        let stan = self.of.and_then(Stan::new);
        Ok((Original { stan, batch, date, rrn, approval: self.approval, ..Original::default() }, amount))
    }
}

impl Tip {
    /// The sale, and its amount with the tip.
    pub(super) fn original(&self, log: &Log) -> Result<(Original, Amount), Failure> {
        let deed = Deed::Follow(Kind::Adjustment);
        let slip = match self.of {
            Some(number) => Stan::new(number).and_then(|stan| log.find(stan)),
            None => log.last(deed.follows()),
        };
        let slip = slip.ok_or_else(|| usage("the terminal remembers no such sale"))?;
        let whole = slip.amount.minus(slip.tip).and_then(|bare| bare.plus(self.tip));
        Ok((Original::from(slip), whole.ok_or_else(|| usage("the amount is too large"))?))
    }
}
