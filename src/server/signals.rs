//! `SIGTERM` and `SIGINT`: the first drains, the second forces. `SIGHUP`: the lists are read again.

use super::clock::SystemClock;
use super::reload::Reload;
use super::worker::Stopper;
use crate::model::Clock;
use std::io;
use std::sync::Arc;
use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for the two signals from now on, on a thread of its own.
///
/// # Errors
/// The handlers cannot be installed.
pub fn stop_on_signals(stopper: Stopper) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut signals = {
        let _inside = runtime.enter();
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)
    };
    let listen = async move {
        any(&mut signals).await;
        tracing::info!(event = "drain", "stopping: what is in flight is answered; a second signal forces");
        stopper.drain();
        any(&mut signals).await;
        tracing::warn!(event = "force", "stopping at once");
        stopper.force();
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || runtime.block_on(listen))?;
    Ok(())
}

/// Reads the lists again at each `SIGHUP` from now on, and when the time of a row has come, on a thread of its own:
/// until then that signal would end the process.
///
/// # Errors
/// The handler cannot be installed.
pub fn reload_on_hangup(reload: Arc<Reload>) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let mut hangup = {
        let _inside = runtime.enter();
        signal(SignalKind::hangup())?
    };
    let listen = async move {
        let clock = SystemClock::start();
        loop {
            tokio::select! {
                hung_up = hangup.recv() => match hung_up {
                    Some(()) => reload.run_and_say().await,
                    None => break,
                },
                () = reload.rest(&clock) => reload.run_if_due_and_say(clock.wall()).await,
            }
        }
    };
    std::thread::Builder::new().name("reload".to_owned()).spawn(move || runtime.block_on(listen))?;
    Ok(())
}

async fn any((terminate, interrupt): &mut (Signal, Signal)) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
