//! One operation of a client, as plain data: who, when, what, and how it ended.
//!
//! The log that the operations are held against is in [`log`](super::log).
#![expect(
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    reason = "plain data that whoever records it writes down"
)]

use std::fmt;
use std::sync::Arc;

/// One life of one client: a producer, a consumer, or a program. After a restart it is another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ClientId(pub u32);

/// The place of an operation in its history, counted from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct OperationId(pub usize);

/// What a record holds: a number that the test gives each record it sends, or [a hash of its bytes](Self::of).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Value(pub u64);

impl Value {
    /// Stands for these bytes. A decimal number without leading zeros is that number, so that reports name it; anything
    /// else is a hash.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let canonical = bytes.len() == 1 || bytes.first().is_some_and(|first| (b'1'..=b'9').contains(first));
        if canonical
            && bytes.iter().all(u8::is_ascii_digit)
            && let Some(number) = std::str::from_utf8(bytes).ok().and_then(|text| text.parse::<u64>().ok())
            && number < 1 << 63
        {
            return Self(number);
        }
        // FNV-1a, with the top bit set, where no number of the upper branch is.
        let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self(hash | 1 << 63)
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < 1 << 63 { write!(f, "value {}", self.0) } else { write!(f, "value #{:x}", self.0) }
    }
}

/// A partition of a topic.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TopicPartition {
    /// The topic.
    pub topic: Arc<str>,
    /// The number of the partition.
    pub partition: i32,
}

impl TopicPartition {
    /// This partition of this topic.
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> Self {
        Self { topic: topic.into(), partition }
    }
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.topic, self.partition)
    }
}

/// One operation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Operation {
    /// Who.
    pub client: ClientId,
    /// When it was invoked, in microseconds since the start of the history.
    pub invoked_us: u64,
    /// When it ended; none if it never did.
    pub ended_us: Option<u64>,
    /// What, with what it returned.
    pub action: Action,
    /// How it ended.
    pub outcome: Outcome,
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It was applied.
    Ok,
    /// It was not applied and never will be.
    Failed,
    /// It may have been applied, or be applied at any later time. Also: it has not ended.
    Unknown,
}

/// What was done.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Action {
    /// A record was sent.
    Send(Send),
    /// A transactional producer was initialised, which fences all others with this transactional id.
    Init {
        /// The transactional id.
        transactional_id: Arc<str>,
    },
    /// A transaction was begun.
    Begin(Transaction),
    /// A transaction was to be committed.
    Commit(Transaction),
    /// A transaction was to be aborted.
    Abort(Transaction),
    /// Offsets of a group were added to a transaction.
    SendOffsets {
        /// The transaction.
        transaction: Transaction,
        /// Whose offsets.
        group: Arc<str>,
        /// The offsets, each the next to read.
        offsets: Vec<(TopicPartition, i64)>,
    },
    /// Records were asked for.
    Poll(Poll),
    /// The position of a consumer was asked for.
    Position {
        /// Of which partition.
        partition: TopicPartition,
        /// The next offset it will read.
        offset: i64,
    },
    /// Offsets were committed for a group. To commit an offset that is lower than the last, seek before.
    CommitOffsets {
        /// The group.
        group: Arc<str>,
        /// The offsets, each the next to read.
        offsets: Vec<(TopicPartition, i64)>,
        /// Who decided to.
        trigger: Trigger,
    },
    /// What a group has committed was asked for.
    Committed {
        /// The group.
        group: Arc<str>,
        /// The offsets that the broker gave.
        offsets: Vec<(TopicPartition, i64)>,
    },
    /// A position was moved, by the application or by a reset that was reported to it.
    Seek {
        /// Of which partition.
        partition: TopicPartition,
        /// The next offset to read.
        offset: i64,
        /// Why.
        reason: SeekReason,
    },
    /// The callback that partitions were assigned.
    Assigned {
        /// In which group.
        group: Arc<str>,
        /// The partitions that were added.
        partitions: Vec<TopicPartition>,
        /// The group's generation or the member's epoch, if the client tells.
        epoch: Option<i64>,
    },
    /// The callback that partitions are taken away.
    Revoked {
        /// In which group.
        group: Arc<str>,
        /// The partitions that were taken.
        partitions: Vec<TopicPartition>,
        /// They were lost: the group had given them away before the member knew.
        lost: bool,
    },
    /// A producer was flushed.
    Flush,
    /// A client was closed.
    Close,
    /// A client was killed. What it had not ended will never end.
    Crash,
    /// Something was measured that has a limit.
    Measure {
        /// What.
        quantity: Quantity,
        /// How much there was.
        amount: u64,
        /// How much there may be.
        limit: u64,
    },
}

/// A record that was sent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Send {
    /// To which partition; none if that was never known.
    pub partition: Option<TopicPartition>,
    /// What it holds.
    pub value: Value,
    /// Its key, if it has one, as [`Value::of`] gives it.
    pub key: Option<u64>,
    /// It deletes its key.
    pub tombstone: bool,
    /// Its place among all sends of its client.
    pub sequence: u64,
    /// `acks=all`.
    pub acks_all: bool,
    /// The producer is idempotent.
    pub idempotent: bool,
    /// The transaction it is part of.
    pub transaction: Option<Transaction>,
    /// The offset that was returned, if one was.
    pub offset: Option<i64>,
}

