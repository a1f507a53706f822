//! What the contestants in Rust share: the command line, the values, the clocks and the line at the end. The client itself
//! is in each contestant's `main.rs`.

use std::fmt::Display;
use std::process::exit;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;
use serde_json::{Map, Value};

/// Batches may have so many bytes.
pub const BATCH_BYTES_MAX: usize = 1_000_000;

/// How long batches wait for more records.
pub const LINGER: Duration = Duration::from_millis(5);

/// How long a transaction of `copy` stays open.
pub const COMMIT_INTERVAL: Duration = Duration::from_millis(100);

const USAGE: &str = "usage: produce BOOTSTRAP TOPIC RECORDS SIZE none|lz4|zstd|snappy|gzip [RATE]
     | consume BOOTSTRAP TOPIC RECORDS
     | e2e BOOTSTRAP TOPIC RECORDS RATE PARTITIONS
     | copy BOOTSTRAP IN OUT RECORDS";

/// What the command line asks for.
#[derive(Debug)]
pub enum Mode {
    /// Send records, and have all of them acknowledged.
    Produce(Produce),
    /// Read records by a fresh group.
    Consume {
        /// `host:port`, with commas between.
        bootstrap: String,
        /// What is read.
        topic: String,
        /// How many records it holds.
        records: usize,
    },
    /// Send at a steady rate, and measure how long each record takes to be read.
    EndToEnd(EndToEnd),
    /// Copy a topic exactly once.
    Copy {
        /// `host:port`, with commas between.
        bootstrap: String,
        /// What is read.
        input: String,
        /// What is written; has as many partitions.
        output: String,
        /// How many records the input holds.
        records: usize,
    },
}

/// `produce`.
#[derive(Debug)]
pub struct Produce {
    /// `host:port`, with commas between.
    pub bootstrap: String,
    /// What is written.
    pub topic: String,
    /// How many records.
    pub records: usize,
    /// Bytes of each value.
    pub size: usize,
    /// The codec's name.
    pub codec: String,
    /// Records a second at the most.
    pub rate: Option<usize>,
}

/// `e2e`.
#[derive(Debug, Clone)]
pub struct EndToEnd {
    /// `host:port`, with commas between.
    pub bootstrap: String,
    /// What is written and read.
    pub topic: String,
    /// How many records are measured.
    pub records: usize,
    /// Records a second.
    pub rate: usize,
    /// Of the topic.
    pub partitions: usize,
}

impl EndToEnd {
    /// How many records go ahead unmeasured: three seconds of them.
    #[must_use]
    pub const fn unmeasured(&self) -> usize {
        3 * self.rate
    }

    /// When a record is due, from the first on.
    #[must_use]
    pub fn due(&self, number: usize) -> Duration {
        Duration::from_secs_f64(number as f64 / self.rate as f64)
    }
}

/// Reads the command line; ends the program when it is not of the contract.
#[must_use]
pub fn mode() -> Mode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let text = str::to_owned;
    match arguments[..] {
        ["produce", bootstrap, topic, records, size, codec, ref rate @ ..] if rate.len() < 2 => {
            Mode::Produce(Produce {
                bootstrap: text(bootstrap),
                topic: text(topic),
                records: number(records),
                size: number(size),
                codec: text(codec),
                rate: rate.first().map(|rate| number(rate)),
            })
        }
        ["consume", bootstrap, topic, records] => {
            Mode::Consume { bootstrap: text(bootstrap), topic: text(topic), records: number(records) }
        }
        ["e2e", bootstrap, topic, records, rate, partitions] => Mode::EndToEnd(EndToEnd {
            bootstrap: text(bootstrap),
            topic: text(topic),
            records: number(records),
            rate: number(rate),
            partitions: number(partitions),
        }),
        ["copy", bootstrap, input, output, records] => Mode::Copy {
            bootstrap: text(bootstrap),
            input: text(input),
            output: text(output),
            records: number(records),
        },
        _ => fail(USAGE),
    }
}

fn number(text: &str) -> usize {
    match text.parse() {
        Ok(number) if number > 0 => number,
        _ => fail(format_args!("'{text}' is not a positive number\n{USAGE}")),
    }
}

/// Ends the program with a reason.
pub fn fail(reason: impl Display) -> ! {
    eprintln!("{reason}");
    exit(2)
}

/// A name that no group and no transaction had before.
#[must_use]
pub fn fresh(role: &str) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos());
    format!("{role}-{now}")
}

