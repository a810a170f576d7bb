//! Values to bytes.

use super::MAX_BODY;
use super::bitmap::Bitmap;
use super::class::Class;
use super::error::BuildFault;
use super::error::De;
use super::error::EncodeError;
use super::error::Path;
use super::message::Message;
use super::mti::Mti;
use super::parts;
use super::role::Role;
use super::spec::Dialect;
use super::spec::ElementKind;
use super::spec::Length;
use super::spec::MtiEncoding;
use super::wire::Wire;
use bytes::Buf;
use bytes::Bytes;
use smallvec::SmallVec;
use std::sync::Arc;

/// Room for the longest MTI and three bitmaps in hexadecimal, in front of the elements.
const HEAD: usize = 4 + 48;

/// Bytes set aside at first: enough for an authorization with chip data in hexadecimal.
const ROOM: usize = 768;

/// An element in the scratch, prefix included: it ends here and begins where the one before it ends.
#[derive(Clone, Copy)]
struct Piece {
    de: De,
    end: u32,
}

/// A message in the making. Setting an element twice keeps the last value. No `Debug`: it holds values.
pub struct Builder {
    dialect: Arc<Dialect>,
    mti: Mti,
    present: Bitmap,
    /// [`HEAD`] bytes for MTI and bitmaps, then the elements in the order in which they were set.
    scratch: Vec<u8>,
    pieces: SmallVec<[Piece; 32]>,
    /// The last element in the scratch; while `ordered`, the highest.
    last: De,
    /// Whether the scratch has exactly the present elements in ascending order.
    ordered: bool,
}

impl Dialect {
    /// Starts a message of that type.
    #[must_use]
    pub fn build(self: &Arc<Self>, mti: Mti) -> Builder {
        let mut scratch = Vec::with_capacity(ROOM);
        scratch.resize(HEAD, 0);
        Builder {
            dialect: Arc::clone(self),
            mti,
            present: Bitmap::default(),
            scratch,
            pieces: SmallVec::new(),
            last: 0,
            ordered: true,
        }
    }
}

impl Builder {
    /// The dialect it is written in.
    #[must_use]
    pub fn dialect(&self) -> &Arc<Dialect> {
        &self.dialect
    }

    /// The message type.
    #[must_use]
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// Sets an element from its canonical value (see [`super::Value`]).
    ///
    /// Short values of fixed elements are filled up: numbers with zeros in front, text with spaces behind.
    ///
    /// # Errors
    /// The element is not defined, or the value is too long, too short or of another class; nothing is set then.
    pub fn set(&mut self, de: De, canonical: &[u8]) -> Result<&mut Self, EncodeError> {
        let wire = self.wire(de)?;
        self.append(de, |out| wire.write(canonical, out))
    }

    fn wire(&self, de: De) -> Result<Wire, EncodeError> {
        match self.dialect.wires.get(usize::from(de)) {
            Some(wire) if wire.class != Class::Undefined => Ok(*wire),
            _ => Err(EncodeError { path: Path::De(de), fault: BuildFault::Undefined }),
        }
    }

    /// Adds the bytes that `write` appends as element `de`, or cuts them off again if it fails.
    #[inline]
    fn append(
        &mut self,
        de: De,
        write: impl FnOnce(&mut Vec<u8>) -> Result<(), BuildFault>,
    ) -> Result<&mut Self, EncodeError> {
        let start = self.scratch.len();
        if let Err(fault) = write(&mut self.scratch) {
            return Err(self.take_back(de, start, fault));
        }
        let end = self.scratch.len();
        if end > HEAD + MAX_BODY {
            return Err(self.take_back(de, start, BuildFault::Oversize));
        }
        self.ordered &= de > self.last;
        self.last = de;
        self.present.put(de, true);
        self.pieces.push(Piece { de, end: end as u32 });
        Ok(self)
    }

    /// Cuts off what a failed element appended.
    #[cold]
    fn take_back(&mut self, de: De, start: usize, fault: BuildFault) -> EncodeError {
        self.scratch.truncate(start);
        EncodeError { path: Path::De(de), fault }
    }

