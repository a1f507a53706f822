//! Produce requests with `acks=-1` that wait until all replicas in sync have their batches.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::messages::produce_response::PartitionProduceResponse;
use tidemill_protocol::messages::{ProduceRequest, ProduceResponse};
use tokio::time::Instant;

use super::respond;
use crate::broker::purgatory::Watched;
use crate::broker::{Cluster, Token};

/// A produce request whose batches are in the leaders' logs.
#[derive(Debug)]
pub(in crate::broker) struct WaitingProduce {
    pub(super) response: ProduceResponse,
    pub(super) version: i16,
    pub(super) pending: Vec<Pending>,
}

/// A batch that not all replicas in sync have.
#[derive(Debug)]
pub(super) struct Pending {
    /// Where its answer stands.
    pub(super) topic: usize,
    pub(super) partition: usize,
    pub(super) watched: Watched,
    pub(super) leader_epoch: i32,
    pub(super) next_offset: i64,
}

/// Answers the requests whose batches have all replicas, or have waited long enough; says when the next will have.
pub(in crate::broker) fn poll(cluster: &mut Cluster, now: Instant) -> Option<Instant> {
    for token in cluster.produces.take_touched() {
        let is_ready = |waiting: &WaitingProduce| waiting.pending.iter().all(|it| outcome(cluster, it).is_some());
        if cluster.produces.get(token).is_some_and(is_ready) {
            answer(cluster, token, now);
        }
    }
    while let Some(token) = cluster.produces.expired(now) {
        answer(cluster, token, now);
    }
    cluster.produces.next_deadline()
}

/// One whose batches are all decided, and that waits nevertheless.
pub(in crate::broker) fn ready(cluster: &Cluster) -> Option<Token> {
    let is_ready = |waiting: &WaitingProduce| waiting.pending.iter().all(|it| outcome(cluster, it).is_some());
    cluster.produces.tokens().find(|token| cluster.produces.get(*token).is_some_and(is_ready))
}

fn answer(cluster: &mut Cluster, token: Token, now: Instant) {
    let Some(WaitingProduce { mut response, version, pending }) = cluster.produces.remove(token) else { return };
    for waited in pending {
        let code = match outcome(cluster, &waited) {
            Some(Ok(())) => continue,
            Some(Err(code)) => code,
            None => ErrorCode::REQUEST_TIMED_OUT,
        };
        let topic = response.responses.get_mut(waited.topic);
        if let Some(partition) = topic.and_then(|topic| topic.partition_responses.get_mut(waited.partition)) {
            *partition = PartitionProduceResponse::default()
                .with_index(partition.index)
                .with_error_code(code.0)
                .with_base_offset(-1)
                .with_log_start_offset(-1)
                .with_error_message(None);
        }
    }
    let response = respond(cluster, response, version);
    cluster.complete::<ProduceRequest>(token, &response, now);
}

/// What has become of a batch; none while it waits.
fn outcome(cluster: &Cluster, pending: &Pending) -> Option<Result<(), ErrorCode>> {
    let (id, number) = pending.watched;
    let Some(topic) = cluster.topics.by_id(id) else { return Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) };
    let Ok(partition) = topic.partition(number) else { return Some(Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)) };
    if partition.leader_epoch != pending.leader_epoch {
        return Some(Err(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    }
    if partition.high_watermark() < pending.next_offset {
        return None;
    }
    let enough = partition.in_sync.len() >= topic.config.min_in_sync_replicas.min(partition.replicas.len());
    Some(if enough { Ok(()) } else { Err(ErrorCode::NOT_ENOUGH_REPLICAS_AFTER_APPEND) })
}
