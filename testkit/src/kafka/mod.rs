//! A real Apache Kafka for tests: one broker in KRaft mode, on free loopback ports, its data in a temporary folder.
//!
//! Everything here blocks; a test calls it before its runtime starts, or from `spawn_blocking`. The broker is stopped and
//! its data removed on drop, also when the test panics. When the test process dies without dropping anything, a shell
//! that holds the other end of a pipe stops the broker.
//!
//! - `jars`: where the jars come from
//! - [`Tools`]: Kafka's own command line tools, against any broker
#![expect(clippy::disallowed_methods, reason = "a front door waits for a process, by the clock")]

mod jars;
mod tools;

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{fmt, fs};

use tempfile::TempDir;

pub use self::jars::libs;
pub use self::tools::Tools;

/// The release that tests run on.
pub const VERSION: &str = "4.3.1";

/// How long a broker may take to start. It usually takes 3 s.
const START_MAX: Duration = Duration::from_secs(90);

/// Starts a program, and when the shell's own input ends, because whoever started it is gone, kills the program and removes
/// its folder.
const WATCHER: &str =
    r#"folder=$1; shift; "$@" & child=$!; cat >/dev/null; kill -9 $child; wait $child; rm -rf "$folder""#;

/// A running broker.
#[derive(Debug)]
pub struct Kafka {
    bootstrap: String,
    tools: Tools,
    watcher: Child,
    /// Removed when the broker is stopped.
    data: TempDir,
}

/// Why there is no broker.
#[derive(Debug)]
#[non_exhaustive]
pub enum KafkaError {
    /// Java, Maven or the jars are not there.
    Missing(String),
    /// They are, and it did not start.
    Failed(String),
}

impl fmt::Display for KafkaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(reason) => write!(f, "Apache Kafka is not there: {reason}"),
            Self::Failed(reason) => write!(f, "Apache Kafka did not start: {reason}"),
        }
    }
}

impl std::error::Error for KafkaError {}

impl Kafka {
    /// Starts a broker and waits until it answers.
    ///
    /// # Errors
    /// When Java, Maven or the jars are missing, or the broker does not start.
    pub fn start() -> Result<Self, KafkaError> {
        let tools = Tools::resolve()?;
        let failed = |error: io::Error| KafkaError::Failed(error.to_string());
        let data = TempDir::with_prefix("tidemill-kafka-").map_err(failed)?;
        let (port, controller_port) = (free_port().map_err(failed)?, free_port().map_err(failed)?);
        let config = data.path().join("server.properties");
        fs::write(&config, properties(port, controller_port, data.path())).map_err(failed)?;

        let mut format = tools.java("kafka.tools.StorageTool", "-Xmx256m");
        format.args(["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"]).arg(&config);
        let formatted = format.output().map_err(failed)?;
        if !formatted.status.success() {
            return Err(KafkaError::Failed(String::from_utf8_lossy(&formatted.stderr).into_owned()));
        }

        let log = data.path().join("broker.log");
        let output = fs::File::create(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let watcher = Command::new("sh")
            .args(["-c", WATCHER, "sh"])
            .arg(data.path())
            .args(["java", "-Xmx512m", "-cp"])
            .arg(tools.classpath())
            .arg("kafka.Kafka")
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(failed)?;
        let kafka = Self { bootstrap: format!("127.0.0.1:{port}"), tools, watcher, data };
        kafka.wait_ready(port, &log)?;
        Ok(kafka)
    }

    /// The broker that the tests of this process share, started on first use. `None`, after a line that says so, when it
    /// cannot be had; with `TIDEMILL_REQUIRE_KAFKA=1` that fails the test instead.
    ///
    /// # Panics
    /// When there is none and it is required, or when it is there and does not start.
    pub fn shared() -> Option<&'static Self> {
        static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
        let shared = SHARED.get_or_init(|| match Self::start() {
            Ok(kafka) => Some(kafka),
            Err(KafkaError::Missing(reason)) if !is_required() => {
                eprintln!("not run: tests on real Kafka need Java 17 and Maven ({reason})");
                None
            }
            Err(error) => panic!("{error}"),
        });
        shared.as_ref()
    }

    /// Its address, as `host:port`.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// Runs one of Kafka's own tools, by the name of its class, with `input` on its standard input.
    ///
    /// # Errors
    /// When the tool cannot be started or its pipes break.
    pub fn run_tool(&self, class: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
        self.tools.run(class, arguments, input)
    }

    /// The folder with the broker's files; its log segments lie in `data` below it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.data.path()
    }

    fn wait_ready(&self, port: u16, log: &Path) -> Result<(), KafkaError> {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let deadline = Instant::now() + START_MAX;
        while Instant::now() < deadline {
            // A broker that has its metadata answers ApiVersions; before that it refuses or stays silent.
            if answers(address).unwrap_or(false) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().rev().take(20).collect();
        let last: Vec<&str> = lines.into_iter().rev().collect();
        Err(KafkaError::Failed(format!("no answer within {START_MAX:?}; its last words:\n{}", last.join("\n"))))
    }
}

impl Drop for Kafka {
    fn drop(&mut self) {
        // The end of its input tells the watcher to kill the broker.
        drop(self.watcher.stdin.take());
        let _ = self.watcher.wait();
    }
}

/// Whether a missing Kafka is an error.
#[must_use]
pub fn is_required() -> bool {
    std::env::var("TIDEMILL_REQUIRE_KAFKA").is_ok_and(|value| value == "1")
}

/// Asks for ApiVersions in version 0: an empty body, and any answer will do.
fn answers(address: SocketAddr) -> io::Result<bool> {
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(1))?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 255, 255])?;
    let mut answer = [0; 10];
    stream.read_exact(&mut answer)?;
    let [.., high, low] = answer;
    Ok((high, low) == (0, 0))
}

/// A port that was free a moment ago.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port())
}

fn properties(port: u16, controller_port: u16, folder: &Path) -> String {
    let data = folder.join("data");
    format!(
        "process.roles=broker,controller\n\
         node.id=1\n\
         controller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT\n\
         log.dirs={data}\n\
         offsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=4\n\
         share.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n\
         group.initial.rebalance.delay.ms=0\n",
        data = data.display()
    )
}
