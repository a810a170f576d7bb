//! What an HSM's error codes mean to a caller, and to the connection they came over.

use crate::hsm::HsmError;
use crate::hsm::KeyFault;
use crate::hsm::PinError;
use crate::hsm::payshield::code::ErrorCode;

/// Whether the HSM says that it cannot serve anybody: its connection is taken out.
///
/// What [`is_settings`] says takes nothing out, or one misconfigured command would stop all others.
pub(super) fn is_hardware(code: ErrorCode) -> bool {
    matches!(code.as_bytes(), b"13" | b"33" | b"41" | b"42")
}

/// Whether the HSM says nothing of the call: its own state or settings keep it from this command. Another HSM may serve
/// it. So may codes that nobody knows.
pub(super) fn is_settings(code: ErrorCode) -> bool {
    let is_of_the_call = matches!(
        code.as_bytes(),
        [b'0', b'0'..=b'5']
            | [b'A' | b'B', _]
            | b"10"
            | b"11"
            | b"14"
            | b"15"
            | [b'2', b'0'..=b'9']
            | b"39"
            | b"51"
            | b"69"
            | b"75"
            | b"80"
            | b"90"
    );
    !is_of_the_call && !is_hardware(code)
}

/// The fault that a code names. `first` and `second` are the names of the keys in the command's order.
pub(super) fn fault(code: ErrorCode, first: &str, second: &str) -> HsmError {
    let key = |name: &str, fault| HsmError::Key { name: name.to_owned(), fault };
    match code.as_bytes() {
        b"10" => key(first, KeyFault::Block),
        b"11" => key(second, KeyFault::Block),
        b"26" | b"A7" => key(first, KeyFault::Algorithm),
        b"27" => key(first, KeyFault::Length),
        b"75" => key(first, KeyFault::Masquerade),
        b"28" | b"29" | b"A6" | b"A8" => key(first, KeyFault::Usage),
        b"AA" => key(first, KeyFault::NotExportable),
        [b'A' | b'B', _] => key(first, KeyFault::Block),
        b"15" => HsmError::Input("the HSM cannot read it"),
        b"22" => HsmError::Input("account number"),
        b"23" => HsmError::Input("PIN block format"),
        b"80" => HsmError::Input("data length"),
        b"69" => HsmError::Policy("the HSM has this PIN block format switched off"),
        _ => HsmError::Backend(code.to_string()),
    }
}

/// The same of a key that travels under another: what is said of scheme, length, disguise, type and block is said of the
/// one that travels, and only a parity that does not come out (10) is the key encrypting key's.
pub(super) fn import_fault(code: ErrorCode, kek: &str, travelling: &str) -> HsmError {
    match code.as_bytes() {
        b"26" | b"27" | b"28" | b"29" | b"75" | [b'A' | b'B', _] => fault(code, travelling, travelling),
        _ => fault(code, kek, travelling),
    }
}

/// The same for a PIN operation, where all faults of a block's content are one.
pub(super) fn pin_fault(code: ErrorCode, first: &str, second: &str) -> PinError {
    if code == ErrorCode::PIN_BLOCK || code == ErrorCode::PIN_LENGTH {
        PinError::Block
    } else {
        fault(code, first, second).into()
    }
}
