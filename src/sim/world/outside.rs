//! The world around the station: the lines of its terminals, its doors, the course of the day.

use super::coverage::Sometimes;
use super::disk::Platter;
use super::executor::Realm;
use super::executor::Spawner;
use super::history::Answered;
use super::history::History;
use super::history::Wish;
use super::host::Host;
use super::nature::Nature;
use super::operator;
use super::plan::Keeping;
use super::plan::Way;
use super::records::Records;
use super::station::SimWorld;
use super::watch;
use super::weather::Weather;
use super::weather::hit;
use super::weather::way;
use crate::channel::Frame;
use crate::flow::Door;
use crate::flow::Station;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Effect;
use crate::ledger::Ledger;
use crate::ledger::Outcome;
use crate::ledger::Owed;
use crate::ledger::Recorded;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Caller;
use crate::model::DayRule;
use crate::model::Kind;
use crate::model::Stan;
use crate::model::TerminalId;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;

/// A terminal's line, as the station sees it.
#[derive(Clone)]
pub(super) struct Line {
    pub(super) terminal: TerminalId,
    pub(super) way: Way,
    pub(super) from: Caller,
    pub(super) inbox: mpsc::UnboundedSender<Bytes>,
}

/// The course of the day: all terminals do what they do, then all faults stop, then they close.
pub(super) struct Day {
    stepped: AtomicUsize,
    closed: AtomicUsize,
    calm: tokio::sync::watch::Sender<bool>,
}

impl Day {
    pub(super) fn new() -> Self {
        Self { stepped: AtomicUsize::new(0), closed: AtomicUsize::new(0), calm: tokio::sync::watch::Sender::new(false) }
    }

