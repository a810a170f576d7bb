//! What a mock issuer does with one message. Waits for nothing but its HSM: bytes in, effects out.

use super::book_file::BookFile;
use super::books::Account;
use super::books::Books;
use super::books::Entered;
use super::books::Entry;
use super::books::Posting;
use super::books::Reference;
use super::books::Terms;
use super::checks::CheckKeys;
use super::checks::Holder;
use super::checks::PinOnFile;
use super::reading;
use super::reading::Card;
use super::rules;
use super::rules::Delivery;
use super::rules::Rule;
use super::zone::ZoneKeys;
use crate::channel::Frame;
use crate::channel::Profile;
use crate::hsm::Ctx;
use crate::hsm::Hsm;
use crate::hsm::Kek;
use crate::hsm::MacKey;
use crate::hsm::PinKey;
use crate::iso8583::Message;
use crate::ledger::kinds;
use crate::model::BusinessDate;
use crate::model::IssuerName;
use crate::model::Kind;
use crate::model::Pan;
use crate::model::ResponseCode;
use crate::model::Timestamp;
use crate::sim::cards::TestCard;
use bytes::Bytes;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// How long the HSM may take for one call.
pub(super) const HSM_WITHIN: Ctx = Ctx { within: Duration::from_secs(2) };

/// One mock issuer's side of the agreement with the switch.
#[derive(Clone)]
pub struct BankSetup {
    /// Its name, for people.
    pub name: IssuerName,
    /// Its wire conventions.
    pub profile: Arc<Profile>,
    /// Makes and checks MACs (ZAK).
    pub mac_key: MacKey,
    /// Deciphers PIN blocks (ZPK).
    pub pin_key: PinKey,
    /// What zone keys are exchanged under (ZMK); without one a key change is refused.
    pub master_key: Option<Kek>,
    /// Check cards and PINs.
    pub keys: CheckKeys,
    /// When an answer that is to come after the switch's deadline comes.
    pub late: Duration,
    /// Minutes east of UTC, for the expiry of cards.
    pub offset_minutes: i16,
}

/// A card and what the issuer keeps to verify its PIN.
pub struct IssuedCard {
    /// The card.
    pub card: TestCard,
    /// Its PIN's reference.
    pub pin: PinOnFile,
}

/// Something the host does with the connection on which the message came.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Act {
    /// Writes these bytes, whole.
    Send(Bytes),
    /// Writes these bytes one at a time.
    Trickle(Bytes),
    /// Writes these bytes and closes the connection.
    SendAndClose(Bytes),
}

/// An act and when it is due.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Effect {
    /// How long after the message.
    pub after: Duration,
    /// What.
    pub act: Act,
}

/// What came in, counted.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct BankStats {
    /// Requests read.
    pub requests: u64,
    /// Reversals among them.
    pub reversals: u64,
    /// Advices of what was approved elsewhere.
    pub advices: u64,
    /// Messages marked as repeats.
    pub repeats: u64,
    /// Units that are no message, or no request; they are not answered.
    pub unreadable: u64,
    /// Requests whose MAC is wrong or missing; they are answered and not booked.
    pub mac_failures: u64,
}

/// A mock issuer without its sockets. The same messages in the same order give the same effects.
pub struct Bank<H> {
    pub(super) setup: BankSetup,
    pub(super) hsm: Arc<H>,
    pub(super) zone: Mutex<ZoneKeys>,
    pub(super) holders: HashMap<Pan, Holder>,
    pub(super) books: Mutex<Books>,
    /// Where the books are kept; locked before them.
    pub(super) file: Mutex<Option<BookFile>>,
    stats: Mutex<BankStats>,
}

/// An answer before it is written.
pub(super) struct Answer {
    pub(super) code: ResponseCode,
    pub(super) entered: Option<Entered>,
    pub(super) delivery: Delivery,
    /// What the chip gets in DE 55, of authentication data (91); scripts are the amount's choice.
    pub(super) to_chip: Option<Vec<u8>>,
}

impl Answer {
    fn plain(code: ResponseCode) -> Self {
        Self { code, entered: None, delivery: Delivery::Plain, to_chip: None }
    }
}

