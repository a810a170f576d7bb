//! Threads that hold a session each: the library blocks, and its sessions are for one thread only.

use super::Pkcs11Fault;
use super::Pkcs11Setup;
use super::context::open_session;
use super::token::Token;
use crate::hsm::Ctx;
use crate::hsm::HsmError;
use cryptoki::types::AuthPin;
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::sync::mpsc::SyncSender;
use std::sync::mpsc::TrySendError;
use std::sync::mpsc::sync_channel;
use tokio::sync::oneshot;
use tokio::time::timeout;

/// Something to do with a session.
type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// One worker's session. It is opened again when the token went away and came back.
pub(super) struct Desk {
    setup: Arc<Pkcs11Setup>,
    token: Option<Token>,
}

impl Desk {
    fn new(setup: Arc<Pkcs11Setup>) -> Result<Self, Pkcs11Fault> {
        let mut desk = Self { setup, token: None };
        desk.token()?;
        Ok(desk)
    }

    fn token(&mut self) -> Result<&mut Token, Pkcs11Fault> {
        if self.token.is_none() {
            let pin = AuthPin::from(self.setup.pin.to_string());
            let session = open_session(&self.setup.library, &self.setup.token, &pin)?;
            self.token = Some(Token::new(session));
        }
        self.token.as_mut().ok_or(Pkcs11Fault::Gone)
    }

    /// Runs `what`; a session that is gone is given up.
    fn run<T>(&mut self, what: impl FnOnce(&mut Token) -> Result<T, Pkcs11Fault>) -> Result<T, Pkcs11Fault> {
        let done = self.token().and_then(what);
        if matches!(done, Err(Pkcs11Fault::Gone)) {
            self.token = None;
        }
        done
    }
}

/// The workers. Dropping them ends the threads once their last job is done.
pub(super) struct Workers {
    jobs: SyncSender<Job>,
}

impl Workers {
    /// Starts as many threads as the setup says, each with an open session.
    pub(super) fn start(setup: &Arc<Pkcs11Setup>) -> Result<Self, Pkcs11Fault> {
        let (jobs, waiting) = sync_channel::<Job>(setup.queue.max(1));
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..setup.workers.max(1) {
            let desk = Desk::new(Arc::clone(setup))?;
            let waiting = Arc::clone(&waiting);
            let thread = std::thread::Builder::new().name("pkcs11".into());
            thread.spawn(move || work(desk, &waiting)).map_err(|_| Pkcs11Fault::Thread)?;
        }
        Ok(Self { jobs })
    }

    /// Asks a worker, and waits for it until the deadline. What it began it finishes nevertheless.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        ctx: &Ctx,
        what: impl FnOnce(&mut Token) -> Result<T, Pkcs11Fault> + Send + 'static,
    ) -> Result<T, HsmError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |desk| {
            // A caller that went away before its turn is not served.
            if !reply.is_closed() {
                let _ = reply.send(desk.run(what));
            }
        });
        self.jobs.try_send(job).map_err(|full| match full {
            TrySendError::Full(_) => HsmError::Busy,
            TrySendError::Disconnected(_) => HsmError::Unavailable,
        })?;
        match timeout(ctx.within, answer).await {
            Ok(Ok(done)) => done.map_err(HsmError::from),
            Ok(Err(_)) => Err(HsmError::Unavailable),
            Err(_) => Err(HsmError::Timeout),
        }
    }
}

/// Does jobs until nobody can send any more.
fn work(mut desk: Desk, waiting: &Mutex<Receiver<Job>>) {
    loop {
        // The lock is held while waiting: one worker waits for the next job, the others for the lock.
        let next = waiting.lock().recv();
        match next {
            Ok(job) => job(&mut desk),
            Err(_) => return,
        }
    }
}