/// The 1,000 values that records are made of: the same bytes in every contestant.
#[must_use]
pub fn clicks(size: usize) -> Vec<Vec<u8>> {
    let click = |number: u64| {
        let mut click =
            format!(r#"{{"user_id":{},"cURL":"https://example.com/"#, number * 7_919 % 1_000_003).into_bytes();
        let mut letter = number;
        while click.len() + 2 < size {
            letter = letter.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            click.push(b"abcdefghijklmnopqrstuvwxyz012345"[(letter >> 59) as usize]);
        }
        click.extend(b"\"}");
        click.truncate(size);
        click
    };
    (0..1000).map(click).collect()
}

/// Shows that every value was read.
#[derive(Debug, Default)]
pub struct Sum {
    bytes: usize,
    ends: usize,
}

impl Sum {
    /// Reads a value.
    pub fn add(&mut self, value: &[u8]) {
        self.bytes += value.len();
        self.ends += value.last().map_or(0, |end| usize::from(*end));
    }

    /// Ends the program when the values were empty.
    pub fn check(&self) {
        if self.bytes == 0 || self.ends == 0 {
            fail("records without values were read");
        }
    }
}

/// The clock and the CPU time of this process at one moment.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    at: Instant,
    cpu_seconds: f64,
}

impl Clock {
    /// Now.
    #[must_use]
    pub fn start() -> Self {
        let usage = getrusage(UsageWho::RUSAGE_SELF).unwrap_or_else(|error| fail(format_args!("getrusage: {error}")));
        let cpu = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
        Self { at: Instant::now(), cpu_seconds: cpu as f64 / 1e6 }
    }

    /// When it was started.
    #[must_use]
    pub const fn at(&self) -> Instant {
        self.at
    }

    /// What the start took, if this was the first moment of the program and `later` is when the records begin.
    #[must_use]
    pub fn startup(&self, later: &Self) -> Vec<(&'static str, f64)> {
        let seconds = later.at.duration_since(self.at).as_secs_f64();
        vec![("startup_seconds", seconds), ("startup_cpu_seconds", later.cpu_seconds - self.cpu_seconds)]
    }

    /// Prints the line of JSON about what happened since, and ends the program: with 1 if there were errors.
    pub fn report(self, client: &str, mode: &str, records: usize, errors: usize, extra: &[(&str, f64)]) -> ! {
        let end = Self::start();
        let seconds = end.at.duration_since(self.at).as_secs_f64();
        let fields = [
            ("client", Value::from(client)),
            ("mode", Value::from(mode)),
            ("records", Value::from(records)),
            ("seconds", Value::from(seconds)),
            ("cpu_seconds", Value::from(end.cpu_seconds - self.cpu_seconds)),
            ("records_per_second", Value::from(records as f64 / seconds)),
            ("peak_rss_mb", Value::from(peak_rss_mb())),
            ("errors", Value::from(errors)),
        ];
        let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
        let extra = extra.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value)));
        println!("{}", Value::Object(fields.chain(extra).collect::<Map<_, _>>()));
        exit(i32::from(errors > 0))
    }
}

/// The kernel's high water mark of this program; that of getrusage would hold its parent's, too.
fn peak_rss_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(0.0) / 1024.0
}

/// How long each record took from its sending to its reading.
#[derive(Debug)]
pub struct Latencies {
    epoch: Instant,
    seconds: Vec<f64>,
}

impl Latencies {
    /// Of so many records.
    #[must_use]
    pub fn new(epoch: Instant, records: usize) -> Self {
        Self { epoch, seconds: Vec::with_capacity(records) }
    }

    /// The value of a record that is sent now: 100 bytes, with the time in front unless it is not measured.
    #[must_use]
    pub fn value(epoch: Instant, measured: bool) -> Vec<u8> {
        let mut value = vec![0; 100];
        if measured {
            value[..8].copy_from_slice(&(epoch.elapsed().as_nanos() as u64).to_be_bytes());
        }
        value
    }

    /// Reads a value that [`Self::value`] made.
    pub fn add(&mut self, value: &[u8]) {
        let sent = value.first_chunk().map_or(0, |sent| u64::from_be_bytes(*sent));
        if sent > 0 {
            self.seconds.push((self.epoch.elapsed() - Duration::from_nanos(sent)).as_secs_f64());
        }
    }

    /// How many were measured.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.seconds.len()
    }

    /// Whether none was.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.seconds.is_empty()
    }

    /// For [`Clock::report`].
    #[must_use]
    pub fn percentiles(mut self) -> Vec<(&'static str, f64)> {
        self.seconds.sort_by(f64::total_cmp);
        let at = |part: f64| {
            let place = (self.seconds.len() as f64 * part) as usize;
            self.seconds.get(place.min(self.seconds.len().saturating_sub(1))).map_or(0.0, |seconds| seconds * 1000.0)
        };
        vec![("p50_ms", at(0.5)), ("p90_ms", at(0.9)), ("p99_ms", at(0.99)), ("max_ms", at(1.0))]
    }
}
