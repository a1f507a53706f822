//! `SyncGroup` 0-5 (KIP-345, KIP-559): the leader says who reads what, the others wait for it.

use tidemill_protocol::api::VersionRange;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let (groups, around) = cluster.groups(request);
    groups.handle_sync(request.decode()?, request.version, &request.caller, &around);
    Ok(Outcome::Waits)
}
