//! Invariants 6, 7 and 16, and aborted reads.

use super::*;

fn transaction(number: u64) -> Transaction {
    Transaction { transactional_id: "t".into(), number }
}

/// A transaction of two records in two partitions and an offset, up to its end.
fn transfer(story: &mut Story) {
    story.run(PRODUCER, Action::Begin(transaction(1)), Outcome::Ok);
    for partition in [0, 1] {
        let send = story.sent(1 + u64::from(partition == 1), -1);
        let send = Send { partition: Some(clicks(partition)), transaction: Some(transaction(1)), ..send };
        story.run(PRODUCER, Action::Send(send), Outcome::Ok);
    }
    let offsets = vec![(clicks(0), 5)];
    let offsets = Action::SendOffsets { transaction: transaction(1), group: "g".into(), offsets };
    story.run(PRODUCER, offsets, Outcome::Ok);
}

fn transferred(end: Option<(Action, Outcome)>, one: In, other: In, committed: i64) -> Story {
    let mut story = Story::default();
    transfer(&mut story);
    if let Some((end, outcome)) = end {
        story.run(PRODUCER, end, outcome);
    }
    story.log_of(0, &[one]);
    story.log_of(1, &[other]);
    story.committed(committed);
    story
}

fn commit(outcome: Outcome) -> Option<(Action, Outcome)> {
    Some((Action::Commit(transaction(1)), outcome))
}

fn abort(outcome: Outcome) -> Option<(Action, Outcome)> {
    Some((Action::Abort(transaction(1)), outcome))
}

#[test]
fn a_transaction_takes_effect_as_was_reported() {
    let invariant = Invariant::AllOrNothing;
    let (all, nothing) = ((In::Committed(1), In::Committed(2)), (In::Aborted(1), In::Aborted(2)));
    transferred(commit(Outcome::Ok), all.0, all.1, 5).holds(invariant);
    transferred(abort(Outcome::Ok), nothing.0, nothing.1, 0).holds(invariant);
    transferred(commit(Outcome::Unknown), all.0, all.1, 5).holds(invariant);
    transferred(commit(Outcome::Unknown), nothing.0, nothing.1, 0).holds(invariant);
    transferred(commit(Outcome::Failed), nothing.0, nothing.1, 0).holds(invariant);
    transferred(None, nothing.0, nothing.1, 0).holds(invariant);
    transferred(None, In::Open(1), In::Open(2), 0).holds(invariant);

    transferred(commit(Outcome::Ok), all.0, nothing.1, 5).blames(invariant, Clause::CommitPartial);
    transferred(commit(Outcome::Ok), nothing.0, nothing.1, 5).blames(invariant, Clause::CommitPartial);
    transferred(commit(Outcome::Ok), all.0, In::Open(2), 5).blames(invariant, Clause::CommitPartial);
    // An acknowledged record that is nowhere was not committed either.
    transferred(commit(Outcome::Ok), all.0, In::Plain(9), 5).blames(invariant, Clause::CommitPartial);
    transferred(abort(Outcome::Ok), nothing.0, all.1, 0).blames(invariant, Clause::AbortPartial);
    transferred(commit(Outcome::Failed), all.0, all.1, 0).blames(invariant, Clause::CommittedUnasked);
    // As when a late EndTxn of an earlier transaction ends this one.
    transferred(None, all.0, all.1, 0).blames(invariant, Clause::CommittedUnasked);
    transferred(commit(Outcome::Unknown), all.0, nothing.1, 5).blames(invariant, Clause::Torn);
    transferred(commit(Outcome::Unknown), all.0, In::Open(2), 5).blames(invariant, Clause::Torn);
}

#[test]
fn the_offsets_of_a_transaction_share_its_fate() {
    let invariant = Invariant::AllOrNothing;
    let (all, nothing) = ((In::Committed(1), In::Committed(2)), (In::Aborted(1), In::Aborted(2)));
    for outcome in [Outcome::Ok, Outcome::Unknown] {
        transferred(commit(outcome), all.0, all.1, 0).blames(invariant, Clause::RecordsWithoutOffsets);
    }
    transferred(commit(Outcome::Unknown), nothing.0, nothing.1, 5).blames(invariant, Clause::OffsetsWithoutRecords);
    transferred(abort(Outcome::Ok), nothing.0, nothing.1, 5).blames(invariant, Clause::OffsetsWithoutRecords);
    // Seen on the way, whatever is there at the end.
    let mut story = transferred(abort(Outcome::Ok), nothing.0, nothing.1, 0);
    let seen = Action::Committed { group: "g".into(), offsets: vec![(clicks(0), 5)] };
    story.run(CONSUMER, seen, Outcome::Ok);
    story.blames(invariant, Clause::OffsetsWithoutRecords);
    // Another may have committed the same.
    let mut story = transferred(abort(Outcome::Ok), nothing.0, nothing.1, 5);
    story.commit_offset(CONSUMER, 5, Trigger::Explicit, Outcome::Unknown);
    story.holds(invariant);
    // And a later commit may have set it back.
    let mut story = transferred(commit(Outcome::Ok), all.0, all.1, 3);
    story.commit_offset(CONSUMER, 3, Trigger::Explicit, Outcome::Ok);
    story.holds(invariant);
}

