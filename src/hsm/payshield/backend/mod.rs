//! The trait over host commands.

mod card;
mod fault;
mod held;
mod lifecycle;
mod mac;
mod pin;
mod reference;
mod sealing;

use super::command;
use super::command::Command;
use super::command::Reply;
use super::command::Tail;
use super::command::diagnostics::Diagnostics;
use super::fields::unpack_hex;
use super::pool::Answered;
use super::pool::Ended;
use super::pool::Place;
use super::pool::Pool;
use super::pool::PoolStats;
use super::pool::SlotView;
use super::setup::NamedHostKey;
use super::setup::PayshieldSetup;
use super::setup::SetupFault;
use crate::hsm::Capabilities;
use crate::hsm::Ctx;
use crate::hsm::CvKey;
use crate::hsm::DataKey;
use crate::hsm::DataKeyPurpose;
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::GeneratedKey;
use crate::hsm::Hsm;
use crate::hsm::HsmError;
use crate::hsm::HsmProfile;
use crate::hsm::HsmStatus;
use crate::hsm::ImkKey;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyName;
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
use crate::hsm::Verdict;
use crate::hsm::WrappedKey;
use crate::hsm::emv::ArpcSpec;
use crate::hsm::emv::ArqcOutcome;
use crate::hsm::emv::EmvCard;
use crate::hsm::emv::EmvScheme;
use crate::hsm::emv::EmvTransaction;
use crate::hsm::payshield::KeyTypes;
use crate::model::EncryptedPinBlock;
use crate::model::MacScheme;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use held::Held;
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::Instant;
use tokio::time::timeout;

/// An [`Hsm`] on the network. Share it behind an `Arc`; dropping it closes its connections.
///
/// Calls wait on the caller's tokio runtime, connections live on a thread of their own.
pub struct PayshieldHsm {
    capabilities: Capabilities,
    named: HashMap<KeyName, NamedHostKey>,
    pool: Pool,
}

impl PayshieldHsm {
    /// Starts connecting. Does not wait: [`PayshieldHsm::ready`] does.
    ///
    /// # Errors
    /// A number out of its range, or no thread to be had.
    pub fn start(mut setup: PayshieldSetup) -> Result<Self, SetupFault> {
        setup.check()?;
        let named = std::mem::take(&mut setup.keys).into_iter().map(|key| (key.name.clone(), key)).collect();
        let capabilities = Capabilities {
            profile: HsmProfile::PinCertified,
            pin_formats: vec![PinFormat::Iso0, PinFormat::Iso1, PinFormat::Iso3, PinFormat::Iso4],
            single_des: setup.legacy_single_des,
            product: "payshield".into(),
        };
        let pool = Pool::start(setup).map_err(|_| SetupFault("no thread for its connections"))?;
        Ok(Self { capabilities, named, pool })
    }

    /// Waits until a connection can be used, at most `within`. False: none could.
    pub async fn ready(&self, within: Duration) -> bool {
        timeout(within, self.pool.usable()).await.is_ok()
    }

    /// What happened so far.
    #[must_use]
    pub fn stats(&self) -> PoolStats {
        self.pool.stats()
    }

    /// Its connections, one by one.
    #[must_use]
    pub fn connections(&self) -> Vec<SlotView> {
        self.pool.views()
    }

    /// The key behind a reference.
    fn held(&self, key: &KeyRef) -> Result<Held, HsmError> {
        match key {
            KeyRef::Block(block) => Held::open(block, self.types()),
            KeyRef::Named(name) => {
                let fault = |fault| HsmError::Key { name: name.as_str().to_owned(), fault };
                let named = self.named.get(name).ok_or_else(|| fault(KeyFault::Missing))?;
                let key_type = self.types().known(named.usage, named.key_type);
                Ok(Held {
                    name: name.as_str().to_owned(),
                    usage: named.usage,
                    algorithm: named.algorithm,
                    key_type: key_type.ok_or_else(|| fault(KeyFault::Usage))?,
                    told: named.key_type,
                    key: named.key.clone(),
                })
            }
        }
    }

