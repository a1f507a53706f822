//! What the assignors give, and what they keep.

use super::*;

fn topic(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn id(id: &str) -> StrBytes {
    StrBytes::from_string(id.to_owned())
}

fn partitions(list: &[(u128, &[i32])]) -> Partitions {
    list.iter().map(|(number, partitions)| (topic(*number), partitions.iter().copied().collect())).collect()
}

fn member(name: &str, topics: &[u128]) -> MemberSpec {
    MemberSpec {
        id: id(name),
        instance_id: None,
        topics: topics.iter().copied().map(topic).collect(),
        assigned: Partitions::new(),
    }
}

fn spec(members: Vec<MemberSpec>, topics: &[(u128, i32)]) -> Spec {
    let homogeneous = members.iter().all(|member| member.topics == members[0].topics);
    let topics = topics.iter().map(|(number, count)| (topic(*number), *count)).collect();
    Spec { members, topics, homogeneous }
}

/// Assigns again with what was assigned before, and some members more or fewer.
fn again(plan: &Plan, mut members: Vec<MemberSpec>, topics: &[(u128, i32)]) -> Plan {
    for member in &mut members {
        member.assigned = plan.get(&member.id).cloned().unwrap_or_default();
    }
    Assignor::Uniform.assign(&spec(members, topics))
}

fn sizes(plan: &Plan) -> Vec<usize> {
    plan.values().map(|share| share.values().map(BTreeSet::len).sum()).collect()
}

/// Every partition that somebody can read has exactly one reader, who reads the topic.
fn check(plan: &Plan, spec: &Spec) {
    let mut seen = BTreeSet::new();
    for member in &spec.members {
        for (topic, partitions) in plan.get(&member.id).into_iter().flatten() {
            assert!(member.topics.contains(topic), "{} does not read {topic}", member.id);
            for partition in partitions {
                assert!(seen.insert((*topic, *partition)), "{topic}-{partition} is given twice");
            }
        }
    }
    let read: BTreeSet<Uuid> = spec.members.iter().flat_map(|member| member.topics.clone()).collect();
    let all: usize = read.iter().map(|topic| usize::try_from(spec.topics[topic]).unwrap()).sum();
    assert_eq!(seen.len(), all);
}

#[test]
fn range_gives_runs_and_static_members_come_first() {
    let mut named = member("z", &[1, 2]);
    named.instance_id = Some(StrBytes::from_static_str("first"));
    let plan = Assignor::Range.assign(&spec(vec![member("a", &[1, 2]), named], &[(1, 3), (2, 2)]));
    assert_eq!(plan[&id("z")], partitions(&[(1, &[0, 1]), (2, &[0])]));
    assert_eq!(plan[&id("a")], partitions(&[(1, &[2]), (2, &[1])]));
}

#[test]
fn uniform_is_even_and_keeps_what_it_can() {
    let topics = [(1, 5)];
    let first = again(&Plan::new(), vec![member("a", &[1]), member("b", &[1])], &topics);
    assert_eq!(sizes(&first), [2, 3]);
    let second = again(&first, vec![member("a", &[1]), member("b", &[1]), member("c", &[1])], &topics);
    assert_eq!(sizes(&second), [2, 2, 1]);
    for name in ["a", "b"] {
        let before = &first[&id(name)][&topic(1)];
        assert!(second[&id(name)][&topic(1)].is_subset(before), "{name} has something new");
    }
}

#[test]
fn who_has_one_more_already_keeps_it() {
    let mut first = member("a", &[1]);
    first.assigned = partitions(&[(1, &[0])]);
    let mut second = member("b", &[1]);
    second.assigned = partitions(&[(1, &[1, 2])]);
    let plan = Assignor::Uniform.assign(&spec(vec![first, second], &[(1, 3)]));
    assert_eq!(sizes(&plan), [1, 2]);
}

#[test]
fn members_that_read_different_topics_are_evened_out() {
    let topics = [(1, 4), (2, 6)];
    let members = || vec![member("a", &[1]), member("b", &[1, 2]), member("c", &[2])];
    let plan = again(&Plan::new(), members(), &topics);
    check(&plan, &spec(members(), &topics));
    assert_eq!(sizes(&plan), [4, 3, 3]);
    // One more reads both: whoever has most gives up most.
    let four = || [members(), vec![member("d", &[1, 2])]].concat();
    let plan = again(&plan, four(), &topics);
    check(&plan, &spec(four(), &topics));
    assert!(sizes(&plan).iter().all(|size| (2..=3).contains(size)), "{plan:?}");
}

#[test]
fn whatever_members_read_each_partition_has_one_reader() {
    let mut random = fastrand::Rng::with_seed(11);
    for _ in 0..500 {
        let topics: Vec<(u128, i32)> = (1..=random.u128(1..5)).map(|number| (number, random.i32(1..9))).collect();
        let mut plan = Plan::new();
        for _ in 0..4 {
            let count = random.usize(1..6);
            let mut members: Vec<MemberSpec> = Vec::new();
            for number in 0..count {
                let reads: Vec<u128> = topics.iter().map(|(it, _)| *it).filter(|_| random.bool()).collect();
                let mut it = member(&format!("m{number}"), &reads);
                it.assigned = plan.get(&it.id).cloned().unwrap_or_default();
                members.push(it);
            }
            let spec = spec(members, &topics);
            for assignor in Assignor::ALL {
                let made = assignor.assign(&spec);
                check(&made, &spec);
                plan = made;
            }
        }
    }
}

#[test]
fn members_come_in_the_order_of_a_java_hash_map() {
    // new HashMap with these keys iterates so.
    assert_eq!(java_order(vec!["xx", "yz", "a7", "b", "a"], |it| it), ["xx", "yz", "a", "b", "a7"]);
}
