//! `tollgate decode`: what do these bytes say?

use super::Exit;
use super::Outcome;
use super::input::Input;
use super::input::to_hex;
use super::wire::Unit;
use super::wire::Wire;
use super::wire::WireArgs;
use crate::channel::builtin as profiles;
use crate::iso8583::Message;
use crate::iso8583::Rejected;
use crate::iso8583::builtin as dialects;
use crate::iso8583::describe;
use bytes::Bytes;
use serde_json::Value;
use std::io;
use std::io::Write;

const EXAMPLES: &str = "\
Examples:
  tollgate decode --profile pos 0034600003000060310031073008200000000000C0001031...
  tollgate decode --dialect iso87-ascii --framing len2be capture.bin
  tollgate decode capture.hex                        # tries every built-in wire
  tollgate decode -p pos --json --unmask f.hex | tollgate encode -p pos

Offsets count from the MTI. What was read before a fault is shown; the exit code is then 1.";

/// Shows a message: offsets, names, values; card data masked
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Decode {
    #[command(flatten)]
    input: Input,
    #[command(flatten)]
    wire: WireArgs,
    /// The input is raw bytes even if they look like hex
    #[arg(long)]
    raw: bool,
    /// JSON instead of lines
    #[arg(long)]
    json: bool,
    /// Show card data, PIN blocks and keys
    #[arg(long)]
    unmask: bool,
}

impl Decode {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let input = Bytes::from(self.input.bytes(self.raw)?);
        if input.is_empty() {
            return Err(super::Failure::new(Exit::No, "nothing to decode: the input is empty"));
        }
        let wire = if self.wire.is_empty() { guess(&input)? } else { self.wire.wire()? };
        let mut exit = Exit::Ok;
        for unit in wire.units(&input) {
            let read = wire.dialect.decode(unit.body.clone());
            if let Some(fault) = &unit.fault {
                eprintln!("error: frame: {fault}");
            }
            if let Err(rejected) = &read {
                eprintln!("error: {}", rejected.error);
            }
            if unit.fault.is_some() || read.is_err() {
                exit = Exit::No;
            }
            if self.json { self.json(&unit, &read, out)? } else { self.text(&unit, &read, out)? }
        }
        Ok(exit)
    }

    fn text(&self, unit: &Unit, read: &Result<Message, Box<Rejected>>, out: &mut dyn Write) -> io::Result<()> {
        if unit.start > 0 {
            let length = unit.length.map(|length| format!("length {length}"));
            let tpdu = unit.tpdu.map(|tpdu| format!("TPDU {tpdu}"));
            let header = (!unit.header.is_empty()).then(|| format!("header {}", to_hex(&unit.header)));
            let said: Vec<String> = [length, tpdu, header].into_iter().flatten().collect();
            writeln!(out, "frame: {}; {} bytes, then the message", said.join(", "), unit.start)?;
        }
        match read {
            Ok(message) => write!(out, "{}", describe::text(message, self.unmask)),
            Err(rejected) => write!(out, "{}", describe::text(&**rejected, self.unmask)),
        }
    }

    fn json(&self, unit: &Unit, read: &Result<Message, Box<Rejected>>, out: &mut dyn Write) -> io::Result<()> {
        let mut json = match read {
            Ok(message) => describe::json(message, self.unmask),
            Err(rejected) => describe::json(&**rejected, self.unmask),
        };
        if let Value::Object(object) = &mut json {
            if let Some(tpdu) = unit.tpdu {
                object.insert("tpdu".into(), tpdu.to_string().into());
            }
            if !unit.header.is_empty() {
                object.insert("header".into(), to_hex(&unit.header).into());
            }
        }
        if let (Ok(message), true) = (read, self.unmask) {
            let again = describe::from_json(message.dialect(), &json).ok().and_then(|builder| builder.finish().ok());
            if again.as_ref() != Some(message.body()) {
                eprintln!(
                    "note: the sender fills up or writes otherwise than this dialect: encoding gives other bytes"
                );
            }
        }
        writeln!(out, "{json:#}")
    }
}

/// The first built-in wire by which all of `input` can be read and written again.
fn guess(input: &Bytes) -> Result<Wire, super::Failure> {
    let framed =
        profiles::names().iter().filter_map(|name| Some((*name, "profile", Wire::of(&*profiles::profile(name)?))));
    let bare =
        dialects::names().iter().filter_map(|name| Some((*name, "dialect", Wire::bare(dialects::dialect(name)?))));
    for (name, option, wire) in framed.chain(bare) {
        let units = wire.units(input);
        let whole = |unit: &Unit| unit.fault.is_none() && wire.dialect.decode(unit.body.clone()).is_ok();
        if !units.is_empty() && units.iter().all(whole) {
            eprintln!("note: read as --{option} {name}");
            return Ok(wire);
        }
    }
    let what = "no built-in profile or dialect reads this; with --profile or --dialect you see how far one gets";
    Err(super::Failure::new(Exit::No, what))
}
