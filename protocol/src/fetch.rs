//! The response of `Fetch`, read by hand: headers of partitions, and views of the frame where the records are.
//!
//! The message that consumers read most. [`frame`](crate::frame) has split the bytes; here every byte is checked as the
//! [`guard`] checks it, and read, in one walk. Whatever the number of partitions, two lists are allocated;
//! names, aborted transactions and records stay in the frame. The records are for [`records`](crate::records) to read.
//!
//! What nobody knows, tagged fields of newer versions, is checked and passed over.

use std::ops::Range;
use std::sync::OnceLock;

use bytes::Bytes;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use crate::api::{ApiKey, VersionRange};
use crate::error::DecodeError;
use crate::error_code::ErrorCode;
use crate::guard::{self, Budget, Row, Walk, Walked};

/// The versions that are read.
pub const VERSIONS: VersionRange = VersionRange::new(4, 18);

/// The first version in which topics go by their id instead of their name (KIP-516).
const BY_ID: i16 = 13;

/// What a broker sent: of which partitions, and which records.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct FetchResponse {
    /// How long the broker held the answer back, in milliseconds.
    pub throttle_time_ms: i32,
    /// What is wrong with the request as a whole (since version 7).
    pub error_code: ErrorCode,
    /// The fetch session (KIP-227, since version 7); 0 outside of one.
    pub session_id: i32,
    /// Where the leaders of [`PartitionData::current_leader`] can be reached (KIP-951, since version 16).
    pub node_endpoints: Vec<NodeEndpoint>,
    topics: Vec<TopicEntry>,
    partitions: Vec<PartitionData>,
}

/// A topic and its partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Topic<'a> {
    /// The name until version 12, empty from then on.
    pub name: &'a StrBytes,
    /// The id since version 13, nil before.
    pub id: Uuid,
    /// What was said of its partitions.
    pub partitions: &'a [PartitionData],
}

/// What a broker said of one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionData {
    /// The partition's number in its topic.
    pub partition_index: i32,
    /// Why there are no records, if it is an error.
    pub error_code: ErrorCode,
    /// The end of what is replicated: up to here a `read_uncommitted` reader may read.
    pub high_watermark: i64,
    /// The first offset of the oldest open transaction: up to here a `read_committed` reader may read.
    pub last_stable_offset: i64,
    /// The first offset there is (since version 5), -1 when it is not told.
    pub log_start_offset: i64,
    /// Where the reader's log and the leader's part (KIP-595, since version 12); -1 when they do not.
    pub diverging_epoch: EpochEndOffset,
    /// Who leads instead of whom was asked (since version 12); -1 when it is not told.
    pub current_leader: LeaderIdAndEpoch,
    /// The snapshot that a replica is to read instead (since version 12); -1 when it is not told.
    pub snapshot_id: SnapshotId,
    /// The aborted transactions that reach into the records; `None` for a `read_uncommitted` reader.
    pub aborted_transactions: Option<AbortedTransactions>,
    /// From which replica to read (KIP-392, since version 11); -1 for the one that was asked.
    pub preferred_read_replica: i32,
    /// Batches, the last maybe cut short: a view into the frame.
    pub records: Option<Bytes>,
}

/// A leader epoch and the offset at which it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of numbers of the protocol")]
pub struct EpochEndOffset {
    /// The leader epoch.
    pub epoch: i32,
    /// The offset behind its last record.
    pub end_offset: i64,
}

/// A leader and its epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of numbers of the protocol")]
pub struct LeaderIdAndEpoch {
    /// The broker's id.
    pub leader_id: i32,
    /// The leader epoch.
    pub leader_epoch: i32,
}

/// A snapshot of a partition of the controllers' log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of numbers of the protocol")]
pub struct SnapshotId {
    /// The offset behind what it holds.
    pub end_offset: i64,
    /// The leader epoch of the last record it holds.
    pub epoch: i32,
}

/// Where a broker can be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NodeEndpoint {
    /// The broker's id.
    pub node_id: i32,
    /// Its host name or address.
    pub host: StrBytes,
    /// Its port.
    pub port: i32,
    /// Its rack, if it has one.
    pub rack: Option<StrBytes>,
}

/// Aborted transactions: a view into the frame, read as it is gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbortedTransactions {
    elements: Bytes,
    is_flexible: bool,
}

