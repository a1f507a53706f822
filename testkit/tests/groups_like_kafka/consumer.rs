//! Groups of the consumer protocol (KIP-848). Members have the ids that the cases give them, the same on both sides.

use tidemill_protocol::messages::consumer_group_heartbeat_request::TopicPartitions;
use tidemill_protocol::messages::*;
use uuid::Uuid;

use super::peer::{Peer, compare_at_once, describe, group_id, heartbeat, join, leave, text};

/// A group as a case asks it: names and ids of topics, and what each member last heard.
struct Group<'a> {
    peer: &'a mut Peer,
    id: String,
}

impl<'a> Group<'a> {
    fn new(peer: &'a mut Peer, id: &str) -> Self {
        peer.prepare(id);
        Self { peer, id: id.to_owned() }
    }

    fn topic(&mut self, name: &str, partitions: i32) -> Uuid {
        self.peer.create_topic(name, partitions);
        self.peer.topic_id(name)
    }

    /// The first heartbeat of a member.
    fn joining(&self, member: &str, topics: &[&str]) -> ConsumerGroupHeartbeatRequest {
        let names = topics.iter().map(|name| TopicName(text(name))).collect();
        self.beating(member, 0)
            .with_rebalance_timeout_ms(5_000)
            .with_subscribed_topic_names(Some(names))
            .with_topic_partitions(Some(Vec::new()))
    }

    /// A heartbeat that says nothing new.
    fn beating(&self, member: &str, epoch: i32) -> ConsumerGroupHeartbeatRequest {
        ConsumerGroupHeartbeatRequest::default()
            .with_group_id(group_id(&self.id))
            .with_member_id(text(member))
            .with_member_epoch(epoch)
            .with_rebalance_timeout_ms(-1)
            .with_subscribed_topic_names(None)
            .with_topic_partitions(None)
    }

    fn send(&mut self, request: &ConsumerGroupHeartbeatRequest) -> ConsumerGroupHeartbeatResponse {
        self.peer.ask_of("member", 1, request, |_| ())
    }

    fn beat(&mut self, member: &str, epoch: i32) -> ConsumerGroupHeartbeatResponse {
        let request = self.beating(member, epoch);
        self.send(&request)
    }

    fn owns(&mut self, member: &str, epoch: i32, topic: Uuid, partitions: &[i32]) -> ConsumerGroupHeartbeatResponse {
        let owned = TopicPartitions::default().with_topic_id(topic).with_partitions(partitions.to_vec());
        let owned = if partitions.is_empty() { Vec::new() } else { vec![owned] };
        let request = self.beating(member, epoch).with_topic_partitions(Some(owned));
        self.send(&request)
    }

    fn describe(&mut self) {
        let request = ConsumerGroupDescribeRequest::default().with_group_ids(vec![group_id(&self.id)]);
        self.peer.ask("admin", 1, &request);
    }

    /// Time for Kafka to match patterns, which it does beside the heartbeat that brings them.
    fn rest() {
        std::thread::sleep(std::time::Duration::from_millis(1_100));
    }

    /// Two members that share four partitions, each with its epoch.
    fn two_members(&mut self, topic: &str) -> Uuid {
        let id = self.topic(topic, 4);
        let request = self.joining("a", &[topic]);
        self.send(&request);
        let request = self.joining("b", &[topic]);
        self.send(&request);
        Self::rest();
        self.beat("a", 2);
        self.owns("a", 2, id, &[0, 1]);
        self.beat("b", 3);
        id
    }
}

#[test]
fn a_member_joins_and_leaves() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-one");
        let topic = group.topic("c-one", 3);
        let request = group.joining("a", &["c-one", "c-nowhere"]);
        group.send(&request);
        group.describe();
        group.beat("a", 2);
        group.owns("a", 2, topic, &[0, 1, 2]);
        group.beat("a", -1);
        group.describe();
        group.beat("a", 2);
        let request = group.joining("a", &["c-one"]);
        group.send(&request);
    });
}

