//! A terminal uploads the transactions of a batch that did not balance (0320), and says that it has ended.

use super::exchange::{Exchange, Stop};
use super::settle::{batch_of, counts_itself, of_merchant};
use super::station::{Station, World};
use crate::iso8583::Role;
use crate::iso8583::settlement::Detail;
use crate::iso8583::settlement::parse_count;
use crate::ledger::BatchRecord;
use crate::ledger::Ledger;
use crate::ledger::Uploaded;
use crate::ledger::UploadedGroup;
use crate::ledger::UploadedItem;
use crate::model::Amount;
use crate::model::BatchNumber;
use crate::model::MessageClass;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Sealer;
use crate::model::Stan;
use crate::model::TerminalFacts;
use bytes::Bytes;

impl<W: World> Station<W> {
    /// Batch upload, by cn-pos 60.3: 201 details; 205 and 206 one transaction each, with its elements; 203 and 204
    /// chip data, which is taken and not compared; 202 and 207 the end.
    pub(super) async fn upload(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        if counts_itself(exchange) {
            return self.upload_told(exchange, facts).await;
        }
        let batch = batch_of(exchange, facts)?;
        let message = exchange.message;
        let code = message.role(Role::NetworkCode).ok_or(Stop::format("network-code"))?;
        let private = message.role(Role::AdditionalPrivate);
        let group = match &*code {
            b"201" => {
                let details = private.and_then(|value| Detail::parse_all(&value));
                let details = details.ok_or(Stop::format("batch-details"))?;
                details.iter().map(|detail| self.item(detail)).collect()
            }
            b"205" | b"206" => self.notice(exchange).into_iter().collect(),
            b"203" | b"204" => UploadedGroup::new(),
            b"202" | b"207" => {
                let count = private.and_then(|value| parse_count(&value)).ok_or(Stop::format("batch-count"))?;
                return self.end_upload(exchange, facts, batch, Some(count)).await;
            }
            _ => return Err(Stop::code(ResponseCode::FunctionUnsupported, "batch-upload")),
        };
        self.note(exchange, facts, batch, group).await
    }

    /// The upload of a dialect whose messages tell one transaction each (DE 60 its type and number) of the batch that
    /// awaits them, until another settlement message names that batch by the terminal's own number.
    async fn upload_told(&self, exchange: &Exchange<'_>, facts: &TerminalFacts) -> Result<Bytes, Stop> {
        let message = exchange.message;
        if message.mti().is_some_and(|mti| mti.class() == Some(MessageClass::Reconciliation)) {
            let own = batch_of(exchange, facts)?;
            let batch = self.uploaded_batch(facts, |record| record.own_number() == own)?;
            return self.end_upload(exchange, facts, batch, None).await;
        }
        of_merchant(exchange, facts)?;
        let stan = message.role(Role::UploadedStan).and_then(|stan| Stan::parse(&stan));
        let stan = stan.ok_or(Stop::format("uploaded-stan"))?;
        let item = self.notice(exchange).map(|item| UploadedItem { stan, ..item });
        let item = item.ok_or(Stop::format("batch-details"))?;
        let batch = self.uploaded_batch(facts, |_| true)?;
        self.note(exchange, facts, batch, UploadedGroup::from_iter([item])).await
    }

    /// The batch closed last that awaits its transactions, of those that can be meant; else the one closed last, which
    /// needs none any more.
    fn uploaded_batch(&self, facts: &TerminalFacts, meant: impl Fn(&BatchRecord) -> bool) -> Result<BatchNumber, Stop> {
        let latest = |wanted: &dyn Fn(&BatchRecord) -> bool| self.parts.ledger.latest_batch(facts.terminal, wanted);
        let awaiting = latest(&|record| record.state.awaits_items() && meant(record));
        let batch = awaiting.or_else(|| latest(&meant)).map(|record| record.batch);
        batch.ok_or(Stop::code(ResponseCode::SignInRequired, "batch"))
    }

    async fn note(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        batch: BatchNumber,
        group: UploadedGroup,
    ) -> Result<Bytes, Stop> {
        let noted = self.parts.ledger.note_items(facts.terminal, batch, group).await;
        self.uploaded(exchange, facts, &noted.map_err(|fault| self.ledger_stop(&fault))?)
    }

    async fn end_upload(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        batch: BatchNumber,
        count: Option<u32>,
    ) -> Result<Bytes, Stop> {
        let ended = self.parts.ledger.end_upload(facts.terminal, batch).await;
        let ended = ended.map_err(|fault| self.ledger_stop(&fault))?;
        if let Uploaded::Ended(record) = &ended {
            tell_ended(record, count);
        }
        self.uploaded(exchange, facts, &ended)
    }

    fn item(&self, detail: &Detail) -> UploadedItem {
        let Detail { foreign, stan, pan, amount } = *detail;
        UploadedItem { stan, foreign, amount, token: pan.as_ref().map(|pan| self.parts.sealer.token(pan)) }
    }

    /// A notice that brings its transaction's number and amount, and mostly its card or payment code; others are taken
    /// and not compared.
    fn notice(&self, exchange: &Exchange<'_>) -> Option<UploadedItem> {
        let message = exchange.message;
        let code =
            || message.role(Role::PaymentCode).and_then(|code| Pan::parse(code.get(..Pan::MOST).unwrap_or(&code)));
        let pan = message.role(Role::Pan).and_then(|value| Pan::parse(&value)).or_else(code);
        Some(UploadedItem {
            stan: message.role(Role::Stan).and_then(|value| Stan::parse(&value))?,
            foreign: pan.as_ref().is_some_and(|pan| self.parts.registry.load().bins().class(pan).foreign),
            amount: message.role(Role::Amount).and_then(|value| Amount::parse(&value))?,
            token: pan.as_ref().map(|pan| self.parts.sealer.token(pan)),
        })
    }

    fn uploaded(&self, exchange: &Exchange<'_>, facts: &TerminalFacts, said: &Uploaded) -> Result<Bytes, Stop> {
        match said {
            Uploaded::Noted | Uploaded::Nothing | Uploaded::Ended(_) => {
                self.manage_answer(exchange, facts, None, |_| Ok(()))
            }
            Uploaded::Unknown => Err(Stop::code(ResponseCode::SignInRequired, "batch")),
            Uploaded::TooMany => Err(Stop::code(ResponseCode::FormatError, "batch-items")),
        }
    }
}

fn tell_ended(record: &BatchRecord, count: Option<u32>) {
    let BatchRecord { terminal, batch, items, differences, .. } = record;
    tracing::info!(
        event = "batch-ended", terminal = %terminal, batch = %batch, said = count, items,
        differences = differences.len(), "the upload of a batch has ended"
    );
}
