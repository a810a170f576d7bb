//! What a terminal asks at the counter.

use super::account::Account;
use super::card::{Card, Entry};
use super::chip::Insertion;
use super::pin_pad::hex;
use super::shift::SLIPS_AT_MOST;
use super::{Terminal, TerminalFault};
use crate::hsm::Direction;
use crate::hsm::calculator::ClearPin;
use crate::iso8583::Builder;
use crate::iso8583::ElementKind;
use crate::iso8583::Message;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::ledger::kinds;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::Ksn;
use crate::model::OnUnknown;
use crate::model::Stan;
use crate::model::Timestamp;
use bytes::Bytes;

/// The version of its software, five characters.
const FIRMWARE: &str = "2.1.0";

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

/// A sale, an authorization, a balance inquiry, a verification or a transfer at the counter; or a sale or
/// refund made offline.
pub struct Purchase<'a> {
    /// Which of them.
    pub kind: Kind,
    /// How much; not used by an inquiry.
    pub amount: Amount,
    /// The card.
    pub card: &'a Card,
    /// How it is read.
    pub entry: Entry,
    /// The PIN, if one was entered.
    pub pin: Option<&'a ClearPin>,
}

impl Terminal {
    /// Buys, holds, inquires, verifies. What it takes to undo it is in the terminal's memory when this
    /// returns: keep the memory before the unit leaves.
    ///
    /// # Errors
    /// [`TerminalFault::ReversalFirst`] while a reversal is pending; others if the message cannot be made.
    pub fn purchase(&mut self, purchase: &Purchase<'_>, now: Timestamp) -> Result<Sent, TerminalFault> {
        self.counter_request(purchase, &[], now)
    }

    /// Sends a card's money to another account.
    ///
    /// # Errors
    /// As [`Terminal::purchase`].
    pub fn transfer(&mut self, purchase: &Purchase<'_>, to: &str, now: Timestamp) -> Result<Sent, TerminalFault> {
        if !self.has(Role::ToAccount) {
            return Err(TerminalFault::NoKind(Kind::Transfer));
        }
        self.counter_request(purchase, &[(Role::ToAccount, to.as_bytes())], now)
    }

    fn counter_request(
        &mut self,
        purchase: &Purchase<'_>,
        more: &[(Role, &[u8])],
        now: Timestamp,
    ) -> Result<Sent, TerminalFault> {
        self.may_ask()?;
        let stan = self.memory.take_stan();
        let mut message = self.start(purchase.kind, stan, now, self.financial_digits())?;
        let amount = Some(purchase.amount).filter(|_| self.wants_amount(purchase.kind));
        self.at_the_counter(&mut message, amount, purchase.entry, purchase.pin.is_some())?;
        message.role(Role::Pan, purchase.card.pan.clear().as_bytes())?;
        message.role(Role::Expiry, &purchase.card.expiry.digits())?;
        self.card_data(&mut message, purchase.card, purchase.entry, purchase.pin)?;
        if purchase.entry.has_chip() {
            self.chip_data(&mut message, purchase, stan, now)?;
        }
        for (role, value) in more {
            message.role(*role, value)?;
        }
        self.ask(purchase.kind, message, now)
    }

    /// Sells against the code on a customer's telephone. The code is read once and good for one payment.
    ///
    /// # Errors
    /// As [`Terminal::purchase`].
    pub fn scan(&mut self, code: &Account, amount: Amount, now: Timestamp) -> Result<Sent, TerminalFault> {
        self.may_ask()?;
        if !self.has(Role::PaymentCode) {
            return Err(TerminalFault::NoCodes);
        }
        let stan = self.memory.take_stan();
        let mut message = self.start(Kind::Sale, stan, now, self.financial_digits())?;
        self.at_the_counter(&mut message, Some(amount), Entry::Qr, false)?;
        message.role(Role::PaymentCode, code.clear().as_bytes())?;
        self.ask(Kind::Sale, message, now)
    }

    /// Nothing may be asked while something must be undone, or the batch is being closed.
    pub(super) fn may_ask(&self) -> Result<(), TerminalFault> {
        self.nothing_pending()?;
        if self.memory.log.closing.is_some() { Err(TerminalFault::SettlementFirst) } else { Ok(()) }
    }

