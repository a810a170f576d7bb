//! What a terminal sends.

use super::card::{Card, Chip, Entry, reversal_subset};
use super::memory::Undo;
use super::{Terminal, TerminalFault};
use crate::channel::ReversalIcc;
use crate::hsm::calculator::ClearPin;
use crate::iso8583::Builder;
use crate::iso8583::De;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::Stan;
use crate::model::Timestamp;
use bytes::Bytes;

/// A unit ready to go out, and what it says.
pub struct Sent {
    /// What it asks.
    pub kind: Kind,
    /// The whole unit, length header and all.
    pub unit: Bytes,
    /// Its message, for people and for judging the answer.
    pub message: Message,
    /// Its type.
    pub mti: Mti,
}

/// A sale, an authorization or a balance inquiry at the counter.
pub struct Purchase<'a> {
    /// Which of the three.
    pub kind: Kind,
    /// How much; not used by a balance inquiry.
    pub amount: Amount,
    /// The card.
    pub card: &'a Card,
    /// How it is read.
    pub entry: Entry,
    /// The PIN, if one was entered.
    pub pin: Option<&'a ClearPin>,
}

/// The roles of a request that its reversal repeats as they were.
const REPEATED: [Role; 10] = [
    Role::ProcessingCode,
    Role::Amount,
    Role::Expiry,
    Role::EntryMode,
    Role::CardSequence,
    Role::ConditionCode,
    Role::Terminal,
    Role::Merchant,
    Role::Currency,
    Role::MessageTypeCode,
];

