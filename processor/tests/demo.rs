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

/// Sends a frame and reads the answer to it; none when the connection is closed instead.
fn ask(connection: &mut TcpStream, frame: &[u8]) -> Option<Vec<u8>> {
    connection.write_all(&u32::try_from(frame.len()).unwrap().to_be_bytes()).unwrap();
    connection.write_all(frame).unwrap();
    let mut length = [0; 4];
    connection.read_exact(&mut length).ok()?;
    let mut answer = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
    connection.read_exact(&mut answer).ok()?;
    Some(answer)
}

fn connect(address: &str) -> TcpStream {
    let connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    connection
}

/// A request of this API and version, with correlation id 7 and no client id.
fn request(api: u8, version: u8, body: &[u8]) -> Vec<u8> {
    [&[0, api, 0, version, 0, 0, 0, 7, 0xff, 0xff], body].concat()
}

fn string(text: &str) -> Vec<u8> {
    [&u16::try_from(text.len()).unwrap().to_be_bytes(), text.as_bytes()].concat()
}

#[tokio::test]
async fn a_client_feels_the_faults_of_a_script_and_gets_over_them() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("faults");
    std::fs::write(&script, "Produce nth=2: lose reply\nListOffsets times=1: error REQUEST_TIMED_OUT\n").unwrap();
    let file = script.to_str().unwrap();
    let broker = Running::start(&["broker", "--listen", "127.0.0.1:0", "--faults", file, "--seed", "7"]);
    let bootstrap = broker.line();
    let properties = [("bootstrap.servers", bootstrap.as_str()), ("request.timeout.ms", "1000")];
    let producer = Producer::from_properties(properties).unwrap();
    let start = Instant::now();
    for value in ["a", "b", "c"] {
        producer.send(Record::new("clicks").value(value.as_bytes())).await.unwrap().await.unwrap();
    }
    assert!(start.elapsed() >= Duration::from_secs(1), "an answer was lost, and waited for");
    assert_eq!(latest(&bootstrap).0, 7, "REQUEST_TIMED_OUT, once");
    assert_eq!(latest(&bootstrap), (0, 3), "what was sent again is there once");
}

/// The error, and how many records there are in the only partition of `clicks`: ListOffsets 1, of the latest.
fn latest(bootstrap: &str) -> (i16, i64) {
    let one = 1_u32.to_be_bytes();
    let body = [&[0xff; 4], &one[..], &string("clicks"), &one, &[0; 4], &[0xff; 8]].concat();
    let answer = ask(&mut connect(bootstrap), &request(2, 1, &body)).unwrap();
    let (_, end) = answer.split_at(answer.len() - 18);
    (i16::from_be_bytes([end[0], end[1]]), i64::from_be_bytes(end[10..].try_into().unwrap()))
}

#[cfg(unix)]
#[test]
fn properties_of_kafka_make_the_cluster_that_they_say() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("server.properties");
    let text = "process.roles=broker,controller\nnum.partitions=4\n\
                listeners=SASL_PLAINTEXT://127.0.0.1:0\nsasl.enabled.mechanisms=PLAIN\n\
                listener.name.sasl_plaintext.plain.sasl.jaas.config=\\\n  \
                org.apache.kafka.common.security.plain.PlainLoginModule required user_alice=\"alice-secret\";\n";
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let mut broker =
        Running::start(&["broker", "--brokers", "3", "--properties", file, "--property", "num.partitions=5"]);
    let bootstrap = broker.line();
    let addresses: Vec<&str> = bootstrap.split(',').collect();
    assert_eq!(addresses.len(), 3);
    for address in addresses {
        // Metadata is not for who has not shown who it is.
        assert!(ask(&mut connect(address), &request(3, 1, &0_u32.to_be_bytes())).is_none());
        for (password, code) in [("wrong", 58), ("alice-secret", 0)] {
            let mut connection = connect(address);
            assert_eq!(ask(&mut connection, &request(17, 1, &string("PLAIN"))).unwrap()[4..6], [0, 0]);
            let token = [b"\0alice\0", password.as_bytes()].concat();
            let token = [&u32::try_from(token.len()).unwrap().to_be_bytes(), &token[..]].concat();
            assert_eq!(ask(&mut connection, &request(36, 0, &token)).unwrap()[4..6], [0, code], "{password}");
            if code == 0 {
                // Metadata 1 of a topic that is made by that, and has no partitions yet when it is first asked for. Behind
                // its name stands whether it is internal, then how many partitions it has.
                let topics = [&1_u32.to_be_bytes()[..], &string("clicks")].concat();
                let mut metadata = || ask(&mut connection, &request(3, 1, &topics)).unwrap();
                let _ = metadata();
                let answer = metadata();
                assert_eq!(answer[4..8], 3_u32.to_be_bytes(), "three brokers");
                let at = answer.windows(6).position(|part| part == b"clicks").unwrap() + 7;
                assert_eq!(answer[at..at + 4], 5_u32.to_be_bytes(), "--property counts before the file");
            }
        }
    }
    let (_, stderr, _) = broker.signal("-TERM");
    assert!(stderr.contains("note: without effect here: process.roles\n"), "{stderr}");
    assert!(!stderr.contains("alice-secret"), "{stderr}");
}

#[test]
fn a_property_that_kafka_does_not_know_is_refused_with_what_was_meant() {
    let Output { status, stderr, .. } = output(&["broker", "--property", "num.partitons=3"]);
    assert_eq!(status.code(), Some(1));
    assert!(text(&stderr).contains("did you mean `num.partitions`?"), "{}", text(&stderr));
}
