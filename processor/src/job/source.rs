//! A plan as what is read and what is written: the topics, and the client's options for each.
//!
//! Before: [`Job::start`](super::Job::start). After: a [`driver`](super::driver) for each [`Source`].
//!
//! Pipelines that read the same table share one reader: two members of one group would each get half of its partitions.

use std::sync::Arc;

use tidemill_client::{ClientConfig, ConsumerConfig, ProducerConfig, Properties};

use super::failure;
use crate::error::{Error, ErrorKind};
use crate::plan::{Pipeline, Plan};
use crate::schema::{BoundedMode, StartupMode, Table};

/// A table that is read, and the pipelines that read it.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) table: Arc<Table>,
    pub(super) group_id: String,
    pub(super) client: ClientConfig,
    pub(super) consumer: ConsumerConfig,
    pub(super) sinks: Vec<Sink>,
}

/// A pipeline as its source sees it.
#[derive(Debug)]
pub(super) struct Sink {
    /// Its place in the plan.
    pub(super) number: usize,
    pub(super) pipeline: Pipeline,
    pub(super) client: ClientConfig,
    pub(super) producer: ProducerConfig,
}

impl Source {
    /// Whether reading ends by itself.
    pub(super) fn is_bounded(&self) -> bool {
        match self.table.options.bounded {
            BoundedMode::LatestOffset => true,
            BoundedMode::Unbounded => false,
        }
    }
}

/// The sources of a plan, in the order in which its pipelines name them.
///
/// # Errors
/// Options that the client does not know or that contradict each other; two tables that would share one group.
pub(super) fn sources(plan: Plan) -> Result<Vec<Source>, Error> {
    let mut sources: Vec<Source> = Vec::new();
    for (number, pipeline) in plan.pipelines.into_iter().enumerate() {
        let table = Arc::clone(&pipeline.scan().table);
        let sink = sink(number, pipeline)?;
        if let Some(source) = sources.iter_mut().find(|source| source.table == table) {
            source.sinks.push(sink);
            continue;
        }
        let mut source = source(table)?;
        if let Some(other) = sources.iter().find(|other| share_a_group(other, &source)) {
            return Err(both_in_one_group(&other.table, &source.table, &source.group_id));
        }
        source.sinks.push(sink);
        sources.push(source);
    }
    Ok(sources)
}

/// The brokers of a table, as they were given.
pub(super) fn bootstrap(table: &Table) -> &str {
    table.options.properties.get("bootstrap.servers").map_or("", String::as_str)
}

fn source(table: Arc<Table>) -> Result<Source, Error> {
    let group_id = table.options.properties.get("group.id").cloned();
    let group_id = group_id.unwrap_or_else(|| format!("KafkaSource-{}", table.name));
    let refused = |error| failure::of_options(&table, error);
    let properties = consumer_properties(&table, &group_id);
    let consumer = ConsumerConfig::from_properties(&properties).map_err(refused)?;
    let client = ClientConfig::from_properties(&table.options.properties).map_err(refused)?;
    Ok(Source { group_id, client, consumer, sinks: Vec::new(), table })
}

fn sink(number: usize, pipeline: Pipeline) -> Result<Sink, Error> {
    let properties = &pipeline.sink.options.properties;
    let refused = |error| failure::of_options(&pipeline.sink, error);
    let client = ClientConfig::from_properties(properties).map_err(refused)?;
    let producer = ProducerConfig::from_properties(properties).map_err(refused)?;
    Ok(Sink { number, client, producer, pipeline })
}

/// The properties of the table, and what the job decides about its consumer.
fn consumer_properties(table: &Table, group_id: &str) -> Properties {
    let mut properties = table.options.properties.clone();
    let mut decide = |name: &str, value: &str| properties.insert(name.to_owned(), value.to_owned());
    decide("group.id", group_id);
    // Offsets are committed when results are acknowledged, and not before.
    decide("enable.auto.commit", "false");
    // That a topic is missing is said at the start; a misspelt name must not create one.
    decide("allow.auto.create.topics", "false");
    match table.options.startup {
        StartupMode::EarliestOffset => drop(decide("auto.offset.reset", "earliest")),
        StartupMode::LatestOffset => drop(decide("auto.offset.reset", "latest")),
        StartupMode::GroupOffsets => {
            properties.entry("auto.offset.reset".to_owned()).or_insert_with(|| "none".to_owned());
        }
    }
    // A process that was killed keeps its partitions until its session ends, and the next start waits for that: no
    // longer than the shortest session that brokers allow by default.
    if !properties.contains_key("session.timeout.ms") && !properties.contains_key("heartbeat.interval.ms") {
        properties.insert("session.timeout.ms".to_owned(), "6000".to_owned());
        properties.insert("heartbeat.interval.ms".to_owned(), "2000".to_owned());
    }
    properties
}

