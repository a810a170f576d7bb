//! A host that answers terminals of the profile `host` as it is told, right or wrong.

use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tollgate::channel::Deframer;
use tollgate::channel::Profile;
use tollgate::channel::builtin::profile;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::mac_as;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::registry::Breaches;
use tollgate::registry::Source;
use tollgate::server::config::key_rows;
use tollgate::sim::issuer::DEMO_KEYS;

/// What becomes of one request's answer.
#[derive(Clone)]
pub(crate) enum Reply {
    Right,
    Code(&'static str),
    /// With another value in this element.
    With(Role, &'static str),
    WrongMac,
    NoMac,
    Silence,
    Late(Duration),
    Twice,
    Garbage,
    NoFrame,
    Close,
    /// This request's answer goes to the terminal that asked before, and that one's to this.
    Swap,
}

/// Which of a host's requests is to be answered.
pub(crate) struct Asked {
    /// Financial requests before it, of all connections.
    pub(crate) before: usize,
    /// Since the first of them.
    pub(crate) since: Duration,
}

pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    /// When each financial request came.
    pub(crate) came: Arc<Mutex<Vec<Instant>>>,
}

type Behaviour = dyn Fn(&Asked) -> Reply + Send + Sync;
type Kept = Arc<Mutex<Option<(TcpStream, Vec<u8>)>>>;

impl Host {
    pub(crate) fn start(behaviour: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, came) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (shared, behaviour, kept): (_, Arc<Behaviour>, Kept) =
            (Arc::clone(&came), Arc::new(behaviour), Kept::default());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (came, behaviour, kept) = (Arc::clone(&shared), Arc::clone(&behaviour), Arc::clone(&kept));
                std::thread::spawn(move || serve(stream, &came, &*behaviour, &kept));
            }
        });
        Self { address, came }
    }
}

/// Undoing is always answered as it should be.
fn is_financial(message: &Message) -> bool {
    message.mti().is_some_and(|mti| matches!(mti.digits()[1], b'1' | b'2'))
}

fn serve(mut stream: TcpStream, came: &Mutex<Vec<Instant>>, behaviour: &Behaviour, kept: &Kept) {
    stream.set_nodelay(true).unwrap();
    let profile = profile("host").unwrap();
    let mut deframer = Deframer::new(profile.framing);
    let mut buffer = [0; 4096];
    loop {
        while let Ok(Some(unit)) = deframer.next() {
            let message = profile.decode(&profile.split(unit).unwrap()).unwrap();
            let reply = if is_financial(&message) {
                let mut came = came.lock().unwrap();
                came.push(Instant::now());
                let (before, since) = (came.len() - 1, came[0].elapsed());
                drop(came);
                behaviour(&Asked { before, since })
            } else {
                Reply::Right
            };
            if !answer(&mut stream, &profile, &message, &reply, kept) {
                return;
            }
        }
        match stream.read(&mut buffer) {
            Ok(read) if read > 0 => deframer.push(&buffer[..read]),
            _ => return,
        }
    }
}

/// Whether the connection goes on.
fn answer(stream: &mut TcpStream, profile: &Arc<Profile>, asked: &Message, reply: &Reply, kept: &Kept) -> bool {
    let right = |role, value: &str| answered(profile, asked, role, value, Reply::Right);
    let code = |code: &str| right(Role::ResponseCode, code);
    let bytes = match reply {
        Reply::Right => code("00"),
        Reply::Code(wire) => code(wire),
        Reply::With(role, value) => right(*role, value),
        Reply::WrongMac | Reply::NoMac => answered(profile, asked, Role::ResponseCode, "00", reply.clone()),
        Reply::Silence => return true,
        Reply::Late(after) => {
            let (mut stream, bytes) = (stream.try_clone().unwrap(), code("00"));
            let after = *after;
            std::thread::spawn(move || {
                std::thread::sleep(after);
                let _ = stream.write_all(&bytes);
            });
            return true;
        }
        Reply::Twice => [code("00"), code("00")].concat(),
        Reply::Garbage => b"\x00\x05?????".to_vec(),
        Reply::NoFrame => vec![0xFF; 64],
        Reply::Close => return false,
        Reply::Swap => {
            let mut kept = kept.lock().unwrap();
            match kept.take() {
                None => *kept = Some((stream.try_clone().unwrap(), code("00"))),
                Some((mut other, theirs)) => {
                    let _ = other.write_all(&code("00"));
                    let _ = stream.write_all(&theirs);
                }
            }
            return true;
        }
    };
    stream.write_all(&bytes).is_ok()
}

/// The answer to a request, approved but for one value.
fn answered(profile: &Arc<Profile>, asked: &Message, other: Role, value: &str, reply: Reply) -> Vec<u8> {
    let mut message = profile.dialect.build(asked.mti().unwrap().response());
    const SAME: [Role; 9] = [
        Role::ProcessingCode,
        Role::Amount,
        Role::TransmissionTime,
        Role::Stan,
        Role::LocalTime,
        Role::LocalDate,
        Role::Terminal,
        Role::Merchant,
        Role::Currency,
    ];
    for role in SAME {
        if let Some(value) = asked.role(role) {
            message.role(role, &value).unwrap();
        }
    }
    message.role(Role::Rrn, b"632600000001").unwrap();
    message.role(Role::ResponseCode, b"00").unwrap();
    message.role(other, value.as_bytes()).unwrap();
    let mti = asked.mti().unwrap().response();
    let body = if !profile.mac_required(mti) {
        message.finish().unwrap()
    } else {
        let unsigned = message.finish_unsigned().unwrap();
        let mut mac = mac_as(&zak(), &profile.mac.scheme, unsigned.mac_input()).unwrap();
        match reply {
            Reply::NoMac => return enclosed(profile, without_mac(profile, asked)),
            Reply::WrongMac => {
                let other = [unsigned.mac_input(), b"?"].concat();
                mac = mac_as(&zak(), &profile.mac.scheme, &other).unwrap();
            }
            _ => {}
        }
        unsigned.sign(&mac).unwrap()
    };
    enclosed(profile, body)
}

fn without_mac(profile: &Arc<Profile>, asked: &Message) -> Bytes {
    let mut message = profile.dialect.build(asked.mti().unwrap().response());
    for role in [Role::ProcessingCode, Role::Amount, Role::Stan, Role::Terminal] {
        message.role(role, &asked.role(role).unwrap()).unwrap();
    }
    message.role(Role::ResponseCode, b"00").unwrap();
    message.finish().unwrap()
}

fn enclosed(profile: &Profile, body: Bytes) -> Vec<u8> {
    profile.enclose(&body, None).unwrap().to_vec()
}

fn zak() -> CipherKey {
    let rows = key_rows(Source { file: "keys.csv", text: DEMO_KEYS }, &mut Breaches::default());
    let row = rows.iter().find(|row| row.name.as_str() == "host/zak").unwrap();
    CipherKey::new(KeyAlgorithm::Tdes2, &row.key).unwrap()
}
