//! What the user says of terminal, keys, door and card. Secrets come from files, never from arguments.

use super::CardAndPin;
use super::config;
use super::usage;
use crate::channel::builtin;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::hsm::calculator::ClearPin;
use crate::model::Amount;
use crate::model::Currency;
use crate::model::DeviceId;
use crate::model::MerchantId;
use crate::model::TerminalId;
use crate::model::Track2;
use crate::server::SystemEntropy;
use crate::server::tls;
use crate::sim::cards;
use crate::sim::cards::CardUse;
use crate::sim::terminal::Card;
use crate::sim::terminal::Entry;
use crate::sim::terminal::Habits;
use crate::sim::terminal::PinPad;
use crate::sim::terminal::Presented;
use crate::sim::terminal::Setup;
use crate::sim::terminal::day;
use crate::sim::terminal::demo_dukpt_pad;
use crate::sim::terminal::demo_pin_pad;
use crate::sim::terminal::demo_serial;
use crate::sim::terminal::drive::Target;
use crate::sim::terminal::state_file::StateFile;
use clap::Args;
use clap::ValueEnum;
use std::io::ErrorKind;
use std::io::Read as _;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The demo's doors.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Door {
    /// cn-pos with TPDU, header and sign-in
    Pos,
    /// iso87-ascii with fixed keys
    Host,
    /// as pos, over mutual TLS
    Tls,
    /// iso87-ascii, the terminal being a DUKPT device
    Dukpt,
}

/// Which copies of a receipt are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(super) enum Copies {
    Both,
    Merchant,
    Cardholder,
    None,
}

/// Who the terminal is and where it calls.
#[derive(Args, Debug)]
pub(super) struct Station {
    /// Which of the demo's doors, and so which conventions
    #[arg(global = true, long, value_enum, default_value = "pos")]
    door: Door,
    /// host:port, if it is not the demo's
    #[arg(global = true, long)]
    connect: Option<String>,
    /// Terminal number, DE 41
    #[arg(global = true, long, default_value = "10000001")]
    tid: String,
    /// Merchant number, DE 42 [default: the demo's merchant of the terminal]
    #[arg(global = true, long)]
    mid: Option<String>,
    /// Another merchant number in requests, as a jump machine writes one
    #[arg(global = true, long, value_name = "MID")]
    claim_mid: Option<String>,
    /// Another serial number than the demo's device has, in sign-ins and in requests
    #[arg(global = true, long)]
    serial: Option<String>,
    /// Somebody opened the device, and it says so in each request
    #[arg(global = true, long)]
    opened: bool,
    /// File with the terminal master key as 32 or 48 hex digits
    #[arg(global = true, long)]
    tmk_file: Option<PathBuf>,
    /// For a door without sign-in: file with the PIN key, as hex digits
    #[arg(global = true, long, requires = "zak_file")]
    zpk_file: Option<PathBuf>,
    /// For a door without sign-in: file with the MAC key, as hex digits
    #[arg(global = true, long, requires = "zpk_file")]
    zak_file: Option<PathBuf>,
    /// For a DUKPT device: file with its initial key, as hex digits
    #[arg(global = true, long, requires = "ksn")]
    initial_key_file: Option<PathBuf>,
    /// For a DUKPT device: its serial number with the counter at zero, 20 or 24 hex digits
    #[arg(global = true, long, requires = "initial_key_file", value_parser = device)]
    ksn: Option<DeviceId>,
    /// Where the terminal remembers [default: a file of its own in the user's state folder]
    #[arg(global = true, long)]
    state: Option<PathBuf>,
    /// Seconds to wait for an answer
    #[arg(global = true, long, default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    /// Authority of the door's certificate, PEM
    #[arg(global = true, long, requires = "cert")]
    ca: Option<PathBuf>,
    /// The terminal's certificate, PEM
    #[arg(global = true, long, requires = "key")]
    cert: Option<PathBuf>,
    /// Its private key, PEM
    #[arg(global = true, long, requires = "ca")]
    key: Option<PathBuf>,
    /// Ask for a track key at sign-in and encipher tracks under it
    #[arg(global = true, long)]
    encrypt_track: bool,
    /// The merchant's name on receipts
    #[arg(global = true, long, default_value = "示范商店 Demo shop")]
    pub(super) shop: String,
    /// Who is at the terminal, 1 to 3 characters: 01 to 98, 00 the supervisor; another one signs in anew
    #[arg(global = true, long)]
    operator: Option<String>,
    /// Which copies of a receipt are printed
    #[arg(global = true, long, value_enum, default_value = "both")]
    pub(super) copies: Copies,
    /// Print every element, masked
    #[arg(global = true, long, short)]
    pub(super) verbose: bool,
}

