//! One transactional id (KIP-98, KIP-360, KIP-890): its producer id and epoch, and what its state makes of each event.
//!
//! A method `on_<event>` says what the transactional id is like afterwards, or why nothing changes; it changes nothing itself.
//! What it gives is what Kafka's coordinator writes to `__transaction_state`, and
//! [`Transactions::apply`](super::Transactions::apply) puts it in place.

use std::collections::BTreeSet;

use tidemill_protocol::ErrorCode;

/// A topic, or `__consumer_offsets`, and the number of one of its partitions.
pub(crate) type TopicPartition = (String, i32);

pub(crate) const NO_PRODUCER_EPOCH: i16 = -1;

/// The last epoch a client gets: the one behind it is for fencing it.
const LAST_EPOCH: i16 = i16::MAX - 1;

/// A transactional id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    pub(crate) producer_id: i64,
    /// The producer id before the last change.
    pub(crate) previous_producer_id: i64,
    pub(crate) producer_epoch: i16,
    /// The epoch before, while the one who had it may ask again for what it was not told.
    pub(crate) last_producer_epoch: i16,
    pub(crate) timeout_ms: i32,
    /// When it last changed, in milliseconds since 1970.
    pub(crate) updated_ms: i64,
    pub(crate) state: State,
}

/// ```text
///            a partition is added           EndTxn                      all markers are written
///   Empty ─────────────────────────> Ongoing ──────> PrepareCommit ─────────────────────────────> CompleteCommit ──┐
///     ^                               ^  │   EndTxn, timeout,                                                      │
///     │                               │  └─────────────────────────> PrepareAbort ───────────────> CompleteAbort ──┤
///     │                               │        another producer           ^                                        │
///     │                               └──── a partition is added ─────────┼────────────────────────────────────────┤
///     └──────────────────────────────────── InitProducerId ───────────────┼────────────────────────────────────────┤
///                                                                         └──── EndTxn of the second generation ───┘
/// ```
/// In the second generation an abort that added no partition goes the whole way as well, also from Empty: it bumps the
/// epoch. Kafka's Dead is that of an id that expires, and is forgotten in the same step; its PrepareEpochFence is passed in one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    Empty,
    Ongoing { partitions: BTreeSet<TopicPartition>, started_ms: i64 },
    PrepareCommit(Ending),
    PrepareAbort(Ending),
    CompleteCommit { started_ms: i64 },
    CompleteAbort { started_ms: i64 },
}

/// A transaction whose end is decided, and not yet known to its partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) partitions: BTreeSet<TopicPartition>,
    pub(crate) started_ms: i64,
    pub(crate) generation: Generation,
    /// Takes over when all is written: the epochs of the old one are used up.
    pub(crate) next_producer_id: Option<i64>,
}

/// The generations of transactions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Generation {
    /// KIP-98: the producer keeps its epoch.
    V1,
    /// KIP-890: every end bumps the epoch.
    V2,
}

/// What InitProducerId does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Initialized {
    Ready(Transaction),
    /// A transaction is open. It is aborted first, and the client has to ask again.
    Aborting(Transaction),
}

/// What EndTxn does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Ending(Transaction),
    /// It was done before.
    Already,
}

impl Transaction {
    /// A transactional id that was never used before.
    pub(crate) const fn new(producer_id: i64) -> Self {
        Self {
            producer_id,
            previous_producer_id: -1,
            producer_epoch: NO_PRODUCER_EPOCH,
            last_producer_epoch: NO_PRODUCER_EPOCH,
            timeout_ms: 0,
            updated_ms: -1,
            state: State::Empty,
        }
    }

