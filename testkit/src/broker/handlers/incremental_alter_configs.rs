//! `IncrementalAlterConfigs` 0-1 (KIP-339): sets, deletes, appends to and subtracts from single settings.
//!
//! Of topics, of groups (KIP-848), of subscriptions to clients' metrics (KIP-714) and of brokers, where these can change
//! while they run: what those are, [`settings`](crate::broker::settings) says. Loggers cannot be altered.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use tidemill_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::describe_configs::{BROKER, CLIENT_METRICS, GROUP, TOPIC, configured};
use super::text_or_null;
use crate::broker::acls::Operation;
use crate::broker::authorization::words;
use crate::broker::settings::{Change, Owner};
use crate::broker::topic_config::{Kind, TopicConfig, changed_list, option_named};
use crate::broker::topics::{TopicError, check_name};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

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
    let is_once =
        |resource: &AlterConfigsResource| times.get(&(resource.resource_type, &*resource.resource_name)) == Some(&1);
    // What comes to Kafka's controller fails altogether over an operation that there is not.
    let comes_to_controller = |resource: &AlterConfigsResource| {
        is_once(resource) && resource.resource_type == TOPIC && check_changes(resource).is_ok()
    };
    let stumbles = |resource: &AlterConfigsResource| {
        let checked = in_hash_order(&resource.configs).into_iter().try_for_each(check_operation);
        checked.is_err_and(|error| error.code == ErrorCode::UNKNOWN_SERVER_ERROR)
    };
    let fails = body.resources.iter().any(|it| comes_to_controller(it) && stumbles(it));
    for resource in &body.resources {
        let altered = if fails && comes_to_controller(resource) {
            Err(TopicError::new(ErrorCode::UNKNOWN_SERVER_ERROR, ""))
        } else if is_once(resource) {
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
    check_changes(resource)?;
    let name = &*resource.resource_name;
    authorize(cluster, request, resource.resource_type, name)?;
    if let Some(owner) = owner(resource.resource_type, name, request.caller.node_id)? {
        let changes = resource.configs.iter().map(|config| Ok((&*config.name, asked(config)?)));
        let changes = changes.collect::<Result<Vec<_>, TopicError>>()?;
        let set = cluster.changed_settings(&owner, changes)?;
        cluster.check_settings(&owner, &set)?;
        if !validate_only {
            cluster.set_settings(owner, set);
        }
        return Ok(());
    }
    let known = topic_settings(cluster, resource.resource_type, name);
    if resource.resource_type != TOPIC {
        return known.map(drop);
    }
    in_hash_order(&resource.configs).into_iter().try_for_each(check_operation)?;
    // Whether the settings can be is said even where the topic is not.
    let mut settings = known.clone().unwrap_or_default();
    for config in &resource.configs {
        change(&mut settings, config)?;
    }
    check_settings(name, settings.iter().map(|(name, value)| (name.as_str(), value.as_str())))?;
    known?;
    apply(cluster, name, &settings, validate_only)
}

fn check_changes(resource: &AlterConfigsResource) -> Result<(), TopicError> {
    let is_missing = |config: &AlterableConfig| config.config_operation != DELETE && config.value.is_none();
    check_once_and_there(resource.configs.iter().map(|config| (&*config.name, is_missing(config))))
}

/// Whether each setting stands there once and has a value, for those that need one.
pub(super) fn check_once_and_there<'a>(
    configs: impl Iterator<Item = (&'a str, bool)> + Clone,
) -> Result<(), TopicError> {
    let invalid = |message: String| Err(TopicError::new(ErrorCode::INVALID_REQUEST, message));
    let mut seen = BTreeSet::new();
    if !configs.clone().all(|(name, _)| seen.insert(name)) {
        return invalid("Error due to duplicate config keys".to_owned());
    }
    let missing: Vec<&str> = configs.filter(|(_, is_missing)| *is_missing).map(|(name, _)| name).collect();
    if missing.is_empty() { Ok(()) } else { invalid(format!("Null value not supported for : {}", missing.join(", "))) }
}

/// Settings as they stand in Kafka's hash map, which tells of the first that cannot be changed so.
fn in_hash_order(configs: &[AlterableConfig]) -> Vec<&AlterableConfig> {
    let size = u32::try_from(configs.len().saturating_mul(4).div_ceil(3)).unwrap_or(u32::MAX >> 1);
    let places = size.next_power_of_two().max(16);
    let place = |name: &str| {
        let hash = name.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
        (hash ^ (hash >> 16)) & (places - 1)
    };
    let mut ordered: Vec<&AlterableConfig> = configs.iter().collect();
    ordered.sort_by_key(|config| place(&config.name));
    ordered
}

/// Whose settings these are, if not a topic's.
pub(super) fn owner(kind: i8, name: &str, node_id: i32) -> Result<Option<Owner>, TopicError> {
    match kind {
        BROKER => Cluster::settings_of_broker(name, node_id).map(Some),
        GROUP => Cluster::settings_of_group(name).map(Some),
        CLIENT_METRICS => Ok(Some(Owner::ClientMetrics(name.to_owned()))),
        _ => Ok(None),
    }
}

/// What is to become of a setting.
fn asked(config: &AlterableConfig) -> Result<Change<'_>, TopicError> {
    let value = config.value.as_deref().unwrap_or_default();
    match config.config_operation {
        SET => Ok(Change::Set(value)),
        DELETE => Ok(Change::Delete),
        APPEND => Ok(Change::Append(value)),
        SUBTRACT => Ok(Change::Subtract(value)),
        // Kafka stumbles over it.
        _ => Err(TopicError::new(ErrorCode::UNKNOWN_SERVER_ERROR, String::new())),
    }
}

