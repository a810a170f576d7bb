//! The business days of acquirers.

use super::table::{Breaches, Row};
use crate::model::Acquirer;
use crate::model::CutOver;
use crate::model::DayRule;
use crate::model::Zone;
use std::sync::Arc;

/// The columns of an `[[acquirer]]`.
pub const ACQUIRER: &[&str; 3] = &["acquirer", "zone", "cut_over"];

/// By which rule the terminals of an acquirer get their business dates.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Days {
    zone: Option<Zone>,
    cut_over: CutOver,
    acquirers: Vec<(Acquirer, Arc<DayRule>)>,
}

impl Days {
    /// Dates that begin at `cut_over`, in `zone` or, without one, by each terminal's own clock.
    #[must_use]
    pub fn new(zone: Option<Zone>, cut_over: CutOver) -> Self {
        Self { zone, cut_over, acquirers: Vec::new() }
    }

    /// The rule of the station, from the columns `zone` and `cut_over` of its row. Without a zone a terminal's
    /// dates follow its own clock's offset.
    #[must_use]
    pub fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Self {
        Self::new(zone(row, breaches), cut_over(row, breaches).unwrap_or_default())
    }

    /// Takes in an `[[acquirer]]` that has a rule of its own.
    pub fn add<const N: usize>(&mut self, row: &Row<'_, N>, breaches: &mut Breaches) {
        let form = "1 to 11 digits";
        let acquirer = row.required("acquirer", form, |text| Acquirer::parse(text.as_bytes()), breaches);
        if !row.has("zone") {
            breaches.add(row.file(), row.line(), "zone: is missing");
        }
        let (zone, cut_over) = (zone(row, breaches), cut_over(row, breaches));
        let (Some(acquirer), Some(zone)) = (acquirer, zone) else { return };
        if self.acquirers.iter().any(|(known, _)| *known == acquirer) {
            return row.breach("acquirer", "acquirer: another [[acquirer]] has it", breaches);
        }
        let rule = DayRule::new(zone, cut_over.unwrap_or(self.cut_over));
        self.acquirers.push((acquirer, Arc::new(rule)));
    }

    /// The rule of a terminal of this acquirer whose clock is so many minutes east of UTC.
    #[must_use]
    pub fn rule(&self, acquirer: &Acquirer, offset_minutes: i16) -> Arc<DayRule> {
        if let Some((_, rule)) = self.acquirers.iter().find(|(known, _)| known == acquirer) {
            return Arc::clone(rule);
        }
        let zone = self.zone.clone().unwrap_or_else(|| Zone::fixed(offset_minutes));
        Arc::new(DayRule::new(zone, self.cut_over))
    }
}

fn zone<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<Zone> {
    row.optional("zone", "a zone of the IANA database, such as Asia/Shanghai", Zone::parse, breaches)
}

fn cut_over<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Option<CutOver> {
    row.optional("cut_over", "a time of day, hh:mm", CutOver::parse, breaches)
}
