//! Who reads what: the plan a group's leader makes for all members.
//!
//! Before: [`membership::classic`](super::membership::classic) hears from the coordinator that it leads, with every
//! member's subscription. After: the plan goes out with `SyncGroup`, and each member gets its share.

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) mod range;

/// A member of the group, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) member_id: String,
    /// The name of a static member (KIP-345).
    pub(super) group_instance_id: Option<String>,
    pub(super) topics: Vec<Arc<str>>,
}

/// The partitions of one member, by topic; both in ascending order.
pub(super) type Share = BTreeMap<Arc<str>, Vec<i32>>;

/// The share of each member, by member id. Every member has an entry.
pub(super) type Plan = BTreeMap<String, Share>;

/// How many partitions each topic has. A topic that is not here does not exist, as far as we know.
pub(super) type PartitionCounts = BTreeMap<Arc<str>, i32>;

/// A way to make a [`Plan`], by the name members agree on in `JoinGroup`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Assignor {
    /// `range`: per topic, each member a run of neighbouring partitions.
    Range,
}

impl Assignor {
    /// All there are, the preferred first.
    pub(super) const ALL: &'static [Self] = &[Self::Range];

    /// The name in `JoinGroup`.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Range => "range",
        }
    }

    /// The assignor of that name, if it is ours.
    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|assignor| assignor.name() == name)
    }

    /// Makes the plan.
    pub(super) fn assign(self, members: &[Member], partitions: &PartitionCounts) -> Plan {
        match self {
            Self::Range => range::assign(members, partitions),
        }
    }
}
