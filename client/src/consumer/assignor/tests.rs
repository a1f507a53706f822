//! What holds of every assignor, for any group; and what the sticky ones keep in place.

use std::collections::BTreeSet;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::*;

pub(super) fn member(id: &str, topics: &[&str]) -> GroupMember {
    GroupMember {
        member_id: id.to_owned(),
        group_instance_id: None,
        topics: topics.iter().map(|topic| Arc::from(*topic)).collect(),
        owned: Share::new(),
        generation: -1,
        rack: None,
        user_data: Bytes::new(),
    }
}

pub(super) fn counts(topics: &[(&str, i32)]) -> PartitionCounts {
    topics.iter().map(|(topic, count)| (Arc::from(*topic), *count)).collect()
}

pub(super) fn share(plan: &Plan, member: &str, topic: &str) -> Vec<i32> {
    plan[member].get(topic).cloned().unwrap_or_default()
}

const TOPICS: [&str; 4] = ["t0", "t1", "t2", "t3"];

/// A group in which anybody may claim anything, as after partitions and restarts, and lies.
fn any_group() -> impl Strategy<Value = (Vec<GroupMember>, PartitionCounts)> {
    let owned = btree_map(0..TOPICS.len(), vec(-1..14_i32, 0..12), 0..=TOPICS.len());
    let member = (btree_set(0..TOPICS.len(), 0..=TOPICS.len()), proptest::option::of(0..20_u8), owned, -1..4_i32);
    let members = btree_map(0..30_u8, member, 1..10).prop_map(|members| {
        let members = members.into_iter().map(|(id, (subscribed, instance, owned, generation))| {
            let topics: Vec<&str> = subscribed.into_iter().map(|topic| TOPICS[topic]).collect();
            let owned: Share = owned.into_iter().map(|(topic, numbers)| (Arc::from(TOPICS[topic]), numbers)).collect();
            GroupMember {
                group_instance_id: instance.map(|instance| format!("i{instance}-{id}")),
                user_data: StickyAssignor.user_data(&owned, generation).unwrap(),
                owned,
                generation,
                ..self::member(&format!("m{id}"), &topics)
            }
        });
        members.collect::<Vec<GroupMember>>()
    });
    let counts = btree_map(0..TOPICS.len(), 0..12_i32, 0..=TOPICS.len())
        .prop_map(|counts| counts.into_iter().map(|(topic, count)| (Arc::from(TOPICS[topic]), count)).collect());
    (members, counts)
}

/// As [`any_group`], where all read the same topics.
fn group_of_one_mind() -> impl Strategy<Value = (Vec<GroupMember>, PartitionCounts)> {
    any_group().prop_map(|(mut members, counts)| {
        for member in &mut members {
            member.topics = TOPICS.iter().map(|topic| Arc::from(*topic)).collect();
        }
        (members, counts)
    })
}

/// The members as they come back after a plan was carried out.
fn after(members: &[GroupMember], plan: &Plan, generation: i32) -> Vec<GroupMember> {
    let after = members.iter().map(|member| {
        let owned = plan.get(&member.member_id).cloned().unwrap_or_default();
        let user_data = StickyAssignor.user_data(&owned, generation).unwrap();
        GroupMember { owned, generation, user_data, ..member.clone() }
    });
    after.collect()
}

fn pairs(share: &Share) -> BTreeSet<(Arc<str>, i32)> {
    share.iter().flat_map(|(topic, numbers)| numbers.iter().map(|number| (topic.clone(), *number))).collect()
}

fn load(share: &Share) -> usize {
    share.values().map(Vec::len).sum()
}

/// How many partitions stay where they were, by what counts as having had them.
fn kept(members: &[GroupMember], plan: &Plan) -> usize {
    members.iter().map(|member| pairs(&member.owned).intersection(&pairs(&plan[&member.member_id])).count()).sum()
}

fn check_owners(members: &[GroupMember], counts: &PartitionCounts, plan: &Plan, complete: bool) {
    let ids = |all: Vec<&String>| all.into_iter().cloned().collect::<BTreeSet<_>>();
    assert_eq!(ids(plan.keys().collect()), ids(members.iter().map(|member| &member.member_id).collect()));
    for (topic, count) in counts {
        let wanted = members.iter().any(|member| member.topics.contains(topic));
        let mut owned: Vec<i32> = plan.values().filter_map(|share| share.get(topic)).flatten().copied().collect();
        owned.sort_unstable();
        let expected: Vec<i32> = if wanted { (0..*count).collect() } else { Vec::new() };
        if complete {
            assert_eq!(owned, expected, "{topic}");
        } else {
            assert_eq!(owned.iter().collect::<BTreeSet<_>>().len(), owned.len(), "{topic} twice");
            assert!(owned.iter().all(|number| expected.contains(number)));
        }
    }
    for member in members {
        let asked = plan[&member.member_id].keys().all(|topic| member.topics.contains(topic));
        assert!(asked, "{} got what it did not ask for", member.member_id);
    }
}

