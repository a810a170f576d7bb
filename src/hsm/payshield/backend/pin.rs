//! PIN blocks and enciphered tracks.

use super::PayshieldHsm;
use super::fault;
use super::held::Held;
use crate::hsm::Ctx;
use crate::hsm::DataKey;
use crate::hsm::DukptKey;
use crate::hsm::HsmError;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::KeyUsage;
use crate::hsm::PinError;
use crate::hsm::PinKey;
use crate::hsm::PinSource;
use crate::hsm::PvKey;
use crate::hsm::Verdict;
use crate::hsm::calculator::dukpt::counter;
use crate::hsm::calculator::track_secret;
use crate::hsm::calculator::unpack_track;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::code::PinCode;
use crate::hsm::payshield::command::data::DataFields;
use crate::hsm::payshield::command::data::DecryptData;
use crate::hsm::payshield::command::pin::Account;
use crate::hsm::payshield::command::pin::Block;
use crate::hsm::payshield::command::pin::PvvCheck;
use crate::hsm::payshield::command::pin::SerialNumber;
use crate::hsm::payshield::command::pin::TranslateDukpt;
use crate::hsm::payshield::command::pin::TranslateTerminal;
use crate::hsm::payshield::command::pin::TranslateZone;
use crate::hsm::payshield::command::pin::Translation;
use crate::hsm::payshield::command::pin::VerifyTerminalPvv;
use crate::hsm::payshield::command::pin::VerifyZonePvv;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::put_hex;
use crate::model::EncryptedPinBlock;
use crate::model::Ksn;
use crate::model::Pan;
use crate::model::PinFormat;
use crate::model::Track2;
use smallvec::SmallVec;
use zeroize::Zeroizing;

/// Longest PIN of ISO 9564-1.
pub(super) const LONGEST: u8 = 12;

/// A serial number of 20 digits: ten of the base key, none of a sub-key, five of the device.
const KSN_DESCRIPTOR: &str = "A05";

/// A serial number of ten bytes as commands carry it.
pub(super) fn serial_number(ksn: &Ksn) -> SerialNumber {
    let mut digits = Vec::with_capacity(20);
    put_hex(&mut digits, ksn.as_bytes());
    SerialNumber { descriptor: KSN_DESCRIPTOR.into(), digits: String::from_utf8_lossy(&digits).into_owned() }
}

/// The code of a format, if the key has blocks of it: format 4 is AES, all others are not.
fn code(format: PinFormat, key: &Held) -> Result<PinCode, HsmError> {
    let is_aes = matches!(key.algorithm, KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256);
    match format {
        PinFormat::Iso2 => Err(HsmError::Policy("PIN block format 2 stays inside chip cards")),
        _ if is_aes != (format == PinFormat::Iso4) => Err(key.fault(KeyFault::Algorithm)),
        _ => Ok(PinCode::of(format)),
    }
}

/// A block as it came, under this key.
pub(super) fn block_of(format: PinFormat, key: &Held, block: &EncryptedPinBlock) -> Result<Block, PinError> {
    let length = if format == PinFormat::Iso4 { 16 } else { 8 };
    let code = code(format, key)?;
    if block.as_bytes().len() != length {
        return Err(PinError::Block);
    }
    Ok(Block { block: SmallVec::from_slice(block.as_bytes()), format: code })
}

impl PayshieldHsm {
    pub(super) fn pin_key(&self, key: &PinKey) -> Result<Held, HsmError> {
        self.held(&key.0)?.must_be(KeyUsage::Pin, &[KeyType::TMK, KeyType::ZPK])
    }

    /// See [`Hsm::pin_translate`](crate::hsm::Hsm::pin_translate). Only a zone key can be the target.
    pub(super) async fn translate(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.pool.setup().policy.check(from.format, to.format, false)?;
        let source = self.pin_key(from.key)?;
        let destination = self.held(&to.key.0)?.must_be(KeyUsage::Pin, &[KeyType::ZPK])?;
        let is_terminal = source.key_type == KeyType::TMK;
        let (wanted, from) = (code(to.format, &destination)?, block_of(from.format, &source, block)?);
        let translation = Translation {
            source: source.key.clone(),
            destination: destination.key.clone(),
            longest: LONGEST,
            account: Account::for_formats(pan.clear(), &[from.format, wanted]),
            from,
            to: wanted,
        };
        let reply = if is_terminal {
            self.call(ctx, &TranslateTerminal(translation)).await?
        } else {
            self.call(ctx, &TranslateZone(translation)).await?
        };
        let answer = reply.map_err(|code| fault::pin_fault(code, &source.name, &destination.name))?;
        if answer.to.format != wanted {
            return Err(HsmError::Backend("PIN block of another format".into()).into());
        }
        EncryptedPinBlock::new(&answer.to.block).ok_or(PinError::Block)
    }

