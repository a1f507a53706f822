//! `DeleteRecords` 0-2 (KIP-107): moves the start of partitions; what lies below is not read any longer.
//!
//! Answered at once: there is no follower to wait for, as all copies share one log.

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::delete_records_request::DeleteRecordsPartition;
use tidemill_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use tidemill_protocol::messages::{DeleteRecordsRequest, DeleteRecordsResponse};

use super::name;
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
    // Of what stands there for a partition several times, the last; topics without any partition are not answered.
    let mut once: BTreeMap<String, BTreeMap<i32, DeleteRecordsPartition>> = BTreeMap::new();
    for topic in body.topics.into_iter().filter(|topic| !topic.partitions.is_empty()) {
        let partitions = once.entry(topic.name.0.to_string()).or_default();
        partitions.extend(topic.partitions.into_iter().map(|wanted| (wanted.partition_index, wanted)));
    }
    let mut topics = Vec::with_capacity(once.len());
    for (topic, asked) in once {
        let mut partitions = Vec::with_capacity(asked.len());
        for wanted in asked.into_values() {
            let may = request.authorize(cluster, Operation::Delete, Resource::Topic(&topic));
            let deleted = may.and_then(|()| delete(cluster, node_id, &topic, &wanted));
            let result = DeleteRecordsPartitionResult::default().with_partition_index(wanted.partition_index);
            partitions.push(match deleted {
                Ok(low_watermark) => result.with_low_watermark(low_watermark),
                Err(code) => result.with_low_watermark(-1).with_error_code(code.0),
            });
        }
        topics.push(DeleteRecordsTopicResult::default().with_name(name(&topic)).with_partitions(partitions));
    }
    request.reply::<DeleteRecordsRequest>(&DeleteRecordsResponse::default().with_topics(topics))
}

/// The new start of the partition.
fn delete(cluster: &mut Cluster, node_id: i32, topic: &str, wanted: &DeleteRecordsPartition) -> Result<i64, ErrorCode> {
    let is_internal = is_internal(topic);
    let topic = cluster.topics.find_mut(topic, None)?;
    let id = topic.id;
    let keeps_newest = topic.config.compacts && !topic.config.deletes;
    let partition = topic.partition_mut(wanted.partition_index)?;
    if is_internal {
        return Err(ErrorCode::INVALID_TOPIC_EXCEPTION);
    }
    partition.check_leader(node_id, -1)?;
    // A topic that only compacts keeps the newest of every key.
    if keeps_newest {
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
