//! The clicks: who clicks on what, and how many are due.
//!
//! Users are skewed as on a real site: a few click all day, most once in a while. Before: the command line says how many
//! users there are and how fast they click. After: [`writer`](super::writer) sends what comes out of here.

use std::io::Write;
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Makes clicks, one JSON object after the other.
#[derive(Debug)]
pub(super) struct Clicks {
    random: Rng,
    users: u64,
    value: Vec<u8>,
}

impl Clicks {
    /// Clicks of `users` users, at least 1, with ids from 1 to `users`. The same seed makes the same clicks.
    pub(super) fn new(users: u32, seed: u64) -> Self {
        Self { random: Rng::with_seed(seed), users: u64::from(users.max(1)), value: Vec::with_capacity(64) }
    }

    /// The next click, as the value of its record.
    pub(super) fn next_value(&mut self) -> &[u8] {
        let user_id = self.user_id();
        let url = self.url();
        self.value.clear();
        // Writing into a Vec does not fail.
        let _ = write!(self.value, r#"{{"user_id":{user_id},"cURL":"{url}"}}"#);
        &self.value
    }

    /// The user of rank `k` clicks in proportion to `ln(1 + 1/k)`, which is nearly `1/k`: Zipf's law. Its sum has a
    /// closed form, so any number of users needs no table.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 1 and users + 1, a u32")]
    #[expect(clippy::cast_precision_loss, reason = "users is a u32")]
    fn user_id(&mut self) -> u64 {
        let rank = ((self.users + 1) as f64).powf(self.random.f64()) as u64;
        scattered(rank.clamp(1, self.users), self.users)
    }

    fn url(&mut self) -> &'static str {
        let wanted = self.random.u32(0..PAGES.iter().map(|(weight, _)| weight).sum());
        let mut passed = 0;
        let page = PAGES.iter().find(|(weight, _)| {
            passed += weight;
            wanted < passed
        });
        page.map_or("/", |(_, url)| url)
    }
}

/// The id of the user of a rank, both from 1 to `users`: the busiest user is anyone. A prime above every u32 shares no
/// factor with `users`, so no two ranks meet.
const fn scattered(rank: u64, users: u64) -> u64 {
    rank * (SCATTER % users) % users + 1
}

/// How many clicks are due, evenly over time.
#[derive(Debug)]
pub(super) struct Pace {
    per_second: u32,
    since: Instant,
    given: u64,
}

impl Pace {
    pub(super) const fn new(per_second: u32, now: Instant) -> Self {
        Self { per_second, since: now, given: 0 }
    }

    /// How many clicks to send now to keep the pace. After a pause, such as that of a machine that slept, what was
    /// missed stays missed: a flood would follow otherwise.
    pub(super) fn due(&mut self, now: Instant) -> u64 {
        let elapsed = now.saturating_duration_since(self.since);
        let wanted = elapsed.as_nanos() * u128::from(self.per_second) / Duration::from_secs(1).as_nanos();
        let due = u64::try_from(wanted).unwrap_or(u64::MAX).saturating_sub(self.given);
        if due > u64::from(self.per_second) {
            *self = Self::new(self.per_second, now);
            return 0;
        }
        self.given += due;
        due
    }
}

/// A prime that scatters user ids; see [`scattered`].
const SCATTER: u64 = 4_294_967_311;

/// What is clicked on, out of 100 clicks.
const PAGES: [(u32, &str); 8] = [
    (30, "/"),
    (22, "/search"),
    (18, "/product/tea"),
    (10, "/product/coffee"),
    (8, "/cart"),
    (6, "/login"),
    (4, "/checkout"),
    (2, "/help"),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn start() -> Instant {
        Instant::now()
    }

    #[test]
    fn a_click_is_a_user_and_a_page() {
        let mut clicks = Clicks::new(1000, 7);
        for _ in 0..1000 {
            let value: serde_json::Value = serde_json::from_slice(clicks.next_value()).unwrap();
            let user_id = value["user_id"].as_u64().unwrap();
            assert!((1..=1000).contains(&user_id), "{user_id}");
            assert!(PAGES.iter().any(|(_, url)| value["cURL"] == *url));
            assert_eq!(value.as_object().unwrap().len(), 2);
        }
    }

    #[test]
    fn a_few_users_click_most_and_all_of_them_click() {
        let mut clicks = Clicks::new(1000, 7);
        let mut counts = BTreeMap::new();
        for _ in 0..200_000 {
            *counts.entry(clicks.user_id()).or_insert(0) += 1;
        }
        let mut counts: Vec<i32> = counts.into_values().collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(counts.len(), 1000);
        // 1/H(1000) would be 13 %; ln 2 / ln 1001 is 10 %.
        assert!((18_000..22_000).contains(&counts[0]), "the first clicks {} times", counts[0]);
        assert!(counts[..10].iter().sum::<i32>() > 200_000 / 4);
        assert!(counts[500..].iter().sum::<i32>() < 200_000 / 5);
    }

    #[test]
    fn no_two_users_share_an_id() {
        for users in [1, 2, 10, 997, 1000, 65_536] {
            let ids: BTreeSet<u64> = (1..=users).map(|rank| scattered(rank, users)).collect();
            assert_eq!(ids.len() as u64, users);
        }
    }

    #[test]
    fn the_pace_is_even_and_forgives_a_pause() {
        let start = start();
        let mut pace = Pace::new(10_000, start);
        let mut sent = 0;
        for millis in 1..=1000 {
            let due = pace.due(start + Duration::from_millis(millis));
            assert_eq!(due, 10);
            sent += due;
        }
        assert_eq!(sent, 10_000);
        // Half a second late: made up for. An hour late: not.
        assert_eq!(pace.due(start + Duration::from_millis(1500)), 5_000);
        let later = start + Duration::from_secs(3600);
        assert_eq!(pace.due(later), 0);
        assert_eq!(pace.due(later + Duration::from_millis(1)), 10);
    }
}
