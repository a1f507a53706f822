//! Invariants 5, 8 and 18, and what readers alone can tell.

use super::*;

#[test]
fn readers_find_what_the_log_has() {
    let mut story = Story::default();
    story.poll(CONSUMER, &[(0, 1), (2, 3)]);
    story.poll(OTHER_CONSUMER, &[(0, 1)]);
    story.holds(Invariant::ReadersAgree);
    story.log(&[In::Plain(1), In::Marker(true), In::Plain(3)]);
    story.holds(Invariant::ReadersAgree);
    story.log(&[In::Plain(1), In::Marker(true), In::Plain(4)]);
    story.blames(Invariant::ReadersAgree, Clause::ReadOtherThanLog);
    for nothing in [&[In::Plain(1)][..], &[In::Plain(1), In::Plain(2), In::Marker(true)]] {
        story.log(nothing);
        story.blames(Invariant::ReadersAgree, Clause::ReadNothingThere);
    }
}

#[test]
fn readers_find_the_same() {
    let mut story = Story::default();
    story.poll(CONSUMER, &[(0, 1)]);
    story.poll(OTHER_CONSUMER, &[(0, 2)]);
    story.blames(Invariant::ReadersAgree, Clause::ReadersDisagree);
    // What was truncated in between may differ.
    story.log(&[In::Plain(2)]);
    story.log_mut().change(Change::Truncated { at_us: 25, to: 0, removed: vec![(0, Value(1))] });
    story.is_silent(Invariant::ReadersAgree);
}

#[test]
fn a_consumer_passes_over_nothing_that_it_is_to_see() {
    let mut story = Story::default();
    story.log(&[In::Plain(1), In::Aborted(2), In::Marker(false), In::Plain(4), In::Plain(5)]);
    story.poll(CONSUMER, &[(0, 1)]);
    story.poll(CONSUMER, &[(3, 4), (4, 5)]);
    story.holds(Invariant::PollsContiguous);

    let mut story = Story::default();
    story.log(&[In::Plain(1), In::Plain(2), In::Plain(3)]);
    story.poll(CONSUMER, &[(0, 1), (2, 3)]);
    story.blames(Invariant::PollsContiguous, Clause::Skipped);

    // Who reads everything is to see what was aborted.
    let mut story = Story { isolation: Some(Isolation::ReadUncommitted), ..Story::default() };
    story.log(&[In::Plain(1), In::Aborted(2), In::Marker(false), In::Plain(4)]);
    story.poll(CONSUMER, &[(0, 1), (3, 4)]);
    story.blames(Invariant::PollsContiguous, Clause::Skipped);
}

#[test]
fn a_consumer_starts_where_it_was_moved_to() {
    let mut story = Story::default();
    story.log(&[In::Plain(1), In::Plain(2), In::Plain(3)]);
    story.seek(CONSUMER, 0, SeekReason::Reset);
    story.poll(CONSUMER, &[(1, 2)]);
    story.blames(Invariant::PollsContiguous, Clause::Skipped);
}

#[test]
fn a_consumer_goes_back_only_when_it_is_moved() {
    let mut story = Story::default();
    story.poll(CONSUMER, &[(0, 1), (1, 2)]);
    story.seek(CONSUMER, 0, SeekReason::Explicit);
    story.poll(CONSUMER, &[(0, 1)]);
    story.revoke(CONSUMER, false);
    story.assign(CONSUMER, 2);
    story.poll(CONSUMER, &[(0, 1)]);
    // Another consumer is elsewhere.
    story.poll(OTHER_CONSUMER, &[(0, 1)]);
    story.holds(Invariant::PollsContiguous);
    story.poll(CONSUMER, &[(0, 1)]);
    story.blames(Invariant::PollsContiguous, Clause::SteppedBack);
}

#[test]
fn a_callback_within_a_poll_comes_before_its_records() {
    let mut story = Story::default();
    story.poll(CONSUMER, &[(5, 1)]);
    let poll = story.polled(0, &[(2, 1)]);
    let poll = story.invoke(CONSUMER, poll);
    story.assign(CONSUMER, 2);
    story.end(poll, Outcome::Ok);
    story.is_silent(Invariant::PollsContiguous);
}

#[test]
fn a_position_is_where_the_reader_is() {
    let position = |story: &mut Story, offset| {
        story.run(CONSUMER, Action::Position { partition: clicks(0), offset }, Outcome::Ok);
    };
    for (offset, right) in [(0, false), (1, true), (2, true), (3, false)] {
        let mut story = Story::default();
        story.log(&[In::Plain(1), In::Marker(true), In::Plain(3)]);
        story.poll(CONSUMER, &[(0, 1)]);
        position(&mut story, offset);
        if right {
            story.holds(Invariant::PollsContiguous);
        } else {
            story.blames(Invariant::PollsContiguous, Clause::PositionUntrue);
        }
    }
}

