//! The books as their issuer sees them, and random histories of them.

use super::*;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Rrn;
use crate::model::Stan;
use crate::model::TerminalId;
use proptest::prelude::*;

const START: u64 = 1_000;

/// So many days after 2026-11-01.
fn day(after: u8) -> Option<BusinessDate> {
    let (month, day) = (11 + after / 30, 1 + after % 30);
    BusinessDate::new(2026, i8::try_from(month).unwrap(), i8::try_from(day).unwrap())
}

fn pan() -> Pan {
    Pan::parse(b"4111111111111111").unwrap()
}

fn books() -> Books {
    let mut books = Books::default();
    books.open(&pan(), Amount::new(START).unwrap());
    books
}

fn reference(stan: u32) -> Reference {
    Reference::Sent(TerminalId::parse(b"10000001").unwrap(), Stan::new(stan).unwrap(), *b"1121120000")
}

fn entry(kind: Kind, stan: u32, amount: u64) -> Entry {
    Entry {
        kind,
        terminal: TerminalId::parse(b"10000001").unwrap(),
        stan: Stan::new(stan).unwrap(),
        merchant: None,
        rrn: None,
        pan: pan(),
        amount: Amount::new(amount).unwrap(),
        currency: Some(Currency::CNY),
        date: day(0),
        code: None,
        to: None,
        follows: Vec::new(),
        references: vec![reference(stan)],
    }
}

fn balance(books: &Books) -> u64 {
    books.account(&pan()).unwrap().balance.minor()
}

/// A request that names the one of trace number `original`.
fn following(kind: Kind, original: u32, stan: u32, amount: u64) -> Entry {
    Entry { follows: vec![reference(original)], ..entry(kind, stan, amount) }
}

/// Enters it as something that the issuer has nothing against.
fn code(books: &mut Books, entry: Entry) -> &'static str {
    books.enter(entry, ResponseCode::Approved).code.code()
}

/// Balance and holds.
fn stands(books: &Books) -> (u64, u64) {
    let account = books.account(&pan()).unwrap();
    (account.balance.minor(), account.held.minor())
}

#[test]
fn a_reversal_undoes_once_however_often_it_comes() {
    let mut books = books();
    books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
    assert_eq!(balance(&books), 700);
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Undone);
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Nothing);
    assert_eq!(balance(&books), START);
}

#[test]
fn an_original_that_comes_after_its_reversal_is_declined() {
    let mut books = books();
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Tombstone);
    let entered = books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
    assert_eq!(entered.code, ResponseCode::RelatedFailed);
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Nothing);
    assert_eq!(balance(&books), START);
}

#[test]
fn the_same_request_again_gets_the_recorded_answer_and_other_content_94() {
    let mut books = books();
    let first = books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
    let second = books.enter(entry(Kind::Sale, 1, 300), ResponseCode::Approved);
    assert_eq!((second.code, second.approval, second.again), (first.code, first.approval, true));
    let other = books.enter(entry(Kind::Sale, 1, 301), ResponseCode::Approved);
    assert_eq!(other.code, ResponseCode::DuplicateMismatch);
    assert_eq!(balance(&books), 700);
}

#[test]
fn an_advice_is_booked_whatever_is_on_the_account_and_once_however_often_it_comes() {
    let mut books = books();
    let advice = |stan, sent: &[u8; 10]| {
        let terminal = TerminalId::parse(b"10000001").unwrap();
        let rrn = Rrn::parse(b"632500000001").unwrap();
        let advised = Reference::Advised(terminal, rrn);
        let references = vec![advised, Reference::Sent(terminal, Stan::new(stan).unwrap(), *sent)];
        Entry { references, ..entry(Kind::OfflineSale, stan, START + 300) }
    };
    let first = books.enter(advice(1, b"1121120000"), ResponseCode::Approved);
    let again = books.enter(advice(2, b"1121120500"), ResponseCode::Approved);
    assert_eq!((first.again, again.again, again.approval), (false, true, first.approval));
    let account = books.account(&pan()).unwrap();
    assert_eq!((account.balance.minor(), account.overdrawn.minor()), (0, 300));
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Undone);
    let account = books.account(&pan()).unwrap();
    assert_eq!((account.balance.minor(), account.overdrawn.minor()), (START, 0));
}

