//! `AddPartitionsToTxn` 0-5 (KIP-98, KIP-890): the transaction of a producer has come to these partitions.
//!
//! From version 4 on it is what brokers ask each other, about several transactions at once, and may only verify. As in
//! Kafka without ACLs, clients may ask it too.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use tidemill_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
};
use tidemill_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TopicName};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::fenced_before;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::internal_topics::is_internal;
use crate::broker::transactions::{OFFSETS_TOPIC, TopicPartition};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

/// Since this version a fenced producer is told so.
const SAYS_FENCED_SINCE: i16 = 2;

/// Since this version it is asked for several transactions.
const BATCHED_SINCE: i16 = 4;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: AddPartitionsToTxnRequest = request.decode()?;
    let response = AddPartitionsToTxnResponse::default();
    if request.version >= BATCHED_SINCE {
        // It is for brokers.
        if let Err(code) = request.authorize(cluster, Operation::ClusterAction, Resource::Cluster) {
            return request.reply::<AddPartitionsToTxnRequest>(&response.with_error_code(code.0));
        }
        let all = &body.transactions;
        // Of a transaction that stands there several times Kafka takes the last partitions, and says of the first topics
        // that all was refused.
        let results = all.iter().cloned().map(|mut transaction| {
            let same: Vec<_> =
                all.iter().filter(|other| other.transactional_id == transaction.transactional_id).collect();
            let topics =
                |of: Option<&&AddPartitionsToTxnTransaction>| of.map(|it| it.topics.clone()).unwrap_or_default();
            let said = topics(same.first());
            transaction.topics = topics(same.last());
            let topics = add(cluster, &transaction, said, request);
            AddPartitionsToTxnResult::default()
                .with_transactional_id(transaction.transactional_id)
                .with_topic_results(topics)
        });
        let results = results.collect();
        return request.reply::<AddPartitionsToTxnRequest>(&response.with_results_by_transaction(results));
    }
    let transaction = AddPartitionsToTxnTransaction::default()
        .with_transactional_id(body.v3_and_below_transactional_id)
        .with_producer_id(body.v3_and_below_producer_id)
        .with_producer_epoch(body.v3_and_below_producer_epoch)
        .with_topics(body.v3_and_below_topics);
    let topics = add(cluster, &transaction, transaction.topics.clone(), request);
    request.reply::<AddPartitionsToTxnRequest>(&response.with_results_by_topic_v3_and_below(topics))
}

fn add(
    cluster: &mut Cluster,
    transaction: &AddPartitionsToTxnTransaction,
    said: Vec<AddPartitionsToTxnTopic>,
    request: &Request<'_>,
) -> Vec<AddPartitionsToTxnTopicResult> {
    let partitions = |topic: &AddPartitionsToTxnTopic| -> Vec<TopicPartition> {
        topic.partitions.iter().map(|number| (topic.name.0.to_string(), *number)).collect()
    };
    let asked: BTreeSet<TopicPartition> = transaction.topics.iter().flat_map(partitions).collect();
    let unknown: BTreeSet<TopicPartition> =
        asked.iter().filter(|(topic, number)| !exists(cluster, topic, *number)).cloned().collect();
    let id = transaction.transactional_id.as_str();
    let may_write = |topic: &str| {
        let by_broker = request.version >= BATCHED_SINCE;
        by_broker || !is_internal(topic) && request.may(cluster, Operation::Write, Resource::Topic(topic))
    };
    let denied: BTreeSet<TopicPartition> = asked.iter().filter(|(topic, _)| !may_write(topic)).cloned().collect();
    let may = request.authorize(cluster, Operation::Write, Resource::TransactionalId(id));
    let producer = (transaction.producer_id.0, transaction.producer_epoch);
    let result = if let (Err(code), true) = (may, request.version < BATCHED_SINCE) {
        Err(code)
    } else if !unknown.is_empty() || !denied.is_empty() {
        Ok(Vec::new())
    } else if let Err(code) = check_coordinator(cluster, id, request) {
        Err(code)
    } else if transaction.verify_only {
        cluster.verify_partitions_in_transaction(id, producer, &asked)
    } else {
        cluster.add_partitions_to_transaction(id, producer, &asked, request.now).map(|()| Vec::new())
    };
    let code_of = |partition: &TopicPartition| match &result {
        Ok(_) if denied.contains(partition) => ErrorCode::TOPIC_AUTHORIZATION_FAILED,
        Ok(_) if unknown.contains(partition) => ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        // One that is not there fails all of them.
        Ok(_) if !unknown.is_empty() || !denied.is_empty() => ErrorCode::OPERATION_NOT_ATTEMPTED,
        Ok(verified) if verified.iter().any(|(of, there)| of == partition && !there) => {
            ErrorCode::TRANSACTION_ABORTABLE
        }
        Ok(_) => ErrorCode::NONE,
        Err(code) => fenced_before(SAYS_FENCED_SINCE, request.version, *code),
    };
    let result_of = |partition: &TopicPartition| {
        AddPartitionsToTxnPartitionResult::default()
            .with_partition_index(partition.1)
            .with_partition_error_code(code_of(partition).0)
    };
    let answer = |name: TopicName, partitions: Vec<AddPartitionsToTxnPartitionResult>| {
        AddPartitionsToTxnTopicResult::default().with_name(name).with_results_by_partition(partitions)
    };
    let is_each_its_own = transaction.verify_only || !unknown.is_empty() || !denied.is_empty();
    if is_each_its_own && (may.is_ok() || request.version >= BATCHED_SINCE) {
        // Each partition once, in one piece for each topic.
        let mut topics: BTreeMap<&str, Vec<AddPartitionsToTxnPartitionResult>> = BTreeMap::new();
        for partition in &asked {
            topics.entry(&partition.0).or_default().push(result_of(partition));
        }
        let name = |name: &str| TopicName(StrBytes::from_string(name.to_owned()));
        return topics.into_iter().map(|(topic, partitions)| answer(name(topic), partitions)).collect();
    }
    let topic = |topic: AddPartitionsToTxnTopic| {
        let results = partitions(&topic).iter().map(result_of).collect();
        answer(topic.name, results)
    };
    said.into_iter().map(topic).collect()
}

/// An empty id is refused before anybody asks whose it is.
fn check_coordinator(cluster: &Cluster, id: &str, request: &Request<'_>) -> Result<(), ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.check_transaction_coordinator(id, request.caller.node_id)
}

/// What groups commit is written to a topic that is not kept as one here.
fn exists(cluster: &Cluster, topic: &str, number: i32) -> bool {
    topic == OFFSETS_TOPIC || cluster.topics.has(topic, number)
}
