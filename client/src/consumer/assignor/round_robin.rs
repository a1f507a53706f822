//! The `roundrobin` assignor: all partitions of all topics in a row, dealt to the members in turn.
//!
//! The result is that of Kafka's `RoundRobinAssignor`. A member that did not ask for the topic is passed over, and the
//! turn goes on from whoever took the last partition; so with different subscriptions shares may be uneven.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Assignor, GroupMember, PartitionCounts, Plan, empty_plan, in_order};

/// Deals the partitions of all topics out in turn. Kafka's `RoundRobinAssignor`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to it but its way")]
pub struct RoundRobinAssignor;

impl Assignor for RoundRobinAssignor {
    fn name(&self) -> &'static str {
        "roundrobin"
    }

    fn assign(&self, members: &[GroupMember], partitions: &PartitionCounts) -> Plan {
        let mut plan = empty_plan(members);
        let ordered: Vec<(&GroupMember, BTreeSet<&Arc<str>>)> =
            in_order(members).into_iter().map(|member| (member, member.topics.iter().collect())).collect();
        let mut turn = 0;
        for (topic, &count) in partitions {
            if !ordered.iter().any(|(_, topics)| topics.contains(topic)) {
                continue;
            }
            for partition in 0..count {
                let in_turn = (0..ordered.len()).map(|step| (turn + step) % ordered.len());
                let taker = in_turn.filter_map(|at| Some((at, ordered.get(at)?)));
                let Some((at, (member, _))) = taker.into_iter().find(|(_, (_, topics))| topics.contains(topic)) else {
                    break;
                };
                if let Some(share) = plan.get_mut(&member.member_id) {
                    share.entry(topic.clone()).or_default().push(partition);
                }
                turn = (at + 1) % ordered.len();
            }
        }
        plan
    }
}