#[test]
fn a_hold_lowers_what_is_available_and_not_the_balance() {
    let mut books = books();
    books.enter(entry(Kind::Authorization, 1, 900), ResponseCode::Approved);
    let account = books.account(&pan()).unwrap();
    assert_eq!((account.balance.minor(), account.available().minor()), (START, 100));
    let sale = books.enter(entry(Kind::Sale, 2, 101), ResponseCode::Approved);
    assert_eq!(sale.code, ResponseCode::FundsInsufficient);
    books.undo(&[reference(1)], day(0));
    assert_eq!(books.account(&pan()).unwrap().available().minor(), START);
}

#[test]
fn a_void_gives_the_whole_sale_back_once_and_can_be_undone_itself() {
    let mut books = books();
    code(&mut books, entry(Kind::Sale, 1, 300));
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 2, 299)), "64");
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 9, 3, 300)), "25");
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 4, 300)), "00");
    assert_eq!(stands(&books), (START, 0));
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 5, 300)), "12");
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Nothing);
    assert_eq!(books.undo(&[reference(4)], day(0)), Undo::Undone);
    assert_eq!(stands(&books), (700, 0));
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 6, 300)), "00");
}

#[test]
fn refunds_give_back_parts_of_a_sale_and_never_more_than_its_rest() {
    let mut books = books();
    code(&mut books, entry(Kind::Sale, 1, 300));
    assert_eq!(code(&mut books, following(Kind::Refund, 1, 2, 100)), "00");
    assert_eq!(code(&mut books, following(Kind::Refund, 1, 3, 201)), "61");
    assert_eq!(code(&mut books, following(Kind::Refund, 1, 4, 200)), "00");
    assert_eq!(code(&mut books, following(Kind::Refund, 1, 5, 1)), "61");
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 6, 300)), "12");
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Nothing);
    assert_eq!(stands(&books), (START, 0));
    assert_eq!(books.undo(&[reference(4)], day(0)), Undo::Undone);
    assert_eq!(code(&mut books, following(Kind::Refund, 1, 7, 200)), "00");
}

#[test]
fn another_cards_follow_up_finds_no_original() {
    let mut books = books();
    let other = Pan::parse(b"5555555555554444").unwrap();
    books.open(&other, Amount::new(START).unwrap());
    code(&mut books, entry(Kind::Sale, 1, 300));
    let refund = Entry { pan: other, ..following(Kind::Refund, 1, 2, 100) };
    assert_eq!(code(&mut books, refund), "25");
}

#[test]
fn a_completion_takes_what_is_held_and_its_void_holds_it_again() {
    let mut books = books();
    code(&mut books, entry(Kind::Authorization, 1, 400));
    assert_eq!(code(&mut books, following(Kind::Increment, 1, 2, 100)), "00");
    assert_eq!(stands(&books), (START, 500));
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 3, 576)), "61");
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 4, 575)), "00");
    assert_eq!(stands(&books), (425, 0));
    assert_eq!(code(&mut books, following(Kind::CompletionAdvice, 1, 5, 100)), "12");
    assert_eq!(code(&mut books, following(Kind::AuthorizationVoid, 1, 6, 400)), "12");
    assert_eq!(code(&mut books, following(Kind::CompletionVoid, 4, 7, 575)), "00");
    assert_eq!(stands(&books), (START, 500));
    assert_eq!(books.undo(&[reference(7)], day(0)), Undo::Undone);
    assert_eq!(stands(&books), (425, 0));
    assert_eq!(books.undo(&[reference(4)], day(0)), Undo::Undone);
    assert_eq!(stands(&books), (START, 500));
    assert_eq!(code(&mut books, following(Kind::AuthorizationVoid, 1, 8, 500)), "00");
    assert_eq!(stands(&books), (START, 0));
}

#[test]
fn a_hold_that_is_undone_lets_go_what_was_added_to_it() {
    let mut books = books();
    code(&mut books, entry(Kind::Authorization, 1, 300));
    assert_eq!(code(&mut books, following(Kind::Increment, 1, 2, 200)), "00");
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Undone);
    assert_eq!(books.undo(&[reference(2)], day(0)), Undo::Nothing);
    assert_eq!(stands(&books), (START, 0));
}

