//! What did a member of a group read, commit, get and give up?
//!
//! `cargo run -p tidemill-client --example verifiable_consumer -- --bootstrap-server localhost:9092 --topic clicks
//! --group-id readers`
//!
//! Speaks as Kafka's `VerifiableConsumer` does, for its system tests and others: prints a JSON object a line:
//! `startup_complete`, `partitions_assigned` and `partitions_revoked`, `records_consumed` for each batch (before it, with
//! `--verbose`, `record_data` for each record), `offsets_committed`, and `shutdown_complete`. SIGTERM and Ctrl-C end it.
//!
//! - `--max-messages N`: how many records to read, -1 without end. Default -1
//! - `--group-instance-id ID`: makes it a static member
//! - `--group-protocol classic|consumer`, with `--group-remote-assignor NAME`. Default classic
//! - `--assignment-strategy NAMES`: the assignors of a classic group, by Java's or librdkafka's names. Default range
//! - `--session-timeout MS`. Default 30000
//! - `--reset-policy earliest|latest|none`. Default earliest
//! - `--enable-autocommit`: commits by itself and says nothing of it. Default: after every batch
//! - `--command-config FILE` (or `--consumer.config`): properties of the consumer; options count for more

#![expect(clippy::print_stderr, reason = "what does not belong to the events")]

#[path = "verifiable/mod.rs"]
mod verifiable;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use tidemill_client::{
    ConsumedBatch, Consumer, ConsumerConfig, ListenerFuture, RebalanceListener, Rebalancing, TopicPartition,
};

use self::verifiable::{Event, Options, asked_to_stop, json_text};

const WITH_VALUE: &[&str] = &[
    "--topic",
    "--bootstrap-server",
    "--group-id",
    "--group-instance-id",
    "--group-protocol",
    "--group-remote-assignor",
    "--max-messages",
    "--session-timeout",
    "--reset-policy",
    "--assignment-strategy",
    "--command-config",
    "--consumer.config",
];
const FLAGS: &[&str] = &["--verbose", "--enable-autocommit"];

/// How long leaving the group may take.
const CLOSE_MAX: Duration = Duration::from_secs(30);

/// What is to be read.
struct Plan {
    topic: String,
    /// How many records are left to read, if there is an end.
    left: Option<usize>,
    verbose: bool,
    auto_commit: bool,
}

/// Prints what the group gives and takes.
#[derive(Debug)]
struct Printing;

impl RebalanceListener for Printing {
    fn revoked<'a>(&'a self, _group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        print_partitions("partitions_revoked", partitions);
        Box::pin(std::future::ready(()))
    }

    fn lost<'a>(&'a self, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        print_partitions("partitions_revoked", partitions);
        Box::pin(std::future::ready(()))
    }

    fn assigned<'a>(&'a self, _group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        print_partitions("partitions_assigned", partitions);
        Box::pin(std::future::ready(()))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<(), String> {
    let (mut plan, config) = read(std::env::args().skip(1))?;
    let consumer = Consumer::new(config).map_err(|error| error.to_string())?;
    Event::new("startup_complete").print();
    let subscribed = consumer.subscribe_with([plan.topic.as_str()], Arc::new(Printing));
    subscribed.map_err(|error| error.to_string())?;
    let outcome = tokio::select! {
        outcome = consume(&mut plan, &consumer) => outcome,
        stopped = asked_to_stop() => stopped.map_err(|error| error.to_string()),
    };
    let closed = consumer.close(CLOSE_MAX).await.map_err(|error| error.to_string());
    Event::new("shutdown_complete").print();
    outcome.and(closed)
}

