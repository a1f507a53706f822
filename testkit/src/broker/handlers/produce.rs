//! `Produce` 3-13 (KIP-98, KIP-110, KIP-467, KIP-516, KIP-890, KIP-951): checks batches and appends them.
//!
//! With `acks=-1` the answer [waits](waiting) until all replicas in sync have what was written. Every batch is opened and its
//! records are read once, as Kafka does, so that nothing malformed reaches a reader. This is stricter than Kafka in one
//! thing: a record whose offset does not go with its place in the batch is refused. What belongs to a transaction is
//! [verified](transactional) first. A batch that comes in another codec than the topic's `compression.type` says is
//! compressed anew, all of it at once; the level is asked for only then (KIP-390).

mod transactional;
mod waiting;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, LeaderIdAndEpoch, NodeEndpoint, PartitionProduceResponse, TopicProduceResponse,
};
use tidemill_protocol::messages::{BrokerId, ProduceRequest, ProduceResponse};
use tidemill_protocol::records::{OpenBatch, RecordBatch, RecordBatches, TimestampType, recompress, with_create_time};
use tidemill_protocol::{DecodeError, ErrorCode, StrBytes};
use uuid::Uuid;

use super::text;
use crate::broker::acls::Operation;
use crate::broker::partition::Partition;
use crate::broker::producer_state::Verdict;
use crate::broker::topic_config::TopicConfig;
use crate::broker::topics::Topic;
use crate::broker::{Cluster, Outcome, Refused, Request};

use self::transactional::Verification;
use self::waiting::Pending;
pub(in crate::broker) use self::waiting::{WaitingProduce, poll, ready};

pub(super) const VERSIONS: VersionRange = VersionRange::new(3, 13);

/// The first version whose batches may be compressed with zstd (KIP-110).
const ZSTD_SINCE: i16 = 7;

/// The client id of Kafka's own tools that may write to Kafka's own topics.
const ADMIN_CLIENT: &str = "__admin_client";

/// What the records of a batch may inflate to.
const INFLATED_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Where a batch says how long it is.
const LENGTH_AT: usize = 8;

/// Where every format of batches says which it is.
const MAGIC_AT: usize = 16;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ProduceRequest = request.decode()?;
    let verification = Verification::of(cluster, &body, request);
    let mut failed = false;
    let mut pending = Vec::new();
    let topic_data = once_each(body.topic_data, request.version);
    let mut responses = Vec::with_capacity(topic_data.len());
    for (topic, mut faults) in topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        let id = (request.version >= 13).then_some(topic.topic_id);
        for data in topic.partition_data {
            let index = data.index;
            let allowed = request.topic(cluster, Operation::Write, &topic.name.0, id).map(Topic::is_internal);
            let written = match (&verification, allowed) {
                (Err(code), _) => Err(transactional::refuse_all(*code)),
                (Ok(_), Err(code)) => Err(Rejection::new(code, "")),
                (Ok(_), Ok(true)) if (-1..=1).contains(&body.acks) && request.caller.client_id != ADMIN_CLIENT => {
                    Err(Rejection::new(ErrorCode::INVALID_TOPIC_EXCEPTION, "Kafka's own topics are not written to"))
                }
                (Ok(verification), Ok(_)) if (-1..=1).contains(&body.acks) => {
                    write(cluster, &topic.name.0, id, data, verification, body.acks, request)
                }
                (Ok(verification), Ok(_)) => {
                    let found = cluster.topics.find(&topic.name.0, id).map(|topic| &*topic.name.0);
                    Err(refuse_acks(cluster, found.unwrap_or_default(), &data, verification, request.version))
                }
            };
            let is_there = allowed.is_ok()
                && cluster.topics.find(&topic.name.0, id).is_ok_and(|topic| topic.partition(index).is_ok());
            let written = match faults.remove(&index) {
                Some(fault) if verification.is_ok() && is_there => Err(fault),
                Some(_) | None => written,
            };
            failed |= written.is_err();
            let response = match written {
                Ok(Written { response, unreplicated }) => {
                    let place = (responses.len(), partitions.len());
                    pending.extend(unreplicated.map(|it| Pending { topic: place.0, partition: place.1, ..it }));
                    response
                }
                Err(rejection) => rejection.response(),
            };
            partitions.push(response.with_index(index));
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(topic.name)
                .with_topic_id(topic.topic_id)
                .with_partition_responses(partitions),
        );
    }
    let response = ProduceResponse::default().with_responses(responses);
    match (body.acks, failed) {
        // There is no other way to say it.
        (0, true) => Err(Refused("a produce request that wants no answer failed".to_owned())),
        (0, false) => Ok(Outcome::Silent),
        (-1, _) if !pending.is_empty() => {
            let watched = pending.iter().map(|it| it.watched).collect();
            let patience = Duration::from_millis(u64::try_from(body.timeout_ms).unwrap_or_default());
            let waiting = WaitingProduce { response, version: request.version, pending };
            cluster.produces.wait(request.caller.token, waiting, watched, request.now + patience);
            Ok(Outcome::Waits)
        }
        _ => request.reply::<ProduceRequest>(&respond(cluster, response, request.version)),
    }
}

