//! `AddOffsetsToTxn` 0-4 (KIP-98): the transaction of a producer will hold offsets of this group.

use std::collections::BTreeSet;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{AddOffsetsToTxnRequest, AddOffsetsToTxnResponse};

use super::fenced_before;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::transactions::offsets_partition;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 4);

/// Since this version a fenced producer is told so.
const SAYS_FENCED_SINCE: i16 = 2;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: AddOffsetsToTxnRequest = request.decode()?;
    let code = add(cluster, &body, request).err().unwrap_or(ErrorCode::NONE);
    let code = fenced_before(SAYS_FENCED_SINCE, request.version, code);
    request.reply::<AddOffsetsToTxnRequest>(&AddOffsetsToTxnResponse::default().with_error_code(code.0))
}

fn add(cluster: &mut Cluster, body: &AddOffsetsToTxnRequest, request: &Request<'_>) -> Result<(), ErrorCode> {
    let id = body.transactional_id.as_str();
    request.authorize(cluster, Operation::Write, Resource::TransactionalId(id))?;
    request.authorize(cluster, Operation::Read, Resource::Group(&body.group_id))?;
    if id.is_empty() {
        return Err(ErrorCode::INVALID_REQUEST);
    }
    cluster.check_transaction_coordinator(id, request.caller.node_id)?;
    let partition = BTreeSet::from([offsets_partition(&body.group_id)]);
    cluster.add_partitions_to_transaction(id, (body.producer_id.0, body.producer_epoch), &partition, request.now)
}
