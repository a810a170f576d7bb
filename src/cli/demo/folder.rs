//! The demo's data folder: a whole station as files, so that `tollgate serve` could run it too.

use super::Options;
use crate::cli::{Exit, Failure};
use crate::model::MerchantId;
use crate::model::TerminalId;
use crate::sim::certificates;
use crate::sim::issuer::DEMO_KEYS;
use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const STATION: &str = include_str!("../../../specs/demo/station.toml");
const FILES: [(&str, &str); 15] = [
    ("merchants.csv", include_str!("../../../specs/demo/merchants.csv")),
    ("terminals.csv", include_str!("../../../specs/demo/terminals.csv")),
    ("devices.csv", include_str!("../../../specs/demo/devices.csv")),
    ("regions.csv", include_str!("../../../specs/demo/regions.csv")),
    ("issuers.toml", include_str!("../../../specs/demo/issuers.toml")),
    ("bins.csv", include_str!("../../../specs/demo/bins.csv")),
    ("fees.toml", include_str!("../../../specs/demo/fees.toml")),
    ("holidays.csv", include_str!("../../../specs/demo/holidays.csv")),
    ("keys.csv", DEMO_KEYS),
    ("operators.csv", include_str!("../../../specs/demo/operators.csv")),
    ("parameters.toml", include_str!("../../../specs/demo/parameters.toml")),
    ("capks.toml", include_str!("../../../specs/demo/capks.toml")),
    ("applications.toml", include_str!("../../../specs/demo/applications.toml")),
    ("risk.toml", include_str!("../../../specs/demo/risk.toml")),
    ("contactless.toml", include_str!("../../../specs/demo/contactless.toml")),
];
/// The door `tls`: `pos` over mutual TLS.
const TLS_DOOR: &str = r#"
[[door]]
name = "tls"
listen = "127.0.0.1:8585"
profile = "pos"
certificate = "server.pem"
private_key = "server.key"
client_ca = "ca.pem"
client_certificates = "required"
"#;

/// The door `dukpt`: terminals that are DUKPT devices.
const DUKPT_DOOR: &str = r#"
[[door]]
name = "dukpt"
listen = "127.0.0.1:8587"
profile = "dukpt"
dukpt_key = "dukpt/bdk"
allow = ["127.0.0.0/8"]
"#;

/// The ledger's folder in the demo's.
pub(super) const LEDGER: &str = "ledger";
/// What differs in the demo: it tells its figures, the ledger is in files, and all of it stays open for the comparison.
const CHANGES: [(&str, &str); 4] = [
    ("# listen = \"127.0.0.1:9464\"", "listen = \"127.0.0.1:9464\""),
    ("# folder = \"ledger\"", "folder = \"ledger\""),
    ("# master = \"hsm-master.key\"", "master = \"hsm-master.key\""),
    ("days_kept = 7", "days_kept = 3650"),
];

/// How long a demo that was killed may take to be gone.
const DYING: Duration = Duration::from_secs(2);

/// Where the demo keeps its files.
pub(super) struct Folder {
    path: PathBuf,
    scratch: bool,
    /// Held for as long as this demo runs.
    _lock: File,
}

