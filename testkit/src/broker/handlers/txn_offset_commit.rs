//! `TxnOffsetCommit` 0-5 (KIP-98, KIP-447, KIP-890): a group's next offsets to read, which count when the transaction of the
//! producer is committed.
//!
//! From version 5 on it adds the group to the transaction; before, AddOffsetsToTxn has to.

use std::collections::BTreeSet;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::txn_offset_commit_request::TxnOffsetCommitRequestTopic;
use tidemill_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use tidemill_protocol::messages::{TxnOffsetCommitRequest, TxnOffsetCommitResponse};

use crate::broker::acls;
use crate::broker::authorization::Resource;
use crate::broker::groups::in_one_piece;
use crate::broker::nodes::CoordinatorKind;
use crate::broker::transactions::{Operation, offsets_partition};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: TxnOffsetCommitRequest = request.decode()?;
    let asked = std::mem::take(&mut body.topics);
    // Of the whole request, or of single topics.
    let may = request
        .authorize(cluster, acls::Operation::Write, Resource::TransactionalId(&body.transactional_id))
        .and_then(|()| request.authorize(cluster, acls::Operation::Read, Resource::Group(&body.group_id)));
    let may_commit = |cluster: &Cluster, name: &str| {
        may.and_then(|()| request.authorize(cluster, acls::Operation::Read, Resource::Topic(name)))
    };
    let answer = |topic: &TxnOffsetCommitRequestTopic, codes: Vec<(i32, ErrorCode)>| {
        let partition = |(number, code): (i32, ErrorCode)| {
            TxnOffsetCommitResponsePartition::default().with_partition_index(number).with_error_code(code.0)
        };
        let partitions = codes.into_iter().map(partition).collect();
        TxnOffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    };
    let mut refused = Vec::new();
    for mut topic in asked {
        let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
        if let Err(code) = may_commit(cluster, &topic.name.0) {
            refused.push(answer(&topic, numbers.map(|number| (number, code)).collect()));
            continue;
        }
        let missing = numbers.filter(|number| !cluster.topics.has(&topic.name.0, *number));
        let missing: Vec<_> = missing.map(|number| (number, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)).collect();
        if !missing.is_empty() || cluster.topics.by_name(&topic.name.0).is_none() {
            refused.push(answer(&topic, missing));
        }
        let name = topic.name.clone();
        topic.partitions.retain(|partition| cluster.topics.has(&name.0, partition.partition_index));
        if !topic.partitions.is_empty() {
            body.topics.push(topic);
        }
    }
    let allowed = if body.topics.is_empty() { Ok(()) } else { check(cluster, &body, request) };
    let mut committed = Vec::with_capacity(body.topics.len());
    for topic in &body.topics {
        let codes = topic.partitions.iter().map(|partition| {
            let (groups, around) = cluster.groups(request);
            let result = allowed.and_then(|()| groups.commit_in_transaction(&body, &topic.name.0, partition, &around));
            (partition.partition_index, result.err().unwrap_or(ErrorCode::NONE))
        });
        let codes = codes.collect();
        committed.push(answer(topic, codes));
    }
    let topics = in_one_piece(refused, committed, |it| it.name.0.to_string(), |it| &mut it.partitions);
    request.reply::<TxnOffsetCommitRequest>(&TxnOffsetCommitResponse::default().with_topics(topics))
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