#[test]
fn a_group_is_told_the_interval_that_it_has_set() {
    use incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
    const GROUP: i8 = 32;
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-settings");
        group.topic("c-settings", 1);
        let request = group.joining("a", &["c-settings"]);
        let epoch = group.send(&request).member_epoch;
        for value in ["7000", "6000"] {
            let config = AlterableConfig::default()
                .with_name(text("consumer.heartbeat.interval.ms"))
                .with_value(Some(text(value)));
            let resource = AlterConfigsResource::default()
                .with_resource_type(GROUP)
                .with_resource_name(text("c-settings"))
                .with_configs(vec![config]);
            let alter = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
            group.peer.send("setup", 1, &alter);
            let (_, altered) = group.peer.read::<IncrementalAlterConfigsRequest>("setup");
            assert_eq!(altered.responses[0].error_code, 0, "{altered:?}");
            // A broker hears of it from its controller.
            std::thread::sleep(std::time::Duration::from_millis(500));
            let answer = group.beat("a", epoch);
            assert_eq!(answer.heartbeat_interval_ms.to_string(), value);
        }
    });
}

#[test]
fn what_cannot_be_a_heartbeat_is_refused() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-invalid");
        let good = group.joining("a", &["c-invalid"]);
        let requests = [
            good.clone().with_member_id(text("")),
            good.clone().with_group_id(group_id("")),
            good.clone().with_instance_id(Some(text(""))),
            good.clone().with_rack_id(Some(text(" "))),
            good.clone().with_rebalance_timeout_ms(-1),
            good.clone().with_topic_partitions(None),
            good.clone().with_subscribed_topic_names(None),
            good.clone().with_server_assignor(Some(text("sticky"))),
            good.clone().with_member_epoch(-3),
            good.clone().with_member_epoch(-2),
            good.clone().with_member_epoch(7),
            good.clone().with_member_epoch(-1),
        ];
        for request in &requests {
            group.send(request);
        }
        group.peer.ask("member", 0, &good.clone().with_member_id(text("")).with_member_epoch(3));
        group.describe();
    });
}

#[test]
fn a_heartbeat_in_another_epoch_is_fenced() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-epochs");
        let topic = group.two_members("c-epochs");
        for epoch in [0, 1, 2, 3, 4, 9] {
            group.beat("a", epoch);
        }
        // The answer with epoch 3 may have been lost.
        group.owns("a", 2, topic, &[0, 1]);
        group.owns("a", 2, topic, &[0, 3]);
        group.owns("a", 1, topic, &[]);
        group.beat("stranger", 1);
        group.beat("stranger", -1);
        let request = group.joining("a", &["c-epochs"]);
        group.send(&request);
        group.describe();
    });
}

#[test]
fn two_members_share_without_owning_twice() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-two");
        let topic = group.topic("c-two", 4);
        let request = group.joining("a", &["c-two"]);
        group.send(&request);
        let request = group.joining("b", &["c-two"]);
        group.send(&request);
        group.describe();
        group.beat("b", 2);
        group.describe();
        group.beat("a", 2);
        group.beat("b", 3);
        group.owns("a", 2, topic, &[0, 1, 2, 3]);
        group.owns("a", 2, topic, &[0, 1]);
        group.beat("b", 3);
        group.owns("b", 3, topic, &[2, 3]);
        group.describe();
    });
}

#[test]
fn a_third_member_gets_what_the_others_give_up() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-three");
        let topic = group.topic("c-three", 5);
        for member in ["xx", "yz", "a7"] {
            let request = group.joining(member, &["c-three"]);
            group.send(&request);
        }
        group.describe();
        group.beat("xx", 2);
        group.owns("xx", 2, topic, &[]);
        group.beat("yz", 3);
        group.owns("yz", 3, topic, &[]);
        group.beat("a7", 4);
        group.describe();
        group.beat("xx", 4);
        group.beat("yz", 4);
        group.beat("yz", -1);
        group.beat("xx", 4);
        group.beat("a7", 4);
        group.describe();
    });
}

#[test]
fn members_read_different_topics() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-different");
        group.topic("c-different-one", 4);
        group.topic("c-different-two", 2);
        for (member, topics) in [
            ("a", &["c-different-one"][..]),
            ("b", &["c-different-one", "c-different-two"]),
            ("c", &["c-different-two"]),
        ] {
            let request = group.joining(member, topics);
            group.send(&request);
        }
        group.describe();
    });
}

#[test]
fn ranges_lie_side_by_side() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-range");
        group.topic("c-range-one", 3);
        group.topic("c-range-two", 3);
        for member in ["a", "b"] {
            let request =
                group.joining(member, &["c-range-one", "c-range-two"]).with_server_assignor(Some(text("range")));
            group.send(&request);
        }
        group.describe();
        group.peer.ask("admin", 5, &ListGroupsRequest::default().with_types_filter(vec![text("nothing")]));
    });
}

