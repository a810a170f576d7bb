//! What software a device runs.

use std::fmt;

/// A firmware version: one to three numbers with dots between them, each up to 65,535; `2.1` is `2.1.0`.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Firmware(pub [u16; 3]);

impl Firmware {
    /// One to three decimal numbers with dots between them.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = [0; 3];
        let mut places = parts.iter_mut();
        for part in text.split('.') {
            let is_number = (1..=5).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            *places.next()? = is_number.then(|| part.parse().ok()).flatten()?;
        }
        Some(Self(parts))
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_number_by_number() {
        let of = |text| Firmware::parse(text).unwrap();
        assert!(of("2.10") > of("2.9.7"));
        assert_eq!(of("2"), of("2.0.0"));
        for bad in ["", ".", "1.", "1.2.3.4", "1.x", "70000", "-1", "1.+2"] {
            assert_eq!(Firmware::parse(bad), None, "{bad}");
        }
    }
}