fn read(arguments: impl IntoIterator<Item = String>) -> Result<(Plan, ConsumerConfig), String> {
    let options = Options::parse(arguments, WITH_VALUE, FLAGS)?;
    let limit = options.number("--max-messages", -1_i64)?;
    let plan = Plan {
        topic: options.required("--topic")?.to_owned(),
        left: usize::try_from(limit).ok(),
        verbose: options.text("--verbose").is_some(),
        auto_commit: options.text("--enable-autocommit").is_some(),
    };
    let mut properties: BTreeMap<String, String> =
        options.properties(&["--command-config", "--consumer.config"])?.into_iter().collect();
    let mut set = |name: &str, value: &str| properties.insert(name.to_owned(), value.to_owned());
    set("bootstrap.servers", options.required("--bootstrap-server")?);
    set("group.id", options.required("--group-id")?);
    set("enable.auto.commit", &plan.auto_commit.to_string());
    set("auto.offset.reset", options.text("--reset-policy").unwrap_or("earliest"));
    if options.text("--group-protocol").is_some_and(|protocol| protocol.eq_ignore_ascii_case("consumer")) {
        // Sessions are the brokers' business then, and so are assignors.
        set("group.protocol", "consumer");
        if let Some(assignor) = options.text("--group-remote-assignor") {
            set("group.remote.assignor", assignor);
        }
    } else {
        set("session.timeout.ms", &options.number("--session-timeout", 30_000_u32)?.to_string());
        set("partition.assignment.strategy", options.text("--assignment-strategy").unwrap_or("range"));
    }
    if let Some(instance) = options.text("--group-instance-id") {
        set("group.instance.id", instance);
    }
    let config = ConsumerConfig::from_properties(properties).map_err(|error| error.to_string())?;
    Ok((plan, config))
}

/// Reads, tells, commits; until all is read that was to be, or the consumer cannot go on.
async fn consume(plan: &mut Plan, consumer: &Consumer) -> Result<(), String> {
    while plan.left != Some(0) {
        let batch = match consumer.recv_batch().await {
            Ok(batch) => batch,
            Err(error) if error.is_retriable() => {
                eprintln!("{error}");
                continue;
            }
            Err(error) => return Err(error.to_string()),
        };
        let Some(next) = tell(plan, &batch) else { continue };
        if !plan.auto_commit {
            let partition = batch.topic_partition().clone();
            let committed = consumer.commit_offsets([(partition.clone(), next)]).await;
            let offset = format!("[{{{},\"offset\":{next}}}]", fields(&partition));
            let event = Event::new("offsets_committed").raw("offsets", &offset);
            match committed {
                Ok(()) => event.raw("success", "true"),
                Err(error) => event.text("error", Some(&error.to_string())).raw("success", "false"),
            }
            .print();
        }
    }
    Ok(())
}

/// Tells of the records of a batch that are still to be read; the offset behind them.
fn tell(plan: &mut Plan, batch: &ConsumedBatch) -> Option<i64> {
    let partition = batch.topic_partition();
    let (mut count, mut ends) = (0, None);
    for record in batch.iter().take(plan.left.unwrap_or(usize::MAX)) {
        count += 1;
        let first = ends.map_or_else(|| record.offset(), |(first, _)| first);
        ends = Some((first, record.offset()));
        if plan.verbose {
            let text = |bytes: Option<&[u8]>| bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
            Event::new("record_data")
                .text("key", text(record.key()).as_deref())
                .text("value", text(record.value()).as_deref())
                .text("topic", Some(&partition.topic))
                .number("partition", i64::from(partition.partition))
                .number("offset", record.offset())
                .print();
        }
    }
    let (first, last) = ends?;
    if let Some(left) = &mut plan.left {
        *left -= count;
    }
    let summary = format!("[{{{},\"count\":{count},\"minOffset\":{first},\"maxOffset\":{last}}}]", fields(partition));
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    Event::new("records_consumed").number("count", count).raw("partitions", &summary).print();
    Some(last + 1)
}

fn print_partitions(name: &str, partitions: &BTreeSet<TopicPartition>) {
    let partitions: Vec<String> = partitions.iter().map(|partition| format!("{{{}}}", fields(partition))).collect();
    Event::new(name).raw("partitions", &format!("[{}]", partitions.join(","))).print();
}

/// A partition, as the fields of a JSON object.
fn fields(partition: &TopicPartition) -> String {
    format!("\"topic\":{},\"partition\":{}", json_text(&partition.topic), partition.partition)
}
