//! `WriteTxnMarkers` 1 (KIP-98): ends transactions in partitions, whatever their coordinator knows.
//!
//! It is what brokers ask each other; as in Kafka without ACLs a client may too, which is how administrators end a transaction
//! that hangs (KIP-664). Version 2, which says of which generation the transaction is, is not spoken: its request has no
//! message struct. The answer does not wait until all replicas have the markers.

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::write_txn_markers_request::WritableTxnMarker;
use tidemill_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use tidemill_protocol::messages::{ProducerId, WriteTxnMarkersRequest, WriteTxnMarkersResponse};

use super::name;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::producer_state::EndMarker;
use crate::broker::transactions::{OFFSETS_TOPIC, TopicPartition};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: WriteTxnMarkersRequest = request.decode()?;
    // Several markers of one producer are answered as one.
    let mut results: BTreeMap<i64, BTreeMap<TopicPartition, ErrorCode>> = BTreeMap::new();
    for marker in &body.markers {
        let of_producer = results.entry(marker.producer_id.0).or_default();
        for topic in &marker.topics {
            for number in &topic.partition_indexes {
                let result = write(cluster, marker, &topic.name.0, *number, request);
                let code = result.err().unwrap_or(ErrorCode::NONE);
                of_producer.insert((topic.name.0.to_string(), *number), code);
            }
        }
    }
    let markers =
        results.into_iter().filter(|(_, partitions)| !partitions.is_empty()).map(|(producer_id, partitions)| {
            let mut topics: BTreeMap<String, Vec<WritableTxnMarkerPartitionResult>> = BTreeMap::new();
            for ((topic, number), code) in partitions {
                let result =
                    WritableTxnMarkerPartitionResult::default().with_partition_index(number).with_error_code(code.0);
                topics.entry(topic).or_default().push(result);
            }
            let topic = |(topic, partitions): (String, Vec<WritableTxnMarkerPartitionResult>)| {
                WritableTxnMarkerTopicResult::default().with_name(name(&topic)).with_partitions(partitions)
            };
            WritableTxnMarkerResult::default()
                .with_producer_id(ProducerId(producer_id))
                .with_topics(topics.into_iter().map(topic).collect())
        });
    let response = WriteTxnMarkersResponse::default().with_markers(markers.collect());
    request.reply::<WriteTxnMarkersRequest>(&response)
}

fn write(
    cluster: &mut Cluster,
    marker: &WritableTxnMarker,
    topic: &str,
    number: i32,
    request: &Request<'_>,
) -> Result<(), ErrorCode> {
    if !request.may(cluster, Operation::Alter, Resource::Cluster) {
        request.authorize(cluster, Operation::ClusterAction, Resource::Cluster)?;
    }
    let end = EndMarker {
        producer_id: marker.producer_id.0,
        producer_epoch: marker.producer_epoch,
        coordinator_epoch: marker.coordinator_epoch,
        committed: marker.transaction_result,
        v2: false,
    };
    if topic == OFFSETS_TOPIC {
        return cluster.groups.end_transaction(number, &end);
    }
    let partition = cluster.topics.find(topic, None)?.partition(number)?;
    if partition.leader != Some(request.caller.node_id) {
        // A broker that has no replica, or is not the leader of its own, does not know the partition as one it leads.
        let has_replica = partition.replicas.contains(&request.caller.node_id);
        return Err(if has_replica {
            ErrorCode::NOT_LEADER_OR_FOLLOWER
        } else {
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
        });
    }
    cluster.write_marker(topic, number, &end, request.now).map(|_| ())
}
