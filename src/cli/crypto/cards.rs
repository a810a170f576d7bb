//! Calculators of cards: verification values, chip cryptograms and their answers.

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::super::input::to_hex;
use super::desk::Desk;
use super::desk::Family;
use super::desk::KeyManner;
use super::desk::KeyText;
use super::desk::array_of;
use super::desk::digits_of;
use super::desk::hex_of;
use super::desk::refused;
use super::desk::usage;
use crate::hsm::calculator;
use crate::hsm::calculator::DesKey;
use crate::hsm::calculator::emv;
use crate::hsm::calculator::emv::EmvKey;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::Cvn;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use smallvec::SmallVec;
use std::io::Write;
use subtle::ConstantTimeEq;

/// Makes or checks card verification values: CVV and CVC, CVV2 and CVC2, iCVV
#[derive(Debug, clap::Args)]
pub(super) struct Cvv {
    /// The verification key: hex (test keys only), a file, or `-`
    #[arg(long)]
    cvk: KeyText,
    /// The card number
    #[arg(long)]
    pan: String,
    /// Four digits, in the order that the scheme wants
    #[arg(long)]
    expiry: String,
    /// The service code
    #[arg(long, default_value = "101")]
    service_code: String,
    /// A value to compare with that of the service code
    #[arg(long)]
    verify: Option<String>,
    #[command(flatten)]
    manner: KeyManner,
}

impl Cvv {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let cvk = DesKey::new(&desk.key("CVK", &self.cvk, Family::Des)?).map_err(refused)?;
        let pan = desk.given_pan("card number", &self.pan)?;
        let (expiry, code) =
            (digits_of::<4>("expiry", &self.expiry)?, digits_of::<3>("service code", &self.service_code)?);
        desk.given("expiry", self.expiry.as_str());
        desk.given("service code", self.service_code.as_str());
        let value = |code| calculator::cvv(&cvk, &pan, &expiry, code).map_err(refused);
        let own = value(&code)?;
        let mut exit = Exit::Ok;
        if let Some(given) = &self.verify {
            let given: [u8; 3] = digits_of("CVV", given)?;
            desk.given_secret("CVV to compare", &String::from_utf8_lossy(&given));
            exit = desk.found_verdict("verdict", own.ct_eq(&given).into());
        }
        for (label, value) in [
            ("CVV of this service code", own),
            ("CVV2 (service code 000)", value(b"000")?),
            ("iCVV (service code 999)", value(b"999")?),
        ] {
            desk.found_secret(label, &String::from_utf8_lossy(&value));
        }
        desk.close(exit, out)
    }
}

