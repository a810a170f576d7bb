//! One authorization, once through the house.

use super::asking::Asking;
use super::authentic::{Authentic, Proven};
use super::chip;
use super::content::content;
use super::exchange::{Exchange, Stop, put};
use super::route::{Chosen, Way};
use super::scene::source_refusal;
use super::station::{Station, World};
use super::walk::Stage;
use super::witness::{Event, Witness};
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::Hsm;
use crate::iso8583::EncodeError;
use crate::iso8583::Role;
use crate::iso8583::Unsigned;
use crate::ledger::Asked;
use crate::ledger::Decided;
use crate::ledger::Intended;
use crate::ledger::Intent;
use crate::ledger::Ledger;
use crate::ledger::Outbound;
use crate::ledger::Recorded;
use crate::ledger::TxnId;
use crate::ledger::kinds;
use crate::link::IssuerLink;
use crate::model::BatchNumber;
use crate::model::Clock;
use crate::model::Kind;
use crate::model::Product;
use crate::model::Request;
use crate::model::ResponseCode;
use crate::model::SealFault;
use crate::model::Sealer;
use crate::model::TerminalFacts;
use crate::model::TerminalId;
use crate::risk;
use crate::risk::Assessment;
use crate::risk::Refusal;
use crate::risk::RiskNote;
use bytes::Bytes;
use std::borrow::Cow;
use std::time::Duration;

/// How long a follow-up waits for the advice of what it follows. A terminal does not ask again so soon: who was told 96
/// must not be served by a copy.
const ADVICE_WAIT: Duration = Duration::from_secs(5);

impl<W: World> Station<W> {
    /// Everything financial but reversals: original, intent, issuer, decision, answer. An advice is decided before
    /// its issuer knows of it.
    pub(super) async fn authorize(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        kind: Kind,
        authentic: &Authentic,
    ) -> Result<Bytes, Stop> {
        let started = exchange.walk.last().unwrap_or_else(|| self.parts.clock.monotonic());
        let asking = self.read_request(exchange, facts, kind, authentic).await?;
        self.pin_can_be_served(exchange, &asking)?;
        self.ready_to_seal(facts.date(exchange.received)).await?;
        let (mut intent, way) = self.intent(exchange, facts, &asking, authentic)?;
        let mut issuer = None;
        let intended = self.intend(&intent, authentic, started).await?;
        self.ended(exchange, Stage::Intent);
        if let Intended::Adrift(code, _) = intended {
            self.adrift(facts, &mut intent, code);
        }
        if let Some(note) = intended.note() {
            self.tell_rules(facts, &intent, note);
        }
        let refused_by;
        let (decided, rule, repeat) = match intended {
            Intended::Fresh | Intended::Flagged(_) | Intended::Adrift(..) => {
                if kinds::of(kind).is_advice {
                    self.tell_batchless(asking.request.batch, intent.id);
                }
                let fresh = match way {
                    Way::Ask => self.decide(&intent, &asking, authentic, exchange).await?,
                    Way::StandIn => self.stand_in_for(&intent).await?,
                    Way::Tell => self.take_advice(&intent, exchange).await?,
                };
                self.ended(exchange, Stage::Decision);
                issuer = fresh.issuer;
                (fresh.decided, fresh.rule, false)
            }
            Intended::Declined(decided, explained) => {
                refused_by = explained.rule;
                (decided, Some(&*refused_by), false)
            }
            Intended::Duplicate(decided) => {
                exchange.walk.repeats();
                (decided, None, true)
            }
            Intended::Running(id) => {
                let decided = self.parts.ledger.decided(id).await;
                exchange.walk.repeats();
                self.ended(exchange, Stage::Decision);
                (decided.map_err(|fault| self.ledger_stop(&fault))?, None, true)
            }
            Intended::Mismatch => {
                tracing::warn!(event = "duplicate-mismatch", terminal = %facts.terminal, "same number, other content");
                return Err(Stop::code(ResponseCode::DuplicateMismatch, "duplicate-mismatch"));
            }
            Intended::Untold(_) => return Err(Stop::code(ResponseCode::SystemFailure, "advice-untold")),
            Intended::NotNow => return self.not_now(exchange, facts, authentic, &intent).await,
        };
        let now = exchange.walk.last().unwrap_or_else(|| self.parts.clock.monotonic());
        let took = now.saturating_sub(started);
        let (outcome, code, rrn) = (decided.outcome, decided.answer.code, decided.rrn);
        let event = Event::Decided { kind, outcome, code, rrn, rule, issuer: issuer.as_ref(), repeat, took };
        self.parts.witness.note(Some(&facts.terminal), &event);
        self.answer_decided(exchange, facts, authentic, &decided).await
    }

