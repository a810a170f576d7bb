//! A host for one terminal, 10000001 with its demo key: cents choose the answer, 666 gets none, and it
//! keeps books of what it approved and undid, of each batch what it comes to, and compares it at settlement.

use crate::sample_terminal::{KEYS_40, unhex};
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

/// The MAC key that a sign-in hands out, in clear.
const MAK: &str = "8F7E6D5C4B3A2918";

/// What stands, by trace number, in minor units; and of the open batch what goes back.
#[derive(Clone, Default)]
pub(crate) struct Books(Arc<Mutex<BTreeMap<String, u64>>>, Arc<Mutex<Batch>>);

/// A batch at the host.
#[derive(Default)]
pub(crate) struct Batch {
    debits: BTreeMap<String, u64>,
    credits: BTreeMap<String, u64>,
    closed: u32,
    /// The upload messages that came, as 60.3 and the first digits of DE 48.
    uploads: Vec<String>,
    /// Messages of this type are taken and not answered.
    silent: Option<&'static str>,
    /// How many of them came.
    swallowed: usize,
    /// Settlements are approved without a word on their totals.
    no_verdict: bool,
    /// Uploads are answered 77.
    wants_sign_in: bool,
}

impl Books {
    /// How many sales stand, and their sum.
    pub(crate) fn standing(&self) -> (u64, u64) {
        let books = self.0.lock().unwrap();
        (books.len() as u64, books.values().sum())
    }

    /// From now on messages of this type are taken and not answered.
    pub(crate) fn say_nothing_to(&self, mti: Option<&'static str>) {
        self.1.lock().unwrap().silent = mti;
    }

    /// From now on settlements are approved without a word on their totals.
    pub(crate) fn give_no_verdict(&self) {
        self.1.lock().unwrap().no_verdict = true;
    }

    /// From now on uploads are answered 77.
    pub(crate) fn refuse_uploads(&self) {
        self.1.lock().unwrap().wants_sign_in = true;
    }

    /// How many messages were not answered for that.
    pub(crate) fn swallowed(&self) -> usize {
        self.1.lock().unwrap().swallowed
    }

    /// The uploads that came, as 60.3 and how many.
    pub(crate) fn uploads(&self) -> Vec<String> {
        self.1.lock().unwrap().uploads.clone()
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
        let mut batch = self.1.lock().unwrap();
        if batch.silent == Some(mti.as_str()) {
            batch.swallowed += 1;
            return None;
        }
        drop(batch);
        let code = match mti.as_str() {
            "0400" => {
                self.0.lock().unwrap().remove(&stan);
                "00"
            }
            "0500" | "0320" => return Some(self.settle(profile, request)),
            "0200" if amount.starts_with("0000000666") => {
                self.0.lock().unwrap().insert(stan, amount.parse().unwrap());
                return None;
            }
            "0100" | "0200" | "0220" if !amount.ends_with("00") && !amount.is_empty() => &amount[10..],
            "0200" | "0220" => self.book(request, stan, amount.parse().unwrap_or_default()),
            _ => "00",
        };
        let mut builder = profile.dialect.build(mti.response());
        for de in profile.dialect.echo(mti.response()) {
            builder.copy(*de, request).unwrap();
        }
        builder.role(Role::ResponseCode, code.as_bytes()).unwrap().role(Role::Rrn, b"632600000001").unwrap();
        builder.role(Role::LocalDate, b"1122").unwrap().role(Role::LocalTime, b"101500").unwrap();
        if mti.as_str() == "0800" {
            let batch = format!("{:06}", 7 + self.1.lock().unwrap().closed);
            builder.role(Role::Batch, batch.as_bytes()).unwrap().role(Role::KeyData, &unhex(KEYS_40)).unwrap();
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

impl Books {
    /// Books by 60.1: what a sale, a void, a refund, a tip does.
    fn book(&self, request: &Message, stan: String, amount: u64) -> &'static str {
        let text = |role| request.role(role).map(|value| String::from_utf8(value.to_vec()).unwrap());
        let original = text(Role::OriginalStan).unwrap_or_default();
        let (mut books, mut batch) = (self.0.lock().unwrap(), self.1.lock().unwrap());
        match text(Role::MessageTypeCode).unwrap().as_str() {
            "22" | "20" | "24" | "30" => {
                books.insert(stan.clone(), amount);
                batch.debits.insert(stan, amount);
            }
            "23" | "21" if batch.debits.get(&original) != Some(&amount) => return "12",
            "23" | "21" => {
                books.remove(&original);
                batch.debits.remove(&original);
            }
            "25" | "27" => drop(batch.credits.insert(stan, amount)),
            "34" => drop(batch.debits.insert(original, amount)),
            _ => {}
        }
        "00"
    }

    /// Totals, and the next batch begins; then the upload.
    fn settle(&self, profile: &Profile, request: &Message) -> Vec<u8> {
        let mti = request.mti().unwrap();
        let private = request.role(Role::AdditionalPrivate).map(|value| value.to_vec()).unwrap_or_default();
        let network = String::from_utf8(request.role(Role::NetworkCode).unwrap().to_vec()).unwrap();
        let mut builder = profile.dialect.build(mti.response());
        for de in profile.dialect.echo(mti.response()) {
            builder.copy(*de, request).unwrap();
        }
        let mut batch = self.1.lock().unwrap();
        let refused = batch.wants_sign_in && mti.as_str() == "0320";
        builder.role(Role::ResponseCode, if refused { b"77" } else { b"00" }).unwrap();
        if mti.as_str() == "0500" && !batch.no_verdict {
            let sum = |map: &BTreeMap<String, u64>| format!("{:012}{:03}", map.values().sum::<u64>(), map.len());
            let ours = sum(&batch.debits) + &sum(&batch.credits);
            let mut said = private.clone();
            (said[30], said[61]) = (if private[..30] == *ours.as_bytes() { b'1' } else { b'2' }, b'1');
            builder.role(Role::AdditionalPrivate, &said).unwrap();
            batch.closed += 1;
            (batch.debits, batch.credits) = Default::default();
        } else if mti.as_str() == "0320" {
            batch.uploads.push(format!("{network} {}", String::from_utf8_lossy(private.get(..2).unwrap_or_default())));
        }
        profile.enclose(&builder.finish().unwrap(), None).unwrap().to_vec()
    }
}
