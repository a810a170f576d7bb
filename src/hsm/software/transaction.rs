//! Keys of one transaction (DUKPT): derived, used and wiped within a call.

use super::SoftwareHsm;
use super::attributes::Use;
use super::refuse;
use crate::hsm::BdKey;
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::Mac;
use crate::hsm::WrappedKey;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::decrypt_track;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::dukpt::Purpose;
use crate::hsm::calculator::mac_as;
use crate::model::Ksn;
use crate::model::MacScheme;
use crate::model::Track2;
use zeroize::Zeroizing;

/// The longest enciphered track: a track 2 with its sentinels, filled up to whole blocks, and some.
const LONGEST_TRACK: usize = 64;

/// What a fault of a derivation is to a caller.
fn fault(base: &BdKey, error: CalcError) -> HsmError {
    match error {
        CalcError::Ksn => refuse(&base.0, KeyFault::Ksn),
        CalcError::KeyLength | CalcError::KeyAlgorithm => refuse(&base.0, KeyFault::Algorithm),
        CalcError::DataLength | CalcError::ResultLength | CalcError::Digits => HsmError::Input("length"),
    }
}

/// Whether a base key of this algorithm has serial numbers of this kind.
fn fits(algorithm: KeyAlgorithm, ksn: &Ksn) -> bool {
    (algorithm == KeyAlgorithm::Tdes2) == (ksn.as_bytes().len() == 10)
}

impl SoftwareHsm {
    /// The working key of a transaction for one purpose.
    pub(super) fn transaction_key(&self, key: DukptKey<'_>, purpose: Purpose) -> Result<CipherKey, HsmError> {
        let base = self.load_for(&key.base.0, Use::DeriveDevice)?;
        if !fits(base.attributes.algorithm, key.ksn) {
            return Err(refuse(&key.base.0, KeyFault::Ksn));
        }
        dukpt::working_key(&base.clear, key.ksn, purpose).map_err(|error| fault(key.base, error))
    }

    /// See [`Hsm::mac_generate_dukpt`](crate::hsm::Hsm::mac_generate_dukpt).
    pub(super) fn mac_of_transaction(
        &self,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        let working = self.transaction_key(key, Purpose::Mac(direction))?;
        mac_as(&working, scheme, data).map_err(|error| fault(key.base, error))
    }

    /// See [`Hsm::track_decrypt_dukpt`](crate::hsm::Hsm::track_decrypt_dukpt).
    pub(super) fn track_of_transaction(
        &self,
        key: DukptKey<'_>,
        start: &[u8],
        cipher: &[u8],
    ) -> Result<Option<Track2>, HsmError> {
        let working = self.transaction_key(key, Purpose::Data(Direction::Request))?;
        if cipher.len() > LONGEST_TRACK {
            return Err(HsmError::Input("length"));
        }
        let mut clear = Zeroizing::new(cipher.to_vec());
        working.decrypt_cbc(start, &mut clear).map_err(|error| fault(key.base, error))?;
        let end = clear.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let text = clear.get(..end).unwrap_or_default();
        let text = text.strip_prefix(b";").unwrap_or(text);
        Ok(Track2::parse(text.strip_suffix(b"?").unwrap_or(text)))
    }

    /// See [`Hsm::packed_track_decrypt_dukpt`](crate::hsm::Hsm::packed_track_decrypt_dukpt).
    pub(super) fn packed_track_of_transaction(
        &self,
        key: DukptKey<'_>,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        let working = self.transaction_key(key, Purpose::Data(Direction::Request))?;
        let des = working.des().map_err(|error| fault(key.base, error))?;
        Ok(decrypt_track(des, packed, digits))
    }

    /// See [`Hsm::dukpt_initial_key`](crate::hsm::Hsm::dukpt_initial_key).
    pub(super) fn initial_key(&self, base: &BdKey, ksn: &Ksn, kek: &Kek) -> Result<(WrappedKey, Kcv), HsmError> {
        let loaded = self.load_for(&base.0, Use::DeriveDevice)?;
        let algorithm = loaded.attributes.algorithm;
        if !fits(algorithm, ksn) {
            return Err(refuse(&base.0, KeyFault::Ksn));
        }
        let initial = dukpt::initial_key(&loaded.clear, ksn).map_err(|error| fault(base, error))?;
        self.handed_out(kek, algorithm, &initial)
    }
}
