//! One connection's life: connect, sign on, read, write, ask whether anybody is there, and again.

use super::Asked;
use super::state::Batch;
use super::state::Phase;
use super::state::Shared;
use crate::channel::Deframer;
use crate::channel::FrameFault;
use crate::channel::Received;
use crate::link::LinkReply;
use crate::link::mux::Arrival;
use crate::model::Kind;
use crate::model::Timestamp;
use crate::model::back_off;
use bytes::Bytes;
use bytes::BytesMut;
use socket2::SockRef;
use socket2::TcpKeepalive;
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use std::time::Duration;
use std::time::SystemTime;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::sleep_until;
use tokio::time::timeout;
use tracing::info;
use tracing::warn;
use zeroize::Zeroize;

/// Bytes that one read takes at most.
const READ_MOST: usize = 16 * 1024;
/// A connection that lasted so long was a good one: the next attempt follows without a pause.
const GOOD: Duration = Duration::from_secs(1);

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("the issuer closed the connection")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("framing: {0}")]
    Framing(#[from] FrameFault),
    #[error("silent after an echo request")]
    Silent,
    #[error("sign-on not approved")]
    SignOn,
}

/// Says that a connection is down, also when its task ends in the middle of it.
struct Open<'a>(&'a Shared, usize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.close(self.1);
    }
}

/// Keeps one connection up for as long as the link lives.
pub(super) async fn keep_up(shared: Arc<Shared>, slot: usize) {
    let mut failures = 0;
    loop {
        let start = Instant::now();
        let open = Open(&shared, slot);
        let lost = live(&shared, slot).await;
        drop(open);
        warn!(issuer = %shared.setup.issuer, connection = slot, reason = %lost, "issuer connection lost");
        failures = if start.elapsed() >= GOOD && !matches!(lost, Lost::ConnectTimeout) { 0 } else { failures + 1 };
        if let Some(doublings) = u32::checked_sub(failures, 1) {
            sleep(pause(shared.setup.back_off, shared.setup.back_off_most, doublings)).await;
        }
    }
}

/// The pause before an attempt. Without chance from the system it is merely less even.
fn pause(first: Duration, most: Duration, doublings: u32) -> Duration {
    let mut random = [0; 4];
    let _ = getrandom::fill(&mut random);
    back_off(first, most, doublings, u32::from_be_bytes(random))
}

/// One connection, from the attempt to its end.
async fn live(shared: &Arc<Shared>, slot: usize) -> Lost {
    let stream = match connect(shared).await {
        Ok(stream) => stream,
        Err(lost) => return lost,
    };
    let (reader, writer) = stream.into_split();
    let last = LastHeard::now();
    shared.open(slot, if shared.setup.sign_on { Phase::SigningOn } else { Phase::Up });
    info!(issuer = %shared.setup.issuer, connection = slot, "issuer connected");
    tokio::select! {
        lost = read(shared, slot, reader, &last) => lost,
        lost = write(shared, slot, writer) => lost,
        lost = watch(shared, slot, &last) => lost,
    }
}

async fn connect(shared: &Shared) -> Result<TcpStream, Lost> {
    let attempt = TcpStream::connect(&shared.setup.address);
    let stream = timeout(shared.setup.connect_within, attempt).await.map_err(|_| Lost::ConnectTimeout)??;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(&stream);
    // Dead hosts are found below the messages too, where the issuer answers no echo.
    socket.set_tcp_keepalive(&keepalive(shared.setup.idle))?;
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(shared.setup.idle + shared.setup.silence))?;
    Ok(stream)
}

/// Three probes, 5 s apart, after the link's idle time.
fn keepalive(idle: Duration) -> TcpKeepalive {
    let keepalive = TcpKeepalive::new().with_time(idle.max(Duration::from_secs(1)));
    #[cfg(any(target_os = "linux", target_os = "macos"))]
    let keepalive = keepalive.with_interval(Duration::from_secs(5)).with_retries(3);
    keepalive
}

/// When the issuer's last byte came, and how often any came.
struct LastHeard {
    start: Instant,
    after_ms: AtomicU64,
    times: AtomicU64,
}

impl LastHeard {
    fn now() -> Self {
        Self { start: Instant::now(), after_ms: AtomicU64::new(0), times: AtomicU64::new(0) }
    }

    fn heard(&self) {
        let after = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.after_ms.store(after, Ordering::Relaxed);
        self.times.fetch_add(1, Ordering::Relaxed);
    }

    fn at(&self) -> Instant {
        self.start + Duration::from_millis(self.after_ms.load(Ordering::Relaxed))
    }

    fn times(&self) -> u64 {
        self.times.load(Ordering::Relaxed)
    }
}

