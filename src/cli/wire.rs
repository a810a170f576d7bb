//! Which wire the bytes come from: a profile, or its rows one by one.

use super::Exit;
use super::Failure;
use super::dialects;
use crate::channel::Deframer;
use crate::channel::Framing;
use crate::channel::LengthHeader;
use crate::channel::Profile;
use crate::channel::Tpdu;
use crate::channel::builtin;
use crate::channel::profile_file;
use crate::iso8583::Dialect;
use bytes::Bytes;
use bytes::BytesMut;
use std::path::Path;
use std::sync::Arc;

/// Names of length headers on the command line, shorter than in profiles; both are understood.
const SHORT: &[(&str, &str)] = &[
    ("len2be", "binary-2-be"),
    ("len4be", "binary-4-be"),
    ("len2le", "binary-2-le"),
    ("len4le", "binary-4-le"),
    ("len2bcd", "bcd-2"),
    ("len4ascii", "ascii-4"),
];

/// A profile, or dialect, framing and header singly; a single one overrides the profile's.
#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct WireArgs {
    /// Conventions of a whole wire: pos, host, nac ... (`tollgate spec list`)
    #[arg(short, long)]
    pub(super) profile: Option<String>,
    /// Language of the body: a name (`tollgate spec list`) or a TOML file
    #[arg(short, long)]
    pub(super) dialect: Option<String>,
    /// Length in front: len2be len4be len2le len4le len2bcd len4ascii, `-incl` if it counts itself; or none
    #[arg(short, long)]
    framing: Option<String>,
    /// Between length and message: none, tpdu, tpdu+6 (TPDU and 6 bytes), or a number of bytes
    #[arg(short = 'H', long)]
    header: Option<String>,
}

/// How bytes are taken apart and put together.
#[derive(Clone)]
pub(super) struct Wire {
    /// The language of the body.
    pub(super) dialect: Arc<Dialect>,
    framing: Option<Framing>,
    tpdu: Option<Tpdu>,
    header: Bytes,
}

/// One message with what stood in front of it.
pub(super) struct Unit {
    /// The length that was stated, if any.
    pub(super) length: Option<usize>,
    pub(super) tpdu: Option<Tpdu>,
    pub(super) header: Bytes,
    pub(super) body: Bytes,
    /// Bytes of the input in front of the body.
    pub(super) start: usize,
    /// What is wrong with the frame, if the body could be shown all the same.
    pub(super) fault: Option<String>,
}

impl WireArgs {
    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        self.profile.is_none() && self.dialect.is_none() && self.framing.is_none() && self.header.is_none()
    }

    /// The wire that was asked for.
    ///
    /// # Errors
    /// Neither profile nor dialect; an unknown name; a file that is no dialect.
    pub(super) fn wire(&self) -> Result<Wire, Failure> {
        let mut wire = match (&self.profile, &self.dialect) {
            (Some(name), _) => Wire::of(&*builtin::profile(name).ok_or_else(|| unknown("profile", name))?),
            (None, Some(name)) => Wire::bare(dialects::find(name)?),
            (None, None) => {
                return Err(Failure::new(Exit::Usage, "say --profile NAME or --dialect NAME (`tollgate spec list`)"));
            }
        };
        if let (Some(name), Some(_)) = (&self.dialect, &self.profile) {
            wire.dialect = dialects::find(name)?;
        }
        if let Some(name) = &self.framing {
            wire.framing = framing(name)?;
        }
        if let Some(name) = &self.header {
            (wire.tpdu, wire.header) = header(name)?;
        }
        Ok(wire)
    }
}

impl WireArgs {
    /// A whole profile: `usual` if none is named, built in or a TOML file, with what was said singly in its place.
    ///
    /// # Errors
    /// An unknown name; a file that is no profile; no length header.
    pub(super) fn conventions(&self, usual: &str) -> Result<Arc<Profile>, Failure> {
        let name = self.profile.as_deref().unwrap_or(usual);
        let found = match builtin::profile(name) {
            Some(profile) => profile,
            None => from_file(name)?,
        };
        if self.dialect.is_none() && self.framing.is_none() && self.header.is_none() {
            return Ok(found);
        }
        let mut profile = (*found).clone();
        if let Some(name) = &self.dialect {
            profile.dialect = dialects::find(name)?;
        }
        if let Some(name) = &self.framing {
            let said = framing(name)?.ok_or_else(|| Failure::new(Exit::Usage, "a connection needs a --framing"))?;
            profile.framing = Framing { cap: profile.framing.cap, ..said };
        }
        if let Some(name) = &self.header {
            (profile.tpdu, profile.header) = header(name)?;
        }
        Ok(Arc::new(profile))
    }
}

fn from_file(name: &str) -> Result<Arc<Profile>, Failure> {
    let path = Path::new(name);
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if path.extension().is_none_or(|extension| extension != "toml") {
        return Err(unknown("profile", name));
    }
    let text = std::fs::read_to_string(path).map_err(|error| Failure::new(Exit::Config, format!("{name}: {error}")))?;
    let read = profile_file::load(stem, &text, &builtin::shelf());
    read.map(Arc::new).map_err(|breaches| {
        let lines: Vec<String> = breaches.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Config, lines.join("\n"))
    })
}

