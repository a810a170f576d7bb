//! What a test needs of the machine it runs on, and what becomes of it where that is not to be had.

use std::io::Write;

/// Set to 1: leaving a test out is a failure.
const REQUIRE_ALL: &str = "TOLLGATE_REQUIRE_ALL";

/// Says that a test is left out, and why.
pub(super) fn leave_out(test: &str, why: &str) {
    // Straight to where it is seen: what a passing test prints is kept from view.
    let _ = writeln!(std::io::stderr(), "left out: {test}: {why}");
    let required = std::env::var_os(REQUIRE_ALL).is_some_and(|value| value == "1");
    assert!(!required, "{REQUIRE_ALL}=1, and {test} is left out: {why}");
}