    /// `expected`: the producer id and epoch of a producer that goes on after an error (KIP-360).
    pub(crate) fn on_init(
        &self,
        expected: Option<(i64, i16)>,
        timeout_ms: i32,
        fence: Generation,
        new_producer_id: impl FnOnce() -> i64,
    ) -> Result<Initialized, ErrorCode> {
        let is_known = |(id, epoch): (i64, i16)| {
            self.producer_epoch == NO_PRODUCER_EPOCH
                || id == self.producer_id
                || id == self.previous_producer_id && is_exhausted(epoch)
        };
        if expected.is_some_and(|expected| !is_known(expected)) {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        match &self.state {
            State::PrepareCommit(_) | State::PrepareAbort(_) => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Ongoing { .. } => Ok(Initialized::Aborting(self.on_fence(fence)?)),
            State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. } => {
                let expected = expected.map(|(_, epoch)| epoch);
                let changed =
                    if is_exhausted(self.producer_epoch) && expected.is_none_or(|epoch| epoch == self.producer_epoch) {
                        Self {
                            producer_id: new_producer_id(),
                            producer_epoch: 0,
                            last_producer_epoch: expected.map_or(NO_PRODUCER_EPOCH, |_| self.producer_epoch),
                            ..self.next(State::Empty)
                        }
                    } else {
                        self.bumped(expected)?
                    };
                Ok(Initialized::Ready(Self { timeout_ms, ..changed }))
            }
        }
    }

    fn bumped(&self, expected: Option<i16>) -> Result<Self, ErrorCode> {
        if is_exhausted(self.producer_epoch) {
            // Here Kafka throws, whatever was expected.
            return Err(ErrorCode::UNKNOWN_SERVER_ERROR);
        }
        let next = self.next(State::Empty);
        let bumped = |last_producer_epoch| Self {
            producer_epoch: self.producer_epoch.saturating_add(1),
            last_producer_epoch,
            ..next.clone()
        };
        match expected {
            None => Ok(bumped(NO_PRODUCER_EPOCH)),
            Some(epoch) if epoch == self.producer_epoch || self.producer_epoch == NO_PRODUCER_EPOCH => {
                Ok(bumped(self.producer_epoch))
            }
            // It was bumped before, and the producer did not hear of it.
            Some(epoch) if epoch == self.last_producer_epoch => Ok(next),
            Some(_) => Err(ErrorCode::PRODUCER_FENCED),
        }
    }

