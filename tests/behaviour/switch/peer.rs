//! An issuer's host that answers as the test says, in the language of bank A.

use crate::switch_side::SwitchSide;
use bytes::Bytes;
use parking_lot::Mutex;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;
use tollgate::model::Kind;

/// What of a message the tests look at.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Seen {
    pub(crate) kind: Kind,
    pub(crate) mti: String,
    pub(crate) terminal: String,
    pub(crate) stan: String,
    pub(crate) rrn: String,
    pub(crate) original_stan: Option<String>,
}

/// What the host says to a message: whole units.
type Script = dyn Fn(&SwitchSide, &Message, &[Seen]) -> Vec<Bytes> + Send + Sync;

/// The host. Management messages but key changes are approved; the script says the rest. Dropping it closes everything.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    stop: Arc<AtomicBool>,
}

impl Peer {
    /// `script` is given the message and all that came before it.
    pub(crate) fn start(script: impl Fn(&SwitchSide, &Message, &[Seen]) -> Vec<Bytes> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = Self { address: listener.local_addr().unwrap(), seen: Arc::default(), stop: Arc::default() };
        let (seen, stop, script) = (Arc::clone(&peer.seen), Arc::clone(&peer.stop), Arc::new(script));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let (seen, stop, script) = (Arc::clone(&seen), Arc::clone(&stop), Arc::clone(&script));
                thread::spawn(move || serve(stream.unwrap(), &seen, &stop, &*script));
            }
        });
        peer
    }

    /// The financial messages so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the listener.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(mut stream: TcpStream, seen: &Mutex<Vec<Seen>>, stop: &AtomicBool, script: &Script) {
    let side = SwitchSide::new("bank-a");
    stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let (mut received, mut taken) = (Vec::new(), 0);
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Acquire) {
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(_) => continue,
        }
        for unit in side.units(&received).into_iter().skip(taken) {
            taken += 1;
            for answer in answers(&side, &side.read(&unit), seen, script) {
                let _ = stream.write_all(&answer);
            }
        }
    }
}

fn answers(side: &SwitchSide, message: &Message, seen: &Mutex<Vec<Seen>>, script: &Script) -> Vec<Bytes> {
    // Of what the station answers, only key changes are.
    let kind = message.dialect().kind_of(message).unwrap_or(Kind::KeyChange);
    if !kind.is_financial() && kind != Kind::KeyChange {
        return vec![answer(side, message, "00", &[])];
    }
    let text = |role| message.role(role).and_then(|value| value.as_str().map(str::to_owned));
    let now = Seen {
        kind,
        mti: message.mti().unwrap().to_string(),
        terminal: text(Role::Terminal).unwrap_or_default(),
        stan: text(Role::Stan).unwrap_or_default(),
        rrn: text(Role::Rrn).unwrap_or_default(),
        original_stan: text(Role::OriginalStan),
    };
    let before = seen.lock().clone();
    seen.lock().push(now);
    script(side, message, &before)
}

/// An answer with this code, signed and framed; `changed` elements are not those of the request.
pub(crate) fn answer(side: &SwitchSide, request: &Message, code: &str, changed: &[(Role, &[u8])]) -> Bytes {
    let dialect = request.dialect();
    let mti = request.mti().unwrap().response();
    let mut builder = dialect.build(mti);
    for de in dialect.echo(mti) {
        builder.copy(*de, request).unwrap();
    }
    builder.role(Role::ResponseCode, code.as_bytes()).unwrap();
    for (role, value) in changed {
        builder.role(*role, value).unwrap();
    }
    side.profile.enclose(&side.sign(builder), None).unwrap()
}
