//! Who is to read what: the assignors of the coordinator, `uniform` and `range`, with Kafka's results.
//!
//! Kafka goes through the members in the order of a Java hash map of their ids; [`java_order`] is that order, so that the
//! same members get the same partitions here. Racks are not looked at, as in Kafka.
//!
//! - `range`: per topic, neighbouring partitions to each member
//! - `uniform`: everybody the same number, members that read the same topics
//! - `heterogeneous`: as even as can be, members that read different topics

mod heterogeneous;
mod range;
mod uniform;

use std::collections::{BTreeMap, BTreeSet};

use tidemill_protocol::StrBytes;
use uuid::Uuid;

use super::Partitions;

/// One of the assignors, by the name that members ask for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assignor {
    Uniform,
    Range,
}

/// What an assignor needs to know.
#[derive(Debug)]
pub(super) struct Spec {
    /// In the order of [`java_order`].
    pub(super) members: Vec<MemberSpec>,
    /// How many partitions each subscribed topic has.
    pub(super) topics: BTreeMap<Uuid, i32>,
    /// Whether all members read the same topics.
    pub(super) homogeneous: bool,
}

/// A member, as assignors see it.
#[derive(Debug, Clone)]
pub(super) struct MemberSpec {
    pub(super) id: StrBytes,
    pub(super) instance_id: Option<StrBytes>,
    pub(super) topics: BTreeSet<Uuid>,
    /// What it is to read until now.
    pub(super) assigned: Partitions,
}

/// What each member is to read.
pub(super) type Plan = BTreeMap<StrBytes, Partitions>;

impl Assignor {
    /// Every assignor; the first is the default.
    pub(super) const ALL: [Self; 2] = [Self::Uniform, Self::Range];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    pub(super) fn assign(self, spec: &Spec) -> Plan {
        match self {
            Self::Range => range::assign(spec),
            Self::Uniform if spec.members.is_empty() => Plan::new(),
            Self::Uniform if spec.homogeneous => uniform::assign(spec),
            Self::Uniform => heterogeneous::assign(spec),
        }
    }
}

/// The order in which a Java hash map would go through these texts.
pub(super) fn java_order<T>(mut items: Vec<T>, text: impl Fn(&T) -> &str) -> Vec<T> {
    // It has at least 16 buckets and doubles when it is three quarters full.
    let mut buckets: u32 = 16;
    while u64::from(buckets) * 3 / 4 < u64::try_from(items.len()).unwrap_or(u64::MAX) && buckets < 1 << 30 {
        buckets *= 2;
    }
    let bucket = |item: &T| {
        let hash = text(item).encode_utf16().fold(0_u32, |hash, it| hash.wrapping_mul(31).wrapping_add(u32::from(it)));
        (hash ^ (hash >> 16)) & (buckets - 1)
    };
    items.sort_by_key(bucket);
    items
}

/// Adds a partition.
fn add(partitions: &mut Partitions, topic: Uuid, partition: i32) {
    partitions.entry(topic).or_default().insert(partition);
}

/// Takes a partition away.
fn remove(partitions: &mut Partitions, topic: Uuid, partition: i32) {
    if let Some(of_topic) = partitions.get_mut(&topic) {
        of_topic.remove(&partition);
        if of_topic.is_empty() {
            partitions.remove(&topic);
        }
    }
}

#[cfg(test)]
mod tests;
