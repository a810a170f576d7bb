//! The terminal of the samples (tests/golden/cn_pos_samples.json): its keys, its card, its clock.

use std::sync::Arc;
use tollgate::channel::builtin::profile;
use tollgate::model::BatchNumber;
use tollgate::model::Currency;
use tollgate::model::Entropy;
use tollgate::model::MerchantId;
use tollgate::model::Stan;
use tollgate::model::TerminalId;
use tollgate::model::Timestamp;
use tollgate::model::Track2;
use tollgate::sim::terminal::Card;
use tollgate::sim::terminal::Habits;
use tollgate::sim::terminal::Memory;
use tollgate::sim::terminal::PinPad;
use tollgate::sim::terminal::Setup;
use tollgate::sim::terminal::Terminal;

/// Its master key.
pub(crate) const TMK: &str = "0123456789ABCDEFFEDCBA9876543210";
/// Working keys as a sign-in hands them out: without and with a track key.
pub(crate) const KEYS_40: &str = "41B1F3D154C3079A2CB4F6D696EB21E9E8934A67B49E864CE594CACF00000000000000000FBB6331";
pub(crate) const KEYS_60: &str = "41B1F3D154C3079A2CB4F6D696EB21E9E8934A67B49E864CE594CACF00000000000000000FBB63310F67E2EB76A5259C93AD0D927A7712E43ABB5F40";

/// Not random: the same bytes each time.
pub(crate) struct Counting;

impl Entropy for Counting {
    fn fill(&self, out: &mut [u8]) {
        out.iter_mut().zip(1..).for_each(|(byte, count)| *byte = count);
    }
}

/// Pairs of hex digits as bytes.
pub(crate) fn unhex(digits: &str) -> Vec<u8> {
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

pub(crate) fn pad() -> PinPad {
    PinPad::with_master_key(&unhex(TMK), Arc::new(Counting)).unwrap()
}

/// Its numbers, at a door with this profile.
pub(crate) fn setup(name: &str) -> Setup {
    Setup {
        profile: profile(name).unwrap(),
        terminal: TerminalId::parse(b"12345678").unwrap(),
        merchant: MerchantId::parse(b"123456789012345").unwrap(),
        currency: Currency::CNY,
        offset_minutes: 480,
        encrypt_tracks: false,
        habits: Habits::default(),
    }
}

/// Signed in, batch 1, with this number next.
pub(crate) fn signed_in_at(stan: u32) -> Terminal {
    let memory = Memory {
        key_data: Some(unhex(KEYS_40)),
        batch: BatchNumber::FIRST,
        next_stan: Stan::new(stan),
        ..Memory::default()
    };
    Terminal::new(setup("pos"), pad(), memory).unwrap()
}

pub(crate) fn card() -> Card {
    Card::from_track(&Track2::parse(b"6225000000000253=30122010000000000").unwrap()).unwrap()
}

pub(crate) fn noon() -> Timestamp {
    Timestamp(1_795_240_800_000_000)
}
