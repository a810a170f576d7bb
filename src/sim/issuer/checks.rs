//! What an issuer has against a card or a PIN, and what it says to a chip.

use super::bank::Bank;
use super::bank::HSM_WITHIN;
use super::reading;
use super::reading::Card;
use super::reading::Proof;
use crate::hsm::CvKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::IbmRule;
use crate::hsm::ImkKey;
use crate::hsm::OffsetKey;
use crate::hsm::PinError;
use crate::hsm::PinKey;
use crate::hsm::PinMethod;
use crate::hsm::PinOrigin;
use crate::hsm::PinSource;
use crate::hsm::PvKey;
use crate::hsm::Verdict;
use crate::hsm::calculator::ibm::Offset;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::ArqcOutcome;
use crate::hsm::emv::Cvn;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvTransaction;
use crate::iso8583::Message;
use crate::iso8583::Role;
use crate::model::EncryptedPinBlock;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Timestamp;
use crate::sim::chip;

/// The keys by which an issuer checks cards and PINs. What it has no key for it does not check; but a card whose PIN
/// is on file as an offset needs the key of offsets.
#[derive(Clone)]
pub struct CheckKeys {
    /// Verifies PINs by PVV (PVK).
    pub pvv: PvKey,
    /// Verifies PINs by IBM 3624 offset.
    pub offset: Option<OffsetKey>,
    /// Verifies what proves that a stripe or a chip was read (CVK).
    pub cvv: Option<CvKey>,
    /// Verifies and answers cryptograms of chips (IMK-AC).
    pub chip: Option<ImkKey>,
}

/// What an issuer keeps of a PIN. Has no `Debug`.
#[derive(Clone)]
pub enum PinOnFile {
    /// Index of the key, ASCII 0 to 6, and PVV.
    Pvv(u8, [u8; 4]),
    /// IBM 3624 offset: as many ASCII digits as the PIN has.
    Offset(Offset),
}

/// What the issuer keeps of a card besides its account.
pub(super) struct Holder {
    pub(super) expiry: [u8; 4],
    pub(super) sequence: u8,
    pub(super) chip: Option<Cvn>,
    pub(super) pin: PinOnFile,
}

/// The PIN follows from the eleven digits before the check digit, filled up with F.
pub(super) fn ibm_rule(pan: &Pan) -> IbmRule {
    IbmRule { start: pan.clear().len().saturating_sub(12), length: 11, pad: 0x0F }
}

impl<H: Hsm> Bank<H> {
    /// What the issuer has against card or PIN. The card comes first: whoever copied one learns nothing of its PIN.
    pub(super) async fn refusal(&self, message: &Message, card: &Card, now: Timestamp) -> Option<ResponseCode> {
        let Some(holder) = self.holders.get(&card.pan) else { return Some(ResponseCode::CardInvalid) };
        let today = now.digits(self.setup.offset_minutes);
        let expired = today.get(..4).is_some_and(|month| holder.expiry.as_slice() < month);
        if expired || card.expiry.is_some_and(|expiry| expiry.digits() != holder.expiry) {
            return Some(ResponseCode::CardExpired);
        }
        match self.check_value(message, &card.pan).await {
            Ok(Verdict::Match) => {}
            Ok(Verdict::NoMatch) => return Some(ResponseCode::FraudSuspected),
            Err(_) => return Some(ResponseCode::SystemFailure),
        }
        match self.check_chip(message, &card.pan, None).await {
            Ok(outcome) if outcome.verdict == Verdict::Match => {}
            Ok(_) => return Some(ResponseCode::NotAuthenticated),
            Err(_) => return Some(ResponseCode::SystemFailure),
        }
        self.check_pin(message, &card.pan, holder).await
    }

    /// CVV or iCVV, by what was read. A match if there is no track or no key.
    async fn check_value(&self, message: &Message, pan: &Pan) -> Result<Verdict, HsmError> {
        let Some(key) = &self.setup.keys.cvv else { return Ok(Verdict::Match) };
        match reading::proof(message) {
            Proof::None => Ok(Verdict::Match),
            Proof::Unreadable => Ok(Verdict::NoMatch),
            Proof::Value { expiry, service_code, value } => {
                self.hsm.cvv_verify(&HSM_WITHIN, key, pan, (&expiry, &service_code), &value).await
            }
        }
    }

    /// The chip's cryptogram, answered if an answer is asked for. A match without one if there is no cryptogram, no
    /// key, or the card's version is not known.
    async fn check_chip(
        &self,
        message: &Message,
        pan: &Pan,
        answer: Option<&ArpcSpec>,
    ) -> Result<ArqcOutcome, HsmError> {
        let unchecked = |verdict| Ok(ArqcOutcome { verdict, arpc: None });
        let Some((key, holder)) = self.setup.keys.chip.as_ref().zip(self.holders.get(pan)) else {
            return unchecked(Verdict::Match);
        };
        let Some(version) = holder.chip else { return unchecked(Verdict::Match) };
        let asks = message.role(Role::Icc).filter(|icc| reading::has_cryptogram(icc));
        let Some(icc) = asks else { return unchecked(Verdict::Match) };
        let Some(said) = reading::said_by_chip(&icc, version) else { return unchecked(Verdict::NoMatch) };
        let sequence = reading::card_sequence(message).unwrap_or(holder.sequence);
        let (scheme, card) = (version.scheme(), EmvCard { pan: *pan, sequence });
        let transaction = EmvTransaction { atc: said.counter, unpredictable: said.unpredictable, data: &said.covered };
        self.hsm.arqc_verify(&HSM_WITHIN, key, (&scheme, &card), &transaction, &said.cryptogram, answer).await
    }

    /// The PIN, if one came.
    async fn check_pin(&self, message: &Message, pan: &Pan, holder: &Holder) -> Option<ResponseCode> {
        let block = message.role(Role::PinBlock)?;
        let Some(block) = EncryptedPinBlock::new(&block) else { return Some(ResponseCode::PinFormat) };
        let keys = &self.setup.keys;
        let (zone, format) = (self.zone.lock().pins(), self.setup.profile.pin_format);
        let method = match (&holder.pin, &keys.offset) {
            (PinOnFile::Pvv(index, pvv), _) => PinMethod::Pvv { key: &keys.pvv, index: *index, pvv: *pvv },
            (PinOnFile::Offset(offset), Some(key)) => PinMethod::Ibm { key, rule: ibm_rule(pan), offset },
            (PinOnFile::Offset(_), None) => return Some(ResponseCode::SystemFailure),
        };
        // Which of the zone's keys it is under, nobody says.
        for key in zone.into_iter().map(PinKey) {
            let from = PinOrigin::Static(PinSource { key: &key, format });
            match self.hsm.pin_verify(&HSM_WITHIN, from, &block, pan, method).await {
                Ok(Verdict::Match) => return None,
                Ok(Verdict::NoMatch) => return Some(ResponseCode::PinWrong),
                Err(PinError::Block) => {}
                Err(PinError::Hsm(_)) => break,
            }
        }
        Some(ResponseCode::PinFormat)
    }

    /// DE 55 of an answer: what proves to the chip that its issuer answers, and how. `None` if no chip asked, or one
    /// that is not the issuer's.
    pub(super) async fn to_chip(&self, message: &Message, pan: &Pan, code: ResponseCode) -> Option<Vec<u8>> {
        let spec = chip::answer(self.holders.get(pan)?.chip?, code.is_approval());
        let arpc = self.check_chip(message, pan, Some(&spec)).await.ok()?.arpc?;
        Some(chip::authentication_data(&arpc, &spec))
    }
}
