//! `tidemill demo`: the whole system in one process, with a broker inside, and a check that it counts right.
//!
//! [`clicks`] makes clicks, [`writer`] writes them, the job of `examples/top_users.sql` counts them, [`watch`] reads the
//! results back, and [`check`] compares them with what the broker [`acknowledged`]. On a terminal the [`view`] is drawn
//! on the [`screen`], with the [`rate`] of what comes in; elsewhere every window is one of the [`lines`].

mod acknowledged;
mod check;
mod clicks;
mod lines;
mod rate;
mod screen;
mod view;
mod watch;
mod writer;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use tidemill::job::{Job, JobConfig};
use tidemill::plan::{Node, Plan, Window};
use tidemill::sql::{Settings, plan_script};
use tidemill_client::{AutoOffsetReset, Client, ClientConfig, Consumer, ConsumerConfig};
use tidemill_client::{Producer, ProducerConfig, TopicPartition};
use tidemill_testkit::{ClusterConfig, TestCluster};

use self::check::Mismatch;
use self::clicks::Clicks;
use self::screen::Screen;
use self::view::{Palette, Phase, View, watch_command};
use self::watch::Watch;
use super::numbers::counted;
use super::signals::Signals;
use super::{Ended, script};

/// What the demo runs: the example, as it is.
const SQL: &str = include_str!("../../../../examples/top_users.sql");
const CLICKS: &str = "user_clicks";
const CLICKS_PARTITIONS: u32 = 4;
const RESULTS: &str = "top_users";
/// How long the job may take for its last commit once it was asked to end.
const ENDING_MAX: Duration = Duration::from_millis(400);

/// How the demo runs.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// How many times faster than time itself the job's clock runs: at 600, a window of 30 minutes takes 3 seconds
    #[arg(long, value_name = "FACTOR", default_value = "600", value_parser = speed)]
    speed: f64,
    /// End after this many windows; without it, the demo runs until it is told to end
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    windows: Option<u64>,
    /// How many clicks are written per second
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    events_per_second: u32,
    /// How many users click
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    users: u32,
}

fn speed(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(speed) if (SPEED_MIN..=SPEED_MAX).contains(&speed) => Ok(speed),
        Ok(_) | Err(_) => Err(format!("not a number from {SPEED_MIN} to {SPEED_MAX}")),
    }
}

const SPEED_MIN: f64 = 0.1;
/// 30 minutes take 20 milliseconds then.
const SPEED_MAX: f64 = 90_000.0;

/// Runs the demo until it is told to end.
pub(super) fn run(options: &Options) -> Ended {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    let ended = runtime.block_on(demo(options));
    // Nothing is left to wait for.
    runtime.shutdown_background();
    match ended {
        Ok(()) => Ended::Well,
        Err(error) => complain(&*error),
    }
}

