//! Attributes of key blocks: what they are called, and which go together (ANSI X9.143, section 6).

/// Names of the commoner usages (ANSI X9.143, table 3).
const USAGES: &[(&str, &str)] = &[
    ("B0", "base derivation key"),
    ("B1", "initial DUKPT key"),
    ("C0", "card verification"),
    ("D0", "data encryption"),
    ("E0", "EMV cryptograms"),
    ("E1", "EMV script confidentiality"),
    ("E2", "EMV script integrity"),
    ("E4", "EMV dynamic numbers"),
    ("K0", "key encryption"),
    ("K1", "key block protection"),
    ("M1", "MAC, ISO 9797-1 algorithm 1"),
    ("M3", "MAC, ISO 9797-1 algorithm 3"),
    ("M6", "MAC, CMAC"),
    ("M7", "HMAC"),
    ("P0", "PIN encryption"),
    ("V1", "PIN verification, IBM 3624"),
    ("V2", "PIN verification, Visa PVV"),
];

/// Names of modes of use (table 5).
const MODES: &[(&str, &str)] = &[
    ("B", "both encrypt and decrypt"),
    ("C", "both generate and verify"),
    ("D", "decrypt"),
    ("E", "encrypt"),
    ("G", "generate"),
    ("N", "no restriction"),
    ("S", "sign"),
    ("V", "verify"),
    ("X", "derive"),
];

/// A code and what it means, if that is known.
fn named(names: &[(&str, &str)], code: &[u8]) -> String {
    let code = String::from_utf8_lossy(code).into_owned();
    names.iter().find(|(known, _)| *known == code).map_or(code.clone(), |(_, name)| format!("{code} ({name})"))
}

/// A usage in words.
pub(super) fn usage_named(usage: [u8; 2]) -> String {
    named(USAGES, &usage)
}

/// A mode of use in words.
pub(super) fn mode_named(mode: u8) -> String {
    named(MODES, &[mode])
}

/// What the five characters and the key version of a block to write say.
#[derive(Clone, Copy)]
pub(super) struct Attributes {
    pub(super) usage: [u8; 2],
    pub(super) algorithm: u8,
    pub(super) mode: u8,
    pub(super) exportability: u8,
    pub(super) version: [u8; 2],
}

/// Why attributes are none, or do not go together. No value is named: they may be a key in the wrong place.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum Implausible {
    /// Not five characters.
    #[error("five letters and digits are wanted, as P0TBE: usage, algorithm, mode of use, exportability")]
    Length,
    /// A usage that X9.143 does not have.
    #[error("the first two characters are no usage of X9.143, as P0, K0 or M3; two digits are a usage of one's own")]
    Usage,
    /// A usage of public and private keys.
    #[error("the usage is one of asymmetric keys, which this does not write")]
    Asymmetric,
    /// An algorithm that X9.143 does not have, or not for symmetric keys.
    #[error("the third character is no algorithm of symmetric keys: A AES, D DES, T TDES, H HMAC")]
    Algorithm,
    /// HMAC for something else, or something else for HMAC.
    #[error("usage M7 and algorithm H, HMAC, go together only")]
    Hmac,
    /// ISO 9797-1 algorithm 3 with AES.
    #[error("usage M3, the retail MAC, is one of DES and TDES keys")]
    RetailMac,
    /// A mode that X9.143 does not have.
    #[error("the fourth character is no mode of use: B, C, D, E, G, N, S, T, V, X or Y")]
    Mode,
    /// A mode that the usage does not have.
    #[error("keys of this usage do not have this mode of use: they {0}")]
    ModeOfUsage(&'static str),
    /// Neither E, N nor S.
    #[error("the fifth character is no exportability: E, N or S")]
    Exportability,
    /// Not two letters or digits.
    #[error("the key version is two letters and digits: 00 for none, c and a digit for a component")]
    Version,
    /// The algorithm and the key's length.
    #[error("the algorithm's keys have another length than this one: D 8 bytes, T 16 or 24, A and H 16, 24 or 32")]
    KeyLength,
}

/// The modes that keys of a usage have, and what that means (tables 3 and 5). `None` for any.
fn modes(usage: [u8; 2]) -> Result<Option<(&'static [u8], &'static str)>, Implausible> {
    Ok(Some(match &usage {
        [b'0'..=b'9', b'0'..=b'9'] => return Ok(None),
        [b'B', b'0'..=b'3'] => (b"XN", "derive others (X), or are not restricted (N)"),
        [b'E', b'0'..=b'4' | b'6' | b'7'] => (b"XN", "derive others (X), or are not restricted (N)"),
        b"C0" | [b'M', b'0'..=b'8'] | [b'V', b'0'..=b'5'] => {
            (b"CGVN", "generate (G), verify (V), do both (C), or are not restricted (N)")
        }
        b"D0" | b"D2" | b"D3" | b"K0" | b"K1" | b"K4" | b"P0" => {
            (b"BDEN", "encrypt (E), decrypt (D), do both (B), or are not restricted (N)")
        }
        b"I0" => (b"N", "are not restricted (N)"),
        b"E5" | b"P1" => return Ok(None),
        b"D1" | b"K2" | b"K3" | [b'S', b'0'..=b'2'] => return Err(Implausible::Asymmetric),
        _ => return Err(Implausible::Usage),
    }))
}

impl Attributes {
    /// Reads what a caller wants in a header, and sees whether it goes together.
    ///
    /// # Errors
    /// The first thing that does not.
    pub(super) fn read(text: &str, version: &str) -> Result<Self, Implausible> {
        let &[u1, u2, algorithm, mode, exportability] = text.as_bytes() else { return Err(Implausible::Length) };
        if !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Implausible::Length);
        }
        let usage = [u1, u2];
        let of_usage = modes(usage)?;
        if !matches!(algorithm, b'A' | b'D' | b'T' | b'H') {
            return Err(Implausible::Algorithm);
        }
        let own = usage.iter().all(u8::is_ascii_digit);
        if !own && (usage == *b"M7") != (algorithm == b'H') {
            return Err(Implausible::Hmac);
        }
        if usage == *b"M3" && algorithm == b'A' {
            return Err(Implausible::RetailMac);
        }
        if !(own && mode.is_ascii_digit() || b"BCDEGNSTVXY".contains(&mode)) {
            return Err(Implausible::Mode);
        }
        if let Some((_, means)) = of_usage.filter(|(modes, _)| !modes.contains(&mode)) {
            return Err(Implausible::ModeOfUsage(means));
        }
        if !b"ENS".contains(&exportability) {
            return Err(Implausible::Exportability);
        }
        let version = match *version.as_bytes() {
            [b'c', place] if !place.is_ascii_digit() => return Err(Implausible::Version),
            [v1, v2] if v1.is_ascii_alphanumeric() && v2.is_ascii_alphanumeric() => [v1, v2],
            _ => return Err(Implausible::Version),
        };
        Ok(Self { usage, algorithm, mode, exportability, version })
    }

    /// Sees whether a key is one of this algorithm.
    ///
    /// # Errors
    /// [`Implausible::KeyLength`].
    pub(super) fn fit(self, key: &[u8]) -> Result<(), Implausible> {
        let fits = match self.algorithm {
            b'D' => key.len() == 8,
            b'T' => matches!(key.len(), 16 | 24),
            _ => matches!(key.len(), 16 | 24 | 32),
        };
        if fits { Ok(()) } else { Err(Implausible::KeyLength) }
    }
}
