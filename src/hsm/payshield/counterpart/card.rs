//! CW, CY, KQ, KW.

use super::Counterpart;
use crate::hsm::calculator;
use crate::hsm::calculator::emv;
use crate::hsm::calculator::emv::EmvKey;
use crate::hsm::calculator::equal;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::MasterKeyOption;
use crate::hsm::emv::SessionKeyMethod;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::Reply;
use crate::hsm::payshield::command::card::CvvInput;
use crate::hsm::payshield::command::card::VerifyCvv;
use crate::hsm::payshield::command::emv::Mode;
use crate::hsm::payshield::command::emv::Response;
use crate::hsm::payshield::command::emv::StaticScheme;
use crate::hsm::payshield::command::emv::VerifyCsk;
use crate::hsm::payshield::command::emv::VerifyStatic;
use crate::hsm::payshield::key::HostKey;
use crate::model::Padding;
use crate::model::Pan;
use smallvec::SmallVec;

/// Whether the cryptogram is the card's. The host has padded the data.
fn check(session: &EmvKey, data: &[u8], arqc: [u8; 8]) -> Result<(), ErrorCode> {
    if data.is_empty() || !data.len().is_multiple_of(8) {
        return Err(ErrorCode::DATA_LENGTH);
    }
    let computed = emv::cryptogram(session, Padding::Zeros, data).map_err(|_| ErrorCode::DATA_LENGTH)?;
    if equal(&computed, &arqc) { Ok(()) } else { Err(ErrorCode::VERIFICATION) }
}

fn answer(key: &EmvKey, arqc: [u8; 8], response: &Response) -> Result<Vec<u8>, ErrorCode> {
    let spec = match response {
        Response::Code(code) => ArpcSpec::Method1 { response_code: *code },
        Response::Status(update, proprietary) => {
            ArpcSpec::Method2 { status_update: *update, proprietary: SmallVec::from_slice(proprietary) }
        }
    };
    emv::arpc(key, arqc, &spec).map(|arpc| arpc.to_vec()).map_err(|_| ErrorCode::DATA_LENGTH)
}

impl Counterpart {
    pub(super) fn cvv(&self, cvk: &HostKey, input: &CvvInput) -> Reply<[u8; 3]> {
        let key = self.open(cvk, KeyType::CVK, ErrorCode::SOURCE_KEY)?;
        let des = key.cipher.des().map_err(|_| ErrorCode::KEY_LENGTH)?;
        let pan = Pan::parse(input.pan.as_bytes()).ok_or(ErrorCode::INPUT)?;
        calculator::cvv(des, &pan, &input.expiry, &input.service_code).map_err(|_| ErrorCode::KEY_LENGTH)
    }

    pub(super) fn verify_cvv(&self, c: &VerifyCvv) -> Reply<()> {
        if equal(&self.cvv(&c.cvk, &c.input)?, &c.cvv) { Ok(()) } else { Err(ErrorCode::VERIFICATION) }
    }

    /// The card's own master key, from the sixteen digits that option A makes of PAN and sequence number.
    fn master_key(&self, mk_ac: &HostKey, pan_psn: [u8; 8]) -> Result<EmvKey, ErrorCode> {
        let issuer = self.open(mk_ac, KeyType::MK_AC, ErrorCode::SOURCE_KEY)?;
        let des = issuer.cipher.des().map_err(|_| ErrorCode::KEY_LENGTH)?;
        let digits: Vec<u8> =
            pan_psn.iter().flat_map(|byte| [byte >> 4, byte & 0x0F]).map(|digit| b'0' + digit).collect();
        let (pan, sequence) = digits.split_at(14);
        let pan = Pan::parse(pan).ok_or(ErrorCode::INPUT)?;
        let sequence = std::str::from_utf8(sequence).ok().and_then(|digits| digits.parse().ok());
        let card = EmvCard { pan, sequence: sequence.ok_or(ErrorCode::INPUT)? };
        emv::master_key(des, MasterKeyOption::A, &card).map_err(|_| ErrorCode::KEY_LENGTH)
    }

    pub(super) fn verify_static(&self, c: &VerifyStatic) -> Reply<Option<[u8; 8]>> {
        let master = self.master_key(&c.mk_ac, c.pan_psn)?;
        let method = match c.scheme {
            StaticScheme::Vsdc => SessionKeyMethod::Master,
            StaticScheme::MChip => SessionKeyMethod::MChip,
        };
        let session = emv::session_key(method, &master, c.atc, c.un).map_err(|_| ErrorCode::KEY_LENGTH)?;
        if c.mode != Mode::Answer {
            check(&session, &c.data, c.arqc)?;
        }
        let Some(arc) = c.arc else { return Ok(None) };
        // These cards check the answer under their own key, not the transaction's.
        let arpc = answer(&master, c.arqc, &Response::Code(arc))?;
        arpc.try_into().map(Some).map_err(|_| ErrorCode::DATA_LENGTH)
    }

    pub(super) fn verify_csk(&self, c: &VerifyCsk) -> Reply<Option<Vec<u8>>> {
        let master = self.master_key(&c.mk_ac, c.pan_psn)?;
        let method = SessionKeyMethod::Common;
        let session = emv::session_key(method, &master, c.atc, [0; 4]).map_err(|_| ErrorCode::KEY_LENGTH)?;
        if c.mode != Mode::Answer {
            check(&session, &c.data, c.arqc)?;
        }
        c.response.as_ref().map(|response| answer(&session, c.arqc, response)).transpose()
    }
}
