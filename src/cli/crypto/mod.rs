//! `tollgate crypto`: the arithmetic of payment keys, for tickets and for proofs.

mod vectors;

use super::Outcome;
use clap::Subcommand;
use std::io::Write;

/// Payment cryptography by hand: calculators, and known answers
#[derive(Debug, clap::Args)]
pub(super) struct Crypto {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Vectors(vectors::Vectors),
}

impl Crypto {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        match &self.what {
            What::Vectors(command) => command.run(out),
        }
    }
}