#[test]
fn a_member_that_comes_back_by_a_name_takes_a_share_from_another() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-named");
        group.topic("c-named-one", 2);
        group.topic("c-named-two", 2);
        let request = group.joining("consumer-2", &["c-named-two", "c-named-missing"]);
        group.send(&request.with_server_assignor(Some(text("range"))));
        let request = group.joining("consumer-0", &["c-named-one"]).with_server_assignor(Some(text("uniform")));
        group.send(&request);
        let request = group.joining("consumer-2", &["c-named-one", "c-named-missing", "c-named-missing"]);
        group.send(&request.with_instance_id(Some(text("two"))));
        group.describe();
        group.beat("consumer-0", 3);
    });
}

#[test]
fn a_member_that_gets_a_name_finds_its_target_later() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-late");
        group.topic("c-late-one", 2);
        group.topic("c-late-two", 1);
        let request = group.joining("a", &["c-late-one"]);
        group.send(&request);
        let request = group.joining("b", &["c-late-two"]);
        group.send(&request);
        let request = group.joining("a", &["c-late-one"]).with_instance_id(Some(text("one")));
        group.send(&request);
        group.describe();
        let request = group.beating("a", 3).with_instance_id(Some(text("one")));
        group.send(&request);
        group.describe();
    });
}

#[test]
fn of_two_assignors_the_one_counts_that_was_asked_for_last() {
    compare_at_once(|peer| {
        for (number, (first, second)) in [("range", "uniform"), ("uniform", "range")].into_iter().enumerate() {
            let topic = &format!("c-vote-{number}");
            let mut group = Group::new(peer, topic);
            group.topic(topic, 5);
            for (member, assignor) in [("a", Some(first)), ("b", Some(second)), ("c", None)] {
                let request = group.joining(member, &[topic]).with_server_assignor(assignor.map(text));
                group.send(&request);
                group.describe();
            }
        }
    });
}

#[test]
fn a_member_says_what_it_reads_now() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-change");
        let one = group.topic("c-change-one", 2);
        group.topic("c-change-two", 2);
        let request = group.joining("a", &["c-change-one"]);
        group.send(&request);
        let names = |names: &[&str]| Some(names.iter().map(|name| TopicName(text(name))).collect());
        let request = group.beating("a", 2).with_subscribed_topic_names(names(&["c-change-two"]));
        group.send(&request);
        group.describe();
        group.beat("a", 2);
        group.owns("a", 2, one, &[]);
        let request = group.beating("a", 3).with_subscribed_topic_names(names(&[]));
        group.send(&request);
        group.describe();
    });
}

#[test]
fn a_static_member_comes_back_to_its_partitions() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-static");
        group.topic("c-static", 2);
        let named = |request: ConsumerGroupHeartbeatRequest| request.with_instance_id(Some(text("one")));
        let first = named(group.joining("a", &["c-static"]));
        group.send(&first);
        let second = named(group.joining("b", &["c-static"]));
        group.send(&second);
        let away = named(group.beating("b", -2));
        group.send(&away);
        let unknown = group.beating("a", -2).with_instance_id(Some(text("two")));
        group.send(&unknown);
        let away = named(group.beating("a", -2));
        group.send(&away);
        group.describe();
        group.send(&second);
        group.describe();
        let old = named(group.beating("a", 2));
        group.send(&old);
        let gone = named(group.beating("b", -1));
        group.send(&gone);
        group.describe();
    });
}

#[test]
fn a_pattern_finds_topics_that_come_later() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-regex");
        group.topic("c-regex-one", 1);
        let by = |group: &Group<'_>, member: &str, pattern: &str| {
            group
                .joining(member, &[])
                .with_subscribed_topic_names(None)
                .with_subscribed_topic_regex(Some(text(pattern)))
        };
        let request = by(&group, "bad", "c-[");
        group.peer.ask_of("member", 1, &request, |response| {
            let message = response.error_message.take().unwrap_or_default();
            response.error_message = message.split(": ").next().map(text);
        });
        let request = by(&group, "a", "c-regex-.*");
        group.send(&request);
        Group::rest();
        group.describe();
        group.beat("a", 1);
        group.beat("a", 2);
        group.topic("c-regex-two", 2);
        // Patterns are looked at every ten seconds at most.
        std::thread::sleep(std::time::Duration::from_millis(9_500));
        group.beat("a", 2);
        Group::rest();
        group.beat("a", 2);
        group.beat("a", 3);
        group.describe();
    });
}

