//! What brokers and controllers ask each other, where the code stands at each partition.

use tidemill_protocol::messages::*;

use super::Failure;

pub(super) fn describe_quorum(_: DescribeQuorumRequest, failure: Failure) -> DescribeQuorumResponse {
    DescribeQuorumResponse::default().with_error_code(failure.code).with_error_message(failure.message())
}

/// The five requests after the state of a share group differ in the names of their structs alone.
macro_rules! share_group_state {
    ($($function:ident: $request:ident -> $response:ident, $module:ident::$topic:ident;)*) => {
        $(pub(super) fn $function(request: $request, failure: Failure) -> $response {
            let topics = request.topics.into_iter().map(|topic| {
                let partitions = topic.partitions.iter().map(|partition| {
                    $module::PartitionResult::default()
                        .with_partition(partition.partition)
                        .with_error_code(failure.code)
                        .with_error_message(failure.message())
                });
                $module::$topic::default().with_partitions(partitions.collect()).with_topic_id(topic.topic_id)
            });
            $response::default().with_results(topics.collect())
        })*
    };
}

share_group_state! {
    initialize_share_group_state: InitializeShareGroupStateRequest -> InitializeShareGroupStateResponse,
        initialize_share_group_state_response::InitializeStateResult;
    read_share_group_state: ReadShareGroupStateRequest -> ReadShareGroupStateResponse,
        read_share_group_state_response::ReadStateResult;
    write_share_group_state: WriteShareGroupStateRequest -> WriteShareGroupStateResponse,
        write_share_group_state_response::WriteStateResult;
    delete_share_group_state: DeleteShareGroupStateRequest -> DeleteShareGroupStateResponse,
        delete_share_group_state_response::DeleteStateResult;
    read_share_group_state_summary: ReadShareGroupStateSummaryRequest -> ReadShareGroupStateSummaryResponse,
        read_share_group_state_summary_response::ReadStateSummaryResult;
}
