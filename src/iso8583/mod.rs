//! The codec: bytes to [`Message`] and back, as a dialect says.
//!
//! A [`Dialect`] is made from a TOML file ([`spec_file`]) and compiled once into a wire rule per element.
//! [`Dialect::decode`] walks the set bits once, checks every byte's class, and notes where each value lies;
//! nothing is copied and nothing allocated. Values are read in canonical form ([`Value`]), by element or by
//! [`Role`]. [`Dialect::build`] goes the other way.
//!
//! Source: ISO 8583:1987, ISO 8583:1993, ISO 8583:2003; each row of a dialect names its own.

mod bitmap;
mod build;
pub mod builtin;
mod class;
pub mod describe;
pub mod device_data;
mod encoding;
mod error;
mod message;
mod mti;
mod parse;
mod parts;
mod role;
pub mod settlement;
mod spec;
pub mod spec_file;
mod tables;
pub mod tlv;
mod value;
mod wire;

pub use build::{Builder, Unsigned};
pub use error::{BuildFault, De, DecodeError, EncodeError, Fault, PartId, Path};
pub use message::{Message, Rejected};
pub use mti::{Mti, MtiPattern};
pub use parts::{Part, Parts};
pub use role::Role;
pub use spec::{
    BitmapEncoding, CipherFlag, CodeRow, Counts, Dialect, ElementKind, ElementSpec, Encoding, KindRow, Layout, Length,
    MtiEncoding, PartSpec, PrefixEncoding, RoleRow, Sensitivity, Side, TagWidth,
};
pub use tables::CodePage;
pub use value::Value;

/// No body is longer than this, in bytes: spans count in 16 bits. Profiles cap far below it.
pub const MAX_BODY: usize = 65_535;

/// The highest element number: three bitmaps.
pub const MAX_DE: De = 192;

#[cfg(test)]
mod tests;
