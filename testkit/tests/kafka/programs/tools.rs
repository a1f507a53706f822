//! Kafka's own command line tools on both clusters: what they print has to be the same.
//!
//! `tools.txt` lists what is run, in order, by the names of Kafka's scripts. In front of a command: `!` runs it once, `?`
//! until both clusters print the same, for at most 20 s, as real brokers hear of changes one after the other. Lines below
//! it, indented: `says` what has to be printed, `without` a pattern of lines that are left out, `hides` a pattern that may
//! differ, `input` what the tool reads. `file NAME CONTENT` makes a file in the folder that commands call `{folder}`.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use regex::{Captures, Regex};
use tempfile::TempDir;

use super::{ours, three_brokers};
use crate::java::{ToolRunner, java};

const SETTLED_MAX: Duration = Duration::from_secs(20);

/// The class behind one of Kafka's scripts.
fn class(script: &str) -> &'static str {
    match script {
        "kafka-acls" => "org.apache.kafka.tools.AclCommand",
        "kafka-broker-api-versions" => "org.apache.kafka.tools.BrokerApiVersionsCommand",
        "kafka-client-metrics" => "org.apache.kafka.tools.ClientMetricsCommand",
        "kafka-cluster" => "org.apache.kafka.tools.ClusterTool",
        "kafka-configs" => "kafka.admin.ConfigCommand",
        "kafka-console-consumer" => "org.apache.kafka.tools.consumer.ConsoleConsumer",
        "kafka-console-producer" => "org.apache.kafka.tools.ConsoleProducer",
        "kafka-consumer-groups" => "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
        "kafka-consumer-perf-test" => "org.apache.kafka.tools.ConsumerPerformance",
        "kafka-delegation-tokens" => "org.apache.kafka.tools.DelegationTokenCommand",
        "kafka-delete-records" => "org.apache.kafka.tools.DeleteRecordsCommand",
        "kafka-e2e-latency" => "org.apache.kafka.tools.EndToEndLatency",
        "kafka-features" => "org.apache.kafka.tools.FeatureCommand",
        "kafka-get-offsets" => "org.apache.kafka.tools.GetOffsetShell",
        "kafka-groups" => "org.apache.kafka.tools.GroupsCommand",
        "kafka-leader-election" => "org.apache.kafka.tools.LeaderElectionCommand",
        "kafka-log-dirs" => "org.apache.kafka.tools.LogDirsCommand",
        "kafka-metadata-quorum" => "org.apache.kafka.tools.MetadataQuorumCommand",
        "kafka-producer-perf-test" => "org.apache.kafka.tools.ProducerPerformance",
        "kafka-reassign-partitions" => "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
        "kafka-replica-verification" => "org.apache.kafka.tools.ReplicaVerificationTool",
        "kafka-topics" => "org.apache.kafka.tools.TopicCommand",
        "kafka-transactions" => "org.apache.kafka.tools.TransactionsCommand",
        "kafka-verifiable-consumer" => "org.apache.kafka.tools.VerifiableConsumer",
        "kafka-verifiable-producer" => "org.apache.kafka.tools.VerifiableProducer",
        "transactions" => "Transactions",
        unknown => panic!("{unknown} is none of Kafka's scripts that are known here"),
    }
}

#[derive(Debug, Default)]
struct Step {
    is_repeated: bool,
    command: String,
    input: String,
    says: Vec<String>,
    without: Vec<Regex>,
    hides: Vec<Regex>,
}

/// Reads the script; makes its files.
fn steps(script: &str, folder: &TempDir) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in script.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#')) {
        let (word, rest) = line.trim_start().split_once(' ').unwrap();
        let regex = || Regex::new(rest).unwrap();
        if matches!(word, "!" | "?") {
            steps.push(Step { is_repeated: word == "?", command: rest.to_owned(), ..Step::default() });
        } else if word == "file" {
            let (name, content) = rest.split_once(' ').unwrap();
            fs::write(folder.path().join(name), content).unwrap();
        } else {
            let step = steps.last_mut().unwrap();
            match word {
                "says" => step.says.push(rest.to_owned()),
                "without" => step.without.push(regex()),
                "hides" => step.hides.push(regex()),
                "input" => step.input = rest.replace("\\n", "\n"),
                unknown => panic!("{unknown} in: {line}"),
            }
        }
    }
    steps
}

