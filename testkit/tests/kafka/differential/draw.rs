//! What is drawn for a request, by a seed: mostly what makes sense in the sequence, and a share of nonsense.

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::TopicName;
use uuid::Uuid;

use crate::differential::side::Side;

/// Draws from one step's seed. Nothing that is drawn depends on what a broker said.
pub(crate) struct Draw {
    random: fastrand::Rng,
    /// Milliseconds: the time of the first record.
    pub(crate) time: i64,
}

impl Draw {
    pub(crate) fn new(seed: u64, time: i64) -> Self {
        Self { random: fastrand::Rng::with_seed(seed), time }
    }

    /// True in so many of a hundred cases.
    pub(crate) fn chance(&mut self, percent: u32) -> bool {
        self.random.u32(0..100) < percent
    }

    pub(crate) fn below(&mut self, count: u8) -> u8 {
        self.random.u8(0..count)
    }

    pub(crate) fn seed(&mut self) -> u64 {
        self.random.u64(..)
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.random.usize(0..of.len())]
    }

    pub(crate) fn word(&mut self, of: &[&'static str]) -> &'static str {
        self.pick::<&'static str>(of)
    }

    pub(crate) fn version(&mut self, range: VersionRange) -> i16 {
        // The newest is what most clients speak.
        if self.chance(40) { range.max } else { self.random.i16(range.min..=range.max) }
    }

    /// Mostly one; sometimes none, several, or the same twice.
    pub(crate) fn some<T: Clone>(&mut self, mut one: impl FnMut(&mut Self) -> T) -> Vec<T> {
        match self.random.u32(0..100) {
            0..60 => vec![one(self)],
            60..82 => vec![one(self), one(self)],
            82..90 => vec![one(self), one(self), one(self)],
            90..95 => {
                let same = one(self);
                vec![same.clone(), same]
            }
            _ => Vec::new(),
        }
    }

    /// A number that no one means.
    pub(crate) fn odd_number(&mut self) -> i32 {
        *self.pick(&[-1, -2, 0, 1, 7, 1000, i32::MAX, i32::MIN])
    }

    /// One of few names of the sequence, or another.
    pub(crate) fn own_or_odd(&mut self, side: &Side, kind: &str, count: u8) -> StrBytes {
        let number = self.below(count);
        match self.random.u32(0..100) {
            0..92 => side.named(&format!("{kind}{number}")),
            92..96 => side.named(&format!("missing-{kind}")),
            _ => {
                let filled = |length: usize| side.named("").to_string() + &"x".repeat(length - side.named("").len());
                let odd = ["", ".", "..", "a b", "ü", "a/b"].map(str::to_owned);
                let odd = [odd.as_slice(), &[filled(249), filled(250), filled(3000)]].concat();
                StrBytes::from_string(self.pick(&odd).clone())
            }
        }
    }

    pub(crate) fn topic(&mut self, side: &Side) -> TopicName {
        TopicName(self.own_or_odd(side, "topic", 3))
    }

    /// A topic's id as this side knows it; for a topic it does not know, or sometimes, one that nobody has.
    pub(crate) fn id_of(&mut self, side: &Side, topic: &TopicName) -> Uuid {
        let odd = self.random.u32(0..100);
        match side.topic_ids.get(topic.as_str()) {
            Some(id) if odd < 96 => *id,
            _ if odd < 98 => Uuid::from_u128(7),
            _ => Uuid::nil(),
        }
    }

    pub(crate) fn partition(&mut self) -> i32 {
        if self.chance(94) { i32::from(self.below(2)) } else { self.odd_number() }
    }

    pub(crate) fn partitions(&mut self) -> Vec<i32> {
        self.some(Self::partition)
    }

    pub(crate) fn offset(&mut self) -> i64 {
        if self.chance(90) { i64::from(self.below(12)) } else { *self.pick(&[-1, -2, 1_000_000, i64::MAX, i64::MIN]) }
    }

    /// Mostly none is said; else the first, or one that is not.
    pub(crate) fn leader_epoch(&mut self) -> i32 {
        if self.chance(80) { *self.pick(&[-1, -1, 0]) } else { self.odd_number() }
    }

    pub(crate) fn group(&mut self, side: &Side, kind: &str) -> StrBytes {
        self.own_or_odd(side, kind, 2)
    }
}
