//! The answer of a broker to a request that fails: of any API in any version, the code in the fields where Kafka has it.
//!
//! What Kafka's `getErrorResponse` says, without what it says in words: an error message, where there is one, is the name
//! of the code. A test compares each with Kafka's own. Comes before [`matching`](super::matching), which decides that a
//! request fails.
//!
//! - this file: the way in, and the APIs that have one code for the whole answer
//! - `records`: the APIs of records and their offsets
//! - `groups`: groups, transactions and who coordinates them
//! - `admin`: topics, configurations, rights
//! - `nodes`: what brokers and controllers say among themselves

mod admin;
mod groups;
mod nodes;
mod records;

use std::fmt;

use bytes::Bytes;
use tidemill_protocol::header::{decode_request, encode_response};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, DecodeError, EncodeError, ErrorCode, Request, StrBytes};

/// A request that is to fail.
#[derive(Clone)]
#[non_exhaustive]
pub struct Failed {
    /// Its API.
    pub api: ApiKey,
    /// The version it is written in.
    pub version: i16,
    /// Its correlation id.
    pub correlation_id: i32,
    /// Its body.
    pub body: Bytes,
}

/// The body is counted, not shown: it may hold a secret.
impl fmt::Debug for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, version, correlation_id, body } = self;
        write!(f, "Failed {{ {api} v{version}, correlation id {correlation_id}, {} bytes }}", body.len())
    }
}

/// Why there is no answer that says the error.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorReplyError {
    /// The API has no table here.
    UnknownApi(ApiKey),
    /// The request cannot be read.
    Decode(DecodeError),
    /// The answer cannot be written.
    Encode(EncodeError),
}