/// A transaction: a client numbers its own.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Transaction {
    /// The transactional id of its producer.
    pub transactional_id: Arc<str>,
    /// Which one of its client.
    pub number: u64,
}

/// Records were asked for, and came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Poll {
    /// The group of the consumer, if it is in one.
    pub group: Option<Arc<str>>,
    /// `isolation.level`.
    pub isolation: Isolation,
    /// The records, in the order they were handed out.
    pub records: Vec<Read>,
}

/// A record that was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Read {
    /// From which partition.
    pub partition: TopicPartition,
    /// At which offset.
    pub offset: i64,
    /// What it holds; none if the reader does not tell.
    pub value: Option<Value>,
}

/// `isolation.level`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Isolation {
    /// Everything below the high watermark.
    ReadUncommitted,
    /// Nothing of open or aborted transactions.
    ReadCommitted,
}

/// Who decided to commit offsets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Trigger {
    /// The application.
    Explicit,
    /// `enable.auto.commit`.
    Auto,
}

/// Why a position was moved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SeekReason {
    /// The application wanted it.
    Explicit,
    /// The offset was out of range, or there was none.
    Reset,
    /// The log was found to be truncated.
    Truncation,
}

/// What has a limit.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Quantity {
    /// Bytes of records that a producer holds.
    BufferedBytes,
    /// Tasks that run after all clients are closed.
    TasksAfterClose,
    /// Sockets that are open after all clients are closed.
    SocketsAfterClose,
    /// Microseconds of real time that a run in virtual time took.
    WallTime,
}

impl Action {
    /// The send, if it is one.
    pub(super) const fn as_send(&self) -> Option<&Send> {
        if let Self::Send(send) = self { Some(send) } else { None }
    }

    /// The poll, if it is one.
    pub(super) const fn as_poll(&self) -> Option<&Poll> {
        if let Self::Poll(poll) = self { Some(poll) } else { None }
    }
}

/// As reports show it, in one line.
impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let outcome = match self.outcome {
            Outcome::Ok => "ok",
            Outcome::Failed => "failed",
            Outcome::Unknown => "unknown",
        };
        write!(f, "client {}, {}..", self.client.0, self.invoked_us)?;
        match self.ended_us {
            Some(ended) => write!(f, "{ended} us, {outcome}: {}", self.action),
            None => write!(f, "never ended: {}", self.action),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(send) => {
                write!(f, "send {}", send.value)?;
                if let Some(partition) = &send.partition {
                    write!(f, " to {partition}")?;
                }
                if let Some(transaction) = &send.transaction {
                    write!(f, " in {transaction}")?;
                }
                send.offset.map_or(Ok(()), |offset| write!(f, ", offset {offset}"))
            }
            Self::Init { transactional_id } => write!(f, "init {transactional_id}"),
            Self::Begin(transaction) => write!(f, "begin {transaction}"),
            Self::Commit(transaction) => write!(f, "commit {transaction}"),
            Self::Abort(transaction) => write!(f, "abort {transaction}"),
            Self::SendOffsets { transaction, group, offsets } => {
                write!(f, "send offsets of {group} in {transaction}:")?;
                show_offsets(f, offsets)
            }
            Self::Poll(poll) => {
                write!(f, "poll, {} records", poll.records.len())?;
                match (poll.records.first(), poll.records.last()) {
                    (Some(first), Some(last)) => {
                        write!(f, ", {} {} to {} {}", first.partition, first.offset, last.partition, last.offset)
                    }
                    (None, _) | (_, None) => Ok(()),
                }
            }
            Self::Position { partition, offset } => write!(f, "position of {partition}: {offset}"),
            Self::CommitOffsets { group, offsets, trigger } => {
                let trigger = match trigger {
                    Trigger::Explicit => "commit",
                    Trigger::Auto => "auto-commit",
                };
                write!(f, "{trigger} for {group}:")?;
                show_offsets(f, offsets)
            }
            Self::Committed { group, offsets } => {
                write!(f, "committed of {group}:")?;
                show_offsets(f, offsets)
            }
            Self::Seek { partition, offset, reason } => write!(f, "seek {partition} to {offset} ({reason:?})"),
            Self::Assigned { group, partitions, epoch } => {
                write!(f, "assigned in {group}")?;
                if let Some(epoch) = epoch {
                    write!(f, " at epoch {epoch}")?;
                }
                partitions.iter().take(SHOWN_MAX).try_for_each(|partition| write!(f, " {partition}"))
            }
            Self::Revoked { group, partitions, lost } => {
                write!(f, "{} in {group}", if *lost { "lost" } else { "revoked" })?;
                partitions.iter().take(SHOWN_MAX).try_for_each(|partition| write!(f, " {partition}"))
            }
            Self::Flush => f.write_str("flush"),
            Self::Close => f.write_str("close"),
            Self::Crash => f.write_str("crash"),
            Self::Measure { quantity, amount, limit } => write!(f, "{quantity:?}: {amount} of {limit}"),
        }
    }
}

impl fmt::Display for Transaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "transaction {} of {}", self.number, self.transactional_id)
    }
}

fn show_offsets(f: &mut fmt::Formatter<'_>, offsets: &[(TopicPartition, i64)]) -> fmt::Result {
    offsets.iter().take(SHOWN_MAX).try_for_each(|(partition, offset)| write!(f, " {partition} {offset}"))
}

/// How many partitions a line shows.
const SHOWN_MAX: usize = 8;
