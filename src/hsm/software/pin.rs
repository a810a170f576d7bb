//! PIN operations. The clear PIN lives for one call; every fault of a block's content is one code.

use super::SoftwareHsm;
use super::attributes::Use;
use super::refuse;
use crate::hsm::HsmError;
use crate::hsm::IbmRule;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::OffsetKey;
use crate::hsm::PinError;
use crate::hsm::PinMethod;
use crate::hsm::PinOrigin;
use crate::hsm::PinReference;
use crate::hsm::PinSource;
use crate::hsm::PvKey;
use crate::hsm::ReferenceMethod;
use crate::hsm::Verdict;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::Fill;
use crate::hsm::calculator::decipher;
use crate::hsm::calculator::decode;
use crate::hsm::calculator::dukpt::Purpose;
use crate::hsm::calculator::encipher;
use crate::hsm::calculator::encode;
use crate::hsm::calculator::equal;
use crate::hsm::calculator::ibm::Offset;
use crate::hsm::calculator::ibm::ValidationData;
use crate::hsm::calculator::ibm::pin_offset;
use crate::hsm::calculator::pvv;
use crate::model::EncryptedPinBlock;
use crate::model::Pan;
use crate::model::PinFormat;

/// A key of the wrong family is the key's fault; anything else is the block's.
fn of_key(key: &KeyRef, error: CalcError) -> PinError {
    match error {
        CalcError::KeyAlgorithm | CalcError::KeyLength => refuse(key, KeyFault::Algorithm).into(),
        CalcError::DataLength | CalcError::ResultLength | CalcError::Digits | CalcError::Ksn => PinError::Block,
    }
}

/// Whether a PVV key index is one: ASCII 0 to 6.
fn is_index(index: u8) -> bool {
    (b'0'..=b'6').contains(&index)
}

impl SoftwareHsm {
    /// Deciphers and decodes.
    fn take_pin(&self, from: PinOrigin<'_>, block: &EncryptedPinBlock, pan: &Pan) -> Result<ClearPin, PinError> {
        let format = from.format();
        if format == PinFormat::Iso2 {
            return Err(HsmError::Policy("PIN block format 2 stays inside chip cards").into());
        }
        let clear = match from {
            PinOrigin::Static(source) => {
                let key = self.load_for(&source.key.0, Use::DecryptPin)?;
                decipher(&key.cipher, format, block, pan).map_err(|error| of_key(&source.key.0, error))?
            }
            PinOrigin::Dukpt(key, _) => {
                let working = self.transaction_key(key, Purpose::Pin)?;
                decipher(&working, format, block, pan).map_err(|error| of_key(&key.base.0, error))?
            }
        };
        decode(format, &clear, pan).map_err(|_| PinError::Block)
    }

    /// See [`Hsm::pin_translate`](crate::hsm::Hsm::pin_translate).
    pub(super) fn translate(
        &self,
        from: PinOrigin<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.policy.check(from.format(), to.format, false)?;
        let out = self.load_for(&to.key.0, Use::EncryptPin)?;
        let pin = self.take_pin(from, block, pan)?;
        let fill = Fill::draw(to.format, &*self.entropy).map_err(|_| HsmError::Backend("entropy".into()))?;
        let clear = encode(to.format, &pin, pan, &fill).map_err(|_| HsmError::Input("PIN block fill"))?;
        encipher(&out.cipher, to.format, &clear, pan).map_err(|error| of_key(&to.key.0, error))
    }

    /// The PVV of the PIN in a block.
    fn pvv_of(
        &self,
        (key, what): (&PvKey, Use),
        index: u8,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<[u8; 4], PinError> {
        if !is_index(index) {
            return Err(HsmError::Input("PVV key index").into());
        }
        let loaded = self.load_for(&key.0, what)?;
        let des = loaded.cipher.des().map_err(|error| of_key(&key.0, error))?;
        let pin = self.take_pin(from, block, pan)?;
        pvv(des, index - b'0', &pin, pan).map_err(|_| HsmError::Input("PAN too short for a PVV").into())
    }

    /// The IBM offset of the PIN in a block: of its last `check` digits. `None` if the PIN has fewer.
    fn offset_of(
        &self,
        (key, what): (&OffsetKey, Use),
        (rule, check): (IbmRule, usize),
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<Option<Offset>, PinError> {
        if !(4..=12).contains(&check) {
            return Err(HsmError::Input("PIN check length").into());
        }
        let data = ValidationData::of_pan(pan, rule.start, rule.length, rule.pad)
            .map_err(|_| HsmError::Input("validation data"))?;
        let loaded = self.load_for(&key.0, what)?;
        let des = loaded.cipher.des().map_err(|error| of_key(&key.0, error))?;
        let pin = self.take_pin(from, block, pan)?;
        if check > pin.length() {
            return Ok(None);
        }
        let offset = pin_offset(des, &self.decimalization, &data, &pin, check);
        offset.map(Some).map_err(|error| of_key(&key.0, error))
    }

    /// See [`Hsm::pin_verify`](crate::hsm::Hsm::pin_verify).
    pub(super) fn verify_pin(
        &self,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: PinMethod<'_>,
    ) -> Result<Verdict, PinError> {
        let same = match method {
            PinMethod::Pvv { key, index, pvv } => {
                if !pvv.iter().all(u8::is_ascii_digit) {
                    return Err(HsmError::Input("PVV").into());
                }
                equal(&self.pvv_of((key, Use::CheckPvv), index, from, block, pan)?, &pvv)
            }
            PinMethod::Ibm { key, rule, offset } => {
                if !offset.iter().all(u8::is_ascii_digit) {
                    return Err(HsmError::Input("PIN offset").into());
                }
                let computed = self.offset_of((key, Use::CheckOffset), (rule, offset.len()), from, block, pan)?;
                computed.is_some_and(|computed| equal(&computed, offset))
            }
        };
        Ok(if same { Verdict::Match } else { Verdict::NoMatch })
    }

    /// See [`Hsm::pin_reference`](crate::hsm::Hsm::pin_reference).
    pub(super) fn reference(
        &self,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: ReferenceMethod<'_>,
    ) -> Result<PinReference, PinError> {
        match method {
            ReferenceMethod::Pvv { key, index } => {
                self.pvv_of((key, Use::MakePvv), index, from, block, pan).map(PinReference::Pvv)
            }
            ReferenceMethod::Ibm { key, rule, check } => {
                let offset = self.offset_of((key, Use::MakeOffset), (rule, check), from, block, pan)?;
                // A PIN too short to be checked is no PIN for this issuer: told as any other fault.
                offset.map(PinReference::Offset).ok_or(PinError::Block)
            }
        }
    }
}
