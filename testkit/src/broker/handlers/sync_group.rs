//! `SyncGroup` 0-5 (KIP-345, KIP-559): the leader says who reads what, the others wait for it.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{SyncGroupRequest, SyncGroupResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: SyncGroupRequest = request.decode()?;
    let is_complete = request.version < 5 || body.protocol_type.is_some() && body.protocol_name.is_some();
    // What is incomplete is refused as such, whoever asks.
    if let Err(code) = request.authorize(cluster, Operation::Read, Resource::Group(&body.group_id))
        && is_complete
    {
        return request.reply::<SyncGroupRequest>(&SyncGroupResponse::default().with_error_code(code.0));
    }
    let (groups, around) = cluster.groups(request);
    groups.handle_sync(body, request.version, &request.caller, &around);
    Ok(Outcome::Waits)
}
