//! `OffsetDelete` 0 (KIP-496): a group forgets what it has committed for topics it does not read.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{OffsetDeleteRequest, OffsetDeleteResponse};

use super::group_access;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: OffsetDeleteRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::Delete, Resource::Group(&body.group_id)) {
        return request.reply::<OffsetDeleteRequest>(&OffsetDeleteResponse::default().with_error_code(code.0));
    }
    let refused = group_access::take_refused_deletions(cluster, request, &mut body);
    let (groups, around) = cluster.groups(request);
    let response = groups.handle_offset_delete(&body, refused, &around);
    request.reply::<OffsetDeleteRequest>(&response)
}
