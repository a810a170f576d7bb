//! The nouns of the trade as bytes. Each is read by the constructor that checks it.

use super::CodecFault;
use super::wire::Input;
use super::wire::Wire;
use super::wire::put_counted;
use crate::ledger::ClosedBy;
use crate::ledger::DataKeyName;
use crate::ledger::Scope;
use crate::ledger::TxnId;
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
use crate::model::MaskedPan;
use crate::model::Mcc;
use crate::model::MerchantId;
use crate::model::Operator;
use crate::model::Organisation;
use crate::model::PanToken;
use crate::model::PosEntryMode;
use crate::model::ProcessingCode;
use crate::model::Product;
use crate::model::Region;
use crate::model::Rrn;
use crate::model::SealedPan;
use crate::model::Stan;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::model::Versions;
use crate::model::Voucher;
use crate::risk::Action;
use crate::risk::Counted;
use crate::risk::RiskNote;
use crate::risk::Signs;

/// A noun of fixed width: how its bytes are got, how many they are, what reads them.
macro_rules! fixed {
    ($type:ident, $what:literal, $width:literal, $get:expr, $read:expr) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let get: fn(&Self) -> [u8; $width] = $get;
                out.extend_from_slice(&get(self));
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                let read: fn([u8; $width]) -> Option<Self> = $read;
                read(input.array()?).ok_or(CodecFault::Value($what))
            }
        }
    };
}

/// Text of fixed width that the type gives and reads itself.
macro_rules! fixed_text {
    ($($type:ident $width:literal $what:literal,)+) => {$(
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(self.as_bytes());
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                let text: [u8; $width] = input.array()?;
                Self::parse(&text).ok_or(CodecFault::Value($what))
            }
        }
    )+};
}

/// A noun of variable width: how its bytes are got, what reads them.
macro_rules! counted {
    ($type:ident, $what:literal, $get:expr, $read:expr) => {
        impl Wire for $type {
            fn put(&self, out: &mut Vec<u8>) {
                let get: fn(&Self) -> &[u8] = $get;
                put_counted(get(self), out);
            }

            fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
                let read: fn(&[u8]) -> Option<Self> = $read;
                read(input.counted()?).ok_or(CodecFault::Value($what))
            }
        }
    };
}

fixed_text! {
    TerminalId 8 "terminal id",
    MerchantId 15 "merchant id",
    Rrn 12 "reference number",
    ApprovalCode 6 "approval code",
    ProcessingCode 6 "processing code",
}

fixed!(TxnId, "transaction number", 8, |id| id.0.to_be_bytes(), |bytes| Some(TxnId(u64::from_be_bytes(bytes))));
fixed!(Amount, "amount", 8, |amount| amount.minor().to_be_bytes(), |bytes| Amount::new(u64::from_be_bytes(bytes)));
fixed!(Region, "region", 2, |region| region.value().to_be_bytes(), |bytes| Region::new(u16::from_be_bytes(bytes)));
fixed!(Mcc, "category", 2, |mcc| mcc.value().to_be_bytes(), |bytes| Mcc::new(u16::from_be_bytes(bytes)));
fixed!(Signs, "sign", 4, |signs| signs.bits().to_be_bytes(), |bytes| Signs::of_bits(u32::from_be_bytes(bytes)));
fixed!(Stan, "trace number", 4, |stan| stan.value().to_be_bytes(), |bytes| Stan::new(u32::from_be_bytes(bytes)));
fixed!(BatchNumber, "batch number", 4, |batch| batch.value().to_be_bytes(), |bytes| {
    BatchNumber::new(u32::from_be_bytes(bytes))
});
fixed!(Timestamp, "time", 8, |time| time.0.to_be_bytes(), |bytes| Some(Timestamp(i64::from_be_bytes(bytes))));
fixed!(Currency, "currency", 3, |currency| currency.digits(), |digits| Currency::parse(&digits));
fixed!(Expiry, "expiry", 4, |expiry| expiry.digits(), |digits| Expiry::parse(&digits));
fixed!(PosEntryMode, "entry mode", 3, PosEntryMode::digits, |digits| PosEntryMode::parse(&digits));
fixed!(CardClass, "card class", 2, class_bytes, class_of);
fixed!(Organisation, "card organisation", 3, |organisation| *organisation.as_bytes(), |letters| Organisation::parse(
    &letters
));
fixed!(PanToken, "token", 32, |token| token.0, |bytes| Some(PanToken(bytes)));
fixed!(BusinessDate, "business date", 4, date_bytes, |[y, z, month, day]| {
    BusinessDate::new(i16::from_be_bytes([y, z]), i8::from_be_bytes([month]), i8::from_be_bytes([day]))
});

counted!(Scope, "scope", |scope| &scope.0, |bytes| Some(Scope(bytes.into())));
counted!(Operator, "operator", |operator| operator.as_str().as_bytes(), |text| {
    Operator::parse(text).filter(|operator| operator.as_str().as_bytes() == text)
});
counted!(Voucher, "voucher", Voucher::as_bytes, Voucher::parse);
counted!(Ksn, "key serial number", Ksn::as_bytes, Ksn::new);
counted!(Acquirer, "acquirer", |acquirer| acquirer.as_str().as_bytes(), Acquirer::parse);
counted!(SealedPan, "sealed card number", SealedPan::as_bytes, |bytes| {
    Some(SealedPan::new(bytes::Bytes::copy_from_slice(bytes)))
});
counted!(MaskedPan, "masked card number", |masked| masked.as_str().as_bytes(), MaskedPan::parse);
counted!(KeyBlock, "key block", |block| block.as_str().as_bytes(), |bytes| {
    std::str::from_utf8(bytes).ok().map(KeyBlock::new)
});

