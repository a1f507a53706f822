//! `ConsumerGroupDescribe` 0-1 (KIP-848, KIP-1099): the state of consumer groups, their members, and what these have and are
//! to have.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::ConsumerGroupDescribeRequest;
use tidemill_protocol::messages::consumer_group_describe_response::DescribedGroup;

use super::group_access;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: ConsumerGroupDescribeRequest = request.decode()?;
    let refused = group_access::take_refused(cluster, request, Operation::Describe, &mut body.group_ids);
    let (groups, around) = cluster.groups(request);
    let mut response = groups.handle_consumer_describe(body, &around);
    for group in &mut response.groups {
        if group.authorized_operations != i32::MIN {
            group.authorized_operations = request.operations(cluster, Resource::Group(&group.group_id));
        }
    }
    response.groups.extend(refused.into_iter().map(|(id, code)| {
        DescribedGroup::default().with_group_id(id).with_error_code(code.0).with_error_message(None)
    }));
    request.reply::<ConsumerGroupDescribeRequest>(&response)
}
