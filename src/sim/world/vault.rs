//! The HSM of a world: the software one behind whatever can go wrong on the way to it. It is a box of its
//! own: it stays as it is when the station goes down.

use super::coverage::Sometimes;
use super::nature::Nature;
use super::weather::Weather;
use crate::hsm::Capabilities;
use crate::hsm::Ctx;
use crate::hsm::DataKey;
use crate::hsm::DataKeyPurpose;
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::GeneratedKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
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
use crate::hsm::software::SoftwareHsm;
use crate::model::EncryptedPinBlock;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use std::sync::Arc;
use std::time::Duration;

/// The station's HSM, which may be down, slow, or give garbled MACs.
pub struct Vault {
    inner: SoftwareHsm,
    nature: Arc<Nature>,
    weather: Arc<Weather>,
}

impl Vault {
    pub(super) fn new(inner: SoftwareHsm, nature: Arc<Nature>, weather: Arc<Weather>) -> Self {
        Self { inner, nature, weather }
    }

    /// What a call meets on its way.
    async fn reach(&self, ctx: &Ctx) -> Result<(), HsmError> {
        if self.weather.hsm_is_down() {
            self.nature.sometimes(Sometimes::HsmDown);
            return Err(HsmError::Unavailable);
        }
        let slow = self.weather.faults().hsm_slow_ms;
        let takes = self.nature.draw(|chance| Duration::from_millis(chance.below(slow + 1)));
        if !takes.is_zero() {
            self.nature.after(takes.min(ctx.within)).await;
        }
        if takes > ctx.within {
            self.nature.sometimes(Sometimes::HsmSlow);
            return Err(HsmError::Timeout);
        }
        Ok(())
    }

    /// A MAC, garbled now and then.
    fn garbled(&self, mut mac: Mac) -> Mac {
        let garbled = self.weather.faults().garbled_mac;
        if self.nature.draw(|chance| chance.per_mille(garbled))
            && let Some(last) = mac.last_mut()
        {
            *last = if *last == b'0' { b'1' } else { b'0' };
            self.nature.sometimes(Sometimes::GarbledMac);
        }
        mac
    }
}

impl Hsm for Vault {
    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    async fn mac_generate(&self, ctx: &Ctx, key: &MacKey, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        self.reach(ctx).await?;
        let mac = self.inner.mac_generate(ctx, key, scheme, data).await?;
        Ok(self.garbled(mac))
    }

    async fn mac_verify(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> Result<Verdict, HsmError> {
        self.reach(ctx).await?;
        self.inner.mac_verify(ctx, key, scheme, data, mac).await
    }

    async fn pin_translate(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.reach(ctx).await?;
        self.inner.pin_translate(ctx, from, to, block, pan).await
    }

    async fn pin_verify_pvv(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        pvk: &PvKey,
        index_and_pvv: &[u8; 5],
    ) -> Result<Verdict, PinError> {
        self.reach(ctx).await?;
        self.inner.pin_verify_pvv(ctx, from, block, pan, pvk, index_and_pvv).await
    }

    async fn track_decrypt(
        &self,
        ctx: &Ctx,
        key: &DataKey,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        self.reach(ctx).await?;
        self.inner.track_decrypt(ctx, key, packed, digits).await
    }

    async fn mac_generate_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        self.reach(ctx).await?;
        let mac = self.inner.mac_generate_dukpt(ctx, key, direction, scheme, data).await?;
        Ok(self.garbled(mac))
    }

    async fn mac_verify_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        said: (&[u8], &[u8]),
    ) -> Result<Verdict, HsmError> {
        self.reach(ctx).await?;
        self.inner.mac_verify_dukpt(ctx, key, direction, scheme, said).await
    }

    async fn pin_translate_dukpt(
        &self,
        ctx: &Ctx,
        from: (DukptKey<'_>, PinFormat),
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.reach(ctx).await?;
        self.inner.pin_translate_dukpt(ctx, from, to, block, pan).await
    }

    async fn key_generate(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        self.reach(ctx).await?;
        self.inner.key_generate(ctx, usage, algorithm, kek).await
    }

    async fn key_import(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: &Kek,
        wrapped: &WrappedKey,
        kcv: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        self.reach(ctx).await?;
        self.inner.key_import(ctx, usage, algorithm, kek, wrapped, kcv).await
    }

    async fn key_export(&self, ctx: &Ctx, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        self.reach(ctx).await?;
        self.inner.key_export(ctx, key, kek).await
    }

    async fn key_check_value(&self, ctx: &Ctx, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        self.reach(ctx).await?;
        self.inner.key_check_value(ctx, key, length).await
    }

    async fn data_key_new(&self, ctx: &Ctx, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        self.reach(ctx).await?;
        self.inner.data_key_new(ctx, purpose).await
    }

    async fn data_key_open(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        self.reach(ctx).await?;
        self.inner.data_key_open(ctx, purpose, block).await
    }

    async fn random(&self, ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        self.reach(ctx).await?;
        self.inner.random(ctx, out).await
    }
}
