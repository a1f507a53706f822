//! What can be set while brokers run, and what Kafka says of what cannot.

use tidemill_protocol::ErrorCode;

use super::{MIN_IN_SYNC_REPLICAS, Owner, Set, client_metrics, group};
use crate::broker::Cluster;
use crate::broker::properties::known::{self, Known};
use crate::broker::topic_config::{self, Kind};
use crate::broker::topics::TopicError;

/// What becomes of one setting.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    Set(&'a str),
    /// Back to its default.
    Delete,
    /// A list grows by this, or shrinks.
    Append(&'a str),
    Subtract(&'a str),
}

/// Kafka resizes pools of threads by no more than a factor of two at a time.
const THREADS: [&str; 5] = [
    "background.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
];

fn invalid(message: String) -> TopicError {
    TopicError::new(ErrorCode::INVALID_REQUEST, message)
}

fn refused(message: String) -> TopicError {
    TopicError::new(ErrorCode::INVALID_CONFIG, message)
}

impl Cluster {
    /// Whose settings those of a broker of this name are, asked of a broker.
    pub(crate) fn settings_of_broker(name: &str, asked: i32) -> Result<Owner, TopicError> {
        if name.is_empty() {
            return Ok(Owner::Brokers);
        }
        match name.parse::<i32>() {
            Ok(id) if id == asked => Ok(Owner::Broker(id)),
            Ok(_) => Err(invalid(format!("Unexpected broker id, expected {asked}, but received {name}"))),
            Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
        }
    }

    /// Whose settings those of a group of this name are.
    pub(crate) fn settings_of_group(name: &str) -> Result<Owner, TopicError> {
        if name.is_empty() {
            return Err(invalid("Default group resources are not allowed.".to_owned()));
        }
        Ok(Owner::Group(name.to_owned()))
    }

    /// What settings become by these changes.
    pub(crate) fn changed_settings<'a>(
        &self,
        owner: &Owner,
        changes: impl IntoIterator<Item = (&'a str, Change<'a>)>,
    ) -> Result<Set, TopicError> {
        let mut set = self.settings.of(owner);
        for (name, change) in changes {
            match change {
                Change::Set(value) => {
                    set.insert(name.to_owned(), value.to_owned());
                }
                Change::Delete => {
                    set.remove(name);
                }
                Change::Append(value) | Change::Subtract(value) => {
                    let grows = matches!(change, Change::Append(_));
                    let known = of_owner(owner, name);
                    // Kafka has not told its controller which settings of subscriptions are lists.
                    let of_metrics = matches!(owner, Owner::ClientMetrics(_));
                    if of_metrics || known.is_none_or(|known| known.kind != Kind::List) {
                        return Err(refused(no_list(owner, name, grows)));
                    }
                    let old = set.get(name).map(String::as_str).or_else(|| self.config.given.get(name));
                    let old = old.or_else(|| known?.default).unwrap_or_default();
                    set.insert(name.to_owned(), topic_config::changed_list(old, value, grows));
                }
            }
        }
        Ok(set)
    }

    /// Whether somebody can have these settings.
    pub(crate) fn check_settings(&self, owner: &Owner, set: &Set) -> Result<(), TopicError> {
        match owner {
            Owner::Group(_) => group::check(set, |name| self.effective(name)).map_err(refused),
            Owner::ClientMetrics(name) => client_metrics::check(name, set),
            Owner::Brokers | Owner::Broker(_) => self.check_settings_of_brokers(owner, set),
        }
    }

    fn check_settings_of_brokers(&self, owner: &Owner, set: &Set) -> Result<(), TopicError> {
        let known = || set.iter().filter_map(|(name, value)| Some((known::find(name)?, value)));
        let refuse_some = |wrong: Vec<&str>, words: &str| {
            if wrong.is_empty() { Ok(()) } else { Err(invalid(format!("{words}: [{}]", wrong.join(", ")))) }
        };
        let named = |is: fn(&Known) -> bool| known().map(|(it, _)| it).filter(|it| is(it)).map(|it| it.name).collect();
        refuse_some(named(|it| it.change == known::Change::Restart), "Cannot update these configs dynamically")?;
        let of_listeners: fn(&Known) -> bool = |it| {
            it.name.starts_with("ssl.keystore.")
                || it.name.starts_with("ssl.truststore.")
                || it.name == "ssl.key.password"
        };
        refuse_some(
            named(of_listeners),
            "These security configs can be dynamically updated only per-listener using the listener prefix",
        )?;
        for (known, value) in known() {
            known.check(value).map_err(invalid)?;
        }
        if *owner == Owner::Brokers {
            refuse_some(
                named(|it| it.change == known::Change::PerBroker),
                "Cannot update these configs at default cluster level, broker id must be specified",
            )?;
        }
        for name in THREADS {
            let now = self.effective(name).and_then(|now| now.parse::<i64>().ok());
            let new = set.get(name).and_then(|new| new.trim().parse::<i64>().ok());
            if let (Some(now), Some(new)) = (now, new) {
                let wrong = if new > now * 2 {
                    "value should not be greater than double the current value"
                } else if new < now / 2 {
                    "value should be at least half the current value"
                } else {
                    continue;
                };
                return Err(invalid(format!(
                    "Invalid value org.apache.kafka.common.config.ConfigException: Dynamic thread count update \
                     validation failed for {name}={new}, {wrong} {now} for configuration Invalid dynamic configuration"
                )));
            }
        }
        match owner {
            Owner::Brokers if !set.contains_key(MIN_IN_SYNC_REPLICAS) => {
                let words = "Cluster-level min.insync.replicas cannot be removed while ELR is enabled.";
                Err(refused(words.to_owned()))
            }
            Owner::Broker(_) if set.contains_key(MIN_IN_SYNC_REPLICAS) => {
                let words = "Broker-level min.insync.replicas cannot be altered while ELR is enabled.";
                Err(refused(words.to_owned()))
            }
            Owner::Brokers | Owner::Broker(_) | Owner::Group(_) | Owner::ClientMetrics(_) => Ok(()),
        }
    }

    /// What a property of the brokers is now; none where nothing is set by default.
    fn effective(&self, name: &str) -> Option<String> {
        let set = self.settings.dynamic(name).or_else(|| self.config.given.get(name));
        set.or_else(|| known::find(name)?.default).map(str::to_owned)
    }
}

fn of_owner(owner: &Owner, name: &str) -> Option<&'static Known> {
    match owner {
        Owner::Brokers | Owner::Broker(_) => known::find(name),
        Owner::Group(_) => group::find(name),
        Owner::ClientMetrics(_) => client_metrics::find(name),
    }
}

/// Of a broker it is said before the controller hears of it, in other words.
fn no_list(owner: &Owner, name: &str, grows: bool) -> String {
    match owner {
        Owner::Brokers | Owner::Broker(_) => {
            let what = if grows { "append" } else { "subtract" };
            format!("Config value {what} is not allowed for config key: {name}")
        }
        Owner::Group(_) | Owner::ClientMetrics(_) => {
            let what = if grows { "APPEND" } else { "SUBTRACT" };
            format!("Can't {what} to key {name} because its type is not LIST.")
        }
    }
}
