//! Wakes the fleet when a request is due. The runtime's own timer counts in milliseconds: too coarse to keep a
//! schedule, so where the system has a finer one that is used.

use super::fleet::Fleet;
use parking_lot::Mutex;
use std::sync::Arc;
use std::time::Duration;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(5);

/// Sends what is due when it is due, for as long as it is driven.
pub(super) async fn pace(fleet: Arc<Mutex<Fleet>>) -> std::io::Result<()> {
    let again = Arc::clone(&fleet.lock().pacer);
    let timer = Timer::new()?;
    loop {
        let wait = {
            let mut fleet = fleet.lock();
            let now = fleet.now();
            let next = fleet.pace(now);
            next.map(|due| Duration::from_nanos(due.saturating_sub(fleet.now())))
        };
        match wait {
            Some(wait) if wait.is_zero() => tokio::task::yield_now().await,
            Some(wait) => tokio::select! {
                slept = timer.sleep(wait) => slept?,
                () = again.notified() => {}
            },
            None => again.notified().await,
        }
    }
}

/// Looks at deadlines, for as long as it is driven.
pub(super) async fn tick(fleet: Arc<Mutex<Fleet>>) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let mut fleet = fleet.lock();
        let now = fleet.now();
        fleet.tick(now);
    }
}

#[cfg(target_os = "linux")]
struct Timer(tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
    #[expect(deprecated, reason = "unsound only for a descriptor that others may close: ours is owned")]
    fn new() -> std::io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(tokio::io::unix::AsyncFd::new(timer)?))
    }

    async fn sleep(&self, wait: Duration) -> std::io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let once = Timespec { tv_sec: 0, tv_nsec: 0 };
        let wait = Timespec {
            tv_sec: wait.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: i64::from(wait.subsec_nanos()).max(1) as _,
        };
        timerfd_settime(
            self.0.get_ref(),
            TimerfdTimerFlags::empty(),
            &Itimerspec { it_interval: once, it_value: wait },
        )?;
        loop {
            let mut ready = self.0.readable().await?;
            let expired = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0; 8])?));
            match expired {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                // It was armed anew since it was last seen.
                Err(_) => {}
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn sleep(&self, wait: Duration) -> std::io::Result<()> {
        tokio::time::sleep(wait).await;
        Ok(())
    }
}
