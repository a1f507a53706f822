//! Configurations of topics, brokers, groups and client metrics: describe, change.
//!
//! Before: the application. After: [`driver`](super::driver) asks the broker that a configuration is about, or any broker
//! for what all of them know.
//!
//! Source: KIP-133 and KIP-226 (DescribeConfigs, synonyms), KIP-339 (IncrementalAlterConfigs), KIP-569 (types), KIP-714
//! (client metrics), KIP-848 (groups).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_configs_request::DescribeConfigsResource;
use tidemill_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use tidemill_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::{
    DescribeConfigsRequest, DescribeConfigsResponse, IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse,
};

use super::call::{Answer, Route, accepted};
use super::driver::Exchange;
use super::names::numbers;
use super::{Admin, Outcomes, named, text};
use crate::error::Error;

const DESCRIBE_CONFIGS_VERSIONS: VersionRange = VersionRange::new(1, 4);
const ALTER_CONFIGS_VERSIONS: VersionRange = VersionRange::new(0, 1);

/// What has a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ConfigResource {
    /// A topic, by name.
    Topic(String),
    /// A broker, by id.
    Broker(i32),
    /// All brokers, as far as one has no configuration of its own.
    BrokerDefault,
    /// What a broker logs, by the broker's id: levels by logger (KIP-412).
    BrokerLogger(i32),
    /// A group, by name (brokers since 4.0).
    Group(String),
    /// A subscription to metrics of clients, by name (KIP-714).
    ClientMetrics(String),
}

impl ConfigResource {
    /// A topic, by name.
    #[must_use]
    pub fn topic(name: impl Into<String>) -> Self {
        Self::Topic(name.into())
    }

    /// A group, by name.
    #[must_use]
    pub fn group(name: impl Into<String>) -> Self {
        Self::Group(name.into())
    }

    /// Its type and name in the protocol.
    fn key(&self) -> (i8, String) {
        match self {
            Self::Topic(name) => (2, name.clone()),
            Self::Broker(id) => (4, id.to_string()),
            Self::BrokerDefault => (4, String::new()),
            Self::BrokerLogger(id) => (8, id.to_string()),
            Self::ClientMetrics(name) => (16, name.clone()),
            Self::Group(name) => (32, name.clone()),
        }
    }

    fn route(&self, others: Route) -> Route {
        match self {
            Self::Broker(id) | Self::BrokerLogger(id) => Route::Broker(*id),
            Self::Topic(_) | Self::BrokerDefault | Self::Group(_) | Self::ClientMetrics(_) => others,
        }
    }
}

impl fmt::Display for ConfigResource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(name) => write!(f, "topic '{name}'"),
            Self::Broker(id) => write!(f, "broker {id}"),
            Self::BrokerDefault => f.write_str("all brokers"),
            Self::BrokerLogger(id) => write!(f, "the loggers of broker {id}"),
            Self::Group(name) => write!(f, "group '{name}'"),
            Self::ClientMetrics(name) => write!(f, "client metrics '{name}'"),
        }
    }
}

numbers! {
    /// Where a value comes from.
    ConfigSource {
        /// Set for the topic.
        TOPIC = 1 "TOPIC";
        /// Set for the broker, while it ran.
        BROKER = 2 "BROKER";
        /// Set for all brokers, while they ran.
        BROKER_DEFAULT = 3 "BROKER_DEFAULT";
        /// In the broker's file of properties.
        BROKER_FILE = 4 "BROKER_FILE";
        /// Kafka's own default.
        DEFAULT = 5 "DEFAULT";
        /// Set for the logger.
        BROKER_LOGGER = 6 "BROKER_LOGGER";
        /// Set for the client metrics.
        CLIENT_METRICS = 7 "CLIENT_METRICS";
        /// Set for the group.
        GROUP = 8 "GROUP";
    }

    /// What a value has to be.
    ConfigType {
        /// `true` or `false`.
        BOOLEAN = 1 "BOOLEAN";
        /// Text.
        STRING = 2 "STRING";
        /// A whole number of 32 bits.
        INT = 3 "INT";
        /// A whole number of 16 bits.
        SHORT = 4 "SHORT";
        /// A whole number of 64 bits.
        LONG = 5 "LONG";
        /// A number.
        DOUBLE = 6 "DOUBLE";
        /// Items separated by commas.
        LIST = 7 "LIST";
        /// The name of a Java class.
        CLASS = 8 "CLASS";
        /// A secret, which is never told.
        PASSWORD = 9 "PASSWORD";
    }
}

