//! The trait, on top of this room's synchronous operations. Nothing here waits, so no deadline is
//! ever missed. Whatever has a key or a PIN in clear for a moment is swept away behind itself.

use super::SoftwareHsm;
use super::attributes::Use;
use super::refuse;
use crate::hsm::BdKey;
use crate::hsm::BlockKek;
use crate::hsm::Capabilities;
use crate::hsm::Ctx;
use crate::hsm::CvKey;
use crate::hsm::Cvc3Key;
use crate::hsm::DataKey;
use crate::hsm::DataKeyPurpose;
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::GeneratedKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::HsmStatus;
use crate::hsm::ImkKey;
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
use crate::hsm::PinMethod;
use crate::hsm::PinOrigin;
use crate::hsm::PinReference;
use crate::hsm::PinSource;
use crate::hsm::PvKey;
use crate::hsm::ReferenceMethod;
use crate::hsm::ScriptKey;
use crate::hsm::Verdict;
use crate::hsm::WrappedKey;
use crate::hsm::calculator::CalcError;
use crate::hsm::calculator::decrypt_track;
use crate::hsm::calculator::equal;
use crate::hsm::calculator::mac_as;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::ArqcOutcome;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use crate::hsm::emv::EmvTransaction;
use crate::hsm::memory::swept;
use crate::hsm::memory::swept_shortly;
use crate::model::EncryptedPinBlock;
use crate::model::Ksn;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;

impl SoftwareHsm {
    /// The MAC as the scheme writes it, if the key may be used so.
    fn mac(&self, key: &MacKey, what: Use, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        let loaded = self.load_for(&key.0, what)?;
        if !loaded.attributes.makes(scheme.algorithm) {
            return Err(refuse(&key.0, KeyFault::Algorithm));
        }
        swept_shortly(|| mac_as(&loaded.cipher, scheme, data)).map_err(|error| match error {
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
        swept(|| self.translate(PinOrigin::Static(from), to, block, pan))
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
        let [index, pvv @ ..] = *index_and_pvv;
        swept(|| self.verify_pin(PinOrigin::Static(from), block, pan, PinMethod::Pvv { key: pvk, index, pvv }))
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
        Ok(swept(|| decrypt_track(des, packed, digits)))
    }

    async fn key_generate(
        &self,
        _ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        swept(|| self.generate(usage, algorithm, kek))
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
        swept(|| self.import((usage, algorithm), kek, wrapped, kcv))
    }

    async fn key_export(&self, _ctx: &Ctx, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        swept(|| self.export(key, kek))
    }

    async fn key_check_value(&self, _ctx: &Ctx, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        self.check_value(key, length)
    }

    async fn data_key_new(&self, _ctx: &Ctx, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        swept(|| self.new_data_key(purpose))
    }

    async fn data_key_open(
        &self,
        _ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        swept(|| self.open_data_key(purpose, block))
    }

    async fn random(&self, _ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        self.entropy.fill(out);
        Ok(())
    }

    async fn diagnostics(&self, _ctx: &Ctx) -> Result<HsmStatus, HsmError> {
        Ok(self.status())
    }

    async fn mac_generate_dukpt(
        &self,
        _ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        swept(|| self.mac_of_transaction(key, direction, scheme, data))
    }

    async fn mac_verify_dukpt(
        &self,
        _ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        (data, mac): (&[u8], &[u8]),
    ) -> Result<Verdict, HsmError> {
        let computed = swept(|| self.mac_of_transaction(key, direction, scheme, data))?;
        Ok(if equal(&computed, mac) { Verdict::Match } else { Verdict::NoMatch })
    }

    async fn track_decrypt_dukpt(
        &self,
        _ctx: &Ctx,
        key: DukptKey<'_>,
        start: &[u8],
        cipher: &[u8],
    ) -> Result<Option<Track2>, HsmError> {
        swept(|| self.track_of_transaction(key, start, cipher))
    }

    async fn packed_track_decrypt_dukpt(
        &self,
        _ctx: &Ctx,
        key: DukptKey<'_>,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        swept(|| self.packed_track_of_transaction(key, packed, digits))
    }

    async fn pin_translate_dukpt(
        &self,
        _ctx: &Ctx,
        (key, format): (DukptKey<'_>, PinFormat),
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        swept(|| self.translate(PinOrigin::Dukpt(key, format), to, block, pan))
    }

    async fn pin_verify(
        &self,
        _ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: PinMethod<'_>,
    ) -> Result<Verdict, PinError> {
        swept(|| self.verify_pin(from, block, pan, method))
    }

    async fn pin_reference(
        &self,
        _ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: ReferenceMethod<'_>,
    ) -> Result<PinReference, PinError> {
        swept(|| self.reference(from, block, pan, method))
    }

    async fn cvv_generate(
        &self,
        _ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        expiry: &[u8; 4],
        service_code: &[u8; 3],
    ) -> Result<[u8; 3], HsmError> {
        self.cvv((key, Use::MakeCvv), pan, expiry, service_code)
    }

    async fn cvv_verify(
        &self,
        _ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        printed: (&[u8; 4], &[u8; 3]),
        cvv: &[u8; 3],
    ) -> Result<Verdict, HsmError> {
        self.check_cvv(key, pan, printed, cvv)
    }

    async fn cvc3_verify(
        &self,
        _ctx: &Ctx,
        key: &Cvc3Key,
        card: &EmvCard,
        transaction: &EmvTransaction<'_>,
        cvc3: &[u8],
    ) -> Result<Verdict, HsmError> {
        swept(|| self.check_cvc3(key, card, transaction, cvc3))
    }

    async fn arqc_verify(
        &self,
        _ctx: &Ctx,
        key: &ImkKey,
        of: (&EmvScheme, &EmvCard),
        transaction: &EmvTransaction<'_>,
        arqc: &[u8; 8],
        answer: Option<&ArpcSpec>,
    ) -> Result<ArqcOutcome, HsmError> {
        swept(|| self.check_arqc(key, of, transaction, arqc, answer))
    }

    async fn script_mac(
        &self,
        _ctx: &Ctx,
        key: &ScriptKey,
        of: (&EmvScheme, &EmvCard),
        request: ([u8; 2], [u8; 8]),
        command: &[u8],
    ) -> Result<[u8; 8], HsmError> {
        swept(|| self.mac_of_script(key, of, request, command))
    }

    async fn key_import_block(
        &self,
        _ctx: &Ctx,
        expected: (KeyUsage, KeyAlgorithm),
        under: &BlockKek,
        block: &str,
        kcv: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        swept(|| self.import_block(expected, under, block, kcv))
    }

    async fn key_export_block(&self, _ctx: &Ctx, key: &KeyRef, under: &BlockKek) -> Result<String, HsmError> {
        swept(|| self.export_block(key, under))
    }

    async fn dukpt_initial_key(
        &self,
        _ctx: &Ctx,
        base: &BdKey,
        ksn: &Ksn,
        kek: &Kek,
    ) -> Result<(WrappedKey, Kcv), HsmError> {
        swept(|| self.initial_key(base, ksn, kek))
    }
}
