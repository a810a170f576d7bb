//! What a terminal tells of the chip after a transaction: how the issuer's scripts went (0620), and the certificate
//! that the chip gave at the end (0320/203, 205).

use super::answer::Answer;
use super::request::Sent;
use super::{Terminal, TerminalFault};
use crate::iso8583::Role;
use crate::iso8583::tlv;
use crate::model::Kind;

/// Issuer scripts, templates 1 and 2. Source: EMV 4.3 Book 3, section 10.10.
const SCRIPTS: [&[u8]; 2] = [&[0x71], &[0x72]];
/// A script's identifier, inside its template.
const IDENTIFIER: &[u8] = &[0x9F, 0x18];
/// What became of the scripts: five bytes each. Source: EMV 4.3 Book 4, annex A5.
const RESULTS: &[u8] = &[0xDF, 0x31];
/// The first byte of a result: script processing was successful.
const SUCCESSFUL: u8 = 0x20;
/// What a script notice repeats of the request's chip data, in the order in which terminals send it.
const REPEATED: [&[u8]; 9] = [
    &[0x9F, 0x33],
    &[0x95],
    &[0x9F, 0x37],
    &[0x9F, 0x1E],
    &[0x9F, 0x10],
    &[0x9F, 0x26],
    &[0x9F, 0x36],
    &[0x82],
    &[0x9A],
];
/// Cryptogram, and what sort of cryptogram it is.
const CRYPTOGRAM: &[u8] = &[0x9F, 0x26];
const SORT: &[u8] = &[0x9F, 0x27];
/// A transaction certificate: the chip approves too.
const CERTIFICATE: u8 = 0x40;

/// The roles of the request that its script notice repeats.
const OF_REQUEST: [Role; 12] = [
    Role::Pan,
    Role::ProcessingCode,
    Role::Amount,
    Role::EntryMode,
    Role::CardSequence,
    Role::Terminal,
    Role::Merchant,
    Role::Currency,
    Role::TransmissionTime,
    Role::LocalYear,
    Role::LocalDate,
    Role::LocalTime,
];

impl Terminal {
    /// The chip has run what scripts came with an approval: the host is told before the next request. The made-up chip
    /// runs every script well.
    ///
    /// # Errors
    /// [`TerminalFault`] if the message cannot be made.
    pub(super) fn scripts_ran(&mut self, sent: &Sent, answer: &Answer) -> Result<(), TerminalFault> {
        let value = |role| sent.message.role(role).map(|value| value.to_vec());
        let came = |role| answer.message.role(role).map(|value| value.to_vec());
        let results = came(Role::Icc).map(|icc| results(&icc)).unwrap_or_default();
        let (Some(asked), false) = (value(Role::Icc), results.is_empty()) else { return Ok(()) };
        let Some(row) = self.setup.profile.dialect.kind_row(Kind::ScriptNotice) else { return Ok(()) };
        let mut message = self.setup.profile.dialect.build(row.mti);
        message.role(Role::Stan, &self.memory.take_stan().digits())?;
        self.composite(&mut message, "00", "951", 11)?;
        for role in OF_REQUEST.into_iter().filter(|role| self.has(*role)) {
            if let Some(value) = value(role) {
                message.role(role, &value)?;
            }
        }
        let rrn = if self.has(Role::OriginalRrn) { Role::OriginalRrn } else { Role::Rrn };
        for (role, value) in [
            (rrn, came(Role::Rrn)),
            (Role::ApprovalCode, came(Role::ApprovalCode)),
            (Role::OriginalBatch, value(Role::Batch)),
            (Role::OriginalStan, value(Role::Stan)),
            (Role::OriginalDate, came(Role::LocalDate)),
            (Role::Icc, notice(&asked, &results)),
        ] {
            if let Some(value) = value.filter(|_| self.has(role)) {
                message.role(role, &value)?;
            }
        }
        self.tell_later(Kind::ScriptNotice, message)
    }

    /// DE 55 once the chip has approved: the request's, with a certificate in place of the cryptogram.
    pub(super) fn certified(&self, sent: &Sent) -> Option<Vec<u8>> {
        let asked = sent.message.role(Role::Icc)?;
        let certificate = self.pad().random::<8>();
        let mut objects = tlv::Reader::new(&asked).map_while(Result::ok);
        let mut out = Vec::with_capacity(asked.len());
        let written = objects.by_ref().all(|object| match object.tag {
            CRYPTOGRAM => tlv::write(CRYPTOGRAM, &certificate, &mut out),
            SORT => tlv::write(SORT, &[CERTIFICATE], &mut out),
            tag => tlv::write(tag, object.value, &mut out),
        });
        (written && !out.is_empty()).then_some(out)
    }
}

/// A result for each script of an answer, none if it brought none.
fn results(icc: &[u8]) -> Vec<u8> {
    let scripts = tlv::Reader::new(icc).map_while(Result::ok).filter(|object| SCRIPTS.contains(&object.tag));
    let identifier = |script: &[u8]| {
        let found = tlv::Reader::new(script).find(IDENTIFIER);
        found.and_then(|found| <[u8; 4]>::try_from(found).ok()).unwrap_or_default()
    };
    scripts.flat_map(|script| [&[SUCCESSFUL][..], &identifier(script.value)].concat()).collect()
}

/// DE 55 of a script notice.
fn notice(asked: &[u8], results: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let found = REPEATED.iter().filter_map(|tag| Some((*tag, tlv::Reader::new(asked).find(tag)?)));
    let written =
        found.chain([(RESULTS, results)]).fold(true, |whole, (tag, value)| tlv::write(tag, value, &mut out) && whole);
    written.then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_script_of_an_answer_has_a_result_under_its_identifier() {
        let one = [0x72, 7, 0x9F, 0x18, 4, 1, 2, 3, 4];
        let nameless = [0x71, 3, 0x86, 1, 0];
        let said = [&[0x91, 2, 7, 8][..], &one, &nameless].concat();
        assert_eq!(results(&said), [0x20, 1, 2, 3, 4, 0x20, 0, 0, 0, 0]);
        assert!(results(&[0x91, 2, 7, 8]).is_empty());
    }

    #[test]
    fn a_notice_repeats_what_the_chip_said_and_ends_with_the_results() {
        let asked = [0x9F, 0x26, 1, 7, 0x95, 2, 4, 5, 0x5A, 2, 0x62, 0x25];
        assert_eq!(
            notice(&asked, &[0x20, 0, 0, 0, 0]).unwrap(),
            [0x95, 2, 4, 5, 0x9F, 0x26, 1, 7, 0xDF, 0x31, 5, 0x20, 0, 0, 0, 0]
        );
    }
}
