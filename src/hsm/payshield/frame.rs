//! Frames: two bytes of length, a header that comes back as it was sent, a body.

use super::fields::Body;
use super::fields::body;
use zeroize::Zeroizing;

/// Longest header an HSM can be set to.
pub const HEADER_MOST: usize = 255;
/// Longest frame this room reads or writes, its length bytes not counted: what a payShield's buffer takes.
pub const FRAME_MOST: usize = 32 * 1024;

/// Why a stream is none of host commands. Lengths only.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum FrameFault {
    /// Longer than anything that can come.
    #[error("frame of {0} bytes")]
    TooLong(usize),
    /// No room for header and codes.
    #[error("frame of {0} bytes, too short for its header")]
    TooShort(usize),
}

/// One frame taken apart.
pub struct Frame {
    /// As sent: it names the call.
    pub header: Vec<u8>,
    /// From the two-letter code on.
    pub body: Body,
}

/// Puts a frame together.
///
/// # Errors
/// If it would be too long.
pub fn frame(header: &[u8], body_bytes: &[u8]) -> Result<Body, FrameFault> {
    let length = header.len() + body_bytes.len();
    let prefix = u16::try_from(length).ok().filter(|_| length <= FRAME_MOST).ok_or(FrameFault::TooLong(length))?;
    let mut out = Zeroizing::new(Vec::with_capacity(2 + length));
    out.extend_from_slice(&prefix.to_be_bytes());
    out.extend_from_slice(header);
    out.extend_from_slice(body_bytes);
    Ok(out)
}

/// Cuts a stream into frames, wherever it is cut itself. Holds one frame at most; wipes what it held.
pub struct Deframer {
    header: usize,
    held: Zeroizing<Vec<u8>>,
}

impl Deframer {
    /// For headers of `header` bytes, at most [`HEADER_MOST`].
    #[must_use]
    pub fn new(header: usize) -> Self {
        Self { header: header.min(HEADER_MOST), held: Zeroizing::new(Vec::with_capacity(2 + FRAME_MOST)) }
    }

    /// Takes bytes from the front of `input` until a frame is whole or nothing is left.
    ///
    /// Call it again with what is left. After a fault the stream is lost.
    ///
    /// # Errors
    /// [`FrameFault`].
    pub fn next(&mut self, input: &mut &[u8]) -> Result<Option<Frame>, FrameFault> {
        self.fill(input, 2);
        let Some(&[high, low]) = self.held.first_chunk::<2>() else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if length > FRAME_MOST {
            return Err(FrameFault::TooLong(length));
        }
        // A code of two letters is the least.
        if length < self.header + 2 {
            return Err(FrameFault::TooShort(length));
        }
        self.fill(input, 2 + length);
        if self.held.len() < 2 + length {
            return Ok(None);
        }
        let (header, rest) = self.held.split_at(2 + self.header);
        let mut content = body();
        content.extend_from_slice(rest);
        let frame = Frame { header: header.get(2..).unwrap_or_default().to_vec(), body: content };
        self.held.iter_mut().for_each(|byte| *byte = 0);
        self.held.clear();
        Ok(Some(frame))
    }

    /// Whether a frame has begun and is not whole.
    #[must_use]
    pub fn is_inside(&self) -> bool {
        !self.held.is_empty()
    }

    /// Moves bytes over until `length` are held.
    fn fill(&mut self, input: &mut &[u8], length: usize) {
        let wanted = length.saturating_sub(self.held.len()).min(input.len());
        let (now, later) = input.split_at(wanted);
        self.held.extend_from_slice(now);
        *input = later;
    }
}
