//! One connection of the fleet: made, written, read, and made again when it broke.

use super::fleet::Fleet;
use crate::channel::Deframer;
use crate::model::back_off;
use crate::sim::terminal::drive::{self, Stream, Target};
use bytes::{Buf, BytesMut};
use parking_lot::Mutex;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

/// What is read at once. On the stack: an idle connection holds no buffer.
const READ: usize = 16 * 1024;
/// Between attempts to connect, doubling.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Connections of a worker that come about at once: a host's queue of new ones is short.
pub(super) const OPENING: usize = 128;

/// Keeps a connection for as long as it is driven.
pub(super) async fn keep(fleet: Arc<Mutex<Fleet>>, line: usize, target: Target, opening: Arc<Semaphore>) {
    let framing = fleet.lock().common.profile.framing;
    let mut failures = 0_u32;
    loop {
        let opened = {
            // Nobody closes it.
            let _turn = opening.acquire().await;
            timeout(target.connect_within, drive::open(&target)).await
        };
        match opened {
            Ok(Ok(stream)) => {
                failures = 0;
                let mut wire =
                    Wire { stream, deframer: Deframer::new(framing), writing: BytesMut::new(), flushes: false };
                {
                    let mut fleet = fleet.lock();
                    let now = fleet.now();
                    fleet.up(line, now);
                }
                let why = std::future::poll_fn(|context| wire.poll(&fleet, line, context)).await;
                let mut fleet = fleet.lock();
                let now = fleet.now();
                fleet.down(line, &why, now);
            }
            Ok(Err(error)) => refused(&fleet, line, &error.to_string(), &mut failures),
            Err(_) => refused(&fleet, line, "no connection in time", &mut failures),
        }
        if failures > 0 {
            sleep(back_off(BACK_OFF.0, BACK_OFF.1, failures - 1, (line as u32).wrapping_mul(0x9E37_79B9))).await;
        }
    }
}

fn refused(fleet: &Mutex<Fleet>, line: usize, why: &str, failures: &mut u32) {
    let mut fleet = fleet.lock();
    let now = fleet.now();
    fleet.down(line, why, now);
    *failures = failures.saturating_add(1);
}

struct Wire {
    stream: Box<dyn Stream>,
    deframer: Deframer,
    writing: BytesMut,
    /// Not all of what was written is gone: TLS records may wait.
    flushes: bool,
}

impl Wire {
    /// Writes what there is and hears what comes, until it ends: why it did.
    fn poll(&mut self, fleet: &Mutex<Fleet>, line: usize, context: &mut Context<'_>) -> Poll<String> {
        loop {
            let hangs_up = self.take(fleet, line, context);
            if let Err(error) = self.write(context) {
                return Poll::Ready(error);
            }
            if hangs_up && self.writing.is_empty() && !self.flushes {
                return Poll::Ready("hung up on purpose".to_owned());
            }
            let mut buffer = [MaybeUninit::uninit(); READ];
            let mut read = ReadBuf::uninit(&mut buffer);
            match Pin::new(&mut self.stream).poll_read(context, &mut read) {
                Poll::Ready(Err(error)) => return Poll::Ready(error.to_string()),
                Poll::Ready(Ok(())) if read.filled().is_empty() => {
                    return Poll::Ready("the host closed the connection".to_owned());
                }
                Poll::Ready(Ok(())) => {
                    if let Err(fault) = self.hear(fleet, line, read.filled()) {
                        return Poll::Ready(fault);
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    /// Takes what is to be written, and leaves word whom to wake when there is more.
    fn take(&mut self, fleet: &Mutex<Fleet>, line: usize, context: &Context<'_>) -> bool {
        let mut fleet = fleet.lock();
        let Some(found) = fleet.lines.get_mut(line) else { return true };
        if self.writing.is_empty() {
            std::mem::swap(&mut self.writing, &mut found.out);
        } else {
            self.writing.extend_from_slice(&found.out);
            found.out.clear();
        }
        match &mut found.writer {
            Some(writer) => writer.clone_from(context.waker()),
            none => *none = Some(context.waker().clone()),
        }
        found.hangs_up
    }

    fn write(&mut self, context: &mut Context<'_>) -> Result<(), String> {
        while !self.writing.is_empty() {
            match Pin::new(&mut self.stream).poll_write(context, &self.writing) {
                Poll::Ready(Ok(0)) => return Err("the connection takes no bytes".to_owned()),
                Poll::Ready(Ok(bytes)) => self.writing.advance(bytes),
                Poll::Ready(Err(error)) => return Err(error.to_string()),
                Poll::Pending => break,
            }
            self.flushes = true;
        }
        if self.flushes {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => self.flushes = false,
                Poll::Ready(Err(error)) => return Err(error.to_string()),
                Poll::Pending => {}
            }
        }
        Ok(())
    }

    fn hear(&mut self, fleet: &Mutex<Fleet>, line: usize, bytes: &[u8]) -> Result<(), String> {
        self.deframer.push(bytes);
        let mut fleet = fleet.lock();
        let now = fleet.now();
        fleet.here = Some(line);
        let ended = loop {
            match self.deframer.next() {
                Ok(Some(unit)) if unit.is_empty() => {}
                Ok(Some(unit)) => fleet.heard(line, unit, now),
                Ok(None) => break Ok(()),
                Err(fault) => {
                    fleet.garbled(now);
                    break Err(format!("not a frame: {fault}"));
                }
            }
        };
        fleet.here = None;
        ended
    }
}
