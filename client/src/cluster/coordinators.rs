//! Which broker coordinates a group or a transaction, as far as it has been asked for.

use std::collections::BTreeMap;

use tidemill_protocol::messages::{FindCoordinatorRequest, FindCoordinatorResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

/// What a coordinator keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CoordinatorKind {
    /// A consumer group.
    Group,
    /// The transactions of a transactional id.
    Transaction,
}

impl CoordinatorKind {
    /// What its key is the name of.
    pub(super) const fn noun(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Transaction => "transactional id",
        }
    }

    const fn key_type(self) -> i8 {
        match self {
            Self::Group => 0,
            Self::Transaction => 1,
        }
    }
}

/// The coordinators that are known.
#[derive(Debug, Default)]
pub(super) struct Coordinators {
    brokers: BTreeMap<(CoordinatorKind, String), i32>,
}

/// A coordinator, as a broker named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) broker: i32,
    pub(super) host: String,
    pub(super) port: u16,
}

impl Coordinators {
    pub(super) fn known(&self, kind: CoordinatorKind, key: &str) -> Option<i32> {
        self.brokers.get(&(kind, key.to_owned())).copied()
    }

    pub(super) fn handle_found(&mut self, kind: CoordinatorKind, key: &str, broker: i32) {
        self.brokers.insert((kind, key.to_owned()), broker);
    }

    pub(super) fn handle_moved(&mut self, kind: CoordinatorKind, key: &str) {
        self.brokers.remove(&(kind, key.to_owned()));
    }
}

/// The request for one coordinator; from version 4 on keys come in a list (KIP-699).
pub(super) fn request(kind: CoordinatorKind, key: &str, version: i16) -> FindCoordinatorRequest {
    let key = StrBytes::from_string(key.to_owned());
    let request = FindCoordinatorRequest::default().with_key_type(kind.key_type());
    if version >= 4 { request.with_coordinator_keys(vec![key]) } else { request.with_key(key) }
}

/// The coordinator in an answer.
pub(super) fn read(answer: &FindCoordinatorResponse, version: i16) -> Result<Found, ErrorCode> {
    let (code, broker, host, port) = if version >= 4 {
        let first = answer.coordinators.first().ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
        (first.error_code, first.node_id, &first.host, first.port)
    } else {
        (answer.error_code, answer.node_id, &answer.host, answer.port)
    };
    ErrorCode(code).into_result()?;
    let port = u16::try_from(port).map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    Ok(Found { broker: broker.0, host: host.to_string(), port })
}

#[cfg(test)]
mod tests {
    use tidemill_protocol::messages::BrokerId;
    use tidemill_protocol::messages::find_coordinator_response::Coordinator;

    use super::*;

    #[test]
    fn both_forms_are_asked_and_read() {
        assert_eq!(request(CoordinatorKind::Group, "g", 3).key.as_str(), "g");
        assert_eq!(request(CoordinatorKind::Group, "g", 4).coordinator_keys.len(), 1);
        let host = StrBytes::from_static_str("h");
        let old = FindCoordinatorResponse::default().with_node_id(BrokerId(3)).with_host(host.clone()).with_port(1);
        assert_eq!(read(&old, 3).unwrap().broker, 3);
        let coordinator = Coordinator::default().with_node_id(BrokerId(4)).with_host(host).with_port(1);
        let new = FindCoordinatorResponse::default().with_coordinators(vec![coordinator]);
        assert_eq!(read(&new, 4).unwrap().broker, 4);
        assert_eq!(read(&FindCoordinatorResponse::default(), 4), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE));
    }

    #[test]
    fn a_coordinator_that_moved_is_looked_up_again() {
        let mut coordinators = Coordinators::default();
        coordinators.handle_found(CoordinatorKind::Group, "g", 2);
        assert_eq!(coordinators.known(CoordinatorKind::Group, "g"), Some(2));
        coordinators.handle_moved(CoordinatorKind::Group, "g");
        assert_eq!(coordinators.known(CoordinatorKind::Group, "g"), None);
    }
}
