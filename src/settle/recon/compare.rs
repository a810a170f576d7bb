//! One issuer's clearing file against the ledger. Pure.

use super::book::Entry;
use super::book::State;
use super::clearing::ClearingFile;
use super::clearing::ClearingRow;
use super::clearing::Turnover;
use super::difference::Difference;
use super::difference::Key;
use super::difference::Moved;
use super::difference::Sort;
use super::difference::With;
use super::fit::misfits;
use super::line::Line;
use super::line::Standing;
use crate::model::BusinessDate;
use crate::model::Kind;
use crate::model::Rrn;
use std::collections::HashMap;
use std::collections::HashSet;

/// What one file is compared with.
pub struct Day<'a> {
    /// The ledger's transactions of the file's business date, of every issuer.
    pub lines: &'a [Line],
    /// The ledger's transactions of other dates that the file names, or that were undone on this one.
    pub others: &'a [Line],
    /// Every difference with this issuer so far. Those that another file explained, or a person cleared, are not
    /// explained again.
    pub entries: &'a [Entry],
    /// The reference numbers that this issuer's file of an earlier date had; `None` if there was no such file.
    pub earlier: &'a HashMap<BusinessDate, HashSet<Rrn>>,
    /// What this issuer's file of a later date undid; `None` if there was no such file yet.
    pub later: &'a HashMap<BusinessDate, HashSet<Rrn>>,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// What the file has.
    pub there: Turnover,
    /// What the ledger has of the same day.
    pub here: Turnover,
    /// Rows that agree with a line: to the cent, and in whose they are.
    pub agreed: u64,
    /// What does not agree.
    pub differences: Vec<Difference>,
    /// Open differences that this file explains: their numbers, and why.
    pub explained: Vec<(u64, String)>,
}

/// Compares one file.
#[must_use]
pub fn compare(file: &ClearingFile, day: &Day<'_>) -> Compared {
    let with = With::Issuer(file.issuer.clone());
    let (mut known, mut cleared) = (HashMap::new(), HashMap::new());
    for entry in day.entries {
        let key = &entry.difference.key;
        // What was found in the same file, it does not explain.
        let is_other = key.with == with && key.currency == Some(file.currency) && key.date != file.date;
        let Some(rrn) = key.rrn.filter(|_| is_other) else { continue };
        match entry.state {
            State::Open => known.insert((key.sort, rrn, key.is_undo), entry),
            State::Matched { date, .. } if date == file.date => known.insert((key.sort, rrn, key.is_undo), entry),
            State::Cleared { .. } => cleared.insert((key.sort, rrn, key.is_undo), entry),
            State::Matched { .. } | State::Gone => None,
        };
    }
    let (rows, compared) = (HashMap::new(), Compared::default());
    let mut comparison = Comparison { file, day, with, known, cleared, rows, compared };
    comparison.compared.there = file.turnover();
    comparison.rows();
    comparison.lines();
    comparison.strangers();
    comparison.undone();
    comparison.compared
}

/// What a line moves.
fn moved_here(line: &Line) -> Option<Moved> {
    line.moves.map(|(sign, amount)| Moved { sign, amount, currency: line.currency })
}

struct Comparison<'a> {
    file: &'a ClearingFile,
    day: &'a Day<'a>,
    with: With,
    /// Earlier differences that this file may explain.
    known: HashMap<(Sort, Rrn, bool), &'a Entry>,
    /// Earlier differences that a person cleared: what this file has of them comes on top.
    cleared: HashMap<(Sort, Rrn, bool), &'a Entry>,
    /// The rows that no line has met yet, by number and whether they undo.
    rows: HashMap<(Rrn, bool), &'a ClearingRow>,
    compared: Compared,
}

impl<'a> Comparison<'a> {
    /// Sorts the rows by number; what comes twice is a difference at once.
    fn rows(&mut self) {
        let mut again: HashMap<(Rrn, bool), u32> = HashMap::new();
        for row in &self.file.rows {
            let key = (row.rrn, row.kind == Kind::Reversal);
            if self.rows.insert(key, row).is_none() {
                continue;
            }
            let nth = again.entry(key).or_default();
            let text = format!("{} has it {} times in one file", self.file.issuer, *nth + 2);
            self.found(Sort::Duplicate, key, *nth, (None, Some(self.moved(row))), text);
            *nth += 1;
        }
    }

