//! What one subject did in the last day, event by event as long as there is room.

use super::Fate;
use crate::model::Amount;
use crate::model::Kind;
use crate::model::Region;
use smallvec::SmallVec;
use std::time::Duration;

/// No rule looks back further than a day.
pub(super) const DAY: i64 = 86_400 * 1_000_000;
/// A tag of several events that differ in theirs. No event has it.
const SEVERAL: u64 = 0;
const NOWHERE: u16 = u16::MAX;
const SEVERAL_PLACES: u16 = u16::MAX - 1;
const LAST_REGION: u16 = 9_999;

/// What an event was, as far as rules tell events apart.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::risk) enum Class {
    /// Money was asked for.
    Spend,
    /// Money was given back.
    Refund,
    /// Anything else: kept only if it was declined.
    Look,
}

impl Class {
    /// `None` for what no rule remembers.
    pub(super) fn of(kind: Kind) -> Option<Self> {
        Some(match kind {
            Kind::Sale
            | Kind::Authorization
            | Kind::Increment
            | Kind::Transfer
            | Kind::OfflineSale
            | Kind::AuthorizationAdvice => Self::Spend,
            Kind::Refund | Kind::OfflineRefund => Self::Refund,
            Kind::Balance
            | Kind::Verification
            | Kind::SaleVoid
            | Kind::AuthorizationVoid
            | Kind::Completion
            | Kind::CompletionVoid => Self::Look,
            Kind::CompletionAdvice
            | Kind::Adjustment
            | Kind::Reversal
            | Kind::SignIn
            | Kind::SignOff
            | Kind::Echo
            | Kind::ScriptNotice
            | Kind::Settlement
            | Kind::BatchUpload
            | Kind::Download
            | Kind::KeyChange => return None,
        })
    }
}

/// A class, a fate, and whether it was a tap without a PIN: events of one group may be told together.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Group(u8);

impl Group {
    const ALL: usize = 24;

    pub(super) fn of(class: Class, fate: Fate, bare_tap: bool) -> Self {
        let fate = match fate {
            Fate::Live => 0,
            Fate::Declined { pin: false } => 1,
            Fate::Declined { pin: true } => 2,
            Fate::Undone => 3,
        };
        Self(class as u8 * 8 + u8::from(bare_tap) * 4 + fate)
    }

    fn class(self) -> Class {
        match self.0 / 8 {
            0 => Class::Spend,
            1 => Class::Refund,
            _ => Class::Look,
        }
    }

    fn is_declined(self) -> bool {
        matches!(self.0 % 4, 1 | 2)
    }

    fn fate(self) -> Fate {
        match self.0 % 4 {
            0 => Fate::Live,
            1 => Fate::Declined { pin: false },
            2 => Fate::Declined { pin: true },
            _ => Fate::Undone,
        }
    }
}

/// One event, or several of one group that lie beside each other.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::risk) struct Slot {
    /// Microseconds; of several, the newest.
    at: i64,
    /// Whose the event was besides the subject: the card of a terminal's, the terminal of a card's.
    tag: u64,
    /// Minor units, of all of them.
    amount: u64,
    count: u32,
    region: u16,
    group: Group,
    /// Several were merged into it at some time.
    merged: bool,
}

impl Slot {
    /// Bytes of a slot in a row.
    pub(super) const BYTES: usize = 32;

    pub(super) fn new(at: i64, tag: u64, amount: Amount, region: Option<Region>, group: Group) -> Self {
        let region = region.map_or(NOWHERE, Region::value);
        Self { at, tag: tag.max(1), amount: amount.minor(), count: 1, region, group, merged: false }
    }

    /// Minor units, of all events in it.
    pub(in crate::risk) fn amount(&self) -> u64 {
        self.amount
    }

    /// How many events it tells of.
    pub(in crate::risk) fn count(&self) -> u32 {
        self.count
    }

    pub(in crate::risk) fn class(&self) -> Class {
        self.group.class()
    }

    pub(in crate::risk) fn fate(&self) -> Fate {
        self.group.fate()
    }

    pub(in crate::risk) fn is_live(&self) -> bool {
        self.group.0.is_multiple_of(4)
    }

    /// Whether cards were tapped, without a PIN.
    pub(in crate::risk) fn is_bare_tap(&self) -> bool {
        self.group.0 / 4 % 2 == 1
    }

    /// Whether it tells of one event, all of which is known.
    pub(in crate::risk) fn is_exact(&self) -> bool {
        !self.merged
    }

    /// The other party, if all its events were with the same.
    pub(in crate::risk) fn tag(&self) -> Option<u64> {
        (self.tag != SEVERAL).then_some(self.tag)
    }

    /// Whether one of its events took place elsewhere than `here`, as far as that is known.
    pub(in crate::risk) fn is_elsewhere(&self, here: Region) -> bool {
        self.region != NOWHERE && self.region != here.value()
    }

    /// Where it took place, for people.
    pub(in crate::risk) fn place(&self) -> String {
        Region::new(self.region).map_or_else(|| "several regions".into(), |region| region.to_string())
    }

