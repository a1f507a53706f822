//! `DescribeGroups` 0-6 (KIP-345, KIP-430, KIP-1043): the state and the members of groups.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::DescribeGroupsRequest;
use tidemill_protocol::messages::describe_groups_response::DescribedGroup;

use super::group_access;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 6);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: DescribeGroupsRequest = request.decode()?;
    let refused = group_access::take_refused(cluster, request, Operation::Describe, &mut body.groups);
    let (groups, around) = cluster.groups(request);
    let mut response = groups.handle_describe(body, request.version, &around);
    for group in &mut response.groups {
        if group.authorized_operations != i32::MIN {
            group.authorized_operations = request.operations(cluster, Resource::Group(&group.group_id));
        }
    }
    // What is refused stands first.
    response.groups.splice(
        ..0,
        refused.into_iter().map(|(id, code)| {
            DescribedGroup::default().with_group_id(id).with_error_code(code.0).with_error_message(None)
        }),
    );
    request.reply::<DescribeGroupsRequest>(&response)
}
