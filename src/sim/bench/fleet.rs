//! The terminals of one worker and what they do next. Only the worker's own thread is in here while a run goes: the
//! lock around it is taken by others at its beginning and end, and for the progress line.

use super::mix::{Held, Mix, Pick, Twist};
use super::schedule::Schedule;
use super::seat::{Awaiting, Ended, Purpose, Seat};
use super::tally::{Fault, NoHistogram, Tally};
use crate::channel::Profile;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Clock;
use crate::model::Kind;
use crate::model::SplitMix64;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::server::SystemClock;
use crate::sim::terminal::{FollowUp, Original, Purchase, Sent, Terminal, TerminalFault};
use bytes::BytesMut;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// How long a terminal that failed to sign in or to undo rests before it tries again.
const REST: Duration = Duration::from_secs(1);

/// What all workers share.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) profile: Arc<Profile>,
    pub(super) mix: Arc<Mix>,
    pub(super) cards: Arc<[Held]>,
    /// All terminals, of all workers.
    pub(super) known: Arc<HashSet<TerminalId>>,
    /// Elements that need not be echoed.
    pub(super) loose: Arc<[Role]>,
    pub(super) timeout: Duration,
    pub(super) seed: u64,
    pub(super) base: Instant,
    /// Whether approved charges are remembered, to be compared afterwards.
    pub(super) keeps_beliefs: bool,
}

/// What drives the fleet.
pub(super) enum Mode {
    /// Nothing.
    Still,
    /// A schedule, from that time on.
    Open { schedule: Schedule, start: u64 },
    /// So many at once, each anew as soon as it is answered.
    Closed { most: usize, flying: usize },
}

/// One connection as the fleet sees it.
#[derive(Default)]
pub(super) struct Line {
    pub(super) seats: Vec<usize>,
    pub(super) by_terminal: HashMap<TerminalId, usize>,
    /// What is to be written.
    pub(super) out: BytesMut,
    /// Who writes it.
    pub(super) writer: Option<Waker>,
    pub(super) is_up: bool,
    pub(super) was_up: bool,
    /// It is to be hung up once all is written.
    pub(super) hangs_up: bool,
    /// Why it is down.
    pub(super) trouble: Option<Box<str>>,
}

/// The terminals of one worker.
pub(super) struct Fleet {
    pub(super) common: Common,
    pub(super) seats: Vec<Seat>,
    pub(super) lines: Vec<Line>,
    idle: VecDeque<usize>,
    expiries: VecDeque<(u64, usize, u32)>,
    resting: VecDeque<(u64, usize)>,
    pub(super) mode: Mode,
    pub(super) tally: Tally,
    /// What happened before the measuring began.
    warm: Tally,
    pub(super) measures_from: u64,
    picked: u64,
    /// Wakes the pacer, which waits for nothing in particular while nobody is free.
    pub(super) pacer: Arc<Notify>,
    pacer_waits: bool,
    clock: SystemClock,
    /// The line whose own task is in here: it needs no waking.
    pub(super) here: Option<usize>,
}

impl Fleet {
    /// Terminals on `lines` connections, in turn.
    pub(super) fn new(common: Common, terminals: Vec<Terminal>, lines: usize) -> Result<Self, NoHistogram> {
        let mut all: Vec<Line> = (0..lines.max(1)).map(|_| Line::default()).collect();
        let count = all.len();
        let seats: Vec<Seat> =
            terminals.into_iter().enumerate().map(|(at, terminal)| Seat::new(terminal, at % count)).collect();
        for (at, seat) in seats.iter().enumerate() {
            if let Some(line) = all.get_mut(seat.line) {
                line.seats.push(at);
                line.by_terminal.insert(seat.id, at);
            }
        }
        Ok(Self {
            common,
            seats,
            lines: all,
            idle: VecDeque::new(),
            expiries: VecDeque::new(),
            resting: VecDeque::new(),
            mode: Mode::Still,
            tally: Tally::new(0)?,
            warm: Tally::new(0)?,
            measures_from: u64::MAX,
            picked: 0,
            pacer: Arc::new(Notify::new()),
            pacer_waits: false,
            clock: SystemClock::start(),
            here: None,
        })
    }

    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.common.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Where it is counted.
    pub(super) fn book(&mut self, measured: bool) -> &mut Tally {
        if measured { &mut self.tally } else { &mut self.warm }
    }

    /// Begins to sell; what is due before `measures_from` is not counted.
    pub(super) fn begin(&mut self, mode: Mode, measures_from: u64, now: u64) -> Result<(), NoHistogram> {
        (self.tally, self.warm) = (Tally::new(measures_from)?, Tally::new(measures_from)?);
        (self.mode, self.measures_from) = (mode, measures_from);
        self.pacer_waits = false;
        self.fill(now);
        self.pacer.notify_one();
        Ok(())
    }

