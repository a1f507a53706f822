//! `JoinGroup` 0-9 (KIP-62, KIP-345, KIP-394, KIP-559, KIP-814): a client wants to be a member, and waits for the others.

use tidemill_protocol::api::VersionRange;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 9);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let (groups, around) = cluster.groups(request);
    groups.handle_join(&request.decode()?, request.version, &request.caller, &around);
    Ok(Outcome::Waits)
}