    fn types(&self) -> &KeyTypes {
        &self.pool.setup().key_types
    }

    /// One command. If its connection or its HSM fails under it, and asking twice does no harm, it is asked once
    /// more on another, of another HSM if there is one.
    async fn call<C: Command>(&self, ctx: &Ctx, command: &C) -> Result<Reply<C::Answer>, HsmError> {
        let deadline = Instant::now() + ctx.within;
        let tail = Tail { lmk: self.pool.setup().lmk, trailer: self.pool.trailer() };
        let (first, place) = match self.attempt((command, &tail), deadline, None).await {
            Attempt::Done(done) => return done,
            Attempt::Failed(failed, place) => (failed, place),
        };
        if !C::REPEATABLE {
            return first;
        }
        self.pool.repeated();
        match self.attempt((command, &tail), deadline, Some(place)).await {
            // Nobody else was there to ask: what the first one said tells more.
            Attempt::Done(Err(HsmError::Unavailable | HsmError::Busy)) | Attempt::Failed(..) => first,
            Attempt::Done(done) => done,
        }
    }

    /// A command is sent once.
    async fn attempt<C: Command>(
        &self,
        (command, tail): (&C, &Tail),
        deadline: Instant,
        not: Option<Place>,
    ) -> Attempt<C::Answer> {
        let body = command::write(command, tail);
        let answered = match self.pool.ask(&body, deadline, not).await {
            Ok(answered) => answered,
            Err(failed) => {
                let fault = Err(failed.ended.into());
                return match (failed.ended, failed.place) {
                    (Ended::Lost, Some(place)) => Attempt::Failed(fault, place),
                    _ => Attempt::Done(fault),
                };
            }
        };
        self.read((command, tail), &answered)
    }

    /// What an answer is, for the caller and for the connection it came over.
    fn read<C: Command>(&self, (command, tail): (&C, &Tail), answered: &Answered) -> Attempt<C::Answer> {
        let own = command::without_trailer(&answered.body, &tail.trailer);
        match own.and_then(|body| command::read_answer(command, body)) {
            Ok(Err(code)) if fault::is_hardware(code) => {
                self.pool.hardware(answered);
                Attempt::Failed(Ok(Err(code)), answered.place)
            }
            Ok(Err(code)) if fault::is_settings(code) && self.pool.setup().addresses.len() > 1 => {
                self.pool.good(answered);
                Attempt::Failed(Ok(Err(code)), answered.place)
            }
            Ok(reply) => {
                self.pool.good(answered);
                Attempt::Done(Ok(reply))
            }
            Err(fault) => {
                tracing::error!(event = "hsm-garbage", command = ?C::CODE.map(char::from), fault = %fault);
                self.pool.garbage(answered);
                Attempt::Failed(Err(HsmError::Backend("unreadable answer".into())), answered.place)
            }
        }
    }
}

/// What sending a command once came to.
enum Attempt<A> {
    /// That is it.
    Done(Result<Reply<A>, HsmError>),
    /// Another HSM may do better than the one at this place.
    Failed(Result<Reply<A>, HsmError>, Place),
}

impl Hsm for PayshieldHsm {
    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    async fn mac_generate(&self, ctx: &Ctx, key: &MacKey, scheme: &MacScheme, data: &[u8]) -> Result<Mac, HsmError> {
        self.generate_mac(ctx, key, scheme, data).await
    }

    async fn mac_verify(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        mac: &[u8],
    ) -> Result<Verdict, HsmError> {
        self.verify_mac(ctx, key, scheme, data, mac).await
    }

    async fn pin_translate(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.translate(ctx, from, to, block, pan).await
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
        self.verify_pvv(ctx, from, block, pan, (pvk, index_and_pvv)).await
    }

    async fn track_decrypt(
        &self,
        ctx: &Ctx,
        key: &DataKey,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        self.decrypt_track(ctx, key, packed, digits).await
    }

