//! JSON text into spans: where each value begins and ends, and what kind it is; nothing is copied or converted.
//!
//! Before: [`decode`](super::decode) walks a record's value with a [`Cursor`]. After: [`convert`](super::convert) reads
//! the spans of the columns that the plan needs. The grammar is what Flink's parser takes: RFC 8259, and control
//! characters in strings. Text is not checked to be UTF-8 here; that is for whoever reads a span.

/// What a value is, as its first byte and its shape say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    True,
    False,
    /// A number without fraction and exponent.
    Integer,
    /// A number with a fraction or an exponent.
    Fraction,
    /// A string without a backslash.
    Text,
    /// A string with at least one backslash.
    EscapedText,
    /// An object or an array.
    Container,
}

/// A value's place; of a string, what stands between its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) kind: Kind,
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// The bytes of the value in the text that was scanned.
    pub(super) fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }

    /// Whether quotes stand around it.
    pub(super) fn is_string(self) -> bool {
        matches!(self.kind, Kind::Text | Kind::EscapedText)
    }
}

/// Where a text stops being JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    /// What should have stood there.
    pub(super) expected: &'static str,
    /// The byte, from 0.
    pub(super) at: usize,
}

/// A place in a text.
#[derive(Clone, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At the start, behind a byte order mark.
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: if text.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 } }
    }

    /// The next byte that is not white space, without moving behind it.
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(&byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
        None
    }

    /// Moves behind `byte` if it comes next, white space aside.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.at += 1;
        }
        found
    }

    /// A key of an object with the colon behind it.
    pub(super) fn key(&mut self) -> Result<Span, SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.expected("a field's name"));
        }
        let key = self.string()?;
        if !self.take(b':') {
            return Err(self.expected("`:`"));
        }
        Ok(key)
    }

    /// Any value.
    pub(super) fn value(&mut self) -> Result<Span, SyntaxError> {
        match self.peek() {
            Some(b'{' | b'[') => self.container(),
            Some(_) | None => self.scalar(),
        }
    }

    pub(super) fn expected(&self, expected: &'static str) -> SyntaxError {
        SyntaxError { expected, at: self.at }
    }

    fn scalar(&mut self) -> Result<Span, SyntaxError> {
        match self.peek() {
            Some(b'"') => self.string(),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.literal(b"true", Kind::True),
            Some(b'f') => self.literal(b"false", Kind::False),
            Some(b'n') => self.literal(b"null", Kind::Null),
            Some(_) | None => Err(self.expected("a value")),
        }
    }

    fn literal(&mut self, literal: &'static [u8], kind: Kind) -> Result<Span, SyntaxError> {
        let start = self.at;
        if !self.text.get(start..).is_some_and(|rest| rest.starts_with(literal)) {
            return Err(self.expected("a value"));
        }
        self.at += literal.len();
        if self.text.get(self.at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_') {
            return Err(self.expected("the end of `true`, `false` or `null`"));
        }
        Ok(Span { kind, start, end: self.at })
    }

    fn number(&mut self) -> Result<Span, SyntaxError> {
        let (start, mut kind) = (self.at, Kind::Integer);
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
            if self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
                return Err(self.expected("a number without leading zeros"));
            }
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            kind = Kind::Fraction;
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.byte() {
            kind = Kind::Fraction;
            self.at += 1;
            if let Some(b'+' | b'-') = self.byte() {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(Span { kind, start, end: self.at })
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        let start = self.at;
        while self.byte().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { Err(self.expected("a digit")) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<Span, SyntaxError> {
        self.at += 1;
        let (start, mut kind) = (self.at, Kind::Text);
        loop {
            let rest = self.text.get(self.at..).unwrap_or_default();
            let Some(length) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')) else {
                self.at = self.text.len();
                return Err(self.expected("the string's closing quote"));
            };
            self.at += length;
            if self.byte() == Some(b'"') {
                self.at += 1;
                return Ok(Span { kind, start, end: self.at - 1 });
            }
            kind = Kind::EscapedText;
            self.escape()?;
        }
    }

    fn escape(&mut self) -> Result<(), SyntaxError> {
        let escape = self.text.get(self.at + 1..).unwrap_or_default();
        let length = match escape {
            [b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't', ..] => 2,
            [b'u', a, b, c, d, ..] if [a, b, c, d].into_iter().all(u8::is_ascii_hexdigit) => 6,
            _ => return Err(self.expected("an escape that JSON knows")),
        };
        self.at += length;
        Ok(())
    }

    /// An object or array with all that is in it; without recursion, so that nesting cannot exhaust the stack.
    fn container(&mut self) -> Result<Span, SyntaxError> {
        let start = self.at;
        let mut open = Nesting::default();
        loop {
            // Here a value begins.
            if self.take(b'{') {
                self.open(&mut open, true)?;
                if !self.take(b'}') {
                    self.key()?;
                    continue;
                }
                open.depth -= 1;
            } else if self.take(b'[') {
                self.open(&mut open, false)?;
                if !self.take(b']') {
                    continue;
                }
                open.depth -= 1;
            } else {
                self.scalar()?;
            }
            // It has ended, and with it perhaps those around it.
            loop {
                if open.depth == 0 {
                    return Ok(Span { kind: Kind::Container, start, end: self.at });
                }
                let object = open.innermost_is_object();
                if self.take(b',') {
                    if object {
                        self.key()?;
                    }
                    break;
                }
                if !self.take(if object { b'}' } else { b']' }) {
                    return Err(self.expected(if object { "`,` or `}`" } else { "`,` or `]`" }));
                }
                open.depth -= 1;
            }
        }
    }

    fn open(&self, open: &mut Nesting, object: bool) -> Result<(), SyntaxError> {
        if open.push(object) { Ok(()) } else { Err(self.expected("at most 1000 levels of nesting")) }
    }

    fn byte(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

/// Which of the open containers are objects, outermost first.
#[derive(Default)]
struct Nesting {
    objects: [u64; NESTING_MAX.div_ceil(64)],
    depth: usize,
}

impl Nesting {
    fn push(&mut self, object: bool) -> bool {
        if self.depth >= NESTING_MAX {
            return false;
        }
        let Some(word) = self.objects.get_mut(self.depth / 64) else { return false };
        *word = *word & !(1 << (self.depth % 64)) | u64::from(object) << (self.depth % 64);
        self.depth += 1;
        true
    }

    fn innermost_is_object(&self) -> bool {
        let at = self.depth.saturating_sub(1);
        self.objects.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }
}

/// Where Flink's parser stops too.
const NESTING_MAX: usize = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Result<(Kind, &str), SyntaxError> {
        let mut cursor = Cursor::new(text.as_bytes());
        let span = cursor.value()?;
        Ok((span.kind, &text[span.start..span.end]))
    }

    #[test]
    fn spans_say_what_a_value_is() {
        assert_eq!(scan(" null,"), Ok((Kind::Null, "null")));
        assert_eq!(scan("true}"), Ok((Kind::True, "true")));
        assert_eq!(scan("-12]"), Ok((Kind::Integer, "-12")));
        assert_eq!(scan("0.5"), Ok((Kind::Fraction, "0.5")));
        assert_eq!(scan("1e+9"), Ok((Kind::Fraction, "1e+9")));
        assert_eq!(scan(r#""a/é" "#), Ok((Kind::Text, "a/é")));
        assert_eq!(scan(r#""a\"\u00e9""#), Ok((Kind::EscapedText, r#"a\"\u00e9"#)));
        assert_eq!(scan("\"a\tb\""), Ok((Kind::Text, "a\tb")));
        assert_eq!(scan("[] x"), Ok((Kind::Container, "[]")));
        let nested = r#"{"a":[1,{"b":[]},[{}]],"c":{"d":"}"}}"#;
        assert_eq!(scan(nested), Ok((Kind::Container, nested)));
    }

    #[test]
    fn what_is_no_json_is_refused_where_it_stops_being_json() {
        let expected = |text| scan(text).map_err(|error| (error.expected, error.at)).unwrap_err();
        assert_eq!(expected(""), ("a value", 0));
        assert_eq!(expected("01"), ("a number without leading zeros", 1));
        assert_eq!(expected("1."), ("a digit", 2));
        assert_eq!(expected("-"), ("a digit", 1));
        assert_eq!(expected("nul"), ("a value", 0));
        assert_eq!(expected("nullx"), ("the end of `true`, `false` or `null`", 4));
        assert_eq!(expected("NaN"), ("a value", 0));
        assert_eq!(expected("\"a"), ("the string's closing quote", 2));
        assert_eq!(expected(r#""\x""#), ("an escape that JSON knows", 1));
        assert_eq!(expected(r#"{"a":1,}"#), ("a field's name", 7));
        assert_eq!(expected("[1,]"), ("a value", 3));
        assert_eq!(expected("[1}"), ("`,` or `]`", 2));
        assert_eq!(expected(r#"{"a" 1}"#), ("`:`", 5));
        assert_eq!(expected(r#"{"a":[1}"#), ("`,` or `]`", 7));
    }

    #[test]
    fn nesting_is_bounded_and_needs_no_stack() {
        let deep = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(scan(&deep(1000)).is_ok());
        assert_eq!(scan(&deep(1001)).unwrap_err().expected, "at most 1000 levels of nesting");
        assert!(scan(&"{\"a\":".repeat(1_000_000)).is_err());
    }
}
