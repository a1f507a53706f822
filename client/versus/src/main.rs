//! Our client beside its rivals, on one real Kafka: see `README.md`.
//!
//! - [`contestants`]: who runs, and how each is built
//! - [`round`]: one run, and what the brokers have of it
//! - [`broker`]: the questions that this program asks the brokers itself
//! - [`table`]: what came of it

mod broker;
mod contestants;
mod round;
mod table;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::Value;
use tidemill_testkit::kafka::{Kafka, KafkaVersion};

use self::broker::{Cluster, Failure, Layout};
use self::contestants::{Built, Contestant, target};
use self::round::{Amounts, Mode};
use self::table::Runs;

const USAGE: &str = "\
usage: cargo run --release --manifest-path client/versus/Cargo.toml -- [OPTION..]
  --modes produce,produce-lz4,consume,copy,e2e   also produce-zstd, produce-snappy, produce-gzip
  --clients tidemill,franz-go,librdkafka,krafka,java
  --rounds 5          each client runs once in every mode in each round
  --records 2000000   of produce, consume and copy
  --size 100          bytes of each value
  --e2e-records 5000  of e2e
  --rate 500          records a second, of e2e
  --brokers 1         or 3, with a replica on each
  --partitions 8      of each topic
  --skewed            all leaders on one broker
  --cpus LIST         binds the clients to these CPUs (by taskset); the broker has those that this program has
  --json FILE         writes the line of every run";

