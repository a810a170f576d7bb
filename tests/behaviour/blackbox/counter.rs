//! One terminal that sells, one sale after the other, and remembers what it was told.

use super::process::Station;
use crate::switch::CARD_A;
use crate::switch::rig::Till;
use crate::switch::rig::connect;
use crate::switch::rig::now;
use bytes::Bytes;
use std::io::Write;
use tollgate::model::Amount;
use tollgate::model::Kind;
use tollgate::model::ResponseCode;
use tollgate::sim::load::Belief;
use tollgate::sim::terminal::Answer;
use tollgate::sim::terminal::Sent;

/// A terminal, and what it believes.
pub(super) struct Counter {
    pub(super) till: Till,
    belief: Belief,
}

impl Counter {
    /// A terminal of the demo that signs in.
    pub(super) fn open(station: &Station, number: u32) -> Self {
        let mut till = Till::at(station.door(), number, "pos");
        till.sign_in();
        let terminal = till.terminal.setup().terminal;
        Self { till, belief: Belief { terminal, sales: Vec::new(), given: Vec::new(), unresolved: false } }
    }

    /// Sends a sale; the answer, unless the line ends first.
    pub(super) fn sell(&mut self, minor: u64) -> Option<Answer> {
        let sent = self.till.prepare(Kind::Sale, minor, CARD_A);
        self.ask(&sent).map(|(answer, _)| answer)
    }

    /// Sends what was prepared: the answer as it was judged, and as it came.
    pub(super) fn ask(&mut self, sent: &Sent) -> Option<(Answer, Bytes)> {
        self.till.line.write_all(&sent.unit).ok()?;
        let unit = self.till.receive()?;
        let answer = self.till.judge(sent, unit.clone());
        if sent.kind == Kind::Sale && answer.approved && answer.valid {
            let asked = sent.message.role(tollgate::iso8583::Role::Amount).and_then(|digits| Amount::parse(&digits));
            self.belief.sales.push((answer.rrn.unwrap(), answer.amount.or(asked).unwrap()));
        }
        Some((answer, unit))
    }

    /// Sends the same bytes again, on whatever line there is now.
    pub(super) fn repeat(&mut self, sent: &Sent) -> Option<Bytes> {
        self.till.line.write_all(&sent.unit).ok()?;
        self.till.receive()
    }

    /// Calls the station again.
    pub(super) fn call(&mut self, station: &Station) {
        self.till.line = connect(station.door());
    }

    /// Undoes what had no answer.
    pub(super) fn settle(&mut self) {
        if let Some(reversal) = self.till.terminal.reversal(now()).unwrap() {
            assert_eq!(self.ask(&reversal).unwrap().0.code, Some(ResponseCode::Approved));
        }
        assert!(self.till.terminal.memory().pending.is_none());
    }

    /// The same with a station that may end meanwhile; whether the line held.
    pub(super) fn try_settle(&mut self) -> bool {
        let reversal = self.till.terminal.reversal(now()).unwrap();
        reversal.is_none_or(|reversal| self.ask(&reversal).is_some())
    }

    /// Undoes the last sale, which was approved.
    pub(super) fn take_back(&mut self) {
        assert!(self.till.terminal.undo_last());
        self.belief.sales.pop();
        self.settle();
    }

    /// What it believes in the end.
    pub(super) fn belief(&self) -> Belief {
        Belief { unresolved: self.till.terminal.memory().pending.is_some(), ..self.belief.clone() }
    }
}