#[test]
fn a_voided_completion_does_not_stand_again_beside_another() {
    let mut books = books();
    code(&mut books, entry(Kind::Authorization, 1, 300));
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 2, 300)), "00");
    assert_eq!(code(&mut books, following(Kind::CompletionVoid, 2, 3, 300)), "00");
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 4, 250)), "00");
    assert_eq!(books.undo(&[reference(3)], day(0)), Undo::Nothing);
    assert_eq!(stands(&books), (START - 250, 0));
}

#[test]
fn a_part_of_an_increment_is_held_and_completed() {
    let mut books = books();
    code(&mut books, entry(Kind::Authorization, 1, 300));
    let more = books.enter(following(Kind::Increment, 1, 2, 200), ResponseCode::ApprovedPartial);
    assert_eq!((more.partial, stands(&books)), (Amount::new(100), (START, 400)));
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 3, 461)), "61");
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 4, 460)), "00");
}

#[test]
fn a_completion_that_is_told_may_overdraw_and_one_that_asks_may_not() {
    let mut books = books();
    code(&mut books, entry(Kind::Authorization, 1, 900));
    code(&mut books, entry(Kind::Sale, 2, 100));
    assert_eq!(code(&mut books, following(Kind::Completion, 1, 3, 901)), "51");
    assert_eq!(code(&mut books, following(Kind::CompletionAdvice, 1, 4, 1_000)), "00");
    let account = books.account(&pan()).unwrap();
    assert_eq!((account.balance.minor(), account.held.minor(), account.overdrawn.minor()), (0, 0, 100));
}

#[test]
fn a_hold_lasts_for_thirty_days() {
    let mut books = books();
    code(&mut books, entry(Kind::Authorization, 1, 400));
    let later = |kind, stan, after| Entry { date: day(after), ..following(kind, 1, stan, 100) };
    assert_eq!(code(&mut books, later(Kind::Increment, 2, 30)), "00");
    assert_eq!(code(&mut books, later(Kind::Completion, 3, 31)), "22");
    assert_eq!(stands(&books), (START, 100));
}

#[test]
fn an_adjustment_sets_the_amount_and_the_last_one_can_be_taken_back() {
    let mut books = books();
    code(&mut books, entry(Kind::Sale, 1, 300));
    assert_eq!(code(&mut books, following(Kind::Adjustment, 1, 2, 345)), "00");
    assert_eq!(stands(&books), (655, 0));
    assert_eq!(code(&mut books, following(Kind::Adjustment, 1, 3, 330)), "00");
    assert_eq!(books.undo(&[reference(2)], day(0)), Undo::Nothing);
    assert_eq!(books.undo(&[reference(3)], day(0)), Undo::Undone);
    assert_eq!(stands(&books), (655, 0));
    assert_eq!(code(&mut books, following(Kind::Refund, 1, 4, 346)), "61");
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Undone);
    assert_eq!(stands(&books), (START, 0));
}

#[test]
fn a_transfer_moves_money_to_another_account_or_out_of_the_bank() {
    let mut books = books();
    let (own, foreign) = (Pan::parse(b"5555555555554444").unwrap(), Pan::parse(b"6225000000000253").unwrap());
    books.open(&own, Amount::ZERO);
    let to = |to, stan| Entry { to, ..entry(Kind::Transfer, stan, 300) };
    assert_eq!(code(&mut books, to(None, 1)), "12");
    assert_eq!(code(&mut books, to(Some(pan()), 2)), "12");
    assert_eq!(code(&mut books, to(Some(own), 3)), "00");
    assert_eq!(code(&mut books, to(Some(foreign), 4)), "00");
    assert_eq!((balance(&books), books.account(&own).unwrap().balance.minor()), (400, 300));
    assert_eq!(code(&mut books, Entry { amount: Amount::new(401).unwrap(), ..to(Some(own), 5) }), "51");
    assert_eq!(books.undo(&[reference(3)], day(0)), Undo::Undone);
    assert_eq!((balance(&books), books.account(&own).unwrap().balance.minor()), (700, 0));
}

