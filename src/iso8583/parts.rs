//! The inside of composite elements. Off the hot path: only description and `strict` rows come here.

use super::bitmap::Bits;
use super::error::De;
use super::error::DecodeError;
use super::error::Fault;
use super::error::PartId;
use super::error::Path;
use super::message::Message;
use super::spec::Dialect;
use super::spec::ElementSpec;
use super::spec::Layout;
use super::spec::PartField;
use super::spec::PartSpec;
use super::spec::PrefixEncoding;
use super::spec::Sensitivity;
use super::spec::TagWidth;
use super::tlv;
use super::tlv::TlvFault;
use smallvec::SmallVec;
use std::ops::Range;

/// One part of a composite. No `Debug`: it holds a value.
#[derive(Clone)]
pub struct Part {
    /// Position, tag or bit.
    pub id: PartId,
    /// How deep: zero, or more inside constructed BER-TLV objects.
    pub depth: usize,
    /// The name of its row; `None` for a part that the dialect does not know.
    pub name: Option<Box<str>>,
    /// How sensitive; `None` if nobody said.
    pub sensitivity: Option<Sensitivity>,
    /// The value: canonical units of the element, or bytes.
    pub value: Vec<u8>,
    /// Whether the value is made of the deeper parts that follow.
    pub constructed: bool,
}

/// The parts that could be read, and why there are no more.
#[derive(Clone)]
pub struct Parts {
    /// In wire order, parents before their children.
    pub list: Vec<Part>,
    /// Where and why reading stopped early.
    pub fault: Option<DecodeError>,
}

impl Message {
    /// The parts of a composite element; `None` if it is absent or none.
    #[must_use]
    pub fn parts(&self, de: De) -> Option<Parts> {
        let spec = self.dialect().element(de)?;
        let layout = spec.layout.as_ref()?;
        let value = self.value(de)?;
        let mut parts = Parts { list: Vec::new(), fault: None };
        let start = self.span(de)?.start;
        parts.fault = read(spec, layout, &value, &mut parts.list).err().map(|broken| broken.at(spec, start));
        Some(parts)
    }
}

/// A fault inside a value: the part, the place in the canonical value, and why.
struct Broken {
    part: Option<PartId>,
    offset: usize,
    fault: TlvFault,
}

impl Broken {
    /// As an error of the message whose element's value begins at `start`.
    fn at(self, spec: &ElementSpec, start: usize) -> DecodeError {
        let path = self.part.map_or(Path::De(spec.number), |part| Path::Part(spec.number, part));
        DecodeError { path, offset: start + spec.wire.scale.bytes(self.offset), fault: Fault::Tlv(self.fault) }
    }
}

/// Walks a strict element's inside. `value` is checked wire bytes, `start` their place in the body.
#[cold]
pub(super) fn check(dialect: &Dialect, number: usize, value: &[u8], start: usize) -> Result<(), DecodeError> {
    let spec = De::try_from(number).ok().and_then(|de| dialect.element(de));
    let Some((spec, layout)) = spec.and_then(|spec| Some((spec, spec.layout.as_ref()?))) else { return Ok(()) };
    let canonical = spec.wire.value(value, value.len() / spec.wire.scale.bytes(1).max(1), false);
    read(spec, layout, &canonical, &mut Vec::new()).map_err(|broken| broken.at(spec, start))
}

fn read(spec: &ElementSpec, layout: &Layout, value: &[u8], list: &mut Vec<Part>) -> Result<(), Broken> {
    match layout {
        Layout::Positional => positional(spec, value, list),
        Layout::BerTlv => tlv::walk(value, &mut |depth, object| {
            let constructed = object.is_constructed();
            list.push(part(spec, PartId::from_tag(object.tag), depth, object.value, constructed));
        })
        .map_err(|error| Broken { part: None, offset: error.offset, fault: error.fault }),
        Layout::TagLengthValue { tag, length } => tagged(spec, *tag, *length, value, list),
        Layout::Bitmapped { bytes } => bitmapped(spec, usize::from(*bytes), value, list),
    }
}

fn row<'a>(spec: &'a ElementSpec, id: &PartId) -> Option<&'a PartSpec> {
    spec.parts.iter().find(|row| &*row.id == id.as_str())
}

fn part(spec: &ElementSpec, id: PartId, depth: usize, value: &[u8], constructed: bool) -> Part {
    let row = row(spec, &id);
    Part {
        id,
        depth,
        name: row.map(|row| row.name.clone()),
        sensitivity: row.and_then(|row| row.sensitivity),
        value: value.to_vec(),
        constructed,
    }
}

