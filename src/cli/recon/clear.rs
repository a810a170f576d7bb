//! `tollgate recon clear`: a person says what became of a difference.

use super::Where;
use super::now;
use super::store::Store;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome;
use crate::settle::recon::BookFault;
use clap::Args;
use std::io::Write;

/// Clear a difference, and say who and why
#[derive(Args, Debug)]
pub(super) struct Clear {
    /// Its number
    id: u64,
    #[command(flatten)]
    ledger: Where,
    /// Who clears it
    #[arg(long)]
    actor: String,
    /// Why: what was found out, and what was done
    #[arg(long)]
    reason: String,
}

impl Clear {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut store = Store::open(&self.ledger.data)?;
        let event = store.book.clear(self.id, &self.actor, &self.reason, now()).map_err(|fault| {
            let exit = if matches!(fault, BookFault::Words(_)) { Exit::Usage } else { Exit::No };
            Failure::new(exit, fault.to_string())
        })?;
        store.keep(&[event])?;
        writeln!(
            out,
            "difference {} is cleared by {}; {} open",
            self.id,
            self.actor.trim(),
            store.book.open().count()
        )?;
        Ok(Exit::Ok)
    }
}