    /// Ends it: what fell due until now and was not sent will not be.
    pub(super) fn end(&mut self, now: u64) {
        // What is due and could go goes: the pacer may just be on its way.
        self.pace(now);
        if let Mode::Open { schedule, start } = &mut self.mode {
            while let Some(due) = schedule.peek().map(|at| *start + at).filter(|due| *due <= now) {
                schedule.take();
                if due >= self.measures_from {
                    self.tally.scheduled += 1;
                    self.tally.unsent += 1;
                    self.tally.gave_up(due, now);
                }
            }
        }
        self.mode = Mode::Still;
    }

    /// Requests that count and are not answered yet.
    pub(super) fn in_flight(&self) -> usize {
        let awaited = self.seats.iter().filter_map(|seat| seat.awaiting.as_ref());
        awaited.filter(|awaiting| awaiting.measured).count()
    }

    /// Sends what is due. When the next is; `None` if that cannot be said, nobody being free or nothing being due.
    pub(super) fn pace(&mut self, now: u64) -> Option<u64> {
        let starved = std::mem::take(&mut self.pacer_waits);
        while let Mode::Open { schedule, start } = &mut self.mode {
            let Some(due) = schedule.peek().map(|at| *start + at) else { break };
            if due > now {
                return Some(due);
            }
            let Some(seat) = self.free() else { break };
            if let Mode::Open { schedule, .. } = &mut self.mode {
                schedule.take();
            }
            self.ask(seat, due, starved);
        }
        self.pacer_waits = true;
        None
    }

    /// In a closed run: as many as may be under way.
    pub(super) fn fill(&mut self, now: u64) {
        loop {
            match &mut self.mode {
                Mode::Closed { most, flying } if *flying < *most => {}
                _ => return,
            }
            let Some(seat) = self.free() else { return };
            if let Mode::Closed { flying, .. } = &mut self.mode {
                *flying += 1;
            }
            self.ask(seat, now, false);
        }
    }

    /// A terminal that may sell.
    fn free(&mut self) -> Option<usize> {
        loop {
            let at = self.idle.pop_front()?;
            let Some(seat) = self.seats.get_mut(at) else { continue };
            seat.queued = false;
            if seat.is_ready() && self.lines.get(seat.line).is_some_and(|line| line.is_up) {
                return Some(at);
            }
        }
    }

    /// What a terminal does that waits for nothing: it signs in, undoes, or is free.
    pub(super) fn next(&mut self, at: usize, now: u64) {
        let Some(seat) = self.seats.get_mut(at) else { return };
        let is_up = self.lines.get(seat.line).is_some_and(|line| line.is_up && !line.hangs_up);
        if seat.awaiting.is_some() || !is_up || seat.rests_until > now {
            return;
        }
        let wall = self.clock.wall();
        let made = if seat.terminal.needs_sign_in() || std::mem::take(&mut seat.wants_keys) {
            seat.terminal.sign_in(wall).map(|sent| Some((sent, Purpose::SignIn)))
        } else {
            seat.terminal.reversal(wall).map(|sent| sent.map(|sent| (sent, Purpose::Reversal)))
        };
        match made {
            Err(fault) => self.rest(at, fault.to_string(), now),
            Ok(Some((sent, purpose))) => {
                let measured = now >= self.measures_from;
                self.book(measured).besides += 1;
                self.send(at, sent, purpose, now, false);
            }
            Ok(None) => {
                if !std::mem::replace(&mut seat.queued, true) {
                    self.idle.push_back(at);
                }
                self.fill(now);
                // Nobody was free, or nothing due: the pacer is told when it can wait for a time again.
                let waits = self.pacer_waits && matches!(self.mode, Mode::Open { .. });
                if waits && self.pace(now).is_some() {
                    self.pacer.notify_one();
                }
            }
        }
    }

    /// It tries again later.
    pub(super) fn rest(&mut self, at: usize, why: String, now: u64) {
        let Some(seat) = self.seats.get_mut(at) else { return };
        seat.trouble = Some(why.into());
        seat.rests_until = now + nanos(REST);
        self.resting.push_back((seat.rests_until, at));
    }

