//! What is set to what, and where that comes from.

use std::collections::BTreeSet;

use super::{Owner, client_metrics, group};
use crate::broker::Cluster;
use crate::broker::config::BrokerConfig;
use crate::broker::properties::HONOURED;
use crate::broker::properties::known::{self, Change, Known, behind_topic_setting};
use crate::broker::topic_config::{ConfigOption, Kind};
use crate::broker::topics::Topic;

/// Where a value comes from; the numbers are those of DescribeConfigs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    Topic = 1,
    Broker = 2,
    /// What is set of all brokers.
    Brokers = 3,
    /// What the brokers were started with.
    Static = 4,
    Default = 5,
    ClientMetrics = 7,
    Group = 8,
}

/// A setting, and what counts where it is not set, in this order.
#[derive(Debug, Clone)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    /// None of a name that is not known.
    pub(crate) kind: Option<Kind>,
    pub(crate) read_only: bool,
    pub(crate) is_secret: bool,
    /// By which name, the value, and from where.
    pub(crate) synonyms: Vec<(String, Option<String>, Source)>,
}

impl Described {
    pub(crate) fn source(&self) -> Source {
        self.synonyms.first().map_or(Source::Default, |(.., source)| *source)
    }
}

impl Cluster {
    /// Everything that is set of a broker.
    pub(crate) fn describe_broker(&self, broker: &BrokerConfig) -> Vec<Described> {
        let mut names: BTreeSet<String> =
            known::all().filter(|known| !known.internal).map(|known| known.name.to_owned()).collect();
        names.extend(self.config.given.iter().map(|(name, _)| name.to_owned()));
        let owners = [Owner::Brokers, Owner::Broker(broker.node_id)];
        names.extend(owners.iter().flat_map(|owner| self.settings.of(owner).into_keys()));
        names.into_iter().map(|name| self.describe(name, Some(broker))).collect()
    }

    /// Everything that is set of all brokers.
    pub(crate) fn describe_brokers(&self) -> Vec<Described> {
        let set = self.settings.of(&Owner::Brokers).into_keys();
        let described = set.map(|name| {
            let mut described = self.describe(name, None);
            described.synonyms.retain(|(.., source)| *source == Source::Brokers);
            described
        });
        described.collect()
    }

    fn describe(&self, name: String, broker: Option<&BrokerConfig>) -> Described {
        let own = known::find(&name);
        let known = known::behind(&name);
        let is_secret = known.is_none_or(Known::is_secret);
        let mut synonyms = self.values(&name, broker);
        let value = synonyms.first().map(|(_, value, _)| value.clone()).filter(|_| !is_secret);
        if is_secret {
            synonyms.iter_mut().for_each(|(_, value, _)| *value = None);
        }
        Described {
            value: value.flatten(),
            kind: known.map(|known| known.kind),
            read_only: own.is_none_or(|known| known.change == Change::Restart),
            is_secret,
            synonyms,
            name,
        }
    }

    /// What a property is set to, what counts first before the others; nothing where it is not set itself.
    fn values(&self, name: &str, broker: Option<&BrokerConfig>) -> Vec<(String, Option<String>, Source)> {
        let names = synonyms(name);
        let dynamic = |owner: &Owner, name: &str| self.settings.get(owner, name).map(str::to_owned);
        let mut found = Vec::new();
        let mut find = |source: Source, value: &dyn Fn(&str) -> Option<String>| {
            let set = names.iter().filter_map(|name| Some(((*name).to_owned(), Some(value(name)?), source)));
            found.extend(set);
        };
        if let Some(broker) = broker {
            find(Source::Broker, &|name| dynamic(&Owner::Broker(broker.node_id), name));
        }
        find(Source::Brokers, &|name| dynamic(&Owner::Brokers, name));
        find(Source::Static, &|name| self.started_with(name, broker));
        find(Source::Default, &|name| known::find(name)?.default.map(str::to_owned));
        let own = found.iter().position(|(it, ..)| it == name).unwrap_or(found.len());
        found.split_off(own)
    }

