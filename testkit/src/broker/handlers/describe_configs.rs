//! `DescribeConfigs` 1-4 (KIP-133, KIP-226): the settings of topics, brokers, groups and subscriptions to clients' metrics,
//! and where their values come from.
//!
//! [`settings`](crate::broker::settings) knows them. What Kafka documents of a setting is left out. Loggers are answered
//! `INVALID_REQUEST`.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use tidemill_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::{Resource, words};
use crate::broker::settings::Described;
use crate::broker::topics::check_name;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 4);

pub(super) const TOPIC: i8 = 2;
pub(super) const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
pub(super) const CLIENT_METRICS: i8 = 16;
pub(super) const GROUP: i8 = 32;

/// What Kafka says of any request that makes no sense, where it says nothing better.
const MALFORMED: &str = "This most likely occurs because of a request being malformed by the client library or the message \
                         was sent to an incompatible broker. See the broker logs for more details.";

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeConfigsRequest = request.decode()?;
    let is_known = |resource: &&DescribeConfigsResource| configured(resource.resource_type, "").is_some();
    if !body.resources.iter().all(|resource| is_known(&resource)) {
        // One kind that there is not fails all of them.
        let code = ErrorCode::INVALID_REQUEST;
        let refused = |resource: DescribeConfigsResource| {
            DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name)
                .with_error_code(code.0)
                .with_error_message(Some(StrBytes::from_static_str(MALFORMED)))
        };
        let results = body.resources.into_iter().map(refused).collect();
        return request.reply::<DescribeConfigsRequest>(&DescribeConfigsResponse::default().with_results(results));
    }
    // What is refused stands last.
    let (allowed, refused): (Vec<_>, Vec<_>) =
        body.resources.iter().partition(|resource| authorize(cluster, request, resource).is_ok());
    let refused = refused.into_iter().map(|resource| {
        let code = authorize(cluster, request, resource).err().unwrap_or(ErrorCode::NONE);
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_error_code(code.0)
            .with_error_message(Some(StrBytes::from_static_str(words(code))))
    });
    let results = allowed.into_iter().map(|resource| {
        let result = DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        match settings(cluster, request.caller.node_id, resource) {
            Ok(settings) => {
                // No keys stand for all.
                let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
                let wanted = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| &**key == name));
                let settings = settings.iter().filter(|setting| wanted(&setting.name));
                result.with_configs(settings.map(|setting| described(setting, body.include_synonyms)).collect())
            }
            Err((code, message)) => {
                result.with_error_code(code.0).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    });
    let response = DescribeConfigsResponse::default().with_results(results.chain(refused).collect());
    request.reply::<DescribeConfigsRequest>(&response)
}

fn authorize(cluster: &Cluster, request: &Request<'_>, resource: &DescribeConfigsResource) -> Result<(), ErrorCode> {
    match configured(resource.resource_type, &resource.resource_name) {
        Some(resource) => request.authorize(cluster, Operation::DescribeConfigs, resource),
        None => Ok(()),
    }
}

/// Whose settings a resource's are; none when it can have none.
pub(super) const fn configured(kind: i8, name: &str) -> Option<Resource<'_>> {
    match kind {
        TOPIC => Some(Resource::Topic(name)),
        BROKER | BROKER_LOGGER | CLIENT_METRICS => Some(Resource::Cluster),
        GROUP => Some(Resource::Group(name)),
        _ => None,
    }
}

fn described(setting: &Described, synonyms: bool) -> DescribeConfigsResourceResult {
    let synonym = |(name, value, source): &(String, Option<String>, crate::broker::settings::Source)| {
        DescribeConfigsSynonym::default()
            .with_name(text(name))
            .with_value(value.as_deref().map(text))
            .with_source(*source as i8)
    };
    let synonyms = if synonyms { setting.synonyms.iter().map(synonym).collect() } else { Vec::new() };
    DescribeConfigsResourceResult::default()
        .with_name(text(&setting.name))
        .with_value(setting.value.as_deref().map(text))
        .with_read_only(setting.read_only)
        .with_is_sensitive(setting.is_secret)
        .with_config_source(setting.source() as i8)
        .with_synonyms(synonyms)
        .with_config_type(setting.kind.map_or(0, |kind| kind as i8))
        .with_documentation(None)
}

fn settings(
    cluster: &Cluster,
    node_id: i32,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Described>, (ErrorCode, String)> {
    let name = &*resource.resource_name;
    let refuse = |message: String| Err((ErrorCode::INVALID_REQUEST, message));
    match resource.resource_type {
        TOPIC => {
            check_name(name).map_err(|error| (error.code, error.message))?;
            let topic = cluster.topics.by_name(name).ok_or((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()))?;
            Ok(cluster.describe_topic(topic, node_id))
        }
        // The empty name stands for what all brokers have in common.
        BROKER if name.is_empty() => Ok(cluster.describe_brokers()),
        BROKER => {
            let Ok(asked) = name.parse::<i32>() else {
                return refuse(format!("Broker id must be an integer, but it is: {name}"));
            };
            match cluster.nodes.get(asked).filter(|_| asked == node_id) {
                Some(node) => Ok(cluster.describe_broker(&node.config)),
                None => {
                    refuse(format!("Unexpected broker id, expected {node_id} or empty string, but received {name}"))
                }
            }
        }
        GROUP if name.is_empty() => refuse("Group name must not be empty".to_owned()),
        GROUP => Ok(cluster.describe_group(name, node_id)),
        CLIENT_METRICS if name.is_empty() => refuse("Client metrics subscription name must not be empty".to_owned()),
        CLIENT_METRICS => Ok(cluster.describe_client_metrics(name)),
        kind => refuse(format!("Unsupported resource type: {kind}")),
    }
}
