//! Invariants 12 to 15.

use super::*;

const BOUND_US: u64 = 60_000_000;

/// A group that has read one of two records when all is well again.
fn healed() -> Story {
    let mut story = Story::default();
    story.log(&[In::Plain(1), In::Plain(2), In::Marker(true)]);
    story.assign(CONSUMER, 1);
    story.poll(CONSUMER, &[(0, 1)]);
    let now = story.tick();
    story.history.heal(now);
    story
}

#[test]
fn readers_reach_the_end_when_all_is_well_again() {
    let mut story = healed();
    story.poll(CONSUMER, &[(1, 2)]);
    story.history.watch_until(2 * BOUND_US);
    story.holds(Invariant::CatchesUp);

    let mut story = healed();
    story.history.watch_until(2 * BOUND_US);
    story.blames(Invariant::CatchesUp, Clause::StaysBehind);
    // Late is not better.
    story.now_us = 2 * BOUND_US;
    story.poll(CONSUMER, &[(1, 2)]);
    story.blames(Invariant::CatchesUp, Clause::StaysBehind);
}

#[test]
fn a_partition_that_was_assigned_and_never_read_stays_behind() {
    let mut story = Story::default();
    story.log(&[In::Plain(1)]);
    story.assign(CONSUMER, 1);
    story.history.heal(100);
    story.history.watch_until(2 * BOUND_US);
    story.blames(Invariant::CatchesUp, Clause::StaysBehind);
}

#[test]
fn who_is_gone_or_has_time_left_is_not_behind() {
    let mut story = healed();
    story.history.watch_until(BOUND_US);
    story.is_silent(Invariant::CatchesUp);
    story.run(CONSUMER, Action::Close, Outcome::Ok);
    story.history.watch_until(2 * BOUND_US);
    story.is_silent(Invariant::CatchesUp);
    // What is written later starts the time anew.
    let mut story = healed();
    story.now_us = BOUND_US;
    story.acked(2, 1);
    story.history.watch_until(2 * BOUND_US - 1);
    story.is_silent(Invariant::CatchesUp);
    story.history.watch_until(3 * BOUND_US);
    story.blames(Invariant::CatchesUp, Clause::StaysBehind);
}

#[test]
fn flush_ends_when_what_was_sent_before_has_its_outcome() {
    for end in [Action::Flush, Action::Close] {
        let mut story = Story::default();
        let send = story.sent(1, 0);
        let before = story.invoke(PRODUCER, Action::Send(send));
        let flush = story.invoke(PRODUCER, end.clone());
        let send = story.sent(2, 1);
        let after = story.invoke(PRODUCER, Action::Send(send));
        story.end(before, Outcome::Failed);
        story.end(flush, Outcome::Ok);
        story.end(after, Outcome::Ok);
        story.holds(Invariant::FlushComplete);

        // One that is sent later does not make up for one that was sent before.
        let mut story = Story::default();
        let send = story.sent(1, 0);
        let before = story.invoke(PRODUCER, Action::Send(send));
        let flush = story.invoke(PRODUCER, end.clone());
        let send = story.sent(2, 1);
        let after = story.invoke(PRODUCER, Action::Send(send));
        story.end(after, Outcome::Ok);
        story.end(flush, Outcome::Ok);
        story.end(before, Outcome::Ok);
        story.blames(Invariant::FlushComplete, Clause::EndedEarly);

        let mut story = Story::default();
        story.acked(1, 0);
        let flush = story.invoke(PRODUCER, end);
        story.now_us += 2_000_000;
        story.end(flush, Outcome::Ok);
        story.blames(Invariant::FlushComplete, Clause::EndedLate);
    }
}

#[test]
fn every_operation_ends() {
    let mut story = Story::default();
    let send = story.sent(1, 0);
    let send = story.invoke(PRODUCER, Action::Send(send));
    story.history.watch_until(500_000_000);
    story.holds(Invariant::NoHang);
    story.history.watch_until(700_000_000);
    story.blames(Invariant::NoHang, Clause::Hangs);
    story.history.end(send, 700_000_000, Outcome::Ok);
    story.blames(Invariant::NoHang, Clause::Hangs);
}

#[test]
fn what_a_killed_client_left_open_does_not_hang() {
    let mut story = Story::default();
    story.invoke(PRODUCER, Action::Flush);
    story.run(PRODUCER, Action::Crash, Outcome::Ok);
    story.history.watch_until(700_000_000);
    story.holds(Invariant::NoHang);
}

#[test]
fn what_is_measured_stays_within_its_limit() {
    let measured = |quantity, amount, limit| {
        let mut story = Story::default();
        story.run(PRODUCER, Action::Measure { quantity, amount, limit }, Outcome::Ok);
        story
    };
    measured(Quantity::BufferedBytes, 100, 100).holds(Invariant::Bounded);
    measured(Quantity::BufferedBytes, 101, 100).blames(Invariant::Bounded, Clause::OverLimit);
    for quantity in [Quantity::TasksAfterClose, Quantity::SocketsAfterClose] {
        measured(quantity, 0, 0).holds(Invariant::Bounded);
        measured(quantity, 1, 0).blames(Invariant::Bounded, Clause::OverLimit);
    }
    measured(Quantity::WallTime, 30_000_000, 30_000_000).holds(Invariant::NoHang);
    measured(Quantity::WallTime, 30_000_001, 30_000_000).blames(Invariant::NoHang, Clause::Spins);
}
