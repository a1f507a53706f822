//! Dates and times as SQL writes them (`2026-11-23 10:00:00.5`), to and from counts since 1970.
//!
//! Before: a text format read a string, or a window has bounds to print. After: a number in an Arrow column, and the
//! other way. Plain proleptic Gregorian arithmetic; zones are the business of [`window`](crate::window).

use std::io::Write;

/// A date on which Java's lenient and strict readers differ: `2026-02-30`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resolver {
    /// There is no such day: DATE.
    Strict,
    /// It is the last day of that month, and `24:00:00` is the next day's midnight: TIMESTAMP.
    Smart,
}

/// Days since 1970-01-01 of `yyyy-MM-dd`; a year of more than four digits has a sign.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let mut reader = Reader { rest: text.as_bytes() };
    let days = reader.date(Resolver::Strict)?;
    reader.rest.is_empty().then_some(days)
}

/// Milliseconds since midnight of `HH:mm:ss` with up to nine more digits, of which three are kept.
pub(crate) fn parse_time(text: &str) -> Option<i32> {
    let mut reader = Reader { rest: text.as_bytes() };
    let (seconds, nanos) = reader.time()?;
    let millis = seconds % SECONDS_PER_DAY * 1_000 + nanos / 1_000_000;
    reader.rest.is_empty().then_some(millis).and_then(|millis| i32::try_from(millis).ok())
}

/// Seconds since 1970-01-01 00:00:00, and nanoseconds, of a date, a space, a time, and `suffix`.
pub(crate) fn parse_timestamp(text: &str, suffix: &str) -> Option<(i64, i64)> {
    let mut reader = Reader { rest: text.strip_suffix(suffix)?.as_bytes() };
    let days = reader.date(Resolver::Smart)?;
    reader.literal(b' ')?;
    let (seconds, nanos) = reader.time()?;
    reader.rest.is_empty().then_some((days.checked_mul(SECONDS_PER_DAY)?.checked_add(seconds)?, nanos))
}

/// Writes a date from its days since 1970-01-01.
pub(crate) fn write_date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = civil(days);
    // Writing into memory cannot fail.
    let _ = match year {
        0..=9999 => write!(out, "{year:04}-{month:02}-{day:02}"),
        _ => write!(out, "{year:+05}-{month:02}-{day:02}"),
    };
}

/// Writes a time of day from its nanoseconds since midnight; zeros at the end of the fraction are left out.
pub(crate) fn write_time(nanos_of_day: i64, out: &mut Vec<u8>) {
    let (seconds, nanos) = (nanos_of_day / NANOS_PER_SECOND, nanos_of_day % NANOS_PER_SECOND);
    let _ = write!(out, "{:02}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60);
    if nanos > 0 {
        let _ = write!(out, ".{nanos:09}");
        while out.last() == Some(&b'0') {
            out.pop();
        }
    }
}

/// Writes date and time from a count of `per_second` units since 1970-01-01 00:00:00.
pub(crate) fn write_timestamp(count: i64, per_second: i64, out: &mut Vec<u8>) {
    let per_day = per_second * SECONDS_PER_DAY;
    write_date(count.div_euclid(per_day), out);
    out.push(b' ');
    write_time(count.rem_euclid(per_day) * (NANOS_PER_SECOND / per_second), out);
}

/// `write_timestamp` of milliseconds, as a text of its own.
pub(crate) fn timestamp_text(millis: i64) -> String {
    let mut out = Vec::with_capacity(23);
    write_timestamp(millis, 1_000, &mut out);
    String::from_utf8(out).unwrap_or_default()
}

struct Reader<'a> {
    rest: &'a [u8],
}

impl Reader<'_> {
    fn date(&mut self, resolver: Resolver) -> Option<i64> {
        let sign = match self.rest {
            [sign @ (b'+' | b'-'), rest @ ..] => {
                self.rest = rest;
                Some(*sign)
            }
            _ => None,
        };
        let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let fits = match sign {
            None => length == 4,
            Some(b'+') => (5..=10).contains(&length),
            Some(_) => (4..=10).contains(&length),
        };
        if !fits {
            return None;
        }
        let year = self.digits(length)?;
        let year = if sign == Some(b'-') { -year } else { year };
        if sign == Some(b'-') && year == 0 {
            return None;
        }
        self.literal(b'-')?;
        let month = self.digits(2)?;
        self.literal(b'-')?;
        let day = self.digits(2)?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) || !(-YEAR_MAX..=YEAR_MAX).contains(&year) {
            return None;
        }
        let last = days_in(year, month);
        match resolver {
            Resolver::Strict if day > last => None,
            Resolver::Strict | Resolver::Smart => Some(days_since_1970(year, month, day.min(last))),
        }
    }

    /// Seconds since midnight, and nanoseconds.
    fn time(&mut self) -> Option<(i64, i64)> {
        let hour = self.digits(2)?;
        self.literal(b':')?;
        let minute = self.digits(2)?;
        self.literal(b':')?;
        let second = self.digits(2)?;
        let mut nanos = 0;
        if self.literal(b'.').is_some() {
            let length = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
            let missing = u32::try_from(9usize.checked_sub(length)?).ok()?;
            nanos = self.digits(length)? * 10i64.pow(missing);
        }
        let midnight = hour == 24 && minute == 0 && second == 0 && nanos == 0;
        let valid = midnight || (hour < 24 && minute < 60 && second < 60);
        valid.then_some((hour * 3_600 + minute * 60 + second, nanos))
    }

    fn digits(&mut self, length: usize) -> Option<i64> {
        let (digits, rest) = self.rest.split_at_checked(length)?;
        let number = digits
            .iter()
            .try_fold(0i64, |number, digit| digit.is_ascii_digit().then(|| number * 10 + i64::from(digit - b'0')))?;
        self.rest = rest;
        Some(number)
    }

    fn literal(&mut self, literal: u8) -> Option<()> {
        let (first, rest) = self.rest.split_first()?;
        (*first == literal).then(|| self.rest = rest)
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01. Years are counted from March, so that the leap day is a year's last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    year * 365 + leap_days + days_before(month) + day - 1 - DAYS_TO_1970
}

