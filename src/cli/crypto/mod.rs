//! `tollgate crypto`: the arithmetic of payment keys, for tickets and for proofs.

mod attributes;
mod cards;
mod chip_data;
mod desk;
mod dukpt;
mod keys;
mod known;
mod macs;
mod pins;
mod plain;
mod vectors;
mod written;

pub(super) use known::is_test_key;

use super::Outcome;
use clap::Subcommand;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate crypto kcv --key 0123456789ABCDEFFEDCBA9876543210
  tollgate crypto pinblock --format 0 --pin 1234 --pan 4012345678909 --key 0123456789ABCDEFFEDCBA9876543210
  tollgate crypto dukpt --bdk 0123456789ABCDEFFEDCBA9876543210 --ksn FFFF9876543210E00001
  tollgate crypto kcv --key zmk.hex --real-keys      # the check value, and no key, is shown
  tollgate crypto vectors tests/golden/crypto.json

Every calculator prints all of its inputs and outputs with labels, to be pasted into a ticket.
Keys: hex on the command line for well-known test keys (others after --test-keys), else a file or `-`.
Cards and PINs are shown with a test key and a well-known test card, or after --unmask.";

/// Payment cryptography by hand: calculators, and known answers
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Crypto {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Arpc(cards::Arpc),
    Arqc(cards::Arqc),
    Bcd(plain::Bcd),
    Component(keys::Component),
    Cvv(cards::Cvv),
    Dukpt(dukpt::Dukpt),
    Ebcdic(plain::Ebcdic),
    Kcv(keys::CheckValue),
    Luhn(plain::Luhn),
    Mac(macs::Mac),
    Offset(pins::Offset),
    Pinblock(pins::PinBlock),
    Pvv(pins::Pvv),
    Tlv(chip_data::Tlv),
    Tr31(keys::Tr31),
    Track2(plain::Track),
    Vectors(vectors::Vectors),
}

impl Crypto {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        match &self.what {
            What::Arpc(command) => command.run(out),
            What::Arqc(command) => command.run(out),
            What::Bcd(command) => command.run(out),
            What::Component(command) => command.run(out),
            What::Cvv(command) => command.run(out),
            What::Dukpt(command) => command.run(out),
            What::Ebcdic(command) => command.run(out),
            What::Kcv(command) => command.run(out),
            What::Luhn(command) => command.run(out),
            What::Mac(command) => command.run(out),
            What::Offset(command) => command.run(out),
            What::Pinblock(command) => command.run(out),
            What::Pvv(command) => command.run(out),
            What::Tlv(command) => command.run(out),
            What::Tr31(command) => command.run(out),
            What::Track2(command) => command.run(out),
            What::Vectors(command) => command.run(out),
        }
    }
}
