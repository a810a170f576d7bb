//! Rows for many terminals at once, and lists to begin with.

use super::super::{Exit, Failure, Outcome};
use super::{Form, ListName};
use crate::registry::List;
use crate::registry::Sheet;
use clap::Args;
use std::io::Write;

/// Most rows at once.
const MOST: u32 = 1_000_000;

#[derive(Args, Debug)]
pub(super) struct Make {
    /// The first terminal's number, 8 digits
    #[arg(long, value_name = "TERMINAL", value_parser = number)]
    from: u32,
    /// How many
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=i64::from(MOST)))]
    count: u32,
    /// The merchant they stand at; else the template says it
    #[arg(long)]
    merchant: Option<String>,
    /// The template that fills them
    #[arg(long)]
    template: Option<String>,
    /// The group they belong to
    #[arg(long)]
    group: Option<String>,
    /// How
    #[arg(long, value_enum, default_value_t)]
    format: Form,
}

#[derive(Args, Debug)]
pub(super) struct Template {
    /// Which list
    list: ListName,
}

fn number(text: &str) -> Result<u32, &'static str> {
    let is_number = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok()).flatten().ok_or("8 digits")
}

impl Make {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let past = self.from.saturating_add(self.count);
        if past > 100_000_000 {
            return Err(Failure::new(Exit::Usage, "the numbers of terminals end with 99999999"));
        }
        let mut sheet = Sheet::new(List::Terminals);
        let word = |word: &Option<String>| word.clone().unwrap_or_default();
        let (merchant, template, group) = (word(&self.merchant), word(&self.template), word(&self.group));
        for terminal in self.from..past {
            let terminal = format!("{terminal:08}");
            sheet.push(&[("terminal", &terminal), ("merchant", &merchant), ("template", &template), ("group", &group)]);
        }
        write!(out, "{}", sheet.written(self.format.into()))?;
        Ok(Exit::Ok)
    }
}

impl Template {
    pub(super) fn run(self, out: &mut dyn Write) -> Outcome {
        let list = List::from(self.list);
        writeln!(
            out,
            "# {}: one row each; only the first column must be there, and what the manual says",
            list.name()
        )?;
        writeln!(out, "{}", list.columns().join(","))?;
        Ok(Exit::Ok)
    }
}
