//! Issuers: where they are, how they speak, which keys they share with us, what we do where they are silent.

use super::table::{Breaches, Row};
use crate::model::Amount;
use crate::model::DayLimit;
use crate::model::EntryMethod;
use crate::model::IssuerName;
use crate::model::KeyName;
use crate::model::Kind;
use crate::model::ResponseCode;
use crate::model::StandIn;
use std::time::Duration;

/// The columns of an issuer's row.
pub(super) const COLUMNS: &[&str; 20] = &[
    "name",
    "address",
    "profile",
    "pin_key",
    "mac_key",
    "master_key",
    "key_overlap_s",
    "timeout_ms",
    "connections",
    "echo_s",
    "sign_on",
    "accepted",
    "retry",
    "stand_in_most",
    "stand_in_kinds",
    "stand_in_entry",
    "stand_in_card_amount",
    "stand_in_card_count",
    "stand_in_terminal_amount",
    "stand_in_terminal_count",
];

/// One issuer as the switch uses it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Issuer {
    /// Its name in routes, links and queues.
    pub name: IssuerName,
    /// `host:port` of its host.
    pub address: Box<str>,
    /// The profile of the link.
    pub profile: Box<str>,
    /// The zone PIN key (ZPK); `NAME/zpk` unless the row says otherwise.
    pub pin_key: KeyName,
    /// The zone MAC key (ZAK); `NAME/zak` unless the row says otherwise.
    pub mac_key: KeyName,
    /// The key that zone keys are exchanged under (ZMK). Without one they do not change on the wire.
    pub master_key: Option<KeyName>,
    /// How long an old zone key is still good for checking once there is a new one. 1 s to a day; 5 minutes unless the
    /// row says otherwise.
    pub key_overlap: Duration,
    /// How long the switch waits for an answer. 500 ms to 60 s; 5 s unless the row says otherwise.
    pub timeout: Duration,
    /// Connections of each worker, 1 to 16; 1 unless the row says otherwise.
    pub connections: u8,
    /// How long a link may be silent before it is asked whether anybody is there. 5 s to 1 h; 10 s
    /// unless the row says otherwise. It is given up 10 s after the question.
    pub echo: Duration,
    /// Whether a connection begins with a sign-on that must be approved; not unless the row says so.
    pub sign_on: bool,
    /// What its answers to store-and-forward mean.
    pub told: Told,
    /// What is approved on its behalf while it cannot be asked; nothing unless the row says so.
    pub stand_in: Option<StandIn>,
}

/// What an issuer's answers to reversals and advices mean. An approval is always *it has it*; a code in
/// neither list, but for what [`Told::default`] says of 25 and 94, is *never*: a dead letter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Told {
    /// Further codes that mean that it has the message.
    pub accepted: Box<[ResponseCode]>,
    /// Codes after which the message goes again.
    pub retry: Box<[ResponseCode]>,
}

/// Accepted: none but approvals. Retry: what passes by itself or by an operator's hand, on either side.
impl Default for Told {
    fn default() -> Self {
        use ResponseCode::{
            CutOver, InProgress, IssuerInoperative, IssuerUnreachable, MacFailure, NoResponse, SignInRequired,
            SystemFailure, Timeout,
        };
        let retry = [
            InProgress,
            Timeout,
            SignInRequired,
            CutOver,
            IssuerInoperative,
            IssuerUnreachable,
            SystemFailure,
            NoResponse,
            MacFailure,
        ];
        Self { accepted: Box::default(), retry: Box::new(retry) }
    }
}