    /// Aborts an open transaction, so that its producer is fenced: another one comes, or its time is up.
    pub(crate) fn on_fence(&self, generation: Generation) -> Result<Self, ErrorCode> {
        match &self.state {
            State::Ongoing { partitions, started_ms } => {
                let ending = Ending {
                    partitions: partitions.clone(),
                    started_ms: *started_ms,
                    generation,
                    next_producer_id: None,
                };
                // In the second generation the one whose transaction it was may ask for the new epoch.
                let last_producer_epoch = match generation {
                    Generation::V1 => NO_PRODUCER_EPOCH,
                    Generation::V2 => self.producer_epoch,
                };
                Ok(Self {
                    producer_epoch: self.producer_epoch.saturating_add(1),
                    last_producer_epoch,
                    ..self.next(State::PrepareAbort(ending))
                })
            }
            State::PrepareCommit(_) | State::PrepareAbort(_) => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. } => {
                Err(ErrorCode::INVALID_TXN_STATE)
            }
        }
    }

    /// What is new, if anything is.
    pub(crate) fn on_add_partitions(
        &self,
        producer: (i64, i16),
        added: &BTreeSet<TopicPartition>,
        now_ms: i64,
    ) -> Result<Option<Self>, ErrorCode> {
        self.check_producer(producer)?;
        let begin = || State::Ongoing { partitions: added.clone(), started_ms: now_ms };
        let state = match &self.state {
            State::PrepareCommit(_) | State::PrepareAbort(_) => return Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. } => begin(),
            State::Ongoing { partitions, .. } if added.is_subset(partitions) => return Ok(None),
            State::Ongoing { partitions, started_ms } => {
                State::Ongoing { partitions: partitions.union(added).cloned().collect(), started_ms: *started_ms }
            }
        };
        Ok(Some(self.next(state)))
    }

    /// Whether each of these partitions is in the open transaction.
    pub(crate) fn on_verify(
        &self,
        producer: (i64, i16),
        asked: &BTreeSet<TopicPartition>,
    ) -> Result<Vec<(TopicPartition, bool)>, ErrorCode> {
        self.check_producer(producer)?;
        match &self.state {
            State::PrepareCommit(_) | State::PrepareAbort(_) => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. } => {
                Ok(asked.iter().map(|partition| (partition.clone(), false)).collect())
            }
            State::Ongoing { partitions, .. } => {
                Ok(asked.iter().map(|partition| (partition.clone(), partitions.contains(partition))).collect())
            }
        }
    }

    fn check_producer(&self, (producer_id, epoch): (i64, i16)) -> Result<(), ErrorCode> {
        if producer_id != self.producer_id {
            Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING)
        } else if epoch != self.producer_epoch {
            Err(ErrorCode::PRODUCER_FENCED)
        } else {
            Ok(())
        }
    }

    /// The producer ends its transaction.
    pub(crate) fn on_end(
        &self,
        producer: (i64, i16),
        committed: bool,
        generation: Generation,
        now_ms: i64,
        new_producer_id: impl FnOnce() -> i64,
    ) -> Result<Ended, ErrorCode> {
        match generation {
            Generation::V1 => self.on_end_v1(producer, committed),
            Generation::V2 => self.on_end_v2(producer, committed, now_ms, new_producer_id),
        }
    }

    fn on_end_v1(&self, producer: (i64, i16), committed: bool) -> Result<Ended, ErrorCode> {
        self.check_producer(producer)?;
        match &self.state {
            State::Ongoing { partitions, started_ms } => {
                let ending = Ending {
                    partitions: partitions.clone(),
                    started_ms: *started_ms,
                    generation: Generation::V1,
                    next_producer_id: None,
                };
                Ok(Ended::Ending(self.next(State::ending(committed, ending))))
            }
            State::CompleteCommit { .. } if committed => Ok(Ended::Already),
            State::CompleteAbort { .. } if !committed => Ok(Ended::Already),
            State::PrepareCommit(_) if committed => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::PrepareAbort(_) if !committed => Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Empty
            | State::PrepareCommit(_)
            | State::PrepareAbort(_)
            | State::CompleteCommit { .. }
            | State::CompleteAbort { .. } => Err(ErrorCode::INVALID_TXN_STATE),
        }
    }

    fn on_end_v2(
        &self,
        (producer_id, epoch): (i64, i16),
        committed: bool,
        now_ms: i64,
        new_producer_id: impl FnOnce() -> i64,
    ) -> Result<Ended, ErrorCode> {
        // It has ended before, and the producer did not hear of its new epoch, or of its new id.
        let again = epoch.checked_add(1) == Some(self.producer_epoch);
        let again_on_overflow =
            producer_id == self.previous_producer_id && epoch == LAST_EPOCH && self.producer_epoch == 0;
        if producer_id != self.producer_id && !again_on_overflow {
            return Err(ErrorCode::INVALID_PRODUCER_ID_MAPPING);
        }
        let is_valid = match &self.state {
            State::Empty | State::Ongoing { .. } => epoch == self.producer_epoch,
            State::PrepareCommit(_) | State::PrepareAbort(_) => again,
            State::CompleteCommit { .. } | State::CompleteAbort { .. } => {
                again || again_on_overflow || epoch == self.producer_epoch
            }
        };
        if !is_valid {
            return Err(ErrorCode::PRODUCER_FENCED);
        }
        let again = again || again_on_overflow;
        let (partitions, started_ms) = match &self.state {
            State::Ongoing { partitions, started_ms } => (partitions.clone(), *started_ms),
            State::CompleteCommit { .. } if committed && again => return Ok(Ended::Already),
            State::CompleteAbort { .. } if !committed && again => return Ok(Ended::Already),
            State::PrepareCommit(_) if committed => return Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::PrepareAbort(_) if !committed => return Err(ErrorCode::CONCURRENT_TRANSACTIONS),
            State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. } if !committed && !again => {
                (BTreeSet::new(), now_ms)
            }
            State::Empty
            | State::PrepareCommit(_)
            | State::PrepareAbort(_)
            | State::CompleteCommit { .. }
            | State::CompleteAbort { .. } => return Err(ErrorCode::INVALID_TXN_STATE),
        };
        let next_producer_id = is_exhausted(self.producer_epoch).then(new_producer_id);
        let ending = Ending { partitions, started_ms, generation: Generation::V2, next_producer_id };
        Ok(Ended::Ending(Self {
            producer_epoch: self.producer_epoch.saturating_add(1),
            last_producer_epoch: self.producer_epoch,
            ..self.next(State::ending(committed, ending))
        }))
    }

    /// Every partition knows how the transaction has ended. None where none was ending.
    pub(crate) fn on_markers_written(&self) -> Option<Self> {
        let (ending, state) = match &self.state {
            State::PrepareCommit(ending) => (ending, State::CompleteCommit { started_ms: ending.started_ms }),
            State::PrepareAbort(ending) => (ending, State::CompleteAbort { started_ms: ending.started_ms }),
            State::Empty | State::Ongoing { .. } | State::CompleteCommit { .. } | State::CompleteAbort { .. } => {
                return None;
            }
        };
        let (producer_id, producer_epoch) = self.producer_after_end();
        let last_producer_epoch = ending.next_producer_id.map_or(self.last_producer_epoch, |_| LAST_EPOCH);
        Some(Self { producer_id, producer_epoch, last_producer_epoch, ..self.next(state) })
    }

    /// The producer id and epoch that are valid once the end is complete.
    pub(crate) const fn producer_after_end(&self) -> (i64, i16) {
        match &self.state {
            State::PrepareCommit(Ending { next_producer_id: Some(next), .. })
            | State::PrepareAbort(Ending { next_producer_id: Some(next), .. }) => (*next, 0),
            State::Empty
            | State::Ongoing { .. }
            | State::PrepareCommit(_)
            | State::PrepareAbort(_)
            | State::CompleteCommit { .. }
            | State::CompleteAbort { .. } => (self.producer_id, self.producer_epoch),
        }
    }

    /// The same in another state.
    fn next(&self, state: State) -> Self {
        Self { state, previous_producer_id: self.producer_id, ..self.clone() }
    }

    /// When an open transaction has been open for too long.
    pub(crate) fn expires_at_ms(&self) -> Option<i64> {
        match &self.state {
            State::Ongoing { started_ms, .. } => Some(started_ms + i64::from(self.timeout_ms) + 1),
            State::Empty
            | State::PrepareCommit(_)
            | State::PrepareAbort(_)
            | State::CompleteCommit { .. }
            | State::CompleteAbort { .. } => None,
        }
    }
}

