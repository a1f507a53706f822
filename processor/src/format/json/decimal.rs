//! Decimal numbers from text, as `java.math.BigDecimal` reads them.
//!
//! [`column`](super::column) calls it for DECIMAL, and for integers that are written with a fraction.

/// A number as digits and an exponent: `±0.d1 d2 d3... * 10^point`.
struct Digits<'a> {
    negative: bool,
    before: &'a [u8],
    after: &'a [u8],
    exponent: i64,
}

/// An exponent beyond this is as good as any.
const EXPONENT_MAX: i64 = 1_000_000;

impl<'a> Digits<'a> {
    fn of(text: &'a str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?.clamp(-EXPONENT_MAX, EXPONENT_MAX)),
            None => (unsigned, 0),
        };
        let (before, after) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = before.bytes().chain(after.bytes()).all(|byte| byte.is_ascii_digit());
        if !all_digits || (before.is_empty() && after.is_empty()) {
            return None;
        }
        Some(Self { negative, before: before.as_bytes(), after: after.as_bytes(), exponent })
    }

    /// The number times `10^scale`, with what is left rounded by `round` from the first digit that is cut off. None
    /// when it has more digits than `i128` holds.
    fn scaled(&self, scale: i64, round: impl FnOnce(u8) -> bool) -> Option<i128> {
        // So many of the digits, from the first, are kept.
        let kept = i64::try_from(self.before.len()).ok()? + self.exponent + scale;
        let mut value: i128 = 0;
        let mut digits = self.before.iter().chain(self.after).map(|digit| digit - b'0');
        for _ in 0..kept {
            match digits.next() {
                Some(digit) => value = value.checked_mul(10)?.checked_add(i128::from(digit))?,
                None if value == 0 => break,
                None => value = value.checked_mul(10)?,
            }
        }
        let next = if kept < 0 { None } else { digits.next() };
        if next.is_some_and(round) {
            value = value.checked_add(1)?;
        }
        Some(if self.negative { -value } else { value })
    }
}

/// The unscaled value of a `DECIMAL(precision, scale)`, rounded half up; `Some(None)` when it has too many digits, which
/// Flink reads as NULL. None when the text is no number.
#[expect(clippy::option_option, reason = "no number, a number that does not fit, a number")]
pub(super) fn parse(text: &str, precision: u8, scale: u8) -> Option<Option<i128>> {
    let digits = Digits::of(text)?;
    let unscaled = digits.scaled(i64::from(scale), |digit| digit >= 5);
    let limit = 10_i128.checked_pow(u32::from(precision)).unwrap_or(i128::MAX);
    Some(unscaled.filter(|unscaled| (-limit < *unscaled) && (*unscaled < limit)))
}

/// The whole part of a number; none when the text is no number, or it does not fit.
pub(super) fn truncated(text: &str) -> Option<i64> {
    Digits::of(text)?.scaled(0, |_| false).and_then(|whole| i64::try_from(whole).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_rounded_half_up() {
        assert_eq!(parse("1.005", 10, 2), Some(Some(101)));
        assert_eq!(parse("-1.005", 10, 2), Some(Some(-101)));
        assert_eq!(parse("1.0049", 10, 2), Some(Some(100)));
        assert_eq!(parse("12e-1", 10, 2), Some(Some(120)));
        assert_eq!(parse("1.5E2", 10, 0), Some(Some(150)));
        assert_eq!(parse(".5", 10, 0), Some(Some(1)));
        assert_eq!(parse("0.04", 10, 1), Some(Some(0)));
        assert_eq!(parse("0.0009", 10, 1), Some(Some(0)));
        assert_eq!(parse("9e-1000000000", 10, 2), Some(Some(0)));
    }

    #[test]
    fn what_has_too_many_digits_is_null() {
        assert_eq!(parse("12345678901", 10, 0), Some(None));
        assert_eq!(parse("99.995", 4, 2), Some(None));
        assert_eq!(parse("1e999999999", 38, 0), Some(None));
        assert_eq!(parse("0e999999999", 38, 0), Some(Some(0)));
        assert_eq!(parse(&"9".repeat(38), 38, 0), Some(Some(99_999_999_999_999_999_999_999_999_999_999_999_999)));
        assert_eq!(parse(&"9".repeat(39), 38, 0), Some(None));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["", "-", ".", "x", "1.2.3", "1e", "e5", "true", "١"] {
            assert_eq!(parse(text, 10, 2), None, "{text}");
        }
    }

    #[test]
    fn whole_parts_are_cut_not_rounded() {
        assert_eq!(truncated("1.9"), Some(1));
        assert_eq!(truncated("-1.9"), Some(-1));
        assert_eq!(truncated("1e3"), Some(1_000));
        assert_eq!(truncated("9223372036854775807.5"), Some(i64::MAX));
        assert_eq!(truncated("9223372036854775808"), None);
    }
}
