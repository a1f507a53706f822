//! Fetch sessions, and reading from the nearest replica.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use tidemill_protocol::messages::*;

use super::world::*;
use crate::broker::*;

/// A request about these partitions of `clicks`, from offset 0.
fn request(session: (i32, i32), partitions: &[i32]) -> FetchRequest {
    let wanted = |number: &i32| {
        FetchPartition::default()
            .with_partition(*number)
            .with_partition_max_bytes(1 << 20)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
    };
    let topic =
        FetchTopic::default().with_topic(name("clicks")).with_partitions(partitions.iter().map(wanted).collect());
    FetchRequest::default()
        .with_replica_id((-1).into())
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(if partitions.is_empty() { Vec::new() } else { vec![topic] })
}

fn numbers(response: &FetchResponse) -> Vec<i32> {
    response.responses.iter().flat_map(|topic| &topic.partitions).map(|it| it.partition_index).collect()
}

fn begin(world: &mut World, partitions: &[i32]) -> i32 {
    let response = world.ask(FETCH, &request((0, 0), partitions));
    assert_eq!((response.error_code, numbers(&response)), (0, partitions.to_vec()));
    response.session_id
}

fn three_partitions() -> World {
    let mut world = World::new();
    world.cluster.create_topic("clicks", 3, 1, []).unwrap();
    world
}

#[test]
fn a_session_tells_only_what_is_new() {
    let mut world = three_partitions();
    let id = begin(&mut world, &[0, 1, 2]);
    assert_ne!(id, 0);
    let quiet = world.ask(FETCH, &request((id, 1), &[]));
    assert_eq!((quiet.session_id, numbers(&quiet)), (id, vec![]));
    world.produce(batch(&["a"]));
    let told = world.ask(FETCH, &request((id, 2), &[]));
    assert_eq!(numbers(&told), [0]);
    assert_eq!(values(first(&told).records.clone()), [(0, "a".to_owned())]);
    let forgotten = ForgottenTopic::default().with_topic(name("clicks")).with_partitions(vec![0]);
    let body = request((id, 3), &[]).with_forgotten_topics_data(vec![forgotten]);
    assert_eq!(numbers(&world.ask(FETCH, &body)), Vec::<i32>::new(), "it is not asked for any longer");
    let added = world.ask(FETCH, &request((id, 4), &[0]));
    assert_eq!(numbers(&added), [0], "what is new to the session is told");
}

#[test]
fn epochs_of_a_session_come_one_after_the_other() {
    let mut world = three_partitions();
    let id = begin(&mut world, &[0]);
    let code = |world: &mut World, session| ErrorCode(world.ask(FETCH, &request(session, &[])).error_code);
    assert_eq!(code(&mut world, (id, 2)), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(code(&mut world, (id, 1)), ErrorCode::NONE, "a refused request changes nothing");
    assert_eq!(code(&mut world, (id, 1)), ErrorCode::INVALID_FETCH_SESSION_EPOCH);
    assert_eq!(code(&mut world, (id ^ 1, 1)), ErrorCode::FETCH_SESSION_ID_NOT_FOUND);
    world.ask(FETCH, &request((id, -1), &[0]));
    assert_eq!(code(&mut world, (id, 2)), ErrorCode::FETCH_SESSION_ID_NOT_FOUND, "the last request closes it");
}

#[test]
fn the_oldest_of_too_many_sessions_goes_once_it_is_idle() {
    let mut world = three_partitions();
    let oldest = begin(&mut world, &[0]);
    world.advance(Duration::from_millis(1));
    let second = begin(&mut world, &[0]);
    for _ in 2..1000 {
        assert_ne!(begin(&mut world, &[0]), 0);
    }
    assert_eq!(begin(&mut world, &[0]), 0, "all were used lately");
    world.advance(Duration::from_secs(120));
    assert_ne!(begin(&mut world, &[0]), 0);
    let gone = |world: &mut World, id| world.ask(FETCH, &request((id, 1), &[])).error_code != 0;
    assert_eq!((gone(&mut world, oldest), gone(&mut world, second)), (true, false));
}

#[test]
fn a_small_answer_favours_no_partition() {
    let mut world = three_partitions();
    let bytes = batch(&["0123456789"]);
    for number in [0, 1, 2] {
        let mut body = produce(bytes.clone());
        body.topic_data[0].partition_data[0].index = number;
        world.ask(9, &body);
    }
    let small = |session, partitions: &[i32]| request(session, partitions).with_max_bytes(1);
    let with_records = |response: &FetchResponse| -> Vec<i32> {
        let all = response.responses.iter().flat_map(|topic| &topic.partitions);
        all.filter(|it| it.records.as_ref().is_some_and(|it| !it.is_empty())).map(|it| it.partition_index).collect()
    };
    let started = world.ask(FETCH, &small((0, 0), &[0, 1, 2]));
    let id = started.session_id;
    let turns: Vec<_> = (1..=4).map(|epoch| with_records(&world.ask(FETCH, &small((id, epoch), &[])))).collect();
    assert_eq!(turns, [[0], [1], [2], [0]]);
}

/// Two brokers in racks of their own, and a topic on both, led by the first.
fn two_racks(nearest: bool) -> World {
    let mut world = World::with_brokers(2);
    world.cluster.config.rack_aware_fetch = nearest;
    for (id, rack) in [(1, "east"), (2, "west")] {
        world.cluster.nodes.get_mut(id).unwrap().config.rack = Some(rack.to_owned());
    }
    world.cluster.create_topic_at("clicks", vec![vec![1, 2]], []).unwrap();
    world.produce(batch(&["a"]));
    world
}

#[test]
fn readers_are_sent_to_the_replica_in_their_rack() {
    let mut world = two_racks(true);
    let from = |rack: &'static str| fetch(0, 60_000, 1).with_rack_id(StrBytes::from_static_str(rack));
    let elsewhere = world.ask(FETCH, &from("west"));
    let partition = first(&elsewhere);
    assert_eq!((partition.preferred_read_replica.0, partition.records.as_ref().unwrap().len()), (2, 0));
    let there = world.ask_on(to(2), FETCH, &from("west"));
    assert_eq!(values(first(&there).records.clone()), [(0, "a".to_owned())]);
    for rack in ["east", "north", ""] {
        let own = world.ask(FETCH, &from(rack));
        assert_eq!((first(&own).preferred_read_replica.0, values(first(&own).records.clone()).len()), (-1, 1));
    }
    world.cluster.handle_broker_stopped(2, Stop::Clean);
    let own = world.ask(FETCH, &from("west"));
    assert_eq!(first(&own).preferred_read_replica.0, -1, "it does not run");
}

#[test]
fn a_follower_is_read_up_to_what_it_has() {
    let mut world = two_racks(false);
    let codes: Vec<i16> =
        [10, 11].map(|version| first(&world.ask_on(to(2), version, &fetch(0, 0, 1))).error_code).into();
    assert_eq!(codes, [ErrorCode::NOT_LEADER_OR_FOLLOWER.0, 0], "older readers only read leaders");
    world.cluster.set_follows(2, false);
    world.ask(9, &produce(batch(&["b"])).with_acks(1));
    world.cluster.shrink(2);
    let leader = world.ask(FETCH, &fetch(1, 0, 1));
    assert_eq!(values(first(&leader).records.clone()).len(), 1);
    let behind = world.ask_on(to(2), FETCH, &fetch(1, 0, 1));
    assert_eq!((first(&behind).error_code, first(&behind).high_watermark), (0, 1));
    assert!(values(first(&behind).records.clone()).is_empty());
}
