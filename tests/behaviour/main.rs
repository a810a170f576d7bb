//! Behaviours, one module each.
// A test says what it found by panicking; the lints' own exception does not reach what tests share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod blackbox;
mod business_day;
mod command_line;
mod config;
mod crypto_calculators;
mod crypto_command;
mod crypto_vectors;
mod dialects;
mod faults;
mod field_lists;
mod golden;
mod hsm;
mod hsm_keys;
mod hsm_operations;
mod issuer_command;
mod journal;
mod ledger;
mod ledger_command;
mod link;
mod load;
mod merchant_day;
mod mock_issuer;
mod outside_kept;
mod payshield;
mod pkcs11;
mod pos_host;
mod profiles;
mod registry;
mod risk;
mod round_trip;
mod route;
mod sample_terminal;
mod server;
mod settlement;
mod switch;
mod switch_side;
mod terminal;
mod terminal_batch;
mod terminal_command;
mod terminal_day;
mod terminal_dukpt;
mod terminal_obeys;
mod terminal_switch;
mod terminal_verbs;
