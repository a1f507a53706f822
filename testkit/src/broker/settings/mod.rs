//! What is set while brokers run: of one broker, of all of them, of single groups, of subscriptions to clients' metrics
//! (KIP-226, KIP-848, KIP-714).
//!
//! A setting of one broker counts before one of all, that before what the brokers were [started with](super::properties),
//! that before Kafka's default. What it has an effect on follows at once: defaults of topics, and how groups are
//! coordinated. There is one log of each partition here: where brokers are set differently, the first broker that sets
//! a default of topics sets it for all.
//!
//! - `check`: what can be set, in Kafka's words where it cannot
//! - `describe`: what is set to what, and where that comes from
//! - `group`: the settings of a group
//! - `client_metrics`: the settings of a subscription to clients' metrics

mod check;
mod client_metrics;
mod describe;
mod group;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub(crate) use self::check::Change;
pub(crate) use self::describe::{Described, Source};
use super::Cluster;
use super::config::ClusterProperties;
use super::groups::GroupOverride;
use super::properties::HONOURED;
use super::properties::known::{self, behind_topic_setting};
use super::storage::{Damage, Entry};
use super::topic_config::{self, TopicConfig};
use super::watched::Watched;

/// Settings by their names.
pub(crate) type Set = BTreeMap<String, String>;

/// Defaults of topics that are not Kafka's.
pub(crate) type TopicDefaults = Arc<BTreeMap<&'static str, String>>;

/// Of all brokers it is always set, by the feature `eligible.leader.replicas.version`.
const MIN_IN_SYNC_REPLICAS: &str = "min.insync.replicas";

/// Whose settings they are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// All brokers'.
    Brokers,
    Broker(i32),
    Group(String),
    /// A subscription to clients' metrics.
    ClientMetrics(String),
}

/// All settings that were made while brokers ran.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) set: Watched<Owner, Set>,
    /// What the cluster was started with, of the properties that have changed since.
    started_with: BTreeMap<&'static str, Option<String>>,
    topic_defaults: TopicDefaults,
}

impl Settings {
    /// Those of a new cluster.
    pub(crate) fn new(properties: &ClusterProperties) -> Self {
        let mut set = Watched::default();
        let in_sync = properties.given.get(MIN_IN_SYNC_REPLICAS).unwrap_or("1").to_owned();
        set.insert(Owner::Brokers, Set::from([(MIN_IN_SYNC_REPLICAS.to_owned(), in_sync)]));
        let mut settings = Self { set, started_with: BTreeMap::new(), topic_defaults: TopicDefaults::default() };
        settings.topic_defaults = settings.defaults_of_topics(properties);
        settings
    }

    /// What somebody has set.
    pub(crate) fn of(&self, owner: &Owner) -> Set {
        self.set.get(owner).cloned().unwrap_or_default()
    }

    /// The groups that have settings.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.set.keys().filter_map(|owner| match owner {
            Owner::Group(id) => Some(id.as_str()),
            Owner::Brokers | Owner::Broker(_) | Owner::ClientMetrics(_) => None,
        })
    }

    /// The subscriptions to clients' metrics.
    pub(crate) fn client_metrics(&self) -> impl Iterator<Item = &str> {
        self.set.keys().filter_map(|owner| match owner {
            Owner::ClientMetrics(name) => Some(name.as_str()),
            Owner::Brokers | Owner::Broker(_) | Owner::Group(_) => None,
        })
    }

    /// What topics have where they set nothing themselves.
    pub(crate) const fn topic_defaults(&self) -> &TopicDefaults {
        &self.topic_defaults
    }

    fn get(&self, owner: &Owner, name: &str) -> Option<&str> {
        self.set.get(owner)?.get(name).map(String::as_str)
    }

    /// What a property was set to while brokers ran.
    fn dynamic(&self, name: &str) -> Option<&str> {
        let mut brokers = self.set.iter().filter(|(owner, _)| matches!(owner, Owner::Broker(_)));
        let of_one = brokers.find_map(|(_, set)| set.get(name)).map(String::as_str);
        of_one.or_else(|| self.get(&Owner::Brokers, name))
    }

    fn defaults_of_topics(&self, properties: &ClusterProperties) -> TopicDefaults {
        let default = |topic: &'static str| {
            let mut behind = behind_topic_setting(topic).iter();
            let set = |name: &str| self.dynamic(name).or_else(|| properties.given.get(name)).map(str::to_owned);
            let (value, factor) = behind.find_map(|(name, factor)| Some((set(name)?, *factor)))?;
            let scaled = |number: i64| if number < 0 { -1 } else { number.saturating_mul(factor) };
            let value = match value.trim().parse::<i64>() {
                Ok(number) if factor != 1 => scaled(number).to_string(),
                Ok(_) | Err(_) => value.trim().to_owned(),
            };
            Some((topic, value))
        };
        Arc::new(topic_config::names().filter_map(default).collect())
    }
}

