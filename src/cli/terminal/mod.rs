//! `tollgate terminal`: a POS terminal at the command line.

mod options;
mod show;

use super::Exit;
use super::Failure;
use super::Outcome as Ran;
use crate::hsm::calculator::ClearPin;
use crate::iso8583::describe;
use crate::model::Amount;
use crate::model::Kind;
use crate::sim::terminal::Card;
use crate::sim::terminal::Memory;
use crate::sim::terminal::Purchase;
use crate::sim::terminal::Sent;
use crate::sim::terminal::Terminal as Pos;
use crate::sim::terminal::drive::Attendant;
use crate::sim::terminal::drive::DriveFault;
use crate::sim::terminal::drive::Driver;
use crate::sim::terminal::drive::Event;
use crate::sim::terminal::drive::Outcome;
use crate::sim::terminal::receipt;
use crate::sim::terminal::state_file::StateFile;
use clap::Args;
use clap::Subcommand;
use options::{CardOptions, Station, parse_amount};
use std::io;
use std::io::Write;

const EXAMPLES: &str = "\
Examples (with `tollgate demo` running):
  tollgate terminal sign-in
  tollgate terminal sale 12.00                        approved
  tollgate terminal sale 12.51                        declined: the cents are the answer
  tollgate terminal sale 666.02                       no answer: the reversal goes first next time
  tollgate terminal sale 20.00 --card visitor-b --entry swipe
  tollgate terminal --door host balance
  tollgate terminal --door tls --ca ca.pem --cert client.pem --key client.key sale 1.00

Without --tmk-file, and on this machine only, the demo's published TEST KEYS are used.
Exit codes: 0 approved, 1 declined, 2 usage, 3 keys or state file, 4 no connection, 5 no answer.";

/// A POS terminal: signs in, sells, asks for a balance, undoes
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Terminal {
    #[command(flatten)]
    station: Station,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Get working keys and the batch number
    SignIn,
    /// Is anybody there?
    Echo,
    /// Sell
    Sale(Sale),
    /// Ask what is on the account
    Balance(CardOptions),
    /// Undo what has no valid answer; if there is nothing, the last approved sale
    Reversal,
}

#[derive(Args, Debug)]
struct Sale {
    /// How much, as 12.34
    #[arg(value_parser = parse_amount)]
    amount: Amount,
    #[command(flatten)]
    card: CardOptions,
    /// Hold the money only (0100)
    #[arg(long)]
    authorize: bool,
    /// Send the same message a second time after its answer
    #[arg(long)]
    repeat: bool,
    /// Spoil the MAC
    #[arg(long, conflicts_with = "repeat")]
    wrong_mac: bool,
    /// Hang up before the answer comes
    #[arg(long, conflicts_with_all = ["repeat", "wrong_mac"])]
    drop_answer: bool,
}

/// Keeps the state file and prints what passes.
struct Counter<'a> {
    state: StateFile,
    out: &'a mut dyn Write,
    verbose: bool,
}