/// Nobody could take a partition over from somebody who has two more.
fn check_balance(members: &[GroupMember], plan: &Plan) {
    for taker in members {
        for (giver, share) in plan {
            let could = share.keys().any(|topic| taker.topics.contains(topic));
            let (has, more) = (load(&plan[&taker.member_id]), load(share));
            assert!(!could || more < has + 2, "{} has {has}, {giver} has {more}", taker.member_id);
        }
    }
}

fn planners() -> [Arc<dyn Assignor>; 3] {
    [Arc::new(RangeAssignor), Arc::new(RoundRobinAssignor), Arc::new(StickyAssignor)]
}

/// Joins as cooperative members do, until nobody has to give anything up; how many rounds that took.
fn settle(members: &mut Vec<GroupMember>, counts: &PartitionCounts) -> usize {
    for round in 0..10 {
        let plan = CooperativeStickyAssignor.assign(members, counts);
        check_owners(members, counts, &plan, false);
        for member in members.iter() {
            let others = members.iter().filter(|other| other.member_id != member.member_id);
            let held: BTreeSet<_> = others.flat_map(|other| pairs(&other.owned)).collect();
            let owned = pairs(&member.owned);
            let got: BTreeSet<_> = pairs(&plan[&member.member_id]).difference(&owned).cloned().collect();
            assert!(got.is_disjoint(&held), "given away while it is held");
        }
        let revoked = members.iter().any(|member| !pairs(&member.owned).is_subset(&pairs(&plan[&member.member_id])));
        *members = after(members, &plan, 10 + i32::try_from(round).unwrap());
        if !revoked {
            check_owners(members, counts, &plan, true);
            check_balance(members, &plan);
            return round + 1;
        }
    }
    panic!("ten rounds, and members still give partitions up");
}