impl Folder {
    /// Makes the folder and writes the station into it.
    ///
    /// # Errors
    /// A file cannot be written, or what was said of a visiting terminal cannot be read.
    pub(super) fn make(options: &Options) -> Result<Self, Failure> {
        let visitor = options.visitor()?;
        let scratch = options.data.is_none();
        let path = options
            .data
            .clone()
            .unwrap_or_else(|| std::env::temp_dir().join(format!("tollgate-demo-{}", std::process::id())));
        make_private(&path, scratch)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", path.display())))?;
        let lock = lock(&path)?;
        let folder = Self { path, scratch, _lock: lock };
        certificates::write(&folder.path)?;
        let mut station = STATION.to_owned() + TLS_DOOR + DUKPT_DOOR;
        station = CHANGES.iter().fold(station, |station, (from, to)| station.replacen(from, to, 1));
        if let Some(listen) = options.listen {
            station = station.replacen("\"127.0.0.1:8583\"", &format!("\"{listen}\""), 1);
            if !listen.ip().is_loopback() {
                station = station.replacen("allow = [\"127.0.0.0/8\"]", "allow = [\"0.0.0.0/0\", \"::/0\"]", 1);
            }
        }
        folder.write("station.toml", &station)?;
        for (name, text) in FILES {
            match &visitor {
                Some(visitor) => folder.write(name, &visitor.list_with(name, text))?,
                None => folder.write(name, text)?,
            }
        }
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it stays when the demo ends.
    pub(super) fn is_kept(&self) -> bool {
        !self.scratch
    }

    /// A file of the outside world's, where the folder stays.
    pub(super) fn kept(&self, name: &str) -> Option<PathBuf> {
        self.is_kept().then(|| self.path.join(name))
    }

    /// The folder, if it is to go away with the demo.
    pub(super) fn scratch(&self) -> Option<PathBuf> {
        self.scratch.then(|| self.path.clone())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Failure> {
        let file = self.path.join(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o600);
        let written = options.open(&file).and_then(|mut opened| opened.write_all(text.as_bytes()));
        written.map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", file.display())))
    }
}

/// A folder for its owner alone: a visitor's master key is in it. A scratch folder must be new.
fn make_private(path: &Path, scratch: bool) -> io::Result<()> {
    DirBuilder::new().mode(0o700).recursive(!scratch).create(path)
}

/// One demo at a time: another one would write over this one's files.
fn lock(path: &Path) -> Result<File, Failure> {
    let refuse = |error: io::Error| Failure::new(Exit::Config, format!("{}: {error}", path.display()));
    let mut options = OpenOptions::new();
    let lock = options.write(true).create(true).truncate(false).mode(0o600).open(path.join("lock")).map_err(refuse)?;
    let until = Instant::now() + DYING;
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(DYING / 50),
            Err(TryLockError::WouldBlock) => {
                let what = format!("{}: another demo uses this folder", path.display());
                return Err(Failure::new(Exit::LedgerInUse, what));
            }
            Err(TryLockError::Error(error)) => return Err(refuse(error)),
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.scratch {
            // What cannot be removed is left in the machine's scratch folder.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// A real terminal that comes in: its number, its merchant's, and its master key in hex.
pub(super) struct Visitor {
    terminal: TerminalId,
    merchant: MerchantId,
    key: String,
}

impl Visitor {
    /// Reads `TID:MID` and the key file.
    ///
    /// # Errors
    /// What is not of its form; the key itself is never shown.
    pub(super) fn read(named: &str, key_file: &Path) -> Result<Self, Failure> {
        let usage = |what: &str| Failure::new(Exit::Usage, what.to_owned());
        let (terminal, merchant) = named.split_once(':').ok_or_else(|| usage("--terminal: is not TID:MID"))?;
        let key = std::fs::read_to_string(key_file)
            .map_err(|error| Failure::new(Exit::Config, format!("{}: {error}", key_file.display())))?;
        let key = key.trim().to_ascii_uppercase();
        if key.len() != 32 || !key.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(usage("--tmk-file: holds no double-length key of 32 hex digits"));
        }
        Ok(Self {
            terminal: TerminalId::parse(format!("{terminal:<8}").as_bytes())
                .ok_or_else(|| usage("--terminal: TID is not 1 to 8 characters"))?,
            merchant: MerchantId::parse(format!("{merchant:<15}").as_bytes())
                .ok_or_else(|| usage("--terminal: MID is not 1 to 15 characters"))?,
            key,
        })
    }

    /// A list with this terminal in it, in place of what stood there of the same name.
    fn list_with(&self, file: &str, text: &str) -> String {
        let (terminal, merchant) = (self.terminal.as_str().trim_end(), self.merchant.as_str().trim_end());
        let row = match file {
            "merchants.csv" if text.lines().any(|line| first(line) == merchant) => return text.to_owned(),
            "merchants.csv" => format!("{merchant},访客商店,Visiting shop,5411,TESTACCOUNTVISIT,T1,,"),
            "terminals.csv" => format!("{terminal},{merchant},"),
            "keys.csv" => format!("terminal/{terminal}/tmk,kek,tdes2,{}", self.key),
            _ => return text.to_owned(),
        };
        let others = text.lines().filter(|line| first(line) != first(&row));
        others.chain([row.as_str(), ""]).collect::<Vec<_>>().join("\n")
    }
}

fn first(line: &str) -> &str {
    line.split(',').next().unwrap_or_default()
}