    /// Sets what the role means: an element, or a slice of one.
    ///
    /// In a slice a short number gets zeros in front and short text spaces behind; positions of the element that
    /// nobody set are `0`, in text spaces.
    ///
    /// # Errors
    /// The dialect has no such role, or as for [`Builder::set`].
    pub fn role(&mut self, role: Role, canonical: &[u8]) -> Result<&mut Self, EncodeError> {
        let dialect = Arc::clone(&self.dialect);
        let no_role = EncodeError { path: Path::End, fault: BuildFault::NoRole(role) };
        let row = dialect.role(role).ok_or(no_role)?;
        let spec = dialect.element(row.de).ok_or(no_role)?;
        if let Some(part) = &row.part {
            let before = self.value(row.de).unwrap_or_default();
            return self.set(row.de, &parts::with_tagged(spec, &before, part, canonical).ok_or(no_role)?);
        }
        let Some(range) = &row.slice else { return self.set(row.de, canonical) };
        let numeric = matches!(spec.kind, ElementKind::N | ElementKind::Z | ElementKind::Xn);
        let filler = if numeric { b'0' } else { b' ' };
        let missing = range.len().checked_sub(canonical.len()).ok_or(EncodeError {
            path: Path::De(row.de),
            fault: BuildFault::TooLong { length: canonical.len(), max: range.len() },
        })?;
        let mut value = self.value(row.de).unwrap_or_default();
        let least = if let Length::Fixed(units) = spec.length { usize::from(units) } else { 0 };
        if value.len() < range.end.max(least) {
            value.resize(range.end.max(least), filler);
        }
        let front = if numeric { missing } else { 0 };
        for (at, place) in value.iter_mut().skip(range.start).take(range.len()).enumerate() {
            *place = at.checked_sub(front).and_then(|at| canonical.get(at)).copied().unwrap_or(filler);
        }
        self.set(row.de, &value)
    }

    /// The canonical value of an element set before.
    fn value(&self, de: De) -> Option<SmallVec<[u8; 64]>> {
        let bytes = self.piece(de)?;
        let wire = self.dialect.wires.get(usize::from(de))?;
        let (_, (units, value)) = wire.split(bytes).ok()?;
        Some(SmallVec::from_slice(&wire.value(value, units, false)))
    }

    fn piece(&self, de: De) -> Option<&[u8]> {
        if !self.has(de) {
            return None;
        }
        let index = self.pieces.iter().rposition(|piece| piece.de == de)?;
        let start =
            index.checked_sub(1).and_then(|before| self.pieces.get(before)).map_or(HEAD, |piece| piece.end as usize);
        self.scratch.get(start..self.pieces.get(index)?.end as usize)
    }

    /// Takes an element from another message; an absent one changes nothing.
    ///
    /// Where both dialects write it alike the wire bytes are taken over, else its canonical value is written anew.
    ///
    /// # Errors
    /// As for [`Builder::set`].
    pub fn copy(&mut self, de: De, from: &Message) -> Result<&mut Self, EncodeError> {
        let Some(value) = from.value(de) else { return Ok(self) };
        let wire = self.wire(de)?;
        let alike = Arc::ptr_eq(&self.dialect, &from.dialect) || from.dialect.wires.get(usize::from(de)) == Some(&wire);
        match from.whole(de) {
            Some(bytes) if alike => self.append(de, |out| {
                out.extend_from_slice(bytes);
                Ok(())
            }),
            _ => self.set(de, &value),
        }
    }

    /// Takes an element out again.
    pub fn clear(&mut self, de: De) -> &mut Self {
        if self.has(de) {
            self.present.put(de, false);
            self.ordered = false;
        }
        self
    }

    /// Whether the element is set.
    #[must_use]
    pub fn has(&self, de: De) -> bool {
        self.present.has(de)
    }

    /// The message without a MAC.
    ///
    /// # Errors
    /// An element lies beyond the dialect's bitmaps, or the message exceeds [`MAX_BODY`].
    pub fn finish(self) -> Result<Bytes, EncodeError> {
        let (body, start) = self.assemble()?;
        Ok(from(body, start))
    }

