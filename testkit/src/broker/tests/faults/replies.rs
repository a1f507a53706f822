//! Faults after a request was applied: what becomes of its answer.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::messages::*;

use super::*;

pub(super) const CASES: &[Case] = &[
    ("Produce: error REQUEST_TIMED_OUT after applying", |world| {
        let response = world.ask(9, &produce(batch(&["a"])));
        let code = response.responses[0].partition_responses[0].error_code;
        assert_eq!((ErrorCode(code), written(world)), (ErrorCode::REQUEST_TIMED_OUT, 1));
    }),
    ("Produce times=1: lose reply", |world| {
        assert_eq!((write(world), written(world)), (vec!["nothing"], 1));
        assert_eq!((write(world), written(world)), (vec!["answer"], 2));
    }),
    ("Produce times=1: delay 200ms after applying", |world| {
        assert_eq!((write(world), written(world)), (vec![], 1));
        // The next runs when this one is answered.
        assert_eq!((write(world), written(world)), (vec![], 1));
        world.advance(ms(200));
        assert_eq!((heard(world, ALICE), written(world)), (vec!["answer", "answer"], 2));
    }),
    ("Produce: close after applying", |world| assert_eq!((write(world), written(world)), (vec!["close"], 1))),
    ("Produce: reset after applying", |world| assert_eq!((write(world), written(world)), (vec!["reset"], 1))),
    ("Produce times=1: black hole after applying", |world| {
        for _ in 0..2 {
            assert_eq!((write(world), written(world)), (vec!["nothing"], 1));
        }
    }),
    ("Produce: repeat reply", |world| {
        world.send(ALICE, 9, &produce(batch(&["a"])));
        let actions = world.actions(ALICE);
        assert_eq!(words(&actions), ["part", "part", "nothing"]);
        assert_eq!((&actions[0], written(world)), (&actions[1], 1));
    }),
    ("Produce times=1: swap reply", |world| {
        let first = world.send(ALICE, 9, &produce(batch(&["a"])));
        assert_eq!(heard(world, ALICE), ["nothing"]);
        let second = world.send(ALICE, 9, &produce(batch(&["b"])));
        let actions = world.actions(ALICE);
        assert_eq!(words(&actions), ["part", "part", "nothing"]);
        let id = |action: &Action| i32::from_be_bytes(bytes(std::slice::from_ref(action))[4..8].try_into().unwrap());
        assert_eq!((id(&actions[0]), id(&actions[1])), (second, first));
    }),
    ("Fetch: cut reply at 17", |world| {
        let actions = fetched(world);
        assert_eq!((words(&actions), bytes(&actions).len()), (vec!["part", "close"], 17));
    }),
    ("Fetch: cut reply anywhere", |world| {
        let actions = fetched(world);
        assert_eq!(words(&actions), ["part", "close"]);
    }),
    ("Fetch times=1: corrupt byte at 17", |world| assert_eq!(changed(world), [21])),
    ("Fetch times=1: corrupt length", |world| assert_eq!(changed(world), [3])),
    ("Fetch times=1: corrupt crc", |world| assert!(!changed(world).is_empty())),
    ("Fetch times=1: corrupt count", |world| assert!(changed(world).len() > 1, "and the checksum")),
    ("Fetch times=1: corrupt codec", |world| assert!(changed(world).len() > 1, "and the checksum")),
    ("Fetch: garbage 12", |world| {
        let actions = fetched(world);
        assert_eq!(words(&actions), ["part", "part", "nothing"]);
        assert_eq!(bytes(&actions[1..]).len(), 12);
    }),
    ("Fetch: wrong correlation id", |world| {
        let sent = world.send(ALICE, FETCH, &fetch(0, 0, 0));
        let actions = world.actions(ALICE);
        assert_eq!(words(&actions), ["answer"]);
        assert_ne!(bytes(&actions)[4..8], sent.to_be_bytes());
    }),
    ("Fetch: one-byte writes", |world| {
        let actions = fetched(world);
        let (last, parts) = actions.split_last().unwrap();
        assert_eq!(last, &Action::Skip);
        assert!(parts.len() > 20 && parts.iter().all(|part| bytes(std::slice::from_ref(part)).len() == 1));
        let whole = bytes(&actions);
        assert_eq!(u32::from_be_bytes(whole[..4].try_into().unwrap()) as usize, whole.len() - 4);
    }),
    ("Fetch: throttle 500ms", |world| {
        assert_eq!(world.ask(FETCH, &fetch(0, 0, 0)).throttle_time_ms, 500);
    }),
    ("Fetch: throttle 500ms mute", |world| {
        world.send(ALICE, FETCH, &fetch(0, 0, 0));
        assert_eq!(heard(world, ALICE), ["part"]);
        assert_eq!((write(world), written(world)), (vec![], 0));
        world.advance(ms(500));
        assert_eq!((heard(world, ALICE), written(world)), (vec!["nothing", "answer"], 1));
    }),
    ("Metadata times=1: empty metadata", |world| {
        let all = MetadataRequest::default().with_topics(None);
        let topics = [world.ask(9, &all).topics.len(), world.ask(9, &all).topics.len()];
        assert_eq!(topics, [0, 1]);
    }),
];

/// Alice writes a record and reads it; what she hears of it.
fn fetched(world: &mut World) -> Vec<Action> {
    assert_eq!(write(world), ["answer"]);
    world.send(ALICE, FETCH, &fetch(0, 0, 1));
    world.actions(ALICE)
}

/// Which bytes of an answer differ from those of the next, the correlation id apart.
fn changed(world: &mut World) -> Vec<usize> {
    let one = bytes(&fetched(world));
    world.send(ALICE, FETCH, &fetch(0, 0, 1));
    let other = bytes(&world.actions(ALICE));
    // The second record has not been written when the first was read.
    assert_eq!(one.len(), other.len());
    (0..one.len()).filter(|at| !(4..8).contains(at) && one[*at] != other[*at]).collect()
}

#[test]
fn an_answer_that_had_to_wait_is_mangled_as_any_other() {
    let mut world = play("Fetch times=1: lose reply");
    world.send(BOB, FETCH, &fetch(0, 500, 1));
    assert_eq!(heard(&mut world, BOB), Vec::<&str>::new());
    world.advance(ms(500));
    assert_eq!(heard(&mut world, BOB), ["nothing"]);
    world.send(BOB, FETCH, &fetch(0, 500, 1));
    assert_eq!((write(&mut world), heard(&mut world, BOB)), (vec!["answer"], vec!["answer"]));
}
