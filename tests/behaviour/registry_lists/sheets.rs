//! Lists as texts: written and read again they say the same.

use super::{Texts, facts};
use proptest::prelude::*;
use tollgate::registry::Change;
use tollgate::registry::List;
use tollgate::registry::Sheet;
use tollgate::registry::SheetForm;
use tollgate::registry::Source;

fn read(list: List, text: &str, form: SheetForm) -> Sheet {
    let file = if form == SheetForm::Toml { "x.toml" } else { "x.csv" };
    Sheet::read(list, Source { file, text }).unwrap()
}

proptest! {
    /// Whatever a person wrote there: quotes, commas, a hash, Chinese.
    #[test]
    fn what_is_exported_is_imported_as_it_was(
        list in proptest::sample::select(List::ALL.to_vec()),
        rows in proptest::collection::vec(
            proptest::collection::vec(proptest::option::of("[!-~\u{4e00}-\u{4e20}]([ -~\u{4e00}-\u{4e20}]{0,12}[!-~])?"), 30),
            1..6,
        ),
        toml: bool,
    ) {
        let form = if toml { SheetForm::Toml } else { SheetForm::Csv };
        let mut sheet = Sheet::new(list);
        for (number, row) in rows.iter().enumerate() {
            let number = number.to_string();
            let cells: Vec<(&str, &str)> = list.columns().iter().zip(row)
                .map(|(column, cell)| (*column, cell.as_deref().unwrap_or_default())).collect();
            let cells = [&[(list.columns()[0], &*number)], cells.get(1..).unwrap()].concat();
            sheet.push(&cells);
        }
        let text = sheet.written(form);
        prop_assert_eq!(&read(list, &text, form), &sheet, "{}", text);
        let other = if toml { SheetForm::Csv } else { SheetForm::Toml };
        prop_assert_eq!(&read(list, &sheet.written(other), other), &sheet);
    }
}

#[test]
fn a_row_of_the_same_number_and_instant_takes_the_old_ones_place() {
    let old = "terminal,merchant,from,most\n1,A,,1\n2,A,,2\n2,A,2027-01-01T00:00:00Z,3\n";
    let new = "terminal,merchant,from,most\n2,A,2027-01-01T00:00:00Z,4\n3,A,,5\n1,A,2027-01-01T00:00:00Z,6\n";
    let mut sheet = read(List::Terminals, old, SheetForm::Csv);
    sheet.merge(read(List::Terminals, new, SheetForm::Csv));
    assert_eq!(
        sheet.written(SheetForm::Csv),
        "terminal,merchant,most,from\n1,A,1,\n2,A,2,\n2,A,4,2027-01-01T00:00:00Z\n3,A,5,\n1,A,6,2027-01-01T00:00:00Z\n"
    );
}

#[test]
fn lists_of_toml_become_words_and_stay_what_they_mean() {
    let toml =
        "[[terminal]]\nterminal = \"10000001\"\nmerchant = \"898110054110001\"\ncapabilities = [\"chip\", \"tap\"]\n";
    let csv = read(List::Terminals, toml, SheetForm::Toml).written(SheetForm::Csv);
    assert_eq!(csv, "terminal,merchant,capabilities\n10000001,898110054110001,chip+tap\n");
    let [one, other] = [toml, &csv].map(|terminals| Texts { terminals, ..Texts::default() }.loaded());
    assert!(one.diff(&other, 9).is_empty());
    assert!(facts(&one, "10000001").site.capabilities.is_some());
}

#[test]
fn a_difference_names_rows_and_columns_and_hides_what_is_nobodys_business() {
    let merchants = |account: &str, contact: &str| {
        format!("merchant,name,account,contact\n898110054110001,A,{account},{contact}\n898110054110002,B,,\n")
    };
    let terminals = |most: &str, key: &str, last: &str| {
        format!(
            "terminal,merchant,most,master_key\n10000001,898110054110001,{most},{key}\n10000002,898110054110001,,\n{last},898110054110001,,\n"
        )
    };
    let [old, new] = [
        (merchants("ACCOUNT1", "Wang"), terminals("100", "one/tmk", "10000003")),
        (merchants("ACCOUNT2", "Li"), terminals("200", "other/tmk", "10000004")),
    ]
    .map(|(merchants, terminals)| Texts { merchants: &merchants, terminals: &terminals, ..Texts::default() }.loaded());
    let diff = old.diff(&new, 9);
    assert_eq!(
        diff.to_string(),
        "~ merchant 898110054110001  account differs  contact differs\n\
         ~ terminal 10000001  master_key differs  most 100 -> 200\n\
         - terminal 10000003\n\
         + terminal 10000004\n\
         1 rows added, 2 changed, 1 removed"
    );
    let json = serde_json::to_value(&diff).unwrap();
    assert_eq!(json.pointer("/rows/1/columns/1/new").unwrap(), "200");
    assert_eq!(json.pointer("/rows/0/change").unwrap(), "changed");
    let all = format!("{diff:?}{json}{diff}");
    assert!(["ACCOUNT", "Wang", "Li", "tmk"].iter().all(|secret| !all.contains(secret)), "{all}");
    let short = old.diff(&new, 1);
    assert_eq!((short.rows.len(), short.changed, short.added), (1, 2, 1));
    assert!(short.to_string().contains("and 3 rows more"));
    assert!(old.diff(&old, 9).is_empty() && old.diff(&old, 9).to_string() == "nothing differs");
    assert_eq!(diff.rows.iter().filter(|row| row.change == Change::Changed).count(), 2);
}
