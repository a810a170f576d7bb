//! One live connection, which may carry many terminals.

use super::config::Ceilings;
use super::door::Door;
use super::lanes::Lanes;
use super::meter::Inside;
use super::outbox::Outbox;
use super::serve::{Peer, Reading, Serve};
use super::tap::{Direction, Seen, Tap};
use crate::channel::Deframer;
use crate::channel::LaneKey;
use crate::flow::Stage;
use bytes::Bytes;
use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use zeroize::Zeroize;

/// Bytes read at once, in all sessions of a worker into the same place.
const SCRATCH: usize = 64 * 1024;

/// How long a session that was closed here waits for the peer to close too. Closing at once would throw
/// away answers that the peer has not read yet.
const LINGER: Duration = Duration::from_secs(1);

thread_local! {
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH].into_boxed_slice());
}

/// What a session shares with the others of its worker.
pub(super) struct House<H> {
    pub(super) handler: Arc<H>,
    pub(super) ceilings: Ceilings,
    pub(super) tap: Tap,
    pub(super) stop: CancellationToken,
}

/// How far a session is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    /// Reading and answering.
    Open,
    /// Not reading any more; what was taken is still answered.
    Finishing,
    /// Everything is said; the peer is given the time to read it.
    Leaving,
}

/// A session over any stream of bytes.
pub(super) struct Session<S, H: Serve> {
    stream: S,
    house: Arc<House<H>>,
    door: Arc<Door>,
    peer: Peer,
    meter: Option<Inside>,
    deframer: Deframer,
    lanes: Lanes<H>,
    outbox: Outbox,
    /// Frames refused for want of room.
    overloads: u64,
    phase: Phase,
    /// The peer sends no more.
    ended: bool,
    /// Nothing can be written any more.
    broken: bool,
    /// Our side is shut down.
    said: bool,
    /// A whole frame has come.
    greeted: bool,
    /// The last whole frame or answer; at first, when the session began.
    heard: Instant,
    /// The last byte that came.
    byte: Instant,
    /// The last time something could be written, or since when something waits.
    wrote: Instant,
    /// Since when the phase is [`Phase::Leaving`].
    left: Instant,
    timer: Pin<Box<Sleep>>,
    /// For when the timer is set. It is never later than the true deadline, and moved only when it fires.
    armed: Option<Instant>,
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin, H: Serve> Session<S, H> {
    pub(super) fn new(stream: S, house: Arc<House<H>>, door: Arc<Door>, peer: Peer) -> Self {
        let now = Instant::now();
        Self {
            stream,
            meter: Inside::of(house.handler.meter(&door)),
            deframer: Deframer::new(door.profile.framing),
            lanes: Lanes::new(Arc::clone(&house.handler), Arc::clone(&door), peer),
            outbox: Outbox::default(),
            overloads: 0,
            phase: Phase::Open,
            ended: false,
            broken: false,
            said: false,
            greeted: false,
            heard: now,
            byte: now,
            wrote: now,
            left: now,
            timer: Box::pin(tokio::time::sleep_until(now)),
            armed: None,
            stop: Box::pin(house.stop.clone().cancelled_owned()),
            house,
            door,
            peer,
        }
    }

    /// Drives the session until it is over: answers first, then one read, then everything that can be
    /// written in one write, and again while anything moves.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            let now = Instant::now();
            let mut moved = self.poll_answers(cx, now);
            let began = if moved { self.begins(now) } else { now };
            moved |= self.phase == Phase::Open && self.poll_read(cx, now, began);
            moved |= self.poll_write(cx, now);
            if !moved && self.phase == Phase::Open && self.stop.as_mut().poll(cx).is_ready() {
                self.phase = Phase::Finishing;
            }
            if self.phase == Phase::Finishing && self.lanes.is_empty() && self.outbox.is_empty() {
                (self.phase, self.left) = (Phase::Leaving, now);
            }
            let gone = self.broken || self.phase == Phase::Leaving && self.poll_leave(cx).is_ready();
            if gone && self.lanes.is_empty() {
                return Poll::Ready(());
            }
            if !moved && !self.poll_timer(cx, now) {
                return Poll::Pending;
            }
        }
    }

    /// When the next stage begins, after answers were served since `now`: a clock is read only if stages are measured.
    fn begins(&self, now: Instant) -> Instant {
        match &self.meter {
            Some(Inside(meter)) if meter.stages.is_some() => Instant::now(),
            _ => now,
        }
    }

    /// A stage is over that serves many requests at once.
    fn ended(&self, stage: Stage, began: Instant) {
        if let Some(stages) = self.meter.as_ref().and_then(|Inside(meter)| meter.stages.as_ref()) {
            stages.add(stage, began.elapsed());
        }
    }

    fn poll_answers(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let mut moved = false;
        while let Poll::Ready((lane, answer)) = self.lanes.poll_answer(cx) {
            (moved, self.heard) = (true, now);
            if let Some(answer) = answer {
                self.send(lane, answer, now);
            }
        }
        moved
    }

    fn send(&mut self, lane: LaneKey, unit: Bytes, now: Instant) {
        let head = self.door.profile.framing.length.bytes().min(unit.len());
        self.show(Direction::Out, Some(lane), &unit.slice(head..), None);
        if self.broken {
            return;
        }
        if self.outbox.is_empty() {
            self.wrote = now;
        }
        self.outbox.push(unit);
    }

    /// One read into the worker's scratch; keeps only what does not make a whole frame.
    fn poll_read(&mut self, cx: &mut Context<'_>, now: Instant, began: Instant) -> bool {
        let (stream, deframer) = (&mut self.stream, &mut self.deframer);
        let read = SHARED.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(scratch);
            let read = Pin::new(stream).poll_read(cx, &mut buffer);
            deframer.push(buffer.filled());
            let read = read.map_ok(|()| buffer.filled().len());
            // PIN blocks and keys come this way.
            buffer.filled_mut().zeroize();
            read
        });
        match read {
            Poll::Pending => return false,
            Poll::Ready(Ok(0)) => self.end(),
            // TLS without a goodbye: terminals just hang up.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => self.end(),
            Poll::Ready(Ok(length)) => {
                self.byte = now;
                self.ended(Stage::Read, began);
                if let Some(Inside(meter)) = &self.meter {
                    meter.bytes_in.add(length);
                }
                self.take_frames(now);
            }
            Poll::Ready(Err(error)) => self.lose(&error),
        }
        true
    }

    fn end(&mut self) {
        self.ended = true;
        match self.deframer.pending() {
            0 => self.phase = Phase::Finishing,
            _ => self.reject(None, "the connection ended inside a frame"),
        }
    }

    fn take_frames(&mut self, now: Instant) {
        while self.phase == Phase::Open {
            match self.deframer.next() {
                Ok(None) => return,
                Ok(Some(unit)) => {
                    (self.greeted, self.heard) = (true, now);
                    if !unit.is_empty() {
                        self.meter.iter().for_each(|Inside(meter)| meter.frames.one());
                        self.take(unit, now);
                    }
                }
                Err(fault) => self.reject(None, &fault.to_string()),
            }
        }
    }

    fn take(&mut self, unit: Bytes, now: Instant) {
        let frame = match self.door.profile.split(unit.clone()) {
            Ok(frame) => frame,
            Err(fault) => return self.reject(Some(&unit), &fault.to_string()),
        };
        let (lane, parsed) = match self.house.handler.read(&self.door, &self.peer, frame) {
            Reading::Serve(lane, parsed) => (lane, parsed),
            Reading::Close(reason) => return self.reject(Some(&unit), &reason),
        };
        let refused = self.lanes.offer(lane, parsed, &self.house.ceilings);
        let reason = refused.is_some().then(|| "too many requests in flight".to_owned());
        if let Some(reason) = &reason {
            self.overloads += 1;
            // A flood is told in ever longer steps, not a line a frame.
            if self.overloads.is_power_of_two() {
                let (peer, terminal) = (self.peer.address, lane.terminal);
                let terminal = terminal.as_ref().map_or("-", |terminal| terminal.as_str().trim_end());
                tracing::warn!(event = "overload", door = &*self.door.name, %peer, terminal, count = self.overloads, reason);
            }
        }
        self.show(Direction::In, Some(lane), &unit, reason);
        if let Some(parsed) = refused
            && let Some(answer) = self.house.handler.overloaded(&self.door, &self.peer, parsed)
        {
            self.send(lane, answer, now);
        }
    }

    fn poll_write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let began = if self.outbox.is_empty() { now } else { self.begins(now) };
        match self.outbox.poll_write(Pin::new(&mut self.stream), cx) {
            Ok(0) => {}
            Ok(length) => {
                self.wrote = now;
                self.ended(Stage::Write, began);
                if let Some(Inside(meter)) = &self.meter {
                    meter.bytes_out.add(length);
                }
            }
            Err(error) => self.lose(&error),
        }
        if self.outbox.bytes() > self.house.ceilings.write_buffer {
            self.give_up("unread answers pile up");
            return true;
        }
        false
    }

    /// Says goodbye, then throws away what still comes, so that the goodbye arrives.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.said {
            match Pin::new(&mut self.stream).poll_shutdown(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => self.said = true,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
            }
        }
        while !self.ended {
            let stream = Pin::new(&mut self.stream);
            let read = SHARED.with_borrow_mut(|scratch| {
                let mut buffer = ReadBuf::new(scratch);
                let read = stream.poll_read(cx, &mut buffer).map_ok(|()| buffer.filled().len());
                buffer.filled_mut().zeroize();
                read
            });
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(read) => self.ended = !read.is_ok_and(|length| length > 0),
            }
        }
        Poll::Ready(())
    }

    /// What the session waits for at most, and what it means if it does not come.
    fn deadline(&self) -> Option<(Instant, &'static str)> {
        let limits = &self.house.ceilings;
        let stalled = (self.wrote + limits.inter_byte, "the peer does not read its answers");
        match self.phase {
            Phase::Leaving => return Some((self.left + LINGER, "")),
            _ if !self.outbox.is_empty() => return Some(stalled),
            Phase::Finishing => return None,
            Phase::Open => {}
        }
        let inside = self.deframer.pending() > 0;
        let stall = inside.then(|| (self.byte + limits.inter_byte, "silence inside a frame"));
        let first = (!self.greeted).then(|| (self.heard + limits.first_frame, "no frame came"));
        let idle = (self.greeted && self.lanes.is_empty()).then(|| (self.heard + self.door.profile.idle, "idle"));
        [stall, first, idle].into_iter().flatten().min()
    }

    /// Whether a deadline passed and something is to be done about it.
    fn poll_timer(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let Some((due, why)) = self.deadline() else { return false };
        if due <= now {
            self.expire(why);
            return true;
        }
        if self.armed.is_none_or(|armed| due < armed) {
            self.timer.as_mut().reset(due);
            self.armed = Some(due);
        }
        let fired = self.timer.as_mut().poll(cx).is_ready();
        if fired {
            self.armed = None;
        }
        fired
    }
    fn expire(&mut self, why: &'static str) {
        match self.phase {
            Phase::Leaving => self.broken = true,
            _ if !self.outbox.is_empty() => self.give_up(why),
            _ if self.greeted && self.deframer.pending() == 0 => {
                tracing::info!(event = "idle", door = &*self.door.name, peer = %self.peer.address, "session closed");
                self.phase = Phase::Finishing;
            }
            _ => self.reject(None, why),
        }
    }

    /// Takes nothing more: these bytes mean nothing. What was taken before is still answered.
    fn reject(&mut self, unit: Option<&Bytes>, reason: &str) {
        refuse(&self.door, &self.peer, reason);
        self.meter.iter().for_each(|Inside(meter)| meter.rejected.one());
        if let Some(unit) = unit {
            self.show(Direction::In, None, unit, Some(reason.to_owned()));
        }
        self.phase = Phase::Finishing;
    }

    /// Nothing can be written any more. What was taken is still served: money must not hang on a peer.
    fn give_up(&mut self, reason: &str) {
        refuse(&self.door, &self.peer, reason);
        self.sever();
    }

    /// The connection failed.
    fn lose(&mut self, error: &io::Error) {
        if error.kind() == io::ErrorKind::InvalidData || self.deframer.pending() > 0 {
            refuse(&self.door, &self.peer, &error.to_string());
        } else {
            tracing::debug!(event = "lost", door = &*self.door.name, peer = %self.peer.address, %error);
        }
        self.sever();
    }

    fn sever(&mut self) {
        self.outbox = Outbox::default();
        (self.phase, self.broken) = (Phase::Finishing, true);
    }

    fn show(&self, direction: Direction, lane: Option<LaneKey>, unit: &Bytes, reject: Option<String>) {
        self.house.tap.show(|| Seen {
            door: self.door.name.clone(),
            peer: self.peer.address,
            direction,
            lane,
            unit: unit.clone(),
            reject,
        });
    }
}

/// The one log line of a refusal. `reason` holds no value of any message.
pub(super) fn refuse(door: &Door, peer: &Peer, reason: &str) {
    tracing::warn!(event = "reject", door = &*door.name, peer = %peer.address, reason);
}
