//! DECIMAL as text and back, by the rules of Java's `BigDecimal`.
//!
//! Before: a text format read a number or a string. After: the unscaled number in an Arrow column, and the other way.

use std::io::Write;

/// What a text is as a `DECIMAL(precision, scale)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parsed {
    /// The number without its point.
    Unscaled(i128),
    /// It has more digits than the type: NULL, as in Flink.
    Overflow,
    /// No number.
    Malformed,
}

/// Reads a decimal number, rounding half up to `scale` digits after the point.
pub(crate) fn parse(text: &str, precision: u8, scale: u8) -> Parsed {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', ..] => (true, text.get(1..).unwrap_or_default()),
        [b'+', ..] => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => match exponent.parse::<i32>() {
            Ok(exponent) => (mantissa, i64::from(exponent)),
            Err(_) => return Parsed::Malformed,
        },
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    if digits().next().is_none() || !digits().all(|digit| digit.is_ascii_digit()) {
        return Parsed::Malformed;
    }
    // Java counts the digits after the point in 32 bits.
    if i32::try_from(i64::try_from(fraction.len()).unwrap_or(i64::MAX).saturating_sub(exponent)).is_err() {
        return Parsed::Malformed;
    }
    // The digits with the point moved behind the last one that is kept: so many of them come before it.
    let kept = i64::try_from(whole.len()).unwrap_or(i64::MAX).saturating_add(exponent).saturating_add(i64::from(scale));
    let limit = 10i128.pow(u32::from(precision.min(38)));
    let (mut unscaled, mut position) = (0i128, 0i64);
    let mut round_up = false;
    for digit in digits() {
        if position >= kept {
            round_up = position == kept && digit >= b'5';
            break;
        }
        unscaled = match unscaled.checked_mul(10) {
            Some(tens) if tens < limit => tens + i128::from(digit - b'0'),
            Some(_) | None => return Parsed::Overflow,
        };
        position += 1;
    }
    // Zeros that the exponent puts behind the digits; a number that is not zero overflows soon.
    while unscaled != 0 && position < kept {
        unscaled = match unscaled.checked_mul(10) {
            Some(tens) if tens < limit => tens,
            Some(_) | None => return Parsed::Overflow,
        };
        position += 1;
    }
    unscaled += i128::from(round_up);
    if unscaled >= limit {
        return Parsed::Overflow;
    }
    Parsed::Unscaled(if negative { -unscaled } else { unscaled })
}

/// Writes a decimal without trailing zeros, as `BigDecimal.stripTrailingZeros().toString()` does: `3.10` is `3.1`, `100`
/// is `1E+2`.
pub(crate) fn write(unscaled: i128, scale: i8, out: &mut Vec<u8>) {
    if unscaled == 0 {
        out.push(b'0');
        return;
    }
    let (mut magnitude, mut scale) = (unscaled.unsigned_abs(), i64::from(scale));
    while magnitude.is_multiple_of(10) {
        magnitude /= 10;
        scale -= 1;
    }
    let mut buffer = [0u8; DIGITS_MAX];
    let digits = digits_of(magnitude, &mut buffer);
    if unscaled < 0 {
        out.push(b'-');
    }
    let exponent = digits.len() as i64 - 1 - scale;
    if scale < 0 || exponent < -6 {
        let (first, rest) = digits.split_at(1);
        out.extend_from_slice(first);
        if !rest.is_empty() {
            out.push(b'.');
            out.extend_from_slice(rest);
        }
        // Writing into memory cannot fail.
        let _ = write!(out, "E{exponent:+}");
        return;
    }
    let scale = usize::try_from(scale).unwrap_or_default();
    if digits.len() > scale {
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        out.extend_from_slice(whole);
        if !fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(fraction);
        }
    } else {
        out.extend_from_slice(b"0.");
        out.extend(std::iter::repeat_n(b'0', scale - digits.len()));
        out.extend_from_slice(digits);
    }
}

fn digits_of(mut magnitude: u128, buffer: &mut [u8; DIGITS_MAX]) -> &[u8] {
    let mut start = DIGITS_MAX;
    while magnitude > 0 && start > 0 {
        start -= 1;
        buffer[start] = b'0' + (magnitude % 10) as u8;
        magnitude /= 10;
    }
    &buffer[start..]
}

/// Digits of the largest `u128`.
const DIGITS_MAX: usize = 39;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_half_up_and_overflow_is_null() {
        let money = |text| parse(text, 5, 2);
        assert_eq!(money("1.005"), Parsed::Unscaled(101));
        assert_eq!(money("-1.005"), Parsed::Unscaled(-101));
        assert_eq!(money("1.00499"), Parsed::Unscaled(100));
        assert_eq!(money("+7"), Parsed::Unscaled(700));
        assert_eq!(money(".5"), Parsed::Unscaled(50));
        assert_eq!(money("5."), Parsed::Unscaled(500));
        assert_eq!(money("999.99"), Parsed::Unscaled(99999));
        assert_eq!(money("999.995"), Parsed::Overflow);
        assert_eq!(money("1000"), Parsed::Overflow);
        assert_eq!(money("0.006"), Parsed::Unscaled(1));
        assert_eq!(money("0.0006"), Parsed::Unscaled(0));
        assert_eq!(money("1e2"), Parsed::Unscaled(10000));
        assert_eq!(money("12345e-4"), Parsed::Unscaled(123));
        assert_eq!(money("5e-3"), Parsed::Unscaled(1));
        assert_eq!(money("5e-4"), Parsed::Unscaled(0));
        assert_eq!(money("1e2147483647"), Parsed::Overflow);
        assert_eq!(money("9e-2147483647"), Parsed::Unscaled(0));
        assert_eq!(money("0e2147483647"), Parsed::Unscaled(0));
        for text in ["", ".", "-", "e1", "1e", "1e99999999999", "9e-2147483648", "1_0", "0x1", " 1", "--1", "1.2.3"] {
            assert_eq!(money(text), Parsed::Malformed, "{text}");
        }
        let nines = "9".repeat(38);
        assert_eq!(parse(&nines, 38, 0), Parsed::Unscaled(nines.parse().unwrap()));
        assert_eq!(parse(&"9".repeat(10_000), 38, 0), Parsed::Overflow);
    }

    #[test]
    fn decimals_are_written_without_trailing_zeros() {
        let written = |unscaled, scale| {
            let mut out = Vec::new();
            write(unscaled, scale, &mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(written(310, 2), "3.1");
        assert_eq!(written(300, 2), "3");
        assert_eq!(written(0, 2), "0");
        assert_eq!(written(-5, 2), "-0.05");
        assert_eq!(written(10000, 2), "1E+2");
        assert_eq!(written(1230, 0), "1.23E+3");
        assert_eq!(written(1, 6), "0.000001");
        assert_eq!(written(27, 9), "2.7E-8");
        assert_eq!(written(12345, 2), "123.45");
        assert_eq!(written(i128::MIN, 0), i128::MIN.to_string());
    }
}
