//! The APIs of records and their offsets: the code stands at each partition.

use bytes::Bytes;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::header::decode_request;
use tidemill_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
use tidemill_protocol::messages::describe_producers_response::{PartitionResponse, TopicResponse};
use tidemill_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use tidemill_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use tidemill_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
use tidemill_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use tidemill_protocol::messages::*;

use super::{ErrorReplyError, Failed, Failure};

/// Topics go by their id from this version of Fetch on, and a request that fails says so once.
const FETCH_BY_ID: i16 = 13;

pub(super) fn produce(failed: &Failed, error: ErrorCode) -> Result<Option<Bytes>, ErrorReplyError> {
    let request: ProduceRequest =
        decode_request(failed.version, failed.body.clone()).map_err(ErrorReplyError::Decode)?;
    if request.acks == 0 {
        return Ok(None);
    }
    failed.with::<ProduceRequest>(error, |request, failure| {
        let topics = request.topic_data.into_iter().map(|topic| {
            let partitions = topic.partition_data.iter().map(|partition| {
                PartitionProduceResponse::default()
                    .with_index(partition.index)
                    .with_error_code(failure.code)
                    .with_error_message(failure.message())
                    .with_base_offset(-1)
            });
            TopicProduceResponse::default()
                .with_partition_responses(partitions.collect())
                .with_name(topic.name)
                .with_topic_id(topic.topic_id)
        });
        ProduceResponse::default().with_responses(topics.collect())
    })
}

pub(super) fn fetch(request: FetchRequest, failure: Failure) -> FetchResponse {
    let response = FetchResponse::default().with_error_code(failure.code).with_session_id(request.session_id);
    if failure.version >= FETCH_BY_ID {
        return response;
    }
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            PartitionData::default()
                .with_partition_index(partition.partition)
                .with_error_code(failure.code)
                .with_high_watermark(-1)
                .with_records(Some(Bytes::new()))
        });
        FetchableTopicResponse::default().with_partitions(partitions.collect()).with_topic(topic.topic)
    });
    response.with_responses(topics.collect())
}

pub(super) fn list_offsets(request: ListOffsetsRequest, failure: Failure) -> ListOffsetsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            ListOffsetsPartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(failure.code)
                .with_offset(-1)
                .with_timestamp(-1)
        });
        ListOffsetsTopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    ListOffsetsResponse::default().with_topics(topics.collect())
}

pub(super) fn delete_records(request: DeleteRecordsRequest, failure: Failure) -> DeleteRecordsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            DeleteRecordsPartitionResult::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(failure.code)
                .with_low_watermark(-1)
        });
        DeleteRecordsTopicResult::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    DeleteRecordsResponse::default().with_topics(topics.collect())
}

pub(super) fn offset_for_leader_epoch(
    request: OffsetForLeaderEpochRequest,
    failure: Failure,
) -> OffsetForLeaderEpochResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            EpochEndOffset::default().with_partition(partition.partition).with_error_code(failure.code)
        });
        OffsetForLeaderTopicResult::default().with_partitions(partitions.collect()).with_topic(topic.topic)
    });
    OffsetForLeaderEpochResponse::default().with_topics(topics.collect())
}

pub(super) fn describe_producers(request: DescribeProducersRequest, failure: Failure) -> DescribeProducersResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            PartitionResponse::default()
                .with_partition_index(*index)
                .with_error_code(failure.code)
                .with_error_message(failure.message())
        });
        TopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    DescribeProducersResponse::default().with_topics(topics.collect())
}
