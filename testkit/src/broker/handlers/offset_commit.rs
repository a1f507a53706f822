//! `OffsetCommit` 2-9 (KIP-98, KIP-345, KIP-848): a group's next offsets to read.
//!
//! Version 10, with ids of topics, is not spoken: its request has no message struct. Retention times are not looked at.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::OffsetCommitRequest;

use super::group_access;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(2, 9);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: OffsetCommitRequest = request.decode()?;
    let refused = group_access::take_refused_commits(cluster, request, &mut body);
    let (groups, around) = cluster.groups(request);
    let response = groups.handle_commit(&body, request.version, refused, &around);
    request.reply::<OffsetCommitRequest>(&response)
}
