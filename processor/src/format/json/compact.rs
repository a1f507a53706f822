//! An object or array as the text of a STRING column: read and written anew, as Flink's JSON library does.
//!
//! Before: [`scan`](super::scan) found a container where the table declares STRING. After: the column.
//!
//! White space goes, strings get the fewest escapes, fractions are printed as doubles. A key that stands twice in such an
//! object is kept twice; Flink keeps its last value.

use super::scan::{Cursor, Kind, Span};
use super::text::{unescape, write_string};
use crate::format::floating;

/// Appends the compact form of the container `span`; `None` if a string in it is not UTF-8.
pub(super) fn compact(span: Span, value: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let text = span.of(value);
    let mut cursor = Cursor::new(text);
    let mut scratch = String::new();
    // The scanner has checked the structure, so what stands between scalars is copied as it comes.
    while let Some(byte) = cursor.peek() {
        if matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':') {
            cursor.take(byte);
            out.push(byte);
            continue;
        }
        let scalar = cursor.value().ok()?;
        write_scalar(scalar, text, &mut scratch, out)?;
    }
    Some(())
}

fn write_scalar(span: Span, text: &[u8], scratch: &mut String, out: &mut Vec<u8>) -> Option<()> {
    match span.kind {
        Kind::Text | Kind::EscapedText => write_string(unescape(span, text, scratch)?, out),
        Kind::Fraction => write_double(floating::parse::<f64>(std::str::from_utf8(span.of(text)).ok()?)?, out),
        Kind::Integer if span.of(text) == b"-0" => out.push(b'0'),
        Kind::Integer | Kind::Null | Kind::True | Kind::False | Kind::Container => {
            out.extend_from_slice(span.of(text));
        }
    }
    Some(())
}

/// A double as JSON: what is no finite number becomes a string.
pub(super) fn write_double<F: floating::Number + std::str::FromStr>(value: F, out: &mut Vec<u8>) {
    match value.word() {
        Some(word) => write_string(word, out),
        None => floating::write(value, out),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_are_written_anew() {
        let compacted = |text: &str| {
            let span = Cursor::new(text.as_bytes()).value().unwrap();
            let mut out = Vec::new();
            compact(span, text.as_bytes(), &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(
            compacted(r#" { "a" : [ 1 , 2.50, 1e10, -0, true, null ] , "b\u00e9\/" : { } } "#),
            r#"{"a":[1,2.5,1.0E10,0,true,null],"bé/":{}}"#
        );
        assert_eq!(compacted("[1e999]"), r#"["Infinity"]"#);
        assert_eq!(compacted(r#"["{ \" , }"]"#), r#"["{ \" , }"]"#);
    }
}
