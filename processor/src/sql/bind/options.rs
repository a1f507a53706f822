//! `WITH (...)` into [`TableOptions`]: one table of Flink's names, each read here, or known and not supported yet.
//!
//! Before: `sql/parse/ddl`. After: [`crate::schema`]. `properties.*` is the client's: it is asked here, by its own
//! table, so that what it refuses is shown where it stands; what only one side of a job refuses, the job's start says.

use std::collections::BTreeMap;
use std::ops::Range;

use tidemill_client::Properties;

use super::super::error::{SqlError, shorten};
use super::super::parse::Text;
use super::super::settings::{Settings, check_property};
use crate::schema::{BoundedMode, Format, JsonOptions, StartupMode, TableOptions};

/// Types the options of the table `name`.
pub(super) fn bind(written: Vec<(Text, Text)>, name: &Text, settings: &Settings) -> Result<TableOptions, SqlError> {
    let mut options = Written { values: BTreeMap::new(), table: name };
    let mut properties = Properties::default();
    for (key, value) in written {
        let (key, span) = (key.value, key.span);
        let twice = match key.strip_prefix("properties.") {
            Some("") => return Err(SqlError::new("'properties.' needs the name of a client property behind it", span)),
            Some(property) => {
                if !settings.properties.contains_key(property) {
                    let place = span.start..value.span.end;
                    check_property(property, &value.value).map_err(|error| refused(&error, place))?;
                }
                properties.insert(property.to_owned(), value.value).is_some()
            }
            None => options.values.insert(key.clone(), (span.clone(), value)).is_some(),
        };
        if twice {
            return Err(SqlError::new(format!("option '{}' is set twice", shorten(&key)), span));
        }
    }
    properties.extend(settings.properties.clone());

    let connector = options.required("connector", "'kafka'")?;
    if connector.value != "kafka" {
        return Err(unsupported_connector(&connector));
    }
    let format = format(&mut options)?;
    let topic = options.required("topic", "'...'")?;
    check_topic(&topic)?;
    if !properties.contains_key("bootstrap.servers") {
        let message = format!("table {} names no broker", shorten(&name.value));
        return Err(SqlError::new(message, name.span.clone())
            .help("add 'properties.bootstrap.servers' = 'host:9092' to its WITH"));
    }
    let startup = options.one_of(
        "scan.startup.mode",
        &[
            ("group-offsets", Some(StartupMode::GroupOffsets)),
            ("earliest-offset", Some(StartupMode::EarliestOffset)),
            ("latest-offset", Some(StartupMode::LatestOffset)),
            ("timestamp", None),
            ("specific-offsets", None),
        ],
    )?;
    let bounded = options.one_of(
        "scan.bounded.mode",
        &[
            ("unbounded", Some(BoundedMode::Unbounded)),
            ("latest-offset", Some(BoundedMode::LatestOffset)),
            ("group-offsets", None),
            ("timestamp", None),
            ("specific-offsets", None),
        ],
    )?;
    let guarantees = [("at-least-once", Some(())), ("exactly-once", None), ("none", None)];
    options.one_of("sink.delivery-guarantee", &guarantees)?;
    options.nothing_left()?;
    Ok(TableOptions {
        topic: topic.value,
        properties,
        startup: startup.unwrap_or_default(),
        bounded: bounded.unwrap_or_default(),
        format,
    })
}

/// What the client refuses, where it stands.
fn refused(error: &tidemill_client::Error, span: Range<usize>) -> SqlError {
    let error = error.to_string();
    match error.split_once("; ") {
        Some((what, help)) => SqlError::new(what, span).help(help),
        None => SqlError::new(error, span),
    }
}

fn format(options: &mut Written<'_>) -> Result<Format, SqlError> {
    let plain = options.take("format");
    let value = options.take("value.format");
    let (format, prefix) = match (plain, value) {
        (Some(_), Some((span, _))) => {
            return Err(SqlError::new("'format' and 'value.format' mean the same: give one", span));
        }
        (Some((_, format)), None) => (format, "json."),
        (None, Some((_, format))) => (format, "value.json."),
        (None, None) => (options.required("format", "'json'")?, "json."),
    };
    if format.value != "json" {
        let known = [
            "csv",
            "avro",
            "avro-confluent",
            "raw",
            "protobuf",
            "debezium-json",
            "canal-json",
            "maxwell-json",
            "ogg-json",
        ];
        let value = shorten(&format.value);
        return Err(if known.contains(&format.value.as_str()) {
            SqlError::new(format!("format '{value}' is not supported yet"), format.span).help("supported: 'json'")
        } else {
            SqlError::new(format!("unknown format '{value}'"), format.span).suggest(&format.value, ["json"])
        });
    }
    let stray = if prefix == "json." { "value.json." } else { "json." };
    if let Some((key, (span, _))) = options.values.iter().find(|(key, _)| key.starts_with(stray)) {
        let message = format!("option '{}' does not belong to this table's format", shorten(key));
        let name = shorten(key.strip_prefix(stray).unwrap_or_default());
        return Err(SqlError::new(message, span.clone()).label(format!("did you mean '{prefix}{name}'?")));
    }
    let mut flag =
        |name: &str| options.one_of(&format!("{prefix}{name}"), &[("true", Some(true)), ("false", Some(false))]);
    let json = JsonOptions {
        fail_on_missing_field: flag("fail-on-missing-field")?.unwrap_or_default(),
        ignore_parse_errors: flag("ignore-parse-errors")?.unwrap_or_default(),
        encode_ignore_null_fields: flag("encode.ignore-null-fields")?.unwrap_or_default(),
    };
    if json.fail_on_missing_field && json.ignore_parse_errors {
        let message =
            format!("'{prefix}fail-on-missing-field' and '{prefix}ignore-parse-errors' contradict each other");
        return Err(SqlError::new(message, options.table.span.clone()).help("set at most one of them to 'true'"));
    }
    options.one_of(
        &format!("{prefix}timestamp-format.standard"),
        &[("SQL", Some(())), ("ISO-8601", None), ("ISO-8601-WITH-OFFSET", None)],
    )?;
    Ok(Format::Json(json))
}