fn positional(spec: &ElementSpec, value: &[u8], list: &mut Vec<Part>) -> Result<(), Broken> {
    let mut rest = value;
    for row in &spec.parts {
        let id = PartId::new(row.id.as_bytes());
        let PartField::Units(units) = row.field else { continue };
        if rest.is_empty() {
            return Ok(());
        }
        let width = if units == 0 { rest.len() } else { usize::from(units) };
        let offset = value.len() - rest.len();
        let Some((taken, after)) = rest.split_at_checked(width) else {
            return Err(Broken { part: Some(id), offset, fault: TlvFault::PartShort });
        };
        list.push(part(spec, id, 0, taken, false));
        rest = after;
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(Broken { part: None, offset: value.len() - rest.len(), fault: TlvFault::Undefined })
}

fn tagged(
    spec: &ElementSpec,
    tag: TagWidth,
    length: TagWidth,
    value: &[u8],
    list: &mut Vec<Part>,
) -> Result<(), Broken> {
    let mut rest = value;
    while !rest.is_empty() {
        let offset = value.len() - rest.len();
        let broken = |part, fault| Broken { part, offset, fault };
        if list.len() >= tlv::MAX_COUNT {
            return Err(broken(None, TlvFault::TooMany));
        }
        let (name, after) = rest.split_at_checked(usize::from(tag.bytes)).ok_or(broken(None, TlvFault::TagShort))?;
        let id = match tag.encoding {
            PrefixEncoding::Ascii => PartId::new(name),
            PrefixEncoding::Ebcdic => PartId::new(
                &name.iter().map(|byte| super::class::from(&super::tables::EBCDIC_037, *byte)).collect::<Vec<_>>(),
            ),
            PrefixEncoding::Bcd | PrefixEncoding::Binary => PartId::from_tag(name),
        };
        let prefix = super::wire::Prefix::of(length.encoding, length.bytes);
        let (after, size) = prefix.read(after).map_err(|error| {
            let unreadable = matches!(error, nom::Err::Failure(_));
            broken(Some(id), if unreadable { TlvFault::LengthUnreadable } else { TlvFault::LengthShort })
        })?;
        let left = after.len();
        let (taken, after) =
            after.split_at_checked(size).ok_or(broken(Some(id), TlvFault::ValueShort { length: size, left }))?;
        list.push(part(spec, id, 0, taken, false));
        rest = after;
    }
    Ok(())
}

/// Where the value of the first part of that tag lies in the value of its element.
pub(super) fn tagged_range(spec: &ElementSpec, value: &[u8], wanted: &str) -> Option<Range<usize>> {
    let Some(Layout::TagLengthValue { tag, length }) = &spec.layout else { return None };
    let mut list = Vec::new();
    // What can be read before a fault counts.
    let _ = tagged(spec, *tag, *length, value, &mut list);
    let head = usize::from(tag.bytes) + usize::from(length.bytes);
    let mut start = 0;
    for part in &list {
        let range = start + head..start + head + part.value.len();
        if part.id.as_str() == wanted {
            return Some(range);
        }
        start = range.end;
    }
    None
}

/// `value` with one more part behind the others; `None` if the layout or the length does not allow it.
pub(super) fn with_tagged(spec: &ElementSpec, value: &[u8], tag: &str, part: &[u8]) -> Option<SmallVec<[u8; 64]>> {
    let Some(Layout::TagLengthValue { tag: width, length }) = &spec.layout else { return None };
    let plain = width.encoding == PrefixEncoding::Ascii && length.encoding == PrefixEncoding::Ascii;
    let size = format!("{:0width$}", part.len(), width = usize::from(length.bytes));
    if !plain || size.len() != usize::from(length.bytes) || tag.len() != usize::from(width.bytes) {
        return None;
    }
    let mut longer = SmallVec::from_slice(value);
    [tag.as_bytes(), size.as_bytes(), part].into_iter().for_each(|piece| longer.extend_from_slice(piece));
    Some(longer)
}

impl ElementSpec {
    /// Whether a role may live in its part of that tag: tags and lengths are text, and it has a row.
    pub(super) fn has_tagged_part(&self, tag: &str) -> bool {
        self.parts.iter().any(|row| &*row.id == tag) && with_tagged(self, &[], tag, &[]).is_some()
    }
}

fn bitmapped(spec: &ElementSpec, bytes: usize, value: &[u8], list: &mut Vec<Part>) -> Result<(), Broken> {
    let short = Broken { part: None, offset: 0, fault: TlvFault::TagShort };
    let (map, mut rest) = value.split_at_checked(bytes).ok_or(short)?;
    let word = map.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)) << (64 - 8 * bytes.clamp(1, 8));
    for bit in Bits::of(word) {
        let id = PartId::new((bit + 1).to_string().as_bytes());
        let offset = value.len() - rest.len();
        let broken = |fault| Broken { part: Some(id), offset, fault };
        let Some(PartField::Field(wire)) = row(spec, &id).map(|row| &row.field) else {
            return Err(broken(TlvFault::Undefined));
        };
        let (after, (units, taken)) = wire.split(rest).map_err(|_| broken(TlvFault::PartShort))?;
        list.push(part(spec, id, 0, &wire.value(taken, units, false), false));
        rest = after;
    }
    if rest.is_empty() {
        return Ok(());
    }
    Err(Broken { part: None, offset: value.len() - rest.len(), fault: TlvFault::Undefined })
}
