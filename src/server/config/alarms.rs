//! When a person is told: `[alarms]`.

use crate::registry::Breaches;
use crate::registry::Document;
use crate::registry::Row;
use hyper::Uri;
use std::net::IpAddr;
use std::time::Duration;

const ALARMS: &[&str; 16] = &[
    "link_down_s",
    "decline_percent",
    "decline_least",
    "mac_failures",
    "silent_s",
    "owed",
    "owed_growth_m",
    "certificate_days",
    "disk_free_mb",
    "clock_jump_ms",
    "quiet_s",
    "again_s",
    "webhook",
    "webhook_token",
    "webhook_token_env",
    "webhook_ca",
];

/// When a person is told, and where besides the log.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Alarms {
    /// From where on something is an alarm.
    pub thresholds: Thresholds,
    /// Who is told of each change.
    pub webhook: Option<Webhook>,
}

/// From where on something is an alarm.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Thresholds {
    /// How long no link to an issuer may be up.
    pub link_down: Duration,
    /// Share of declines within a minute, in percent.
    pub decline_percent: u64,
    /// Transactions within a minute, below which no share is looked at.
    pub decline_least: u64,
    /// Messages within a minute whose MAC is wrong, from one source or of one terminal.
    pub mac_failures: u64,
    /// How long a terminal may be silent that was heard; none: as long as it likes.
    pub silent: Option<Duration>,
    /// Messages owed to one issuer.
    pub owed: u64,
    /// How long the messages owed to one issuer may go on growing.
    pub owed_growth: Duration,
    /// Days that a certificate should have left.
    pub certificate_days: i64,
    /// Bytes that should be free where the ledger is.
    pub disk_free: u64,
    /// How far the wall clock may step.
    pub clock_jump: Duration,
    /// How long after its last event an alarm of single events is cleared.
    pub quiet: Duration,
    /// How long until an alarm that nobody acknowledged is told again.
    pub again: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            link_down: Duration::from_secs(30),
            decline_percent: 50,
            decline_least: 20,
            mac_failures: 10,
            silent: None,
            owed: 100,
            owed_growth: Duration::from_secs(5 * 60),
            certificate_days: 30,
            disk_free: 1024 << 20,
            clock_jump: Duration::from_secs(2),
            quiet: Duration::from_secs(300),
            again: Duration::from_secs(900),
        }
    }
}

/// Who is told of each change. Paths are relative to the station's file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Webhook {
    /// Where each change is sent.
    pub address: Uri,
    /// Where the secret is that is shown there, if one is.
    pub token: Option<TokenPlace>,
    /// PEM file of the authorities that are trusted; with https only.
    pub authority: Option<String>,
}

/// Where a webhook's secret is kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum TokenPlace {
    /// A file that its owner alone may read.
    File(String),
    /// An environment variable.
    Variable(String),
}

impl Webhook {
    /// Whether what is sent is enciphered.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.address.scheme_str() == Some("https")
    }

    fn is_here(&self) -> bool {
        let host = self.address.host().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host == "localhost" || address.is_ok_and(|address| address.is_loopback())
    }
}

impl Alarms {
    pub(super) fn read(document: &Document<'_>, breaches: &mut Breaches) -> Option<Self> {
        let row = document.table("alarms", ALARMS, breaches);
        let webhook = webhook(&row, breaches);
        Some(Self { thresholds: thresholds(&row, breaches)?, webhook })
    }
}

fn thresholds<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Thresholds> {
    const DAY: u64 = 86_400;
    let usual = Thresholds::default();
    let mut number = |column: &str, default: u64, least, most| row.bounded(column, default, least..=most, breaches);
    let link_down = number("link_down_s", usual.link_down.as_secs(), 1, DAY);
    let decline_percent = number("decline_percent", usual.decline_percent, 1, 100);
    let decline_least = number("decline_least", usual.decline_least, 1, 1_000_000);
    let mac_failures = number("mac_failures", usual.mac_failures, 1, 1_000_000);
    let silent = number("silent_s", 0, 0, 30 * DAY);
    let owed = number("owed", usual.owed, 1, 1_000_000_000);
    let owed_growth = number("owed_growth_m", usual.owed_growth.as_secs() / 60, 1, 1_440);
    // The certificates are looked at so long ahead, and no longer.
    let ahead = crate::server::expiry::DAYS_AHEAD.unsigned_abs();
    let certificate_days = number("certificate_days", ahead, 1, ahead);
    let disk_free = number("disk_free_mb", usual.disk_free >> 20, 1, 1 << 30);
    let clock_jump = number("clock_jump_ms", 2_000, 100, 3_600_000);
    let quiet = number("quiet_s", usual.quiet.as_secs(), 1, DAY);
    let again = number("again_s", usual.again.as_secs(), 1, 7 * DAY);
    Some(Thresholds {
        link_down: Duration::from_secs(link_down?),
        decline_percent: decline_percent?,
        decline_least: decline_least?,
        mac_failures: mac_failures?,
        silent: Some(Duration::from_secs(silent?)).filter(|silent| !silent.is_zero()),
        owed: owed?,
        owed_growth: Duration::from_secs(owed_growth? * 60),
        certificate_days: i64::try_from(certificate_days?).ok()?,
        disk_free: disk_free? << 20,
        clock_jump: Duration::from_millis(clock_jump?),
        quiet: Duration::from_secs(quiet?),
        again: Duration::from_secs(again?),
    })
}

fn webhook<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Webhook> {
    let form = "http://HOST:PORT/PATH or https://, without a name or password";
    let address = row.optional("webhook", form, address, breaches);
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let file = row.optional("webhook_token", "a path", text, breaches);
    let variable = row.optional("webhook_token_env", "a variable's name", text, breaches);
    let authority = row.optional("webhook_ca", "a path", text, breaches);
    let mut say = |what: &str| breaches.add(row.file(), row.line(), what);
    if file.is_some() && variable.is_some() {
        say("webhook_token and webhook_token_env: one of them");
    }
    let token = file.map(TokenPlace::File).or(variable.map(TokenPlace::Variable));
    if !row.has("webhook") && (token.is_some() || authority.is_some()) {
        say("webhook: is missing, and something is said of it");
    }
    let webhook = Webhook { address: address?, token, authority };
    match (webhook.is_secure(), &webhook.authority) {
        (true, None) => say("webhook_ca: https needs the authorities that are trusted"),
        (false, Some(_)) => say("webhook_ca: only https has certificates"),
        _ => {}
    }
    if webhook.token.is_some() && !webhook.is_secure() && !webhook.is_here() {
        say("webhook_token: would cross the network in the clear; use https");
    }
    Some(webhook)
}

fn address(text: &str) -> Option<Uri> {
    let address: Uri = text.parse().ok()?;
    let scheme = matches!(address.scheme_str()?, "http" | "https");
    let authority = address.authority()?.as_str();
    let named = scheme && !authority.contains('@') && address.host().is_some_and(|host| !host.is_empty());
    named.then_some(address)
}
