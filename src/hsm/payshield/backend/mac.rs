//! MACs: what of a scheme the HSM computes, and what is prepared before.

use super::PayshieldHsm;
use super::fault;
use super::held::Held;
use super::pin::serial_number;
use crate::hsm::Ctx;
use crate::hsm::Direction;
use crate::hsm::DukptKey;
use crate::hsm::HsmError;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyFault;
use crate::hsm::KeyUsage;
use crate::hsm::Mac;
use crate::hsm::MacKey;
use crate::hsm::Verdict;
use crate::hsm::calculator::dukpt::counter;
use crate::hsm::calculator::equal;
use crate::hsm::mac_element;
use crate::hsm::mac_element::binary_length;
use crate::hsm::mac_element::union_pay_fold;
use crate::hsm::payshield::code::ErrorCode;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::mac::GenerateMac;
use crate::hsm::payshield::command::mac::Input;
use crate::hsm::payshield::command::mac::MESSAGE_MOST;
use crate::hsm::payshield::command::mac::MacAnswer;
use crate::hsm::payshield::command::mac::MacFields;
use crate::hsm::payshield::command::mac::Part;
use crate::hsm::payshield::command::mac::VerifyMac;
use crate::hsm::payshield::command::transaction::TransactionMac;
use crate::hsm::payshield::fields::Body;
use crate::hsm::payshield::fields::body;
use crate::hsm::payshield::fields::unpack_hex;
use crate::model::MacAlgorithm;
use crate::model::MacOutput;
use crate::model::MacScheme;
use crate::model::Padding;

/// Bytes of MAC that the HSM gives at most.
const WHOLE: usize = 8;

fn body_of(bytes: &[u8]) -> Body {
    let mut message = body();
    message.extend_from_slice(bytes);
    message
}

/// The message as the HSM is to see it, with its algorithm and padding digits.
fn prepare(key: &Held, scheme: &MacScheme, data: &[u8]) -> Result<(u8, u8, Body), HsmError> {
    use KeyAlgorithm::{Aes128, Aes192, Aes256, Des, Tdes2, Tdes3};
    let fits = match scheme.algorithm {
        MacAlgorithm::Alg1 | MacAlgorithm::CupEcb => matches!(key.algorithm, Des | Tdes2 | Tdes3),
        MacAlgorithm::X919 => key.algorithm == Tdes2,
        MacAlgorithm::TdesCmac => matches!(key.algorithm, Tdes2 | Tdes3),
        MacAlgorithm::AesCmac => matches!(key.algorithm, Aes128 | Aes192 | Aes256),
    };
    if !fits {
        return Err(key.fault(KeyFault::Algorithm));
    }
    if data.len() > MESSAGE_MOST - 16 {
        return Err(HsmError::Input("message too long for a MAC"));
    }
    let algorithm = match scheme.algorithm {
        MacAlgorithm::CupEcb => return Ok((b'1', b'0', body_of(&union_pay_fold(data)))),
        MacAlgorithm::Alg1 => b'1',
        MacAlgorithm::X919 => b'3',
        MacAlgorithm::TdesCmac => b'5',
        MacAlgorithm::AesCmac => b'6',
    };
    let mut message = body_of(&[]);
    let padding = match (scheme.algorithm, scheme.padding) {
        (MacAlgorithm::TdesCmac | MacAlgorithm::AesCmac, _) => b'3',
        (_, Padding::Zeros) => b'1',
        (_, Padding::Bit) => b'2',
        // Method 3 is a block with the length in bits in front of method 1.
        (_, Padding::Length) => {
            message.extend_from_slice(&(data.len() as u64 * 8).to_be_bytes());
            b'1'
        }
    };
    message.extend_from_slice(data);
    // Methods 1 and 3 pad even nothing to a block, where the HSM would see an empty message.
    if data.is_empty() && padding == b'1' {
        message.extend_from_slice(&[0; 8]);
    }
    Ok((algorithm, padding, message))
}

/// The MAC's bytes out of its element; `None` if it is not written as the scheme says.
fn unwritten(scheme: &MacScheme, element: &[u8], binary: usize) -> Option<Vec<u8>> {
    match scheme.output {
        MacOutput::Binary => (element.len() == binary).then(|| element.to_vec()),
        MacOutput::AsciiHex => {
            let mut mac = vec![0; binary];
            unpack_hex(element, &mut mac)?;
            element.iter().all(|byte| !byte.is_ascii_lowercase()).then_some(mac)
        }
    }
}

