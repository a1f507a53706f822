//! `ListOffsets` 1-10 (KIP-79, KIP-734, KIP-405): the offset at an end of a partition, or of a timestamp.
//!
//! There is no remote storage: the earliest local offset is the earliest, and of the offsets that only exist with it
//! (-5, -6) there is none. Who says it is a replica sees the log to its end; a debugging consumer (-2) does so at any replica.

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use tidemill_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse, TopicName};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::partition::{Partition, Replica};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 10);

/// Replica ids that are no broker's.
const CONSUMER: i32 = -1;
const DEBUGGING_CONSUMER: i32 = -2;

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;
const MAX_TIMESTAMP: i64 = -3;
const EARLIEST_LOCAL: i64 = -4;
const LATEST_TIERED: i64 = -5;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ListOffsetsRequest = request.decode()?;
    if !(0..=1).contains(&body.isolation_level) && may_read_any(cluster, &body, request) {
        return request.reply::<ListOffsetsRequest>(&failed_altogether(body));
    }
    let reader = Reader { replica_id: body.replica_id.0, committed: body.isolation_level == 1 };
    let topics = by_topic(body.topics).into_iter().map(|(name, wanted)| {
        let known = request.topic(cluster, Operation::Describe, &name.0, None);
        let partitions = wanted.into_iter().map(|(index, wanted)| {
            let found = match &wanted[..] {
                [wanted] if !is_spoken(wanted.timestamp, request.version) => Err(ErrorCode::UNSUPPORTED_VERSION),
                [wanted] => known
                    .and_then(|known| known.partition(index))
                    .and_then(|partition| look_up(partition, request.caller.node_id, wanted, reader)),
                _ => Err(ErrorCode::INVALID_REQUEST),
            };
            let mut found =
                found.unwrap_or_else(|code| ListOffsetsPartitionResponse::default().with_error_code(code.0));
            if request.version < 4 {
                found.leader_epoch = -1;
            }
            found.with_partition_index(index)
        });
        let partitions = partitions.collect();
        ListOffsetsTopicResponse::default().with_name(name).with_partitions(partitions)
    });
    let response = ListOffsetsResponse::default().with_topics(topics.collect());
    request.reply::<ListOffsetsRequest>(&response)
}

/// Whether any topic may be read, wherever it is.
fn may_read_any(cluster: &Cluster, body: &ListOffsetsRequest, request: &Request<'_>) -> bool {
    let may = |topic: &ListOffsetsTopic| request.may(cluster, Operation::Describe, Resource::Topic(&topic.name.0));
    body.topics.iter().any(may)
}

/// Over an isolation level that there is not, Kafka fails as a whole.
fn failed_altogether(body: ListOffsetsRequest) -> ListOffsetsResponse {
    let topics = body.topics.into_iter().map(|topic| {
        let partition = |wanted: &ListOffsetsPartition| {
            ListOffsetsPartitionResponse::default()
                .with_partition_index(wanted.partition_index)
                .with_error_code(ErrorCode::UNKNOWN_SERVER_ERROR.0)
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        ListOffsetsTopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
struct Reader {
    replica_id: i32,
    committed: bool,
}

/// Whether the version knows what a negative timestamp stands for.
const fn is_spoken(timestamp: i64, version: i16) -> bool {
    match timestamp {
        0.. | LATEST | EARLIEST => true,
        MAX_TIMESTAMP => version >= 7,
        EARLIEST_LOCAL => version >= 8,
        LATEST_TIERED => version >= 9,
        _ => false,
    }
}

/// What is asked of each partition: a topic without any is not answered, and a partition that is asked for twice is
/// refused once.
fn by_topic(topics: Vec<ListOffsetsTopic>) -> Vec<(TopicName, BTreeMap<i32, Vec<ListOffsetsPartition>>)> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut wanted: Vec<(TopicName, BTreeMap<i32, Vec<ListOffsetsPartition>>)> = Vec::new();
    for topic in topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let place = *places.entry(topic.name.to_string()).or_insert(wanted.len());
        if place == wanted.len() {
            wanted.push((topic.name, BTreeMap::new()));
        }
        let Some((_, partitions)) = wanted.get_mut(place) else { continue };
        for partition in topic.partitions {
            partitions.entry(partition.partition_index).or_default().push(partition);
        }
    }
    wanted
}

fn look_up(
    partition: &Partition,
    node_id: i32,
    wanted: &ListOffsetsPartition,
    reader: Reader,
) -> Result<ListOffsetsPartitionResponse, ErrorCode> {
    let replica = partition.check_replica(node_id, wanted.current_leader_epoch)?;
    if replica == Replica::Follower && reader.replica_id != DEBUGGING_CONSUMER {
        return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
    }
    let log = &partition.log;
    let response = ListOffsetsPartitionResponse::default();
    let end = match reader {
        Reader { replica_id: CONSUMER, committed: true } => partition.last_stable_offset(),
        Reader { replica_id: CONSUMER, committed: false } => partition.high_watermark(),
        Reader { .. } => partition.end_of(node_id),
    };
    let found = match wanted.timestamp {
        LATEST => {
            return Ok(response.with_offset(end).with_leader_epoch(partition.leader_epoch));
        }
        EARLIEST | EARLIEST_LOCAL => {
            let start = log.start_offset();
            return Ok(response.with_offset(start).with_leader_epoch(log.epoch_at(start).unwrap_or(-1)));
        }
        MAX_TIMESTAMP => log.offset_of_max_timestamp(),
        timestamp if timestamp >= 0 => log.offset_by_timestamp(timestamp),
        _ => None,
    };
    // What is found behind the end cannot be read yet.
    Ok(match found.filter(|found| found.offset < end) {
        Some(found) => {
            response.with_timestamp(found.timestamp).with_offset(found.offset).with_leader_epoch(found.leader_epoch)
        }
        None => response,
    })
}