impl fmt::Display for ErrorReplyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownApi(api) => write!(f, "{api} is not known, nor where its answer has an error code"),
            Self::Decode(error) => write!(f, "{error}"),
            Self::Encode(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for ErrorReplyError {}

/// What goes into the answer.
#[derive(Clone, Copy)]
struct Failure {
    version: i16,
    code: i16,
}

impl Failure {
    fn message(self) -> Option<StrBytes> {
        let code = ErrorCode(self.code);
        Some(StrBytes::from_string(code.name().map_or_else(|| code.to_string(), str::to_owned)))
    }
}

impl Failed {
    /// A request of this API, in this version, that is to be answered under this correlation id.
    #[must_use]
    pub const fn new(api: ApiKey, version: i16, correlation_id: i32, body: Bytes) -> Self {
        Self { api, version, correlation_id, body }
    }

    /// The answer as a frame, its length included; none when the request wants none (Produce with `acks=0`).
    ///
    /// # Errors
    /// When the API is not known, the body is not one of this version, or the version cannot say it.
    pub fn answer(&self, error: ErrorCode) -> Result<Option<Bytes>, ErrorReplyError> {
        answer(self, error)
    }

    /// The answer that `build` makes of the request.
    fn with<R: Request>(
        &self,
        error: ErrorCode,
        build: impl FnOnce(R, Failure) -> R::Response,
    ) -> Result<Option<Bytes>, ErrorReplyError> {
        let request = decode_request::<R>(self.version, self.body.clone()).map_err(ErrorReplyError::Decode)?;
        let failure = Failure { version: self.version, code: error.0 };
        let response = build(request, failure);
        encode_response::<R>(&response, self.version, self.correlation_id).map(Some).map_err(ErrorReplyError::Encode)
    }
}

/// Tells, for every API, what makes its answer: a function, or which of the two usual fields it has.
macro_rules! answers {
    ($($request:ident: $($how:ident)::+;)*) => {
        fn answer(failed: &Failed, error: ErrorCode) -> Result<Option<Bytes>, ErrorReplyError> {
            match failed.api.0 {
                ProduceRequest::KEY => records::produce(failed, error),
                $(<$request as Request>::KEY => answers!(@ $request failed error $($how)::+),)*
                _ => Err(ErrorReplyError::UnknownApi(failed.api)),
            }
        }
    };
    (@ $request:ident $failed:ident $error:ident code_message) => {
        $failed.with::<$request>($error, |_, failure| {
            let mut response = <$request as Request>::Response::default();
            response.error_code = failure.code;
            response.error_message = failure.message();
            response
        })
    };
    (@ $request:ident $failed:ident $error:ident code) => {
        $failed.with::<$request>($error, |_, failure| {
            let mut response = <$request as Request>::Response::default();
            response.error_code = failure.code;
            response
        })
    };
    (@ $request:ident $failed:ident $error:ident $($function:ident)::+) => {
        $failed.with::<$request>($error, $($function)::+)
    };
}

answers! {
    FetchRequest: records::fetch;
    ListOffsetsRequest: records::list_offsets;
    MetadataRequest: admin::metadata;
    OffsetCommitRequest: groups::offset_commit;
    OffsetFetchRequest: groups::offset_fetch;
    FindCoordinatorRequest: groups::find_coordinator;
    JoinGroupRequest: groups::join_group;
    HeartbeatRequest: code;
    LeaveGroupRequest: code;
    SyncGroupRequest: code;
    DescribeGroupsRequest: groups::describe_groups;
    ListGroupsRequest: code;
    SaslHandshakeRequest: code;
    ApiVersionsRequest: admin::api_versions;
    CreateTopicsRequest: admin::create_topics;
    DeleteTopicsRequest: admin::delete_topics;
    DeleteRecordsRequest: records::delete_records;
    InitProducerIdRequest: groups::init_producer_id;
    OffsetForLeaderEpochRequest: records::offset_for_leader_epoch;
    AddPartitionsToTxnRequest: groups::add_partitions_to_txn;
    AddOffsetsToTxnRequest: code;
    EndTxnRequest: code;
    WriteTxnMarkersRequest: groups::write_txn_markers;
    TxnOffsetCommitRequest: groups::txn_offset_commit;
    DescribeAclsRequest: code_message;
    CreateAclsRequest: admin::create_acls;
    DeleteAclsRequest: admin::delete_acls;
    DescribeConfigsRequest: admin::describe_configs;
    AlterConfigsRequest: admin::alter_configs;
    AlterReplicaLogDirsRequest: admin::alter_replica_log_dirs;
    DescribeLogDirsRequest: code;
    SaslAuthenticateRequest: admin::sasl_authenticate;
    CreatePartitionsRequest: admin::create_partitions;
    CreateDelegationTokenRequest: admin::create_delegation_token;
    RenewDelegationTokenRequest: code;
    ExpireDelegationTokenRequest: code;
    DescribeDelegationTokenRequest: code;
    DeleteGroupsRequest: groups::delete_groups;
    ElectLeadersRequest: admin::elect_leaders;
    IncrementalAlterConfigsRequest: admin::incremental_alter_configs;
    AlterPartitionReassignmentsRequest: admin::alter_partition_reassignments;
    ListPartitionReassignmentsRequest: admin::list_partition_reassignments;
    OffsetDeleteRequest: code;
    DescribeClientQuotasRequest: admin::describe_client_quotas;
    AlterClientQuotasRequest: admin::alter_client_quotas;
    DescribeUserScramCredentialsRequest: admin::describe_user_scram_credentials;
    AlterUserScramCredentialsRequest: admin::alter_user_scram_credentials;
    VoteRequest: code;
    BeginQuorumEpochRequest: code;
    EndQuorumEpochRequest: code;
    DescribeQuorumRequest: nodes::describe_quorum;
    AlterPartitionRequest: code;
    UpdateFeaturesRequest: code_message;
    EnvelopeRequest: code;
    FetchSnapshotRequest: code;
    DescribeClusterRequest: code_message;
    DescribeProducersRequest: records::describe_producers;
    BrokerRegistrationRequest: code;
    BrokerHeartbeatRequest: code;
    UnregisterBrokerRequest: code;
    DescribeTransactionsRequest: groups::describe_transactions;
    ListTransactionsRequest: code;
    AllocateProducerIdsRequest: code;
    ConsumerGroupHeartbeatRequest: code;
    ConsumerGroupDescribeRequest: groups::consumer_group_describe;
    ControllerRegistrationRequest: code_message;
    GetTelemetrySubscriptionsRequest: code;
    PushTelemetryRequest: code;
    AssignReplicasToDirsRequest: code;
    ListConfigResourcesRequest: code;
    DescribeTopicPartitionsRequest: admin::describe_topic_partitions;
    ShareGroupHeartbeatRequest: code;
    ShareGroupDescribeRequest: groups::share_group_describe;
    ShareFetchRequest: code;
    ShareAcknowledgeRequest: code;
    AddRaftVoterRequest: code_message;
    RemoveRaftVoterRequest: code_message;
    UpdateRaftVoterRequest: code;
    InitializeShareGroupStateRequest: nodes::initialize_share_group_state;
    ReadShareGroupStateRequest: nodes::read_share_group_state;
    WriteShareGroupStateRequest: nodes::write_share_group_state;
    DeleteShareGroupStateRequest: nodes::delete_share_group_state;
    ReadShareGroupStateSummaryRequest: nodes::read_share_group_state_summary;
    DescribeShareGroupOffsetsRequest: groups::describe_share_group_offsets;
    AlterShareGroupOffsetsRequest: code_message;
    DeleteShareGroupOffsetsRequest: code_message;
}
