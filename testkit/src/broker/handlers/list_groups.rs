//! `ListGroups` 0-5 (KIP-518, KIP-848): which groups there are, by state and type.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::ListGroupsRequest;

use crate::broker::{Broker, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 5);

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ListGroupsRequest = request.decode()?;
    request.reply::<ListGroupsRequest>(&broker.groups.handle_list(&body))
}
