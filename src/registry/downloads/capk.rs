//! Public keys of certification authorities.

use super::super::table::{Breaches, Row, Source};
use super::{Catalogue, Entry, catalogue, hex};
use crate::model::BusinessDate;
use sha1::Digest;
use sha1::Sha1;

const COLUMNS: &[&str; 6] = &["rid", "index", "expires", "modulus", "exponent", "check"];

pub(super) fn load(source: Source<'_>, breaches: &mut Breaches) -> Option<Catalogue> {
    catalogue(source, "capk", COLUMNS, breaches, entry)
}

/// One key. Its check value is SHA-1 over RID, index, modulus and exponent (EMV book 2, 11.2.2); a row that brings
/// one must bring the right one.
fn entry<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Entry> {
    let bytes = |count: usize| move |text: &str| hex(text).filter(|bytes| bytes.len() == count);
    let rid = row.required("rid", "5 bytes in hex", bytes(5), breaches);
    let index = row.required("index", "1 byte in hex", bytes(1), breaches);
    let expires = row.required("expires", "a date such as 2030-12-31", expiry, breaches);
    let form = "an odd number of 64 to 248 bytes in hex, its top bit set";
    let modulus = row.required("modulus", form, |text| hex(text).filter(|bytes| is_modulus(bytes)), breaches);
    let exponent = row.required("exponent", "03 or 010001", exponent, breaches);
    let check = row.optional("check", "20 bytes in hex", bytes(20), breaches);
    let (rid, index, modulus, exponent) = (rid?, index?, modulus?, exponent?);
    let digest = Sha1::new().chain_update(&rid).chain_update(&index).chain_update(&modulus).chain_update(&exponent);
    let digest = digest.finalize().to_vec();
    if check.is_some_and(|check| check != digest) {
        row.breach("check", "check: is not that of this key", breaches);
    }
    let tags: [(&[u8], Vec<u8>); 8] = [
        (&[0x9F, 0x06], rid),
        (&[0x9F, 0x22], index),
        (&[0xDF, 0x05], expires?),
        (&[0xDF, 0x06], vec![1]),
        (&[0xDF, 0x07], vec![1]),
        (&[0xDF, 0x02], modulus),
        (&[0xDF, 0x04], exponent),
        (&[0xDF, 0x03], digest),
    ];
    Some(Entry { tags: tags.map(|(tag, value)| (tag.to_vec(), value)).to_vec(), key: 2, told: 3 })
}

fn is_modulus(bytes: &[u8]) -> bool {
    (64..=248).contains(&bytes.len())
        && bytes.first().is_some_and(|first| first & 0x80 != 0)
        && bytes.last().is_some_and(|last| last & 1 == 1)
}

fn exponent(text: &str) -> Option<Vec<u8>> {
    hex(text).filter(|bytes| matches!(bytes.as_slice(), [3] | [1, 0, 1]))
}

/// `YYYY-MM-DD` as four bytes of packed digits.
fn expiry(text: &str) -> Option<Vec<u8>> {
    let mut parts = text.split('-');
    let mut next = |digits: usize| parts.next().filter(|part| part.len() == digits);
    let (year, month, day) = (next(4)?, next(2)?, next(2)?);
    BusinessDate::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)?;
    hex(&[year, month, day].concat()).filter(|_| parts.next().is_none())
}
