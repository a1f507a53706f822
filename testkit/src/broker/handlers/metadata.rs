//! `Metadata` 0-13 (KIP-4, KIP-430, KIP-516): the brokers that run, and the topics asked for.
//!
//! A topic that is not there is made if the request and `auto.create.topics.enable` allow it. As with Kafka's controller,
//! this answer still says `UNKNOWN_TOPIC_OR_PARTITION`; the next one has it. Topics that
//! may not be described are not there when all are asked for, and refused when they are asked for by name.

use std::collections::BTreeSet;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use tidemill_protocol::messages::{BrokerId, MetadataRequest, MetadataResponse};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::internal_topics::{is_internal, kind_of};
use crate::broker::topics::{Topic, check_name};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 13);

/// Where in the answer a topic stands: ids that are nobody's come first, and what is refused last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    UnknownId,
    Told,
    NotCreated,
    Hidden,
}

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: MetadataRequest = request.decode()?;
    if let Some(topics) = body.topics.as_deref().filter(|topics| are_named_too_early(topics, request.version)) {
        // Kafka answers with nothing else; a name that is not there is empty, as these versions have no null for it.
        let refuse = |wanted: &MetadataRequestTopic| {
            let refused = missing(wanted, ErrorCode::INVALID_REQUEST);
            let name = refused.name.clone().unwrap_or_default();
            refused.with_name(Some(name))
        };
        let response = MetadataResponse::default().with_topics(topics.iter().map(refuse).collect());
        return request.reply::<MetadataRequest>(&response);
    }
    let authorized = body.include_topic_authorized_operations;
    let may_create = body.allow_auto_topic_creation && cluster.config.auto_create_topics;
    // In version 0 there is no null, and the empty list means all.
    let wanted = body.topics.filter(|topics| request.version > 0 || !topics.is_empty());
    if let Some(topics) = &wanted
        && topics.iter().all(|topic| topic.topic_id.is_nil())
        && topics.iter().any(|topic| topic.name.is_none() && topic.topic_id.is_nil())
    {
        // Kafka fails altogether over a topic without a name among names, and answers those that have one.
        let code = ErrorCode::UNKNOWN_SERVER_ERROR;
        let named = topics.iter().filter(|topic| topic.name.is_some()).map(|topic| missing(topic, code));
        let response = MetadataResponse::default().with_error_code(code.0).with_topics(named.collect());
        return request.reply::<MetadataRequest>(&response);
    }
    let wanted = wanted.map(once_each);
    let mut response = if let Some(stale) = cluster.playing.stale(request.caller.node_id) {
        remembered(cluster, request, stale, wanted.as_deref(), authorized)
    } else {
        let topics = told(cluster, request, wanted, authorized, may_create);
        brokers(cluster).with_topics(topics)
    };
    if body.include_cluster_authorized_operations {
        response.cluster_authorized_operations = request.cluster_operations(cluster);
    }
    request.reply::<MetadataRequest>(&response)
}

/// Whether a topic is asked for by its id in a version that has ids only in answers.
fn are_named_too_early(topics: &[MetadataRequestTopic], version: i16) -> bool {
    version < ASKS_BY_ID_SINCE && topics.iter().any(|topic| topic.name.is_none() || !topic.topic_id.is_nil())
}

/// Each topic once; where any is asked for by its id, those that are asked for by name are passed over.
fn once_each(mut topics: Vec<MetadataRequestTopic>) -> Vec<MetadataRequestTopic> {
    let by_id = topics.iter().any(|topic| !topic.topic_id.is_nil());
    let mut seen = BTreeSet::new();
    if by_id {
        topics.retain(|topic| !topic.topic_id.is_nil() && seen.insert((None, topic.topic_id)));
        topics.iter_mut().for_each(|topic| topic.name = None);
    } else {
        topics.retain(|topic| seen.insert((topic.name.as_ref().map(|name| name.0.to_string()), topic.topic_id)));
    }
    topics
}

/// The topics that are asked for, as far as they may be told.
fn told(
    cluster: &mut Cluster,
    request: &Request<'_>,
    wanted: Option<Vec<MetadataRequestTopic>>,
    authorized: bool,
    may_create: bool,
) -> Vec<MetadataResponseTopic> {
    let mut topics: Vec<(Place, MetadataResponseTopic)> = match wanted {
        None => {
            let mut topics: Vec<&Topic> = cluster.topics.iter().collect();
            topics.retain(|topic| request.may(cluster, Operation::Describe, Resource::Topic(&topic.name.0)));
            topics.into_iter().map(|topic| (Place::Told, describe(cluster, topic))).collect()
        }
        Some(topics) => topics.iter().map(|wanted| look_up(cluster, wanted, request, may_create)).collect(),
    };
    topics.sort_by_key(|(place, _)| *place);
    // Also of what is not there, it is said what may be done with it.
    for (_, topic) in topics.iter_mut().filter(|(place, _)| authorized && *place == Place::Told) {
        if let Some(name) = &topic.name {
            topic.topic_authorized_operations = request.operations(cluster, Resource::Topic(&name.0));
        }
    }
    topics.into_iter().map(|(_, topic)| topic).collect()
}

/// All that a broker knows now, to be told later when it is no longer so.
pub(in crate::broker) fn known(cluster: &Cluster) -> MetadataResponse {
    brokers(cluster).with_topics(cluster.topics.iter().map(|topic| describe(cluster, topic)).collect())
}

