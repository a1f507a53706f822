//! What happened, and whether it may: a [`History`] of operations, the logs as they were at the end, and a checker for each
//! invariant that a client of Kafka can break.
//!
//! A test writes down what its clients did, whether they are ours, the Java client (through [`json`]) or part of a
//! simulation; nothing here knows any client. An operation is invoked and ends, or never does, and an outcome that is
//! [unknown](Outcome::Unknown) may come true at any later time. [`History::check_all`] then looks for what cannot be
//! explained:
//!
//! ```
//! use tidemill_testkit::history::*;
//!
//! let clicks = TopicPartition::new("clicks", 0);
//! let mut history = History::default();
//! let send = Action::Send(Send {
//!     partition: Some(clicks.clone()), value: Value(7), key: None, tombstone: false, sequence: 0,
//!     acks_all: true, idempotent: true, transaction: None, offset: Some(0),
//! });
//! let sending = history.invoke(ClientId(1), 100, send);
//! history.end(sending, 350, Outcome::Ok);
//! // The log has something else where the record should be.
//! history.logs.partitions.insert(clicks, PartitionLog::new(vec![Entry::record(0, Value(8))]));
//!
//! let report = history.check_all();
//! let first = report.violations().next().unwrap();
//! assert_eq!((first.invariant, first.clause), (Invariant::AckedInLogOnce, Clause::AckedMissing));
//! // A test may insist that there was something to check.
//! assert!(report.vacuous().any(|invariant| invariant == Invariant::OneOwner));
//! ```
//!
//! | | what holds | checker |
//! |---|---|---|
//! | 1 | what was acknowledged by all replicas is in the log, and only as often as it was sent | [`Invariant::AckedInLogOnce`] |
//! | 2 | what failed for certain is not in the log | [`Invariant::FailedAbsent`] |
//! | 3 | an idempotent producer writes nothing twice, acknowledged or not | [`Invariant::IdempotentOnce`] |
//! | 4 | in a partition, the records of a producer lie in the order they were sent, and it is told where | [`Invariant::SendOrder`] |
//! | 5 | all readers find the same at an offset, which is what the log has there | [`Invariant::ReadersAgree`] |
//! | 6 | `read_committed` shows nothing of a transaction that is open or aborted | [`Invariant::ReadCommitted`] |
//! | 7 | of a transaction all takes effect, in all partitions and offsets, or nothing, and as was reported | [`Invariant::AllOrNothing`] |
//! | 8 | a consumer passes over nothing and goes back over nothing, unless it is moved | [`Invariant::PollsContiguous`] |
//! | 9 | what a group has committed goes forward only, over what was handed out | [`Invariant::CommitsForward`] |
//! | 10 | a partition has one owner, and the old one knows before the new one reads | [`Invariant::OneOwner`] |
//! | 11 | what lies below a committed offset was handed out to some member | [`Invariant::AtLeastOnce`] |
//! | 12 | when all is well again, readers reach the end in bounded time | [`Invariant::CatchesUp`] |
//! | 13 | flush and close end when everything sent before has its outcome, not earlier, nor much later | [`Invariant::FlushComplete`] |
//! | 14 | every operation ends, and no run turns in circles | [`Invariant::NoHang`] |
//! | 15 | memory stays within its limit, and nothing runs after close | [`Invariant::Bounded`] |
//! | 16 | a producer that was fenced writes and commits nothing any more | [`Invariant::FencedSilent`] |
//! | 18 | a compacted log has the latest of each key, and no reader passes a truncation without a word | [`Invariant::ChangesReported`] |
//! | a | nobody reads what failed or was aborted (Elle's G1a), seen from the readers alone | [`Invariant::AbortedRead`] |
//! | b | readers do not pass an acknowledged record that none of them ever sees | [`Invariant::LostWrite`] |
//! | c | a record has one offset, wherever it is told or read | [`Invariant::InconsistentOffsets`] |
//!
//! 17 is about share groups, which are not recorded. The last three need no logs, so that they can judge clients of a
//! cluster that nobody else reads.
//!
//! - [`operation`]: what a client did, and how it ended
//! - [`log`]: what is in the logs at the end
//! - [`violation`]: what the checkers say
//! - `evidence`: the history, sorted for the checkers
//! - `producing`, `reading`, `transactions`, `groups`, `liveness`: the checkers
//! - [`json`]: histories from the lines that Kafka's verifiable programs print

mod evidence;
mod groups;
pub mod json;
mod liveness;
pub mod log;
pub mod operation;
mod producing;
mod reading;
mod transactions;
pub mod violation;

pub use self::log::{Change, Content, Entry, Logs, PartitionLog, Producer, TransactionState};
pub use self::operation::{
    Action, ClientId, Isolation, Operation, OperationId, Outcome, Poll, Quantity, Read, SeekReason, Send,
    TopicPartition, Transaction, Trigger, Value,
};
pub use self::violation::{Clause, Invariant, Report, Verdict, Violation};

use self::evidence::Evidence;

/// What happened: operations, in the order in which they were invoked and ended.
#[derive(Clone, Debug, Default)]
pub struct History {
    entries: Vec<Recorded>,
    events: Vec<Event>,
    watched_until_us: u64,
    healed_us: Option<u64>,
    /// How long things may take.
    pub limits: Limits,
    /// What is in the logs at the end.
    pub logs: Logs,
}

