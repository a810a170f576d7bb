//! Who stands at the terminal, and what they may do there.

use super::authentic::Authentic;
use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::iso8583::Role;
use crate::ledger::kinds;
use crate::model::Kind;
use crate::model::Operator;
use crate::model::ResponseCode;
use crate::model::TerminalFacts;
use crate::registry::Duty;
use crate::risk::Refusal;

impl<W: World> Station<W> {
    /// The operator of a sign-in; 58 if the merchant lists its operators and this is none of them.
    pub(super) fn operator(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Option<Operator>, Stop> {
        let length = usize::from(exchange.door.profile.switches.operator_length);
        let operator = match exchange.message.role(Role::Operator) {
            Some(value) if !value.trim_ascii().is_empty() => {
                let operator = value.get(..length.min(value.len())).and_then(Operator::parse);
                Some(operator.ok_or(Stop::format("operator"))?)
            }
            _ => None,
        };
        if self.parts.registry.load().operators().duty(&facts.merchant, operator).is_none() {
            return Err(Stop::code(ResponseCode::TerminalForbidden, "operator-unknown"));
        }
        Ok(operator)
    }

    /// Keys that are too old and operators who are gone: 77. An operator where a supervisor is needed: 58. An
    /// advice tells what has been done, and is taken whoever tells it; but giving money away may need a supervisor.
    pub(super) fn duty_refusal(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        kind: Kind,
        authentic: &Authentic,
    ) -> Option<Refusal> {
        let refusal = |code, rule: &'static str| Some(Refusal { code, rule: rule.into() });
        let (registry, opening) = (self.parts.registry.load(), authentic.opening);
        let (supervised, tells) = (registry.operators().needs_supervisor(kind), kinds::of(kind).is_advice);
        if tells && !supervised {
            return None;
        }
        if !tells && registry.renewal().refuses(opening.at, exchange.received) {
            return refusal(ResponseCode::SignInRequired, "keys-too-old");
        }
        match registry.operators().duty(&facts.merchant, opening.operator) {
            Some(Duty::Supervisor) => None,
            None if !tells => refusal(ResponseCode::SignInRequired, "operator-unknown"),
            _ if supervised => {
                let operator = opening.operator.map(|operator| operator.to_string()).unwrap_or_default();
                tracing::info!(
                    event = "supervisor-needed",
                    terminal = %facts.terminal,
                    kind = kind.name(),
                    operator,
                    "only a supervisor may do this: one must sign in at the terminal"
                );
                refusal(ResponseCode::TerminalForbidden, "supervisor")
            }
            _ => None,
        }
    }
}
