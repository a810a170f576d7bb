//! What a rule says, key by key, so that two files can be compared.

use toml::de::{DeTable, DeValue};

/// A rule's keys and what its file says of each, in order of the keys.
pub type Wording = [(Box<str>, Box<str>)];

/// The wording of a rule's table: comments, line breaks and the order of its keys say nothing.
pub(super) fn of(table: &DeTable<'_>) -> Box<Wording> {
    let mut said: Vec<(Box<str>, Box<str>)> =
        table.iter().map(|(key, value)| (key.get_ref().as_ref().into(), written(value.get_ref()).into())).collect();
    said.sort();
    said.into()
}

fn written(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(truth) => truth.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        DeValue::Array(values) => {
            let values: Vec<String> = values.iter().map(|value| written(value.get_ref())).collect();
            values.join(" ")
        }
        DeValue::Table(table) => {
            let pairs: Vec<String> = of(table).iter().map(|(key, value)| format!("{key}={value}")).collect();
            format!("{{{}}}", pairs.join(","))
        }
    }
}