    /// Every line of the day meets its row. A line in another money is not awaited in this file, but may be in it.
    fn lines(&mut self) {
        for line in self.day.lines.iter().filter(|line| line.issuer == self.file.issuer) {
            let Some(here) = moved_here(line) else { continue };
            let is_awaited = line.currency == self.file.currency || self.rows.contains_key(&(line.rrn, false));
            match line.standing {
                Standing::Stands if !line.test_mode && is_awaited => {
                    self.compared.here.add(here.sign, here.amount);
                    self.standing(line, here);
                }
                Standing::Undone if self.stood(line) => self.undone_later(line, here),
                Standing::Undone => self.undone_line(line, here),
                // Not expected; if there is a row all the same, it is a stranger.
                Standing::Stands | Standing::Nothing => {}
            }
        }
    }

    fn standing(&mut self, line: &Line, here: Moved) {
        let key = (line.rrn, false);
        let Some(row) = self.rows.remove(&key) else {
            // It may have come before its day: the two sides' days do not end together.
            let early = self.noted(Sort::MissingHere, line.rrn);
            return match early {
                Some(entry) => {
                    let (id, there) = (entry.id, entry.difference.there);
                    self.explain(id, format!("it is of {} here", line.date));
                    self.same(key, here, there.unwrap_or(here), true);
                }
                None if self.cleared.contains_key(&(Sort::MissingHere, line.rrn, false)) => {
                    let text = self.after(Sort::MissingHere, key, "not in this file; it came before its day");
                    self.found(Sort::MissingThere, key, 0, (Some(here), None), text);
                }
                None => {
                    let why = match (&*line.word, &line.code) {
                        ("dead-letter", _) => "the issuer refused its advice for good".to_owned(),
                        (word, Some(code)) => format!("the ledger holds it {word} with {code}"),
                        (word, None) => format!("the ledger holds it {word}"),
                    };
                    let text = format!("not in the file of {}; {why}", self.file.issuer);
                    self.found(Sort::MissingThere, key, 0, (Some(here), None), text);
                }
            };
        };
        self.met(row, line, here);
    }

    /// Both have it: is it of the same card, terminal, merchant and kind, and the same amount?
    fn met(&mut self, row: &ClearingRow, line: &Line, here: Moved) {
        let there = self.moved(row);
        let fits = self.fits(row, line, here);
        self.same((row.rrn, row.kind == Kind::Reversal), here, there, fits);
    }

    /// Whether it is of the same card, terminal, merchant and kind; what is not, is a difference each.
    fn fits(&mut self, row: &ClearingRow, line: &Line, here: Moved) -> bool {
        let (misfits, there) = (misfits(row, line), self.moved(row));
        let fits = misfits.is_empty();
        for (sort, text) in misfits {
            self.found(sort, (row.rrn, row.kind == Kind::Reversal), 0, (Some(here), Some(there)), text);
        }
        fits
    }

    /// The issuer undid it too: to the cent?
    fn met_undo(&mut self, row: &ClearingRow, line: &Line) {
        match moved_here(line) {
            Some(here) => self.met(row, line, Moved { sign: here.sign.opposite(), ..here }),
            None => self.compared.agreed += 1,
        }
    }

    /// Both have it: is it as much? `fits`: else it is the same.
    fn same(&mut self, key: (Rrn, bool), here: Moved, there: Moved, fits: bool) {
        if here.currency != there.currency {
            let text = format!("{} here, {} there", here.currency, there.currency);
            return self.found(Sort::Currency, key, 0, (Some(here), Some(there)), text);
        }
        if here != there {
            let text = if here.sign == there.sign {
                format!("{} here, {} there", here.amount.minor(), there.amount.minor())
            } else {
                format!("{} here, {} there: the other way round", here.sign, there.sign)
            };
            return self.found(Sort::Amount, key, 0, (Some(here), Some(there)), text);
        }
        self.compared.agreed += u64::from(fits);
    }

