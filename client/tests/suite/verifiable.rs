//! The verifiable programs: what they print is a history that holds, also when they are stopped or killed.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tidemill_testkit::history::json::{Breach, Programs, Role};
use tidemill_testkit::history::{Action, ClientId, Invariant, Isolation};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;

use crate::bed::{Bed, PATIENCE, over_tcp};

over_tcp! {
    what_is_written_is_read_once_by_one_member_after_the_other(2);
    members_that_are_stopped_and_killed_lose_nothing(3);
    a_producer_that_is_stopped_has_told_of_every_record(1);
    a_consumer_that_commits_by_itself_goes_on_where_it_stopped(1);
}

const ORACLE: ClientId = ClientId(30);
const PRODUCER: Role = Role::Producer { acks_all: true, idempotent: true };

/// A program that runs, and what it has printed. Somebody always listens: one that nobody hears would wait, and be late.
struct Program {
    child: Child,
    printed: watch::Receiver<String>,
}

impl Program {
    /// With these options, on the topic of the case.
    fn start(bed: &Bed, name: &str, options: &[&str]) -> Self {
        let mut child = Command::new(built(name))
            .args(["--bootstrap-server", bed.bootstrap(), "--topic", &bed.topic])
            .args(options)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (tell, printed) = watch::channel(String::new());
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                tell.send_modify(|printed| printed.extend([&*line, "\n"]));
            }
        });
        Self { child, printed }
    }

    /// Waits until there are this many lines of the event.
    async fn until(&mut self, event: &str, count: usize) {
        let name = format!("\"name\":\"{event}\"");
        let enough = self.printed.wait_for(|printed| printed.matches(&name).count() >= count);
        let outcome = tokio::time::timeout(PATIENCE, enough).await.map(|enough| enough.is_ok());
        assert!(outcome == Ok(true), "{count} of {event} are not there:\n{}", *self.printed.borrow());
    }

    /// How often it has printed an event.
    fn count(&self, event: &str) -> usize {
        self.printed.borrow().matches(&format!("\"name\":\"{event}\"")).count()
    }

    fn signal(&self, signal: Signal) {
        let id = i32::try_from(self.child.id().unwrap()).unwrap();
        kill(Pid::from_raw(id), signal).unwrap();
    }

    /// All that it printed, when it has ended.
    async fn ended(mut self) -> (ExitStatus, String) {
        let status = tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends").unwrap();
        // Until the one who listens has heard the last.
        while self.printed.changed().await.is_ok() {}
        let printed = self.printed.borrow().clone();
        (status, printed)
    }

    /// All that it printed, when it has ended well.
    async fn done(self) -> String {
        let (status, printed) = self.ended().await;
        assert!(status.success(), "{status}:\n{printed}");
        printed
    }
}

fn consumer_of(group: &str) -> Role {
    Role::Consumer { group: group.into(), isolation: Isolation::ReadUncommitted }
}

/// The program, an example of this package: `cargo test` has built it, unless it was told to run these tests alone.
fn built(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let tests = std::env::current_exe().unwrap();
        let folder = tests.parent().unwrap().parent().unwrap().join("examples");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
        let changed = |path: PathBuf| path.metadata().and_then(|it| it.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
        let is_new = ["verifiable_producer", "verifiable_consumer"].iter().all(|name| {
            let source = changed(sources.join(format!("{name}.rs"))).max(changed(sources.join("verifiable/mod.rs")));
            changed(folder.join(name)) > source
        });
        if !is_new {
            let examples = ["--example", "verifiable_producer", "--example", "verifiable_consumer"];
            let build = std::process::Command::new(env!("CARGO"))
                .args(["build", "-p", env!("CARGO_PKG_NAME")])
                .args(examples)
                .current_dir(env!("CARGO_MANIFEST_DIR"))
                .status()
                .unwrap();
            assert!(build.success());
        }
        folder
    });
    folder.join(name)
}