/// Whether who asks may alter the settings of this.
pub(super) fn authorize(cluster: &Cluster, request: &Request<'_>, kind: i8, name: &str) -> Result<(), TopicError> {
    let Some(resource) = configured(kind, name) else { return Ok(()) };
    let may = request.authorize(cluster, Operation::AlterConfigs, resource);
    may.map_err(|code| TopicError::new(code, words(code)))
}

/// Whether a topic of this name may have these settings, wherever it is.
pub(super) fn check_settings<'a>(
    name: &str,
    settings: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> Result<(), TopicError> {
    if name.is_empty() {
        return Err(TopicError::new(ErrorCode::INVALID_REQUEST, "Default topic resources are not allowed."));
    }
    check_name(name)?;
    let checked = TopicConfig::over(&Arc::default(), settings);
    checked.map(drop).map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))
}

/// What a topic has set.
pub(super) fn topic_settings(cluster: &Cluster, kind: i8, name: &str) -> Result<BTreeMap<String, String>, TopicError> {
    if kind != TOPIC {
        return Err(TopicError::new(ErrorCode::INVALID_REQUEST, format!("Unknown resource type {kind}")));
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
    let defaults = cluster.settings.topic_defaults();
    let config = TopicConfig::over(defaults, settings.iter().map(|(name, value)| (name.as_str(), value.as_str())));
    let config = config.map_err(|reason| TopicError::new(ErrorCode::INVALID_CONFIG, reason))?;
    if !validate_only {
        cluster.set_topic_config(name, config);
    }
    Ok(())
}

fn change(settings: &mut BTreeMap<String, String>, config: &AlterableConfig) -> Result<(), TopicError> {
    let name = &*config.name;
    match asked(config)? {
        Change::Set(value) => {
            settings.insert(name.to_owned(), value.to_owned());
        }
        Change::Delete => {
            settings.remove(name);
        }
        change @ (Change::Append(value) | Change::Subtract(value)) => {
            let grows = matches!(change, Change::Append(_));
            let default = option_named(name).map_or("", |option| option.default);
            let new = changed_list(settings.get(name).map_or(default, String::as_str), value, grows);
            settings.insert(name.to_owned(), new);
        }
    }
    Ok(())
}

/// What can be said without knowing the topic: only lists are added to.
fn check_operation(config: &AlterableConfig) -> Result<(), TopicError> {
    let what = match asked(config)? {
        Change::Set(_) | Change::Delete => return Ok(()),
        Change::Append(_) => "APPEND",
        Change::Subtract(_) => "SUBTRACT",
    };
    if option_named(&config.name).is_some_and(|option| option.kind == Kind::List) {
        return Ok(());
    }
    let message = format!("Can't {what} to key {} because its type is not LIST.", &*config.name);
    Err(TopicError::new(ErrorCode::INVALID_CONFIG, message))
}
