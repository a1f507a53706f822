//! How long to wait before trying again: twice as long each time, up to a limit, with jitter (KIP-580).

use std::time::Duration;

/// Exponential back-off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Backoff {
    pub(crate) min: Duration,
    pub(crate) max: Duration,
}

impl Backoff {
    pub(crate) const fn new(min: Duration, max: Duration) -> Self {
        Self { min, max }
    }

    /// The wait after the `attempt`th failure in a row, counted from 0; a fifth shorter or longer by chance, so that
    /// clients that failed together do not come back together.
    pub(crate) fn next(&self, attempt: u32, random: &mut fastrand::Rng) -> Duration {
        let doubled = self.min.saturating_mul(1 << attempt.min(20)).min(self.max);
        doubled.mul_f64(0.8 + 0.4 * random.f64()).min(self.max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_limit() {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let mut random = fastrand::Rng::with_seed(7);
        for (attempt, expected) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1000), (u32::MAX, 1000)] {
            let wait = backoff.next(attempt, &mut random).as_millis();
            assert!((expected * 8 / 10..=expected * 12 / 10).contains(&wait), "{attempt}: {wait}");
            assert!(wait <= 1000);
        }
    }
}
