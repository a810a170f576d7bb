//! What the field is told: `[operators]` and `[keys]`.

use crate::model::Kind;
use crate::registry::Breaches;
use crate::registry::Document;
use crate::registry::DukptJump;
use crate::registry::KeyTerms;
use crate::registry::RENEWAL;
use crate::registry::Renewal;
use crate::registry::Rules;

const OPERATORS: &[&str; 1] = &["supervisor_for"];

/// Kinds that may be refused: nothing refuses reversals, advices and settlements (rules of the money, 5), but for the
/// one by which a terminal gives money away.
const KINDS: [Kind; 12] = [
    Kind::Sale,
    Kind::Authorization,
    Kind::Balance,
    Kind::SaleVoid,
    Kind::AuthorizationVoid,
    Kind::Increment,
    Kind::Completion,
    Kind::CompletionVoid,
    Kind::Refund,
    Kind::OfflineRefund,
    Kind::Verification,
    Kind::Transfer,
];

pub(super) fn rules(document: &Document<'_>, breaches: &mut Breaches) -> Rules {
    let row = document.table("operators", OPERATORS, breaches);
    let kind = |name: &str| KINDS.into_iter().find(|kind| kind.name() == name);
    let form = "a kind that asks for something, such as refund or sale-void";
    let supervisor_for = row.list("supervisor_for", form, kind, breaches);
    let keys = document.table("keys", RENEWAL, breaches);
    let renewal = Renewal::read(&keys, breaches);
    let usual = DukptJump::default();
    let jump = keys.bounded("dukpt_jump", usual.0.into(), 1..=u64::from(u32::MAX), breaches);
    let dukpt_jump = jump.and_then(|jump| u32::try_from(jump).ok()).map_or(usual, DukptJump);
    Rules { supervisor_for, renewal, key_terms: KeyTerms::read(&keys, breaches), dukpt_jump }
}
