//! Each checker on right histories and on wrong ones: every clause has a history that it catches.

mod groups;
mod json;
mod liveness;
mod producing;
mod random;
mod reading;
mod scale;
mod transactions;

use super::*;

/// Producers have low numbers, consumers high ones.
pub(super) const PRODUCER: ClientId = ClientId(1);
pub(super) const OTHER_PRODUCER: ClientId = ClientId(2);
pub(super) const CONSUMER: ClientId = ClientId(11);
pub(super) const OTHER_CONSUMER: ClientId = ClientId(12);

pub(super) fn clicks(partition: i32) -> TopicPartition {
    TopicPartition::new("clicks", partition)
}

/// A record of a log, or its marker, without its offset.
#[derive(Clone, Copy)]
pub(super) enum In {
    Plain(u64),
    Committed(u64),
    Aborted(u64),
    Open(u64),
    Marker(bool),
}

/// A history in the making: each step takes 10 us.
#[derive(Default)]
pub(super) struct Story {
    pub(super) history: History,
    pub(super) now_us: u64,
    sequence: u64,
    pub(super) isolation: Option<Isolation>,
}

impl Story {
    pub(super) fn tick(&mut self) -> u64 {
        self.now_us += 10;
        self.now_us
    }

    pub(super) fn run(&mut self, client: ClientId, action: Action, outcome: Outcome) -> OperationId {
        let id = self.invoke(client, action);
        self.end(id, outcome);
        id
    }

    pub(super) fn invoke(&mut self, client: ClientId, action: Action) -> OperationId {
        let now = self.tick();
        self.history.invoke(client, now, action)
    }

    pub(super) fn end(&mut self, id: OperationId, outcome: Outcome) {
        let now = self.tick();
        self.history.end(id, now, outcome);
    }

    /// A send of this value to partition 0, told this offset.
    pub(super) fn sent(&mut self, value: u64, offset: i64) -> Send {
        self.sequence += 1;
        Send {
            partition: Some(clicks(0)),
            value: Value(value),
            key: None,
            tombstone: false,
            sequence: self.sequence,
            acks_all: true,
            idempotent: true,
            transaction: None,
            offset: (offset >= 0).then_some(offset),
        }
    }

    pub(super) fn send(&mut self, value: u64, offset: i64, outcome: Outcome) -> OperationId {
        let send = self.sent(value, offset);
        self.run(PRODUCER, Action::Send(send), outcome)
    }

    pub(super) fn acked(&mut self, value: u64, offset: i64) -> OperationId {
        self.send(value, offset, Outcome::Ok)
    }

    /// A poll of one partition.
    pub(super) fn polled(&self, partition: i32, records: &[(i64, u64)]) -> Action {
        let read = |(offset, value): &(i64, u64)| Read {
            partition: clicks(partition),
            offset: *offset,
            value: Some(Value(*value)),
        };
        Action::Poll(Poll {
            group: Some("g".into()),
            isolation: self.isolation.unwrap_or(Isolation::ReadCommitted),
            records: records.iter().map(read).collect(),
        })
    }

    pub(super) fn poll(&mut self, client: ClientId, records: &[(i64, u64)]) -> OperationId {
        let poll = self.polled(0, records);
        self.run(client, poll, Outcome::Ok)
    }

    pub(super) fn commit_offset(&mut self, client: ClientId, offset: i64, trigger: Trigger, outcome: Outcome) {
        let commit = Action::CommitOffsets { group: "g".into(), offsets: vec![(clicks(0), offset)], trigger };
        self.run(client, commit, outcome);
    }

    pub(super) fn seek(&mut self, client: ClientId, offset: i64, reason: SeekReason) {
        self.run(client, Action::Seek { partition: clicks(0), offset, reason }, Outcome::Ok);
    }

    pub(super) fn assign(&mut self, client: ClientId, epoch: impl Into<Option<i64>>) {
        let assigned = Action::Assigned { group: "g".into(), partitions: vec![clicks(0)], epoch: epoch.into() };
        self.run(client, assigned, Outcome::Ok);
    }

    pub(super) fn revoke(&mut self, client: ClientId, lost: bool) {
        self.run(client, Action::Revoked { group: "g".into(), partitions: vec![clicks(0)], lost }, Outcome::Ok);
    }

    /// What partition 0 holds, from offset 0.
    pub(super) fn log(&mut self, entries: &[In]) {
        self.log_of(0, entries);
    }

    pub(super) fn log_of(&mut self, partition: i32, entries: &[In]) {
        let entry = |(offset, entry): (i64, &In)| {
            let record = |value, state| Content::Record { value: Value(value), key: None, state };
            let content = match *entry {
                In::Plain(value) => record(value, TransactionState::None),
                In::Committed(value) => record(value, TransactionState::Committed),
                In::Aborted(value) => record(value, TransactionState::Aborted),
                In::Open(value) => record(value, TransactionState::Open),
                In::Marker(commit) => Content::Marker { commit },
            };
            Entry { offset, producer: None, content }
        };
        let log = PartitionLog::new((0..).zip(entries).map(entry).collect());
        self.history.logs.partitions.insert(clicks(partition), log);
    }

