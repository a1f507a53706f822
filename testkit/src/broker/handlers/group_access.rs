//! What of a request about groups may not be done: taken out before the groups see it, and answered beside their answer.
//!
//! The handlers of the APIs of groups call these; nothing in here knows what a group is.

use tidemill_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use tidemill_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use tidemill_protocol::messages::offset_fetch_response::{OffsetFetchResponsePartition, OffsetFetchResponseTopic};
use tidemill_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Request};

/// Since this version one OffsetFetch asks for several groups.
const FETCHES_IN_BATCHES_SINCE: i16 = 8;

/// Since this version OffsetFetch says an error of the whole group.
const SAYS_ERROR_OF_GROUP_SINCE: i16 = 2;

/// Takes out the groups with which this may not be done.
pub(super) fn take_refused(
    cluster: &Cluster,
    request: &Request<'_>,
    operation: Operation,
    groups: &mut Vec<GroupId>,
) -> Vec<(GroupId, ErrorCode)> {
    let refusal = |id: &GroupId| request.authorize(cluster, operation, Resource::Group(id)).err();
    let refused = groups.iter().filter_map(|id| Some((id.clone(), refusal(id)?))).collect();
    groups.retain(|id| refusal(id).is_none());
    refused
}

/// Takes out the topics of which nothing may be committed: all, where the group is refused.
pub(super) fn take_refused_commits(
    cluster: &Cluster,
    request: &Request<'_>,
    body: &mut OffsetCommitRequest,
) -> Vec<OffsetCommitResponseTopic> {
    let of_group = request.authorize(cluster, Operation::Read, Resource::Group(&body.group_id));
    let refusal = |name: &TopicName| {
        of_group.and_then(|()| request.authorize(cluster, Operation::Read, Resource::Topic(name))).err()
    };
    let refused = body.topics.iter().filter_map(|topic| {
        let code = refusal(&topic.name)?;
        let partitions = topic.partitions.iter().map(|partition| {
            let number = partition.partition_index;
            OffsetCommitResponsePartition::default().with_partition_index(number).with_error_code(code.0)
        });
        let partitions = partitions.collect();
        Some(OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions))
    });
    let refused = refused.collect();
    body.topics.retain(|topic| refusal(&topic.name).is_none());
    refused
}

/// Takes out the topics whose offsets may not be deleted.
pub(super) fn take_refused_deletions(
    cluster: &Cluster,
    request: &Request<'_>,
    body: &mut OffsetDeleteRequest,
) -> Vec<OffsetDeleteResponseTopic> {
    let refusal = |name: &TopicName| request.authorize(cluster, Operation::Read, Resource::Topic(name)).err();
    let refused = body.topics.iter().filter_map(|topic| {
        let code = refusal(&topic.name)?;
        let partitions = topic.partitions.iter().map(|partition| {
            let number = partition.partition_index;
            OffsetDeleteResponsePartition::default().with_partition_index(number).with_error_code(code.0)
        });
        let partitions = partitions.collect();
        Some(OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions))
    });
    let refused = refused.collect();
    body.topics.retain(|topic| refusal(&topic.name).is_none());
    refused
}

/// What an OffsetFetch asked for, as far as its answer does not say it.
pub(super) struct Asked {
    group: GroupId,
    topics: Option<Vec<(TopicName, Vec<i32>)>>,
    /// Of each group, whether all of its offsets were asked for.
    all: Vec<bool>,
}

impl Asked {
    pub(super) fn new(body: &OffsetFetchRequest) -> Self {
        let topics = body
            .topics
            .as_ref()
            .map(|topics| topics.iter().map(|topic| (topic.name.clone(), topic.partition_indexes.clone())).collect());
        let all = body.groups.iter().map(|group| group.topics.is_none()).collect();
        Self { group: body.group_id.clone(), topics, all }
    }
}

/// Takes the offsets out of an answer that may not be seen. Of topics that were not asked for by name, nothing is said.
pub(super) fn hide_offsets(
    cluster: &Cluster,
    request: &Request<'_>,
    asked: &Asked,
    response: &mut OffsetFetchResponse,
) {
    let of_group = |id: &GroupId| request.authorize(cluster, Operation::Describe, Resource::Group(id));
    let of_topic = |name: &TopicName| request.authorize(cluster, Operation::Describe, Resource::Topic(name));
    if request.version >= FETCHES_IN_BATCHES_SINCE {
        for (group, all) in response.groups.iter_mut().zip(&asked.all) {
            if let Err(code) = of_group(&group.group_id) {
                group.error_code = code.0;
                group.topics.clear();
                continue;
            }
            group.topics.retain(|topic| !all || of_topic(&topic.name).is_ok());
            for topic in &mut group.topics {
                let Err(code) = of_topic(&topic.name) else { continue };
                for partition in &mut topic.partitions {
                    partition.error_code = code.0;
                    partition.committed_offset = -1;
                    partition.committed_leader_epoch = -1;
                    partition.metadata = Some(StrBytes::default());
                }
            }
        }
        return;
    }
    if let Err(code) = of_group(&asked.group) {
        response.topics.clear();
        if request.version >= SAYS_ERROR_OF_GROUP_SINCE {
            response.error_code = code.0;
            return;
        }
        let topics = asked.topics.iter().flatten().map(|(name, numbers)| {
            let partitions = numbers.iter().map(|number| hidden(*number, code)).collect();
            OffsetFetchResponseTopic::default().with_name(name.clone()).with_partitions(partitions)
        });
        response.topics.extend(topics);
        return;
    }
    response.topics.retain(|topic| asked.topics.is_some() || of_topic(&topic.name).is_ok());
    for topic in &mut response.topics {
        let Err(code) = of_topic(&topic.name) else { continue };
        for partition in &mut topic.partitions {
            *partition = hidden(partition.partition_index, code);
        }
    }
}

fn hidden(number: i32, code: ErrorCode) -> OffsetFetchResponsePartition {
    OffsetFetchResponsePartition::default()
        .with_partition_index(number)
        .with_committed_offset(-1)
        .with_metadata(Some(StrBytes::default()))
        .with_error_code(code.0)
}
