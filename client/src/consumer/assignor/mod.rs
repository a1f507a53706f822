//! Who reads what: the plan a group's leader makes for all members.
//!
//! Before: [`membership::classic`](super::membership::classic) hears from the coordinator that it leads, with every
//! member's subscription. After: the plan goes out with `SyncGroup`, and each member gets its share.
//!
//! [`range`] and [`round_robin`] plan from nothing, [`sticky`] and [`cooperative_sticky`] from what members have; both
//! of these leave it to [`balance`] to move as little as it takes.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

mod balance;
pub(super) mod cooperative_sticky;
pub(super) mod range;
pub(super) mod round_robin;
pub(super) mod sticky;

#[cfg(test)]
mod tests;

pub use self::cooperative_sticky::CooperativeStickyAssignor;
pub use self::range::RangeAssignor;
pub use self::round_robin::RoundRobinAssignor;
pub use self::sticky::StickyAssignor;

/// A member of a group, as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct GroupMember {
    /// What the coordinator calls it.
    pub member_id: String,
    /// The name of a static member (KIP-345).
    pub group_instance_id: Option<String>,
    /// The topics it wants to read.
    pub topics: Vec<Arc<str>>,
    /// The partitions it holds on to while it joins, by topic. Empty for a member that gives all up before.
    pub owned: BTreeMap<Arc<str>, Vec<i32>>,
    /// The generation in which it was last given partitions, -1 for none.
    pub generation: i32,
    /// The rack it runs in.
    pub rack: Option<Arc<str>>,
    /// What its own [`Assignor::user_data`] said. Another program wrote it: it may be anything.
    pub user_data: Bytes,
}

/// The partitions of one member, by topic; both in ascending order.
pub(super) type Share = BTreeMap<Arc<str>, Vec<i32>>;

/// The share of each member, by member id. Every member has an entry.
pub(super) type Plan = BTreeMap<String, Share>;

/// How many partitions each topic has. A topic that is not here does not exist, as far as we know.
pub(super) type PartitionCounts = BTreeMap<Arc<str>, i32>;

/// A way to share partitions out among the members of a group that speaks the classic protocol.
///
/// Members list the ways they know in `JoinGroup`, and the coordinator picks one that all of them know. The member that
/// leads then makes the plan for all. Kafka's `ConsumerPartitionAssignor`.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::sync::Arc;
///
/// use tidemill_client::{Assignor, ConsumerConfig, GroupMember, RangeAssignor};
///
/// /// Everything goes to the first member: the others stand by.
/// #[derive(Debug)]
/// struct OneReads;
///
/// impl Assignor for OneReads {
///     fn name(&self) -> &str {
///         "one-reads"
///     }
///
///     fn assign(
///         &self,
///         members: &[GroupMember],
///         partitions: &BTreeMap<Arc<str>, i32>,
///     ) -> BTreeMap<String, BTreeMap<Arc<str>, Vec<i32>>> {
///         let Some(first) = members.iter().min_by_key(|member| &member.member_id) else { return BTreeMap::new() };
///         let all = partitions.iter().map(|(topic, count)| (topic.clone(), (0..*count).collect())).collect();
///         BTreeMap::from([(first.member_id.clone(), all)])
///     }
/// }
///
/// let config = ConsumerConfig::default().group_id("readers").assignors([Arc::new(OneReads) as Arc<dyn Assignor>]);
/// ```
pub trait Assignor: Send + Sync + fmt::Debug + 'static {
    /// The name on which members agree.
    fn name(&self) -> &str;

    /// Makes the plan: by member id, the partitions of each topic. A member that is left out gets nothing. `partitions`
    /// says how many each topic has that any member wants; one that does not exist has none.
    fn assign(
        &self,
        members: &[GroupMember],
        partitions: &BTreeMap<Arc<str>, i32>,
    ) -> BTreeMap<String, BTreeMap<Arc<str>, Vec<i32>>>;

    /// Whether members can keep reading while the group rebalances (KIP-429). The plan must then never give a partition
    /// to a member while another holds it: the holder gives it up first, and the next plan gives it away. A member
    /// keeps reading when all assignors that it lists can do this.
    fn is_cooperative(&self) -> bool {
        false
    }

    /// What the leader is to know of this member beyond its subscription: `previous` is what it was given last, in
    /// `generation` (-1 when it was given nothing yet).
    fn user_data(&self, previous: &BTreeMap<Arc<str>, Vec<i32>>, generation: i32) -> Option<Bytes> {
        let _ = (previous, generation);
        None
    }
}

/// The assignor of this name, as Java (the class) or librdkafka (the name on the wire) writes it.
pub(super) fn by_name(name: &str) -> Option<Arc<dyn Assignor>> {
    let class = name.strip_prefix("org.apache.kafka.clients.consumer.").unwrap_or(name);
    match class {
        "range" | "RangeAssignor" => Some(Arc::new(RangeAssignor)),
        "roundrobin" | "RoundRobinAssignor" => Some(Arc::new(RoundRobinAssignor)),
        "sticky" | "StickyAssignor" => Some(Arc::new(StickyAssignor)),
        "cooperative-sticky" | "CooperativeStickyAssignor" => Some(Arc::new(CooperativeStickyAssignor)),
        _ => None,
    }
}

/// What is used when nothing is configured, as in Java: range, but cooperative-sticky is at hand for members that want
/// it, so that a group can go over to it one member at a time.
pub(super) fn default() -> Vec<Arc<dyn Assignor>> {
    vec![Arc::new(RangeAssignor), Arc::new(CooperativeStickyAssignor)]
}

/// Members in the order of Kafka's assignors: static ones first, by their name, then by member id. Each once.
fn in_order(members: &[GroupMember]) -> Vec<&GroupMember> {
    let mut ordered: Vec<&GroupMember> = members.iter().collect();
    ordered.sort_by_key(|member| {
        (member.group_instance_id.is_none(), member.group_instance_id.as_deref(), member.member_id.as_str())
    });
    ordered.dedup_by_key(|member| member.member_id.as_str());
    ordered
}

/// A plan that gives nobody anything.
fn empty_plan(members: &[GroupMember]) -> Plan {
    members.iter().map(|member| (member.member_id.clone(), Share::new())).collect()
}