fn complain(error: &(dyn Error + 'static)) -> Ended {
    let what = if error.is::<Mismatch>() { "the results are wrong" } else { "the demo failed" };
    script::complain(&format!("error: {what}: {error}"));
    Ended::Failed
}

async fn demo(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new()?;
    let cluster = TestCluster::start(ClusterConfig::default()).await?;
    create_topics(&cluster, options)?;

    let bootstrap = cluster.bootstrap();
    let client = Client::new(ClientConfig::default().bootstrap_servers(bootstrap))?;
    let producer = Producer::with_client(&client, ProducerConfig::default())?;
    let consumer =
        Consumer::with_client(&client, &ConsumerConfig::default().auto_offset_reset(AutoOffsetReset::Earliest))?;
    let results = vec![TopicPartition::new(RESULTS, 0)];
    consumer.assign(results.iter().cloned())?;

    // Processing time runs through months in an hour, and so into changes of the local clock. In the hour that comes twice
    // a window holds two pieces of a partition, which no single range of offsets tells apart. UTC has no such hour.
    let settings = Settings::default().set("table.local-time-zone", "UTC")?;
    let plan = plan_script(SQL, &settings.set("properties.bootstrap.servers", bootstrap)?)?;
    let mut view = view_of(&plan, bootstrap, options.speed);
    let mut job = Job::start(plan, JobConfig::default().speed(options.speed))?;
    let mut screen = Screen::open()?;
    if screen.is_none() {
        let mut stderr = io::stderr();
        let _ = writeln!(stderr, "broker: {bootstrap}");
        let _ = writeln!(stderr, "watch the results: {}", watch_command(bootstrap));
    }

    let check = RefCell::default();
    let clicks = Clicks::new(options.users, fastrand::u64(..));
    let mut watch = Watch {
        job: &mut job,
        consumer: &consumer,
        results,
        check: &check,
        screen: &mut screen,
        view: &mut view,
        windows_max: options.windows,
    };
    let outcome = tokio::select! {
        outcome = watch.run() => outcome,
        outcome = writer::write(&producer, CLICKS, clicks, options.events_per_second, &check) => {
            outcome.map(|never| match never {}).map_err(Into::into)
        }
        () = signals.received() => Ok(()),
    };

    job.stop();
    let finished = tokio::time::timeout(ENDING_MAX, job.finished()).await;
    view.phase = Phase::Ended;
    let shown = match screen {
        Some(screen) => screen.close(&view),
        None => writeln!(io::stderr(), "{}, {}", counted(view.windows, "window"), counted(view.clicks, "click")),
    };
    let _ = tokio::time::timeout(ENDING_MAX, cluster.stop()).await;
    outcome?;
    // The job that ended by itself says why.
    if let Ok(finished) = finished {
        finished?;
    }
    Ok(shown?)
}

/// Both topics keep what is enough to look at, so that the demo can run for days: about a minute of clicks, and at least
/// several windows of results.
fn create_topics(cluster: &TestCluster, options: &Options) -> Result<(), Box<dyn Error>> {
    let clicks_bytes = u64::from(options.events_per_second) * CLICK_BYTES * 60 / u64::from(CLICKS_PARTITIONS);
    let results_bytes = u64::from(options.users) * ROW_BYTES * 4;
    let topics = [(CLICKS, CLICKS_PARTITIONS, clicks_bytes), (RESULTS, 1, results_bytes)];
    for (name, partitions, bytes) in topics {
        let bytes = bytes.max(RETENTION_BYTES_MIN);
        let config = [("retention.bytes", bytes.to_string()), ("segment.bytes", (bytes / 8).to_string())];
        let config: Vec<(&str, &str)> = config.iter().map(|(name, value)| (*name, value.as_str())).collect();
        cluster
            .create_topic(name, partitions.try_into()?, &config)
            .map_err(|code| format!("creating topic '{name}': {code}"))?;
    }
    Ok(())
}

const CLICK_BYTES: u64 = 64;
const ROW_BYTES: u64 = 128;
const RETENTION_BYTES_MIN: u64 = 8 << 20;

/// The view before anything has happened.
fn view_of(plan: &Plan, bootstrap: &str, speed: f64) -> View {
    let has_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    View {
        bootstrap: bootstrap.to_owned(),
        speed,
        window_ms: plan.pipelines.first().and_then(|pipeline| window_ms(&pipeline.root)).unwrap_or(0),
        phase: Phase::Running,
        rate: 0.0,
        lag: None,
        processing_time_ms: 0,
        window_ends_ms: None,
        windows: 0,
        clicks: 0,
        recent: VecDeque::new(),
        palette: if has_colour { Palette::COLOUR } else { Palette::PLAIN },
    }
}

/// The length of a plan's windows.
fn window_ms(node: &Node) -> Option<i64> {
    if let Node::Project(project) = node {
        return window_ms(&project.input);
    }
    let Node::WindowAggregate(aggregate) = node else { return None };
    let Window::Tumble { size_ms, .. } = aggregate.window else { return None };
    Some(size_ms)
}