impl<H: Hsm> Bank<H> {
    /// Opens an account for each card.
    #[must_use]
    pub fn new(setup: BankSetup, hsm: Arc<H>, cards: Vec<IssuedCard>) -> Self {
        let (mut books, mut holders) = (Books::default(), HashMap::new());
        for IssuedCard { card, pin } in cards {
            books.open(&card.pan, card.balance);
            let holder = Holder { expiry: card.expiry.digits(), sequence: card.sequence, chip: card.chip, pin };
            holders.insert(card.pan, holder);
        }
        let zone = Mutex::new(ZoneKeys::new(&setup));
        let (books, file) = (Mutex::new(books), Mutex::default());
        Self { setup, hsm, zone, holders, books, file, stats: Mutex::default() }
    }

    /// How it is set up.
    #[must_use]
    pub fn setup(&self) -> &BankSetup {
        &self.setup
    }

    /// Its HSM, for hosts that write answers of their own.
    #[must_use]
    pub fn hsm(&self) -> &Arc<H> {
        &self.hsm
    }

    /// Every posting so far, in order of receipt.
    #[must_use]
    pub fn books(&self) -> Vec<Posting> {
        self.books.lock().postings().to_vec()
    }

    /// Every account, in order of card numbers.
    #[must_use]
    pub fn accounts(&self) -> Vec<(Pan, Account)> {
        self.books.lock().accounts().collect()
    }

    /// Keeps to these terms on holds from now on.
    pub fn agree(&self, terms: Terms) {
        self.books.lock().agree(terms);
    }

    /// Looks at every posting so far, in order of receipt, without a copy.
    pub(super) fn with_books<T>(&self, look: impl FnOnce(&[Posting]) -> T) -> T {
        look(self.books.lock().postings())
    }

    /// What came in so far.
    #[must_use]
    pub fn stats(&self) -> BankStats {
        *self.stats.lock()
    }

    /// Takes one unit (what follows a length header) and says what to do. Empty: nothing.
    pub async fn handle(&self, unit: Bytes, now: Timestamp) -> Vec<Effect> {
        let Some((frame, message)) = self.read(unit) else {
            self.stats.lock().unreadable += 1;
            return Vec::new();
        };
        if message.mti().is_some_and(|mti| mti.is_response()) {
            let awaited = self.key_answered(&message).await.is_some();
            self.stats.lock().unreadable += u64::from(!awaited);
            return Vec::new();
        }
        let kind = message.dialect().kind_of(&message);
        {
            let mut stats = self.stats.lock();
            stats.requests += 1;
            stats.reversals += u64::from(kind == Some(Kind::Reversal));
            stats.advices += u64::from(kind.is_some_and(|kind| kinds::of(kind).is_advice && kind != Kind::Reversal));
            stats.repeats += u64::from(message.mti().is_some_and(|mti| mti.is_repeat()));
        }
        let Some(answer) = self.decide(&message, kind, now).await else { return Vec::new() };
        self.effects(&frame, &message, &answer).await
    }

    /// Frame and message, if the unit is one.
    fn read(&self, unit: Bytes) -> Option<(Frame, Message)> {
        let frame = self.setup.profile.split(unit).ok()?;
        let message = self.setup.profile.decode(&frame).ok()?;
        message.mti()?;
        Some((frame, message))
    }

    /// What to answer; `None` is nothing at all.
    async fn decide(&self, message: &Message, kind: Option<Kind>, now: Timestamp) -> Option<Answer> {
        if !self.authentic(message, kind).await {
            self.stats.lock().mac_failures += 1;
            return Some(Answer::plain(ResponseCode::MacFailure));
        }
        let Some(kind) = kind else { return Some(Answer::plain(ResponseCode::RelatedInvalid)) };
        if message.dialect().missing(message, Some(kind)).is_some() {
            return Some(Answer::plain(ResponseCode::FormatError));
        }
        match kind {
            Kind::SignIn | Kind::SignOff | Kind::Echo => Some(Answer::plain(ResponseCode::Approved)),
            Kind::Reversal => {
                let undone = self.undo(&reading::original(message), self.today(now));
                undone.then(|| Answer::plain(ResponseCode::Approved))
            }
            Kind::KeyChange => Some(Answer::plain(self.key_change(message).await)),
            // Batches are between terminals and their host.
            Kind::Settlement | Kind::BatchUpload | Kind::Download => {
                Some(Answer::plain(ResponseCode::FunctionUnsupported))
            }
            // What tells of something done is not held against card, PIN and funds; nor is a refund, which only gives.
            _ if kinds::of(kind).is_advice || kind == Kind::Refund => self.advised(message, kind, now),
            _ => self.financial(message, kind, now).await,
        }
    }

