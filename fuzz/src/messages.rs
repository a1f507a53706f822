//! What must hold of the body of a request or a response: guard and decoder agree; what was read can be written, is
//! accepted again and reads as the same; and reading allocates no more than the guard has allowed.

use bytes::Bytes;
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::{
    decode_request, decode_request_within, decode_response, decode_response_within, encode_request, encode_response,
    read_request_header,
};
use tidemill_protocol::{ApiKey, Request};

use super::Peak;

/// A shared buffer counts its users in a few bytes of its own.
const SHARED_BYTES: usize = 64;

/// The budget to hold the decoder to: the proportion alone if the message is within it, which in small messages is far
/// less than what is allowed by default.
fn budget(is_within: impl Fn(Budget) -> bool, length: usize) -> (Budget, usize) {
    let tight = Budget::default().bytes_min(0).times_frame(16);
    if is_within(tight) { (tight, 16 * length) } else { (Budget::default(), (16 * length).max(1024 * 1024)) }
}

/// Whether the body of a request is accepted.
pub fn request<R: Request>(version: i16, body: Bytes, peak: Peak) -> bool {
    let api = ApiKey(R::KEY);
    let (budget, bytes_max) = budget(|budget| guard::check_request(api, version, &body, budget).is_ok(), body.len());
    let checked = guard::check_request(api, version, &body, budget);
    let mut read = None;
    let taken = peak(&mut || read = Some(decode_request_within::<R>(version, body.clone(), budget)));
    match (checked, read.expect("it ran")) {
        (Ok(()), Ok(read)) => {
            assert!(taken <= bytes_max + SHARED_BYTES, "{api} v{version}: {taken} bytes of {bytes_max}");
            let written = encode_request(&read, version, 7, None).expect("what was read can be written");
            let mut frame = written.slice(4..);
            read_request_header(&mut frame).expect("our own header");
            let read = decode_request::<R>(version, frame).expect("what was written can be read");
            assert_eq!(encode_request(&read, version, 7, None).expect("the same again"), written);
            true
        }
        (Err(refused), Err(error)) => {
            assert_eq!(refused, error);
            false
        }
        (checked, read) => panic!("the guard says {checked:?}, the decoder {:?}", read.err()),
    }
}

/// Whether a response frame is accepted.
pub fn response<R: Request>(version: i16, frame: Bytes, peak: Peak) -> bool {
    let api = ApiKey(R::KEY);
    let (budget, bytes_max) = budget(|budget| guard::check_response(api, version, &frame, budget).is_ok(), frame.len());
    let checked = guard::check_response(api, version, &frame, budget);
    let mut read = None;
    let taken = peak(&mut || read = Some(decode_response_within::<R>(version, frame.clone(), budget)));
    match (checked, read.expect("it ran")) {
        (Ok(_), Ok(read)) => {
            assert!(taken <= bytes_max + SHARED_BYTES, "{api} v{version}: {taken} bytes of {bytes_max}");
            let written = encode_response::<R>(&read, version, 7).expect("what was read can be written");
            let read = decode_response::<R>(version, written.slice(4..)).expect("what was written can be read");
            assert_eq!(encode_response::<R>(&read, version, 7).expect("the same again"), written);
            true
        }
        (Err(refused), Err(error)) => {
            assert_eq!(refused, error);
            false
        }
        (checked, read) => panic!("the guard says {checked:?}, the decoder {:?}", read.err()),
    }
}

/// Calls a function with the request type of an API.
#[macro_export]
macro_rules! with_request {
    ($api:expr, $function:ident $arguments:tt) => {
        with_request!(@ $api, $function $arguments,
            ProduceRequest FetchRequest ListOffsetsRequest MetadataRequest OffsetCommitRequest OffsetFetchRequest
            FindCoordinatorRequest JoinGroupRequest HeartbeatRequest LeaveGroupRequest SyncGroupRequest
            DescribeGroupsRequest ListGroupsRequest SaslHandshakeRequest ApiVersionsRequest CreateTopicsRequest
            DeleteTopicsRequest DeleteRecordsRequest InitProducerIdRequest OffsetForLeaderEpochRequest
            AddPartitionsToTxnRequest AddOffsetsToTxnRequest EndTxnRequest WriteTxnMarkersRequest
            TxnOffsetCommitRequest DescribeAclsRequest CreateAclsRequest DeleteAclsRequest DescribeConfigsRequest
            AlterConfigsRequest AlterReplicaLogDirsRequest DescribeLogDirsRequest SaslAuthenticateRequest
            CreatePartitionsRequest CreateDelegationTokenRequest RenewDelegationTokenRequest
            ExpireDelegationTokenRequest DescribeDelegationTokenRequest DeleteGroupsRequest ElectLeadersRequest
            IncrementalAlterConfigsRequest AlterPartitionReassignmentsRequest ListPartitionReassignmentsRequest
            OffsetDeleteRequest DescribeClientQuotasRequest AlterClientQuotasRequest
            DescribeUserScramCredentialsRequest AlterUserScramCredentialsRequest VoteRequest BeginQuorumEpochRequest
            EndQuorumEpochRequest DescribeQuorumRequest AlterPartitionRequest UpdateFeaturesRequest EnvelopeRequest
            FetchSnapshotRequest DescribeClusterRequest DescribeProducersRequest BrokerRegistrationRequest
            BrokerHeartbeatRequest UnregisterBrokerRequest DescribeTransactionsRequest ListTransactionsRequest
            AllocateProducerIdsRequest ConsumerGroupHeartbeatRequest ConsumerGroupDescribeRequest
            ControllerRegistrationRequest GetTelemetrySubscriptionsRequest PushTelemetryRequest
            AssignReplicasToDirsRequest ListConfigResourcesRequest DescribeTopicPartitionsRequest
            ShareGroupHeartbeatRequest ShareGroupDescribeRequest ShareFetchRequest ShareAcknowledgeRequest
            AddRaftVoterRequest RemoveRaftVoterRequest UpdateRaftVoterRequest InitializeShareGroupStateRequest
            ReadShareGroupStateRequest WriteShareGroupStateRequest DeleteShareGroupStateRequest
            ReadShareGroupStateSummaryRequest DescribeShareGroupOffsetsRequest AlterShareGroupOffsetsRequest
            DeleteShareGroupOffsetsRequest
        )
    };
    (@ $api:expr, $function:ident $arguments:tt, $($request:ident)*) => {
        match $api.0 {
            $(<$request as Request>::KEY => $function::<$request> $arguments,)*
            _ => false,
        }
    };
}
