//! The station's connection to an issuer, as the station sees it.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::history::Sent;
use super::host;
use super::host::Host;
use super::nature::Timer;
use super::outside::Outside;
use super::watch;
use super::weather::hit;
use super::weather::way;
use crate::channel::CorrelationKey;
use crate::channel::Received;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::link::IssuerLink;
use crate::link::LinkReply;
use crate::link::StanSpace;
use crate::link::mux;
use crate::link::mux::Arrival;
use crate::link::mux::Mux;
use crate::link::mux::Ticket;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use bytes::Bytes;
use parking_lot::Mutex;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;

/// A half-open connection is noticed by its echo test after so long.
const NOTICED: Duration = Duration::from_secs(20);
/// A lost connection is back after so long.
const BACK: Duration = Duration::from_secs(2);

struct Waiter {
    reply: oneshot::Sender<LinkReply<Received>>,
    /// Whether a byte of the request has left.
    left: Arc<AtomicBool>,
}

struct State {
    mux: Mux<CorrelationKey, Waiter>,
    up: bool,
    swallows: bool,
    /// When the last unit that was queued leaves: none leaves before it.
    queue: Duration,
    /// Rises with every connection, so that an answer knows whether its connection is still there.
    connection: u64,
}

/// One life's link to one issuer. Correlation is the real one; the wire is the world's.
pub struct SimLink(Arc<Wire>);

/// What the link's requests and the world's answers share.
pub(super) struct Wire {
    name: IssuerName,
    outside: Arc<Outside>,
    host: Arc<Host>,
    life: u32,
    /// Whether it is the first issuer's.
    first: bool,
    stans: StanSpace,
    state: Mutex<State>,
    /// Whose question is served.
    asking: tokio::sync::Mutex<()>,
}

impl SimLink {
    pub(super) fn new(outside: &Arc<Outside>, host: &Arc<Host>, life: u32, first: Stan) -> Arc<Self> {
        let mux = Mux::new(1, mux::IN_FLIGHT, mux::REMEMBERED);
        let wire = Arc::new(Wire {
            name: host.name().clone(),
            outside: Arc::clone(outside),
            host: Arc::clone(host),
            life,
            first: outside.hosts.first().is_some_and(|first| Arc::ptr_eq(first, host)),
            stans: StanSpace::starting_at(first),
            state: Mutex::new(State { mux, up: true, swallows: false, queue: Duration::ZERO, connection: 0 }),
            asking: tokio::sync::Mutex::default(),
        });
        host.connected(&wire);
        Arc::new(Self(wire))
    }

    /// What it shares with the world.
    pub(super) fn wire(&self) -> Arc<Wire> {
        Arc::clone(&self.0)
    }
}

impl Wire {
    fn lose(self: &Arc<Self>, why: &str) {
        let lost = {
            let mut state = self.state.lock();
            state.up = false;
            state.swallows = false;
            state.connection += 1;
            state.mux.lose(0, |waiter| waiter.left.load(Ordering::Relaxed))
        };
        self.outside.nature.say(&format!("{}: connection lost, {why}, {} in flight", self.name, lost.len()));
        if !lost.is_empty() {
            self.outside.nature.sometimes(Sometimes::Reset);
        }
        for (waiter, left) in lost {
            // A waiter that is gone has ended already.
            let _ = waiter.reply.send(if left { LinkReply::Unknown } else { LinkReply::NotSent });
        }
        let link = Arc::clone(self);
        self.outside.spawner.spawn(Realm::Station, async move {
            let back = link.outside.nature.draw(|chance| chance.millis(0, 2 * 1_000));
            link.outside.nature.after(back.min(BACK)).await;
            link.state.lock().up = true;
        });
    }

    /// Keeps the connection in trouble: resets and half-open times, for as long as it is driven.
    pub(super) async fn trouble(self: Arc<Self>) {
        let faults = self.outside.weather.faults();
        for _ in 0..faults.half_open + faults.resets {
            let (after, half) = self.outside.nature.draw(|chance| {
                let kinds = u64::from(faults.half_open + faults.resets);
                (chance.millis(0, 60_000), chance.below(kinds) < u64::from(faults.half_open))
            });
            self.outside.nature.after(after).await;
            if self.outside.weather.is_calm() {
                return;
            }
            if half {
                self.outside.nature.say(&format!("{}: connection half open", self.name));
                self.state.lock().swallows = true;
                self.outside.nature.sometimes(Sometimes::HalfOpen);
                self.outside.nature.after(NOTICED).await;
            }
            self.lose(if half { "no echo" } else { "reset" });
        }
    }

