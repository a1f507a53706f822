//! How fast is the client here, and what does it cost?
//!
//! ```text
//! cargo run --release -p tidemill-client --example perf -- produce BOOTSTRAP TOPIC RECORDS SIZE none|lz4|zstd|snappy|gzip [RATE]
//! cargo run --release -p tidemill-client --example perf -- consume BOOTSTRAP TOPIC RECORDS
//! cargo run --release -p tidemill-client --example perf -- e2e BOOTSTRAP TOPIC RECORDS RATE PARTITIONS
//! cargo run --release -p tidemill-client --example perf -- copy BOOTSTRAP IN OUT RECORDS
//! ```
//!
//! Each ends with one line of JSON. Its `cpu_seconds` are those of the measured part, of the process and the kernel for it;
//! `peak_rss_mb` is that of the whole process. The exit status is 1 if anything failed.
//!
//! - `produce`: from the first send to the last answer of a broker; idempotent, all replicas, null keys
//! - `consume`: from the first record on; what comes before it, from the making of the client, is `startup_seconds`
//! - `e2e`: from the moment a record is to be sent to the moment it is received, in the same process
//! - `copy`: from topic to topic exactly once, to the same partition, a transaction every 100 ms; from the first record on

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "it is what the example is for")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

mod consume;
mod copy;
mod e2e;
mod produce;
mod report;
mod usage;

use std::error::Error;
use std::process::ExitCode;
use std::str::FromStr;

use self::report::Report;

const USAGE: &str = "\
usage: perf produce BOOTSTRAP TOPIC RECORDS SIZE none|lz4|zstd|snappy|gzip [RATE]
       perf consume BOOTSTRAP TOPIC RECORDS
       perf e2e BOOTSTRAP TOPIC RECORDS RATE PARTITIONS
       perf copy BOOTSTRAP IN OUT RECORDS";

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match begin(arguments) {
        Ok(report) => {
            println!("{report}");
            ExitCode::from(u8::from(report.errors > 0))
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn begin(arguments: Vec<String>) -> Outcome<Report> {
    // One thread is enough for each mode, and the cheapest. As a task: waking what `block_on` runs is a system call.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(runtime.spawn(run(arguments)))?
}

async fn run(arguments: Vec<String>) -> Outcome<Report> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments {
        ["produce", bootstrap, topic, records, size, codec] => {
            produce::run(bootstrap, topic, number("RECORDS", records)?, number("SIZE", size)?, codec, None).await
        }
        ["produce", bootstrap, topic, records, size, codec, rate] => {
            let rate = Some(number("RATE", rate)?);
            produce::run(bootstrap, topic, number("RECORDS", records)?, number("SIZE", size)?, codec, rate).await
        }
        ["consume", bootstrap, topic, records] => consume::run(bootstrap, topic, number("RECORDS", records)?).await,
        ["e2e", bootstrap, topic, records, rate, partitions] => {
            let partitions = number("PARTITIONS", partitions)?;
            e2e::run(bootstrap, topic, number("RECORDS", records)?, number("RATE", rate)?, partitions).await
        }
        ["copy", bootstrap, input, output, records] => {
            copy::run(bootstrap, input, output, number("RECORDS", records)?).await
        }
        _ => Err(USAGE.into()),
    }
}

fn number<N: FromStr>(name: &str, value: &str) -> Outcome<N> {
    value.parse().map_err(|_| format!("{name} cannot be '{value}'\n{USAGE}").into())
}