/// Of what stands there for a partition several times, the last that can be, beside what is wrong with others: as in Kafka
/// that is told, though the one is written. Topics without any partition are not answered.
fn once_each(topics: Vec<TopicProduceData>, version: i16) -> Vec<(TopicProduceData, BTreeMap<i32, Rejection>)> {
    let mut places = BTreeMap::new();
    let mut once: Vec<(TopicProduceData, BTreeMap<i32, Rejection>)> = Vec::with_capacity(topics.len());
    for mut topic in topics {
        let key = if version >= 13 { (String::new(), topic.topic_id) } else { (topic.name.to_string(), Uuid::nil()) };
        let partitions = std::mem::take(&mut topic.partition_data);
        if partitions.is_empty() {
            continue;
        }
        let place = *places.entry(key).or_insert(once.len());
        if place == once.len() {
            once.push((topic, BTreeMap::new()));
        }
        if let Some((topic, _)) = once.get_mut(place) {
            topic.partition_data.extend(partitions);
        }
    }
    for (topic, faults) in &mut once {
        let mut times: BTreeMap<i32, u32> = BTreeMap::new();
        for data in &topic.partition_data {
            *times.entry(data.index).or_default() += 1;
        }
        let fault = |data: &PartitionProduceData| {
            let is_several = times.get(&data.index).is_some_and(|times| *times > 1);
            is_several.then(|| fault_before_the_log(data, version)).flatten()
        };
        let mut seen = BTreeSet::new();
        let (mut whole, mut broken) = (Vec::new(), Vec::new());
        for data in std::mem::take(&mut topic.partition_data).into_iter().rev() {
            match fault(&data) {
                Some(fault) => broken.push((data, fault)),
                None if seen.insert(data.index) => whole.push(data),
                None => {}
            }
        }
        for (data, fault) in broken {
            let index = data.index;
            if seen.insert(index) {
                whole.push(data);
            } else {
                faults.entry(index).or_insert(fault);
            }
        }
        whole.reverse();
        topic.partition_data = whole;
    }
    once
}

/// Why a batch with acks that there are not is not written: that is told after all else that no log is needed for.
fn refuse_acks(
    cluster: &Cluster,
    name: &str,
    data: &PartitionProduceData,
    verification: &Verification,
    version: i16,
) -> Rejection {
    if !cluster.topics.has(name, data.index) {
        return Rejection::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, "");
    }
    let fault = fault_before_the_log(data, version).or_else(|| verification.check(name, data.index).err());
    fault.unwrap_or_else(|| Rejection::new(ErrorCode::INVALID_REQUIRED_ACKS, ""))
}

/// What is wrong with a batch that no log is needed to see.
fn fault_before_the_log(data: &PartitionProduceData, version: i16) -> Option<Rejection> {
    let checked = only_batch(data.records.clone()?, 0, version);
    let is_before = |fault: &Rejection| fault.log_start_offset < 0;
    let codes = [ErrorCode::INVALID_RECORD, ErrorCode::UNSUPPORTED_COMPRESSION_TYPE];
    checked.err().filter(|fault| is_before(fault) && codes.contains(&fault.code))
}

/// Who asked the wrong broker is told who leads now, and where that one is (KIP-951).
fn respond(cluster: &Cluster, mut response: ProduceResponse, version: i16) -> ProduceResponse {
    if version < SAYS_LEADER_SINCE {
        return response;
    }
    let mut leaders = BTreeSet::new();
    for topic in &mut response.responses {
        for partition in &mut topic.partition_responses {
            if partition.error_code != ErrorCode::NOT_LEADER_OR_FOLLOWER.0 {
                continue;
            }
            let id = (version >= 13).then_some(topic.topic_id);
            let found = cluster.topics.find(&topic.name.0, id);
            let Ok(found) = found.and_then(|topic| topic.partition(partition.index)) else { continue };
            partition.current_leader = LeaderIdAndEpoch::default()
                .with_leader_id(BrokerId(found.leader.unwrap_or(-1)))
                .with_leader_epoch(found.leader_epoch);
            leaders.extend(found.leader);
        }
    }
    let endpoints = leaders.into_iter().filter_map(|id| cluster.nodes.get(id)).map(|node| {
        NodeEndpoint::default()
            .with_node_id(BrokerId(node.config.node_id))
            .with_host(text(&node.config.host))
            .with_port(i32::from(node.config.port))
            .with_rack(node.config.rack.as_deref().map(text))
    });
    response.node_endpoints = endpoints.collect();
    response
}

