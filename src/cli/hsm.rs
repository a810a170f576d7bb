//! `tollgate hsm`: an HSM of host commands to try against, and keys for it.

use super::Exit;
use super::Failure;
use super::Outcome;
use super::crypto::is_test_key;
use crate::channel;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyUsage;
use crate::hsm::payshield::PORT;
use crate::hsm::payshield::behaviour::Behaviour;
use crate::hsm::payshield::behaviour::Delay;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::keys::Under;
use crate::hsm::payshield::counterpart::Counterpart;
use crate::hsm::payshield::counterpart::test_key;
use crate::hsm::payshield::counterpart::test_key_block;
use crate::hsm::payshield::key::HostKey;
use crate::hsm::payshield::serve::Served;
use crate::hsm::payshield::serve::serve;
use crate::model::Breach;
use crate::registry::Breaches;
use crate::registry::Source;
use crate::server::SystemEntropy;
use crate::server::config;
use crate::server::config::ClientCertificates;
use crate::server::config::Config;
use crate::server::config::DoorTls;
use crate::server::config::NamedKey;
use crate::server::hsm::software_of;
use crate::server::tls;
use crate::sim::issuer::DEMO_KEYS;
use std::io;
use std::io::Write;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::SignalKind;
use tokio::signal::unix::signal;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

const EXAMPLES: &str = "\
Examples:
  tollgate hsm serve                                       # 127.0.0.1:1500, headers of 4, answers at once
  tollgate hsm serve --delay exp:2ms --engines 4           # 2,000 commands a second at most
  tollgate hsm serve --errors 0.01 --drop 0.001 --seed 7   # now and then it fails, every run alike
  tollgate hsm keys specs/demo/keys.csv                    # those keys, as this HSM takes them
  tollgate hsm seal -c station.toml clear.csv > keys.csv   # a software HSM's keys, as blocks under its master key";

/// A payShield-style HSM for tests, under the public test master key; lists of keys
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Hsm {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    Serve(Box<Serve>),
    Keys(Keys),
    Seal(Seal),
}

impl Hsm {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        match self.what {
            What::Serve(command) => command.run(out),
            What::Keys(command) => command.run(out),
            What::Seal(command) => command.run(out),
        }
    }
}

/// Answer host commands: NC NO B2 N0 A0 A6 A8 BU CA CC G0 DA EA DC EC FW GW M6 M8 CW CY KQ KW M0 M2
#[derive(Debug, clap::Args)]
struct Serve {
    /// Where it listens; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value_t = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT))]
    listen: SocketAddr,
    /// Characters of the header
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u8).range(1..))]
    header: u8,
    /// How long a command takes: 2ms, 1ms..5ms (all alike), exp:2ms (exponential with this mean)
    #[arg(long, value_name = "TIME", default_value = "0ms")]
    delay: Delay,
    /// How many commands are worked on at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    engines: u16,
    /// Share of commands answered with an error, 0 to 1; diagnostics are spared all shares
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    errors: f64,
    /// Which error
    #[arg(long, value_name = "CODE", default_value = "41", value_parser = code)]
    error: ErrorCode,
    /// Share of commands never answered
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    drop: f64,
    /// Share of commands at which the connection is closed
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    close: f64,
    /// Share of commands answered by half, then the connection closed
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    half: f64,
    /// Share of commands answered with bytes that are no answer
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    garbage: f64,
    /// Share of commands answered under a header that no call has
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    other: f64,
    /// Share of commands whose answers two calls of a connection get of each other
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    swap: f64,
    /// Diagnostics fail like everything else
    #[arg(long)]
    spoil_diagnostics: bool,
    /// Refuse keys without odd parity, as real HSMs do
    #[arg(long)]
    odd_parity: bool,
    /// Where chance begins: the same seed, the same run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// TLS: the certificate chain (PEM)
    #[arg(long, value_name = "FILE", requires = "private_key")]
    certificate: Option<PathBuf>,
    /// TLS: its key (PEM)
    #[arg(long, value_name = "FILE", requires = "certificate")]
    private_key: Option<PathBuf>,
}

fn share(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=1.0).contains(share)).ok_or_else(|| "a number from 0 to 1".to_owned())
}

fn code(text: &str) -> Result<ErrorCode, String> {
    let code = text.as_bytes().try_into().ok().and_then(ErrorCode::parse);
    code.filter(|code| *code != ErrorCode::OK).ok_or_else(|| "two digits or letters, not 00".to_owned())
}