    /// How long before `now` it was; what lies ahead is of now.
    pub(in crate::risk) fn age(&self, now: i64) -> Duration {
        Duration::from_micros(u64::try_from(now.saturating_sub(self.at)).unwrap_or(0))
    }

    /// The same event in another group.
    pub(super) fn of(self, group: Group) -> Self {
        Self { group, ..self }
    }

    /// This and a newer one of its group.
    fn with(self, newer: Self) -> Self {
        let region = match (self.region, newer.region) {
            (a, b) if a == b => a,
            (NOWHERE, known) | (known, NOWHERE) => known,
            _ => SEVERAL_PLACES,
        };
        Self {
            at: self.at.max(newer.at),
            tag: if self.tag == newer.tag { self.tag } else { SEVERAL },
            amount: self.amount.saturating_add(newer.amount),
            count: self.count.saturating_add(newer.count),
            region,
            group: self.group,
            merged: true,
        }
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.at.to_be_bytes());
        out.extend_from_slice(&self.tag.to_be_bytes());
        out.extend_from_slice(&self.amount.to_be_bytes());
        out.extend_from_slice(&self.count.to_be_bytes());
        out.extend_from_slice(&self.region.to_be_bytes());
        out.extend_from_slice(&[self.group.0, u8::from(self.merged)]);
    }

    pub(super) fn read(bytes: &[u8; Self::BYTES]) -> Option<Self> {
        let (at, rest) = bytes.split_first_chunk()?;
        let (tag, rest) = rest.split_first_chunk()?;
        let (amount, rest) = rest.split_first_chunk()?;
        let (count, rest) = rest.split_first_chunk()?;
        let (region, rest) = rest.split_first_chunk()?;
        let &[group, merged @ (0 | 1)] = rest else { return None };
        let slot = Self {
            at: i64::from_be_bytes(*at),
            tag: u64::from_be_bytes(*tag),
            amount: u64::from_be_bytes(*amount),
            count: u32::from_be_bytes(*count),
            region: u16::from_be_bytes(*region),
            group: Group(group),
            merged: merged == 1,
        };
        let is_one = slot.count == 1 && slot.tag != SEVERAL && slot.region != SEVERAL_PLACES;
        let is_group = usize::from(group) < Group::ALL;
        let is_place = slot.region <= LAST_REGION || slot.region >= SEVERAL_PLACES;
        (is_group && is_place && slot.count > 0 && (slot.merged || is_one)).then_some(slot)
    }
}

/// The slots of one subject, oldest first; never more than the bound they are added under.
///
/// Most rules have nothing to say of most subjects: what bounds all slots together tells them so without a walk.
#[derive(Clone, Debug, Default)]
pub(in crate::risk) struct Trail {
    slots: SmallVec<[Slot; 1]>,
    /// At least what all slots say together.
    bound: Bound,
}

/// What no part of a trail passes.
#[derive(Clone, Copy, Debug)]
struct Bound {
    /// Minor units.
    amount: u64,
    events: u32,
    /// Of them, the declined.
    declines: u32,
    /// When the last was, or later.
    newest: i64,
    /// The region, if all that are known are the same.
    region: Option<u16>,
}

impl Default for Bound {
    fn default() -> Self {
        Self { amount: 0, events: 0, declines: 0, newest: i64::MIN, region: None }
    }
}

impl Bound {
    fn with(self, slot: &Slot) -> Self {
        let region = match (self.region, slot.region) {
            (None, here) => Some(here),
            (Some(there), here) if there == here || here == NOWHERE => Some(there),
            (Some(NOWHERE), here) => Some(here),
            _ => Some(SEVERAL_PLACES),
        };
        Self {
            amount: self.amount.saturating_add(slot.amount),
            events: self.events.saturating_add(slot.count),
            declines: self.declines.saturating_add(if slot.group.is_declined() { slot.count } else { 0 }),
            newest: self.newest.max(slot.at),
            region,
        }
    }

    fn of(slots: &[Slot]) -> Self {
        slots.iter().fold(Self::default(), Self::with)
    }
}

impl Trail {
    /// `None` if they are not in the order of time.
    pub(super) fn of(slots: SmallVec<[Slot; 1]>) -> Option<Self> {
        let bound = Bound::of(&slots);
        slots.is_sorted_by_key(|slot| slot.at).then_some(Self { slots, bound })
    }

    pub(super) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// At least as many events as any window has.
    pub(in crate::risk) fn events(&self) -> u32 {
        self.bound.events
    }

    /// At least the minor units of any window.
    pub(in crate::risk) fn amount(&self) -> u64 {
        self.bound.amount
    }

    /// At least as many declined events as any window has.
    pub(in crate::risk) fn declines(&self) -> u32 {
        self.bound.declines
    }

    /// Whether there may be an event elsewhere than `here`.
    pub(in crate::risk) fn may_be_elsewhere(&self, here: Region) -> bool {
        self.bound.region.is_some_and(|region| region != NOWHERE && region != here.value())
    }

