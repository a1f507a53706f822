//! Several brokers: who leads, what is replicated, and what is lost.

use tidemill_protocol::messages::*;

use super::world::*;
use crate::broker::*;

/// Three brokers and one partition with a replica on each, led by the first.
fn three(settings: &[(&str, &str)]) -> World {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic_at("clicks", vec![vec![1, 2, 3]], settings.iter().copied()).unwrap();
    world
}

fn write(world: &mut World, node_id: i32, acks: i16, value: &str) -> ErrorCode {
    let body = produce(batch(&[value])).with_acks(acks);
    ErrorCode(world.ask_on(to(node_id), 9, &body).responses[0].partition_responses[0].error_code)
}

fn read(world: &mut World, node_id: i32) -> Vec<String> {
    let response = world.ask_on(to(node_id), FETCH, &fetch(0, 0, 1));
    values(first(&response).records.clone()).into_iter().map(|(_, value)| value).collect()
}

fn leader(world: &World) -> (Option<i32>, i32) {
    let partition = world.cluster.topics.by_name("clicks").unwrap().partition(0).unwrap();
    (partition.leader, partition.leader_epoch)
}

#[test]
fn only_the_leader_writes_and_says_who_it_is() {
    let mut world = three(&[]);
    let body = produce(batch(&["a"]));
    let response = world.ask_on(to(2), 12, &body);
    let refused = &response.responses[0].partition_responses[0];
    assert_eq!(refused.error_code, ErrorCode::NOT_LEADER_OR_FOLLOWER.0);
    assert_eq!((refused.current_leader.leader_id.0, refused.current_leader.leader_epoch), (1, 0));
    assert_eq!(response.node_endpoints.iter().map(|node| node.node_id.0).collect::<Vec<_>>(), [1]);
    assert_eq!(write(&mut world, 1, -1, "a"), ErrorCode::NONE);
    assert_eq!(read(&mut world, 1), ["a"]);
}

#[test]
fn what_all_replicas_have_survives_a_crash() {
    let mut world = three(&[]);
    write(&mut world, 1, -1, "a");
    world.cluster.handle_broker_stopped(1, Stop::Kill);
    world.poll();
    assert_eq!(world.told(to(1)), Told::Closed);
    assert_eq!(leader(&world), (Some(2), 1));
    assert_eq!(read(&mut world, 2), ["a"]);
    assert_eq!(write(&mut world, 2, -1, "b"), ErrorCode::NONE);
    world.cluster.handle_broker_started(1);
    let partition = world.cluster.topics.by_name("clicks").unwrap().partition(0).unwrap();
    assert_eq!((partition.in_sync.clone(), partition.leader), (vec![1, 2, 3], Some(2)));
}

#[test]
fn what_only_the_leader_has_is_lost_with_it() {
    let mut world = three(&[]);
    write(&mut world, 1, -1, "a");
    for follower in [2, 3] {
        world.cluster.set_follows(follower, false);
    }
    assert_eq!(write(&mut world, 1, 1, "b"), ErrorCode::NONE, "one replica is enough for acks=1");
    assert_eq!(read(&mut world, 1), ["a"], "nobody reads what may still be lost");
    world.cluster.handle_broker_stopped(1, Stop::Kill);
    for follower in [2, 3] {
        world.cluster.set_follows(follower, true);
    }
    assert_eq!(read(&mut world, 2), ["a"]);
    assert_eq!(write(&mut world, 2, -1, "c"), ErrorCode::NONE);
    assert_eq!(read(&mut world, 2), ["a", "c"]);
    let topic = world.cluster.topics.by_name("clicks").unwrap();
    assert_eq!(topic.partition(0).unwrap().log.end_of_epoch(0), Some((0, 1)), "epoch 0 ended where the new leader was");
}