/// One configuration, and where its value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigEntry {
    /// Its name.
    pub name: String,
    /// Its value; `None` when there is none, and for secrets.
    pub value: Option<String>,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether it is a secret.
    pub is_sensitive: bool,
    /// Whether it cannot be changed while the broker runs.
    pub is_read_only: bool,
    /// All values it has somewhere, the one that counts first.
    pub synonyms: Vec<ConfigSynonym>,
    /// What its value has to be; `None` from brokers before 2.6.
    pub config_type: Option<ConfigType>,
}

/// A value that counts where no other is set.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigSynonym {
    /// The name of the configuration there: a topic's `retention.ms` is a broker's `log.retention.ms`.
    pub name: String,
    /// Its value; `None` for secrets.
    pub value: Option<String>,
    /// Where it comes from.
    pub source: ConfigSource,
}

/// A change of one configuration. `Debug` does not show the value, which may be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct ConfigChange {
    name: String,
    operation: Operation,
    value: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operation {
    Set,
    Delete,
    Append,
    Subtract,
}

impl ConfigChange {
    /// Sets a value.
    #[must_use]
    pub fn set(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), operation: Operation::Set, value: Some(value.into()) }
    }

    /// Goes back to the default.
    #[must_use]
    pub fn delete(name: impl Into<String>) -> Self {
        Self { name: name.into(), operation: Operation::Delete, value: None }
    }

    /// Adds items, separated by commas, to a list.
    #[must_use]
    pub fn append(name: impl Into<String>, items: impl Into<String>) -> Self {
        Self { name: name.into(), operation: Operation::Append, value: Some(items.into()) }
    }

    /// Takes items, separated by commas, out of a list.
    #[must_use]
    pub fn subtract(name: impl Into<String>, items: impl Into<String>) -> Self {
        Self { name: name.into(), operation: Operation::Subtract, value: Some(items.into()) }
    }

    fn request(&self) -> AlterableConfig {
        let operation = match self.operation {
            Operation::Set => 0,
            Operation::Delete => 1,
            Operation::Append => 2,
            Operation::Subtract => 3,
        };
        AlterableConfig::default()
            .with_name(text(&self.name))
            .with_config_operation(operation)
            .with_value(self.value.as_deref().map(text))
    }
}

impl fmt::Debug for ConfigChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let operation = match self.operation {
            Operation::Set => "set",
            Operation::Delete => "delete",
            Operation::Append => "append to",
            Operation::Subtract => "subtract from",
        };
        write!(f, "{operation} {}", self.name)
    }
}

