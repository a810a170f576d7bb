//! What bounds sign-ins, which anybody can send, and what is remembered of them while the station runs.

use super::table::{Breaches, Row};
use crate::model::KeyName;
use crate::model::Operator;
use crate::model::TerminalId;
use bytes::Bytes;
use core::net::IpAddr;
use dashmap::DashMap;
use smallvec::SmallVec;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

/// For how long sign-ins and PIN block errors are counted together.
const MINUTE: Duration = Duration::from_secs(60);
/// How long a sign-in that asks for the same gets the same keys, unless they were used.
const SAME: Duration = Duration::from_secs(300);
/// Sources, or terminals with their sources, that are counted at once. Beyond it newcomers are not.
const COUNTED: usize = 65_536;
/// Most of [`KeyTerms::sign_ins_per_terminal`]: fewer than the keys that may wait for their first use, so that one
/// source cannot push a terminal's new keys out within a minute.
const PER_TERMINAL: u64 = 3;

/// Bounds of working keys: a part of the table `[keys]`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyTerms {
    /// How long the keys before are good once the new ones are in use. 60 s; 0 is not at all.
    pub overlap: Duration,
    /// Sign-ins of one terminal from one source within a minute that get new keys and do not use them. 3 at most.
    pub sign_ins_per_terminal: u32,
    /// Sign-ins from one source within a minute that get new keys: a concentrator brings many terminals. 10,000.
    pub sign_ins_per_source: u32,
    /// PIN blocks of one terminal under one generation of its keys that may be wrong within an hour. 10.
    pub pin_errors: u32,
}

impl Default for KeyTerms {
    fn default() -> Self {
        Self { overlap: MINUTE, sign_ins_per_terminal: 3, sign_ins_per_source: 10_000, pin_errors: 10 }
    }
}

impl KeyTerms {
    /// Reads its columns of the table `[keys]`.
    #[must_use]
    pub fn read<const N: usize>(row: &Row<'_, N>, breaches: &mut Breaches) -> Self {
        let usual = Self::default();
        let mut number = |column: &str, usual: u32, least, most| {
            let number = row.bounded(column, usual.into(), least..=most, breaches);
            number.and_then(|number| u32::try_from(number).ok()).unwrap_or(usual)
        };
        Self {
            sign_ins_per_terminal: number("sign_ins_per_terminal", usual.sign_ins_per_terminal, 1, PER_TERMINAL),
            sign_ins_per_source: number("sign_ins_per_source", usual.sign_ins_per_source, 1, 1_000_000),
            pin_errors: number("pin_errors", usual.pin_errors, 1, 1_000_000),
            overlap: Duration::from_secs(number("key_overlap_s", 60, 0, 86_400).into()),
        }
    }
}

/// What a sign-in asks for: whoever asks for the same gets the same.
#[derive(Clone, Eq, PartialEq)]
pub struct Asked {
    /// Its network management code.
    pub code: SmallVec<[u8; 3]>,
    /// Bytes of the MAC key at its door.
    pub mak_length: u8,
    /// Who signs in.
    pub operator: Option<Operator>,
    /// The terminal's master key.
    pub under: KeyName,
}

/// Which bound a sign-in hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flood {
    /// Too many of this terminal from this source.
    Terminal,
    /// Too many from this source.
    Source,
}

/// A bound was hit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Flooded {
    /// Which one.
    pub flood: Flood,
    /// For the first time since it was kept: a person should know.
    pub first: bool,
}

/// Keys as they were handed out: enciphered, as anybody on the line saw them.
struct Handed {
    asked: Asked,
    generation: u32,
    layout: Bytes,
    at: Duration,
}

/// When sign-ins came that count.
#[derive(Default)]
struct Recent {
    at: SmallVec<[Duration; 4]>,
    told: bool,
}

/// How many came since.
#[derive(Clone, Copy, Default)]
struct Window {
    since: Duration,
    count: u32,
    told: bool,
}

/// What is remembered of sign-ins; nothing of it outlives the process. Instants are of the station's monotonic clock.
#[derive(Default)]
pub struct SignIns {
    handed: DashMap<TerminalId, SmallVec<[Handed; 1]>>,
    recent: DashMap<(TerminalId, IpAddr), Recent>,
    sources: DashMap<IpAddr, Window>,
    retiring: DashMap<TerminalId, (u32, Duration)>,
}

