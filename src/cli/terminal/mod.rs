//! `tollgate terminal`: a POS terminal at the command line.

mod counter;
mod day;
mod options;
mod show;
mod verbs;

use super::Exit;
use super::Failure;
use super::Outcome as Ran;
use crate::hsm::calculator::ClearPin;
use crate::sim::terminal::Card;
use crate::sim::terminal::Memory;
use crate::sim::terminal::Terminal as Pos;
use crate::sim::terminal::drive::DriveFault;
use crate::sim::terminal::drive::Driver;
use clap::Args;
use counter::Counter;
use options::Station;
pub(super) use options::parse_amount;
use std::io;
use std::io::Write;
use verbs::Action;

const EXAMPLES: &str = "\
Examples (with `tollgate demo` running):
  tollgate terminal sign-in --operator 01
  tollgate terminal sale 12.00                        approved
  tollgate terminal sale 12.51                        declined: the cents are the answer
  tollgate terminal sale 666.02                       no answer: the reversal goes first next time
  tollgate terminal sale 5.00 --bad-arqc              a copied chip: its issuer knows
  tollgate terminal void                              the last sale, whole
  tollgate terminal refund 5.00 --of 3                a part of voucher 000003
  tollgate terminal preauth 100.00
  tollgate terminal complete 110.00                   of the last hold
  tollgate terminal offline-sale 20.00                told at the next occasion
  tollgate terminal settle                            totals, next batch
  tollgate terminal day --script specs/demo/day.toml  a whole day
  tollgate terminal --door host balance
  tollgate terminal --door dukpt sale 12.00           a DUKPT device: no sign-in, a key for each transaction
  tollgate terminal --door tls --ca ca.pem --cert client.pem --key client.key sale 1.00

Without --tmk-file, and on this machine only, the demo's published TEST KEYS are used.
Exit codes: 0 approved, 1 declined, 2 usage, 3 keys or state file, 4 no connection, 5 no answer.";

/// A POS terminal: signs in, sells, voids, refunds, holds, works offline, settles
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Terminal {
    #[command(flatten)]
    station: Station,
    #[command(subcommand)]
    action: Action,
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
        let state = self.station.state_file(&setup)?;
        let owner = setup.owner();
        let memory = match state.read().map_err(config)? {
            None => Memory::default(),
            Some(text) => Memory::from_json(&text, owner, &pad).map_err(config)?,
        };
        let fresh = Memory { key_data: None, ..memory.clone() };
        let mut terminal = match Pos::new(setup.clone(), pad, memory) {
            Ok(terminal) => terminal,
            // Keys of another master key are of no use, and a sign-in brings new ones.
            Err(_) => Pos::new(setup.clone(), self.station.pin_pad(&setup, &mut io::sink())?, fresh).map_err(config)?,
        };
        if let Some(operator) = self.station.operator()? {
            terminal.set_operator(operator);
        }
        let target = self.station.target()?;
        let counter = Counter::new(state, &mut *out, &self.station);
        let mut driver = Driver::new(terminal, target, counter);
        runtime.block_on(self.action.run(&mut driver))
    }
}

fn config(error: impl ToString) -> Failure {
    Failure::new(Exit::Config, error.to_string())
}

fn usage(what: &str) -> Failure {
    Failure::new(Exit::Usage, what)
}

fn fault(error: DriveFault) -> Failure {
    match error {
        DriveFault::Keep(_) => Failure::new(Exit::Config, error.to_string()),
        DriveFault::Terminal(_) => Failure::new(Exit::No, error.to_string()),
    }
}

/// A card and the PIN entered for it.
type CardAndPin = (Card, Option<ClearPin>);