/// One of the clusters.
struct Peer {
    bootstrap: String,
    folder: String,
    general: Vec<(Regex, &'static str)>,
}

impl Peer {
    fn new(bootstrap: &str, folder: &TempDir) -> Self {
        let general = [
            // Java's own warnings, and where in the program an exception came from.
            (r"(?m)^(\t(at |\.\.\. ).*|.*(WARN |SLF4J).*)$", ""),
            // What is there of the other cases.
            (r"(?m)^.*(\b(py|copy|streams|proxy|mark)-|python|elsewhere).*$", ""),
            (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
            (r"\b[0-9A-Za-z_-]{22}(\s|$)", "ID "),
            (r"\b1[0-9]{12}\b", "TIME"),
            (r"broker-\d\s+\(\d\)", "COORDINATOR"),
        ];
        let general = general.map(|(pattern, shown)| (Regex::new(pattern).unwrap(), shown)).into();
        let folder = folder.path().to_str().unwrap().to_owned();
        Self { bootstrap: bootstrap.to_owned(), folder, general }
    }

    /// What a step prints, without what has to differ; lines without their order.
    fn run(&self, runner: &mut ToolRunner, step: &Step) -> (String, String) {
        let command = step.command.replace("{folder}", &self.folder).replace("{bootstrap}", &self.bootstrap);
        let mut words = command.split_whitespace();
        let class = class(words.next().unwrap());
        let arguments: Vec<&str> = words.collect();
        let (printed, status) = runner.run(class, &arguments, &step.input);
        let mut printed = printed.join("\n");
        for (broker, address) in (1..).zip(self.bootstrap.split(',')) {
            printed = printed.replace(address, &format!("broker-{broker}"));
        }
        for (pattern, shown) in &self.general {
            printed = pattern.replace_all(&printed, *shown).into_owned();
        }
        // Those in sync are a set.
        let in_sync = Regex::new(r"Isr: [\d,]+").unwrap();
        printed = in_sync.replace_all(&printed, |found: &Captures<'_>| sorted(&found[0])).into_owned();
        for hidden in &step.hides {
            printed = hidden.replace_all(&printed, "").into_owned();
        }
        let squeezed = printed.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
        let mut lines: Vec<String> = squeezed.filter(|line| !line.is_empty()).collect();
        lines.retain(|line| !step.without.iter().any(|pattern| pattern.is_match(line)));
        lines.sort();
        (lines.join("\n"), status)
    }
}

fn sorted(list: &str) -> String {
    let mut items: Vec<&str> = list.trim_start_matches("Isr: ").split(',').collect();
    items.sort_unstable();
    format!("Isr: {}", items.join(","))
}

/// Both print the same, and what was expected.
fn run(ours: &Peer, theirs: &Peer, runner: &mut ToolRunner, step: &Step, settled_max: Duration) -> Result<(), String> {
    let deadline = Instant::now() + settled_max;
    loop {
        let (our_lines, our_status) = ours.run(runner, step);
        let (their_lines, their_status) = theirs.run(runner, step);
        let missing = step.says.iter().find(|said| !their_lines.contains(said.as_str()));
        if our_lines == their_lines && our_status == their_status && missing.is_none() {
            return Ok(());
        }
        if !step.is_repeated || Instant::now() > deadline {
            return Err(format!(
                "{}\nhas to say {missing:?}\n--- embedded, status {our_status}:\n{our_lines}\n--- Kafka, status \
                 {their_status}:\n{their_lines}\n",
                step.command
            ));
        }
        thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kafkas_tools_print_the_same_of_the_embedded_brokers() {
    let ours = ours().await;
    let bootstrap = ours.bootstrap().to_owned();
    let compare = move || {
        let (Some(java), Some(theirs)) = (java(), three_brokers()) else { return };
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/kafka/programs/tools.txt");
        let folder = TempDir::new().unwrap();
        let steps = steps(&fs::read_to_string(script).unwrap(), &folder);
        let (ours, theirs) = (Peer::new(&bootstrap, &folder), Peer::new(theirs.bootstrap(), &folder));
        let mut runner = ToolRunner::start(java);
        let mut differences = Vec::new();
        for step in &steps {
            // What differs once will not be the same later on.
            let settled_max = if differences.is_empty() { SETTLED_MAX } else { Duration::from_millis(1500) };
            if let Err(difference) = run(&ours, &theirs, &mut runner, step, settled_max) {
                println!("{difference}");
                differences.push(difference);
            }
        }
        assert!(differences.is_empty(), "{} of {} steps differ", differences.len(), steps.len());
    };
    tokio::task::spawn_blocking(compare).await.unwrap();
}
