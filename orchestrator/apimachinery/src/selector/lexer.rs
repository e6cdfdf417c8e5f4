//! Tokens of label selectors.

use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    End,
    Comma,
    Open,
    Close,
    Not,
    Equal,
    NotEqual,
    Greater,
    Less,
    Word(&'a str),
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Token::End => "",
            Token::Comma => ",",
            Token::Open => "(",
            Token::Close => ")",
            Token::Not => "!",
            Token::Equal => "=",
            Token::NotEqual => "!=",
            Token::Greater => ">",
            Token::Less => "<",
            Token::Word(word) => word,
        })
    }
}

pub(super) struct Lexer<'a> {
    rest: &'a str,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Lexer { rest: text }
    }

    pub(super) fn peek(&self) -> Token<'a> {
        self.scan().0
    }

    pub(super) fn next(&mut self) -> Token<'a> {
        let (token, rest) = self.scan();
        self.rest = rest;
        token
    }

    fn scan(&self) -> (Token<'a>, &'a str) {
        let rest = self.rest.trim_start();
        let symbols = [
            ("==", Token::Equal),
            ("!=", Token::NotEqual),
            ("=", Token::Equal),
            ("!", Token::Not),
            (",", Token::Comma),
            ("(", Token::Open),
            (")", Token::Close),
            (">", Token::Greater),
            ("<", Token::Less),
        ];
        for (symbol, token) in symbols {
            if let Some(after) = rest.strip_prefix(symbol) {
                return (token, after);
            }
        }
        if rest.is_empty() {
            return (Token::End, rest);
        }
        let special = |c: char| c.is_whitespace() || matches!(c, '=' | '!' | ',' | '(' | ')' | '>' | '<');
        let (word, after) = rest.split_at(rest.find(special).unwrap_or(rest.len()));
        (Token::Word(word), after)
    }
}