#[test]
fn offsets_are_committed_and_read_by_epoch() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-offsets");
        let topic = group.two_members("c-offsets");
        let commit = |member: &str, epoch: i32, partition: i32| {
            let partition = offset_commit_request::OffsetCommitRequestPartition::default()
                .with_partition_index(partition)
                .with_committed_offset(5);
            let topic = offset_commit_request::OffsetCommitRequestTopic::default()
                .with_name(TopicName(text("c-offsets")))
                .with_partitions(vec![partition]);
            OffsetCommitRequest::default()
                .with_group_id(group_id("c-offsets"))
                .with_generation_id_or_member_epoch(epoch)
                .with_member_id(text(member))
                .with_topics(vec![topic])
        };
        for (member, epoch, partition) in [
            ("a", 3, 0),
            ("a", 2, 0),
            ("a", 1, 0),
            ("a", 2, 3),
            ("a", 4, 0),
            ("a", -1, 0),
            ("b", 2, 2),
            ("c", 3, 0),
            ("", -1, 0),
        ] {
            for version in [8, 9] {
                group.peer.ask("member", version, &commit(member, epoch, partition));
            }
        }
        for (member, epoch) in [(None, -1), (Some("a"), 3), (Some("a"), 2), (Some("a"), 4), (Some("c"), 3), (None, 3)] {
            let asked = offset_fetch_request::OffsetFetchRequestGroup::default()
                .with_group_id(group_id("c-offsets"))
                .with_member_id(member.map(text))
                .with_member_epoch(epoch)
                .with_topics(None);
            group.peer.ask("member", 9, &OffsetFetchRequest::default().with_groups(vec![asked]));
        }
        group.owns("a", 3, topic, &[0, 1]);
        let delete = offset_delete_request::OffsetDeleteRequestTopic::default()
            .with_name(TopicName(text("c-offsets")))
            .with_partitions(vec![offset_delete_request::OffsetDeleteRequestPartition::default()]);
        let delete = OffsetDeleteRequest::default().with_group_id(group_id("c-offsets")).with_topics(vec![delete]);
        group.peer.ask("admin", 0, &delete);
        let groups = DeleteGroupsRequest::default().with_groups_names(vec![group_id("c-offsets")]);
        group.peer.ask("admin", 2, &groups);
        group.beat("a", -1);
        group.beat("b", -1);
        group.peer.ask("admin", 0, &delete);
        group.peer.ask("admin", 2, &groups);
        group.describe();
    });
}

#[test]
fn an_administrator_sees_which_protocol_a_group_speaks() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-kinds");
        group.topic("c-kinds", 1);
        let request = group.joining("a", &["c-kinds"]);
        group.send(&request);
        let list = |state: &str, kind: &str| {
            ListGroupsRequest::default().with_states_filter(vec![text(state)]).with_types_filter(vec![text(kind)])
        };
        for request in [list("stable", "Consumer"), list("empty", "consumer"), list("stable", "classic")] {
            group.peer.ask_of("admin", 5, &request, |listed| {
                listed.groups.retain(|group| group.group_id.as_str() == "c-kinds");
            });
        }
        for version in [5, 6] {
            group.peer.ask("admin", version, &describe("c-kinds"));
        }
        group.peer.ask("member", 4, &heartbeat("c-kinds", 2, "a"));
        group.peer.ask("admin", 5, &leave("c-kinds", &[("b", None), ("a", None)]));
        group.describe();
        group.peer.ask("admin", 4, &heartbeat("c-kinds", 2, "a"));
    });
}

#[test]
fn an_empty_group_changes_its_protocol() {
    compare_at_once(|peer| {
        let mut group = Group::new(peer, "c-convert");
        group.topic("c-convert", 1);
        let request = group.joining("a", &["c-convert"]);
        group.send(&request);
        group.beat("a", -1);
        group.describe();
        group.peer.ask("member", 4, &join("c-convert", "no", &["range"], b"x"));
        let joined = group.peer.ask("member", 4, &join("c-convert", "", &["range"], b"x"));
        group.peer.ask("member", 4, &join("c-convert", &joined.member_id, &["range"], b"x"));
        group.peer.ask("admin", 5, &describe("c-convert"));
        group.describe();
        let id = joined.member_id.to_string();
        group.peer.ask("admin", 5, &leave("c-convert", &[(&id, None)]));
        group.beat("a", 4);
        let request = group.joining("a", &["c-convert"]);
        group.send(&request);
        group.describe();
    });
}