impl Serve {
    fn behaviour(&self) -> Behaviour {
        Behaviour {
            delay: self.delay,
            engines: usize::from(self.engines),
            errors: self.errors,
            error_code: self.error,
            drop: self.drop,
            close: self.close,
            half: self.half,
            garbage: self.garbage,
            other: self.other,
            swap: self.swap,
            spoils_diagnostics: self.spoil_diagnostics,
        }
    }

    fn run(&self, out: &mut dyn Write) -> Outcome {
        let behaviour = self.behaviour();
        let tls = self.certificate.clone().zip(self.private_key.clone()).map(|(certificate, private_key)| DoorTls {
            certificate: certificate.to_string_lossy().into_owned(),
            private_key: private_key.to_string_lossy().into_owned(),
            client_ca: None,
            client_certificates: ClientCertificates::None,
        });
        let tls = tls.map(|tls| tls::door(Path::new(""), &tls)).transpose();
        let tls = tls.map_err(|fault| Failure::new(Exit::Config, fault.to_string()))?;
        let host = Counterpart::new(Arc::new(SystemEntropy));
        let host = if self.odd_parity { host.odd_parity() } else { host };
        let served = Arc::new(Served::new(host, usize::from(self.header), behaviour, self.seed));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind(self.listen).await.map_err(|error| {
                Failure::new(Exit::NoConnection, format!("cannot listen on {}: {error}", self.listen))
            })?;
            let mut terminate = signal(SignalKind::terminate())?;
            self.welcome(&behaviour, listener.local_addr()?, out)?;
            let end = CancellationToken::new();
            let serving = serve(Arc::clone(&served), listener, tls, end.clone());
            tokio::select! {
                () = serving => {}
                told = tokio::signal::ctrl_c() => told?,
                _ = terminate.recv() => {}
            }
            end.cancel();
            Ok::<(), Failure>(())
        })?;
        summary(&served, &behaviour, out)?;
        Ok(Exit::Ok)
    }

    fn welcome(&self, behaviour: &Behaviour, address: SocketAddr, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "TEST MASTER KEY: published and worthless, for tests and demonstrations only")?;
        writeln!(out, "hsm listens on {address}, headers of {}", self.header)?;
        writeln!(out, "  a command takes {}, {} at once, seed {}", behaviour.delay, behaviour.engines, self.seed)?;
        if let Some(limit) = behaviour.limit_per_second() {
            writeln!(out, "  at most {limit:.0} commands a second")?;
        }
        writeln!(out, "Ctrl-C ends it.")?;
        out.flush()
    }
}

/// Of a hundred commands so many waited where the HSM is the limit; the first of a crowd never does.
const LIMITING: u64 = 80;

fn summary(served: &Served, behaviour: &Behaviour, out: &mut dyn Write) -> io::Result<()> {
    let text = |code: [u8; 2]| String::from_utf8_lossy(&code).into_owned();
    let counts = served.counts();
    for ((command, result), count) in &counts {
        writeln!(out, "{count:8} {} {}", text(*command), text(*result))?;
    }
    let (all, waited) = (counts.values().sum::<u64>(), served.waited());
    writeln!(out, "{waited:8} waited until an engine was free")?;
    match behaviour.limit_per_second() {
        Some(limit) if all > 0 && waited.saturating_mul(100) >= all.saturating_mul(LIMITING) => {
            writeln!(out, "this HSM, not who asks it, is the limit at {limit:.0}/s")
        }
        _ => Ok(()),
    }
}

/// Print a list of clear test keys as this HSM takes them: name, usage, algorithm, type, key
///
/// Keys whose name begins with terminal/ are a terminal's (TMK, TPK, TAK, TEK), data keys under sealing/ are this
/// house's own (DEK), all others a zone's. AES keys come out in key blocks under a test key of this program.
#[derive(Debug, clap::Args)]
struct Keys {
    /// The list: name,usage,algorithm,key. Published test keys only: the output is as good as clear
    file: PathBuf,
    /// They are test keys, though they do not look like any
    #[arg(long)]
    test_keys: bool,
}

/// What an HSM takes a key for.
fn key_type(name: &str, usage: KeyUsage) -> Option<KeyType> {
    let is_terminals = name.starts_with("terminal/");
    Some(match usage {
        KeyUsage::Kek | KeyUsage::Pin if is_terminals => KeyType::TMK,
        KeyUsage::Kek | KeyUsage::KeyBlock => KeyType::ZMK,
        KeyUsage::Pin => KeyType::ZPK,
        KeyUsage::Mac if is_terminals => KeyType::TAK,
        KeyUsage::Mac => KeyType::ZAK,
        KeyUsage::Data if is_terminals => KeyType::TEK,
        KeyUsage::Data if name.starts_with("sealing/") => KeyType::DEK,
        KeyUsage::Data => KeyType::ZEK,
        KeyUsage::Pvv | KeyUsage::IbmPin => KeyType::TMK,
        KeyUsage::Cvv => KeyType::CVK,
        KeyUsage::Bdk => KeyType::BDK,
        KeyUsage::EmvCryptogram => KeyType::MK_AC,
        KeyUsage::EmvIntegrity => KeyType::MK_SMI,
        _ => return None,
    })
}

