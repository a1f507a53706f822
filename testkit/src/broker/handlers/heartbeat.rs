//! `Heartbeat` 0-4 (KIP-345): a member lives, and asks whether it has to join again.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::HeartbeatRequest;

use crate::broker::{Broker, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 4);

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: HeartbeatRequest = request.decode()?;
    request.reply::<HeartbeatRequest>(&broker.groups.handle_heartbeat(&body, request.now))
}
