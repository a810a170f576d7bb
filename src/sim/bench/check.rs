//! Whether an answer is this request's: the elements that both must share.

use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::Kind;
use crate::sim::terminal::Sent;

/// What an answer repeats of its request besides what the terminal itself insists on: if both have it, it is the same.
const SHARED: [Role; 6] =
    [Role::Pan, Role::TransmissionTime, Role::LocalTime, Role::LocalDate, Role::Currency, Role::Rrn];

/// Elements without which an answer is another request's, or of another message. Others differing, it is this
/// request's and wrong.
const OF_ANOTHER: [&str; 3] = ["mti", "stan", "terminal"];

/// The roles, besides the terminal's own, in which an answer differs from its request. Those in `loose` do not count.
pub(super) fn differing<'a>(
    sent: &'a Sent,
    came: &'a Message,
    loose: &'a [Role],
) -> impl Iterator<Item = &'static str> {
    // A follow-up's DE 37 is its original's; its answer has one of its own.
    let names_original = |role| role == Role::Rrn && sent.kind == Kind::SaleVoid;
    SHARED.into_iter().filter(move |role| !loose.contains(role) && !names_original(*role)).filter_map(|role| {
        let (asked, answered) = (sent.message.role(role)?, came.role(role)?);
        (*asked != *answered && !is_masked(role, &answered)).then_some(role.as_str())
    })
}

/// Hosts may mask the card's number.
fn is_masked(role: Role, value: &[u8]) -> bool {
    role == Role::Pan && value.contains(&b'*')
}

/// Whether an answer with these differences answers something else.
pub(super) fn is_anothers(roles: &[&'static str]) -> bool {
    roles.iter().any(|role| OF_ANOTHER.contains(role))
}
