//! Merchants: who they are, how far they have come, what their terminals inherit.

use super::given::{GivenLimits, MERCHANT_FORM, currency, from, offset, region, standing};
use super::load::Defaults;
use super::names::{PROSE_FORM, prose};
use super::payout::Payout;
use super::state::MerchantState;
use super::table::{Breaches, Row};
use crate::model::Acquirer;
use crate::model::Currency;
use crate::model::Limits;
use crate::model::Mcc;
use crate::model::MerchantId;
use crate::model::Region;
use crate::model::Shop;
use crate::model::Standing;
use crate::model::Timestamp;
use std::sync::Arc;

pub(super) const COLUMNS: &[&str; 22] = &[
    "merchant",
    "name",
    "name_en",
    "acquirer",
    "state",
    "standing",
    "mcc",
    "account",
    "cycle",
    "cut_off",
    "currency",
    "offset_minutes",
    "least",
    "most",
    "daily_amount",
    "daily_count",
    "region",
    "address",
    "contact",
    "licence",
    "numbered",
    "from",
];

/// A shop: what a receipt shows, and what its terminals inherit.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Merchant {
    /// DE 42.
    pub id: MerchantId,
    /// Its name as its receipts print it; may be Chinese.
    pub name: Box<str>,
    /// Its name in English, if it has one.
    pub name_en: Option<Box<str>>,
    /// How far it has come.
    pub state: MerchantState,
    /// Its standing, which follows from that.
    pub standing: Standing,
    /// How it is paid.
    pub payout: Payout,
    /// Where it is.
    pub region: Option<Region>,
    /// Where it is, in words.
    pub address: Option<Box<str>>,
    /// Whom to call.
    pub contact: Option<Box<str>>,
    /// The number of its business licence.
    pub licence: Option<Box<str>>,
    /// Its acquirer, DE 32.
    pub acquirer: Acquirer,
    /// What its terminals sell in, unless they say otherwise.
    pub currency: Currency,
    /// Minutes east of UTC of its terminals' clocks, unless they say otherwise.
    pub offset_minutes: i16,
    /// Bounds of each of its terminals, unless they have their own.
    pub limits: Limits,
    /// What its terminals share.
    pub(super) shop: Arc<Shop>,
}

impl Merchant {
    /// Reads one row, and from when on it holds; `None` if it has no number or no name.
    pub(super) fn read<const N: usize>(
        row: &Row<'_, N>,
        defaults: &Defaults,
        breaches: &mut Breaches,
    ) -> Option<(Self, Option<Timestamp>)> {
        let id = row.required("merchant", MERCHANT_FORM, |text| MerchantId::parse(text.as_bytes()), breaches);
        let name: Option<Box<str>> = row.required("name", PROSE_FORM, prose, breaches).map(Box::from);
        let name_en: Option<Box<str>> = row.optional("name_en", PROSE_FORM, prose, breaches).map(Box::from);
        let acquirer = row.optional("acquirer", "1 to 11 digits", |text| Acquirer::parse(text.as_bytes()), breaches);
        let state = state(row, breaches);
        let payout = Payout::read(row, breaches);
        let currency = currency(row, breaches).unwrap_or(defaults.currency);
        let offset_minutes = offset(row, breaches).unwrap_or(defaults.offset_minutes);
        let limits = GivenLimits::read(row, breaches).over(&defaults.limits, row, breaches);
        let region = region(row, breaches);
        let mut words = |column: &str| row.optional(column, PROSE_FORM, prose, breaches).map(Box::from);
        let (address, contact, licence) = (words("address"), words("contact"), words("licence"));
        let numbered = row.optional("numbered", "true or false", |text| text.parse().ok(), breaches).unwrap_or(false);
        let from = from(row, breaches);
        let (id, name) = (id?, name?);
        if numbered {
            check_number(row, id, region, payout.mcc, breaches);
        }
        let shop = Shop { name: name.clone(), name_en: name_en.clone(), mcc: payout.mcc, region };
        let merchant = Self {
            id,
            name,
            name_en,
            state,
            standing: state.standing(),
            payout,
            region,
            address,
            contact,
            licence,
            acquirer: acquirer.unwrap_or(defaults.acquirer),
            currency,
            offset_minutes,
            limits,
            shop: Arc::new(shop),
        };
        Some((merchant, from))
    }
}

/// The column `state`, or `standing`, the older word for it; both if they mean the same.
fn state<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> MerchantState {
    let form = "applied, reviewing, active, suspended or closed";
    let state = row.optional("state", form, MerchantState::parse, breaches);
    let standing = standing(row, breaches);
    if let (Some(state), Some(standing)) = (state, standing)
        && state.standing() != standing
    {
        let what = format!("standing: {} contradicts the state {}", standing.name(), state.name());
        row.breach("standing", what, breaches);
    }
    state.or(standing.map(MerchantState::of)).unwrap_or_default()
}

/// A number made by the Chinese rule: acquirer 3, region 4, category 4, serial 4.
fn check_number<const N: usize>(
    row: &Row<'_, N>,
    id: MerchantId,
    region: Option<Region>,
    mcc: Option<Mcc>,
    breaches: &mut Breaches,
) {
    let text = id.as_str();
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return row.breach("merchant", "merchant: a numbered one has 15 digits", breaches);
    }
    let places = [
        ("region", 3..7, region.map(|region| region.to_string()), "4 to 7"),
        ("mcc", 7..11, mcc.map(|mcc| mcc.to_string()), "8 to 11"),
    ];
    for (column, place, said, in_words) in places {
        let numbered = text.get(place).unwrap_or_default();
        if said.is_some_and(|said| said != numbered) {
            let what = format!("{column}: the merchant's number says {numbered} in places {in_words}");
            row.breach(column, what, breaches);
        }
    }
}
