//! Keys made, taken in, given out and checked; sealing keys; randomness.

use super::PayshieldHsm;
use super::fault;
use super::held::Held;
use crate::hsm::Ctx;
use crate::hsm::DataKeyPurpose;
use crate::hsm::GeneratedKey;
use crate::hsm::HsmError;
use crate::hsm::Kcv;
use crate::hsm::Kek;
use crate::hsm::KeyAlgorithm;
use crate::hsm::KeyBlock;
use crate::hsm::KeyFault;
use crate::hsm::KeyRef;
use crate::hsm::KeyUsage;
use crate::hsm::WrappedKey;
use crate::hsm::calculator::equal;
use crate::hsm::exportable;
use crate::hsm::payshield::block::attributes;
use crate::hsm::payshield::code::KeyType;
use crate::hsm::payshield::command::diagnostics::Random;
use crate::hsm::payshield::command::keys::CheckKey;
use crate::hsm::payshield::command::keys::ExportKey;
use crate::hsm::payshield::command::keys::GenerateKey;
use crate::hsm::payshield::command::keys::ImportKey;
use crate::hsm::payshield::command::keys::Under;
use crate::hsm::payshield::command::keys::Wrapping;
use crate::hsm::payshield::fields::unpack_hex;
use crate::hsm::payshield::key::HostKey;

/// A fault of a key that travels.
fn travelling(fault: KeyFault) -> HsmError {
    HsmError::Key { name: "block".into(), fault }
}

/// Which type a key of a usage has, towards a terminal or a zone.
fn type_of(usage: KeyUsage, under: Under) -> Result<KeyType, HsmError> {
    Ok(match (usage, under) {
        (KeyUsage::Pin | KeyUsage::Kek, Under::Terminal) | (KeyUsage::Pvv, _) => KeyType::TMK,
        (KeyUsage::Pin, Under::Zone) => KeyType::ZPK,
        (KeyUsage::Kek, Under::Zone) => KeyType::ZMK,
        (KeyUsage::Mac, Under::Terminal) => KeyType::TAK,
        (KeyUsage::Mac, Under::Zone) => KeyType::ZAK,
        (KeyUsage::Data, Under::Terminal) => KeyType::TEK,
        (KeyUsage::Data, Under::Zone) => KeyType::ZEK,
        (KeyUsage::Cvv, _) => KeyType::CVK,
        (KeyUsage::Bdk, _) => KeyType::BDK,
        (KeyUsage::EmvCryptogram, _) => KeyType::MK_AC,
        _ => return Err(HsmError::Unsupported("keys of this usage")),
    })
}

/// Scheme letters under the LMK and, in plain ECB, towards a peer. Only key blocks hold AES keys.
fn schemes(algorithm: KeyAlgorithm, key_blocks: bool) -> Result<(u8, Option<u8>), HsmError> {
    let (variant, ecb) = match algorithm {
        KeyAlgorithm::Des => (b'Z', b'Z'),
        KeyAlgorithm::Tdes2 => (b'U', b'X'),
        KeyAlgorithm::Tdes3 => (b'T', b'Y'),
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 if key_blocks => return Ok((b'S', None)),
        KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256 => {
            return Err(travelling(KeyFault::Algorithm));
        }
    };
    Ok((if key_blocks { b'S' } else { variant }, Some(ecb)))
}

fn is_aes(algorithm: KeyAlgorithm) -> bool {
    matches!(algorithm, KeyAlgorithm::Aes128 | KeyAlgorithm::Aes192 | KeyAlgorithm::Aes256)
}

/// The scheme of a key that travels without a header, which no AES key does.
fn bare_scheme(scheme: Option<u8>) -> Result<u8, HsmError> {
    scheme.ok_or(HsmError::Unsupported("AES keys that travel without a key block"))
}