impl fmt::Debug for SignIns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignIns").finish_non_exhaustive()
    }
}

impl SignIns {
    /// The layout that a sign-in got which asked for the same, if it was not long ago; `waits` says whether the keys of a
    /// generation still wait for their first use.
    pub fn again(
        &self,
        terminal: TerminalId,
        asked: &Asked,
        now: Duration,
        waits: impl Fn(u32) -> bool,
    ) -> Option<Bytes> {
        let handed = self.handed.get(&terminal)?;
        let same = |handed: &&Handed| handed.asked == *asked && handed.at + SAME > now && waits(handed.generation);
        handed.iter().find(same).map(|handed| handed.layout.clone())
    }

    /// Remembers what was handed out, in place of what is over. `waits` as in [`again`](Self::again).
    pub fn handed(
        &self,
        terminal: TerminalId,
        (asked, generation, layout): (Asked, u32, Bytes),
        now: Duration,
        waits: impl Fn(u32) -> bool,
    ) {
        let mut handed = self.handed.entry(terminal).or_default();
        handed.retain(|handed| handed.asked != asked && waits(handed.generation));
        handed.push(Handed { asked, generation, layout, at: now });
    }

    /// Counts a sign-in that is to get new keys.
    ///
    /// # Errors
    /// Too many came before.
    pub fn admit(&self, terminal: TerminalId, source: IpAddr, now: Duration, terms: &KeyTerms) -> Result<(), Flooded> {
        let is_fresh = |recent: &Recent| recent.at.last().is_some_and(|at| now < *at + MINUTE);
        let counted = has_room(&self.recent, &(terminal, source), is_fresh);
        let mut recent = counted.then(|| self.recent.entry((terminal, source)).or_default());
        if let Some(recent) = &mut recent {
            recent.at.retain(|at| now < *at + MINUTE);
            recent.told &= !recent.at.is_empty();
            if recent.at.len() >= usize::try_from(terms.sign_ins_per_terminal).unwrap_or(usize::MAX) {
                return Err(Flooded { flood: Flood::Terminal, first: !std::mem::replace(&mut recent.told, true) });
            }
        }
        if has_room(&self.sources, &source, |window| now < window.since + MINUTE) {
            let refused = self.sources.entry(source).or_default().count(now, MINUTE, terms.sign_ins_per_source);
            refused.map_or(Ok(()), |first| Err(Flooded { flood: Flood::Source, first }))?;
        }
        if let Some(recent) = &mut recent {
            recent.at.push(now);
        }
        Ok(())
    }

    /// A sign-in that was admitted got no keys after all: the HSM or the ledger had none to give.
    pub fn withdrawn(&self, terminal: TerminalId, source: IpAddr) {
        if let Some(mut recent) = self.recent.get_mut(&(terminal, source)) {
            recent.at.pop();
        }
        if let Some(mut window) = self.sources.get_mut(&source) {
            window.count = window.count.saturating_sub(1);
        }
    }

    /// A message from there verified under keys that waited: who signed in there was the terminal.
    pub fn proven(&self, terminal: TerminalId, source: IpAddr) {
        self.recent.remove(&(terminal, source));
    }

    /// Until when the generation before is good. `left` says how long it is where nothing is remembered: that is, after a
    /// start. Wall clocks step; this does not follow them.
    pub fn retires(
        &self,
        terminal: TerminalId,
        generation: u32,
        now: Duration,
        left: impl FnOnce() -> Duration,
    ) -> Duration {
        let mut retiring = self.retiring.entry(terminal).or_insert((0, Duration::ZERO));
        if retiring.0 != generation {
            *retiring = (generation, now + left());
        }
        retiring.1
    }
}

impl Window {
    /// Counts one; `Some` if it is too many, and whether it is the first of those.
    fn count(&mut self, now: Duration, window: Duration, most: u32) -> Option<bool> {
        if now >= self.since + window || (self.count == 0 && !self.told) {
            *self = Self { since: now, count: 0, told: false };
        }
        if self.count >= most {
            return Some(!std::mem::replace(&mut self.told, true));
        }
        self.count += 1;
        None
    }
}

