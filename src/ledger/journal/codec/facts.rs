//! What records are made of: fields, in the order in which they are written.

use super::CodecFault;
#[cfg(test)]
use super::arbitrary::Make;
#[cfg(test)]
use super::arbitrary::Source;
use super::wire::Input;
use super::wire::Wire;
use crate::ledger::Answer;
use crate::ledger::BatchRecord;
use crate::ledger::Decision;
use crate::ledger::Identity;
use crate::ledger::Intent;
use crate::ledger::ItemDifference;
use crate::ledger::OriginalKey;
use crate::ledger::Outbound;
use crate::ledger::Reversal;
use crate::ledger::UploadedItem;
use crate::ledger::followers::Follower;
use crate::ledger::followers::Followers;
use crate::ledger::record::KeptReversal;
use crate::ledger::record::Marks;
use crate::ledger::record::Standing;
use crate::model::BatchTotals;
use crate::model::Ladder;
use crate::model::LadderEntry;
use crate::model::Opening;
use crate::model::Revision;
use crate::model::SerialMark;
use crate::model::SessionFacts;
use crate::model::Side;
use crate::model::Sum;
use crate::model::WorkingKeys;
use crate::model::ZoneFacts;
use crate::model::ZoneKey;
use crate::model::ZoneLine;
use crate::risk::CounterKey;
use crate::risk::Hit;
use crate::risk::Refusal;
use crate::risk::Reservation;
use crate::risk::Scene;

/// Declares the fields of a type in their order. One that is left out does not compile. Those that came later
/// are written as additions of the record.
macro_rules! fields {
    ($type:ident { $($field:ident),+ $(,)? } $(later { $($later:ident),+ $(,)? })?) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let Self { $($field),+ $($(, $later: _)+)? } = self;
                $($field.put(out);)+
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                $(let $field = Wire::take(input)?;)+
                Ok(Self { $($field),+ $($(, $later: Default::default())+)? })
            }
        }

        #[cfg(test)]
        impl Make for $type {
            fn make(source: &mut Source) -> Self {
                $(let $field = Make::make(source);)+
                Self { $($field),+ $($(, $later: Make::make(source))+)? }
            }
        }
    };
}

fields!(Identity { terminal, stan, scope, class });
fields!(OriginalKey { terminal, stan, scope, class });
fields!(Outbound { issuer, stan, sent, icc });
fields!(CounterKey { counted, date });
fields!(Reservation { key, amount, amount_limit, count_limit });
fields!(Refusal { code, rule });
fields!(Answer { code, approval, amount, stamped, settlement, balance, icc } later { voucher });
fields!(Decision { outcome, answer, advise });
fields!(Reversal { identity, original, amount, received, date });
fields!(KeptReversal { number, reversal, rrn, answer, original });
fields!(WorkingKeys { generation, pin, mac, data } later { opening });
fields!(SessionFacts { version, signed_in, batch, current, pending } later {
    unused,
    before,
    before_until,
    downloaded,
    serial,
});
fields!(SerialMark { ksn, content });
fields!(Opening { operator, at });
fields!(ZoneKey { generation, block });
fields!(ZoneLine { configured, current, before, before_until, pending });
fields!(ZoneFacts { version, pin, mac });
fields!(Follower { id, following, amount, state, voided });
fields!(Standing { intent, answer, state, late, refused, attempts, sent_as, followers });
fields!(Marks { last, closings });
fields!(Sum { count, amount });
fields!(Side { debit, credit });
fields!(BatchTotals { domestic, foreign });
fields!(UploadedItem { stan, foreign, amount, token });
fields!(ItemDifference { what, stan, id, rrn, here, there });
fields!(BatchRecord {
    number,
    terminal,
    batch,
    merchant,
    test_mode,
    state,
    claimed,
    counted,
    voids,
    closed_on,
    closed_at,
    rrn,
    by,
    items,
    differences,
} later { told_as });
fields!(Scene { region, home, mcc, registered_mcc, bin, firmware, fee, silent, mac_failures, signs });
fields!(Hit { rule, action, evidence, shadow });
fields!(LadderEntry { subject, step, actor, reason, at });
fields!(Ladder { standing, warnings, fines, asked, entries });
fields!(Revision { what, version, digest, actor, reason, at });
fields!(Intent {
    id,
    rrn,
    identity,
    content,
    kind,
    merchant,
    acquirer,
    test_mode,
    date,
    received,
    offset_minutes,
    processing_code,
    amount,
    currency,
    entry_mode,
    card_sequence,
    condition_code,
    expiry,
    pan,
    token,
    masked,
    refusal,
    reservations,
    outbound,
    follows,
} later { batch, card, operator, scene, risk, echo });

impl Wire for Followers {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Wire::take(input).map(Self)
    }
}

#[cfg(test)]
impl Make for Followers {
    fn make(source: &mut Source) -> Self {
        Self(Make::make(source))
    }
}
