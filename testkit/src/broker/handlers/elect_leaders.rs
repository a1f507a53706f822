//! `ElectLeaders` 0-2 (KIP-183, KIP-460): the preferred replicas lead again, or any replica leads where none in sync does.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use tidemill_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse, TopicName};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::{NEEDS_ALTER, Resource};
use crate::broker::replication::Election;
use crate::broker::topics::TopicError;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

const PREFERRED: i8 = 0;
const UNCLEAN: i8 = 1;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ElectLeadersRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Alter, Resource::Cluster) {
        let response = refuse(body, request.version, code, NEEDS_ALTER);
        return request.reply::<ElectLeadersRequest>(&response);
    }
    // Of nothing there is no election, of whatever type.
    if body.topic_partitions.as_ref().is_some_and(Vec::is_empty) {
        return request.reply::<ElectLeadersRequest>(&ElectLeadersResponse::default());
    }
    let election = match body.election_type {
        PREFERRED => Election::Preferred,
        UNCLEAN => Election::Unclean,
        kind => {
            let response =
                refuse(body, request.version, ErrorCode::INVALID_REQUEST, &format!("Unknown election type {kind}"));
            return request.reply::<ElectLeadersRequest>(&response);
        }
    };
    let all = body.topic_partitions.is_none();
    let wanted: Vec<(TopicName, Vec<i32>)> = match body.topic_partitions {
        Some(topics) => topics.into_iter().map(|topic| (topic.topic, topic.partitions)).collect(),
        None => {
            let numbers = |topic: &crate::broker::topics::Topic| topic.numbered().map(|(number, _)| number).collect();
            cluster.topics.iter().map(|topic| (topic.name.clone(), numbers(topic))).collect()
        }
    };
    let mut results = Vec::new();
    for (topic, partitions) in wanted {
        let mut elected = Vec::new();
        for number in partitions {
            let result = PartitionResult::default().with_partition_id(number);
            match cluster.elect_leader(&topic.0, number, election) {
                Ok(()) => elected.push(result.with_error_message(None)),
                // Of all partitions only those are told that needed it.
                Err(TopicError { code: ErrorCode::ELECTION_NOT_NEEDED, .. }) if all => {}
                Err(TopicError { code, message }) => {
                    let message = Some(StrBytes::from_string(message));
                    elected.push(result.with_error_code(code.0).with_error_message(message));
                }
            }
        }
        results.push(ReplicaElectionResult::default().with_topic(topic).with_partition_result(elected));
    }
    request.reply::<ElectLeadersRequest>(&ElectLeadersResponse::default().with_replica_election_results(results))
}

/// Every partition is refused alike.
fn refuse(body: ElectLeadersRequest, version: i16, code: ErrorCode, words: &str) -> ElectLeadersResponse {
    let refused = |number| {
        let result = PartitionResult::default().with_partition_id(number).with_error_code(code.0);
        result.with_error_message(Some(text(words)))
    };
    let topics = body.topic_partitions.unwrap_or_default().into_iter().map(|topic| {
        let results = topic.partitions.into_iter().map(refused).collect();
        ReplicaElectionResult::default().with_topic(topic.topic).with_partition_result(results)
    });
    let response = ElectLeadersResponse::default().with_replica_election_results(topics.collect());
    if version >= 1 { response.with_error_code(code.0) } else { response }
}
