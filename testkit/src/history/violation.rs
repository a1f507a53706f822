//! What a checker says: how much it had to check, and what cannot be explained.

use std::fmt;

use super::evidence::Evidence;
use super::operation::{OperationId, TopicPartition, Value};

/// What must hold; the table is in [`history`](super).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
#[expect(missing_docs, reason = "one row each of the table")]
pub enum Invariant {
    AckedInLogOnce,
    FailedAbsent,
    IdempotentOnce,
    SendOrder,
    ReadersAgree,
    ReadCommitted,
    AllOrNothing,
    PollsContiguous,
    CommitsForward,
    OneOwner,
    AtLeastOnce,
    CatchesUp,
    FlushComplete,
    NoHang,
    Bounded,
    FencedSilent,
    ChangesReported,
    AbortedRead,
    LostWrite,
    InconsistentOffsets,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::AckedInLogOnce,
        Self::FailedAbsent,
        Self::IdempotentOnce,
        Self::SendOrder,
        Self::ReadersAgree,
        Self::ReadCommitted,
        Self::AllOrNothing,
        Self::PollsContiguous,
        Self::CommitsForward,
        Self::OneOwner,
        Self::AtLeastOnce,
        Self::CatchesUp,
        Self::FlushComplete,
        Self::NoHang,
        Self::Bounded,
        Self::FencedSilent,
        Self::ChangesReported,
        Self::AbortedRead,
        Self::LostWrite,
        Self::InconsistentOffsets,
    ];

    /// What it is called in the table.
    #[must_use]
    pub const fn number(self) -> &'static str {
        match self {
            Self::AckedInLogOnce => "1",
            Self::FailedAbsent => "2",
            Self::IdempotentOnce => "3",
            Self::SendOrder => "4",
            Self::ReadersAgree => "5",
            Self::ReadCommitted => "6",
            Self::AllOrNothing => "7",
            Self::PollsContiguous => "8",
            Self::CommitsForward => "9",
            Self::OneOwner => "10",
            Self::AtLeastOnce => "11",
            Self::CatchesUp => "12",
            Self::FlushComplete => "13",
            Self::NoHang => "14",
            Self::Bounded => "15",
            Self::FencedSilent => "16",
            Self::ChangesReported => "18",
            Self::AbortedRead => "a",
            Self::LostWrite => "b",
            Self::InconsistentOffsets => "c",
        }
    }
}

/// In which way an invariant was broken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[non_exhaustive]
pub enum Clause {
    /// 1: acknowledged, and not in the log.
    AckedMissing,
    /// 1: acknowledged, and more often in the log than it was sent.
    AckedTwice,
    /// 2: failed, and in the log.
    FailedPresent,
    /// 3: more often in the log than an idempotent producer sent it.
    WrittenTwice,
    /// 4: sent later, and earlier in the log.
    OutOfOrder,
    /// 4: sent later, and told a lower offset.
    OffsetsNotIncreasing,
    /// 4: told an offset where something else is.
    OffsetUntrue,
    /// 5: two readers found two records at one offset.
    ReadersDisagree,
    /// 5: a reader found another record than the log has.
    ReadOtherThanLog,
    /// 5: a reader found a record where the log has none.
    ReadNothingThere,
    /// 6: a record of an aborted transaction was shown.
    ReadAborted,
    /// 6: a record of an open transaction was shown.
    ReadOpen,
    /// 7: commit was reported, and some records are not committed.
    CommitPartial,
    /// 7: abort was reported, and some records are committed.
    AbortPartial,
    /// 7: nobody asked to commit, and some records are committed.
    CommittedUnasked,
    /// 7: some records are committed, and others are not.
    Torn,
    /// 7: the records are committed, and the offsets are not.
    RecordsWithoutOffsets,
    /// 7: the offsets are committed, and the records are not.
    OffsetsWithoutRecords,
    /// 8: a record was passed over.
    Skipped,
    /// 8: a record was handed out again, or earlier ones after it.
    SteppedBack,
    /// 8: a position is not where the reader is.
    PositionUntrue,
    /// 9: a lower offset was committed than before.
    CommittedBack,
    /// 9: an offset was committed beyond what was handed out.
    CommittedBeyond,
    /// 9: an auto-commit covered what the application may still be working on.
    CommittedUnprocessed,
    /// 10: two members were assigned a partition at one epoch.
    TwoOwners,
    /// 10: the new owner read before the old one was told.
    ReadBeforeRevoke,
    /// 10: a member read what it does not own.
    ReadNotOwned,
    /// 11: a record below the committed offset was handed out to nobody.
    NeverHandedOut,
    /// 12: a reader did not reach the end.
    StaysBehind,
    /// 13: a flush or close ended before what was sent before.
    EndedEarly,
    /// 13: a flush or close went on although nothing was left.
    EndedLate,
    /// 14: an operation took too long, or never ended.
    Hangs,
    /// 14: a run took too much real time.
    Spins,
    /// 15: there is more of something than there may be.
    OverLimit,
    /// 16: a send of a fenced producer was acknowledged.
    FencedAcked,
    /// 16: a send of a fenced producer is in the log.
    FencedWritten,
    /// 16: a commit of a fenced producer was reported.
    FencedCommitted,
    /// 16: a record of an older epoch lies behind one of a younger.
    EpochWentBack,
    /// 18: the latest record of a key is gone.
    KeyLost,
    /// 18: a reader went on behind a truncation without a word.
    TruncationSilent,
    /// a: a record was read whose send had failed.
    FailedRead,
    /// a: a record was read whose transaction was aborted.
    AbortedRead,
    /// b: readers passed an acknowledged record that none saw.
    NeverRead,
    /// c: a record was told or read at two offsets.
    TwoOffsets,
    /// c: two records were told or read at one offset.
    TwoValues,
}

