//! A bad wire: a TCP proxy that delays, splits and resets.

use crate::model::SplitMix64;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// Bytes on their way in one direction; more are not read until these have arrived.
const UNDER_WAY: usize = 256;

/// What the wire does.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Impair {
    /// As it was written.
    pub text: String,
    delay: Duration,
    jitter: Duration,
    /// What is sent goes in pieces of so many bytes; 0: as it came.
    split: usize,
    /// Of a million pieces read, how many break the connection.
    resets: u64,
}

impl Impair {
    /// Reads `delay=20ms,jitter=5ms,split=7,reset=0.1%`.
    ///
    /// # Errors
    /// What is not understood, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut impair = Self { text: text.to_owned(), ..Self::default() };
        for part in text.split(',') {
            let (name, value) =
                part.trim().split_once('=').ok_or("is written as delay=20ms,jitter=5ms,split=7,reset=0.1%")?;
            match name {
                "delay" => impair.delay = millis(value)?,
                "jitter" => impair.jitter = millis(value)?,
                "split" => impair.split = value.parse().map_err(|_| "split: a number of bytes")?,
                "reset" => {
                    let percent: Option<f64> = value.strip_suffix('%').and_then(|number| number.parse().ok());
                    let percent =
                        percent.filter(|percent| (0.0..=100.0).contains(percent)).ok_or("reset: 0% to 100%")?;
                    impair.resets = (percent * 1e4) as u64;
                }
                _ => return Err(format!("there is no `{name}`: delay, jitter, split, reset")),
            }
        }
        Ok(impair)
    }
}

fn millis(text: &str) -> Result<Duration, String> {
    let number: Option<f64> = text.strip_suffix("ms").and_then(|number| number.parse().ok());
    let number = number.filter(|number| (0.0..=60_000.0).contains(number));
    number.map(|number| Duration::from_secs_f64(number / 1e3)).ok_or_else(|| "a time is written as 20ms".to_owned())
}

/// A proxy that runs until it is dropped.
pub struct Proxy {
    /// Where it listens, on loopback.
    pub address: SocketAddr,
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Proxy {
    /// Starts one in front of `target`, `host:port`, on a thread of its own.
    ///
    /// # Errors
    /// No socket, no thread.
    pub fn start(impair: Impair, target: String, seed: u64) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
        let (address, stop) = (listener.local_addr()?, CancellationToken::new());
        let stopped = stop.clone();
        let body = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = serve(listener, impair, target, seed) => {}
                    () = stopped.cancelled() => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("bad-wire".to_owned()).spawn(body)?;
        Ok(Self { address, stop, thread: Some(thread) })
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(thread) = self.thread.take() {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, impair: Impair, target: String, seed: u64) {
    let mut chance = SplitMix64::new(seed);
    // A listener that fails once (no descriptor left) may do again.
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (impair, target) = (impair.clone(), target.clone());
        let chances = [SplitMix64::new(chance.draw()), SplitMix64::new(chance.draw())];
        tokio::spawn(async move {
            // What cannot be reached is closed, as the target itself would be.
            let Ok(other) = TcpStream::connect(&target).await else { return };
            let _ = (stream.set_nodelay(true), other.set_nodelay(true));
            relay(stream, other, &impair, chances).await;
        });
    }
}

async fn relay(near: TcpStream, far: TcpStream, impair: &Impair, [out, back]: [SplitMix64; 2]) {
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    // The end of one direction ends both: dropped halves close.
    let _broken = tokio::select! {
        ended = pump(near_read, far_write, impair, out) => ended,
        ended = pump(far_read, near_write, impair, back) => ended,
    };
}

/// Carries bytes one way, each piece in its time.
async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    impair: &Impair,
    mut chance: SplitMix64,
) -> io::Result<()> {
    let mut under_way: VecDeque<(Instant, Vec<u8>)> = VecDeque::new();
    let mut buffer = vec![0; 16 * 1024];
    let mut last = Instant::now();
    loop {
        let first = under_way.front().map(|(at, _)| *at);
        tokio::select! {
            read = from.read(&mut buffer), if under_way.len() < UNDER_WAY => {
                let read = read?;
                if read == 0 || chance.draw() % 1_000_000 < impair.resets {
                    return Ok(());
                }
                let jitter = impair.jitter.mul_f64((chance.draw() % 1_000) as f64 / 1e3);
                // Later bytes never overtake earlier ones.
                last = last.max(Instant::now() + impair.delay + jitter);
                under_way.push_back((last, buffer.get(..read).unwrap_or_default().to_vec()));
            }
            () = sleep_until(first.unwrap_or(last)), if first.is_some() => {
                let Some((_, bytes)) = under_way.pop_front() else { continue };
                let size = if impair.split == 0 { bytes.len() } else { impair.split };
                for piece in bytes.chunks(size.max(1)) {
                    to.write_all(piece).await?;
                    if impair.split > 0 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    fn through(text: &str, bytes: &[u8]) -> (Duration, io::Result<Vec<u8>>) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let target = listener.local_addr().unwrap().to_string();
        let echo = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            while let Ok(read) = stream.read(&mut buffer) {
                if read == 0 || stream.write_all(&buffer[..read]).is_err() {
                    return;
                }
            }
        });
        let proxy = Proxy::start(Impair::parse(text).unwrap(), target, 1).unwrap();
        let mut stream = std::net::TcpStream::connect(proxy.address).unwrap();
        let began = std::time::Instant::now();
        stream.write_all(bytes).unwrap();
        let mut came = vec![0; bytes.len()];
        let read = stream.read_exact(&mut came).map(|()| came);
        let took = began.elapsed();
        drop((stream, proxy));
        echo.join().unwrap();
        (took, read)
    }

    #[test]
    fn bytes_arrive_whole_in_order_and_late() {
        let bytes: Vec<u8> = (0..=255).cycle().take(3_000).collect();
        let (took, came) = through("delay=30ms,jitter=5ms,split=7", &bytes);
        assert_eq!(came.unwrap(), bytes);
        assert!(took >= Duration::from_millis(60), "there and back: {took:?}");
    }

    #[test]
    fn a_wire_that_always_breaks_carries_nothing() {
        assert!(through("reset=100%", b"anything").1.is_err());
    }

    #[test]
    fn what_is_no_bad_wire_is_refused_in_words() {
        for text in ["", "delay", "delay=5", "split=x", "reset=5", "reset=101%", "loss=1%"] {
            assert!(Impair::parse(text).is_err(), "{text}");
        }
    }
}
