//! `tidemill demo` and `tidemill broker` as a user starts them.
#![cfg(feature = "embedded")]
#![expect(clippy::disallowed_methods, reason = "tests read the clock")]
#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;
use tidemill_client::{Producer, Record};

/// Far beyond what anything here takes, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn tidemill(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidemill"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn output(arguments: &[&str]) -> Output {
    tidemill(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// A process that is ended with the test.
struct Running {
    child: Child,
    lines: Receiver<String>,
    stderr: BufReader<ChildStderr>,
}

impl Running {
    fn start(arguments: &[&str]) -> Self {
        let mut child = tidemill(arguments).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = channel();
        std::thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, lines, stderr }
    }

    /// The next line of standard output.
    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line on standard output")
    }

    /// Sends a signal, and waits for the end.
    #[cfg(unix)]
    fn signal(&mut self, signal: &str) -> (Option<i32>, String, Duration) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        self.ended()
    }

    /// Waits for the end: the exit code, what was said on stderr, and how long it took.
    fn ended(&mut self) -> (Option<i32>, String, Duration) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(start.elapsed() < PATIENCE, "it runs on");
            std::thread::sleep(Duration::from_millis(5));
        };
        let took = start.elapsed();
        let mut stderr = String::new();
        self.stderr.read_to_string(&mut stderr).unwrap();
        (status.code(), stderr, took)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn every_window_is_one_line_and_its_sum_is_right() {
    let Output { status, stdout, stderr } = output(&["demo", "--windows", "3", "--speed", "2000", "--users", "100"]);
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    assert_eq!(status.code(), Some(0), "{stderr}");
    let windows: Vec<Value> = stdout.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert_eq!(windows.len(), 3, "{stdout}");
    for window in &windows {
        let number = |name: &str| window[name].as_u64().unwrap_or_else(|| panic!("{name} in {window}"));
        assert!(number("clicks") > 0);
        assert_eq!(number("sum_cnt"), number("clicks"));
        assert!((1..=100).contains(&number("users")));
        let counts: Vec<u64> =
            window["top"].as_array().unwrap().iter().map(|top| top["cnt"].as_u64().unwrap()).collect();
        assert!(counts.is_sorted_by(|one, other| one >= other), "{window}");
        assert!(counts.iter().sum::<u64>() <= number("sum_cnt"));
    }
    // A window that is whole takes 0.9 seconds at this speed.
    let clicks = windows[1]["clicks"].as_u64().unwrap();
    assert!(clicks > 1000, "at 10,000 clicks a second there are only {clicks} in a window");
    assert_eq!(windows[0]["window_end"], windows[1]["window_start"]);
    assert_eq!(windows[1]["window_end"], windows[2]["window_start"]);
    assert!(stderr.contains("kcat -C -b 127.0.0.1:") && stderr.contains(" -t top_users"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn control_c_ends_the_demo_well() {
    let mut demo = Running::start(&["demo", "--speed", "2000"]);
    demo.line();
    let (code, stderr, took) = demo.signal("-INT");
    println!("ended after {took:?}");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(!stderr.contains("error"), "{stderr}");
}

#[test]
fn the_demo_ends_well_when_nobody_reads_on() {
    let mut child = tidemill(&["demo", "--speed", "4000"]).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let Output { status, stderr, .. } = child.wait_with_output().unwrap();
    assert_eq!(status.code(), Some(0), "{}", text(&stderr));
}

/// The check is no ornament: one row too many, and the demo fails.
#[tokio::test]
async fn a_result_that_the_job_did_not_write_is_found() {
    let mut demo = Running::start(&["demo", "--speed", "2000"]);
    let mut first = String::new();
    demo.stderr.read_line(&mut first).unwrap();
    let bootstrap = first.trim().strip_prefix("broker: ").expect(&first);
    let window: Value = serde_json::from_str(&demo.line()).unwrap();

    let row = format!(r#"{{"user_id":-1,"cnt":1,"window_start":{}}}"#, window["window_start"]);
    let producer = Producer::from_properties([("bootstrap.servers", bootstrap)]).unwrap();
    producer.send(Record::new("top_users").value(row.as_bytes())).await.unwrap().await.unwrap();

    let (code, stderr, _) = demo.ended();
    assert_eq!(code, Some(1), "{stderr}");
    assert!(stderr.contains("the results are wrong: a row of user -1 came after its window"), "{stderr}");
}

#[test]
fn a_wrong_number_is_an_error_of_usage() {
    for arguments in
        [["demo", "--speed=0"], ["demo", "--windows=0"], ["demo", "--users=none"], ["broker", "--listen=9092"]]
    {
        let Output { status, stderr, .. } = output(&arguments);
        assert_eq!(status.code(), Some(2), "{arguments:?}: {}", text(&stderr));
    }
}

#[cfg(unix)]
#[test]
fn the_broker_serves_until_it_is_terminated() {
    let mut broker = Running::start(&["broker", "--listen", "127.0.0.1:0"]);
    let bootstrap = broker.line();
    let mut connection = TcpStream::connect(&bootstrap).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    // ApiVersions 0: API key 18, version 0, correlation id 7, no client id.
    connection.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff]).unwrap();
    let mut head = [0; 10];
    connection.read_exact(&mut head).unwrap();
    assert_eq!(head[4..], [0, 0, 0, 7, 0, 0], "correlation id and no error");

    let (code, stderr, took) = broker.signal("-TERM");
    println!("ended after {took:?}");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert!(stderr.contains(&format!("kcat -C -b {bootstrap}")), "{stderr}");
    assert!(!stderr.contains("warning"), "{stderr}");
    assert!(TcpStream::connect(&bootstrap).is_err(), "nobody listens any more");
}

#[test]
fn a_port_that_is_taken_is_named_with_what_to_change() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let Output { status, stdout, stderr } = output(&["broker", "--listen", &address]);
    let stderr = text(&stderr);
    assert_eq!(status.code(), Some(1), "{stderr}");
    assert!(stdout.is_empty());
    assert!(stderr.contains(&address) && stderr.contains("--listen"), "{stderr}");
}

#[cfg(unix)]
#[test]
fn a_broker_that_can_be_reached_from_outside_says_so() {
    let mut broker = Running::start(&["broker", "--listen", "0.0.0.0:0"]);
    broker.line();
    let (code, stderr, _) = broker.signal("-INT");
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("no authentication"), "{stderr}");
}
