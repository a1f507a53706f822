//! `ConsumerGroupDescribe` 0-1 (KIP-848, KIP-1099): the state of consumer groups, their members, and what these have and are
//! to have.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::ConsumerGroupDescribeRequest;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ConsumerGroupDescribeRequest = request.decode()?;
    let (groups, around) = cluster.groups(request);
    request.reply::<ConsumerGroupDescribeRequest>(&groups.handle_consumer_describe(body, &around))
}
