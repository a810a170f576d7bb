//! `tollgate keys`: the life of a station's keys, from their custodians to their end.

mod audit;
mod ceremony;
mod compare;
mod entry;
mod file;
mod init;
mod list;
mod rotate;
mod safe;
mod transport;

use super::Exit;
use super::Failure;
use super::Outcome;
use crate::hsm::HsmError;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyUsage;
use clap::Args;
use clap::Subcommand;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error;
use serde::de::value::StrDeserializer;
use std::io::Write;
use std::path::PathBuf;

const EXAMPLES: &str = "\
Examples:
  tollgate keys init -c station.toml --by alice
  tollgate keys ceremony zmk/bank-a --usage kek --algorithm tdes2 --check 8A5AE1 -c station.toml --by alice
  tollgate keys ceremony zmk/bank-a --usage kek --algorithm tdes2 --check 25D1FF --whole B4C9A0 -c station.toml --by bob
  tollgate keys import bank-a/zpk --usage pin --algorithm tdes2 --under zmk/bank-a --check 08D7B4 --from zpk.txt \\
      -c station.toml --by alice
  tollgate keys rotate terminal/10000001/tmk --under zmk/injector -c station.toml --by alice
  tollgate keys rotate terminal/10000001/tmk --activate -c station.toml --by alice
  tollgate keys rotate bank-a --zone mac --reason 'its year is over' -c station.toml --by alice
  tollgate keys list -c station.toml --audit

The key file is the one that the station's [files] names. Keys are in it as version D blocks under the station's master
key; beside it is the audit file, to which a line is added for everything that is done or refused. Only check values are
ever shown. No key and no component is taken from the command line. A station reads its keys when it starts.
Exit codes: 0 done, 1 refused, 2 usage, 3 a file has breaches, or the audit file was changed, 8 the master key is not to
be had, or another one than the key file's.";

/// Make, take in, give out, change and list a station's keys
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Keys {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Init(init::Init),
    List(list::List),
    Import(transport::Import),
    Export(transport::Export),
    Rotate(rotate::Rotate),
    Ceremony(ceremony::Enter),
}

impl Keys {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.what {
            What::Init(command) => command.run(out),
            What::List(command) => command.run(out),
            What::Import(command) => command.run(out),
            What::Export(command) => command.run(out),
            What::Rotate(command) => command.run(out),
            What::Ceremony(command) => command.run(out),
        }
    }
}

/// Where the keys are.
#[derive(Args, Clone, Debug)]
struct Place {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The key file, if the station's table files names more than one
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// Where the keys are, and who changes them.
#[derive(Args, Clone, Debug)]
struct Hand {
    #[command(flatten)]
    place: Place,
    /// Who does it; the audit file says so, and under which account
    #[arg(long, value_name = "NAME", value_parser = person)]
    by: String,
}

/// What a key is.
#[derive(Args, Clone, Copy, Debug)]
struct Kind {
    /// What for: kek, key-block, pin, mac, data, pvv, ibm-pin, cvv, bdk, initial-key, emv-cryptogram,
    /// emv-confidentiality, emv-integrity, emv-dynamic
    #[arg(long, value_parser = word::<KeyUsage>)]
    usage: KeyUsage,
    /// des, tdes2, tdes3, aes128, aes192, aes256
    #[arg(long, value_parser = word::<KeyAlgorithm>)]
    algorithm: KeyAlgorithm,
}

/// For how long a key is good, and for what.
#[derive(Args, Clone, Copy, Debug)]
struct Period {
    /// The first day it may be used
    #[arg(long, value_name = "DATE", value_parser = date)]
    not_before: Option<Date>,
    /// The last one
    #[arg(long, value_name = "DATE", value_parser = last_day)]
    not_after: Option<Date>,
    /// It is a test key: no station without test_keys takes it
    #[arg(long)]
    test: bool,
}

impl Period {
    /// # Errors
    /// It ends before it begins: nobody could read the key file any more.
    fn check(&self) -> Result<(), Failure> {
        match self.not_before.zip(self.not_after) {
            Some((first, last)) if first > last => {
                Err(Failure::new(Exit::Usage, "--not-after: is before --not-before"))
            }
            _ => Ok(()),
        }
    }
}

/// A name that stands in the audit file.
fn person(text: &str) -> Result<String, &'static str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
    match (1..=32).contains(&text.len()) && text.bytes().all(plain) {
        true => Ok(text.to_ascii_lowercase()),
        false => Err("1 to 32 letters, digits, - _ . @"),
    }
}

fn word<T: for<'a> Deserialize<'a>>(text: &str) -> Result<T, &'static str> {
    let deserializer: StrDeserializer<'_, Error> = text.into_deserializer();
    T::deserialize(deserializer).map_err(|_| "no such word")
}

fn date(text: &str) -> Result<Date, &'static str> {
    text.parse().map_err(|_| "a date, as 2027-12-31")
}

/// Today, as periods count.
fn today() -> Date {
    jiff::Timestamp::now().to_zoned(TimeZone::UTC).date()
}

/// The last day of a key that is to be used yet.
fn last_day(text: &str) -> Result<Date, &'static str> {
    let last = date(text)?;
    if last < today() { Err("a day that is over: such a key is never used") } else { Ok(last) }
}

/// What the HSM refuses, as scripts see it.
fn refused(fault: &HsmError) -> Failure {
    Failure::new(Exit::No, fault.to_string())
}