    /// 77, and nothing on record: after its sign-in the terminal asks the same again.
    async fn not_now(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        authentic: &Authentic,
        intent: &Intent,
    ) -> Result<Bytes, Stop> {
        let code = ResponseCode::SignInRequired;
        let rule = match intent.refusal.as_ref().map(|refusal| &refusal.rule) {
            Some(Cow::Borrowed(rule)) => rule,
            _ => "batch",
        };
        self.parts.witness.note(Some(&facts.terminal), &Event::Refused { code, rule });
        let written = || {
            let mut builder = exchange.response(code)?;
            exchange.stamp(&mut builder, facts, exchange.received)?;
            builder.finish_unsigned()
        };
        self.sign_answer(exchange, facts, authentic, written()).await
    }

    /// Which rules spoke, to whoever watches.
    fn tell_rules(&self, facts: &TerminalFacts, intent: &Intent, note: &RiskNote) {
        for hit in &note.hits {
            let event = Event::Rule { hit, version: &note.version, rrn: intent.rrn };
            self.parts.witness.note(Some(&facts.terminal), &event);
        }
    }

    /// What belongs to a batch that is over, and to none now: a person should know why it is in no totals.
    fn tell_batchless(&self, asked: Option<BatchNumber>, id: TxnId) {
        let Some(asked) = asked else { return };
        let Some(Recorded { intent, .. }) = self.parts.ledger.find(id) else { return };
        if intent.batch.is_none() {
            tracing::warn!(
                event = "advice-without-batch", terminal = %intent.identity.terminal, batch = %asked, rrn = %intent.rrn,
                kind = intent.kind.name(), "an advice came after its batch was closed: it is settled by itself"
            );
        }
    }

    /// The intent: numbers, verdict, reservations and route, all decided before anything is sent.
    fn intent(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        asking: &Asking,
        authentic: &Authentic,
    ) -> Result<(Intent, Way), Stop> {
        let request = &asking.request;
        let date = facts.date(exchange.received);
        let heard = self.heard(exchange, facts);
        let token = self.parts.sealer.token(&request.pan);
        let Assessment { refusal, mut reservations } = risk::assess(request, facts, date);
        self.ended(exchange, Stage::Risk);
        let Chosen { way, issuer, reservations: more } = self.choose(asking, facts.test_mode, token, date);
        self.ended(exchange, Stage::Route);
        reservations.extend(more);
        let unknown = || Refusal { code: ResponseCode::OriginalNotFound, rule: "original".into() };
        let refusal = self
            .session_refusal(exchange, facts, request, authentic)
            .or_else(|| self.pin_refusal(request, authentic))
            .or_else(|| self.code_refusal(exchange, request))
            .or(asking.original_unknown.then(unknown))
            .or(source_refusal(exchange, facts, request, &heard))
            .or(refusal)
            .or(issuer.as_ref().err().cloned());
        let outbound = issuer.ok().filter(|_| refusal.is_none()).map(|issuer| Outbound {
            issuer: issuer.name().clone(),
            stan: issuer.link.next_stan(),
            sent: exchange.received,
            icc: request.icc.as_ref().and_then(|icc| chip::kept(icc, way != Way::Ask)),
        });
        let (id, rrn) = self.parts.ledger.number(date);
        let unsealed = |_: SealFault| Stop::code(ResponseCode::SystemFailure, "hsm");
        let pan = self.parts.sealer.seal(date, &request.pan, &id.0.to_be_bytes()).map_err(unsealed)?;
        let intent = Intent {
            id,
            rrn,
            identity: self.identity(exchange, facts)?,
            content: content(exchange.message, request, &*self.parts.sealer),
            kind: request.kind,
            merchant: request.merchant,
            acquirer: request.acquirer,
            test_mode: facts.test_mode,
            date,
            received: exchange.received,
            offset_minutes: facts.offset_minutes,
            processing_code: request.processing_code,
            amount: request.amount,
            currency: request.currency,
            entry_mode: request.entry_mode,
            card_sequence: request.card_sequence,
            condition_code: request.condition_code,
            expiry: request.expiry,
            pan,
            token,
            masked: request.pan.masked(),
            refusal,
            reservations,
            outbound,
            follows: asking.original.as_ref().map(|original| original.intent.id),
            batch: self.batch_for(facts.terminal, request),
            card: self.parts.registry.load().bins().class(&request.pan),
            operator: authentic.opening.operator,
            scene: self.scene(exchange, facts, request, &heard),
            risk: None,
            echo: false,
        };
        Ok((intent, way))
    }