impl Issuer {
    /// Reads one row; `None` if it has a breach.
    pub(super) fn read<const N: usize>(
        row: &Row<'_, N>,
        profile_known: &dyn Fn(&str) -> bool,
        breaches: &mut Breaches,
    ) -> Option<Self> {
        let form = "1 to 32 lower-case letters, digits or hyphens";
        let name = row.required("name", form, IssuerName::parse, breaches);
        let address = row.required("address", "host:port", address, breaches);
        let profile =
            row.required("profile", "a profile", |name| profile_known(name).then(|| Box::from(name)), breaches);
        let mut key = |column: &str, suffix: &str| match row.has(column) {
            true => row.optional(column, "a key name", KeyName::parse, breaches),
            false => KeyName::parse(&format!("{}/{suffix}", name.as_ref()?.as_str())),
        };
        let (pin_key, mac_key) = (key("pin_key", "zpk"), key("mac_key", "zak"));
        let master_key = row.optional("master_key", "a key name", KeyName::parse, breaches);
        let overlap = row.bounded("key_overlap_s", 300, 1..=86_400, breaches);
        let timeout = row.bounded("timeout_ms", 5_000, 500..=60_000, breaches);
        let connections = row.bounded("connections", 1, 1..=16, breaches);
        let echo = row.bounded("echo_s", 10, 5..=3_600, breaches);
        let sign_on = row.optional("sign_on", "true or false", |text| text.parse().ok(), breaches);
        let told = told(row, breaches);
        let stand_in = stand_in(row, breaches);
        Some(Self {
            name: name?,
            address: address?,
            profile: profile?,
            pin_key: pin_key?,
            mac_key: mac_key?,
            master_key,
            key_overlap: Duration::from_secs(overlap?),
            timeout: Duration::from_millis(timeout?),
            connections: u8::try_from(connections?).ok()?,
            echo: Duration::from_secs(echo?),
            sign_on: sign_on.unwrap_or(false),
            told,
            stand_in,
        })
    }
}

fn address(text: &str) -> Option<Box<str>> {
    let (host, port) = text.rsplit_once(':')?;
    let port: u16 = port.parse().ok()?;
    (!host.is_empty() && port != 0).then(|| text.into())
}

/// Lists of canonical codes, whatever the issuer's dialect writes.
fn told<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Told {
    let mut codes = |column: &str, default: Box<[ResponseCode]>| match row.has(column) {
        true => row.list(column, "a response code of two characters", ResponseCode::parse, breaches).into(),
        false => default,
    };
    let Told { accepted, retry } = Told::default();
    let told = Told { accepted: codes("accepted", accepted), retry: codes("retry", retry) };
    if let Some(both) = told.accepted.iter().find(|code| told.retry.contains(code)) {
        row.breach("retry", format!("retry: {both} is in accepted too"), breaches);
    }
    told
}

/// Kinds that may be stood in for: an issuer takes advices of them.
const KINDS: [Kind; 2] = [Kind::Sale, Kind::Authorization];

fn stand_in<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<StandIn> {
    let form = "an amount in minor units";
    let mut amount = |column| row.optional(column, form, |text| Amount::parse(text.as_bytes()), breaches);
    let most = amount("stand_in_most");
    let amounts = (amount("stand_in_card_amount"), amount("stand_in_terminal_amount"));
    let mut count = |column| row.optional(column, "a count", |text| text.parse().ok(), breaches);
    let counts = (count("stand_in_card_count"), count("stand_in_terminal_count"));
    let kind = |name: &str| KINDS.into_iter().find(|kind| kind.name() == name);
    let kinds = row.list("stand_in_kinds", "sale or authorization", kind, breaches);
    let methods = row.list("stand_in_entry", "chip, tap, swipe, code or manual", method, breaches);
    if !row.has("stand_in_most") {
        let rest = COLUMNS.iter().find(|column| column.starts_with("stand_in_") && row.has(column));
        if let Some(column) = rest {
            row.breach(column, format!("{column}: needs stand_in_most"), breaches);
        }
        return None;
    }
    Some(StandIn {
        most: most?,
        kinds: if row.has("stand_in_kinds") { kinds.into() } else { Box::new([Kind::Sale]) },
        methods: if row.has("stand_in_entry") {
            methods.into()
        } else {
            Box::new([EntryMethod::Chip, EntryMethod::Tap])
        },
        card: DayLimit { amount: amounts.0, count: counts.0 },
        terminal: DayLimit { amount: amounts.1, count: counts.1 },
    })
}

fn method(name: &str) -> Option<EntryMethod> {
    Some(match name {
        "chip" => EntryMethod::Chip,
        "tap" => EntryMethod::Tap,
        "swipe" => EntryMethod::Swipe,
        "code" => EntryMethod::Code,
        "manual" => EntryMethod::Manual,
        _ => return None,
    })
}
