//! `ConsumerGroupHeartbeat` 0-1 (KIP-848): a member joins, lives and leaves, and is told what it reads.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::ConsumerGroupHeartbeatRequest;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ConsumerGroupHeartbeatRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    let response = groups.handle_consumer_heartbeat(&body, request.version, &request.caller, &around);
    request.reply::<ConsumerGroupHeartbeatRequest>(&response)
}