    /// Which connection there is now.
    pub(super) fn connection(&self) -> u64 {
        self.state.lock().connection
    }

    /// The issuer asks something of the station, which serves one question of an issuer after the other.
    fn asked(self: &Arc<Self>, connection: u64, received: Received) {
        let (wire, Some(station)) = (Arc::clone(self), self.outside.front()) else { return };
        self.outside.spawner.spawn(Realm::Station, async move {
            let _turn = wire.asking.lock().await;
            let Some(unit) = station.issuer_asks(&wire.name, &received).await else { return };
            let what = format!("to {}: an answer to its new zone key", wire.name);
            if wire.state.lock().connection == connection && wire.outside.nature.effect(&what) {
                wire.host.receive(&wire, connection, unit);
            }
        });
    }

    /// A unit has come from the issuer, over this connection.
    pub(super) fn arrived(self: &Arc<Self>, connection: u64, unit: Bytes) {
        if self.outside.nature.is_down() || self.state.lock().connection != connection {
            return;
        }
        let profile = self.host.profile();
        let Ok(frame) = profile.split(unit) else { return };
        let Ok(message) = profile.decode(&frame) else { return };
        if message.mti().is_some_and(|mti| !mti.is_response()) {
            return self.asked(connection, Received { frame, message });
        }
        let Some(key) = profile.correlation_key(&message) else { return };
        let arrival = self.state.lock().mux.answer(&key, |pending| profile.key_differences(&key, pending).collect());
        match arrival {
            Arrival::Answer(waiter) => {
                if let Err(LinkReply::Answer(received)) =
                    waiter.reply.send(LinkReply::Answer(Received { frame, message }))
                {
                    self.late(received);
                }
            }
            Arrival::Late => self.late(Received { frame, message }),
            Arrival::Repeated | Arrival::Unmatched { .. } => {}
        }
    }

    fn late(self: &Arc<Self>, received: Received) {
        let rrn = received.message.role(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn));
        let reversed =
            self.outside.history.read(|seen| seen.sent.iter().any(|sent| sent.is_reversal() && Some(sent.rrn) == rrn));
        let (nature, seen) = (
            &self.outside.nature,
            rrn.is_some_and(|rrn| self.outside.history.read(|seen| seen.approvals.contains(&rrn))),
        );
        if seen {
            nature.sometimes(Sometimes::LateApproval);
        }
        if reversed && seen {
            self.outside.nature.sometimes(Sometimes::LateAfterReversal);
        }
        let Some(station) = self.outside.front() else { return };
        let name = self.name.clone();
        self.outside.spawner.spawn(Realm::Station, async move { station.late(&name, received).await });
    }

    /// The unit leaves.
    fn write(self: &Arc<Self>, unit: &Bytes) {
        let (connection, swallows) = {
            let state = self.state.lock();
            (state.connection, state.swallows)
        };
        let torn = hit(&self.outside.nature, self.outside.weather.faults().torn, None);
        if self.is_key_change(unit) {
            if self.outside.nature.effect(&format!("to {}: a new zone key", self.name)) && !torn && !swallows {
                self.host.receive(self, connection, unit.clone());
            }
            return;
        }
        let Some(sent) = self.describe(unit) else { return };
        let repeat = if sent.repeat { " again" } else { "" };
        let what = sent.what();
        if !self.outside.nature.effect(&format!("to {}: {what} {}{repeat}, STAN {}", self.name, sent.rrn, sent.stan)) {
            return;
        }
        if self.outside.history.read(|seen| !sent.is_reversal() && seen.not_sent.contains(&sent.rrn)) {
            self.outside.nature.sometimes(Sometimes::Rerouted);
        }
        if sent.repeat {
            self.outside.nature.sometimes(Sometimes::RepeatMarked);
        }
        watch::sent(&self.outside, sent);
        if torn {
            self.lose("in the middle of a frame");
        } else if !swallows {
            self.host.receive(self, connection, unit.clone());
        }
    }

    /// Nothing of a unit left.
    fn not_sent(&self, unit: &Bytes) -> LinkReply<Received> {
        if let Some(sent) = self.describe(unit).filter(|sent| !sent.is_reversal()) {
            self.outside.history.note(|seen| seen.not_sent.push(sent.rrn));
        }
        LinkReply::NotSent
    }

    /// Completes when a unit queued now leaves.
    fn queue(&self) -> Timer {
        let (takes, now) = (way(&self.outside.nature, 20), self.outside.nature.now());
        let mut state = self.state.lock();
        state.queue = (state.queue + Duration::from_micros(1)).max(now + takes);
        self.outside.nature.after(state.queue.saturating_sub(now))
    }

    fn read(&self, unit: &Bytes) -> Option<Message> {
        let profile = self.host.profile();
        let body = unit.slice(profile.framing.length.bytes()..);
        profile.decode(&profile.split(body).ok()?).ok()
    }

    fn is_key_change(&self, unit: &Bytes) -> bool {
        self.read(unit).is_some_and(|message| message.dialect().kind_of(&message) == Some(Kind::KeyChange))
    }

    fn describe(&self, unit: &Bytes) -> Option<Sent> {
        let message = self.read(unit)?;
        let mti = message.mti()?;
        Some(Sent {
            life: self.life,
            issuer: self.name.clone(),
            terminal: TerminalId::parse(&message.role(Role::Terminal)?)?,
            rrn: Rrn::parse(&message.role(Role::Rrn)?)?,
            stan: Stan::parse(&message.role(Role::Stan)?)?,
            owed: host::owed(mti),
            repeat: mti.is_repeat(),
        })
    }
}

