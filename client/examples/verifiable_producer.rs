//! What became of every record that was sent?
//!
//! `cargo run -p tidemill-client --example verifiable_producer -- --bootstrap-server localhost:9092 --topic clicks`
//!
//! Speaks as Kafka's `VerifiableProducer` does, for its system tests and others: writes numbers that count up, and prints
//! a JSON object a line: `startup_complete`, `producer_send_success` or `producer_send_error` for each record,
//! `shutdown_complete`, and `tool_data` with the counts. SIGTERM and Ctrl-C end it when every record has its outcome.
//!
//! - `--max-messages N`: how many records, -1 without end. Default -1
//! - `--throughput N`: about how many a second, -1 as many as possible. Default -1
//! - `--acks -1|0|1`. Default -1, with which the producer is idempotent
//! - `--message-create-time MS`: the timestamp of the first record, in milliseconds since 1970; time passes from then on
//! - `--value-prefix N`: what stands before each value, and a dot
//! - `--repeating-keys N`: keys from 0 up to N, and from 0 again. Default: no keys
//! - `--command-config FILE` (or `--producer.config`): properties of the producer, which count for more than options

#![expect(clippy::print_stderr, reason = "what does not belong to the events")]
#![expect(clippy::disallowed_methods, reason = "it reads the clock and has a task that prints")]

#[path = "verifiable/mod.rs"]
mod verifiable;

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_client::{Delivery, Error, Producer, ProducerConfig, Record};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::verifiable::{Event, Options, asked_to_stop};

const WITH_VALUE: &[&str] = &[
    "--topic",
    "--bootstrap-server",
    "--max-messages",
    "--throughput",
    "--acks",
    "--message-create-time",
    "--value-prefix",
    "--repeating-keys",
    "--command-config",
    "--producer.config",
];

/// What is to be sent.
struct Plan {
    topic: String,
    count: Option<u64>,
    /// Records a second.
    throughput: Option<u32>,
    create_time: Option<i64>,
    value_prefix: Option<i64>,
    repeating_keys: Option<u64>,
}

/// A record on its way.
struct Sent {
    key: Option<String>,
    value: String,
    delivery: Result<Delivery, Error>,
}

/// More than fit into the producer's buffer are not waited for.
const UNDER_WAY_MAX: usize = 100_000;

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
    let (plan, config) = read(std::env::args().skip(1))?;
    let producer = Producer::new(config).map_err(|error| error.to_string())?;
    Event::new("startup_complete").print();
    let start = Instant::now();
    let (under_way, to_tell) = mpsc::channel(UNDER_WAY_MAX);
    let telling = tokio::spawn(tell(plan.topic.clone(), to_tell));
    tokio::select! {
        () = send(&plan, &producer, under_way) => {}
        stopped = asked_to_stop() => stopped.map_err(|error| error.to_string())?,
    }
    // Every record has its outcome by its own deadline.
    producer.flush().await;
    let (sent, acked) = telling.await.map_err(|error| error.to_string())?;
    Event::new("shutdown_complete").print();
    let average = acked as f64 / start.elapsed().as_secs_f64();
    Event::new("tool_data")
        .number("sent", sent)
        .number("acked", acked)
        .number("target_throughput", plan.throughput.map_or(-1, i64::from))
        .raw("avg_throughput", &format!("{average:.3}"))
        .print();
    Ok(())
}

fn read(arguments: impl IntoIterator<Item = String>) -> Result<(Plan, ProducerConfig), String> {
    let options = Options::parse(arguments, WITH_VALUE, &[])?;
    let acks = options.text("--acks").unwrap_or("-1");
    if !["-1", "0", "1"].contains(&acks) {
        return Err(format!("--acks cannot be {acks}: it is -1, 0 or 1"));
    }
    let at_least_zero = |name| -> Result<Option<u64>, String> {
        // -1 is "without".
        Ok(u64::try_from(options.number(name, -1_i64)?).ok())
    };
    let plan = Plan {
        topic: options.required("--topic")?.to_owned(),
        count: at_least_zero("--max-messages")?,
        throughput: at_least_zero("--throughput")?.and_then(|number| u32::try_from(number).ok()),
        create_time: at_least_zero("--message-create-time")?.and_then(|time| i64::try_from(time).ok()),
        value_prefix: match options.text("--value-prefix") {
            Some(_) => Some(options.number("--value-prefix", 0)?),
            None => None,
        },
        repeating_keys: at_least_zero("--repeating-keys")?.filter(|keys| *keys > 0),
    };
    let mut properties = vec![
        ("bootstrap.servers".to_owned(), options.required("--bootstrap-server")?.to_owned()),
        ("acks".to_owned(), acks.to_owned()),
    ];
    properties.extend(options.properties(&["--command-config", "--producer.config"])?);
    let config = ProducerConfig::from_properties(properties).map_err(|error| error.to_string())?;
    Ok((plan, config))
}

/// Sends what is planned, as fast as it may.
async fn send(plan: &Plan, producer: &Producer, under_way: mpsc::Sender<Sent>) {
    let start = Instant::now();
    let mut number = 0_u64;
    while plan.count.is_none_or(|count| number < count) {
        let key = plan.repeating_keys.map(|keys| (number % keys).to_string());
        let value = match plan.value_prefix {
            Some(prefix) => format!("{prefix}.{number}"),
            None => number.to_string(),
        };
        let mut record = Record::new(&plan.topic).value(value.as_bytes()).timestamp(match plan.create_time {
            Some(from) => from.saturating_add(millis(start.elapsed())),
            None => SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis),
        });
        if let Some(key) = &key {
            record = record.key(key.as_bytes());
        }
        let delivery = producer.send(record).await;
        // Whoever tells hears until there is nothing more.
        let _ = under_way.send(Sent { key, value, delivery }).await;
        number += 1;
        match plan.throughput {
            Some(0) => std::future::pending().await,
            Some(throughput) => {
                let due = Duration::from_secs_f64(number as f64 / f64::from(throughput));
                tokio::time::sleep_until(start + due).await;
            }
            None => {}
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// Tells what became of each record; how many were sent, and how many of them were acknowledged.
async fn tell(topic: String, mut under_way: mpsc::Receiver<Sent>) -> (i64, i64) {
    let (mut sent, mut acked) = (0, 0);
    while let Some(Sent { key, value, delivery }) = under_way.recv().await {
        sent += 1;
        let outcome = match delivery {
            Ok(delivery) => delivery.await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(written) => {
                acked += 1;
                Event::new("producer_send_success")
                    .text("key", key.as_deref())
                    .text("value", Some(&value))
                    .text("topic", Some(&written.topic_partition.topic))
                    .number("partition", i64::from(written.topic_partition.partition))
                    // Without acknowledgements there is none to tell.
                    .number("offset", written.offset.unwrap_or(-1))
                    .print();
            }
            Err(error) => Event::new("producer_send_error")
                .text("key", key.as_deref())
                .text("value", Some(&value))
                .text("topic", Some(&topic))
                .text("exception", Some(&format!("{:?}", error.kind())))
                .text("message", Some(&error.to_string()))
                .print(),
        }
    }
    (sent, acked)
}
