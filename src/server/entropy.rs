//! The machine's randomness.

use crate::model::Entropy;

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, out: &mut [u8]) {
        assert!(getrandom::fill(out).is_ok(), "the operating system gives no randomness");
    }
}
