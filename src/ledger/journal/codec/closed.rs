//! Closed sets as numbers. A number that was given once keeps its meaning; new ones are added at the end.

use super::CodecFault;
#[cfg(test)]
use super::arbitrary::Make;
#[cfg(test)]
use super::arbitrary::Source;
use super::wire::Input;
use super::wire::Wire;
use crate::ledger::BatchState;
use crate::ledger::Difference;
use crate::ledger::Outcome;
use crate::ledger::kinds::Following;
use crate::ledger::lifecycle::State;
use crate::ledger::lifecycle::Undone;
use crate::model::Kind;
use crate::model::MessageClass;
use crate::model::ResponseCode;
use crate::model::VoidsInTotals;

/// Declares which number is which value. A value without a number does not compile.
macro_rules! numbered {
    ($type:ident, $what:literal: $($number:literal = [$($value:tt)+],)+) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.push(match self {
                    $($($value)+ => $number,)+
                });
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                Ok(match input.byte()? {
                    $($number => $($value)+,)+
                    _ => return Err(CodecFault::Value($what)),
                })
            }
        }

        #[cfg(test)]
        impl Make for $type {
            fn make(source: &mut Source) -> Self {
                source.one_of(&[$($($value)+),+])
            }
        }
    };
}

numbered! { Outcome, "outcome":
    0 = [Outcome::Approved],
    1 = [Outcome::Declined],
    2 = [Outcome::TimedOut],
}

numbered! { State, "state":
    0 = [State::Open],
    1 = [State::Stands(Outcome::Approved)],
    2 = [State::Stands(Outcome::Declined)],
    3 = [State::Stands(Outcome::TimedOut)],
    4 = [State::Advising],
    5 = [State::Unadvised],
    6 = [State::Reversing(Undone::Approval)],
    7 = [State::Reversing(Undone::Silence)],
    8 = [State::Reversed(Undone::Approval)],
    9 = [State::Reversed(Undone::Silence)],
    10 = [State::Irreversible(Undone::Approval)],
    11 = [State::Irreversible(Undone::Silence)],
}

numbered! { Following, "follow-up":
    0 = [Following::Voids],
    1 = [Following::Completes],
    2 = [Following::Refunds],
    3 = [Following::Increments],
    4 = [Following::Adjusts],
}

numbered! { Kind, "kind":
    0 = [Kind::Sale],
    1 = [Kind::Authorization],
    2 = [Kind::Balance],
    3 = [Kind::SaleVoid],
    4 = [Kind::AuthorizationVoid],
    5 = [Kind::Increment],
    6 = [Kind::Completion],
    7 = [Kind::CompletionAdvice],
    8 = [Kind::CompletionVoid],
    9 = [Kind::Refund],
    10 = [Kind::OfflineSale],
    11 = [Kind::Adjustment],
    12 = [Kind::Reversal],
    13 = [Kind::SignIn],
    14 = [Kind::SignOff],
    15 = [Kind::Echo],
    16 = [Kind::AuthorizationAdvice],
    17 = [Kind::Verification],
    18 = [Kind::Transfer],
    19 = [Kind::OfflineRefund],
    20 = [Kind::ScriptNotice],
    21 = [Kind::Settlement],
    22 = [Kind::BatchUpload],
    23 = [Kind::Download],
    24 = [Kind::KeyChange],
}

numbered! { BatchState, "state of a batch":
    0 = [BatchState::Balanced],
    1 = [BatchState::Unbalanced],
    2 = [BatchState::Uploading],
    3 = [BatchState::Closed],
    4 = [BatchState::GivenUp],
}

numbered! { VoidsInTotals, "voids in totals":
    0 = [VoidsInTotals::Removed],
    1 = [VoidsInTotals::Credit],
}

numbered! { Difference, "difference":
    0 = [Difference::MissingThere],
    1 = [Difference::MissingHere],
    2 = [Difference::Unknown],
    3 = [Difference::Amount],
    4 = [Difference::Card],
    5 = [Difference::CardClass],
    6 = [Difference::Duplicate],
}

// The second digit of the MTI.
numbered! { MessageClass, "message class":
    1 = [MessageClass::Authorization],
    2 = [MessageClass::Financial],
    3 = [MessageClass::FileAction],
    4 = [MessageClass::Reversal],
    5 = [MessageClass::Reconciliation],
    6 = [MessageClass::Administrative],
    8 = [MessageClass::NetworkManagement],
}

/// The two characters of the code.
impl Wire for ResponseCode {
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.code().as_bytes());
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let code: [u8; 2] = input.array()?;
        let known = std::str::from_utf8(&code).ok().and_then(Self::parse);
        known.ok_or(CodecFault::Value("response code"))
    }
}
