//! How fast a count grows, over the last moments.
//!
//! Before: [`watch`](super::watch) reads a count of the job. After: the [`view`](super::view) shows its rate.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Samples of a count over the last [`SPAN`].
#[derive(Debug, Default)]
pub(super) struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Rate {
    /// Takes a sample, and says how much the count grows per second; 0 until there are two samples.
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    pub(super) fn handle_count(&mut self, count: u64, now: Instant) -> f64 {
        self.samples.push_back((now, count));
        // One sample that is older than the span stays, so that the samples cover all of it.
        while self.samples.get(1).is_some_and(|(at, _)| now.saturating_duration_since(*at) >= SPAN) {
            self.samples.pop_front();
        }
        let Some((first_at, first)) = self.samples.front() else { return 0.0 };
        let elapsed = now.saturating_duration_since(*first_at);
        if elapsed.is_zero() { 0.0 } else { count.saturating_sub(*first) as f64 / elapsed.as_secs_f64() }
    }
}

const SPAN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn it_follows_the_last_two_seconds() {
        let start = start();
        let mut rate = Rate::default();
        assert_eq!(rate.handle_count(0, start), 0.0);
        for tick in 1..=100_u32 {
            let shown = rate.handle_count(u64::from(tick) * 1000, start + Duration::from_millis(100) * tick);
            assert!((shown - 10_000.0).abs() < 1.0, "{shown}");
        }
        let mut shown = 0.0;
        for tick in 101..=120_u32 {
            shown = rate.handle_count(100_000, start + Duration::from_millis(100) * tick);
        }
        assert_eq!(shown, 0.0, "nothing came for two seconds");
        assert!(rate.samples.len() < 25);
    }
}
