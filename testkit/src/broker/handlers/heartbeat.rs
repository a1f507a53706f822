//! `Heartbeat` 0-4 (KIP-345): a member lives, and asks whether it has to join again.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{HeartbeatRequest, HeartbeatResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 4);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: HeartbeatRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Read, Resource::Group(&body.group_id)) {
        return request.reply::<HeartbeatRequest>(&HeartbeatResponse::default().with_error_code(code.0));
    }
    let (groups, around) = cluster.groups(request);
    request.reply::<HeartbeatRequest>(&groups.handle_heartbeat(&body, &around))
}
