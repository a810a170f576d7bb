//! The shell, driven over real sockets by a station that only echoes.

mod crash;
mod drain;
mod hostile;
mod keeper;
mod lanes;
mod limits;
mod reload;
mod tls;

use bytes::Bytes;
use parking_lot::Mutex;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tollgate::channel::Deframer;
use tollgate::channel::Frame;
use tollgate::channel::Profile;
use tollgate::channel::Tpdu;
use tollgate::channel::builtin;
use tollgate::channel::profile_file;
use tollgate::iso8583::Message;
use tollgate::iso8583::Mti;
use tollgate::iso8583::Rejected;
use tollgate::model::ResponseCode;
use tollgate::server::Door;
use tollgate::server::Peer;
use tollgate::server::Plan;
use tollgate::server::Reading;
use tollgate::server::Serve;
use tollgate::server::Server;
use tollgate::server::Tap;
use tollgate::server::config::Ceilings;
use tollgate::server::logging;

/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(20);

/// Answers every request with its own STAN; requests of terminals named `SLOW…` wait at the gate, those
/// of terminals with `BIG` in their name get a long answer, those of `PANIC…` are a bug.
struct Echo {
    gate: Semaphore,
    began: mpsc::Sender<(String, Peer)>,
}

struct Parsed {
    frame: Frame,
    read: Result<Message, Box<Rejected>>,
}

impl Echo {
    fn reply(door: &Door, parsed: &Parsed, code: ResponseCode) -> Option<Bytes> {
        let message = parsed.read.as_ref().unwrap_or_else(|rejected| &rejected.partial);
        let dialect = message.dialect();
        let mut builder = dialect.build(message.mti()?.response());
        for de in [11, 41, 42, 60] {
            builder.copy(de, message).ok()?;
        }
        builder.set(39, dialect.wire_code(code).as_bytes()).ok()?;
        door.profile.enclose(&builder.finish().ok()?, Some(&parsed.frame)).ok()
    }
}

