//! Instants to the local wall clock and back, as Flink does for windows over processing time.
//!
//! Before: the processing time of a batch, and the zone of the session. After: [`tumble`](super::tumble) cuts the wall
//! clock; a window's end becomes the instant from which it may close.
//!
//! Wall clock here is a count of milliseconds since 1970-01-01 00:00:00 on the wall. Where clocks are set back, an hour
//! of the wall clock comes twice and its windows take the rows of both; where they are set forward, an hour never comes.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The wall clock at an instant (unix milliseconds). Beyond the years that zones know, it goes on with the last offset.
pub(crate) fn to_wall_clock(unix_ms: i64, zone: &TimeZone) -> i64 {
    let limit = if unix_ms < 0 { Timestamp::MIN } else { Timestamp::MAX };
    let instant = Timestamp::from_millisecond(unix_ms).unwrap_or(limit);
    unix_ms.saturating_add(i64::from(zone.to_offset(instant).seconds()) * 1_000)
}

/// The first instant (unix milliseconds) from which a window that ends at `end_ms` on the wall clock gets no more rows.
///
/// Flink registers a timer for the millisecond before the end, of the second time where it comes twice, of the moment the
/// clocks are set forward where it never comes (`TimeWindowUtil.toEpochMillsForTimer`). Flink's computation is right for
/// shifts of one hour; this is for all.
pub(crate) fn end_instant(end_ms: i64, zone: &TimeZone) -> i64 {
    last_instant(end_ms.saturating_sub(1), zone).saturating_add(1)
}

/// The start of a window as an instant: the first time that the wall clock shows it.
pub(crate) fn start_instant(start_ms: i64, zone: &TimeZone) -> i64 {
    let Some(wall_clock) = date_time(start_ms) else { return start_ms };
    zone.to_ambiguous_timestamp(wall_clock).compatible().map_or(start_ms, Timestamp::as_millisecond)
}

/// The last instant at which the wall clock does not show more than `wall_ms`.
fn last_instant(wall_ms: i64, zone: &TimeZone) -> i64 {
    let Some(wall_clock) = date_time(wall_ms) else { return wall_ms };
    let instant = |offset: Offset| wall_ms.saturating_sub(i64::from(offset.seconds()) * 1_000);
    match zone.to_ambiguous_timestamp(wall_clock).offset() {
        AmbiguousOffset::Unambiguous { offset } => instant(offset),
        AmbiguousOffset::Fold { after, .. } => instant(after),
        AmbiguousOffset::Gap { after, .. } => {
            // With the offset that holds after the gap it is an instant before the clocks are set forward.
            let before = instant(after);
            let next = Timestamp::from_millisecond(before).ok().and_then(|before| zone.following(before).next());
            next.map_or(before, |transition| transition.timestamp().as_millisecond() - 1)
        }
    }
}

/// `None` beyond the years that zones know.
fn date_time(wall_ms: i64) -> Option<DateTime> {
    DateTime::constant(1970, 1, 1, 0, 0, 0, 0).checked_add(SignedDuration::from_millis(wall_ms)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Zones by their rules, so that no machine's database decides.
    fn zone(name: &str) -> TimeZone {
        let rules = match name {
            "America/Los_Angeles" => "PST8PDT,M3.2.0,M11.1.0",
            "Asia/Kathmandu" => "<+0545>-5:45",
            "Asia/Shanghai" => "CST-8",
            "Australia/Lord_Howe" => "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
            "Europe/Berlin" => "CET-1CEST,M3.5.0,M10.5.0/3",
            other => panic!("no rules for {other}"),
        };
        TimeZone::posix(rules).unwrap()
    }

    fn wall(text: &str) -> i64 {
        let (seconds, _) = crate::format::datetime::parse_timestamp(text, "").unwrap();
        seconds * 1_000
    }

    fn unix(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn the_wall_clock_is_local() {
        assert_eq!(to_wall_clock(unix("2026-11-23T10:00:00Z"), &TimeZone::UTC), wall("2026-11-23 10:00:00"));
        assert_eq!(to_wall_clock(unix("2026-11-23T10:00:00Z"), &zone("Asia/Shanghai")), wall("2026-11-23 18:00:00"));
        assert_eq!(to_wall_clock(unix("2026-07-23T10:00:00Z"), &zone("Europe/Berlin")), wall("2026-07-23 12:00:00"));
        assert_eq!(to_wall_clock(i64::MAX, &TimeZone::UTC), i64::MAX);
        assert_eq!(to_wall_clock(i64::MIN, &TimeZone::UTC), i64::MIN);
    }

    /// The times in the comments of Flink's `toEpochMillsForTimer`.
    #[test]
    fn an_hour_that_comes_twice_ends_the_second_time() {
        let zone = zone("America/Los_Angeles");
        assert_eq!(end_instant(wall("2021-11-07 01:00:00"), &zone), 1_636_272_000_000);
        assert_eq!(end_instant(wall("2021-11-07 01:30:00"), &zone), 1_636_275_600_000 + 1_800_000);
        assert_eq!(end_instant(wall("2021-11-07 02:00:00"), &zone), 1_636_279_200_000);
        assert_eq!(end_instant(wall("2021-11-07 03:00:00"), &zone), 1_636_282_800_000);
        assert_eq!(start_instant(wall("2021-11-07 01:00:00"), &zone), 1_636_272_000_000);
    }

    #[test]
    fn an_hour_that_never_comes_ends_when_the_clocks_are_set_forward() {
        let zone = zone("America/Los_Angeles");
        assert_eq!(end_instant(wall("2021-03-14 02:00:00"), &zone), 1_615_716_000_000);
        assert_eq!(end_instant(wall("2021-03-14 02:30:00"), &zone), 1_615_716_000_000);
        assert_eq!(end_instant(wall("2021-03-14 03:00:00"), &zone), 1_615_716_000_000);
        assert_eq!(end_instant(wall("2021-03-14 03:30:00"), &zone), 1_615_716_000_000 + 1_800_000);
    }

    #[test]
    fn shifts_of_half_an_hour_are_right_too() {
        // Lord Howe Island: 2026-04-05 02:00 becomes 01:30.
        let zone = zone("Australia/Lord_Howe");
        assert_eq!(end_instant(wall("2026-04-05 01:45:00"), &zone), unix("2026-04-04T15:15:00Z"));
        assert_eq!(to_wall_clock(unix("2026-04-04T15:15:00Z"), &zone), wall("2026-04-05 01:45:00"));
    }

    #[test]
    fn a_window_ends_when_its_wall_clock_does() {
        for name in ["Europe/Berlin", "America/Los_Angeles", "Asia/Kathmandu", "Australia/Lord_Howe"] {
            let zone = zone(name);
            for quarter in 0..4 * 24 * 366 {
                let unix_ms = unix("2026-01-01T00:00:00Z") + quarter * 900_000;
                let slice = crate::window::tumble::Tumble { size_ms: 1_800_000, offset_ms: 0 }
                    .slice(to_wall_clock(unix_ms, &zone));
                let end = end_instant(slice.end_ms, &zone);
                assert!(unix_ms < end, "{name} {unix_ms}");
                assert!(to_wall_clock(end, &zone) >= slice.end_ms, "{name} {unix_ms}");
            }
        }
    }

    #[test]
    fn far_years_do_not_panic() {
        for ms in [i64::MIN, i64::MIN + 1, -400_000_000_000_000, 400_000_000_000_000, i64::MAX] {
            end_instant(ms, &zone("Europe/Berlin"));
            start_instant(ms, &zone("Europe/Berlin"));
        }
    }
}
