//! What comes back, and what the fleet makes of it: every answer is checked.

use super::check;
use super::fleet::Fleet;
use super::mix::Twist;
use super::seat::{Awaiting, Ended, Purpose};
use super::tally::Fault;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::Kind;
use crate::model::TerminalId;
use crate::sim::terminal::{Answer, ChipCheck, Heard, MacCheck, Original, Unexpected};
use bytes::Bytes;

impl Fleet {
    /// A unit came over a connection.
    pub(super) fn heard(&mut self, line: usize, unit: Bytes, now: u64) {
        let Some(at) = self.whose(line, &unit) else { return self.stray(line, None, unit, now) };
        let Some(seat) = self.seats.get_mut(at) else { return };
        let Some(awaiting) = seat.awaiting.take() else { return self.stray(line, Some(at), unit, now) };
        match seat.terminal.on_answer(&awaiting.sent, unit.clone()) {
            Heard::Answer(answer) => {
                seat.recent.ended(Ended::Answered);
                self.answered(at, awaiting, &answer, now);
            }
            Heard::Other(Unexpected::Differs(roles)) if !check::is_anothers(&roles) => {
                seat.recent.ended(Ended::Answered);
                self.differs(at, &awaiting, &roles, now);
            }
            Heard::Other(_) => {
                seat.awaiting = Some(awaiting);
                return self.stray(line, Some(at), unit, now);
            }
        }
        self.next(at, now);
    }

    /// The terminal to which a unit is addressed. On a connection of one terminal it is that one.
    fn whose(&self, line: usize, unit: &Bytes) -> Option<usize> {
        let line = self.lines.get(line)?;
        if let [only] = line.seats.as_slice() {
            return Some(*only);
        }
        let message = self.message(unit)?;
        match terminal(&message) {
            Some(id) => line.by_terminal.get(&id).copied(),
            // Answers to management messages may name no terminal: then the number must do.
            None => line.seats.iter().copied().find(|at| self.awaits(*at, &message)),
        }
    }

    fn awaits(&self, at: usize, message: &Message) -> bool {
        let awaiting = self.seats.get(at).and_then(|seat| seat.awaiting.as_ref());
        let stan = message.role(Role::Stan);
        awaiting.is_some_and(|awaiting| {
            let asked = awaiting.sent.message.role(Role::Stan);
            asked.is_some()
                && asked.as_deref() == stan.as_deref()
                && message.mti() == Some(awaiting.sent.mti.response())
        })
    }

    fn message(&self, unit: &Bytes) -> Option<Message> {
        let profile = &self.common.profile;
        let frame = profile.split(unit.clone()).ok()?;
        profile.decode(&frame).ok()
    }

    /// An answer to what the terminal waited for.
    fn answered(&mut self, at: usize, awaiting: Awaiting, answer: &Answer, now: u64) {
        match awaiting.purpose {
            Purpose::Ask(twist) => self.judge(at, awaiting, twist, answer, now),
            Purpose::SignIn => self.signed_in(at, answer, now),
            Purpose::Reversal => {
                self.check_mac(awaiting.measured, answer, now);
                self.undone(at, awaiting, answer, now);
            }
            Purpose::Repeat { ref code, rrn } => {
                if **code != *answer.wire_code || rrn != answer.rrn {
                    let book = self.book(awaiting.measured);
                    book.count(Fault::RepeatDiffers, now);
                    book.differed(if **code == *answer.wire_code { "rrn" } else { "response-code" });
                }
                self.check_mac(awaiting.measured, answer, now);
            }
        }
    }

