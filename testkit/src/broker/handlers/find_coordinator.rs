//! `FindCoordinator` 0-6 (KIP-98, KIP-699): who coordinates a group. Always this broker.
//!
//! Transactional ids are answered too; it is InitProducerId that refuses them. Share groups are not spoken.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::find_coordinator_response::Coordinator;
use tidemill_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::{Broker, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 6);

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

pub(super) fn handle(broker: &mut Broker, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: FindCoordinatorRequest = request.decode()?;
    let keys = if request.version >= 4 { body.coordinator_keys } else { vec![body.key] };
    let spoken = matches!(body.key_type, GROUP | TRANSACTION);
    let found = |key: StrBytes| {
        let coordinator = Coordinator::default().with_key(key);
        if !spoken {
            return coordinator
                .with_error_code(ErrorCode::INVALID_REQUEST.0)
                .with_error_message(Some(StrBytes::from_string(format!("no coordinator of type {}", body.key_type))))
                .with_node_id(BrokerId(-1))
                .with_port(-1);
        }
        coordinator
            .with_node_id(BrokerId(broker.config.node_id))
            .with_host(text(&broker.config.host))
            .with_port(i32::from(broker.config.port))
    };
    let coordinators: Vec<Coordinator> = keys.into_iter().map(found).collect();
    let response = FindCoordinatorResponse::default();
    let response = if request.version >= 4 {
        response.with_coordinators(coordinators)
    } else {
        let only = coordinators.into_iter().next().unwrap_or_default();
        let message = only.error_message.filter(|_| only.error_code != 0);
        response
            .with_error_code(only.error_code)
            .with_error_message(message.or(Some(StrBytes::from_static_str("NONE"))))
            .with_node_id(only.node_id)
            .with_host(only.host)
            .with_port(only.port)
    };
    request.reply::<FindCoordinatorRequest>(&response)
}