    /// A new key is only taken from who has the old one, whatever else goes without a MAC.
    async fn authentic(&self, message: &Message, kind: Option<Kind>) -> bool {
        let profile = &self.setup.profile;
        if kind != Some(Kind::KeyChange) && !message.mti().is_some_and(|mti| profile.mac_required(mti)) {
            return true;
        }
        self.mac_holds(message).await
    }

    async fn financial(&self, message: &Message, kind: Kind, now: Timestamp) -> Option<Answer> {
        let read = reading::card(message).zip(self.entry(message, kind, now));
        let Some((card, entry)) = read else { return Some(Answer::plain(ResponseCode::FormatError)) };
        let card = Card { pan: entry.pan, ..card };
        let rule = rules::rule(entry.amount);
        let (code, delivery) = match self.refusal(message, &card, now).await {
            Some(refusal) => (refusal, Delivery::Plain),
            None if rule.booked => (rule.code, rule.delivery),
            None => return unbooked(rule),
        };
        let answer = self.enter(entry, code, delivery)?;
        let to_chip = self.to_chip(message, &card.pan, answer.code).await;
        Some(Answer { to_chip, ..answer })
    }

    /// The request as the books take it. What is paid by a code is charged to the account whose number the code
    /// begins with; the rest of the code is good once.
    fn entry(&self, message: &Message, kind: Kind, now: Timestamp) -> Option<Entry> {
        let entry = reading::entry(message, kind, self.today(now))?;
        let Some(code) = reading::payment_code(message) else { return Some(entry) };
        let mut prefixes = (1..=code.len()).rev().filter_map(|length| code.split_at_checked(length));
        let charged = prefixes.find_map(|(number, rest)| {
            let pan = Pan::parse(number.as_bytes()).filter(|pan| self.holders.contains_key(pan))?;
            Some((pan, rest))
        });
        Some(match charged {
            Some((pan, rest)) if kind == Kind::Sale => Entry { pan, code: Some(rest.into()), ..entry },
            Some((pan, _)) => Entry { pan, ..entry },
            None => entry,
        })
    }

    /// The issuer's day.
    fn today(&self, now: Timestamp) -> BusinessDate {
        now.date(self.setup.offset_minutes)
    }

    /// An advice: nothing is held against card, PIN and funds, for it is done. Only the amount may ask for
    /// trouble.
    fn advised(&self, message: &Message, kind: Kind, now: Timestamp) -> Option<Answer> {
        let Some(entry) = self.entry(message, kind, now) else {
            return Some(Answer::plain(ResponseCode::FormatError));
        };
        let rule = rules::rule(entry.amount);
        if !self.holders.contains_key(&entry.pan) {
            return Some(Answer::plain(ResponseCode::CardInvalid));
        }
        // What is not approved is not entered: it may come again, and another time be taken.
        if !rule.booked || !rule.code.is_approval() {
            return unbooked(rule);
        }
        self.enter(entry, rule.code, rule.delivery)
    }

    /// Books kept in a file note the reversal first; what cannot be noted is not done and not answered.
    fn undo(&self, original: &[Reference], date: BusinessDate) -> bool {
        let mut file = self.file.lock();
        let noted = file.as_mut().is_none_or(|file| file.undo(original, date).is_ok());
        if noted {
            self.books.lock().undo(original, Some(date));
        }
        noted
    }

    /// The same for a request.
    fn enter(&self, entry: Entry, code: ResponseCode, delivery: Delivery) -> Option<Answer> {
        let mut file = self.file.lock();
        if let Some(file) = file.as_mut().filter(|_| self.holders.contains_key(&entry.pan)) {
            file.enter(&entry, code).ok()?;
        }
        let entered = self.books.lock().enter(entry, code);
        // Trouble is for requests that went through: a repeat and a decline are answered plainly.
        let trouble = entered.code.is_approval() && !entered.again;
        let delivery = if trouble { delivery } else { Delivery::Plain };
        Some(Answer { code: entered.code, entered: Some(entered), delivery, to_chip: None })
    }
}

/// A request that never reaches the books.
fn unbooked(rule: Rule) -> Option<Answer> {
    let answer = Answer { delivery: rule.delivery, ..Answer::plain(rule.code) };
    (rule.delivery != Delivery::Never).then_some(answer)
}
