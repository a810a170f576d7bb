//! The trait, on top of this room's synchronous operations. Nothing here waits, so no deadline is
//! ever missed.

use super::SoftwareHsm;
use super::attributes::Use;
use super::refuse;
use crate::hsm::Capabilities;
use crate::hsm::Ctx;
use crate::hsm::DataKey;
use crate::hsm::DataKeyPurpose;
use crate::hsm::GeneratedKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::Mac;
use crate::hsm::MacKey;
use crate::hsm::OpenedDataKey;
use crate::hsm::PinError;
use crate::hsm::PinSource;
use crate::hsm::PvKey;
use crate::hsm::Verdict;
use crate::hsm::WrappedKey;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::decrypt_track;
use crate::hsm::calculator::equal;
use crate::hsm::calculator::mac_as;
use crate::model::EncryptedPinBlock;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::Track2;

impl SoftwareHsm {
    /// The MAC as the scheme writes it, if the key may be used so.
    fn mac(&self, key: &MacKey, what: Use, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        let loaded = self.load_for(&key.0, what)?;
        mac_as(&loaded.cipher, scheme, data).map_err(|error| match error {
            CalcError::KeyAlgorithm | CalcError::KeyLength => refuse(&key.0, KeyFault::Algorithm),
            CalcError::DataLength | CalcError::ResultLength | CalcError::Digits | CalcError::Ksn => {
                HsmError::Input("MAC length")
            }
        })
    }
}

impl Hsm for SoftwareHsm {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn mac_generate(&self, _ctx: &Ctx, key: &MacKey, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        self.mac(key, Use::MakeMac, scheme, data)
    }

    async fn mac_verify(
        &self,
        _ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> Result<Verdict, HsmError> {
        let computed = self.mac(key, Use::CheckMac, scheme, data)?;
        Ok(if equal(&computed, mac) { Verdict::Match } else { Verdict::NoMatch })
    }

    async fn pin_translate(
        &self,
        _ctx: &Ctx,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.translate(from, to, block, pan)
    }

    async fn pin_verify_pvv(
        &self,
        _ctx: &Ctx,
        from: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        pvk: &PvKey,
        index_and_pvv: &[u8; 5],
    ) -> Result<Verdict, PinError> {
        self.verify_pvv(from, block, pan, pvk, index_and_pvv)
    }

    async fn track_decrypt(
        &self,
        _ctx: &Ctx,
        key: &DataKey,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        let loaded = self.load_for(&key.0, Use::DecryptTrack)?;
        let des = loaded.cipher.des().map_err(|_| refuse(&key.0, KeyFault::Algorithm))?;
        Ok(decrypt_track(des, packed, digits))
    }

    async fn key_generate(
        &self,
        _ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        self.generate(usage, algorithm, kek)
    }

    async fn key_import(
        &self,
        _ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: &Kek,
        wrapped: &WrappedKey,
        kcv: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        self.import((usage, algorithm), kek, wrapped, kcv)
    }

    async fn key_export(&self, _ctx: &Ctx, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        self.export(key, kek)
    }

    async fn key_check_value(&self, _ctx: &Ctx, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        self.check_value(key, length)
    }

    async fn data_key_new(&self, _ctx: &Ctx, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        self.new_data_key(purpose)
    }

    async fn data_key_open(
        &self,
        _ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        self.open_data_key(purpose, block)
    }

    async fn random(&self, _ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        self.entropy.fill(out);
        Ok(())
    }
}
