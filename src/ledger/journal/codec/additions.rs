//! What came into the format after its first release: fields that a record has besides those of its table. A
//! record without any is written as it always was; one with some stands inside record [`TAG`], before them.

use super::CodecFault;
use super::wire::Input;
use super::wire::Wire;
use crate::ledger::Answer;
use crate::ledger::Intent;
use crate::ledger::record::Record;
use crate::model::BatchNumber;
use crate::model::BusinessDate;
use crate::model::CardClass;
use crate::model::Opening;
use crate::model::Operator;
use crate::model::Organisation;
use crate::model::SerialMark;
use crate::model::SessionFacts;
use crate::model::Timestamp;
use crate::model::Versions;
use crate::model::Voucher;
use crate::model::WorkingKeys;
use crate::risk::RiskNote;
use crate::risk::Scene;
use smallvec::SmallVec;
use std::sync::Arc;

/// The tag of a record with additions.
pub(super) const TAG: u8 = 16;
/// Ends the list of additions.
const END: u8 = 0;

/// Declares the additions: number, name, type. A number that was given once keeps its meaning.
macro_rules! additions {
    ($($number:literal = $field:ident: $type:ty;)+) => {
        /// The additions of one record, in order of their numbers.
        #[derive(Debug, Default, PartialEq)]
        pub(super) struct Additions {
            $($field: Option<$type>,)+
        }

        impl Wire for Additions {
            fn put(&self, out: &mut Vec<u8>) {
                $(if let Some(value) = &self.$field {
                    out.push($number);
                    value.put(out);
                })+
                out.push(END);
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                let mut additions = Self::default();
                let mut last = END;
                loop {
                    let number = input.byte()?;
                    if number == END {
                        return Ok(additions);
                    }
                    if number <= last {
                        return Err(CodecFault::Value("order of additions"));
                    }
                    last = number;
                    match number {
                        $($number => additions.$field = Some(Wire::take(input)?),)+
                        _ => return Err(CodecFault::Value("known addition")),
                    }
                }
            }
        }
    };
}

additions! {
    1 = batch: BatchNumber;
    2 = card: CardClass;
    3 = operator: Operator;
    4 = voucher: Voucher;
    5 = current: Opening;
    6 = pending: Opening;
    7 = downloaded: Versions;
    8 = organisation: Organisation;
    9 = refused_on: BusinessDate;
    10 = told_as: BatchNumber;
    11 = serial: SerialMark;
    12 = beside: Beside;
    13 = scene: Scene;
    14 = risk: Box<RiskNote>;
    15 = echo: bool;
}

/// Generations of working keys beside those in use and those of the last sign-in.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Beside {
    before: Option<Whole>,
    before_until: Option<Timestamp>,
    unused: SmallVec<[Whole; 1]>,
}

/// Working keys with all that belongs to them.
#[derive(Debug, PartialEq)]
struct Whole(WorkingKeys);

impl Wire for Beside {
    fn put(&self, out: &mut Vec<u8>) {
        self.before.put(out);
        self.before_until.put(out);
        self.unused.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Ok(Self { before: Wire::take(input)?, before_until: Wire::take(input)?, unused: Wire::take(input)? })
    }
}

impl Wire for Whole {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.0.opening.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let keys = WorkingKeys::take(input)?;
        Ok(Self(WorkingKeys { opening: Wire::take(input)?, ..keys }))
    }
}

impl Beside {
    fn of(facts: &SessionFacts) -> Self {
        Self {
            before: facts.before.clone().map(Whole),
            before_until: facts.before_until,
            unused: facts.unused.iter().cloned().map(Whole).collect(),
        }
    }
}

