//! A terminal at the counter: the simulated terminal, its line to the station, and what it does in a day.

use super::coverage::Sometimes;
use super::executor::Realm;
use super::history::Deal;
use super::nature::SimClock;
use super::outside::Line;
use super::outside::Outside;
use super::plan::Manner;
use super::plan::Step;
use super::plan::TillPlan;
use super::plan::Way;
use super::setup;
use super::setup::OFFSET_MINUTES;
use super::weather;
use super::zone;
use crate::channel::builtin;
use crate::hsm::calculator::ClearPin;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::ledger::kinds;
use crate::ledger::kinds::Following;
use crate::model::Amount;
use crate::model::Caller;
use crate::model::Clock;
use crate::model::Currency;
use crate::model::Entropy;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::ResponseCode;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::sim::cards::TestCard;
use crate::sim::terminal::Answer;
use crate::sim::terminal::Card;
use crate::sim::terminal::Entry;
use crate::sim::terminal::Heard;
use crate::sim::terminal::MacCheck;
use crate::sim::terminal::Memory;
use crate::sim::terminal::Purchase;
use crate::sim::terminal::Sent;
use crate::sim::terminal::Setup;
use crate::sim::terminal::Slip;
use crate::sim::terminal::Terminal;
use crate::sim::terminal::demo_dukpt_pad;
use crate::sim::terminal::demo_pin_pad;
use bytes::Bytes;
use core::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// How long a terminal waits for an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// How often it tries to sign in, and to undo, before it does something else.
pub(super) const TRIES: usize = 3;
/// The same when all faults have stopped: enough for everybody.
pub(super) const CALM_TRIES: usize = 20;

/// One terminal and what it does.
pub(super) struct Till {
    pub(super) outside: Arc<Outside>,
    pub(super) terminal: Terminal,
    pub(super) line: Line,
    inbox: mpsc::UnboundedReceiver<Bytes>,
    pub(super) cards: Arc<Vec<TestCard>>,
    pub(super) entropy: Arc<dyn Entropy>,
    /// Requests that were answered with what is on record.
    answered: Vec<Bytes>,
    way: Way,
    /// The keys it has were good for a message.
    proven: bool,
    /// Until when the keys that it got must be good for a first one.
    fresh: Duration,
    /// How it reads cards: a chip comes with a PIN, a tap without.
    entry: Entry,
    /// The MAC of what it sends is wrong on purpose.
    spoilt: bool,
    /// It lost a slip of the batch that it settles.
    pub(super) lied: bool,
    /// Copies of the request that is waited for are under way.
    copies: bool,
}

impl Till {
    /// `None` if the demo has no such terminal.
    pub(super) fn new(
        outside: &Arc<Outside>,
        plan: &TillPlan,
        cards: &Arc<Vec<TestCard>>,
        entropy: Arc<dyn Entropy>,
    ) -> Option<Self> {
        let door = match plan.way {
            Way::Pos => "pos",
            Way::Host => "host",
            Way::Device => "dukpt",
        };
        let setup = Setup {
            profile: builtin::profile(door)?,
            terminal: TerminalId::parse(plan.number.to_string().as_bytes())?,
            merchant: MerchantId::parse(setup::merchant(plan.number).as_bytes())?,
            currency: Currency::CNY,
            offset_minutes: OFFSET_MINUTES,
            encrypt_tracks: false,
            habits: Default::default(),
        };
        let terminal = switched_on(setup, Memory::default(), &entropy)?;
        let (sender, inbox) = mpsc::unbounded_channel();
        let from = Caller::new(IpAddr::from([10, 0, 0, 1]), None);
        let line = Line { terminal: terminal.setup().terminal, way: plan.way, from, inbox: sender };
        Some(Self {
            outside: Arc::clone(outside),
            terminal,
            line,
            inbox,
            cards: Arc::clone(cards),
            entropy,
            answered: Vec::new(),
            way: plan.way,
            proven: false,
            fresh: Duration::ZERO,
            entry: Entry::Chip,
            spoilt: false,
            lied: false,
            copies: false,
        })
    }

    /// Its day: its steps, and when all faults have stopped, whatever is left to undo and one last sale.
    pub(super) async fn trade(mut self, steps: Vec<Step>) {
        for step in steps {
            self.step(step).await;
        }
        self.outside.day.step_done();
        self.outside.day.calm().await;
        self.undo(CALM_TRIES).await;
        self.close_the_day().await;
        let pending = self.terminal.memory().pending.is_some();
        for _ in 0..CALM_TRIES {
            if pending || self.last_sale().await {
                break;
            }
            self.outside.nature.after(Duration::from_secs(3)).await;
        }
        if pending {
            self.outside.history.breach(format!("I13: {}'s reversal is not answered", self.line.terminal));
        }
        self.probe_limit().await;
        self.outside.day.closed();
    }