#[test]
fn a_partial_approval_books_half_and_its_void_and_reversal_give_half_back() {
    let mut books = books();
    let entered = books.enter(entry(Kind::Sale, 1, 301), ResponseCode::ApprovedPartial);
    assert_eq!((entered.code.code(), entered.partial.map(Amount::minor)), ("10", Some(150)));
    let again = books.enter(entry(Kind::Sale, 1, 301), ResponseCode::ApprovedPartial);
    assert_eq!((again.again, again.partial.map(Amount::minor)), (true, Some(150)));
    assert_eq!(stands(&books), (850, 0));
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 2, 301)), "64");
    assert_eq!(code(&mut books, following(Kind::SaleVoid, 1, 3, 150)), "00");
    assert_eq!(books.undo(&[reference(3)], day(0)), Undo::Undone);
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Undone);
    assert_eq!(stands(&books), (START, 0));
}

/// A payment by the code that ends so.
fn by_code(stan: u32, minor: u64, code: &str) -> Entry {
    Entry { code: Some(code.into()), ..entry(Kind::Sale, stan, minor) }
}

#[test]
fn a_payment_code_is_good_for_one_payment() {
    let mut books = books();
    assert_eq!(code(&mut books, by_code(1, 300, "0001")), "00");
    assert_eq!(code(&mut books, by_code(2, 300, "0001")), "54", "it is spent");
    assert_eq!(code(&mut books, by_code(1, 300, "0001")), "00", "a repeat gets the recorded answer");
    assert_eq!(books.undo(&[reference(1)], day(0)), Undo::Undone);
    assert_eq!(code(&mut books, by_code(3, 300, "0001")), "54", "what is undone does not make it good again");
    assert_eq!(code(&mut books, by_code(4, START + 1, "0002")), "51");
    assert_eq!(code(&mut books, by_code(5, 300, "0002")), "00", "what was declined did not spend it");
    assert_eq!(stands(&books), (START - 300, 0));
}

#[test]
fn a_payment_by_code_gets_a_voucher_by_which_it_is_voided() {
    let mut books = books();
    let paid = books.enter(by_code(1, 300, "0001"), ResponseCode::Approved);
    let voucher = Reference::Voucher(paid.voucher.unwrap());
    assert_eq!(books.enter(entry(Kind::Sale, 2, 1), ResponseCode::Approved).voucher, None);
    let void = Entry { follows: vec![voucher], ..entry(Kind::SaleVoid, 3, 300) };
    assert_eq!(code(&mut books, void), "00");
    assert_eq!(stands(&books), (START - 1, 0));
}

#[test]
fn what_moves_nothing_is_answered_and_moves_nothing() {
    let mut books = books();
    for (stan, kind) in (1..).zip([Kind::Verification, Kind::Balance, Kind::ScriptNotice]) {
        assert_eq!(code(&mut books, entry(kind, stan, 0)), "00");
    }
    assert_eq!(code(&mut books, entry(Kind::OfflineRefund, 9, 50)), "00");
    assert_eq!(stands(&books), (START + 50, 0));
}

const KINDS: [Kind; 15] = [
    Kind::Sale,
    Kind::Authorization,
    Kind::OfflineSale,
    Kind::AuthorizationAdvice,
    Kind::SaleVoid,
    Kind::AuthorizationVoid,
    Kind::Increment,
    Kind::Completion,
    Kind::CompletionAdvice,
    Kind::CompletionVoid,
    Kind::Refund,
    Kind::OfflineRefund,
    Kind::Adjustment,
    Kind::Transfer,
    Kind::Balance,
];

/// One step of a history: of which kind (beyond the last: a reversal), on which card, under which trace number,
/// naming which, how much, and how many days after the step before.
fn step() -> impl Strategy<Value = (usize, bool, u32, u32, u64, u8)> {
    // Follow-ups fit what came before only if numbers and amounts are few.
    let amounts = prop_oneof![3 => Just(100u64), 2 => Just(115), 1 => Just(50), 2 => 0u64..600];
    let days = prop_oneof![9 => Just(0u8), 2 => Just(1), 1 => Just(20)];
    (0..KINDS.len() + 3, any::<bool>(), 1u32..14, 1u32..14, amounts, days)
}

