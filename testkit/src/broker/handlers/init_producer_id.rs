//! `InitProducerId` 0-5 (KIP-98, KIP-360, KIP-890): a producer id for idempotent writing, or for a transactional id.
//!
//! As in Kafka, each call without a transactional id gives a new producer id at epoch 0, whatever the caller had before.
//! Version 6, with what outlives its producer (KIP-939), is not spoken: its request has no message struct.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use super::fenced_before;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request, millis};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

/// Since this version a fenced producer is told so.
const SAYS_FENCED_SINCE: i16 = 4;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: InitProducerIdRequest = request.decode()?;
    let refused = match &body.transactional_id {
        Some(id) => request.authorize(cluster, Operation::Write, Resource::TransactionalId(id)).err(),
        None if request.may(cluster, Operation::IdempotentWrite, Resource::Cluster) => None,
        None if request.may_write_somewhere(cluster) => None,
        None => Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
    };
    if let Some(code) = refused {
        let response = InitProducerIdResponse::default();
        let response = response.with_error_code(code.0).with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        return request.reply::<InitProducerIdRequest>(&response);
    }
    let response = match init(cluster, &body, request) {
        Ok((id, epoch)) => {
            InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
        }
        Err(code) => InitProducerIdResponse::default()
            .with_error_code(fenced_before(SAYS_FENCED_SINCE, request.version, code).0)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1),
    };
    request.reply::<InitProducerIdRequest>(&response)
}

fn init(cluster: &mut Cluster, body: &InitProducerIdRequest, request: &Request<'_>) -> Result<(i64, i16), ErrorCode> {
    let expected = match (body.producer_id.0, body.producer_epoch) {
        (-1, -1) => None,
        (-1, _) | (_, -1) => return Err(ErrorCode::INVALID_REQUEST),
        (id, epoch) => Some((id, epoch)),
    };
    let Some(id) = &body.transactional_id else { return Ok((cluster.transactions.new_producer_id(), 0)) };
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    let timeout_ms = body.transaction_timeout_ms;
    if timeout_ms <= 0 || i64::from(timeout_ms) > millis(cluster.config.transaction_timeout_max) {
        return Err(ErrorCode::INVALID_TRANSACTION_TIMEOUT);
    }
    cluster.check_transaction_coordinator(id, request.caller.node_id)?;
    cluster.init_producer_id(id, expected, timeout_ms, request.now)
}
