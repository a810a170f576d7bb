//! What a terminal's row says, or its template, or its group: whoever says it first.

use super::names::{LABEL_FORM, Names, PROSE_FORM, label, prose};
use super::renewal::sign_in_after;
use super::table::{Breaches, Row};
use crate::model::Amount;
use crate::model::Capabilities;
use crate::model::Currency;
use crate::model::KeyName;
use crate::model::Limits;
use crate::model::MerchantId;
use crate::model::NetworkPolicy;
use crate::model::Region;
use crate::model::Standing;
use crate::model::TerminalClass;
use crate::model::Timestamp;
use std::sync::Arc;

pub(super) const MERCHANT_FORM: &str = "15 characters";

/// A table's columns: its own, those that terminals, templates and groups have alike, and its own again. The first one
/// names a row.
macro_rules! columns {
    ([$($before:literal),*], [$($behind:literal),*]) => {
        &[
            $($before,)*
            "class",
            "capabilities",
            "region",
            "address",
            "network",
            "custodian",
            "currency",
            "offset_minutes",
            "standing",
            "test_mode",
            "sign_in_after",
            "least",
            "most",
            "daily_amount",
            "daily_count",
            $($behind,)*
        ]
    };
}

pub(super) const TERMINAL: &[&str; 24] =
    columns!(["terminal", "template", "merchant", "group", "master_key"], ["ksn", "certificate", "device", "from"]);
pub(super) const TEMPLATE: &[&str; 21] =
    columns!(["template", "inherits", "merchant", "group", "master_key"], ["from"]);
pub(super) const GROUP: &[&str; 17] = columns!(["group"], ["from"]);

/// The columns that many terminals may have in common; nothing where nothing is said.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) merchant: Option<MerchantId>,
    pub(super) group: Option<Arc<str>>,
    pub(super) class: Option<TerminalClass>,
    pub(super) capabilities: Option<Capabilities>,
    pub(super) region: Option<Region>,
    pub(super) address: Option<Arc<str>>,
    pub(super) network: Option<NetworkPolicy>,
    pub(super) custodian: Option<Arc<str>>,
    pub(super) standing: Option<Standing>,
    pub(super) test_mode: Option<bool>,
    pub(super) master_key: Option<Option<KeyName>>,
    pub(super) sign_in_after: Option<Timestamp>,
    pub(super) currency: Option<Currency>,
    pub(super) offset_minutes: Option<i16>,
    pub(super) limits: GivenLimits,
}

/// Bounds as a row says them; `Some(None)` is `none`, which lifts what would be inherited.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct GivenLimits {
    least: Option<Option<Amount>>,
    most: Option<Option<Amount>>,
    daily_amount: Option<Option<Amount>>,
    daily_count: Option<Option<u32>>,
}

impl Given {
    /// Reads those of its columns that the table has.
    pub(super) fn read<const N: usize>(row: &Row<'_, N>, names: &mut Names, breaches: &mut Breaches) -> Self {
        let merchant = row.optional("merchant", MERCHANT_FORM, |text| MerchantId::parse(text.as_bytes()), breaches);
        let group = row.optional("group", LABEL_FORM, label, breaches).map(|name| names.shared(name));
        let master_key = row.optional("master_key", "a key name or none", master_key, breaches);
        let class = "fixed, mobile, wireless or unattended";
        let class = row.optional("class", class, TerminalClass::parse, breaches);
        let capabilities = capabilities(row, breaches);
        let region = region(row, breaches);
        let address = row.optional("address", PROSE_FORM, prose, breaches).map(Arc::from);
        let network = names.policy(row, breaches);
        let custodian = names.prose(row, "custodian", breaches);
        let currency = currency(row, breaches);
        let offset_minutes = offset(row, breaches);
        let standing = standing(row, breaches);
        let test_mode = row.optional("test_mode", "true or false", |text| text.parse().ok(), breaches);
        let sign_in_after = sign_in_after(row, breaches);
        let limits = GivenLimits::read(row, breaches);
        Self {
            merchant,
            group,
            class,
            capabilities,
            region,
            address,
            network,
            custodian,
            standing,
            test_mode,
            master_key,
            sign_in_after,
            currency,
            offset_minutes,
            limits,
        }
    }

