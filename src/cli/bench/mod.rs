//! `tollgate bench`: honest load.

mod compare;
mod files;
mod fleet;
mod html;
mod knee;
mod machine;
mod options;
mod print;
mod run;
mod station;

use super::Outcome;
use clap::Args;
use clap::Subcommand;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate bench run --rate 500/s --verify                            a station of its own, compared to the cent
  tollgate bench run --find-knee --duration 5s --threshold 'p99<20ms'
  tollgate bench run 127.0.0.1:8583 --rate 500/s --duration 10s
  tollgate bench run 127.0.0.1:8583 --rate 2000/s --terminals 200 --threshold 'p99<15ms' --threshold 'unanswered<0.1%'
  tollgate bench run 127.0.0.1:8583 --closed -c 64 --duration 20s     capacity: each answer is followed by a request
  tollgate bench run host.example:5000 --profile mine.toml --terminal-list terminals.csv --rate 50/s
  tollgate bench compare before after --fail-if 'p99>+10%'

Exit codes: 0 every threshold was kept, 1 one was not, an answer was wrong, or the run was stopped; 2 usage, 3 a file is
of no use, 4 no connection, 5 nobody answered the sign-ins.";

/// Load for any ISO 8583 host, on a schedule that does not wait, every answer checked
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Bench {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::Run>),
    Compare(compare::Compare),
}

impl Bench {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Command::Run(command) => command.run(out),
            Command::Compare(command) => command.run(out),
        }
    }
}
