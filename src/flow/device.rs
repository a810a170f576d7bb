//! DUKPT devices: a key for each transaction, named by a serial number that only goes up.

use super::authentic::Authentic;
use super::authentic::Proven;
use super::authentic::unverified;
use super::content::whole;
use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use super::witness::{Event, Witness};
use crate::hsm::BdKey;
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::KeyFault;
use crate::hsm::Verdict;
use crate::iso8583::Role;
use crate::ledger::Ledger;
use crate::model::DukptScheme;
use crate::model::Ksn;
use crate::model::Opening;
use crate::model::ResponseCode;
use crate::model::SerialFault;
use crate::model::SerialMark;
use crate::model::SerialStep;
use crate::model::SessionFacts;
use crate::model::TerminalFacts;
use crate::mutant;
use crate::mutant::Mutant;
use crate::registry::Shown;

impl<W: World> Station<W> {
    /// Verifies a message under its transaction's key, and then its serial number against the device's mark. Nothing
    /// is noted of a serial number whose MAC does not verify: anybody can write one.
    pub(super) async fn authenticate_device(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        base: &BdKey,
        scheme: DukptScheme,
    ) -> Result<Authentic, Stop> {
        let value = exchange.message.role(Role::Ksn).ok_or(Stop::format("ksn"))?;
        let ksn = Ksn::read(&value).filter(|ksn| ksn.scheme() == scheme).ok_or(Stop::format("ksn"))?;
        if ksn.counter().is_none() {
            return Err(Stop::code(ResponseCode::MacFailure, "ksn-counter"));
        }
        self.verify_transaction(exchange, facts, DukptKey { base, ksn: &ksn }).await?;
        let raised = self.take_serial(exchange, facts, ksn)?;
        let keys = Proven::Transaction { base: base.clone(), ksn };
        Ok(Authentic { keys, opening: Opening::default(), generation: None, raised })
    }

    async fn verify_transaction(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        key: DukptKey<'_>,
    ) -> Result<(), Stop> {
        let (data, mac) = exchange.authenticated()?;
        let scheme = &exchange.door.profile.mac.scheme;
        let (hsm, witness) = (&self.parts.hsm, &self.parts.witness);
        let verdict = hsm.mac_verify_dukpt(&Self::ctx(), key, Direction::Request, scheme, (data, &mac)).await;
        let verdict = verdict.map_err(|fault| match fault {
            // The device's doing, not the HSM's: its serial number is none of this base key's.
            HsmError::Key { fault: KeyFault::Ksn, .. } => Stop::code(ResponseCode::MacFailure, "ksn-family"),
            fault => unverified(&fault),
        })?;
        let (terminal, range) = (Some(&facts.terminal), 0..data.len());
        match verdict {
            Verdict::Match => {
                witness.note(terminal, &Event::MacVerified { range, key: None });
                Ok(())
            }
            Verdict::NoMatch => {
                witness.note(terminal, &Event::MacFailed { from: exchange.from, range, tried: Vec::new() });
                Err(Stop::code(ResponseCode::MacFailure, "mac"))
            }
        }
    }

    /// Raises the device's mark, in memory: the facts to be kept with what the message asks, if it rose. Who verified
    /// and is refused all the same is a copied device, a replay or a device that lost its memory: a person must look.
    fn take_serial(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        ksn: Ksn,
    ) -> Result<Option<SessionFacts>, Stop> {
        let registry = self.parts.registry.load();
        let mark = SerialMark { ksn, content: whole(exchange.message, &*self.parts.sealer) };
        let stranger = facts.device.is_none() && registry.terminal_of(ksn.device()).is_some();
        let shown = Shown { terminal: facts.terminal, named: facts.device, mark };
        let taken = match stranger {
            true => Err(SerialFault::Elsewhere),
            false => self.parts.sessions.show(&shown, registry.dukpt_jump()),
        };
        let taken = match taken {
            Err(SerialFault::Back) if mutant::is(Mutant::SerialBack) => Ok((SerialStep::Repeat, None)),
            Ok(_) if mutant::is(Mutant::SerialNotKept) => return Ok(None),
            // The message before it may not have come to the disk: there was no room, or it is under way.
            Ok((SerialStep::Repeat, _)) => Ok((SerialStep::Repeat, self.unkept(facts, mark))),
            taken => taken,
        };
        let terminal = &facts.terminal;
        let (step, raised) = taken.map_err(|fault| {
            let (rule, door) = (fault.rule(), &exchange.door.name);
            tracing::error!(event = "ksn-refused", %terminal, door, rule, "a serial number that verified must not be served: a copied device, a replay, or one that lost its memory");
            Stop::code(ResponseCode::MacFailure, rule)
        })?;
        match step {
            SerialStep::Jump(left_out) => {
                tracing::error!(event = "ksn-jump", %terminal, door = exchange.door.name, left_out, "a device left out more transactions than is likely");
            }
            SerialStep::Bound => tracing::info!(event = "ksn-bound", %terminal, "the terminal has a DUKPT device"),
            SerialStep::On | SerialStep::Repeat => {}
        }
        Ok(raised)
    }

    /// The terminal's facts, if the ledger has another mark.
    fn unkept(&self, facts: &TerminalFacts, mark: SerialMark) -> Option<SessionFacts> {
        let kept = self.parts.ledger.terminal(facts.terminal).and_then(|kept| kept.serial);
        self.session(&facts.terminal).filter(|_| kept != Some(mark))
    }

    /// Keeps what a message raised, unless that went with its intent: before its answer, whatever it is.
    pub(super) async fn keep_raised(&self, facts: &TerminalFacts, authentic: &Authentic) -> Result<(), Stop> {
        let Some(raised) = &authentic.raised else { return Ok(()) };
        let kept = self.parts.ledger.terminal(facts.terminal);
        // Its own version went with its intent, which is durable. A later one may be on its way to the disk still.
        if kept.is_some_and(|kept| kept.version == raised.version) {
            return Ok(());
        }
        let noted = self.parts.ledger.note_terminal(facts.terminal, raised.clone()).await;
        noted.map_err(|fault| self.ledger_stop(&fault))
    }
}