/// Everything in the topic, as one more group reads it.
async fn oracle(bed: &Bed, count: usize) -> String {
    let options = ["--group-id", &format!("{}-oracle", bed.group), "--verbose", "--max-messages", &count.to_string()];
    Program::start(bed, "verifiable_consumer", &options).done().await
}

/// The history of these programs and the oracle holds.
fn assert_holds(mut programs: Programs, oracle: &str, records: usize, invariants: &[Invariant]) {
    programs.read(ORACLE, &consumer_of("oracle"), oracle).unwrap();
    let logs = programs.logs_of(ORACLE);
    let mut history = programs.into_history();
    history.logs.partitions = logs;
    let sends = history.operations().filter(|(_, operation)| matches!(operation.action, Action::Send(_)));
    assert_eq!(sends.count(), records);
    history.assert_holds(invariants);
}

const ALWAYS: [Invariant; 6] = [
    Invariant::AckedInLogOnce,
    Invariant::IdempotentOnce,
    Invariant::SendOrder,
    Invariant::ReadersAgree,
    Invariant::PollsContiguous,
    Invariant::OneOwner,
];

async fn what_is_written_is_read_once_by_one_member_after_the_other(bed: Bed) {
    const RECORDS: usize = 2_000;
    let mut programs = Programs::default();
    let options = ["--max-messages", "2000", "--repeating-keys", "7", "--value-prefix", "4", "--acks", "-1"];
    let printed = Program::start(&bed, "verifiable_producer", &options).done().await;
    assert!(printed.contains("\"value\":\"4.1999\""));
    programs.read(ClientId(1), &PRODUCER, &printed).unwrap();
    for (client, count, extra) in [(20, "700", "--verbose"), (21, "1300", "--assignment-strategy=roundrobin")] {
        let options = ["--group-id", &bed.group, "--max-messages", count, "--session-timeout", "6000", extra];
        let printed = Program::start(&bed, "verifiable_consumer", &options).done().await;
        programs.read(ClientId(client), &consumer_of(&bed.group), &printed).unwrap();
    }
    assert_eq!(programs.breaches(), []);
    let read = oracle(&bed, RECORDS).await;
    let more = [Invariant::CommitsForward, Invariant::AtLeastOnce, Invariant::InconsistentOffsets];
    assert_holds(programs, &read, RECORDS, &[&ALWAYS[..], &more].concat());
}

