//! What an issuer keeps of a PIN: offsets checked, PVVs made.

use super::PayshieldHsm;
use super::fault;
use super::pin::LONGEST;
use super::pin::block_of;
use crate::hsm::Ctx;
use crate::hsm::HsmError;
use crate::hsm::IbmRule;
use crate::hsm::KeyUsage;
use crate::hsm::OffsetKey;
use crate::hsm::PinError;
use crate::hsm::PinOrigin;
use crate::hsm::PinReference;
use crate::hsm::PinSource;
use crate::hsm::ReferenceMethod;
use crate::hsm::Verdict;
use crate::hsm::calculator::ibm::ValidationData;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::code::PinCode;
use crate::hsm::payshield::command::offset::MakePvv;
use crate::hsm::payshield::command::offset::OffsetCheck;
use crate::hsm::payshield::command::offset::VerifyTerminalOffset;
use crate::hsm::payshield::command::offset::VerifyZoneOffset;
use crate::hsm::payshield::command::pin::Account;
use crate::model::EncryptedPinBlock;
use crate::model::Pan;

/// Validation data as the command has it: twelve characters, an `N` where the account's last five digits are.
fn validation(rule: IbmRule, pan: &Pan) -> Result<[u8; 12], HsmError> {
    let data = ValidationData::of_pan(pan, rule.start, rule.length, rule.pad);
    let data = data.map_err(|_| HsmError::Input("validation data"))?.ascii();
    let digits = pan.clear().as_bytes();
    let account = digits.get(..digits.len().saturating_sub(1)).unwrap_or_default();
    let last = account.len().checked_sub(5).and_then(|start| account.get(start..)).unwrap_or_default();
    let without = HsmError::Unsupported("validation data without the last five digits of the account");
    let place = data.windows(5).position(|window| window == last).ok_or(without)?;
    let (before, after) = (data.get(..place).unwrap_or_default(), data.get(place + 5..).unwrap_or_default());
    [before, b"N", after].concat().try_into().map_err(|_| HsmError::Input("validation data"))
}

impl PayshieldHsm {
    /// See [`Hsm::pin_verify`](crate::hsm::Hsm::pin_verify), by IBM 3624.
    pub(super) async fn verify_offset(
        &self,
        ctx: &Ctx,
        from: PinSource<'_>,
        (block, pan): (&EncryptedPinBlock, &Pan),
        (pvk, rule, offset): (&OffsetKey, IbmRule, &[u8]),
    ) -> Result<Verdict, PinError> {
        if !offset.iter().all(u8::is_ascii_digit) || !(4..=12).contains(&offset.len()) {
            return Err(HsmError::Input("PIN offset").into());
        }
        let source = self.pin_key(from.key)?;
        let pvk = self.held(&pvk.0)?.must_be(KeyUsage::IbmPin, &[KeyType::TMK])?;
        let mut filled = [b'F'; 12];
        filled.iter_mut().zip(offset).for_each(|(to, digit)| *to = *digit);
        let is_terminal = source.key_type == KeyType::TMK;
        let check = OffsetCheck {
            source: source.key.clone(),
            pvk: pvk.key.clone(),
            longest: LONGEST,
            from: block_of(from.format, &source, block)?,
            check: u8::try_from(offset.len()).map_err(|_| HsmError::Input("PIN offset"))?,
            account: Account::for_formats(pan.clear(), &[PinCode::of(from.format)]),
            table: self.pool.setup().decimalization.ascii(),
            validation: validation(rule, pan)?,
            offset: filled,
        };
        let reply = if is_terminal {
            self.call(ctx, &VerifyTerminalOffset(check)).await?
        } else {
            self.call(ctx, &VerifyZoneOffset(check)).await?
        };
        match reply {
            Ok(()) => Ok(Verdict::Match),
            Err(ErrorCode::VERIFICATION) => Ok(Verdict::NoMatch),
            Err(code) => Err(fault::pin_fault(code, &source.name, &pvk.name)),
        }
    }

    /// See [`Hsm::pin_reference`](crate::hsm::Hsm::pin_reference). PVVs only: offsets are made of a PIN under the
    /// LMK, which this backend does not have.
    pub(super) async fn reference(
        &self,
        ctx: &Ctx,
        from: PinOrigin<'_>,
        block: &EncryptedPinBlock,
        pan: &Pan,
        method: ReferenceMethod<'_>,
    ) -> Result<PinReference, PinError> {
        let (PinOrigin::Static(from), ReferenceMethod::Pvv { key, index }) = (from, method) else {
            return Err(HsmError::Unsupported("this PIN reference").into());
        };
        if !(b'0'..=b'6').contains(&index) {
            return Err(HsmError::Input("PVV key index").into());
        }
        let source = self.pin_key(from.key)?;
        let pvk = self.held(&key.0)?.must_be(KeyUsage::Pvv, &[KeyType::TMK])?;
        let command = MakePvv {
            key_type: source.wire_type(),
            source: source.key.clone(),
            pvk: pvk.key.clone(),
            from: block_of(from.format, &source, block)?,
            account: Account::for_formats(pan.clear(), &[PinCode::of(from.format)]),
            index,
        };
        let pvv = self.call(ctx, &command).await?;
        pvv.map(PinReference::Pvv).map_err(|code| fault::pin_fault(code, &source.name, &pvk.name))
    }
}
