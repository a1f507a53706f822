//! What is in the logs at the end, as an oracle reads them, and what the cluster did to them on the way.
#![expect(
    clippy::exhaustive_structs,
    clippy::exhaustive_enums,
    reason = "plain data that whoever records it writes down"
)]

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::operation::{Isolation, TopicPartition, Value};

/// The logs of all partitions that were read, and the committed offsets.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// The log of each partition. One that is not here was not read, and nothing is judged by it.
    pub partitions: BTreeMap<TopicPartition, PartitionLog>,
    /// What each group has committed. A group that is not here was not asked for.
    pub committed: BTreeMap<Arc<str>, BTreeMap<TopicPartition, i64>>,
}

/// The log of one partition.
#[derive(Clone, Debug, Default)]
pub struct PartitionLog {
    start_offset: i64,
    end_offset: i64,
    pub(super) entries: Vec<Entry>,
    changes: Vec<Change>,
    /// The lowest offset that the log was truncated to.
    truncated_to: Option<i64>,
    /// Truncations that took away what no later one did: when, and to where, both rising.
    truncations: Vec<(u64, i64)>,
    /// The highest offset below which it was compacted.
    compacted_below: Option<i64>,
}

/// What lies at one offset.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Entry {
    /// The offset.
    pub offset: i64,
    /// Who wrote it, if it was idempotent.
    pub producer: Option<Producer>,
    /// What it is.
    pub content: Content,
}

/// A producer, as a log knows it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Producer {
    /// The producer id.
    pub id: i64,
    /// The producer epoch.
    pub epoch: i16,
}

/// A record, or a marker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Content {
    /// A record.
    Record {
        /// What it holds.
        value: Value,
        /// Its key, as [`Value::of`] gives it.
        key: Option<u64>,
        /// What became of its transaction.
        state: TransactionState,
    },
    /// The end of a transaction.
    Marker {
        /// It was committed.
        commit: bool,
    },
}

/// What became of the transaction of a record.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransactionState {
    /// It is in none.
    None,
    /// Its marker says committed.
    Committed,
    /// Its marker says aborted.
    Aborted,
    /// It has no marker.
    Open,
}

/// What the cluster did to a log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// A new leader did not have the end of the log.
    Truncated {
        /// When, in microseconds since the start of the history.
        at_us: u64,
        /// The end of what was left.
        to: i64,
        /// The records that went, by their offsets.
        removed: Vec<(i64, Value)>,
    },
    /// Records that have a younger one of the same key may have gone.
    Compacted {
        /// The end of what was looked at.
        below: i64,
    },
}

impl Entry {
    /// A record outside any transaction, at this offset.
    #[must_use]
    pub const fn record(offset: i64, value: Value) -> Self {
        Self { offset, producer: None, content: Content::Record { value, key: None, state: TransactionState::None } }
    }

    /// What it holds, if it is a record.
    #[must_use]
    pub const fn value(&self) -> Option<Value> {
        match &self.content {
            Content::Record { value, .. } => Some(*value),
            Content::Marker { .. } => None,
        }
    }

    pub(super) const fn state(&self) -> Option<TransactionState> {
        match &self.content {
            Content::Record { state, .. } => Some(*state),
            Content::Marker { .. } => None,
        }
    }

    /// Whether a reader is to see it.
    pub(super) const fn is_visible(&self, isolation: Isolation) -> bool {
        match (self.state(), isolation) {
            (None, _) => false,
            (Some(_), Isolation::ReadUncommitted) => true,
            (Some(state), Isolation::ReadCommitted) => {
                matches!(state, TransactionState::None | TransactionState::Committed)
            }
        }
    }
}

impl PartitionLog {
    /// A log of these entries, in any order. It starts at offset 0, unless [`Self::set_start_offset`] says otherwise.
    #[must_use]
    pub fn new(mut entries: Vec<Entry>) -> Self {
        entries.sort_by_key(|entry| entry.offset);
        let end_offset = entries.last().map_or(0, |entry| entry.offset.saturating_add(1));
        Self {
            start_offset: 0,
            end_offset,
            entries,
            changes: Vec::new(),
            truncated_to: None,
            truncations: Vec::new(),
            compacted_below: None,
        }
    }

    /// Adds what lies at the next offset, or anywhere.
    pub fn push(&mut self, entry: Entry) {
        self.end_offset = self.end_offset.max(entry.offset.saturating_add(1));
        let at = self.entries.partition_point(|other| other.offset <= entry.offset);
        self.entries.insert(at, entry);
    }

    /// What lies below was deleted, by retention or by request.
    pub fn set_start_offset(&mut self, offset: i64) {
        self.start_offset = offset;
        self.end_offset = self.end_offset.max(offset);
    }

    /// What the cluster did to it.
    pub fn change(&mut self, change: Change) {
        match &change {
            Change::Truncated { at_us, to, .. } => {
                self.truncated_to = Some(self.truncated_to.map_or(*to, |lowest| lowest.min(*to)));
                let takes_more = |(later_us, lower): &(u64, i64)| later_us >= at_us && lower <= to;
                if !self.truncations.iter().any(takes_more) {
                    self.truncations.retain(|(before_us, higher)| before_us > at_us || higher < to);
                    let at = self.truncations.partition_point(|(before_us, _)| before_us < at_us);
                    self.truncations.insert(at, (*at_us, *to));
                }
            }
            Change::Compacted { below } => self.compacted_below = self.compacted_below.max(Some(*below)),
        }
        self.changes.push(change);
    }

    /// The first offset that was not deleted.
    #[must_use]
    pub const fn start_offset(&self) -> i64 {
        self.start_offset
    }

    /// The offset after the last.
    #[must_use]
    pub const fn end_offset(&self) -> i64 {
        self.end_offset
    }

    /// What is in it, by offset.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the cluster did to it.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// What lies at an offset.
    #[must_use]
    pub fn at(&self, offset: i64) -> Option<&Entry> {
        self.from(offset).first().filter(|entry| entry.offset == offset)
    }

    fn from(&self, offset: i64) -> &[Entry] {
        self.entries.get(self.entries.partition_point(|entry| entry.offset < offset)..).unwrap_or_default()
    }

    /// The records between two offsets that a reader is to see.
    pub(super) fn visible(&self, offsets: Range<i64>, isolation: Isolation) -> impl Iterator<Item = &Entry> {
        let within = self.from(offsets.start).iter().take_while(move |entry| entry.offset < offsets.end);
        within.filter(move |entry| entry.is_visible(isolation))
    }

    /// Whether the cluster may have removed a record that was written to this offset, by an operation invoked then.
    pub(super) fn may_have_lost(&self, offset: i64, invoked_us: u64) -> bool {
        offset < self.start_offset
            || self.compacted_below.is_some_and(|below| offset < below)
            || self.was_truncated_since(offset, invoked_us)
    }

    /// Whether the log was truncated below an offset, then or later.
    pub(super) fn was_truncated_since(&self, offset: i64, invoked_us: u64) -> bool {
        let from = self.truncations.partition_point(|(at_us, _)| *at_us < invoked_us);
        self.truncations.get(from).is_some_and(|(_, to)| offset >= *to)
    }

    pub(super) const fn is_compacted(&self) -> bool {
        self.compacted_below.is_some()
    }

    /// Whether an offset may have held more than one record.
    pub(super) fn was_truncated_at(&self, offset: i64) -> bool {
        self.truncated_to.is_some_and(|to| offset >= to)
    }

    pub(super) fn is_whole(&self) -> bool {
        self.start_offset == 0 && self.changes.is_empty()
    }
}