    fn judge(&mut self, at: usize, awaiting: Awaiting, twist: Twist, answer: &Answer, now: u64) {
        let (measured, kind) = (awaiting.measured, awaiting.sent.kind);
        self.landed();
        self.book(measured).came(&answer.wire_code, (awaiting.due, awaiting.left), now);
        self.check_mac(measured, answer, now);
        self.check_echoes(&awaiting, answer, now);
        let codes = &self.common.mix.codes;
        let allowed =
            if codes.is_empty() { answer.approved } else { codes.iter().any(|code| **code == *answer.wire_code) };
        let book = self.book(measured);
        if !allowed {
            book.count(Fault::Code, now);
        }
        if answer.chip == ChipCheck::Wrong {
            book.count(Fault::Chip, now);
        }
        let believed = answer.approved && answer.valid;
        if believed {
            book.approved += 1;
        }
        let keeps = self.common.keeps_beliefs;
        let Some(seat) = self.seats.get_mut(at) else { return };
        seat.wants_keys = answer.wants_sign_in() && !answer.approved && seat.terminal.setup().profile.sign_in;
        let voided = if kind == Kind::SaleVoid { seat.voiding.take() } else { None };
        if believed {
            if let (true, Some(rrn), Some(amount)) = (keeps && is_charge(kind), answer.rrn, answer.amount) {
                seat.believed.push((rrn, amount));
            }
            if let Some(rrn) = voided {
                seat.take_back(rrn);
            }
            let slip = seat.terminal.memory().log.slips.last();
            seat.voidable = slip.filter(|_| kind == Kind::Sale).map(|slip| (Original::from(slip), slip.amount));
            seat.terminal.forget_slips();
        }
        self.twist(at, awaiting, twist, (answer, believed), now);
    }

    /// What is done on purpose after an answer.
    fn twist(&mut self, at: usize, awaiting: Awaiting, twist: Twist, (answer, believed): (&Answer, bool), now: u64) {
        let Some(seat) = self.seats.get_mut(at) else { return };
        match twist {
            Twist::Repeat if seat.is_ready() => {
                let purpose = Purpose::Repeat { code: answer.wire_code.as_str().into(), rrn: answer.rrn };
                self.book(awaiting.measured).besides += 1;
                self.send(at, awaiting.sent, purpose, now, awaiting.measured);
            }
            // What moved nothing cannot be undone, and a void that is undone would leave its sale standing.
            Twist::Undo if believed && is_charge(awaiting.sent.kind) && seat.terminal.undo_last() => {
                seat.undoing = answer.rrn;
                seat.voidable = None;
            }
            _ => {}
        }
    }

    fn check_mac(&mut self, measured: bool, answer: &Answer, now: u64) {
        let fault = match answer.mac {
            MacCheck::Ok | MacCheck::None => return,
            MacCheck::Missing => Fault::NoMac,
            MacCheck::Wrong => Fault::WrongMac,
        };
        self.book(measured).count(fault, now);
    }

    fn check_echoes(&mut self, awaiting: &Awaiting, answer: &Answer, now: u64) {
        let loose = std::sync::Arc::clone(&self.common.loose);
        let book = self.book(awaiting.measured);
        let mut any = false;
        for role in check::differing(&awaiting.sent, &answer.message, &loose) {
            book.differed(role);
            any = true;
        }
        if any {
            book.count(Fault::Differs, now);
        }
    }

