//! Behind the counter: does what was asked, keeps the state file, prints what passes and what is handed over.

use super::options::{CardOptions, Copies, Station};
use super::show;
use super::verbs::{Action, Offline, OfflineRefund, Sale};
use super::{config, fault, usage};
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome as Ran;
use crate::iso8583::describe;
use crate::iso8583::settlement::Verdict;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::Kind;
use crate::model::Stan;
use crate::sim::terminal::ChipCheck;
use crate::sim::terminal::Deed;
use crate::sim::terminal::Done;
use crate::sim::terminal::Entry;
use crate::sim::terminal::Purchase;
use crate::sim::terminal::Settlement;
use crate::sim::terminal::Slip;
use crate::sim::terminal::Task;
use crate::sim::terminal::Terminal as Pos;
use crate::sim::terminal::drive::Attendant;
use crate::sim::terminal::drive::Driver;
use crate::sim::terminal::drive::Event;
use crate::sim::terminal::drive::Outcome;
use crate::sim::terminal::receipt;
use crate::sim::terminal::receipt::Holder;
use crate::sim::terminal::state_file::StateFile;
use std::io;
use std::io::Write;

/// Keeps the state file and prints.
pub(super) struct Counter<'a> {
    state: StateFile,
    pub(super) out: &'a mut dyn Write,
    verbose: bool,
    /// Whether only steps of a day are told, and not what passes on the wire.
    pub(super) quiet: bool,
    copies: Copies,
    shop: &'a str,
}

impl<'a> Counter<'a> {
    pub(super) fn new(state: StateFile, out: &'a mut dyn Write, station: &'a Station) -> Self {
        Self { state, out, verbose: station.verbose, quiet: false, copies: station.copies, shop: &station.shop }
    }
}

impl Attendant for Counter<'_> {
    fn keep(&mut self, terminal: &Pos) -> io::Result<()> {
        self.state.write(&terminal.to_json())
    }

    fn see(&mut self, event: Event<'_>) {
        if self.quiet && !self.verbose {
            return;
        }
        // A reader that went away must not stop a terminal between a sale and its answer.
        let _printed = writeln!(self.out, "{}", show::event(&event));
        let message = match &event {
            Event::Sending(sent) => &sent.message,
            Event::Answered(answer) => &answer.message,
            Event::Unexpected(_) | Event::Broken => return,
        };
        if self.verbose {
            let _printed = writeln!(self.out, "{}", describe::text(message, false));
        }
    }
}

pub(super) type Till<'a> = Driver<Counter<'a>>;

impl Action {
    pub(super) async fn run(&self, driver: &mut Till<'_>) -> Ran {
        let follow = |kind| Deed::Follow(kind);
        match self {
            Self::SignIn => simple(driver, Deed::SignIn).await,
            Self::SignOff => simple(driver, Deed::SignOff).await,
            Self::Echo => simple(driver, Deed::Echo).await,
            Self::Reversal => simple(driver, Deed::Reversal).await,
            Self::Upload => simple(driver, Deed::Upload).await,
            Self::Download => simple(driver, Deed::Download).await,
            Self::Sale(sale) if sale.is_trouble() => trouble(driver, sale).await,
            Self::Sale(sale) => card(driver, Deed::Card(sale.kind()), sale.amount, &sale.card).await,
            Self::Preauth(charge) => card(driver, Deed::Card(Kind::Authorization), charge.amount, &charge.card).await,
            Self::Balance(options) => card(driver, Deed::Card(Kind::Balance), Amount::ZERO, options).await,
            Self::Verify(options) => card(driver, Deed::Card(Kind::Verification), Amount::ZERO, options).await,
            Self::Transfer(transfer) => {
                let shown = transfer.charge.card.presented()?;
                let to = Some(transfer.to.as_str());
                let amount = transfer.charge.amount;
                hand_over(driver, &Task { amount, card: Some(&shown), to, ..Task::of(Deed::Transfer) }).await
            }
            Self::QrSale(scan) => {
                let code = scan.code()?;
                hand_over(driver, &Task { amount: scan.amount, code: Some(&code), ..Task::of(Deed::Scan) }).await
            }
            Self::OfflineSale(offline) => {
                let Offline { charge, approval } = offline;
                given_or_taken(driver, Kind::OfflineSale, charge.amount, (&charge.card, *approval)).await
            }
            Self::OfflineRefund(refund) => offline_refund(driver, refund).await,
            Self::Void(args) => self.follow(driver, follow(Kind::SaleVoid), args).await,
            Self::Refund(args) => self.follow(driver, follow(Kind::Refund), args).await,
            Self::PreauthVoid(args) => self.follow(driver, follow(Kind::AuthorizationVoid), args).await,
            Self::Increment(args) => self.follow(driver, follow(Kind::Increment), args).await,
            Self::Complete(args) => self.follow(driver, follow(Kind::Completion), args).await,
            Self::CompleteAdvice(args) => self.follow(driver, follow(Kind::CompletionAdvice), args).await,
            Self::CompleteVoid(args) => self.follow(driver, follow(Kind::CompletionVoid), args).await,
            Self::Tip(args) => {
                let (original, amount) = args.original(&driver.terminal().memory().log)?;
                let task = Task::of(follow(Kind::Adjustment));
                hand_over(driver, &Task { amount, tip: args.tip, original: Some(&original), ..task }).await
            }
            Self::Settle(settle) => {
                if settle.lie.is_some_and(|number| !driver.terminal_mut().lose(number)) {
                    return Err(usage("--lie: the batch has no such slip"));
                }
                hand_over(driver, &Task::of(Deed::Settle)).await
            }
            Self::Log => {
                let text = show::log(driver.terminal());
                write!(driver.attendant_mut().out, "{text}")?;
                Ok(Exit::Ok)
            }
            Self::Reprint { voucher } => reprint(driver, *voucher),
            Self::Day { script } => super::day::live(driver, script).await,
        }
    }

