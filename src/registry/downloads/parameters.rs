//! Parameters of a terminal, DE 62 of the China POS dialect: two digits of tag, then a value of fixed form.

use super::super::document::Document;
use super::super::table::{Breaches, Row, Source};
use super::{hex, version};

/// One value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Parameter {
    /// As it is sent, behind its tag.
    Value {
        /// Two digits.
        tag: [u8; 2],
        /// Its value.
        value: Vec<u8>,
    },
    /// The name of the terminal's merchant, in [`Parameters::NAME`] characters behind its tag.
    MerchantName {
        /// Two digits.
        tag: [u8; 2],
    },
}

/// What a terminal is told of itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameters {
    version: u32,
    values: Vec<Parameter>,
}

/// How a value is written.
enum Form {
    /// A number in so many digits.
    Digits(usize),
    /// 0 or 1.
    Flag,
    /// Digits and blanks, filled up with blanks.
    Telephone(usize),
    /// So many bytes.
    Bytes(usize),
    /// The merchant's name, where the flag is true.
    MerchantName,
}

/// Column, tag, form: in the order of the tags, in which they are sent. From public descriptions of Q/CUP 009.
const ROWS: &[(&str, &[u8; 2], Form)] = &[
    ("timeout_s", b"12", Form::Digits(2)),
    ("retries", b"13", Form::Digits(1)),
    ("telephone_1", b"14", Form::Telephone(14)),
    ("telephone_2", b"15", Form::Telephone(14)),
    ("telephone_3", b"16", Form::Telephone(14)),
    ("management_telephone", b"17", Form::Telephone(14)),
    ("tips", b"18", Form::Flag),
    ("tip_percent", b"19", Form::Digits(2)),
    ("manual_entry", b"20", Form::Flag),
    ("auto_sign_off", b"21", Form::Flag),
    ("merchant_name", b"22", Form::MerchantName),
    ("resend_times", b"23", Form::Digits(1)),
    ("offline", b"24", Form::Flag),
    ("key_index", b"25", Form::Digits(1)),
    ("functions", b"26", Form::Bytes(4)),
];
const COLUMNS: &[&str; 15] = &[
    "timeout_s",
    "retries",
    "telephone_1",
    "telephone_2",
    "telephone_3",
    "management_telephone",
    "tips",
    "tip_percent",
    "manual_entry",
    "auto_sign_off",
    "merchant_name",
    "resend_times",
    "offline",
    "key_index",
    "functions",
];

impl Parameters {
    /// Bytes of the merchant's name, filled up with blanks.
    pub const NAME: usize = 40;

    /// Reads `version` and `[parameters]`. What is left out is not sent.
    pub(super) fn load(source: Source<'_>, breaches: &mut Breaches) -> Option<Self> {
        let document = Document::parse(source, breaches);
        document.only(&["version", "parameters"], breaches);
        let version = version(&document, breaches);
        let row = document.table("parameters", COLUMNS, breaches);
        let values = ROWS.iter().filter_map(|(column, tag, form)| value(&row, column, **tag, form, breaches)).collect();
        Some(Self { version: version?, values })
    }

    /// The version, 1 at least.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.version
    }

    /// The values, in order of their tags.
    #[must_use]
    pub fn values(&self) -> &[Parameter] {
        &self.values
    }
}

fn value<const N: usize>(
    row: &Row<'_, N>,
    column: &str,
    tag: [u8; 2],
    form: &Form,
    breaches: &mut Breaches,
) -> Option<Parameter> {
    let flag = |text: &str| text.parse::<bool>().ok();
    let value = match form {
        Form::Digits(count) => {
            let told = format!("a number of up to {count} digits");
            let fits = |text: &str| text.len() <= *count && text.bytes().all(|byte| byte.is_ascii_digit());
            row.optional(column, &told, |text| fits(text).then(|| format!("{text:0>count$}").into_bytes()), breaches)?
        }
        Form::Flag => vec![b'0' + u8::from(row.optional(column, "true or false", flag, breaches)?)],
        Form::Telephone(count) => {
            let told = format!("up to {count} digits, blanks and hyphens");
            let fits = |text: &str| {
                text.len() <= *count && text.bytes().all(|byte| byte.is_ascii_digit() || b" -".contains(&byte))
            };
            row.optional(column, &told, |text| fits(text).then(|| format!("{text:<count$}").into_bytes()), breaches)?
        }
        Form::Bytes(count) => {
            let told = format!("{count} bytes in hex");
            row.optional(column, &told, |text| hex(text).filter(|bytes| bytes.len() == *count), breaches)?
        }
        Form::MerchantName => {
            let told = row.optional(column, "true or false", flag, breaches)?;
            return told.then_some(Parameter::MerchantName { tag });
        }
    };
    Some(Parameter::Value { tag, value })
}
