//! Who may sign in at a merchant's terminals, and which kinds need a supervisor.

use super::table::{Breaches, Row};
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::Operator;
use std::collections::BTreeMap;
use std::collections::HashMap;

/// The columns of an operator's row.
pub(super) const COLUMNS: &[&str; 3] = &["merchant", "operator", "role"];

/// What somebody at a terminal may do.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Duty {
    /// Everything but what needs a supervisor.
    Operator,
    /// Everything.
    Supervisor,
}

/// The operators of merchants that list theirs, and the kinds that need a supervisor.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Operators {
    listed: HashMap<MerchantId, BTreeMap<Operator, Duty>>,
    supervisor_for: Vec<Kind>,
}

impl Operators {
    /// No operators yet; these kinds will need a supervisor.
    pub(super) fn new(supervisor_for: &[Kind]) -> Self {
        Self { listed: HashMap::new(), supervisor_for: supervisor_for.to_vec() }
    }

    /// What this operator may do at this merchant's terminals; `None`: not even sign in.
    ///
    /// A merchant that lists its operators knows no others. At one that lists none, 00 is the supervisor, as
    /// terminals have it, and everybody else is an operator.
    #[must_use]
    pub fn duty(&self, merchant: &MerchantId, operator: Option<Operator>) -> Option<Duty> {
        match self.listed.get(merchant) {
            Some(rows) => rows.get(&operator?).copied(),
            None if operator.is_some_and(|operator| operator.as_str() == "00") => Some(Duty::Supervisor),
            None => Some(Duty::Operator),
        }
    }

    /// Whether this kind needs a supervisor.
    #[must_use]
    pub fn needs_supervisor(&self, kind: Kind) -> bool {
        self.supervisor_for.contains(&kind)
    }

    pub(super) fn add<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        merchant_known: impl Fn(&MerchantId) -> bool,
        breaches: &mut Breaches,
    ) {
        let merchant = row.required("merchant", "15 characters", |text| MerchantId::parse(text.as_bytes()), breaches);
        let form = "1 to 3 letters and digits";
        let operator = row.required("operator", form, |text| Operator::parse(text.as_bytes()), breaches);
        let duty = row.required("role", "operator or supervisor", duty, breaches);
        let (Some(merchant), Some(operator), Some(duty)) = (merchant, operator, duty) else { return };
        if !merchant_known(&merchant) {
            return row.breach("merchant", format!("merchant {merchant} is not listed"), breaches);
        }
        if self.listed.entry(merchant).or_default().insert(operator, duty).is_some() {
            row.breach("operator", format!("operator {operator} of {merchant} is listed twice"), breaches);
        }
    }
}

fn duty(text: &str) -> Option<Duty> {
    match text {
        "operator" => Some(Duty::Operator),
        "supervisor" => Some(Duty::Supervisor),
        _ => None,
    }
}
