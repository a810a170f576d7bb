//! CA, CC, G0, DC, EC.

use super::Counterpart;
use crate::hsm::KeyAlgorithm;
use crate::hsm::calculator::CipherKey;
use crate::hsm::calculator::ClearPin;
use crate::hsm::calculator::Fill;
use crate::hsm::calculator::PinBlockFault;
use crate::hsm::calculator::decipher;
use crate::hsm::calculator::decode;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::encipher;
use crate::hsm::calculator::encode;
use crate::hsm::calculator::equal;
use crate::hsm::calculator::ibm::DecimalizationTable;
use crate::hsm::calculator::ibm::ValidationData;
use crate::hsm::calculator::ibm::pin_offset;
use crate::hsm::calculator::pvv;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::code::PinCode;
use crate::hsm::payshield::command::Reply;
use crate::hsm::payshield::command::offset::MakePvv;
use crate::hsm::payshield::command::offset::OffsetCheck;
use crate::hsm::payshield::command::pin::Account;
use crate::hsm::payshield::command::pin::Block;
use crate::hsm::payshield::command::pin::PvvCheck;
use crate::hsm::payshield::command::pin::TranslateDukpt;
use crate::hsm::payshield::command::pin::Translation;
use crate::hsm::payshield::command::pin::TranslationAnswer;
use crate::hsm::payshield::key::HostKey;
use crate::model::EncryptedPinBlock;
use crate::model::Ksn;
use crate::model::Pan;
use crate::model::PinFormat;
use smallvec::SmallVec;

/// A card number with this account: of a short one the check digit is not looked at.
fn pan(account: &Account) -> Result<Pan, ErrorCode> {
    let pan = match account {
        Account::Short(digits) => Pan::parse(&[digits.as_slice(), b"0"].concat()),
        Account::Whole(digits) => Pan::parse(digits.as_bytes()),
    };
    pan.ok_or(ErrorCode::INPUT)
}

/// The ISO format of a code, if a key of this algorithm has such blocks: format 4 is AES, all others are not.
fn format(code: PinCode, key: &CipherKey) -> Result<PinFormat, ErrorCode> {
    let format = code.format().ok_or(ErrorCode::PIN_FORMAT)?;
    let is_aes = matches!(key.algorithm(), KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256);
    if is_aes == (format == PinFormat::Iso4) { Ok(format) } else { Err(ErrorCode::BLOCK_ALGORITHM) }
}

/// Deciphers and decodes.
fn take(key: &CipherKey, from: &Block, pan: &Pan) -> Result<ClearPin, ErrorCode> {
    let format = format(from.format, key)?;
    let block = EncryptedPinBlock::new(&from.block).ok_or(ErrorCode::INPUT)?;
    let clear = decipher(key, format, &block, pan).map_err(|_| ErrorCode::KEY_LENGTH)?;
    decode(format, &clear, pan).map_err(|fault| match fault {
        PinBlockFault::PinLength => ErrorCode::PIN_LENGTH,
        PinBlockFault::Format | PinBlockFault::PinDigit | PinBlockFault::Fill => ErrorCode::PIN_BLOCK,
    })
}

impl Counterpart {
    pub(super) fn translate(&self, c: &Translation, source: KeyType) -> Reply<TranslationAnswer> {
        let key = self.open(&c.source, source, ErrorCode::SOURCE_KEY)?;
        self.translate_from(&key.cipher, &c.destination, (&c.from, c.to), &c.account)
    }

    pub(super) fn translate_dukpt(&self, c: &TranslateDukpt) -> Reply<TranslationAnswer> {
        let bdk = self.open(&c.bdk, KeyType::BDK, ErrorCode::SOURCE_KEY)?;
        let ksn = c.ksn.bytes().and_then(|bytes| Ksn::new(&bytes)).ok_or(ErrorCode::INPUT)?;
        let key = dukpt::working_key(&bdk.clear, &ksn, dukpt::Purpose::Pin).map_err(|_| ErrorCode::INPUT)?;
        self.translate_from(&key, &c.destination, (&c.from, c.to), &c.account)
    }

