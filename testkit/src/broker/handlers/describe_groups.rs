//! `DescribeGroups` 0-6 (KIP-345, KIP-430, KIP-1043): the state and the members of groups.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::DescribeGroupsRequest;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 6);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeGroupsRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    request.reply::<DescribeGroupsRequest>(&groups.handle_describe(body, request.version, &around))
}
