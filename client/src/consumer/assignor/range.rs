//! The `range` assignor: per topic, the members in order each take a run of neighbouring partitions.
//!
//! The result is the one of Kafka's `RangeAssignor` without racks, so a group may mix our members with Java's. Members
//! are ordered by their static name (those without one last), then by member id; the first `partitions % members` of
//! them take one partition more. Topics with equal partition counts and equal subscribers are thereby split alike,
//! which is what joins of such topics rely on.

use super::{Assignor, GroupMember, PartitionCounts, Plan, empty_plan, in_order};

/// Gives each member a run of neighbouring partitions of every topic, so that topics with as many partitions are split
/// alike. Kafka's `RangeAssignor`.
#[derive(Debug, Clone, Copy, Default)]
#[expect(clippy::exhaustive_structs, reason = "it has nothing to it but its way")]
pub struct RangeAssignor;

impl Assignor for RangeAssignor {
    fn name(&self) -> &'static str {
        "range"
    }

    fn assign(&self, members: &[GroupMember], partitions: &PartitionCounts) -> Plan {
        let mut plan = empty_plan(members);
        let ordered = in_order(members);
        for (topic, &partition_count) in partitions {
            let subscribers: Vec<&GroupMember> =
                ordered.iter().copied().filter(|member| member.topics.contains(topic)).collect();
            let mut first = 0;
            for (index, member) in subscribers.iter().enumerate() {
                let size = share_size(partition_count, subscribers.len(), index);
                if size > 0
                    && let Some(share) = plan.get_mut(&member.member_id)
                {
                    share.insert(topic.clone(), (first..first + size).collect());
                }
                first += size;
            }
        }
        plan
    }
}

/// How many of `partition_count` partitions the subscriber at `index` of `subscriber_count` takes.
fn share_size(partition_count: i32, subscriber_count: usize, index: usize) -> i32 {
    let subscriber_count = i32::try_from(subscriber_count).unwrap_or(i32::MAX);
    let index = i32::try_from(index).unwrap_or(i32::MAX);
    let each = partition_count / subscriber_count;
    let extra = partition_count % subscriber_count;
    each + i32::from(index < extra)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{counts, member, share};
    use super::*;

    fn assign(members: &[GroupMember], partitions: &PartitionCounts) -> Plan {
        RangeAssignor.assign(members, partitions)
    }

    #[test]
    fn the_first_members_take_the_odd_partitions() {
        let members = [member("b", &["orders"]), member("a", &["orders"]), member("c", &["orders"])];
        let plan = assign(&members, &counts(&[("orders", 7)]));
        assert_eq!(share(&plan, "a", "orders"), [0, 1, 2]);
        assert_eq!(share(&plan, "b", "orders"), [3, 4]);
        assert_eq!(share(&plan, "c", "orders"), [5, 6]);
    }

    #[test]
    fn members_beyond_the_partitions_stay_idle() {
        let members = [member("a", &["orders"]), member("b", &["orders"])];
        let plan = assign(&members, &counts(&[("orders", 1)]));
        assert_eq!(share(&plan, "a", "orders"), [0]);
        assert!(plan["b"].is_empty());
    }

    #[test]
    fn a_topic_goes_to_its_subscribers_only_and_one_that_is_unknown_to_nobody() {
        let members = [member("a", &["orders", "gone"]), member("b", &["orders", "clicks"])];
        let plan = assign(&members, &counts(&[("orders", 2), ("clicks", 2)]));
        assert_eq!(share(&plan, "a", "orders"), [0]);
        assert_eq!(share(&plan, "b", "orders"), [1]);
        assert_eq!(share(&plan, "b", "clicks"), [0, 1]);
        assert_eq!(plan["a"].len(), 1);
    }

    #[test]
    fn static_members_come_first_by_their_name() {
        let mut members = [member("a", &["t"]), member("z", &["t"]), member("y", &["t"])];
        members[1].group_instance_id = Some("one".to_owned());
        members[2].group_instance_id = Some("two".to_owned());
        let plan = assign(&members, &counts(&[("t", 3)]));
        assert_eq!(share(&plan, "z", "t"), [0]);
        assert_eq!(share(&plan, "y", "t"), [1]);
        assert_eq!(share(&plan, "a", "t"), [2]);
    }

    #[test]
    fn topics_of_one_size_with_the_same_subscribers_are_split_alike() {
        let members = [member("a", &["left", "right"]), member("b", &["left", "right"])];
        let plan = assign(&members, &counts(&[("left", 5), ("right", 5)]));
        for id in ["a", "b"] {
            assert_eq!(share(&plan, id, "left"), share(&plan, id, "right"));
        }
    }
}
