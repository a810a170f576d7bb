//! What an issuer clears: every movement of a day, as a file for the acquirer.

use super::bank::Bank;
use super::books::Money;
use super::books::Posting;
use crate::hsm::Hsm;
use crate::model::Amount;
use crate::model::BusinessDate;
use crate::model::Currency;
use crate::model::Kind;
use crate::model::Rrn;
use crate::settle::recon::ClearingFile;
use crate::settle::recon::ClearingRow;
use crate::settle::recon::Sign;
use crate::settle::recon::sign;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::path::PathBuf;

/// The reference number of a request that had none.
const NO_NUMBER: &[u8; 12] = b"000000000000";

impl<H: Hsm> Bank<H> {
    /// The clearing files of one of the issuer's days, one a currency; always one in its own, renminbi.
    ///
    /// What was undone on its own day is not in it; what was undone on a later one is in that day's file as
    /// `reversal`. So a file written again says the same, once its day is over.
    #[must_use]
    pub fn clearing(&self, date: BusinessDate) -> Vec<ClearingFile> {
        let mut files: BTreeMap<[u8; 3], Vec<ClearingRow>> = BTreeMap::new();
        files.entry(Currency::CNY.digits()).or_default();
        self.with_books(|postings| {
            for posting in postings {
                let currency = posting.entry.currency.unwrap_or(Currency::CNY);
                let rows = rows(posting, date);
                if let [Some(_), _] | [_, Some(_)] = rows {
                    files.entry(currency.digits()).or_default().extend(rows.into_iter().flatten());
                }
            }
        });
        let issuer = self.setup().name.clone();
        let file = |(currency, rows): ([u8; 3], _)| {
            let currency = Currency::parse(&currency)?;
            Some(ClearingFile { issuer: issuer.clone(), date, currency, rows })
        };
        files.into_iter().filter_map(file).collect()
    }

    /// Writes the clearing files of these days, as `ISSUER-DATE.csv`, and `ISSUER-DATE-840.csv`
    /// in other moneys than renminbi. Files that are there are replaced: a day that is not over may have grown.
    ///
    /// # Errors
    /// Those of writing.
    pub fn write_clearing(&self, folder: &Path, days: &BTreeSet<BusinessDate>) -> io::Result<Vec<PathBuf>> {
        std::fs::create_dir_all(folder)?;
        let mut written = Vec::new();
        for file in days.iter().flat_map(|date| self.clearing(*date)) {
            let money = if file.currency == Currency::CNY { String::new() } else { format!("-{}", file.currency) };
            let path = folder.join(format!("{}-{}{money}.csv", file.issuer, file.date));
            let new = path.with_extension("new");
            std::fs::write(&new, file.write())?;
            std::fs::rename(&new, &path)?;
            written.push(path);
        }
        Ok(written)
    }

    /// The days on which anything moved.
    #[must_use]
    pub fn days(&self) -> BTreeSet<BusinessDate> {
        self.with_books(|postings| {
            postings.iter().flat_map(|posting| [posting.entry.date, posting.undone]).flatten().collect()
        })
    }
}

/// The rows of a posting in the file of a day: its movement, and its undo.
pub(super) fn rows(posting: &Posting, date: BusinessDate) -> [Option<ClearingRow>; 2] {
    let Some((sign, amount)) = movement(posting) else { return [None, None] };
    let Some(of) = posting.entry.date.filter(|of| *of == date || posting.undone == Some(date)) else {
        return [None, None];
    };
    let row = |kind, sign| {
        Some(ClearingRow {
            rrn: posting.entry.rrn.or_else(|| Rrn::parse(NO_NUMBER))?,
            kind,
            terminal: posting.entry.terminal,
            merchant: posting.entry.merchant,
            amount,
            sign,
            card: posting.entry.pan.masked(),
            date: of,
            approval: posting.approval,
        })
    };
    match (of == date, posting.undone == Some(date)) {
        (true, false) => [row(posting.entry.kind, sign), None],
        (false, true) => [None, row(Kind::Reversal, sign.opposite())],
        _ => [None, None],
    }
}

/// Which way money moved when it was posted, and how much; `None` if none did, or it was only held.
fn movement(posting: &Posting) -> Option<(Sign, Amount)> {
    let never_moved = !posting.code.is_approval() || (posting.money == Money::Untouched);
    if never_moved {
        return None;
    }
    if posting.entry.kind == Kind::Adjustment {
        let (before, after) = (posting.approved, posting.entry.amount);
        let more = after.minus(before).map(|more| (Sign::Debit, more));
        return more.or_else(|| Some((Sign::Credit, before.minus(after)?))).filter(|(_, by)| *by > Amount::ZERO);
    }
    sign(posting.entry.kind).map(|sign| (sign, posting.approved))
}
