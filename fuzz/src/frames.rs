//! Bytes as a request frame, and as the response to a request of the API and version in their first four bytes.
//!
//! What must hold: nothing panics and nothing is allocated out of proportion; guard and decoder agree; what was read can
//! be written, and reads as the same; what is accepted can be described.
//!
//! The fuzz target of this name runs it, and so does `cargo test -p tidemill-protocol` on `seeds/frames`. To fuzz:
//! `RUSTC_BOOTSTRAP=1 cargo fuzz run frames corpus/frames seeds/frames -- -malloc_limit_mb=64 -rss_limit_mb=1024 -timeout=5`

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::frame::take_frame;
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::{
    decode_request, decode_response, encode_request, encode_response, read_request_header,
};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request};

/// As what the bytes were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) request: bool,
    pub(crate) response: bool,
}

/// The frames that bytes hold by their own lengths are no longer than this.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// Calls a function with the request type of an API.
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

pub(crate) fn run(bytes: &[u8]) -> Accepted {
    stream(bytes);
    let mut framed = BytesMut::new();
    framed.put_u32(u32::try_from(bytes.len()).expect("a fuzzer's input is short"));
    framed.put_slice(bytes);
    let frame = take_frame(&mut framed, bytes.len()).expect("the length is true").expect("the frame is whole");
    assert_eq!(frame, bytes);
    Accepted { request: as_request(frame.clone()), response: as_response(&frame) }
}

/// As a stream whose lengths may lie: what is taken was there.
fn stream(bytes: &[u8]) {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = take_frame(&mut stream, FRAME_BYTES_MAX) {
        assert!(frame.len() <= FRAME_BYTES_MAX && frame.len() + stream.len() + 4 <= bytes.len());
        as_request(frame);
    }
}

fn as_request(frame: Bytes) -> bool {
    let mut body = frame.clone();
    let accepted = match read_request_header(&mut body) {
        Ok(header) => with_request!(header.api_key, request(header.api_version, body)),
        Err(_) => false,
    };
    assert_eq!(guard::describe_request(&frame).is_ok(), accepted);
    accepted
}

fn request<R: Request>(version: i16, body: Bytes) -> bool {
    let checked = guard::check_request(ApiKey(R::KEY), version, &body, Budget::default());
    match (checked, decode_request::<R>(version, body)) {
        (Ok(()), Ok(read)) => {
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

fn as_response(bytes: &Bytes) -> bool {
    let Some(([api_high, api_low, version_high, version_low], _)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    let api = ApiKey(i16::from_be_bytes([*api_high, *api_low]));
    let version = i16::from_be_bytes([*version_high, *version_low]);
    let frame = bytes.slice(4..);
    let accepted = with_request!(api, response(version, frame.clone()));
    assert_eq!(guard::describe_response(api, version, &frame).is_ok(), accepted);
    accepted
}

fn response<R: Request>(version: i16, frame: Bytes) -> bool {
    let checked = guard::check_response(ApiKey(R::KEY), version, &frame, Budget::default());
    match (checked, decode_response::<R>(version, frame)) {
        (Ok(_), Ok(read)) => {
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
