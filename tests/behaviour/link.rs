//! The link to an issuer, against a peer that does what the test says.

use crate::switch_side::Ask;
use crate::switch_side::SwitchSide;
use crate::switch_side::demo_bank;
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio::time::timeout;
use tollgate::channel::CorrelationKey;
use tollgate::channel::Received;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::link::IssuerLink;
use tollgate::link::LinkReply;
use tollgate::link::StanSpace;
use tollgate::link::tcp::LinkStats;
use tollgate::link::tcp::TcpLink;
use tollgate::link::tcp::TcpLinkSetup;
use tollgate::model::IssuerName;
use tollgate::model::Kind;
use tollgate::model::Stan;
use tollgate::model::Timestamp;
use tollgate::sim::issuer::IssuerThread;

/// Longer than anything here takes; a test that needs it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// A peer at the other end of the link.
struct Peer {
    listener: TcpListener,
    side: SwitchSide,
}

/// One connection of the peer's.
struct Line<'a> {
    stream: TcpStream,
    side: &'a SwitchSide,
    received: Vec<u8>,
    taken: usize,
}

impl Peer {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        Self { listener, side: SwitchSide::new("bank-a") }
    }

    fn setup(&self) -> TcpLinkSetup {
        let address = self.listener.local_addr().unwrap().to_string();
        setup(&self.side, address)
    }

    async fn accept(&self) -> Line<'_> {
        let (stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        Line { stream, side: &self.side, received: Vec::new(), taken: 0 }
    }
}

impl Line<'_> {
    /// The next message of the switch.
    async fn next(&mut self) -> Message {
        loop {
            if let Some(unit) = self.side.units(&self.received).get(self.taken) {
                self.taken += 1;
                return self.side.read(unit);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.received)).await.unwrap().unwrap();
            assert!(read > 0, "the link closed the connection");
        }
    }

    /// Answers a request as an approval, with another STAN if the test wants.
    async fn answer(&mut self, request: &Message, stan: Option<&[u8]>) {
        let whole = reply(self.side, request, stan);
        self.send(&whole).await;
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// Waits until the link has closed its end.
    async fn closed(&mut self) {
        let mut rest = Vec::new();
        // A reset is a way to close too.
        let _ = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.unwrap();
    }
}

fn reply(side: &SwitchSide, request: &Message, stan: Option<&[u8]>) -> Bytes {
    let dialect = request.dialect();
    let mti = request.mti().unwrap().response();
    let mut builder = dialect.build(mti);
    for de in dialect.echo(mti) {
        builder.copy(*de, request).unwrap();
    }
    builder.role(Role::ResponseCode, b"00").unwrap();
    if let Some(stan) = stan {
        builder.role(Role::Stan, stan).unwrap();
    }
    side.profile.enclose(&side.sign(builder), None).unwrap()
}

fn setup(side: &SwitchSide, address: String) -> TcpLinkSetup {
    let stans = Arc::new(StanSpace::starting_at(Stan::FIRST));
    let mut setup = TcpLinkSetup::new(IssuerName::parse("bank-a").unwrap(), address, side.profile.clone(), stans);
    setup.back_off = Duration::from_millis(1);
    setup
}

fn sale(side: &SwitchSide, stan: u32) -> (CorrelationKey, Bytes) {
    let pan = "6225000000000253";
    let ask = Ask { kind: Kind::Sale, stan, minor: 100, pan, expiry: "3012", pin: None };
    let unit = side.sign(side.compose(ask));
    let key = side.profile.correlation_key(&side.read(&unit)).unwrap();
    (key, side.profile.enclose(&unit, None).unwrap())
}

fn stan_of(reply: &LinkReply<Received>) -> Option<String> {
    match reply {
        LinkReply::Answer(received) => Some(received.message.role(Role::Stan)?.as_str()?.to_owned()),
        _ => None,
    }
}

async fn request(link: &TcpLink, side: &SwitchSide, stan: u32) -> LinkReply<Received> {
    let (key, unit) = sale(side, stan);
    link.request(key, unit, sleep(PATIENCE)).await
}