    /// See [`Hsm::pin_translate_dukpt`](crate::hsm::Hsm::pin_translate_dukpt). TDES DUKPT only.
    pub(super) async fn translate_dukpt(
        &self,
        ctx: &Ctx,
        (from, format): (DukptKey<'_>, PinFormat),
        to: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
    ) -> Result<EncryptedPinBlock, PinError> {
        self.pool.setup().policy.check(format, to.format, false)?;
        let base = self.held(&from.base.0)?.must_be(KeyUsage::Bdk, &[KeyType::BDK])?;
        let destination = self.held(&to.key.0)?.must_be(KeyUsage::Pin, &[KeyType::ZPK])?;
        if base.algorithm != KeyAlgorithm::Tdes2 {
            return Err(HsmError::Unsupported("PIN blocks under AES DUKPT").into());
        }
        // The HSM's own word for a counter that no device has would be no more than "input", which is our bug.
        if from.ksn.as_bytes().len() != 10 || counter(from.ksn).is_err() {
            return Err(base.fault(KeyFault::Ksn).into());
        }
        let ksn = serial_number(from.ksn);
        let (wanted, from) = (code(to.format, &destination)?, block_of(format, &base, block)?);
        let command = TranslateDukpt {
            bdk: base.key.clone(),
            destination: destination.key.clone(),
            ksn,
            account: Account::for_formats(pan.clear(), &[from.format, wanted]),
            from,
            to: wanted,
        };
        let reply = self.call(ctx, &command).await?;
        let answer = reply.map_err(|code| fault::pin_fault(code, &base.name, &destination.name))?;
        if answer.to.format != wanted {
            return Err(HsmError::Backend("PIN block of another format".into()).into());
        }
        EncryptedPinBlock::new(&answer.to.block).ok_or(PinError::Block)
    }

    /// See [`Hsm::pin_verify_pvv`](crate::hsm::Hsm::pin_verify_pvv).
    pub(super) async fn verify_pvv(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        (pvk, index_and_pvv): (&PvKey, &[u8; 5]),
    ) -> Result<Verdict, PinError> {
        if !(b'0'..=b'6').contains(&index_and_pvv[0]) || !index_and_pvv.iter().all(u8::is_ascii_digit) {
            return Err(HsmError::Input("PVV").into());
        }
        let source = self.pin_key(from.key)?;
        let pvk = self.held(&pvk.0)?.must_be(KeyUsage::Pvv, &[KeyType::TMK])?;
        let is_terminal = source.key_type == KeyType::TMK;
        let check = PvvCheck {
            source: source.key.clone(),
            pvk: pvk.key.clone(),
            account: Account::for_formats(pan.clear(), &[PinCode::of(from.format)]),
            from: block_of(from.format, &source, block)?,
            verification_account: None,
            index_and_pvv: *index_and_pvv,
        };
        let reply = if is_terminal {
            self.call(ctx, &VerifyTerminalPvv(check)).await?
        } else {
            self.call(ctx, &VerifyZonePvv(check)).await?
        };
        match reply {
            Ok(()) => Ok(Verdict::Match),
            Err(ErrorCode::VERIFICATION) => Ok(Verdict::NoMatch),
            Err(code) => Err(fault::pin_fault(code, &source.name, &pvk.name)),
        }
    }

    /// See [`Hsm::track_decrypt`](crate::hsm::Hsm::track_decrypt).
    pub(super) async fn decrypt_track(
        &self,
        ctx: &Ctx,
        key: &DataKey,
        packed: &[u8],
        digits: usize,
    ) -> Result<Option<Track2>, HsmError> {
        let key = self.held(&key.0)?.must_be(KeyUsage::Data, &[KeyType::TEK, KeyType::ZEK])?;
        if packed.len() != digits.div_ceil(2) || digits > 37 {
            return Ok(None);
        }
        let mut clear = Zeroizing::new(packed.to_vec());
        let Some(secret) = track_secret(&mut clear) else { return Ok(None) };
        let mut message = body();
        message.extend_from_slice(secret);
        let fields = DataFields { key_type: key.wire_type(), key: key.key.clone(), message };
        let reply = self.call(ctx, &DecryptData(fields)).await?;
        let answer = reply.map_err(|code| fault::fault(code, &key.name, &key.name))?;
        let Ok(opened) = <&[u8; 8]>::try_from(answer.as_slice()) else { return Err(key.fault(KeyFault::Length)) };
        secret.copy_from_slice(opened);
        Ok(unpack_track(&clear, digits))
    }
}