impl Station {
    pub(super) fn setup(&self) -> Result<Setup, Failure> {
        let name = match self.door {
            Door::Host => "host",
            Door::Dukpt => "dukpt",
            Door::Pos | Door::Tls => "pos",
        };
        let profile = builtin::profile(name).ok_or_else(|| config("profile is not built in"))?;
        let terminal = TerminalId::parse(self.tid.as_bytes()).ok_or_else(|| usage("--tid: not 8 characters"))?;
        let merchant = match &self.mid {
            Some(mid) => MerchantId::parse(mid.as_bytes()),
            None => self.demo_merchant(),
        };
        let merchant = merchant.ok_or_else(|| usage("--mid: 15 characters are needed"))?;
        let encrypt_tracks = self.encrypt_track;
        let habits = self.habits(terminal)?;
        Ok(Setup { profile, terminal, merchant, currency: Currency::CNY, offset_minutes: 480, encrypt_tracks, habits })
    }

    fn habits(&self, terminal: TerminalId) -> Result<Habits, Failure> {
        let claims = self
            .claim_mid
            .as_ref()
            .map(|mid| MerchantId::parse(mid.as_bytes()).ok_or_else(|| usage("--claim-mid: 15 characters are needed")));
        let is_serial = |text: &str| {
            (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        if self.serial.as_deref().is_some_and(|serial| !is_serial(serial)) {
            return Err(usage("--serial: 1 to 32 letters, digits or hyphens"));
        }
        Ok(Habits {
            serial: self.serial.as_deref().map(Box::from).or_else(|| demo_serial(terminal)),
            claims: claims.transpose()?,
            tells: self.serial.is_some(),
            opened: self.opened,
        })
    }

    /// Who is at the terminal, if it was said.
    pub(super) fn operator(&self) -> Result<Option<&str>, Failure> {
        let fits =
            |operator: &&str| (1..=3).contains(&operator.len()) && operator.bytes().all(|b| b.is_ascii_graphic());
        match self.operator.as_deref() {
            Some(operator) if !fits(&operator) => Err(usage("--operator: 1 to 3 characters")),
            operator => Ok(operator),
        }
    }

    /// Terminal 10000001 belongs to the merchant with serial number 1, and so on.
    fn demo_merchant(&self) -> Option<MerchantId> {
        let serial = self.tid.parse::<u32>().ok()?.checked_sub(10_000_000)?;
        MerchantId::parse(format!("89811005411{serial:04}").as_bytes())
    }

    pub(super) fn pin_pad(&self, setup: &Setup, out: &mut dyn Write) -> Result<PinPad, Failure> {
        let entropy = Arc::new(SystemEntropy);
        if let Some(file) = self.tmk_file.as_deref().filter(|_| setup.profile.sign_in) {
            return PinPad::with_master_key(&key_file(file)?, entropy).map_err(config);
        }
        if let (false, Some(zpk), Some(zak)) = (setup.profile.sign_in, &self.zpk_file, &self.zak_file) {
            return PinPad::with_zone_keys(&key_file(zpk)?, &key_file(zak)?, entropy).map_err(config);
        }
        if let (Some(_), Some(file), Some(device)) = (setup.profile.dukpt, &self.initial_key_file, self.ksn) {
            return PinPad::with_initial_key(&key_file(file)?, device, entropy).map_err(config);
        }
        if !self.is_loopback() {
            return Err(Failure::new(Exit::Usage, "the demo's TEST KEYS are for this machine only: give a key file"));
        }
        writeln!(out, "TEST KEYS: the demo's, published and worthless")?;
        let pad = match setup.profile.dukpt {
            Some(_) => demo_dukpt_pad(setup.terminal, entropy),
            None => demo_pin_pad(setup.terminal, setup.profile.sign_in, entropy),
        };
        pad.map_err(config)?.ok_or_else(|| Failure::new(Exit::Usage, "the demo has no such terminal: give a key file"))
    }

    fn address(&self) -> String {
        let port = match self.door {
            Door::Pos => 8583,
            Door::Host => 8584,
            Door::Tls => 8585,
            Door::Dukpt => 8587,
        };
        self.connect.clone().unwrap_or_else(|| format!("127.0.0.1:{port}"))
    }

    fn is_loopback(&self) -> bool {
        let address = self.address();
        let host = address.rsplit_once(':').map_or(address.as_str(), |(host, _)| host).trim_matches(['[', ']']);
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }

    pub(super) fn target(&self) -> Result<Target, Failure> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| config(format!("{}: {error}", path.display())));
        let tls = match (&self.ca, &self.cert, &self.key) {
            (Some(ca), Some(certificates), Some(key)) => {
                let (certificates, key) = (read(certificates)?, read(key)?);
                let identity = tls::Identity { certificates: &certificates, key: &key };
                Some(tls::client(&read(ca)?, Some(identity)).map_err(config)?)
            }
            _ if self.door == Door::Tls => {
                return Err(Failure::new(Exit::Usage, "--door tls needs --ca, --cert and --key"));
            }
            _ => None,
        };
        Ok(Target {
            address: self.address(),
            tls,
            connect_within: Duration::from_secs(5),
            answer_within: Duration::from_secs(self.timeout),
        })
    }

