//! Is the embedded broker ever the bottleneck? Kafka's own performance tools against it and against a real Kafka, in turn.
//!
//! `cargo run --release -p tidemill-testkit --example versus_kafka` needs Java 17 and Maven.

#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::error::Error;
use std::fmt;

use tidemill_testkit::kafka::{Kafka, Tools};
use tidemill_testkit::{ClusterConfig, TestCluster};

const ROUNDS: usize = 5;
const RECORDS: &str = "500000";

/// Records per second, as the tools say.
struct Rates {
    written: f64,
    read: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let tools = Tools::resolve()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ours = runtime.block_on(TestCluster::start(ClusterConfig::default()))?;
    let theirs = Kafka::builder().start()?;
    let (mut on_ours, mut on_theirs) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let topic = format!("round-{round}");
        on_theirs.push(rates(&tools, theirs.bootstrap(), &topic)?);
        on_ours.push(rates(&tools, ours.bootstrap(), &topic)?);
        println!("round {round}: embedded {}, real {}", last(&on_ours), last(&on_theirs));
    }
    let (ours, theirs) = (medians(&on_ours), medians(&on_theirs));
    println!("{RECORDS} records of 100 bytes, medians of {ROUNDS}, records per second");
    println!("{:<22}{:>12}{:>12}{:>8}", "", "embedded", "real", "ratio");
    for (tool, ours, theirs) in
        [("ProducerPerformance", ours.written, theirs.written), ("ConsumerPerformance", ours.read, theirs.read)]
    {
        println!("{tool:<22}{ours:>12.0}{theirs:>12.0}{:>8.2}", ours / theirs);
    }
    Ok(())
}

fn last(rates: &[Rates]) -> &Rates {
    rates.last().unwrap_or(&Rates { written: 0.0, read: 0.0 })
}

impl fmt::Display for Rates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.0} written and {:.0} read a second", self.written, self.read)
    }
}

fn medians(rates: &[Rates]) -> Rates {
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or_default()
    };
    Rates {
        written: median(rates.iter().map(|rates| rates.written).collect()),
        read: median(rates.iter().map(|rates| rates.read).collect()),
    }
}

fn rates(tools: &Tools, bootstrap: &str, topic: &str) -> Result<Rates, Box<dyn Error>> {
    let server = format!("bootstrap.servers={bootstrap}");
    let written = run(
        tools,
        "org.apache.kafka.tools.ProducerPerformance",
        &[
            "--topic",
            topic,
            "--num-records",
            RECORDS,
            "--record-size",
            "100",
            "--throughput",
            "-1",
            "--producer-props",
            &server,
        ],
    )?;
    let read = run(
        tools,
        "org.apache.kafka.tools.ConsumerPerformance",
        &["--bootstrap-server", bootstrap, "--topic", topic, "--messages", RECORDS, "--timeout", "60000"],
    )?;
    Ok(Rates { written: written_per_second(&written)?, read: read_per_second(&read)? })
}

fn run(tools: &Tools, class: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let output = tools.run(class, arguments, "")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    Err(format!("{class} failed: {text}{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// `500000 records sent, 123456.7 records/sec (...)` in the last line that has it.
fn written_per_second(text: &str) -> Result<f64, Box<dyn Error>> {
    let line = text.lines().rev().find(|line| line.contains("records/sec")).ok_or("no rate of the producer")?;
    let rate = line.split(", ").find_map(|part| part.split_once(" records/sec")).ok_or("no rate of the producer")?;
    Ok(rate.0.trim().parse()?)
}

/// The column `fetch.nMsg.sec`: what was read per second once the group was there.
fn read_per_second(text: &str) -> Result<f64, Box<dyn Error>> {
    let mut lines = text.lines().skip_while(|line| !line.contains("fetch.nMsg.sec"));
    let (names, values) = lines.next().zip(lines.next()).ok_or("no rate of the consumer")?;
    let column = names.split(',').map(str::trim).position(|name| name == "fetch.nMsg.sec").ok_or("no such column")?;
    Ok(values.split(',').nth(column).ok_or("no such column")?.trim().parse()?)
}