/// A batch that was written, or was before.
struct Written {
    response: PartitionProduceResponse,
    /// It is not with all replicas in sync. Where its answer stands is still to be said.
    unreplicated: Option<Pending>,
}

/// Why a batch is not written.
#[derive(Debug)]
struct Rejection {
    code: ErrorCode,
    message: String,
    /// The records that are at fault, by their places in the batch, and what is wrong with each.
    records: Vec<(i32, String)>,
    /// Kafka tells the client the reason only where single records or the format are at fault; else it is for who debugs
    /// the broker.
    told: bool,
    /// Said by the log rather than before it; then the log says where it starts.
    log_start_offset: i64,
}

impl Rejection {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), records: Vec::new(), told: false, log_start_offset: -1 }
    }

    fn of_records(code: ErrorCode, message: impl Into<String>, records: Vec<(i32, String)>) -> Self {
        Self { records, told: true, ..Self::new(code, message) }
    }

    fn response(self) -> PartitionProduceResponse {
        tracing::debug!(code = %self.code, reason = self.message, "batch refused");
        let message = self.told.then(|| StrBytes::from_string(self.message));
        let records = self.records.into_iter().map(|(index, message)| {
            BatchIndexAndErrorMessage::default()
                .with_batch_index(index)
                .with_batch_index_error_message(Some(StrBytes::from_string(message)))
        });
        PartitionProduceResponse::default()
            .with_error_code(self.code.0)
            .with_base_offset(-1)
            .with_log_start_offset(self.log_start_offset)
            .with_record_errors(records.collect())
            .with_error_message(message)
    }
}