impl PayshieldHsm {
    /// A MAC of a transaction's key made, or one checked.
    async fn transaction_mac(
        &self,
        ctx: &Ctx,
        (key, direction): (DukptKey<'_>, Direction),
        (scheme, data): (&MacScheme, &[u8]),
        mac: Option<Vec<u8>>,
    ) -> Result<Result<Option<Vec<u8>>, ErrorCode>, HsmError> {
        let base = self.held(&key.base.0)?.must_be(KeyUsage::Bdk, &[KeyType::BDK])?;
        if base.algorithm != KeyAlgorithm::Tdes2 || scheme.algorithm != MacAlgorithm::X919 {
            return Err(HsmError::Unsupported("these MACs under DUKPT"));
        }
        if key.ksn.as_bytes().len() != 10 || counter(key.ksn).is_err() {
            return Err(base.fault(KeyFault::Ksn));
        }
        let length = binary_length(scheme, WHOLE)?;
        if scheme.padding != Padding::Zeros || data.len() > MESSAGE_MOST || data.is_empty() {
            return Err(HsmError::Unsupported("these messages under DUKPT"));
        }
        let command = TransactionMac {
            long: length > 4,
            direction,
            bdk: base.key.clone(),
            ksn: serial_number(key.ksn),
            mac,
            message: body_of(data),
        };
        match self.call(ctx, &command).await? {
            Err(code) if code != ErrorCode::VERIFICATION => Err(fault::fault(code, &base.name, &base.name)),
            reply => Ok(reply),
        }
    }

    /// See [`Hsm::mac_generate_dukpt`](crate::hsm::Hsm::mac_generate_dukpt). TDES, retail MAC.
    pub(super) async fn generate_transaction_mac(
        &self,
        ctx: &Ctx,
        of: (DukptKey<'_>, Direction),
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        let length = binary_length(scheme, WHOLE)?;
        let made = self.transaction_mac(ctx, of, (scheme, data), None).await?;
        let made = made.ok().flatten().ok_or(HsmError::Backend("no MAC".into()))?;
        let mac = made.get(..length).ok_or(HsmError::Backend("short MAC".into()))?;
        Ok(mac_element::write(scheme, mac))
    }

    /// See [`Hsm::mac_verify_dukpt`](crate::hsm::Hsm::mac_verify_dukpt).
    pub(super) async fn verify_transaction_mac(
        &self,
        ctx: &Ctx,
        of: (DukptKey<'_>, Direction),
        scheme: &MacScheme,
        (data, element): (&[u8], &[u8]),
    ) -> Result<Verdict, HsmError> {
        let length = binary_length(scheme, WHOLE)?;
        let Some(mac) = unwritten(scheme, element, length) else { return Ok(Verdict::NoMatch) };
        if !matches!(length, 4 | 8) {
            let computed = self.generate_transaction_mac(ctx, of, scheme, data).await?;
            return Ok(if equal(&computed, element) { Verdict::Match } else { Verdict::NoMatch });
        }
        let verified = self.transaction_mac(ctx, of, (scheme, data), Some(mac)).await?;
        Ok(if verified.is_ok() { Verdict::Match } else { Verdict::NoMatch })
    }

    fn mac_key(&self, key: &MacKey) -> Result<Held, HsmError> {
        self.held(&key.0)?.must_be(KeyUsage::Mac, &[KeyType::TAK, KeyType::ZAK])
    }

    fn mac_fields(key: &Held, scheme: &MacScheme, data: &[u8], long: bool) -> Result<MacFields, HsmError> {
        let (algorithm, padding, message) = prepare(key, scheme, data)?;
        let (key_type, key) = (key.wire_type(), key.key.clone());
        Ok(MacFields { part: Part::Only, input: Input::Binary, long, algorithm, padding, key_type, key, message })
    }

    /// The leftmost `length` bytes of a MAC.
    async fn mac(
        &self,
        ctx: &Ctx,
        key: &Held,
        scheme: &MacScheme,
        data: &[u8],
        length: usize,
    ) -> Result<Vec<u8>, HsmError> {
        let command = GenerateMac(Self::mac_fields(key, scheme, data, length > 4)?);
        let reply = self.call(ctx, &command).await?;
        let answer = reply.map_err(|code| fault::fault(code, &key.name, &key.name))?;
        let MacAnswer::Mac(mut mac) = answer else { return Err(HsmError::Backend("no MAC".into())) };
        mac.truncate(length);
        Ok(mac)
    }

    /// See [`Hsm::mac_generate`](crate::hsm::Hsm::mac_generate).
    pub(super) async fn generate_mac(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
    ) -> Result<Mac, HsmError> {
        let key = self.mac_key(key)?;
        let length = binary_length(scheme, WHOLE)?;
        Ok(mac_element::write(scheme, &self.mac(ctx, &key, scheme, data, length).await?))
    }

    /// See [`Hsm::mac_verify`](crate::hsm::Hsm::mac_verify).
    pub(super) async fn verify_mac(
        &self,
        ctx: &Ctx,
        key: &MacKey,
        scheme: &MacScheme,
        data: &[u8],
        element: &[u8],
    ) -> Result<Verdict, HsmError> {
        let key = self.mac_key(key)?;
        let length = binary_length(scheme, WHOLE)?;
        let Some(mac) = unwritten(scheme, element, length) else { return Ok(Verdict::NoMatch) };
        if !matches!(length, 4 | 8) {
            // The HSM compares 4 bytes or 8; for any other length it is asked for the MAC.
            let computed = self.mac(ctx, &key, scheme, data, length).await?;
            return Ok(if equal(&computed, &mac) { Verdict::Match } else { Verdict::NoMatch });
        }
        let fields = Self::mac_fields(&key, scheme, data, length == 8)?;
        match self.call(ctx, &VerifyMac { fields, mac }).await? {
            Ok(_) => Ok(Verdict::Match),
            Err(ErrorCode::VERIFICATION) => Ok(Verdict::NoMatch),
            Err(code) => Err(fault::fault(code, &key.name, &key.name)),
        }
    }
}
