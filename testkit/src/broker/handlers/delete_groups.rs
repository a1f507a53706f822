//! `DeleteGroups` 0-2 (KIP-229): groups without members, and their offsets, are forgotten.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::DeleteGroupsRequest;
use tidemill_protocol::messages::delete_groups_response::DeletableGroupResult;

use super::group_access;
use crate::broker::acls::Operation;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: DeleteGroupsRequest = request.decode()?;
    let refused = group_access::take_refused(cluster, request, Operation::Delete, &mut body.groups_names);
    let (groups, around) = cluster.groups(request);
    let mut response = groups.handle_delete(body, &around);
    response.results.extend(
        refused.into_iter().map(|(id, code)| DeletableGroupResult::default().with_group_id(id).with_error_code(code.0)),
    );
    request.reply::<DeleteGroupsRequest>(&response)
}
