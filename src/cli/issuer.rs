//! `tollgate issuer`: one mock issuer on its own.

use super::Exit;
use super::Failure;
use super::Outcome;
use crate::channel::builtin as profiles;
use crate::hsm::KeyName;
use crate::hsm::KeyUsage;
use crate::hsm::software::SoftwareHsm;
use crate::model::Breach;
use crate::model::IssuerName;
use crate::registry::Breaches;
use crate::registry::DownloadSources;
use crate::registry::FleetSources;
use crate::registry::Issuer as Row;
use crate::registry::Registry;
use crate::registry::Rules;
use crate::registry::Source;
use crate::registry::Sources;
use crate::server::SystemEntropy;
use crate::server::config;
use crate::server::config::NamedKey;
use crate::sim::cards;
use crate::sim::cards::TestCard;
use crate::sim::issuer::AssembleError;
use crate::sim::issuer::Bank;
use crate::sim::issuer::DEMO_KEYS;
use crate::sim::issuer::IssuerThread;
use crate::sim::issuer::Parts;
use crate::sim::issuer::assemble;
use crate::sim::issuer::books::Money;
use crate::sim::issuer::rules;
use std::io;
use std::io::Write;
use std::net::SocketAddr;
use std::net::ToSocketAddrs;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const EXAMPLES: &str = "\
Examples:
  tollgate issuer                                        # the demo's bank-a on 127.0.0.1:9101
  tollgate issuer --name bank-b --listen 127.0.0.1:0
  tollgate issuer -c station.toml --name my-bank --accounts cards.csv
  tollgate issuer --books bank-a.log --clearing clearing # goes on where it was; clearing files when it ends
  tollgate issuer --new-keys-s 60                        # a new zone key each minute, both in turn
  tollgate issuer rules";

/// The demo's station and issuers, for whoever names no file.
const DEMO_STATION: Source<'_> =
    Source { file: "specs/demo/station.toml", text: include_str!("../../specs/demo/station.toml") };
const DEMO_ISSUERS: Source<'_> =
    Source { file: "specs/demo/issuers.toml", text: include_str!("../../specs/demo/issuers.toml") };

/// Runs one mock issuer: a bank's host that misbehaves when the amount asks
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES, after_help = rules::text(), args_conflicts_with_subcommands = true)]
pub(super) struct Issuer {
    #[command(subcommand)]
    command: Option<Command>,
    /// The station whose issuer this is: address, profile and keys come from it [default: the demo]
    #[arg(short, long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Which of the station's issuers
    #[arg(long, default_value = "bank-a", value_parser = name)]
    name: IssuerName,
    /// Where it listens; port 0 takes a free one [default: the issuer's address]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// How it speaks, a built-in profile [default: the issuer's profile]
    #[arg(long)]
    profile: Option<String>,
    /// Its cards: pan,expiry,pin,issuer,balance,use and optionally sequence,chip,check. Invented ones only
    /// [default: the demo's]
    #[arg(long, value_name = "FILE")]
    accounts: Option<PathBuf>,
    /// Keep its books in this file and go on with what is there [default: in memory]
    #[arg(long, value_name = "FILE")]
    books: Option<PathBuf>,
    /// When it ends, write the clearing file of each of its days into this folder, for `tollgate recon`
    #[arg(long, value_name = "DIR")]
    clearing: Option<PathBuf>,
    /// When the answer to 666.04 comes, in milliseconds
    #[arg(long, value_name = "MS", default_value_t = 6_000)]
    late_ms: u64,
    /// Give the station a new zone key every so many seconds, the MAC key and the PIN key in turn. The list of keys
    /// must have NAME/zmk, and the station's row for this issuer a master_key
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u32).range(1..))]
    new_keys_s: Option<u32>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// How the amount chooses the answer
    Rules,
}

fn name(text: &str) -> Result<IssuerName, String> {
    IssuerName::parse(text).ok_or_else(|| "1 to 32 lower-case letters, digits or hyphens".to_owned())
}

/// Where an issuer's keys and address come from.
struct Station {
    issuers: Vec<Arc<Row>>,
    keys: Vec<NamedKey>,
    /// The names of all keys of the list, those in blocks too.
    listed: Vec<KeyName>,
    test_keys: bool,
}

impl Issuer {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        match self.command {
            Some(Command::Rules) => {
                write!(out, "{}", rules::text())?;
                Ok(Exit::Ok)
            }
            None => self.serve(out),
        }
    }

    fn serve(&self, out: &mut dyn Write) -> Outcome {
        let station = match &self.config {
            Some(file) => station(file),
            None => demo(),
        };
        let station = station.map_err(refuse)?;
        let row = station.issuers.iter().find(|row| row.name == self.name);
        let row = row.ok_or_else(|| invalid(format!("the station has no issuer {}", self.name)))?;
        let profile_name = self.profile.as_deref().unwrap_or(&row.profile);
        let profile = profiles::profile(profile_name).ok_or_else(|| invalid(format!("no profile {profile_name}")))?;
        let cards = self.cards()?;
        let parts = Parts {
            name: self.name.clone(),
            profile,
            keys: &station.keys,
            cards: &cards,
            late: Duration::from_millis(self.late_ms),
            entropy: Arc::new(SystemEntropy),
        };
        let bank = Arc::new(assemble(&parts).map_err(|error| invalid(station.why(&error)))?);
        if let Some(path) = &self.books {
            bank.keep_books(path).map_err(|error| invalid(format!("{}: {error}", path.display())))?;
        }
        let host = IssuerThread::start(Arc::clone(&bank), self.address(row)?)
            .map_err(|error| Failure::new(Exit::NoConnection, format!("cannot listen: {error}")))?;
        welcome(&bank, host.address(), station.test_keys, out)?;
        until_told_to_stop(&host, self.new_keys_s)?;
        drop(host);
        summary(&bank, out)?;
        if let Some(folder) = &self.clearing {
            let written = bank.write_clearing(folder, &bank.days());
            let written = written.map_err(|error| invalid(format!("{}: {error}", folder.display())))?;
            written.iter().try_for_each(|path| writeln!(out, "clearing file {}", path.display()))?;
        }
        Ok(Exit::Ok)
    }

    fn cards(&self) -> Result<Vec<TestCard>, Failure> {
        let Some(file) = &self.accounts else { return Ok(cards::demo()) };
        let shown = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|error| invalid(format!("{shown}: {error}")))?;
        cards::parse(Source { file: &shown, text: &text }).map_err(refuse)
    }

    fn address(&self, row: &Row) -> Result<SocketAddr, Failure> {
        if let Some(address) = self.listen {
            return Ok(address);
        }
        let resolved = row.address.to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
        resolved.ok_or_else(|| invalid(format!("the address of {} does not resolve; say --listen", row.name)))
    }
}

