//! Responses that say something else than the broker has said: a throttle time, no topics, other bytes in a batch.
//!
//! A frame becomes a struct, is changed and becomes a frame again, in the same version and under the same correlation id.

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::header::{decode_response, encode_response, read_correlation_id};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request};

/// How many bytes stand in front of a frame and say how long it is.
pub(super) const LENGTH_BYTES: usize = 4;

/// A response (its length included) changed; none when it cannot be read, or is not to be changed.
pub(super) fn change<R: Request>(
    version: i16,
    frame: &Bytes,
    change: impl FnOnce(&mut R::Response) -> bool,
) -> Option<Bytes> {
    let inner = frame.get(LENGTH_BYTES..).map(|_| frame.slice(LENGTH_BYTES..))?;
    let correlation_id = read_correlation_id(&inner).ok()?;
    let mut response = decode_response::<R>(version, inner).ok()?;
    if !change(&mut response) {
        return None;
    }
    encode_response::<R>(&response, version, correlation_id).ok()
}

/// An answer to Metadata that knows of no topic; none when it is none.
pub(super) fn without_topics(api: ApiKey, version: i16, frame: &Bytes) -> Option<Bytes> {
    if api != ApiKey::METADATA {
        return None;
    }
    change::<MetadataRequest>(version, frame, |response| {
        response.topics.clear();
        true
    })
}

/// Lists the requests whose answers have a throttle time.
macro_rules! throttled {
    ($($request:ident)*) => {
        /// The answer, saying that the client is to wait so long; none where the answer of this API has no room for it.
        pub(super) fn throttled(api: ApiKey, version: i16, frame: &Bytes, throttle_ms: i32) -> Option<Bytes> {
            match api.0 {
                $(<$request as Request>::KEY => change::<$request>(version, frame, |response| {
                    response.throttle_time_ms = throttle_ms;
                    true
                }),)*
                _ => None,
            }
        }
    };
}

throttled! {
    ProduceRequest FetchRequest ListOffsetsRequest MetadataRequest OffsetCommitRequest OffsetFetchRequest
    FindCoordinatorRequest JoinGroupRequest HeartbeatRequest LeaveGroupRequest SyncGroupRequest DescribeGroupsRequest
    ListGroupsRequest ApiVersionsRequest CreateTopicsRequest DeleteTopicsRequest DeleteRecordsRequest
    InitProducerIdRequest OffsetForLeaderEpochRequest AddPartitionsToTxnRequest AddOffsetsToTxnRequest EndTxnRequest
    TxnOffsetCommitRequest DescribeAclsRequest CreateAclsRequest DeleteAclsRequest DescribeConfigsRequest
    AlterConfigsRequest AlterReplicaLogDirsRequest DescribeLogDirsRequest CreatePartitionsRequest
    CreateDelegationTokenRequest RenewDelegationTokenRequest ExpireDelegationTokenRequest
    DescribeDelegationTokenRequest DeleteGroupsRequest ElectLeadersRequest IncrementalAlterConfigsRequest
    AlterPartitionReassignmentsRequest ListPartitionReassignmentsRequest OffsetDeleteRequest
    DescribeClientQuotasRequest AlterClientQuotasRequest DescribeUserScramCredentialsRequest
    AlterUserScramCredentialsRequest AlterPartitionRequest UpdateFeaturesRequest FetchSnapshotRequest
    DescribeClusterRequest DescribeProducersRequest BrokerRegistrationRequest BrokerHeartbeatRequest
    UnregisterBrokerRequest DescribeTransactionsRequest ListTransactionsRequest AllocateProducerIdsRequest
    ConsumerGroupHeartbeatRequest ConsumerGroupDescribeRequest ControllerRegistrationRequest
    GetTelemetrySubscriptionsRequest PushTelemetryRequest AssignReplicasToDirsRequest ListConfigResourcesRequest
    DescribeTopicPartitionsRequest ShareGroupHeartbeatRequest ShareGroupDescribeRequest ShareFetchRequest
    ShareAcknowledgeRequest AddRaftVoterRequest RemoveRaftVoterRequest UpdateRaftVoterRequest
    DescribeShareGroupOffsetsRequest AlterShareGroupOffsetsRequest DeleteShareGroupOffsetsRequest
}