fn unknown(what: &str, name: &str) -> Failure {
    Failure::new(Exit::Config, format!("there is no {what} `{name}`; `tollgate spec list` names them"))
}

fn framing(name: &str) -> Result<Option<Framing>, Failure> {
    if name == "none" {
        return Ok(None);
    }
    let (plain, counts_itself) = name.strip_suffix("-incl").map_or((name, false), |plain| (plain, true));
    let long = SHORT.iter().find(|(short, _)| *short == plain).map_or(plain, |(_, long)| long);
    let length = LengthHeader::parse(long).ok_or_else(|| Failure::new(Exit::Usage, "there is no such --framing"))?;
    Ok(Some(Framing { counts_itself, cap: crate::iso8583::MAX_BODY, ..Framing::new(length) }))
}

fn header(name: &str) -> Result<(Option<Tpdu>, Bytes), Failure> {
    let (tpdu, rest) = match name {
        "none" => (None, "0"),
        "tpdu" => (Tpdu::parse(&[0x60, 0, 0, 0, 0]), "0"),
        _ => match name.strip_prefix("tpdu+") {
            Some(rest) => (Tpdu::parse(&[0x60, 0, 0, 0, 0]), rest),
            None => (None, name),
        },
    };
    let length: u8 = rest
        .parse()
        .map_err(|_| Failure::new(Exit::Usage, "--header is none, tpdu, tpdu+6 or a number of bytes up to 255"))?;
    Ok((tpdu, vec![0; length.into()].into()))
}

impl Wire {
    /// That of a profile. Its cap is not ours: what is looked at may be too long on purpose.
    pub(super) fn of(profile: &Profile) -> Self {
        let framing = Framing { cap: crate::iso8583::MAX_BODY, ..profile.framing };
        let dialect = Arc::clone(&profile.dialect);
        Self { dialect, framing: Some(framing), tpdu: profile.tpdu, header: profile.header.clone() }
    }

    /// Nothing but messages.
    pub(super) fn bare(dialect: Arc<Dialect>) -> Self {
        Self { dialect, framing: None, tpdu: None, header: Bytes::new() }
    }

    /// All units in `input`. What cannot be cut further is the last one, with its fault.
    pub(super) fn units(&self, input: &Bytes) -> Vec<Unit> {
        let Some(framing) = self.framing else { return vec![self.unit(input.clone(), None, 0, None)] };
        let mut deframer = Deframer::new(framing);
        deframer.push(input);
        let (mut units, mut at) = (Vec::new(), 0);
        let head = framing.length.bytes();
        while at < input.len() {
            match deframer.next() {
                Ok(Some(unit)) => {
                    let length = unit.len();
                    units.push(self.unit(unit, Some(length), at + head, None));
                    at += head + length;
                }
                Ok(None) => {
                    let fault = format!("{} bytes of a frame that ends behind them", input.len() - at);
                    units.push(self.unit(input.slice((at + head).min(input.len())..), None, at + head, Some(fault)));
                    break;
                }
                Err(fault) => {
                    let rest = input.slice((at + head).min(input.len())..);
                    units.push(self.unit(rest, None, at + head, Some(fault.to_string())));
                    break;
                }
            }
        }
        units
    }

    /// Takes the headers off.
    fn unit(&self, mut body: Bytes, length: Option<usize>, mut start: usize, mut fault: Option<String>) -> Unit {
        let mut tpdu = None;
        if self.tpdu.is_some() {
            match body.get(..Tpdu::LENGTH).map(Tpdu::parse) {
                Some(Some(found)) => tpdu = Some(found),
                Some(None) => fault = fault.or(Some("TPDU does not begin with 60".into())),
                None => fault = fault.or(Some("the frame ends inside the TPDU".into())),
            }
            let skipped = Tpdu::LENGTH.min(body.len());
            body = body.slice(skipped..);
            start += skipped;
        }
        if body.len() < self.header.len() {
            fault = fault.or(Some("the frame ends inside the header".into()));
        }
        let header = body.split_to(self.header.len().min(body.len()));
        Unit { length, tpdu, start: start + header.len(), header, body, fault }
    }

    /// A frame around `body`; `tpdu` and `header` instead of the wire's own where they are given.
    ///
    /// # Errors
    /// The header has not the wire's length, or the frame is longer than its length header can say.
    pub(super) fn frame(&self, tpdu: Option<Tpdu>, header: Option<Bytes>, body: &[u8]) -> Result<Vec<u8>, Failure> {
        let header = header.unwrap_or_else(|| self.header.clone());
        if header.len() != self.header.len() {
            let wanted = self.header.len();
            return Err(Failure::new(Exit::No, format!("\"header\" is not the {wanted} bytes of this wire")));
        }
        let tpdu = self.tpdu.map(|own| tpdu.unwrap_or(own).bytes().to_vec()).unwrap_or_default();
        let unit = [&tpdu, &*header, body].concat();
        let mut frame = BytesMut::new();
        if let Some(framing) = self.framing {
            framing.put_length(unit.len(), &mut frame).map_err(|fault| Failure::new(Exit::No, fault.to_string()))?;
        }
        frame.extend_from_slice(&unit);
        Ok(frame.to_vec())
    }
}