async fn members_that_are_stopped_and_killed_lose_nothing(bed: Bed) {
    const RECORDS: usize = 3_000;
    let mut programs = Programs::default();
    // For longer than it takes a second member to be let in, which is a heartbeat of the first.
    let options = ["--max-messages", "3000", "--throughput", "250", "--repeating-keys", "50"];
    let producer = Program::start(&bed, "verifiable_producer", &options);
    let member = |client| {
        let options = ["--group-id", &bed.group, "--session-timeout", "6000", "--verbose"];
        (ClientId(client), Program::start(&bed, "verifiable_consumer", &options))
    };
    let (mut stopped, mut killed) = (member(20), member(21));
    stopped.1.until("offsets_committed", 3).await;
    killed.1.until("offsets_committed", 2).await;
    stopped.1.signal(Signal::SIGTERM);
    let printed = stopped.1.done().await;
    assert!(printed.contains("shutdown_complete"));
    programs.read(stopped.0, &consumer_of(&bed.group), &printed).unwrap();
    // It reads on alone.
    let more = killed.1.count("offsets_committed") + 2;
    killed.1.until("offsets_committed", more).await;
    killed.1.signal(Signal::SIGKILL);
    let (status, printed) = killed.1.ended().await;
    assert!(!status.success());
    // A line that it was in the middle of is none.
    programs.read(killed.0, &consumer_of(&bed.group), &printed).unwrap();
    let breaches = programs.breaches().to_vec();
    assert_eq!(breaches, [(killed.0, Breach::NoShutdown)]);

    let printed = producer.done().await;
    programs.read(ClientId(1), &PRODUCER, &printed).unwrap();
    let (client, last) = member(22);
    let read_all = async {
        let admin = tidemill_client::Admin::new(bed.client(&[])).unwrap();
        let isolation = tidemill_client::IsolationLevel::ReadUncommitted;
        loop {
            let lag = admin.group_lag(&bed.group, isolation, PATIENCE).await.unwrap();
            let behind: i64 = lag.iter().map(|(_, lag)| lag.as_ref().unwrap().lag()).sum();
            if behind == 0 && lag.len() == 3 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(PATIENCE, read_all).await.expect("all is read");
    last.signal(Signal::SIGINT);
    let printed = last.done().await;
    programs.read(client, &consumer_of(&bed.group), &printed).unwrap();
    assert_eq!(programs.breaches().len(), 1, "{:?}", programs.breaches());
    let read = oracle(&bed, RECORDS).await;
    assert_holds(programs, &read, RECORDS, &[&ALWAYS[..], &[Invariant::AtLeastOnce]].concat());
}

async fn a_producer_that_is_stopped_has_told_of_every_record(bed: Bed) {
    let mut programs = Programs::default();
    let mut producer = Program::start(&bed, "verifiable_producer", &["--message-create-time", "5000"]);
    producer.until("producer_send_success", 500).await;
    producer.signal(Signal::SIGTERM);
    let printed = producer.done().await;
    programs.read(ClientId(1), &PRODUCER, &printed).unwrap();
    assert_eq!(programs.breaches(), []);
    let sent = printed.matches("producer_send_success").count();
    assert!(printed.contains(&format!("\"sent\":{sent},\"acked\":{sent},")), "{}", printed.lines().last().unwrap());
    let read = oracle(&bed, sent).await;
    assert_holds(programs, &read, sent, &ALWAYS[..2]);
}

async fn a_consumer_that_commits_by_itself_goes_on_where_it_stopped(bed: Bed) {
    let mut programs = Programs::default();
    let printed = Program::start(&bed, "verifiable_producer", &["--max-messages", "600"]).done().await;
    programs.read(ClientId(1), &PRODUCER, &printed).unwrap();
    let options = ["--group-id", &bed.group, "--enable-autocommit", "--group-instance-id", "one"];
    let mut read = 0;
    for client in [20, 21] {
        let mut consumer = Program::start(&bed, "verifiable_consumer", &options);
        if client == 20 {
            consumer.until("records_consumed", 1).await;
        } else {
            consumer.until("partitions_assigned", 1).await;
            let more = Program::start(&bed, "verifiable_producer", &["--max-messages", "10", "--value-prefix", "2"]);
            programs.read(ClientId(2), &PRODUCER, &more.done().await).unwrap();
            consumer.until("records_consumed", 1).await;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        consumer.signal(Signal::SIGTERM);
        let printed = consumer.done().await;
        assert!(!printed.contains("offsets_committed"));
        let counts = printed.lines().filter(|line| line.contains("records_consumed"));
        let count = |line: &str| -> usize {
            line.split("\"count\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap()
        };
        read += counts.map(count).sum::<usize>();
        programs.read(ClientId(client), &consumer_of(&bed.group), &printed).unwrap();
    }
    assert_eq!(programs.breaches(), []);
    assert_eq!(read, 610, "none twice");
}

#[tokio::test]
async fn a_wrong_option_is_named() {
    let run = async |name: &str, options: &[&str]| {
        let output = Command::new(built(name)).args(options).output().await.unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let producer = "verifiable_producer";
    assert_eq!(run(producer, &["--bootstrap-server", "b:1"]).await, "error: --topic is missing\n");
    let told = run(producer, &["--topic", "t", "--bootstrap-server", "b:1", "--acks", "2"]).await;
    assert_eq!(told, "error: --acks cannot be 2: it is -1, 0 or 1\n");
    assert!(run(producer, &["--topics", "t"]).await.contains("there is no option --topics"));
    let consumer = ["--topic", "t", "--bootstrap-server", "b:1", "--group-id", "g", "--reset-policy", "first"];
    assert!(run("verifiable_consumer", &consumer).await.contains("earliest, latest or none"));
}
