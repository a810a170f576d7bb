//! `tollgate crypto mac`.

use super::super::Exit;
use super::super::Outcome;
use super::super::input::to_hex;
use super::desk::Desk;
use super::desk::Family;
use super::desk::KeyManner;
use super::desk::KeyText;
use super::desk::cipher;
use super::desk::hex_of;
use super::desk::refused;
use super::desk::usage;
use crate::hsm::calculator::hmac_sha256;
use crate::hsm::calculator::mac;
use crate::model::MacAlgorithm;
use crate::model::Padding;
use std::io::Write;
use subtle::ConstantTimeEq;

/// Makes or checks a message authentication code
#[derive(Debug, clap::Args)]
pub(super) struct Mac {
    /// The key: hex (test keys only), a file, or `-`
    #[arg(long)]
    key: KeyText,
    /// The algorithm
    #[arg(long, value_enum)]
    algorithm: Algorithm,
    /// Padding of the last block (ISO/IEC 9797-1); CMAC, HMAC and the UnionPay fold bring their own
    #[arg(long, value_enum, default_value = "zeros")]
    padding: Fill,
    /// The data, as hex
    #[arg(long, conflicts_with = "text", required_unless_present = "text")]
    data: Option<String>,
    /// The data, as text
    #[arg(long)]
    text: Option<String>,
    /// A MAC to compare with, as hex; its own length is compared, 4 bytes at least
    #[arg(long)]
    verify: Option<String>,
    #[command(flatten)]
    manner: KeyManner,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Algorithm {
    /// ISO/IEC 9797-1 algorithm 1, CBC-MAC
    Alg1,
    /// ISO/IEC 9797-1 algorithm 3, X9.19, retail MAC
    X919,
    /// AES-CMAC
    AesCmac,
    /// TDES-CMAC
    TdesCmac,
    /// UnionPay POS "ECB"
    CupEcb,
    /// HMAC-SHA-256
    Hmac,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Fill {
    /// Method 1
    Zeros,
    /// Method 2
    Bit,
    /// Method 3
    Length,
}

impl Mac {
    /// How this algorithm pads.
    fn padding_of(&self, chosen: Padding) -> &'static str {
        match (self.algorithm, chosen) {
            (Algorithm::Alg1 | Algorithm::X919, Padding::Zeros) => "method 1, zeros",
            (Algorithm::Alg1 | Algorithm::X919, Padding::Bit) => "method 2, 80 and zeros",
            (Algorithm::Alg1 | Algorithm::X919, Padding::Length) => "method 3, the length in front and zeros",
            (Algorithm::AesCmac | Algorithm::TdesCmac, _) => "of CMAC: none behind whole blocks, else 80 and zeros",
            (Algorithm::CupEcb, _) => "of the fold: zeros",
            (Algorithm::Hmac, _) => "of SHA-256",
        }
    }

    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let (algorithm, family) = match self.algorithm {
            Algorithm::Alg1 => (Some(MacAlgorithm::Alg1), Family::Des),
            Algorithm::X919 => (Some(MacAlgorithm::X919), Family::Des),
            Algorithm::AesCmac => (Some(MacAlgorithm::AesCmac), Family::Aes),
            Algorithm::TdesCmac => (Some(MacAlgorithm::TdesCmac), Family::Des),
            Algorithm::CupEcb => (Some(MacAlgorithm::CupEcb), Family::Des),
            Algorithm::Hmac => (None, Family::Des),
        };
        let padding = match self.padding {
            Fill::Zeros => Padding::Zeros,
            Fill::Bit => Padding::Bit,
            Fill::Length => Padding::Length,
        };
        let key = desk.key("key", &self.key, family)?;
        let data = match (&self.data, &self.text) {
            (Some(data), _) => hex_of("data", data)?,
            (None, text) => text.clone().unwrap_or_default().into_bytes(),
        };
        desk.given("algorithm", format!("{:?}", self.algorithm));
        desk.given("padding", self.padding_of(padding));
        // A message has card numbers in it.
        desk.given_secret("data", &to_hex(&data));
        let whole = match algorithm {
            Some(algorithm) => mac(&cipher(&key, family).map_err(refused)?, algorithm, padding, &data),
            None => hmac_sha256(&key, &data).map(|mac| mac.as_slice().into()),
        };
        let whole = whole.map_err(refused)?;
        desk.found_hex("MAC", &whole);
        desk.found_hex("first 4 bytes", whole.get(..4).unwrap_or_default());
        let mut exit = Exit::Ok;
        if let Some(given) = &self.verify {
            let given = hex_of("MAC", given)?;
            desk.given("MAC to compare", to_hex(&given));
            let cut = whole.get(..given.len()).filter(|cut| cut.len() >= 4);
            let cut = cut.ok_or_else(|| usage("MAC: 4 bytes at least, and no more than there are"))?;
            exit = desk.found_verdict("verdict", cut.ct_eq(&given).into());
        }
        desk.close(exit, out)
    }
}