    /// Its answer came, and is wrong in what both must share. The terminal undoes what it asked.
    fn differs(&mut self, at: usize, awaiting: &Awaiting, roles: &[&'static str], now: u64) {
        let book = self.book(awaiting.measured);
        roles.iter().for_each(|role| book.differed(role));
        book.count(Fault::Differs, now);
        match awaiting.purpose {
            Purpose::Ask(_) => {
                book.came("--", (awaiting.due, awaiting.left), now);
                self.landed();
            }
            // A host that always answers these wrong is not to be asked without end.
            Purpose::SignIn => self.rest(at, "its sign-in was answered for something else".to_owned(), now),
            Purpose::Reversal => self.rest(at, "its reversal was answered for something else".to_owned(), now),
            Purpose::Repeat { .. } => {}
        }
    }

    fn signed_in(&mut self, at: usize, answer: &Answer, now: u64) {
        let trouble = match (&answer.keys, answer.approved) {
            (Some(fault), _) => Some(fault.to_string()),
            (None, false) => Some(format!("sign-in refused: {}", answer.wire_code)),
            (None, true) => None,
        };
        match trouble {
            Some(trouble) => self.rest(at, trouble, now),
            None => {
                if let Some(seat) = self.seats.get_mut(at) {
                    seat.trouble = None;
                }
            }
        }
    }

    fn undone(&mut self, at: usize, awaiting: Awaiting, answer: &Answer, now: u64) {
        let wants_keys = answer.wants_sign_in() && !answer.approved;
        let Some(seat) = self.seats.get_mut(at) else { return };
        seat.wants_keys = wants_keys && seat.terminal.setup().profile.sign_in;
        if seat.terminal.memory().pending.is_some() {
            self.rest(at, format!("reversal not accepted: {}", answer.wire_code), now);
            return;
        }
        if let Some(rrn) = seat.undoing.take() {
            seat.take_back(rrn);
        }
        let measured = awaiting.measured || now >= self.measures_from;
        self.book(measured).reversed += 1;
    }

    /// Bytes came that are no frame: what follows them has no meaning.
    pub(super) fn garbled(&mut self, now: u64) {
        let measured = now >= self.measures_from;
        self.book(measured).count(Fault::Garbage, now);
    }

    /// A unit that answers nothing which is awaited: what it is instead, as far as that can be known.
    fn stray(&mut self, line: usize, at: Option<usize>, unit: Bytes, now: u64) {
        let message = self.message(&unit);
        let measured = now >= self.measures_from;
        let Some(message) = message else { return self.book(measured).count(Fault::Garbage, now) };
        // A host may ask something by itself, such as whether anybody is there.
        let Some(mti) = message.mti().filter(|mti| mti.is_response()) else { return };
        let named = terminal(&message);
        let here = |id: &TerminalId| self.lines.get(line).is_some_and(|line| line.by_terminal.contains_key(id));
        let fault = match named {
            Some(id) if !here(&id) && self.common.known.contains(&id) => Fault::OtherConnection,
            Some(id) if !here(&id) => Fault::OtherTerminal,
            _ => {
                let stan = message.role(Role::Stan);
                let recent = at.and_then(|at| self.seats.get(at)).map(|seat| &seat.recent);
                match recent.zip(stan).and_then(|(recent, stan)| recent.find(mti, &stan)) {
                    Some(Ended::Answered) => Fault::Twice,
                    Some(Ended::GivenUp) => Fault::Late,
                    Some(Ended::Waiting) | None => Fault::Unmatched,
                }
            }
        };
        let roles = self.against(at, &message);
        let book = self.book(measured);
        if !matches!(fault, Fault::Twice | Fault::Late) {
            roles.into_iter().for_each(|role| book.differed(role));
        }
        book.count(fault, now);
    }

    /// What tells a stray answer from the one that is awaited.
    fn against(&self, at: Option<usize>, message: &Message) -> Vec<&'static str> {
        let awaiting = at.and_then(|at| self.seats.get(at)).and_then(|seat| seat.awaiting.as_ref());
        let Some(awaiting) = awaiting else { return Vec::new() };
        let mut roles = Vec::new();
        if message.mti() != Some(awaiting.sent.mti.response()) {
            roles.push("mti");
        }
        for role in [Role::ProcessingCode, Role::Amount, Role::Stan, Role::Terminal, Role::Merchant] {
            if let (Some(asked), Some(came)) = (awaiting.sent.message.role(role), message.role(role))
                && *asked != *came
            {
                roles.push(role.as_str());
            }
        }
        roles
    }
}

fn is_charge(kind: Kind) -> bool {
    matches!(kind, Kind::Sale | Kind::Authorization)
}

fn terminal(message: &Message) -> Option<TerminalId> {
    TerminalId::parse(&message.role(Role::Terminal)?)
}
