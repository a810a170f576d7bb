//! One connection's life: connect, ask for diagnostics, read, write, probe, and again.

use super::state::Shared;
use crate::hsm::payshield::command;
use crate::hsm::payshield::command::Tail;
use crate::hsm::payshield::command::diagnostics::Diagnostics;
use crate::hsm::payshield::frame::Deframer;
use crate::hsm::payshield::frame::FrameFault;
use crate::model::back_off;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncRead;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWrite;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio::time::sleep;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tracing::info;
use tracing::warn;
use zeroize::Zeroize;
use zeroize::Zeroizing;

/// Bytes that one read takes at most.
const READ_MOST: usize = 16 * 1024;

/// Why a connection ended. Never anything that came over it.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("no connection in time")]
    ConnectTimeout,
    #[error("the HSM closed the connection")]
    Closed,
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("framing: {0}")]
    Framing(#[from] FrameFault),
    #[error("an answer to a call that nobody made")]
    Unmatched,
    #[error("an answer that is none to its call")]
    Distrusted,
    #[error("answers to calls that were given up never came")]
    Missing,
    #[error("no diagnostics in time")]
    Silent,
    #[error("its diagnostics cannot be read: header length, or no HSM")]
    Diagnostics,
    #[error("its master key is another one")]
    OtherLmk,
}

/// Says that a connection is down, also when its task ends in the middle of it.
struct Open<'a>(&'a Shared, usize);

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.close(self.1);
    }
}

/// Keeps one connection up for as long as the pool lives.
pub(super) async fn keep_up(shared: Arc<Shared>, slot: usize) {
    let mut failures = 0;
    loop {
        let open = Open(&shared, slot);
        let mut was_usable = false;
        let lost = live(&shared, slot, &mut was_usable).await;
        drop(open);
        warn!(event = "hsm-connection-lost", hsm = shared.address(slot), connection = slot, reason = %lost);
        if matches!(lost, Lost::Missing) {
            // It was there until now, and comes to this by many late calls only: no reason to wait.
            failures = 0;
            continue;
        }
        failures = if was_usable { 1 } else { failures + 1 };
        sleep(pause(shared.setup.back_off, shared.setup.back_off_most, failures - 1)).await;
    }
}

/// The pause before an attempt. Without chance from the system it is merely less even.
fn pause(first: Duration, most: Duration, doublings: u32) -> Duration {
    let mut random = [0; 4];
    let _ = getrandom::fill(&mut random);
    back_off(first, most, doublings, u32::from_be_bytes(random))
}

/// One connection, from the attempt to its end.
async fn live(shared: &Arc<Shared>, slot: usize, usable: &mut bool) -> Lost {
    let within = shared.setup.connect_within;
    let stream = match timeout(within, TcpStream::connect(shared.address(slot))).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return error.into(),
        Err(_) => return Lost::ConnectTimeout,
    };
    // Commands are small and wait for each other's answers.
    if let Err(error) = stream.set_nodelay(true) {
        return error.into();
    }
    match &shared.setup.tls {
        None => converse(shared, slot, stream, usable).await,
        Some(tls) => {
            let connector = TlsConnector::from(Arc::clone(&tls.config));
            match timeout(within, connector.connect(tls.name.clone(), stream)).await {
                Ok(Ok(stream)) => converse(shared, slot, stream, usable).await,
                Ok(Err(error)) => error.into(),
                Err(_) => Lost::ConnectTimeout,
            }
        }
    }
}

async fn converse<S>(shared: &Arc<Shared>, slot: usize, stream: S, usable: &mut bool) -> Lost
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    shared.connected(slot);
    let heard = Notify::new();
    let (reader, writer) = tokio::io::split(stream);
    tokio::select! {
        lost = read(shared, slot, reader, &heard) => lost,
        lost = write(shared, slot, writer) => lost,
        lost = watch(shared, slot, &heard, usable) => lost,
    }
}