#[test]
fn acks_all_waits_for_every_replica_in_sync() {
    let mut world = three(&[]);
    world.cluster.set_follows(3, false);
    world.send(to(1), 9, &produce(batch(&["a"])));
    assert_eq!(world.told(to(1)), Told::Nothing);
    world.cluster.set_follows(3, true);
    world.poll();
    let (_, response) = world.answer::<ProduceRequest>(to(1), 9);
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0);

    world.cluster.set_follows(3, false);
    world.send(to(1), 9, &produce(batch(&["b"])));
    world.advance(Duration::from_secs(1));
    let (_, response) = world.answer::<ProduceRequest>(to(1), 9);
    assert_eq!(response.responses[0].partition_responses[0].error_code, ErrorCode::REQUEST_TIMED_OUT.0);

    world.send(to(1), 9, &produce(batch(&["c"])));
    world.cluster.shrink(3);
    world.poll();
    let (_, response) = world.answer::<ProduceRequest>(to(1), 9);
    assert_eq!(response.responses[0].partition_responses[0].error_code, 0, "who lags is not waited for any longer");
}

#[test]
fn too_few_replicas_in_sync_are_refused() {
    let mut world = three(&[("min.insync.replicas", "2")]);
    world.cluster.handle_broker_stopped(2, Stop::Clean);
    world.cluster.handle_broker_stopped(3, Stop::Clean);
    assert_eq!(write(&mut world, 1, -1, "a"), ErrorCode::NOT_ENOUGH_REPLICAS);
    assert_eq!(write(&mut world, 1, 1, "a"), ErrorCode::NONE);
}

#[test]
fn without_a_replica_in_sync_nobody_leads_unless_told_to() {
    for (unclean, expected) in [("false", None), ("true", Some(2))] {
        let mut world = three(&[("unclean.leader.election.enable", unclean)]);
        for id in [2, 3] {
            world.cluster.handle_broker_stopped(id, Stop::Kill);
        }
        write(&mut world, 1, -1, "a");
        world.cluster.handle_broker_stopped(1, Stop::Kill);
        assert_eq!(leader(&world).0, None);
        world.cluster.handle_broker_started(2);
        world.cluster.handle_connected(to(2), 2, "/127.0.0.1", world.now);
        assert_eq!(leader(&world).0, expected);
        if expected.is_some() {
            world.poll();
            while world.told(to(2)) != Told::Nothing {}
            assert_eq!(read(&mut world, 2), Vec::<String>::new(), "an unclean leader has not what it missed");
        } else {
            world.cluster.handle_broker_started(1);
            assert_eq!(leader(&world).0, Some(1));
        }
    }
}

#[test]
fn a_coordinator_is_found_on_a_broker_that_runs() {
    let mut world = World::with_brokers(3);
    let ask = FindCoordinatorRequest::default().with_coordinator_keys(vec!["a".into(), "b".into(), "c".into()]);
    let found = |world: &mut World| -> Vec<i32> {
        world.ask_on(to(1), 4, &ask).coordinators.iter().map(|it| it.node_id.0).collect()
    };
    let before = found(&mut world);
    let down = *before.iter().find(|id| **id != 1).unwrap();
    world.cluster.handle_broker_stopped(down, Stop::Clean);
    world.poll();
    let after = found(&mut world);
    assert!(!after.contains(&down), "{before:?} {after:?}");
}

#[test]
fn the_preferred_replica_leads_again_when_asked() {
    let mut world = three(&[]);
    world.cluster.handle_broker_stopped(1, Stop::Clean);
    let elect = |world: &mut World, kind: i8| {
        let topic =
            elect_leaders_request::TopicPartitions::default().with_topic(name("clicks")).with_partitions(vec![0]);
        let body = ElectLeadersRequest::default().with_election_type(kind).with_topic_partitions(Some(vec![topic]));
        let response = world.ask_on(to(2), 2, &body);
        ErrorCode(response.replica_election_results[0].partition_result[0].error_code)
    };
    assert_eq!(elect(&mut world, 0), ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE);
    world.cluster.handle_broker_started(1);
    assert_eq!(leader(&world).0, Some(2));
    assert_eq!(elect(&mut world, 0), ErrorCode::NONE);
    assert_eq!(leader(&world), (Some(1), 2));
    assert_eq!(elect(&mut world, 0), ErrorCode::ELECTION_NOT_NEEDED);
    assert_eq!(elect(&mut world, 1), ErrorCode::ELECTION_NOT_NEEDED);
}

