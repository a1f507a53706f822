//! `ConsumerGroupHeartbeat` 0-1 (KIP-848): a member joins, lives and leaves, and is told what it reads.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::{ConsumerGroupHeartbeatRequest, ConsumerGroupHeartbeatResponse};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ConsumerGroupHeartbeatRequest = request.decode()?;
    let described = |name: &_| request.authorize(cluster, Operation::Describe, Resource::Topic(name));
    let may = request
        .authorize(cluster, Operation::Read, Resource::Group(&body.group_id))
        .and_then(|()| body.subscribed_topic_names.iter().flatten().try_for_each(|name| described(&name.0)));
    if let Err(code) = may {
        let response = ConsumerGroupHeartbeatResponse::default().with_error_code(code.0).with_error_message(None);
        return request.reply::<ConsumerGroupHeartbeatRequest>(&response);
    }
    let (groups, around) = cluster.groups(request);
    let response = groups.handle_consumer_heartbeat(&body, request.version, &request.caller, &around);
    request.reply::<ConsumerGroupHeartbeatRequest>(&response)
}