/// A transaction that was rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of numbers of the protocol")]
pub struct AbortedTransaction {
    /// Who wrote it.
    pub producer_id: i64,
    /// The offset of its first record in this partition.
    pub first_offset: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct TopicEntry {
    name: StrBytes,
    id: Uuid,
    partitions: Range<usize>,
}

impl FetchResponse {
    /// Reads a whole response frame (without its length); all of it must be used.
    ///
    /// # Errors
    /// Exactly when, and in the words in which, [`guard::check_response`] refuses the frame.
    pub fn read(version: i16, frame: &Bytes) -> Result<Self, DecodeError> {
        Self::read_within(version, frame, Budget::default())
    }

    /// [`read`](Self::read) with a budget of one's own. It is spent as for the message structs, which take more.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn read_within(version: i16, frame: &Bytes, budget: Budget) -> Result<Self, DecodeError> {
        guard::read_response(ApiKey::FETCH, version, frame, budget, |walk, row| {
            // Looked up once in the life of the process.
            static ROWS: OnceLock<Rows> = OnceLock::new();
            Reader { frame, version, rows: ROWS.get_or_init(|| Rows::of(row)) }.response(walk)
        })
    }

    /// The topics in the order of the answer, each with its partitions.
    pub fn topics(&self) -> impl Iterator<Item = Topic<'_>> {
        self.topics.iter().map(|TopicEntry { name, id, partitions }| Topic {
            name,
            id: *id,
            partitions: self.partitions.get(partitions.clone()).unwrap_or_default(),
        })
    }
}

impl AbortedTransactions {
    /// The transactions in the order of the answer, which some brokers do not sort.
    pub fn iter(&self) -> impl Iterator<Item = AbortedTransaction> {
        let mut rest = &self.elements[..];
        std::iter::from_fn(move || next_aborted(&mut rest, self.is_flexible))
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.elements.is_empty()
    }
}

/// The structs of the response in the guard's tables.
#[derive(Debug, Clone, Copy)]
struct Rows {
    response: Row,
    topic: Row,
    partition: Row,
    aborted: Row,
    endpoint: Row,
    diverging_epoch: Row,
    current_leader: Row,
    snapshot_id: Row,
}

impl Rows {
    fn of(response: Row) -> Self {
        let topic = response.inner("responses");
        let partition = topic.inner("partitions");
        Self {
            response,
            topic,
            partition,
            aborted: partition.inner("aborted_transactions"),
            endpoint: response.inner("node_endpoints"),
            diverging_epoch: partition.inner("diverging_epoch"),
            current_leader: partition.inner("current_leader"),
            snapshot_id: partition.inner("snapshot_id"),
        }
    }
}

/// What the reader of every struct needs beside the walk.
#[derive(Debug, Clone, Copy)]
struct Reader<'a> {
    frame: &'a Bytes,
    version: i16,
    rows: &'static Rows,
}

impl<'a> Reader<'a> {
    fn response(&self, walk: &mut Walk<'a>) -> Walked<FetchResponse> {
        let since_7 = self.version >= 7;
        let throttle_time_ms = walk.int32("throttle_time_ms")?;
        let error_code = if since_7 { walk.int16("error_code")? } else { 0 };
        let session_id = if since_7 { walk.int32("session_id")? } else { 0 };
        let count = walk.count_of("responses", self.rows.topic)?;
        let mut topics = Vec::with_capacity(count);
        let mut partitions = Vec::new();
        walk.elements("responses", count, |walk| {
            topics.push(self.topic(walk, &mut partitions)?);
            Ok(())
        })?;
        let mut node_endpoints = Vec::new();
        walk.tags(self.rows.response, |walk, field| match field {
            "node_endpoints" => {
                let count = walk.count_of("node_endpoints", self.rows.endpoint)?;
                node_endpoints.reserve_exact(count);
                walk.elements("node_endpoints", count, |walk| {
                    node_endpoints.push(self.endpoint(walk)?);
                    Ok(())
                })
            }
            _ => Ok(()),
        })?;
        let error_code = ErrorCode(error_code);
        Ok(FetchResponse { throttle_time_ms, error_code, session_id, node_endpoints, topics, partitions })
    }

    fn topic(&self, walk: &mut Walk<'a>, partitions: &mut Vec<PartitionData>) -> Walked<TopicEntry> {
        let by_id = self.version >= BY_ID;
        let name = if by_id { StrBytes::default() } else { self.view(walk.text("topic")?) };
        let id = if by_id { Uuid::from_bytes(walk.fixed("topic_id")?) } else { Uuid::nil() };
        let count = walk.count_of("partitions", self.rows.partition)?;
        let first = partitions.len();
        partitions.reserve(count);
        walk.elements("partitions", count, |walk| self.partition(walk, partitions))?;
        walk.no_tags(self.rows.topic)?;
        Ok(TopicEntry { name, id, partitions: first..partitions.len() })
    }

