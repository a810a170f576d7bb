//! A dialect: the rows of one file, after validation.

use super::error::De;
use super::message::Message;
use super::mti::Mti;
use super::mti::MtiPattern;
use super::role::Role;
use super::wire::Wire;
use crate::model::Kind;
use crate::model::ResponseCode;
use std::ops::Range;

/// What an element may hold. Source: ISO 8583:1987, 4.3.1.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ElementKind {
    /// `n`: digits.
    N,
    /// `a`: letters and spaces.
    A,
    /// `an`: letters, digits and spaces.
    An,
    /// `ans`: printable characters.
    Ans,
    /// `b`: bytes.
    B,
    /// `z`: track data, digits and the separator.
    Z,
    /// `xn`: a sign letter, `C` or `D`, and digits; lengths count the digits.
    Xn,
}

/// How a value stands on the wire.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Encoding {
    /// One ASCII byte a character.
    Ascii,
    /// One EBCDIC byte a character, code page 037.
    Ebcdic037,
    /// One EBCDIC byte a character, code page 1047.
    Ebcdic1047,
    /// Two digits a byte.
    Bcd,
    /// As it is.
    Binary,
    /// Two hexadecimal characters a byte, in ASCII.
    Hex,
    /// Two hexadecimal characters a byte, in EBCDIC.
    HexEbcdic,
    /// Chinese text, GBK; lengths count bytes.
    Gbk,
}

/// How a length prefix is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum PrefixEncoding {
    /// ASCII digits.
    Ascii,
    /// EBCDIC digits; the same in both code pages.
    Ebcdic,
    /// Two digits a byte, zero filled on the left.
    Bcd,
    /// Binary, big endian: one byte for `LL` (and `L`), two for more.
    Binary,
}

/// What a length prefix counts.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Counts {
    /// Digits of an n, z or xn value.
    Digits,
    /// Characters as they stand on the wire: of hexadecimal, two a byte.
    Characters,
    /// Bytes: of BCD, bytes on the wire; of hexadecimal, bytes of the value.
    Bytes,
}

/// Which side.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Side {
    /// In front.
    Left,
    /// Behind.
    Right,
}

/// How long a value is, in digits (n, z, xn), characters (a, an, ans) or bytes (b, and text in GBK).
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Length {
    /// Always as long.
    Fixed(u16),
    /// A prefix says it.
    Variable {
        /// The least.
        min: u16,
        /// The most.
        max: u16,
        /// Digits of the prefix, 1 to 4: the number of `L`s.
        digits: u8,
        /// How the prefix is written.
        encoding: PrefixEncoding,
        /// What it counts.
        counts: Counts,
    },
}

/// What a value would tell a reader who should not see it.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Sensitivity {
    /// Nothing; shown in clear.
    Plain,
    /// A card number: first six and last four may be shown.
    Pan,
    /// Track data or its equivalent: never shown.
    Track,
    /// A PIN block: never shown.
    Pin,
    /// Keys, cryptograms, passwords: never shown.
    Secret,
}

/// Digits of another element that say the track is enciphered, and so that its nibbles are no digits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CipherFlag {
    /// The element.
    pub de: De,
    /// Position in its canonical value.
    pub position: u16,
    /// The character there that says "enciphered".
    pub value: u8,
}

/// One part of a composite element.
#[derive(Clone, Debug, PartialEq)]
pub struct PartSpec {
    /// A position (`1`), a tag in upper hex (`9F26`) or as text (`A1`), or a bit (`3`).
    pub id: Box<str>,
    /// What it is.
    pub name: Box<str>,
    /// How sensitive; `None` if nobody said.
    pub sensitivity: Option<Sensitivity>,
    /// Its length: positional parts in canonical units of the element (zero: the rest); bitmapped parts as an
    /// element of their own.
    pub(super) field: PartField,
}

/// How long one part is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum PartField {
    /// Units of the element's canonical value; zero is the rest.
    Units(u16),
    /// A field of its own, inside a bitmapped composite.
    Field(Wire),
    /// The tag's own length says it.
    Tagged,
}

/// How tags or lengths of a tag-length-value list are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TagWidth {
    /// Bytes on the wire: 1 to 4.
    pub bytes: u8,
    /// ASCII, EBCDIC, BCD or binary digits.
    pub encoding: PrefixEncoding,
}