fn write(
    cluster: &mut Cluster,
    name: &str,
    id: Option<Uuid>,
    data: PartitionProduceData,
    verification: &Verification,
    acks: i16,
    request: &Request<'_>,
) -> Result<Written, Rejection> {
    let unix_ms = request.unix_ms;
    let unknown = |code: ErrorCode| Rejection::new(code, "");
    let topic = cluster.topics.find_mut(name, id).map_err(unknown)?;
    let index = usize::try_from(data.index).unwrap_or(usize::MAX);
    let (topic_id, config) = (topic.id, &topic.config);
    let verified = verification.check(&topic.name.0, data.index)?;
    let partition = topic.partitions.get_mut(index).ok_or_else(|| unknown(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
    partition.check_leader(request.caller.node_id, -1).map_err(unknown)?;
    // More than there are replicas cannot be wanted.
    let wanted = config.min_in_sync_replicas.min(partition.replicas.len());
    if acks == -1 && partition.in_sync.len() < wanted {
        let there = partition.in_sync.len();
        let message = format!("{there} replicas are in sync, min.insync.replicas wants {wanted}");
        return Err(Rejection::new(ErrorCode::NOT_ENOUGH_REPLICAS, message));
    }
    let log_start_offset = partition.log.start_offset();
    let batch = only_batch(data.records.unwrap_or_default(), log_start_offset, request.version)?;
    check_size(&batch, config)?;
    let by_the_log = |rejection| Rejection { log_start_offset, ..rejection };
    let validated = validate(batch, config, unix_ms, (&topic.name.0, data.index)).map_err(by_the_log)?;
    // It may have become larger.
    check_size(&validated, config)?;
    let batch = validated;
    let response = append(partition, &batch, config, verified, unix_ms).map_err(by_the_log)?;
    let watched = (topic_id, data.index);
    let (nodes, leader) = (&cluster.nodes, partition.leader);
    if partition.replicate(|id| nodes.follows(id, leader)) {
        cluster.fetches.touch(watched);
        cluster.produces.touch(watched);
    }
    let next_offset = response.base_offset + i64::from(batch.header().last_offset_delta) + 1;
    let unreplicated = (next_offset > partition.high_watermark()).then_some(Pending {
        topic: 0,
        partition: 0,
        watched,
        leader_epoch: partition.leader_epoch,
        next_offset,
    });
    Ok(Written { response, unreplicated })
}

/// Appends a checked batch, or finds that it was written before.
fn append(
    partition: &mut Partition,
    batch: &RecordBatch,
    config: &TopicConfig,
    verified: bool,
    unix_ms: i64,
) -> Result<PartitionProduceResponse, Rejection> {
    let header = batch.header();
    let idempotent = header.producer_id >= 0;
    let verdict = if idempotent { partition.producers.check(header, verified) } else { Verdict::Append };
    let (base_offset, log_append_time) = match verdict {
        Verdict::Refuse(code, message) => return Err(Rejection::new(code, message)),
        // As in Kafka, a duplicate is answered with the time of its batch whoseever clock that is.
        Verdict::Duplicate(written) => (written.base_offset, Some(written.max_timestamp)),
        Verdict::Append => {
            let appended = partition.append(batch, config, unix_ms);
            (appended.base_offset, appended.log_append_time)
        }
    };
    Ok(PartitionProduceResponse::default()
        .with_base_offset(base_offset)
        .with_log_append_time_ms(log_append_time.unwrap_or(-1))
        .with_log_start_offset(partition.log.start_offset())
        .with_error_message(None))
}

/// The one batch that a producer may send to a partition in a request.
fn only_batch(records: Bytes, log_start_offset: i64, version: i16) -> Result<RecordBatch, Rejection> {
    let invalid = |message: &str| Rejection::new(ErrorCode::INVALID_RECORD, message);
    let length = records.len();
    // The formats before this one are known, and not allowed.
    let is_old = records.get(MAGIC_AT).is_some_and(|magic| *magic < 2);
    let is_negative = records.get(LENGTH_AT).is_some_and(|high| *high > 0x7f);
    if is_old && !is_negative {
        return Err(invalid("Produce requests with version 3 and above may only hold batches of format 2"));
    }
    let mut batches = RecordBatches::new(records);
    let batch = batches.next().ok_or_else(|| invalid("Produce requests must have at least one record batch"))?;
    let batch = batch.map_err(|error| {
        let rejection = |code| Rejection::new(code, error.to_string());
        match error.field.as_str() {
            "magic" => Rejection { told: true, ..rejection(ErrorCode::CORRUPT_MESSAGE) },
            "batch_length" => Rejection { told: is_negative, ..rejection(ErrorCode::CORRUPT_MESSAGE) },
            "record_count" | "last_offset_delta" | "base_offset" => {
                Rejection { log_start_offset, ..rejection(ErrorCode::INVALID_RECORD) }
            }
            _ => rejection(ErrorCode::CORRUPT_MESSAGE),
        }
    })?;
    if version < ZSTD_SINCE && batch.header().codec() == Ok(Codec::Zstd) {
        let message = format!("Produce requests before version {ZSTD_SINCE} may hold no zstd");
        return Err(Rejection::new(ErrorCode::UNSUPPORTED_COMPRESSION_TYPE, message));
    }
    if batch.as_bytes().len() != length {
        return Err(invalid("Produce requests are only allowed to contain exactly one record batch per partition"));
    }
    Ok(batch)
}

fn check_size(batch: &RecordBatch, config: &TopicConfig) -> Result<(), Rejection> {
    let (bytes, bytes_max) = (batch.as_bytes().len(), config.batch_bytes_max);
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(Rejection::new(ErrorCode::MESSAGE_TOO_LARGE, format!("a batch of {bytes} bytes, the limit is {bytes_max}")))
}

/// The batch as it is to be written.
fn validate(
    batch: RecordBatch,
    config: &TopicConfig,
    unix_ms: i64,
    (topic, partition): (&str, i32),
) -> Result<RecordBatch, Rejection> {
    let failed = |reason: String| Rejection::new(ErrorCode::UNKNOWN_SERVER_ERROR, reason);
    let parse = |bytes| match RecordBatches::new(bytes).next() {
        Some(batch) => batch.map_err(|error| failed(error.to_string())),
        None => Err(failed("the batch that was written anew is none".to_owned())),
    };
    check_batch(&batch)?;
    let open = batch.open(INFLATED_BYTES_MAX).map_err(|error| failed(error.to_string()))?;
    let max_timestamp = check_records(&open, config, unix_ms, (topic, partition))?;
    let target = config.compression.filter(|target| batch.header().codec() != Ok(target.codec()));
    let batch = match target {
        Some(target) => parse(recompress(&open, target).map_err(|error| failed(error.to_string()))?)?,
        None => batch,
    };
    let header = batch.header();
    let is_right = header.timestamp_type() == TimestampType::CreateTime && header.max_timestamp == max_timestamp;
    if is_right || config.timestamp_type == TimestampType::LogAppendTime {
        return Ok(batch);
    }
    // As in Kafka, what the header says of timestamps is put right.
    parse(with_create_time(&batch, max_timestamp))
}

fn check_batch(batch: &RecordBatch) -> Result<(), Rejection> {
    let refuse = |code: ErrorCode, message: String| Err(Rejection::new(code, message));
    let header = batch.header();
    let (count, delta) = (header.record_count, header.last_offset_delta);
    if header.base_offset != 0 {
        return refuse(ErrorCode::INVALID_RECORD, format!("the base offset must be 0, not {}", header.base_offset));
    }
    if count <= 0 || i64::from(count) != i64::from(delta) + 1 {
        let message = format!("{count} records do not go with a last offset delta of {delta}");
        return refuse(ErrorCode::INVALID_RECORD, message);
    }
    if header.is_control() {
        return refuse(ErrorCode::INVALID_RECORD, "clients do not write markers".to_owned());
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        return refuse(ErrorCode::INVALID_RECORD, format!("the sequence {} is negative", header.base_sequence));
    }
    Ok(())
}

/// Reads every record once; the newest timestamp of them.
fn check_records(
    open: &OpenBatch,
    config: &TopicConfig,
    unix_ms: i64,
    (topic, partition): (&str, i32),
) -> Result<i64, Rejection> {
    let malformed = |error: DecodeError| Rejection::new(ErrorCode::INVALID_RECORD, error.to_string());
    let stamped_here = config.timestamp_type == TimestampType::LogAppendTime;
    let claims_stamp = open.header().timestamp_type() == TimestampType::LogAppendTime;
    let timely = |timestamp: i64| match stamped_here || timestamp == NO_TIMESTAMP {
        true => !claims_stamp,
        false => {
            timestamp.saturating_sub(unix_ms) <= config.timestamp_after_max_ms
                && unix_ms.saturating_sub(timestamp) <= config.timestamp_before_max_ms
        }
    };
    let mut max_timestamp = NO_TIMESTAMP;
    let (mut wrong, mut untimely) = (Vec::new(), false);
    for (index, record) in (0..).zip(open) {
        let record = record.map_err(malformed)?;
        if record.offset - open.header().base_offset != i64::from(index) {
            return Err(malformed(DecodeError::new(0, "the offsets of the records have gaps")));
        }
        max_timestamp = max_timestamp.max(record.timestamp);
        if config.compacts && record.key.is_none() {
            let place = format!("topic partition {topic}-{partition}");
            wrong.push((index, format!("Compacted topic cannot accept message without key in {place}")));
        } else if !timely(record.timestamp) {
            untimely = true;
            wrong.push((index, untimely_message(record.timestamp, index, config, unix_ms)));
        }
    }
    if wrong.is_empty() {
        return Ok(max_timestamp);
    }
    if untimely {
        let message = "One or more records have been rejected due to invalid timestamp";
        return Err(Rejection::of_records(ErrorCode::INVALID_TIMESTAMP, message, wrong));
    }
    let shown = wrong.iter().take(3).map(|(index, why)| format!("RecordError(batchIndex={index}, message='{why}')"));
    let message = format!(
        "One or more records have been rejected due to {} record errors in total, and only showing the first three errors \
         at most: [{}]",
        wrong.len(),
        shown.collect::<Vec<_>>().join(", ")
    );
    Err(Rejection::of_records(ErrorCode::INVALID_RECORD, message, wrong))
}

/// What Kafka says of a record that comes too early or too late, or claims to have the broker's time.
fn untimely_message(timestamp: i64, index: i32, config: &TopicConfig, unix_ms: i64) -> String {
    if config.timestamp_type == TimestampType::LogAppendTime || timestamp == NO_TIMESTAMP {
        return format!(
            "Invalid timestamp type in message {index}. Producer should not set timestamp type to LogAppendTime."
        );
    }
    let oldest = unix_ms.wrapping_sub(config.timestamp_before_max_ms);
    let newest = unix_ms.wrapping_add(config.timestamp_after_max_ms);
    format!(
        "Timestamp {timestamp} of message with offset {index} is out of range. The timestamp should be within [{oldest}, \
         {newest}]"
    )
}

/// Since this version an answer says who leads.
const SAYS_LEADER_SINCE: i16 = 10;

/// What stands in a record that has no timestamp.
const NO_TIMESTAMP: i64 = -1;
