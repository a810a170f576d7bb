//! What a terminal says about itself: sign-in, sign-off, echo, downloads.

use super::request::Sent;
use super::{Terminal, TerminalFault};
use crate::iso8583::Builder;
use crate::iso8583::Mti;
use crate::iso8583::Role;
use crate::model::DownloadSet;
use crate::model::Kind;
use crate::model::Timestamp;

/// One block of a download: what is asked for, and what the request says.
pub struct Block {
    /// Network management code: 360, 361, 370, 371, 372, 380, 381, 382, 394, 395.
    pub code: &'static str,
    /// Whether it only asks what there is (0820).
    pub asks: bool,
    /// DE 62: how many came already, or which one is wanted.
    pub data: Vec<u8>,
}

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
            let serial = self.serial_number();
            message.role(Role::KeyData, format!("Sequence No{:02}{serial}", serial.len()).as_bytes())?;
            message.role(Role::Operator, self.operator(length).as_bytes())?;
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

    /// Closes the day, and forgets the working keys here. The message has no MAC, so a host may keep its own until the
    /// next sign-in.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn sign_off(&mut self, now: Timestamp) -> Result<Sent, TerminalFault> {
        let message = self.management(Kind::SignOff, now)?;
        self.finish(Kind::SignOff, message)
    }

    /// Who is at the terminal from now on, 1 to 3 characters. Another one than signed in does it anew.
    pub fn set_operator(&mut self, operator: &str) {
        if self.signed_in_as() != operator && self.setup.profile.sign_in {
            self.forget_keys();
        }
        self.memory.operator = Some(operator.to_owned());
    }

    /// The working keys are gone: a sign-in must come next.
    pub(super) fn forget_keys(&mut self) {
        self.memory.key_data = None;
        self.pad.forget();
    }

    /// DE 63 of a sign-in and a settlement.
    pub(super) fn operator(&self, length: usize) -> String {
        format!("{:<length$}", self.signed_in_as())
    }

    /// What is on the plate of the device.
    pub(super) fn serial_number(&self) -> &str {
        self.setup.habits.serial.as_deref().unwrap_or("TOLLGATE-SIM-001")
    }

    /// Who a sign-in names: 01 if nobody said who it is.
    fn signed_in_as(&self) -> &str {
        self.memory.operator.as_deref().unwrap_or("01")
    }

    /// Keeps a list that came whole.
    pub(super) fn keep_list(&mut self, set: DownloadSet, blocks: Vec<Vec<u8>>) {
        self.memory.lists.insert(set.name().to_owned(), blocks);
    }

    /// Asks for one block of what the host has for terminals.
    ///
    /// # Errors
    /// [`TerminalFault`].
    pub fn download(&mut self, block: &Block, now: Timestamp) -> Result<Sent, TerminalFault> {
        if !self.has(Role::MessageTypeCode) {
            return Err(TerminalFault::NoKind(Kind::Download));
        }
        let dialect = &self.setup.profile.dialect;
        let mti = if block.asks { b"0820" } else { b"0800" };
        let mut message = dialect.build(Mti::parse(mti).ok_or(TerminalFault::NoKind(Kind::Download))?);
        self.stamps(&mut message, now)?;
        self.composite(&mut message, "00", block.code, 11)?;
        message.role(Role::Terminal, self.setup.terminal.as_bytes())?;
        message.role(Role::Merchant, self.setup.merchant.as_bytes())?;
        if !block.data.is_empty() {
            message.role(Role::KeyData, &block.data)?;
        }
        self.finish(Kind::Download, message)
    }

    pub(super) fn management(&mut self, kind: Kind, now: Timestamp) -> Result<Builder, TerminalFault> {
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
}
