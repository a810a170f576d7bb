//! Arbitrary records, made of bytes that proptest chooses and shrinks.

use crate::ledger::ClosedBy;
use crate::ledger::DataKeyName;
use crate::ledger::Scope;
use crate::ledger::TxnId;
use crate::ledger::record::Record;
use crate::model::Acquirer;
use crate::model::Amount;
use crate::model::ApprovalCode;
use crate::model::BatchNumber;
use crate::model::Bin;
use crate::model::BusinessDate;
use crate::model::CardClass;
use crate::model::Currency;
use crate::model::EntryMethod;
use crate::model::Expiry;
use crate::model::Firmware;
use crate::model::IssuerName;
use crate::model::KeyBlock;
use crate::model::KeyName;
use crate::model::Ksn;
use crate::model::LadderStep;
use crate::model::MaskedPan;
use crate::model::Mcc;
use crate::model::MerchantId;
use crate::model::Operator;
use crate::model::Organisation;
use crate::model::Pan;
use crate::model::PanToken;
use crate::model::PosEntryMode;
use crate::model::ProcessingCode;
use crate::model::Product;
use crate::model::Region;
use crate::model::RemoteAction;
use crate::model::RemoteActions;
use crate::model::ResponseCode;
use crate::model::Revised;
use crate::model::Rrn;
use crate::model::SealedPan;
use crate::model::Stan;
use crate::model::Standing;
use crate::model::Subject;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::model::Versions;
use crate::model::Voucher;
use crate::risk::Action;
use crate::risk::Counted;
use crate::risk::MemoryRow;
use crate::risk::RiskNote;
use crate::risk::Signs;
use bytes::Bytes;
use proptest::prelude::Strategy;
use smallvec::SmallVec;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::sync::Arc;

/// Any record.
pub(in crate::ledger) fn record() -> impl Strategy<Value = Record> {
    proptest::collection::vec(proptest::num::u8::ANY, 0..600).prop_map(|bytes| Record::make(&mut Source::new(bytes)))
}

/// Choices: bytes, and zeros behind them.
pub(in crate::ledger) struct Source(std::vec::IntoIter<u8>);

impl Source {
    pub(in crate::ledger) fn new(bytes: Vec<u8>) -> Self {
        Self(bytes.into_iter())
    }

    pub(super) fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.0.next().unwrap_or(0))
    }

    fn below(&mut self, limit: u64) -> u64 {
        u64::from_be_bytes(self.array()) % limit
    }

    pub(in crate::ledger) fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        let [byte] = self.array();
        values[usize::from(byte) % values.len()]
    }

    fn text(&mut self, length: std::ops::RangeInclusive<usize>, letters: &[u8]) -> Vec<u8> {
        let [byte] = self.array();
        let length = length.start() + usize::from(byte) % (length.end() - length.start() + 1);
        (0..length).map(|_| self.one_of(letters)).collect()
    }
}

/// Makes a value of choices.
pub(in crate::ledger) trait Make {
    fn make(source: &mut Source) -> Self;
}

const DIGITS: &[u8] = b"0123456789";
const LETTERS: &[u8] = b"09AZaz ";

macro_rules! make {
    ($($type:ty: $source:ident => $value:expr;)+) => {$(
        impl Make for $type {
            fn make($source: &mut Source) -> Self {
                $value
            }
        }
    )+};
}

