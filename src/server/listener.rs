//! Accepting: who may come in, the TLS handshake, then the session.

use super::crash::CrashOnPanic;
use super::door::Door;
use super::meter::NotIn;
use super::seats::{Seat, Seats};
use super::serve::{Peer, Serve};
use super::session::{House, Session, refuse};
use sha2::{Digest, Sha256};
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;

/// The first pause after the machine ran out of file descriptors or memory; doubles up to [`LONGEST`].
const PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
const LONGEST: Duration = Duration::from_secs(1);

/// One door of one worker.
pub(super) struct Listener<H: Serve> {
    pub(super) socket: TcpListener,
    pub(super) door: Arc<Door>,
    pub(super) house: Arc<House<H>>,
    pub(super) seats: Arc<Seats>,
    pub(super) tasks: TaskTracker,
}

impl<H: Serve> Listener<H> {
    /// Accepts until the house stops.
    pub(super) async fn run(self) {
        let _crash = CrashOnPanic;
        let mut pause = PAUSE;
        loop {
            let accepted = tokio::select! {
                biased;
                () = self.house.stop.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            match accepted {
                Ok((stream, address)) => {
                    pause = PAUSE;
                    self.admit(stream, address);
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let door = &*self.door.name;
                    tracing::error!(event = "accept", door, %error, pause_ms = pause.as_millis(), "cannot accept");
                    tokio::time::sleep(pause).await;
                    pause = LONGEST.min(pause * 2);
                }
            }
        }
    }

    fn turned_away(&self, why: NotIn) {
        if let Some(meter) = self.house.handler.meter(&self.door) {
            meter.refuse(why);
        }
    }

    fn admit(&self, stream: TcpStream, address: SocketAddr) {
        let peer = Peer { address, certificate: None };
        if !self.door.admits(address.ip()) {
            self.turned_away(NotIn::Address);
            return refuse(&self.door, &peer, "the address is not admitted");
        }
        let seat = match self.seats.take(address.ip()) {
            Ok(seat) => seat,
            Err(full) => {
                self.turned_away(NotIn::Full);
                return refuse(&self.door, &peer, full);
            }
        };
        // Answers are small and awaited; a socket that cannot be told so is gone already.
        if stream.set_nodelay(true).is_err() {
            return;
        }
        let (house, door) = (Arc::clone(&self.house), Arc::clone(&self.door));
        match &self.door.tls {
            None => self.tasks.spawn(plain(stream, house, door, peer, seat)),
            Some(tls) => {
                let acceptor = TlsAcceptor::from(Arc::clone(tls));
                let seats = Arc::clone(&self.seats);
                self.tasks.spawn(enciphered(stream, acceptor, seats, house, door, peer, seat))
            }
        };
    }
}

async fn plain<H: Serve>(stream: TcpStream, house: Arc<House<H>>, door: Arc<Door>, peer: Peer, seat: Seat) {
    let _crash = CrashOnPanic;
    let mut session = Session::new(stream, house, door, peer);
    poll_fn(|cx| session.poll(cx)).await;
    drop((session, seat));
}

async fn enciphered<H: Serve>(
    stream: TcpStream,
    acceptor: TlsAcceptor,
    seats: Arc<Seats>,
    house: Arc<House<H>>,
    door: Arc<Door>,
    mut peer: Peer,
    seat: Seat,
) {
    let _crash = CrashOnPanic;
    let turned_away = |why: NotIn| house.handler.meter(&door).iter().for_each(|meter| meter.refuse(why));
    let Some(permit) = seats.handshake() else {
        turned_away(NotIn::Full);
        return refuse(&door, &peer, "too many TLS handshakes");
    };
    // Boxed: an established session has no need of the room a handshake takes.
    let handshake = Box::pin(timeout(house.ceilings.handshake, acceptor.accept(stream)));
    let stream = match handshake.await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            turned_away(NotIn::Tls);
            return refuse(&door, &peer, &format!("TLS handshake: {error}"));
        }
        Err(_) => {
            turned_away(NotIn::Tls);
            return refuse(&door, &peer, "TLS handshake: took too long");
        }
    };
    drop(permit);
    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
    peer.certificate = shown.map(|certificate| Sha256::digest(certificate).into());
    let mut session = Session::new(stream, house, door, peer);
    poll_fn(|cx| session.poll(cx)).await;
    drop((session, seat));
}

/// Faults of the connection that was to be accepted, not of the listener.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::ConnectionAborted | Kind::ConnectionReset | Kind::Interrupted | Kind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Frame;
    use crate::channel::builtin;
    use crate::server::config::Ceilings;
    use crate::server::serve::Reading;
    use crate::server::tap::Tap;
    use bytes::Bytes;
    use tokio_util::sync::CancellationToken;

    struct Nobody;

    impl Serve for Nobody {
        type Parsed = Frame;

        fn read(&self, _: &Door, _: &Peer, _: Frame) -> Reading<Frame> {
            Reading::Close(String::new())
        }

        async fn answer(&self, _: &Door, _: &Peer, _: Frame) -> Option<Bytes> {
            // A flow is large; an idle session must not pay for it.
            let room = [0u8; 20_000];
            std::future::ready(()).await;
            Some(Bytes::copy_from_slice(&room))
        }

        fn overloaded(&self, _: &Door, _: &Peer, _: Frame) -> Option<Bytes> {
            None
        }
    }

    /// The task of a session is allocated once at this size; with the timer, the place in the drain list
    /// and the table of lanes, which are boxed, an idle plain session stays well below 2 KiB.
    #[tokio::test]
    async fn an_idle_session_is_small_whatever_its_flows_need() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let profile = builtin::profile("pos").unwrap();
        let door = Door { name: "pos".into(), listen: address, profile, allow: Vec::new(), tls: None };
        let (handler, ceilings) = (Arc::new(Nobody), Ceilings::default());
        let house = Arc::new(House { handler, ceilings, tap: Tap::new(), stop: CancellationToken::new() });
        let seats = Seats::new(ceilings);
        let stream = TcpStream::connect(address).await.unwrap();
        let (peer, seat) = (Peer { address, certificate: None }, seats.take(address.ip()).ok().unwrap());
        let task = plain(stream, house, Arc::new(door), peer, seat);
        assert!(size_of_val(&task) <= 1024, "{} bytes", size_of_val(&task));
        assert!(size_of::<Session<TcpStream, Nobody>>() <= 640, "{} bytes", size_of::<Session<TcpStream, Nobody>>());
    }
}
