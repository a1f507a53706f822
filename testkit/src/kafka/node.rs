//! One node of a cluster: a broker that is also a controller, in a folder of its own.
//!
//! A node can be stopped, killed and started again, paused and resumed; ports and data stay. A shell stands between it and us: when our end of
//! the pipe is closed, because we dropped it or died, the shell kills the node and removes its folder.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::classes::Program;
use super::{KafkaError, Tools};

/// Starts and stops the node as it is told, a line at a time, and says each line back when it is done. When there are no
/// more lines, kills the node and removes its folder, and the folder around it once it is empty. Ctrl-C goes to the whole
/// group of processes: here it must not end anything before that.
const WATCHER: &str = r#"
folder=$1; shift
child=
trap : INT
while read -r line; do
    case $line in
        start) "$@" >>"$folder/broker.log" 2>&1 </dev/null & child=$! ;;
        stop) kill "$child"; wait "$child"; child= ;;
        kill) kill -9 "$child"; wait "$child"; child= ;;
        pause) kill -STOP "$child" ;;
        resume) kill -CONT "$child" ;;
    esac
    echo "$line"
done
if [ -n "$child" ]; then kill -9 "$child"; wait "$child"; fi
rm -rf "$folder"
rmdir "${folder%/*}"
"#;

#[derive(Debug)]
pub(super) struct Node {
    /// Where clients connect to.
    pub(super) address: SocketAddr,
    pub(super) folder: PathBuf,
    watcher: Mutex<Watcher>,
}

#[derive(Debug)]
struct Watcher {
    process: Child,
    lines: Option<ChildStdin>,
    done: BufReader<ChildStdout>,
    state: State,
}

/// Ended --start--> Running --pause--> Paused --resume--> Running --stop, kill--> Ended <--kill-- Paused
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ended,
    Running,
    Paused,
}

/// The ports of one node.
#[derive(Debug, Clone)]
pub(super) struct Ports {
    pub(super) broker: u16,
    pub(super) controller: u16,
    /// Of the listeners that were asked for, in their order.
    pub(super) listeners: Vec<u16>,
}

impl Ports {
    /// Ports that were free a moment ago, all different.
    pub(super) fn free(nodes: usize, listeners: usize) -> io::Result<Vec<Self>> {
        // All are held until all are known.
        let hold = |_| (0..listeners + 2).map(|_| bind()).collect::<io::Result<Vec<TcpListener>>>();
        let held: Vec<Vec<TcpListener>> = (0..nodes).map(hold).collect::<io::Result<_>>()?;
        let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
        let ports = |held: &Vec<TcpListener>| match &held[..] {
            [broker, controller, listeners @ ..] => Ok(Self {
                broker: port(broker)?,
                controller: port(controller)?,
                listeners: listeners.iter().map(port).collect::<io::Result<_>>()?,
            }),
            _ => Err(io::Error::other("fewer ports than were asked for")),
        };
        held.iter().map(ports).collect()
    }
}

impl Node {
    /// A node that is not running yet, in a new folder.
    pub(super) fn new(
        folder: PathBuf,
        port: u16,
        properties: &str,
        credentials: &[String],
        tools: &Tools,
    ) -> Result<Self, KafkaError> {
        let failed = |error: io::Error| KafkaError::Failed(error.to_string());
        fs::create_dir(&folder).map_err(failed)?;
        let config = folder.join("server.properties");
        fs::write(&config, properties).map_err(failed)?;
        format(tools, &config, credentials)?;
        let mut process = Command::new("sh")
            .args(["-c", WATCHER, "sh"])
            .arg(&folder)
            // Quick to start and few threads: several may share a small machine, and none runs for long.
            .args(["java", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"])
            .args(tools.options(Program::Broker))
            .arg("-cp")
            .arg(tools.classpath())
            .arg("kafka.Kafka")
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        let (Some(lines), Some(done)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(KafkaError::Failed("a shell without pipes".to_owned()));
        };
        let watcher = Watcher { process, lines: Some(lines), done: BufReader::new(done), state: State::Ended };
        Ok(Self { address: SocketAddr::from(([127, 0, 0, 1], port)), folder, watcher: Mutex::new(watcher) })
    }

    /// Starts its process, if there is none. It takes a while to answer.
    pub(super) fn start(&self) -> io::Result<()> {
        self.watcher().tell("start", &[State::Ended], State::Running)
    }

    /// Asks its process to end, and waits for it: partitions get other leaders first. One that is paused goes on for that.
    pub(super) fn stop(&self) -> io::Result<()> {
        let mut watcher = self.watcher();
        watcher.tell("resume", &[State::Paused], State::Running)?;
        watcher.tell("stop", &[State::Running], State::Ended)
    }

    /// Ends its process at once.
    pub(super) fn kill(&self) -> io::Result<()> {
        self.watcher().tell("kill", &[State::Running, State::Paused], State::Ended)
    }

    /// Holds its process, if it runs.
    pub(super) fn pause(&self) -> io::Result<()> {
        self.watcher().tell("pause", &[State::Running], State::Paused)
    }

    /// Lets its process go on, if it is paused.
    pub(super) fn resume(&self) -> io::Result<()> {
        self.watcher().tell("resume", &[State::Paused], State::Running)
    }

    pub(super) fn is_running(&self) -> bool {
        self.watcher().state == State::Running
    }

    /// The end of what it has logged.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(self.folder.join("broker.log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
    }

    fn watcher(&self) -> MutexGuard<'_, Watcher> {
        self.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watcher {
    /// Has the shell do what the line says, if the process is in one of these states.
    fn tell(&mut self, line: &str, from: &[State], to: State) -> io::Result<()> {
        if !from.contains(&self.state) {
            return Ok(());
        }
        self.state = to;
        if let Some(lines) = &mut self.lines {
            writeln!(lines, "{line}")?;
        }
        let mut done = String::new();
        self.done.read_line(&mut done)?;
        if done.trim_end() == line { Ok(()) } else { Err(io::Error::other("the shell around the broker is gone")) }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let watcher = self.watcher.get_mut().unwrap_or_else(PoisonError::into_inner);
        // The end of its lines tells the watcher to kill the node.
        watcher.lines = None;
        let _ = watcher.process.wait();
    }
}

/// Takes a port below those that the system gives to outgoing connections: while a broker is stopped, none of them can take
/// its port, nor can a client that keeps trying to reach it come to be connected to itself.
fn bind() -> io::Result<TcpListener> {
    let drawn = (0..100).find_map(|_| TcpListener::bind(("127.0.0.1", fastrand::u16(20_000..32_000))).ok());
    drawn.map_or_else(|| TcpListener::bind(("127.0.0.1", 0)), Ok)
}

fn format(tools: &Tools, config: &Path, credentials: &[String]) -> Result<(), KafkaError> {
    let mut format = tools.java("kafka.tools.StorageTool", "-Xmx256m");
    format.args(["format", "-t", "MkU3OEVBNTcwNTJENDM2Qg", "-c"]).arg(config);
    for credential in credentials {
        format.arg("--add-scram").arg(credential);
    }
    let formatted = format.output().map_err(|error| KafkaError::Failed(error.to_string()))?;
    if formatted.status.success() {
        return Ok(());
    }
    Err(KafkaError::Failed(String::from_utf8_lossy(&formatted.stderr).into_owned()))
}
