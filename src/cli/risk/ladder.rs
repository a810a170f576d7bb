//! The enforcement ladder: who stands where, and steps up and down.

use super::Exit;
use super::Outcome;
use crate::cli::Failure;
use crate::cli::batch::ask;
use crate::cli::ledger;
use crate::model::Amount;
use crate::server::control::Order;
use crate::server::control::SOCKET;
use crate::server::enforce::Step;
use clap::Args;
use clap::ValueEnum;
use serde_json::Value;
use std::io;
use std::io::Write;
use std::path::PathBuf;

/// Whose step it is.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
struct Whose {
    /// A terminal, DE 41
    #[arg(long, value_name = "TID")]
    terminal: Option<String>,
    /// A merchant, DE 42
    #[arg(long, value_name = "MID")]
    merchant: Option<String>,
}

/// Who takes it, where and why.
#[derive(Args, Debug)]
struct Taken {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Who says so; kept in the ledger
    #[arg(long)]
    actor: String,
    /// Why; kept in the ledger
    #[arg(long)]
    reason: String,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

macro_rules! steps {
    ($($(#[doc = $doc:literal])+ $name:ident = $word:literal;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Args, Debug)]
        pub(super) struct $name {
            #[command(flatten)]
            whose: Whose,
            #[command(flatten)]
            taken: Taken,
        }

        impl $name {
            pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
                take(self.whose, self.taken, ($word, None), out)
            }
        }
    )+};
}

steps! {
    /// Warn a terminal or a merchant
    Warn = "warn";
    /// Suspend a terminal or a merchant: from its next request on it is answered 58; reversals, advices and settlements are served
    Suspend = "suspend";
    /// End a suspension
    Resume = "resume";
    /// Terminate a terminal or a merchant, for good
    Terminate = "terminate";
}

/// Enter a fine of a terminal or a merchant
#[derive(Args, Debug)]
pub(super) struct Fine {
    #[command(flatten)]
    whose: Whose,
    /// How much, as 12.34
    #[arg(long, value_name = "AMOUNT", value_parser = crate::cli::terminal::parse_amount)]
    amount: Amount,
    #[command(flatten)]
    taken: Taken,
}

/// Ask something of a terminal by the header of its next answer
#[derive(Args, Debug)]
pub(super) struct Ask {
    /// Which terminal, DE 41
    #[arg(long, value_name = "TID")]
    terminal: String,
    /// What
    #[arg(value_enum)]
    what: What,
    #[command(flatten)]
    taken: Taken,
}

/// What may be asked of a terminal.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// To sign in again
    SignIn,
    /// To fetch all lists again
    Download,
    /// To have its software renewed
    Upgrade,
}

/// Show who stands where on the ladder
#[derive(Args, Debug)]
pub(super) struct State {
    /// The ledger's folder, or the one that has it as `ledger`
    #[arg(long, value_name = "DIR", value_parser = ledger::folder())]
    data: PathBuf,
    /// Only this terminal, DE 41
    #[arg(long, value_name = "TID", conflicts_with = "merchant")]
    terminal: Option<String>,
    /// Only this merchant, DE 42
    #[arg(long, value_name = "MID")]
    merchant: Option<String>,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
}

impl Fine {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        take(self.whose, self.taken, ("fine", Some(self.amount)), out)
    }
}

impl Ask {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let word = match self.what {
            What::SignIn => "sign-in",
            What::Download => "download",
            What::Upgrade => "upgrade",
        };
        take(Whose { terminal: Some(self.terminal), merchant: None }, self.taken, (word, None), out)
    }
}

impl State {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let said = said(ask(&self.data.join(SOCKET), &Order::Ladders)?)?;
        let wanted = |row: &&Value| {
            let subject = text(row, "subject");
            let of = |kind: &str, id: &Option<String>| id.as_ref().is_none_or(|id| subject == format!("{kind} {id}"));
            of("terminal", &self.terminal) && of("merchant", &self.merchant)
        };
        let rows = said.get("ladders").and_then(Value::as_array).cloned().unwrap_or_default();
        let rows: Vec<&Value> = rows.iter().filter(wanted).collect();
        if self.json {
            writeln!(out, "{:#}", serde_json::json!(rows))?;
        } else {
            rows.iter().try_for_each(|row| show(row, out))?;
        }
        let asked_of_one = self.terminal.is_some() || self.merchant.is_some();
        match rows.is_empty() {
            true if asked_of_one => Err(Failure::new(Exit::No, "no step on the ladder is on record")),
            _ => Ok(Exit::Ok),
        }
    }
}

fn take(whose: Whose, taken: Taken, (step, amount): (&str, Option<Amount>), out: &mut dyn Write) -> Outcome {
    let Whose { terminal, merchant } = whose;
    let Taken { data, actor, reason, json } = taken;
    let amount = amount.map(Amount::minor);
    let order = Order::Step(Step { terminal, merchant, step: step.to_owned(), amount, actor, reason });
    let said = said(ask(&data.join(SOCKET), &order)?)?;
    let row = said.get("ladder").cloned().unwrap_or_default();
    if json {
        writeln!(out, "{row:#}")?
    } else {
        show(&row, out)?
    }
    Ok(Exit::Ok)
}

/// What the station said, if it did as it was told.
fn said(answer: Value) -> Result<Value, Failure> {
    if answer.get("ok") == Some(&Value::Bool(true)) {
        return Ok(answer);
    }
    let why = answer.get("error").and_then(Value::as_str).unwrap_or("the station refused");
    Err(Failure::new(Exit::No, why))
}

fn text<'a>(row: &'a Value, name: &str) -> &'a str {
    row.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn show(row: &Value, out: &mut dyn Write) -> io::Result<()> {
    let count = |name: &str| row.get(name).and_then(Value::as_u64).unwrap_or_default();
    // A sum may be more than one amount can be.
    let fined = format!("{}.{:02}", count("fined") / 100, count("fined") % 100);
    writeln!(
        out,
        "{}: {}, {} warnings, {} fines of {fined} in all",
        text(row, "subject"),
        text(row, "standing"),
        count("warnings"),
        count("fines")
    )?;
    if let Some(but) = row.get("but").and_then(Value::as_str) {
        writeln!(out, "  but {but}")?;
    }
    for entry in row.get("entries").and_then(Value::as_array).into_iter().flatten() {
        writeln!(
            out,
            "  {}  {}  by {}: {}",
            text(entry, "at"),
            text(entry, "step"),
            text(entry, "actor"),
            text(entry, "reason")
        )?;
    }
    Ok(())
}