make! {
    bool: source => source.one_of(&[false, true]);
    u16: source => u16::from_be_bytes(source.array());
    u32: source => u32::from_be_bytes(source.array());
    u64: source => u64::from_be_bytes(source.array());
    i16: source => i16::from_be_bytes(source.array());
    Bytes: source => Bytes::from(source.text(0..=200, &[0, 1, 127, 128, 255]));
    Cow<'static, str>: source => Cow::Owned(String::from_utf8(source.text(0..=20, LETTERS)).unwrap());
    Arc<str>: source => String::from_utf8(source.text(0..=20, LETTERS)).unwrap().into();
    Box<str>: source => String::from_utf8(source.text(0..=20, LETTERS)).unwrap().into();
    Region: source => Region::new(source.one_of(&[0, 1_100, 9_999])).unwrap();
    Mcc: source => Mcc::new(source.one_of(&[0, 5_411, 9_999])).unwrap();
    Firmware: source => Firmware([(); 3].map(|()| u16::make(source)));
    Signs: source => Signs::of_bits(u32::make(source) & 0x7ff).unwrap();
    Action: source => source.one_of(&[Action::Allow, Action::Alert, Action::StepUp, Action::Decline, Action::Hold]);
    RiskNote: source => RiskNote { version: Make::make(source), hits: Make::make(source) };
    Standing: source => source.one_of(&[Standing::Active, Standing::Suspended, Standing::Terminated]);
    RemoteAction: source => source.one_of(&RemoteAction::ALL);
    RemoteActions: source => RemoteActions::of_bits(source.one_of(&[0, 1, 6, 7])).unwrap();
    Revised: source => source.one_of(&Revised::ALL);
    MemoryRow: source => MemoryRow(Make::make(source));
    Subject: source => match bool::make(source) {
        false => Subject::Terminal(TerminalId::make(source)),
        true => Subject::Merchant(MerchantId::make(source)),
    };
    LadderStep: source => match source.one_of(&[0, 1, 2, 3, 4, 5, 6]) {
        0 => LadderStep::Warn,
        1 => LadderStep::Fine(Amount::make(source)),
        2 => LadderStep::Suspend,
        3 => LadderStep::Resume,
        4 => LadderStep::Terminate,
        5 => LadderStep::Ask(Make::make(source)),
        _ => LadderStep::Done(Make::make(source)),
    };
    TxnId: source => TxnId(u64::from_be_bytes(source.array()));
    Amount: source => Amount::new(source.below(1_000_000_000_000)).unwrap();
    Stan: source => Stan::new(u32::try_from(1 + source.below(999_999)).unwrap()).unwrap();
    BatchNumber: source => BatchNumber::new(u32::try_from(source.below(1_000_000)).unwrap()).unwrap();
    Timestamp: source => Timestamp(i64::from_be_bytes(source.array()));
    Currency: source => Currency::parse(&source.text(3..=3, DIGITS)).unwrap();
    Expiry: source => Expiry::parse(format!("{:02}{:02}", source.below(100), 1 + source.below(12)).as_bytes()).unwrap();
    PosEntryMode: source => PosEntryMode::parse(&source.text(3..=3, DIGITS)).unwrap();
    PanToken: source => PanToken(source.array());
    CardClass: source => CardClass {
        product: source.one_of(&Product::ALL),
        foreign: bool::make(source),
        organisation: source.one_of(&[Organisation::CUP, Organisation::parse(b"VIS").unwrap()]),
    };
    Versions: source => Versions([(); 4].map(|()| u32::make(source)));
    Ksn: source => match bool::make(source) {
        false => Ksn::new(&<[u8; 10]>::make(source)).unwrap(),
        true => Ksn::new(&<[u8; 12]>::make(source)).unwrap(),
    };
    Operator: source => Operator::parse(&source.text(1..=3, b"09Az")).unwrap();
    Voucher: source => Voucher::parse(&source.text(1..=40, b"09Az")).unwrap();
    Scope: source => Scope(SmallVec::from_vec(source.text(0..=14, DIGITS)));
    Acquirer: source => Acquirer::parse(&source.text(1..=11, DIGITS)).unwrap();
    Bin: source => Bin::new(source.one_of(&[0, 601_428, 999_999])).unwrap();
    EntryMethod: source => source.one_of(&[EntryMethod::Unspecified, EntryMethod::Tap, EntryMethod::Other]);
    Counted: source => match source.one_of(&[0, 1, 2, 3, 4, 5, 6]) {
        0 => Counted::Terminal(TerminalId::make(source)),
        1 => Counted::StandInTerminal(TerminalId::make(source)),
        2 => Counted::StandInCard(PanToken::make(source)),
        3 => Counted::Card(PanToken::make(source)),
        4 => Counted::Merchant(MerchantId::make(source)),
        5 => Counted::Bin(Bin::make(source)),
        _ => Counted::Entry(TerminalId::make(source), EntryMethod::make(source)),
    };
    ClosedBy: source => match bool::make(source) {
        false => ClosedBy::Terminal,
        true => ClosedBy::Operator { actor: Make::make(source), reason: Make::make(source) },
    };
    SealedPan: source => SealedPan::new(Bytes::make(source));
    MaskedPan: source => Pan::parse(&source.text(8..=19, DIGITS)).unwrap().masked();
    KeyBlock: source => KeyBlock::new(std::str::from_utf8(&source.text(0..=150, LETTERS)).unwrap());
    KeyName: source => KeyName::recorded(std::str::from_utf8(&source.text(1..=64, b"az09-/_.")).unwrap()).unwrap();
    IssuerName: source => IssuerName::parse(std::str::from_utf8(&source.text(1..=32, b"az09-")).unwrap()).unwrap();
    TerminalId: source => TerminalId::parse(&source.text(8..=8, LETTERS)).unwrap();
    MerchantId: source => MerchantId::parse(&source.text(15..=15, LETTERS)).unwrap();
    Rrn: source => Rrn::parse(&source.text(12..=12, LETTERS)).unwrap();
    ApprovalCode: source => ApprovalCode::parse(&source.text(6..=6, LETTERS)).unwrap();
    ProcessingCode: source => ProcessingCode::parse(&source.text(6..=6, DIGITS)).unwrap();
    ResponseCode: source => source.one_of(ResponseCode::ALL);
    BusinessDate: source => {
        let year = i16::try_from(source.below(19_999)).unwrap() - 9_999;
        BusinessDate::new(year, 1 + source.one_of(&[0, 1, 11]), 1 + source.one_of(&[0, 27])).unwrap()
    };
    DataKeyName: source => Option::<BusinessDate>::make(source).map_or(DataKeyName::Token, DataKeyName::Seal);
}

impl<const N: usize> Make for [u8; N] {
    fn make(source: &mut Source) -> Self {
        source.array()
    }
}

impl<T: Make> Make for Option<T> {
    fn make(source: &mut Source) -> Self {
        bool::make(source).then(|| T::make(source))
    }
}

impl<T: Make> Make for Arc<T> {
    fn make(source: &mut Source) -> Self {
        Self::new(T::make(source))
    }
}

impl<T: Make> Make for VecDeque<T> {
    fn make(source: &mut Source) -> Self {
        let count = source.below(4);
        (0..count).map(|_| T::make(source)).collect()
    }
}

impl<T: Make, U: Make> Make for (T, U) {
    fn make(source: &mut Source) -> Self {
        (T::make(source), U::make(source))
    }
}

impl<T: Make> Make for Box<T> {
    fn make(source: &mut Source) -> Self {
        Self::new(T::make(source))
    }
}

impl<T: Make, const N: usize> Make for SmallVec<[T; N]>
where
    [T; N]: smallvec::Array<Item = T>,
{
    fn make(source: &mut Source) -> Self {
        let count = source.below(4);
        (0..count).map(|_| T::make(source)).collect()
    }
}
