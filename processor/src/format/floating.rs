//! FLOAT and DOUBLE as text and back, as Java reads and prints them.
//!
//! Before: a text format read a number or a string. After: a number in an Arrow column, and the other way.
//!
//! Printed are the shortest digits that read back as the same number, and of those the nearest to it, which is what Java
//! prints since JDK 19; older ones print more digits of a few numbers, such as `1.9999999999999998E23` for `2.0E23`.

use std::fmt::{self, LowerExp, Write};
use std::str::FromStr;

/// Reads a number as `Double.parseDouble` does, save for hexadecimal digits.
pub(crate) fn parse<F: FromStr + Number>(text: &str) -> Option<F> {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..)?),
        [b'+', ..] => (false, text.get(1..)?),
        _ => (false, text),
    };
    match unsigned {
        "NaN" => return Some(F::NAN),
        "Infinity" if negative => return Some(F::NEGATIVE_INFINITY),
        "Infinity" => return Some(F::INFINITY),
        _ => {}
    }
    // Rust knows words that Java does not.
    if !unsigned.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

/// Prints a number as `Double.toString` and `Float.toString` do: `1.0`, `1.0E10`, `1.0E-7`, `Infinity`, `NaN`.
pub(crate) fn write<F: FromStr + Number>(value: F, out: &mut Vec<u8>) {
    if let Some(word) = value.word() {
        out.extend_from_slice(word.as_bytes());
        return;
    }
    let mut text = Text::default();
    // The text is large enough for every number.
    let _ = write!(text, "{value:e}");
    if !text.as_str().contains('.') {
        // Of one digit: two may be nearer to the number, and Java counts them as equally short.
        let mut longer = Text::default();
        let _ = write!(longer, "{value:.1e}");
        if longer.as_str().parse::<F>().is_ok_and(|read| read == value) {
            text = longer;
        }
    }
    let (mantissa, exponent) = text.as_str().split_once('e').unwrap_or((text.as_str(), "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let unsigned = mantissa.strip_prefix('-').unwrap_or(mantissa);
    if unsigned.len() < mantissa.len() {
        out.push(b'-');
    }
    let (first, rest) = unsigned.split_at(1);
    let rest = rest.strip_prefix('.').unwrap_or_default();
    let rest = if rest == "0" { "" } else { rest };
    if unsigned.bytes().all(|digit| matches!(digit, b'0' | b'.')) {
        out.extend_from_slice(b"0.0");
    } else if (0..7).contains(&exponent) {
        let whole = usize::try_from(exponent).unwrap_or_default();
        out.extend_from_slice(first.as_bytes());
        let (before, after) = rest.split_at(whole.min(rest.len()));
        out.extend_from_slice(before.as_bytes());
        out.extend(std::iter::repeat_n(b'0', whole - before.len()));
        out.push(b'.');
        out.extend_from_slice(or_zero(after));
    } else if (-3..0).contains(&exponent) {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', usize::try_from(-exponent - 1).unwrap_or_default()));
        out.extend_from_slice(first.as_bytes());
        out.extend_from_slice(rest.as_bytes());
    } else {
        out.extend_from_slice(first.as_bytes());
        out.push(b'.');
        out.extend_from_slice(or_zero(rest));
        out.push(b'E');
        let mut digits = Text::default();
        let _ = write!(digits, "{exponent}");
        out.extend_from_slice(digits.as_str().as_bytes());
    }
}

/// What `f32` and `f64` share here.
pub(crate) trait Number: Copy + PartialEq + LowerExp {
    const NAN: Self;
    const INFINITY: Self;
    const NEGATIVE_INFINITY: Self;

    /// How Java writes what is no finite number.
    fn word(self) -> Option<&'static str> {
        if self == Self::INFINITY {
            Some("Infinity")
        } else if self == Self::NEGATIVE_INFINITY {
            Some("-Infinity")
        } else if self.is_number() {
            None
        } else {
            Some("NaN")
        }
    }

    /// NaN is not equal to itself.
    fn is_number(self) -> bool;
}

impl Number for f32 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;
    const NEGATIVE_INFINITY: Self = Self::NEG_INFINITY;

    fn is_number(self) -> bool {
        !self.is_nan()
    }
}

impl Number for f64 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;
    const NEGATIVE_INFINITY: Self = Self::NEG_INFINITY;

    fn is_number(self) -> bool {
        !self.is_nan()
    }
}

fn or_zero(digits: &str) -> &[u8] {
    if digits.is_empty() { b"0" } else { digits.as_bytes() }
}

/// A short text without an allocation; the longest shortest form has 24 bytes (`-2.2250738585072014e-308`).
#[derive(Default)]
struct Text {
    bytes: [u8; 32],
    length: usize,
}

impl Text {
    fn as_str(&self) -> &str {
        self.bytes.get(..self.length).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written<F: FromStr + Number>(value: F) -> String {
        let mut out = Vec::new();
        write(value, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn doubles_are_printed_as_java_prints_them() {
        for (value, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (100.0, "100.0"),
            (123.456, "123.456"),
            (1e6, "1000000.0"),
            (9_999_999.0, "9999999.0"),
            (1e7, "1.0E7"),
            (1e10, "1.0E10"),
            (1.234e10, "1.234E10"),
            (0.1, "0.1"),
            (0.012, "0.012"),
            (0.001, "0.001"),
            (0.000_999, "9.99E-4"),
            (1e-7, "1.0E-7"),
            (2e23, "2.0E23"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "4.9E-324"),
            (f64::MIN_POSITIVE, "2.2250738585072014E-308"),
            (f64::INFINITY, "Infinity"),
            (f64::NEG_INFINITY, "-Infinity"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(written(value), text);
        }
        assert_eq!(written(0.1f32), "0.1");
        assert_eq!(written(1.6e9f32), "1.6E9");
        assert_eq!(written(f32::MIN_POSITIVE), "1.1754944E-38");
        assert_eq!(written(1e-45f32), "1.4E-45");
    }

    #[test]
    fn numbers_are_read_as_java_reads_them() {
        assert_eq!(parse("1.5"), Some(1.5));
        assert_eq!(parse("-1.5e3"), Some(-1500.0));
        assert_eq!(parse("+.5"), Some(0.5));
        assert_eq!(parse("5.d"), Some(5.0));
        assert_eq!(parse("1e400"), Some(f64::INFINITY));
        assert_eq!(parse("Infinity"), Some(f64::INFINITY));
        assert_eq!(parse("-Infinity"), Some(f64::NEG_INFINITY));
        assert!(parse::<f64>("NaN").is_some_and(f64::is_nan));
        for text in ["", "inf", "infinity", "nan", "x", "1,5", "--1", ".", "d", "1dd"] {
            assert_eq!(parse::<f64>(text), None, "{text}");
        }
    }
}