#[test]
fn read_committed_shows_committed_records_only() {
    let invariant = Invariant::ReadCommitted;
    let mut story = transferred(commit(Outcome::Ok), In::Committed(1), In::Committed(2), 5);
    story.poll(CONSUMER, &[(0, 1)]);
    story.holds(invariant);
    for (state, clause) in [(In::Aborted(1), Clause::ReadAborted), (In::Open(1), Clause::ReadOpen)] {
        let mut story = Story::default();
        story.log(&[state]);
        story.poll(CONSUMER, &[(0, 1)]);
        story.blames(invariant, clause);
        let mut story = Story { isolation: Some(Isolation::ReadUncommitted), ..Story::default() };
        story.log(&[state]);
        story.poll(CONSUMER, &[(0, 1)]);
        story.is_silent(invariant);
    }
}

#[test]
fn read_committed_shows_nothing_before_its_commit() {
    let invariant = Invariant::ReadCommitted;
    let mut story = Story::default();
    transfer(&mut story);
    story.poll(CONSUMER, &[(0, 1)]);
    story.run(PRODUCER, Action::Commit(transaction(1)), Outcome::Ok);
    story.log(&[In::Committed(1)]);
    story.blames(invariant, Clause::ReadOpen);

    // While it is being committed, it may be seen.
    let mut story = Story::default();
    transfer(&mut story);
    let end = story.invoke(PRODUCER, Action::Commit(transaction(1)));
    story.poll(CONSUMER, &[(0, 1)]);
    story.end(end, Outcome::Ok);
    story.holds(invariant);

    let mut story = Story::default();
    transfer(&mut story);
    story.run(PRODUCER, Action::Abort(transaction(1)), Outcome::Ok);
    story.poll(CONSUMER, &[(0, 1)]);
    story.blames(invariant, Clause::ReadAborted);
    story.blames(Invariant::AbortedRead, Clause::AbortedRead);
}

#[test]
fn what_failed_is_read_by_nobody() {
    let mut story = Story { isolation: Some(Isolation::ReadUncommitted), ..Story::default() };
    story.send(1, -1, Outcome::Unknown);
    story.poll(CONSUMER, &[(0, 1)]);
    story.holds(Invariant::AbortedRead);
    story.send(2, -1, Outcome::Failed);
    story.poll(CONSUMER, &[(1, 2)]);
    story.blames(Invariant::AbortedRead, Clause::FailedRead);
}

fn init(story: &mut Story, client: ClientId) -> OperationId {
    story.run(client, Action::Init { transactional_id: "t".into() }, Outcome::Ok)
}

fn send_in_transaction(story: &mut Story, client: ClientId, outcome: Outcome) {
    let send = Send { transaction: Some(transaction(1)), ..story.sent(7, -1) };
    story.run(client, Action::Send(send), outcome);
}

#[test]
fn a_fenced_producer_writes_and_commits_nothing() {
    let invariant = Invariant::FencedSilent;
    let fenced = || {
        let mut story = Story::default();
        init(&mut story, PRODUCER);
        init(&mut story, OTHER_PRODUCER);
        story
    };
    let mut story = fenced();
    send_in_transaction(&mut story, PRODUCER, Outcome::Unknown);
    story.run(PRODUCER, Action::Commit(transaction(1)), Outcome::Failed);
    send_in_transaction(&mut story, OTHER_PRODUCER, Outcome::Ok);
    story.holds(invariant);

    let mut story = fenced();
    send_in_transaction(&mut story, PRODUCER, Outcome::Ok);
    story.blames(invariant, Clause::FencedAcked);
    let mut story = fenced();
    send_in_transaction(&mut story, PRODUCER, Outcome::Unknown);
    story.log(&[In::Open(7)]);
    story.blames(invariant, Clause::FencedWritten);
    let mut story = fenced();
    story.run(PRODUCER, Action::Commit(transaction(1)), Outcome::Ok);
    story.blames(invariant, Clause::FencedCommitted);
}

#[test]
fn of_two_who_fence_each_other_neither_is_blamed_for_what_is_not_certain() {
    let invariant = Invariant::FencedSilent;
    let mut story = Story::default();
    init(&mut story, PRODUCER);
    let fencing = story.invoke(OTHER_PRODUCER, Action::Init { transactional_id: "t".into() });
    // Sent before the other was told that it had the id.
    send_in_transaction(&mut story, PRODUCER, Outcome::Ok);
    story.end(fencing, Outcome::Ok);
    story.is_silent(invariant);
    // The first takes it back.
    init(&mut story, PRODUCER);
    story.run(PRODUCER, Action::Commit(transaction(1)), Outcome::Ok);
    story.is_silent(invariant);
}

#[test]
fn in_a_log_the_epochs_of_a_producer_go_forward() {
    let log = |epochs: &[i16]| {
        let mut story = Story::default();
        story.log(&[]);
        for (offset, epoch) in (0..).zip(epochs) {
            let entry = Entry::record(offset, Value(u64::try_from(offset).unwrap()));
            story.log_mut().push(Entry { producer: Some(Producer { id: 3, epoch: *epoch }), ..entry });
        }
        story
    };
    log(&[0, 0, 1, 3]).holds(Invariant::FencedSilent);
    log(&[0, 1, 0]).blames(Invariant::FencedSilent, Clause::EpochWentBack);
}
