//! The enforcement ladder as a message meets it: who may open the day, what a device says against itself, what is
//! asked of it from afar.
//!
//! Who is suspended is asked in the ledger's commit of each request. Here is what no intent is made of: sign-ins, and
//! reports of the device.

use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::iso8583::Role;
use crate::iso8583::device_data;
use crate::ledger::Ledger;
use crate::ledger::Stepped;
use crate::model::LadderEntry;
use crate::model::LadderStep;
use crate::model::RemoteAction;
use crate::model::ResponseCode;
use crate::model::Standing;
use crate::model::Subject;
use crate::model::TerminalFacts;

/// Who acts where the switch does by itself.
const SWITCH: &str = "switch";

/// What a device says in DE 59 when somebody opened it.
const OPENED: &[u8] = b"1";

impl<W: World> Station<W> {
    /// Whether the ladder lets a terminal and its merchant open their day (58).
    pub(super) fn may_open(&self, facts: &TerminalFacts) -> Result<(), Stop> {
        let subjects = [
            (Subject::Terminal(facts.terminal), "terminal-suspended"),
            (Subject::Merchant(facts.merchant), "merchant-suspended"),
        ];
        for (subject, rule) in subjects {
            let ladder = self.parts.ledger.ladder(&subject);
            if ladder.is_some_and(|ladder| ladder.standing != Standing::Active) {
                return Err(Stop::code(ResponseCode::TerminalForbidden, rule));
            }
        }
        Ok(())
    }

    /// What the device says in a message whose MAC verified: that it was opened, or a serial number that the registry
    /// does not have for the terminal. Either suspends the terminal at once, before the message is looked at: a
    /// reversal or an advice is served all the same.
    pub(super) async fn hear_device(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<(), Stop> {
        if says_opened(exchange) {
            return self.suspend(exchange, facts, "its device says that it was opened").await;
        }
        let data = exchange.message.role(Role::TerminalData);
        let serial = data.as_deref().and_then(device_data::serial_number);
        match serial.is_some_and(|serial| is_another(facts, serial)) {
            true => self.suspend(exchange, facts, "its device says another serial number than the registry").await,
            false => Ok(()),
        }
    }

    /// The serial number of a sign-in. Anybody can write a sign-in: without the terminal's certificate another number
    /// is refused (58) and suspends nobody.
    pub(super) async fn hear_sign_in(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        proven: bool,
    ) -> Result<(), Stop> {
        let data = exchange.message.role(Role::KeyData);
        let serial = data.as_deref().and_then(device_data::signed_in_as);
        if !serial.is_some_and(|serial| is_another(facts, serial)) {
            return Ok(());
        }
        let source = exchange.from.household;
        tracing::error!(
            event = "device-serial", terminal = %facts.terminal, %source, proven,
            "a sign-in says another serial number than the registry"
        );
        if proven {
            self.suspend(exchange, facts, "its device signed in under another serial number than the registry's")
                .await?;
        }
        Err(Stop::code(ResponseCode::TerminalForbidden, "device-serial"))
    }

    async fn suspend(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, reason: &str) -> Result<(), Stop> {
        let subject = Subject::Terminal(facts.terminal);
        if self.parts.ledger.ladder(&subject).is_some_and(|ladder| ladder.standing != Standing::Active) {
            return Ok(());
        }
        let (actor, reason) = (SWITCH.into(), reason.into());
        let entry = LadderEntry { subject, step: LadderStep::Suspend, actor, reason, at: exchange.received };
        tracing::error!(event = "suspended", terminal = %facts.terminal, reason = &*entry.reason, "a terminal is suspended");
        self.step(entry).await.map(drop)
    }

    /// Takes a step on the ladder.
    pub(super) async fn step(&self, entry: LadderEntry) -> Result<Stepped, Stop> {
        self.parts.ledger.step(entry).await.map_err(|fault| self.ledger_stop(&fault))
    }

    /// What an operator asked of the terminal and it was not told yet.
    pub(super) fn asked_from_afar(&self, facts: &TerminalFacts) -> Option<RemoteAction> {
        let ladder = self.parts.ledger.ladder(&Subject::Terminal(facts.terminal))?;
        ladder.asked.iter().next()
    }

    /// Notes that what was asked of a terminal is done.
    pub(super) async fn done(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        action: RemoteAction,
    ) -> Result<(), Stop> {
        let subject = Subject::Terminal(facts.terminal);
        if !self.parts.ledger.ladder(&subject).is_some_and(|ladder| ladder.asked.has(action)) {
            return Ok(());
        }
        let (actor, reason) = (SWITCH.into(), "it was told".into());
        let entry = LadderEntry { subject, step: LadderStep::Done(action), actor, reason, at: exchange.received };
        self.step(entry).await.map(drop)
    }
}

/// Whether the device says that it was opened.
pub(super) fn says_opened(exchange: &Exchange<'_>) -> bool {
    exchange.message.role(Role::DeviceStatus).is_some_and(|status| &*status == OPENED)
}

/// Whether the registry has a device for the terminal, with another serial number.
fn is_another(facts: &TerminalFacts, serial: &str) -> bool {
    facts.site.hardware.as_deref().is_some_and(|hardware| &*hardware.serial != serial)
}
