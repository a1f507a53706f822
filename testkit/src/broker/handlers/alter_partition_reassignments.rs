//! `AlterPartitionReassignments` 0-1 (KIP-455): moves the replicas of partitions to other brokers, or stops moving them.
//!
//! New replicas that follow have everything at once, so that only a move to a broker that does not stays under way.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use tidemill_protocol::messages::{AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::create_topics::check_replicas;
use super::text_or_null;
use crate::broker::acls::Operation;
use crate::broker::authorization::{NEEDS_ALTER, Resource};
use crate::broker::topics::TopicError;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: AlterPartitionReassignmentsRequest = request.decode()?;
    let refused = request.authorize(cluster, Operation::Alter, Resource::Cluster);
    let refused = refused.map_err(|code| TopicError::new(code, NEEDS_ALTER));
    let mut responses = Vec::with_capacity(body.topics.len());
    for topic in body.topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for wanted in topic.partitions {
            let number = wanted.partition_index;
            let to = wanted.replicas.map(|ids| ids.iter().map(|id| id.0).collect::<Vec<i32>>());
            let may_change_factor = body.allow_replication_factor_change;
            let moved = refused.clone();
            let moved = moved.and_then(|()| reassign(cluster, &topic.name.0, number, to, may_change_factor));
            let response = ReassignablePartitionResponse::default().with_partition_index(number);
            partitions.push(match moved {
                Ok(()) => response.with_error_message(None),
                Err(TopicError { code, message }) => {
                    response.with_error_code(code.0).with_error_message(text_or_null(message))
                }
            });
        }
        responses.push(ReassignableTopicResponse::default().with_name(topic.name).with_partitions(partitions));
    }
    let response = AlterPartitionReassignmentsResponse::default()
        // Where nothing is asked for, Kafka's controller is not, and leaves the text empty.
        .with_error_message(responses.is_empty().then(StrBytes::default))
        .with_allow_replication_factor_change(body.allow_replication_factor_change)
        .with_responses(responses);
    let response = match refused {
        Ok(()) => response,
        Err(TopicError { code, message }) => AlterPartitionReassignmentsResponse::default()
            .with_error_code(code.0)
            .with_error_message(Some(StrBytes::from_string(message)))
            .with_responses(response.responses),
    };
    request.reply::<AlterPartitionReassignmentsRequest>(&response)
}

fn reassign(
    cluster: &mut Cluster,
    topic: &str,
    number: i32,
    to: Option<Vec<i32>>,
    may_change_factor: bool,
) -> Result<(), TopicError> {
    let found = cluster.topics.by_name(topic).ok_or_else(|| {
        TopicError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("Unable to find a topic named {topic}."))
    })?;
    let partition = found
        .partition(number)
        .map_err(|code| TopicError::new(code, format!("Unable to find partition {topic}:{number}.")))?;
    let Some(to) = to else {
        if partition.moves_to.is_none() {
            return Err(TopicError::new(ErrorCode::NO_REASSIGNMENT_IN_PROGRESS, ""));
        }
        if !partition.can_stop_moving() && !found.config.unclean_leader_election {
            let message = format!(
                "Unable to revert partition assignment for {topic}:{number} because it would require an unclean leader election."
            );
            return Err(TopicError::new(ErrorCode::INVALID_REPLICA_ASSIGNMENT, message));
        }
        cluster.stop_moving(topic, number);
        return Ok(());
    };
    check_replicas(cluster, &to, None)?;
    if !may_change_factor && to.len() != partition.settled_replicas().len() {
        let message =
            format!("The replication factor is changed from {} to {}", partition.settled_replicas().len(), to.len());
        return Err(TopicError::new(ErrorCode::INVALID_REPLICATION_FACTOR, message));
    }
    cluster.move_replicas(topic, number, to);
    Ok(())
}