    /// Whether it stood at the end of this day, and what became of it is a matter of the file of the day on which it
    /// was undone: that is not here yet, or has the reversal, or was found to be without it.
    fn stood(&self, line: &Line) -> bool {
        let Some(undone_on) = line.undone_on.filter(|undone_on| *undone_on > self.file.date) else { return false };
        let is_followed = self.day.entries.iter().any(|entry| {
            let key = &entry.difference.key;
            key.date == undone_on && key.with == self.with && key.rrn == Some(line.rrn) && key.is_undo
        });
        is_followed || self.day.later.get(&undone_on).is_none_or(|undone| undone.contains(&line.rrn))
    }

    /// What neither has is nothing to speak of.
    fn undone_later(&mut self, line: &Line, here: Moved) {
        let Some(row) = self.rows.remove(&(line.rrn, false)) else { return };
        self.compared.here.add(here.sign, here.amount);
        self.met(row, line, here);
    }

    /// Undone here: on the other side it is not there, or undone in the same file, or its undo is late.
    fn undone_line(&mut self, line: &Line, here: Moved) {
        let Some(row) = self.rows.remove(&(line.rrn, false)) else { return };
        let there = self.moved(row);
        if let Some(undo) = self.rows.remove(&(line.rrn, true)) {
            self.met(row, line, here);
            return self.met_undo(undo, line);
        }
        let text = match &*line.word {
            "dead-letter" => "undone here, and the issuer refused its reversal for good".to_owned(),
            "reversing" => "undone here, and its reversal is still on its way".to_owned(),
            _ => "undone here; the issuer took the reversal, and must show it in a later file".to_owned(),
        };
        self.found(Sort::LateReversal, (line.rrn, false), 0, (Some(here), Some(there)), text);
    }

    /// Rows that no line of the day has met.
    fn strangers(&mut self) {
        let mut left: Vec<(Rrn, bool)> = self.rows.keys().copied().collect();
        left.sort_unstable();
        let all = self.day.lines.iter().chain(self.day.others);
        let known: HashMap<Rrn, &Line> = all.map(|line| (line.rrn, line)).collect();
        for key in left {
            let Some(row) = self.rows.remove(&key) else { continue };
            match (known.get(&key.0), key.1) {
                (None, _) => self.stranger(row, "the ledger has no such transaction".to_owned()),
                (Some(line), _) if line.issuer != self.file.issuer => {
                    self.stranger(row, format!("here it went to {}", line.issuer));
                }
                (Some(line), true) => self.undo(row, line),
                (Some(line), false) => self.known(row, line),
            }
        }
    }

    /// A row of something that stood with the issuer on an earlier day.
    fn undo(&mut self, row: &ClearingRow, line: &Line) {
        if let Some(entry) = self.noted(Sort::LateReversal, row.rrn) {
            let id = entry.id;
            self.explain(id, format!("its reversal is in the file of {}", self.file.date));
            self.met_undo(row, line);
        } else if let Some(entry) = self.known.get(&(Sort::MissingThere, row.rrn, true)) {
            let id = entry.id;
            self.explain(id, format!("it came in the file of {}", self.file.date));
            self.met_undo(row, line);
        } else if self.was_cleared_by_hand(row.rrn, true) {
            let (key, there) = ((row.rrn, true), self.moved(row));
            let text = self.after(Sort::LateReversal, key, "the issuer undid it in its file");
            self.found(Sort::Duplicate, key, 0, (None, Some(there)), text);
        } else if line.standing == Standing::Stands {
            self.stranger(row, "the issuer undid what stands here".to_owned());
        } else {
            self.met_undo(row, line);
        }
    }

