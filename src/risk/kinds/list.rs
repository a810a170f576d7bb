//! Black lists, white lists, and rules whose filters say all.

use super::{Per, Said, Speaks, View};
use crate::model::Bin;
use crate::model::MerchantId;
use crate::model::PanToken;
use crate::model::ResponseCode;
use crate::model::TerminalId;
use crate::model::Timestamp;
use crate::risk::kind_set::KindSet;
use crate::risk::rule_set::{Row, merchant, terminal};
use std::collections::HashMap;

/// Every request that the rule's filters let through.
#[derive(Debug)]
pub(in crate::risk) struct Always;

impl Speaks for Always {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(_: &mut Row<'_>) -> Option<Self> {
        Some(Self)
    }

    fn speaks(&self, _: &View<'_>) -> Option<Said> {
        Said::new(ResponseCode::NotAuthenticated, "one of the requests that the rule is for")
    }
}

/// Each with the instant until which it is listed.
type Listed<T> = HashMap<T, Option<Timestamp>>;

/// `of`: terminal, merchant, bin or card; `list`: the entries, each with an end if it has one.
#[derive(Debug)]
pub(in crate::risk) enum List {
    Terminals(Listed<TerminalId>),
    Merchants(Listed<MerchantId>),
    Bins(Listed<Bin>),
    Cards(Listed<PanToken>),
}

/// 64 hexadecimal digits: never a card number.
fn token(text: &str) -> Option<PanToken> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let nibble = |digit: u8| char::from(digit).to_digit(16).and_then(|nibble| u8::try_from(nibble).ok());
    let bytes: Option<Vec<u8>> = pairs.iter().map(|[high, low]| Some(nibble(*high)? << 4 | nibble(*low)?)).collect();
    rest.is_empty().then_some(())?;
    bytes?.try_into().ok().map(PanToken)
}

impl List {
    /// How many of its entries have ended by `now`, of how many.
    pub(super) fn lapsed(&self, now: Timestamp) -> (usize, usize) {
        fn of<T>(listed: &Listed<T>, now: Timestamp) -> (usize, usize) {
            let gone = listed.values().filter(|until| until.is_some_and(|until| until <= now)).count();
            (gone, listed.len())
        }
        match self {
            Self::Terminals(listed) => of(listed, now),
            Self::Merchants(listed) => of(listed, now),
            Self::Bins(listed) => of(listed, now),
            Self::Cards(listed) => of(listed, now),
        }
    }
}

impl Speaks for List {
    const SCOPE: KindSet = KindSet::CARDS;

    fn read(row: &mut Row<'_>) -> Option<Self> {
        let subjects =
            [("terminal", Per::Terminal), ("merchant", Per::Merchant), ("bin", Per::Bin), ("card", Per::Card)];
        let of = row.word("of", &subjects);
        let of = row.need("of", of);
        let list = match of {
            None => row.dated_list("list", "a text", |text| Some(text.to_owned())).and(None),
            Some(Per::Terminal | Per::Entry) => row
                .dated_list("list", "a terminal, up to 8 characters", terminal)
                .map(|list| Self::Terminals(list.into_iter().collect())),
            Some(Per::Merchant) => row
                .dated_list("list", "a merchant, up to 15 characters", merchant)
                .map(|list| Self::Merchants(list.into_iter().collect())),
            Some(Per::Bin) => row
                .dated_list("list", "the first six digits of cards", |text| Bin::parse(text.as_bytes()))
                .map(|list| Self::Bins(list.into_iter().collect())),
            Some(Per::Card) => row
                .dated_list("list", "a card's token, 64 hexadecimal digits", token)
                .map(|list| Self::Cards(list.into_iter().collect())),
        };
        if of.is_some() { row.need("list", list) } else { None }
    }

    fn speaks(&self, view: &View<'_>) -> Option<Said> {
        let s = view.s;
        let (until, per) = match self {
            Self::Terminals(listed) => (listed.get(&s.terminal)?, Per::Terminal),
            Self::Merchants(listed) => (listed.get(&s.merchant)?, Per::Merchant),
            Self::Bins(listed) => (listed.get(&s.scene.bin?)?, Per::Bin),
            Self::Cards(listed) => (listed.get(&s.card)?, Per::Card),
        };
        if until.is_some_and(|until| s.at >= until) {
            return None;
        }
        let end = until.map_or_else(String::new, |until| format!(" until {until}"));
        let code = match per {
            Per::Card | Per::Bin => ResponseCode::CardRestricted,
            Per::Terminal | Per::Entry => ResponseCode::TerminalForbidden,
            Per::Merchant => ResponseCode::MerchantInvalid,
        };
        Said::new(code, format!("{} is listed{end}", per.name(s)))
    }
}
