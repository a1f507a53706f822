//! Which APIs there are, which versions of each we speak, and how one is chosen.
//!
//! A connection learns the broker's ranges from `ApiVersions` and asks [`choose_version`] for each request.

use std::fmt;

use crate::guard;

/// An API of Kafka's protocol, by its number. Numbers we do not know survive.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(clippy::exhaustive_structs, reason = "a number, known or not")]
pub struct ApiKey(pub i16);

macro_rules! api_keys {
    ($($constant:ident = $number:literal, $name:ident;)*) => {
        impl ApiKey {
            $(#[doc = concat!("`", stringify!($name), "`")] pub const $constant: Self = Self($number);)*

            /// Every API of the Kafka release the message structs were generated from.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];

            /// The name Kafka's documents use, if the number is known.
            #[must_use]
            pub const fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($number => Some(stringify!($name)),)*
                    _ => None,
                }
            }
        }
    };
}

api_keys! {
    PRODUCE = 0, Produce;
    FETCH = 1, Fetch;
    LIST_OFFSETS = 2, ListOffsets;
    METADATA = 3, Metadata;
    OFFSET_COMMIT = 8, OffsetCommit;
    OFFSET_FETCH = 9, OffsetFetch;
    FIND_COORDINATOR = 10, FindCoordinator;
    JOIN_GROUP = 11, JoinGroup;
    HEARTBEAT = 12, Heartbeat;
    LEAVE_GROUP = 13, LeaveGroup;
    SYNC_GROUP = 14, SyncGroup;
    DESCRIBE_GROUPS = 15, DescribeGroups;
    LIST_GROUPS = 16, ListGroups;
    SASL_HANDSHAKE = 17, SaslHandshake;
    API_VERSIONS = 18, ApiVersions;
    CREATE_TOPICS = 19, CreateTopics;
    DELETE_TOPICS = 20, DeleteTopics;
    DELETE_RECORDS = 21, DeleteRecords;
    INIT_PRODUCER_ID = 22, InitProducerId;
    OFFSET_FOR_LEADER_EPOCH = 23, OffsetForLeaderEpoch;
    ADD_PARTITIONS_TO_TXN = 24, AddPartitionsToTxn;
    ADD_OFFSETS_TO_TXN = 25, AddOffsetsToTxn;
    END_TXN = 26, EndTxn;
    WRITE_TXN_MARKERS = 27, WriteTxnMarkers;
    TXN_OFFSET_COMMIT = 28, TxnOffsetCommit;
    DESCRIBE_ACLS = 29, DescribeAcls;
    CREATE_ACLS = 30, CreateAcls;
    DELETE_ACLS = 31, DeleteAcls;
    DESCRIBE_CONFIGS = 32, DescribeConfigs;
    ALTER_CONFIGS = 33, AlterConfigs;
    ALTER_REPLICA_LOG_DIRS = 34, AlterReplicaLogDirs;
    DESCRIBE_LOG_DIRS = 35, DescribeLogDirs;
    SASL_AUTHENTICATE = 36, SaslAuthenticate;
    CREATE_PARTITIONS = 37, CreatePartitions;
    CREATE_DELEGATION_TOKEN = 38, CreateDelegationToken;
    RENEW_DELEGATION_TOKEN = 39, RenewDelegationToken;
    EXPIRE_DELEGATION_TOKEN = 40, ExpireDelegationToken;
    DESCRIBE_DELEGATION_TOKEN = 41, DescribeDelegationToken;
    DELETE_GROUPS = 42, DeleteGroups;
    ELECT_LEADERS = 43, ElectLeaders;
    INCREMENTAL_ALTER_CONFIGS = 44, IncrementalAlterConfigs;
    ALTER_PARTITION_REASSIGNMENTS = 45, AlterPartitionReassignments;
    LIST_PARTITION_REASSIGNMENTS = 46, ListPartitionReassignments;
    OFFSET_DELETE = 47, OffsetDelete;
    DESCRIBE_CLIENT_QUOTAS = 48, DescribeClientQuotas;
    ALTER_CLIENT_QUOTAS = 49, AlterClientQuotas;
    DESCRIBE_USER_SCRAM_CREDENTIALS = 50, DescribeUserScramCredentials;
    ALTER_USER_SCRAM_CREDENTIALS = 51, AlterUserScramCredentials;
    VOTE = 52, Vote;
    BEGIN_QUORUM_EPOCH = 53, BeginQuorumEpoch;
    END_QUORUM_EPOCH = 54, EndQuorumEpoch;
    DESCRIBE_QUORUM = 55, DescribeQuorum;
    ALTER_PARTITION = 56, AlterPartition;
    UPDATE_FEATURES = 57, UpdateFeatures;
    ENVELOPE = 58, Envelope;
    FETCH_SNAPSHOT = 59, FetchSnapshot;
    DESCRIBE_CLUSTER = 60, DescribeCluster;
    DESCRIBE_PRODUCERS = 61, DescribeProducers;
    BROKER_REGISTRATION = 62, BrokerRegistration;
    BROKER_HEARTBEAT = 63, BrokerHeartbeat;
    UNREGISTER_BROKER = 64, UnregisterBroker;
    DESCRIBE_TRANSACTIONS = 65, DescribeTransactions;
    LIST_TRANSACTIONS = 66, ListTransactions;
    ALLOCATE_PRODUCER_IDS = 67, AllocateProducerIds;
    CONSUMER_GROUP_HEARTBEAT = 68, ConsumerGroupHeartbeat;
    CONSUMER_GROUP_DESCRIBE = 69, ConsumerGroupDescribe;
    CONTROLLER_REGISTRATION = 70, ControllerRegistration;
    GET_TELEMETRY_SUBSCRIPTIONS = 71, GetTelemetrySubscriptions;
    PUSH_TELEMETRY = 72, PushTelemetry;
    ASSIGN_REPLICAS_TO_DIRS = 73, AssignReplicasToDirs;
    LIST_CONFIG_RESOURCES = 74, ListConfigResources;
    DESCRIBE_TOPIC_PARTITIONS = 75, DescribeTopicPartitions;
    SHARE_GROUP_HEARTBEAT = 76, ShareGroupHeartbeat;
    SHARE_GROUP_DESCRIBE = 77, ShareGroupDescribe;
    SHARE_FETCH = 78, ShareFetch;
    SHARE_ACKNOWLEDGE = 79, ShareAcknowledge;
    ADD_RAFT_VOTER = 80, AddRaftVoter;
    REMOVE_RAFT_VOTER = 81, RemoveRaftVoter;
    UPDATE_RAFT_VOTER = 82, UpdateRaftVoter;
    INITIALIZE_SHARE_GROUP_STATE = 83, InitializeShareGroupState;
    READ_SHARE_GROUP_STATE = 84, ReadShareGroupState;
    WRITE_SHARE_GROUP_STATE = 85, WriteShareGroupState;
    DELETE_SHARE_GROUP_STATE = 86, DeleteShareGroupState;
    READ_SHARE_GROUP_STATE_SUMMARY = 87, ReadShareGroupStateSummary;
    DESCRIBE_SHARE_GROUP_OFFSETS = 90, DescribeShareGroupOffsets;
    ALTER_SHARE_GROUP_OFFSETS = 91, AlterShareGroupOffsets;
    DELETE_SHARE_GROUP_OFFSETS = 92, DeleteShareGroupOffsets;
}