impl Attendant for Counter<'_> {
    fn keep(&mut self, terminal: &Pos) -> io::Result<()> {
        self.state.write(&terminal.to_json())
    }

    fn see(&mut self, event: Event<'_>) {
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

impl Terminal {
    /// Runs the action; see the exit codes in the help.
    ///
    /// # Errors
    /// Keys, card, PIN or state file cannot be used; or there is no connection, or no answer.
    pub(super) fn run(self, out: &mut dyn Write) -> Ran {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let setup = self.station.setup()?;
        let pad = self.station.pin_pad(&setup, out)?;
        let state = self.station.state_file(&setup);
        let owner = setup.owner();
        let memory = match state.read().map_err(config)? {
            None => Memory::default(),
            Some(text) => Memory::from_json(&text, owner, &pad).map_err(config)?,
        };
        let fresh = Memory { key_data: None, ..memory.clone() };
        let terminal = match Pos::new(setup.clone(), pad, memory) {
            Ok(terminal) => terminal,
            // Keys of another master key are of no use, and a sign-in brings new ones.
            Err(_) => Pos::new(setup.clone(), self.station.pin_pad(&setup, &mut io::sink())?, fresh).map_err(config)?,
        };
        let target = self.station.target()?;
        let counter = Counter { state, out: &mut *out, verbose: self.station.verbose };
        let mut driver = Driver::new(terminal, target, counter);
        runtime.block_on(self.action.run(&mut driver, &self.station))
    }
}

type Till<'a> = Driver<Counter<'a>>;

impl Action {
    async fn run(&self, driver: &mut Till<'_>, station: &Station) -> Ran {
        match self {
            Self::SignIn => exit(driver.sign_in().await.map_err(fault)?),
            Self::Echo => exit(driver.echo().await.map_err(fault)?),
            Self::Reversal => {
                if !driver.terminal_mut().undo_last() {
                    eprintln!("nothing to undo");
                    return Ok(Exit::Ok);
                }
                match driver.make_ready().await.map_err(fault)? {
                    Some(outcome) => exit(outcome),
                    None => Ok(Exit::Ok),
                }
            }
            Self::Sale(sale) => {
                let kind = if sale.authorize { Kind::Authorization } else { Kind::Sale };
                sell(driver, station, kind, sale.amount, &sale.card, Some(sale)).await
            }
            Self::Balance(card) => sell(driver, station, Kind::Balance, Amount::ZERO, card, None).await,
        }
    }
}

async fn sell(
    driver: &mut Till<'_>,
    station: &Station,
    kind: Kind,
    amount: Amount,
    options: &CardOptions,
    sale: Option<&Sale>,
) -> Ran {
    let (card, pin) = options.card()?;
    make_ready(driver).await?;
    let purchase = Purchase { kind, amount, card: &card, entry: options.entry(), pin: pin.as_ref() };
    let trouble = sale.is_some_and(|sale| sale.wrong_mac || sale.drop_answer);
    let mut ended = once(driver, &purchase, sale).await?;
    let again = ended.1.answer().is_some_and(|answer| answer.wants_sign_in() && !answer.approved);
    if again && !trouble && driver.terminal().setup().profile.sign_in {
        let signed_in = driver.sign_in().await.map_err(fault)?;
        if !signed_in.answer().is_some_and(|answer| answer.approved && answer.valid) {
            return exit(signed_in);
        }
        ended = once(driver, &purchase, sale).await?;
    }
    let (sent, outcome) = ended;
    if sale.is_some_and(|sale| sale.repeat) && outcome.answer().is_some() {
        driver.send(&sent).await.map_err(fault)?;
    }
    if let Some(answer) = outcome.answer().filter(|answer| answer.valid) {
        let slip = receipt::text(driver.terminal(), &station.shop, options.entry(), &sent, answer);
        write!(driver.attendant_mut().out, "{slip}")?;
    }
    exit(outcome)
}

async fn once(driver: &mut Till<'_>, purchase: &Purchase<'_>, sale: Option<&Sale>) -> Result<(Sent, Outcome), Failure> {
    let sent = driver.prepare(purchase).map_err(fault)?;
    let sent = if sale.is_some_and(|sale| sale.wrong_mac) { sent.with_wrong_mac() } else { sent };
    let outcome = if sale.is_some_and(|sale| sale.drop_answer) {
        driver.send_and_hang_up(&sent).await
    } else {
        driver.send(&sent).await
    };
    Ok((sent, outcome.map_err(fault)?))
}

/// Signs in and undoes, as far as needed, before a request.
async fn make_ready(driver: &mut Till<'_>) -> Result<(), Failure> {
    let last = driver.make_ready().await.map_err(fault)?;
    if driver.is_ready() {
        return Ok(());
    }
    match last {
        Some(outcome) => match exit(outcome) {
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::new(Exit::No, "not ready: the sign-in or the reversal was not accepted")),
        },
        None => Err(Failure::new(Exit::No, "not ready")),
    }
}

fn exit(outcome: Outcome) -> Ran {
    match outcome {
        Outcome::Answered(answer) if answer.keys.is_some() => {
            let what = answer.keys.map(|keys| keys.to_string()).unwrap_or_default();
            Err(Failure::new(Exit::Config, what))
        }
        Outcome::Answered(answer) if answer.approved && answer.valid => Ok(Exit::Ok),
        Outcome::Answered(answer) if answer.approved => {
            Err(Failure::new(Exit::No, "approved without a good MAC: not believed, a reversal is pending"))
        }
        Outcome::Answered(_) => Ok(Exit::No),
        Outcome::Silent => Err(Failure::new(Exit::Timeout, "no answer")),
        Outcome::NoConnection(error) => Err(Failure::new(Exit::NoConnection, format!("no connection: {error}"))),
    }
}

fn config(error: impl ToString) -> Failure {
    Failure::new(Exit::Config, error.to_string())
}

fn fault(error: DriveFault) -> Failure {
    match error {
        DriveFault::Keep(_) => Failure::new(Exit::Config, error.to_string()),
        DriveFault::Terminal(_) => Failure::new(Exit::No, error.to_string()),
    }
}

/// A card and the PIN entered for it.
type CardAndPin = (Card, Option<ClearPin>);
