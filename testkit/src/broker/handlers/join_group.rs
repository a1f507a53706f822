//! `JoinGroup` 0-9 (KIP-62, KIP-345, KIP-394, KIP-559, KIP-814): a client wants to be a member, and waits for the others.

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{JoinGroupRequest, JoinGroupResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 9);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: JoinGroupRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Read, Resource::Group(&body.group_id)) {
        let response = JoinGroupResponse::default().with_error_code(code.0).with_generation_id(-1);
        let none = if request.version >= 7 { None } else { Some(StrBytes::default()) };
        return request.reply::<JoinGroupRequest>(&response.with_protocol_name(none));
    }
    let (groups, around) = cluster.groups(request);
    groups.handle_join(&body, request.version, &request.caller, &around);
    Ok(Outcome::Waits)
}
