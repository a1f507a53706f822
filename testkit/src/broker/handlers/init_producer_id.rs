//! `InitProducerId` 0-5 (KIP-98, KIP-360): a producer id for idempotent writing.
//!
//! As in Kafka, each call without a transactional id gives a new producer id at epoch 0, whatever the caller had before.
//! There are no transactions yet: a transactional id is answered `TRANSACTIONAL_ID_AUTHORIZATION_FAILED`, the one code on
//! which both the Java client and librdkafka give up at once instead of trying again.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: InitProducerIdRequest = request.decode()?;
    let response = InitProducerIdResponse::default();
    let refused = match &body.transactional_id {
        Some(id) => request.authorize(cluster, Operation::Write, Resource::TransactionalId(id)).err(),
        None if request.may(cluster, Operation::IdempotentWrite, Resource::Cluster) => None,
        None if request.may_write_somewhere(cluster) => None,
        None => Some(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
    };
    if let Some(code) = refused {
        let response = response.with_error_code(code.0).with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
        return request.reply::<InitProducerIdRequest>(&response);
    }
    let response = if body.transactional_id.is_some() {
        response
            .with_error_code(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED.0)
            .with_producer_id(ProducerId(-1))
            .with_producer_epoch(-1)
    } else {
        let id = cluster.next_producer_id;
        cluster.next_producer_id += 1;
        response.with_producer_id(ProducerId(id)).with_producer_epoch(0)
    };
    request.reply::<InitProducerIdRequest>(&response)
}
