//! An issuer: a bank that keeps its books right, behind a host and a wire that do not always.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::executor::Spawner;
use super::history::History;
use super::nature::Nature;
use super::nature::SimClock;
use super::weather::Weather;
use super::weather::hit;
use super::weather::way;
use super::wire::Wire;
use crate::channel::Profile;
use crate::hsm::Ctx;
use crate::hsm::Hsm;
use crate::hsm::KeyUsage;
use crate::hsm::software::SoftwareHsm;
use crate::iso8583::Builder;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::ledger::Owed;
use crate::model::Amount;
use crate::model::Clock;
use crate::model::IssuerName;
use crate::model::MessageClass;
use crate::model::ResponseCode;
use crate::model::Rrn;
use crate::model::Stan;
use crate::sim::issuer::Act;
use crate::sim::issuer::Bank;
use bytes::Bytes;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::Weak;
use std::time::Duration;

const CTX: Ctx = Ctx { within: Duration::from_secs(1) };
/// Bytes that are a message in no dialect.
const GARBAGE: [u8; 40] = [0xDB; 40];

/// One issuer. It outlives the station.
pub(super) struct Host {
    bank: Bank<SoftwareHsm>,
    nature: Arc<Nature>,
    weather: Arc<Weather>,
    history: Arc<History>,
    spawner: Spawner,
    /// The station's connection, for what is asked of it.
    wire: Mutex<Weak<Wire>>,
}

/// What is done to an answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Twist {
    None,
    Stan,
    Amount,
    Garbage,
    Mac,
}

/// Whether a message is one that is owed until it is acknowledged.
pub(super) fn owed(mti: Mti) -> Option<Owed> {
    match mti.class()? {
        MessageClass::Reversal => Some(Owed::Reversal),
        MessageClass::Authorization | MessageClass::Financial => {
            (mti.is_advice() || mti.is_repeat()).then_some(Owed::Advice)
        }
        _ => None,
    }
}

impl Host {
    pub(super) fn new(
        bank: Bank<SoftwareHsm>,
        around: (&Arc<Nature>, &Arc<Weather>, &Arc<History>, &Spawner),
    ) -> Arc<Self> {
        let (nature, weather, history, spawner) = around;
        Arc::new(Self {
            bank,
            nature: Arc::clone(nature),
            weather: Arc::clone(weather),
            history: Arc::clone(history),
            spawner: spawner.clone(),
            wire: Mutex::default(),
        })
    }

    /// The station has a new connection to this host.
    pub(super) fn connected(&self, wire: &Arc<Wire>) {
        *self.wire.lock() = Arc::downgrade(wire);
    }

    /// Gives the station a new zone key, if it is connected.
    pub(super) async fn offer_key(self: &Arc<Self>, usage: KeyUsage) {
        let Some(wire) = self.wire.lock().upgrade() else { return };
        let unit = self.bank.offer_key(usage, SimClock(Arc::clone(&self.nature)).wall()).await;
        let Some(unit) = unit else { return };
        self.nature.say(&format!("{}: a new zone key of its own", self.name()));
        self.answer(&wire, wire.connection(), Duration::ZERO, unit);
    }

    pub(super) fn name(&self) -> &IssuerName {
        &self.bank.setup().name
    }

    pub(super) fn profile(&self) -> &Profile {
        &self.bank.setup().profile
    }

    pub(super) fn bank(&self) -> &Bank<SoftwareHsm> {
        &self.bank
    }

    /// A unit with its length header is on its way here, over one connection of the station.
    pub(super) fn receive(self: &Arc<Self>, wire: &Arc<Wire>, connection: u64, unit: Bytes) {
        let (host, wire) = (Arc::clone(self), Arc::clone(wire));
        self.spawner.spawn(Realm::Outside, async move {
            let faults = host.weather.faults();
            host.nature.after(way(&host.nature, faults.issuer_way_ms)).await;
            if hit(&host.nature, faults.vanished, None) {
                host.nature.say(&format!("{}: a request vanishes", host.name()));
                return;
            }
            let unit = unit.slice(host.profile().framing.length.bytes()..);
            for (after, answer) in host.answers(unit).await {
                host.answer(&wire, connection, after, answer);
            }
        });
    }

