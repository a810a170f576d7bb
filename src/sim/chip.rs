//! What a chip and its issuer agree on besides the keys: what a cryptogram covers, and how the answer is written.

use crate::hsm::emv::Arpc;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::CRYPTOGRAM_TAGS;
use crate::hsm::emv::Cvn;
use crate::iso8583::tlv;
use smallvec::SmallVec;

/// Cryptogram versions as card files name them.
pub const NAMES: [(&str, Cvn); 7] = [
    ("visa-10", Cvn::Visa10),
    ("visa-18", Cvn::Visa18),
    ("visa-22", Cvn::Visa22),
    ("mchip-16", Cvn::Mastercard16),
    ("mchip-17", Cvn::Mastercard17),
    ("mchip-20", Cvn::Mastercard20),
    ("mchip-21", Cvn::Mastercard21),
];

/// Application cryptogram (9F26) and issuer application data (9F10). Source: EMV 4.3 Book 3, annex A.
pub(super) const CRYPTOGRAM: &[u8] = &[0x9F, 0x26];
pub(super) const APPLICATION_DATA: &[u8] = &[0x9F, 0x10];
/// Transaction counter and unpredictable number.
pub(super) const COUNTER: &[u8] = &[0x9F, 0x36];
pub(super) const UNPREDICTABLE: &[u8] = &[0x9F, 0x37];
/// Issuer authentication data: what the issuer says to the chip.
pub(super) const AUTHENTICATION: &[u8] = &[0x91];

/// From its name.
#[must_use]
pub fn named(name: &str) -> Option<Cvn> {
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, version)| *version)
}

/// Issuer application data of a chip that checked nothing itself: under the first key of its issuer, going online.
///
/// Visa: length, key index, version, results of verification. M/Chip: key index, version, results, dynamic number,
/// counters.
pub(super) fn application_data(version: Cvn) -> SmallVec<[u8; 32]> {
    let number = match version {
        Cvn::Visa10 => 0x0A,
        Cvn::Visa18 => 0x12,
        Cvn::Visa22 => 0x16,
        Cvn::Mastercard16 => 0x10,
        Cvn::Mastercard17 => 0x11,
        Cvn::Mastercard20 => 0x14,
        Cvn::Mastercard21 => 0x15,
    };
    match version {
        Cvn::Visa10 | Cvn::Visa18 | Cvn::Visa22 => SmallVec::from_slice(&[6, 1, number, 3, 0xA0, 0xA0, 0]),
        Cvn::Mastercard16 | Cvn::Mastercard17 | Cvn::Mastercard20 | Cvn::Mastercard21 => {
            let mut data = SmallVec::from_slice(&[1, number, 0xA5, 0, 3, 2, 0, 0]);
            data.resize(18, 0);
            data
        }
    }
}

/// What a cryptogram covers of chip data (DE 55). `None` if an object is missing.
pub(super) fn covered(icc: &[u8], version: Cvn) -> Option<Vec<u8>> {
    let find = |tag: &[u8]| tlv::Reader::new(icc).find(tag);
    let mut data = Vec::with_capacity(64);
    for tag in CRYPTOGRAM_TAGS {
        data.extend_from_slice(find(tag)?);
    }
    data.extend_from_slice(&version.tail(find(APPLICATION_DATA)?)?);
    Some(data)
}

/// The answer that a chip of this version understands. Visa: response code, or from CVN 18 on the card status update;
/// M/Chip: its own response code.
///
/// Source: EMV 4.3 Book 2, 8.2; what the versions use as published in open libraries.
pub(super) fn answer(version: Cvn, approved: bool) -> ArpcSpec {
    match version {
        Cvn::Visa10 => ArpcSpec::Method1 { response_code: if approved { *b"00" } else { *b"05" } },
        Cvn::Visa18 | Cvn::Visa22 => {
            let status_update = [0, if approved { 0x80 } else { 0 }, 0, 0];
            ArpcSpec::Method2 { status_update, proprietary: SmallVec::new() }
        }
        Cvn::Mastercard16 | Cvn::Mastercard17 | Cvn::Mastercard20 | Cvn::Mastercard21 => {
            ArpcSpec::Method1 { response_code: [0, if approved { 0x10 } else { 0 }] }
        }
    }
}

/// Tag 91: the answering cryptogram, and what it was made over besides the request's.
pub(super) fn authentication_data(arpc: &Arpc, answer: &ArpcSpec) -> Vec<u8> {
    match answer {
        ArpcSpec::Method1 { response_code } => [arpc, &response_code[..]].concat(),
        ArpcSpec::Method2 { status_update, proprietary } => [arpc, &status_update[..], proprietary].concat(),
    }
}

/// Undoes [`authentication_data`], as a chip of this version reads it. `None` for another length.
pub(super) fn read_authentication(version: Cvn, data: &[u8]) -> Option<(Arpc, ArpcSpec)> {
    match version {
        Cvn::Visa18 | Cvn::Visa22 => {
            let (arpc, rest) = data.split_at_checked(4)?;
            let (status_update, proprietary) = rest.split_first_chunk::<4>()?;
            let proprietary = SmallVec::from_slice(proprietary.get(..proprietary.len().min(9))?);
            let spec = ArpcSpec::Method2 { status_update: *status_update, proprietary };
            Some((Arpc::from_slice(arpc), spec))
        }
        Cvn::Visa10 | Cvn::Mastercard16 | Cvn::Mastercard17 | Cvn::Mastercard20 | Cvn::Mastercard21 => {
            let (arpc, response_code) = data.split_at_checked(8)?;
            let response_code = response_code.try_into().ok()?;
            Some((Arpc::from_slice(arpc), ArpcSpec::Method1 { response_code }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_has_a_name_and_application_data_that_its_cryptogram_covers() {
        for version in Cvn::ALL {
            assert!(NAMES.iter().any(|(name, known)| *known == version && named(name) == Some(version)));
            assert!(version.tail(&application_data(version)).is_some());
        }
        assert_eq!(named("visa-17"), None);
    }

    #[test]
    fn what_the_issuer_says_to_the_chip_reads_back() {
        for version in Cvn::ALL {
            for approved in [true, false] {
                let said = answer(version, approved);
                let length = if matches!(said, ArpcSpec::Method1 { .. }) { 8 } else { 4 };
                let arpc = Arpc::from_slice(&[7; 8][..length]);
                let data = authentication_data(&arpc, &said);
                assert_eq!(read_authentication(version, &data), Some((arpc, said)));
                assert_eq!(read_authentication(version, &data[..7]), None);
            }
        }
    }

    #[test]
    fn a_cryptogram_covers_its_objects_in_their_order_wherever_they_stand() {
        let mut icc = Vec::new();
        assert!(tlv::write(APPLICATION_DATA, &application_data(Cvn::Visa10), &mut icc));
        for (place, tag) in CRYPTOGRAM_TAGS.iter().enumerate().rev() {
            assert!(tlv::write(tag, &[place as u8], &mut icc));
        }
        let expected = [&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9][..], &[3, 0xA0, 0xA0, 0]].concat();
        assert_eq!(covered(&icc, Cvn::Visa10), Some(expected));
        assert_eq!(covered(&icc[..icc.len() - 1], Cvn::Visa10), None);
    }
}
