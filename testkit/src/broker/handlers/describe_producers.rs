//! `DescribeProducers` 0 (KIP-664): who writes to partitions, and which transactions are open in them.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_producers_response::{PartitionResponse, ProducerState, TopicResponse};
use tidemill_protocol::messages::{DescribeProducersRequest, DescribeProducersResponse, ProducerId};
use tidemill_protocol::{ErrorCode, StrBytes};

use crate::broker::acls::Operation;
use crate::broker::authorization::{Resource, words};
use crate::broker::producer_state::Producer;
use crate::broker::topics::{TopicError, check_name};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeProducersRequest = request.decode()?;
    let topics = body.topics.into_iter().map(|topic| {
        let may = request.authorize(cluster, Operation::Read, Resource::Topic(&topic.name.0));
        let may = may.map_err(|code| TopicError::new(code, words(code)));
        let known = may.and_then(|()| check_name(&topic.name.0)).and_then(|()| {
            let found = cluster.topics.find(&topic.name.0, None);
            found.map_err(|code| TopicError::new(code, "This server does not host this topic-partition."))
        });
        let partitions = topic.partition_indexes.iter().map(|number| {
            let described = match &known {
                Ok(known) => match known.partition(*number) {
                    // Whoever has a copy says what is written in it.
                    Ok(partition) if partition.replicas.contains(&request.caller.node_id) => {
                        let producers = partition.producers.iter().map(producer);
                        PartitionResponse::default().with_error_message(None).with_active_producers(producers.collect())
                    }
                    Ok(_) => failed(ErrorCode::NOT_LEADER_OR_FOLLOWER, None),
                    Err(code) => failed(code, None),
                },
                Err(error) => failed(error.code, Some(&error.message)),
            };
            described.with_partition_index(*number)
        });
        let partitions = partitions.collect();
        TopicResponse::default().with_name(topic.name).with_partitions(partitions)
    });
    let response = DescribeProducersResponse::default().with_topics(topics.collect());
    request.reply::<DescribeProducersRequest>(&response)
}

fn producer((id, producer): (i64, &Producer)) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(producer.epoch.into())
        .with_last_sequence(producer.last_sequence())
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_current_txn_start_offset(producer.transaction_start.unwrap_or(-1))
}

fn failed(code: ErrorCode, message: Option<&str>) -> PartitionResponse {
    let message = message.map(|message| StrBytes::from_string(message.to_owned()));
    PartitionResponse::default().with_error_code(code.0).with_error_message(message)
}