struct Options {
    modes: Vec<Mode>,
    clients: Vec<Contestant>,
    rounds: usize,
    amounts: Amounts,
    layout: Layout,
    json: Option<PathBuf>,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == "--help") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    match options(&arguments).and_then(|options| run(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn options(arguments: &[String]) -> Result<Options, Failure> {
    let mut options = Options {
        modes: names("produce,produce-lz4,consume,copy,e2e", Mode::from_name)?,
        clients: Contestant::ALL.to_vec(),
        rounds: 5,
        amounts: Amounts { records: 2_000_000, size: 100, e2e_records: 5_000, rate: 500, cpus: None },
        layout: Layout { partitions: 8, brokers: 1, is_skewed: false },
        json: None,
    };
    let mut arguments = arguments.iter();
    while let Some(option) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{option} needs a value\n{USAGE}"));
        match option.as_str() {
            "--modes" => options.modes = names(value()?, Mode::from_name)?,
            "--clients" => options.clients = names(value()?, Contestant::from_name)?,
            "--rounds" => options.rounds = number(value()?)?,
            "--records" => options.amounts.records = number(value()?)?,
            "--size" => options.amounts.size = number(value()?)?,
            "--e2e-records" => options.amounts.e2e_records = number(value()?)?,
            "--rate" => options.amounts.rate = number(value()?)?,
            "--cpus" => options.amounts.cpus = Some(value()?.clone()),
            "--brokers" => options.layout.brokers = number(value()?)? as i32,
            "--partitions" => options.layout.partitions = number(value()?)? as i32,
            "--skewed" => options.layout.is_skewed = true,
            "--json" => options.json = Some(value()?.into()),
            _ => return Err(format!("'{option}' is no option\n{USAGE}").into()),
        }
    }
    Ok(options)
}

fn names<T>(list: &str, from_name: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, Failure> {
    let named = |name| from_name(name).ok_or_else(|| format!("'{name}' is not known\n{USAGE}").into());
    list.split(',').map(named).collect()
}

fn number(text: &str) -> Result<usize, Failure> {
    match text.parse() {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(format!("'{text}' is not a positive number\n{USAGE}").into()),
    }
}

/// Runs everything; whether all of it succeeded.
fn run(options: &Options) -> Result<bool, Failure> {
    let version = KafkaVersion::default();
    let built = build(&options.clients, version)?;
    let logs = target(Path::new(env!("CARGO_MANIFEST_DIR"))).join("versus-logs");
    fs::create_dir_all(&logs)?;
    let mut json = options.json.as_ref().map(fs::File::create).transpose()?;

    eprintln!("starting Kafka {version}, {} broker(s)", options.layout.brokers);
    let kafka = Kafka::builder()
        .version(version)
        .brokers(options.layout.brokers as usize)
        .property("auto.create.topics.enable", "false")
        .start()?;
    let cluster = Cluster::new(&kafka, options.layout);
    let input = fill(&built, options, &cluster, &kafka, &logs)?;

    let new = |mode: &Mode, built: &Built| Runs {
        contestant: built.contestant,
        mode: mode.clone(),
        lines: Vec::new(),
        failures: Vec::new(),
    };
    let pairs = options.modes.iter().flat_map(|mode| built.iter().map(move |built| new(mode, built)));
    let mut results: Vec<Runs> = pairs.collect();
    for round in 0..options.rounds {
        for mode in &options.modes {
            // Each round another client is the first.
            for place in 0..built.len() {
                let built = &built[(round + place) % built.len()];
                let topic = format!("{}-{}-{round}", mode.name(), built.contestant.name());
                let ran =
                    round::run(built, mode, &options.amounts, &cluster, kafka.bootstrap(), (&topic, &input), &logs);
                note(&mut json, round, mode, built, &ran)?;
                let runs = results.iter_mut().find(|runs| runs.contestant == built.contestant && runs.mode == *mode);
                match (runs, ran) {
                    (Some(runs), Ok(line)) => runs.lines.push(line),
                    (Some(runs), Err(failure)) => runs.failures.push(failure.to_string()),
                    (None, _) => {}
                }
            }
        }
    }
    for mode in &options.modes {
        let of_mode: Vec<&Runs> = results.iter().filter(|runs| runs.mode == *mode).collect();
        print!("{}", table::print(&title(mode, options), &of_mode));
    }
    Ok(results.iter().all(|runs| runs.failures.is_empty()))
}

/// Builds those that can be built here.
fn build(clients: &[Contestant], version: KafkaVersion) -> Result<Vec<Built>, Failure> {
    let mut all = Vec::new();
    for contestant in clients {
        eprintln!("building {}", contestant.name());
        match contestant.build(version.name()) {
            Ok(built) => all.push(built),
            Err(reason) => eprintln!("{} does not take part: {reason}", contestant.name()),
        }
    }
    match all.is_empty() {
        true => Err("nobody is left to run".into()),
        false => Ok(all),
    }
}

/// Fills the topic that everybody reads, by one rival, so that all read the same batches. It also warms the broker up.
fn fill(
    built: &[Built],
    options: &Options,
    cluster: &Cluster<'_>,
    kafka: &Kafka,
    logs: &Path,
) -> Result<String, Failure> {
    let order =
        [Contestant::Librdkafka, Contestant::FranzGo, Contestant::Java, Contestant::Krafka, Contestant::Tidemill];
    let writer = order.iter().find_map(|wanted| built.iter().find(|built| built.contestant == *wanted));
    let writer = writer.ok_or("nobody can fill a topic")?;
    eprintln!("filling the topic to read, by {}", writer.contestant.name());
    let topic = "input".to_owned();
    round::fill(writer, &options.amounts, cluster, kafka.bootstrap(), &topic, logs)?;
    Ok(topic)
}

/// Shows a run as it ends, and writes its line.
fn note(
    json: &mut Option<fs::File>,
    round: usize,
    mode: &Mode,
    built: &Built,
    ran: &Result<round::Line, Failure>,
) -> Result<(), Failure> {
    let name = format!("round {} {} {}", round + 1, mode.name(), built.contestant.name());
    match ran {
        Ok(line) => eprintln!("{name}: {}", Value::Object(line.clone())),
        Err(failure) => eprintln!("{name}: FAILED {failure}"),
    }
    let Some(file) = json else { return Ok(()) };
    let mut line = ran.as_ref().map_or_else(
        |failure| round::Line::from_iter([("failed".to_owned(), Value::from(failure.to_string()))]),
        Clone::clone,
    );
    line.insert("round".to_owned(), Value::from(round + 1));
    line.insert("versus_mode".to_owned(), Value::from(mode.name()));
    line.insert("versus_client".to_owned(), Value::from(built.contestant.name()));
    writeln!(file, "{}", Value::Object(line))?;
    Ok(())
}

fn title(mode: &Mode, options: &Options) -> String {
    let Options { amounts, layout, rounds, .. } = options;
    let what = match mode {
        Mode::EndToEnd => format!("{} records of 100 bytes, {} a second", amounts.e2e_records, amounts.rate),
        Mode::Produce(_) | Mode::Consume | Mode::Copy => {
            format!("{} records of {} bytes", amounts.records, amounts.size)
        }
    };
    let skewed = if layout.is_skewed { ", all led by one" } else { "" };
    let where_to = format!("{} partitions on {} broker(s){skewed}", layout.partitions, layout.brokers);
    format!("{}: {what}, {where_to}, medians of {rounds}", mode.name())
}