    /// These, and where they say nothing, those.
    pub(super) fn or(self, other: &Self) -> Self {
        Self {
            merchant: self.merchant.or(other.merchant),
            group: self.group.or_else(|| other.group.clone()),
            class: self.class.or(other.class),
            capabilities: self.capabilities.or(other.capabilities),
            region: self.region.or(other.region),
            address: self.address.or_else(|| other.address.clone()),
            network: self.network.or_else(|| other.network.clone()),
            custodian: self.custodian.or_else(|| other.custodian.clone()),
            standing: self.standing.or(other.standing),
            test_mode: self.test_mode.or(other.test_mode),
            master_key: self.master_key.or_else(|| other.master_key.clone()),
            sign_in_after: self.sign_in_after.or(other.sign_in_after),
            currency: self.currency.or(other.currency),
            offset_minutes: self.offset_minutes.or(other.offset_minutes),
            limits: self.limits.or(other.limits),
        }
    }
}

impl GivenLimits {
    pub(super) fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Self {
        let form = "an amount in minor units, or none";
        let parse = |text: &str| or_none(text, |text| Amount::parse(text.as_bytes()));
        let mut amount = |column: &str| row.optional(column, form, parse, breaches);
        let (least, most, daily_amount) = (amount("least"), amount("most"), amount("daily_amount"));
        let count = |text: &str| or_none(text, |text| text.parse().ok());
        let daily_count = row.optional("daily_count", "a count, or none", count, breaches);
        Self { least, most, daily_amount, daily_count }
    }

    /// Whether they leave nothing between them, by themselves.
    pub(super) fn contradict(&self) -> bool {
        self.least.flatten().zip(self.most.flatten()).is_some_and(|(least, most)| least > most)
    }

    /// Without the two that contradict each other: that was told, and who is filled from here need not tell it again.
    pub(super) fn told(self) -> Self {
        if self.contradict() { Self { least: None, most: None, ..self } } else { self }
    }

    fn or(self, other: Self) -> Self {
        Self {
            least: self.least.or(other.least),
            most: self.most.or(other.most),
            daily_amount: self.daily_amount.or(other.daily_amount),
            daily_count: self.daily_count.or(other.daily_count),
        }
    }

    /// With what is inherited where nothing is said.
    pub(super) fn over<const N: usize>(self, inherited: &Limits, row: &Row<'_, N>, breaches: &mut Breaches) -> Limits {
        let mut limits = Limits {
            least: self.least.unwrap_or(inherited.least),
            most: self.most.unwrap_or(inherited.most),
            daily_amount: self.daily_amount.unwrap_or(inherited.daily_amount),
            daily_count: self.daily_count.unwrap_or(inherited.daily_count),
        };
        if limits.least.zip(limits.most).is_some_and(|(least, most)| least > most) {
            row.breach(bound(row), ABOVE, breaches);
            limits = Limits { least: None, most: None, ..limits };
        }
        limits
    }
}

pub(super) const ABOVE: &str = "least: is above most";

/// The column by which a row says one of the two, if it does.
pub(super) fn bound<const N: usize>(row: &Row<'_, N>) -> &'static str {
    if row.has("least") { "least" } else { "most" }
}

/// `none` is a terminal that never signs in.
fn master_key(text: &str) -> Option<Option<KeyName>> {
    if text == "none" { Some(None) } else { KeyName::parse(text).map(Some) }
}

fn or_none<T>(text: &str, parse: impl FnOnce(&str) -> Option<T>) -> Option<Option<T>> {
    if text == "none" { Some(None) } else { parse(text).map(Some) }
}

fn capabilities<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Capabilities> {
    const FORM: &str = "some of stripe, chip, tap, manual, code and pin";
    let words = row.words("capabilities", FORM, breaches)?;
    let all = words.iter().try_fold(Capabilities::default(), |all, word| Some(all.with(Capabilities::parse(word)?)));
    if all.is_none() {
        row.breach("capabilities", format!("capabilities: is not {FORM}"), breaches);
    }
    all
}

pub(super) fn region<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Region> {
    row.optional("region", "4 digits", |text| Region::parse(text.as_bytes()), breaches)
}

pub(super) fn standing<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Standing> {
    let parse = |text: &str| match text {
        "active" => Some(Standing::Active),
        "suspended" => Some(Standing::Suspended),
        "terminated" => Some(Standing::Terminated),
        _ => None,
    };
    row.optional("standing", "active, suspended or terminated", parse, breaches)
}

pub(super) fn currency<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Currency> {
    row.optional("currency", "3 digits of ISO 4217", |text| Currency::parse(text.as_bytes()), breaches)
}

pub(super) fn offset<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<i16> {
    let within = |text: &str| text.parse().ok().filter(|minutes| (-840..=840).contains(minutes));
    row.optional("offset_minutes", "-840 to 840 minutes east of UTC", within, breaches)
}

/// From when on a row holds.
pub(super) fn from<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Timestamp> {
    row.optional("from", "a time such as 2026-11-22T03:00:00+08:00", Timestamp::parse, breaches)
}
