//! A POS terminal: signs in, sells, and undoes what it cannot be sure of.
//!
//! [`Terminal`] is without IO: it makes units to send and judges units that come back. [`drive`] puts it on
//! a TCP or TLS connection. The order that keeps money safe is the terminal's own: what it takes to undo a
//! request is in its memory before the request leaves, and only a valid answer takes it out again.

mod account;
mod advice;
mod answer;
mod card;
mod chip;
mod closing;
pub mod day;
pub mod day_run;
mod deed;
mod demo;
mod download;
pub mod drive;
mod follow;
mod log;
mod management;
mod memory;
mod memory_file;
mod pin_pad;
pub mod receipt;
mod request;
mod script;
mod shift;
mod slip;
pub mod state_file;
mod undo;

pub use account::Account;
pub use answer::{Answer, Heard, MacCheck, Unexpected};
pub use card::{Card, Entry};
pub use chip::{ChipCheck, Chips};
pub use deed::{Deed, Done, Presented, Task};
pub use demo::{PROFILES, demo_device, demo_dukpt_pad, demo_master_key, demo_pin_pad, demo_serial};
pub use follow::{FollowUp, Original};
pub use log::{Advice, Closing, Log, Settled, Step};
pub use management::Block;
pub use memory::{Memory, MemoryFault, Undo};
pub use pin_pad::{PadFault, PinPad};
pub use request::{Purchase, Sent};
pub use shift::{Order, SETTLEMENT_ATTEMPTS, SLIPS_AT_MOST, Served, Settlement};
pub use slip::{Slip, Standing};

use crate::channel::FrameFault;
use crate::channel::Profile;
use crate::iso8583::EncodeError;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::MerchantId;
use crate::model::TerminalId;
use std::sync::Arc;

/// Who a terminal is and how it speaks.
#[derive(Clone)]
pub struct Setup {
    /// The conventions of its wire.
    pub profile: Arc<Profile>,
    /// DE 41.
    pub terminal: TerminalId,
    /// DE 42.
    pub merchant: MerchantId,
    /// DE 49.
    pub currency: Currency,
    /// Minutes east of UTC of its clock.
    pub offset_minutes: i16,
    /// Ask for a track key at sign-in, and encipher tracks under it.
    pub encrypt_tracks: bool,
    /// What it does besides.
    pub habits: Habits,
}

/// What a terminal says of itself and of where it stands, true or not.
#[derive(Clone, Debug, Default)]
pub struct Habits {
    /// Its serial number, 1 to 32 letters and digits; `TOLLGATE-SIM-001` if nobody said.
    pub serial: Option<Box<str>>,
    /// DE 42 of its requests, where that is another's: a jump machine.
    pub claims: Option<MerchantId>,
    /// It says what it is in each request, where the dialect has room for it (DE 59).
    pub tells: bool,
    /// Somebody opened it, and it says so.
    pub opened: bool,
}

/// Why a terminal cannot make the message it was asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum TerminalFault {
    /// The PIN pad refused.
    #[error(transparent)]
    Pad(#[from] PadFault),
    /// The dialect has no such message.
    #[error("the dialect has no {}", .0.name())]
    NoKind(Kind),
    /// The message cannot be written.
    #[error("{0}")]
    Encode(#[from] EncodeError),
    /// The message does not fit its frame.
    #[error("{0}")]
    Frame(#[from] FrameFault),
    /// What was written does not read back: our bug.
    #[error("the message written does not read back")]
    Unreadable,
    /// A reversal is pending: it goes first.
    #[error("a reversal is pending: it goes first")]
    ReversalFirst,
    /// A settlement is under way: it ends first.
    #[error("a settlement is under way: it ends first")]
    SettlementFirst,
    /// The host was not told of everything: that goes first.
    #[error("the host was not told of everything yet: that goes first")]
    UntoldFirst,
    /// The batch has as many slips as it may.
    #[error("the batch is full: settle first")]
    BatchFull,
    /// The batch has more than a settlement can say.
    #[error("the batch has more than a settlement message can say")]
    BatchTooLarge,
    /// What is to be followed was made offline, and the host would not take it.
    #[error("the host did not take what this follows")]
    OriginalRefused,
    /// The dialect takes no payment codes.
    #[error("the dialect has no payment codes")]
    NoCodes,
    /// Something is missing that the message needs.
    #[error("{0} is needed")]
    Incomplete(&'static str),
    /// The card's track is none.
    #[error("the card has no readable track")]
    Track,
}

/// One terminal. Not `Clone`: two terminals with one number would reuse its trace numbers.
pub struct Terminal {
    setup: Setup,
    pad: PinPad,
    memory: Memory,
    /// The chip that waits for its issuer's answer. A power cut ends its transaction.
    in_reader: Option<chip::Waiting>,
}

impl Terminal {
    /// A terminal that remembers `memory`. Working keys in it are loaded.
    ///
    /// # Errors
    /// [`PadFault`] if the keys in its memory came under another master key.
    pub fn new(setup: Setup, mut pad: PinPad, memory: Memory) -> Result<Self, PadFault> {
        if let Some(key_data) = &memory.key_data {
            pad.load(key_data)?;
        }
        Ok(Self { setup, pad, memory, in_reader: None })
    }

    /// Who it is.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Writes another merchant's number in its requests from now on, or its own again.
    pub fn pretend(&mut self, claims: Option<MerchantId>) {
        self.setup.habits.claims = claims;
    }

    /// Says another serial number from now on, and in each request: a device that was swapped.
    pub fn pretend_to_be(&mut self, serial: &str) {
        self.setup.habits.serial = Some(serial.into());
        self.setup.habits.tells = true;
    }

    /// What it remembers.
    #[must_use]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// Its PIN pad.
    #[must_use]
    pub fn pad(&self) -> &PinPad {
        &self.pad
    }

    /// Whether it must sign in before it can sell.
    #[must_use]
    pub fn needs_sign_in(&self) -> bool {
        self.setup.profile.sign_in && !self.pad.is_keyed()
    }

    /// Its memory as its state file has it.
    #[must_use]
    pub fn to_json(&self) -> String {
        self.memory.to_json(self.setup.owner(), &self.pad)
    }
}

impl Setup {
    /// Whose memory a state file holds: profile, terminal, merchant.
    #[must_use]
    pub fn owner(&self) -> [&str; 3] {
        [&self.profile.name, self.terminal.as_str(), self.merchant.as_str()]
    }
}
