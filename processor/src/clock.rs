//! Processing time: which moment it is for a job, in numbers that a machine can be given.
//!
//! Before: the driver reads the machine's clock. After: [`crate::task`] gets unix milliseconds, and the driver sleeps
//! until the instant at which processing time reaches the end of a window.

use std::time::{Duration, Instant};

/// Processing time: the wall clock at the start of a job, and from there on the time elapsed, times a speed.
///
/// It never goes back, and steps of the wall clock after the start do not move it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
    start_ms: i64,
    speed: f64,
}

impl Clock {
    /// A clock that shows `start_ms` (unix milliseconds) at `start`, and runs `speed` times as fast as time itself.
    /// A speed that is no number above 0 counts as 1.
    #[must_use]
    pub fn new(start: Instant, start_ms: i64, speed: f64) -> Self {
        Self { start, start_ms, speed: if speed.is_finite() && speed > 0.0 { speed } else { 1.0 } }
    }

    /// Processing time at `now`, in unix milliseconds. Before the start it is that of the start.
    #[must_use]
    pub fn unix_ms(&self, now: Instant) -> i64 {
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64() * 1_000.0 * self.speed;
        #[expect(clippy::cast_possible_truncation, reason = "a float beyond i64 becomes its largest value")]
        let elapsed = elapsed as i64;
        self.start_ms.saturating_add(elapsed)
    }

    /// The first instant at which processing time is `unix_ms` or later; `None` when that is out of reach.
    #[must_use]
    pub fn instant(&self, unix_ms: i64) -> Option<Instant> {
        #[expect(clippy::cast_precision_loss, reason = "exact up to 2^53 ms, which is 285,000 years")]
        let ahead_ms = unix_ms.saturating_sub(self.start_ms).max(0) as f64;
        let elapsed = Duration::try_from_secs_f64(ahead_ms / 1_000.0 / self.speed).ok()?;
        let mut instant = self.start.checked_add(elapsed)?;
        // Rounding may end a moment too early; a timer that fires then would find nothing due.
        let mut missing = Duration::from_nanos(1);
        while self.unix_ms(instant) < unix_ms {
            instant = instant.checked_add(missing)?;
            missing *= 2;
        }
        Some(instant)
    }

    /// How many times faster than time itself it runs.
    #[must_use]
    pub fn speed(&self) -> f64 {
        self.speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF_HOUR_MS: i64 = 30 * 60 * 1_000;

    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn it_starts_at_the_wall_clock_and_runs_at_its_speed() {
        let start = start();
        let clock = Clock::new(start, 1_000_000, 600.0);
        assert_eq!(clock.unix_ms(start), 1_000_000);
        assert_eq!(clock.unix_ms(start + Duration::from_secs(3)), 1_000_000 + HALF_HOUR_MS);
    }

    #[test]
    fn a_timer_set_for_a_moment_finds_that_moment_reached() {
        let start = start();
        for speed in [0.1, 1.0, 7.0, 600.0, 3_333.3] {
            let clock = Clock::new(start, 1_795_341_600_123, speed);
            for ahead in [0, 1, 999, HALF_HOUR_MS, HALF_HOUR_MS * 48 + 1] {
                let wanted = 1_795_341_600_123 + ahead;
                let instant = clock.instant(wanted).unwrap();
                assert!(clock.unix_ms(instant) >= wanted, "{speed} {ahead}");
                let early = instant.checked_sub(Duration::from_millis(1).div_f64(speed) * 2).unwrap();
                assert!(ahead == 0 || clock.unix_ms(early) < wanted, "{speed} {ahead}");
            }
        }
    }

    #[test]
    fn what_is_out_of_reach_is_no_instant_and_what_is_past_is_the_start() {
        let start = start();
        let clock = Clock::new(start, 1_000, 1e-9);
        assert_eq!(clock.instant(i64::MAX), None);
        assert_eq!(clock.instant(0), Some(start));
        assert_eq!(Clock::new(start, 0, f64::NAN).speed(), 1.0);
        assert_eq!(Clock::new(start, 0, -3.0).speed(), 1.0);
    }
}
