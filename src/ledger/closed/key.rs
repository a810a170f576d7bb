//! What records of closed days are found by: keyed hashes, for whoever sends requests chooses their numbers.

use crate::ledger::Identity;
use crate::ledger::OriginalKey;
use crate::ledger::TxnId;
use crate::ledger::journal::JournalId;
use crate::ledger::originals;
use crate::ledger::record::KeptReversal;
use crate::ledger::record::Standing;
use crate::model::ApprovalCode;
use crate::model::PanToken;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Voucher;
use sha2::Digest;
use sha2::Sha256;
use smallvec::SmallVec;

/// The first half of a SHA-256 over the journal's id, what kind of key it is, and the value.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(in crate::ledger) struct Key(pub(super) [u8; 16]);

/// The keys of one record.
pub(in crate::ledger) type Keys = SmallVec<[Key; 3]>;

/// Makes the keys of one journal.
#[derive(Clone, Copy, Debug)]
pub(in crate::ledger) struct Keyed(pub(in crate::ledger) JournalId);

impl Keyed {
    fn key(self, kind: u8, parts: [&[u8]; 3]) -> Key {
        let mut hash = Sha256::new();
        hash.update(self.0.0);
        hash.update([kind]);
        parts.iter().for_each(|part| hash.update(part));
        let hash: [u8; 32] = hash.finalize().into();
        Key(hash.first_chunk().copied().unwrap_or_default())
    }

    fn numbered(self, kind: u8, terminal: TerminalId, stan: Stan, scope: &[u8]) -> Key {
        self.key(kind, [terminal.as_bytes(), &stan.value().to_be_bytes(), scope])
    }

    /// Of requests of this number, whatever their class, and of reversals that came before one.
    pub(in crate::ledger) fn request(self, identity: &Identity) -> Key {
        self.numbered(1, identity.terminal, identity.stan, &identity.scope.0)
    }

    /// The same, as a reversal names it.
    pub(in crate::ledger) fn original(self, terminal: TerminalId, key: &OriginalKey) -> Key {
        self.numbered(1, terminal, key.stan, &key.scope.0)
    }

    /// Of reversals of this number.
    pub(in crate::ledger) fn reversal(self, identity: &Identity) -> Key {
        self.numbered(2, identity.terminal, identity.stan, &identity.scope.0)
    }

    /// Of the transaction that was asked under this reference number.
    pub(in crate::ledger) fn rrn(self, rrn: Rrn) -> Key {
        self.key(3, [rrn.as_bytes(), &[], &[]])
    }

    /// Of the transaction of this number.
    pub(in crate::ledger) fn id(self, id: TxnId) -> Key {
        self.key(4, [&id.0.to_be_bytes(), &[], &[]])
    }

    /// Of the transaction of this voucher.
    pub(in crate::ledger) fn voucher(self, voucher: &Voucher) -> Key {
        self.key(5, [voucher.as_bytes(), &[], &[]])
    }

    /// Of the hold on this card under this approval code.
    pub(in crate::ledger) fn hold(self, approval: ApprovalCode, token: &PanToken) -> Key {
        self.key(6, [approval.as_bytes(), &token.0, &[]])
    }

    /// All keys of a transaction.
    pub(in crate::ledger) fn of_transaction(self, standing: &Standing) -> Keys {
        let intent = &standing.intent;
        let mut keys = Keys::from_slice(&[self.request(&intent.identity), self.rrn(intent.rrn), self.id(intent.id)]);
        if let Some(answer) = &standing.answer {
            keys.extend(answer.voucher.as_ref().map(|voucher| self.voucher(voucher)));
            keys.extend(originals::hold(intent, answer).map(|(approval, token)| self.hold(approval, &token)));
        }
        keys
    }

    /// All keys of a reversal.
    pub(in crate::ledger) fn of_reversal(self, kept: &KeptReversal) -> Keys {
        let reversal = &kept.reversal;
        let mut keys = Keys::from_slice(&[self.reversal(&reversal.identity)]);
        if kept.original.is_none() {
            keys.push(self.original(reversal.identity.terminal, &reversal.original));
        }
        keys
    }
}
