//! Steps through the tokens of a text and knows the bytes of each.
//!
//! Before: sqlparser's tokenizer with our dialect. After: [`ddl`](super::ddl) and [`query`](super::query).

use std::ops::Range;

use sqlparser::tokenizer::{Location, Token, Tokenizer, Whitespace};

use super::super::dialect::FlinkDialect;
use super::super::error::{SqlError, shorten};
use super::Text;

/// A place in the tokens of a text.
#[derive(Debug)]
pub(super) struct Cursor<'a> {
    text: &'a str,
    tokens: Vec<(Token, Range<usize>)>,
    next: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a str) -> Result<Self, SqlError> {
        let lines = LineStarts::new(text);
        let located = Tokenizer::new(&FlinkDialect, text).tokenize_with_location().map_err(|error| {
            let at = lines.byte(error.location);
            let message = error.message.trim_end().trim_end_matches(" at").to_owned();
            SqlError::new(message, at..text.len().min(at + 1))
        })?;
        let mut tokens = Vec::with_capacity(located.len());
        for token in located {
            let span = lines.byte(token.span.start)..lines.byte(token.span.end);
            let Token::Whitespace(space) = &token.token else {
                tokens.push((token.token, span));
                continue;
            };
            if matches!(space, Whitespace::MultiLineComment(comment) if comment.starts_with('+')) {
                return Err(SqlError::new("hints (`/*+ ... */`) are not supported yet", span)
                    .help("write the options into the table's WITH (...)"));
            }
        }
        Ok(Self { text, tokens, next: 0 })
    }

    pub(super) fn at_end(&self) -> bool {
        self.next >= self.tokens.len()
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.next).map(|(token, _)| token)
    }

    /// The bytes of the next token; the end of the text when there is none.
    pub(super) fn peek_span(&self) -> Range<usize> {
        let end = self.text.trim_end().len();
        self.tokens.get(self.next).map_or(end..end, |(_, span)| span.clone())
    }

    /// From the start of `from` to the end of the token before this place.
    pub(super) fn span_since(&self, from: &Range<usize>) -> Range<usize> {
        let end = self.next.checked_sub(1).map_or(from.end, |last| self.tokens[last].1.end);
        from.start..end.max(from.start)
    }

    /// Goes on if the next token is this keyword, in any case and without quotes.
    pub(super) fn take_word(&mut self, keyword: &str) -> bool {
        let found = self.peek_one_of(&[keyword]).is_some();
        self.next += usize::from(found);
        found
    }

    pub(super) fn peek_one_of<'k>(&self, keywords: &[&'k str]) -> Option<&'k str> {
        let Some(Token::Word(word)) = self.peek() else { return None };
        let found = keywords.iter().find(|keyword| keyword.eq_ignore_ascii_case(&word.value));
        found.filter(|_| word.quote_style.is_none()).copied()
    }

    pub(super) fn expect_word(&mut self, keyword: &str) -> Result<(), SqlError> {
        if self.take_word(keyword) { Ok(()) } else { Err(self.unexpected(keyword)) }
    }

    /// Goes on if the next token is written so.
    pub(super) fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = match self.peek() {
            Some(Token::Word(_) | Token::SingleQuotedString(_)) | None => false,
            Some(_) => self.text.get(self.peek_span()) == Some(symbol),
        };
        self.next += usize::from(found);
        found
    }

    pub(super) fn peek_symbol(&mut self, symbol: &str) -> bool {
        let found = self.take_symbol(symbol);
        self.next -= usize::from(found);
        found
    }

    pub(super) fn expect_symbol(&mut self, symbol: &str) -> Result<(), SqlError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.unexpected(&format!("`{symbol}`"))) }
    }

    /// A name: a word that is not reserved, or anything in backticks.
    pub(super) fn name(&mut self, what: &str) -> Result<Text, SqlError> {
        let span = self.peek_span();
        let Some(Token::Word(word)) = self.peek() else { return Err(self.unexpected(what)) };
        if word.quote_style.is_none() && RESERVED.iter().any(|reserved| reserved.eq_ignore_ascii_case(&word.value)) {
            let word = word.value.clone();
            return Err(self
                .unexpected(what)
                .help(format!("{word} is a reserved word; as a name it needs backticks: `{word}`")));
        }
        if word.value.is_empty() {
            return Err(SqlError::new("a name cannot be empty", span));
        }
        let value = word.value.clone();
        self.next += 1;
        Ok(Text { value, span })
    }

    /// Any word, reserved or not, as it is written.
    pub(super) fn word(&mut self, what: &str) -> Result<Text, SqlError> {
        let span = self.peek_span();
        let Some(Token::Word(word)) = self.peek() else { return Err(self.unexpected(what)) };
        let value = word.value.clone();
        self.next += 1;
        Ok(Text { value, span })
    }

    pub(super) fn peek_name(&mut self) -> bool {
        let here = self.next;
        let found = self.name("").is_ok();
        self.next = here;
        found
    }

    /// A string in single quotes.
    pub(super) fn string(&mut self, what: &str) -> Result<Text, SqlError> {
        let span = self.peek_span();
        let Some(Token::SingleQuotedString(value)) = self.peek() else { return Err(self.unexpected(what)) };
        let value = value.clone();
        self.next += 1;
        Ok(Text { value, span })
    }

    /// A whole number without a sign.
    pub(super) fn number(&mut self, what: &str) -> Result<(u32, Range<usize>), SqlError> {
        let span = self.peek_span();
        let value = match self.peek() {
            Some(Token::Number(digits, _)) => digits.parse().ok(),
            Some(_) | None => None,
        };
        let Some(value) = value else { return Err(self.unexpected(what)) };
        self.next += 1;
        Ok((value, span))
    }

    /// Goes on if the next token is a literal: a number, a string, TRUE or FALSE.
    pub(super) fn take_literal(&mut self) -> bool {
        let found = matches!(self.peek(), Some(Token::Number(..) | Token::SingleQuotedString(_)))
            || self.peek_one_of(&["TRUE", "FALSE"]).is_some();
        self.next += usize::from(found);
        found
    }

    /// Refuses the next element of a list that has grown past all reason: binding compares the elements of lists.
    pub(super) fn check_list(&self, elements: usize) -> Result<(), SqlError> {
        if elements < LIST_MAX {
            return Ok(());
        }
        Err(SqlError::new(format!("a list has at most {LIST_MAX} elements"), self.peek_span()))
    }

    /// The error that something else stands here.
    pub(super) fn unexpected(&self, what: &str) -> SqlError {
        let span = self.peek_span();
        let found = match self.text.get(span.clone()) {
            None | Some("") => "the end of the file".to_owned(),
            Some(found) => format!("`{}`", shorten(found.lines().next().unwrap_or_default())),
        };
        let error = SqlError::new(format!("expected {what}, found {found}"), span);
        match self.peek() {
            Some(Token::DoubleQuotedString(_)) => {
                error.help("Flink SQL writes strings in single quotes and quoted names in backticks")
            }
            Some(_) | None => error,
        }
    }
}