    /// What happened less than `window` before `now`, newest first. What lies ahead counts as of now.
    pub(in crate::risk) fn within(&self, now: i64, window: Duration) -> impl Iterator<Item = &Slot> {
        let window = i64::try_from(window.as_micros()).unwrap_or(i64::MAX);
        let beyond = now.saturating_sub(window);
        self.slots.iter().rev().take_while(move |slot| slot.at > beyond)
    }

    /// Adds an event; at `most` slots, older ones are told together.
    pub(super) fn add(&mut self, slot: Slot, most: usize) {
        // By the length, not by the room: equal histories make equal trails.
        if self.slots.len() >= most || (self.slots.len() >= 4 && self.slots.len().is_power_of_two()) {
            let gone = self.slots.partition_point(|old| old.at <= slot.at.saturating_sub(DAY));
            if gone > 0 {
                self.slots.drain(..gone);
                self.bound = Bound::of(&self.slots);
            }
        }
        if self.slots.len() >= most {
            self.compact(most);
        }
        let is_newest = self.bound.newest <= slot.at;
        self.bound = self.bound.with(&slot);
        // Nothing of the slots themselves is looked at: they lie elsewhere, mostly in no cache.
        if is_newest {
            if self.slots.spilled() && self.slots.len() == self.slots.capacity() {
                self.slots.reserve_exact(self.slots.len() / 2 + 1);
            }
            return self.slots.push(slot);
        }
        let after = self.slots.partition_point(|old| old.at < slot.at);
        let newer = self.slots.iter_mut().skip(after);
        // What was merged of a group lies before what was not: a late event belongs among the merged.
        match newer.into_iter().find(|old| old.merged && old.group == slot.group) {
            Some(merged) => *merged = slot.with(*merged),
            None => self.slots.insert(self.slots.partition_point(|old| old.at <= slot.at), slot),
        }
    }

    /// Tells the older half of the slots in fewer: neighbours of one group together, at the newer one's time, so that
    /// nothing is forgotten too soon. The more events are newer, the more may be told in one: what a window counts too
    /// long is a part of what it counts.
    fn compact(&mut self, most: usize) {
        let Some((older, newer)) = self.slots.split_at_checked(most / 2) else { return };
        let mut counts = [0_u64; Group::ALL];
        for slot in newer {
            if let Some(count) = counts.get_mut(usize::from(slot.group.0)) {
                *count += u64::from(slot.count);
            }
        }
        // The finest that frees an eighth of the room.
        let finest = [64, 32, 16, 8, 4, 2, 1].into_iter().map(|parts| told(older, counts, parts));
        let fits = finest.into_iter().find(|told| told.len() <= most / 2 - most / 8);
        let told = fits.unwrap_or_else(|| told(older, counts, 0));
        self.slots.drain(..most / 2);
        self.slots.insert_many(0, told);
    }

    /// Moves an event from the group it is in to another. `false` if it is in no slot.
    pub(super) fn mark(&mut self, event: Slot, to: Group, most: usize) -> bool {
        let first = self.slots.partition_point(|slot| slot.at < event.at);
        let same = self.slots.iter_mut().skip(first).take_while(|slot| slot.at == event.at).find(|slot| {
            !slot.merged && slot.group == event.group && slot.tag == event.tag && slot.amount == event.amount
        });
        if let Some(slot) = same {
            slot.group = to;
            self.bound.declines = self.bound.declines.saturating_add(u32::from(to.is_declined()));
            return true;
        }
        let told = self.slots.iter().skip(first).position(|slot| {
            let may_hold = slot.merged && (slot.tag == SEVERAL || slot.tag == event.tag);
            may_hold && slot.group == event.group && slot.amount >= event.amount
        });
        let Some(place) = told.map(|place| place + first) else { return false };
        if let Some(slot) = self.slots.get_mut(place) {
            slot.count = slot.count.saturating_sub(1);
            slot.amount = slot.amount.saturating_sub(event.amount);
            if slot.count == 0 {
                self.slots.remove(place);
            }
        }
        self.add(event.of(to), most);
        true
    }
}

/// Slots, oldest first, told in fewer: together at most one `parts`th of the events of their group that are newer;
/// all of a group in one, where `parts` is nought. `counts`: the newer events of each group.
fn told(older: &[Slot], mut counts: [u64; Group::ALL], parts: u64) -> Vec<Slot> {
    let mut open: [Option<Slot>; Group::ALL] = [None; Group::ALL];
    let mut told = Vec::with_capacity(older.len());
    for slot in older.iter().rev() {
        let group = usize::from(slot.group.0);
        let (Some(place), Some(newer)) = (open.get_mut(group), counts.get_mut(group)) else { continue };
        let Some(current) = place.replace(*slot) else { continue };
        let together = u64::from(current.count) + u64::from(slot.count);
        if newer.checked_div(parts).is_none_or(|room| together <= room) {
            *place = Some(slot.with(current));
        } else {
            *newer += u64::from(current.count);
            told.push(current);
        }
    }
    told.extend(open.into_iter().flatten());
    told.sort_by_key(|slot| slot.at);
    told
}