    /// One sale with no fault about must be approved.
    async fn last_sale(&mut self) -> bool {
        self.ready(CALM_TRIES).await;
        let number = self.outside.history.read(|seen| seen.deals.len());
        self.buy(Kind::Sale, 1_00, 0, Manner::Plain, CALM_TRIES).await;
        self.outside.history.read(|seen| {
            seen.deals.iter().skip(number).any(|deal| deal.terminal == self.line.terminal && deal.approved)
        })
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::SignIn => self.sign_in().await,
            Step::SignInUnheard => self.sign_in_unheard().await,
            Step::Strangers => self.strangers().await,
            Step::Buy(kind, minor, card, manner) => {
                self.ready(TRIES).await;
                self.buy(kind, minor, card, manner, TRIES).await;
            }
            Step::Tap(minor, card) => {
                self.ready(TRIES).await;
                self.entry = Entry::Tap;
                self.buy(Kind::Sale, minor, card, Manner::Plain, TRIES).await;
                self.entry = Entry::Chip;
            }
            Step::Follow(kind, percent) => self.follow(kind, percent).await,
            Step::Offline(kind, minor, card) => self.offline(kind, minor, card).await,
            Step::Settle { lies } => {
                if self.way == Way::Pos {
                    self.settle(lies, TRIES).await;
                }
            }
            Step::SettleUnheard => self.settle_unheard().await,
            Step::ForceClose(millis) => self.force_close(Duration::from_millis(millis)),
            Step::ZoneKey { after, bank, pin, theirs } => {
                let change = zone::Change { bank, pin, theirs };
                zone::change_after(&self.outside, Duration::from_millis(after), change);
            }
            Step::Undo => {
                // What follows it and is not told yet may be approved before its undoing, or after.
                let moot = self.last_is_over();
                let may = self.terminal.memory().pending.is_none() && self.terminal.untold() == 0;
                if may && self.terminal.undo_last() {
                    match moot {
                        // It stands, and the terminal has thrown its slip away.
                        true => {
                            self.lied = true;
                            self.outside.nature.sometimes(Sometimes::UndoneInVain);
                        }
                        false => self.falls(self.terminal.memory().pending.as_ref().map(|undo| undo.stan)),
                    }
                }
                self.undo(TRIES).await;
            }
            Step::Repeat => {
                let chosen = self.outside.nature.draw(|chance| chance.pick(&self.answered).cloned());
                self.repeat(chosen).await;
            }
            Step::RepeatLast => self.repeat(self.answered.last().cloned()).await,
            Step::OtherContent => self.other_content().await,
            Step::WrongMac => self.wrong_mac().await,
            Step::Rest(millis) => self.outside.nature.after(Duration::from_millis(millis)).await,
            Step::ClockJump(minutes) => self.outside.nature.step_wall(minutes),
            Step::LinksDown(millis) => {
                let (weather, nature) = (Arc::clone(&self.outside.weather), Arc::clone(&self.outside.nature));
                let down = Duration::from_millis(millis);
                let links = async move { weather::links_down(&weather, &nature, down).await };
                self.outside.spawner.spawn(Realm::Outside, links);
                self.outside.nature.after(Duration::from_millis(1)).await;
            }
            Step::Mark => self.outside.mark(),
        }
    }

    /// Whether the last request was cancelled, completed or refunded since: then it is not undone any more.
    fn last_is_over(&self) -> bool {
        let (terminal, last) = (self.line.terminal, self.terminal.memory().last.as_ref().map(|last| last.stan));
        self.outside.history.read(|seen| {
            let of = seen.deals.iter().rposition(|deal| deal.terminal == terminal && Some(deal.stan) == last);
            let following = |kind| kinds::of(kind).follows.map(|(following, _)| following);
            let ends =
                |kind| matches!(following(kind), Some(Following::Voids | Following::Completes | Following::Refunds));
            let over = |first: usize, but: usize| {
                let mut others = seen.deals.iter().enumerate().filter(|(at, _)| *at != but);
                others.any(|(_, deal)| deal.follows == Some(first) && deal.approved && ends(deal.kind))
            };
            // A completion's void, once the hold ended otherwise: the completion cannot stand again beside that.
            let anew = |last: usize| {
                let void = seen.deals.get(last).filter(|deal| following(deal.kind) == Some(Following::Voids))?;
                let voided = void.follows?;
                Some(over(seen.deals.get(voided)?.follows?, voided))
            };
            of.is_some_and(|last| over(last, last) || anew(last) == Some(true))
        })
    }

    /// Nothing to undo, keys, and no settlement under way.
    pub(super) async fn ready(&mut self, tries: usize) {
        self.make_ready(tries).await;
        if self.terminal.memory().log.closing.is_some() && self.terminal.memory().pending.is_none() {
            self.settle(false, tries).await;
        }
    }

    /// Nothing to undo, and keys.
    pub(super) async fn make_ready(&mut self, tries: usize) {
        if self.terminal.needs_sign_in() {
            self.sign_in().await;
        }
        self.undo(tries).await;
    }

    pub(super) fn now(&self) -> Timestamp {
        SimClock(Arc::clone(&self.outside.nature)).wall()
    }

    pub(super) async fn sign_in(&mut self) {
        if self.way != Way::Pos {
            return;
        }
        for _ in 0..TRIES {
            let Ok(sent) = self.terminal.sign_in(self.now()) else { return };
            self.send(&sent);
            if self.hear(&sent, PATIENCE).await.is_some_and(|answer| answer.approved && answer.valid) {
                return;
            }
        }
    }

    async fn sign_in_unheard(&mut self) {
        let now = self.now();
        let Ok(sent) = self.terminal.sign_in(now) else { return };
        self.send_unheard(&sent).await;
    }

    /// Sends a message whose answer does not come.
    pub(super) async fn send_unheard(&mut self, sent: &Sent) {
        self.send(sent);
        self.outside.nature.after(PATIENCE).await;
        while self.inbox.try_recv().is_ok() {}
    }

    pub(super) fn send(&self, sent: &Sent) {
        self.outside.to_station(&self.line, sent.unit.clone(), Duration::ZERO);
    }

    /// The answer, if it comes in time.
    pub(super) async fn hear(&mut self, sent: &Sent, within: Duration) -> Option<Answer> {
        let mut deadline = std::pin::pin!(self.outside.nature.after(within));
        loop {
            let unit = tokio::select! {
                biased;
                unit = self.inbox.recv() => unit?,
                () = &mut deadline => return None,
            };
            let unit = self.unframed(&unit);
            // A refusal of one copy says nothing of the others.
            if self.copies && !self.is_recorded(&unit) {
                continue;
            }
            if let Heard::Answer(answer) = self.terminal.on_answer(sent, unit) {
                self.prove(sent, &answer);
                let kept = sent.kind.is_financial() || sent.kind == Kind::Settlement;
                if answer.rrn.is_some() && kept {
                    self.answered.push(sent.unit.clone());
                }
                return Some(*answer);
            }
        }
    }

    /// Keys that were good once are good until others are used; new ones are good for a minute, whoever else signs in.
    fn prove(&mut self, sent: &Sent, answer: &Answer) {
        let financial = sent.kind.is_financial() || sent.kind == Kind::Reversal;
        let now = SimClock(Arc::clone(&self.outside.nature)).monotonic();
        // A device's message that its next one overtook is refused: its serial number is behind.
        let is_bound = !self.spoilt && self.way != Way::Device;
        let refused = is_bound && answer.rrn.is_none() && answer.code == Some(ResponseCode::MacFailure);
        if sent.kind == Kind::SignIn && answer.approved {
            (self.proven, self.fresh) = (false, now + Duration::from_secs(60));
        } else if financial && answer.rrn.is_some() && answer.mac == MacCheck::Ok {
            self.proven = true;
        } else if self.proven && refused {
            self.outside.history.breach(format!("{}: keys that were used are refused", self.line.terminal));
        } else if now < self.fresh && refused {
            self.outside.history.breach(format!("{}: keys that were handed out are refused", self.line.terminal));
        }
    }

    /// Whether an answer is of something on record: it has a number.
    fn is_recorded(&self, unit: &Bytes) -> bool {
        self.read(unit).is_some_and(|message| message.role(Role::Rrn).is_some())
    }

    /// A unit without its length.
    fn unframed(&self, unit: &Bytes) -> Bytes {
        unit.slice(self.terminal.setup().profile.framing.length.bytes().min(unit.len())..)
    }

    /// What a unit without its length says.
    fn read(&self, unit: &Bytes) -> Option<Message> {
        let profile = &self.terminal.setup().profile;
        profile.split(unit.clone()).ok().and_then(|frame| profile.decode(&frame).ok())
    }

    /// One purchase, and its reversal if it needs one.
    pub(super) async fn buy(&mut self, kind: Kind, minor: u64, card: usize, manner: Manner, tries: usize) {
        if self.terminal.memory().pending.is_some() || self.terminal.needs_sign_in() {
            return;
        }
        let Some(sent) = self.prepare(kind, minor, card) else { return };
        self.enter(&sent, minor, kind, None);
        let answer = match manner {
            Manner::Plain => {
                self.send(&sent);
                self.hear(&sent, PATIENCE).await
            }
            Manner::Again => self.insist(&sent).await,
            Manner::Reversed(after) => {
                self.send(&sent);
                self.outside.nature.after(Duration::from_millis(after)).await;
                None
            }
            Manner::Overtaken => {
                self.outside.to_station(&self.line, sent.unit.clone(), Duration::from_secs(2));
                None
            }
            Manner::PowerCut(after) => {
                self.send(&sent);
                self.outside.nature.after(Duration::from_millis(after)).await;
                self.power_cut();
                None
            }
        };
        if let Some(answer) = answer {
            self.judge(&sent, &answer);
            if answer.wants_sign_in() {
                self.sign_in().await;
            }
        }
        self.undo(tries).await;
    }

    async fn insist(&mut self, sent: &Sent) -> Option<Answer> {
        self.copies = true;
        let mut answer = None;
        for _ in 0..4 {
            self.send(sent);
            let within = self.outside.nature.draw(|chance| chance.millis(200, 8_000));
            answer = self.hear(sent, within).await;
            if answer.is_some() {
                break;
            }
        }
        if answer.is_none() {
            answer = self.hear(sent, PATIENCE).await;
        }
        self.copies = false;
        answer
    }

    fn prepare(&mut self, kind: Kind, minor: u64, card: usize) -> Option<Sent> {
        let card = self.cards.get(card % self.cards.len().max(1))?;
        let pin = ClearPin::parse(card.pin().as_bytes()).ok()?;
        let (card, amount) = (Card::of(card), Amount::new(minor)?);
        let pin = Some(&pin).filter(|_| self.entry == Entry::Chip);
        let to = self.cards.first().map(|card| card.pan.clear().to_owned()).unwrap_or_default();
        let purchase = Purchase { kind, amount, card: &card, entry: self.entry, pin };
        let now = self.now();
        match kind {
            Kind::Transfer => self.terminal.transfer(&purchase, &to, now).ok(),
            _ => self.terminal.purchase(&purchase, now).ok(),
        }
    }

    /// Enters a request in the terminal's own records.
    pub(super) fn enter(&self, sent: &Sent, minor: u64, kind: Kind, follows: Option<usize>) {
        let amount = Amount::new(minor).unwrap_or(Amount::ZERO);
        self.note(stan_of(sent), amount, kind, follows);
    }

    /// The same for what was done offline.
    pub(super) fn enter_slip(&self, slip: &Slip, follows: Option<usize>) {
        self.note(slip.stan, slip.amount, slip.kind, follows);
    }

    fn note(&self, stan: Stan, amount: Amount, kind: Kind, follows: Option<usize>) {
        let (terminal, batch) = (self.line.terminal, self.terminal.memory().batch);
        let deal = Deal { terminal, stan, amount, rrn: None, approved: false, kind, batch, follows };
        self.outside.history.note(|seen| seen.deals.push(deal));
    }

    /// Notes how a request was answered.
    pub(super) fn judge(&self, sent: &Sent, answer: &Answer) {
        let of = (self.line.terminal, stan_of(sent), sent.kind);
        self.outside.history.note(|seen| {
            let deal = seen.deals.iter_mut().rfind(|deal| (deal.terminal, deal.stan, deal.kind) == of);
            if let Some(deal) = deal {
                deal.rrn = answer.rrn;
                deal.approved = answer.approved && answer.valid;
                if answer.code == Some(ResponseCode::ApprovedPartial) {
                    deal.amount = answer.amount.unwrap_or(deal.amount);
                }
            }
        });
    }

    /// A purchase is taken back.
    fn falls(&self, stan: Option<Stan>) {
        let terminal = self.line.terminal;
        self.outside.history.note(|seen| {
            let deals = seen.deals.iter_mut().filter(|deal| deal.terminal == terminal && Some(deal.stan) == stan);
            deals.for_each(|deal| deal.approved = false);
        });
    }

    /// Sends the pending reversal until it is answered.
    pub(super) async fn undo(&mut self, tries: usize) {
        for _ in 0..tries {
            let now = self.now();
            let Ok(Some(sent)) = self.terminal.reversal(now) else { return };
            self.send(&sent);
            if let Some(answer) = self.hear(&sent, PATIENCE).await
                && answer.wants_sign_in()
            {
                self.sign_in().await;
            }
        }
    }

    async fn repeat(&mut self, chosen: Option<Bytes>) {
        if let Some(unit) = chosen {
            self.outside.to_station(&self.line, unit, Duration::ZERO);
            self.outside.nature.after(Duration::from_secs(3)).await;
        }
    }

    /// A second device under the same number sends another request of the same kind under a number that was used.
    async fn other_content(&mut self) {
        let deals = self.outside.history.read(|seen| seen.deals.clone());
        let batch = self.terminal.memory().batch;
        let asks = |kind| matches!(kind, Kind::Sale | Kind::Authorization | Kind::Balance);
        let mine = |deal: &&Deal| (deal.terminal, deal.batch) == (self.line.terminal, batch) && asks(deal.kind);
        let Some(used) = deals.iter().rfind(|deal| mine(deal) && deal.rrn.is_some()) else {
            return;
        };
        let memory = Memory { next_stan: Some(used.stan), pending: None, ..self.terminal.memory().clone() };
        let Some(twin) = switched_on(self.terminal.setup().clone(), memory, &self.entropy) else { return };
        let own = std::mem::replace(&mut self.terminal, twin);
        let sent = self.prepare(used.kind, used.amount.minor() + 1, 0);
        let serial = self.terminal.memory().serial;
        self.terminal = own;
        if self.way == Way::Device {
            // Both tills have the one device at their counter: its serial numbers go on.
            let (setup, memory) = (self.terminal.setup().clone(), self.terminal.memory().clone());
            let Some(on) = switched_on(setup, Memory { serial, ..memory }, &self.entropy) else { return };
            self.terminal = on;
        }
        if let Some(sent) = sent.filter(|sent| self.is_same_day(sent)) {
            self.send(&sent);
            self.outside.nature.after(Duration::from_secs(3)).await;
        }
    }

    /// Whether a request under a number that was used means the same one: where no batch says so, its date does.
    fn is_same_day(&self, sent: &Sent) -> bool {
        let means = |message: &Message| {
            [Role::Stan, Role::LocalDate]
                .iter()
                .all(|role| message.role(*role).as_deref() == sent.message.role(*role).as_deref())
        };
        self.way == Way::Pos
            || self.answered.iter().any(|unit| self.read(&self.unframed(unit)).as_ref().is_some_and(means))
    }

    async fn wrong_mac(&mut self) {
        self.ready(TRIES).await;
        if self.terminal.memory().pending.is_some() || self.terminal.needs_sign_in() {
            return;
        }
        let Some(sent) = self.prepare(Kind::Sale, 7_00, 0) else { return };
        let sent = sent.with_wrong_mac();
        self.enter(&sent, 7_00, Kind::Sale, None);
        self.send(&sent);
        self.spoilt = true;
        if let Some(answer) = self.hear(&sent, PATIENCE).await {
            self.judge(&sent, &answer);
        }
        self.spoilt = false;
        self.undo(TRIES).await;
    }

    /// Only what is in its state file is left.
    fn power_cut(&mut self) {
        self.outside.nature.sometimes(Sometimes::PowerCut);
        let text = self.terminal.to_json();
        let setup = self.terminal.setup().clone();
        let memory = Memory::from_json(&text, setup.owner(), self.terminal.pad());
        if let Some(terminal) = memory.ok().and_then(|memory| switched_on(setup, memory, &self.entropy)) {
            self.terminal = terminal;
        }
        while self.inbox.try_recv().is_ok() {}
    }
}

pub(super) fn switched_on(setup: Setup, memory: Memory, entropy: &Arc<dyn Entropy>) -> Option<Terminal> {
    let entropy = Arc::clone(entropy);
    let pad = match setup.profile.dukpt {
        Some(_) => demo_dukpt_pad(setup.terminal, entropy).ok()??,
        None => demo_pin_pad(setup.terminal, setup.profile.sign_in, entropy).ok()??,
    };
    Terminal::new(setup, pad, memory).ok()
}

fn stan_of(sent: &Sent) -> Stan {
    sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan)).unwrap_or(Stan::FIRST)
}
