//! `tidemill run`: runs all statements of a SQL file until they end, fail, or are stopped.
#![expect(clippy::disallowed_methods, reason = "the command reads the clock for what it shows")]

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use clap::{ArgAction, Args};
use tidemill::error::Error;
use tidemill::job::{Job, JobConfig};
use tracing_subscriber::EnvFilter;

use super::Ended;
use super::progress::Progress;
use super::script::{Script, complain};
use super::signals::Signals;

/// What `tidemill run` takes.
#[derive(Debug, Args)]
pub(super) struct Run {
    #[command(flatten)]
    script: Script,
    /// The brokers to use instead of those in the file, as host:port with commas between
    #[arg(long, value_name = "HOST:PORT")]
    bootstrap: Option<String>,
    /// Let processing time run this many times faster, for demonstrations and tests
    #[arg(long, value_name = "X", default_value = "1", value_parser = above_zero)]
    speed: f64,
    /// How long to wait for a broker at the start, in seconds; once it has read, a job waits as long as it takes
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = above_zero)]
    start_timeout: f64,
    /// Say nothing but errors
    #[arg(short, long, conflicts_with = "verbose")]
    quiet: bool,
    /// Log what the Kafka client does; twice for more. RUST_LOG chooses in detail
    #[arg(short, long, action = ArgAction::Count)]
    verbose: u8,
}

/// How often what is shown changes.
const SHOW_INTERVAL: Duration = Duration::from_millis(100);

/// Runs the file.
pub(super) fn run(mut run: Run) -> Ended {
    if let Some(bootstrap) = run.bootstrap.take() {
        run.script.settings.push(("properties.bootstrap.servers".to_owned(), bootstrap));
    }
    let logs = log_events(run.verbose);
    let Some(plan) = run.script.plan() else { return Ended::Misused };
    // One thread: a job waits for brokers most of the time, and its rows are one task's work.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&format!("the runtime could not be started: {error}")),
    };
    let live = io::stderr().is_terminal() && !logs;
    let progress = if run.quiet { Progress::none() } else { Progress::new(&plan, live) };
    let ended = runtime.block_on(async {
        let signals = Signals::new().map_err(|error| format!("signals cannot be received: {error}"))?;
        let patience = Duration::from_secs_f64(run.start_timeout);
        let config = JobConfig::default().speed(run.speed).start_timeout(patience);
        let job = match Job::start(plan, config) {
            Ok(job) => job,
            Err(error) => return Ok(misused(&error)),
        };
        supervise(job, signals, progress).await.map_err(|error| error.to_string())
    });
    runtime.shutdown_background();
    ended.unwrap_or_else(|message| failed(&message))
}

/// Shows what the job does until it has ended. The first signal stops it; the second leaves at once.
async fn supervise(mut job: Job, mut signals: Signals, mut progress: Progress) -> Result<Ended, Error> {
    let mut ticks = tokio::time::interval(SHOW_INTERVAL);
    let mut is_stopping = false;
    loop {
        let changed = job.changed();
        tokio::select! {
            finished = job.finished() => {
                let status = finished.inspect_err(|_| progress.clear())?;
                progress.end(&status);
                return Ok(Ended::Well);
            }
            () = signals.received() => {
                if std::mem::replace(&mut is_stopping, true) {
                    progress.say("left at once; what was not committed is read again by the next start");
                    return Ok(Ended::Failed);
                }
                progress.say("stopping: finishing the open commit (a second signal leaves at once)");
                job.stop();
            }
            // That reading began is said at once; what changes from then on, now and then.
            () = changed, if !progress.is_reading() => {}
            _ = ticks.tick() => {}
        }
        progress.show(&job.status(), Instant::now());
    }
}

/// The file asks for what no broker is needed to refuse.
fn misused(error: &Error) -> Ended {
    complain(&format!("error: {error}"));
    Ended::Misused
}

fn failed(message: &str) -> Ended {
    complain(&format!("error: {message}"));
    Ended::Failed
}

/// Sends log events to stderr when they are asked for; says whether they are.
fn log_events(verbose: u8) -> bool {
    let filter = match (std::env::var("RUST_LOG"), verbose) {
        (Ok(filter), _) if !filter.is_empty() => EnvFilter::new(filter),
        (_, 0) => return false,
        (_, 1) => EnvFilter::new("info"),
        (_, _) => EnvFilter::new("debug"),
    };
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).with_ansi(ansi).init();
    true
}

fn above_zero(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(number) if number > 0.0 && number <= NUMBER_MAX => Ok(number),
        Ok(_) | Err(_) => Err(format!("a number above 0 and up to {NUMBER_MAX} is wanted")),
    }
}

/// Keeps times within what a clock can count.
const NUMBER_MAX: f64 = 1e9;
