//! Whether a station should be given work: journal, HSM, links.

use super::Sources;
use std::fmt;

/// Whether requests can be served now, and if not, why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Readiness {
    checks: Vec<(&'static str, Result<String, String>)>,
}

impl Readiness {
    pub(super) fn look(sources: &Sources) -> Self {
        let gauges = &sources.gauges;
        let links: Vec<_> = gauges.links();
        let mut down: Vec<&str> =
            links.iter().filter(|links| links.up == 0).map(|links| links.issuer.as_str()).collect();
        down.sort_unstable();
        let ok = |is: bool, why: &str| if is { Ok("ok".to_owned()) } else { Err(why.to_owned()) };
        Self::of([
            ("station", ok(!gauges.is_stopping(), "is stopping")),
            ("journal", ok(!gauges.has_failed(), "the ledger failed")),
            ("hsm", ok(gauges.meter().hsm_is_there(), "does not answer")),
            ("links", links_in_words(&down, links.len())),
        ])
    }

    fn of(checks: impl IntoIterator<Item = (&'static str, Result<String, String>)>) -> Self {
        Self { checks: checks.into_iter().collect() }
    }

    /// Whether it is.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.checks.iter().all(|(_, said)| said.is_ok())
    }
}

/// One issuer that is away is no reason to send terminals elsewhere: the others' cards are still served here.
fn links_in_words(down: &[&str], of: usize) -> Result<String, String> {
    match down.len() {
        0 => Ok("ok".to_owned()),
        all if all == of => Err(format!("no issuer can be reached: {}", down.join(", "))),
        _ => Ok(format!("ok but for {}", down.join(", "))),
    }
}

/// One line for the whole, one for each check.
impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", if self.is_ready() { "ready" } else { "not ready" })?;
        for (name, said) in &self.checks {
            let (Ok(said) | Err(said)) = said;
            writeln!(f, "{name}: {said}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_is_ready_while_any_issuer_can_be_reached() {
        let of = |down: &[&str]| Readiness::of([("hsm", Ok("ok".into())), ("links", links_in_words(down, 2))]);
        assert!(of(&[]).is_ready() && of(&["bank-a"]).is_ready() && !of(&["bank-a", "bank-b"]).is_ready());
        assert_eq!(of(&["bank-a"]).to_string(), "ready\nhsm: ok\nlinks: ok but for bank-a\n");
        let both = "not ready\nhsm: ok\nlinks: no issuer can be reached: bank-a, bank-b\n";
        assert_eq!(of(&["bank-a", "bank-b"]).to_string(), both);
        assert!(Readiness::of([("links", links_in_words(&[], 0))]).is_ready());
    }
}
