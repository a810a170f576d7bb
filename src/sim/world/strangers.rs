//! Who writes a terminal's numbers without being it.

use super::outside::Line;
use super::till::Till;
use super::till::switched_on;
use crate::model::Caller;
use crate::sim::terminal::Memory;
use core::net::IpAddr;
use std::time::Duration;
use tokio::sync::mpsc;

impl Till {
    /// Three strangers sign in under its numbers, as three operators.
    pub(super) async fn strangers(&mut self) {
        let (inbox, _) = mpsc::unbounded_channel();
        let line = Line { from: Caller::new(IpAddr::from([10, 0, 0, 9]), None), inbox, ..self.line.clone() };
        for operator in ["91", "92", "93"] {
            let setup = self.terminal.setup().clone();
            let Some(mut stranger) = switched_on(setup, Memory::default(), &self.entropy) else { return };
            stranger.set_operator(operator);
            let Ok(sent) = stranger.sign_in(self.now()) else { return };
            self.outside.to_station(&line, sent.unit, Duration::ZERO);
            self.outside.nature.after(Duration::from_secs(2)).await;
        }
    }
}