impl Terminal {
    /// Signs in: asks for working keys and the batch.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn sign_in(&mut self, now: Timestamp) -> Result<Sent, TerminalFault> {
        let mut message = self.management(Kind::SignIn, now)?;
        if self.has(Role::MessageTypeCode) {
            if self.setup.encrypt_tracks {
                self.composite(&mut message, "00", "004", 11)?;
            }
            let length = usize::from(self.setup.profile.switches.operator_length);
            message.role(Role::KeyData, format!("Sequence No{:02}TOLLGATE-SIM-001", 16).as_bytes())?;
            message.role(Role::Operator, format!("{:<length$}", "01").as_bytes())?;
        }
        self.finish(Kind::SignIn, message)
    }

    /// Asks whether anybody is there.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn echo(&mut self, now: Timestamp) -> Result<Sent, TerminalFault> {
        let message = self.management(Kind::Echo, now)?;
        self.finish(Kind::Echo, message)
    }

    fn management(&mut self, kind: Kind, now: Timestamp) -> Result<Builder, TerminalFault> {
        let stan = self.memory.take_stan();
        let mut message = self.start(kind, stan, now, 11)?;
        for (role, value) in
            [(Role::Terminal, self.setup.terminal.as_bytes()), (Role::Merchant, self.setup.merchant.as_bytes())]
        {
            if self.has(role) {
                message.role(role, value)?;
            }
        }
        Ok(message)
    }

    /// Buys, holds or inquires. What it takes to undo a sale or a hold is in the terminal's memory when
    /// this returns: keep the memory before the unit leaves.
    ///
    /// # Errors
    /// [`TerminalFault::ReversalFirst`] while a reversal is pending; others if the message cannot be made.
    pub fn purchase(&mut self, purchase: &Purchase<'_>, now: Timestamp) -> Result<Sent, TerminalFault> {
        if self.memory.pending.is_some() {
            return Err(TerminalFault::ReversalFirst);
        }
        let stan = self.memory.take_stan();
        let digits = usize::from(self.setup.profile.switches.de60_digits);
        let mut message = self.start(purchase.kind, stan, now, digits)?;
        let setup = &self.setup;
        let [one, two] = purchase.entry.digits(setup.profile.switches.qr_entry_mode);
        let entry_mode = [one, two, if purchase.pin.is_some() { b'1' } else { b'2' }];
        message.role(Role::Pan, purchase.card.pan.clear().as_bytes())?;
        if purchase.kind != Kind::Balance {
            message.role(Role::Amount, &purchase.amount.digits())?;
        }
        message.role(Role::Expiry, &purchase.card.expiry.digits())?;
        message.role(Role::EntryMode, &entry_mode)?;
        message.role(Role::Terminal, setup.terminal.as_bytes())?;
        message.role(Role::Merchant, setup.merchant.as_bytes())?;
        message.role(Role::Currency, &setup.currency.digits())?;
        self.card_data(&mut message, purchase, stan, now)?;
        let sent = self.finish(purchase.kind, message)?;
        if purchase.kind != Kind::Balance {
            self.memory.pending = Some(self.undo(&sent, purchase, stan, now));
        }
        Ok(sent)
    }

    /// Track, PIN and chip.
    fn card_data(
        &self,
        message: &mut Builder,
        purchase: &Purchase<'_>,
        stan: Stan,
        now: Timestamp,
    ) -> Result<(), TerminalFault> {
        let profile = &self.setup.profile;
        let encrypted = self.setup.encrypt_tracks && self.pad.has_track_key() && purchase.entry.has_track();
        if self.declares_security() && (purchase.pin.is_some() || purchase.entry.has_track()) {
            let flag = |set: bool, digit: char| if set { digit } else { '0' };
            let algorithm = flag(!self.pad.single_length(), '6');
            let (pin, track) = (flag(purchase.pin.is_some(), '2'), flag(encrypted, '1'));
            message.role(Role::SecurityControl, format!("{pin}{algorithm}{track}0000000000000").as_bytes())?;
        }
        if purchase.entry.has_track() {
            let track = purchase.card.track2().ok_or(TerminalFault::Track)?;
            if encrypted {
                message.role(Role::Track2, self.pad.encrypted_track(&track)?.as_bytes())?;
            } else {
                message.role(Role::Track2, track.clear())?;
            }
        }
        if let Some(pin) = purchase.pin {
            let block = self.pad.pin_block(profile.pin_format, pin, &purchase.card.pan)?;
            message.role(Role::PinBlock, block.as_bytes())?;
            if self.has(Role::PinCapture) {
                message.role(Role::PinCapture, b"12")?;
            }
        }
        if purchase.entry.has_chip() {
            let mut date = [0; 6];
            date.copy_from_slice(&now.digits(self.setup.offset_minutes)[..6]);
            let chip = Chip {
                amount: purchase.amount,
                currency: self.setup.currency,
                date,
                counter: stan.value(),
                cryptogram: self.pad.random(),
                unpredictable: self.pad.random(),
            };
            message.role(Role::CardSequence, b"001")?;
            if let Some(icc) = chip.request(&purchase.card.pan) {
                message.role(Role::Icc, icc.as_bytes())?;
            }
        }
        Ok(())
    }

    fn undo(&self, sent: &Sent, purchase: &Purchase<'_>, stan: Stan, now: Timestamp) -> Undo {
        let switches = &self.setup.profile.switches;
        let security = switches.reversal_security_control.then_some(Role::SecurityControl);
        let roles = REPEATED.into_iter().chain(security);
        let mut elements: Vec<(De, Vec<u8>)> = Vec::new();
        for de in roles.filter_map(|role| self.setup.profile.dialect.role(role).map(|row| row.de)) {
            if let Some(value) = sent.message.value(de) {
                elements.push((de, value.to_vec()));
            }
        }
        if let (Some(row), Some(icc)) = (self.setup.profile.dialect.role(Role::Icc), sent.message.role(Role::Icc)) {
            let kept = match switches.reversal_icc {
                ReversalIcc::None => Vec::new(),
                ReversalIcc::Subset => reversal_subset(&icc),
                ReversalIcc::Full => icc.to_vec(),
            };
            if !kept.is_empty() {
                elements.push((row.de, kept));
            }
        }
        Undo {
            mti: sent.mti,
            stan,
            amount: purchase.amount,
            pan: Some(purchase.card.pan),
            elements,
            sent: (transmission_time(now), now.digits(self.setup.offset_minutes)),
            approval: None,
            reason: *b"98",
            own_stan: None,
            attempts: 0,
        }
    }

    /// Makes the pending request's reversal; `None` if nothing is pending. A repeat is the same message
    /// again, marked where the dialect marks repeats. Keep the memory before it leaves.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn reversal(&mut self, now: Timestamp) -> Result<Option<Sent>, TerminalFault> {
        let Some(mut undo) = self.memory.pending.clone() else { return Ok(None) };
        // Dialects that name the original in an element of its own give the reversal its own number; the
        // others repeat the original's.
        let names_original = self.has(Role::OriginalMti);
        let stan = match undo.own_stan {
            Some(stan) => stan,
            None if names_original => self.memory.take_stan(),
            None => undo.stan,
        };
        undo.own_stan = Some(stan);
        undo.attempts = undo.attempts.saturating_add(1);
        self.memory.pending = Some(undo.clone());
        let row = self.setup.profile.dialect.kind_row(Kind::Reversal).ok_or(TerminalFault::NoKind(Kind::Reversal))?;
        let repeated = undo.attempts > 1 && names_original;
        let mut message = self.setup.profile.dialect.build(if repeated { row.mti.repeat() } else { row.mti });
        message.role(Role::Stan, &stan.digits())?;
        self.stamps(&mut message, now)?;
        self.original_local_time(&mut message, &undo)?;
        for (de, value) in &undo.elements {
            message.set(*de, value)?;
        }
        if let Some(pan) = &undo.pan {
            message.role(Role::Pan, pan.clear().as_bytes())?;
        }
        if let Some(code) = undo.approval {
            message.role(Role::ApprovalCode, code.as_bytes())?;
        }
        if names_original {
            self.name_original(&mut message, &undo)?;
        } else {
            message.role(Role::ResponseCode, &undo.reason)?;
        }
        self.finish(Kind::Reversal, message).map(Some)
    }

    /// The local date and time are the original's: of two uses of a number they tell which one is meant.
    fn original_local_time(&self, message: &mut Builder, undo: &Undo) -> Result<(), TerminalFault> {
        let local = &undo.sent.1;
        let values = [(Role::LocalYear, &local[..2]), (Role::LocalDate, &local[2..6]), (Role::LocalTime, &local[6..])];
        for (role, value) in values.into_iter().filter(|(role, _)| self.has(*role) && !self.has(Role::Batch)) {
            message.role(role, value)?;
        }
        Ok(())
    }

    fn name_original(&self, message: &mut Builder, undo: &Undo) -> Result<(), TerminalFault> {
        message.role(Role::OriginalMti, &undo.mti.digits())?.role(Role::OriginalStan, &undo.stan.digits())?;
        for (role, value) in [
            (Role::OriginalTransmissionTime, undo.sent.0.as_slice()),
            (Role::OriginalLocalTime, undo.sent.1.as_slice()),
        ] {
            if self.has(role) {
                message.role(role, value)?;
            }
        }
        Ok(())
    }

    /// Forgets that `sent` is pending: not one byte of it left.
    pub fn not_sent(&mut self, sent: &Sent) {
        let stan = sent.message.role(Role::Stan).and_then(|stan| Stan::parse(&stan));
        if self.memory.pending.as_ref().is_some_and(|undo| undo.attempts == 0 && Some(undo.stan) == stan) {
            self.memory.pending = None;
        }
    }

    /// Makes the last approved request the pending one: its receipt did not print.
    pub fn undo_last(&mut self) -> bool {
        if self.memory.pending.is_some() {
            return true;
        }
        let Some(last) = self.memory.last.take() else { return false };
        self.memory.pending = Some(Undo { reason: *b"06", ..last });
        true
    }

    /// A message of a kind: its MTI, the roles that make it that kind, number, times and batch.
    fn start(&self, kind: Kind, stan: Stan, now: Timestamp, digits: usize) -> Result<Builder, TerminalFault> {
        let dialect = &self.setup.profile.dialect;
        let row = dialect.kind_row(kind).ok_or(TerminalFault::NoKind(kind))?;
        let fixed = |role: Role| row.when.iter().find(|(when, _)| *when == role).map(|(_, pattern)| &**pattern);
        let mut message = dialect.build(row.mti);
        message.role(Role::Stan, &stan.digits())?;
        self.stamps(&mut message, now)?;
        if self.has(Role::MessageTypeCode) {
            let (code, network) = (fixed(Role::MessageTypeCode), fixed(Role::NetworkCode));
            self.composite(&mut message, code.unwrap_or("00"), network.unwrap_or("000"), digits)?;
        }
        for (role, pattern) in &row.when {
            if !self.is_composite(*role) {
                message.role(*role, pattern.replace('.', "0").as_bytes())?;
            }
        }
        if kind.is_financial() && self.has(Role::ConditionCode) && fixed(Role::ConditionCode).is_none() {
            message.role(Role::ConditionCode, b"00")?;
        }
        Ok(message)
    }

    /// Times: a dialect without batches tells two uses of a number apart by them, so its terminals send
    /// them; where there are batches, the host's answers set the terminal's clock.
    fn stamps(&self, message: &mut Builder, now: Timestamp) -> Result<(), TerminalFault> {
        if self.has(Role::Batch) {
            return Ok(());
        }
        let local = now.digits(self.setup.offset_minutes);
        let values: [(Role, &[u8]); 4] = [
            (Role::TransmissionTime, &transmission_time(now)),
            (Role::LocalYear, &local[..2]),
            (Role::LocalDate, &local[2..6]),
            (Role::LocalTime, &local[6..]),
        ];
        for (role, value) in values {
            if self.has(role) {
                message.role(role, value)?;
            }
        }
        Ok(())
    }

    /// The element that says type, batch and network code, and then the terminal's abilities: it reads
    /// chips and contactless cards (6), and its last chip was well (0).
    fn composite(&self, message: &mut Builder, code: &str, network: &str, digits: usize) -> Result<(), TerminalFault> {
        let Some(row) = self.setup.profile.dialect.role(Role::MessageTypeCode) else { return Ok(()) };
        let whole = format!("{code}{}{network}60000000", self.memory.batch);
        message.set(row.de, whole.get(..digits).unwrap_or(&whole).as_bytes())?;
        Ok(())
    }

    fn is_composite(&self, role: Role) -> bool {
        let de = |role| self.setup.profile.dialect.role(role).map(|row| row.de);
        de(Role::MessageTypeCode).is_some() && de(role) == de(Role::MessageTypeCode)
    }

    pub(super) fn has(&self, role: Role) -> bool {
        self.setup.profile.dialect.role(role).is_some()
    }

    /// Whether the dialect says in an element of its own how PIN and track are enciphered.
    fn declares_security(&self) -> bool {
        let dialect = &self.setup.profile.dialect;
        let track = dialect.role(Role::Track2).and_then(|row| dialect.element(row.de));
        track.is_some_and(|track| track.cipher_flag.is_some())
    }

    fn finish(&self, kind: Kind, message: Builder) -> Result<Sent, TerminalFault> {
        let (profile, mti) = (&self.setup.profile, message.mti());
        let body = if profile.mac_required(mti) {
            let unsigned = message.finish_unsigned()?;
            let mac = self.pad.mac(&profile.mac.scheme, unsigned.mac_input())?;
            unsigned.sign(&mac)?
        } else {
            message.finish()?
        };
        let unit = profile.enclose(&body, None)?;
        let message = profile.dialect.decode(body).map_err(|_| TerminalFault::Unreadable)?;
        Ok(Sent { kind, unit, message, mti })
    }
}

/// DE 7 of 1987: MMDDhhmmss in UTC.
fn transmission_time(now: Timestamp) -> [u8; 10] {
    let mut time = [0; 10];
    time.copy_from_slice(&now.digits(0)[2..]);
    time
}

impl Sent {
    /// The same message with the last byte of its MAC changed: what a host must refuse.
    #[must_use]
    pub fn with_wrong_mac(mut self) -> Self {
        let mut unit = self.unit.to_vec();
        if let Some(last) = unit.last_mut() {
            *last = if *last == b'0' { b'1' } else { b'0' };
        }
        self.unit = unit.into();
        self
    }
}