proptest! {
    #[test]
    fn every_partition_has_one_owner_who_asked_for_it((members, counts) in any_group()) {
        for assignor in planners() {
            check_owners(&members, &counts, &assignor.assign(&members, &counts), true);
        }
    }

    #[test]
    fn subscribers_of_a_topic_differ_by_one_partition_at_most_by_range((members, counts) in any_group()) {
        let plan = RangeAssignor.assign(&members, &counts);
        for topic in counts.keys() {
            let sizes = members.iter().filter(|member| member.topics.contains(topic))
                .map(|member| share(&plan, &member.member_id, topic).len());
            let sizes: Vec<usize> = sizes.collect();
            let (least, most) = (sizes.iter().min().unwrap_or(&0), sizes.iter().max().unwrap_or(&0));
            prop_assert!(most - least <= 1);
        }
    }

    #[test]
    fn members_of_one_mind_differ_by_one_partition_at_most((members, counts) in group_of_one_mind()) {
        for assignor in &planners()[1..] {
            check_balance(&members, &assignor.assign(&members, &counts));
        }
    }

    #[test]
    fn a_sticky_plan_is_balanced_whatever_members_read((members, counts) in any_group()) {
        check_balance(&members, &StickyAssignor.assign(&members, &counts));
    }

    #[test]
    fn the_order_in_which_members_are_listed_does_not_matter((members, counts) in any_group(), seed: u64) {
        let mut shuffled = members.clone();
        fastrand::Rng::with_seed(seed).shuffle(&mut shuffled);
        for assignor in planners() {
            prop_assert_eq!(assignor.assign(&members, &counts), assignor.assign(&shuffled, &counts));
        }
    }

    #[test]
    fn a_sticky_plan_made_again_is_the_same((members, counts) in any_group()) {
        let plan = StickyAssignor.assign(&members, &counts);
        prop_assert_eq!(StickyAssignor.assign(&after(&members, &plan, 5), &counts), plan);
    }

    #[test]
    fn members_of_one_mind_keep_as_much_as_any_balanced_plan_lets_them((members, counts) in group_of_one_mind(), leaves: bool) {
        let mut members = after(&members, &StickyAssignor.assign(&members, &counts), 5);
        // One leaves or one comes, and the topics grow and shrink.
        if leaves && members.len() > 1 {
            members.pop();
        } else {
            members.push(GroupMember { topics: members[0].topics.clone(), ..member("new", &[]) });
        }
        let counts: PartitionCounts =
            counts.iter().enumerate().map(|(index, (topic, count))| (topic.clone(), if index % 2 == 0 { count + 3 } else { count / 2 })).collect();
        let plan = StickyAssignor.assign(&members, &counts);
        check_owners(&members, &counts, &plan, true);
        check_balance(&members, &plan);
        let total: usize = plan.values().map(load).sum();
        let still = |member: &GroupMember| pairs(&member.owned).iter()
            .filter(|(topic, number)| counts.get(topic).is_some_and(|count| number < count)).count();
        let mut had: Vec<usize> = members.iter().map(still).collect();
        had.sort_unstable_by(|a, b| b.cmp(a));
        let (each, extra) = (total / members.len(), total % members.len());
        let best: usize = had.iter().enumerate().map(|(index, had)| (*had).min(each + usize::from(index < extra))).sum();
        prop_assert_eq!(kept(&members, &plan), best);
    }

    #[test]
    fn cooperative_members_settle_and_nothing_is_given_away_while_it_is_held((members, counts) in any_group()) {
        // From any claims: what is held twice, or by who should not, is given up first.
        let mut members = members;
        settle(&mut members, &counts);
        // Settled, and one comes: once to give up, once to be given.
        members.push(member("new", &TOPICS));
        prop_assert!(settle(&mut members, &counts) <= 2);
        members.pop();
        prop_assert!(settle(&mut members, &counts) <= 2);
    }

    #[test]
    fn any_user_data_is_read_or_passed_over(bytes in vec(any::<u8>(), 0..60)) {
        let mut odd = member("odd", &["t0"]);
        odd.user_data = bytes.into();
        let members = [odd, member("b", &["t0"])];
        for assignor in [Arc::new(StickyAssignor) as Arc<dyn Assignor>, Arc::new(CooperativeStickyAssignor)] {
            check_owners(&members, &counts(&[("t0", 3)]), &assignor.assign(&members, &counts(&[("t0", 3)])), true);
        }
    }
}

#[test]
fn partitions_are_dealt_in_turn_over_all_topics() {
    let members = [member("b", &["t0", "t1"]), member("a", &["t0", "t1"])];
    let plan = RoundRobinAssignor.assign(&members, &counts(&[("t0", 3), ("t1", 3)]));
    assert_eq!((share(&plan, "a", "t0"), share(&plan, "a", "t1")), (vec![0, 2], vec![1]));
    assert_eq!((share(&plan, "b", "t0"), share(&plan, "b", "t1")), (vec![1], vec![0, 2]));
}

#[test]
fn a_chain_of_members_evens_out_what_no_two_could() {
    // Only b reads both topics: what c lacks comes from a, by way of b.
    let mut members = [member("a", &["t0"]), member("b", &["t0", "t1"]), member("c", &["t1"])];
    let owned = |topic: &str, numbers: &[i32]| Share::from([(Arc::from(topic), numbers.to_vec())]);
    let counts = counts(&[("t0", 4), ("t1", 2)]);
    for (index, owned) in [owned("t0", &[0, 1, 2, 3]), owned("t1", &[0, 1]), Share::new()].into_iter().enumerate() {
        members[index].user_data = StickyAssignor.user_data(&owned, 1).unwrap();
    }
    let plan = StickyAssignor.assign(&members, &counts);
    assert_eq!(plan.values().map(load).collect::<Vec<_>>(), [2, 2, 2]);
}

#[test]
fn of_two_who_claim_a_partition_the_later_one_has_it_and_of_one_generation_neither() {
    let claim = |id: &str, generation| GroupMember {
        owned: Share::from([(Arc::from("t0"), vec![0])]),
        generation,
        ..member(id, &["t0"])
    };
    let plan = |members: &[GroupMember]| CooperativeStickyAssignor.assign(members, &counts(&[("t0", 1)]));
    assert_eq!(share(&plan(&[claim("a", 3), claim("b", 4)]), "b", "t0"), [0]);
    let both = plan(&[claim("a", 4), claim("b", 4)]);
    assert!(both.values().all(Share::is_empty), "both give it up first");
}