/// How a record batch is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BatchChange {
    Crc,
    Count,
    Codec,
}

/// Where things stand in a record batch of magic 2.
const BATCH_LENGTH_AT: usize = 8;
const MAGIC_AT: usize = 16;
const CRC_AT: usize = 17;
const ATTRIBUTES_LOW_AT: usize = 22;
const COUNT_AT: usize = 57;
const RECORDS_AT: usize = 61;
/// What the checksum is taken of begins here.
const CHECKED_FROM: usize = 21;
/// What stands in front of what the batch's own length counts.
const BATCH_OVERHEAD: usize = 12;
/// The codec, in the lowest bits of the attributes; there are 0 to 4.
const CODEC_BITS: u8 = 0b111;
const CODECS: u8 = 5;

/// A Fetch answer whose first batch is changed; none when it has no whole batch of magic 2.
pub(super) fn batch_changed(api: ApiKey, version: i16, frame: &Bytes, how: BatchChange) -> Option<Bytes> {
    if api != ApiKey::FETCH {
        return None;
    }
    change::<FetchRequest>(version, frame, |response| {
        let partitions = response.responses.iter_mut().flat_map(|topic| &mut topic.partitions);
        let changed = partitions.filter_map(|partition| partition.records.as_mut()).find_map(|records| {
            *records = first_batch_changed(records, how)?;
            Some(())
        });
        changed.is_some()
    })
}

fn first_batch_changed(records: &Bytes, how: BatchChange) -> Option<Bytes> {
    let length = i32::from_be_bytes(*records.get(BATCH_LENGTH_AT..)?.first_chunk()?);
    let end = usize::try_from(length).ok()?.checked_add(BATCH_OVERHEAD)?;
    if end < RECORDS_AT || *records.get(MAGIC_AT)? != 2 {
        return None;
    }
    let mut changed = BytesMut::from(&records[..]);
    let batch = changed.get_mut(..end)?;
    match how {
        BatchChange::Crc => *batch.get_mut(CRC_AT)? ^= 1,
        BatchChange::Count => {
            let count = batch.get_mut(COUNT_AT..RECORDS_AT)?;
            let more = i32::from_be_bytes(*count.first_chunk()?).wrapping_add(1);
            count.copy_from_slice(&more.to_be_bytes());
        }
        BatchChange::Codec => {
            let attributes = batch.get_mut(ATTRIBUTES_LOW_AT)?;
            let codec = ((*attributes & CODEC_BITS) + 1) % CODECS;
            *attributes = *attributes & !CODEC_BITS | codec;
        }
    }
    if how != BatchChange::Crc {
        let crc = crc32c::crc32c(batch.get(CHECKED_FROM..)?);
        batch.get_mut(CRC_AT..CHECKED_FROM)?.copy_from_slice(&crc.to_be_bytes());
    }
    Some(changed.freeze())
}

/// The same frame with other bytes at one place.
pub(super) fn overwritten(frame: &Bytes, at: usize, bytes: &[u8]) -> Bytes {
    let mut changed = BytesMut::from(&frame[..]);
    if let Some(place) = at.checked_add(bytes.len()).and_then(|end| changed.get_mut(at..end)) {
        place.copy_from_slice(bytes);
    }
    changed.freeze()
}

/// One behind the other.
pub(super) fn joined(parts: &[Bytes]) -> Bytes {
    if let [only] = parts {
        return only.clone();
    }
    let mut all = BytesMut::with_capacity(parts.iter().map(Bytes::len).sum());
    parts.iter().for_each(|part| all.put_slice(part));
    all.freeze()
}
