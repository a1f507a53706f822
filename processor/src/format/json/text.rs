//! Strings of JSON: escapes taken out and put in, as Flink's JSON library does.
//!
//! Before: [`scan`](super::scan) found a string, or a column holds one. After: text in a column, or bytes of a result.

use super::scan::{Kind, Span};

/// The text of a string, its escapes resolved into `scratch` if it has any; `None` if it is not UTF-8.
pub(super) fn unescape<'a>(span: Span, value: &'a [u8], scratch: &'a mut String) -> Option<&'a str> {
    let raw = std::str::from_utf8(span.of(value)).ok()?;
    if span.kind != Kind::EscapedText {
        return Some(raw);
    }
    scratch.clear();
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        scratch.push_str(plain);
        let mut characters = escape.chars();
        match characters.next()? {
            'b' => scratch.push('\u{8}'),
            'f' => scratch.push('\u{c}'),
            'n' => scratch.push('\n'),
            'r' => scratch.push('\r'),
            't' => scratch.push('\t'),
            'u' => {
                let (character, length) = unicode(escape)?;
                scratch.push(character);
                rest = escape.get(length..)?;
                continue;
            }
            other => scratch.push(other),
        }
        rest = characters.as_str();
    }
    scratch.push_str(rest);
    Some(scratch)
}

/// The character of `uXXXX`, or of two of them that make a pair, and how many bytes behind the backslash it takes. Half a
/// pair becomes `?`, which is what Java writes for it in UTF-8.
fn unicode(escape: &str) -> Option<(char, usize)> {
    let unit = |at: usize| escape.get(at..at + 4).and_then(|digits| u16::from_str_radix(digits, 16).ok());
    let first = unit(1)?;
    if let Some(character) = char::from_u32(u32::from(first)) {
        return Some((character, 5));
    }
    if escape.get(5..7) == Some("\\u")
        && let Some(second) = unit(7)
        && let Some(Ok(character)) = char::decode_utf16([first, second]).next()
    {
        return Some((character, 11));
    }
    Some(('?', 5))
}

/// Writes a string with its quotes. Escaped are `"`, `\` and control characters; the short forms where there is one,
/// upper-case hexadecimal otherwise. `/` and all that is not ASCII stay as they are.
pub(super) fn write_string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut start = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        if byte >= b' ' && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(bytes.get(start..at).unwrap_or_default());
        start = at + 1;
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            0x08 => out.extend_from_slice(b"\\b"),
            b'\t' => out.extend_from_slice(b"\\t"),
            b'\n' => out.extend_from_slice(b"\\n"),
            0x0c => out.extend_from_slice(b"\\f"),
            b'\r' => out.extend_from_slice(b"\\r"),
            other => {
                out.extend_from_slice(b"\\u00");
                out.extend([other >> 4, other & 15].map(|digit| {
                    char::from_digit(u32::from(digit), 16).map_or(b'0', |digit| digit.to_ascii_uppercase() as u8)
                }));
            }
        }
    }
    out.extend_from_slice(bytes.get(start..).unwrap_or_default());
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    use super::super::scan::Cursor;
    use super::*;

    fn unescaped(text: &str) -> Option<String> {
        let mut scratch = "left over".to_owned();
        let span = Cursor::new(text.as_bytes()).value().unwrap();
        unescape(span, text.as_bytes(), &mut scratch).map(str::to_owned)
    }

    #[test]
    fn escapes_are_resolved() {
        assert_eq!(unescaped(r#""plain é""#).as_deref(), Some("plain é"));
        assert_eq!(unescaped(r#""\"\\\/\b\f\n\r\t""#).as_deref(), Some("\"\\/\u{8}\u{c}\n\r\t"));
        assert_eq!(unescaped(r#""a\ud83d\ude00b""#).as_deref(), Some("a😀b"));
        assert_eq!(unescaped(r#""""#).as_deref(), Some(""));
    }

    #[test]
    fn half_a_pair_is_a_question_mark_as_in_java() {
        assert_eq!(unescaped(r#""\ud83d""#).as_deref(), Some("?"));
        assert_eq!(unescaped(r#""\ude00\u0041""#).as_deref(), Some("?A"));
        assert_eq!(unescaped(r#""\ud83d\u0041""#).as_deref(), Some("?A"));
        assert_eq!(unescaped(r#""\ud83dx""#).as_deref(), Some("?x"));
    }

    #[test]
    fn strings_are_written_as_jackson_writes_them() {
        let mut out = Vec::new();
        write_string("a\"\\/\u{8}\t\n\u{c}\r\u{0}\u{1b}\u{7f}é😀\u{2028}", &mut out);
        let expected = "\"a\\\"\\\\/\\b\\t\\n\\f\\r\\u0000\\u001B\u{7f}é😀\u{2028}\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