/// How a composite is laid out.
#[derive(Clone, Debug, PartialEq)]
pub enum Layout {
    /// Parts of known length one after the other; trailing ones may be absent.
    Positional,
    /// BER-TLV, ISO/IEC 8825-1 as EMV Book 3 Annex B uses it.
    BerTlv,
    /// Tag, length, value, with widths of the dialect's own.
    TagLengthValue {
        /// The tag.
        tag: TagWidth,
        /// The length, in bytes of the value.
        length: TagWidth,
    },
    /// A bitmap of so many bytes, then the parts it announces.
    Bitmapped {
        /// 1 to 8.
        bytes: u8,
    },
}

/// How one dialect carries one data element.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementSpec {
    /// Its number.
    pub number: De,
    /// Its name.
    pub name: Box<str>,
    /// What it may hold.
    pub kind: ElementKind,
    /// How long it is.
    pub length: Length,
    /// How it is written.
    pub encoding: Encoding,
    /// Where an odd digit is filled up (BCD).
    pub pad: Side,
    /// With which nibble it is filled up when written: 0 or F. A reader accepts either.
    pub nibble: u8,
    /// How sensitive; `None` if nobody said.
    pub sensitivity: Option<Sensitivity>,
    /// The public source of this row.
    pub source: Box<str>,
    /// When its digits are not digits.
    pub cipher_flag: Option<CipherFlag>,
    /// Its inner structure, if it has one.
    pub layout: Option<Layout>,
    /// Its known parts, in file order.
    pub parts: Box<[PartSpec]>,
    /// Whether decoding walks the inner structure too.
    pub strict: bool,
    /// The compiled rule.
    pub(super) wire: Wire,
}

/// Where a role lives: an element, a slice of its canonical value, or one of its tagged parts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleRow {
    /// The element.
    pub de: De,
    /// The units of its canonical value; `None` is all of it.
    pub slice: Option<Range<usize>>,
    /// The tag of the part, where the element is a list of them.
    pub part: Option<Box<str>>,
}

/// One transaction kind as this dialect writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct KindRow {
    /// The kind.
    pub kind: Kind,
    /// The request's MTI, never a repeat.
    pub mti: Mti,
    /// What the roles read; `.` is any character.
    pub when: Box<[(Role, Box<str>)]>,
    /// Elements that a request of this kind carries, besides those of its MTI.
    pub mandatory: Box<[De]>,
}

/// One response code of this dialect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CodeRow {
    /// What it means.
    pub code: ResponseCode,
    /// Whether it means approved.
    pub approves: bool,
}

/// How an MTI stands on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MtiEncoding {
    /// Four ASCII digits.
    Ascii,
    /// Four EBCDIC digits.
    Ebcdic,
    /// Two bytes.
    Bcd,
}

/// How a bitmap stands on the wire.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BitmapEncoding {
    /// Eight bytes each.
    Binary,
    /// Sixteen ASCII characters each.
    HexAscii,
    /// Sixteen EBCDIC characters each.
    HexEbcdic,
}

/// A code as the file writes it.
#[derive(Clone, Debug)]
pub(super) struct WireCode {
    pub(super) wire: Box<str>,
    pub(super) row: CodeRow,
    pub(super) alias: bool,
}

/// One wire language, immutable and shared. Holding one is proof that its file is valid.
#[derive(Debug)]
pub struct Dialect {
    pub(super) name: Box<str>,
    pub(super) title: Box<str>,
    pub(super) source: Box<str>,
    pub(super) oracle: Box<str>,
    pub(super) mti: MtiEncoding,
    pub(super) bitmap: BitmapEncoding,
    pub(super) bitmaps: u8,
    /// By element number; the hot path reads only this.
    pub(super) wires: Box<[Wire; 193]>,
    /// In ascending order.
    pub(super) elements: Box<[ElementSpec]>,
    /// By role.
    pub(super) roles: Box<[Option<RoleRow>]>,
    pub(super) kinds: Box<[KindRow]>,
    pub(super) codes: Box<[WireCode]>,
    pub(super) fallback: Box<str>,
    /// The closest pattern first.
    pub(super) echo: Box<[(MtiPattern, Box<[De]>)]>,
    pub(super) mandatory: Box<[(MtiPattern, Box<[De]>)]>,
    pub(super) mac: Box<[De]>,
}

impl Dialect {
    /// Its name, as profiles call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is, in words.
    #[must_use]
    pub fn title(&self) -> &str {
        &self.title
    }

    /// The public source of its rows.
    #[must_use]
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The foreign implementation that agrees with it, or that there is none.
    #[must_use]
    pub fn oracle(&self) -> &str {
        &self.oracle
    }

    /// How an MTI is written.
    #[must_use]
    pub fn mti_encoding(&self) -> MtiEncoding {
        self.mti
    }

