//! Messages that a test writes element by element, and a bank that says yes.

use super::peer::{Peer, answer};
use super::rig::{Recipe, Rig, Till, await_that, now};
use tollgate::iso8583::Role;
use tollgate::ledger::Recorded;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::sim::terminal::Answer;
use tollgate::sim::terminal::Sent;

/// The approval code that the bank gives.
pub(crate) const APPROVAL: &[u8] = b"A12345";

/// One message: its kind, its number, its amount, and what else it says.
pub(crate) struct Slip<'a> {
    pub(crate) kind: Kind,
    pub(crate) stan: u32,
    pub(crate) minor: u64,
    pub(crate) says: Vec<(Role, &'a [u8])>,
}

impl<'a> Slip<'a> {
    pub(crate) fn new(kind: Kind, stan: u32, minor: u64) -> Self {
        Self { kind, stan, minor, says: Vec::new() }
    }

    /// Adds an element.
    pub(crate) fn says(mut self, role: Role, value: &'a [u8]) -> Self {
        self.says.push((role, value));
        self
    }

    /// Signed and framed by the terminal that sends it.
    pub(crate) fn signed(&self, till: &Till) -> Sent {
        let setup = till.terminal.setup();
        let dialect = &setup.profile.dialect;
        let row = dialect.kind_row(self.kind).unwrap();
        let fixed = |role: Role| row.when.iter().find(|(when, _)| *when == role).map(|(_, pattern)| &**pattern);
        let mut builder = dialect.build(row.mti);
        if dialect.role(Role::Batch).is_some() {
            let code = fixed(Role::MessageTypeCode).unwrap_or("00");
            let network = fixed(Role::NetworkCode).unwrap_or("000");
            let batch = till.terminal.memory().batch;
            builder.set(60, format!("{code}{batch}{network}60").as_bytes()).unwrap();
        } else {
            let (sent, local) = (now().digits(0), now().digits(setup.offset_minutes));
            builder.role(Role::TransmissionTime, &sent[2..]).unwrap();
            builder.role(Role::LocalDate, &local[2..6]).unwrap();
            builder.role(Role::LocalTime, &local[6..]).unwrap();
        }
        let processing_code = fixed(Role::ProcessingCode).unwrap_or("000000").replace('.', "0");
        let stan = format!("{:06}", self.stan);
        let amount = format!("{:012}", self.minor);
        for (role, value) in [
            (Role::ProcessingCode, processing_code.as_bytes()),
            (Role::Amount, amount.as_bytes()),
            (Role::Stan, stan.as_bytes()),
            (Role::EntryMode, b"012"),
            (Role::ConditionCode, fixed(Role::ConditionCode).unwrap_or("00").as_bytes()),
            (Role::Terminal, setup.terminal.as_bytes()),
            (Role::Merchant, setup.merchant.as_bytes()),
            (Role::Currency, b"156"),
        ] {
            builder.role(role, value).unwrap();
        }
        for (role, value) in &self.says {
            builder.role(*role, value).unwrap();
        }
        let unsigned = builder.finish_unsigned().unwrap();
        let mac = till.terminal.pad().mac(&setup.profile.mac.scheme, unsigned.mac_input()).unwrap();
        let body = unsigned.sign(&mac).unwrap();
        let unit = setup.profile.enclose(&body, None).unwrap();
        Sent { kind: self.kind, unit, message: dialect.decode(body).unwrap(), mti: row.mti }
    }

    /// Sends it and judges the answer.
    pub(crate) fn send(&self, till: &mut Till) -> Answer {
        let sent = self.signed(till);
        till.exchange(&sent)
    }

    /// The code of its answer.
    pub(crate) fn code(&self, till: &mut Till) -> ResponseCode {
        self.send(till).code.unwrap()
    }
}

/// A station whose bank A says yes to everything, and that bank.
pub(crate) fn willing(recipe: &Recipe<'_>) -> (Rig, Peer) {
    let peer = Peer::start(|side, message, _| vec![answer(side, message, "00", &[(Role::ApprovalCode, APPROVAL)])]);
    let rig = Rig::of(&Recipe { in_place_of_a: Some(peer.address), ..*recipe });
    (rig, peer)
}

/// A terminal that can sell: it is signed in, and the bank's link is up.
pub(crate) fn selling(rig: &Rig, number: u32) -> Till {
    let mut till = rig.signed_in(number);
    await_that("the link is up", || till.ask(Kind::Balance, 0, super::CARD_A).code == Some(ResponseCode::Approved));
    till
}

/// The last transaction of a kind.
pub(crate) fn last(rig: &Rig, kind: Kind) -> Recorded {
    rig.records().into_iter().rfind(|record| record.intent.kind == kind).expect("one of that kind")
}
