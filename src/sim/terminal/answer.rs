//! What a terminal makes of what comes back.

use super::chip::ChipCheck;
use super::log::Closing;
use super::memory::Undo;
use super::request::Sent;
use super::slip::{Side, Slip};
use super::{PadFault, Terminal};
use crate::channel::FrameFault;
use crate::hsm::Direction;
use crate::iso8583::DecodeError;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::iso8583::settlement::Verdict;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::DownloadSet;
use crate::model::Kind;
use crate::model::Ksn;
use crate::model::OnUnknown;
use crate::model::RemoteRequest;
use crate::model::ResponseCode;
use crate::model::Rrn;
use bytes::Bytes;

/// Whether an answer's MAC holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MacCheck {
    /// It does.
    Ok,
    /// Messages of this type carry none.
    None,
    /// It should be there and is not.
    Missing,
    /// It is there and does not verify.
    Wrong,
}

impl MacCheck {
    /// A host that refuses to look at a message may be unable to sign that; nobody signs wrong on purpose.
    fn lets_pass(self, approved: bool) -> bool {
        match self {
            Self::Ok | Self::None => true,
            Self::Missing => !approved,
            Self::Wrong => false,
        }
    }
}

/// An answer to a request of ours.
pub struct Answer {
    /// DE 39 as it came.
    pub wire_code: String,
    /// What that means; `None` if the dialect does not know it: a decline.
    pub code: Option<ResponseCode>,
    /// Whether it means success.
    pub approved: bool,
    /// Whether it may be acted on: an approval without a good MAC may not, nor anything with a wrong one, nor an
    /// approval that the chip refuses.
    pub valid: bool,
    /// Its MAC.
    pub mac: MacCheck,
    /// What the chip makes of it.
    pub chip: ChipCheck,
    /// DE 37.
    pub rrn: Option<Rrn>,
    /// DE 38.
    pub approval: Option<ApprovalCode>,
    /// DE 4 of a partial approval, or what was asked.
    pub amount: Option<Amount>,
    /// Why new working keys were not taken.
    pub keys: Option<PadFault>,
    /// What the host says of a batch's totals: of domestic cards, of foreign ones.
    pub verdicts: Option<[Verdict; 2]>,
    /// What the host wants the terminal to do next.
    pub asked: Option<RemoteRequest>,
    /// The whole message.
    pub message: Message,
}

impl Answer {
    /// Whether the host wants a sign-in before it serves: 77, 99, A0.
    #[must_use]
    pub fn wants_sign_in(&self) -> bool {
        matches!(self.code, Some(ResponseCode::SignInRequired | ResponseCode::PinFormat | ResponseCode::MacFailure))
    }
}

/// What a unit from the host is.
pub enum Heard {
    /// The answer.
    Answer(Box<Answer>),
    /// Something else: keep waiting.
    Other(Unexpected),
}