/// Days before a month of a year that begins in March: 0 for March, 31 for April.
fn days_before(month: i64) -> i64 {
    (month * 153 + 2) / 5
}

/// Year, month and day.
fn civil(days: i64) -> (i64, i64, i64) {
    let since_march_0 = days + DAYS_TO_1970;
    let cycle = since_march_0.div_euclid(DAYS_PER_400_YEARS);
    let day_of_cycle = since_march_0.rem_euclid(DAYS_PER_400_YEARS);
    // Each fourth year is a day longer, each hundredth is not, the four hundredth is.
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1_460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100);
    let month = (day_of_year * 5 + 2) / 153;
    let day = day_of_year - days_before(month) + 1;
    let year = cycle * 400 + year_of_cycle;
    if month < 10 { (year, month + 3, day) } else { (year + 1, month - 9, day) }
}

/// From 0000-03-01 to 1970-01-01.
const DAYS_TO_1970: i64 = 719_468;
const DAYS_PER_400_YEARS: i64 = 146_097;
const SECONDS_PER_DAY: i64 = 86_400;
const NANOS_PER_SECOND: i64 = 1_000_000_000;
/// Java's own limit.
const YEAR_MAX: i64 = 999_999_999;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn timestamps_are_read_as_flink_reads_them() {
        assert_eq!(parse_timestamp("1970-01-01 00:00:00", ""), Some((0, 0)));
        assert_eq!(parse_timestamp("2026-11-23 10:00:00.12", ""), Some((1_795_428_000, 120_000_000)));
        assert_eq!(parse_timestamp("2026-11-23 10:00:00.123456789Z", "Z"), Some((1_795_428_000, 123_456_789)));
        assert_eq!(parse_timestamp("1969-12-31 23:59:59", ""), Some((-1, 0)));
        // Java's smart resolver.
        assert_eq!(parse_timestamp("2026-02-31 00:00:00", ""), parse_timestamp("2026-02-28 00:00:00", ""));
        assert_eq!(parse_timestamp("2026-02-28 24:00:00", ""), parse_timestamp("2026-03-01 00:00:00", ""));
        for text in [
            "2026-11-23T10:00:00",
            "2026-11-23",
            "2026-11-23 10:00",
            "2026-11-23 10:00:00Z",
            "2026-11-23 10:00:60",
            "2026-11-23 24:00:01",
            "2026-11-32 10:00:00",
            "2026-13-01 10:00:00",
            "26-11-23 10:00:00",
            "12026-11-23 10:00:00",
            "2026-11-23 10:00:00.1234567890",
            " 2026-11-23 10:00:00",
            "-0000-01-01 00:00:00",
            "",
        ] {
            assert_eq!(parse_timestamp(text, ""), None, "{text}");
        }
        assert_eq!(parse_timestamp("2026-11-23 10:00:00", "Z"), None);
        assert!(parse_timestamp("+12026-11-23 10:00:00", "").is_some());
    }

    #[test]
    fn dates_and_times_are_read_strictly() {
        assert_eq!(parse_date("1970-01-02"), Some(1));
        assert_eq!(parse_date("2024-02-29"), Some(19_782));
        assert_eq!(parse_date("2026-02-29"), None);
        assert_eq!(parse_date("2026-02-28 "), None);
        assert_eq!(parse_time("10:00:00.0015"), Some(36_000_001));
        assert_eq!(parse_time("24:00:00"), Some(0));
        assert_eq!(parse_time("10:00"), None);
    }

    #[test]
    fn trailing_zeros_are_left_out_and_seconds_kept() {
        assert_eq!(timestamp_text(1_795_428_000_120), "2026-11-23 10:00:00.12");
        assert_eq!(timestamp_text(1_795_428_000_000), "2026-11-23 10:00:00");
        assert_eq!(timestamp_text(-1), "1969-12-31 23:59:59.999");
        assert_eq!(timestamp_text(253_402_300_800_000), "+10000-01-01 00:00:00");
        assert_eq!(timestamp_text(-62_198_755_200_000), "-0001-01-01 00:00:00");
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(millis in -100_000_000_000_000_000i64..100_000_000_000_000_000) {
            let text = timestamp_text(millis);
            let (seconds, nanos) = parse_timestamp(&text, "").unwrap();
            prop_assert_eq!(seconds * 1_000 + nanos / 1_000_000, millis, "{}", text);
        }

        #[test]
        fn dates_agree_with_jiff(days in -4_000_000i64..2_900_000) {
            let expected = jiff::civil::date(1970, 1, 1) + jiff::Span::new().days(days);
            let (year, month, day) = civil(days);
            prop_assert_eq!((year, month, day), (expected.year().into(), expected.month().into(), expected.day().into()));
            prop_assert_eq!(days_since_1970(year, month, day), days);
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            parse_timestamp(&text, "");
            parse_date(&text);
            parse_time(&text);
        }
    }
}