    /// Signed off, or a batch other than the terminal's open one: it must sign in again (77). An advice of another
    /// batch tells of what has been done, and is taken.
    fn session_refusal(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        request: &Request,
        authentic: &Authentic,
    ) -> Option<Refusal> {
        if !exchange.door.keys.are_issued() {
            return None;
        }
        let session = self.session(&facts.terminal)?;
        let code = ResponseCode::SignInRequired;
        if !session.signed_in {
            return Some(Refusal { code, rule: "signed-off".into() });
        }
        let elsewhere = request.batch.is_some_and(|batch| batch != session.batch);
        if elsewhere && !kinds::of(request.kind).is_advice {
            return Some(Refusal { code, rule: "batch".into() });
        }
        self.duty_refusal(exchange, facts, request.kind, authentic)
    }

    /// A payment code is one by its prefix (product `qr`): a bank card's digits, scanned, would pay without card or PIN.
    fn code_refusal(&self, exchange: &Exchange<'_>, request: &Request) -> Option<Refusal> {
        exchange.message.role(Role::PaymentCode)?;
        let registry = self.parts.registry.load();
        let bins = registry.bins();
        let is_card = !bins.candidates(&request.pan).is_empty() && bins.class(&request.pan).product != Product::Qr;
        is_card.then(|| Refusal { code: ResponseCode::CardInvalid, rule: "payment-code-prefix".into() })
    }

    /// The batch of a request: its own; of an advice whose batch is not the session's and not open either, none.
    fn batch_for(&self, terminal: TerminalId, request: &Request) -> Option<BatchNumber> {
        let batch = request.batch?;
        let session = self.session(&terminal).map(|session| session.batch);
        let is_open = || self.parts.ledger.open_batch(terminal, batch).is_some();
        let stays = !kinds::of(request.kind).is_advice || session.is_none_or(|session| session == batch) || is_open();
        stays.then_some(batch)
    }

    /// An advice does not fit what it names: somebody must look.
    fn adrift(&self, facts: &TerminalFacts, intent: &mut Intent, code: ResponseCode) {
        let (terminal, rrn, kind) = (&facts.terminal, intent.rrn, intent.kind.name());
        tracing::error!(event = "advice-adrift", %terminal, %rrn, kind, rc = %code, "an advice does not fit what it names: kept, and told to nobody");
        (intent.follows, intent.outbound) = (None, None);
    }