    fn translate_from(
        &self,
        source: &CipherKey,
        destination: &HostKey,
        (from, to): (&Block, PinCode),
        account: &Account,
    ) -> Reply<TranslationAnswer> {
        let zpk = self.open(destination, KeyType::ZPK, ErrorCode::DESTINATION_KEY)?;
        let (before, after) = (format(from.format, source)?, format(to, &zpk.cipher)?);
        self.policy.check(before, after, false).map_err(|_| ErrorCode::FORMAT_DISABLED)?;
        let pan = pan(account)?;
        let pin = take(source, from, &pan)?;
        let fill = Fill::draw(after, &*self.entropy).map_err(|_| ErrorCode::HARDWARE)?;
        let clear = encode(after, &pin, &pan, &fill).map_err(|_| ErrorCode::HARDWARE)?;
        let block = encipher(&zpk.cipher, after, &clear, &pan).map_err(|_| ErrorCode::KEY_LENGTH)?;
        let block = SmallVec::from_slice(block.as_bytes());
        let length = u8::try_from(pin.length()).map_err(|_| ErrorCode::PIN_LENGTH)?;
        Ok(TranslationAnswer { length, to: Block { block, format: to } })
    }

    pub(super) fn verify_pvv(&self, c: &PvvCheck, source: KeyType) -> Reply<()> {
        let key = self.open(&c.source, source, ErrorCode::SOURCE_KEY)?;
        let pvk = self.open(&c.pvk, KeyType::TMK, ErrorCode::DESTINATION_KEY)?;
        let pin = take(&key.cipher, &c.from, &pan(&c.account)?)?;
        let verified = pan(c.verification_account.as_ref().unwrap_or(&c.account))?;
        let [index, expected @ ..] = &c.index_and_pvv;
        let des = pvk.cipher.des().map_err(|_| ErrorCode::KEY_LENGTH)?;
        let index = index.checked_sub(b'0').filter(|index| *index <= 6).ok_or(ErrorCode::INPUT)?;
        let value = pvv(des, index, &pin, &verified).map_err(|_| ErrorCode::KEY_LENGTH)?;
        if equal(&value, expected) { Ok(()) } else { Err(ErrorCode::VERIFICATION) }
    }

    pub(super) fn verify_offset(&self, c: &OffsetCheck, source: KeyType) -> Reply<()> {
        let key = self.open(&c.source, source, ErrorCode::SOURCE_KEY)?;
        let pvk = self.open(&c.pvk, KeyType::TMK, ErrorCode::DESTINATION_KEY)?;
        let table = DecimalizationTable::parse(&c.table).ok().filter(DecimalizationTable::is_balanced);
        let table = table.ok_or(ErrorCode::DECIMALIZATION)?;
        let pan = pan(&c.account)?;
        let data = ValidationData::parse(&validation(&c.validation, &pan)?).map_err(|_| ErrorCode::INPUT)?;
        let pin = take(&key.cipher, &c.from, &pan)?;
        let des = pvk.cipher.des().map_err(|_| ErrorCode::KEY_LENGTH)?;
        let check = usize::from(c.check);
        if check > pin.length() {
            return Err(ErrorCode::VERIFICATION);
        }
        let offset = pin_offset(des, &table, &data, &pin, check).map_err(|_| ErrorCode::INPUT)?;
        let expected = c.offset.get(..check).ok_or(ErrorCode::INPUT)?;
        if equal(&offset, expected) { Ok(()) } else { Err(ErrorCode::VERIFICATION) }
    }

    pub(super) fn make_pvv(&self, c: &MakePvv) -> Reply<[u8; 4]> {
        let key = self.open(&c.source, c.key_type, ErrorCode::SOURCE_KEY)?;
        let pvk = self.open(&c.pvk, KeyType::TMK, ErrorCode::DESTINATION_KEY)?;
        let pan = pan(&c.account)?;
        let pin = take(&key.cipher, &c.from, &pan)?;
        let des = pvk.cipher.des().map_err(|_| ErrorCode::KEY_LENGTH)?;
        let index = c.index.checked_sub(b'0').filter(|index| *index <= 6).ok_or(ErrorCode::INPUT)?;
        pvv(des, index, &pin, &pan).map_err(|_| ErrorCode::KEY_LENGTH)
    }
}

/// Sixteen characters of validation data: the `N` is the account's last five digits.
fn validation(written: &[u8; 12], pan: &Pan) -> Result<Vec<u8>, ErrorCode> {
    let digits = pan.clear().as_bytes();
    let account = digits.get(..digits.len().saturating_sub(1)).unwrap_or_default();
    let last = account.len().checked_sub(5).and_then(|start| account.get(start..)).ok_or(ErrorCode::INPUT)?;
    let place = written.iter().position(|byte| *byte == b'N').ok_or(ErrorCode::INPUT)?;
    let (before, after) = written.split_at(place);
    Ok([before, last, after.get(1..).unwrap_or_default()].concat())
}