#[test]
fn a_large_group_with_many_subscriptions_is_planned_in_reasonable_work() {
    // 200 members, 400 topics, everybody reads another half of them; then a tenth of the members is gone.
    let names: Vec<Arc<str>> = (0..400).map(|topic| Arc::from(format!("t{topic}"))).collect();
    let counts: PartitionCounts =
        names.iter().enumerate().map(|(index, name)| (name.clone(), (index % 9).try_into().unwrap())).collect();
    let wants = |id: usize| (0..200).map(|step| names[(id * 7 + step) % 400].clone()).collect();
    let members: Vec<GroupMember> =
        (0..200).map(|id| GroupMember { topics: wants(id), ..member(&format!("m{id}"), &[]) }).collect();
    let plan = StickyAssignor.assign(&members, &counts);
    check_balance(&members, &plan);
    let members = after(&members[20..], &plan, 1);
    let plan = StickyAssignor.assign(&members, &counts);
    check_owners(&members, &counts, &plan, true);
    check_balance(&members, &plan);
}

#[test]
fn assignors_go_by_their_java_class_and_by_their_name_on_the_wire() {
    for (name, class) in [
        ("range", "RangeAssignor"),
        ("roundrobin", "RoundRobinAssignor"),
        ("sticky", "StickyAssignor"),
        ("cooperative-sticky", "CooperativeStickyAssignor"),
    ] {
        assert_eq!(by_name(name).unwrap().name(), name);
        assert_eq!(by_name(&format!("org.apache.kafka.clients.consumer.{class}")).unwrap().name(), name);
    }
    assert!(by_name("random").is_none());
}

/// A group as the Java program reads it.
fn written(assignor: &dyn Assignor, members: &[GroupMember], counts: &PartitionCounts) -> String {
    let counts: Vec<String> = counts.iter().map(|(topic, count)| format!("{topic}:{count}")).collect();
    let members = members.iter().map(|member| {
        let hex: String = member.user_data.iter().map(|byte| format!("{byte:02x}")).collect();
        let instance = member.group_instance_id.as_deref().unwrap_or_default();
        format!(";{}/{instance}/{}/{hex}", member.member_id, member.topics.join(","))
    });
    format!("{};{}{}\n", assignor.name(), counts.join(","), members.collect::<String>())
}

/// A plan as the Java program prints it.
fn read(line: &str) -> Plan {
    let members = line.split_terminator(';').map(|member| {
        let (member_id, owned) = member.split_once('=').unwrap();
        let mut share = Share::new();
        for partition in owned.split_terminator(',') {
            let (topic, number) = partition.split_once(':').unwrap();
            share.entry(Arc::from(topic)).or_default().push(number.parse().unwrap());
        }
        share.values_mut().for_each(|numbers| numbers.sort_unstable());
        (member_id.to_owned(), share)
    });
    members.collect()
}

/// Range and round robin plan as Kafka's own classes do; the sticky assignor of Kafka reads from our user data what
/// members had, and lets them keep as much as we do.
#[test]
fn plans_are_those_of_kafkas_assignors() {
    let Some(tools) = tidemill_testkit::kafka::Tools::find() else { return };
    let mut runner = TestRunner::deterministic();
    let mut groups = Vec::new();
    let mut input = String::new();
    for _ in 0..300 {
        let (members, counts) = any_group().new_tree(&mut runner).unwrap().current();
        for assignor in &planners()[..2] {
            input += &written(&**assignor, &members, &counts);
            groups.push((assignor.clone(), members.clone(), counts.clone()));
        }
        let (members, counts) = group_of_one_mind().new_tree(&mut runner).unwrap().current();
        let mut members = after(&members, &StickyAssignor.assign(&members, &counts), 5);
        members.push(GroupMember { topics: members[0].topics.clone(), ..member("new", &[]) });
        input += &written(&StickyAssignor, &members, &counts);
        groups.push((Arc::new(StickyAssignor), members, counts));
    }
    let program = format!("{}/tests/java/Assignors.java", env!("CARGO_MANIFEST_DIR"));
    let output = tools.run(&program, &[], &input).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).unwrap();
    assert_eq!(printed.lines().count(), groups.len());
    for (line, (assignor, members, counts)) in printed.lines().zip(groups) {
        let (ours, theirs) = (assignor.assign(&members, &counts), read(line));
        if assignor.name() == "sticky" {
            assert_eq!(kept(&members, &ours), kept(&members, &theirs), "{members:?} {counts:?}");
        } else {
            assert_eq!(ours, theirs, "{} {members:?} {counts:?}", assignor.name());
        }
    }
}