/// A unit that is not the answer awaited.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unexpected {
    /// It is no frame of the profile.
    #[error("not a frame: {0}")]
    Frame(#[from] FrameFault),
    /// It is no message of the dialect.
    #[error("not a message: {0}")]
    Unreadable(DecodeError),
    /// It answers something else.
    #[error("another message's answer: {} differ", .0.join(", "))]
    Differs(Vec<&'static str>),
}

/// The roles that an answer repeats, if it has them.
const ECHOED: [Role; 5] = [Role::ProcessingCode, Role::Amount, Role::Stan, Role::Terminal, Role::Merchant];

impl Terminal {
    /// Judges one unit (without its length header) that came while `sent` awaited its answer. Keep the
    /// memory afterwards.
    ///
    /// A valid answer takes the pending reversal out; an approval whose MAC is missing or wrong keeps it,
    /// with reason A0, and one that the chip refuses with reason 06.
    pub fn on_answer(&mut self, sent: &Sent, unit: Bytes) -> Heard {
        match self.read(sent, unit) {
            Ok((message, asked)) => {
                let mut answer = self.judge(sent, message);
                answer.asked = asked;
                Heard::Answer(Box::new(answer))
            }
            Err(unexpected) => Heard::Other(unexpected),
        }
    }

    fn read(&self, sent: &Sent, unit: Bytes) -> Result<(Message, Option<RemoteRequest>), Unexpected> {
        let profile = &self.setup().profile;
        let frame = profile.split(unit)?;
        let message = profile.decode(&frame).map_err(|rejected| Unexpected::Unreadable(rejected.error))?;
        let mut differing = Vec::new();
        if message.mti() != Some(sent.mti.response()) && message.mti() != Some(sent.mti.without_repeat().response()) {
            differing.push("mti");
        }
        let partial = self.code(&message).is_some_and(|code| code == ResponseCode::ApprovedPartial);
        for role in ECHOED.into_iter().filter(|role| !(partial && *role == Role::Amount)) {
            let (asked, came) = (sent.message.role(role), message.role(role));
            if let (Some(asked), Some(came)) = (asked, came)
                && *asked != *came
            {
                differing.push(role.as_str());
            }
        }
        if differing.is_empty() {
            Ok((message, self.asked_of(&frame.header)))
        } else {
            Err(Unexpected::Differs(differing))
        }
    }

    /// What the header of an answer asks for, where the profile says that it may.
    fn asked_of(&self, header: &[u8]) -> Option<RemoteRequest> {
        let place = usize::from(self.setup().profile.request_digit?);
        let byte = header.get(place / 2)?;
        let digit = if place % 2 == 0 { byte >> 4 } else { byte & 0x0F };
        let lists = DownloadSet::ALL.into_iter().map(RemoteRequest::Download);
        [RemoteRequest::SignIn, RemoteRequest::Upgrade].into_iter().chain(lists).find(|asked| asked.digit() == digit)
    }

    fn code(&self, message: &Message) -> Option<ResponseCode> {
        let wire = message.role(Role::ResponseCode)?;
        self.setup().profile.dialect.code(&wire).map(|row| row.code)
    }

    fn judge(&mut self, sent: &Sent, message: Message) -> Answer {
        let mac = self.check_mac(sent, &message);
        let wire = message.role(Role::ResponseCode);
        let row = wire.as_ref().and_then(|wire| self.setup().profile.dialect.code(wire));
        let (row, approved) = (row.map(|row| row.code), row.is_some_and(|row| row.approves));
        // An answer that is not the host's never reaches the chip.
        let chip = if mac.lets_pass(approved) { self.show_chip(sent, &message) } else { ChipCheck::None };
        let value = |role| message.role(role).map(|value| value.to_vec());
        let mut answer = Answer {
            wire_code: wire.as_ref().and_then(|wire| wire.as_str()).unwrap_or("--").to_owned(),
            code: row,
            approved,
            valid: mac.lets_pass(approved) && !(approved && chip == ChipCheck::Wrong),
            mac,
            chip,
            rrn: value(Role::Rrn).and_then(|rrn| Rrn::parse(&rrn)),
            approval: value(Role::ApprovalCode).and_then(|code| ApprovalCode::parse(&code)),
            amount: value(Role::Amount).and_then(|amount| Amount::parse(&amount)),
            keys: None,
            verdicts: None,
            asked: None,
            message,
        };
        self.act_on(sent, &mut answer);
        answer
    }

    /// A DUKPT device checks an answer under the transaction's key of what it sent.
    fn check_mac(&self, sent: &Sent, message: &Message) -> MacCheck {
        let profile = &self.setup().profile;
        if !message.mti().is_some_and(|mti| profile.mac_required(mti)) {
            return MacCheck::None;
        }
        let (Some(input), Some(mac)) = (message.mac_input(), message.mac()) else { return MacCheck::Missing };
        let serial = self.pad().device().and_then(|_| Ksn::read(&sent.message.role(Role::Ksn)?));
        let transaction = serial.as_ref().map(|serial| (serial, Direction::Response));
        match self.pad().mac_of(transaction, &profile.mac.scheme, input) {
            Ok(made) if made.as_slice() == &*mac => MacCheck::Ok,
            _ => MacCheck::Wrong,
        }
    }

    /// The effects of an answer on the terminal's memory.
    fn act_on(&mut self, sent: &Sent, answer: &mut Answer) {
        match sent.kind {
            Kind::SignIn if answer.approved => self.take_keys(answer),
            Kind::SignOff if answer.approved => self.forget_keys(),
            Kind::Settlement => self.compared(answer),
            Kind::BatchUpload => self.uploaded_one(answer),
            // What the host has undone, never did, or does not know is done with.
            Kind::Reversal => {
                let done = matches!(
                    answer.code,
                    Some(ResponseCode::Approved | ResponseCode::RelatedInvalid | ResponseCode::OriginalNotFound)
                );
                if done && answer.valid {
                    self.memory.pending = None;
                }
            }
            kind => match kinds::of(kind).on_unknown {
                OnUnknown::Reverse => self.asked(sent, answer),
                OnUnknown::Repeat if answer.valid => {
                    let slip = self.slip(sent, answer);
                    self.told(sent, answer.code, answer.approved, slip);
                }
                OnUnknown::Repeat | OnUnknown::Nothing => {}
            },
        }
    }

    /// An answer to what would be undone without one. An approval that cannot be believed will be.
    fn asked(&mut self, sent: &Sent, answer: &Answer) {
        if !answer.valid {
            if let Some(pending) = &mut self.memory.pending {
                // 06 is what terminals say when a chip declines at the end.
                pending.reason = if answer.chip == ChipCheck::Wrong { *b"06" } else { *b"A0" };
                pending.approval = answer.approval;
            }
            return;
        }
        // An answer that comes a second time, to a message sent twice, brings no second slip.
        let Some(undo) = self.memory.pending.take().filter(|_| answer.approved) else { return };
        if let Some(slip) = self.slip(sent, answer) {
            self.memory.log.add(slip, self.memory.batch);
        }
        self.memory.last = Some(Undo { approval: answer.approval, ..undo });
        // A notice that the dialect cannot write is owed to nobody.
        let _unwritable = self.scripts_ran(sent, answer);
    }

    fn slip(&self, sent: &Sent, answer: &Answer) -> Option<Slip> {
        let slip = Slip::of(sent, answer, self.memory.batch, self.memory.operator.as_deref());
        let slip = slip.map(|slip| slip.with_tip(sent)).filter(|_| answer.approved)?;
        let charges = slip.side() == Some(Side::Debit);
        Some(Slip { certificate: if charges { self.certified(sent) } else { None }, ..slip })
    }

    fn take_keys(&mut self, answer: &mut Answer) {
        let value = |role| answer.message.role(role).map(|value| value.to_vec());
        let batch = value(Role::Batch).and_then(|batch| BatchNumber::parse(&batch));
        let may_be_ours = self.memory.log.closing.as_ref().is_some_and(Closing::may_be_known);
        match batch {
            Some(batch) if may_be_ours || batch == self.memory.batch => self.take_along(),
            Some(batch) => self.moved_on(batch),
            None => {}
        }
        if let Some(key_data) = value(Role::KeyData) {
            match self.pad.load(&key_data) {
                Ok(()) => self.memory.key_data = Some(key_data),
                Err(fault) => {
                    answer.keys = Some(fault);
                    answer.valid = false;
                }
            }
        }
    }
}
