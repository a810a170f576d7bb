//! Every path a file names, with groups opened and `super` resolved, so that no spelling hides an import.

use crate::lex::Token;

/// A path as written, one entry a branch of a group: `a::{b, c::*}` gives `a::b` and `a::c::*`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Path {
    pub(crate) parts: Vec<String>,
    pub(crate) line: usize,
    /// Written in a `use` declaration.
    pub(crate) imported: bool,
    /// Depth of `{}` around this branch.
    pub(crate) groups: usize,
    /// The first segment is followed by a group: `crate::{..}`.
    pub(crate) group_at_root: bool,
    /// How many inline modules of the file surround it.
    pub(crate) inline_depth: usize,
}

/// All paths of a file in order; a lone word outside a `use` is no path.
pub(crate) fn of(tokens: &[Token]) -> Vec<Path> {
    let mut walk =
        Walk { tokens, at: 0, found: Vec::new(), imported: false, root_group: false, inline: Vec::new(), braces: 0 };
    while walk.at < tokens.len() {
        walk.step();
    }
    walk.found
}

struct Walk<'a> {
    tokens: &'a [Token],
    at: usize,
    found: Vec<Path>,
    imported: bool,
    /// The `use` being read opened a group after at most one segment.
    root_group: bool,
    /// Brace depth at which each open inline module began.
    inline: Vec<usize>,
    braces: usize,
}

impl Walk<'_> {
    fn mark(&self, at: usize, mark: char) -> bool {
        self.tokens.get(at).is_some_and(|t| t.is(mark))
    }

    fn word(&self, at: usize) -> Option<&str> {
        self.tokens.get(at)?.word()
    }

    fn joined(&self, at: usize) -> bool {
        self.mark(at, ':') && self.mark(at + 1, ':')
    }

    fn step(&mut self) {
        if let Some(word) = self.word(self.at) {
            match word {
                "use" => {
                    self.imported = true;
                    self.at += 1;
                    if self.joined(self.at) {
                        self.at += 2;
                    }
                    self.tree(&[], 0);
                    self.imported = false;
                    self.root_group = false;
                }
                "mod" if self.word(self.at + 1).is_some() && self.mark(self.at + 2, '{') => {
                    self.inline.push(self.braces);
                    self.at += 2;
                }
                _ => self.tree(&[], 0),
            }
            return;
        }
        if self.mark(self.at, '{') {
            self.braces += 1;
        } else if self.mark(self.at, '}') {
            self.braces = self.braces.saturating_sub(1);
            if self.inline.last() == Some(&self.braces) {
                self.inline.pop();
            }
        }
        self.at += 1;
    }

    /// Reads one branch from here and records its leaves. Stops at the first token that cannot belong to a path.
    fn tree(&mut self, before: &[String], groups: usize) {
        let mut parts = before.to_vec();
        let line = self.tokens.get(self.at).map_or(0, |t| t.line);
        loop {
            if self.mark(self.at, '{') && (self.imported || groups > 0) {
                return self.group(&parts, groups);
            }
            if self.mark(self.at, '*') && self.imported {
                parts.push("*".into());
                self.at += 1;
                break;
            }
            let Some(word) = self.word(self.at).map(str::to_owned) else { break };
            self.at += 1;
            parts.push(word);
            if !self.joined(self.at) || self.mark(self.at + 2, '<') {
                break;
            }
            self.at += 2;
        }
        self.leaf(parts, line, groups);
    }

    fn group(&mut self, parts: &[String], groups: usize) {
        self.root_group |= parts.len() <= 1;
        self.at += 1;
        while self.at < self.tokens.len() && !self.mark(self.at, '}') {
            if self.word(self.at).is_some_and(|w| w != "as") || self.mark(self.at, '*') || self.mark(self.at, '{') {
                self.tree(parts, groups + 1);
            } else if self.word(self.at) == Some("as") {
                self.at += 2;
            } else {
                self.at += 1;
            }
        }
        self.at += 1;
    }

    fn leaf(&mut self, mut parts: Vec<String>, line: usize, groups: usize) {
        if parts.last().is_some_and(|last| last == "self") && parts.len() > 1 {
            parts.pop();
        }
        if parts.is_empty() || (parts.len() == 1 && !self.imported) {
            return;
        }
        self.found.push(Path {
            parts,
            line,
            imported: self.imported,
            groups,
            group_at_root: self.root_group,
            inline_depth: self.inline.len(),
        });
    }
}