fn share_a_group(one: &Source, other: &Source) -> bool {
    one.group_id == other.group_id
        && one.table.options.topic == other.table.options.topic
        && bootstrap(&one.table) == bootstrap(&other.table)
}

fn both_in_one_group(one: &Table, other: &Table, group_id: &str) -> Error {
    let message =
        format!("tables {} and {} read topic {} in one group, '{group_id}'", one.name, other.name, other.options.topic);
    Error::new(ErrorKind::Configuration, message)
        .note("why not", "a group shares partitions out, so each table would see only some of the records")
        .note("change", "read one table in both statements, or give one of them another 'properties.group.id'")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLES: &str = "
        CREATE TABLE clicks (user_id BIGINT, cURL STRING, proctime AS PROCTIME()) WITH ('connector'='kafka',
          'topic'='clicks', 'properties.bootstrap.servers'='localhost:9092', 'format'='json'OPTIONS);
        CREATE TABLE other (user_id BIGINT, cURL STRING, proctime AS PROCTIME()) WITH ('connector'='kafka',
          'topic'='clicks', 'properties.bootstrap.servers'='localhost:9092', 'properties.group.id'='one',
          'scan.startup.mode'='earliest-offset', 'format'='json');
        CREATE TABLE counts (user_id BIGINT, cnt BIGINT) WITH ('connector'='kafka', 'topic'='counts',
          'properties.bootstrap.servers'='localhost:9092', 'properties.acks'='all',
          'properties.group.id'='names of the other side are passed over', 'format'='json');";

    const EARLIEST: &str = ", 'scan.startup.mode'='earliest-offset'";

    fn insert(table: &str) -> String {
        format!(
            "INSERT INTO counts SELECT user_id, COUNT(cURL) FROM TABLE(TUMBLE(TABLE {table}, DESCRIPTOR(proctime), \
             INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, user_id;"
        )
    }

    fn sources_of(options: &str, tables: &[&str]) -> Result<Vec<Source>, Error> {
        let inserts: String = tables.iter().map(|table| insert(table)).collect();
        sources(Plan::from_sql(&(TABLES.replace("OPTIONS", options) + &inserts)).unwrap())
    }

    #[test]
    fn pipelines_over_one_table_share_one_reader() {
        let sources = sources_of(EARLIEST, &["clicks", "other", "clicks"]).unwrap();
        let numbers: Vec<Vec<usize>> =
            sources.iter().map(|source| source.sinks.iter().map(|sink| sink.number).collect()).collect();
        assert_eq!(numbers, [vec![0, 2], vec![1]]);
        assert_eq!(sources[0].group_id, "KafkaSource-clicks");
        assert_eq!(sources[1].group_id, "one");
    }

    #[test]
    fn two_tables_in_one_group_over_one_topic_are_refused() {
        let error = sources_of(", 'properties.group.id'='one'", &["clicks", "other"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Configuration);
        assert!(error.to_string().contains("tables clicks and other read topic clicks in one group"), "{error}");
    }

    #[test]
    fn the_startup_mode_says_where_a_group_without_commits_begins() {
        let decided = |options: &str, name: &str| {
            let options = format!(", 'properties.group.id'='g'{options}");
            let sources = sources_of(&options, &["clicks"]).unwrap();
            consumer_properties(&sources[0].table, "g")[name].clone()
        };
        assert_eq!(decided(", 'scan.startup.mode'='earliest-offset'", "auto.offset.reset"), "earliest");
        assert_eq!(decided(", 'scan.startup.mode'='latest-offset'", "auto.offset.reset"), "latest");
        assert_eq!(decided("", "auto.offset.reset"), "none");
        assert_eq!(decided(", 'properties.auto.offset.reset'='latest'", "auto.offset.reset"), "latest");
        assert_eq!(decided(", 'properties.enable.auto.commit'='true'", "enable.auto.commit"), "false");
        assert_eq!(decided(", 'properties.session.timeout.ms'='9000'", "session.timeout.ms"), "9000");
    }

    #[test]
    fn an_option_that_one_side_refuses_names_its_table() {
        let error = sources_of(&format!("{EARLIEST}, 'properties.fetch.min.bytes'='few'"), &["clicks"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("clicks") && error.contains("'fetch.min.bytes' cannot be 'few'"), "{error}");
    }
}