/// A request on the link; forgotten when its future is dropped.
struct Held<'a> {
    wire: &'a Wire,
    key: CorrelationKey,
    ticket: Ticket,
    left: Arc<AtomicBool>,
}

impl Held<'_> {
    /// Nobody waits any more. Nothing where it has ended by itself.
    fn give_up(&self) -> Option<LinkReply<Received>> {
        let mut state = self.wire.state.lock();
        if self.left.load(Ordering::Relaxed) {
            return state.mux.give_up(&self.key, self.ticket).map(|_| LinkReply::Unknown);
        }
        state.mux.withdraw(&self.key, self.ticket).map(|_| LinkReply::NotSent)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.give_up();
    }
}

impl IssuerLink for SimLink {
    type Received = Received;
    type Key = CorrelationKey;

    fn issuer(&self) -> &IssuerName {
        &self.0.name
    }

    fn is_up(&self) -> bool {
        self.0.state.lock().up && !self.0.outside.weather.links_are_down()
    }

    fn next_stan(&self) -> Stan {
        self.0.stans.next()
    }

    async fn request(
        &self,
        key: CorrelationKey,
        unit: Bytes,
        deadline: impl Future<Output = ()> + Send,
    ) -> LinkReply<Received> {
        let (reply, mut answer) = oneshot::channel();
        let left = Arc::new(AtomicBool::new(false));
        let registered = {
            let mut state = self.0.state.lock();
            let full = self.0.first && hit(&self.0.outside.nature, self.0.outside.weather.faults().not_taken, None);
            if !state.up || full || self.0.outside.weather.links_are_down() {
                drop(state);
                return self.0.not_sent(&unit);
            }
            state.mux.register(0, key.clone(), Waiter { reply, left: Arc::clone(&left) })
        };
        let Ok(ticket) = registered else { return LinkReply::NotSent };
        let held = Held { wire: &self.0, key, ticket, left };
        let mut deadline = std::pin::pin!(deadline);
        let queued = self.0.queue();
        let ended = tokio::select! {
            biased;
            reply = &mut answer => Some(reply.ok()),
            () = &mut deadline => Some(held.give_up()),
            () = queued => None,
        };
        match ended {
            None => {}
            Some(Some(LinkReply::NotSent)) => return self.0.not_sent(&unit),
            Some(ended) => return ended.unwrap_or(LinkReply::Unknown),
        }
        held.left.store(true, Ordering::Relaxed);
        self.0.write(&unit);
        tokio::select! {
            biased;
            reply = &mut answer => reply.unwrap_or(LinkReply::Unknown),
            () = &mut deadline => held.give_up().or_else(|| answer.try_recv().ok()).unwrap_or(LinkReply::Unknown),
        }
    }
}
