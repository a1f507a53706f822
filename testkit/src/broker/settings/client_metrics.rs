//! The settings of a subscription to clients' metrics (KIP-714): which metrics, how often, and of which clients. They are
//! kept and told; nobody collects metrics here, as on a Kafka without a receiver of them.

use regex::Regex;
use tidemill_protocol::ErrorCode;

use super::Set;
use crate::broker::properties::known::{Known, known};
use crate::broker::topic_config::Kind;
use crate::broker::topics::TopicError;

/// In the order of their names.
pub(super) const TABLE: &[Known] = &[
    known(INTERVAL, Kind::Int).default("300000"),
    known(MATCH, Kind::List).default(""),
    known(METRICS, Kind::List).default(""),
];

const INTERVAL: &str = "interval.ms";
const MATCH: &str = "match";
const METRICS: &str = "metrics";

/// Milliseconds between two pushes.
const INTERVALS: std::ops::RangeInclusive<i64> = 100..=3_600_000;

/// By what clients can be told apart.
const MATCHED: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// The setting of this name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    TABLE.iter().find(|known| known.name == name)
}

/// A value as it was read: of a list each item once.
pub(super) fn shown(known: &Known, value: &str) -> String {
    match known.kind {
        Kind::List => items(value).join(","),
        Kind::Boolean
        | Kind::String
        | Kind::Int
        | Kind::Short
        | Kind::Long
        | Kind::Double
        | Kind::Class
        | Kind::Password => value.trim().to_owned(),
    }
}

/// Whether a subscription of this name can have these settings.
///
/// # Errors
/// Why not, in Kafka's words.
pub(super) fn check(subscription: &str, set: &Set) -> Result<(), TopicError> {
    let invalid = |message: String| TopicError::new(ErrorCode::INVALID_REQUEST, message);
    let refused = |message: String| TopicError::new(ErrorCode::INVALID_CONFIG, message);
    if subscription.is_empty() {
        return Err(invalid("Subscription name can't be empty".to_owned()));
    }
    if let Some(name) = set.keys().find(|name| find(name).is_none()) {
        return Err(invalid(format!("Unknown client metrics configuration: {name}")));
    }
    for name in [METRICS, INTERVAL, MATCH] {
        let (Some(known), Some(value)) = (find(name), set.get(name)) else { continue };
        known.check(value).map_err(refused)?;
        if known.kind == Kind::List && items(value).contains(&"") {
            return Err(refused(format!("Configuration '{name}' values must not be empty.")));
        }
    }
    if let Some(interval) = set.get(INTERVAL).and_then(|value| value.trim().parse::<i64>().ok())
        && !INTERVALS.contains(&interval)
    {
        return Err(invalid(format!(
            "Invalid value {interval} for {INTERVAL}, interval must be between 100 and 3600000 (1 hour)"
        )));
    }
    let patterns = set.get(MATCH).map(|value| items(value)).unwrap_or_default();
    match patterns.into_iter().find(|pattern| !is_pattern(pattern)) {
        Some(pattern) => Err(refused(format!("Illegal client matching pattern: {pattern}"))),
        None => Ok(()),
    }
}

/// What a list holds, each once.
fn items(value: &str) -> Vec<&str> {
    let mut items: Vec<&str> = Vec::new();
    let value = value.trim();
    for item in value.split(',').map(str::trim).filter(|_| !value.is_empty()) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

/// What clients are told apart by, and a regular expression.
fn is_pattern(pattern: &str) -> bool {
    // As Java splits, an empty end does not count.
    let parts: Vec<&str> = pattern.trim_end_matches('=').split('=').collect();
    match parts[..] {
        [name, wanted] => MATCHED.contains(&name.trim()) && Regex::new(wanted.trim()).is_ok(),
        _ => false,
    }
}