    /// One file for each terminal of each address, so that two switches do not share trace numbers.
    pub(super) fn state_file(&self, setup: &Setup) -> Result<StateFile, Failure> {
        let folder = || {
            let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"));
            let state = std::env::var_os("XDG_STATE_HOME").map(PathBuf::from).or(home);
            state.unwrap_or_else(std::env::temp_dir).join("tollgate")
        };
        let address = self.address().replace([':', '/', '[', ']'], "-");
        let name = format!("terminal-{}-{}-{address}.json", setup.profile.name, setup.terminal);
        let path = self.state.clone().unwrap_or_else(|| folder().join(name));
        StateFile::open(&path).map_err(|error| match error.kind() {
            ErrorKind::WouldBlock => config(format!("{}: another terminal uses this state file", path.display())),
            _ => config(format!("{}: {error}", path.display())),
        })
    }
}

/// The demo's cards for visitors.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum TestCardName {
    /// 6225…0253, issuer A
    VisitorA,
    /// 4111…1111, issuer B
    VisitorB,
    /// 5555…4444, issuer B
    VisitorC,
}

/// How the card is read.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum EntryName {
    Chip,
    Swipe,
    Tap,
    Manual,
    Qr,
}

/// A PIN typed for a test card. Its `Debug` shows nothing of it.
#[derive(Clone)]
struct TestPin(Zeroizing<String>);

impl std::str::FromStr for TestPin {
    type Err = std::convert::Infallible;

    fn from_str(pin: &str) -> Result<Self, Self::Err> {
        Ok(Self(Zeroizing::new(pin.to_owned())))
    }
}

impl std::fmt::Debug for TestPin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestPin")
    }
}