    /// How a bitmap is written.
    #[must_use]
    pub fn bitmap_encoding(&self) -> BitmapEncoding {
        self.bitmap
    }

    /// How many bitmaps a message may have, 1 to 3.
    #[must_use]
    pub fn bitmaps(&self) -> u8 {
        self.bitmaps
    }

    /// The row of an element.
    #[must_use]
    pub fn element(&self, de: De) -> Option<&ElementSpec> {
        self.elements.binary_search_by_key(&de, |spec| spec.number).ok().and_then(|index| self.elements.get(index))
    }

    /// All elements, ascending.
    #[must_use]
    pub fn elements(&self) -> &[ElementSpec] {
        &self.elements
    }

    /// Where a role lives.
    #[must_use]
    pub fn role(&self, role: Role) -> Option<&RoleRow> {
        self.roles.get(role as usize)?.as_ref()
    }

    /// All kind rows, in file order.
    #[must_use]
    pub fn kinds(&self) -> &[KindRow] {
        &self.kinds
    }

    /// What a request asks for: the first row whose MTI (repeat mark ignored) and patterns match.
    #[must_use]
    pub fn kind_of(&self, message: &Message) -> Option<Kind> {
        self.matching(message).next().map(|row| row.kind)
    }

    /// The first row of a kind: what a request of it looks like.
    #[must_use]
    pub fn kind_row(&self, kind: Kind) -> Option<&KindRow> {
        self.kinds.iter().find(|row| row.kind == kind)
    }

    /// The kind rows that describe `message`.
    fn matching<'a>(&'a self, message: &'a Message) -> impl Iterator<Item = &'a KindRow> {
        let mti = message.mti().map(Mti::without_repeat);
        self.kinds.iter().filter(move |row| Some(row.mti) == mti && row.describes(message))
    }

    /// The first absent element that the rows of the MTI, or those of `kind`, call mandatory.
    #[must_use]
    pub fn missing(&self, message: &Message, kind: Option<Kind>) -> Option<De> {
        let mti = message.mti()?.without_repeat();
        let by_mti = self.mandatory.iter().filter(|(pattern, _)| pattern.matches(mti)).flat_map(|(_, list)| list);
        let row =
            kind.and_then(|kind| self.matching(message).find(|row| row.kind == kind).or_else(|| self.kind_row(kind)));
        let by_kind = row.into_iter().flat_map(|row| row.mandatory.iter());
        by_mti.chain(by_kind).copied().find(|de| !message.has(*de))
    }

    /// The elements that an answer takes from its request when they are there: the closest row's.
    #[must_use]
    pub fn echo(&self, response: Mti) -> &[De] {
        self.echo.iter().find(|(pattern, _)| pattern.matches(response)).map_or(&[], |(_, list)| list)
    }

    /// What a response code on the wire means; `None` if the dialect has no row for it.
    #[must_use]
    pub fn code(&self, wire: &[u8]) -> Option<CodeRow> {
        self.codes.iter().find(|code| code.wire.as_bytes() == wire).map(|code| code.row)
    }

    /// How a code is written. One without a row loses its detail, never its meaning: an approval is written as
    /// plain approval, anything else as the dialect's fallback.
    #[must_use]
    pub fn wire_code(&self, code: ResponseCode) -> &str {
        let written = |code| self.codes.iter().find(|row| row.row.code == code && !row.alias);
        let plain = || if code.is_approval() { written(ResponseCode::Approved) } else { None };
        written(code).or_else(plain).map_or(&self.fallback, |row| &row.wire)
    }

    /// All codes as (wire, meaning), in file order.
    pub fn codes(&self) -> impl Iterator<Item = (&str, CodeRow)> {
        self.codes.iter().map(|code| (&*code.wire, code.row))
    }

    /// The element that carries the message's MAC: 64, or 128 when there is a secondary bitmap; `None` if it is absent.
    #[must_use]
    pub fn mac_element(&self, message: &Message) -> Option<De> {
        let wanted = if message.bitmap_count() > 1 { 128 } else { 64 };
        self.mac.iter().copied().find(|de| *de == wanted && message.has(*de))
    }
}

impl KindRow {
    /// Whether every role of the row reads as its pattern says.
    fn describes(&self, message: &Message) -> bool {
        self.when.iter().all(|(role, pattern)| {
            message.role(*role).is_some_and(|value| {
                value.len() == pattern.len()
                    && pattern.bytes().zip(value.iter()).all(|(wanted, found)| wanted == b'.' || wanted == *found)
            })
        })
    }
}