fn check_topic(topic: &Text) -> Result<(), SqlError> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    if topic.value.contains(';') {
        return Err(SqlError::new("reading several topics as one table is not supported yet", topic.span.clone())
            .help("a table has one topic"));
    }
    let value = &topic.value;
    if value.is_empty() || value.len() > 249 || value == "." || value == ".." || !value.bytes().all(legal) {
        return Err(SqlError::new(format!("'{}' cannot be a topic's name", shorten(value)), topic.span.clone())
            .help("Kafka allows 1 to 249 letters, digits, '.', '_' and '-'"));
    }
    Ok(())
}

fn unsupported_connector(connector: &Text) -> SqlError {
    let known =
        ["upsert-kafka", "print", "blackhole", "datagen", "filesystem", "jdbc", "elasticsearch-7", "hive", "mysql-cdc"];
    let value = shorten(&connector.value);
    if known.contains(&connector.value.as_str()) {
        return SqlError::new(format!("connector '{value}' is not supported yet"), connector.span.clone())
            .help("supported: 'kafka'");
    }
    SqlError::new(format!("unknown connector '{value}'"), connector.span.clone()).suggest(&connector.value, ["kafka"])
}

/// The options as written: by name, the place of the name, and the value. What is read is taken out.
struct Written<'a> {
    values: BTreeMap<String, (Range<usize>, Text)>,
    table: &'a Text,
}

impl Written<'_> {
    fn take(&mut self, key: &str) -> Option<(Range<usize>, Text)> {
        self.values.remove(key)
    }

    fn required(&mut self, key: &str, example: &str) -> Result<Text, SqlError> {
        if let Some((_, value)) = self.take(key) {
            return Ok(value);
        }
        // A misspelt name explains better than a missing one.
        self.nothing_unknown()?;
        let message = format!("table {} lacks the option '{key}'", shorten(&self.table.value));
        Err(SqlError::new(message, self.table.span.clone()).help(format!("add '{key}' = {example} to its WITH")))
    }

    /// The meaning of an option with a few values; `None` means: known in Flink, not supported yet.
    fn one_of<T: Copy>(&mut self, key: &str, values: &[(&str, Option<T>)]) -> Result<Option<T>, SqlError> {
        let Some((_, written)) = self.take(key) else { return Ok(None) };
        let value = shorten(&written.value);
        let supported = values.iter().filter(|(_, meaning)| meaning.is_some()).map(|(name, _)| *name);
        match values.iter().find(|(name, _)| name.eq_ignore_ascii_case(&written.value)) {
            Some((_, Some(meaning))) => Ok(Some(*meaning)),
            Some((_, None)) => {
                let supported: Vec<_> = supported.collect();
                Err(SqlError::new(format!("'{key}' = '{value}' is not supported yet"), written.span)
                    .help(format!("supported: {}", supported.join(", "))))
            }
            None => {
                Err(SqlError::new(format!("'{key}' cannot be '{value}'"), written.span)
                    .suggest(&written.value, supported))
            }
        }
    }

    fn nothing_unknown(&self) -> Result<(), SqlError> {
        let names = || READ.iter().chain(LATER).copied();
        let unknown = |key: &&String| {
            !names().any(|name| {
                name == key.strip_prefix("value.json.").map_or_else(|| (*key).clone(), |rest| format!("json.{rest}"))
            })
        };
        match self.values.keys().find(unknown) {
            Some(key) => Err(SqlError::new(format!("unknown option '{}'", shorten(key)), self.values[key].0.clone())
                .suggest(key, READ.iter().copied())),
            None => Ok(()),
        }
    }

    fn nothing_left(&self) -> Result<(), SqlError> {
        self.nothing_unknown()?;
        match self.values.iter().next() {
            Some((key, (span, _))) => {
                Err(SqlError::new(format!("option '{}' is not supported yet", shorten(key)), span.clone()))
            }
            None => Ok(()),
        }
    }
}

/// What [`bind`] reads.
const READ: &[&str] = &[
    "connector",
    "topic",
    "format",
    "value.format",
    "properties.bootstrap.servers",
    "properties.group.id",
    "scan.startup.mode",
    "scan.bounded.mode",
    "sink.delivery-guarantee",
    "json.fail-on-missing-field",
    "json.ignore-parse-errors",
    "json.timestamp-format.standard",
    "json.encode.ignore-null-fields",
];

/// What Flink's kafka connector and json format know beyond that.
const LATER: &[&str] = &[
    "topic-pattern",
    "key.format",
    "key.fields",
    "key.fields-prefix",
    "value.fields-include",
    "scan.startup.specific-offsets",
    "scan.startup.timestamp-millis",
    "scan.bounded.specific-offsets",
    "scan.bounded.timestamp-millis",
    "scan.topic-partition-discovery.interval",
    "scan.parallelism",
    "scan.watermark.emit.strategy",
    "scan.watermark.idle-timeout",
    "scan.watermark.alignment.group",
    "scan.watermark.alignment.max-drift",
    "scan.watermark.alignment.update-interval",
    "sink.partitioner",
    "sink.parallelism",
    "sink.transactional-id-prefix",
    "sink.transaction-naming-strategy",
    "sink.semantic",
    "json.map-null-key.mode",
    "json.map-null-key.literal",
    "json.encode.decimal-as-plain-number",
    "json.decode.json-parser.enabled",
];