/// The cipher of a key for a peer, without its scheme letter.
fn bare(key: &HostKey, algorithm: KeyAlgorithm) -> Result<WrappedKey, HsmError> {
    let mut cipher = vec![0; algorithm.key_length()];
    let read = unpack_hex(key.digits().as_bytes(), &mut cipher);
    read.map(|()| WrappedKey::new(cipher.into())).ok_or_else(|| travelling(KeyFault::Length))
}

impl PayshieldHsm {
    /// A key encrypting key, and whose.
    fn kek(&self, kek: &Kek) -> Result<(Held, Under), HsmError> {
        let held = self.held(&kek.0)?.must_be(KeyUsage::Kek, &[KeyType::ZMK, KeyType::TMK])?;
        let under = if held.key_type == KeyType::ZMK { Under::Zone } else { Under::Terminal };
        Ok((held, under))
    }

    /// Whether this house lets single DES do that.
    fn fits(&self, usage: KeyUsage, algorithm: KeyAlgorithm) -> Result<(), HsmError> {
        let single = algorithm == KeyAlgorithm::Des;
        let fits = match usage {
            KeyUsage::Mac => true,
            KeyUsage::Pin | KeyUsage::Data => !single || self.pool.setup().legacy_single_des,
            KeyUsage::Kek => !single,
            _ => algorithm == KeyAlgorithm::Tdes2,
        };
        if fits { Ok(()) } else { Err(travelling(KeyFault::Algorithm)) }
    }

    /// See [`Hsm::key_generate`](crate::hsm::Hsm::key_generate). Without a key encrypting key it is a zone's.
    pub(super) async fn generate_key(
        &self,
        ctx: &Ctx,
        usage: KeyUsage,
        algorithm: KeyAlgorithm,
        kek: Option<&Kek>,
    ) -> Result<GeneratedKey, HsmError> {
        self.fits(usage, algorithm)?;
        let kek = kek.map(|kek| self.kek(kek)).transpose()?;
        let under = kek.as_ref().map_or(Under::Zone, |(_, under)| *under);
        let key_blocks = self.pool.setup().key_blocks;
        let (scheme, ecb) = schemes(algorithm, key_blocks)?;
        let key_type = type_of(usage, under)?;
        let name = kek.as_ref().map_or("block", |(held, _)| &held.name).to_owned();
        let command = GenerateKey {
            key_type: if key_blocks { KeyType::KEY_BLOCK } else { self.types().told(usage, key_type) },
            scheme,
            wrapping: match kek {
                Some((held, under)) => Some(Wrapping { under, key: held.key, scheme: bare_scheme(ecb)? }),
                None => None,
            },
            attributes: key_blocks.then(|| attributes(usage, under, algorithm)),
        };
        let answer = self.call(ctx, &command).await?.map_err(|code| fault::fault(code, &name, &name))?;
        let wrapped = answer.wrapped.as_ref().map(|key| bare(key, algorithm)).transpose()?;
        let held = Held::travelling(self.types(), (usage, algorithm), key_type, answer.key);
        let kcv = if self.pool.setup().long_check_values {
            self.check(ctx, &held, 4).await?
        } else {
            Kcv::new(&answer.kcv).ok_or(HsmError::Input("check value length"))?
        };
        if kcv.as_bytes().get(..3) != Some(answer.kcv.as_slice()) {
            return Err(travelling(KeyFault::CheckValue));
        }
        let block = held.block().ok_or_else(|| travelling(KeyFault::Block))?;
        Ok(GeneratedKey { block, wrapped, kcv })
    }

