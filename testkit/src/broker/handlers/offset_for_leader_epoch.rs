//! `OffsetForLeaderEpoch` 2-4 (KIP-101, KIP-320): where a leader epoch ended, which tells a reader of lost records.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::offset_for_leader_epoch_request::OffsetForLeaderPartition;
use tidemill_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use tidemill_protocol::messages::{OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::partition::Partition;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(2, 4);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: OffsetForLeaderEpochRequest = request.decode()?;
    let is_broker = request.may(cluster, Operation::ClusterAction, Resource::Cluster);
    let topics = body.topics.into_iter().map(|topic| {
        // It was only for brokers once, who may ask for any.
        let known = if is_broker {
            cluster.topics.find(&topic.topic.0, None)
        } else {
            request.topic(cluster, Operation::Describe, &topic.topic.0, None)
        };
        let partitions = topic.partitions.iter().map(|wanted| {
            let partition = known.and_then(|known| known.partition(wanted.partition));
            let end = partition.and_then(|partition| end_of_epoch(partition, request.caller.node_id, wanted));
            end.unwrap_or_else(|code| undefined().with_error_code(code.0)).with_partition(wanted.partition)
        });
        let partitions = partitions.collect();
        OffsetForLeaderTopicResult::default().with_topic(topic.topic).with_partitions(partitions)
    });
    let response = OffsetForLeaderEpochResponse::default().with_topics(topics.collect());
    request.reply::<OffsetForLeaderEpochRequest>(&response)
}

fn end_of_epoch(
    partition: &Partition,
    node_id: i32,
    wanted: &OffsetForLeaderPartition,
) -> Result<EpochEndOffset, ErrorCode> {
    partition.check_leader(node_id, wanted.current_leader_epoch)?;
    // The epoch that leads ends at the end of the log, also when nothing was written in it.
    if wanted.leader_epoch == partition.leader_epoch {
        return Ok(undefined().with_leader_epoch(wanted.leader_epoch).with_end_offset(partition.log.end_offset()));
    }
    if wanted.leader_epoch > partition.leader_epoch {
        return Ok(undefined());
    }
    let found = partition.log.end_of_epoch(wanted.leader_epoch);
    Ok(found.map_or_else(undefined, |(epoch, end)| undefined().with_leader_epoch(epoch).with_end_offset(end)))
}

fn undefined() -> EpochEndOffset {
    EpochEndOffset::default().with_leader_epoch(-1).with_end_offset(-1)
}