fn known(profile: &str) -> bool {
    profiles::profile(profile).is_some()
}

fn station(file: &Path) -> Result<Station, Vec<Breach>> {
    let loaded = config::load(file, &known)?;
    let issuers = loaded.registry.issuers().cloned().collect();
    let listed = loaded.keys.names().into_iter().map(|(name, _)| name.clone()).collect();
    Ok(Station { issuers, listed, keys: loaded.keys.into_clear(), test_keys: loaded.config.test_keys })
}

impl Station {
    /// Why a mock issuer cannot be put together out of this station's list.
    fn why(&self, error: &AssembleError) -> String {
        match error {
            AssembleError::Missing(name) if self.listed.iter().any(|listed| listed.as_str() == name) => format!(
                "key {name} is in the list, but as the station's HSM has it: a mock issuer is another party, and needs \
                 its test keys in clear, in the list of a station's file of its own"
            ),
            other => other.to_string(),
        }
    }
}

fn demo() -> Result<Station, Vec<Breach>> {
    let config = config::parse(DEMO_STATION, &known)?;
    let registry = Registry::load(&Sources {
        defaults: config.defaults,
        merchants: Vec::new(),
        terminals: Vec::new(),
        fleet: FleetSources::default(),
        issuers: vec![DEMO_ISSUERS],
        bins: Vec::new(),
        operators: Vec::new(),
        downloads: DownloadSources::default(),
        rules: Rules::default(),
        profile_known: &known,
    })?;
    let mut breaches = Breaches::default();
    let keys = config::key_rows(Source { file: "specs/demo/keys.csv", text: DEMO_KEYS }, &mut breaches);
    let listed = keys.iter().map(|key| key.name.clone()).collect();
    breaches.or(Station { issuers: registry.issuers().cloned().collect(), keys, listed, test_keys: true })
}

fn invalid(message: String) -> Failure {
    Failure::new(Exit::Config, message)
}

fn refuse(breaches: Vec<Breach>) -> Failure {
    invalid(breaches.iter().map(Breach::to_string).collect::<Vec<_>>().join("\n"))
}

fn welcome(bank: &Bank<SoftwareHsm>, address: SocketAddr, test_keys: bool, out: &mut dyn Write) -> io::Result<()> {
    let setup = bank.setup();
    if test_keys {
        writeln!(out, "TEST KEYS: published and worthless, for tests and demonstrations only")?;
    }
    writeln!(out, "issuer {} listens on {address}", setup.name)?;
    writeln!(out, "  profile  {}: {}", setup.profile.name, setup.profile.title)?;
    writeln!(out, "  cards    {}", bank.accounts().len())?;
    write!(out, "{}", rules::text())?;
    writeln!(out, "Ctrl-C ends it.")?;
    out.flush()
}

/// Waits for Ctrl-C or `SIGTERM`.
/// Waits, and has new zone keys made meanwhile.
fn until_told_to_stop(host: &IssuerThread, new_keys_s: Option<u32>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        tokio::select! {
            told = tokio::signal::ctrl_c() => told,
            _ = terminate.recv() => Ok(()),
            () = new_keys(host, new_keys_s) => Ok(()),
        }
    })
}

/// One after the other, for as long as it is driven.
async fn new_keys(host: &IssuerThread, every_s: Option<u32>) {
    let Some(every) = every_s else { return std::future::pending().await };
    for usage in [KeyUsage::Mac, KeyUsage::Pin].into_iter().cycle() {
        tokio::time::sleep(Duration::from_secs(u64::from(every))).await;
        host.offer_key(usage);
    }
}

fn summary(bank: &Bank<SoftwareHsm>, out: &mut dyn Write) -> io::Result<()> {
    let (books, stats) = (bank.books(), bank.stats());
    let count = |money| books.iter().filter(|posting| posting.money == money).count();
    writeln!(out, "requests {}, of them reversals {}", stats.requests, stats.reversals)?;
    writeln!(out, "wrong MAC {}, unreadable {}", stats.mac_failures, stats.unreadable)?;
    writeln!(
        out,
        "booked {}, held {}, given {}, voided {}, undone {}, declined or without money {}",
        count(Money::Booked),
        count(Money::Held),
        count(Money::Given),
        count(Money::Voided),
        count(Money::Undone),
        count(Money::Untouched)
    )
}