    pub(super) fn log_mut(&mut self) -> &mut PartitionLog {
        self.history.logs.partitions.get_mut(&clicks(0)).unwrap()
    }

    pub(super) fn committed(&mut self, offset: i64) {
        self.history.logs.committed.entry("g".into()).or_default().insert(clicks(0), offset);
    }

    /// The invariant is checked, and holds.
    #[track_caller]
    pub(super) fn holds(&self, invariant: Invariant) {
        let verdict = self.history.check(invariant);
        assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
        assert!(verdict.checked > 0, "nothing to check");
    }

    /// There is nothing to blame, whether or not there was something to check.
    #[track_caller]
    pub(super) fn is_silent(&self, invariant: Invariant) {
        let verdict = self.history.check(invariant);
        assert!(verdict.violations.is_empty(), "{:#?}", verdict.violations);
    }

    /// The invariant is broken in this way, and in no other; the report shows it in a few lines.
    #[track_caller]
    pub(super) fn blames(&self, invariant: Invariant, clause: Clause) {
        let verdict = self.history.check(invariant);
        assert!(!verdict.violations.is_empty(), "nothing was found");
        for violation in &verdict.violations {
            assert_eq!(violation.clause, clause, "{violation}");
            let text = violation.to_string();
            assert!((1..=4).contains(&text.lines().count()) && text.contains(&format!("{clause:?}")), "{text}");
        }
    }
}

#[test]
fn a_violation_is_read_in_three_lines() {
    let mut story = Story::default();
    story.acked(5, 0);
    story.log(&[In::Plain(6)]);
    let report = story.history.check_all();
    let texts: Vec<String> = report.violations().map(ToString::to_string).collect();
    expect_test::expect![[r#"
        1 AckedInLogOnce, AckedMissing: value 5 was acknowledged and is 0 times in the log
          operation 0: client 1, 10..20 us, ok: send value 5 to clicks-0, offset 0
        4 SendOrder, OffsetUntrue: value 5 was told offset 0 of clicks-0, where value 6 is
          operation 0: client 1, 10..20 us, ok: send value 5 to clicks-0, offset 0"#]]
    .assert_eq(&texts.join("\n"));
    assert!(report.to_string().contains("10 OneOwner: nothing to check"), "{report}");
}

#[test]
fn an_empty_history_holds_for_want_of_evidence() {
    let report = History::default().check_all();
    assert!(report.is_clean());
    assert_eq!(report.vacuous().count(), Invariant::ALL.len());
    History::default().assert_holds(&[]);
}

#[test]
#[should_panic(expected = "with nothing to check: [OneOwner]")]
fn a_test_may_insist_on_evidence() {
    let mut story = Story::default();
    story.acked(5, 0);
    story.log(&[In::Plain(5)]);
    story.history.assert_holds(&[Invariant::AckedInLogOnce]);
    story.history.assert_holds(&[Invariant::OneOwner]);
}

#[test]
fn a_history_that_makes_no_sense_is_judged_all_the_same() {
    let mut story = Story::default();
    let id = story.acked(5, i64::MAX);
    story.history.end(id, 1, Outcome::Failed);
    story.history.end(OperationId(99), 1, Outcome::Ok);
    assert_eq!(story.history.operation(id).unwrap().outcome, Outcome::Ok);
    story.poll(CONSUMER, &[(i64::MAX, 5), (i64::MIN, 5), (i64::MAX, 6)]);
    story.seek(CONSUMER, i64::MIN, SeekReason::Explicit);
    story.commit_offset(CONSUMER, i64::MAX, Trigger::Auto, Outcome::Ok);
    story.committed(i64::MIN);
    story.log(&[In::Plain(5), In::Plain(5)]);
    story.log_mut().push(Entry::record(0, Value(7)));
    story.log_mut().push(Entry::record(i64::MAX, Value(7)));
    story.log_mut().change(Change::Truncated { at_us: 0, to: i64::MIN, removed: Vec::new() });
    story.history.heal(u64::MAX);
    story.revoke(OTHER_CONSUMER, false);
    assert!(!story.history.check_all().to_string().is_empty());
}

#[test]
fn a_value_of_bytes_is_their_number_or_their_hash() {
    assert_eq!(Value::of(b"0"), Value(0));
    assert_eq!(Value::of(b"1234"), Value(1234));
    for bytes in [&b""[..], b"00", b"007", b"a", b"12a", b"99999999999999999999", b"18446744073709551615"] {
        assert!(Value::of(bytes).0 >= 1 << 63, "{bytes:?}");
    }
    assert_ne!(Value::of(b"a"), Value::of(b"b"));
}