    /// See [`Hsm::key_import`](crate::hsm::Hsm::key_import). The HSM takes keys in from zones only.
    pub(super) async fn import_key(
        &self,
        ctx: &Ctx,
        (usage, algorithm): (KeyUsage, KeyAlgorithm),
        kek: &Kek,
        wrapped: &WrappedKey,
        expected: Option<&Kcv>,
    ) -> Result<KeyBlock, HsmError> {
        self.fits(usage, algorithm)?;
        let (zmk, under) = self.kek(kek)?;
        if under != Under::Zone {
            return Err(zmk.fault(KeyFault::Usage));
        }
        if wrapped.as_bytes().len() != algorithm.key_length() {
            return Err(travelling(KeyFault::Length));
        }
        let key_blocks = self.pool.setup().key_blocks;
        let (scheme, ecb) = schemes(algorithm, key_blocks)?;
        let key_type = type_of(usage, under)?;
        let command = ImportKey {
            key_type: if key_blocks { KeyType::KEY_BLOCK } else { self.types().told(usage, key_type) },
            zmk: zmk.key.clone(),
            key: HostKey::from_cipher(Some(bare_scheme(ecb)?).filter(|letter| *letter != b'Z'), wrapped.as_bytes()),
            scheme,
            attributes: key_blocks.then(|| attributes(usage, under, algorithm)),
        };
        let answer = self.call(ctx, &command).await?.map_err(|code| fault::import_fault(code, &zmk.name, "block"))?;
        let held = Held::travelling(self.types(), (usage, algorithm), key_type, answer.key);
        if let Some(expected) = expected {
            let wanted = expected.as_bytes();
            let computed = match wanted.len() {
                3 => answer.kcv.to_vec(),
                longer => self.check(ctx, &held, longer).await?.as_bytes().to_vec(),
            };
            if !equal(&computed, wanted) {
                return Err(travelling(KeyFault::CheckValue));
            }
        }
        held.block().ok_or_else(|| travelling(KeyFault::Block))
    }

    /// See [`Hsm::key_export`](crate::hsm::Hsm::key_export).
    pub(super) async fn export_key(&self, ctx: &Ctx, key: &KeyRef, kek: &Kek) -> Result<WrappedKey, HsmError> {
        let held = self.held(key)?;
        if !exportable(held.usage) {
            return Err(held.fault(KeyFault::NotExportable));
        }
        let (kek, under) = self.kek(kek)?;
        let scheme = bare_scheme(schemes(held.algorithm, true)?.1)?;
        let (key_type, algorithm) = (held.wire_type(), held.algorithm);
        let wrapping = Wrapping { under, key: kek.key, scheme };
        let command = ExportKey { key_type, wrapping, key: held.key, attributes: None };
        let answer =
            self.call(ctx, &command).await?.map_err(|code| fault::import_fault(code, &kek.name, &held.name))?;
        bare(&answer.key, algorithm)
    }

    /// See [`Hsm::key_check_value`](crate::hsm::Hsm::key_check_value).
    pub(super) async fn check(&self, ctx: &Ctx, held: &Held, length: usize) -> Result<Kcv, HsmError> {
        let most = if is_aes(held.algorithm) { 5 } else { 4 };
        let full = match length {
            3 => false,
            _ if !(3..=most).contains(&length) => return Err(HsmError::Input("check value length")),
            _ if self.pool.setup().long_check_values => true,
            _ => return Err(HsmError::Policy("check values of more than 3 bytes are switched off")),
        };
        let command = CheckKey { key_type: held.wire_type(), key: held.key.clone(), full };
        let value = self.call(ctx, &command).await?.map_err(|code| fault::fault(code, &held.name, &held.name))?;
        value.get(..length).and_then(Kcv::new).ok_or(HsmError::Input("check value length"))
    }

    /// See [`Hsm::random`](crate::hsm::Hsm::random).
    pub(super) async fn draw(&self, ctx: &Ctx, out: &mut [u8]) -> Result<(), HsmError> {
        for part in out.chunks_mut(Random::MOST) {
            let length = u16::try_from(part.len()).map_err(|_| HsmError::Input("too much randomness"))?;
            let drawn = self.call(ctx, &Random { length }).await?.map_err(|code| fault::fault(code, "", ""))?;
            part.iter_mut().zip(drawn.iter()).for_each(|(to, byte)| *to = *byte);
        }
        Ok(())
    }
}

/// What a sealing key is for, as its block says.
pub(super) fn purpose_mark(purpose: DataKeyPurpose) -> &'static str {
    match purpose {
        DataKeyPurpose::Seal => "seal",
        DataKeyPurpose::Token => "token",
    }
}
