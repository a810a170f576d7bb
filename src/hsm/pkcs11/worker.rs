//! Threads that hold a session each: the library blocks, and its sessions are for one thread only.

use super::Pkcs11Fault;
use super::Pkcs11Setup;
use super::context::alone;
use super::context::era;
use super::context::initialize_again;
use super::context::open_session;
use super::token::Token;
use crate::hsm::Ctx;
use crate::hsm::HsmError;
use cryptoki::types::AuthPin;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::RecvTimeoutError;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::sync::mpsc::sync_channel;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// How long the last user of the workers waits for them to end. A library whose threads still run when
/// the process ends takes the process down with it, but one that never returns must not hold it up.
const LEAVE: Duration = Duration::from_secs(5);

/// Without a job finished for so long, while a caller could not wait, a token is hung.
const HUNG: Duration = Duration::from_secs(1);

/// Something to do with a session.
type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// One worker's session. It is opened again when the token went away and came back.
pub(super) struct Desk {
    setup: Arc<Pkcs11Setup>,
    token: Option<Token>,
    /// When its session was opened: see [`era`].
    era: u64,
}

impl Desk {
    fn new(setup: Arc<Pkcs11Setup>) -> Result<Self, Pkcs11Fault> {
        let mut desk = Self { setup, token: None, era: era() };
        desk.token()?;
        Ok(desk)
    }

    fn token(&mut self) -> Result<&mut Token, Pkcs11Fault> {
        if self.era != era() {
            self.close();
        }
        if self.token.is_none() {
            self.era = era();
            let pin = AuthPin::from(self.setup.pin.to_string());
            let session = open_session(&self.setup.library, &self.setup.token, &pin)?;
            self.token = Some(Token::new(session));
        }
        self.token.as_mut().ok_or(Pkcs11Fault::Gone)
    }

    /// Runs `what`; a session that is gone is given up. A key that is another object than when it was met, for somebody
    /// made it anew, is looked up once more.
    fn run<T>(&mut self, what: impl Fn(&mut Token) -> Result<T, Pkcs11Fault>) -> Result<T, Pkcs11Fault> {
        let mut done = self.token().and_then(&what);
        if let (Err(Pkcs11Fault::Moved(name)), Some(token)) = (&done, &mut self.token) {
            token.forget(name);
            done = what(token);
        }
        match &done {
            Err(Pkcs11Fault::Gone) => self.close(),
            Err(Pkcs11Fault::Uninitialized) => {
                self.close();
                initialize_again(self.era);
            }
            _ => {}
        }
        done
    }

    fn close(&mut self) {
        let _alone = alone();
        let token = self.token.take();
        if self.era != era() {
            // Closing it would close whatever session has its number now.
            std::mem::forget(token);
        }
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        self.close();
    }
}

/// The workers. Dropping them ends the threads once their last job is done, and waits for that, though
/// not for ever. The order of the fields is the order of the two.
pub(super) struct Workers {
    jobs: SyncSender<Job>,
    hung: Arc<Hung>,
    _threads: Threads,
}

/// Whether the token answers nobody any more: then a call fails at once instead of waiting its whole time.
struct Hung {
    workers: usize,
    standing: Mutex<Standing>,
}

#[derive(Default)]
struct Standing {
    /// Jobs that were handed over and are not finished.
    unfinished: usize,
    /// When the first of the calls ran late since a worker last finished a job.
    late_since: Option<Instant>,
}

impl Hung {
    fn new(workers: usize) -> Self {
        Self { workers, standing: Mutex::default() }
    }

    /// So it is if every worker has a job, and none finished one for long though somebody could not wait any more.
    /// Many calls that are late in a moment are a busy token, no hung one.
    fn is_so(&self, now: Instant) -> bool {
        let standing = self.standing.lock();
        let late = standing.late_since.is_some_and(|since| now.saturating_duration_since(since) >= HUNG);
        late && standing.unfinished >= self.workers
    }

    fn begins(&self) {
        let mut standing = self.standing.lock();
        if standing.unfinished == 0 {
            standing.late_since = None;
        }
        standing.unfinished += 1;
    }

    /// A caller gave up. Its job is finished some time, or the token is hung for good.
    fn late(&self, now: Instant) {
        self.standing.lock().late_since.get_or_insert(now);
    }

    /// There was no room for a job.
    fn never_began(&self) {
        let mut standing = self.standing.lock();
        standing.unfinished = standing.unfinished.saturating_sub(1);
    }

