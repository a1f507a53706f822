//! Kafka's error codes: name, whether trying again can help, whether metadata is out of date, and what they mean.
//!
//! Names and flags are read off `org.apache.kafka.common.protocol.Errors` of Kafka 4.3, and held against it by a test of
//! the testkit: *retriable* where its exception is a `RetriableException`, *refresh* where it is an
//! `InvalidMetadataException`. The meanings are ours: what has happened, and what can be done about it.

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
    ($($number:literal $name:ident, $retry:ident, $metadata:ident, $meaning:literal;)*) => {
        impl ErrorCode {
            $(#[doc = concat!($meaning, ".")] pub const $name: Self = Self($number);)*

            /// Kafka's name for the code, if it is known.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    0 => Some("NONE"),
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What has happened and, where something can be done, what to do, for who reads it in a log; if the code
            /// is known. Half a sentence, without an end: "`this broker does not lead ...`".
            #[must_use]
            pub const fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    0 => Some("all went well"),
                    $($number => Some($meaning),)*
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
    -1 UNKNOWN_SERVER_ERROR, final, keep, "the broker failed in a way that has no code; its own log has the reason";
    1 OFFSET_OUT_OF_RANGE, final, keep, "the log does not reach to that offset, or no longer; reset the position";
    2 CORRUPT_MESSAGE, retriable, keep, "a batch's checksum, length or format is wrong; if it happens again, suspect the network or a disk";
    3 UNKNOWN_TOPIC_OR_PARTITION, retriable, refresh, "the broker knows no such topic or partition: check the name; one just created takes a moment";
    4 INVALID_FETCH_SIZE, final, keep, "no fetch can ask for so many bytes";
    5 LEADER_NOT_AVAILABLE, retriable, refresh, "the partition has no leader: an election is under way, or all its replicas are down";
    6 NOT_LEADER_OR_FOLLOWER, retriable, refresh, "this broker does not lead or hold the partition any more; ask the one that newer metadata names";
    7 REQUEST_TIMED_OUT, retriable, keep, "the broker ran out of time; what it was asked for may still happen";
    8 BROKER_NOT_AVAILABLE, final, keep, "the broker that was asked for is not running";
    9 REPLICA_NOT_AVAILABLE, retriable, refresh, "this broker does not hold the replica, or not yet; ask the one that newer metadata names";
    10 MESSAGE_TOO_LARGE, final, keep, "the batch is larger than max.message.bytes allows; send less at once, or raise the limit";
    11 STALE_CONTROLLER_EPOCH, final, keep, "the request is from a controller that another has replaced";
    12 OFFSET_METADATA_TOO_LARGE, final, keep, "the text beside a committed offset is longer than offset.metadata.max.bytes of the broker";
    13 NETWORK_EXCEPTION, retriable, refresh, "the connection broke before there was an answer; the request may have been carried out";
    14 COORDINATOR_LOAD_IN_PROGRESS, retriable, keep, "the coordinator is still reading its log, after a start or a move; ask again in a moment";
    15 COORDINATOR_NOT_AVAILABLE, retriable, keep, "no coordinator of this group or transactional id is up; look it up again in a moment";
    16 NOT_COORDINATOR, retriable, keep, "another broker coordinates this group or transactional id; look up which one";
    17 INVALID_TOPIC_EXCEPTION, final, keep, "no topic may have that name, or it is one of Kafka's own; letters, digits, '.', '_' and '-' make a name";
    18 RECORD_LIST_TOO_LARGE, final, keep, "the batch is larger than segment.bytes of the topic; send less at once";
    19 NOT_ENOUGH_REPLICAS, retriable, keep, "too few replicas are in sync (min.insync.replicas), so nothing was written; bring brokers back";
    20 NOT_ENOUGH_REPLICAS_AFTER_APPEND, retriable, keep, "written, and then too few replicas were in sync (min.insync.replicas); sent again it may be there twice";
    21 INVALID_REQUIRED_ACKS, final, keep, "acks is none of 0, 1 and -1 (all)";
    22 ILLEGAL_GENERATION, final, keep, "the group has rebalanced since, and this generation is over; join again";
    23 INCONSISTENT_GROUP_PROTOCOL, final, keep, "the member has no assignor in common with its group, or another group protocol; configure all alike";
    24 INVALID_GROUP_ID, final, keep, "the group id is empty, or the group is of another kind; set group.id";
    25 UNKNOWN_MEMBER_ID, final, keep, "the group has no such member: it was silent too long, or has left; join again";
    26 INVALID_SESSION_TIMEOUT, final, keep, "the broker does not allow this session.timeout.ms (group.min.session.timeout.ms and its max)";
    27 REBALANCE_IN_PROGRESS, final, keep, "the group is rebalancing; join again and go on with the new assignment";
    28 INVALID_COMMIT_OFFSET_SIZE, final, keep, "the commit does not fit in the offsets topic; commit fewer partitions, or less text beside them";
    29 TOPIC_AUTHORIZATION_FAILED, final, keep, "the user may not do this to the topic; an ACL can allow it";
    30 GROUP_AUTHORIZATION_FAILED, final, keep, "the user may not do this to the group; an ACL can allow it";
    31 CLUSTER_AUTHORIZATION_FAILED, final, keep, "the user may not do this to the cluster; an ACL can allow it";
    32 INVALID_TIMESTAMP, final, keep, "a timestamp is further from the broker's clock than message.timestamp.before.max.ms or after.max.ms allow";
    33 UNSUPPORTED_SASL_MECHANISM, final, keep, "the broker does not offer this SASL mechanism; set sasl.mechanism to one that it does";
    34 ILLEGAL_SASL_STATE, final, keep, "a SASL request came out of turn; check that both sides expect SASL on this listener";
    35 UNSUPPORTED_VERSION, final, keep, "the broker does not speak this version of the request, or not what it asks for; one side is too old";
    36 TOPIC_ALREADY_EXISTS, final, keep, "there is a topic of that name already";
    37 INVALID_PARTITIONS, final, keep, "a topic has one partition at least, and never fewer than it had";
    38 INVALID_REPLICATION_FACTOR, final, keep, "the replication factor is below 1 or above the number of brokers that are up";
    39 INVALID_REPLICA_ASSIGNMENT, final, keep, "the replicas are not brokers that exist, each once, as many for every partition";
    40 INVALID_CONFIG, final, keep, "a configuration has a name that is not known, or a value that it cannot have";
    41 NOT_CONTROLLER, retriable, keep, "another node is the controller now; find out which";
    42 INVALID_REQUEST, final, keep, "the request contradicts itself or the protocol, which is mostly a fault of the client";
    43 UNSUPPORTED_FOR_MESSAGE_FORMAT, final, keep, "the topic's records are in a format too old for this";
    44 POLICY_VIOLATION, final, keep, "a policy that somebody configured for the cluster forbids this; ask who runs it";
    45 OUT_OF_ORDER_SEQUENCE_NUMBER, final, keep, "the batch before this one is not in the log: it was lost, or is still on its way";
    46 DUPLICATE_SEQUENCE_NUMBER, final, keep, "the batch had been written before; nothing is lost, nothing is there twice";
    47 INVALID_PRODUCER_EPOCH, final, keep, "the producer's epoch is over: another took its place, or its transaction took too long";
    48 INVALID_TXN_STATE, final, keep, "the transaction is not in a state for this, such as ended twice or never begun";
    49 INVALID_PRODUCER_ID_MAPPING, final, keep, "the producer id is not, or no longer, that of the transactional id; a new producer gets a new one";
    50 INVALID_TRANSACTION_TIMEOUT, final, keep, "transaction.timeout.ms is above transaction.max.timeout.ms of the broker";
    51 CONCURRENT_TRANSACTIONS, retriable, keep, "the transaction before it is still being ended; ask again in a moment";
    52 TRANSACTION_COORDINATOR_FENCED, final, keep, "a transaction marker is from a coordinator that another has replaced";
    53 TRANSACTIONAL_ID_AUTHORIZATION_FAILED, final, keep, "the user may not do this to the transactional id; an ACL can allow it";
    54 SECURITY_DISABLED, final, keep, "the cluster has no authorizer, and so no ACLs; set authorizer.class.name on its nodes";
    55 OPERATION_NOT_ATTEMPTED, final, keep, "not tried, because another part of the request failed; that part has the reason";
    56 KAFKA_STORAGE_ERROR, retriable, refresh, "a disk of the broker failed; another replica takes over if there is one";
    57 LOG_DIR_NOT_FOUND, final, keep, "the broker has no such log directory, or it is offline";
    58 SASL_AUTHENTICATION_FAILED, final, keep, "the broker refused the credentials; check name, password or token";
    59 UNKNOWN_PRODUCER_ID, final, keep, "the broker remembers nothing of this producer: its records were deleted, or it was silent for long";
    60 REASSIGNMENT_IN_PROGRESS, final, keep, "the partitions are being moved; wait until that is done";
    61 DELEGATION_TOKEN_AUTH_DISABLED, final, keep, "the cluster gives no delegation tokens; set delegation.token.secret.key on its nodes";
    62 DELEGATION_TOKEN_NOT_FOUND, final, keep, "there is no such delegation token";
    63 DELEGATION_TOKEN_OWNER_MISMATCH, final, keep, "the delegation token belongs to somebody else";
    64 DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, final, keep, "delegation tokens are for connections with SASL or mutual TLS, and for none that used a token";
    65 DELEGATION_TOKEN_AUTHORIZATION_FAILED, final, keep, "the user may not do this to the delegation token; an ACL can allow it";
    66 DELEGATION_TOKEN_EXPIRED, final, keep, "the delegation token has expired; get a new one";
    67 INVALID_PRINCIPAL_TYPE, final, keep, "no principal has this type; 'User' is one";
    68 NON_EMPTY_GROUP, final, keep, "the group still has members; stop them first";
    69 GROUP_ID_NOT_FOUND, final, keep, "there is no group of that id, or none of that kind";
    70 FETCH_SESSION_ID_NOT_FOUND, retriable, keep, "the broker has let go of the fetch session; a full fetch begins a new one";
    71 INVALID_FETCH_SESSION_EPOCH, retriable, keep, "broker and client have lost count of the fetch session; a full fetch begins a new one";
    72 LISTENER_NOT_FOUND, retriable, refresh, "the leader has no listener of the name that was connected to; give all brokers the same listeners";
    73 TOPIC_DELETION_DISABLED, final, keep, "the cluster deletes no topics; set delete.topic.enable on its nodes";
    74 FENCED_LEADER_EPOCH, retriable, refresh, "the leader epoch that was asked with is over; refresh metadata and check the position";
    75 UNKNOWN_LEADER_EPOCH, retriable, keep, "the broker has not heard of this leader epoch yet; ask again in a moment";
    76 UNSUPPORTED_COMPRESSION_TYPE, final, keep, "the codec is too new for the request (zstd needs Produce 7, Fetch 10); use another or newer software";
    77 STALE_BROKER_EPOCH, final, keep, "the broker has registered anew since it sent this";
    78 OFFSET_NOT_AVAILABLE, retriable, keep, "the new leader does not know yet how far the log is committed; ask again in a moment";
    79 MEMBER_ID_REQUIRED, final, keep, "join again, with the member id that came with this";
    80 PREFERRED_LEADER_NOT_AVAILABLE, retriable, refresh, "the preferred leader is down or not in sync; elect it once it is back";
    81 GROUP_MAX_SIZE_REACHED, final, keep, "the group has as many members as group.max.size allows";
    82 FENCED_INSTANCE_ID, final, keep, "another member with the same group.instance.id took this one's place; each needs its own";
    83 ELIGIBLE_LEADERS_NOT_AVAILABLE, retriable, refresh, "no replica that may lead is up; bring one back, or elect another and lose what only they had";
    84 ELECTION_NOT_NEEDED, retriable, refresh, "the partition has that leader already";
    85 NO_REASSIGNMENT_IN_PROGRESS, final, keep, "the partition is not being moved, so there is nothing to cancel";
    86 GROUP_SUBSCRIBED_TO_TOPIC, final, keep, "members still subscribe to the topic, so its offsets stay; stop them first";
    87 INVALID_RECORD, final, keep, "the broker does not take a record, such as one without a key in a compacted topic";
    88 UNSTABLE_OFFSET_COMMIT, retriable, keep, "a transaction with offsets of this partition is still open; ask again once it has ended";
    89 THROTTLING_QUOTA_EXCEEDED, retriable, keep, "a quota is used up; wait as long as the answer says";
    90 PRODUCER_FENCED, final, keep, "a newer producer has the same transactional.id; close this one, and give each its own";
    91 RESOURCE_NOT_FOUND, final, keep, "what was named does not exist, such as a user with SCRAM credentials";
    92 DUPLICATE_RESOURCE, final, keep, "the request names the same thing twice";
    93 UNACCEPTABLE_CREDENTIAL, final, keep, "the credential cannot be stored, such as one with too few SCRAM iterations";
    94 INCONSISTENT_VOTER_SET, final, keep, "sender and receiver do not know the same voters among the controllers";
    95 INVALID_UPDATE_VERSION, final, keep, "the partition's state was changed by another request first";
    96 FEATURE_UPDATE_FAILED, final, keep, "the cluster could not finish the change of a feature's level";
    97 PRINCIPAL_DESERIALIZATION_FAILURE, final, keep, "the controller cannot read for which user a broker passed the request on";
    98 SNAPSHOT_NOT_FOUND, final, keep, "there is no such snapshot, or no longer";
    99 POSITION_OUT_OF_RANGE, final, keep, "the snapshot does not reach to that position";
    100 UNKNOWN_TOPIC_ID, retriable, refresh, "the broker knows no topic of that id: it was deleted, made anew, or is new; refresh metadata";
    101 DUPLICATE_BROKER_REGISTRATION, final, keep, "a broker with the same node.id is running; each needs its own";
    102 BROKER_ID_NOT_REGISTERED, final, keep, "no broker of that id has registered";
    103 INCONSISTENT_TOPIC_ID, retriable, refresh, "the topic was made anew and has another id; refresh metadata";
    104 INCONSISTENT_CLUSTER_ID, final, keep, "the two sides belong to different clusters; check the addresses";
    105 TRANSACTIONAL_ID_NOT_FOUND, final, keep, "the coordinator does not know the transactional id";
    106 FETCH_SESSION_TOPIC_ID_ERROR, retriable, keep, "the fetch session names a topic by an id that has changed; a full fetch begins a new one";
    107 INELIGIBLE_REPLICA, final, keep, "a replica was to count as in sync that may not: it is down, fenced or shutting down";
    108 NEW_LEADER_ELECTED, final, keep, "the change of replicas was made, and gave the partition another leader";
    109 OFFSET_MOVED_TO_TIERED_STORAGE, final, keep, "the offset is only in tiered storage; a follower takes the state from there";
    110 FENCED_MEMBER_EPOCH, final, keep, "the group has left this member's epoch behind; give the partitions up and join again";
    111 UNRELEASED_INSTANCE_ID, final, keep, "the member that had this group.instance.id has not left yet; wait for its session to end";
    112 UNSUPPORTED_ASSIGNOR, final, keep, "the coordinator has no assignor of this name; set group.remote.assignor to one that it has";
    113 STALE_MEMBER_EPOCH, final, keep, "the member's epoch has moved on; ask again with the one of its last heartbeat";
    114 MISMATCHED_ENDPOINT_TYPE, final, keep, "a broker was asked what is for controllers, or the other way round; check the addresses";
    115 UNSUPPORTED_ENDPOINT_TYPE, final, keep, "this kind of endpoint is not known here";
    116 UNKNOWN_CONTROLLER_ID, final, keep, "no controller of that id has registered";
    117 UNKNOWN_SUBSCRIPTION_ID, final, keep, "the telemetry subscription has changed; fetch it again";
    118 TELEMETRY_TOO_LARGE, final, keep, "the metrics are more bytes than the broker takes at once (telemetry.max.bytes)";
    119 INVALID_REGISTRATION, final, keep, "the controller refuses the registration; its own log has the reason";
    120 TRANSACTION_ABORTABLE, final, keep, "the transaction cannot be committed; abort it and begin another";
    121 INVALID_RECORD_STATE, final, keep, "the record is not this member's to acknowledge: the lock ran out, or it was done before";
    122 SHARE_SESSION_NOT_FOUND, retriable, keep, "the broker has let go of the share session; begin a new one";
    123 INVALID_SHARE_SESSION_EPOCH, retriable, keep, "broker and client have lost count of the share session; begin a new one";
    124 FENCED_STATE_EPOCH, final, keep, "the share group's state has a newer writer";
    125 INVALID_VOTER_KEY, final, keep, "the request is for a controller of another id or directory";
    126 DUPLICATE_VOTER, final, keep, "that controller is a voter already";
    127 VOTER_NOT_FOUND, final, keep, "that controller is not a voter";
    128 INVALID_REGULAR_EXPRESSION, final, keep, "the pattern of the subscription is no regular expression of RE2";
    129 REBOOTSTRAP_REQUIRED, final, keep, "the client's metadata is of no use any more; begin again at bootstrap.servers";
    130 STREAMS_INVALID_TOPOLOGY, final, keep, "the coordinator refuses the Kafka Streams topology";
    131 STREAMS_INVALID_TOPOLOGY_EPOCH, final, keep, "the epoch of the Kafka Streams topology is not one that may follow";
    132 STREAMS_TOPOLOGY_FENCED, final, keep, "the group has a newer Kafka Streams topology; update this member";
    133 SHARE_SESSION_LIMIT_REACHED, retriable, keep, "the broker has as many share sessions as it allows; ask again later";
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

    /// They stand behind a colon, and something may follow.
    #[test]
    fn every_code_that_has_a_name_has_a_meaning_of_its_own() {
        let known: Vec<ErrorCode> = (-1..1000).map(ErrorCode).filter(|code| code.name().is_some()).collect();
        let mut meanings: Vec<&str> = known.iter().map(|code| code.meaning().unwrap()).collect();
        for meaning in &meanings {
            assert!((20..=110).contains(&meaning.len()) || *meaning == "all went well", "{} {meaning}", meaning.len());
            assert!(!meaning.ends_with('.') && !meaning.starts_with(char::is_uppercase), "{meaning}");
        }
        meanings.sort_unstable();
        meanings.dedup();
        assert_eq!(meanings.len(), known.len());
        assert_eq!(ErrorCode(4711).meaning(), None);
    }

    #[test]
    fn an_unknown_code_keeps_its_number() {
        assert_eq!(ErrorCode(4711).to_string(), "error code 4711");
        assert!(!ErrorCode(4711).is_retriable());
    }
}
