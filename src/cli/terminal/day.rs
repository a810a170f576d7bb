//! `tollgate terminal day`: a whole day from a script, one line a step.

use super::counter::Till;
use super::{config, fault};
use crate::cli::Exit;
use crate::cli::Failure;
use crate::cli::Outcome as Ran;
use crate::model::ResponseCode;
use crate::registry::Source;
use crate::sim::terminal::Deed;
use crate::sim::terminal::day;
use crate::sim::terminal::day::Expected;
use crate::sim::terminal::day_run;
use crate::sim::terminal::day_run::Lived;
use std::cell::Cell;
use std::path::Path;

/// Longer files are no scripts.
const MOST: u64 = 4 << 20;

pub(super) async fn live(driver: &mut Till<'_>, script: &Path) -> Ran {
    let named = script.display().to_string();
    let size = std::fs::metadata(script).map_err(|error| config(format!("{named}: {error}")))?.len();
    if size > MOST {
        return Err(config(format!("{named}: too long")));
    }
    let text = std::fs::read_to_string(script).map_err(|error| config(format!("{named}: {error}")))?;
    let read = day::parse(Source { file: &named, text: &text });
    let day = read.map_err(|breaches| {
        let lines: Vec<String> = breaches.iter().map(ToString::to_string).collect();
        Failure::new(Exit::Config, lines.join("\n"))
    })?;
    if !day.title.is_empty() {
        writeln!(driver.attendant_mut().out, "{}", day.title)?;
    }
    driver.attendant_mut().quiet = true;
    let unreachable = Cell::new(false);
    let lived = day_run::live(driver, &day, |driver, lived| {
        unreachable.set(lived.outcome == day_run::UNREACHABLE);
        let line = told(lived);
        // A reader that went away does not end the day.
        let _printed = writeln!(driver.attendant_mut().out, "{line}");
    });
    let wrong = lived.await.map_err(fault)?;
    let steps = day.steps.len();
    match wrong {
        wrong if unreachable.get() && wrong > 0 => Err(Failure::new(
            Exit::NoConnection,
            format!("no connection: {wrong} of {steps} steps did not happen as expected"),
        )),
        0 => {
            writeln!(driver.attendant_mut().out, "{steps} steps, all as expected")?;
            Ok(Exit::Ok)
        }
        wrong => {
            writeln!(driver.attendant_mut().out, "{steps} steps, {wrong} not as expected")?;
            Ok(Exit::No)
        }
    }
}

fn told(lived: &Lived<'_>) -> String {
    let Lived { step, number, amount, outcome, as_expected, slip } = lived;
    let amount = if amount.minor() > 0 { amount.to_string() } else { String::new() };
    let voucher = slip.as_ref().map(|slip| format!("  voucher {}", slip.stan)).unwrap_or_default();
    let name = step.name.as_ref().map(|name| format!("  \"{name}\"")).unwrap_or_default();
    let meaning = ResponseCode::parse(outcome).map(|code| format!(" {} {}", code.text(), code.chinese()));
    let verdict = if *as_expected { "ok".to_owned() } else { format!("WRONG, expected {}", wanted(&step.expect)) };
    let deed = Deed::name(step.deed);
    let meaning = meaning.unwrap_or_default();
    format!("{number:>4}  {deed:<15} {amount:>12}  {outcome}{meaning}{voucher}{name}  {verdict}")
}

fn wanted(expected: &Expected) -> &str {
    match expected {
        Expected::Code(code) => code,
        Expected::Silence => "silence",
        Expected::Refused => "refused",
        Expected::Balanced => "balanced",
        Expected::Unbalanced => "unbalanced",
        Expected::Any => "an answer",
    }
}