impl State {
    /// Whether it may be forgotten when nothing has been done with it for long.
    pub(crate) const fn may_expire(&self) -> bool {
        match self {
            Self::Empty | Self::CompleteCommit { .. } | Self::CompleteAbort { .. } => true,
            Self::Ongoing { .. } | Self::PrepareCommit(_) | Self::PrepareAbort(_) => false,
        }
    }

    /// As Kafka calls it.
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing { .. } => "Ongoing",
            Self::PrepareCommit(_) => "PrepareCommit",
            Self::PrepareAbort(_) => "PrepareAbort",
            Self::CompleteCommit { .. } => "CompleteCommit",
            Self::CompleteAbort { .. } => "CompleteAbort",
        }
    }

    /// When the transaction began, in milliseconds since 1970; -1 where there was none.
    pub(crate) const fn started_ms(&self) -> i64 {
        match self {
            Self::Empty => -1,
            Self::Ongoing { started_ms, .. }
            | Self::CompleteCommit { started_ms }
            | Self::CompleteAbort { started_ms } => *started_ms,
            Self::PrepareCommit(ending) | Self::PrepareAbort(ending) => ending.started_ms,
        }
    }

    const fn ending(committed: bool, ending: Ending) -> Self {
        if committed { Self::PrepareCommit(ending) } else { Self::PrepareAbort(ending) }
    }
}

/// Whether a producer that has this epoch gets no further one.
const fn is_exhausted(epoch: i16) -> bool {
    epoch >= LAST_EPOCH
}
