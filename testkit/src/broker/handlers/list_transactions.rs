//! `ListTransactions` 0-2 (KIP-664, KIP-994, KIP-1152): the transactional ids that the broker coordinates.

use std::collections::BTreeSet;

use regex::Regex;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::list_transactions_response::TransactionState;
use tidemill_protocol::messages::{ListTransactionsRequest, ListTransactionsResponse, ProducerId, TransactionalId};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::transactions::Transaction;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

/// Every state that Kafka knows.
const STATES: [&str; 8] = [
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Empty",
    "Dead",
    "PrepareEpochFence",
];

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ListTransactionsRequest = request.decode()?;
    let pattern = match pattern(body.transactional_id_pattern.as_deref()) {
        Ok(pattern) => pattern,
        Err(code) => {
            let response = ListTransactionsResponse::default().with_error_code(code.0);
            return request.reply::<ListTransactionsRequest>(&response);
        }
    };
    let is_listed = |id: &str, transaction: &Transaction| {
        let duration = request.unix_ms.saturating_sub(transaction.state.started_ms());
        cluster.check_transaction_coordinator(id, request.caller.node_id).is_ok()
            && request.may(cluster, Operation::Describe, Resource::TransactionalId(id))
            && (body.producer_id_filters.is_empty()
                || body.producer_id_filters.contains(&ProducerId(transaction.producer_id)))
            && (body.state_filters.is_empty()
                || body.state_filters.iter().any(|it| it.as_str() == transaction.state.name()))
            && pattern.as_ref().is_none_or(|pattern| pattern.is_match(id))
            && (body.duration_filter < 0 || duration > body.duration_filter)
    };
    let listed = cluster.transactions.iter().filter(|(id, transaction)| is_listed(id, transaction));
    let listed = listed.map(|(id, transaction)| {
        TransactionState::default()
            .with_transactional_id(TransactionalId(text(id)))
            .with_producer_id(ProducerId(transaction.producer_id))
            .with_transaction_state(text(transaction.state.name()))
    });
    let unknown: BTreeSet<StrBytes> =
        body.state_filters.iter().filter(|state| !STATES.contains(&state.as_str())).cloned().collect();
    let response = ListTransactionsResponse::default()
        .with_unknown_state_filters(unknown.into_iter().collect())
        .with_transaction_states(listed.collect());
    request.reply::<ListTransactionsRequest>(&response)
}

/// A pattern of whole transactional ids; none lets all through. Kafka's RE2 takes the same, in linear time as well.
fn pattern(text: Option<&str>) -> Result<Option<Regex>, ErrorCode> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let whole = Regex::new(text).and_then(|_| Regex::new(&format!("^(?:{text})$")));
    whole.map(Some).map_err(|_| ErrorCode::INVALID_REGULAR_EXPRESSION)
}