counted!(KeyName, "key name", |name| name.as_str().as_bytes(), |bytes| {
    std::str::from_utf8(bytes).ok().and_then(KeyName::recorded)
});

/// The product, then whether it is foreign. The organisation is an addition of its own.
fn class_bytes(class: &CardClass) -> [u8; 2] {
    let place = Product::ALL.iter().position(|product| *product == class.product).unwrap_or_default();
    [u8::try_from(place).unwrap_or_default(), u8::from(class.foreign)]
}

fn class_of([place, foreign]: [u8; 2]) -> Option<CardClass> {
    let product = *Product::ALL.get(usize::from(place))?;
    (foreign <= 1).then_some(CardClass { product, foreign: foreign == 1, ..CardClass::default() })
}

fn date_bytes(date: &BusinessDate) -> [u8; 4] {
    let (year, month, day) = date.parts();
    let [y, z] = year.to_be_bytes();
    [y, z, month.to_be_bytes()[0], day.to_be_bytes()[0]]
}

impl Wire for IssuerName {
    fn put(&self, out: &mut Vec<u8>) {
        put_counted(self.as_str().as_bytes(), out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        input.issuer()
    }
}

/// The versions of parameters, public keys, applications and contactless parameters.
impl Wire for Versions {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|version| version.put(out));
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let mut versions = Self::default();
        for version in &mut versions.0 {
            *version = Wire::take(input)?;
        }
        Ok(versions)
    }
}

/// Its three numbers.
impl Wire for Firmware {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.iter().for_each(|number| number.put(out));
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Ok(Self([Wire::take(input)?, Wire::take(input)?, Wire::take(input)?]))
    }
}

/// A byte each, in the order of the enum.
const ACTIONS: [Action; 5] = [Action::Allow, Action::Alert, Action::StepUp, Action::Decline, Action::Hold];

impl Wire for Action {
    fn put(&self, out: &mut Vec<u8>) {
        let place = ACTIONS.iter().position(|action| action == self);
        out.push(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX));
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        ACTIONS.get(usize::from(input.byte()?)).copied().ok_or(CodecFault::Value("action"))
    }
}

/// The version, then what spoke.
impl Wire for RiskNote {
    fn put(&self, out: &mut Vec<u8>) {
        self.version.put(out);
        self.hits.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let note = Self { version: Wire::take(input)?, hits: Wire::take(input)? };
        if note.hits.len() <= Self::MOST { Ok(note) } else { Err(CodecFault::Value("number of hits")) }
    }
}

/// The number itself.
impl Wire for Bin {
    fn put(&self, out: &mut Vec<u8>) {
        self.value().put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Self::new(Wire::take(input)?).ok_or(CodecFault::Value("card number range"))
    }
}

/// A byte each, in the order of the enum.
const METHODS: [EntryMethod; 8] = [
    EntryMethod::Unspecified,
    EntryMethod::Manual,
    EntryMethod::Swipe,
    EntryMethod::Code,
    EntryMethod::Chip,
    EntryMethod::Tap,
    EntryMethod::Fallback,
    EntryMethod::Other,
];

impl Wire for EntryMethod {
    fn put(&self, out: &mut Vec<u8>) {
        let place = METHODS.iter().position(|method| method == self);
        out.push(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX));
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        METHODS.get(usize::from(input.byte()?)).copied().ok_or(CodecFault::Value("way of entry"))
    }
}

/// What is counted as a number, then whose it is.
impl Wire for Counted {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Terminal(terminal) => {
                out.push(0);
                terminal.put(out);
            }
            Self::StandInTerminal(terminal) => {
                out.push(1);
                terminal.put(out);
            }
            Self::StandInCard(token) => {
                out.push(2);
                token.put(out);
            }
            Self::Card(token) => {
                out.push(3);
                token.put(out);
            }
            Self::Merchant(merchant) => {
                out.push(4);
                merchant.put(out);
            }
            Self::Bin(bin) => {
                out.push(5);
                bin.put(out);
            }
            Self::Entry(terminal, method) => {
                out.push(6);
                terminal.put(out);
                method.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Ok(match input.byte()? {
            0 => Self::Terminal(Wire::take(input)?),
            1 => Self::StandInTerminal(Wire::take(input)?),
            2 => Self::StandInCard(Wire::take(input)?),
            3 => Self::Card(Wire::take(input)?),
            4 => Self::Merchant(Wire::take(input)?),
            5 => Self::Bin(Wire::take(input)?),
            6 => Self::Entry(Wire::take(input)?, Wire::take(input)?),
            _ => return Err(CodecFault::Value("counter")),
        })
    }
}

/// 0 alone, or 1 and the date.
impl Wire for DataKeyName {
    fn put(&self, out: &mut Vec<u8>) {
        let date = match self {
            Self::Token => None,
            Self::Seal(date) => Some(*date),
        };
        date.put(out);
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        let date: Option<BusinessDate> = Wire::take(input)?;
        Ok(date.map_or(Self::Token, Self::Seal))
    }
}

/// 0 alone, or 1, who and why.
impl Wire for ClosedBy {
    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Terminal => out.push(0),
            Self::Operator { actor, reason } => {
                out.push(1);
                actor.put(out);
                reason.put(out);
            }
        }
    }

    fn take(input: &mut Input<'_>) -> Result<Self, CodecFault> {
        Ok(match input.byte()? {
            0 => Self::Terminal,
            1 => Self::Operator { actor: Wire::take(input)?, reason: Wire::take(input)? },
            _ => return Err(CodecFault::Value("who closed")),
        })
    }
}
