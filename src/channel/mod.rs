//! One peer's wire conventions: where a message ends, what stands in front of it, and which dialect,
//! MAC and PIN block it carries. Rows of data (`specs/profiles/*.toml`), no IO.

mod framing;
mod tpdu;

pub use framing::{Deframer, FrameFault, Framing, LengthHeader};
pub use tpdu::{Frame, Tpdu};
