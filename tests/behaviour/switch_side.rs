//! The switch's side of an issuer's wire, for tests: builds signed requests and reads answers.

use bytes::Bytes;
use futures_util::FutureExt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tollgate::channel::Deframer;
use tollgate::channel::Profile;
use tollgate::channel::builtin;
use tollgate::hsm::Ctx;
use tollgate::hsm::Hsm;
use tollgate::hsm::KeyName;
use tollgate::hsm::KeyRef;
use tollgate::hsm::MacKey;
use tollgate::hsm::Verdict;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::ClearPin;
use tollgate::hsm::calculator::Fill;
use tollgate::hsm::calculator::encrypt_pin;
use tollgate::hsm::software::SoftwareHsm;
use tollgate::iso8583::Builder;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::model::Entropy;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::Pan;
use tollgate::model::ResponseCode;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::config::NamedKey;
use tollgate::server::config::key_rows;
use tollgate::sim::cards;
use tollgate::sim::issuer::Bank;
use tollgate::sim::issuer::DEMO_KEYS;
use tollgate::sim::issuer::LATE;
use tollgate::sim::issuer::Parts;
use tollgate::sim::issuer::assemble;
use zeroize::Zeroizing;

/// For test HSMs: not random, and never the same twice.
struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        for byte in out {
            *byte = (self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed) >> 32) as u8;
        }
    }
}

pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().unwrap()
}

pub(crate) fn demo_keys() -> Vec<NamedKey> {
    let mut breaches = Breaches::default();
    let keys = key_rows(Source { file: "keys.csv", text: DEMO_KEYS }, &mut breaches);
    assert!(breaches.into_inner().is_empty());
    keys
}

pub(crate) fn entropy() -> Arc<dyn Entropy> {
    Arc::new(Counting(AtomicU64::new(1)))
}

/// The demo's mock issuer of that name, with a profile of the same name.
pub(crate) fn demo_bank(name: &str) -> Arc<Bank<SoftwareHsm>> {
    let parts = Parts {
        name: IssuerName::parse(name).unwrap(),
        profile: builtin::profile(name).unwrap(),
        keys: &demo_keys(),
        cards: &cards::demo(),
        late: LATE,
        entropy: entropy(),
    };
    Arc::new(assemble(&parts).unwrap())
}

/// One end of the wire, with the demo's keys.
pub(crate) struct SwitchSide {
    pub(crate) profile: Arc<Profile>,
    hsm: SoftwareHsm,
    mac_key: MacKey,
    zpk: Vec<u8>,
}

/// What a test says of a request; the rest is the same for all.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) kind: Kind,
    pub(crate) stan: u32,
    pub(crate) minor: u64,
    pub(crate) pan: &'a str,
    pub(crate) expiry: &'a str,
    pub(crate) pin: Option<&'a str>,
}

pub(crate) const TERMINAL: &[u8] = b"10000001";
pub(crate) const SENT: &[u8; 10] = b"1121120000";
pub(crate) const LOCAL: &[u8; 12] = b"261121200000";

impl SwitchSide {
    pub(crate) fn new(name: &str) -> Self {
        let mut builder = SoftwareHsm::builder(entropy(), Zeroizing::new([7; 32]));
        let keys = demo_keys();
        let named = |suffix: &str| keys.iter().find(|key| key.name.as_str() == format!("{name}/{suffix}")).unwrap();
        let zak = named("zak");
        builder = builder.key(zak.name.clone(), zak.usage, zak.algorithm, zak.key.clone());
        Self {
            profile: builtin::profile(name).unwrap(),
            hsm: builder.build().unwrap(),
            mac_key: MacKey(KeyRef::Named(KeyName::clone(&zak.name))),
            zpk: named("zpk").key.to_vec(),
        }
    }

    /// A request before its MAC.
    pub(crate) fn compose(&self, ask: Ask<'_>) -> Builder {
        let dialect = &self.profile.dialect;
        let row = dialect.kind_row(ask.kind).unwrap();
        let mut builder = dialect.build(row.mti);
        for (role, pattern) in &row.when {
            builder.role(*role, pattern.replace('.', "0").as_bytes()).unwrap();
        }
        let stan = format!("{:06}", ask.stan);
        let rrn = format!("{:012}", ask.stan);
        let amount = format!("{:012}", ask.minor);
        let code: &[u8] = if ask.kind == Kind::Balance { b"310000" } else { b"000000" };
        let values: [(Role, &[u8]); 15] = [
            (Role::Pan, ask.pan.as_bytes()),
            (Role::ProcessingCode, code),
            (Role::Amount, amount.as_bytes()),
            (Role::TransmissionTime, SENT),
            (Role::Stan, stan.as_bytes()),
            (Role::LocalYear, &LOCAL[..2]),
            (Role::LocalDate, &LOCAL[2..6]),
            (Role::LocalTime, &LOCAL[6..]),
            (Role::Expiry, ask.expiry.as_bytes()),
            (Role::EntryMode, b"051"),
            (Role::ConditionCode, b"00"),
            (Role::Acquirer, b"89811000"),
            (Role::Rrn, rrn.as_bytes()),
            (Role::Terminal, TERMINAL),
            (Role::Currency, b"156"),
        ];
        for (role, value) in values {
            if dialect.role(role).is_some() {
                builder.role(role, value).unwrap();
            }
        }
        if let Some(pin) = ask.pin {
            builder.role(Role::PinBlock, &self.pin_block(pin, ask.pan)).unwrap();
        }
        builder
    }

