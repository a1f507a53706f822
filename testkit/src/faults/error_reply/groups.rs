//! Groups, transactions and who coordinates them.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::add_partitions_to_txn_response::{
    AddPartitionsToTxnPartitionResult, AddPartitionsToTxnTopicResult,
};
use tidemill_protocol::messages::delete_groups_response::DeletableGroupResult;
use tidemill_protocol::messages::describe_share_group_offsets_response::DescribeShareGroupOffsetsResponseGroup;
use tidemill_protocol::messages::describe_transactions_response::TransactionState;
use tidemill_protocol::messages::find_coordinator_response::Coordinator;
use tidemill_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use tidemill_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use tidemill_protocol::messages::txn_offset_commit_response::{
    TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
};
use tidemill_protocol::messages::write_txn_markers_response::{
    WritableTxnMarkerPartitionResult, WritableTxnMarkerResult, WritableTxnMarkerTopicResult,
};
use tidemill_protocol::messages::*;

use super::Failure;

pub(super) fn find_coordinator(request: FindCoordinatorRequest, failure: Failure) -> FindCoordinatorResponse {
    let response = FindCoordinatorResponse::default();
    if failure.version < 4 {
        return response
            .with_error_code(failure.code)
            .with_error_message(failure.message())
            .with_node_id(BrokerId(-1))
            .with_port(-1);
    }
    let coordinators = request.coordinator_keys.into_iter().map(|key| {
        Coordinator::default()
            .with_key(key)
            .with_error_code(failure.code)
            .with_error_message(failure.message())
            .with_node_id(BrokerId(-1))
            .with_port(-1)
    });
    response.with_coordinators(coordinators.collect())
}

pub(super) fn join_group(_: JoinGroupRequest, failure: Failure) -> JoinGroupResponse {
    // Null is not a word of older versions.
    let protocol_name = (failure.version < 7).then(StrBytes::default);
    JoinGroupResponse::default().with_error_code(failure.code).with_protocol_name(protocol_name).with_generation_id(-1)
}

pub(super) fn offset_commit(request: OffsetCommitRequest, failure: Failure) -> OffsetCommitResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(failure.code)
        });
        OffsetCommitResponseTopic::default()
            .with_partitions(partitions.collect())
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

pub(super) fn txn_offset_commit(request: TxnOffsetCommitRequest, failure: Failure) -> TxnOffsetCommitResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            TxnOffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(failure.code)
        });
        TxnOffsetCommitResponseTopic::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    TxnOffsetCommitResponse::default().with_topics(topics.collect())
}

pub(super) fn offset_fetch(request: OffsetFetchRequest, failure: Failure) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if failure.version >= 8 {
        let groups = request.groups.into_iter().map(|group| {
            OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_error_code(failure.code)
        });
        return response.with_groups(groups.collect());
    }
    if failure.version >= 2 {
        return response.with_error_code(failure.code);
    }
    let topics = request.topics.into_iter().flatten().map(|topic| {
        let partitions = topic.partition_indexes.iter().map(|index| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(*index)
                .with_error_code(failure.code)
                .with_committed_offset(-1)
                .with_metadata(Some(StrBytes::default()))
        });
        OffsetFetchResponseTopic::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    response.with_topics(topics.collect())
}

pub(super) fn describe_groups(request: DescribeGroupsRequest, failure: Failure) -> DescribeGroupsResponse {
    let groups = request.groups.into_iter().map(|group| {
        describe_groups_response::DescribedGroup::default().with_group_id(group).with_error_code(failure.code)
    });
    DescribeGroupsResponse::default().with_groups(groups.collect())
}

pub(super) fn consumer_group_describe(
    request: ConsumerGroupDescribeRequest,
    failure: Failure,
) -> ConsumerGroupDescribeResponse {
    let groups = request.group_ids.into_iter().map(|group| {
        consumer_group_describe_response::DescribedGroup::default().with_group_id(group).with_error_code(failure.code)
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}

pub(super) fn share_group_describe(request: ShareGroupDescribeRequest, failure: Failure) -> ShareGroupDescribeResponse {
    let groups = request.group_ids.into_iter().map(|group| {
        share_group_describe_response::DescribedGroup::default().with_group_id(group).with_error_code(failure.code)
    });
    ShareGroupDescribeResponse::default().with_groups(groups.collect())
}

pub(super) fn describe_share_group_offsets(
    request: DescribeShareGroupOffsetsRequest,
    failure: Failure,
) -> DescribeShareGroupOffsetsResponse {
    let groups = request.groups.into_iter().map(|group| {
        DescribeShareGroupOffsetsResponseGroup::default()
            .with_group_id(group.group_id)
            .with_error_code(failure.code)
            .with_error_message(failure.message())
    });
    DescribeShareGroupOffsetsResponse::default().with_groups(groups.collect())
}

pub(super) fn delete_groups(request: DeleteGroupsRequest, failure: Failure) -> DeleteGroupsResponse {
    let results = request
        .groups_names
        .into_iter()
        .map(|group| DeletableGroupResult::default().with_group_id(group).with_error_code(failure.code));
    DeleteGroupsResponse::default().with_results(results.collect())
}

pub(super) fn init_producer_id(_: InitProducerIdRequest, failure: Failure) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(failure.code)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1)
}

pub(super) fn add_partitions_to_txn(
    request: AddPartitionsToTxnRequest,
    failure: Failure,
) -> AddPartitionsToTxnResponse {
    let response = AddPartitionsToTxnResponse::default();
    if failure.version >= 4 {
        return response.with_error_code(failure.code);
    }
    let topics = request.v3_and_below_topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            AddPartitionsToTxnPartitionResult::default()
                .with_partition_index(*index)
                .with_partition_error_code(failure.code)
        });
        AddPartitionsToTxnTopicResult::default().with_results_by_partition(partitions.collect()).with_name(topic.name)
    });
    response.with_results_by_topic_v3_and_below(topics.collect())
}

pub(super) fn write_txn_markers(request: WriteTxnMarkersRequest, failure: Failure) -> WriteTxnMarkersResponse {
    let markers = request.markers.into_iter().map(|marker| {
        let topics = marker.topics.into_iter().map(|topic| {
            let partitions = topic.partition_indexes.iter().map(|index| {
                WritableTxnMarkerPartitionResult::default().with_partition_index(*index).with_error_code(failure.code)
            });
            WritableTxnMarkerTopicResult::default().with_partitions(partitions.collect()).with_name(topic.name)
        });
        WritableTxnMarkerResult::default().with_topics(topics.collect()).with_producer_id(marker.producer_id)
    });
    WriteTxnMarkersResponse::default().with_markers(markers.collect())
}

pub(super) fn describe_transactions(
    request: DescribeTransactionsRequest,
    failure: Failure,
) -> DescribeTransactionsResponse {
    let states = request
        .transactional_ids
        .into_iter()
        .map(|id| TransactionState::default().with_transactional_id(id).with_error_code(failure.code));
    DescribeTransactionsResponse::default().with_transaction_states(states.collect())
}