    /// Records the intent, in one commit with what the message raised of its terminal's facts. What relies on an advice
    /// that its issuer has yet to hear of waits for that, not for long.
    async fn intend(&self, intent: &Intent, authentic: &Authentic, started: Duration) -> Result<Intended, Stop> {
        let (ledger, clock) = (&self.parts.ledger, &self.parts.clock);
        loop {
            let asked = Asked {
                intent: intent.clone(),
                checks: Some(self.parts.checks.load_full()),
                noting: authentic.raised.clone(),
            };
            let intended = ledger.intend(asked).await.map_err(|fault| self.ledger_stop(&fault))?;
            let Intended::Untold(earlier) = intended else { return Ok(intended) };
            let left = (started + ADVICE_WAIT).saturating_sub(clock.monotonic());
            if left.is_zero() {
                return Ok(intended);
            }
            // An advice goes behind another one, once that has its place.
            let heard = async {
                match kinds::of(intent.kind).is_advice {
                    true => drop(ledger.decided(earlier).await),
                    false => ledger.told(earlier).await,
                }
            };
            tokio::select! {
                biased;
                () = heard => {}
                () = clock.deadline(left) => {}
            }
        }
    }

    /// Writes what the ledger says stands, signed and enclosed.
    pub(super) async fn answer_decided(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        authentic: &Authentic,
        decided: &Decided,
    ) -> Result<Bytes, Stop> {
        self.sign_answer(exchange, facts, authentic, self.write_decided(exchange, facts, decided)).await
    }

    /// Signs an answer under the generation that asked, and encloses it.
    async fn sign_answer(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        authentic: &Authentic,
        unsigned: Result<Unsigned, EncodeError>,
    ) -> Result<Bytes, Stop> {
        let unwritable = |_: EncodeError| Stop::Silent("the answer cannot be written");
        let unsigned = unsigned.map_err(unwritable)?;
        self.ended(exchange, Stage::Encode);
        let (ctx, hsm) = (Self::ctx(), &self.parts.hsm);
        let (scheme, data) = (&exchange.door.profile.mac.scheme, unsigned.mac_input());
        let mac = match &authentic.keys {
            Proven::Lasting { mac, .. } => hsm.mac_generate(&ctx, mac, scheme, data).await,
            Proven::Transaction { base, ksn } => {
                let key = DukptKey { base, ksn };
                hsm.mac_generate_dukpt(&ctx, key, Direction::Response, scheme, data).await
            }
        };
        let mac = mac.map_err(|fault| {
            tracing::error!(event = "hsm-fault", fault = %fault, "the MAC of an answer could not be made");
            Stop::Silent("the answer's MAC cannot be made")
        })?;
        self.ended(exchange, Stage::Hsm);
        let body = unsigned.sign(&mac).map_err(unwritable)?;
        self.enclose(exchange, facts, &body).ok_or(Stop::Silent("the answer cannot be enclosed"))
    }

    fn write_decided(
        &self,
        exchange: &Exchange<'_>,
        facts: &TerminalFacts,
        decided: &Decided,
    ) -> Result<Unsigned, EncodeError> {
        let answer = &decided.answer;
        let mut builder = exchange.response(answer.code)?;
        exchange.stamp(&mut builder, facts, answer.stamped)?;
        put(&mut builder, Role::Acquirer, facts.acquirer.as_str().as_bytes())?;
        put(&mut builder, Role::Rrn, decided.rrn.as_bytes())?;
        if let Some(amount) = answer.amount {
            put(&mut builder, Role::Amount, &amount.digits())?;
        }
        if let Some(approval) = &answer.approval {
            put(&mut builder, Role::ApprovalCode, approval.as_bytes())?;
        }
        if let Some(date) = answer.settlement {
            put(&mut builder, Role::SettlementDate, &date.month_day())?;
        }
        if let Some(balance) = &answer.balance {
            put(&mut builder, Role::AdditionalAmounts, balance)?;
        }
        if let Some(icc) = &answer.icc {
            put(&mut builder, Role::Icc, icc)?;
        }
        if let Some(voucher) = &answer.voucher {
            put(&mut builder, Role::Voucher, voucher.as_bytes())?;
        }
        if let Some(organisation) = &decided.organisation {
            put(&mut builder, Role::CardOrganisation, organisation.as_bytes())?;
        }
        builder.finish_unsigned()
    }
}
