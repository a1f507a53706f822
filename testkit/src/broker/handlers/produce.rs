//! `Produce` 3-13 (KIP-98, KIP-467, KIP-516, KIP-951): checks batches and appends them.
//!
//! With one replica `acks=1` and `acks=-1` are the same, and both are answered at once. Every batch is opened and its
//! records are read once, as Kafka does, so that nothing malformed reaches a reader; batches in a codec that this build
//! does not read are taken as they are. Transactional batches are refused: there are no transactions yet. The topic's
//! `compression.type` does not recompress.

use bytes::Bytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::produce_request::PartitionProduceData;
use tidemill_protocol::messages::produce_response::{
    BatchIndexAndErrorMessage, PartitionProduceResponse, TopicProduceResponse,
};
use tidemill_protocol::messages::{ProduceRequest, ProduceResponse};
use tidemill_protocol::records::{RecordBatch, RecordBatches, TimestampType};
use tidemill_protocol::{DecodeError, ErrorCode, StrBytes};

use crate::broker::producer_state::Verdict;
use crate::broker::topic_config::TopicConfig;
use crate::broker::topics::Partition;
use crate::broker::{Broker, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(3, 13);

/// What the records of a batch may inflate to.
const INFLATED_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ProduceRequest = request.decode()?;
    let mut failed = false;
    let mut responses = Vec::with_capacity(body.topic_data.len());
    for topic in body.topic_data {
        let mut partitions = Vec::with_capacity(topic.partition_data.len());
        let id = (request.version >= 13).then_some(topic.topic_id);
        for data in topic.partition_data {
            let index = data.index;
            let written = if (-1..=1).contains(&body.acks) {
                write(broker, &topic.name.0, id, data, request.unix_ms)
            } else {
                Err(Rejection::new(ErrorCode::INVALID_REQUIRED_ACKS, ""))
            };
            failed |= written.is_err();
            partitions.push(written.unwrap_or_else(Rejection::response).with_index(index));
        }
        responses.push(
            TopicProduceResponse::default()
                .with_name(topic.name)
                .with_topic_id(topic.topic_id)
                .with_partition_responses(partitions),
        );
    }
    match (body.acks, failed) {
        // There is no other way to say it.
        (0, true) => Err(Refused("a produce request that wants no answer failed".to_owned())),
        (0, false) => Ok(Outcome::Silent),
        _ => request.reply::<ProduceRequest>(&ProduceResponse::default().with_responses(responses)),
    }
}

/// Why a batch is not written.
#[derive(Debug)]
struct Rejection {
    code: ErrorCode,
    message: String,
    /// The record that is at fault, by its place in the batch.
    record: Option<i32>,
}

impl Rejection {
    fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), record: None }
    }

    fn response(self) -> PartitionProduceResponse {
        let message = (!self.message.is_empty()).then(|| StrBytes::from_string(self.message));
        let records = self.record.map(|index| {
            BatchIndexAndErrorMessage::default().with_batch_index(index).with_batch_index_error_message(message.clone())
        });
        PartitionProduceResponse::default()
            .with_error_code(self.code.0)
            .with_base_offset(-1)
            .with_record_errors(records.into_iter().collect())
            .with_error_message(message)
    }
}

fn write(
    broker: &mut Broker,
    name: &str,
    id: Option<uuid::Uuid>,
    data: PartitionProduceData,
    unix_ms: i64,
) -> Result<PartitionProduceResponse, Rejection> {
    let unknown = |code: ErrorCode| Rejection::new(code, "");
    let topic = broker.topics.find_mut(name, id).map_err(unknown)?;
    let index = usize::try_from(data.index).unwrap_or(usize::MAX);
    let config = &topic.config;
    let partition = topic.partitions.get_mut(index).ok_or_else(|| unknown(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))?;
    let batch = only_batch(data.records.unwrap_or_default())?;
    check_batch(&batch, config, unix_ms)?;
    let response = append(partition, &batch, config, unix_ms)?;
    broker.fetches.touch((topic.id, data.index));
    Ok(response)
}

