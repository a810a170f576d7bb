//! How two parties agree to make a MAC: named once in a profile, computed only in the HSM.

use serde::Deserialize;

/// The algorithm over the message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum MacAlgorithm {
    /// ISO/IEC 9797-1 algorithm 1 (CBC-MAC); single DES for an 8-byte key, TDES for a longer one.
    Alg1,
    /// ISO/IEC 9797-1 algorithm 3, ANSI X9.19, "retail MAC": a double-length DES key.
    X919,
    /// AES-CMAC, NIST SP 800-38B.
    AesCmac,
    /// TDES-CMAC, NIST SP 800-38B.
    TdesCmac,
    /// UnionPay POS "ECB": XOR fold, upper-case hex, two encryptions.
    CupEcb,
}

/// Padding of the last block, ISO/IEC 9797-1 clause 6.3. CMAC and the UnionPay fold bring their own.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// Method 1: zeros, none if the data fill their last block.
    #[default]
    Zeros,
    /// Method 2: one 80 byte, then zeros.
    Bit,
    /// Method 3: a block with the length in bits in front, then zeros.
    Length,
}

/// How the MAC stands in its element.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum MacOutput {
    /// The leftmost bytes.
    #[default]
    Binary,
    /// The leftmost half as many bytes, as upper-case hex in ASCII.
    AsciiHex,
}

/// A whole agreement on MACs. `length` is fixed by it and never taken from a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct MacScheme {
    /// What is computed.
    pub algorithm: MacAlgorithm,
    /// How the last block is filled.
    #[serde(default)]
    pub padding: Padding,
    /// How it is written.
    #[serde(default)]
    pub output: MacOutput,
    /// Bytes in the element: 4 to 16; with [`MacOutput::AsciiHex`] these are characters.
    pub length: u8,
}
