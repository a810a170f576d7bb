//! `tollgate risk`: rules to check and to try on yesterday's traffic, decisions to explain, and the enforcement ladder.

mod check;
mod explain;
mod ladder;
mod replay;

pub(super) use replay::{instant, tally};

use super::Exit;
use super::Outcome;
use clap::Args;
use clap::Subcommand;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate risk default > risk.toml                  # every kind of rule, with values to begin with
  tollgate risk check risk.toml
  tollgate risk explain --data /var/lib/tollgate 632600000017
  tollgate risk replay --data /var/lib/tollgate --rules risk-next.toml
  tollgate risk state --data /var/lib/tollgate --terminal 10000001
  tollgate risk suspend --data /var/lib/tollgate --terminal 10000001 --actor alice --reason 'letter 118'
  tollgate risk resume --data /var/lib/tollgate --terminal 10000001 --actor alice --reason 'device was seen'
  tollgate risk ask --data /var/lib/tollgate --terminal 10000001 sign-in --actor alice --reason 'new keys'

Rules are in the file that the station's `[risk]` names as `rules`; those in `shadow` only count. DIR is the folder of the
station's `[ledger]`, or one that has it as `ledger`; steps on the ladder are taken by the running station.
Exit codes: 0 yes, 1 no (refused, not on record), 2 usage, or a file or the folder cannot be read, 3 the rules have breaches,
4 no station runs there, 5 it does not answer.";

/// Check and try rules, explain decisions, warn, suspend and terminate
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Risk {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Default(check::Default),
    Explain(explain::Explain),
    Replay(replay::Replay),
    State(ladder::State),
    Warn(ladder::Warn),
    Fine(ladder::Fine),
    Suspend(ladder::Suspend),
    Resume(ladder::Resume),
    Terminate(ladder::Terminate),
    Ask(ladder::Ask),
}

impl Risk {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::Check(command) => command.run(out),
            Command::Default(command) => command.run(out),
            Command::Explain(command) => command.run(out),
            Command::Replay(command) => command.run(out),
            Command::State(command) => command.run(out),
            Command::Warn(command) => command.run(out),
            Command::Fine(command) => command.run(out),
            Command::Suspend(command) => command.run(out),
            Command::Resume(command) => command.run(out),
            Command::Terminate(command) => command.run(out),
            Command::Ask(command) => command.run(out),
        }
    }
}