/// Appends a checked batch, or finds that it was written before.
fn append(
    partition: &mut Partition,
    batch: &RecordBatch,
    config: &TopicConfig,
    unix_ms: i64,
) -> Result<PartitionProduceResponse, Rejection> {
    let header = batch.header();
    let idempotent = header.producer_id >= 0;
    let verdict = if idempotent { partition.producers.check(header) } else { Verdict::Append };
    let (base_offset, log_append_time) = match verdict {
        Verdict::Refuse(code, message) => return Err(Rejection::new(code, message)),
        // As in Kafka, a duplicate is answered with the time of its batch whoseever clock that is.
        Verdict::Duplicate(written) => (written.base_offset, Some(written.max_timestamp)),
        Verdict::Append => {
            let appended = partition.log.append(batch, partition.leader_epoch, config, unix_ms);
            if idempotent {
                partition.producers.record(header, appended, unix_ms);
            }
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
fn only_batch(records: Bytes) -> Result<RecordBatch, Rejection> {
    let invalid = |message: &str| Rejection::new(ErrorCode::INVALID_RECORD, message);
    let length = records.len();
    let mut batches = RecordBatches::new(records);
    let batch = batches.next().ok_or_else(|| invalid("Produce requests must have at least one record batch"))?;
    let batch = batch.map_err(|error| {
        let code = match error.field.as_str() {
            "magic" | "record_count" | "last_offset_delta" | "base_offset" => ErrorCode::INVALID_RECORD,
            _ => ErrorCode::CORRUPT_MESSAGE,
        };
        Rejection::new(code, error.to_string())
    })?;
    if batch.as_bytes().len() != length {
        return Err(invalid("Produce requests are only allowed to contain exactly one record batch per partition"));
    }
    Ok(batch)
}

fn check_batch(batch: &RecordBatch, config: &TopicConfig, unix_ms: i64) -> Result<(), Rejection> {
    let refuse = |code: ErrorCode, message: String| Err(Rejection::new(code, message));
    let header = batch.header();
    let bytes = batch.as_bytes().len();
    if bytes > config.batch_bytes_max {
        let message = format!(
            "The record batch size is {bytes} bytes which exceeds the maximum configured value of {}.",
            config.batch_bytes_max
        );
        return refuse(ErrorCode::MESSAGE_TOO_LARGE, message);
    }
    let (count, delta) = (header.record_count, header.last_offset_delta);
    if header.base_offset != 0 {
        return refuse(ErrorCode::INVALID_RECORD, format!("the base offset must be 0, not {}", header.base_offset));
    }
    if count <= 0 || i64::from(count) != i64::from(delta) + 1 {
        let message = format!("{count} records do not go with a last offset delta of {delta}");
        return refuse(ErrorCode::INVALID_RECORD, message);
    }
    if header.is_control() {
        let message = "Clients are not allowed to write control records".to_owned();
        return refuse(ErrorCode::INVALID_RECORD, message);
    }
    if header.producer_id >= 0 && header.base_sequence < 0 {
        let message = format!("Invalid sequence number {} in record batch", header.base_sequence);
        return refuse(ErrorCode::INVALID_RECORD, message);
    }
    if header.is_transactional() {
        return refuse(ErrorCode::INVALID_TXN_STATE, "transactions are not supported".to_owned());
    }
    if config.timestamp_type == TimestampType::CreateTime {
        let (newest, oldest) = (header.max_timestamp, header.base_timestamp);
        let ahead = newest.saturating_sub(unix_ms) > config.timestamp_after_max_ms;
        let behind = unix_ms.saturating_sub(oldest) > config.timestamp_before_max_ms;
        if newest >= 0 && (ahead || behind) {
            let message = format!("Timestamp {newest} of message is out of range, the broker's time is {unix_ms}");
            return refuse(ErrorCode::INVALID_TIMESTAMP, message);
        }
    }
    check_records(batch, config)
}

/// Reads every record once.
fn check_records(batch: &RecordBatch, config: &TopicConfig) -> Result<(), Rejection> {
    let Err(error) = batch.header().codec() else {
        let malformed = |error: DecodeError| Rejection::new(ErrorCode::INVALID_RECORD, error.to_string());
        let open = batch
            .open(INFLATED_BYTES_MAX)
            .map_err(|error| Rejection::new(ErrorCode::CORRUPT_MESSAGE, error.to_string()))?;
        let first = batch.header().base_offset;
        for (index, record) in (0..).zip(&open) {
            let record = record.map_err(malformed)?;
            if record.offset - first != i64::from(index) {
                return Err(malformed(DecodeError::new(0, "the offsets of the records have gaps")));
            }
            if config.compacts && record.key.is_none() {
                let message = "Compacted topic cannot accept message without key";
                return Err(Rejection { record: Some(index), ..Rejection::new(ErrorCode::INVALID_RECORD, message) });
            }
        }
        return Ok(());
    };
    match batch.header().attributes & 0b111 {
        1 | 4 => Ok(()),
        _ => Err(Rejection::new(ErrorCode::CORRUPT_MESSAGE, error.to_string())),
    }
}
