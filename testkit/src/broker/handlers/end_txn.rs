//! `EndTxn` 0-5 (KIP-98, KIP-890): a producer commits or aborts its transaction.
//!
//! Version 5 is of the second generation: it bumps the epoch, and the answer says what to go on with. It is so whatever
//! level of `transaction.version` the cluster is at; clients ask for that before they use it. The transaction is complete
//! when the answer leaves, unless a partition cannot be written to; Kafka's takes a moment.

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{EndTxnRequest, EndTxnResponse, ProducerId};

use super::fenced_before;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::transactions::Generation;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

/// Since this version a fenced producer is told so.
const SAYS_FENCED_SINCE: i16 = 2;

/// Since this version every end bumps the epoch.
const BUMPS_EPOCH_SINCE: i16 = 5;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: EndTxnRequest = request.decode()?;
    let bumps = request.version >= BUMPS_EPOCH_SINCE;
    let generation = if bumps { Generation::V2 } else { Generation::V1 };
    let response = match end(cluster, &body, generation, request) {
        Ok((id, epoch)) if bumps => {
            EndTxnResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(epoch)
        }
        Ok(_) => EndTxnResponse::default(),
        Err(code) => {
            EndTxnResponse::default().with_error_code(fenced_before(SAYS_FENCED_SINCE, request.version, code).0)
        }
    };
    request.reply::<EndTxnRequest>(&response)
}

fn end(
    cluster: &mut Cluster,
    body: &EndTxnRequest,
    generation: Generation,
    request: &Request<'_>,
) -> Result<(i64, i16), ErrorCode> {
    let id = body.transactional_id.as_str();
    request.authorize(cluster, Operation::Write, Resource::TransactionalId(id))?;
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.check_transaction_coordinator(id, request.caller.node_id)?;
    let producer = (body.producer_id.0, body.producer_epoch);
    cluster.end_transaction(id, producer, body.committed, generation, request.now)
}