/// Whether it is a key of the demo's own list.
fn is_of_the_demo(key: &NamedKey) -> bool {
    let demo = config::key_rows(Source { file: "specs/demo/keys.csv", text: DEMO_KEYS }, &mut Breaches::default());
    demo.iter().any(|known| *known.key == *key.key)
}

/// The key as this HSM keeps it.
fn kept(key: &NamedKey, key_type: KeyType) -> Option<HostKey> {
    let is_terminals = key.name.as_str().starts_with("terminal/");
    let under = if is_terminals { Under::Terminal } else { Under::Zone };
    match key.algorithm {
        KeyAlgorithm::Des | KeyAlgorithm::Tdes2 | KeyAlgorithm::Tdes3 => test_key(key_type, &key.key),
        aes => test_key_block(key.usage, aes, under, &key.key),
    }
}

/// Print a list of clear keys as a station with the software HSM keeps it: version D blocks under its master key
///
/// The master key is where the station's `[hsm]` says; a file that is not there is made if the ledger is new. Take
/// the clear list away afterwards.
#[derive(Debug, clap::Args)]
struct Seal {
    /// The station's file
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The list: name,usage,algorithm,key
    file: PathBuf,
}

/// A station's file, without its lists.
pub(super) fn station_file(file: &Path) -> Result<Config, Failure> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Failure::new(Exit::Config, format!("{shown}: {error}")))?;
    let known = |name: &str| channel::builtin::profile(name).is_some();
    config::parse(Source { file: &shown, text: &text }, &known).map_err(refuse)
}

/// A list of clear keys.
pub(super) fn clear_list(file: &Path) -> Result<Vec<NamedKey>, Failure> {
    let shown = file.display().to_string();
    let text = std::fs::read_to_string(file).map(Zeroizing::new);
    let text = text.map_err(|error| Failure::new(Exit::Config, format!("{shown}: {error}")))?;
    let mut breaches = Breaches::default();
    let keys = config::key_rows(Source { file: &shown, text: &text }, &mut breaches);
    breaches.or(keys).map_err(refuse)
}

pub(super) fn refuse(breaches: Vec<Breach>) -> Failure {
    let lines: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    Failure::new(Exit::Config, lines.join("\n"))
}

impl Seal {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let station = station_file(&self.config)?;
        let keys = clear_list(&self.file)?;
        let folder = self.config.parent().unwrap_or(Path::new(""));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let hsm = runtime.block_on(software_of(&station, folder));
        let hsm = hsm.map_err(|fault| Failure::new(super::serve::hsm_failure(&fault), fault.to_string()))?;
        writeln!(out, "name,usage,algorithm,key")?;
        for key in &keys {
            let name = key.name.as_str();
            let refused = |why: String| Failure::new(Exit::Keys, format!("key {name}: {why}"));
            let block = hsm.keep(key.usage, key.algorithm, &key.key).map_err(|fault| refused(fault.to_string()))?;
            writeln!(out, "{name},{},{},{}", key.usage.word(), key.algorithm.word(), block.as_str())?;
        }
        Ok(Exit::Ok)
    }
}

impl Keys {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let keys = clear_list(&self.file)?;
        // Before anything is printed: under a published key a real one is as good as in clear.
        let real = keys.iter().find(|key| !self.test_keys && !is_test_key(&key.key) && !is_of_the_demo(key));
        if let Some(key) = real {
            let why = "is no well-known test key, and this prints it under a master key that everybody has: say \
                --test-keys if it is one all the same";
            return Err(Failure::new(Exit::Usage, format!("key {}: {why}", key.name.as_str())));
        }
        writeln!(out, "name,usage,algorithm,type,key")?;
        for key in &keys {
            let name = key.name.as_str();
            let written = key_type(name, key.usage).and_then(|key_type| Some((key_type, kept(key, key_type)?)));
            let (usage, algorithm) = (key.usage.word(), key.algorithm.word());
            match written {
                Some((key_type, under_lmk)) => {
                    writeln!(out, "{name},{usage},{algorithm},{},{}", key_type.as_str(), under_lmk.as_str())?;
                }
                None => writeln!(out, "# {name}: no key for this HSM")?,
            }
        }
        Ok(Exit::Ok)
    }
}