    fn pin_block(&self, pin: &str, pan: &str) -> Vec<u8> {
        let pan = Pan::parse(pan.as_bytes()).unwrap();
        let key = CipherKey::new(tollgate::hsm::KeyAlgorithm::Tdes2, &self.zpk).unwrap();
        let pin = ClearPin::parse(pin.as_bytes()).unwrap();
        let format = self.profile.pin_format;
        let fill = Fill::draw(format, &*entropy()).unwrap();
        encrypt_pin(&key, format, &pin, &pan, &fill).unwrap().as_bytes().to_vec()
    }

    /// A reversal of the request that `original` was, with a STAN of its own.
    pub(crate) fn compose_reversal(&self, original: Ask<'_>, stan: u32, repeat: bool) -> Builder {
        let dialect = &self.profile.dialect;
        let first = self.compose(Ask { kind: Kind::Reversal, stan, pin: None, ..original });
        let mti = if repeat { first.mti().repeat() } else { first.mti() };
        let message = dialect.decode(first.finish().unwrap()).unwrap();
        let mut builder = dialect.build(mti);
        for de in message.elements() {
            builder.copy(de, &message).unwrap();
        }
        let original_stan = format!("{:06}", original.stan);
        let original_rrn = format!("{:012}", original.stan);
        let mti = dialect.kind_row(original.kind).unwrap().mti;
        let values: [(Role, &[u8]); 7] = [
            (Role::ReasonCode, b"4021"),
            (Role::Rrn, original_rrn.as_bytes()),
            (Role::OriginalMti, mti.as_str().as_bytes()),
            (Role::OriginalStan, original_stan.as_bytes()),
            (Role::OriginalTransmissionTime, SENT),
            (Role::OriginalLocalTime, LOCAL),
            (Role::OriginalAcquirer, b"00089811000"),
        ];
        for (role, value) in values {
            if dialect.role(role).is_some() {
                builder.role(role, value).unwrap();
            }
        }
        builder
    }

    /// The unit after the length header, signed if the profile wants it.
    pub(crate) fn sign(&self, builder: Builder) -> Bytes {
        if !self.profile.mac_required(builder.mti()) {
            return self.enclosed(&builder.finish().unwrap());
        }
        self.sign_always(builder)
    }

    /// With a MAC also where the profile wants none.
    pub(crate) fn sign_always(&self, builder: Builder) -> Bytes {
        let unsigned = builder.finish_unsigned().unwrap();
        let mac = self.mac(unsigned.mac_input());
        self.enclosed(&unsigned.sign(&mac).unwrap())
    }

    /// The same with one bit of the MAC changed.
    pub(crate) fn sign_wrongly(&self, builder: Builder) -> Bytes {
        let unsigned = builder.finish_unsigned().unwrap();
        let mut mac = self.mac(unsigned.mac_input());
        mac[0] ^= 1;
        self.enclosed(&unsigned.sign(&mac).unwrap())
    }

    fn mac(&self, data: &[u8]) -> Vec<u8> {
        let ctx = Ctx { within: Duration::from_secs(1) };
        now(self.hsm.mac_generate(&ctx, &self.mac_key, &self.profile.mac.scheme, data)).unwrap().to_vec()
    }

    fn enclosed(&self, body: &[u8]) -> Bytes {
        let whole = self.profile.enclose(body, None).unwrap();
        self.units(&whole).remove(0)
    }

    /// The units in a stream.
    pub(crate) fn units(&self, stream: &[u8]) -> Vec<Bytes> {
        let mut deframer = Deframer::new(self.profile.framing);
        deframer.push(stream);
        std::iter::from_fn(|| deframer.next().unwrap()).collect()
    }

    /// The message in a unit.
    pub(crate) fn read(&self, unit: &Bytes) -> Message {
        self.profile.decode(&self.profile.split(unit.clone()).unwrap()).unwrap()
    }

    /// Whether the answer's MAC is right; a message without need of one is.
    pub(crate) fn mac_holds(&self, answer: &Message) -> bool {
        if !self.profile.mac_required(answer.mti().unwrap()) {
            return true;
        }
        let ctx = Ctx { within: Duration::from_secs(1) };
        let (Some(data), Some(mac)) = (answer.mac_input(), answer.mac()) else { return false };
        let scheme = &self.profile.mac.scheme;
        now(self.hsm.mac_verify(&ctx, &self.mac_key, scheme, data, &mac)).unwrap() == Verdict::Match
    }

    /// The canonical code of an answer and whether it approves.
    pub(crate) fn code(&self, answer: &Message) -> (ResponseCode, bool) {
        let row = self.profile.dialect.code(&answer.role(Role::ResponseCode).unwrap()).unwrap();
        (row.code, row.approves)
    }
}
