//! Just enough of Rust's lexical grammar to read paths out of a file and nothing out of its comments and strings.

/// What a piece of source is, as far as the house rules care.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// An identifier or keyword; raw identifiers come without their `r#`.
    Word(String),
    /// One character of punctuation. Literals and lifetimes leave no token.
    Mark(char),
}

/// One token and the line it starts on, counted from 1.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }

    pub(crate) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::Mark(_) => None,
        }
    }
}

/// A file as the rules see it.
#[derive(Debug, Default)]
pub(crate) struct Source {
    pub(crate) tokens: Vec<Token>,
    /// Lines that hold a plain comment. Doc comments describe, they do not excuse, so they are not here.
    pub(crate) comments: Vec<usize>,
}

/// Reads a whole file. Text that is no Rust still ends: an open string or comment runs to the end of the file.
pub(crate) fn read(text: &str) -> Source {
    let mut lexer = Lexer { rest: text.chars().collect(), at: 0, line: 1, source: Source::default() };
    while lexer.step() {}
    lexer.source
}

struct Lexer {
    rest: Vec<char>,
    at: usize,
    line: usize,
    source: Source,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.at + ahead).copied()
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.peek(0)?;
        self.at += 1;
        self.line += usize::from(c == '\n');
        Some(c)
    }

    fn starts(&self, with: &str) -> bool {
        with.chars().enumerate().all(|(i, c)| self.peek(i) == Some(c))
    }

    fn push(&mut self, kind: Kind, line: usize) {
        self.source.tokens.push(Token { kind, line });
    }

    fn step(&mut self) -> bool {
        let line = self.line;
        let Some(c) = self.peek(0) else { return false };
        match c {
            '/' if self.starts("//") => self.line_comment(),
            '/' if self.starts("/*") => self.block_comment(),
            '"' => self.string(),
            '\'' => self.quote(),
            c if c == '_' || c.is_alphabetic() => self.word(line),
            c if c.is_ascii_digit() => self.number(),
            c => {
                self.bump();
                if !c.is_whitespace() {
                    self.push(Kind::Mark(c), line);
                }
            }
        }
        true
    }

    fn line_comment(&mut self) {
        let doc = self.starts("//!") || (self.starts("///") && !self.starts("////"));
        if !doc {
            self.source.comments.push(self.line);
        }
        while self.peek(0).is_some_and(|c| c != '\n') {
            self.bump();
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0;
        loop {
            if self.starts("/*") {
                depth += 1;
                self.at += 2;
            } else if self.starts("*/") {
                depth -= 1;
                self.at += 2;
            } else if self.bump().is_none() {
                return;
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self) {
        self.bump();
        while let Some(c) = self.bump() {
            match c {
                '\\' => {
                    self.bump();
                }
                '"' => return,
                _ => {}
            }
        }
    }

    /// A character literal has its closing quote after one character or an escape; anything else is a lifetime.
    fn quote(&mut self) {
        self.bump();
        if self.peek(0) == Some('\\') {
            self.bump();
            self.bump();
            while self.bump().is_some_and(|c| c != '\'') {}
        } else if self.peek(1) == Some('\'') {
            self.bump();
            self.bump();
        } else {
            while self.peek(0).is_some_and(|c| c == '_' || c.is_alphanumeric()) {
                self.bump();
            }
        }
    }

    fn number(&mut self) {
        while self.peek(0).is_some_and(|c| c == '_' || c.is_alphanumeric()) {
            self.bump();
        }
    }

    fn word(&mut self, line: usize) {
        let mut word = String::new();
        while let Some(c) = self.peek(0).filter(|c| *c == '_' || c.is_alphanumeric()) {
            word.push(c);
            self.bump();
        }
        let prefix = matches!(word.as_str(), "r" | "b" | "c" | "br" | "cr");
        match self.peek(0) {
            Some('"') if word.contains('r') && prefix => self.raw_string(),
            Some('"') if prefix => self.string(),
            Some('\'') if word == "b" => self.quote(),
            Some('#') if prefix && self.raw_ahead() => self.raw_string(),
            // A raw identifier: the name that follows is the word.
            Some('#') if word == "r" => {
                self.bump();
            }
            _ => self.push(Kind::Word(word), line),
        }
    }

    fn raw_ahead(&self) -> bool {
        let hashes = (0..).take_while(|i| self.peek(*i) == Some('#')).count();
        self.peek(hashes) == Some('"')
    }

    fn raw_string(&mut self) {
        let mut hashes = 0;
        while self.peek(0) == Some('#') {
            hashes += 1;
            self.bump();
        }
        self.bump();
        while let Some(c) = self.bump() {
            if c == '"' && (0..hashes).all(|i| self.peek(i) == Some('#')) {
                self.at += hashes;
                return;
            }
        }
    }
}