    pub(super) fn step_done(&self) {
        self.stepped.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn stepped(&self) -> usize {
        self.stepped.load(Ordering::Relaxed)
    }

    pub(super) fn closed(&self) {
        self.closed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn all_closed(&self) -> usize {
        self.closed.load(Ordering::Relaxed)
    }

    pub(super) fn begin_calm(&self) {
        self.calm.send_replace(true);
    }

    pub(super) async fn calm(&self) {
        // The sender is here: it does not go away.
        let _ = self.calm.subscribe().wait_for(|calm| *calm).await;
    }
}

/// A request that the station has and has not answered.
pub(super) type InHand = (TerminalId, Option<Stan>, Bytes);

/// Everything that outlives the station.
pub(super) struct Outside {
    pub(super) nature: Arc<Nature>,
    pub(super) spawner: Spawner,
    pub(super) weather: Arc<Weather>,
    pub(super) history: Arc<History>,
    pub(super) hosts: Vec<Arc<Host>>,
    pub(super) platter: Arc<Platter>,
    pub(super) day: Day,
    pub(super) strict: bool,
    pub(super) keeping: Keeping,
    /// Which business date an instant belongs to.
    pub(super) calendar: DayRule,
    /// A terminal's limit of a day.
    pub(super) daily_amount: Option<u64>,
    /// The pos door, the host door and the door for devices.
    pub(super) doors: [Door; 3],
    /// The station, while it serves.
    pub(super) front: Mutex<Option<Arc<Station<SimWorld>>>>,
    /// The station will never start again.
    pub(super) lost: AtomicBool,
    /// What the station is at: terminal, number, the whole unit.
    pub(super) in_hand: Mutex<Vec<InHand>>,
    /// At which effect the part began that a crash matrix is about.
    pub(super) marked: AtomicU64,
}

impl Outside {
    /// The station, if it is there.
    pub(super) fn front(&self) -> Option<Arc<Station<SimWorld>>> {
        self.front.lock().clone()
    }

    pub(super) fn mark(&self) {
        self.marked.store(self.nature.effects(), Ordering::Relaxed);
        self.nature.say("- - -");
    }

    /// Whether the station is there and owes nobody anything.
    pub(super) fn is_quiet(&self) -> bool {
        self.front()
            .is_some_and(|station| station.ledger().owed().is_empty() && station.ledger().open_intents().is_empty())
    }

    /// What a terminal has sold on a date and not taken back, as the ledger says.
    pub(super) fn sold_on(&self, terminal: TerminalId, date: BusinessDate) -> u64 {
        let Some(station) = self.front() else { return 0 };
        let records = Records::open(station.ledger(), &mut Vec::new());
        let live = records.iter().map(|(_, record)| record).filter(|record| {
            let intent = &record.intent;
            let open = record.decided.as_ref().is_none_or(|decided| decided.outcome == Outcome::Approved);
            (intent.identity.terminal, intent.date) == (terminal, date) && open && records.counts(record)
        });
        live.filter(|record| kinds::of(record.intent.kind).reserves).map(|record| record.intent.amount.minor()).sum()
    }

    /// What the station was at when it went down.
    pub(super) fn went_down(&self, records: &[Recorded]) {
        self.history.read(|seen| {
            for record in records {
                let rrn = record.intent.rrn;
                if record.decided.is_none() && seen.approvals.contains(&rrn) {
                    self.nature.sometimes(Sometimes::CrashBetween);
                }
                if record.decided.is_some() && !seen.answered.iter().any(|answer| answer.rrn == Some(rrn)) {
                    self.nature.sometimes(Sometimes::CrashDecided);
                }
                let sent = |owed| seen.sent.iter().any(|sent| sent.owed == Some(owed) && sent.rrn == rrn);
                match record.effect {
                    Effect::Reversing if sent(Owed::Reversal) => self.nature.sometimes(Sometimes::CrashForwarding),
                    Effect::Advising if sent(Owed::Advice) => self.nature.sometimes(Sometimes::CrashAdvising),
                    _ => {}
                }
            }
        });
    }

    /// A terminal undoes one of its requests.
    fn undoes(&self, terminal: TerminalId, stan: Stan) {
        let Some(station) = self.front() else { return };
        let rrn = self.history.read(|seen| {
            let deal = seen.deals.iter().rfind(|deal| (deal.terminal, deal.stan) == (terminal, stan));
            deal.and_then(|deal| deal.rrn)
        });
        let Some(rrn) = rrn else { return };
        let records = station.ledger().records();
        match records.iter().find(|record| record.intent.rrn == rrn) {
            None => self.nature.sometimes(Sometimes::ClosedUndone),
            Some(record) => {
                if record.intent.follows.is_some() {
                    self.nature.sometimes(Sometimes::FollowUpUndone);
                }
                if record.effect == Effect::Advising {
                    self.nature.sometimes(Sometimes::AdviceUndone);
                }
                if record.intent.date < self.today() {
                    self.nature.sometimes(Sometimes::UndoneNextDay);
                }
            }
        }
    }

    /// The business date.
    pub(super) fn today(&self) -> BusinessDate {
        self.calendar.date(self.nature.wall())
    }

    fn door(&self, way: Way) -> &Door {
        let [pos, host, device] = &self.doors;
        match way {
            Way::Pos => pos,
            Way::Host => host,
            Way::Device => device,
        }
    }

    /// A unit with its length header leaves a terminal; it takes `extra` longer than others.
    pub(super) fn to_station(self: &Arc<Self>, line: &Line, unit: Bytes, extra: Duration) {
        let (outside, line) = (Arc::clone(self), line.clone());
        self.spawner.spawn(Realm::Outside, async move {
            let faults = outside.weather.faults();
            outside.nature.after(extra + way(&outside.nature, faults.way_ms)).await;
            if hit(&outside.nature, faults.lost, None) {
                return outside.nature.say(&format!("{}: a request is lost", line.terminal));
            }
            let Some(station) = outside.front() else {
                return outside.nature.say(&format!("{}: nobody listens", line.terminal));
            };
            outside.spawner.spawn(Realm::Station, serve(Arc::clone(&outside), station, line, unit));
        });
    }

    /// A unit leaves the station for a terminal.
    fn to_terminal(self: &Arc<Self>, line: Line, unit: Bytes) {
        let outside = Arc::clone(self);
        self.spawner.spawn(Realm::Outside, async move {
            let faults = outside.weather.faults();
            outside.nature.after(way(&outside.nature, faults.way_ms)).await;
            if hit(&outside.nature, faults.lost, None) {
                return outside.nature.say(&format!("{}: an answer is lost", line.terminal));
            }
            // A terminal that is gone does not listen.
            let _ = line.inbox.send(unit);
        });
    }
}

/// One frame of a terminal at the station's door, to its answer.
async fn serve(outside: Arc<Outside>, station: Arc<Station<SimWorld>>, line: Line, unit: Bytes) {
    let door = outside.door(line.way).clone();
    let header = door.profile.framing.length.bytes();
    let Ok(frame) = door.profile.split(unit.slice(header.min(unit.len())..)) else { return };
    let read = door.profile.decode(&frame);
    if let Ok(message) = &read {
        arrived(&outside, &line, message, &unit);
    }
    let shown = read.as_ref().ok().and_then(|message| watch::shown(&outside, line.terminal, message));
    let received = outside.nature.wall();
    let kind = read.as_ref().ok().and_then(|message| door.profile.dialect.kind_of(message));
    let before = operator::suspended(&station, line.terminal);
    let answer = station.answer(&door, &frame, read, (received, line.from)).await;
    if outside.calendar.date(received) < outside.today() {
        outside.nature.sometimes(Sometimes::CutOver);
    }
    let mut in_hand = outside.in_hand.lock();
    if let Some(at) = in_hand.iter().position(|held| held.2 == unit) {
        in_hand.remove(at);
    }
    drop(in_hand);
    let Some(answer) = answer else { return outside.nature.say(&format!("{}: silence", line.terminal)) };
    let Some(read) = decoded(&door, &answer) else { return };
    let seen = Answered::read(&unit, line.terminal, &read);
    let number = seen.rrn.map_or_else(|| "-".to_owned(), |rrn| rrn.to_string());
    if !outside.nature.effect(&format!("to {}: {:?} {} RRN {number}", line.terminal, seen.class, seen.code)) {
        return;
    }
    if let Some(shown) = shown.filter(|_| seen.rrn.is_some()) {
        watch::served(&outside, shown, &unit);
    }
    if before.is_some() && before == operator::suspended(&station, line.terminal) {
        watch::while_suspended(&outside, &seen, kind, received);
    }
    watch::answered(&outside, seen);
    outside.to_terminal(line, answer);
}

fn decoded(door: &Door, unit: &Bytes) -> Option<Message> {
    let frame: Frame = door.profile.split(unit.slice(door.profile.framing.length.bytes()..)).ok()?;
    door.profile.decode(&frame).ok()
}

/// Notes what came to the door.
fn arrived(outside: &Outside, line: &Line, message: &Message, unit: &Bytes) {
    let terminal = line.terminal;
    let kind = message.dialect().kind_of(message);
    // A reversal of a follow-up at the pos door names what that followed, and repeats its own number.
    let original = message.role(Role::OriginalStan).filter(|_| line.way != Way::Pos && kind == Some(Kind::Reversal));
    let stan = original.or_else(|| message.role(Role::Stan)).and_then(|stan| Stan::parse(&stan));
    let name = kind.map_or("?", Kind::name);
    let shown = stan.map(|stan| stan.to_string()).unwrap_or_default();
    outside.nature.say(&format!("from {terminal}: {name} {shown}"));
    let mut in_hand = outside.in_hand.lock();
    if in_hand.iter().any(|held| held.2 == *unit) {
        outside.nature.sometimes(Sometimes::DuplicateRunning);
    } else if kind == Some(Kind::Reversal) && in_hand.iter().any(|held| (held.0, held.1) == (terminal, stan)) {
        outside.nature.sometimes(Sometimes::ReversedRunning);
    }
    if kind == Some(Kind::Settlement) && in_hand.iter().any(|held| held.0 == terminal) {
        outside.nature.sometimes(Sometimes::CloseWaited);
    }
    in_hand.push((terminal, stan, unit.clone()));
    drop(in_hand);
    if kind == Some(Kind::Reversal)
        && let Some(stan) = stan
    {
        let amount = message.role(Role::Amount).and_then(|amount| Amount::parse(&amount)).unwrap_or(Amount::ZERO);
        outside.undoes(terminal, stan);
        outside.history.note(|seen| seen.wishes.push(Wish { terminal, stan, amount }));
    }
}
