//! One peer's wire conventions: where a message ends, what stands in front of it, and which dialect,
//! MAC and PIN block it carries. Rows of data (`specs/profiles/*.toml`), no IO.
//!
//! ```
//! use tollgate::channel::{Deframer, Framing, LengthHeader};
//!
//! let mut deframer = Deframer::new(Framing::new(LengthHeader::Binary2Be));
//! deframer.push(&[0, 3, b'a', b'b']);
//! assert_eq!(deframer.next(), Ok(None));
//! deframer.push(b"c");
//! assert_eq!(deframer.next().unwrap().as_deref(), Some(&b"abc"[..]));
//! ```

pub mod builtin;
mod correlation;
mod framing;
mod management;
mod profile;
pub mod profile_file;
mod sheet;
mod tpdu;

pub use correlation::{CorrelationKey, LaneKey, Received};
pub use framing::{Deframer, FrameFault, Framing, LengthHeader};
pub use profile::{MacRule, Profile, ReversalIcc, Switches};
pub use tpdu::{Frame, Tpdu};
