//! `IncrementalAlterConfigs` 0-1 (KIP-339): sets, deletes, appends to and subtracts from single settings.
//!
//! Topics can be altered. Settings of brokers are accepted where they are only listed, and those that this cluster lives
//! by are refused, as Kafka refuses those that need a restart.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use tidemill_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::describe_configs::configured;
use super::text_or_null;
use crate::broker::acls::Operation;
use crate::broker::authorization::words;
use crate::broker::topic_config::{Kind, TopicConfig, option_named};
use crate::broker::topics::{TopicError, check_name};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

pub(super) const TOPIC: i8 = 2;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: IncrementalAlterConfigsRequest = request.decode()?;
    let mut responses = Vec::with_capacity(body.resources.len());
    let mut times: BTreeMap<(i8, &str), u32> = BTreeMap::new();
    for resource in &body.resources {
        *times.entry((resource.resource_type, &*resource.resource_name)).or_default() += 1;
    }
    for resource in &body.resources {
        let is_once = times.get(&(resource.resource_type, &*resource.resource_name)) == Some(&1);
        let altered = if is_once {
            alter(cluster, request, resource, body.validate_only)
        } else {
            Err(TopicError::new(ErrorCode::INVALID_REQUEST, "Each resource must appear at most once."))
        };
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        responses.push(match altered {
            Ok(()) => response.with_error_message(None),
            Err(error) => response.with_error_code(error.code.0).with_error_message(text_or_null(error.message)),
        });
    }
    request
        .reply::<IncrementalAlterConfigsRequest>(&IncrementalAlterConfigsResponse::default().with_responses(responses))
}

fn alter(
    cluster: &mut Cluster,
    request: &Request<'_>,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), TopicError> {
    let invalid = |message: String| TopicError::new(ErrorCode::INVALID_REQUEST, message);
    let mut seen = BTreeSet::new();
    if !resource.configs.iter().all(|config| seen.insert(&*config.name)) {
        return Err(invalid("Error due to duplicate config keys".to_owned()));
    }
    let missing = resource.configs.iter().find(|config| config.config_operation != DELETE && config.value.is_none());
    if let Some(config) = missing {
        return Err(invalid(format!("Null value not supported for : {}", &*config.name)));
    }
    let name = &*resource.resource_name;
    authorize(cluster, request, resource.resource_type, name)?;
    resource.configs.iter().try_for_each(check_operation)?;
    let set = resource.configs.iter().filter(|config| config.config_operation == SET);
    let set = set.filter_map(|config| Some((&*config.name, config.value.as_deref()?)));
    check_settings(resource.resource_type, name, set)?;
    let mut settings = topic_settings(cluster, resource.resource_type, name)?;
    for config in &resource.configs {
        change(&mut settings, config);
    }
    apply(cluster, name, &settings, validate_only)
}

/// Whether who asks may alter the settings of this.
pub(super) fn authorize(cluster: &Cluster, request: &Request<'_>, kind: i8, name: &str) -> Result<(), TopicError> {
    let Some(resource) = configured(kind, name) else { return Ok(()) };
    let may = request.authorize(cluster, Operation::AlterConfigs, resource);
    may.map_err(|code| TopicError::new(code, words(code)))
}

/// Whether a topic of this name may have these settings, wherever it is.
pub(super) fn check_settings<'a>(
    kind: i8,
    name: &str,
    settings: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), TopicError> {
    if kind == TOPIC {
        check_name(name)?;
        TopicConfig::new(settings).map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))?;
    }
    Ok(())
}

/// What a topic has set.
pub(super) fn topic_settings(cluster: &Cluster, kind: i8, name: &str) -> Result<BTreeMap<String, String>, TopicError> {
    if kind != TOPIC {
        return Err(TopicError::new(ErrorCode::INVALID_REQUEST, format!("Unsupported resource type: {kind}")));
    }
    let topic = cluster.topics.by_name(name).ok_or_else(|| {
        TopicError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, format!("The topic '{name}' does not exist."))
    })?;
    let set = topic.config.list().filter(|(.., is_set)| *is_set);
    Ok(set.map(|(option, value, _)| (option.name.to_owned(), value.to_owned())).collect())
}

/// Gives a topic these settings and no others.
pub(super) fn apply(
    cluster: &mut Cluster,
    name: &str,
    settings: &BTreeMap<String, String>,
    validate_only: bool,
) -> Result<(), TopicError> {
    let config = TopicConfig::new(settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let config = config.map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))?;
    if !validate_only {
        cluster.set_topic_config(name, config);
    }
    Ok(())
}

fn change(settings: &mut BTreeMap<String, String>, config: &AlterableConfig) {
    let name = &*config.name;
    let value = config.value.as_deref().unwrap_or_default();
    match config.config_operation {
        SET => {
            settings.insert(name.to_owned(), value.to_owned());
        }
        DELETE => {
            settings.remove(name);
        }
        APPEND | SUBTRACT => {
            let option = option_named(name);
            let old = settings.get(name).map_or_else(|| option.map_or("", |option| option.default), String::as_str);
            let mut items: Vec<String> =
                old.split(',').map(str::trim).filter(|it| !it.is_empty()).map(str::to_owned).collect();
            for item in value.split(',').map(str::trim) {
                items.retain(|it| config.config_operation == APPEND || it != item);
                if config.config_operation == APPEND && !items.iter().any(|it| it == item) {
                    items.push(item.to_owned());
                }
            }
            settings.insert(name.to_owned(), items.join(","));
        }
        _ => {}
    }
}

/// What can be said without knowing the topic: only lists are added to.
fn check_operation(config: &AlterableConfig) -> Result<(), TopicError> {
    let what = match config.config_operation {
        SET | DELETE => return Ok(()),
        APPEND => "APPEND",
        SUBTRACT => "SUBTRACT",
        // Kafka stumbles over it.
        _ => return Err(TopicError::new(ErrorCode::UNKNOWN_SERVER_ERROR, "")),
    };
    if option_named(&config.name).is_some_and(|option| option.kind == Kind::List) {
        return Ok(());
    }
    let message = format!("Can't {what} to key {} because its type is not LIST.", &*config.name);
    Err(TopicError::new(ErrorCode::INVALID_CONFIG, message))
}
