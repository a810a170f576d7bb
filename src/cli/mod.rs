//! The command line: one file a subcommand, and all printing.
//!
//! A subcommand is a `clap` struct with a `run` that writes its result to `out` and answers an [`Exit`].
//! To add one: a file, a `mod` line, a variant of `Command` and an arm in [`Cli::run`].
//! Results go to standard output, everything else to standard error.

mod alarms;
mod batch;
mod bench;
mod crypto;
mod decode;
mod demo;
mod dialects;
mod diff_config;
mod encode;
mod hsm;
mod input;
mod issuer;
mod keys;
mod ledger;
mod recon;
mod registry;
mod reload;
mod report;
mod risk;
mod serve;
mod settle;
mod spec;
mod terminal;
mod top;
mod trace;
mod wire;

use crate::server::memory;
use std::ffi::OsString;
use std::io;
use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

/// How a command ended, as scripts see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Exit {
    /// It ran and the answer is yes.
    Ok = 0,
    /// It ran and the answer is no: declined, not readable, books that differ.
    No = 1,
    /// The command was not understood. `clap` uses the same number.
    Usage = 2,
    /// A configuration or dialect file is invalid.
    Config = 3,
    /// The other side could not be reached.
    NoConnection = 4,
    /// The other side did not answer in time.
    Timeout = 5,
    /// Another process uses the ledger's folder.
    LedgerInUse = 6,
    /// The ledger cannot be believed, or its folder not be used. Nothing was changed.
    Ledger = 7,
    /// The ledger's keys are not to be had: master key missing, unreadable or another's.
    Keys = 8,
    /// The ledger failed while the station ran, which stopped itself.
    LedgerFailed = 9,
}

/// Why a command did not get to its answer: an exit code and a line for people.
#[derive(Debug)]
pub struct Failure {
    /// What the process exits with.
    pub exit: Exit,
    /// What is printed to standard error. Never card data.
    pub message: String,
}

impl Failure {
    /// A failure with the exit code `exit`.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl From<io::Error> for Failure {
    /// A reader that went away (`tollgate decode … | head`) is no failure.
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::new(Exit::Ok, ""),
            _ => Self::new(Exit::No, error.to_string()),
        }
    }
}

/// What `run` of a subcommand answers.
pub type Outcome = Result<Exit, Failure>;

const EXAMPLES: &str = "\
Exit codes: 0 yes, 1 no (declined, unreadable, differs), 2 usage, 3 invalid configuration or dialect,
4 no connection, 5 timeout; of a ledger: 6 in use by another process, 7 damaged or unusable,
8 its keys are not to be had, 9 it failed while the station ran.";

/// An ISO 8583 payment switch and the bench to try it on.
#[derive(Debug, Parser)]
#[command(name = "tollgate", version, after_help = EXAMPLES, propagate_version = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Alarms(alarms::Alarms),
    Batch(batch::Batch),
    Bench(Box<bench::Bench>),
    Crypto(crypto::Crypto),
    Decode(decode::Decode),
    Demo(demo::Demo),
    DiffConfig(Box<diff_config::DiffConfig>),
    Encode(encode::Encode),
    Hsm(hsm::Hsm),
    Issuer(issuer::Issuer),
    Keys(Box<keys::Keys>),
    Ledger(ledger::Ledger),
    Recon(recon::Recon),
    Registry(registry::Registry),
    Reload(reload::Reload),
    Report(report::Report),
    Risk(risk::Risk),
    Serve(serve::Serve),
    Settle(settle::Settle),
    Spec(spec::Spec),
    Top(top::Top),
    Trace(trace::Trace),
    Terminal(Box<terminal::Terminal>),
}

impl Command {
    /// Whether keys are in the memory of the process that runs it.
    fn handles_keys(&self) -> bool {
        match self {
            Self::Bench(_)
            | Self::Crypto(_)
            | Self::Demo(_)
            | Self::DiffConfig(_)
            | Self::Hsm(_)
            | Self::Issuer(_)
            | Self::Keys(_)
            | Self::Registry(_)
            | Self::Serve(_)
            | Self::Terminal(_) => true,
            Self::Alarms(_)
            | Self::Batch(_)
            | Self::Decode(_)
            | Self::Encode(_)
            | Self::Ledger(_)
            | Self::Recon(_)
            | Self::Reload(_)
            | Self::Report(_)
            | Self::Risk(_)
            | Self::Settle(_)
            | Self::Spec(_)
            | Self::Top(_)
            | Self::Trace(_) => false,
        }
    }
}

impl Cli {
    /// Runs the command; its result goes to `out`.
    ///
    /// # Errors
    /// What kept the command from its answer, with the exit code for it.
    pub fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::Alarms(command) => command.run(out),
            Command::Batch(command) => command.run(out),
            Command::Bench(command) => command.run(out),
            Command::Crypto(command) => command.run(out),
            Command::Decode(command) => command.run(out),
            Command::Demo(command) => command.run(out),
            Command::DiffConfig(command) => command.run(out),
            Command::Encode(command) => command.run(out),
            Command::Hsm(command) => command.run(out),
            Command::Issuer(command) => command.run(out),
            Command::Keys(command) => command.run(out),
            Command::Ledger(command) => command.run(out),
            Command::Recon(command) => command.run(out),
            Command::Registry(command) => command.run(out),
            Command::Reload(command) => command.run(out),
            Command::Report(command) => command.run(out),
            Command::Risk(command) => command.run(out),
            Command::Serve(command) => command.run(out),
            Command::Settle(command) => command.run(out),
            Command::Spec(command) => command.run(out),
            Command::Top(command) => command.run(out),
            Command::Trace(command) => command.run(out),
            Command::Terminal(command) => command.run(out),
        }
    }
}

/// Parses `arguments`, program name first, and runs the command, as the binary does.
///
/// # Errors
/// As [`Cli::run`]; arguments that cannot be parsed are [`Exit::Usage`], with the text `clap` wrote.
pub fn run_from(arguments: impl IntoIterator<Item: Into<OsString> + Clone>, out: &mut dyn Write) -> Outcome {
    match Cli::try_parse_from(arguments) {
        Ok(cli) => cli.run(out),
        Err(error) => Err(Failure::new(Exit::Usage, error.to_string())),
    }
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.command.handles_keys() && !memory::is_to_be_traceable() {
        memory::keep_private();
    }
    let outcome = cli.run(&mut io::stdout());
    let exit = outcome.unwrap_or_else(|failure| {
        if !failure.message.is_empty() {
            eprintln!("error: {}", failure.message);
        }
        failure.exit
    });
    ExitCode::from(exit as u8)
}
