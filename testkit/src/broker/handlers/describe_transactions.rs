//! `DescribeTransactions` 0 (KIP-664): what transactional ids are like, of those that the broker coordinates.

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_transactions_response::{TopicData, TransactionState};
use tidemill_protocol::messages::{DescribeTransactionsRequest, DescribeTransactionsResponse, ProducerId};

use super::{name, text};
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeTransactionsRequest = request.decode()?;
    let described = body.transactional_ids.into_iter().map(|id| {
        let described = describe(cluster, &id, request);
        let failed = |code: ErrorCode| TransactionState::default().with_error_code(code.0);
        described.unwrap_or_else(failed).with_transactional_id(id)
    });
    let response = DescribeTransactionsResponse::default().with_transaction_states(described.collect());
    request.reply::<DescribeTransactionsRequest>(&response)
}

fn describe(cluster: &Cluster, id: &str, request: &Request<'_>) -> Result<TransactionState, ErrorCode> {
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    request.authorize(cluster, Operation::Describe, Resource::TransactionalId(id))?;
    cluster.check_transaction_coordinator(id, request.caller.node_id)?;
    let transaction = cluster.transactions.get(id).ok_or(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND)?;
    let mut topics: BTreeMap<String, Vec<i32>> = BTreeMap::new();
    for (topic, number) in cluster.transactions.partitions(id) {
        // Topics that may not be described are left out.
        if request.may(cluster, Operation::Describe, Resource::Topic(&topic)) {
            topics.entry(topic).or_default().push(number);
        }
    }
    let topic = |(topic, partitions): (String, Vec<i32>)| {
        TopicData::default().with_topic(name(&topic)).with_partitions(partitions)
    };
    Ok(TransactionState::default()
        .with_transaction_state(text(transaction.state.name()))
        .with_transaction_timeout_ms(transaction.timeout_ms)
        .with_transaction_start_time_ms(transaction.state.started_ms())
        .with_producer_id(ProducerId(transaction.producer_id))
        .with_producer_epoch(transaction.producer_epoch)
        .with_topics(topics.into_iter().map(topic).collect()))
}