/// What cannot be explained, with the operations that show it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Violation {
    /// What was broken.
    pub invariant: Invariant,
    /// In which way.
    pub clause: Clause,
    /// In which partition, if in one.
    pub partition: Option<TopicPartition>,
    /// At which offset, if at one.
    pub offset: Option<i64>,
    /// Of which record, if of one.
    pub value: Option<Value>,
    /// The operations that show it.
    pub operations: Vec<OperationId>,
    statement: String,
    lines: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?}, {:?}: {}", self.invariant.number(), self.invariant, self.clause, self.statement)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

/// What one checker says.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Verdict {
    /// What was checked.
    pub invariant: Invariant,
    /// How many facts were checked; with none, the invariant holds for want of evidence.
    pub checked: u64,
    /// How often it was broken.
    pub violation_count: u64,
    /// The first of them.
    pub violations: Vec<Violation>,
}

/// How many violations of one invariant are kept.
const KEPT_MAX: usize = 100;
/// How many operations a violation shows.
const SHOWN_MAX: usize = 3;

/// Where a violation is.
#[derive(Clone, Copy, Default)]
pub(super) struct Place<'a> {
    pub(super) partition: Option<&'a TopicPartition>,
    pub(super) offset: Option<i64>,
    pub(super) value: Option<Value>,
}

impl<'a> Place<'a> {
    pub(super) fn at(partition: &'a TopicPartition, offset: i64) -> Self {
        Self { partition: Some(partition), offset: Some(offset), value: None }
    }

    pub(super) fn of(value: Value) -> Self {
        Self { value: Some(value), ..Self::default() }
    }

    pub(super) fn value(self, value: impl Into<Option<Value>>) -> Self {
        Self { value: value.into(), ..self }
    }
}

impl Verdict {
    pub(super) const fn new(invariant: Invariant) -> Self {
        Self { invariant, checked: 0, violation_count: 0, violations: Vec::new() }
    }

    pub(super) fn blame(
        &mut self,
        evidence: &Evidence<'_>,
        clause: Clause,
        place: Place<'_>,
        operations: &[OperationId],
        statement: impl FnOnce() -> String,
    ) {
        self.violation_count += 1;
        if self.violations.len() >= KEPT_MAX {
            return;
        }
        let shown = operations.iter().take(SHOWN_MAX).filter_map(|id| {
            let operation = evidence.history.operation(*id)?;
            Some(format!("operation {}: {operation}", id.0))
        });
        self.violations.push(Violation {
            invariant: self.invariant,
            clause,
            partition: place.partition.cloned(),
            offset: place.offset,
            value: place.value,
            operations: operations.to_vec(),
            statement: statement(),
            lines: shown.collect(),
        });
    }
}

/// What all checkers say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// One for each invariant.
    pub verdicts: Vec<Verdict>,
}

impl Report {
    pub(super) const fn new(verdicts: Vec<Verdict>) -> Self {
        Self { verdicts }
    }

    /// Whether nothing was broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.verdicts.iter().all(|verdict| verdict.violation_count == 0)
    }

    /// What was broken.
    pub fn violations(&self) -> impl Iterator<Item = &Violation> {
        self.verdicts.iter().flat_map(|verdict| &verdict.violations)
    }

    /// Which invariants had nothing to check.
    pub fn vacuous(&self) -> impl Iterator<Item = Invariant> {
        self.verdicts.iter().filter(|verdict| verdict.checked == 0).map(|verdict| verdict.invariant)
    }
}

/// A line for each invariant, and below it the first of its violations.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for verdict in &self.verdicts {
            let (number, invariant) = (verdict.invariant.number(), verdict.invariant);
            match (verdict.checked, verdict.violation_count) {
                (0, 0) => writeln!(f, "{number} {invariant:?}: nothing to check")?,
                (checked, 0) => writeln!(f, "{number} {invariant:?}: holds, {checked} checked")?,
                (checked, count) => writeln!(f, "{number} {invariant:?}: broken {count} times, {checked} checked")?,
            }
            for violation in verdict.violations.iter().take(SHOWN_MAX) {
                writeln!(f, "{violation}")?;
            }
        }
        Ok(())
    }
}