    /// Reads a partition to the end of the list, where there is room for it: it is made in its place.
    fn partition(&self, walk: &mut Walk<'a>, partitions: &mut Vec<PartitionData>) -> Walked {
        let partition_index = walk.int32("partition_index")?;
        let error_code = ErrorCode(walk.int16("error_code")?);
        let high_watermark = walk.int64("high_watermark")?;
        let last_stable_offset = walk.int64("last_stable_offset")?;
        let log_start_offset = if self.version >= 5 { walk.int64("log_start_offset")? } else { -1 };
        let aborted_transactions = self.aborted(walk)?;
        let preferred_read_replica = if self.version >= 11 { walk.int32("preferred_read_replica")? } else { -1 };
        let records = walk.nullable_bytes("records")?.map(|records| self.frame.slice_ref(records));
        let mut diverging_epoch = EpochEndOffset { epoch: -1, end_offset: -1 };
        let mut current_leader = LeaderIdAndEpoch { leader_id: -1, leader_epoch: -1 };
        let mut snapshot_id = SnapshotId { end_offset: -1, epoch: -1 };
        walk.tags(self.rows.partition, |walk, field| match field {
            "diverging_epoch" => walk.inner("diverging_epoch", |walk| {
                let (epoch, end_offset) = (walk.int32("epoch")?, walk.int64("end_offset")?);
                diverging_epoch = EpochEndOffset { epoch, end_offset };
                walk.no_tags(self.rows.diverging_epoch)
            }),
            "current_leader" => walk.inner("current_leader", |walk| {
                let (leader_id, leader_epoch) = (walk.int32("leader_id")?, walk.int32("leader_epoch")?);
                current_leader = LeaderIdAndEpoch { leader_id, leader_epoch };
                walk.no_tags(self.rows.current_leader)
            }),
            "snapshot_id" => walk.inner("snapshot_id", |walk| {
                let (end_offset, epoch) = (walk.int64("end_offset")?, walk.int32("epoch")?);
                snapshot_id = SnapshotId { end_offset, epoch };
                walk.no_tags(self.rows.snapshot_id)
            }),
            _ => Ok(()),
        })?;
        partitions.push(PartitionData {
            partition_index,
            error_code,
            high_watermark,
            last_stable_offset,
            log_start_offset,
            diverging_epoch,
            current_leader,
            snapshot_id,
            aborted_transactions,
            preferred_read_replica,
            records,
        });
        Ok(())
    }

    fn aborted(&self, walk: &mut Walk<'a>) -> Walked<Option<AbortedTransactions>> {
        const NAME: &str = "aborted_transactions";
        let Some(count) = walk.nullable_count_of(NAME, self.rows.aborted)? else { return Ok(None) };
        let is_flexible = walk.is_flexible();
        if count == 0 {
            return Ok(Some(AbortedTransactions { elements: Bytes::new(), is_flexible }));
        }
        let elements = walk.taken(|walk| {
            walk.elements(NAME, count, |walk| {
                walk.int64("producer_id")?;
                walk.int64("first_offset")?;
                walk.no_tags(self.rows.aborted)
            })
        })?;
        let elements = self.frame.slice_ref(elements);
        Ok(Some(AbortedTransactions { elements, is_flexible }))
    }

    fn endpoint(&self, walk: &mut Walk<'a>) -> Walked<NodeEndpoint> {
        let node_id = walk.int32("node_id")?;
        let host = self.view(walk.text("host")?);
        let port = walk.int32("port")?;
        let rack = walk.nullable_text("rack")?.map(|rack| self.view(rack));
        walk.no_tags(self.rows.endpoint)?;
        Ok(NodeEndpoint { node_id, host, port, rack })
    }

    /// Text as a view into the frame.
    fn view(&self, text: &str) -> StrBytes {
        // What was a string still is one.
        StrBytes::from_utf8(self.frame.slice_ref(text.as_bytes())).unwrap_or_default()
    }
}

/// The next aborted transaction of elements that were checked when they were split off the frame.
fn next_aborted(rest: &mut &[u8], is_flexible: bool) -> Option<AbortedTransaction> {
    let (producer_id, behind) = rest.split_first_chunk()?;
    let (first_offset, mut behind) = behind.split_first_chunk()?;
    if is_flexible {
        behind = guard::behind_tags(behind)?;
    }
    *rest = behind;
    let (producer_id, first_offset) = (i64::from_be_bytes(*producer_id), i64::from_be_bytes(*first_offset));
    Some(AbortedTransaction { producer_id, first_offset })
}

#[cfg(test)]
mod tests;
