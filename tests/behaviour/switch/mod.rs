//! The whole switch on the wire: real doors, real links, mock banks.

mod advices;
mod bad_input;
mod control;
mod cut_over;
mod downloads;
mod dukpt;
mod enforcement;
mod follow_ups;
mod forward;
mod hsms;
mod issuers;
mod key_lists;
mod money;
mod nac;
mod operators;
mod passed_through;
mod peer;
mod qr;
mod reload_under_load;
mod restart;
pub(crate) mod rig;
mod risk;
mod sessions;
mod settlement;
mod sign_ins;
pub(crate) mod slip;
mod stand_in;
mod zone_keys;

/// A visitor's card of bank A (ISO 8583:1987, binary) and one of bank B (1993, ASCII).
pub(crate) const CARD_A: &str = "6225000000000253";
pub(crate) const CARD_B: &str = "4111111111111111";