/// Waits until the counters say so.
async fn until(link: &TcpLink, holds: impl Fn(&LinkStats) -> bool) {
    let wait = async {
        while !holds(&link.stats()) {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(PATIENCE, wait).await.unwrap();
}

async fn up(setup: TcpLinkSetup) -> TcpLink {
    let link = TcpLink::start(setup);
    timeout(PATIENCE, link.until_up()).await.unwrap();
    link
}

#[tokio::test]
async fn answers_find_their_requests_in_any_order() {
    let peer = Peer::new().await;
    let link = up(peer.setup()).await;
    let mut line = peer.accept().await;
    let script = async {
        let (one, two) = (line.next().await, line.next().await);
        line.answer(&two, None).await;
        line.answer(&one, None).await;
    };
    let (one, two, ()) = tokio::join!(request(&link, &peer.side, 1), request(&link, &peer.side, 2), script);
    assert_eq!(stan_of(&one).as_deref(), Some("000001"));
    assert_eq!(stan_of(&two).as_deref(), Some("000002"));
    assert_eq!(link.stats().mux.answered, 2);
}

#[tokio::test]
async fn a_link_that_is_down_sends_nothing() {
    let peer = Peer::new().await;
    let mut setup = peer.setup();
    drop(peer.listener);
    setup.back_off = PATIENCE;
    let link = TcpLink::start(setup);
    assert!(!link.is_up());
    assert!(matches!(request(&link, &peer.side, 1).await, LinkReply::NotSent));
    assert_eq!(link.stats().not_sent, 1);
}

#[tokio::test]
async fn a_lost_connection_leaves_its_requests_unknown_at_once_and_comes_back() {
    let peer = Peer::new().await;
    let link = up(peer.setup()).await;
    let mut line = peer.accept().await;
    let script = async {
        line.next().await;
        drop(line);
    };
    let (reply, ()) = tokio::join!(request(&link, &peer.side, 1), script);
    assert!(matches!(reply, LinkReply::Unknown));
    let mut line = peer.accept().await;
    timeout(PATIENCE, link.until_up()).await.unwrap();
    let script = async {
        let message = line.next().await;
        line.answer(&message, None).await;
    };
    let (reply, ()) = tokio::join!(request(&link, &peer.side, 2), script);
    assert!(matches!(reply, LinkReply::Answer(_)));
    assert_eq!((link.stats().connected, link.stats().lost), (2, 1));
}

#[tokio::test]
async fn an_answer_after_the_deadline_is_handed_to_the_owner_as_late() {
    let peer = Peer::new().await;
    let (sender, mut late) = mpsc::channel(1);
    let link = up(TcpLinkSetup { late: Some(sender), ..peer.setup() }).await;
    let mut line = peer.accept().await;
    let (key, unit) = sale(&peer.side, 1);
    let (passed, deadline) = tokio::sync::oneshot::channel::<()>();
    let script = async {
        let message = line.next().await;
        passed.send(()).unwrap();
        message
    };
    let deadline = async {
        let _ = deadline.await;
    };
    let (reply, message) = tokio::join!(link.request(key, unit, deadline), script);
    assert!(matches!(reply, LinkReply::Unknown));
    line.answer(&message, None).await;
    line.answer(&message, None).await;
    let received = timeout(PATIENCE, late.recv()).await.unwrap().unwrap();
    assert_eq!(received.message.role(Role::Stan).unwrap().as_str(), Some("000001"));
    until(&link, |stats| stats.mux.late == 2).await;
}

#[tokio::test]
async fn a_request_that_is_dropped_is_given_up() {
    let peer = Peer::new().await;
    let link = up(peer.setup()).await;
    let mut line = peer.accept().await;
    let message = tokio::select! {
        _ = request(&link, &peer.side, 1) => panic!("nobody answered"),
        message = line.next() => message,
    };
    assert_eq!((link.stats().mux.in_flight, link.stats().mux.given_up), (0, 1));
    line.answer(&message, None).await;
    until(&link, |stats| stats.mux.late == 1).await;
}

#[tokio::test]
async fn answers_that_nobody_asked_for_and_garbage_are_counted_and_disturb_nobody() {
    let peer = Peer::new().await;
    let link = up(peer.setup()).await;
    let mut line = peer.accept().await;
    let script = async {
        let message = line.next().await;
        line.answer(&message, Some(b"000009")).await;
        let garbage = line.side.profile.enclose(&[0xdb; 9], None).unwrap();
        line.send(&garbage).await;
        let reflected = line.received.clone();
        line.send(&reflected).await;
        line.send(&[0, 0]).await;
        line.answer(&message, None).await;
        line.answer(&message, None).await;
    };
    let (reply, ()) = tokio::join!(request(&link, &peer.side, 1), script);
    assert_eq!(stan_of(&reply).as_deref(), Some("000001"));
    until(&link, |stats| stats.mux.repeated == 1).await;
    let stats = link.stats();
    assert_eq!((stats.mux.unmatched, stats.garbage, stats.no_answer, stats.lost), (1, 1, 1, 0));
}

#[tokio::test]
async fn unreadable_framing_closes_the_connection() {
    let peer = Peer::new().await;
    let link = up(peer.setup()).await;
    let mut line = peer.accept().await;
    let script = async {
        line.next().await;
        line.send(&[0xff, 0xff, 0xff]).await;
        line.closed().await;
    };
    let (reply, ()) = tokio::join!(request(&link, &peer.side, 1), script);
    assert!(matches!(reply, LinkReply::Unknown));
    peer.accept().await;
}

#[tokio::test]
async fn an_answer_may_come_one_byte_at_a_time() {
    let peer = Peer::new().await;
    let link = up(peer.setup()).await;
    let mut line = peer.accept().await;
    line.stream.set_nodelay(true).unwrap();
    let script = async {
        let message = line.next().await;
        for byte in reply(line.side, &message, None) {
            line.send(&[byte]).await;
            tokio::task::yield_now().await;
        }
    };
    let (reply, ()) = tokio::join!(request(&link, &peer.side, 1), script);
    assert!(matches!(reply, LinkReply::Answer(_)));
}

#[tokio::test]
async fn an_idle_link_asks_whether_anybody_is_there_and_is_content_with_the_answer() {
    let peer = Peer::new().await;
    let link = up(TcpLinkSetup { idle: Duration::from_millis(20), ..peer.setup() }).await;
    let mut line = peer.accept().await;
    for _ in 0..3 {
        let message = line.next().await;
        assert_eq!(message.dialect().kind_of(&message), Some(Kind::Echo));
        line.answer(&message, None).await;
    }
    assert!(link.stats().echoes >= 3 && link.is_up());
}

#[tokio::test]
async fn a_connection_whose_other_end_is_silent_is_given_up() {
    let peer = Peer::new().await;
    let (idle, silence) = (Duration::from_millis(20), Duration::from_millis(50));
    let link = up(TcpLinkSetup { idle, silence, ..peer.setup() }).await;
    let mut line = peer.accept().await;
    let script = async {
        line.next().await;
        line.closed().await;
    };
    let (reply, ()) = tokio::join!(request(&link, &peer.side, 1), script);
    assert!(matches!(reply, LinkReply::Unknown));
    assert!(link.stats().echoes >= 1);
    peer.accept().await;
}

#[test]
fn by_default_a_dead_connection_is_found_within_thirty_seconds() {
    let side = SwitchSide::new("bank-a");
    let setup = setup(&side, String::new());
    assert!(setup.idle + setup.silence <= Duration::from_secs(30));
}

#[tokio::test]
async fn a_link_that_signs_on_is_up_when_that_was_approved() {
    let peer = Peer::new().await;
    let link = TcpLink::start(TcpLinkSetup { sign_on: true, ..peer.setup() });
    let mut line = peer.accept().await;
    let message = line.next().await;
    assert_eq!(message.dialect().kind_of(&message), Some(Kind::SignIn));
    assert!(!link.is_up());
    line.answer(&message, None).await;
    timeout(PATIENCE, link.until_up()).await.unwrap();
}

#[tokio::test]
async fn more_than_the_limit_in_flight_is_refused_at_once() {
    let peer = Peer::new().await;
    let link = up(TcpLinkSetup { in_flight: 2, ..peer.setup() }).await;
    let mut line = peer.accept().await;
    let script = async {
        let (one, two) = (line.next().await, line.next().await);
        let third = request(&link, &peer.side, 3).await;
        assert!(matches!(third, LinkReply::NotSent));
        line.answer(&one, None).await;
        line.answer(&two, None).await;
    };
    let (one, two, ()) = tokio::join!(request(&link, &peer.side, 1), request(&link, &peer.side, 2), script);
    assert!(stan_of(&one).is_some() && stan_of(&two).is_some());
}

#[tokio::test]
async fn several_connections_share_the_load_and_any_may_bring_an_answer() {
    let peer = Peer::new().await;
    let link = TcpLink::start(TcpLinkSetup { connections: 2, ..peer.setup() });
    let (mut first, mut second) = (peer.accept().await, peer.accept().await);
    until(&link, |stats| stats.up == 2).await;
    let script = async {
        let (one, two) = tokio::join!(first.next(), second.next());
        first.answer(&two, None).await;
        second.answer(&one, None).await;
    };
    let (one, two, ()) = tokio::join!(request(&link, &peer.side, 1), request(&link, &peer.side, 2), script);
    assert!(stan_of(&one).is_some() && stan_of(&two).is_some());
}

/// A long unit under a key of its own. The link does not look into what it sends.
fn bulk(side: &SwitchSide, stan: u32) -> (CorrelationKey, Bytes) {
    let (key, _) = side.profile.management(Kind::Echo, Stan::new(stan).unwrap(), Timestamp(0)).unwrap();
    (key, Bytes::from_static(&[0; 4_000]))
}

#[tokio::test]
async fn what_waits_behind_a_peer_that_does_not_read_is_not_sent() {
    let peer = Peer::new().await;
    let link = up(TcpLinkSetup { in_flight: 100_000, ..peer.setup() }).await;
    let line = peer.accept().await;
    let mut stans = 1..100_000;
    let mut next = || bulk(&peer.side, stans.next().unwrap());
    let mut waiting = Vec::new();
    // Until a request is still in the queue at its deadline: the socket takes no more.
    loop {
        for _ in 0..500 {
            let (key, unit) = next();
            let mut request = Box::pin(link.request(key, unit, sleep(PATIENCE)));
            assert!(futures_util::poll!(&mut request).is_pending());
            waiting.push(request);
        }
        let (key, unit) = next();
        match link.request(key, unit, sleep(Duration::from_millis(50))).await {
            LinkReply::NotSent => break assert_eq!(link.stats().mux.refused, 0),
            LinkReply::Unknown => assert!(waiting.len() < 50_000, "no request was withdrawn"),
            LinkReply::Answer(_) => panic!("nobody answered"),
        }
    }
    drop(line);
    let (mut unknown, mut not_sent) = (0, 0);
    for request in waiting {
        match request.await {
            LinkReply::Unknown => unknown += 1,
            LinkReply::NotSent => not_sent += 1,
            LinkReply::Answer(_) => panic!("nobody answered"),
        }
    }
    assert!(unknown > 0 && not_sent > 0, "{unknown} {not_sent}");
}

#[tokio::test]
async fn it_works_with_the_mock_issuer() {
    let bank = demo_bank("bank-a");
    let host = IssuerThread::start(Arc::clone(&bank), "127.0.0.1:0".parse().unwrap()).unwrap();
    let side = SwitchSide::new("bank-a");
    let link = up(TcpLinkSetup { sign_on: true, ..setup(&side, host.address().to_string()) }).await;
    let LinkReply::Answer(received) = request(&link, &side, 77).await else { panic!("no answer") };
    assert!(side.profile.approves(&received.message) && side.mac_holds(&received.message));
    drop(host);
    until(&link, |stats| stats.up == 0).await;
    assert!(matches!(request(&link, &side, 78).await, LinkReply::NotSent));
}
