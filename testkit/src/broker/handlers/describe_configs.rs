//! `DescribeConfigs` 1-4 (KIP-133, KIP-226): the settings of topics and of the broker.
//!
//! Of the broker's settings only those are listed that this broker has. Other resources are answered `INVALID_REQUEST`.

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
use crate::broker::topic_config::{ConfigOption, Kind, broker_setting, is_set_for_all};
use crate::broker::topics::check_name;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 4);

const TOPIC: i8 = 2;
const BROKER: i8 = 4;
const BROKER_LOGGER: i8 = 8;
const CLIENT_METRICS: i8 = 16;
const GROUP: i8 = 32;

// Where the value of a setting comes from: the topic, what is set for all brokers, `server.properties`, nowhere.
const SOURCE_TOPIC: i8 = 1;
const SOURCE_ALL_BROKERS: i8 = 3;
const SOURCE_STATIC: i8 = 4;
const SOURCE_DEFAULT: i8 = 5;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeConfigsRequest = request.decode()?;
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
                let wanted = |name: &str| {
                    let keys = resource.configuration_keys.as_ref().filter(|keys| !keys.is_empty());
                    keys.is_none_or(|keys| keys.iter().any(|key| &**key == name))
                };
                let settings = settings.iter().filter(|setting| wanted(setting.name));
                let configs = settings.map(|setting| setting.describe(body.include_synonyms)).collect();
                result.with_configs(configs)
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

/// Where a topic has a setting from.
pub(super) fn source_of(name: &str, is_set: bool) -> i8 {
    match (is_set, is_set_for_all(name)) {
        (true, _) => SOURCE_TOPIC,
        (false, true) => SOURCE_ALL_BROKERS,
        (false, false) => SOURCE_DEFAULT,
    }
}

struct Setting<'a> {
    name: &'static str,
    value: std::borrow::Cow<'a, str>,
    kind: Kind,
    source: i8,
    read_only: bool,
    of_topic: Option<&'static ConfigOption>,
}

impl Setting<'_> {
    fn describe(&self, synonyms: bool) -> DescribeConfigsResourceResult {
        let (name, value) = (StrBytes::from_static_str(self.name), Some(text(&self.value)));
        let synonym = |name: &'static str, value: &str, source| {
            let synonym = DescribeConfigsSynonym::default().with_name(StrBytes::from_static_str(name));
            synonym.with_value(Some(text(value))).with_source(source)
        };
        let mut all = Vec::new();
        match self.of_topic {
            Some(option) => {
                if self.source == SOURCE_TOPIC {
                    all.push(synonym(self.name, &self.value, SOURCE_TOPIC));
                }
                if is_set_for_all(self.name) {
                    all.push(synonym(self.name, option.default, SOURCE_ALL_BROKERS));
                }
                let default = broker_setting(self.name).map(|name| synonym(name, option.default, SOURCE_DEFAULT));
                all.extend(default);
            }
            None => all.push(synonym(self.name, &self.value, self.source)),
        }
        DescribeConfigsResourceResult::default()
            .with_name(name)
            .with_value(value)
            .with_read_only(self.read_only)
            .with_config_source(self.source)
            .with_synonyms(if synonyms { all } else { Vec::new() })
            .with_config_type(self.kind as i8)
            .with_documentation(None)
    }
}

fn settings<'a>(
    cluster: &'a Cluster,
    node_id: i32,
    resource: &DescribeConfigsResource,
) -> Result<Vec<Setting<'a>>, (ErrorCode, String)> {
    let name = &*resource.resource_name;
    match resource.resource_type {
        TOPIC => {
            check_name(name).map_err(|error| (error.code, error.message))?;
            let topic = cluster.topics.by_name(name).ok_or((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, String::new()))?;
            let setting = |(option, value, is_set): (&'static ConfigOption, &'a str, bool)| {
                let (name, kind, source) = (option.name, option.kind, source_of(option.name, is_set));
                Setting { name, value: value.into(), kind, source, read_only: false, of_topic: Some(option) }
            };
            Ok(topic.config.list().map(setting).collect())
        }
        BROKER => {
            // The empty name stands for what all brokers have in common, which is not set.
            if name.is_empty() {
                return Ok(Vec::new());
            }
            let refuse = |message| Err((ErrorCode::INVALID_REQUEST, message));
            let Ok(asked) = name.parse::<i32>() else {
                return refuse(format!("Broker id must be an integer, but it is: {name}"));
            };
            // Kafka's client asks the broker itself; here any of them knows the others.
            let Some(node) = cluster.nodes.get(asked) else {
                let own = node_id;
                return refuse(format!("Unexpected broker id, expected {own} or empty string, but received {name}"));
            };
            let setting = |(name, value, kind)| Setting {
                name,
                value: String::into(value),
                kind,
                source: SOURCE_STATIC,
                read_only: true,
                of_topic: None,
            };
            Ok(cluster.config.list(&node.config).into_iter().map(setting).collect())
        }
        kind => Err((ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {kind}"))),
    }
}