/// The cards of histories.
fn pair() -> [Pan; 2] {
    [pan(), Pan::parse(b"5555555555554444").unwrap()]
}

/// The end of a history, and the last of its days.
fn lived(steps: Vec<(usize, bool, u32, u32, u64, u8)>) -> (Books, u8) {
    let mut books = books();
    let cards = pair();
    books.open(&cards[1], Amount::new(START).unwrap());
    let mut today = 0;
    for (what, second, stan, original, amount, later) in steps {
        today = (today + later).min(59);
        let Some(kind) = KINDS.get(what) else {
            books.undo(&[reference(stan)], day(today));
            continue;
        };
        let (from, to) = if second { (cards[1], cards[0]) } else { (cards[0], cards[1]) };
        let request = Entry { pan: from, to: Some(to), date: day(today), ..following(*kind, original, stan, amount) };
        let given = if amount == 115 { ResponseCode::ApprovedPartial } else { ResponseCode::Approved };
        books.enter(request, given);
    }
    (books, today)
}

/// The sum of what stands so.
fn sum(books: &Books, fits: impl Fn(&Posting) -> bool) -> u64 {
    books.postings().iter().filter(|posting| fits(posting)).map(|posting| posting.amount.minor()).sum()
}

/// What the two accounts have together, what is owed to the bank taken off, and what is held.
fn together(books: &Books) -> (i64, u64) {
    let of = |pan: &Pan| books.account(pan).unwrap();
    let [one, other] = pair();
    let net = |account: Account| account.balance.minor() as i64 - account.overdrawn.minor() as i64;
    (net(of(&one)) + net(of(&other)), of(&one).held.minor() + of(&other).held.minor())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// Whatever comes, in whatever order and how often: what is gone from the accounts is exactly what stands
    /// booked less what stands given, and what is held is exactly what stands held.
    #[test]
    fn the_books_agree_with_the_accounts_to_the_cent(steps in prop::collection::vec(step(), 0..80)) {
        let (books, _) = lived(steps);
        let gone = sum(&books, |posting| posting.money == Money::Booked && posting.entry.kind != Kind::Transfer);
        let given = sum(&books, |posting| posting.money == Money::Given);
        let held = sum(&books, |posting| posting.money == Money::Held);
        prop_assert_eq!(together(&books), (2 * START as i64 - gone as i64 + given as i64, held));
        for pan in pair() {
            let account = books.account(&pan).unwrap();
            prop_assert!(account.overdrawn == Amount::ZERO || account.balance == Amount::ZERO);
        }
    }

    /// The clearing files of all days together say exactly what left the accounts.
    #[test]
    fn clearing_files_say_what_moved_to_the_cent(steps in prop::collection::vec(step(), 0..80)) {
        let (books, last) = lived(steps);
        let mut cleared = 0i64;
        for date in (0..=last).filter_map(day) {
            for row in books.postings().iter().flat_map(|posting| crate::sim::issuer::clearing::rows(posting, date)) {
                let Some(row) = row else { continue };
                let minor = row.amount.minor() as i64;
                cleared += if row.sign == crate::settle::recon::Sign::Debit { minor } else { -minor };
            }
        }
        let stayed = sum(&books, |posting| posting.money == Money::Booked && posting.entry.kind == Kind::Transfer);
        prop_assert_eq!(together(&books).0, 2 * START as i64 - cleared + stayed as i64);
    }

    /// Follow-ups never go beyond what they follow.
    #[test]
    fn nothing_is_given_back_or_completed_twice(steps in prop::collection::vec(step(), 0..80)) {
        let (books, _) = lived(steps);
        for posting in books.postings() {
            let follower = |at: &usize| &books.postings()[*at];
            let standing = |money| posting.followed_by.iter().map(follower).filter(move |follower| follower.money == money);
            let given: u64 = standing(Money::Given).map(|refund| refund.amount.minor()).sum();
            prop_assert!(given <= posting.amount.minor());
            prop_assert!(standing(Money::Voids).count() <= 1 || posting.money != Money::Booked);
        }
    }
}
