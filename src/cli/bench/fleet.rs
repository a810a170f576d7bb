//! The terminals of a run: their numbers, their keys, their connections.

use super::options::Callers;
use crate::channel::Profile;
use crate::cli::Exit;
use crate::cli::Failure;
use crate::model::Currency;
use crate::model::DeviceId;
use crate::model::Entropy;
use crate::model::MerchantId;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::server::SystemEntropy;
use crate::server::tls;
use crate::sim::bench::Drawn;
use crate::sim::terminal::Habits;
use crate::sim::terminal::Memory;
use crate::sim::terminal::PadFault;
use crate::sim::terminal::PinPad;
use crate::sim::terminal::Setup;
use crate::sim::terminal::Terminal;
use crate::sim::terminal::demo_dukpt_pad;
use crate::sim::terminal::demo_master_key;
use crate::sim::terminal::demo_pin_pad;
use crate::sim::terminal::drive::Target;
use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// How long a connection may take to come about.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

fn config(what: impl ToString) -> Failure {
    Failure::new(Exit::Config, what.to_string())
}

impl Callers {
    /// The terminals, each with its PIN pad.
    pub(super) fn terminals(
        &self,
        profile: &Arc<Profile>,
        (address, seed): (&str, u64),
    ) -> Result<Vec<Terminal>, Failure> {
        match &self.terminal_list {
            Some(file) => self.listed(profile, file, &(Arc::new(SystemEntropy) as Arc<dyn Entropy>)),
            None if !is_loopback(address) => Err(Failure::new(
                Exit::Usage,
                "the demo's TEST KEYS are for this machine only: give a --terminal-list with keys",
            )),
            None => {
                let drawn: Arc<dyn Entropy> = Arc::new(Drawn::new(seed));
                (0..self.terminals).map(|at| self.of_the_demo(profile, at, &drawn)).collect()
            }
        }
    }

    fn of_the_demo(&self, profile: &Arc<Profile>, at: u32, entropy: &Arc<dyn Entropy>) -> Result<Terminal, Failure> {
        let number = self.first_terminal.saturating_add(at);
        let terminal = TerminalId::parse(format!("{number:08}").as_bytes());
        let terminal = terminal.ok_or_else(|| config("--first-terminal: the numbers end with 99999999"))?;
        let merchant = demo_merchant(number).ok_or_else(|| config("a terminal without a merchant"))?;
        let pad = match (profile.dukpt, profile.sign_in) {
            (Some(_), _) => demo_dukpt_pad(terminal, Arc::clone(entropy)).map_err(config)?,
            (None, true) => {
                let key = Zeroizing::new(demo_master_key(terminal));
                Some(PinPad::with_master_key(&key, Arc::clone(entropy)).map_err(config)?)
            }
            (None, false) => demo_pin_pad(terminal, false, Arc::clone(entropy)).map_err(config)?,
        };
        let pad = pad.ok_or_else(|| config(format!("terminal {terminal} has no test key")))?;
        assembled(profile, (terminal, merchant), pad)
    }

    /// Those of a list, `--terminals` of them at most.
    fn listed(
        &self,
        profile: &Arc<Profile>,
        file: &Path,
        entropy: &Arc<dyn Entropy>,
    ) -> Result<Vec<Terminal>, Failure> {
        let shown = file.display();
        let text =
            std::fs::read_to_string(file).map(Zeroizing::new).map_err(|error| config(format!("{shown}: {error}")))?;
        let mut reader =
            csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(text.as_bytes());
        let broken = |line: usize, what: &str| config(format!("{shown}:{line}: {what}"));
        let columns = reader.headers().map_err(|_| broken(1, "no first line with the columns' names"))?.clone();
        let mut terminals = Vec::new();
        let mut lines: HashMap<TerminalId, usize> = HashMap::new();
        for (at, row) in reader.records().take(self.terminals as usize).enumerate() {
            let line = at + 2;
            let row = row.map_err(|_| broken(line, "not as many values as there are columns"))?;
            let value = |name: &str| {
                let place = columns.iter().position(|column| column == name)?;
                row.get(place).filter(|text| !text.is_empty())
            };
            let terminal = value("terminal").and_then(|text| TerminalId::parse(format!("{text:<8}").as_bytes()));
            let merchant = value("merchant").and_then(|text| MerchantId::parse(format!("{text:<15}").as_bytes()));
            let (Some(terminal), Some(merchant)) = (terminal, merchant) else {
                return Err(broken(line, "terminal: 8 characters, merchant: 15"));
            };
            if let Some(before) = lines.insert(terminal, line) {
                return Err(broken(line, &format!("the terminal of line {before} again")));
            }
            let pad = pad(profile, &value, entropy).map_err(|what| broken(line, &what))?;
            terminals.push(assembled(profile, (terminal, merchant), pad)?);
        }
        if terminals.is_empty() { Err(broken(1, "no terminals")) } else { Ok(terminals) }
    }