/// How long things may take, in microseconds.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::exhaustive_structs, reason = "plain data that a test writes down")]
pub struct Limits {
    /// An operation: by default 600 s.
    pub operation_us: u64,
    /// Readers to reach the end, when all is well again: by default 60 s.
    pub catch_up_us: u64,
    /// A flush, when what it waits for has come: by default 1 s.
    pub flush_late_us: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { operation_us: 600_000_000, catch_up_us: 60_000_000, flush_late_us: 1_000_000 }
    }
}

/// An operation and where it stands among all events.
#[derive(Clone, Debug)]
struct Recorded {
    operation: Operation,
    invoked_at: usize,
    ended_at: Option<usize>,
}

/// Operations begin and end.
#[derive(Clone, Copy, Debug)]
enum Event {
    Invoked(OperationId),
    Ended(OperationId),
}

impl History {
    /// An operation begins. Until it ends, its outcome is unknown.
    pub fn invoke(&mut self, client: ClientId, at_us: u64, action: Action) -> OperationId {
        let id = OperationId(self.entries.len());
        let operation = Operation { client, invoked_us: at_us, ended_us: None, action, outcome: Outcome::Unknown };
        self.entries.push(Recorded { operation, invoked_at: self.events.len(), ended_at: None });
        self.events.push(Event::Invoked(id));
        self.watch_until(at_us);
        id
    }

    /// An operation ends. One that has ended already, or never began, is left as it is.
    pub fn end(&mut self, id: OperationId, at_us: u64, outcome: Outcome) {
        self.end_with(id, at_us, outcome, |_| ());
    }

    /// An operation ends, and its action is told what it returned.
    pub fn end_with(&mut self, id: OperationId, at_us: u64, outcome: Outcome, returned: impl FnOnce(&mut Action)) {
        let Some(recorded) = self.entries.get_mut(id.0).filter(|recorded| recorded.ended_at.is_none()) else { return };
        returned(&mut recorded.operation.action);
        recorded.operation.outcome = outcome;
        recorded.operation.ended_us = Some(at_us);
        recorded.ended_at = Some(self.events.len());
        self.events.push(Event::Ended(id));
        self.watch_until(at_us);
    }

    /// An operation that took no time, and succeeded: a callback, a seek, a measurement.
    pub fn record(&mut self, client: ClientId, at_us: u64, action: Action) -> OperationId {
        let id = self.invoke(client, at_us, action);
        self.end(id, at_us, Outcome::Ok);
        id
    }

    /// From now on nothing is broken, and readers are expected to [catch up](Limits::catch_up_us).
    pub fn heal(&mut self, at_us: u64) {
        self.healed_us = Some(at_us);
        self.watch_until(at_us);
    }

    /// The history was watched until then, even if nothing happened.
    pub fn watch_until(&mut self, at_us: u64) {
        self.watched_until_us = self.watched_until_us.max(at_us);
    }

    /// How many operations there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing happened.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// One operation.
    #[must_use]
    pub fn operation(&self, id: OperationId) -> Option<&Operation> {
        self.entries.get(id.0).map(|recorded| &recorded.operation)
    }

    /// All operations, in the order in which they were invoked.
    pub fn operations(&self) -> impl Iterator<Item = (OperationId, &Operation)> {
        self.entries.iter().enumerate().map(|(number, recorded)| (OperationId(number), &recorded.operation))
    }

    /// Checks one invariant.
    #[must_use]
    pub fn check(&self, invariant: Invariant) -> Verdict {
        check(invariant, &Evidence::new(self))
    }

    /// Checks all of them.
    #[must_use]
    pub fn check_all(&self) -> Report {
        let evidence = Evidence::new(self);
        Report::new(Invariant::ALL.iter().map(|invariant| check(*invariant, &evidence)).collect())
    }

    /// Panics with the report if an invariant was broken, or if one of these had nothing to check.
    ///
    /// # Panics
    /// See above: this is how a test ends.
    pub fn assert_holds(&self, insisted: &[Invariant]) {
        let report = self.check_all();
        let vacuous: Vec<Invariant> = report.vacuous().filter(|invariant| insisted.contains(invariant)).collect();
        assert!(report.is_clean() && vacuous.is_empty(), "{report}insisted on, with nothing to check: {vacuous:?}");
    }
}

fn check(invariant: Invariant, evidence: &Evidence<'_>) -> Verdict {
    let mut verdict = Verdict::new(invariant);
    let checker = match invariant {
        Invariant::AckedInLogOnce => producing::acked_in_log_once,
        Invariant::FailedAbsent => producing::failed_absent,
        Invariant::IdempotentOnce => producing::idempotent_once,
        Invariant::SendOrder => producing::send_order,
        Invariant::ReadersAgree => reading::readers_agree,
        Invariant::ReadCommitted => transactions::read_committed,
        Invariant::AllOrNothing => transactions::all_or_nothing,
        Invariant::PollsContiguous => reading::polls_contiguous,
        Invariant::CommitsForward => groups::commits_forward,
        Invariant::OneOwner => groups::one_owner,
        Invariant::AtLeastOnce => groups::at_least_once,
        Invariant::CatchesUp => liveness::catches_up,
        Invariant::FlushComplete => liveness::flush_complete,
        Invariant::NoHang => liveness::no_hang,
        Invariant::Bounded => liveness::bounded,
        Invariant::FencedSilent => transactions::fenced_silent,
        Invariant::ChangesReported => reading::changes_reported,
        Invariant::AbortedRead => transactions::aborted_read,
        Invariant::LostWrite => reading::lost_write,
        Invariant::InconsistentOffsets => reading::inconsistent_offsets,
    };
    checker(evidence, &mut verdict);
    verdict
}

#[cfg(test)]
mod tests;