    /// The message with its MAC element announced in the bitmap and its bytes reserved at the end.
    ///
    /// # Errors
    /// The dialect names no MAC element for this message, or as for [`Builder::finish`].
    pub fn finish_unsigned(mut self) -> Result<Unsigned, EncodeError> {
        let count = self.present.count();
        let wanted = if count > 1 { 128 } else { 64 };
        let no_mac = EncodeError { path: Path::De(wanted), fault: BuildFault::NoMac };
        self.clear(wanted);
        if !self.dialect.mac.contains(&wanted) || count > 2 {
            return Err(no_mac);
        }
        let wire = self.wire(wanted)?;
        let room = wire.scale.bytes(usize::from(wire.max));
        self.append(wanted, |out| {
            out.resize(out.len() + room, 0);
            Ok(())
        })?;
        let (body, start) = self.assemble()?;
        let at = body.len().checked_sub(room).ok_or(no_mac)?;
        Ok(Unsigned { body, start, at, de: wanted, wire })
    }

    /// MTI, bitmaps and elements in one buffer, and where in it they begin.
    fn assemble(mut self) -> Result<(Vec<u8>, usize), EncodeError> {
        if self.present.count() > self.dialect.bitmaps {
            return Err(EncodeError { path: Path::Bitmap, fault: BuildFault::Undefined });
        }
        let (head, length) = self.head();
        let head = head.get(..length).unwrap_or_default();
        if !self.ordered {
            let mut body = Vec::with_capacity(self.scratch.len());
            body.extend_from_slice(head);
            for de in self.present.elements() {
                body.extend_from_slice(self.piece(de).unwrap_or_default());
            }
            return Ok((body, 0));
        }
        let start = HEAD - head.len();
        if let Some(front) = self.scratch.get_mut(start..HEAD) {
            front.copy_from_slice(head);
        }
        Ok((self.scratch, start))
    }

    /// MTI and bitmaps, and how many bytes they take.
    fn head(&self) -> ([u8; HEAD], usize) {
        let mut head = [0; HEAD];
        let digits = self.mti.digits();
        let mut length = 4;
        match self.dialect.mti {
            MtiEncoding::Ascii => head[..4].copy_from_slice(&digits),
            MtiEncoding::Ebcdic => head[..4].copy_from_slice(&digits.map(|digit| digit | 0xF0)),
            MtiEncoding::Bcd => {
                let [a, b, c, d] = digits.map(|digit| digit & 15);
                head[..2].copy_from_slice(&[a << 4 | b, c << 4 | d]);
                length = 2;
            }
        }
        for bytes in self.present.wire(self.dialect.bitmap) {
            if let Some(place) = head.get_mut(length..length + bytes.len()) {
                place.copy_from_slice(&bytes);
                length += bytes.len();
            }
        }
        (head, length)
    }
}

/// The bytes from `start` on, without copying them.
fn from(body: Vec<u8>, start: usize) -> Bytes {
    let mut body = Bytes::from(body);
    body.advance(start.min(body.len()));
    body
}

/// A message that waits for its MAC.
#[derive(Clone)]
pub struct Unsigned {
    body: Vec<u8>,
    start: usize,
    at: usize,
    de: De,
    wire: Wire,
}

impl Unsigned {
    /// What the MAC is computed over: from the MTI up to the MAC element, the bitmap with the MAC's bit set.
    #[must_use]
    pub fn mac_input(&self) -> &[u8] {
        self.body.get(self.start..self.at).unwrap_or_default()
    }

    /// Puts the MAC into its element: `mac` is the element's canonical value, as the MAC scheme writes it.
    ///
    /// # Errors
    /// The MAC is not as long as its element, or not of its class.
    pub fn sign(mut self, mac: &[u8]) -> Result<Bytes, EncodeError> {
        let mut wire = Vec::with_capacity(32);
        let path = Path::De(self.de);
        self.wire.write(mac, &mut wire).map_err(|fault| EncodeError { path, fault })?;
        match self.body.get_mut(self.at..) {
            Some(room) if room.len() == wire.len() => room.copy_from_slice(&wire),
            _ => return Err(EncodeError { path, fault: BuildFault::NoMac }),
        }
        Ok(from(self.body, self.start))
    }
}