    /// Where they call.
    pub(super) fn target(&self, address: &str, timeout: Duration) -> Result<Target, Failure> {
        let read = |path: &Path| std::fs::read(path).map_err(|error| config(format!("{}: {error}", path.display())));
        let tls = match &self.ca {
            None => None,
            Some(ca) => {
                let own = match (&self.cert, &self.key) {
                    (Some(certificates), Some(key)) => Some((read(certificates)?, read(key)?)),
                    _ => None,
                };
                let identity = own.as_ref().map(|(certificates, key)| tls::Identity { certificates, key });
                Some(tls::client(&read(ca)?, identity).map_err(config)?)
            }
        };
        if address.rsplit_once(':').is_none_or(|(host, port)| host.is_empty() || port.parse::<u16>().is_err()) {
            return Err(Failure::new(Exit::Usage, "the target is written as HOST:PORT"));
        }
        Ok(Target { address: address.to_owned(), tls, connect_within: CONNECT_WITHIN, answer_within: timeout })
    }
}

/// The demo's merchants, in turn: terminal 10000001 belongs to the one with serial number 1.
pub(super) fn demo_merchant(terminal: u32) -> Option<MerchantId> {
    let serial = terminal.checked_sub(10_000_000).filter(|serial| *serial <= 9_999).unwrap_or(terminal % 10_000);
    MerchantId::parse(format!("89811005411{serial:04}").as_bytes())
}

/// A row's PIN pad: as the profile's keys come.
fn pad<'a>(
    profile: &Profile,
    value: &impl Fn(&str) -> Option<&'a str>,
    entropy: &Arc<dyn Entropy>,
) -> Result<PinPad, String> {
    let key = |name: &str| {
        let digits = value(name).ok_or_else(|| format!("{name} is missing"))?;
        unhex(digits).ok_or_else(|| format!("{name}: not pairs of hex digits"))
    };
    let made: Result<PinPad, PadFault> = if profile.dukpt.is_some() {
        let device = value("ksn").and_then(DeviceId::parse).ok_or("ksn: 20 or 24 hex digits, the counter zero")?;
        PinPad::with_initial_key(&key("ipek")?, device, Arc::clone(entropy))
    } else if profile.sign_in {
        PinPad::with_master_key(&key("tmk")?, Arc::clone(entropy))
    } else {
        PinPad::with_zone_keys(&key("zpk")?, &key("zak")?, Arc::clone(entropy))
    };
    made.map_err(|fault| fault.to_string())
}

fn unhex(digits: &str) -> Option<Zeroizing<Vec<u8>>> {
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) || !digits.len().is_multiple_of(2) {
        return None;
    }
    let bytes = (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().map(Zeroizing::new)
}

/// A terminal whose numbers begin where the clock says: one run's are not taken for another's repeated.
fn assembled(profile: &Arc<Profile>, who: (TerminalId, MerchantId), pad: PinPad) -> Result<Terminal, Failure> {
    let setup = Setup {
        profile: Arc::clone(profile),
        terminal: who.0,
        merchant: who.1,
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: Habits::default(),
    };
    let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let first = u32::try_from(seconds.wrapping_mul(97) % 999_999 + 1).ok().and_then(Stan::new);
    Terminal::new(setup, pad, Memory { next_stan: first, ..Memory::default() }).map_err(config)
}

pub(super) fn is_loopback(address: &str) -> bool {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host).trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
