//! What of DE 55 may be kept, and sent again: parts that prove what the chip did, none that copy the card.

use crate::iso8583::tlv;
use crate::model::Icc;
use bytes::Bytes;

/// Verification results, issuer application data, device number, transaction counter, script results.
/// Source: UnionPay practice for reversals, `95 9F10 9F1E 9F36 DF31`.
const REVERSAL: [&[u8]; 5] = [&[0x95], &[0x9F, 0x10], &[0x9F, 0x1E], &[0x9F, 0x36], &[0xDF, 0x31]];

/// What else an issuer wants that was not asked: the cryptogram and all that it was computed over.
/// Source: EMV 4.3 Book 2, table 26; Book 3, annex A.
const ADVICE: [&[u8]; 18] = [
    &[0x82],
    &[0x84],
    &[0x9A],
    &[0x9C],
    &[0x5F, 0x2A],
    &[0x9F, 0x02],
    &[0x9F, 0x03],
    &[0x9F, 0x09],
    &[0x9F, 0x1A],
    &[0x9F, 0x26],
    &[0x9F, 0x27],
    &[0x9F, 0x33],
    &[0x9F, 0x34],
    &[0x9F, 0x35],
    &[0x9F, 0x37],
    &[0x9F, 0x41],
    &[0x9F, 0x63],
    &[0x8A],
];

/// What an issuer says to a chip: authentication data, response code, certificate, scripts. An answer is kept
/// and told again, and whatever else an issuer echoes of the card must not be. Source: EMV 4.3 Book 3, annex A.
const ANSWER: [&[u8]; 5] = [&[0x91], &[0x8A], &[0x89], &[0x71], &[0x72]];

/// What is kept of the chip data in an issuer's answer, and handed on to the terminal.
pub(super) fn of_answer(icc: &[u8]) -> Option<Bytes> {
    subset(icc, |tag| ANSWER.contains(&tag))
}

/// What an intent keeps of the chip's data: more where the issuer will be told by advice.
pub(super) fn kept(icc: &Icc, advised: bool) -> Option<Bytes> {
    subset(icc.as_bytes(), |tag| REVERSAL.contains(&tag) || (advised && ADVICE.contains(&tag)))
}

/// What a reversal repeats of what was kept.
pub(super) fn of_reversal(kept: &[u8]) -> Option<Bytes> {
    subset(kept, |tag| REVERSAL.contains(&tag))
}

/// The objects of the wanted tags; `None` where there are none.
fn subset(data: &[u8], wanted: impl Fn(&[u8]) -> bool) -> Option<Bytes> {
    let mut kept = Vec::new();
    let mut objects = tlv::Reader::new(data).map_while(Result::ok).filter(|object| wanted(object.tag));
    let written = objects.by_ref().all(|object| tlv::write(object.tag, object.value, &mut kept));
    (written && !kept.is_empty()).then(|| Bytes::from(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 9F26, 95, 57 (track 2 equivalent), 5A (PAN).
    const DATA: [u8; 23] =
        [0x9F, 0x26, 3, 1, 2, 3, 0x95, 2, 4, 5, 0x57, 4, 0x62, 0x25, 0xD3, 0x01, 0x5A, 2, 0x62, 0x25, 0x9A, 1, 0x26];

    #[test]
    fn a_reversal_repeats_results_and_an_advice_the_cryptogram_too_but_neither_the_card() {
        let icc = Icc::new(Bytes::from_static(&DATA));
        assert_eq!(&*kept(&icc, false).unwrap(), [0x95, 2, 4, 5]);
        let advised = kept(&icc, true).unwrap();
        assert_eq!(&*advised, [0x9F, 0x26, 3, 1, 2, 3, 0x95, 2, 4, 5, 0x9A, 1, 0x26]);
        assert_eq!(of_reversal(&advised), kept(&icc, false));
    }

    #[test]
    fn of_an_issuers_answer_only_what_it_says_to_the_chip_is_kept() {
        let mut echoed = DATA.to_vec();
        let said = [0x91, 2, 7, 8, 0x8A, 2, 0x30, 0x30, 0x89, 1, 9, 0x71, 1, 1, 0x72, 1, 2];
        echoed.extend(said);
        assert_eq!(&*of_answer(&echoed).unwrap(), said);
        assert_eq!(of_answer(&DATA), None, "an echo of the card is not kept");
    }

    #[test]
    fn nothing_to_keep_is_nothing() {
        assert_eq!(kept(&Icc::new(Bytes::from_static(&DATA[10..20])), true), None);
    }
}
