//! `Heartbeat` 0-4 (KIP-345): a member lives, and asks whether it has to join again.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::HeartbeatRequest;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 4);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: HeartbeatRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    request.reply::<HeartbeatRequest>(&groups.handle_heartbeat(&body, &around))
}