    /// A worker finished a job, in time or not.
    fn ends(&self) {
        self.never_began();
        self.standing.lock().late_since = None;
    }
}

/// Threads, and a channel that is disconnected when the last of them has closed its session.
struct Threads {
    handles: Vec<JoinHandle<()>>,
    ended: Mutex<Receiver<()>>,
}

impl Drop for Threads {
    fn drop(&mut self) {
        if self.ended.get_mut().recv_timeout(LEAVE) == Err(RecvTimeoutError::Disconnected) {
            self.handles.drain(..).for_each(|handle| drop(handle.join()));
        }
    }
}

impl Workers {
    /// Starts as many threads as the setup says, each with an open session.
    pub(super) fn start(setup: &Arc<Pkcs11Setup>) -> Result<Self, Pkcs11Fault> {
        let (jobs, waiting) = sync_channel::<Job>(setup.queue.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        let desks = (0..setup.workers.max(1)).map(|_| Desk::new(Arc::clone(setup)));
        let desks = desks.collect::<Result<Vec<_>, _>>()?;
        let (at_work, ended) = sync_channel(0);
        let mut threads = Threads { handles: Vec::new(), ended: Mutex::new(ended) };
        for desk in desks {
            let (waiting, at_work) = (Arc::clone(&waiting), at_work.clone());
            let thread = std::thread::Builder::new().name("pkcs11".into());
            let began = thread.spawn(move || work(desk, &waiting, at_work));
            threads.handles.push(began.map_err(|_| Pkcs11Fault::Thread)?);
        }
        let hung = Arc::new(Hung::new(setup.workers.max(1)));
        Ok(Self { jobs, hung, _threads: threads })
    }

    /// Asks a worker, and waits for it until the deadline. What it began it finishes nevertheless.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ctx: &Ctx,
        what: impl Fn(&mut Token) -> Result<T, Pkcs11Fault> + Send + 'static,
    ) -> Result<T, HsmError> {
        if self.hung.is_so(Instant::now()) {
            return Err(HsmError::Unavailable);
        }
        let (reply, answer) = oneshot::channel();
        let hung = Arc::clone(&self.hung);
        let job: Job = Box::new(move |desk| {
            // A caller that went away before its turn is not served.
            if !reply.is_closed() {
                let _ = reply.send(desk.run(what));
            }
            hung.ends();
        });
        self.hung.begins();
        self.jobs.try_send(job).map_err(|full| {
            self.hung.never_began();
            match full {
                TrySendError::Full(_) => HsmError::Busy,
                TrySendError::Disconnected(_) => HsmError::Unavailable,
            }
        })?;
        match timeout(ctx.within, answer).await {
            Ok(Ok(done)) => done.map_err(HsmError::from),
            Ok(Err(_)) => Err(HsmError::Unavailable),
            Err(_) => {
                self.hung.late(Instant::now());
                Err(HsmError::Timeout)
            }
        }
    }
}

/// Does jobs until nobody can send any more; then the session is closed before `_at_work` tells.
fn work(mut desk: Desk, waiting: &Mutex<Receiver<Job>>, _at_work: SyncSender<()>) {
    loop {
        // The lock is held while waiting: one worker waits for the next job, the others for the lock.
        let next = waiting.lock().recv();
        match next {
            Ok(job) => job(&mut desk),
            Err(_) => break,
        }
    }
    drop(desk);
}

#[cfg(test)]
mod tests {
    use super::HUNG;
    use super::Hung;
    use std::time::Instant;

    #[test]
    fn a_token_is_hung_when_all_its_workers_are_at_it_and_none_finishes() {
        let (hung, start) = (Hung::new(2), Instant::now());
        hung.begins();
        hung.late(start);
        assert!(!hung.is_so(start + 2 * HUNG), "the other worker is free");
        hung.begins();
        assert!(!hung.is_so(start + HUNG / 2), "it may be busy");
        hung.late(start + HUNG);
        assert!(hung.is_so(start + HUNG));
        hung.ends();
        hung.begins();
        assert!(!hung.is_so(start + 2 * HUNG), "who finishes something is not hung");
    }

    #[test]
    fn a_call_that_is_late_behind_the_last_job_shuts_nobody_out() {
        let (hung, start) = (Hung::new(1), Instant::now());
        hung.begins();
        hung.ends();
        hung.late(start);
        assert!(!hung.is_so(start + 2 * HUNG));
        hung.begins();
        assert!(!hung.is_so(start + 2 * HUNG), "the new one has its time");
    }
}
