//! Numbers as Java prints them: `Double.toString`, `Float.toString`, `BigDecimal.toString`.
//!
//! [`encode`](super::encode) calls it. Of the digits that read back as the same number the fewest are written, as Java
//! does since 19; before that it sometimes wrote one more.

use std::fmt::{LowerExp, Write};

/// Appends a DOUBLE or FLOAT that is finite.
pub(super) fn write_floating(value: impl LowerExp, out: &mut Text<'_>) {
    // As `-1.2345e-7`, with the fewest digits.
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |mantissa| ("-", mantissa));
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    out.push(sign);
    if digits == "0" || (-3..7).contains(&exponent) {
        write_plain(&digits, exponent + 1, out);
    } else {
        let (first, rest) = digits.split_at(1);
        let rest = if rest.is_empty() { "0" } else { rest };
        let _ = write!(out, "{first}.{rest}E{exponent}");
    }
}

/// Appends digits with the point behind the first `point` of them, and at least one digit on both sides.
fn write_plain(digits: &str, point: i32, out: &mut Text<'_>) {
    let Ok(whole) = usize::try_from(point) else {
        out.push("0.");
        (point..0).for_each(|_| out.push("0"));
        return out.push(digits);
    };
    let (before, after) = digits.split_at_checked(whole).unwrap_or((digits, ""));
    out.push(if before.is_empty() { "0" } else { before });
    (before.len().max(usize::from(before.is_empty()))..whole).for_each(|_| out.push("0"));
    out.push(".");
    out.push(if after.is_empty() { "0" } else { after });
}

/// Appends a DECIMAL of this scale without the zeros at its end, which may bring it to an exponent: 100 is `1E+2`.
pub(super) fn write_decimal(mut unscaled: i128, scale: u8, out: &mut Text<'_>) {
    let mut scale = i32::from(scale);
    if unscaled == 0 {
        return out.push("0");
    }
    while unscaled % 10 == 0 {
        unscaled /= 10;
        scale -= 1;
    }
    let digits = unscaled.unsigned_abs().to_string();
    if unscaled < 0 {
        out.push("-");
    }
    let count = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let exponent = count - 1 - scale;
    if scale >= 0 && exponent >= -6 {
        return match scale {
            0 => out.push(&digits),
            _ => write_plain(&digits, count - scale, out),
        };
    }
    let (first, rest) = digits.split_at(1);
    out.push(first);
    if !rest.is_empty() {
        out.push(".");
        out.push(rest);
    }
    let _ = write!(out, "E{exponent:+}");
}

/// Bytes that text is appended to.
#[derive(Debug)]
pub(super) struct Text<'a>(pub(super) &'a mut Vec<u8>);

impl Text<'_> {
    pub(super) fn push(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }
}

impl Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Text<'_>)) -> String {
        let mut bytes = Vec::new();
        write(&mut Text(&mut bytes));
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn doubles_print_as_in_java() {
        for (value, expected) in [
            (1.0, "1.0"),
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (100.0, "100.0"),
            (1_234_567.0, "1234567.0"),
            (12_345_678.0, "1.2345678E7"),
            (1e10, "1.0E10"),
            (1e-7, "1.0E-7"),
            (0.001, "0.001"),
            (0.000_123, "1.23E-4"),
            (-3.25, "-3.25"),
            (0.05, "0.05"),
            (f64::MAX, "1.7976931348623157E308"),
            (5e-324, "5.0E-324"),
        ] {
            assert_eq!(written(|out| write_floating(value, out)), expected);
        }
        assert_eq!(written(|out| write_floating(0.1_f32, out)), "0.1");
    }

    #[test]
    fn decimals_print_stripped() {
        for (unscaled, scale, expected) in [
            (310, 2, "3.1"),
            (300, 2, "3"),
            (-5, 2, "-0.05"),
            (0, 2, "0"),
            (12_345, 2, "123.45"),
            (100, 0, "1E+2"),
            (1_200, 0, "1.2E+3"),
            (1, 6, "0.000001"),
            (1, 7, "1E-7"),
            (12, 8, "1.2E-7"),
        ] {
            assert_eq!(written(|out| write_decimal(unscaled, scale, out)), expected);
        }
    }
}
