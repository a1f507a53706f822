//! Between instants and the wall clock of a zone. Windows on processing time are cut by the wall clock, so that a day
//! begins at midnight; they close at an instant.
//!
//! Where clocks change, a time of the wall clock may be no instant or two. Flink's rules (`TimeWindowUtil`): of two the
//! later, and for none the instant of the change.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};

const HOUR_MS: i64 = 3_600_000;

/// What the wall clock shows at an instant, in milliseconds since its 1970.
pub(super) fn to_wall(zone: &TimeZone, unix_ms: i64) -> i64 {
    let Ok(timestamp) = Timestamp::from_millisecond(unix_ms) else { return unix_ms };
    unix_ms.saturating_add(offset_ms(zone.to_offset(timestamp)))
}

/// The instant at which the wall clock shows a time.
pub(super) fn timer(zone: &TimeZone, wall_ms: i64) -> i64 {
    let Some(civil) = civil(wall_ms) else { return wall_ms };
    match zone.to_ambiguous_timestamp(civil).offset() {
        AmbiguousOffset::Unambiguous { offset } => wall_ms - offset_ms(offset),
        AmbiguousOffset::Fold { after, .. } => wall_ms - offset_ms(after),
        AmbiguousOffset::Gap { before, .. } => {
            let later = wall_ms - offset_ms(before);
            later - later.rem_euclid(HOUR_MS)
        }
    }
}

/// A time of the wall clock, from milliseconds; none when it is beyond the years that can be written.
pub(crate) fn civil(wall_ms: i64) -> Option<DateTime> {
    Timestamp::from_millisecond(wall_ms).ok().map(|timestamp| Offset::UTC.to_datetime(timestamp))
}

fn offset_ms(offset: Offset) -> i64 {
    i64::from(offset.seconds()) * 1_000
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY_MS: i64 = 86_400_000;

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn unix(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_millisecond()
    }

    #[test]
    fn a_day_in_shanghai_begins_at_its_midnight() {
        let shanghai = zone("Asia/Shanghai");
        let wall = to_wall(&shanghai, unix("2026-11-23T17:30:00Z"));
        let start = super::super::tumble::start(wall, DAY_MS, 0);
        assert_eq!(timer(&shanghai, start), unix("2026-11-23T16:00:00Z"));
    }

    #[test]
    fn a_time_that_comes_twice_is_the_later_instant() {
        let wall = unix("2021-11-07T01:00:00Z");
        assert_eq!(timer(&zone("America/Los_Angeles"), wall), unix("2021-11-07T09:00:00Z"));
    }

    #[test]
    fn a_time_that_never_comes_is_the_instant_of_the_change() {
        let wall = unix("2021-03-14T02:30:00Z");
        assert_eq!(timer(&zone("America/Los_Angeles"), wall), unix("2021-03-14T10:00:00Z"));
    }
}
