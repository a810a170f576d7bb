//! What the switch asks of a terminal by the header of an answer.

use super::exchange::{Exchange, Stop};
use super::station::{Station, World};
use crate::model::DownloadSet;
use crate::model::RemoteAction;
use crate::model::RemoteRequest;
use crate::model::TerminalFacts;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// What the terminal is to do next: sign in again where its keys are due, else fetch the first list of which
    /// it has another version.
    fn asked(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Option<RemoteRequest> {
        if exchange.door.profile.request_digit.is_none() || !exchange.door.keys.are_issued() {
            return None;
        }
        let registry = self.parts.registry.load();
        let known = self.parts.sessions.read(facts.terminal, |session| {
            (session.generations().next().map(|keys| keys.opening.at), session.downloaded)
        });
        let (issued, downloaded) = known.unwrap_or_default();
        if issued.is_some_and(|issued| registry.renewal().asks(facts, issued, exchange.received)) {
            return Some(RemoteRequest::SignIn);
        }
        registry.downloads().wanted(&downloaded).map(RemoteRequest::Download)
    }

    /// What an operator asked of the terminal, to be told in the answer to this sign-in or echo test; noted as told
    /// before the answer leaves.
    pub(super) async fn told_from_afar(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
    ) -> Result<Option<RemoteRequest>, Stop> {
        if exchange.door.profile.request_digit.is_none() {
            return Ok(None);
        }
        let Some(action) = self.asked_from_afar(facts) else { return Ok(None) };
        self.done(exchange, facts, action).await?;
        Ok(Some(match action {
            RemoteAction::SignIn => RemoteRequest::SignIn,
            RemoteAction::Download => RemoteRequest::Download(DownloadSet::Parameters),
            RemoteAction::Upgrade => RemoteRequest::Upgrade,
        }))
    }

    /// The unit that carries `body` back, and what is asked of the terminal. `None` if it is too long.
    pub(super) fn enclose(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, body: &[u8]) -> Option<Bytes> {
        self.enclose_or(exchange, facts, body, None)
    }

    /// The same; what the switch itself does not ask is `afar`.
    pub(super) fn enclose_or(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        body: &[u8],
        afar: Option<RemoteRequest>,
    ) -> Option<Bytes> {
        match afar.or_else(|| self.asked(exchange, facts)) {
            Some(asked) => exchange.door.profile.enclose_asking(body, exchange.frame, asked).ok(),
            None => exchange.enclose(body),
        }
    }
}
