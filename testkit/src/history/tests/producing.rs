//! Invariants 1 to 4.

use super::*;

#[test]
fn what_was_acknowledged_is_in_the_log_once() {
    let mut story = Story::default();
    story.acked(1, 0);
    story.acked(2, 1);
    story.log(&[In::Plain(1), In::Plain(2)]);
    story.holds(Invariant::AckedInLogOnce);

    story.log(&[In::Plain(1)]);
    story.blames(Invariant::AckedInLogOnce, Clause::AckedMissing);
    story.log_of(1, &[In::Plain(2)]);
    story.blames(Invariant::AckedInLogOnce, Clause::AckedMissing);
    story.log_of(1, &[]);
    story.log(&[In::Plain(1), In::Plain(2), In::Plain(1)]);
    story.blames(Invariant::AckedInLogOnce, Clause::AckedTwice);
    story.log(&[In::Plain(1), In::Plain(2)]);
    story.log_of(1, &[In::Plain(2)]);
    story.blames(Invariant::AckedInLogOnce, Clause::AckedTwice);
}

#[test]
fn an_application_that_sends_a_value_twice_may_find_it_twice() {
    let mut story = Story::default();
    story.send(1, -1, Outcome::Unknown);
    story.acked(1, 0);
    for log in [&[In::Plain(1)][..], &[In::Plain(1), In::Plain(1)]] {
        story.log(log);
        story.holds(Invariant::AckedInLogOnce);
        story.holds(Invariant::IdempotentOnce);
    }
    story.acked(1, 1);
    story.log(&[In::Plain(1)]);
    story.blames(Invariant::AckedInLogOnce, Clause::AckedMissing);
}

#[test]
fn what_the_cluster_removed_is_not_missing() {
    let mut story = Story::default();
    story.acked(1, 0);
    story.acked(2, 1);
    let at_us = story.tick();
    story.acked(3, 1);
    story.log(&[In::Plain(1)]);
    let whole = story.log_mut().clone();
    story.log_mut().change(Change::Truncated { at_us, to: 1, removed: vec![(1, Value(2))] });
    // What was sent after the truncation is missed.
    story.blames(Invariant::AckedInLogOnce, Clause::AckedMissing);
    story.log_mut().push(Entry::record(1, Value(3)));
    story.holds(Invariant::AckedInLogOnce);
    story.holds(Invariant::SendOrder);

    *story.log_mut() = whole.clone();
    story.log_mut().change(Change::Compacted { below: 2 });
    story.is_silent(Invariant::AckedInLogOnce);
    *story.log_mut() = whole;
    story.log_mut().set_start_offset(2);
    story.is_silent(Invariant::AckedInLogOnce);
}

#[test]
fn without_idempotence_a_retry_may_write_twice_and_without_acks_nothing_is_promised() {
    let mut story = Story::default();
    let mut send = story.sent(1, 0);
    send.idempotent = false;
    story.run(PRODUCER, Action::Send(send), Outcome::Ok);
    story.log(&[In::Plain(1), In::Plain(1)]);
    story.holds(Invariant::AckedInLogOnce);
    story.is_silent(Invariant::IdempotentOnce);
    let mut send = story.sent(2, -1);
    send.acks_all = false;
    story.run(PRODUCER, Action::Send(send), Outcome::Ok);
    story.holds(Invariant::AckedInLogOnce);
}

#[test]
fn what_failed_is_not_in_the_log() {
    let mut story = Story::default();
    story.send(1, -1, Outcome::Failed);
    story.send(2, -1, Outcome::Unknown);
    story.log(&[In::Plain(2)]);
    story.holds(Invariant::FailedAbsent);
    story.log(&[In::Plain(2), In::Plain(1)]);
    story.blames(Invariant::FailedAbsent, Clause::FailedPresent);
}

#[test]
fn an_idempotent_producer_writes_nothing_twice() {
    for outcome in [Outcome::Ok, Outcome::Unknown, Outcome::Failed] {
        let mut story = Story::default();
        story.send(1, -1, outcome);
        story.log(&[In::Plain(1)]);
        story.holds(Invariant::IdempotentOnce);
        story.log(&[In::Plain(1), In::Plain(1)]);
        story.blames(Invariant::IdempotentOnce, Clause::WrittenTwice);
    }
}

#[test]
fn the_order_of_sending_is_the_order_of_the_log() {
    let mut story = Story::default();
    story.send(1, -1, Outcome::Ok);
    story.send(2, -1, Outcome::Unknown);
    story.send(3, -1, Outcome::Ok);
    for log in [&[In::Plain(1), In::Plain(2), In::Plain(3)][..], &[In::Plain(1), In::Plain(3)]] {
        story.log(log);
        story.holds(Invariant::SendOrder);
    }
    // One without an outcome has its place in the order too.
    for log in [[In::Plain(2), In::Plain(1), In::Plain(3)], [In::Plain(1), In::Plain(3), In::Plain(2)]] {
        story.log(&log);
        story.blames(Invariant::SendOrder, Clause::OutOfOrder);
    }
}

#[test]
fn the_offsets_that_are_told_increase_and_are_true() {
    let mut story = Story::default();
    story.acked(1, 0);
    story.acked(2, 1);
    story.holds(Invariant::SendOrder);
    story.log(&[In::Plain(1), In::Plain(2)]);
    story.holds(Invariant::SendOrder);
    story.log(&[In::Plain(1), In::Marker(true), In::Plain(2)]);
    story.blames(Invariant::SendOrder, Clause::OffsetUntrue);

    for again in [1, 0] {
        let mut story = Story::default();
        story.acked(1, 1);
        story.acked(2, again);
        story.blames(Invariant::SendOrder, Clause::OffsetsNotIncreasing);
    }
}

#[test]
fn producers_are_ordered_each_for_itself() {
    let mut story = Story::default();
    story.acked(1, 1);
    let send = story.sent(2, 0);
    story.run(OTHER_PRODUCER, Action::Send(send), Outcome::Ok);
    story.log(&[In::Plain(2), In::Plain(1)]);
    story.holds(Invariant::SendOrder);
}
