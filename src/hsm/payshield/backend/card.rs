//! Card verification values and chip cryptograms.

use super::PayshieldHsm;
use super::fault;
use crate::hsm::Ctx;
use crate::hsm::CvKey;
use crate::hsm::HsmError;
use crate::hsm::ImkKey;
use crate::hsm::KeyUsage;
use crate::hsm::Verdict;
use crate::hsm::emv::Arpc;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::ArqcOutcome;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use crate::hsm::emv::EmvTransaction;
use crate::hsm::emv::MasterKeyOption;
use crate::hsm::emv::SessionKeyMethod;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::card::CvvInput;
use crate::hsm::payshield::command::card::GenerateCvv;
use crate::hsm::payshield::command::card::VerifyCvv;
use crate::hsm::payshield::command::emv::Mode;
use crate::hsm::payshield::command::emv::Response;
use crate::hsm::payshield::command::emv::StaticScheme;
use crate::hsm::payshield::command::emv::VerifyCsk;
use crate::hsm::payshield::command::emv::VerifyStatic;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::body;
use crate::model::Padding;
use crate::model::Pan;
use zeroize::Zeroizing;

/// Most bytes of data that a command has room for.
const DATA_MOST: usize = 248;

/// The data padded to whole blocks, as the host has to.
fn padded(padding: Padding, data: &[u8]) -> Result<Body, HsmError> {
    let mut whole = body();
    whole.extend_from_slice(data);
    match padding {
        Padding::Bit => whole.push(0x80),
        Padding::Zeros => {}
        Padding::Length => return Err(HsmError::Unsupported("cryptograms with this padding")),
    }
    let length = whole.len().next_multiple_of(8).max(8);
    if length > DATA_MOST {
        return Err(HsmError::Input("cryptogram data"));
    }
    whole.resize(length, 0);
    Ok(whole)
}

/// The rightmost sixteen digits of PAN and sequence number, packed: option A.
fn pan_psn(option: MasterKeyOption, card: &EmvCard) -> Result<[u8; 8], HsmError> {
    let pan = card.pan.clear().as_bytes();
    if option == MasterKeyOption::B && pan.len() > 16 {
        return Err(HsmError::Unsupported("master keys by option B for long card numbers"));
    }
    if card.sequence > 99 {
        return Err(HsmError::Input("card sequence number"));
    }
    let sequence = [card.sequence / 10, card.sequence % 10];
    let digits = sequence.iter().rev().copied().chain(pan.iter().rev().map(|digit| digit & 0x0F));
    let mut nibbles = [0; 16];
    nibbles.iter_mut().rev().zip(digits).for_each(|(to, digit)| *to = digit);
    let mut packed = [0; 8];
    packed.iter_mut().zip(nibbles.as_chunks::<2>().0).for_each(|(byte, [high, low])| *byte = high << 4 | low);
    Ok(packed)
}

impl PayshieldHsm {
    fn cvv_input(pan: &Pan, (expiry, service_code): (&[u8; 4], &[u8; 3])) -> Result<CvvInput, HsmError> {
        if !expiry.iter().chain(service_code).all(u8::is_ascii_digit) {
            return Err(HsmError::Input("expiry or service code"));
        }
        let pan = Zeroizing::new(pan.clear().to_owned());
        Ok(CvvInput { pan, expiry: *expiry, service_code: *service_code })
    }

    /// See [`Hsm::cvv_generate`](crate::hsm::Hsm::cvv_generate).
    pub(super) async fn generate_cvv(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        dates: (&[u8; 4], &[u8; 3]),
    ) -> Result<[u8; 3], HsmError> {
        let cvk = self.held(&key.0)?.must_be(KeyUsage::Cvv, &[KeyType::CVK])?;
        let command = GenerateCvv { cvk: cvk.key.clone(), input: Self::cvv_input(pan, dates)? };
        self.call(ctx, &command).await?.map_err(|code| fault::fault(code, &cvk.name, &cvk.name))
    }

    /// See [`Hsm::cvv_verify`](crate::hsm::Hsm::cvv_verify).
    pub(super) async fn verify_cvv(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        dates: (&[u8; 4], &[u8; 3]),
        cvv: &[u8; 3],
    ) -> Result<Verdict, HsmError> {
        let cvk = self.held(&key.0)?.must_be(KeyUsage::Cvv, &[KeyType::CVK])?;
        if !cvv.iter().all(u8::is_ascii_digit) {
            return Ok(Verdict::NoMatch);
        }
        let command = VerifyCvv { cvk: cvk.key.clone(), cvv: *cvv, input: Self::cvv_input(pan, dates)? };
        match self.call(ctx, &command).await? {
            Ok(()) => Ok(Verdict::Match),
            Err(ErrorCode::VERIFICATION) => Ok(Verdict::NoMatch),
            Err(code) => Err(fault::fault(code, &cvk.name, &cvk.name)),
        }
    }

    /// See [`Hsm::arqc_verify`](crate::hsm::Hsm::arqc_verify).
    pub(super) async fn verify_arqc(
        &self,
        ctx: &Ctx,
        key: &ImkKey,
        (scheme, card): (&EmvScheme, &EmvCard),
        transaction: &EmvTransaction<'_>,
        (arqc, answer): (&[u8; 8], Option<&ArpcSpec>),
    ) -> Result<ArqcOutcome, HsmError> {
        let held = self.held(&key.0)?.must_be(KeyUsage::EmvCryptogram, &[KeyType::MK_AC])?;
        let (mk_ac, pan_psn) = (held.key.clone(), pan_psn(scheme.master, card)?);
        let data = padded(scheme.padding, transaction.data)?;
        let mode = if answer.is_some() { Mode::VerifyAndAnswer } else { Mode::Verify };
        let (atc, arqc) = (transaction.atc, *arqc);
        let reply = match scheme.session {
            SessionKeyMethod::Tree { .. } => return Err(HsmError::Unsupported("EMV2000 session keys")),
            SessionKeyMethod::Common => {
                let response = answer.map(|answer| match answer {
                    ArpcSpec::Method1 { response_code } => Response::Code(*response_code),
                    ArpcSpec::Method2 { status_update, proprietary } => {
                        Response::Status(*status_update, proprietary.to_vec())
                    }
                });
                self.call(ctx, &VerifyCsk { mode, mk_ac, pan_psn, atc, data, arqc, response }).await?
            }
            SessionKeyMethod::Master | SessionKeyMethod::MChip => {
                let arc = match answer {
                    None => None,
                    Some(ArpcSpec::Method1 { response_code }) => Some(*response_code),
                    Some(ArpcSpec::Method2 { .. }) => {
                        return Err(HsmError::Unsupported("this answer with these session keys"));
                    }
                };
                let is_master = scheme.session == SessionKeyMethod::Master;
                let scheme = if is_master { StaticScheme::Vsdc } else { StaticScheme::MChip };
                let un = transaction.unpredictable;
                let command = VerifyStatic { mode, scheme, mk_ac, pan_psn, atc, un, data, arqc, arc };
                self.call(ctx, &command).await?.map(|arpc| arpc.map(|arpc| arpc.to_vec()))
            }
        };
        match reply {
            Ok(arpc) => Ok(ArqcOutcome { verdict: Verdict::Match, arpc: arpc.map(|bytes| Arpc::from_slice(&bytes)) }),
            Err(ErrorCode::VERIFICATION) => Ok(ArqcOutcome { verdict: Verdict::NoMatch, arpc: None }),
            Err(code) => Err(fault::fault(code, &held.name, &held.name)),
        }
    }
}
