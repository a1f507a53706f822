//! `ListGroups` 0-5 (KIP-518, KIP-848): which groups there are, by state and type.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::ListGroupsRequest;

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ListGroupsRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    let mut response = groups.handle_list(&body, &around);
    if !request.may(cluster, Operation::Describe, Resource::Cluster) {
        response.groups.retain(|it| request.may(cluster, Operation::Describe, Resource::Group(&it.group_id)));
    }
    request.reply::<ListGroupsRequest>(&response)
}
