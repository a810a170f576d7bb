//! PIN operations. The clear PIN lives for one call; every fault of a block's content is one code.

use super::SoftwareHsm;
use super::attributes::Use;
use super::refuse;
use crate::hsm::HsmError;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::PinError;
use crate::hsm::PinSource;
use crate::hsm::PvKey;
use crate::hsm::Verdict;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::Fill;
use crate::hsm::calculator::decipher;
use crate::hsm::calculator::decode;
use crate::hsm::calculator::encipher;
use crate::hsm::calculator::encode;
use crate::hsm::calculator::equal;
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

impl SoftwareHsm {
    /// Deciphers and decodes.
    fn take_pin(&self, from: PinSource<'_>, block: &EncryptedPinBlock, pan: &Pan) -> Result<ClearPin, PinError> {
        let key = self.load_for(&from.key.0, Use::DecryptPin)?;
        let clear = decipher(&key.cipher, from.format, block, pan).map_err(|error| of_key(&from.key.0, error))?;
        decode(from.format, &clear, pan).map_err(|_| PinError::Block)
    }

    /// See [`Hsm::pin_translate`](crate::hsm::Hsm::pin_translate).
    pub(super) fn translate(
        &self,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.policy.check(from.format, to.format, false)?;
        let out = self.load_for(&to.key.0, Use::EncryptPin)?;
        let pin = self.take_pin(from, block, pan)?;
        let fill = Fill::draw(to.format, &*self.entropy).map_err(|_| HsmError::Backend("entropy".into()))?;
        let clear = encode(to.format, &pin, pan, &fill).map_err(|_| HsmError::Input("PIN block fill"))?;
        encipher(&out.cipher, to.format, &clear, pan).map_err(|error| of_key(&to.key.0, error))
    }

    /// See [`Hsm::pin_verify_pvv`](crate::hsm::Hsm::pin_verify_pvv).
    pub(super) fn verify_pvv(
        &self,
        from: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        pvk: &PvKey,
        index_and_pvv: &[u8; 5],
    ) -> Result<Verdict, PinError> {
        let [index, expected @ ..] = index_and_pvv;
        if !(b'0'..=b'6').contains(index) || !expected.iter().all(u8::is_ascii_digit) {
            return Err(HsmError::Input("PVV").into());
        }
        if from.format == PinFormat::Iso2 {
            return Err(HsmError::Policy("PIN block format 2 stays inside chip cards").into());
        }
        let key = self.load_for(&pvk.0, Use::CheckPvv)?;
        let des = key.cipher.des().map_err(|error| of_key(&pvk.0, error))?;
        let pin = self.take_pin(from, block, pan)?;
        let value = pvv(des, index - b'0', &pin, pan).map_err(|_| HsmError::Input("PAN too short for a PVV"))?;
        Ok(if equal(&value, expected) { Verdict::Match } else { Verdict::NoMatch })
    }
}
