//! Sealing keys: random bytes of the HSM, kept enciphered and authenticated under two of its keys.

use super::PayshieldHsm;
use super::fault;
use super::held::Held;
use super::lifecycle::purpose_mark;
use crate::hsm::Ctx;
use crate::hsm::DataKeyPurpose;
use crate::hsm::HsmError;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::MacKey;
use crate::hsm::OpenedDataKey;
use crate::hsm::Verdict;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::data::DataFields;
use crate::hsm::payshield::command::data::DecryptData;
use crate::hsm::payshield::command::data::EncryptData;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::put_hex;
use crate::hsm::payshield::fields::unpack_hex;
use crate::model::MacAlgorithm;
use crate::model::MacOutput;
use crate::model::MacScheme;
use crate::model::Padding;
use zeroize::Zeroizing;

/// How a sealing key's cipher is authenticated.
const SCHEME: MacScheme =
    MacScheme { algorithm: MacAlgorithm::X919, padding: Padding::Bit, output: MacOutput::Binary, length: 8 };

/// What a block of a sealing key begins with.
const MARK: &str = "payshield-sealing";

/// The bytes that the MAC covers: what it is for, and its cipher.
fn covered(purpose: DataKeyPurpose, cipher: &[u8]) -> Vec<u8> {
    [purpose_mark(purpose).as_bytes(), b"/", cipher].concat()
}

impl PayshieldHsm {
    /// The two keys that keep sealing keys.
    fn keepers(&self) -> Result<(Held, MacKey), HsmError> {
        let names = self.pool.setup().sealing.as_ref();
        let names = names.ok_or(HsmError::Policy("no keys are configured to keep sealing keys"))?;
        let data = self.held(&KeyRef::Named(names.data.clone()))?.must_be(KeyUsage::Data, &[KeyType::DEK])?;
        Ok((data, MacKey(KeyRef::Named(names.mac.clone()))))
    }

    fn data_fields(key: &Held, data: &[u8]) -> DataFields {
        let mut message = body();
        message.extend_from_slice(data);
        DataFields { key_type: key.wire_type(), key: key.key.clone(), message }
    }

    /// See [`Hsm::data_key_new`](crate::hsm::Hsm::data_key_new).
    pub(super) async fn new_data_key(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
    ) -> Result<(KeyBlock, OpenedDataKey), HsmError> {
        let (data, mac) = self.keepers()?;
        let mut clear = Box::new(Zeroizing::new([0; 32]));
        self.draw(ctx, clear.as_mut_slice()).await?;
        let reply = self.call(ctx, &EncryptData(Self::data_fields(&data, clear.as_slice()))).await?;
        let cipher = reply.map_err(|code| fault::fault(code, &data.name, &data.name))?;
        let tag = self.generate_mac(ctx, &mac, &SCHEME, &covered(purpose, &cipher)).await?;
        let mut hex = Vec::new();
        put_hex(&mut hex, &cipher);
        put_hex(&mut hex, &tag);
        let block = format!("{MARK}/{}/{}", purpose_mark(purpose), String::from_utf8_lossy(&hex));
        Ok((KeyBlock::new(&block), OpenedDataKey::new(purpose, clear)))
    }

    /// See [`Hsm::data_key_open`](crate::hsm::Hsm::data_key_open).
    pub(super) async fn open_data_key(
        &self,
        ctx: &Ctx,
        purpose: DataKeyPurpose,
        block: &KeyBlock,
    ) -> Result<OpenedDataKey, HsmError> {
        let fault_of = |fault| HsmError::Key { name: "block".into(), fault };
        let mut parts = block.as_str().splitn(3, '/');
        let mark = (parts.next(), parts.next());
        if mark.0 == Some(MARK) && mark.1 != Some(purpose_mark(purpose)) {
            return Err(fault_of(KeyFault::Usage));
        }
        let mut bytes = [0; 40];
        let hex = parts.next().filter(|_| mark.0 == Some(MARK)).unwrap_or_default();
        unpack_hex(hex.as_bytes(), &mut bytes).ok_or_else(|| fault_of(KeyFault::Block))?;
        let (cipher, tag) = bytes.split_at(32);
        let (data, mac) = self.keepers()?;
        if self.verify_mac(ctx, &mac, &SCHEME, &covered(purpose, cipher), tag).await? == Verdict::NoMatch {
            return Err(fault_of(KeyFault::Block));
        }
        let reply = self.call(ctx, &DecryptData(Self::data_fields(&data, cipher))).await?;
        let opened: Body = reply.map_err(|code| fault::fault(code, &data.name, &data.name))?;
        let mut clear = Box::new(Zeroizing::new([0; 32]));
        if opened.len() != clear.len() {
            return Err(fault_of(KeyFault::Length));
        }
        clear.copy_from_slice(&opened);
        Ok(OpenedDataKey::new(purpose, clear))
    }
}