    async fn key_generate(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        self.generate_key(ctx, usage, algorithm, kek).await
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
        self.import_key(ctx, (usage, algorithm), kek, wrapped, kcv).await
    }

    async fn key_export(&self, ctx: &Ctx, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        self.export_key(ctx, key, kek).await
    }

    async fn key_check_value(&self, ctx: &Ctx, key: &KeyRef, length: usize) -> Result<Kcv, HsmError> {
        self.check(ctx, &self.held(key)?, length).await
    }

    async fn data_key_new(&self, ctx: &Ctx, purpose: DataKeyPurpose) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        self.new_data_key(ctx, purpose).await
    }

    async fn data_key_open(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        self.open_data_key(ctx, purpose, block).await
    }

    async fn random(&self, ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        self.draw(ctx, out).await
    }

    async fn diagnostics(&self, ctx: &Ctx) -> Result<HsmStatus, HsmError> {
        let answer = self.call(ctx, &Diagnostics).await?.map_err(|code| fault::fault(code, "", ""))?;
        let mut check = [0; 3];
        let master = answer.lmk_check.get(..6).and_then(|digits| unpack_hex(digits.as_bytes(), &mut check));
        Ok(HsmStatus {
            product: format!("payshield {}", answer.firmware),
            master: master.and_then(|()| Kcv::new(&check)),
            opened: None,
            locked: None,
        })
    }

    async fn pin_translate_dukpt(
        &self,
        ctx: &Ctx,
        from: (DukptKey<'_>, PinFormat),
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.translate_dukpt(ctx, from, to, block, pan).await
    }

    async fn pin_verify(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: PinMethod<'_>,
    ) -> Result<Verdict, PinError> {
        match (from, method) {
            (PinOrigin::Static(from), PinMethod::Pvv { key, index, pvv: [a, b, c, d] }) => {
                self.verify_pvv(ctx, from, block, pan, (key, &[index, a, b, c, d])).await
            }
            (PinOrigin::Dukpt(..), _) => Err(HsmError::Unsupported("PIN verification under DUKPT").into()),
            (PinOrigin::Static(from), PinMethod::Ibm { key, rule, offset }) => {
                self.verify_offset(ctx, from, (block, pan), (key, rule, offset)).await
            }
        }
    }

    async fn pin_reference(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: ReferenceMethod<'_>,
    ) -> Result<PinReference, PinError> {
        self.reference(ctx, from, block, pan, method).await
    }

    async fn mac_generate_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        self.generate_transaction_mac(ctx, (key, direction), scheme, data).await
    }

    async fn mac_verify_dukpt(
        &self,
        ctx: &Ctx,
        key: DukptKey<'_>,
        direction: Direction,
        scheme: &MacScheme,
        message: (&[u8], &[u8]),
    ) -> Result<Verdict, HsmError> {
        self.verify_transaction_mac(ctx, (key, direction), scheme, message).await
    }

    async fn cvv_generate(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        expiry: &[u8; 4],
        service_code: &[u8; 3],
    ) -> Result<[u8; 3], HsmError> {
        self.generate_cvv(ctx, key, pan, (expiry, service_code)).await
    }

    async fn cvv_verify(
        &self,
        ctx: &Ctx,
        key: &CvKey,
        pan: &Pan,
        dates: (&[u8; 4], &[u8; 3]),
        cvv: &[u8; 3],
    ) -> Result<Verdict, HsmError> {
        self.verify_cvv(ctx, key, pan, dates, cvv).await
    }

    async fn arqc_verify(
        &self,
        ctx: &Ctx,
        key: &ImkKey,
        of: (&EmvScheme, &EmvCard),
        transaction: &EmvTransaction<'_>,
        arqc: &[u8; 8],
        answer: Option<&ArpcSpec>,
    ) -> Result<ArqcOutcome, HsmError> {
        self.verify_arqc(ctx, key, of, transaction, (arqc, answer)).await
    }
}