/// What every chip calculation is told.
#[derive(Debug, clap::Args)]
struct Chip {
    /// The issuer's master key of cryptograms: hex (test keys only), a file, or `-`
    #[arg(long)]
    imk: KeyText,
    /// The cryptogram version
    #[arg(long, value_enum)]
    cvn: Version,
    /// The card number
    #[arg(long)]
    pan: String,
    /// The card's sequence number (tag 5F34)
    #[arg(long, default_value = "0", value_parser = clap::value_parser!(u8).range(0..=99))]
    sequence: u8,
    /// The transaction counter (tag 9F36): 2 bytes of hex
    #[arg(long)]
    atc: String,
    /// The unpredictable number (tag 9F37): 4 bytes of hex
    #[arg(long, default_value = "00000000")]
    un: String,
    #[command(flatten)]
    manner: KeyManner,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Version {
    Visa10,
    Visa18,
    Visa22,
    Mc16,
    Mc17,
    Mc20,
    Mc21,
}

impl Version {
    fn cvn(self) -> Cvn {
        match self {
            Self::Visa10 => Cvn::Visa10,
            Self::Visa18 => Cvn::Visa18,
            Self::Visa22 => Cvn::Visa22,
            Self::Mc16 => Cvn::Mastercard16,
            Self::Mc17 => Cvn::Mastercard17,
            Self::Mc20 => Cvn::Mastercard20,
            Self::Mc21 => Cvn::Mastercard21,
        }
    }
}

impl Chip {
    /// Reads keys and card, and notes them: the scheme, the card's key, the counter.
    fn lay_out(&self, desk: &mut Desk) -> Result<(EmvScheme, EmvKey, [u8; 2]), Failure> {
        let scheme = self.cvn.cvn().scheme();
        let issuer = DesKey::new(&desk.key("issuer master key", &self.imk, Family::Des)?).map_err(refused)?;
        desk.given("cryptogram version", format!("{:?}", self.cvn.cvn()));
        let pan = desk.given_pan("card number", &self.pan)?;
        desk.given("sequence number", self.sequence);
        let atc = array_of::<2>("ATC", &self.atc)?;
        desk.given("ATC", self.atc.as_str());
        let master =
            emv::master_key(&issuer, scheme.master, &EmvCard { pan, sequence: self.sequence }).map_err(refused)?;
        desk.found_key("card master key", master.as_slice(), Family::Des);
        Ok((scheme, master, atc))
    }
}

/// Makes or checks a chip card's request cryptogram
#[derive(Debug, clap::Args)]
pub(super) struct Arqc {
    #[command(flatten)]
    chip: Chip,
    /// What the cryptogram covers, as hex, not padded: 9F02 9F03 9F1A 95 5F2A 9A 9C 9F37 82 9F36, then
    /// what the version takes of the issuer's application data
    #[arg(long)]
    data: String,
    /// A cryptogram to compare with
    #[arg(long)]
    verify: Option<String>,
}

impl Arqc {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.chip.manner);
        let (scheme, master, atc) = self.chip.lay_out(&mut desk)?;
        let unpredictable = array_of::<4>("UN", &self.chip.un)?;
        let data = hex_of("data", &self.data)?;
        desk.given("UN", self.chip.un.as_str());
        desk.given("data", to_hex(&data));
        let session = emv::session_key(scheme.session, &master, atc, unpredictable).map_err(refused)?;
        desk.found_key("session key", session.as_slice(), Family::Des);
        let arqc = emv::cryptogram(&session, scheme.padding, &data).map_err(refused)?;
        desk.found_hex("ARQC", &arqc);
        let mut exit = Exit::Ok;
        if let Some(given) = &self.verify {
            let given: [u8; 8] = array_of("ARQC", given)?;
            desk.given("ARQC to compare", to_hex(&given));
            exit = desk.found_verdict("verdict", arqc.ct_eq(&given).into());
        }
        desk.close(exit, out)
    }
}

/// Makes the answer to a request cryptogram: method 1 with a response code, method 2 with a card status update
#[derive(Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("method").required(true).args(["arc", "csu"])))]
pub(super) struct Arpc {
    #[command(flatten)]
    chip: Chip,
    /// The request cryptogram: 8 bytes of hex
    #[arg(long)]
    arqc: String,
    /// Method 1: the response code, 2 bytes of hex (3030 is 00)
    #[arg(long)]
    arc: Option<String>,
    /// Method 2: the card status update, 4 bytes of hex
    #[arg(long)]
    csu: Option<String>,
    /// Method 2: proprietary authentication data, up to 8 bytes of hex
    #[arg(long, default_value = "")]
    proprietary: String,
}

impl Arpc {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.chip.manner);
        let (scheme, master, atc) = self.chip.lay_out(&mut desk)?;
        let arqc = array_of::<8>("ARQC", &self.arqc)?;
        desk.given("ARQC", to_hex(&arqc));
        let spec = match (&self.arc, &self.csu) {
            (Some(arc), _) => {
                desk.given("response code", arc.as_str());
                ArpcSpec::Method1 { response_code: array_of("response code", arc)? }
            }
            (None, Some(csu)) => {
                desk.given("card status update", csu.as_str());
                desk.given("proprietary data", self.proprietary.as_str());
                let proprietary = SmallVec::from_vec(hex_of("proprietary data", &self.proprietary)?);
                ArpcSpec::Method2 { status_update: array_of("card status update", csu)?, proprietary }
            }
            (None, None) => return Err(usage("--arc or --csu")),
        };
        let key = emv::answer_key(&scheme, &master, atc).map_err(refused)?;
        desk.found_key("answer key", key.as_slice(), Family::Des);
        desk.found_hex("ARPC", &emv::arpc(&key, arqc, &spec).map_err(refused)?);
        desk.close(Exit::Ok, out)
    }
}
