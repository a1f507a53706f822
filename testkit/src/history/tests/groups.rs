//! Invariants 9 to 11.

use super::*;

/// A consumer that was handed the records at 0 and 1, in two polls.
fn reading() -> Story {
    let mut story = Story::default();
    story.log(&[In::Plain(1), In::Plain(2), In::Plain(3), In::Marker(true)]);
    story.assign(CONSUMER, 1);
    story.poll(CONSUMER, &[(0, 1)]);
    story.poll(CONSUMER, &[(1, 2)]);
    story
}

#[test]
fn committed_offsets_go_forward() {
    let mut story = reading();
    story.commit_offset(CONSUMER, 1, Trigger::Explicit, Outcome::Ok);
    story.commit_offset(CONSUMER, 2, Trigger::Explicit, Outcome::Ok);
    story.holds(Invariant::CommitsForward);
    let unseen = |story: &Story| story.history.clone();
    let before = unseen(&story);

    story.commit_offset(CONSUMER, 1, Trigger::Explicit, Outcome::Ok);
    story.blames(Invariant::CommitsForward, Clause::CommittedBack);
    // By whom does not matter.
    story.history = before.clone();
    story.commit_offset(OTHER_CONSUMER, 1, Trigger::Explicit, Outcome::Ok);
    story.blames(Invariant::CommitsForward, Clause::CommittedBack);
    // Nor whether it is a commit or a look at what is committed.
    story.history = before.clone();
    let seen = Action::Committed { group: "g".into(), offsets: vec![(clicks(0), 1)] };
    story.run(CONSUMER, seen, Outcome::Ok);
    story.blames(Invariant::CommitsForward, Clause::CommittedBack);
    // One that failed did no harm, and one after a seek was wanted.
    story.history = before;
    story.commit_offset(CONSUMER, 1, Trigger::Explicit, Outcome::Failed);
    story.seek(CONSUMER, 0, SeekReason::Explicit);
    story.commit_offset(CONSUMER, 0, Trigger::Explicit, Outcome::Ok);
    story.holds(Invariant::CommitsForward);
    // From there it goes forward again.
    story.poll(CONSUMER, &[(0, 1)]);
    story.commit_offset(CONSUMER, 1, Trigger::Explicit, Outcome::Ok);
    story.holds(Invariant::CommitsForward);
}

#[test]
fn overlapping_commits_do_not_set_an_offset_back() {
    let commit = |offset| Action::CommitOffsets {
        group: "g".into(),
        offsets: vec![(clicks(0), offset)],
        trigger: Trigger::Explicit,
    };
    for (first, second, right) in [(1, 2, true), (2, 1, false)] {
        let mut story = reading();
        let one = story.invoke(CONSUMER, commit(first));
        let other = story.invoke(CONSUMER, commit(second));
        story.end(other, Outcome::Ok);
        story.end(one, Outcome::Ok);
        if right {
            story.holds(Invariant::CommitsForward);
        } else {
            story.blames(Invariant::CommitsForward, Clause::CommittedBack);
        }
    }
}

#[test]
fn offsets_in_transactions_go_forward_too() {
    let mut story = reading();
    for (number, offset) in [(1, 2), (2, 1)] {
        let transaction = Transaction { transactional_id: "t".into(), number };
        let offsets = vec![(clicks(0), offset)];
        let send = Action::SendOffsets { transaction: transaction.clone(), group: "g".into(), offsets };
        story.run(PRODUCER, send, Outcome::Ok);
        story.is_silent(Invariant::CommitsForward);
        story.run(PRODUCER, Action::Commit(transaction), Outcome::Ok);
    }
    story.blames(Invariant::CommitsForward, Clause::CommittedBack);
}

#[test]
fn nothing_is_committed_that_was_not_handed_out() {
    for outcome in [Outcome::Ok, Outcome::Unknown, Outcome::Failed] {
        let mut story = reading();
        story.commit_offset(CONSUMER, 3, Trigger::Explicit, outcome);
        story.blames(Invariant::CommitsForward, Clause::CommittedBeyond);
    }
    let mut story = reading();
    let offsets = vec![(clicks(0), 3)];
    let transaction = Transaction { transactional_id: "t".into(), number: 1 };
    story.run(PRODUCER, Action::SendOffsets { transaction, group: "g".into(), offsets }, Outcome::Ok);
    story.blames(Invariant::CommitsForward, Clause::CommittedBeyond);
    // A marker is handed to nobody.
    let mut story = reading();
    story.poll(CONSUMER, &[(2, 3)]);
    story.commit_offset(CONSUMER, 4, Trigger::Explicit, Outcome::Ok);
    story.holds(Invariant::CommitsForward);
}