/// Whether `key` may be counted: it is, or there is room for it once what is over is forgotten.
fn has_room<K: Eq + Hash, V>(counted: &DashMap<K, V>, key: &K, is_fresh: impl Fn(&V) -> bool) -> bool {
    if counted.len() < COUNTED || counted.contains_key(key) {
        return true;
    }
    counted.retain(|_, value| is_fresh(value));
    counted.len() < COUNTED
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMS: KeyTerms =
        KeyTerms { overlap: MINUTE, sign_ins_per_terminal: 2, sign_ins_per_source: 4, pin_errors: 10 };

    fn terminal(number: u32) -> TerminalId {
        TerminalId::parse(format!("{number:08}").as_bytes()).unwrap()
    }

    fn source(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    const fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_terminals_sign_ins_from_one_source_are_bounded_in_any_minute_and_told_once() {
        let sign_ins = SignIns::default();
        let admit = |seconds| sign_ins.admit(terminal(1), source(1), at(seconds), &TERMS);
        let flooded = |first| Err(Flooded { flood: Flood::Terminal, first });
        let answers = [0, 50, 55, 59, 60, 61].map(admit);
        assert_eq!(answers, [Ok(()), Ok(()), flooded(true), flooded(false), Ok(()), flooded(false)]);
        assert_eq!(sign_ins.admit(terminal(1), source(2), at(61), &TERMS), Ok(()), "from elsewhere");
        sign_ins.proven(terminal(1), source(1));
        assert_eq!(sign_ins.admit(terminal(1), source(1), at(61), &TERMS), Ok(()), "it was the terminal");
    }

    #[test]
    fn a_source_has_a_bound_of_its_own_and_what_its_terminals_are_refused_does_not_count() {
        let sign_ins = SignIns::default();
        let admit = |number, seconds| sign_ins.admit(terminal(number), source(1), at(seconds), &TERMS);
        assert!((0..9).filter(|_| admit(1, 0).is_ok()).count() == 2);
        assert_eq!([admit(2, 1), admit(3, 2)], [Ok(()), Ok(())]);
        let flooded = |first| Err(Flooded { flood: Flood::Source, first });
        assert_eq!([admit(4, 3), admit(5, 59), admit(5, 60)], [flooded(true), flooded(false), Ok(())]);
    }

    #[test]
    fn a_sign_in_that_got_no_keys_does_not_count() {
        let sign_ins = SignIns::default();
        for second in 0..9 {
            assert_eq!(sign_ins.admit(terminal(1), source(1), at(second), &TERMS), Ok(()));
            sign_ins.withdrawn(terminal(1), source(1));
        }
    }

    #[test]
    fn the_same_is_handed_out_again_for_a_while_unless_its_keys_were_used() {
        let sign_ins = SignIns::default();
        let asked = |operator: &[u8]| Asked {
            code: SmallVec::from_slice(b"003"),
            mak_length: 8,
            operator: Operator::parse(operator),
            under: KeyName::parse("terminal/1/tmk").unwrap(),
        };
        let one = || (asked(b"01"), 7, Bytes::from_static(b"seven"));
        sign_ins.handed(terminal(1), one(), at(10), |_| true);
        sign_ins.handed(terminal(1), (asked(b"02"), 8, Bytes::from_static(b"eight")), at(11), |_| true);
        let again = |who: &[u8], seconds| sign_ins.again(terminal(1), &asked(who), at(seconds), |_| true);
        assert_eq!(again(b"01", 309), Some(Bytes::from_static(b"seven")));
        assert_eq!(again(b"02", 309), Some(Bytes::from_static(b"eight")));
        assert_eq!((again(b"01", 310), again(b"03", 12)), (None, None));
        assert_eq!(sign_ins.again(terminal(1), &asked(b"01"), at(12), |generation| generation != 7), None);
    }

    #[test]
    fn a_generation_retires_once_and_clocks_that_step_do_not_matter() {
        let sign_ins = SignIns::default();
        let retires = |generation, seconds, left| sign_ins.retires(terminal(1), generation, at(seconds), || at(left));
        assert_eq!((retires(1, 10, 60), retires(1, 20, 60), retires(2, 30, 5)), (at(70), at(70), at(35)));
    }

    #[test]
    fn where_too_many_are_counted_newcomers_wait_for_the_forgotten() {
        let mut counted = DashMap::new();
        counted.extend((0..COUNTED).map(|key| (key, key > 0)));
        assert!(has_room(&counted, &1, |_| true) && !has_room(&counted, &COUNTED, |_| true));
        assert!(has_room(&counted, &COUNTED, |fresh| *fresh));
        assert_eq!(counted.len(), COUNTED - 1);
    }
}
