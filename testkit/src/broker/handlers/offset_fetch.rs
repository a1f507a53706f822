//! `OffsetFetch` 1-9 (KIP-88, KIP-447, KIP-709, KIP-848): what groups have committed.
//!
//! Version 10, with ids of topics, is not spoken: its request has no message struct.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::OffsetFetchRequest;

use super::group_access;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 9);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: OffsetFetchRequest = request.decode()?;
    let asked = group_access::Asked::new(&body);
    let (groups, around) = cluster.groups(request);
    let mut response = groups.handle_offset_fetch(body, request.version, &around);
    group_access::hide_offsets(cluster, request, &asked, &mut response);
    request.reply::<OffsetFetchRequest>(&response)
}