    async fn follow(&self, driver: &mut Till<'_>, deed: Deed, args: &super::verbs::Follow) -> Ran {
        let (original, amount) = args.original(deed, &driver.terminal().memory().log)?;
        let shown = if args.present { Some(args.card.presented()?) } else { None };
        let task = Task { amount, card: shown.as_ref(), original: Some(&original), ..Task::of(deed) };
        hand_over(driver, &task).await
    }
}

/// With a card at the reader, and no host.
async fn given_or_taken(
    driver: &mut Till<'_>,
    kind: Kind,
    amount: Amount,
    (options, approval): (&CardOptions, Option<ApprovalCode>),
) -> Ran {
    let shown = options.presented()?;
    hand_over(driver, &Task { amount, approval, card: Some(&shown), ..Task::of(Deed::Offline(kind)) }).await
}

async fn offline_refund(driver: &mut Till<'_>, refund: &OfflineRefund) -> Ran {
    let (kind, follow) = (Kind::OfflineRefund, &refund.follow);
    let Some((original, amount)) = refund.original(&driver.terminal().memory().log)? else {
        let amount = follow.amount.ok_or_else(|| usage("the amount is needed: it is of no sale"))?;
        return given_or_taken(driver, kind, amount, (&follow.card, follow.approval)).await;
    };
    let shown = if follow.present { Some(follow.card.presented()?) } else { None };
    let task = Task { amount, card: shown.as_ref(), original: Some(&original), ..Task::of(Deed::Offline(kind)) };
    hand_over(driver, &task).await
}

async fn simple(driver: &mut Till<'_>, deed: Deed) -> Ran {
    hand_over(driver, &Task::of(deed)).await
}

async fn card(driver: &mut Till<'_>, deed: Deed, amount: Amount, options: &CardOptions) -> Ran {
    let shown = options.presented()?;
    hand_over(driver, &Task { amount, card: Some(&shown), ..Task::of(deed) }).await
}

/// Does it, prints what the customer and the shop get, and says how it ended.
async fn hand_over(driver: &mut Till<'_>, task: &Task<'_>) -> Ran {
    let done = driver.perform(task).await.map_err(fault)?;
    print(driver, task, &done)?;
    exit(done)
}

/// Receipts, or the slip of what leaves none.
pub(super) fn print(driver: &mut Till<'_>, task: &Task<'_>, done: &Done) -> io::Result<()> {
    let shop = driver.attendant_mut().shop;
    let text = match done {
        Done::Asked(_, _, Some(slip)) | Done::Offline(slip) => copies(driver, slip, false),
        Done::Asked(Some(sent), Outcome::Answered(answer), None) if answer.valid => {
            let entry = task.card.map_or(Entry::Manual, |shown| shown.entry);
            receipt::text(driver.terminal(), shop, entry, sent, answer)
        }
        Done::Settled(Settlement::Closed(settled)) => receipt::settlement(driver.terminal(), shop, settled),
        Done::Settled(Settlement::ByHost) => "the host had closed the batch: the next one has begun\n".to_owned(),
        _ => return Ok(()),
    };
    write!(driver.attendant_mut().out, "{text}")
}

fn copies(driver: &mut Till<'_>, slip: &Slip, again: bool) -> String {
    let counter = driver.attendant_mut();
    let (shop, copies) = (counter.shop, counter.copies);
    copies.holders().iter().map(|holder| receipt::copy(driver.terminal(), shop, slip, *holder, again)).collect()
}