    /// A settlement counts to 999; voids and tips follow what is sold.
    pub(super) fn room_for_a_slip(&self) -> Result<(), TerminalFault> {
        if self.memory.log.slips.len() >= SLIPS_AT_MOST { Err(TerminalFault::BatchFull) } else { Ok(()) }
    }

    pub(super) fn nothing_pending(&self) -> Result<(), TerminalFault> {
        if self.memory.pending.is_some() { Err(TerminalFault::ReversalFirst) } else { Ok(()) }
    }

    /// Finishes a request. What it takes to undo it, if that is ever needed, is in the memory afterwards.
    pub(super) fn ask(&mut self, kind: Kind, message: Builder, now: Timestamp) -> Result<Sent, TerminalFault> {
        let sent = self.finish_under_next(kind, message)?;
        if kinds::of(kind).on_unknown == OnUnknown::Reverse {
            self.memory.pending = self.undo(&sent, now);
        }
        Ok(sent)
    }

    pub(super) fn financial_digits(&self) -> usize {
        usize::from(self.setup.profile.switches.de60_digits)
    }

    /// Whether a request of a kind says an amount: what moves nothing says one only where its row wants it.
    fn wants_amount(&self, kind: Kind) -> bool {
        let dialect = &self.setup.profile.dialect;
        let amount = dialect.role(Role::Amount).map(|row| row.de);
        let wanted = dialect.kind_row(kind).is_some_and(|row| row.mandatory.iter().any(|de| Some(*de) == amount));
        wanted || kinds::of(kind).on_unknown != OnUnknown::Nothing
    }

    /// What every request at the counter says of terminal, money and reader.
    pub(super) fn at_the_counter(
        &self,
        message: &mut Builder,
        amount: Option<Amount>,
        entry: Entry,
        pin: bool,
    ) -> Result<(), TerminalFault> {
        let setup = &self.setup;
        if let Some(amount) = amount {
            message.role(Role::Amount, &amount.digits())?;
        }
        let [one, two] = entry.digits(setup.profile.switches.qr_entry_mode);
        message.role(Role::EntryMode, &[one, two, if pin { b'1' } else { b'2' }])?;
        message.role(Role::Terminal, setup.terminal.as_bytes())?;
        message.role(Role::Merchant, setup.habits.claims.unwrap_or(setup.merchant).as_bytes())?;
        message.role(Role::Currency, &setup.currency.digits())?;
        self.tell_of_itself(message)
    }

    /// What it says of itself, as far as it says anything and the dialect has room for it.
    fn tell_of_itself(&self, message: &mut Builder) -> Result<(), TerminalFault> {
        let habits = &self.setup.habits;
        if habits.tells && self.has(Role::TerminalData) {
            let serial = self.serial_number();
            // A traditional POS, its serial number, its software.
            let data = format!("010020202{:03}{serial}05005{FIRMWARE}", serial.len());
            message.role(Role::TerminalData, data.as_bytes())?;
        }
        if habits.opened && self.has(Role::DeviceStatus) {
            message.role(Role::DeviceStatus, b"1")?;
        }
        Ok(())
    }

    /// Track and PIN.
    pub(super) fn card_data(
        &self,
        message: &mut Builder,
        card: &Card,
        entry: Entry,
        pin: Option<&ClearPin>,
    ) -> Result<(), TerminalFault> {
        let may = self.setup.encrypt_tracks && self.declares_security();
        let encrypted = may && self.pad.has_track_key() && entry.has_track();
        if self.declares_security() && (pin.is_some() || entry.has_track()) {
            let flag = |set: bool, digit: char| if set { digit } else { '0' };
            let algorithm = flag(!self.pad.single_length(), '6');
            let (pin, track) = (flag(pin.is_some(), '2'), flag(encrypted, '1'));
            message.role(Role::SecurityControl, format!("{pin}{algorithm}{track}0000000000000").as_bytes())?;
        }
        let serial = self.pad.serial_after(self.memory.serial)?;
        if entry.has_track() {
            let track = card.track2(entry).ok_or(TerminalFault::Track)?;
            if encrypted {
                message.role(Role::Track2, self.pad.encrypted_track_of(serial.as_ref(), &track)?.as_bytes())?;
            } else {
                message.role(Role::Track2, track.clear())?;
            }
        }
        if let Some(pin) = pin {
            let block = self.pad.pin_block_of(serial.as_ref(), (self.setup.profile.pin_format, pin), &card.pan)?;
            message.role(Role::PinBlock, block.as_bytes())?;
            if self.has(Role::PinCapture) {
                message.role(Role::PinCapture, b"12")?;
            }
        }
        if entry.has_chip() {
            message.role(Role::CardSequence, format!("{:03}", card.sequence).as_bytes())?;
        }
        Ok(())
    }

