//! A request with all that belongs to it: what it follows, and what only passes through.

use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::Recorded;
use crate::model::Kind;
use crate::model::Request;
use smallvec::SmallVec;

/// Values that the switch hands on as they are. No `Debug`: account numbers and payment codes are among them.
pub(super) type Passed = SmallVec<[(Role, SmallVec<[u8; 32]>); 1]>;

/// What a terminal asks, whole. Not kept: an issuer gets what passes through at once or not at all.
pub(super) struct Asking {
    pub(super) request: Request,
    /// The transaction that it names as its original.
    pub(super) original: Option<Recorded>,
    /// It may follow nothing, but names an original, and there is none.
    pub(super) original_unknown: bool,
    pub(super) passed: Passed,
}

/// What of `message` passes through to the issuer: the accounts of a transfer, the plan of a sale in instalments
/// (DE 25 64), the code that was scanned. Text only: an issuer's elements are text.
pub(super) fn passed(message: &Message, kind: Kind) -> Passed {
    let roles: &[Role] = match kind {
        Kind::Transfer => &[Role::FromAccount, Role::ToAccount],
        Kind::Sale | Kind::SaleVoid => &[Role::PaymentCode, Role::InstalmentData],
        Kind::Refund => &[Role::PaymentCode],
        _ => &[],
    };
    let value = |role: &Role| {
        let value = message.role(*role)?;
        let text = value.iter().all(|byte| (b' '..=b'~').contains(byte));
        text.then(|| (*role, SmallVec::from_slice(&value)))
    };
    roles.iter().filter_map(value).collect()
}
