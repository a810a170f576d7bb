//! What every ledger keeps. Each behaviour takes an empty ledger with room for [`CAPACITY`].

mod batches;
mod bounds;
mod enforcement;
mod judged;
mod memory;
mod originals;
mod owed;
mod requests;
mod reversals;

pub(super) use batches::*;
pub(super) use bounds::*;
pub(super) use enforcement::*;
pub(super) use judged::*;
pub(super) use memory::*;
pub(super) use originals::*;
pub(super) use owed::*;
pub(super) use requests::*;
pub(super) use reversals::*;

use super::shop::*;
use futures_util::poll;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tollgate::ledger::Asked;
use tollgate::ledger::DataKeyName;
use tollgate::ledger::Decided;
use tollgate::ledger::Decision;
use tollgate::ledger::Due;
use tollgate::ledger::Effect;
use tollgate::ledger::Followed;
use tollgate::ledger::Forwarded;
use tollgate::ledger::Intended;
use tollgate::ledger::Intent;
use tollgate::ledger::Ledger;
use tollgate::ledger::LedgerFault;
use tollgate::ledger::Outbound;
use tollgate::ledger::Outcome;
use tollgate::ledger::Outcome::*;
use tollgate::ledger::Owed;
use tollgate::ledger::Recorded;
use tollgate::ledger::Reversed;
use tollgate::ledger::Stepped;
use tollgate::ledger::TxnId;
use tollgate::model::Amount;
use tollgate::model::BatchNumber;
use tollgate::model::Bin;
use tollgate::model::EntryMethod;
use tollgate::model::IssuerName;
use tollgate::model::KeyBlock;
use tollgate::model::Kind;
use tollgate::model::Ksn;
use tollgate::model::LadderEntry;
use tollgate::model::LadderStep;
use tollgate::model::MerchantId;
use tollgate::model::MessageClass;
use tollgate::model::PanToken;
use tollgate::model::Region;
use tollgate::model::RemoteAction;
use tollgate::model::ResponseCode;
use tollgate::model::Revised;
use tollgate::model::Revision;
use tollgate::model::Rrn;
use tollgate::model::SerialMark;
use tollgate::model::SessionFacts;
use tollgate::model::Stan;
use tollgate::model::Standing;
use tollgate::model::Subject;
use tollgate::model::Timestamp;
use tollgate::risk::Action;
use tollgate::risk::Checks;
use tollgate::risk::Counted;
use tollgate::risk::CounterKey;
use tollgate::risk::Refusal;
use tollgate::risk::Reservation;
use tollgate::risk::RiskNote;
use tollgate::risk::RuleSet;
use tollgate::risk::Scene;
use tollgate::risk::Signs;

pub(super) const CAPACITY: usize = 32;
const NOW: Duration = Duration::from_secs(100);
/// The trace number of a message owed.
const STAN: Stan = Stan::FIRST;
const LATER: Duration = Duration::from_secs(200);

/// Intends what must be fresh.
async fn fresh<L: Ledger>(ledger: &L, intent: Intent) -> Intent {
    let told = ledger.intend(intent.clone()).await.unwrap();
    assert!(matches!(told, Intended::Fresh), "{told:?}");
    intent
}

/// Intends what must be fresh, and decides it.
async fn ended<L: Ledger>(ledger: &L, intent: Intent, outcome: Outcome) -> Intent {
    let intent = fresh(ledger, intent).await;
    let decided = ledger.decide(intent.id, decision(outcome, intent.received)).await.unwrap();
    assert_eq!(decided.outcome, outcome);
    intent
}

/// Intends what must be declined at once, and says by what.
async fn declined<L: Ledger>(ledger: &L, intent: Intent) -> ResponseCode {
    match ledger.intend(intent).await.unwrap() {
        Intended::Declined(decided, _) => decided.answer.code,
        other => panic!("{other:?}"),
    }
}