fn reprint(driver: &mut Till<'_>, voucher: Option<u32>) -> Ran {
    let log = &driver.terminal().memory().log;
    let slip = match voucher {
        Some(number) => Stan::new(number).and_then(|stan| log.find(stan)),
        None => log.last(&[]),
    };
    let slip = slip.cloned().ok_or_else(|| usage("the terminal remembers no such slip"))?;
    let text = copies(driver, &slip, true);
    write!(driver.attendant_mut().out, "{text}")?;
    Ok(Exit::Ok)
}

/// A sale that misbehaves.
async fn trouble(driver: &mut Till<'_>, sale: &Sale) -> Ran {
    let shown = sale.card.presented()?;
    let before = driver.make_ready().await.map_err(fault)?;
    if !driver.is_ready() {
        return exit(Done::NotReady(before));
    }
    let pin = shown.pin.as_ref();
    let purchase = Purchase { kind: sale.kind(), amount: sale.amount, card: &shown.card, entry: shown.entry, pin };
    let sent = driver.prepare(&purchase).map_err(fault)?;
    let sent = if sale.wrong_mac { sent.with_wrong_mac() } else { sent };
    let outcome = match sale.drop_answer {
        true => driver.send_and_hang_up(&sent).await,
        false => driver.send(&sent).await,
    };
    let outcome = outcome.map_err(fault)?;
    if sale.repeat && outcome.answer().is_some() {
        driver.send(&sent).await.map_err(fault)?;
    }
    let slip = driver.terminal().memory().log.last(&[sale.kind()]).cloned().map(Box::new);
    let slip = slip.filter(|_| outcome.answer().is_some_and(|answer| answer.approved && answer.valid));
    let done = Done::Asked(Some(Box::new(sent)), outcome, slip);
    print(driver, &Task { card: Some(&shown), ..Task::of(Deed::Card(sale.kind())) }, &done)?;
    exit(done)
}

impl Sale {
    fn is_trouble(&self) -> bool {
        self.repeat || self.wrong_mac || self.drop_answer
    }

    fn kind(&self) -> Kind {
        if self.authorize { Kind::Authorization } else { Kind::Sale }
    }
}

impl Copies {
    fn holders(self) -> &'static [Holder] {
        match self {
            Self::Both => &[Holder::Merchant, Holder::Cardholder],
            Self::Merchant => &[Holder::Merchant],
            Self::Cardholder => &[Holder::Cardholder],
            Self::None => &[],
        }
    }
}

/// How it ended, for scripts.
pub(super) fn exit(done: Done) -> Ran {
    match done {
        Done::Asked(_, outcome, _) => ended(outcome),
        Done::Settled(Settlement::Stopped(Some(outcome))) => match ended(outcome)? {
            Exit::Ok => Err(not_settled()),
            exit => Ok(exit),
        },
        Done::Offline(_) | Done::Settled(Settlement::Closed(_) | Settlement::ByHost) => Ok(Exit::Ok),
        Done::Nothing => {
            eprintln!("nothing to do");
            Ok(Exit::Ok)
        }
        Done::Settled(Settlement::Stopped(None)) => Err(not_settled()),
        Done::NotReady(None) => Err(Failure::new(Exit::No, "not ready")),
        Done::NotReady(Some(outcome)) => match ended(outcome) {
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::new(Exit::No, "not ready: what goes first was not accepted")),
        },
    }
}

fn not_settled() -> Failure {
    Failure::new(Exit::No, "the batch is not settled yet")
}

fn ended(outcome: Outcome) -> Ran {
    match outcome {
        Outcome::Answered(answer) if answer.keys.is_some() => {
            Err(config(answer.keys.map(|keys| keys.to_string()).unwrap_or_default()))
        }
        Outcome::Answered(answer) if answer.verdicts.is_some_and(|said| said.contains(&Verdict::Error)) => {
            Err(Failure::new(Exit::No, "the host has no such batch, or closed it with other totals"))
        }
        Outcome::Answered(answer) if answer.approved && answer.valid => Ok(Exit::Ok),
        Outcome::Answered(answer) if answer.approved && answer.chip == ChipCheck::Wrong => {
            Err(Failure::new(Exit::No, "approved, but the chip does not believe its issuer: a reversal is pending"))
        }
        Outcome::Answered(answer) if answer.approved => {
            Err(Failure::new(Exit::No, "approved without a good MAC: not believed, a reversal is pending"))
        }
        Outcome::Answered(_) => Ok(Exit::No),
        Outcome::Silent => Err(Failure::new(Exit::Timeout, "no answer")),
        Outcome::NoConnection(error) => Err(Failure::new(Exit::NoConnection, format!("no connection: {error}"))),
    }
}