#[test]
fn replicas_move_and_take_the_lead_with_them() {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic_at("clicks", vec![vec![1]], []).unwrap();
    write(&mut world, 1, -1, "a");
    let reassign = |world: &mut World, replicas: Option<Vec<i32>>| {
        let partition = alter_partition_reassignments_request::ReassignablePartition::default()
            .with_replicas(replicas.map(|ids| ids.into_iter().map(BrokerId).collect()));
        let topic = alter_partition_reassignments_request::ReassignableTopic::default()
            .with_name(name("clicks"))
            .with_partitions(vec![partition]);
        let body = AlterPartitionReassignmentsRequest::default().with_topics(vec![topic]);
        let response = world.ask_on(to(1), 0, &body);
        ErrorCode(response.responses[0].partitions[0].error_code)
    };
    let ongoing = |world: &mut World| {
        let response = world.ask_on(to(1), 0, &ListPartitionReassignmentsRequest::default().with_topics(None));
        response.topics.iter().map(|topic| topic.partitions[0].adding_replicas.len()).sum::<usize>()
    };
    assert_eq!(reassign(&mut world, None), ErrorCode::NO_REASSIGNMENT_IN_PROGRESS);
    world.cluster.set_follows(3, false);
    assert_eq!(reassign(&mut world, Some(vec![3])), ErrorCode::NONE);
    assert_eq!((ongoing(&mut world), leader(&world).0), (1, Some(1)));
    assert_eq!(reassign(&mut world, None), ErrorCode::NONE);
    assert_eq!((ongoing(&mut world), leader(&world).0), (0, Some(1)));
    assert_eq!(reassign(&mut world, Some(vec![3, 2])), ErrorCode::NONE);
    world.cluster.set_follows(3, true);
    assert_eq!((ongoing(&mut world), leader(&world).0), (0, Some(3)));
    assert_eq!(read(&mut world, 3), ["a"]);
    assert_eq!(write(&mut world, 1, -1, "b"), ErrorCode::NOT_LEADER_OR_FOLLOWER);
}

#[test]
fn a_topic_that_is_made_while_a_broker_is_down_is_led_by_one_that_runs() {
    let mut world = World::with_brokers(2);
    world.cluster.handle_broker_stopped(1, Stop::Clean);
    world.cluster.create_topic_at("clicks", vec![vec![1, 2], vec![1]], []).unwrap();
    let state = |world: &World, number| {
        let partition = world.cluster.topics.by_name("clicks").unwrap().partition(number).unwrap();
        (partition.leader, partition.in_sync.clone())
    };
    assert_eq!(state(&world, 0), (Some(2), vec![2]));
    assert_eq!(state(&world, 1), (None, vec![1]), "nobody else has a copy");
    world.cluster.handle_broker_started(1);
    assert_eq!(state(&world, 0), (Some(2), vec![1, 2]));
    assert_eq!(state(&world, 1), (Some(1), vec![1]));
    world.poll();
    assert_eq!(world.cluster.check(world.now), Ok(()));
}

#[test]
fn the_last_replica_in_sync_stays_so_while_nobody_leads() {
    let mut world = World::with_brokers(2);
    world.cluster.create_topic_at("clicks", vec![vec![1]], []).unwrap();
    world.cluster.handle_broker_stopped(1, Stop::Kill);
    world.cluster.shrink(1);
    world.poll();
    assert_eq!(world.cluster.check(world.now), Ok(()));
    world.cluster.handle_broker_started(1);
    let partition = world.cluster.topics.by_name("clicks").unwrap().partition(0).unwrap();
    assert_eq!((partition.leader, &partition.in_sync[..]), (Some(1), &[1][..]));
}
