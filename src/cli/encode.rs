//! `tollgate encode`: bytes from the JSON that `tollgate decode` writes.

use super::Exit;
use super::Failure;
use super::Outcome;
use super::input::Input;
use super::input::from_hex;
use super::input::to_hex;
use super::wire::Wire;
use super::wire::WireArgs;
use crate::channel::Tpdu;
use crate::iso8583::describe;
use bytes::Bytes;
use serde_json::Value;
use std::io::Write;

const EXAMPLES: &str = r#"Examples:
  echo '{"mti":"0820","fields":{"41":"12345678","42":"123456789012345","60":"00000001301"}}' |
    tollgate encode --profile pos
  tollgate encode --dialect iso87-ascii echo.json
  tollgate decode -p pos --json --unmask f.hex | tollgate encode -p pos

"tpdu" and "header" (hex) beside "mti" replace the profile's own. No MAC is made: DE 64 is written as given."#;

/// Writes a message as hex, from JSON
#[derive(Debug, clap::Args)]
#[command(before_help = EXAMPLES)]
pub(super) struct Encode {
    /// A file of JSON, or `-` for standard input
    #[arg(value_name = "FILE|-", default_value = "-")]
    input: String,
    #[command(flatten)]
    wire: WireArgs,
    /// The input is JSON: there is no other form yet
    #[arg(long, default_value_t = true, hide = true)]
    json: bool,
    /// Raw bytes instead of hex
    #[arg(long)]
    raw: bool,
}

impl Encode {
    pub(super) fn run(&self, out: &mut dyn Write) -> Outcome {
        let wire = self.wire.wire()?;
        let text = Input { input: self.input.clone() }.text()?;
        let mut any = false;
        for json in serde_json::Deserializer::from_str(&text).into_iter::<Value>() {
            let json = json.map_err(|error| {
                let place = format!("line {}, column {}", error.line(), error.column());
                Failure::new(Exit::No, format!("the input is not JSON at {place}"))
            })?;
            let bytes = frame(&wire, &json)?;
            any = true;
            if self.raw { out.write_all(&bytes)? } else { writeln!(out, "{}", to_hex(&bytes))? }
        }
        if any { Ok(Exit::Ok) } else { Err(Failure::new(Exit::Usage, "the input holds no JSON")) }
    }
}

fn frame(wire: &Wire, json: &Value) -> Result<Vec<u8>, Failure> {
    let no = |what: String| Failure::new(Exit::No, what);
    let builder = describe::from_json(&wire.dialect, json).map_err(|fault| no(fault.to_string()))?;
    let body = builder.finish().map_err(|fault| no(fault.to_string()))?;
    let hex = |key: &str| match json.get(key) {
        None => Ok(None),
        Some(value) => {
            let bytes = value.as_str().and_then(|text| from_hex(text.as_bytes()));
            bytes.map(Some).ok_or_else(|| no(format!("\"{key}\" is not hexadecimal")))
        }
    };
    let tpdu = match hex("tpdu")? {
        None => None,
        Some(bytes) => Some(Tpdu::parse(&bytes).ok_or_else(|| no("\"tpdu\" is not 60 and four more bytes".into()))?),
    };
    wire.frame(tpdu, hex("header")?.map(Bytes::from), &body)
}
