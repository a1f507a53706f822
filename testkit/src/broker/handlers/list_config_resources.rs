//! `ListConfigResources` 0-1 (KIP-1000, KIP-1142): what has settings. Of groups, those are listed that have some.

use std::collections::BTreeSet;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::list_config_resources_response::ConfigResource;
use tidemill_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ListConfigResourcesRequest = request.decode()?;
    if let Err(code) = request.authorize(cluster, Operation::DescribeConfigs, Resource::Cluster) {
        let response = ListConfigResourcesResponse::default().with_error_code(code.0);
        return request.reply::<ListConfigResourcesRequest>(&response);
    }
    // Version 0 was for client metrics alone; an empty list means all.
    let kinds: BTreeSet<i8> = match request.version {
        0 => BTreeSet::from([CLIENT_METRICS]),
        _ if body.resource_types.is_empty() => BTreeSet::from([TOPIC, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP]),
        _ => body.resource_types.iter().copied().collect(),
    };
    let response = ListConfigResourcesResponse::default();
    if kinds.iter().any(|kind| !matches!(*kind, TOPIC | BROKER | BROKER_LOGGER | CLIENT_METRICS | GROUP)) {
        return request
            .reply::<ListConfigResourcesRequest>(&response.with_error_code(ErrorCode::UNSUPPORTED_VERSION.0));
    }
    let resource =
        |kind: i8, name: StrBytes| ConfigResource::default().with_resource_type(kind).with_resource_name(name);
    let mut resources = Vec::new();
    if kinds.contains(&TOPIC) {
        resources.extend(cluster.topics.iter().map(|topic| resource(TOPIC, topic.name.0.clone())));
    }
    if kinds.contains(&GROUP) {
        resources.extend(cluster.settings.groups().map(|id| resource(GROUP, text(id))));
    }
    if kinds.contains(&CLIENT_METRICS) {
        resources.extend(cluster.settings.client_metrics().map(|name| resource(CLIENT_METRICS, text(name))));
    }
    for kind in [BROKER, BROKER_LOGGER].into_iter().filter(|kind| kinds.contains(kind)) {
        let brokers = cluster.nodes.running().map(|node| text(&node.config.node_id.to_string()));
        resources.extend(brokers.map(|name| resource(kind, name)));
    }
    request.reply::<ListConfigResourcesRequest>(&response.with_config_resources(resources))
}
