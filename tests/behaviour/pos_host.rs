//! A host for one terminal, 10000001 with its demo key: cents choose the answer, 666 gets none, and it
//! keeps books of what it approved and undid.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::Mutex;
use tollgate::channel::Deframer;
use tollgate::channel::Profile;
use tollgate::channel::builtin::profile;
use tollgate::hsm::KeyAlgorithm;
use tollgate::hsm::calculator::CipherKey;
use tollgate::hsm::calculator::mac_as;
use tollgate::iso8583::Message;
use tollgate::iso8583::Role;

/// Working keys under the demo's master key of terminal 10000001, and the MAC key in clear.
const KEYS: &str = "41B1F3D154C3079A2CB4F6D696EB21E9E8934A67B49E864CE594CACF00000000000000000FBB6331";
const MAK: &str = "8F7E6D5C4B3A2918";

/// What stands, by trace number, in minor units.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<BTreeMap<String, u64>>>);

impl Books {
    /// How many sales stand, and their sum.
    pub(crate) fn standing(&self) -> (u64, u64) {
        let books = self.0.lock().unwrap();
        (books.len() as u64, books.values().sum())
    }

    /// Listens for good; its address.
    pub(crate) fn host(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let books = self.clone();
        std::thread::spawn(move || {
            let profile = profile("pos").unwrap();
            while let Ok((mut stream, _)) = listener.accept() {
                let mut deframer = Deframer::new(profile.framing);
                let mut buffer = [0; 1024];
                while let Ok(read @ 1..) = stream.read(&mut buffer) {
                    deframer.push(&buffer[..read]);
                    while let Ok(Some(unit)) = deframer.next() {
                        let message = profile.decode(&profile.split(unit).unwrap()).unwrap();
                        let _gone = books.answer(&profile, &message).map(|unit| stream.write_all(&unit));
                    }
                }
            }
        });
        address
    }

    /// What trouble it makes: 666 is booked and not answered.
    fn answer(&self, profile: &Profile, request: &Message) -> Option<Vec<u8>> {
        let text = |role| request.role(role).map(|value| String::from_utf8(value.to_vec()).unwrap());
        let (amount, stan) = (text(Role::Amount).unwrap_or_default(), text(Role::Stan).unwrap_or_default());
        let mti = request.mti()?;
        let code = match mti.as_str() {
            "0400" => {
                self.0.lock().unwrap().remove(&stan);
                "00"
            }
            "0200" if amount.starts_with("0000000666") => {
                self.0.lock().unwrap().insert(stan, amount.parse().unwrap());
                return None;
            }
            "0200" if amount.ends_with("00") => {
                self.0.lock().unwrap().insert(stan, amount.parse().unwrap());
                "00"
            }
            "0200" => &amount[10..],
            _ => "00",
        };
        let mut builder = profile.dialect.build(mti.response());
        for de in profile.dialect.echo(mti.response()) {
            builder.copy(*de, request).unwrap();
        }
        builder.role(Role::ResponseCode, code.as_bytes()).unwrap().role(Role::Rrn, b"632600000001").unwrap();
        if mti.as_str() == "0800" {
            builder.role(Role::Batch, b"000007").unwrap().role(Role::KeyData, &unhex(KEYS)).unwrap();
        }
        let body = if profile.mac_required(mti) {
            let unsigned = builder.finish_unsigned().unwrap();
            let key = CipherKey::new(KeyAlgorithm::Des, &unhex(MAK)).unwrap();
            let mac = mac_as(&key, &profile.mac.scheme, unsigned.mac_input()).unwrap();
            unsigned.sign(&mac).unwrap()
        } else {
            builder.finish().unwrap()
        };
        Some(profile.enclose(&body, None).unwrap().to_vec())
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}
