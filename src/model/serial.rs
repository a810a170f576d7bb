//! How a DUKPT device's serial numbers may go on. Pure: the ledger keeps the mark, flows move it.

use super::{DeviceId, Ksn};

/// How far a device has come: the highest serial number under which a message of it verified, and what it said.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SerialMark {
    /// The serial number.
    pub ksn: Ksn,
    /// Keyed hash of that message, all of it but its MAC and its repeat digit: an exact repeat has the same.
    pub content: [u8; 32],
}

/// A serial number that may be served.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SerialStep {
    /// The terminal's first from this device.
    Bound,
    /// Higher than the mark.
    On,
    /// Higher by more than somebody thinks likely: so many counters were left out.
    Jump(u32),
    /// That of the mark, with the same content: the mark stays.
    Repeat,
}

/// Why a serial number is not served, though its message verified.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SerialFault {
    /// The terminal has another device.
    Device,
    /// The device is another terminal's.
    Elsewhere,
    /// The mark's own serial number, with other content.
    Reused,
    /// Lower than the mark.
    Back,
}

impl SerialFault {
    /// The rule that refused, for logs.
    #[must_use]
    pub fn rule(self) -> &'static str {
        match self {
            Self::Device => "ksn-device",
            Self::Elsewhere => "ksn-elsewhere",
            Self::Reused => "ksn-reused",
            Self::Back => "ksn-back",
        }
    }
}

impl SerialMark {
    /// Whose it is.
    #[must_use]
    pub fn device(&self) -> DeviceId {
        self.ksn.device()
    }

    /// What `now` is to a terminal whose mark is `self`. More than `jump` counters left out is a jump.
    ///
    /// # Errors
    /// [`SerialFault`]: it must not be served.
    pub fn step(&self, now: &Self, jump: u32) -> Result<SerialStep, SerialFault> {
        if self.device() != now.device() {
            return Err(SerialFault::Device);
        }
        let (before, after) = (self.ksn.counter().unwrap_or(0), now.ksn.counter().unwrap_or(0));
        match after.checked_sub(before) {
            None => Err(SerialFault::Back),
            Some(0) if self.content == now.content => Ok(SerialStep::Repeat),
            Some(0) => Err(SerialFault::Reused),
            Some(further) if further - 1 > jump => Ok(SerialStep::Jump(further - 1)),
            Some(_) => Ok(SerialStep::On),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(ksn: &str, content: u8) -> SerialMark {
        SerialMark { ksn: Ksn::read(ksn.as_bytes()).unwrap(), content: [content; 32] }
    }

    #[test]
    fn a_serial_number_goes_up_and_repeats_only_itself() {
        let last = mark("FFFF9876543210E00010", 1);
        let step = |ksn, content| last.step(&mark(ksn, content), 100);
        assert_eq!(step("FFFF9876543210E00010", 1), Ok(SerialStep::Repeat));
        assert_eq!(step("FFFF9876543210E00010", 2), Err(SerialFault::Reused));
        assert_eq!(step("FFFF9876543210E0000F", 1), Err(SerialFault::Back));
        assert_eq!(step("FFFF9876543210E00011", 1), Ok(SerialStep::On));
        assert_eq!(step("FFFF9876543210E00075", 1), Ok(SerialStep::On));
        assert_eq!(step("FFFF9876543210E00076", 1), Ok(SerialStep::Jump(101)));
        assert_eq!(step("FFFF9876543211000010", 1), Err(SerialFault::Device));
    }

    #[test]
    fn the_two_families_never_meet() {
        let (tdes, aes) = (mark("FFFF9876543210E00001", 1), mark("123456789012345600000001", 1));
        assert_eq!(tdes.step(&aes, 9), Err(SerialFault::Device));
    }
}