impl Owner {
    /// What its settings are kept under.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Brokers => "brokers".to_owned(),
            Self::Broker(id) => format!("broker/{id}"),
            Self::Group(id) => format!("group/{id}"),
            Self::ClientMetrics(name) => format!("client-metrics/{name}"),
        }
    }

    fn by_name(name: &str) -> Option<Self> {
        match name.split_once('/') {
            None => (name == "brokers").then_some(Self::Brokers),
            Some(("broker", id)) => id.parse().ok().map(Self::Broker),
            Some(("group", id)) => Some(Self::Group(id.to_owned())),
            Some(("client-metrics", name)) => Some(Self::ClientMetrics(name.to_owned())),
            Some(_) => None,
        }
    }
}

impl Cluster {
    /// Gives somebody these settings and no others. They were checked.
    pub(crate) fn set_settings(&mut self, owner: Owner, set: Set) {
        if set.is_empty() {
            self.settings.set.remove(&owner);
        } else {
            self.settings.set.insert(owner, set);
        }
        self.follow_settings();
    }

    /// Lets everything follow that settings have an effect on.
    fn follow_settings(&mut self) {
        let Self { settings, config, .. } = self;
        for honoured in HONOURED {
            if known::find(honoured.name).is_none_or(|known| known.change == known::Change::Restart) {
                continue;
            }
            let started_with = settings.started_with.get(honoured.name).cloned();
            let value = match settings.dynamic(honoured.name) {
                Some(value) => {
                    let before = started_with.unwrap_or_else(|| (honoured.get)(config));
                    let value = value.to_owned();
                    settings.started_with.insert(honoured.name, before);
                    Some(value)
                }
                None => started_with.flatten(),
            };
            // What was checked can be set.
            let _ = value.map(|value| (honoured.set)(config, &value));
        }
        let ms = |set: &Set, name: &str| set.get(name).and_then(|ms| ms.trim().parse().ok()).map(Duration::from_millis);
        let groups = settings.set.iter().filter_map(|(owner, set)| match owner {
            Owner::Group(id) => Some((
                id.clone(),
                GroupOverride {
                    session_timeout: ms(set, "consumer.session.timeout.ms"),
                    heartbeat_interval: ms(set, "consumer.heartbeat.interval.ms"),
                    assignment_interval: ms(set, "consumer.assignment.interval.ms"),
                },
            )),
            Owner::Brokers | Owner::Broker(_) | Owner::ClientMetrics(_) => None,
        });
        config.groups.overrides = groups.collect();
        let defaults = settings.defaults_of_topics(config);
        if *defaults != *settings.topic_defaults {
            settings.topic_defaults = defaults;
            for topic in self.topics.iter_mut() {
                if let Ok(config) = TopicConfig::over(&self.settings.topic_defaults, topic.config.settings()) {
                    topic.config = config;
                }
            }
        }
    }

    /// Puts back settings that were kept under this name.
    pub(crate) fn restore_settings(&mut self, name: &str, kept: Entry<'_>) -> Result<(), Damage> {
        let owner = Owner::by_name(name).ok_or_else(|| "whose settings these are, is not known".to_owned())?;
        let set = kept.0.as_object().ok_or("settings are no object")?.iter();
        let set = set.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        self.set_settings(owner, set);
        Ok(())
    }
}