async fn read<R: AsyncRead + Unpin>(shared: &Shared, slot: usize, mut reader: R, heard: &Notify) -> Lost {
    let mut deframer = Deframer::new(shared.setup.header);
    let mut buffer = Zeroizing::new(vec![0; READ_MOST]);
    loop {
        let count = match reader.read(&mut buffer).await {
            Ok(0) => return Lost::Closed,
            Ok(count) => count,
            Err(error) => return error.into(),
        };
        let mut input = buffer.get(..count).unwrap_or_default();
        loop {
            match deframer.next(&mut input) {
                Ok(Some(frame)) => {
                    if !shared.arrived(slot, frame) {
                        return Lost::Unmatched;
                    }
                    heard.notify_one();
                }
                Ok(None) => break,
                Err(fault) => return fault.into(),
            }
        }
        buffer.get_mut(..count).unwrap_or_default().zeroize();
    }
}

async fn write<W: AsyncWrite + Unpin>(shared: &Shared, slot: usize, mut writer: W) -> Lost {
    let Some(wake) = shared.write.get(slot) else { return Lost::Closed };
    loop {
        let mut written = false;
        while let Some(frame) = shared.take(slot) {
            if let Err(error) = writer.write_all(&frame).await {
                return error.into();
            }
            written = true;
        }
        if written && let Err(error) = writer.flush().await {
            return error.into();
        }
        wake.notified().await;
    }
}

/// Asks who is there before anything else, then whenever it is silent or out, and ends it when it is
/// not to be trusted.
async fn watch(shared: &Shared, slot: usize, heard: &Notify, usable: &mut bool) -> Lost {
    if let Err(lost) = probe(shared, slot, shared.setup.connect_within).await {
        return lost;
    }
    *usable = true;
    shared.open(slot);
    info!(event = "hsm-connected", hsm = shared.address(slot), connection = slot);
    let Some(look) = shared.look.get(slot) else { return Lost::Closed };
    let mut silent = Instant::now() + shared.setup.probe_after;
    let mut census = tokio::time::interval(shared.setup.missing_after / 4);
    loop {
        let watched = shared.watched(slot);
        if watched.distrusted {
            return Lost::Distrusted;
        }
        if watched.has_drained {
            shared.count(|stats| stats.retired += 1);
            return Lost::Missing;
        }
        let drained = watched.drained_in.unwrap_or(shared.setup.missing_after);
        let due = watched.probe_in.map_or(silent, |wait| Instant::now() + wait);
        tokio::select! {
            () = look.notified() => {}
            () = heard.notified() => silent = Instant::now() + shared.setup.probe_after,
            _ = census.tick() => shared.look_for_missing(slot),
            () = sleep(drained), if watched.drained_in.is_some() => {}
            () = tokio::time::sleep_until(due) => {
                if let Err(lost) = probe(shared, slot, shared.setup.probe_within).await {
                    return lost;
                }
                silent = Instant::now() + shared.setup.probe_after;
                if watched.probe_in.is_some() {
                    info!(event = "hsm-breaker-closed", hsm = shared.address(slot), connection = slot);
                }
                shared.probed(slot);
            }
        }
    }
}

/// Asks for diagnostics: is it an HSM, does it write headers of this length, is it the right one.
async fn probe(shared: &Shared, slot: usize, within: Duration) -> Result<(), Lost> {
    // Not the tail: which master key is meant is no question to the diagnostics.
    let body = command::write(&Diagnostics, &Tail::default());
    let (place, answer) = shared.send_on(slot, &body).ok_or(Lost::Silent)?;
    let Ok(outcome) = timeout(within, answer).await else {
        shared.abandon(place);
        return Err(Lost::Silent);
    };
    let body = outcome.ok().and_then(Result::ok).ok_or(Lost::Closed)?;
    let Ok(Ok(diagnostics)) = command::read_answer(&Diagnostics, &body) else { return Err(Lost::Diagnostics) };
    let expected = shared.setup.lmk_check.as_ref();
    if expected.is_some_and(|expected| !expected.eq_ignore_ascii_case(&diagnostics.lmk_check)) {
        return Err(Lost::OtherLmk);
    }
    Ok(())
}
