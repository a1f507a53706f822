//! One run of one contestant: started, watched, and held against what the brokers have.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::broker::{Cluster, Failure};
use crate::contestants::Built;

/// What is measured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Mode {
    /// With this codec.
    Produce(String),
    Consume,
    Copy,
    EndToEnd,
}

impl Mode {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        match name {
            "produce" => Some(Self::Produce("none".to_owned())),
            "produce-lz4" | "produce-zstd" | "produce-snappy" | "produce-gzip" => {
                name.strip_prefix("produce-").map(|codec| Self::Produce(codec.to_owned()))
            }
            "consume" => Some(Self::Consume),
            "copy" => Some(Self::Copy),
            "e2e" => Some(Self::EndToEnd),
            _ => None,
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Produce(codec) if codec == "none" => "produce".to_owned(),
            Self::Produce(codec) => format!("produce-{codec}"),
            Self::Consume => "consume".to_owned(),
            Self::Copy => "copy".to_owned(),
            Self::EndToEnd => "e2e".to_owned(),
        }
    }
}

/// How much of it.
#[derive(Debug, Clone)]
pub(crate) struct Amounts {
    /// Of produce, consume and copy.
    pub(crate) records: usize,
    /// Bytes of each value.
    pub(crate) size: usize,
    /// Of e2e.
    pub(crate) e2e_records: usize,
    /// Records a second, of e2e.
    pub(crate) rate: usize,
    /// CPUs that contestants are bound to.
    pub(crate) cpus: Option<String>,
}

/// What a contestant said at its end.
pub(crate) type Line = Map<String, Value>;

/// Runs it once. The topic is one that nobody used before, except that what is read is `input`.
pub(crate) fn run(
    built: &Built,
    mode: &Mode,
    amounts: &Amounts,
    cluster: &Cluster<'_>,
    bootstrap: &str,
    (topic, input): (&str, &str),
    logs: &Path,
) -> Result<Line, Failure> {
    let number = |number: usize| number.to_string();
    let text = str::to_owned;
    let Amounts { records, size, e2e_records, rate, .. } = *amounts;
    let arguments = match mode {
        Mode::Produce(codec) => {
            vec![text("produce"), text(bootstrap), text(topic), number(records), number(size), codec.clone()]
        }
        Mode::Consume => vec![text("consume"), text(bootstrap), text(input), number(records)],
        Mode::Copy => vec![text("copy"), text(bootstrap), text(input), text(topic), number(records)],
        Mode::EndToEnd => {
            let partitions = cluster.partitions().to_string();
            vec![text("e2e"), text(bootstrap), text(topic), number(e2e_records), number(rate), partitions]
        }
    };
    let writes = *mode != Mode::Consume;
    if writes {
        cluster.create_topic(topic)?;
    }
    let log = logs.join(format!("{}-{}.log", built.contestant.name(), mode.name()));
    let said = watch(built, &arguments, amounts, &log);
    let line = said.and_then(|line| judge(line, mode, amounts, cluster, topic));
    if writes {
        cluster.delete_topic(topic)?;
    }
    line
}

/// Writes the topic that is read by everybody.
pub(crate) fn fill(
    built: &Built,
    amounts: &Amounts,
    cluster: &Cluster<'_>,
    bootstrap: &str,
    topic: &str,
    logs: &Path,
) -> Result<(), Failure> {
    cluster.create_topic(topic)?;
    let (records, size) = (amounts.records.to_string(), amounts.size.to_string());
    let arguments = ["produce", bootstrap, topic, &records, &size, "none"].map(str::to_owned);
    let line = watch(built, &arguments, amounts, &logs.join("fill.log"))?;
    judge(line, &Mode::Produce("none".to_owned()), amounts, cluster, topic)?;
    Ok(())
}

/// Lets the program run to its end, within a time that no healthy run needs.
fn watch(built: &Built, arguments: &[String], amounts: &Amounts, log: &Path) -> Result<Line, Failure> {
    let waits = amounts.e2e_records / amounts.rate.max(1);
    let deadline = Instant::now() + Duration::from_secs(120 + (waits + amounts.records / 20_000) as u64);
    let mut command = built.command(amounts.cpus.as_deref());
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(log)?);
    let mut child = command.spawn()?;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            end(&mut child)?;
            return Err(format!("did not end in time{}", last_words(log)).into());
        }
        thread::sleep(Duration::from_millis(20));
    };
    let mut said = String::new();
    if let Some(mut stdout) = child.stdout.take() {
        stdout.read_to_string(&mut said)?;
    }
    if !status.success() {
        return Err(format!("{status}{}", last_words(log)).into());
    }
    match serde_json::from_str(said.lines().last().unwrap_or_default()) {
        Ok(Value::Object(line)) => Ok(line),
        Ok(_) | Err(_) => Err(format!("ended without a line of JSON{}", last_words(log)).into()),
    }
}

fn end(child: &mut Child) -> Result<(), Failure> {
    child.kill()?;
    child.wait()?;
    Ok(())
}

/// Holds what it said against what the brokers have.
fn judge(line: Line, mode: &Mode, amounts: &Amounts, cluster: &Cluster<'_>, topic: &str) -> Result<Line, Failure> {
    let said = |field: &str| line.get(field).and_then(Value::as_f64);
    let asked = if *mode == Mode::EndToEnd { amounts.e2e_records } else { amounts.records };
    if said("records") != Some(asked as f64) || said("errors") != Some(0.0) {
        return Err(format!("{:?} records of {asked}, {:?} errors", said("records"), said("errors")).into());
    }
    if let Some(field) = ["seconds", "cpu_seconds", "peak_rss_mb"].into_iter().find(|field| said(field).is_none()) {
        return Err(format!("it did not say its {field}").into());
    }
    let at_brokers = match mode {
        Mode::Produce(_) => cluster.end_offsets(topic)?.values().sum::<i64>(),
        // The last transaction's markers may be on their way.
        Mode::Copy => settled(asked as i64, || cluster.committed_records(topic))?,
        // What is read was there before; of e2e the contestant reads every record itself.
        Mode::Consume | Mode::EndToEnd => asked as i64,
    };
    match at_brokers == asked as i64 {
        true => Ok(line),
        false => Err(format!("the brokers have {at_brokers} records of {asked}").into()),
    }
}

/// Asks until the answer is as expected, for ten seconds at the most.
fn settled(expected: i64, ask: impl Fn() -> Result<i64, Failure>) -> Result<i64, Failure> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let answer = ask()?;
        if answer == expected || Instant::now() > deadline {
            return Ok(answer);
        }
        thread::sleep(Duration::from_millis(200));
    }
}

/// The end of what a program complained about.
fn last_words(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = said.lines().rev().take(3).collect();
    lines.into_iter().rev().map(|line| format!("; {line}")).collect()
}
