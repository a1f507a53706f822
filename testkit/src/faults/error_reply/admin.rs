//! Topics, configurations, rights: the code stands at each thing that was asked for.

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use tidemill_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use tidemill_protocol::messages::alter_partition_reassignments_response::{
    ReassignablePartitionResponse, ReassignableTopicResponse,
};
use tidemill_protocol::messages::alter_replica_log_dirs_response::{
    AlterReplicaLogDirPartitionResult, AlterReplicaLogDirTopicResult,
};
use tidemill_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use tidemill_protocol::messages::create_acls_response::AclCreationResult;
use tidemill_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use tidemill_protocol::messages::create_topics_response::CreatableTopicResult;
use tidemill_protocol::messages::delete_acls_response::DeleteAclsFilterResult;
use tidemill_protocol::messages::delete_topics_response::DeletableTopicResult;
use tidemill_protocol::messages::describe_configs_response::DescribeConfigsResult;
use tidemill_protocol::messages::describe_topic_partitions_response::DescribeTopicPartitionsResponseTopic;
use tidemill_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use tidemill_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use tidemill_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
use tidemill_protocol::messages::metadata_response::MetadataResponseTopic;
use tidemill_protocol::messages::*;

use super::Failure;

pub(super) fn metadata(request: MetadataRequest, failure: Failure) -> MetadataResponse {
    let topics = request.topics.into_iter().flatten().map(|topic| {
        // Asked for by its id, a topic has no name here, which Kafka writes as an empty one.
        let name = topic.name.unwrap_or_default();
        MetadataResponseTopic::default()
            .with_name(Some(name))
            .with_topic_id(topic.topic_id)
            .with_error_code(failure.code)
    });
    MetadataResponse::default().with_topics(topics.collect()).with_error_code(failure.code)
}

pub(super) fn describe_topic_partitions(
    request: DescribeTopicPartitionsRequest,
    failure: Failure,
) -> DescribeTopicPartitionsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        DescribeTopicPartitionsResponseTopic::default().with_name(Some(topic.name)).with_error_code(failure.code)
    });
    DescribeTopicPartitionsResponse::default().with_topics(topics.collect())
}

pub(super) fn api_versions(_: ApiVersionsRequest, failure: Failure) -> ApiVersionsResponse {
    ApiVersionsResponse::default().with_error_code(failure.code)
}

pub(super) fn sasl_authenticate(_: SaslAuthenticateRequest, failure: Failure) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default().with_error_code(failure.code).with_error_message(failure.message())
}

pub(super) fn create_delegation_token(
    _: CreateDelegationTokenRequest,
    failure: Failure,
) -> CreateDelegationTokenResponse {
    let (kind, name) = (StrBytes::from_static_str("User"), StrBytes::from_static_str("ANONYMOUS"));
    let mut response = CreateDelegationTokenResponse::default()
        .with_error_code(failure.code)
        .with_principal_type(kind.clone())
        .with_principal_name(name.clone())
        .with_issue_timestamp_ms(-1)
        .with_expiry_timestamp_ms(-1)
        .with_max_timestamp_ms(-1);
    if failure.version >= 3 {
        (response.token_requester_principal_type, response.token_requester_principal_name) = (kind, name);
    }
    response
}

pub(super) fn create_topics(request: CreateTopicsRequest, failure: Failure) -> CreateTopicsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        CreatableTopicResult::default()
            .with_name(topic.name)
            .with_error_code(failure.code)
            .with_error_message(failure.message())
    });
    CreateTopicsResponse::default().with_topics(topics.collect())
}

pub(super) fn delete_topics(request: DeleteTopicsRequest, failure: Failure) -> DeleteTopicsResponse {
    let result = || DeletableTopicResult::default().with_error_code(failure.code).with_error_message(failure.message());
    let results = if failure.version >= 6 {
        let topics = request.topics.into_iter();
        topics.map(|topic| result().with_name(topic.name).with_topic_id(topic.topic_id)).collect()
    } else {
        request.topic_names.into_iter().map(|name| result().with_name(Some(name))).collect()
    };
    DeleteTopicsResponse::default().with_responses(results)
}

pub(super) fn create_partitions(request: CreatePartitionsRequest, failure: Failure) -> CreatePartitionsResponse {
    let results = request.topics.into_iter().map(|topic| {
        CreatePartitionsTopicResult::default()
            .with_name(topic.name)
            .with_error_code(failure.code)
            .with_error_message(failure.message())
    });
    CreatePartitionsResponse::default().with_results(results.collect())
}

pub(super) fn elect_leaders(request: ElectLeadersRequest, failure: Failure) -> ElectLeadersResponse {
    let results = request.topic_partitions.into_iter().flatten().map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            PartitionResult::default()
                .with_partition_id(*index)
                .with_error_code(failure.code)
                .with_error_message(failure.message())
        });
        ReplicaElectionResult::default().with_partition_result(partitions.collect()).with_topic(topic.topic)
    });
    ElectLeadersResponse::default()
        .with_replica_election_results(results.collect())
        .with_error_code(if failure.version == 0 { 0 } else { failure.code })
}