    /// Sends what was due at `due`.
    fn ask(&mut self, at: usize, due: u64, starved: bool) {
        self.picked += 1;
        let mut chance = SplitMix64::new(self.common.seed ^ self.picked.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let pick = self.common.mix.pick(&mut chance, self.common.cards.len());
        let measured = due >= self.measures_from;
        let wall = self.clock.wall();
        let Some(seat) = self.seats.get_mut(at) else { return };
        let made = match self.common.cards.get(pick.card) {
            Some(held) => request(seat, &pick, held, wall),
            None => Err(TerminalFault::Incomplete("a card")),
        };
        let book = self.book(measured);
        book.scheduled += 1;
        match made {
            Err(fault) => {
                book.unsent += 1;
                let now = self.now();
                self.landed();
                self.rest(at, fault.to_string(), now);
            }
            Ok(sent) => {
                let now = self.now();
                self.book(measured).left(due, starved, now);
                self.send(at, sent, Purpose::Ask(pick.twist), due, measured);
            }
        }
    }

    /// A request that was due is over, whatever became of it.
    pub(super) fn landed(&mut self) {
        if let Mode::Closed { flying, .. } = &mut self.mode {
            *flying = flying.saturating_sub(1);
        }
    }

    pub(super) fn send(&mut self, at: usize, sent: Sent, purpose: Purpose, due: u64, measured: bool) {
        let now = self.now();
        let Some(seat) = self.seats.get_mut(at) else { return };
        let Some(line) = self.lines.get_mut(seat.line) else { return };
        line.out.extend_from_slice(&sent.unit);
        line.hangs_up |= matches!(purpose, Purpose::Ask(Twist::Cut));
        if self.here != Some(seat.line)
            && let Some(writer) = line.writer.take()
        {
            writer.wake();
        }
        let stan = sent.message.role(Role::Stan).and_then(|stan| <[u8; 6]>::try_from(&*stan).ok());
        seat.recent.asked(sent.mti, stan.unwrap_or_default());
        seat.serial = seat.serial.wrapping_add(1);
        self.expiries.push_back((now + nanos(self.common.timeout), at, seat.serial));
        seat.awaiting = Some(Awaiting { sent, purpose, due, left: now, measured });
    }

    /// Gives up what was not answered in time, and wakes those that rested.
    pub(super) fn tick(&mut self, now: u64) {
        while let Some((deadline, at, serial)) = self.expiries.front().copied() {
            let Some(seat) = self.seats.get_mut(at) else { break };
            let is_over = seat.serial != serial || seat.awaiting.is_none();
            if deadline > now && !is_over {
                break;
            }
            self.expiries.pop_front();
            if !is_over && let Some(awaiting) = seat.awaiting.take() {
                seat.recent.ended(Ended::GivenUp);
                self.unanswered(at, &awaiting, Fault::Silent, now);
                self.next(at, now);
            }
        }
        while let Some((_, at)) = self.resting.front().copied().filter(|(until, _)| *until <= now) {
            self.resting.pop_front();
            self.next(at, now);
        }
        self.fill(now);
    }

    /// A message that nobody answered.
    fn unanswered(&mut self, at: usize, awaiting: &Awaiting, fault: Fault, now: u64) {
        match awaiting.purpose {
            Purpose::Ask(twist) => {
                let cut = fault == Fault::Closed && twist == Twist::Cut;
                let book = self.book(awaiting.measured);
                if cut {
                    book.cut += 1;
                } else {
                    book.count(fault, now);
                    book.gave_up(awaiting.due, now);
                }
                self.landed();
            }
            Purpose::SignIn => self.rest(at, "no answer to its sign-in".to_owned(), now),
            Purpose::Reversal => self.rest(at, "no answer to its reversal".to_owned(), now),
            Purpose::Repeat { .. } => {}
        }
    }

    /// The connection is there.
    pub(super) fn up(&mut self, line: usize, now: u64) {
        let Some(found) = self.lines.get_mut(line) else { return };
        let again = std::mem::replace(&mut found.was_up, true);
        (found.is_up, found.hangs_up, found.trouble) = (true, false, None);
        let seats = found.seats.clone();
        if again {
            let measured = now >= self.measures_from;
            self.book(measured).reconnects += 1;
        }
        seats.into_iter().for_each(|at| self.next(at, now));
    }

    /// It is not there any more, or could not be made.
    pub(super) fn down(&mut self, line: usize, why: &str, now: u64) {
        let Some(found) = self.lines.get_mut(line) else { return };
        let was_up = std::mem::replace(&mut found.is_up, false);
        found.out.clear();
        found.trouble = Some(why.into());
        let seats = found.seats.clone();
        if !was_up {
            let measured = now >= self.measures_from;
            self.book(measured).refused += 1;
        }
        for at in seats {
            let Some(seat) = self.seats.get_mut(at) else { continue };
            if let Some(awaiting) = seat.awaiting.take() {
                seat.recent.ended(Ended::GivenUp);
                self.unanswered(at, &awaiting, Fault::Closed, now);
            }
        }
    }
}

/// The request of a pick.
fn request(seat: &mut Seat, pick: &Pick, held: &Held, wall: Timestamp) -> Result<Sent, TerminalFault> {
    if pick.kind == Kind::SaleVoid
        && let Some((original, amount)) = seat.voidable.take()
    {
        seat.voiding = original.rrn;
        return seat.terminal.follow_up(&void(&original, amount), wall);
    }
    let kind = if pick.kind == Kind::SaleVoid { Kind::Sale } else { pick.kind };
    let pin = held.pin.as_ref().filter(|_| pick.pin);
    let purchase = Purchase { kind, amount: pick.amount, card: &held.card, entry: pick.entry, pin };
    seat.terminal.purchase(&purchase, wall)
}

fn void(original: &Original, amount: Amount) -> FollowUp<'_> {
    FollowUp { kind: Kind::SaleVoid, amount, tip: Amount::ZERO, original, card: None, pin: None }
}

pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
