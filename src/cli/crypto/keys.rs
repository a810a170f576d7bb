//! Calculators of keys themselves: check values, components, key blocks.

use super::super::Exit;
use super::super::Failure;
use super::super::Outcome;
use super::attributes::Attributes;
use super::attributes::Implausible;
use super::attributes::mode_named;
use super::attributes::usage_named;
use super::desk::Desk;
use super::desk::Family;
use super::desk::KeyManner;
use super::desk::KeyText;
use super::desk::cipher;
use super::desk::hex_of;
use super::desk::refused;
use super::desk::usage;
use crate::hsm::calculator::keys;
use crate::hsm::calculator::keys::KcvMethod;
use crate::hsm::calculator::tr31::Form;
use crate::hsm::calculator::tr31::Header;
use crate::hsm::calculator::tr31::KeyBlockKey;
use std::io::Write;
use zeroize::Zeroizing;

/// Check values of a key, its parity, and whether it is weak
#[derive(Debug, clap::Args)]
pub(super) struct CheckValue {
    /// The key: hex (test keys only), a file, or `-`
    #[arg(long)]
    key: KeyText,
    /// It is an AES key
    #[arg(long)]
    aes: bool,
    #[command(flatten)]
    manner: KeyManner,
}

/// The family that a flag names.
pub(super) fn family(aes: bool) -> Family {
    if aes { Family::Aes } else { Family::Des }
}

impl CheckValue {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let family = family(self.aes);
        let key = desk.key("key", &self.key, family)?;
        let expanded = cipher(&key, family).map_err(refused)?;
        desk.found("algorithm", format!("{:?}", expanded.algorithm()));
        for (label, method, length) in
            [("check value (zeros)", KcvMethod::EncryptZeros, 3), ("check value (CMAC)", KcvMethod::CmacZeros, 5)]
        {
            let value = keys::check_value(&expanded, method, length).map_err(refused)?;
            desk.found(label, value.to_string());
        }
        if !self.aes {
            desk.found("parity", if keys::has_odd_parity(&key) { "odd" } else { "not odd" });
            desk.found("weak", keys::is_weak(expanded.algorithm(), &key));
        }
        desk.close(Exit::Ok, out)
    }
}

/// Combines key components by exclusive or
#[derive(Debug, clap::Args)]
#[command(after_help = "For test keys only: nobody may hold two components of a real key. \
                        Real components are entered by their custodians, one run each.")]
pub(super) struct Component {
    /// A component: hex, a file, or `-`; two or more
    #[arg(long = "component", required = true)]
    components: Vec<KeyText>,
    /// It is an AES key
    #[arg(long)]
    aes: bool,
    #[command(flatten)]
    manner: KeyManner,
}

impl Component {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let family = family(self.aes);
        let read: Result<Vec<Zeroizing<Vec<u8>>>, Failure> =
            (1..).zip(&self.components).map(|(at, part)| desk.key(format!("component {at}"), part, family)).collect();
        let parts = read?;
        if desk.takes_real_keys() {
            return Err(usage("real components are never held by one person: this is for test keys only"));
        }
        for (number, part) in (1..).zip(&parts) {
            desk.found(format!("check value of component {number}"), super::desk::kcv(part, family));
        }
        let mut key = keys::combine(&parts.iter().map(|part| part.as_slice()).collect::<Vec<_>>()).map_err(refused)?;
        desk.found_key("key", &key, family);
        desk.found("check value", super::desk::kcv(&key, family));
        if !self.aes {
            keys::set_odd_parity(&mut key);
            desk.found_key("key, odd parity", &key, family);
        }
        desk.close(Exit::Ok, out)
    }
}

/// Reads or writes key blocks (TR-31, ANSI X9.143)
#[derive(Debug, clap::Args)]
pub(super) struct Tr31 {
    #[command(subcommand)]
    what: Tr31What,
}

#[derive(Debug, clap::Subcommand)]
enum Tr31What {
    /// Shows the header, and with a protection key the key
    Read(Tr31Read),
    /// Writes a version D block
    Write(Tr31Write),
}