pub(super) fn alter_partition_reassignments(
    request: AlterPartitionReassignmentsRequest,
    failure: Failure,
) -> AlterPartitionReassignmentsResponse {
    let topics = request.topics.into_iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|partition| {
            ReassignablePartitionResponse::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(failure.code)
                .with_error_message(failure.message())
        });
        ReassignableTopicResponse::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    AlterPartitionReassignmentsResponse::default()
        .with_responses(topics.collect())
        .with_error_code(failure.code)
        .with_error_message(failure.message())
}

pub(super) fn list_partition_reassignments(
    request: ListPartitionReassignmentsRequest,
    failure: Failure,
) -> ListPartitionReassignmentsResponse {
    let topics = request.topics.into_iter().flatten().map(|topic| {
        let partitions = topic
            .partition_indexes
            .iter()
            .map(|index| OngoingPartitionReassignment::default().with_partition_index(*index));
        OngoingTopicReassignment::default().with_partitions(partitions.collect()).with_name(topic.name)
    });
    ListPartitionReassignmentsResponse::default()
        .with_topics(topics.collect())
        .with_error_code(failure.code)
        .with_error_message(failure.message())
}

pub(super) fn alter_replica_log_dirs(
    request: AlterReplicaLogDirsRequest,
    failure: Failure,
) -> AlterReplicaLogDirsResponse {
    let topics = request.dirs.into_iter().flat_map(|dir| dir.topics).map(|topic| {
        let partitions = topic.partitions.iter().map(|index| {
            AlterReplicaLogDirPartitionResult::default().with_partition_index(*index).with_error_code(failure.code)
        });
        AlterReplicaLogDirTopicResult::default().with_partitions(partitions.collect()).with_topic_name(topic.name)
    });
    AlterReplicaLogDirsResponse::default().with_results(topics.collect())
}

pub(super) fn describe_configs(request: DescribeConfigsRequest, failure: Failure) -> DescribeConfigsResponse {
    let results = request.resources.into_iter().map(|resource| {
        DescribeConfigsResult::default()
            .with_error_code(failure.code)
            .with_error_message(failure.message())
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    DescribeConfigsResponse::default().with_results(results.collect())
}

pub(super) fn alter_configs(request: AlterConfigsRequest, failure: Failure) -> AlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        AlterConfigsResourceResponse::default()
            .with_error_code(failure.code)
            .with_error_message(failure.message())
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

pub(super) fn incremental_alter_configs(
    request: IncrementalAlterConfigsRequest,
    failure: Failure,
) -> IncrementalAlterConfigsResponse {
    let responses = request.resources.into_iter().map(|resource| {
        incremental_alter_configs_response::AlterConfigsResourceResponse::default()
            .with_error_code(failure.code)
            .with_error_message(failure.message())
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name)
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

pub(super) fn create_acls(request: CreateAclsRequest, failure: Failure) -> CreateAclsResponse {
    let result = AclCreationResult::default().with_error_code(failure.code).with_error_message(failure.message());
    CreateAclsResponse::default().with_results(vec![result; request.creations.len()])
}

pub(super) fn delete_acls(request: DeleteAclsRequest, failure: Failure) -> DeleteAclsResponse {
    let result = DeleteAclsFilterResult::default().with_error_code(failure.code).with_error_message(failure.message());
    DeleteAclsResponse::default().with_filter_results(vec![result; request.filters.len()])
}

pub(super) fn describe_client_quotas(_: DescribeClientQuotasRequest, failure: Failure) -> DescribeClientQuotasResponse {
    DescribeClientQuotasResponse::default()
        .with_error_code(failure.code)
        .with_error_message(failure.message())
        .with_entries(None)
}

pub(super) fn alter_client_quotas(request: AlterClientQuotasRequest, failure: Failure) -> AlterClientQuotasResponse {
    let entries = request.entries.into_iter().map(|entry| {
        let entities = entry.entity.into_iter().map(|entity| {
            EntityData::default().with_entity_type(entity.entity_type).with_entity_name(entity.entity_name)
        });
        EntryData::default()
            .with_error_code(failure.code)
            .with_error_message(failure.message())
            .with_entity(entities.collect())
    });
    AlterClientQuotasResponse::default().with_entries(entries.collect())
}

pub(super) fn describe_user_scram_credentials(
    request: DescribeUserScramCredentialsRequest,
    failure: Failure,
) -> DescribeUserScramCredentialsResponse {
    // Kafka leaves the names out.
    let results = request.users.into_iter().flatten().map(|_| {
        DescribeUserScramCredentialsResult::default()
            .with_error_code(failure.code)
            .with_error_message(failure.message())
    });
    DescribeUserScramCredentialsResponse::default()
        .with_results(results.collect())
        .with_error_code(failure.code)
        .with_error_message(failure.message())
}

pub(super) fn alter_user_scram_credentials(
    request: AlterUserScramCredentialsRequest,
    failure: Failure,
) -> AlterUserScramCredentialsResponse {
    let deleted = request.deletions.into_iter().map(|deletion| deletion.name);
    let mut users: Vec<StrBytes> =
        deleted.chain(request.upsertions.into_iter().map(|upsertion| upsertion.name)).collect();
    users.sort();
    users.dedup();
    let results = users.into_iter().map(|user| {
        AlterUserScramCredentialsResult::default()
            .with_user(user)
            .with_error_code(failure.code)
            .with_error_message(failure.message())
    });
    AlterUserScramCredentialsResponse::default().with_results(results.collect())
}