/// The card, how it is read, and its PIN.
#[derive(Args, Debug)]
pub(super) struct CardOptions {
    /// One of the demo's test cards; its PIN is known
    #[arg(long, value_enum, default_value = "visitor-a")]
    card: TestCardName,
    /// File with a track 2, as 6225000000000253=30122010000000000. The demo's issuers know their own values at its end
    #[arg(long, conflicts_with = "card")]
    card_file: Option<PathBuf>,
    /// How the card is read
    #[arg(long, value_enum, default_value = "chip")]
    entry: EntryName,
    /// Another PIN than the test card's
    #[arg(long, conflicts_with_all = ["card_file", "pin_file", "no_pin"])]
    pin: Option<TestPin>,
    /// File with the PIN; `-` reads it from standard input
    #[arg(long, conflicts_with = "no_pin")]
    pin_file: Option<PathBuf>,
    /// Enter none
    #[arg(long)]
    no_pin: bool,
    /// The chip is a copy that does not know its key: a wrong cryptogram
    #[arg(long)]
    bad_arqc: bool,
    /// Track 2 has another verification value (CVV, iCVV)
    #[arg(long)]
    bad_cvv: bool,
}

impl CardOptions {
    fn entry(&self) -> Entry {
        match self.entry {
            EntryName::Chip => Entry::Chip,
            EntryName::Swipe => Entry::Swipe,
            EntryName::Tap => Entry::Tap,
            EntryName::Manual => Entry::Manual,
            EntryName::Qr => Entry::Qr,
        }
    }

    /// The card at the reader.
    pub(super) fn presented(&self) -> Result<Presented, Failure> {
        let (card, pin) = self.card()?;
        let card = if self.bad_arqc { card.with_forged_chip() } else { card };
        let card = if self.bad_cvv { card.with_wrong_value() } else { card };
        Ok(Presented { card, entry: self.entry(), pin })
    }

    fn card(&self) -> Result<CardAndPin, Failure> {
        let (card, known) = match &self.card_file {
            Some(file) => {
                let track = Track2::parse(secret(file)?.trim().as_bytes());
                let card = track.as_ref().and_then(Card::from_track);
                (card.ok_or_else(|| usage("--card-file: no track 2 with number and expiry"))?, None)
            }
            None => self.test_card()?,
        };
        let entered = match (&self.pin_file, &self.pin) {
            _ if self.no_pin => None,
            (Some(file), _) => Some(Zeroizing::new(secret(file)?.trim().to_owned())),
            (None, Some(pin)) => Some(pin.0.clone()),
            (None, None) => known,
        };
        let pin = entered.map(|pin| ClearPin::parse(pin.as_bytes())).transpose();
        Ok((card, pin.map_err(|_| usage("the PIN is not 4 to 12 digits"))?))
    }

    fn test_card(&self) -> Result<(Card, Option<Zeroizing<String>>), Failure> {
        let all = cards::demo();
        let mut visitors = all.iter().filter(|card| card.used_by == CardUse::Visitor);
        let card = visitors.nth(self.card as usize).ok_or_else(|| config("the demo has no such card"))?;
        Ok((Card::of(card), Some(Zeroizing::new(card.pin().to_owned()))))
    }
}

fn device(digits: &str) -> Result<DeviceId, String> {
    DeviceId::parse(digits).ok_or_else(|| "20 (TDES) or 24 (AES) hex digits, the counter zero".to_owned())
}

/// `12.34` as minor units; `12` is 12.00.
pub(in crate::cli) fn parse_amount(text: &str) -> Result<Amount, String> {
    day::amount(text).ok_or_else(|| "an amount is written as 12.34".to_owned())
}

/// A small file, or standard input for `-`.
fn secret(file: &Path) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    let faulty = |error: std::io::Error| config(format!("{}: {error}", file.display()));
    if file == Path::new("-") {
        std::io::stdin().take(256).read_to_string(&mut text).map_err(faulty)?;
    } else {
        std::fs::File::open(file).and_then(|file| file.take(256).read_to_string(&mut text)).map_err(faulty)?;
    }
    Ok(text)
}

fn key_file(file: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let text = secret(file)?;
    let digits: Zeroizing<String> = Zeroizing::new(text.split_whitespace().collect());
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(config(format!("{}: not pairs of hex digits", file.display())));
    }
    let key = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    let key: Option<Vec<u8>> = key.collect();
    key.map(Zeroizing::new).ok_or_else(|| config(format!("{}: not pairs of hex digits", file.display())))
}
