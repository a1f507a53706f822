//! `OffsetDelete` 0 (KIP-496): a group forgets what it has committed for topics it does not read.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::OffsetDeleteRequest;

use crate::broker::{Broker, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: OffsetDeleteRequest = request.decode()?;
    let topics = &broker.topics;
    let response = broker.groups.handle_offset_delete(body, |name, partition| topics.has(name, partition));
    request.reply::<OffsetDeleteRequest>(&response)
}