fn terminal(message: &Message) -> String {
    let value = message.value(41);
    value.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

impl Serve for Echo {
    type Parsed = Parsed;

    fn read(&self, door: &Door, _: &Peer, frame: Frame) -> Reading<Parsed> {
        let read = door.profile.decode(&frame);
        let message = read.as_ref().unwrap_or_else(|rejected| &rejected.partial);
        if message.mti().is_none() || message.value(11).is_none() {
            let why = read.err().map_or("no STAN".to_owned(), |rejected| rejected.error.to_string());
            return Reading::Close(why);
        }
        let lane = door.profile.lane(&frame, message);
        Reading::Serve(lane, Parsed { frame, read })
    }

    async fn answer(&self, door: &Door, peer: &Peer, parsed: Parsed) -> Option<Bytes> {
        let Ok(message) = &parsed.read else { return Self::reply(door, &parsed, ResponseCode::FormatError) };
        let terminal = terminal(message);
        // The test may be over already.
        let _ = self.began.send((terminal.clone(), *peer));
        if terminal.starts_with("SLOW") {
            self.gate.acquire().await.unwrap().forget();
        }
        assert!(!terminal.starts_with("PANIC"), "a bug");
        if terminal.contains("BIG") {
            return door.profile.enclose(&[0; 4000], Some(&parsed.frame)).ok();
        }
        Self::reply(door, &parsed, ResponseCode::Approved)
    }

    fn overloaded(&self, door: &Door, _: &Peer, parsed: Parsed) -> Option<Bytes> {
        Self::reply(door, &parsed, ResponseCode::SystemFailure)
    }
}

/// Collects what is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One door, one worker, one echoing station.
struct Stage {
    server: Server,
    echo: Arc<Echo>,
    began: mpsc::Receiver<(String, Peer)>,
    log: Log,
    tap: Tap,
}

/// What a test changes about the usual stage.
struct Props {
    ceilings: Ceilings,
    profile: Arc<Profile>,
    allow: Vec<&'static str>,
    tls: Option<Arc<rustls::ServerConfig>>,
    drain: Duration,
}

impl Default for Props {
    fn default() -> Self {
        Self {
            ceilings: Ceilings::default(),
            profile: builtin::profile("pos").unwrap(),
            allow: Vec::new(),
            tls: None,
            drain: PATIENCE,
        }
    }
}

impl Stage {
    fn new() -> Self {
        Self::with(Props::default())
    }

    fn with(props: Props) -> Self {
        let (began_in, began) = mpsc::channel();
        let echo = Arc::new(Echo { gate: Semaphore::new(0), began: began_in });
        let (log, tap) = (Log::default(), Tap::new());
        let door = Door {
            name: "pos".into(),
            listen: "127.0.0.1:0".parse().unwrap(),
            profile: props.profile,
            allow: props.allow.iter().map(|text| tollgate::server::config::Network::parse(text).unwrap()).collect(),
            tls: props.tls,
        };
        let (doors, tap_of_plan) = (vec![door], tap.clone());
        let plan = Plan { doors, ceilings: props.ceilings, workers: 1, drain: props.drain, tap: tap_of_plan };
        let (handler, lines) = (Arc::clone(&echo), log.clone());
        let make = move |_| {
            let lines = lines.clone();
            let dispatch = logging::dispatch(logging::Form::Json, "info,tollgate::server=debug", move || lines.clone());
            // For as long as this worker's thread lives.
            std::mem::forget(tracing::dispatcher::set_default(&dispatch));
            Arc::clone(&handler)
        };
        let server = Server::start(plan, make).unwrap();
        Self { server, echo, began, log, tap }
    }

    fn address(&self) -> SocketAddr {
        self.server.doors()[0].listen
    }

    fn connect(&self) -> Client {
        Client::of(TcpStream::connect(self.address()).unwrap())
    }

    /// The terminal whose request is being served next.
    fn began(&self) -> String {
        self.began.recv_timeout(PATIENCE).unwrap().0
    }

    /// The lines of an event about one peer, waiting until there is one.
    fn lines(&self, event: &str, peer: SocketAddr) -> Vec<serde_json::Value> {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = String::from_utf8(self.log.0.lock().clone()).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            let of_peer = |line: &serde_json::Value| line["event"] == event && line["peer"] == peer.to_string();
            let found: Vec<_> = lines.filter(of_peer).collect();
            if !found.is_empty() || Instant::now() > until {
                return found;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The one reason for which a peer was refused; its line is structured and holds nothing else.
    #[track_caller]
    fn reason(&self, peer: SocketAddr) -> String {
        let lines = self.lines("reject", peer);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let keys: Vec<&str> = lines[0].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["timestamp", "level", "event", "door", "peer", "reason", "target"]);
        lines[0]["reason"].as_str().unwrap().to_owned()
    }

    /// That somebody else is served as if nothing had happened.
    #[track_caller]
    fn serves_others(&self) {
        let mut other = self.connect();
        other.send(&[request(9, "10000009", 77)]);
        assert_eq!(other.answer(), Some((9, "10000009".to_owned(), 77, "00".to_owned())));
    }
}

/// A peer that waits for what must come, and says when the server closed.
struct Client {
    stream: TcpStream,
    deframer: Deframer,
}

impl Client {
    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, deframer: Deframer::new(builtin::profile("pos").unwrap().framing) }
    }

    fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    fn send(&mut self, units: &[Vec<u8>]) {
        self.stream.write_all(&units.concat()).unwrap();
    }

    /// TPDU line, terminal, STAN and code of the next answer; `None` if the server closed.
    #[track_caller]
    fn answer(&mut self) -> Option<(u16, String, u32, String)> {
        let profile = builtin::profile("pos").unwrap();
        let frame = profile.split(self.unit()?).unwrap();
        let Ok(message) = profile.decode(&frame) else { panic!("an answer that cannot be read") };
        let text = |de| message.value(de).map(|value| value.as_str().unwrap_or_default().to_owned());
        let line = u16::from_be_bytes(frame.tpdu.unwrap().destination);
        Some((line, text(41)?, text(11)?.parse().unwrap(), text(39)?))
    }

    #[track_caller]
    fn unit(&mut self) -> Option<Bytes> {
        let mut buffer = [0; 65_536];
        loop {
            if let Some(unit) = self.deframer.next().unwrap() {
                return Some(unit);
            }
            match self.stream.read(&mut buffer).unwrap() {
                0 => return None,
                length => self.deframer.push(&buffer[..length]),
            }
        }
    }

    /// That the server closed without another byte.
    #[track_caller]
    fn closed(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "bytes before the close"),
            Err(error) => assert_eq!(error.kind(), io::ErrorKind::ConnectionReset),
        }
    }
}

/// An echo request of a terminal on a line of a concentrator.
fn request(line: u16, terminal: &str, stan: u32) -> Vec<u8> {
    let profile = builtin::profile("pos").unwrap();
    let mut builder = profile.dialect.build(Mti::parse(b"0820").unwrap());
    builder.set(11, format!("{stan:06}").as_bytes()).unwrap();
    builder.set(41, format!("{terminal:<8}").as_bytes()).unwrap();
    builder.set(42, b"898110054110001").unwrap();
    builder.set(60, b"00000001301").unwrap();
    let tpdu = Some(Tpdu { destination: [0, 3], source: line.to_be_bytes() });
    let frame = Frame { tpdu, header: profile.header.clone(), body: builder.finish().unwrap() };
    profile.enclose_frame(&frame).unwrap().to_vec()
}

/// The pos profile with other lines in its file.
fn pos_with(lines: &str) -> Arc<Profile> {
    let text = format!("name = \"short\"\nextends = \"pos\"\n{lines}\n");
    match profile_file::load("short", &text, &builtin::shelf()) {
        Ok(profile) => Arc::new(profile),
        Err(breaches) => panic!("{breaches:?}"),
    }
}
