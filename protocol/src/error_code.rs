//! Kafka's error codes: name, whether trying again can help, and whether metadata is out of date.
//!
//! Both columns are read off `org.apache.kafka.common.protocol.Errors` of Kafka 4.3: *retriable* where its exception is
//! a `RetriableException`, *refresh* where it is an `InvalidMetadataException`.

use std::fmt;

/// An error code of Kafka's protocol. Numbers we do not know survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number, known or not")]
pub struct ErrorCode(pub i16);

impl ErrorCode {
    /// No error.
    pub const NONE: Self = Self(0);

    /// Whether this code says that all went well.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.0 == 0
    }

    /// `Ok` for [`ErrorCode::NONE`], the code itself as an error otherwise.
    ///
    /// # Errors
    /// The code, when it is one.
    pub const fn into_result(self) -> Result<(), Self> {
        if self.is_none() { Ok(()) } else { Err(self) }
    }
}

macro_rules! error_codes {
    ($($name:ident = $number:literal, $retry:ident, $metadata:ident;)*) => {
        impl ErrorCode {
            $(#[doc = concat!("`", stringify!($name), "`")] pub const $name: Self = Self($number);)*

            /// Kafka's name for the code, if it is known.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    0 => Some("NONE"),
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// Whether the same request may succeed later. Unknown codes are not retried.
            #[must_use]
            pub const fn is_retriable(self) -> bool {
                match self.0 {
                    $($number => flag!($retry),)*
                    _ => false,
                }
            }

            /// Whether the code says that our metadata is out of date.
            #[must_use]
            pub const fn refreshes_metadata(self) -> bool {
                match self.0 {
                    $($number => flag!($metadata),)*
                    _ => false,
                }
            }
        }
    };
}

macro_rules! flag {
    (retriable) => {
        true
    };
    (final) => {
        false
    };
    (refresh) => {
        true
    };
    (keep) => {
        false
    };
}

error_codes! {
    UNKNOWN_SERVER_ERROR = -1, final, keep;
    OFFSET_OUT_OF_RANGE = 1, final, keep;
    CORRUPT_MESSAGE = 2, retriable, keep;
    UNKNOWN_TOPIC_OR_PARTITION = 3, retriable, refresh;
    INVALID_FETCH_SIZE = 4, final, keep;
    LEADER_NOT_AVAILABLE = 5, retriable, refresh;
    NOT_LEADER_OR_FOLLOWER = 6, retriable, refresh;
    REQUEST_TIMED_OUT = 7, retriable, keep;
    BROKER_NOT_AVAILABLE = 8, final, keep;
    REPLICA_NOT_AVAILABLE = 9, retriable, refresh;
    MESSAGE_TOO_LARGE = 10, final, keep;
    STALE_CONTROLLER_EPOCH = 11, final, keep;
    OFFSET_METADATA_TOO_LARGE = 12, final, keep;
    NETWORK_EXCEPTION = 13, retriable, refresh;
    COORDINATOR_LOAD_IN_PROGRESS = 14, retriable, keep;
    COORDINATOR_NOT_AVAILABLE = 15, retriable, keep;
    NOT_COORDINATOR = 16, retriable, keep;
    INVALID_TOPIC_EXCEPTION = 17, final, keep;
    RECORD_LIST_TOO_LARGE = 18, final, keep;
    NOT_ENOUGH_REPLICAS = 19, retriable, keep;
    NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20, retriable, keep;
    INVALID_REQUIRED_ACKS = 21, final, keep;
    ILLEGAL_GENERATION = 22, final, keep;
    INCONSISTENT_GROUP_PROTOCOL = 23, final, keep;
    INVALID_GROUP_ID = 24, final, keep;
    UNKNOWN_MEMBER_ID = 25, final, keep;
    INVALID_SESSION_TIMEOUT = 26, final, keep;
    REBALANCE_IN_PROGRESS = 27, final, keep;
    INVALID_COMMIT_OFFSET_SIZE = 28, final, keep;
    TOPIC_AUTHORIZATION_FAILED = 29, final, keep;
    GROUP_AUTHORIZATION_FAILED = 30, final, keep;
    CLUSTER_AUTHORIZATION_FAILED = 31, final, keep;
    INVALID_TIMESTAMP = 32, final, keep;
    UNSUPPORTED_SASL_MECHANISM = 33, final, keep;
    ILLEGAL_SASL_STATE = 34, final, keep;
    UNSUPPORTED_VERSION = 35, final, keep;
    TOPIC_ALREADY_EXISTS = 36, final, keep;
    INVALID_PARTITIONS = 37, final, keep;
    INVALID_REPLICATION_FACTOR = 38, final, keep;
    INVALID_REPLICA_ASSIGNMENT = 39, final, keep;
    INVALID_CONFIG = 40, final, keep;
    NOT_CONTROLLER = 41, retriable, keep;
    INVALID_REQUEST = 42, final, keep;
    UNSUPPORTED_FOR_MESSAGE_FORMAT = 43, final, keep;
    POLICY_VIOLATION = 44, final, keep;
    OUT_OF_ORDER_SEQUENCE_NUMBER = 45, final, keep;
    DUPLICATE_SEQUENCE_NUMBER = 46, final, keep;
    INVALID_PRODUCER_EPOCH = 47, final, keep;
    INVALID_TXN_STATE = 48, final, keep;
    INVALID_PRODUCER_ID_MAPPING = 49, final, keep;
    INVALID_TRANSACTION_TIMEOUT = 50, final, keep;
    CONCURRENT_TRANSACTIONS = 51, retriable, keep;
    TRANSACTION_COORDINATOR_FENCED = 52, final, keep;
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53, final, keep;
    SECURITY_DISABLED = 54, final, keep;
    OPERATION_NOT_ATTEMPTED = 55, final, keep;
    KAFKA_STORAGE_ERROR = 56, retriable, refresh;
    LOG_DIR_NOT_FOUND = 57, final, keep;
    SASL_AUTHENTICATION_FAILED = 58, final, keep;
    UNKNOWN_PRODUCER_ID = 59, final, keep;
    REASSIGNMENT_IN_PROGRESS = 60, final, keep;
    DELEGATION_TOKEN_AUTH_DISABLED = 61, final, keep;
    DELEGATION_TOKEN_NOT_FOUND = 62, final, keep;
    DELEGATION_TOKEN_OWNER_MISMATCH = 63, final, keep;
    DELEGATION_TOKEN_REQUEST_NOT_ALLOWED = 64, final, keep;
    DELEGATION_TOKEN_AUTHORIZATION_FAILED = 65, final, keep;
    DELEGATION_TOKEN_EXPIRED = 66, final, keep;
    INVALID_PRINCIPAL_TYPE = 67, final, keep;
    NON_EMPTY_GROUP = 68, final, keep;
    GROUP_ID_NOT_FOUND = 69, final, keep;
    FETCH_SESSION_ID_NOT_FOUND = 70, retriable, keep;
    INVALID_FETCH_SESSION_EPOCH = 71, retriable, keep;
    LISTENER_NOT_FOUND = 72, retriable, refresh;
    TOPIC_DELETION_DISABLED = 73, final, keep;
    FENCED_LEADER_EPOCH = 74, retriable, refresh;
    UNKNOWN_LEADER_EPOCH = 75, retriable, keep;
    UNSUPPORTED_COMPRESSION_TYPE = 76, final, keep;
    STALE_BROKER_EPOCH = 77, final, keep;
    OFFSET_NOT_AVAILABLE = 78, retriable, keep;
    MEMBER_ID_REQUIRED = 79, final, keep;
    PREFERRED_LEADER_NOT_AVAILABLE = 80, retriable, refresh;
    GROUP_MAX_SIZE_REACHED = 81, final, keep;
    FENCED_INSTANCE_ID = 82, final, keep;
    ELIGIBLE_LEADERS_NOT_AVAILABLE = 83, retriable, refresh;
    ELECTION_NOT_NEEDED = 84, retriable, refresh;
    NO_REASSIGNMENT_IN_PROGRESS = 85, final, keep;
    GROUP_SUBSCRIBED_TO_TOPIC = 86, final, keep;
    INVALID_RECORD = 87, final, keep;
    UNSTABLE_OFFSET_COMMIT = 88, retriable, keep;
    THROTTLING_QUOTA_EXCEEDED = 89, retriable, keep;
    PRODUCER_FENCED = 90, final, keep;
    RESOURCE_NOT_FOUND = 91, final, keep;
    DUPLICATE_RESOURCE = 92, final, keep;
    UNACCEPTABLE_CREDENTIAL = 93, final, keep;
    INCONSISTENT_VOTER_SET = 94, final, keep;
    INVALID_UPDATE_VERSION = 95, final, keep;
    FEATURE_UPDATE_FAILED = 96, final, keep;
    PRINCIPAL_DESERIALIZATION_FAILURE = 97, final, keep;
    SNAPSHOT_NOT_FOUND = 98, final, keep;
    POSITION_OUT_OF_RANGE = 99, final, keep;
    UNKNOWN_TOPIC_ID = 100, retriable, refresh;
    DUPLICATE_BROKER_REGISTRATION = 101, final, keep;
    BROKER_ID_NOT_REGISTERED = 102, final, keep;
    INCONSISTENT_TOPIC_ID = 103, retriable, refresh;
    INCONSISTENT_CLUSTER_ID = 104, final, keep;
    TRANSACTIONAL_ID_NOT_FOUND = 105, final, keep;
    FETCH_SESSION_TOPIC_ID_ERROR = 106, retriable, keep;
    INELIGIBLE_REPLICA = 107, final, keep;
    NEW_LEADER_ELECTED = 108, final, keep;
    OFFSET_MOVED_TO_TIERED_STORAGE = 109, final, keep;
    FENCED_MEMBER_EPOCH = 110, final, keep;
    UNRELEASED_INSTANCE_ID = 111, final, keep;
    UNSUPPORTED_ASSIGNOR = 112, final, keep;
    STALE_MEMBER_EPOCH = 113, final, keep;
    MISMATCHED_ENDPOINT_TYPE = 114, final, keep;
    UNSUPPORTED_ENDPOINT_TYPE = 115, final, keep;
    UNKNOWN_CONTROLLER_ID = 116, final, keep;
    UNKNOWN_SUBSCRIPTION_ID = 117, final, keep;
    TELEMETRY_TOO_LARGE = 118, final, keep;
    INVALID_REGISTRATION = 119, final, keep;
    TRANSACTION_ABORTABLE = 120, final, keep;
    INVALID_RECORD_STATE = 121, final, keep;
    SHARE_SESSION_NOT_FOUND = 122, retriable, keep;
    INVALID_SHARE_SESSION_EPOCH = 123, retriable, keep;
    FENCED_STATE_EPOCH = 124, final, keep;
    INVALID_VOTER_KEY = 125, final, keep;
    DUPLICATE_VOTER = 126, final, keep;
    VOTER_NOT_FOUND = 127, final, keep;
    INVALID_REGULAR_EXPRESSION = 128, final, keep;
    REBOOTSTRAP_REQUIRED = 129, final, keep;
    STREAMS_INVALID_TOPOLOGY = 130, final, keep;
    STREAMS_INVALID_TOPOLOGY_EPOCH = 131, final, keep;
    STREAMS_TOPOLOGY_FENCED = 132, final, keep;
    SHARE_SESSION_LIMIT_REACHED = 133, retriable, keep;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} ({})", self.0),
            None => write!(f, "error code {}", self.0),
        }
    }
}

impl fmt::Debug for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for ErrorCode {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_what_to_do() {
        assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.is_retriable());
        assert!(ErrorCode::NOT_LEADER_OR_FOLLOWER.refreshes_metadata());
        assert!(ErrorCode::REQUEST_TIMED_OUT.is_retriable());
        assert!(!ErrorCode::REQUEST_TIMED_OUT.refreshes_metadata());
        assert!(!ErrorCode::OFFSET_OUT_OF_RANGE.is_retriable());
    }

    #[test]
    fn an_unknown_code_keeps_its_number() {
        assert_eq!(ErrorCode(4711).to_string(), "error code 4711");
        assert!(!ErrorCode(4711).is_retriable());
    }
}
