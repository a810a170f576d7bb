//! The key file against the audit file: what became of every key, as it was noted when it was done.

use super::audit::Line;
use crate::server::config::KeptKey;
use crate::server::config::KeyState;
use std::collections::BTreeMap;

/// A generation as the audit file has it.
struct Noted<'a> {
    state: KeyState,
    /// The line that says it was made or taken in.
    made: &'a Line,
}

/// The generations of all keys, by name and number.
type Generations<'a> = BTreeMap<(&'a str, u16), Noted<'a>>;

fn shift(noted: &mut Generations<'_>, name: &str, from: KeyState, to: KeyState) {
    for ((_, _), key) in noted.iter_mut().filter(|((of, _), key)| *of == name && key.state == from) {
        key.state = to;
    }
}

/// What is to be in the key file after these lines. A line of something that did not come to be is made good by the one
/// of its next try.
fn generations(lines: &[Line]) -> Generations<'_> {
    let mut noted = Generations::new();
    for line in lines.iter().filter(|line| line.refused.is_none()) {
        let (Some(name), Some(generation)) = (line.key.as_deref(), line.generation) else { continue };
        let is = |noted: &Generations<'_>, state| noted.get(&(name, generation)).is_some_and(|key| key.state == state);
        match line.what.as_str() {
            "take-in" | "import" | "rotate" | "ceremony" => {
                let mut others = noted.iter().filter(|((of, number), _)| *of == name && *number != generation);
                let state = match others.any(|(_, key)| key.state == KeyState::Current) {
                    true => KeyState::Pending,
                    false => KeyState::Current,
                };
                noted.insert((name, generation), Noted { state, made: line });
            }
            "activate" if is(&noted, KeyState::Pending) => {
                shift(&mut noted, name, KeyState::Before, KeyState::Retired);
                shift(&mut noted, name, KeyState::Current, KeyState::Before);
                shift(&mut noted, name, KeyState::Pending, KeyState::Current);
            }
            "settle" if is(&noted, KeyState::Before) => shift(&mut noted, name, KeyState::Before, KeyState::Retired),
            "withdraw" if is(&noted, KeyState::Pending) => {
                shift(&mut noted, name, KeyState::Pending, KeyState::Retired);
            }
            _ => {}
        }
    }
    noted
}

/// How a row differs from what was noted. Lines of earlier builds say less.
fn differences(key: &KeptKey, Noted { state, made }: &Noted<'_>) -> Vec<String> {
    let mut differences = Vec::new();
    let mut compare = |what: &str, found: &str, noted: Option<&str>| {
        if let Some(noted) = noted.filter(|noted| *noted != found) {
            let found = if found.is_empty() { "none" } else { found };
            differences.push(format!("its {what} is {found}, the audit file says {noted}"));
        }
    };
    let check = key.check.as_ref().map(ToString::to_string).unwrap_or_default();
    compare("usage", key.usage.word(), made.usage.as_deref());
    compare("algorithm", key.algorithm.word(), made.algorithm.as_deref());
    compare("state", key.state.word(), Some(state.word()));
    compare("check value", &check, made.check.as_deref());
    let said = |test: bool| if test { "set" } else { "not set" };
    compare("test mark", said(key.test), made.test.map(said));
    differences
}

/// Every row that no line made, that is another than was noted, or that is gone.
pub(super) fn rows(keys: &[KeptKey], lines: &[Line]) -> Vec<String> {
    let mut noted = generations(lines);
    let mut wrong = Vec::new();
    for key in keys {
        let (name, generation) = (key.name.as_str(), key.generation);
        let faults = match noted.remove(&(name, generation)) {
            Some(noted) => differences(key, &noted),
            None => vec!["no line of the audit file says where it came from".to_owned()],
        };
        wrong.extend(faults.into_iter().map(|fault| format!("{name} generation {generation}: {fault}")));
    }
    for (name, generation) in noted.into_keys() {
        wrong.push(format!("{name} generation {generation}: is gone from the key file"));
    }
    wrong
}
