//! `FindCoordinator` 0-6 (KIP-98, KIP-699): who coordinates a group or a transactional id.
//!
//! The topic of the coordinators is made if it is not there. Share groups are not coordinated: a partition of one (KIP-932) has no coordinator yet, as in Kafka before it has made
//! the topic for their state.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::find_coordinator_response::Coordinator;
use tidemill_protocol::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::{Resource, words};
use crate::broker::nodes::CoordinatorKind;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 6);

const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;

/// Since this version it is asked for partitions of share groups.
const KNOWS_SHARE_SINCE: i16 = 6;

/// What Kafka says of a type that it does not know.
const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the message \
                         was sent to an incompatible broker. See the broker logs for more details.";

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: FindCoordinatorRequest = request.decode()?;
    let keys = if request.version >= 4 { body.coordinator_keys } else { vec![body.key] };
    let kind = match body.key_type {
        GROUP => Some(CoordinatorKind::Group),
        TRANSACTION => Some(CoordinatorKind::Transaction),
        _ => None,
    };
    let found = |key: StrBytes| {
        let coordinator = Coordinator::default();
        let nobody = |coordinator: Coordinator, code: ErrorCode, message: String| {
            coordinator
                .with_error_code(code.0)
                .with_error_message(Some(StrBytes::from_string(message)))
                .with_node_id(BrokerId(-1))
                .with_port(-1)
        };
        let resource = kind.map(|kind| match kind {
            CoordinatorKind::Group => Resource::Group(&key),
            CoordinatorKind::Transaction => Resource::TransactionalId(&key),
        });
        if let Some(Err(code)) = resource.map(|it| request.authorize(cluster, Operation::Describe, it)) {
            // The versions that ask for several keep the words to themselves.
            let message = if request.version >= 4 { String::new() } else { words(code).to_owned() };
            return nobody(coordinator, code, message).with_key(key.clone());
        }
        if let Some(kind) = kind {
            // Where it cannot be made, nobody is found below.
            let _ = cluster.make_coordinators(kind);
        }
        let coordinator = match kind.map(|kind| cluster.nodes.coordinator(kind, &key)) {
            None if body.key_type == SHARE && request.version >= KNOWS_SHARE_SINCE && is_share_partition(&key) => {
                nobody(coordinator, ErrorCode::COORDINATOR_NOT_AVAILABLE, String::new())
            }
            None => {
                let message = if body.key_type == SHARE && request.version >= 4 { "" } else { MALFORMED };
                nobody(coordinator, ErrorCode::INVALID_REQUEST, message.to_owned())
            }
            Some(id) => match id.and_then(|id| cluster.nodes.get(id)) {
                Some(node) => coordinator
                    .with_node_id(BrokerId(node.config.node_id))
                    .with_host(text(&node.config.host))
                    .with_port(i32::from(node.config.port)),
                None => nobody(coordinator, ErrorCode::COORDINATOR_NOT_AVAILABLE, String::new()),
            },
        };
        coordinator.with_key(key)
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

/// `group:topic id:partition`, the id in base 64.
fn is_share_partition(key: &str) -> bool {
    let is_id =
        |id: &str| id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let mut parts = key.splitn(3, ':');
    let mut next = || parts.next().unwrap_or_default();
    let (group, id, partition) = (next(), next(), next());
    !group.trim().is_empty() && is_id(id) && partition.parse::<i32>().is_ok()
}
