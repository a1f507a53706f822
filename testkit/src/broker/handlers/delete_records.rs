//! `DeleteRecords` 0-2 (KIP-107): moves the start of partitions; what lies below is not read any longer.
//!
//! Answered at once: there is no follower to wait for, as all copies share one log.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::delete_records_request::DeleteRecordsPartition;
use tidemill_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use tidemill_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::internal_topics::is_internal;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

/// Stands for the high watermark.
const EVERYTHING: i64 = -1;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DeleteRecordsRequest = request.decode()?;
    let node_id = request.caller.node_id;
    let mut topics = Vec::with_capacity(body.topics.len());
    for topic in body.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let may = request.authorize(cluster, Operation::Delete, Resource::Topic(&topic.name.0));
            let deleted = may.and_then(|()| delete(cluster, node_id, &topic.name.0, &wanted));
            let result = DeleteRecordsPartitionResult::default().with_partition_index(wanted.partition_index);
            partitions.push(match deleted {
                Ok(low_watermark) => result.with_low_watermark(low_watermark),
                Err(code) => result.with_low_watermark(-1).with_error_code(code.0),
            });
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(topic.name).with_partitions(partitions));
    }
    request.reply::<DeleteRecordsRequest>(&DeleteRecordsResponse::default().with_topics(topics))
}

/// The new start of the partition.
fn delete(cluster: &mut Cluster, node_id: i32, name: &str, wanted: &DeleteRecordsPartition) -> Result<i64, ErrorCode> {
    let topic = cluster.topics.find_mut(name, None)?;
    let id = topic.id;
    let deletes = topic.config.deletes;
    let partition = topic.partition_mut(wanted.partition_index)?;
    if is_internal(name) {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    partition.check_leader(node_id, -1)?;
    // A topic that only compacts keeps the newest of every key.
    if !deletes {
        return Err(ErrorCode::POLICY_VIOLATION);
    }
    let end = partition.high_watermark();
    let offset = if wanted.offset == EVERYTHING { end } else { wanted.offset };
    if !(0..=end).contains(&offset) {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    }
    partition.log.delete_before(offset);
    let start = partition.log.start_offset();
    cluster.fetches.touch((id, wanted.partition_index));
    Ok(start)
}
