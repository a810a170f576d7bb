//! M6, M8, M0, M2.

use super::Counterpart;
use crate::hsm::calculator;
use crate::hsm::calculator::dukpt;
use crate::hsm::calculator::equal;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::Reply;
use crate::hsm::payshield::command::data::DataFields;
use crate::hsm::payshield::command::mac::Input;
use crate::hsm::payshield::command::mac::MacAnswer;
use crate::hsm::payshield::command::mac::MacFields;
use crate::hsm::payshield::command::mac::Part;
use crate::hsm::payshield::command::mac::VerifyMac;
use crate::hsm::payshield::command::transaction::TransactionMac;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::unpack_hex;
use crate::hsm::payshield::key::Scheme;
use crate::model::Ksn;
use crate::model::MacAlgorithm;
use crate::model::Padding;
use zeroize::Zeroizing;

impl Counterpart {
    /// The MAC of a whole message; parts are not served here.
    fn mac(&self, c: &MacFields) -> Result<Vec<u8>, ErrorCode> {
        if c.part != Part::Only {
            return Err(ErrorCode::DISABLED);
        }
        let key_type = match (c.key_type, c.key.scheme()) {
            (KeyType::KEY_BLOCK, Scheme::Block) => KeyType::TAK,
            (KeyType::TAK | KeyType::ZAK, _) => c.key_type,
            _ => return Err(ErrorCode::KEY_TYPE),
        };
        let key = self.open(&c.key, key_type, ErrorCode::SOURCE_KEY)?;
        let message = match c.input {
            Input::Binary | Input::Text => c.message.clone(),
            Input::Hex => {
                let mut bytes = Zeroizing::new(vec![0; c.message.len() / 2]);
                unpack_hex(&c.message, &mut bytes).ok_or(ErrorCode::DATA_LENGTH)?;
                bytes
            }
        };
        let (algorithm, padding) = match (c.algorithm, c.padding) {
            (b'1', b'2') => (MacAlgorithm::Alg1, Padding::Bit),
            (b'3', b'2') => (MacAlgorithm::X919, Padding::Bit),
            (b'5', _) => (MacAlgorithm::TdesCmac, Padding::Zeros),
            (b'6', _) => (MacAlgorithm::AesCmac, Padding::Zeros),
            (algorithm @ (b'1' | b'3'), padding @ (b'0' | b'1')) => {
                if message.is_empty() || (padding == b'0' && !message.len().is_multiple_of(8)) {
                    return Err(ErrorCode::DATA_LENGTH);
                }
                (if algorithm == b'1' { MacAlgorithm::Alg1 } else { MacAlgorithm::X919 }, Padding::Zeros)
            }
            _ => return Err(ErrorCode::FIELD),
        };
        let mac = calculator::mac(&key.cipher, algorithm, padding, &message).map_err(|_| ErrorCode::KEY_LENGTH)?;
        mac.get(..if c.long { 8 } else { 4 }).map(<[u8]>::to_vec).ok_or(ErrorCode::FIELD)
    }

    pub(super) fn generate_mac(&self, c: &MacFields) -> Reply<MacAnswer> {
        self.mac(c).map(MacAnswer::Mac)
    }

    pub(super) fn verify_mac(&self, c: &VerifyMac) -> Reply<Option<[u8; 8]>> {
        if equal(&self.mac(&c.fields)?, &c.mac) { Ok(None) } else { Err(ErrorCode::VERIFICATION) }
    }

    /// A retail MAC under a transaction's key.
    pub(super) fn transaction_mac(&self, c: &TransactionMac) -> Reply<Option<Vec<u8>>> {
        let bdk = self.open(&c.bdk, KeyType::BDK, ErrorCode::SOURCE_KEY)?;
        let ksn = c.ksn.bytes().and_then(|bytes| Ksn::new(&bytes)).ok_or(ErrorCode::INPUT)?;
        let purpose = dukpt::Purpose::Mac(c.direction);
        let key = dukpt::working_key(&bdk.clear, &ksn, purpose).map_err(|_| ErrorCode::INPUT)?;
        let mac = calculator::mac(&key, MacAlgorithm::X919, Padding::Zeros, &c.message);
        let mac = mac.map_err(|_| ErrorCode::KEY_LENGTH)?;
        let mac = mac.get(..if c.long { 8 } else { 4 }).ok_or(ErrorCode::FIELD)?;
        match &c.mac {
            None => Ok(Some(mac.to_vec())),
            Some(expected) if equal(mac, expected) => Ok(None),
            Some(_) => Err(ErrorCode::VERIFICATION),
        }
    }

    /// Enciphers or deciphers whole blocks, each by itself.
    pub(super) fn cipher_data(&self, c: &DataFields, encrypt: bool) -> Reply<Body> {
        let roles = [KeyType::ZEK, KeyType::DEK, KeyType::TEK];
        let is_block = c.key_type == KeyType::KEY_BLOCK && c.key.scheme() == Scheme::Block;
        let open = |role| self.open(&c.key, role, ErrorCode::SOURCE_KEY);
        let key = if is_block {
            // Only what its header calls a data key: a PIN key would give PINs out here.
            open(roles[0]).or_else(|_| open(roles[1])).or_else(|_| open(roles[2]))?
        } else if roles.contains(&c.key_type) {
            open(c.key_type)?
        } else {
            return Err(ErrorCode::KEY_TYPE);
        };
        let mut message = c.message.clone();
        let done = if encrypt { key.cipher.encrypt_ecb(&mut message) } else { key.cipher.decrypt_ecb(&mut message) };
        done.map_err(|_| ErrorCode::DATA_LENGTH)?;
        Ok(message)
    }
}