async fn read(shared: &Arc<Shared>, slot: usize, mut reader: OwnedReadHalf, last: &LastHeard) -> Lost {
    let mut deframer = Deframer::new(shared.setup.profile.framing);
    let mut buffer = BytesMut::with_capacity(READ_MOST);
    loop {
        match reader.read_buf(&mut buffer).await {
            Ok(0) => return Lost::Closed,
            Ok(_) => last.heard(),
            Err(error) => return error.into(),
        }
        deframer.push(&buffer);
        buffer.as_mut().zeroize();
        buffer.clear();
        loop {
            match deframer.next() {
                Ok(Some(unit)) => arrived(shared, slot, unit),
                Ok(None) => break,
                Err(fault) => return fault.into(),
            }
        }
    }
}

/// One unit: an answer somebody waits for, a request of the issuer, or a line in the log.
fn arrived(shared: &Arc<Shared>, slot: usize, unit: Bytes) {
    if unit.is_empty() {
        return;
    }
    let profile = &shared.setup.profile;
    let issuer = &shared.setup.issuer;
    let decoded = profile.split(unit).map_err(|fault| fault.to_string()).and_then(|frame| {
        let message = profile.decode(&frame).map_err(|rejected| rejected.error.to_string())?;
        Ok(Received { frame, message })
    });
    let received = match decoded {
        Ok(received) => received,
        Err(fault) => {
            shared.count(|stats| stats.garbage += 1);
            warn!(%issuer, fault, "unreadable message of issuer ignored");
            return;
        }
    };
    let is_response = received.message.mti().is_some_and(|mti| mti.is_response());
    if !is_response && let Some(asked) = &shared.setup.asked {
        if asked.try_send(Asked::new(received, Arc::clone(shared), slot)).is_err() {
            shared.count(|stats| stats.no_answer += 1);
            warn!(%issuer, "too many requests of issuer at once, one ignored");
        }
        return;
    }
    let key = is_response.then(|| profile.correlation_key(&received.message)).flatten();
    let Some(key) = key else {
        shared.count(|stats| stats.no_answer += 1);
        warn!(%issuer, "message of issuer is no answer, ignored");
        return;
    };
    match shared.arrived(&key, received) {
        Some(Arrival::Unmatched { differs }) => {
            let differs = differs.map(|parts| parts.join(","));
            warn!(%issuer, differs, "answer that nobody asked for, ignored");
        }
        Some(_) => warn!(%issuer, "second answer ignored"),
        None => {}
    }
}

async fn write(shared: &Shared, slot: usize, mut writer: OwnedWriteHalf) -> Lost {
    loop {
        let mut batch: Batch = shared.next_batch(slot).await;
        while !batch.bytes.is_empty() {
            match writer.write_buf(&mut batch.bytes).await {
                Ok(0) => return Lost::Closed,
                Ok(bytes) => batch.wrote(bytes),
                Err(error) => return error.into(),
            }
        }
    }
}

/// Signs on if the setup says so, then asks an issuer that is silent whether it is there.
async fn watch(shared: &Arc<Shared>, slot: usize, last: &LastHeard) -> Lost {
    if shared.setup.sign_on {
        if !signed_on(shared, slot).await {
            return Lost::SignOn;
        }
        shared.open(slot, Phase::Up);
    }
    loop {
        let idle = last.at() + shared.setup.idle;
        sleep_until(idle).await;
        if last.at() + shared.setup.idle > idle {
            continue;
        }
        let Some((key, unit)) = management(shared, Kind::Echo) else { return std::future::pending().await };
        let heard = last.times();
        if let Some(waiting) = shared.send_on(slot, key, unit) {
            shared.count(|stats| stats.echoes += 1);
            let _ = waiting.until(sleep(shared.setup.silence)).await;
        } else {
            sleep(shared.setup.silence).await;
        }
        // Any byte is a sign of life, the answer or another.
        if last.times() == heard {
            return Lost::Silent;
        }
    }
}

async fn signed_on(shared: &Arc<Shared>, slot: usize) -> bool {
    let Some((key, unit)) = management(shared, Kind::SignIn) else { return false };
    let Some(waiting) = shared.send_on(slot, key, unit) else { return false };
    match waiting.until(sleep(shared.setup.connect_within)).await {
        LinkReply::Answer(received) => shared.setup.profile.approves(&received.message),
        LinkReply::NotSent | LinkReply::Unknown => false,
    }
}

fn management(shared: &Shared, kind: Kind) -> Option<(crate::channel::CorrelationKey, Bytes)> {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let at = Timestamp(i64::try_from(since.as_micros()).unwrap_or_default());
    shared.setup.profile.management(kind, shared.setup.stans.next(), at)
}
