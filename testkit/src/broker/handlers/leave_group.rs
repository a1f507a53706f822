//! `LeaveGroup` 0-5 (KIP-345, KIP-800): members go, or are sent away.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: LeaveGroupRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Read, Resource::Group(&body.group_id)) {
        return request.reply::<LeaveGroupRequest>(&LeaveGroupResponse::default().with_error_code(code.0));
    }
    let (groups, around) = cluster.groups(request);
    let response = groups.handle_leave(body, request.version, &around);
    request.reply::<LeaveGroupRequest>(&response)
}
