//! `DeleteGroups` 0-2 (KIP-229): groups without members, and their offsets, are forgotten.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::DeleteGroupsRequest;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DeleteGroupsRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    request.reply::<DeleteGroupsRequest>(&groups.handle_delete(body, &around))
}