impl Additions {
    /// Those of `record`.
    pub(super) fn of(record: &Record) -> Self {
        let (intent, facts) = (intent(record), facts(record));
        let opening =
            |keys: Option<&WorkingKeys>| keys.map(|keys| keys.opening).filter(|opening| *opening != Opening::default());
        Self {
            batch: intent.and_then(|intent| intent.batch),
            card: intent.map(|intent| without_organisation(intent.card)).filter(|card| *card != CardClass::default()),
            operator: intent.and_then(|intent| intent.operator),
            voucher: answer(record).and_then(|answer| answer.voucher.clone()),
            current: opening(facts.and_then(|facts| facts.current.as_ref())),
            pending: opening(facts.and_then(|facts| facts.pending.as_ref())),
            downloaded: facts.map(|facts| facts.downloaded).filter(|versions| *versions != Versions::default()),
            organisation: intent
                .map(|intent| intent.card.organisation)
                .filter(|organisation| *organisation != Organisation::default()),
            refused_on: match record {
                Record::Refused(.., date) => *date,
                _ => None,
            },
            told_as: match record {
                Record::Batch(batch) => batch.told_as,
                _ => None,
            },
            serial: facts.and_then(|facts| facts.serial),
            beside: facts.map(Beside::of).filter(|beside| *beside != Beside::default()),
            scene: intent.map(|intent| &intent.scene).filter(|scene| **scene != Scene::default()).cloned(),
            risk: intent.and_then(|intent| intent.risk.clone()),
            echo: intent.map(|intent| intent.echo).filter(|echo| *echo),
        }
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// `record` with them; a fault if there is none, or the record has no place for one.
    pub(super) fn added_to(self, mut record: Record) -> Result<Record, CodecFault> {
        if let Some(intent) = intent_mut(&mut record) {
            intent.batch = self.batch;
            let organisation = self.organisation.unwrap_or_default();
            intent.card = CardClass { organisation, ..self.card.unwrap_or_default() };
            intent.operator = self.operator;
            intent.scene = self.scene.clone().unwrap_or_default();
            intent.risk.clone_from(&self.risk);
            intent.echo = self.echo.unwrap_or_default();
        }
        if let Some(answer) = answer_mut(&mut record) {
            answer.voucher.clone_from(&self.voucher);
        }
        if let Record::Refused(.., date) = &mut record {
            *date = self.refused_on;
        }
        if let Record::Batch(batch) = &mut record {
            batch.told_as = self.told_as;
        }
        if let Record::Terminal(_, facts) = &mut record {
            facts.downloaded = self.downloaded.unwrap_or_default();
            facts.serial = self.serial;
            if let Some(beside) = &self.beside {
                facts.before = beside.before.as_ref().map(|keys| keys.0.clone());
                facts.before_until = beside.before_until;
                facts.unused = beside.unused.iter().map(|keys| keys.0.clone()).collect();
            }
            for (keys, opening) in [(&mut facts.current, self.current), (&mut facts.pending, self.pending)] {
                if let Some(keys) = keys {
                    keys.opening = opening.unwrap_or_default();
                }
            }
        }
        let fits = !self.is_empty() && Self::of(&record) == self;
        if fits { Ok(record) } else { Err(CodecFault::Value("place for an addition")) }
    }
}

/// What addition 2 says of a card.
fn without_organisation(card: CardClass) -> CardClass {
    CardClass { organisation: Organisation::default(), ..card }
}

fn intent(record: &Record) -> Option<&Intent> {
    match record {
        Record::Intended(intent) | Record::Declined(intent, _) => Some(intent),
        Record::Standing(standing) => Some(&standing.intent),
        _ => None,
    }
}

fn intent_mut(record: &mut Record) -> Option<&mut Intent> {
    match record {
        Record::Intended(intent) | Record::Declined(intent, _) => Some(Arc::make_mut(intent)),
        Record::Standing(standing) => Some(Arc::make_mut(&mut standing.intent)),
        _ => None,
    }
}

fn facts(record: &Record) -> Option<&SessionFacts> {
    match record {
        Record::Terminal(_, facts) => Some(facts),
        _ => None,
    }
}

fn answer(record: &Record) -> Option<&Answer> {
    match record {
        Record::Declined(_, answer) => Some(answer),
        Record::Decided(_, decision, _) => Some(&decision.answer),
        Record::Reversal(kept) => Some(&kept.answer),
        Record::Standing(standing) => standing.answer.as_ref(),
        _ => None,
    }
}

fn answer_mut(record: &mut Record) -> Option<&mut Answer> {
    match record {
        Record::Declined(_, answer) => Some(answer),
        Record::Decided(_, decision, _) => Some(&mut decision.answer),
        Record::Reversal(kept) => Some(&mut kept.answer),
        Record::Standing(standing) => standing.answer.as_mut(),
        _ => None,
    }
}