/// What a broker answers that knows this and learns nothing more.
fn remembered(
    cluster: &Cluster,
    request: &Request<'_>,
    known: &MetadataResponse,
    wanted: Option<&[MetadataRequestTopic]>,
    authorized: bool,
) -> MetadataResponse {
    let find = |wanted: &MetadataRequestTopic| {
        let is_it = |topic: &&MetadataResponseTopic| match &wanted.name {
            Some(_) => topic.name == wanted.name,
            None => topic.topic_id == wanted.topic_id,
        };
        known.topics.iter().find(is_it).cloned().unwrap_or_else(|| {
            let code =
                if wanted.name.is_some() { ErrorCode::UNKNOWN_TOPIC_OR_PARTITION } else { ErrorCode::UNKNOWN_TOPIC_ID };
            missing(wanted, code)
        })
    };
    let mut response = known.clone();
    if let Some(wanted) = wanted {
        response.topics = wanted.iter().map(find).collect();
    }
    if authorized {
        for topic in response.topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::NONE.0) {
            if let Some(name) = &topic.name {
                topic.topic_authorized_operations = request.operations(cluster, Resource::Topic(&name.0));
            }
        }
    }
    response
}

fn brokers(cluster: &Cluster) -> MetadataResponse {
    let brokers = cluster.nodes.running().map(|node| {
        MetadataResponseBroker::default()
            .with_node_id(BrokerId(node.config.node_id))
            .with_host(text(&node.config.host))
            .with_port(i32::from(node.config.port))
            .with_rack(node.config.rack.as_deref().map(text))
    });
    MetadataResponse::default()
        .with_brokers(brokers.collect())
        .with_cluster_id(Some(text(&cluster.cluster_id)))
        .with_controller_id(BrokerId(cluster.nodes.controller()))
}

fn missing(wanted: &MetadataRequestTopic, code: ErrorCode) -> MetadataResponseTopic {
    MetadataResponseTopic::default()
        .with_name(wanted.name.clone())
        .with_topic_id(wanted.topic_id)
        .with_is_internal(wanted.name.as_ref().is_some_and(|name| is_internal(&name.0)))
        .with_error_code(code.0)
}

fn look_up(
    cluster: &mut Cluster,
    wanted: &MetadataRequestTopic,
    request: &Request<'_>,
    may_create: bool,
) -> (Place, MetadataResponseTopic) {
    let Some(name) = &wanted.name else {
        return match cluster.topics.by_id(wanted.topic_id) {
            Some(topic) if request.may(cluster, Operation::Describe, Resource::Topic(&topic.name.0)) => {
                (Place::Told, describe(cluster, topic))
            }
            Some(_) => (Place::Hidden, missing(wanted, ErrorCode::TOPIC_AUTHORIZATION_FAILED)),
            None => (Place::UnknownId, missing(wanted, ErrorCode::UNKNOWN_TOPIC_ID)),
        };
    };
    let resource = Resource::Topic(&name.0);
    if let Err(code) = request.authorize(cluster, Operation::Describe, resource) {
        return (Place::Hidden, missing(wanted, code));
    }
    if let Some(topic) = cluster.topics.by_name(&name.0) {
        return (Place::Told, describe(cluster, topic));
    }
    if may_create
        && !request.may(cluster, Operation::Create, Resource::Cluster)
        && let Err(code) = request.authorize(cluster, Operation::Create, resource)
    {
        return (Place::NotCreated, missing(wanted, code));
    }
    if let Err(refused) = check_name(&name.0) {
        return (Place::Told, missing(wanted, refused.code));
    }
    if may_create {
        let (partitions, factor) = (cluster.config.num_partitions, cluster.config.default_replication_factor);
        let created = match kind_of(&name.0) {
            Some(kind) => cluster.make_coordinators(kind),
            None => cluster.create_topic(&name.0, partitions, factor, []).map(|_| ()),
        };
        if let Err(refused) = created {
            return (Place::Told, missing(wanted, refused.code));
        }
    }
    (Place::Told, missing(wanted, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))
}

fn describe(cluster: &Cluster, topic: &Topic) -> MetadataResponseTopic {
    let partitions = topic.numbered().map(|(number, partition)| {
        let offline = partition.replicas.iter().copied().filter(|id| !cluster.nodes.is_running(*id));
        let code = if partition.leader.is_none() { ErrorCode::LEADER_NOT_AVAILABLE } else { ErrorCode::NONE };
        MetadataResponsePartition::default()
            .with_error_code(code.0)
            .with_partition_index(number)
            .with_leader_id(BrokerId(partition.leader.unwrap_or(-1)))
            .with_leader_epoch(partition.leader_epoch)
            .with_replica_nodes(partition.replicas.iter().copied().map(BrokerId).collect())
            .with_isr_nodes(partition.in_sync.iter().copied().map(BrokerId).collect())
            .with_offline_replicas(offline.map(BrokerId).collect())
    });
    MetadataResponseTopic::default()
        .with_name(Some(topic.name.clone()))
        .with_topic_id(topic.id)
        .with_is_internal(topic.is_internal())
        .with_partitions(partitions.collect())
}

/// Since this version requests name topics by their ids.
const ASKS_BY_ID_SINCE: i16 = 12;