/// What is due now, if anything is.
async fn due<L: Ledger>(ledger: &L, clock: &StoppedClock) -> Option<Due> {
    match poll!(pin!(ledger.next_due(&issuer(), clock))) {
        Poll::Ready(due) => Some(due),
        Poll::Pending => None,
    }
}

fn found<L: Ledger>(ledger: &L, id: TxnId) -> Recorded {
    ledger.find(id).unwrap()
}

fn owed<L: Ledger>(ledger: &L) -> usize {
    ledger.owed().iter().map(|(_, count)| count).sum()
}

/// All that a terminal sees of a decision.
fn told(decided: &Decided) -> (Outcome, tollgate::ledger::Answer, Rrn) {
    (decided.outcome, decided.answer.clone(), decided.rrn)
}

/// One test a behaviour, for the ledger that `$make` makes of a capacity.
macro_rules! keeps_the_contract {
    ($name:ident, $make:expr) => {
        $crate::ledger::contract::keeps_the_contract! { $name, $make;
            reference_numbers_are_unique_within_a_date_and_carry_its_day
            a_repeat_gets_the_recorded_answer
            a_repeat_of_a_decline_gets_the_decline_although_the_counter_has_room_again
            a_repeat_is_not_declined_by_its_own_reservation
            the_same_identity_with_other_content_is_a_mismatch_and_leaves_no_trace
            terminal_scope_stan_and_class_tell_messages_apart
            copies_of_a_running_request_all_get_its_answer
            a_copy_that_gives_up_waiting_disturbs_nobody
            a_decision_stands_and_its_loser_reads_the_winner
            a_timeout_that_loses_to_an_approval_reverses_nothing
            a_refusal_is_recorded_as_a_decline_and_reserves_nothing
            limits_decline_61_and_65_and_a_refusal_comes_first
            reservations_come_back_with_a_decline_a_timeout_and_a_reversal_and_only_once
            a_reversal_after_midnight_gives_back_to_the_originals_date
            a_balance_inquiry_reserves_nothing_and_its_timeout_is_followed_by_nothing
            a_reversal_of_a_running_sale_wins_and_the_issuers_answer_is_late
            a_reversal_of_a_running_inquiry_ends_it_and_owes_nothing
            a_reversal_of_an_approval_is_due_once_however_often_it_comes
            a_reversal_of_a_decline_is_accepted_and_owes_nothing
            a_reversal_of_a_timeout_adds_nothing_to_the_reversal_that_is_owed
            a_reversal_for_another_amount_leaves_no_trace
            a_reversal_may_name_the_part_that_was_approved
            a_reversal_that_tells_the_class_means_only_that_class
            nobody_reverses_another_terminals_sale
            an_original_that_its_reversal_overtook_is_declined_and_recorded
            a_late_answer_is_noted_and_changes_nothing
            a_due_reversal_comes_back_until_it_is_acknowledged
            what_must_come_true_is_approved_although_the_issuer_is_silent_and_repeated_until_it_has_it
            an_approval_the_issuer_does_not_know_of_is_owed_to_it_and_its_reversal_takes_the_place
            a_sale_is_voided_once_and_gives_its_reservation_back
            a_void_that_is_undone_leaves_the_sale_as_it_was
            refunds_never_pass_what_was_paid
            a_hold_is_completed_once_within_the_ceiling_and_holds_again_when_that_is_voided
            what_follows_nothing_it_may_follow_is_declined_but_an_advice_never
            an_adjustment_that_does_not_fit_is_kept_and_changes_nothing
            an_adjustment_is_told_after_the_reversal_of_a_void
            what_takes_back_a_tip_waits_until_its_issuer_has_heard_of_it
            what_follows_an_advice_waits_until_its_issuer_has_heard_of_that
            a_tip_goes_behind_one_that_is_under_way_and_has_a_ceiling
            an_adjustment_that_its_issuer_refused_lifts_no_refund
            what_its_issuer_will_not_undo_still_binds
            a_hold_grows_by_the_part_of_an_increment_that_was_approved
            what_was_voided_refunded_or_completed_is_not_undone_a_second_time
            a_follow_up_that_came_to_nothing_keeps_no_reversal_from_undoing
            what_others_rely_on_is_not_undone
            a_hold_is_neither_voided_nor_completed_while_more_is_asked_for
            an_increment_reserves_for_itself_and_gives_back_with_its_hold
            a_follow_up_finds_its_original_by_each_of_its_keys_and_only_if_all_agree
            a_void_is_of_the_same_terminal_batch_and_day
            what_comes_too_late_is_22
            what_is_repeated_after_silence_has_gone_once
            a_full_counter_says_which_it_is
            counters_of_cards_and_merchants_are_given_back_like_those_of_terminals
            a_reversal_after_midnight_gives_a_card_back_its_own_day
            a_tombstone_and_a_follow_up_that_does_not_fit_say_so
            who_is_suspended_makes_no_new_request_from_the_next_message_on
            a_suspended_merchant_takes_all_of_its_terminals_with_it
            the_ladder_goes_one_way_at_its_end
            what_is_in_force_since_when_is_on_record
            a_rule_declines_in_the_commit_that_records_the_request
            a_rule_that_holds_suspends_the_terminal_in_the_same_commit
            an_alert_is_told_and_recorded_with_what_goes_on
            a_rule_is_named_before_the_binding_and_behind_all_else
            rules_remember_across_the_end_of_a_day
            a_rule_that_counts_declines_does_not_feed_on_its_own
            a_closed_day_leaves_the_book_but_for_what_is_open_or_owed
            the_first_data_key_of_a_name_stands
            the_last_trace_number_towards_an_issuer_is_on_record
            a_refused_reversal_is_a_dead_letter_and_frees_its_terminal
            a_sender_that_waits_is_woken_by_what_becomes_owed
            a_sender_that_waits_is_woken_by_the_time_of_a_retry
            a_sender_that_stops_waiting_loses_nothing
            two_senders_of_one_issuer_share_its_terminals
            one_issuers_queue_holds_back_no_other
            a_rerouted_sale_is_reversed_where_it_went
            a_full_ledger_takes_no_intent_and_still_answers_undoes_and_decides
            what_is_open_is_known_for_recovery
            unknown_numbers_are_told_so
            a_batch_is_closed_with_the_totals_of_its_transactions_and_the_next_number
            what_is_declined_undone_or_unknown_counts_nothing_and_a_part_counts_itself
            a_void_takes_its_sale_out_of_the_totals_or_is_a_credit_as_the_door_says
            totals_that_tell_no_foreign_cards_are_compared_as_sums_by_the_doors_voids
            a_close_is_known_again_by_the_terminals_own_number_and_totals
            an_adjusted_sale_counts_its_new_amount
            nothing_enters_a_closed_batch
            an_advice_of_a_closed_batch_is_kept_in_no_batch
            what_waits_for_a_sign_in_leaves_no_trace
            uploads_of_two_batches_are_awaited_and_no_more
            a_transaction_under_way_is_waited_for
            the_same_settlement_again_gets_what_was_recorded_and_another_changes_nothing
            an_upload_finds_every_difference_and_is_over_with_its_end
            a_message_of_an_upload_that_comes_again_changes_nothing
            an_upload_of_what_awaits_none_changes_nothing
            an_operator_closes_a_batch_and_ends_an_upload
            what_is_not_settled_stays_when_its_day_is_closed
            of_closed_batches_the_last_are_remembered
            session_facts_are_kept_per_terminal
            facts_go_with_the_intent_or_alone
            older_session_facts_that_come_later_change_nothing
        }
    };
    ($name:ident, $make:expr; $($behaviour:ident)+) => {
        mod $name {
            use super::*;
            $(
                #[test]
                fn $behaviour() {
                    run(contract::$behaviour($make(contract::CAPACITY)));
                }
            )+
        }
    };
}
pub(super) use keeps_the_contract;