impl ApiKey {
    /// The version of the request header that goes with a version of this API; `None` for an API we do not know.
    pub(crate) fn request_header_version(self, version: i16) -> Option<i16> {
        let api = kafka_protocol::messages::ApiKey::try_from(self.0).ok()?;
        Some(api.request_header_version(version))
    }

    /// The version of the response header that goes with a version of this API; `None` for an API we do not know.
    pub(crate) fn response_header_version(self, version: i16) -> Option<i16> {
        let api = kafka_protocol::messages::ApiKey::try_from(self.0).ok()?;
        Some(api.response_header_version(version))
    }

    /// The versions of this API that have a struct; `None` for an API we do not know.
    ///
    /// What Kafka speaks beyond them, [`behind`](crate::behind) lists.
    #[must_use]
    pub fn versions(self) -> Option<VersionRange> {
        guard::versions(self)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "API {}", self.0),
        }
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A range of versions, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "a pair of numbers stays a pair of numbers")]
pub struct VersionRange {
    /// The oldest.
    pub min: i16,
    /// The newest.
    pub max: i16,
}

impl VersionRange {
    /// A range from its two ends.
    #[must_use]
    pub const fn new(min: i16, max: i16) -> Self {
        Self { min, max }
    }

    /// Whether a version lies in it.
    #[must_use]
    pub const fn contains(self, version: i16) -> bool {
        self.min <= version && version <= self.max
    }
}

/// The newest version in both ranges, if there is one.
///
/// ```
/// use tidemill_protocol::api::{VersionRange, choose_version};
/// assert_eq!(choose_version(VersionRange::new(3, 13), VersionRange::new(0, 9)), Some(9));
/// assert_eq!(choose_version(VersionRange::new(3, 13), VersionRange::new(14, 15)), None);
/// ```
#[must_use]
pub const fn choose_version(ours: VersionRange, theirs: VersionRange) -> Option<i16> {
    let max = if ours.max < theirs.max { ours.max } else { theirs.max };
    let min = if ours.min > theirs.min { ours.min } else { theirs.min };
    if min <= max { Some(max) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_api_keeps_its_number() {
        assert_eq!(ApiKey(500).to_string(), "API 500");
        assert_eq!(ApiKey(500).versions(), None);
        assert_eq!(ApiKey::PRODUCE.to_string(), "Produce");
    }

    #[test]
    fn every_api_has_versions() {
        for api in ApiKey::ALL {
            let range = api.versions().unwrap();
            assert!(range.min <= range.max, "{api}");
        }
    }

    #[test]
    fn the_newest_common_version_is_chosen() {
        assert_eq!(choose_version(VersionRange::new(0, 5), VersionRange::new(0, 5)), Some(5));
        assert_eq!(choose_version(VersionRange::new(0, 2), VersionRange::new(3, 5)), None);
        assert_eq!(choose_version(VersionRange::new(4, 12), VersionRange::new(0, 4)), Some(4));
    }
}
