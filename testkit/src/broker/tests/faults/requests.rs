//! Faults as a client connects, and before a request is applied.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::messages::*;

use super::*;

const CAROL: ConnectionId = ConnectionId(50);

pub(super) const CASES: &[Case] = &[
    ("connect: refuse", |world| assert_eq!(connect(world), ["refuse"])),
    ("connect: reset", |world| assert_eq!(connect(world), ["reset"])),
    ("connect: half open", |world| {
        assert_eq!(connect(world), Vec::<&str>::new());
        assert_eq!(carol_writes(world), (vec!["nothing"], 0));
    }),
    ("connect: black hole", |world| {
        assert_eq!(connect(world), Vec::<&str>::new());
        assert_eq!(carol_writes(world), (vec!["nothing"], 0));
    }),
    ("connect: delay 2s", |world| {
        assert_eq!(connect(world), Vec::<&str>::new());
        assert_eq!(carol_writes(world), (vec![], 0));
        world.advance(ms(1999));
        assert_eq!(heard(world, CAROL), Vec::<&str>::new());
        world.advance(ms(1));
        assert_eq!((heard(world, CAROL), written(world)), (vec!["answer"], 1));
    }),
    ("Produce: error NOT_LEADER_OR_FOLLOWER", |world| {
        let response = world.ask(9, &produce(batch(&["a"])));
        let code = response.responses[0].partition_responses[0].error_code;
        assert_eq!((ErrorCode(code), written(world)), (ErrorCode::NOT_LEADER_OR_FOLLOWER, 0));
    }),
    ("Produce times=1: lose request", |world| {
        assert_eq!((write(world), written(world)), (vec!["nothing"], 0));
        assert_eq!((write(world), written(world)), (vec!["answer"], 1));
    }),
    ("Produce times=1: delay 200ms", |world| {
        assert_eq!(write(world), Vec::<&str>::new());
        // What comes behind it on the connection waits, on others it does not.
        assert_eq!(write(world), Vec::<&str>::new());
        world.send(BOB, 9, &produce(batch(&["b"])));
        assert_eq!((heard(world, BOB), written(world)), (vec!["answer"], 1));
        world.advance(ms(199));
        assert_eq!(heard(world, ALICE), Vec::<&str>::new());
        world.advance(ms(1));
        assert_eq!((heard(world, ALICE), written(world)), (vec!["answer", "answer"], 3));
    }),
    ("Produce: close", |world| assert_eq!((write(world), written(world)), (vec!["close"], 0))),
    ("Produce: reset", |world| assert_eq!((write(world), written(world)), (vec!["reset"], 0))),
    ("Produce times=1: black hole", |world| {
        for _ in 0..2 {
            assert_eq!((write(world), written(world)), (vec!["nothing"], 0));
        }
        world.send(BOB, 9, &produce(batch(&["b"])));
        assert_eq!((heard(world, BOB), written(world)), (vec!["answer"], 1));
    }),
    ("Produce times=1: black hole requests", |world| {
        for _ in 0..2 {
            assert_eq!((write(world), written(world)), (vec!["nothing"], 0));
        }
    }),
    ("Produce times=1: black hole replies", |world| {
        for count in 1..=2 {
            assert_eq!((write(world), written(world)), (vec!["nothing"], count));
        }
    }),
];

fn connect(world: &mut World) -> Vec<&'static str> {
    let now = world.now;
    world.cluster.handle_connected(CAROL, 1, "/127.0.0.1", now);
    world.poll();
    heard(world, CAROL)
}

fn carol_writes(world: &mut World) -> (Vec<&'static str>, i64) {
    world.send(CAROL, 9, &produce(batch(&["a"])));
    (heard(world, CAROL), written(world))
}

#[test]
fn an_error_before_applying_goes_to_the_request_it_was_meant_for_only() {
    let mut world = play("Produce client=test nth=2: error REQUEST_TIMED_OUT\nMetadata client=other: lose request");
    let codes: Vec<i16> =
        (0..3).map(|_| world.ask(9, &produce(batch(&["a"]))).responses[0].partition_responses[0].error_code).collect();
    assert_eq!((codes, written(&world)), (vec![0, ErrorCode::REQUEST_TIMED_OUT.0, 0], 2));
    let known = world.ask(9, &MetadataRequest::default().with_topics(None));
    assert_eq!(known.topics.len(), 1);
}