/// Byte offsets of lines, to turn the tokenizer's lines and columns (in characters) into bytes.
struct LineStarts<'a> {
    text: &'a str,
    starts: Vec<usize>,
    /// Byte offsets of each character, where the text is not ASCII.
    characters: Vec<usize>,
    /// The number of the first character of each line.
    first_character: Vec<usize>,
}

impl<'a> LineStarts<'a> {
    fn new(text: &'a str) -> Self {
        let mut starts = vec![0];
        let mut first_character = vec![0];
        let mut characters = Vec::with_capacity(text.len());
        for (byte, character) in text.char_indices() {
            characters.push(byte);
            if character == '\n' {
                starts.push(byte + 1);
                first_character.push(characters.len());
            }
        }
        Self { text, starts, characters, first_character }
    }

    fn byte(&self, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(usize::MAX).saturating_sub(1);
        let column = usize::try_from(location.column).unwrap_or(usize::MAX).saturating_sub(1);
        let Some(first) = self.first_character.get(line.min(self.starts.len() - 1)) else { return self.text.len() };
        self.characters.get(first.saturating_add(column)).copied().unwrap_or(self.text.len())
    }
}

const LIST_MAX: usize = 4_096;

/// Words that Flink reserves and that users are likely to write as names, with those that our grammar needs.
const RESERVED: &[&str] = &[
    "ALL",
    "AND",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CREATE",
    "CROSS",
    "DATE",
    "DEC",
    "DEFAULT",
    "DESCRIBE",
    "DISTINCT",
    "END",
    "EXCEPT",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "HOUR",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "MINUTE",
    "MONTH",
    "NATURAL",
    "NOT",
    "NULL",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OVER",
    "PARTITION",
    "PRIMARY",
    "RIGHT",
    "SECOND",
    "SELECT",
    "SET",
    "TABLE",
    "TIME",
    "TIMESTAMP",
    "UNION",
    "UNIQUE",
    "USER",
    "USING",
    "VALUE",
    "VALUES",
    "WHERE",
    "WINDOW",
    "WITH",
    "YEAR",
    "DAY",
];
