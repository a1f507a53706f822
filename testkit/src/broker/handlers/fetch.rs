//! `Fetch` 4-18 (KIP-74, KIP-227, KIP-320, KIP-392, KIP-516): what lies at an offset, or, when there is too little, a wait.
//!
//! Fetch sessions are declined: every answer has session id 0, as Kafka answers when it has no room for another session,
//! and clients go on with full fetches. A session id that a client brings is answered `FETCH_SESSION_ID_NOT_FOUND`. Only
//! whole batches are sent, where Kafka may cut the last one. Followers do not fetch, and there is no other replica to
//! prefer. There are no transactions, so the last stable offset is the high watermark.

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::fetch_response::{
    EpochEndOffset, FetchableTopicResponse, LeaderIdAndEpoch, PartitionData,
};
use tidemill_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use tokio::time::Instant;

use crate::broker::topics::Partition;
use crate::broker::{Broker, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(4, 18);

/// `fetch.max.bytes` of the broker.
const FETCH_BYTES_MAX: usize = 55 * 1024 * 1024;

/// A fetch that waits.
#[derive(Debug)]
pub(in crate::broker) struct WaitingFetch {
    body: FetchRequest,
    version: i16,
}

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: FetchRequest = request.decode()?;
    if body.session_id != 0 {
        let response = FetchResponse::default().with_error_code(ErrorCode::FETCH_SESSION_ID_NOT_FOUND.0);
        return request.reply::<FetchRequest>(&response);
    }
    let waiting = WaitingFetch { body, version: request.version };
    let wait = Duration::from_millis(u64::try_from(waiting.body.max_wait_ms).unwrap_or(0));
    if wait.is_zero() || waiting.body.topics.is_empty() || is_ready(broker, &waiting) {
        return request.reply::<FetchRequest>(&read(broker, &waiting));
    }
    let mut watched = Vec::new();
    for topic in &waiting.body.topics {
        if let Ok(found) = broker.topics.find(&topic.topic.0, waiting.id(topic)) {
            watched.extend(topic.partitions.iter().map(|partition| (found.id, partition.partition)));
        }
    }
    broker.fetches.wait(request.caller.token, waiting, watched, request.now + wait);
    Ok(Outcome::Waits)
}

/// Answers the fetches that have enough, or have waited long enough; says when the next will have.
pub(in crate::broker) fn poll(broker: &mut Broker, now: Instant) -> Option<Instant> {
    for token in broker.fetches.take_touched() {
        if broker.fetches.get(token).is_some_and(|waiting| is_ready(broker, waiting)) {
            answer(broker, token, now);
        }
    }
    while let Some(token) = broker.fetches.expired(now) {
        answer(broker, token, now);
    }
    broker.fetches.next_deadline()
}

fn answer(broker: &mut Broker, token: crate::broker::Token, now: Instant) {
    if let Some(waiting) = broker.fetches.remove(token) {
        let response = read(broker, &waiting);
        broker.complete::<FetchRequest>(token, &response, now);
    }
}

impl WaitingFetch {
    fn id(&self, topic: &FetchTopic) -> Option<uuid::Uuid> {
        (self.version >= 13).then_some(topic.topic_id)
    }

    fn bytes_max(&self) -> usize {
        bytes(self.body.max_bytes).min(FETCH_BYTES_MAX)
    }
}

/// Whether there is enough to answer, or something is wrong, which is not waited for.
fn is_ready(broker: &Broker, waiting: &WaitingFetch) -> bool {
    let enough = bytes(waiting.body.min_bytes).min(waiting.bytes_max()) as u64;
    let mut found = 0_u64;
    for topic in &waiting.body.topics {
        let Ok(known) = broker.topics.find(&topic.topic.0, waiting.id(topic)) else { return true };
        for wanted in &topic.partitions {
            let Ok(partition) = known.partition(wanted.partition) else { return true };
            if check(partition, wanted).is_err() {
                return true;
            }
            let there = partition.log.bytes_from(wanted.fetch_offset);
            found = found.saturating_add(there.min(bytes(wanted.partition_max_bytes) as u64));
        }
    }
    found >= enough
}