    /// What a broker was started with, where it is not Kafka's default.
    fn started_with(&self, name: &str, broker: Option<&BrokerConfig>) -> Option<String> {
        if let Some(broker) = broker {
            let listener = || format!("{}://{}:{}", self.config.security_protocol(), broker.host, broker.port);
            match name {
                "node.id" | "broker.id" => return Some(broker.node_id.to_string()),
                "broker.rack" => return broker.rack.clone(),
                "listeners" | "advertised.listeners" => return Some(listener()),
                _ => {}
            }
        }
        if let Some(given) = self.config.given.get(name) {
            return Some(given.to_owned());
        }
        let honoured = HONOURED.iter().find(|honoured| honoured.name == name)?;
        let changed = self.settings.started_with.get(honoured.name).cloned();
        let value = changed.unwrap_or_else(|| (honoured.get)(&self.config));
        value.filter(|value| Some(value.as_str()) != known::find(name).and_then(|known| known.default))
    }

    /// What a topic has set, or has by default.
    pub(crate) fn describe_topic(&self, topic: &Topic, asked: i32) -> Vec<Described> {
        let settings = topic.config.list();
        settings.map(|(option, value, is_set)| self.describe_of_topic(option, value, is_set, asked)).collect()
    }

    /// One setting of a topic, as the broker that is asked has it.
    pub(crate) fn describe_of_topic(&self, option: &ConfigOption, value: &str, is_set: bool, asked: i32) -> Described {
        let broker = self.nodes.get(asked).map(|node| &node.config);
        let behind = behind_topic_setting(option.name).first();
        let mut synonyms = behind.map(|(name, _)| self.values(name, broker)).unwrap_or_default();
        let value = option.shown(value);
        if is_set {
            synonyms.insert(0, (option.name.to_owned(), Some(value.clone()), Source::Topic));
        }
        Described {
            name: option.name.to_owned(),
            value: Some(value),
            kind: Some(option.kind),
            read_only: false,
            is_secret: false,
            synonyms,
        }
    }

    /// What a group has set, or has by default.
    pub(crate) fn describe_group(&self, group_id: &str, asked: i32) -> Vec<Described> {
        let broker = self.nodes.get(asked).map(|node| &node.config);
        let owner = Owner::Group(group_id.to_owned());
        let settings = group::TABLE.iter().map(|known| {
            let mut synonyms = match group::behind(known.name) {
                Some(behind) => self.values(behind.name, broker),
                None => vec![(known.name.to_owned(), known.default.map(str::to_owned), Source::Default)],
            };
            if let Some(own) = self.settings.get(&owner, known.name) {
                synonyms.insert(0, (known.name.to_owned(), Some(own.to_owned()), Source::Group));
            }
            Described {
                name: known.name.to_owned(),
                value: synonyms.first().and_then(|(_, value, _)| value.clone()),
                kind: Some(known.kind),
                read_only: false,
                is_secret: false,
                synonyms,
            }
        });
        settings.collect()
    }
}

impl Cluster {
    /// What a subscription to clients' metrics has set, or has by default, which has no other name.
    pub(crate) fn describe_client_metrics(&self, name: &str) -> Vec<Described> {
        let owner = Owner::ClientMetrics(name.to_owned());
        let settings = client_metrics::TABLE.iter().map(|known| {
            let own = self.settings.get(&owner, known.name).map(|value| client_metrics::shown(known, value));
            Described {
                name: known.name.to_owned(),
                value: own.clone().or_else(|| known.default.map(str::to_owned)),
                kind: Some(known.kind),
                read_only: false,
                is_secret: false,
                synonyms: own.into_iter().map(|it| (known.name.to_owned(), Some(it), Source::ClientMetrics)).collect(),
            }
        });
        settings.collect()
    }
}

/// The names by which a property can be set, the one that counts first before the others.
fn synonyms(name: &str) -> Vec<&str> {
    match name {
        "log.retention.ms" | "log.retention.minutes" | "log.retention.hours" => {
            vec!["log.retention.ms", "log.retention.minutes", "log.retention.hours"]
        }
        "log.roll.ms" | "log.roll.hours" => vec!["log.roll.ms", "log.roll.hours"],
        "log.roll.jitter.ms" | "log.roll.jitter.hours" => vec!["log.roll.jitter.ms", "log.roll.jitter.hours"],
        "log.flush.interval.ms" => vec!["log.flush.interval.ms", "log.flush.scheduler.interval.ms"],
        _ => vec![name],
    }
}
