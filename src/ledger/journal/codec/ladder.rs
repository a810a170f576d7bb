//! The enforcement ladder and what else people and rules do to subjects, as bytes.

use super::CodecFault;
use super::wire::Input;
use super::wire::Wire;
use crate::model::LadderStep;
use crate::model::RemoteAction;
use crate::model::RemoteActions;
use crate::model::Revised;
use crate::model::Standing;
use crate::model::Subject;
use crate::risk::MemoryRow;

/// A closed set of values, a byte each, in this order.
macro_rules! places {
    ($($type:ident, $what:literal, $all:expr;)+) => {$(
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let place = $all.iter().position(|one| one == self);
                out.push(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX));
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                $all.get(usize::from(input.byte()?)).copied().ok_or(CodecFault::Value($what))
            }
        }
    )+};
}

places! {
    Standing, "standing", [Self::Active, Self::Suspended, Self::Terminated];
    RemoteAction, "remote action", Self::ALL;
    Revised, "thing revised", Self::ALL;
}

/// 0 and the terminal, or 1 and the merchant.
impl Wire for Subject {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Terminal(terminal) => {
                out.push(0);
                terminal.put(out);
            }
            Self::Merchant(merchant) => {
                out.push(1);
                merchant.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        match input.byte()? {
            0 => Wire::take(input).map(Self::Terminal),
            1 => Wire::take(input).map(Self::Merchant),
            _ => Err(CodecFault::Value("subject")),
        }
    }
}

/// What is done as a number, then how much or what.
impl Wire for LadderStep {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Warn => out.push(0),
            Self::Fine(amount) => {
                out.push(1);
                amount.put(out);
            }
            Self::Suspend => out.push(2),
            Self::Resume => out.push(3),
            Self::Terminate => out.push(4),
            Self::Ask(action) => {
                out.push(5);
                action.put(out);
            }
            Self::Done(action) => {
                out.push(6);
                action.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Ok(match input.byte()? {
            0 => Self::Warn,
            1 => Self::Fine(Wire::take(input)?),
            2 => Self::Suspend,
            3 => Self::Resume,
            4 => Self::Terminate,
            5 => Self::Ask(Wire::take(input)?),
            6 => Self::Done(Wire::take(input)?),
            _ => return Err(CodecFault::Value("step")),
        })
    }
}

/// A bit each.
impl Wire for RemoteActions {
    fn put(&self, out: &mut Vec<u8>) {
        out.push(self.bits());
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Self::of_bits(input.byte()?).ok_or(CodecFault::Value("remote action"))
    }
}

/// Its bytes, which are the memory's own business.
impl Wire for MemoryRow {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Wire::take(input).map(Self)
    }
}
