//! The `range` assignor: per topic, the members in order each take a run of neighbouring partitions.
//!
//! The result is the one of Kafka's `RangeAssignor` without racks, so a group may mix our members with Java's. Members
//! are ordered by their static name (those without one last), then by member id; the first `partitions % members` of
//! them take one partition more. Topics with equal partition counts and equal subscribers are thereby split alike,
//! which is what joins of such topics rely on.

use super::{Member, PartitionCounts, Plan};

pub(super) fn assign(members: &[Member], partitions: &PartitionCounts) -> Plan {
    let mut plan: Plan = members.iter().map(|member| (member.member_id.clone(), super::Share::new())).collect();
    let mut ordered: Vec<&Member> = members.iter().collect();
    ordered.sort_by_key(|member| {
        (member.group_instance_id.is_none(), member.group_instance_id.as_deref(), member.member_id.as_str())
    });
    ordered.dedup_by_key(|member| member.member_id.as_str());
    for (topic, &partition_count) in partitions {
        let subscribers: Vec<&Member> =
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
    use std::collections::{BTreeMap, BTreeSet};
    use std::sync::Arc;

    use proptest::collection::{btree_map, btree_set};
    use proptest::prelude::*;

    use super::*;

    fn member(id: &str, topics: &[&str]) -> Member {
        Member {
            member_id: id.to_owned(),
            group_instance_id: None,
            topics: topics.iter().map(|topic| Arc::from(*topic)).collect(),
        }
    }

    fn counts(topics: &[(&str, i32)]) -> PartitionCounts {
        topics.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
    }

    fn share(plan: &Plan, member: &str, topic: &str) -> Vec<i32> {
        plan[member].get(topic).cloned().unwrap_or_default()
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

    fn any_group() -> impl Strategy<Value = (Vec<Member>, PartitionCounts)> {
        let topics = ["t0", "t1", "t2", "t3"];
        let member = (btree_set(0..topics.len(), 0..=topics.len()), proptest::option::of(0..20_u8));
        let members = btree_map(0..30_u8, member, 1..12).prop_map(move |members| {
            members
                .into_iter()
                .map(|(id, (subscribed, instance))| Member {
                    member_id: format!("m{id}"),
                    group_instance_id: instance.map(|instance| format!("i{instance}-{id}")),
                    topics: subscribed.into_iter().map(|topic| Arc::from(topics[topic])).collect(),
                })
                .collect()
        });
        let counts = btree_map(0..topics.len(), 0..40_i32, 0..=topics.len()).prop_map(move |counts| {
            counts.into_iter().map(|(topic, count)| (Arc::from(topics[topic]), count)).collect()
        });
        (members, counts)
    }

    proptest! {
        #[test]
        fn every_partition_has_one_owner_who_asked_for_it((members, counts) in any_group()) {
            let plan = assign(&members, &counts);
            prop_assert_eq!(plan.keys().cloned().collect::<BTreeSet<_>>(),
                members.iter().map(|member| member.member_id.clone()).collect::<BTreeSet<_>>());
            for (topic, count) in &counts {
                let wanted = members.iter().any(|member| member.topics.contains(topic));
                let mut owned: Vec<i32> = plan.values().filter_map(|share| share.get(topic)).flatten().copied().collect();
                owned.sort_unstable();
                let expected: Vec<i32> = if wanted { (0..*count).collect() } else { Vec::new() };
                prop_assert_eq!(owned, expected);
            }
            for member in &members {
                for topic in plan[&member.member_id].keys() {
                    prop_assert!(member.topics.contains(topic));
                }
            }
        }

        #[test]
        fn subscribers_of_a_topic_differ_by_one_partition_at_most((members, counts) in any_group()) {
            let plan = assign(&members, &counts);
            for topic in counts.keys() {
                let sizes: Vec<usize> = members.iter().filter(|member| member.topics.contains(topic))
                    .map(|member| plan[&member.member_id].get(topic).map_or(0, Vec::len)).collect();
                let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
                prop_assert!(most - least <= 1);
            }
        }

        #[test]
        fn the_order_in_which_members_are_listed_does_not_matter((members, counts) in any_group(), seed: u64) {
            let mut shuffled = members.clone();
            fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
            prop_assert_eq!(assign(&members, &counts), assign(&shuffled, &counts));
        }

        #[test]
        fn the_runs_are_those_of_the_java_assignor((members, counts) in any_group()) {
            // Kafka's own formulation: start and length of each member's run.
            let plan = assign(&members, &counts);
            for (topic, &count) in &counts {
                let mut ordered: Vec<&Member> = members.iter().filter(|member| member.topics.contains(topic)).collect();
                ordered.sort_by(|a, b| match (&a.group_instance_id, &b.group_instance_id) {
                    (Some(a), Some(b)) => a.cmp(b),
                    (Some(_), None) => std::cmp::Ordering::Less,
                    (None, Some(_)) => std::cmp::Ordering::Greater,
                    (None, None) => a.member_id.cmp(&b.member_id),
                });
                let total = i32::try_from(ordered.len()).unwrap();
                let runs: BTreeMap<&str, Vec<i32>> = ordered.iter().zip(0..).map(|(member, i)| {
                    let start = count / total * i + i.min(count % total);
                    let length = count / total + i32::from(i < count % total);
                    (member.member_id.as_str(), (start..start + length).collect())
                }).collect();
                for (id, run) in runs {
                    prop_assert_eq!(plan[id].get(topic).cloned().unwrap_or_default(), run);
                }
            }
        }
    }
}
