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

/// The request for coordinators: of all keys from version 4 on (KIP-699), before that of the first.
pub(super) fn request(kind: CoordinatorKind, keys: &[&str], version: i16) -> FindCoordinatorRequest {
    let mut keys = keys.iter().map(|key| StrBytes::from_string((*key).to_owned()));
    let request = FindCoordinatorRequest::default().with_key_type(kind.key_type());
    if version >= 4 {
        request.with_coordinator_keys(keys.collect())
    } else {
        request.with_key(keys.next().unwrap_or_default())
    }
}

/// The coordinators in an answer, of the keys that it says anything of.
pub(super) fn read(
    keys: &[&str],
    answer: &FindCoordinatorResponse,
    version: i16,
) -> Vec<(String, Result<Found, ErrorCode>)> {
    if version >= 4 {
        let named = answer.coordinators.iter().filter(|found| keys.contains(&&*found.key));
        return named
            .map(|found| {
                (found.key.to_string(), coordinator(found.error_code, found.node_id.0, &found.host, found.port))
            })
            .collect();
    }
    let first = coordinator(answer.error_code, answer.node_id.0, &answer.host, answer.port);
    keys.first().map(|key| ((*key).to_owned(), first)).into_iter().collect()
}

fn coordinator(code: i16, broker: i32, host: &StrBytes, port: i32) -> Result<Found, ErrorCode> {
    ErrorCode(code).into_result()?;
    let port = u16::try_from(port).map_err(|_| ErrorCode::COORDINATOR_NOT_AVAILABLE)?;
    Ok(Found { broker, host: host.to_string(), port })
}

#[cfg(test)]
mod tests {
    use tidemill_protocol::messages::BrokerId;
    use tidemill_protocol::messages::find_coordinator_response::Coordinator;

    use super::*;

    #[test]
    fn both_forms_are_asked_and_read() {
        let keys = ["g", "h"];
        assert_eq!(request(CoordinatorKind::Group, &keys, 3).key.as_str(), "g");
        assert_eq!(request(CoordinatorKind::Group, &keys, 4).coordinator_keys.len(), 2);
        let host = StrBytes::from_static_str("b");
        let old = FindCoordinatorResponse::default().with_node_id(BrokerId(3)).with_host(host.clone()).with_port(1);
        let brokers = |answer: &FindCoordinatorResponse, version| -> Vec<(String, Result<i32, ErrorCode>)> {
            let found = read(&keys, answer, version).into_iter();
            found.map(|(key, found)| (key, found.map(|found| found.broker))).collect()
        };
        assert_eq!(brokers(&old, 3), [("g".to_owned(), Ok(3))]);
        let found = |key| Coordinator::default().with_key(StrBytes::from_static_str(key)).with_host(host.clone());
        let coordinators = vec![
            found("h").with_node_id(BrokerId(4)).with_port(1),
            found("g").with_error_code(ErrorCode::COORDINATOR_NOT_AVAILABLE.0),
            found("never asked for"),
        ];
        let new = FindCoordinatorResponse::default().with_coordinators(coordinators);
        let expected = [("h".to_owned(), Ok(4)), ("g".to_owned(), Err(ErrorCode::COORDINATOR_NOT_AVAILABLE))];
        assert_eq!(brokers(&new, 4), expected);
        assert_eq!(brokers(&FindCoordinatorResponse::default(), 4), []);
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