fn keyed(story: &mut Story, key: u64, value: u64, offset: i64) -> Send {
    Send { key: Some(key), ..story.sent(value, offset) }
}

#[test]
fn compaction_keeps_the_latest_of_each_key() {
    let entry = |offset, key, value| Entry {
        offset,
        producer: None,
        content: Content::Record { value: Value(value), key: Some(key), state: TransactionState::None },
    };
    let told = |log: Vec<Entry>, tombstone: bool| {
        let mut story = Story::default();
        for (key, value, offset) in [(1, 10, 0), (2, 20, 1), (1, 11, 2)] {
            let send = keyed(&mut story, key, value, offset);
            let send = Send { tombstone: tombstone && offset == 2, ..send };
            story.run(PRODUCER, Action::Send(send), Outcome::Ok);
        }
        let mut log = PartitionLog::new(log);
        log.change(Change::Compacted { below: 3 });
        story.history.logs.partitions.insert(clicks(0), log);
        story
    };
    told(vec![entry(1, 2, 20), entry(2, 1, 11)], false).holds(Invariant::ChangesReported);
    told(vec![entry(1, 2, 20), entry(2, 1, 11)], false).is_silent(Invariant::AckedInLogOnce);
    told(vec![entry(0, 1, 10), entry(1, 2, 20)], false).blames(Invariant::ChangesReported, Clause::KeyLost);
    told(vec![entry(2, 1, 11)], false).blames(Invariant::ChangesReported, Clause::KeyLost);
    told(vec![entry(1, 2, 20)], true).holds(Invariant::ChangesReported);
}

#[test]
fn a_truncation_is_not_passed_without_a_word() {
    let told = |reported: bool| {
        let mut story = Story::default();
        story.poll(CONSUMER, &[(0, 1), (1, 2), (2, 3)]);
        let at_us = story.tick();
        story.log(&[In::Plain(1), In::Plain(8), In::Plain(9), In::Plain(10)]);
        let removed = vec![(1, Value(2)), (2, Value(3)), (3, Value(4))];
        story.log_mut().change(Change::Truncated { at_us, to: 1, removed });
        // What had been fetched before may still come.
        story.poll(CONSUMER, &[(3, 4)]);
        if reported {
            story.seek(CONSUMER, 1, SeekReason::Truncation);
            story.poll(CONSUMER, &[(1, 8), (2, 9), (3, 10)]);
        } else {
            story.poll(CONSUMER, &[(4, 11)]);
        }
        story
    };
    told(true).holds(Invariant::ChangesReported);
    told(false).blames(Invariant::ChangesReported, Clause::TruncationSilent);
}

#[test]
fn a_reader_in_front_of_a_truncation_goes_on() {
    let mut story = Story::default();
    story.poll(CONSUMER, &[(0, 1)]);
    let at_us = story.tick();
    story.log(&[In::Plain(1), In::Plain(8)]);
    story.log_mut().change(Change::Truncated { at_us, to: 1, removed: vec![(1, Value(2))] });
    story.poll(CONSUMER, &[(1, 8)]);
    story.holds(Invariant::ChangesReported);
}

#[test]
fn readers_do_not_pass_what_was_acknowledged() {
    let mut story = Story::default();
    story.acked(1, 0);
    story.acked(2, 1);
    story.acked(3, 2);
    story.poll(CONSUMER, &[(0, 1), (2, 3)]);
    story.poll(OTHER_CONSUMER, &[(1, 2)]);
    story.holds(Invariant::LostWrite);

    let mut story = Story::default();
    story.acked(1, 0);
    story.acked(2, 1);
    story.acked(3, 2);
    story.poll(CONSUMER, &[(0, 1), (2, 3)]);
    story.blames(Invariant::LostWrite, Clause::NeverRead);
    // Who was moved may have passed it by will.
    story.seek(CONSUMER, 2, SeekReason::Explicit);
    story.is_silent(Invariant::LostWrite);
}

#[test]
fn a_record_has_one_offset_and_an_offset_one_record() {
    let mut story = Story::default();
    story.acked(1, 0);
    story.poll(CONSUMER, &[(0, 1)]);
    story.poll(OTHER_CONSUMER, &[(0, 1)]);
    story.holds(Invariant::InconsistentOffsets);
    story.poll(CONSUMER, &[(1, 1)]);
    story.blames(Invariant::InconsistentOffsets, Clause::TwoOffsets);

    let mut story = Story::default();
    story.acked(1, 0);
    story.poll(CONSUMER, &[(0, 2)]);
    story.blames(Invariant::InconsistentOffsets, Clause::TwoValues);
}
