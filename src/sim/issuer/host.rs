//! The sockets of a mock issuer: a listener, and per connection a reader and a writer.

use super::bank::Act;
use super::bank::Bank;
use super::bank::Effect;
use crate::channel::Deframer;
use crate::hsm::Hsm;
use crate::hsm::KeyUsage;
use crate::model::Timestamp;
use bytes::Bytes;
use bytes::BytesMut;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use std::time::SystemTime;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::mpsc;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Connections at once; more are closed on arrival.
const CONNECTIONS: usize = 256;
/// Answers of one connection that wait for their time or for the socket; more are dropped.
const ANSWERS: usize = 4_096;
/// New zone keys that are asked for and not made yet; more are not made.
const ASKED: usize = 16;
/// Between two bytes of an answer that comes one byte at a time.
const BETWEEN_BYTES: Duration = Duration::from_millis(2);

/// Serves connections until it is dropped or accepting fails for good.
///
/// # Errors
/// Those of accepting.
pub async fn serve<H: Hsm>(listener: TcpListener, bank: Arc<Bank<H>>) -> io::Result<()> {
    let mut none = mpsc::channel(1).1;
    serve_and_offer(listener, bank, &mut none).await
}

/// The same; each usage that is asked for is that of a zone key which the station is given, over any connection.
async fn serve_and_offer<H: Hsm>(
    listener: TcpListener,
    bank: Arc<Bank<H>>,
    asked: &mut mpsc::Receiver<KeyUsage>,
) -> io::Result<()> {
    let mut connections = JoinSet::new();
    let mut writers: Vec<mpsc::WeakSender<Act>> = Vec::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted?,
            Some(usage) = asked.recv() => {
                offer(&bank, usage, &writers).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        writers.retain(|writer| writer.upgrade().is_some());
        if connections.len() < CONNECTIONS {
            let (sender, acts) = mpsc::channel(ANSWERS);
            writers.push(sender.downgrade());
            connections.spawn(connection(accepted.0, Arc::clone(&bank), (sender, acts)));
        }
    }
}

/// Gives the station a new zone key over the newest connection. If there is none, the next try sends the same key.
async fn offer<H: Hsm>(bank: &Bank<H>, usage: KeyUsage, writers: &[mpsc::WeakSender<Act>]) {
    let Some(writer) = writers.iter().rev().find_map(mpsc::WeakSender::upgrade) else { return };
    if let Some(unit) = bank.offer_key(usage, now()).await {
        let _ = writer.try_send(Act::Send(unit));
    }
}

async fn connection<H: Hsm>(
    stream: TcpStream,
    bank: Arc<Bank<H>>,
    (sender, acts): (mpsc::Sender<Act>, mpsc::Receiver<Act>),
) {
    // Small answers must not wait for each other; without it they are merely slower.
    let _ = stream.set_nodelay(true);
    let (reader, writer) = stream.into_split();
    tokio::select! {
        () = read(reader, bank, sender) => {}
        () = write(writer, acts) => {}
    }
}

async fn read<H: Hsm>(mut reader: OwnedReadHalf, bank: Arc<Bank<H>>, sender: mpsc::Sender<Act>) {
    let mut deframer = Deframer::new(bank.setup().profile.framing);
    let mut buffer = BytesMut::with_capacity(16 * 1024);
    let mut delayed = JoinSet::new();
    while matches!(reader.read_buf(&mut buffer).await, Ok(bytes) if bytes > 0) {
        deframer.push(&buffer);
        buffer.clear();
        while let Ok(next) = deframer.next() {
            let Some(unit) = next else { break };
            if !unit.is_empty() {
                let effects = bank.handle(unit, now()).await;
                effects.into_iter().for_each(|effect| perform(effect, &sender, &mut delayed));
            }
        }
        while delayed.try_join_next().is_some() {}
    }
}

/// Hands an act to the writer, now or in time.
fn perform(effect: Effect, sender: &mpsc::Sender<Act>, delayed: &mut JoinSet<()>) {
    if effect.after.is_zero() {
        // A connection that does not read its answers does not get them.
        let _ = sender.try_send(effect.act);
    } else if delayed.len() < ANSWERS {
        let sender = sender.clone();
        delayed.spawn(async move {
            tokio::time::sleep(effect.after).await;
            let _ = sender.send(effect.act).await;
        });
    }
}

async fn write(mut writer: OwnedWriteHalf, mut acts: mpsc::Receiver<Act>) {
    while let Some(act) = acts.recv().await {
        let written = match act {
            Act::Send(bytes) => writer.write_all(&bytes).await,
            Act::Trickle(bytes) => trickle(&mut writer, &bytes).await,
            Act::SendAndClose(bytes) => {
                let _ = writer.write_all(&bytes).await;
                return;
            }
        };
        if written.is_err() {
            return;
        }
    }
}

async fn trickle(writer: &mut OwnedWriteHalf, bytes: &Bytes) -> io::Result<()> {
    for byte in bytes {
        writer.write_all(&[*byte]).await?;
        tokio::time::sleep(BETWEEN_BYTES).await;
    }
    Ok(())
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or_default())
}

/// A mock issuer on a thread of its own. Dropping it closes its listener and its connections; the
/// bank, with its books, stays with whoever shares it.
pub struct IssuerThread {
    address: SocketAddr,
    keys: mpsc::Sender<KeyUsage>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl IssuerThread {
    /// Listens on `address` (port 0 takes a free one) and serves `bank`.
    ///
    /// # Errors
    /// The address is in use or not ours, or the system gives no thread.
    pub fn start<H: Hsm>(bank: Arc<Bank<H>>, address: SocketAddr) -> io::Result<Self> {
        let socket = std::net::TcpListener::bind(address)?;
        socket.set_nonblocking(true)?;
        let address = socket.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let (keys, mut asked) = mpsc::channel(ASKED);
        let name = format!("issuer {}", bank.setup().name);
        let thread = thread::Builder::new().name(name).spawn(move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(socket) else { return };
                tokio::select! {
                    _ = stopped => {}
                    _ = serve_and_offer(listener, bank, &mut asked) => {}
                }
            });
        })?;
        Ok(Self { address, keys, stop: Some(stop), thread: Some(thread) })
    }

    /// Has it give the station a new zone key of this usage, if it has a connection and a key to exchange it under.
    pub fn offer_key(&self, usage: KeyUsage) {
        // Where many are asked for already, one more is nothing new.
        let _ = self.keys.try_send(usage);
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for IssuerThread {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so itself.
            let _ = thread.join();
        }
    }
}
