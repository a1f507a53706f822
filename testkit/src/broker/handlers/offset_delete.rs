//! `OffsetDelete` 0 (KIP-496): a group forgets what it has committed for topics it does not read.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::OffsetDeleteRequest;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: OffsetDeleteRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    let response = groups.handle_offset_delete(body, &around);
    request.reply::<OffsetDeleteRequest>(&response)
}
