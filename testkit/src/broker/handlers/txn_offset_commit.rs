//! `TxnOffsetCommit` 0-5 (KIP-98, KIP-447, KIP-890): a group's next offsets to read, which count when the transaction of the
//! producer is committed.
//!
//! From version 5 on it adds the group to the transaction; before, AddOffsetsToTxn has to.

use std::collections::BTreeSet;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use tidemill_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::broker::acls;
use crate::broker::authorization::Resource;
use crate::broker::nodes::CoordinatorKind;
use crate::broker::transactions::{Operation, offsets_partition};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: TxnOffsetCommitRequest = request.decode()?;
    let asked = body.topics.clone();
    // Of the whole request, or of single topics.
    let may = request
        .authorize(cluster, acls::Operation::Write, Resource::TransactionalId(&body.transactional_id))
        .and_then(|()| request.authorize(cluster, acls::Operation::Read, Resource::Group(&body.group_id)));
    let may_commit = |cluster: &Cluster, name: &str| {
        may.and_then(|()| request.authorize(cluster, acls::Operation::Read, Resource::Topic(name)))
    };
    body.topics.retain(|topic| may_commit(cluster, &topic.name.0).is_ok());
    for topic in &mut body.topics {
        let name = topic.name.0.clone();
        topic.partitions.retain(|partition| cluster.topics.has(&name, partition.partition_index));
    }
    body.topics.retain(|topic| !topic.partitions.is_empty());
    let allowed = if body.topics.is_empty() { Ok(()) } else { check(cluster, &body, request) };
    let mut results = Vec::with_capacity(asked.len());
    for topic in asked {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let number = partition.partition_index;
            let result = if let Err(code) = may_commit(cluster, &topic.name.0) {
                Err(code)
            } else if cluster.topics.has(&topic.name.0, number) {
                let (groups, around) = cluster.groups(request);
                allowed.and_then(|()| groups.commit_in_transaction(&body, &topic.name.0, partition, &around))
            } else {
                Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
            };
            let code = result.err().unwrap_or(ErrorCode::NONE);
            partitions
                .push(TxnOffsetCommitResponsePartition::default().with_partition_index(number).with_error_code(code.0));
        }
        results.push(TxnOffsetCommitResponseTopic::default().with_name(topic.name).with_partitions(partitions));
    }
    request.reply::<TxnOffsetCommitRequest>(&TxnOffsetCommitResponse::default().with_topics(results))
}

/// Whether these offsets may be written, for the transaction, the group and the producer's epoch.
fn check(cluster: &mut Cluster, body: &TxnOffsetCommitRequest, request: &Request<'_>) -> Result<(), ErrorCode> {
    let group_id = body.group_id.as_str();
    if group_id.is_empty() {
        return Err(ErrorCode::INVALID_GROUP_ID);
    }
    if cluster.nodes.coordinator(CoordinatorKind::Group, group_id) != Some(request.caller.node_id) {
        return Err(ErrorCode::NOT_COORDINATOR);
    }
    let producer = (body.producer_id.0, body.producer_epoch);
    let partition = offsets_partition(group_id);
    if !cluster.groups.has_open_transaction(partition.1, producer) {
        let operation = match request.version {
            ..4 => Operation::Verify,
            4 => Operation::VerifyAbortable,
            5.. => Operation::AddPartition,
        };
        let partitions = BTreeSet::from([partition]);
        let refused = cluster.join_transaction(&body.transactional_id, producer, &partitions, operation, request.now);
        if let Some(code) = refused.into_values().next() {
            return Err(code);
        }
    }
    let (groups, around) = cluster.groups(request);
    groups.check_commit_in_transaction(body, &around)
}
