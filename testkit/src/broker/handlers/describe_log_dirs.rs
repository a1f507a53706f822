//! `DescribeLogDirs` 1-4 (KIP-113, KIP-827): how much of each partition a broker has.
//!
//! There is one directory, and how large its volume is, is not known.

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use tidemill_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::partition::Partition;
use crate::broker::topics::Topic;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 4);

/// Since this version there is an error for the whole answer; before, there is nothing in it.
const SAYS_ERROR_SINCE: i16 = 3;

/// What the directory is called.
const DIRECTORY: &str = "/tidemill";

/// Nobody knows how large the volume is.
const UNKNOWN_BYTES: i64 = -1;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeLogDirsRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Describe, Resource::Cluster) {
        let response = DescribeLogDirsResponse::default();
        let response = if request.version >= SAYS_ERROR_SINCE { response.with_error_code(code.0) } else { response };
        return request.reply::<DescribeLogDirsRequest>(&response);
    }
    let node_id = request.caller.node_id;
    let is_wanted = |topic: &Topic, number: i32| {
        let wanted = |topics: &Vec<_>| {
            let mut topics = topics.iter();
            topics.any(|it: &tidemill_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic| {
                it.topic == topic.name && it.partitions.contains(&number)
            })
        };
        body.topics.as_ref().is_none_or(wanted)
    };
    let topics = cluster.topics.iter().filter_map(|topic| {
        let held = topic
            .numbered()
            .filter(|(number, partition)| partition.replicas.contains(&node_id) && is_wanted(topic, *number));
        let partitions: Vec<_> = held.map(|(number, partition)| describe(number, partition, node_id)).collect();
        let described = DescribeLogDirsTopic::default().with_name(topic.name.clone());
        (!partitions.is_empty()).then(|| described.with_partitions(partitions))
    });
    let result = DescribeLogDirsResult::default()
        .with_log_dir(StrBytes::from_static_str(DIRECTORY))
        .with_topics(topics.collect())
        .with_total_bytes(UNKNOWN_BYTES)
        .with_usable_bytes(UNKNOWN_BYTES);
    request.reply::<DescribeLogDirsRequest>(&DescribeLogDirsResponse::default().with_results(vec![result]))
}

fn describe(number: i32, partition: &Partition, node_id: i32) -> DescribeLogDirsPartition {
    let (log, end) = (&partition.log, partition.end_of(node_id));
    let bytes = log.bytes_held(end);
    DescribeLogDirsPartition::default()
        .with_partition_index(number)
        .with_partition_size(i64::try_from(bytes).unwrap_or(i64::MAX))
        .with_offset_lag((partition.high_watermark() - end).max(0))
}
