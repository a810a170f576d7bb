//! Texts that many rows share are kept once.

use super::table::{Breaches, Row};
use crate::model::Network;
use crate::model::NetworkPolicy;
use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

/// Longest text that only people read, in characters.
const PROSE: usize = 128;
pub(super) const PROSE_FORM: &str = "1 to 128 characters, none of which steers a screen";
pub(super) const LABEL_FORM: &str = "1 to 32 letters, digits, hyphens or underscores";

/// What is in a list may be shown: nothing in it moves a cursor.
pub(super) fn prose(text: &str) -> Option<&str> {
    let is_plain = (1..=PROSE).contains(&text.chars().count()) && !text.contains(char::is_control);
    is_plain.then_some(text)
}

/// The name of a template or a group.
pub(super) fn label(text: &str) -> Option<&str> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    ((1..=32).contains(&text.len()) && text.bytes().all(plain)).then_some(text)
}

/// Texts and network policies, each once.
#[derive(Debug, Default)]
pub(super) struct Names {
    texts: HashSet<Arc<str>>,
    policies: HashMap<Box<str>, NetworkPolicy>,
}

impl Names {
    /// The one copy of this text.
    pub(super) fn shared(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.texts.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        self.texts.insert(Arc::clone(&new));
        new
    }

    /// A column with a text for people.
    pub(super) fn prose<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        column: &str,
        breaches: &mut Breaches,
    ) -> Option<Arc<str>> {
        row.optional(column, PROSE_FORM, prose, breaches).map(|text| self.shared(text))
    }

    /// The column `network`.
    pub(super) fn policy<const N: usize>(
        &mut self,
        row: &Row<'_, N>,
        breaches: &mut Breaches,
    ) -> Option<NetworkPolicy> {
        const FORM: &str = "any, pin, learn, warn, or up to 16 networks such as 10.0.0.0/8";
        let text = row.text("network");
        if let Some(known) = text.and_then(|text| self.policies.get(text)) {
            return Some(known.clone());
        }
        let words = row.words("network", FORM, breaches)?;
        let policy = match words.as_slice() {
            ["any"] => Some(NetworkPolicy::Any),
            ["pin"] => Some(NetworkPolicy::Pin),
            ["learn"] => Some(NetworkPolicy::Learn),
            ["warn"] => Some(NetworkPolicy::Warn),
            [] => return None,
            words if words.len() > NetworkPolicy::MOST => None,
            words => {
                words.iter().map(|word| Network::parse(word)).collect::<Option<Arc<[_]>>>().map(NetworkPolicy::Among)
            }
        };
        match (&policy, text) {
            (None, _) => row.breach("network", format!("network: is not {FORM}"), breaches),
            (Some(policy), Some(text)) => {
                self.policies.insert(text.into(), policy.clone());
            }
            (Some(_), None) => {}
        }
        policy
    }
}