    /// One answer is on its way back.
    fn answer(self: &Arc<Self>, wire: &Arc<Wire>, connection: u64, after: Duration, unit: Bytes) {
        let (host, wire) = (Arc::clone(self), Arc::clone(wire));
        self.spawner.spawn(Realm::Outside, async move {
            let faults = host.weather.faults();
            host.nature.after(after + way(&host.nature, faults.issuer_way_ms)).await;
            wire.arrived(connection, unit.slice(host.profile().framing.length.bytes()..));
        });
    }

    /// What goes back, and after how long.
    async fn answers(&self, unit: Bytes) -> Vec<(Duration, Bytes)> {
        let Some(message) = self.read(unit.clone()) else { return Vec::new() };
        let faults = self.weather.faults();
        let rrn = message.role(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn));
        let owed = message.mti().and_then(owed);
        if let Some(owed) = owed
            && let Some(code) = rrn.and_then(|rrn| self.refuses(owed, rrn))
        {
            self.nature.say(&format!("{}: {owed:?} refused with {code}", self.name()));
            return self.plain(&message, code).await.map(|unit| (Duration::ZERO, unit)).into_iter().collect();
        }
        let effects = self.bank.handle(unit, SimClock(Arc::clone(&self.nature)).wall()).await;
        let units = effects.into_iter().map(|effect| match effect.act {
            Act::Send(unit) | Act::Trickle(unit) | Act::SendAndClose(unit) => (effect.after, unit),
        });
        let units: Vec<_> = units.collect();
        self.note(&units, rrn);
        if hit(&self.nature, faults.silent, None) {
            self.nature.say(&format!("{}: no answer", self.name()));
            return Vec::new();
        }
        let mut twisted = Vec::new();
        for (after, unit) in units {
            let late = hit(&self.nature, faults.late, None);
            let after = if late { after + self.nature.draw(|chance| chance.millis(4_000, 40_000)) } else { after };
            let twist = self.twist();
            let answer = if twist == Twist::None { Some(unit) } else { self.twisted(unit, twist).await };
            let Some(answer) = answer else { continue };
            if hit(&self.nature, faults.twice, None) {
                twisted.push((after, answer.clone()));
            }
            twisted.push((after, answer));
        }
        twisted
    }

    fn read(&self, unit: Bytes) -> Option<Message> {
        let profile = self.profile();
        profile.decode(&profile.split(unit).ok()?).ok()
    }

    /// What an owed message is told without a look into the books, if it is.
    fn refuses(&self, owed: Owed, rrn: Rrn) -> Option<ResponseCode> {
        let faults = self.weather.faults();
        // The same transaction is refused every time, so that it is for good.
        let lot = rrn.as_bytes().iter().fold(7u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        if lot % 1_000 < faults.owed_never {
            return Some(ResponseCode::FormatError);
        }
        if hit(&self.nature, faults.owed_later, None) {
            return Some(ResponseCode::SystemFailure);
        }
        let known = || self.bank.books().iter().any(|posting| posting.entry.rrn == Some(rrn));
        (faults.forgetful && owed == Owed::Reversal && !known()).then_some(ResponseCode::OriginalNotFound)
    }

    /// Notes what the issuer has approved.
    fn note(&self, units: &[(Duration, Bytes)], rrn: Option<Rrn>) {
        let Some((_, unit)) = units.first() else { return };
        let Some(message) = self.read(unit.slice(self.profile().framing.length.bytes()..)) else { return };
        let code = message.role(Role::ResponseCode);
        let row = code.as_ref().and_then(|code| message.dialect().code(code));
        let approves = row.is_some_and(|row| row.approves);
        let reversal = message.mti().and_then(|mti| mti.class()) == Some(MessageClass::Reversal);
        let what = if reversal { "reversal" } else { "request" };
        let shown = code.as_ref().map(|code| String::from_utf8_lossy(code).into_owned()).unwrap_or_default();
        let number = rrn.map(|rrn| rrn.to_string()).unwrap_or_default();
        self.nature.say(&format!("{}: {what} {number} answered {shown}", self.name()));
        if row.is_some_and(|row| row.code == ResponseCode::MacFailure)
            && let Some(rrn) = rrn
        {
            self.history.note(|seen| seen.not_taken.push((rrn, reversal)));
        }
        if approves
            && !reversal
            && let Some(rrn) = rrn
        {
            self.history.note(|seen| seen.approvals.push(rrn));
        }
    }

    fn twist(&self) -> Twist {
        let faults = self.weather.faults();
        let twists = [
            (faults.wrong_stan, Twist::Stan),
            (faults.wrong_amount, Twist::Amount),
            (faults.garbage, Twist::Garbage),
            (faults.wrong_mac, Twist::Mac),
        ];
        let drawn = twists.into_iter().find(|(rate, _)| hit(&self.nature, *rate, None));
        drawn.map_or(Twist::None, |(_, twist)| twist)
    }

    /// The answer with something wrong in it, and a MAC that holds unless that is what is wrong.
    async fn twisted(&self, unit: Bytes, twist: Twist) -> Option<Bytes> {
        let profile = self.profile();
        if twist == Twist::Garbage {
            return profile.enclose(&GARBAGE, None).ok();
        }
        let message = self.read(unit.slice(profile.framing.length.bytes()..))?;
        let mac = profile.dialect.mac_element(&message);
        let code = message.role(Role::ResponseCode);
        let code = code.as_ref().and_then(|code| message.dialect().code(code)).map(|row| row.code);
        let partial = code == Some(ResponseCode::ApprovedPartial);
        let mut builder = profile.dialect.build(message.mti()?);
        for de in message.elements().filter(|de| Some(*de) != mac) {
            builder.copy(de, &message).ok()?;
        }
        match twist {
            Twist::Stan => {
                let stan = Stan::parse(&message.role(Role::Stan)?)?.next();
                builder.role(Role::Stan, &stan.digits()).ok()?;
            }
            // The amount of a partial approval is the issuer's to say.
            Twist::Amount if partial => {}
            Twist::Amount => {
                let amount = Amount::parse(&message.role(Role::Amount)?)?.plus(Amount::new(1)?)?;
                builder.role(Role::Amount, &amount.digits()).ok()?;
                self.nature.sometimes(Sometimes::WrongAmount);
            }
            Twist::None | Twist::Garbage | Twist::Mac => {}
        }
        self.signed(builder, twist == Twist::Mac).await
    }

    /// An answer of a code alone.
    async fn plain(&self, request: &Message, code: ResponseCode) -> Option<Bytes> {
        let dialect = request.dialect();
        let mti = request.mti()?.without_repeat().response();
        let mut builder = dialect.build(mti);
        for de in dialect.echo(mti) {
            builder.copy(*de, request).ok()?;
        }
        builder.role(Role::ResponseCode, dialect.wire_code(code).as_bytes()).ok()?;
        self.signed(builder, false).await
    }

    async fn signed(&self, builder: Builder, wrongly: bool) -> Option<Bytes> {
        let setup = self.bank.setup();
        let unsigned = builder.finish_unsigned().ok()?;
        let mut data = unsigned.mac_input().to_vec();
        data.extend(wrongly.then_some(1));
        let mac =
            self.bank.hsm().mac_generate(&CTX, &self.bank.mac_key(), &setup.profile.mac.scheme, &data).await.ok()?;
        setup.profile.enclose(&unsigned.sign(&mac).ok()?, None).ok()
    }
}
