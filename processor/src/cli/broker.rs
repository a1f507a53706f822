//! `tidemill broker`: the embedded brokers alone, for any Kafka client in any language.

use std::error::Error;
use std::fs;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tidemill_testkit::broker::BrokerProperties;
use tidemill_testkit::faults::Script;
use tidemill_testkit::{ClusterConfig, TestCluster};

use super::signals::Signals;
use super::{Ended, script};

/// How the broker runs.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Options {
    /// Where the first broker listens, the others on the ports that follow; port 0 takes any free ones [default:
    /// 127.0.0.1:9092, or what `listeners` says]
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    listen: Option<SocketAddr>,
    /// How many brokers the cluster has [default: 1, or one for each rack]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    brokers: Option<u8>,
    /// The rack of each broker; readers that say theirs are sent to a replica in it
    #[arg(long, value_name = "A,B,..", value_delimiter = ',')]
    racks: Vec<String>,
    /// How many replicas a topic gets that is made without a number [default: 3, or as many as there are brokers]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i16).range(1..=100))]
    replication_factor: Option<i16>,
    /// How many partitions a topic gets that is made without a number [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=10_000))]
    partitions: Option<i32>,
    /// Sets a broker property by Kafka's own name, such as `log.retention.ms=60000`; may be given several times
    #[arg(long = "property", value_name = "NAME=VALUE")]
    property: Vec<String>,
    /// Broker properties from a file such as Kafka's `server.properties`; what changes nothing here is told of
    #[arg(long, value_name = "FILE")]
    properties: Option<PathBuf>,
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
    let Options { ref faults, seed, ref data, .. } = *options;
    let properties = read_properties(options)?;
    let mut stderr = io::stderr();
    let without_effect = properties.without_effect();
    if !without_effect.is_empty() {
        let _ = writeln!(stderr, "note: without effect here: {}", without_effect.join(", "));
    }
    let mut config = configure(options, &properties)?;
    let listen = config.address();
    let (has_sasl, has_tls) = (config.asks_for_sasl(), config.has_tls());
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
    if listen.ip().is_unspecified() {
        let _ =
            writeln!(stderr, "warning: clients are told to connect to {listen}: listen on the address that they know");
    }
    if !listen.ip().is_loopback() {
        let _ = writeln!(stderr, "warning: {listen} can be reached from outside, and {}", exposure(has_sasl, has_tls));
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

/// What those who reach the brokers can do.
const fn exposure(has_sasl: bool, has_tls: bool) -> &'static str {
    match (has_sasl, has_tls) {
        (false, false) => "there is no authentication",
        (false, true) => "whoever can speak TLS may do what the authorizer lets them",
        (true, false) => "without TLS passwords and records can be read on the way",
        (true, true) => "whoever knows a password may log in",
    }
}

/// The properties in the file and those of the command line, which count before.
fn read_properties(options: &Options) -> Result<BrokerProperties, String> {
    let mut properties = BrokerProperties::default();
    if let Some(file) = &options.properties {
        let name = file.display();
        let text = fs::read_to_string(file).map_err(|error| format!("--properties {name} cannot be read: {error}"))?;
        properties = text.parse().map_err(|error| format!("--properties {name}, {error}"))?;
    }
    for property in &options.property {
        let (name, value) =
            property.split_once('=').ok_or_else(|| format!("--property {property}: write NAME=VALUE"))?;
        properties.insert(name.trim(), value.trim()).map_err(|error| format!("--property {property}: {error}"))?;
    }
    Ok(properties)
}

/// The cluster that the properties say, and before them the options.
fn configure(options: &Options, properties: &BrokerProperties) -> Result<ClusterConfig, Box<dyn Error>> {
    let mut config = ClusterConfig::default().listen(LISTEN_DEFAULT);
    if let Some(brokers) = options.brokers {
        config = config.brokers(usize::from(brokers));
    }
    config = config.properties(properties)?;
    if !options.racks.is_empty() {
        config = config.racks(options.racks.iter().map(String::as_str)).rack_aware_fetch(true);
    }
    let count = config.broker_count();
    if let Some(brokers) = options.brokers.filter(|brokers| usize::from(*brokers) != count) {
        return Err(format!("--brokers {brokers}, but there are racks for {count}").into());
    }
    if let Some(listen) = options.listen {
        config = config.listen(listen);
    }
    if let Some(partitions) = options.partitions {
        config = config.partitions(partitions);
    }
    let given = properties.get("default.replication.factor").map(|_| config.replicas());
    let most = i16::try_from(count).unwrap_or(i16::MAX);
    let replicas = options.replication_factor.or(given).unwrap_or_else(|| most.min(REPLICAS_DEFAULT));
    if replicas > most {
        return Err(format!("--replication-factor {replicas} needs as many brokers: add --brokers {replicas}").into());
    }
    Ok(config.replication_factor(replicas))
}

/// The script in a file, or where it is wrong.
fn read_faults(file: &Path) -> Result<Script, String> {
    let name = file.display();
    let text = fs::read_to_string(file).map_err(|error| format!("--faults {name} cannot be read: {error}"))?;
    text.parse().map_err(|error| format!("--faults {name}, {error}"))
}

/// How many replicas a topic has where there are as many brokers.
const REPLICAS_DEFAULT: i16 = 3;

/// Where Kafka listens.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 9092));

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
    fn who_can_reach_a_broker_is_told_what_keeps_them_out() {
        assert!(exposure(false, false).contains("no authentication"));
        for (has_sasl, has_tls) in [(true, false), (true, true), (false, true)] {
            assert!(!exposure(has_sasl, has_tls).contains("no authentication"));
        }
    }

    #[test]
    fn what_to_change_stands_in_the_error() {
        let listen = address("localhost:9092").unwrap();
        let text = refused(listen, &io::ErrorKind::AddrInUse.into());
        assert!(text.starts_with("cannot listen on 127.0.0.1:9092: ") && text.contains("--listen 127.0.0.1:0"));
        assert!(address("9092").unwrap_err().contains("127.0.0.1:9092"));
    }
}
