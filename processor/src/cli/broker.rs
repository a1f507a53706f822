//! `tidemill broker`: the embedded brokers alone, for any Kafka client in any language.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill_testkit::faults::Script;
use tidemill_testkit::{ClusterConfig, TestCluster};

use super::signals::Signals;
use super::{Ended, script};

/// How the broker runs.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// Where the first broker listens, the others on the ports that follow; port 0 takes any free ones
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9092", value_parser = address)]
    listen: SocketAddr,
    /// How many brokers the cluster has
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=100))]
    brokers: u8,
    /// How many replicas a topic gets that is made without a number [default: 3, or as many as there are brokers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..=100))]
    replication_factor: Option<i16>,
    /// How many partitions a topic gets that is made without a number
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: i32,
    /// What is to go wrong, a rule a line, such as `Produce p=0.01: lose reply`
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// What the chances of --faults are drawn from: the same number draws the same
    #[arg(long, value_name = "N", default_value_t = 0, requires = "faults")]
    seed: u64,
    /// Keep everything in this directory, and go on with what is there: what was acknowledged survives a restart and a
    /// kill -9, but not a loss of power. Without it, everything is gone when the broker ends
    #[arg(long, value_name = "DIRECTORY")]
    data: Option<PathBuf>,
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.replace("localhost", "127.0.0.1").parse().map_err(|_| "write it as 127.0.0.1:9092 or [::1]:9092".to_owned())
}

/// Runs the broker until a signal ends it.
pub(super) fn run(options: &Options) -> Ended {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&error),
    };
    let ended = runtime.block_on(serve(options));
    runtime.shutdown_background();
    match ended {
        Ok(()) => Ended::Well,
        Err(error) => complain(&*error),
    }
}

fn complain(error: &dyn Error) -> Ended {
    script::complain(&format!("error: {error}"));
    Ended::Failed
}

async fn serve(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new()?;
    let Options { listen, brokers, replication_factor, partitions, ref faults, seed, ref data } = *options;
    let replicas = replication_factor.unwrap_or_else(|| i16::from(brokers.min(REPLICAS_DEFAULT)));
    if replicas > i16::from(brokers) {
        return Err(format!("--replication-factor {replicas} needs as many brokers: add --brokers {replicas}").into());
    }
    let mut config = ClusterConfig::default()
        .listen(listen)
        .brokers(usize::from(brokers))
        .replication_factor(replicas)
        .partitions(partitions);
    if let Some(file) = faults {
        config = config.faults(read_faults(file)?, seed);
    }
    if let Some(directory) = data {
        config = config.data(directory);
    }
    let cluster = TestCluster::start(config).await.map_err(|error| match error.get_ref() {
        // It says what is wrong with the directory, and where.
        Some(reason) if data.is_some() => reason.to_string(),
        Some(_) | None => refused(listen, &error),
    })?;
    let bootstrap = cluster.bootstrap();
    writeln!(io::stdout(), "{bootstrap}")?;
    let mut stderr = io::stderr();
    if listen.ip().is_unspecified() {
        let _ =
            writeln!(stderr, "warning: clients are told to connect to {listen}: listen on the address that they know");
    }
    if !listen.ip().is_loopback() {
        let _ = writeln!(stderr, "warning: {listen} can be reached from outside, and there is no authentication");
    }
    let _ = writeln!(stderr, "write: echo hello | kcat -P -b {bootstrap} -t a_topic");
    let _ = writeln!(stderr, "read:  kcat -C -b {bootstrap} -t a_topic");
    let failed = tokio::select! {
        () = signals.received() => None,
        error = cluster.failed() => Some(format!("what is acknowledged can no longer be kept: {error}")),
    };
    let _ = tokio::time::timeout(ENDING_MAX, cluster.stop()).await;
    failed.map_or(Ok(()), |reason| Err(reason.into()))
}

/// The script in a file, or where it is wrong.
fn read_faults(file: &Path) -> Result<Script, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("--faults {name} cannot be read: {error}"))?;
    text.parse().map_err(|error| format!("--faults {name}, {error}"))
}

/// How many replicas a topic has where there are as many brokers.
const REPLICAS_DEFAULT: u8 = 3;

/// How long open connections may take to close.
const ENDING_MAX: Duration = Duration::from_millis(400);

/// Why the address cannot be had, and what to change.
fn refused(listen: SocketAddr, error: &io::Error) -> String {
    let change = CHANGES.iter().find(|(kind, _)| *kind == error.kind());
    let change = change.map_or_else(String::new, |(_, change)| format!("\n  {change}"));
    format!("cannot listen on {listen}: {error}{change}")
}

const CHANGES: [(io::ErrorKind, &str); 3] = [
    (
        io::ErrorKind::AddrInUse,
        "something listens there already: choose another port with --listen, or any free one with --listen 127.0.0.1:0",
    ),
    (io::ErrorKind::AddrNotAvailable, "this machine has no such address: choose one of its own with --listen"),
    (io::ErrorKind::PermissionDenied, "ports below 1024 are for the administrator: choose another with --listen"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_that_cannot_be_read_is_shown_with_the_place() {
        let file = std::env::temp_dir().join(format!("tidemill-faults-{}", std::process::id()));
        fs::write(&file, "Produce p=0.01: lose reply\nProduce: loose reply\n").unwrap();
        let error = read_faults(&file).unwrap_err();
        fs::write(&file, "Produce p=0.01: lose reply # sometimes\n").unwrap();
        assert_eq!(read_faults(&file).unwrap().rules().len(), 1);
        fs::remove_file(&file).unwrap();
        let shown = ["--faults ", "line 2, column 10", "did you mean `lose`", "  Produce: loose reply\n           ^"];
        assert!(shown.iter().all(|part| error.contains(part)), "{error}");
        assert!(read_faults(&file).unwrap_err().contains("cannot be read"));
    }

    #[test]
    fn what_to_change_stands_in_the_error() {
        let listen = address("localhost:9092").unwrap();
        let text = refused(listen, &io::ErrorKind::AddrInUse.into());
        assert!(text.starts_with("cannot listen on 127.0.0.1:9092: ") && text.contains("--listen 127.0.0.1:0"));
        assert!(address("9092").unwrap_err().contains("127.0.0.1:9092"));
    }
}
