//! When what is sent on a link arrives.

use std::time::Duration;

use tokio::time::Instant;

/// How a link is, each way. The default takes no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct LinkConditions {
    /// How long everything takes.
    pub latency: Duration,
    /// How much longer it may take, by chance. What was sent first still arrives first.
    pub jitter: Duration,
    /// How many bytes go through in a second; any number, if none.
    pub bytes_per_second: Option<u64>,
}

impl LinkConditions {
    /// A link that takes this long.
    #[must_use]
    pub fn latency(latency: Duration) -> Self {
        Self { latency, ..Self::default() }
    }

    /// Up to so much longer, by chance.
    #[must_use]
    pub const fn jitter(mut self, jitter: Duration) -> Self {
        self.jitter = jitter;
        self
    }

    /// So many bytes a second.
    #[must_use]
    pub const fn bytes_per_second(mut self, count: u64) -> Self {
        self.bytes_per_second = Some(count);
        self
    }
}

/// One way of a link.
#[derive(Debug)]
pub(super) struct Pipe {
    /// When what was sent before has left.
    free_at: Instant,
    /// When what was sent before arrives.
    last_arrival: Instant,
}

impl Pipe {
    pub(super) const fn new(now: Instant) -> Self {
        Self { free_at: now, last_arrival: now }
    }

    /// When so many bytes arrive that are sent now.
    pub(super) fn arrival(
        &mut self,
        now: Instant,
        bytes: usize,
        conditions: &LinkConditions,
        random: &mut fastrand::Rng,
    ) -> Instant {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let nanos = conditions.bytes_per_second.map_or(0, |rate| bytes.saturating_mul(1_000_000_000) / rate.max(1));
        self.free_at = self.free_at.max(now) + Duration::from_nanos(nanos);
        let jitter_nanos = u64::try_from(conditions.jitter.as_nanos()).unwrap_or(u64::MAX);
        let late = if jitter_nanos == 0 { 0 } else { random.u64(..=jitter_nanos) };
        let arrival = self.free_at + conditions.latency + Duration::from_nanos(late);
        self.last_arrival = self.last_arrival.max(arrival);
        self.last_arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_first_arrives_first_and_a_narrow_link_takes_its_time() {
        #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
        let now = Instant::now();
        let ms = Duration::from_millis;
        let mut random = fastrand::Rng::with_seed(1);
        let narrow = LinkConditions::latency(ms(10)).bytes_per_second(1000);
        let mut pipe = Pipe::new(now);
        let arrivals = [100, 50].map(|bytes| pipe.arrival(now, bytes, &narrow, &mut random) - now);
        assert_eq!(arrivals, [ms(110), ms(160)]);

        let shaky = LinkConditions::latency(ms(10)).jitter(ms(20));
        let mut pipe = Pipe::new(now);
        let arrivals: Vec<_> = (0..100).map(|_| pipe.arrival(now, 1, &shaky, &mut random) - now).collect();
        assert!(arrivals.is_sorted() && arrivals.iter().all(|time| (ms(10)..=ms(30)).contains(time)));
        assert!(arrivals[0] < ms(30) && arrivals[99] > ms(20));
    }
}
