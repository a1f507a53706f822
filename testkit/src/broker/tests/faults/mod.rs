//! The cluster under scripts: every fault of the table at the head of [`faults`](crate::faults), in virtual time.
//!
//! Each row of it has a case here, and a row without one fails.

mod effects;
mod replies;
mod requests;

use std::collections::BTreeSet;

use super::world::*;
use crate::broker::*;
use crate::faults::Script;

/// A rule, and what a cluster does that plays it.
type Case = (&'static str, fn(&mut World));

/// Three brokers and one partition with a replica on each, led by the first, under this script.
fn play(script: &str) -> World {
    let mut world = World::with_brokers(3);
    world.cluster.create_topic_at("clicks", vec![vec![1, 2, 3]], []).unwrap();
    set(&mut world, script);
    world
}

fn set(world: &mut World, script: &str) {
    world.cluster.play(script.parse::<Script>().unwrap(), 1, world.now);
    world.poll();
}

/// What is done with a connection, in a word each.
fn words(actions: &[Action]) -> Vec<&'static str> {
    let word = |action: &Action| match action {
        Action::Send(_) => "answer",
        Action::Write(_) => "part",
        Action::Skip => "nothing",
        Action::Close => "close",
        Action::Reset => "reset",
        Action::Refuse => "refuse",
    };
    actions.iter().map(word).collect()
}

/// What is done with a connection now.
fn heard(world: &mut World, connection: ConnectionId) -> Vec<&'static str> {
    words(&world.actions(connection))
}

/// Alice writes a record, and this is what she hears at once.
fn write(world: &mut World) -> Vec<&'static str> {
    world.send(ALICE, 9, &produce(batch(&["a"])));
    heard(world, ALICE)
}

/// How many records there are.
fn written(world: &World) -> i64 {
    world.cluster.topics.by_name("clicks").unwrap().partition(0).unwrap().log.end_offset()
}

/// The bytes that are written, all together.
fn bytes(actions: &[Action]) -> Vec<u8> {
    let mut all = Vec::new();
    for action in actions {
        match action {
            Action::Send(bytes) | Action::Write(bytes) => all.extend_from_slice(bytes),
            Action::Skip | Action::Close | Action::Reset | Action::Refuse => {}
        }
    }
    all
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[test]
fn every_fault_of_the_table_does_what_it_says() {
    let cases = [requests::CASES, replies::CASES, effects::CASES].concat();
    let fault = |rule: &'static str| rule.split_once(": ").map(|(_, fault)| fault);
    let mut played = BTreeSet::new();
    for (script, check) in cases {
        let last = script.lines().last().unwrap_or_default();
        played.insert(fault(last).unwrap_or_default());
        let mut world = play(script);
        check(&mut world);
        let idle: Vec<String> = world.cluster.faults().never_fired().map(ToString::to_string).collect();
        assert_eq!(idle, Vec::<String>::new(), "{script}");
        let refused: Vec<_> = world.cluster.carried_out().filter(|effect| effect.refused.is_some()).collect();
        assert!(refused.is_empty(), "{script}: {refused:?}");
    }
    let head = include_str!("../../../faults/mod.rs");
    let rows = head.lines().filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'));
    let table: BTreeSet<&str> = rows.filter_map(|(example, _)| fault(example)).collect();
    assert!(table.len() > 40, "{table:?}");
    let missing: Vec<_> = table.difference(&played).collect();
    assert!(missing.is_empty(), "no case for {missing:?}");
}

#[test]
fn what_cannot_be_had_is_told_and_changes_nothing() {
    for (script, reason) in [
        ("at 1s: move leader of clicks/0 to 9", "broker 9 cannot lead"),
        ("at 1s: move leader of clicks/7", "no partition clicks/7"),
        ("at 1s: crash broker 9 losing tail", "no broker 9"),
        ("at 1s: recreate topic orders", "no topic `orders`"),
        ("at 1s: evict group readers", "has no members"),
        ("at 1s: part broker 1 from broker 9", "no broker 9"),
    ] {
        let mut world = play(script);
        world.advance(ms(1000));
        let refused: Vec<_> = world.cluster.take_carried_out().filter_map(|effect| effect.refused).collect();
        assert!(refused.len() == 1 && refused[0].contains(reason), "{script}: {refused:?}");
        assert_eq!((write(&mut world), written(&world)), (vec!["answer"], 1));
    }
}

#[test]
fn a_script_that_is_taken_away_leaves_no_fault_but_black_holes() {
    let mut world = play("Produce nth=1: lose reply\nMetadata: black hole");
    assert_eq!(write(&mut world), ["nothing"]);
    world.send(BOB, 9, &tidemill_protocol::messages::MetadataRequest::default());
    assert_eq!(heard(&mut world, BOB), ["nothing"]);
    set(&mut world, "");
    assert_eq!(write(&mut world), ["answer"]);
    world.send(BOB, 9, &produce(batch(&["b"])));
    assert_eq!((heard(&mut world, BOB), written(&world)), (vec!["nothing"], 2));
}

#[test]
fn a_client_that_is_gone_takes_what_was_put_off_with_it() {
    let mut world = play("Produce: delay 200ms\nFetch: delay 200ms after applying");
    world.send(ALICE, 9, &produce(batch(&["a"])));
    world.send(BOB, FETCH, &fetch(0, 0, 0));
    let now = world.now;
    world.cluster.handle_disconnected(ALICE, now);
    world.cluster.handle_disconnected(BOB, now);
    world.advance(ms(1000));
    assert_eq!(written(&world), 0);
    assert_eq!((heard(&mut world, ALICE), heard(&mut world, BOB)), (vec![], vec![]));
}

#[test]
fn the_machine_says_when_what_was_put_off_is_due() {
    let mut world = play("Produce nth=1: delay 200ms\nProduce nth=1: delay 300ms after applying\nat 9s: heal");
    let start = world.now;
    world.send(ALICE, 9, &produce(batch(&["a"])));
    assert_eq!(world.wake_at, Some(start + ms(200)));
    world.advance(ms(200));
    assert_eq!((world.wake_at, written(&world)), (Some(start + ms(500)), 1));
    world.advance(ms(300));
    assert_eq!(heard(&mut world, ALICE), ["answer"]);
    assert_eq!(world.wake_at, Some(start + ms(9000)));
}