#[test]
fn an_auto_commit_covers_only_what_the_application_is_done_with() {
    let mut story = reading();
    story.commit_offset(CONSUMER, 1, Trigger::Auto, Outcome::Ok);
    story.holds(Invariant::CommitsForward);
    story.commit_offset(CONSUMER, 2, Trigger::Auto, Outcome::Ok);
    story.blames(Invariant::CommitsForward, Clause::CommittedUnprocessed);

    // With the next poll, or with close, it is done with them.
    for next in [Action::Close, story.polled(0, &[])] {
        let mut story = reading();
        let next = story.invoke(CONSUMER, next);
        story.commit_offset(CONSUMER, 2, Trigger::Auto, Outcome::Ok);
        story.end(next, Outcome::Ok);
        story.holds(Invariant::CommitsForward);
    }
}

#[test]
fn a_partition_has_one_owner_at_an_epoch() {
    let mut story = reading();
    story.revoke(CONSUMER, false);
    story.assign(OTHER_CONSUMER, 2);
    story.poll(OTHER_CONSUMER, &[(1, 2)]);
    story.holds(Invariant::OneOwner);

    let mut story = reading();
    story.revoke(CONSUMER, false);
    story.assign(OTHER_CONSUMER, 1);
    story.blames(Invariant::OneOwner, Clause::TwoOwners);
}

#[test]
fn the_old_owner_is_told_before_the_new_one_reads() {
    for (epoch, lost) in [(Some(2), false), (None, false), (Some(2), true)] {
        let mut story = reading();
        story.assign(OTHER_CONSUMER, epoch);
        story.poll(OTHER_CONSUMER, &[(1, 2)]);
        story.revoke(CONSUMER, lost);
        if lost {
            // The group had given it away before: nobody could tell it.
            story.holds(Invariant::OneOwner);
        } else {
            story.blames(Invariant::OneOwner, Clause::ReadBeforeRevoke);
        }
    }
}

#[test]
fn one_that_was_never_told_does_not_read_on() {
    let mut story = reading();
    story.assign(OTHER_CONSUMER, 2);
    story.poll(OTHER_CONSUMER, &[(1, 2)]);
    // It may be gone.
    story.holds(Invariant::OneOwner);
    story.poll(CONSUMER, &[(2, 3)]);
    story.blames(Invariant::OneOwner, Clause::ReadBeforeRevoke);
}

#[test]
fn nobody_reads_what_was_taken_away() {
    let mut story = reading();
    story.revoke(CONSUMER, false);
    story.poll(CONSUMER, &[(2, 3)]);
    story.blames(Invariant::OneOwner, Clause::ReadNotOwned);
}

#[test]
fn who_was_killed_owns_nothing() {
    let mut story = reading();
    story.run(CONSUMER, Action::Crash, Outcome::Ok);
    story.assign(OTHER_CONSUMER, 2);
    story.poll(OTHER_CONSUMER, &[(0, 1)]);
    story.holds(Invariant::OneOwner);
}

#[test]
fn what_lies_below_a_committed_offset_was_handed_out() {
    let mut story = reading();
    story.committed(2);
    story.holds(Invariant::AtLeastOnce);
    story.committed(3);
    story.blames(Invariant::AtLeastOnce, Clause::NeverHandedOut);
    // To any member.
    story.poll(OTHER_CONSUMER, &[(2, 3)]);
    story.holds(Invariant::AtLeastOnce);
    story.committed(4);
    story.holds(Invariant::AtLeastOnce);
}

#[test]
fn without_a_look_at_the_end_the_last_commit_counts() {
    let mut story = reading();
    story.commit_offset(CONSUMER, 3, Trigger::Explicit, Outcome::Ok);
    story.blames(Invariant::AtLeastOnce, Clause::NeverHandedOut);
}

#[test]
fn who_is_moved_forward_need_not_read_what_lies_between() {
    let mut story = reading();
    story.seek(CONSUMER, 3, SeekReason::Explicit);
    story.committed(3);
    story.holds(Invariant::AtLeastOnce);
    // A group that starts at the beginning is to see the first record.
    let mut story = Story::default();
    story.log(&[In::Plain(1), In::Plain(2)]);
    story.assign(CONSUMER, 1);
    story.seek(CONSUMER, 0, SeekReason::Reset);
    story.poll(CONSUMER, &[(1, 2)]);
    story.committed(2);
    story.blames(Invariant::AtLeastOnce, Clause::NeverHandedOut);
}