#[derive(Debug, clap::Args)]
struct Tr31Read {
    /// The block
    block: String,
    /// The protection key: hex (test keys only), a file, or `-`
    #[arg(long)]
    kbpk: Option<KeyText>,
    #[command(flatten)]
    manner: KeyManner,
}

#[derive(Debug, clap::Args)]
struct Tr31Write {
    /// The protection key (AES): hex (test keys only), a file, or `-`
    #[arg(long)]
    kbpk: KeyText,
    /// The key: hex (test keys only), a file, or `-`
    #[arg(long)]
    key: KeyText,
    /// Usage, algorithm, mode and exportability, as they stand in a header: P0TBE
    #[arg(long)]
    attributes: String,
    /// The key version: 00 for none, c and a digit for a component, else two letters and digits
    #[arg(long, default_value = "00")]
    key_version: String,
    /// The padding as hex, instead of one drawn
    #[arg(long)]
    padding: Option<String>,
    #[command(flatten)]
    manner: KeyManner,
}

impl Tr31 {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        match &self.what {
            Tr31What::Read(read) => read.run(out),
            Tr31What::Write(write) => write.run(out),
        }
    }
}

impl Tr31Read {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let mut desk = Desk::with_keys(self.manner);
        let block = self.block.trim();
        desk.given("block", block);
        let (header, _) = Header::parse(block).map_err(|fault| Failure::new(Exit::No, fault.to_string()))?;
        let aes = header.form == Form::D;
        desk.found("version", header.form.letter().to_string());
        desk.found("usage", usage_named(header.usage));
        desk.found("algorithm", String::from_utf8_lossy(&[header.algorithm]).as_ref());
        desk.found("mode of use", mode_named(header.mode));
        desk.found("key version", String::from_utf8_lossy(&header.version).as_ref());
        desk.found("exportability", String::from_utf8_lossy(&[header.exportability]).as_ref());
        desk.found("optional blocks", header.optional.as_str());
        let mut exit = Exit::Ok;
        if let Some(kbpk) = &self.kbpk {
            let protection = desk.key("protection key", kbpk, family(aes))?;
            let opener = KeyBlockKey::with_form(header.form, &protection).map_err(refused)?;
            match opener.unwrap(block) {
                Ok((_, key)) => {
                    let family = family(header.algorithm == b'A');
                    desk.found_key("key", &key, family);
                    desk.found("check value", super::desk::kcv(&key, family));
                }
                Err(fault) => {
                    desk.found("fault", fault.to_string());
                    exit = Exit::No;
                }
            }
        }
        desk.close(exit, out)
    }
}

impl Tr31Write {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        let implausible = |fault: Implausible| usage(format!("attributes: {fault}"));
        let attributes = Attributes::read(&self.attributes, &self.key_version).map_err(implausible)?;
        let mut desk = Desk::with_keys(self.manner);
        let protection = desk.key("protection key", &self.kbpk, Family::Aes)?;
        let family = family(attributes.algorithm == b'A');
        let key = desk.key("key", &self.key, family)?;
        attributes.fit(&key).map_err(implausible)?;
        desk.given("attributes", self.attributes.as_str());
        desk.given("key version", self.key_version.as_str());
        let header = Header {
            form: Form::D,
            usage: attributes.usage,
            algorithm: attributes.algorithm,
            mode: attributes.mode,
            version: attributes.version,
            exportability: attributes.exportability,
            optional_count: 0,
            optional: String::new(),
        };
        let padding = match &self.padding {
            Some(padding) => hex_of("padding", padding)?,
            None => {
                let mut drawn = vec![0; header.padding(key.len())];
                getrandom::fill(&mut drawn).map_err(|_| Failure::new(Exit::No, "no randomness"))?;
                drawn
            }
        };
        desk.given("padding", super::super::input::to_hex(&padding));
        let writer = KeyBlockKey::new(&protection).map_err(refused)?;
        let block = writer.wrap(&header, &key, &padding).map_err(|fault| usage(format!("refused: {fault}")))?;
        desk.found("key block", block);
        desk.found("check value", super::desk::kcv(&key, family));
        desk.close(Exit::Ok, out)
    }
}