impl Admin {
    /// All configurations of topics, brokers and groups, with where each value comes from; each resource has its own
    /// outcome.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_configs(
        &self,
        resources: &[ConfigResource],
        timeout: Duration,
    ) -> Result<Outcomes<ConfigResource, Vec<ConfigEntry>>, Error> {
        let items = resources
            .iter()
            .map(|resource| (resource.route(Route::Any), format!("describing the configuration of {resource}")));
        let exchange = Exchange {
            versions: DESCRIBE_CONFIGS_VERSIONS,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let asked = items.iter().map(|place| {
                    let (kind, name) = resources[*place].key();
                    DescribeConfigsResource::default()
                        .with_resource_type(kind)
                        .with_resource_name(text(&name))
                        .with_configuration_keys(None)
                });
                DescribeConfigsRequest::default().with_resources(asked.collect()).with_include_synonyms(true)
            },
            read: |items: &[usize], reply: DescribeConfigsResponse| {
                let key = |result: &DescribeConfigsResult| (result.resource_type, result.resource_name.to_string());
                let found: BTreeMap<_, _> = reply.results.iter().map(|result| (key(result), result)).collect();
                let of = |resource: &ConfigResource| Some(described(found.get(&resource.key())?));
                items.iter().filter_map(|place| Some((*place, of(&resources[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(resources.iter().cloned(), outcomes))
    }

    /// Changes configurations and leaves all others as they are; each resource has its own outcome: all of its changes
    /// are made, or none. Brokers take it since 2.3.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the changes may have been made.
    pub async fn alter_configs(
        &self,
        changes: &[(ConfigResource, Vec<ConfigChange>)],
        timeout: Duration,
    ) -> Result<Outcomes<ConfigResource>, Error> {
        self.alter_or_validate_configs(changes, false, timeout).await
    }

    /// What [`alter_configs`](Self::alter_configs) would answer, without changing anything.
    ///
    /// # Errors
    /// As [`alter_configs`](Self::alter_configs).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn validate_configs(
        &self,
        changes: &[(ConfigResource, Vec<ConfigChange>)],
        timeout: Duration,
    ) -> Result<Outcomes<ConfigResource>, Error> {
        self.alter_or_validate_configs(changes, true, timeout).await
    }

    async fn alter_or_validate_configs(
        &self,
        changes: &[(ConfigResource, Vec<ConfigChange>)],
        validate_only: bool,
        timeout: Duration,
    ) -> Result<Outcomes<ConfigResource>, Error> {
        let items = changes.iter().map(|(resource, _)| {
            (resource.route(Route::Controller), format!("changing the configuration of {resource}"))
        });
        let exchange = Exchange {
            versions: ALTER_CONFIGS_VERSIONS,
            changes: !validate_only,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let asked = items.iter().map(|place| {
                    let (resource, changes) = &changes[*place];
                    let (kind, name) = resource.key();
                    AlterConfigsResource::default()
                        .with_resource_type(kind)
                        .with_resource_name(text(&name))
                        .with_configs(changes.iter().map(ConfigChange::request).collect())
                });
                IncrementalAlterConfigsRequest::default()
                    .with_resources(asked.collect())
                    .with_validate_only(validate_only)
            },
            read: |items: &[usize], reply: IncrementalAlterConfigsResponse| {
                let of = |resource: &ConfigResource| {
                    let (kind, name) = resource.key();
                    let found = reply.responses.iter();
                    let found = found.filter(|found| found.resource_type == kind && *found.resource_name == *name);
                    let found = found.last()?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(&changes[*place].0)?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(changes.iter().map(|(resource, _)| resource.clone()), outcomes))
    }
}

fn described(result: &DescribeConfigsResult) -> Answer<Vec<ConfigEntry>> {
    accepted(result.error_code, result.error_message.as_ref())?;
    Ok(result.configs.iter().map(entry).collect())
}

fn entry(config: &DescribeConfigsResourceResult) -> ConfigEntry {
    let synonyms = config.synonyms.iter().map(|synonym| ConfigSynonym {
        name: synonym.name.to_string(),
        value: synonym.value.as_ref().map(ToString::to_string),
        source: ConfigSource(synonym.source),
    });
    ConfigEntry {
        name: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: ConfigSource(config.config_source),
        is_sensitive: config.is_sensitive,
        is_read_only: config.read_only,
        synonyms: synonyms.collect(),
        // 0 is Kafka's word for "unknown".
        config_type: Some(ConfigType(config.config_type)).filter(|kind| kind.0 > 0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_change_does_not_show_its_value() {
        let change = ConfigChange::set("listener.name.ssl.keystore.password", "hunter2");
        assert_eq!(format!("{change:?}"), "set listener.name.ssl.keystore.password");
    }
}