/// Why a partition is answered without records.
enum Failure {
    Code(ErrorCode),
    /// The reader has records of an epoch that ended earlier here (KIP-595).
    Diverging(EpochEndOffset),
}

fn check(partition: &Partition, wanted: &FetchPartition) -> Result<(), Failure> {
    partition.check_leader_epoch(wanted.current_leader_epoch).map_err(Failure::Code)?;
    let readable = partition.log.start_offset()..=partition.high_watermark();
    if wanted.last_fetched_epoch > partition.leader_epoch {
        return Err(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE));
    }
    if wanted.last_fetched_epoch >= 0 {
        let (epoch, end) = partition
            .log
            .end_of_epoch(wanted.last_fetched_epoch)
            .ok_or(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE))?;
        if epoch < wanted.last_fetched_epoch || end < wanted.fetch_offset {
            return Err(Failure::Diverging(EpochEndOffset::default().with_epoch(epoch).with_end_offset(end)));
        }
    }
    if readable.contains(&wanted.fetch_offset) { Ok(()) } else { Err(Failure::Code(ErrorCode::OFFSET_OUT_OF_RANGE)) }
}

/// The answer, as full as it may be. The first batch found is sent however large it is (KIP-74).
fn read(broker: &Broker, waiting: &WaitingFetch) -> FetchResponse {
    let mut room = waiting.bytes_max();
    let mut first_always = true;
    let mut responses = Vec::with_capacity(waiting.body.topics.len());
    for topic in &waiting.body.topics {
        let known = broker.topics.find(&topic.topic.0, waiting.id(topic));
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in &topic.partitions {
            let partition = known.and_then(|known| known.partition(wanted.partition));
            let data = match partition {
                Ok(partition) => {
                    let limit = room.min(bytes(wanted.partition_max_bytes));
                    read_partition(broker, waiting, partition, wanted, limit, first_always)
                }
                Err(code) => failed(code).with_aborted_transactions(Some(Vec::new())),
            };
            if let Some(records) = data.records.as_ref().filter(|records| !records.is_empty()) {
                first_always = false;
                room = room.saturating_sub(records.len());
            }
            partitions.push(data.with_partition_index(wanted.partition));
        }
        responses.push(
            FetchableTopicResponse::default()
                .with_topic(topic.topic.clone())
                .with_topic_id(topic.topic_id)
                .with_partitions(partitions),
        );
    }
    FetchResponse::default().with_responses(responses)
}

fn read_partition(
    broker: &Broker,
    waiting: &WaitingFetch,
    partition: &Partition,
    wanted: &FetchPartition,
    limit: usize,
    first_always: bool,
) -> PartitionData {
    let committed = waiting.body.isolation_level == 1;
    let log = &partition.log;
    let data = PartitionData::default()
        .with_high_watermark(partition.high_watermark())
        .with_last_stable_offset(partition.last_stable_offset())
        .with_log_start_offset(log.start_offset())
        .with_aborted_transactions(committed.then(Vec::new));
    match check(partition, wanted) {
        Ok(()) => data.with_records(Some(log.read(wanted.fetch_offset, limit, first_always))),
        Err(Failure::Diverging(end)) => data.with_diverging_epoch(end),
        Err(Failure::Code(code)) => {
            // Who is behind is told who leads now (KIP-951).
            let leader = match code {
                ErrorCode::FENCED_LEADER_EPOCH => LeaderIdAndEpoch::default()
                    .with_leader_id(BrokerId(broker.config.node_id))
                    .with_leader_epoch(partition.leader_epoch),
                _ => LeaderIdAndEpoch::default(),
            };
            failed(code).with_current_leader(leader)
        }
    }
}

fn failed(code: ErrorCode) -> PartitionData {
    PartitionData::default()
        .with_error_code(code.0)
        .with_high_watermark(-1)
        .with_aborted_transactions(None)
        .with_records(Some(Bytes::new()))
}

fn bytes(limit: i32) -> usize {
    usize::try_from(limit).unwrap_or(0)
}