    fn chip_data(
        &mut self,
        message: &mut Builder,
        purchase: &Purchase<'_>,
        stan: Stan,
        now: Timestamp,
    ) -> Result<(), TerminalFault> {
        let mut date = [0; 6];
        date.copy_from_slice(&now.digits(self.setup.offset_minutes)[..6]);
        let shown = Insertion {
            amount: purchase.amount,
            currency: self.setup.currency,
            date,
            stan,
            made_up: self.pad.random(),
            unpredictable: self.pad.random(),
        };
        if let Some(icc) = self.read_chip(purchase.card, (purchase.entry, purchase.kind), &shown) {
            message.role(Role::Icc, icc.as_bytes())?;
        }
        Ok(())
    }

    /// A message of a kind: its MTI, the roles that make it that kind, number, times and batch.
    pub(super) fn start(
        &self,
        kind: Kind,
        stan: Stan,
        now: Timestamp,
        digits: usize,
    ) -> Result<Builder, TerminalFault> {
        let dialect = &self.setup.profile.dialect;
        let row = dialect.kind_row(kind).ok_or(TerminalFault::NoKind(kind))?;
        let fixed =
            |role: Role| row.when.iter().find(|(when, _)| *when == role).map(|(_, pattern)| pattern.replace('.', "0"));
        let mut message = dialect.build(row.mti);
        message.role(Role::Stan, &stan.digits())?;
        self.stamps(&mut message, now)?;
        if self.has(Role::MessageTypeCode) {
            let (code, network) = (fixed(Role::MessageTypeCode), fixed(Role::NetworkCode));
            self.composite(&mut message, code.as_deref().unwrap_or("00"), network.as_deref().unwrap_or("000"), digits)?;
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
    pub(super) fn stamps(&self, message: &mut Builder, now: Timestamp) -> Result<(), TerminalFault> {
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
    pub(super) fn composite(
        &self,
        message: &mut Builder,
        code: &str,
        network: &str,
        digits: usize,
    ) -> Result<(), TerminalFault> {
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

    /// Finishes a message. A DUKPT device has a key for it only by [`Terminal::finish_under_next`].
    pub(super) fn finish(&self, kind: Kind, message: Builder) -> Result<Sent, TerminalFault> {
        self.sign(kind, message, None)
    }

    /// Finishes a message; a DUKPT device uses up its next serial number for it, under which its PIN block is too.
    /// Keep the memory before it leaves.
    pub(super) fn finish_under_next(&mut self, kind: Kind, mut message: Builder) -> Result<Sent, TerminalFault> {
        let serial = self.pad.serial_after(self.memory.serial)?;
        if let Some(serial) = serial {
            let (dialect, bytes) = (&self.setup.profile.dialect, serial.as_bytes());
            let element = dialect.role(Role::Ksn).and_then(|row| dialect.element(row.de));
            match element.is_some_and(|element| element.kind == ElementKind::B) {
                true => message.role(Role::Ksn, bytes)?,
                false => message.role(Role::Ksn, hex(bytes).as_bytes())?,
            };
            self.memory.serial = Some(serial);
        }
        self.sign(kind, message, serial)
    }

    fn sign(&self, kind: Kind, message: Builder, serial: Option<Ksn>) -> Result<Sent, TerminalFault> {
        let (profile, mti) = (&self.setup.profile, message.mti());
        let body = if profile.mac_required(mti) {
            let unsigned = message.finish_unsigned()?;
            let transaction = serial.as_ref().map(|serial| (serial, Direction::Request));
            let mac = self.pad.mac_of(transaction, &profile.mac.scheme, unsigned.mac_input())?;
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
pub(super) fn transmission_time(now: Timestamp) -> [u8; 10] {
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