    /// A row of a transaction that is known, but not as one of this day that stands.
    fn known(&mut self, row: &ClearingRow, line: &Line) {
        let (key, there) = ((row.rrn, false), self.moved(row));
        let here = moved_here(line);
        let missed = self.noted(Sort::MissingThere, row.rrn).map(|entry| entry.id);
        if let (Some(id), Some(here)) = (missed, here) {
            self.explain(id, format!("it came in the file of {}", self.file.date));
            return self.met(row, line, here);
        }
        if self.was_cleared_by_hand(row.rrn, false) {
            let text = self.after(Sort::MissingThere, key, "the issuer has it in its file");
            return self.found(Sort::Duplicate, key, 0, (here, Some(there)), text);
        }
        let was_cleared = self.day.earlier.get(&line.date).is_some_and(|rows| rows.contains(&row.rrn));
        if line.date < self.file.date && was_cleared {
            let text = format!("{} had it before, in its file of {}", self.file.issuer, line.date);
            return self.found(Sort::Duplicate, key, 0, (here, Some(there)), text);
        }
        match line.standing {
            Standing::Stands if line.test_mode => {
                self.stranger(row, "here it is of a terminal in test mode, which never settles".to_owned());
            }
            Standing::Stands if here.is_none() => {
                self.stranger(row, format!("here it is of a kind that is not cleared: {}", line.kind.name()));
            }
            Standing::Stands => {
                // It explains nothing by itself: what is wrong with it is not looked for when its day is compared.
                here.map(|here| self.fits(row, line, here));
                self.stranger(row, format!("here it is of {}", line.date));
            }
            Standing::Undone => {
                let text = format!("of {}, and undone here", line.date);
                self.found(Sort::LateReversal, key, 0, (here, Some(there)), text);
            }
            Standing::Nothing => {
                let code = line.code.as_deref().map(|code| format!(" with {code}")).unwrap_or_default();
                self.stranger(row, format!("here it is {}{code}", line.word));
            }
        }
    }

    /// What a terminal undid on this day of an earlier one, and the issuer had cleared: its undo must be in this file.
    fn undone(&mut self) {
        let undone_here: HashSet<Rrn> =
            self.file.rows.iter().filter(|row| row.kind == Kind::Reversal).map(|row| row.rrn).collect();
        let today = self.file.date;
        let undone = |line: &&Line| line.standing == Standing::Undone && line.undone_on == Some(today);
        let others = self.day.others.iter().filter(|line| undone(line) && line.date < today);
        for line in others.filter(|line| line.issuer == self.file.issuer && line.currency == self.file.currency) {
            let was_cleared = self.day.earlier.get(&line.date).is_some_and(|rows| rows.contains(&line.rrn));
            let is_late = self.noted(Sort::LateReversal, line.rrn).is_some();
            let Some(here) = moved_here(line) else { continue };
            if was_cleared && !is_late && !undone_here.contains(&line.rrn) {
                let here = Moved { sign: here.sign.opposite(), ..here };
                let text = format!("its terminal undid it on {today}, and it was cleared on {}", line.date);
                self.found(Sort::MissingThere, (line.rrn, true), 0, (Some(here), None), text);
            }
        }
    }

    /// Whether a person settled what this row brings: the missing row itself, or its missing undo.
    fn was_cleared_by_hand(&self, rrn: Rrn, is_undo: bool) -> bool {
        let late = is_undo && self.cleared.contains_key(&(Sort::LateReversal, rrn, false));
        late || self.cleared.contains_key(&(Sort::MissingThere, rrn, is_undo))
    }

    /// A sentence, and that a person cleared it before: what was done by hand may be done twice now.
    fn after(&self, sort: Sort, (rrn, is_undo): (Rrn, bool), what: &str) -> String {
        let keys = [(sort, rrn, is_undo), (Sort::MissingThere, rrn, is_undo), (sort, rrn, false)];
        let entry = keys.iter().find_map(|key| self.cleared.get(key));
        let id = entry.map(|entry| format!("{} ", entry.id)).unwrap_or_default();
        format!("{what}, and its difference {id}was cleared by a person before")
    }

    fn stranger(&mut self, row: &ClearingRow, text: String) {
        let there = self.moved(row);
        self.found(Sort::MissingHere, (row.rrn, row.kind == Kind::Reversal), 0, (None, Some(there)), text);
    }

    fn moved(&self, row: &ClearingRow) -> Moved {
        Moved { sign: row.sign, amount: row.amount, currency: self.file.currency }
    }

    fn noted(&self, sort: Sort, rrn: Rrn) -> Option<&'a Entry> {
        self.known.get(&(sort, rrn, false)).copied()
    }

    fn explain(&mut self, id: u64, why: String) {
        self.compared.explained.push((id, why));
    }

    fn found(
        &mut self,
        sort: Sort,
        (rrn, is_undo): (Rrn, bool),
        nth: u32,
        (here, there): (Option<Moved>, Option<Moved>),
        text: String,
    ) {
        let (date, currency) = (self.file.date, Some(self.file.currency));
        let key = Key { date, with: self.with.clone(), currency, sort, rrn: Some(rrn), is_undo, nth };
        self.compared.differences.push(Difference { key, here, there, text });
    }
}
