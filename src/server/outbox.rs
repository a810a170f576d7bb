//! Answers on their way to one peer, written together.

use bytes::{Buf, Bytes};
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::AsyncWrite;

/// Units that one write takes along at most.
const AT_ONCE: usize = 64;

/// What waits to be written. The session bounds it.
#[derive(Default)]
pub(super) struct Outbox {
    units: VecDeque<Bytes>,
    bytes: usize,
    unflushed: bool,
}

impl Outbox {
    pub(super) fn push(&mut self, unit: Bytes) {
        self.bytes += unit.len();
        self.units.push_back(unit);
    }

    /// Whether everything is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.units.is_empty() && !self.unflushed
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Writes what the peer takes now; says how many bytes that was.
    pub(super) fn poll_write<S: AsyncWrite>(
        &mut self,
        mut stream: Pin<&mut S>,
        cx: &mut Context<'_>,
    ) -> io::Result<usize> {
        let mut written = 0;
        while !self.units.is_empty() {
            let mut slices = [io::IoSlice::new(&[]); AT_ONCE];
            let mut used = 0;
            for (slice, unit) in slices.iter_mut().zip(&self.units) {
                *slice = io::IoSlice::new(unit);
                used += 1;
            }
            match stream.as_mut().poll_write_vectored(cx, slices.get(..used).unwrap_or_default())? {
                Poll::Pending => return Ok(written),
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(length) => {
                    self.unflushed = true;
                    written += length;
                    self.advance(length);
                }
            }
        }
        if self.unflushed && stream.poll_flush(cx)?.is_ready() {
            // An idle session keeps no room for answers.
            *self = Self::default();
        }
        Ok(written)
    }

    fn advance(&mut self, mut length: usize) {
        self.bytes = self.bytes.saturating_sub(length);
        while let Some(first) = self.units.front_mut() {
            if length < first.len() {
                first.advance(length);
                return;
            }
            length -= first.len();
            self.units.pop_front();
        }
    }
}
