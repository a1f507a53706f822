//! A Kafka Streams application counts words with `processing.guarantee=exactly_once_v2`: it is closed, killed in the middle of a
//! transaction, and started again, and every count is there once.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::{ours, rounds, three_brokers};
use crate::java::{Program, ToolRunner, java};
use tidemill_testkit::kafka::Tools;

const NAME: &str = "streams-app";

/// Lines of input that each start of the application finds more than the last; each has two words.
const LINES: usize = 300;

/// How long the application takes for each word, in milliseconds, when it is to be ended in the middle.
const SLOWLY: &str = "1";

/// Waits until it has counted so many words.
fn wait_counted(program: &mut Program, words: usize) {
    while program.wait_for("counted ").parse::<usize>().unwrap() < words {}
}

/// How many records the stores were made of again.
fn restored(program: &mut Program) -> u64 {
    program.wait_for("restored ").parse().unwrap()
}

/// Runs it through everything; what the topics are like in the end.
fn count_words(java: &Tools, bootstrap: &str) -> Vec<String> {
    let mut runner = ToolRunner::start(java);
    let (lines, counts) = (format!("{NAME}-lines"), format!("{NAME}-counts"));
    for topic in [&lines, &counts] {
        runner.succeed("Topics", &["create", bootstrap, topic, "2"], "");
    }
    let mut written = 0;
    let mut write = |runner: &mut ToolRunner| {
        let (first, last) = (written.to_string(), (written + LINES).to_string());
        runner.succeed("Topics", &["write", bootstrap, &lines, &first, &last], "");
        written += LINES;
        written
    };
    let state = TempDir::new().unwrap();
    let start = |pause: &str| {
        let mut program = Program::start(java, "WordCount", &[bootstrap, NAME, state.path().to_str().unwrap(), pause]);
        let restored = restored(&mut program);
        (program, restored)
    };

    write(&mut runner);
    let (mut closed, restored) = start(SLOWLY);
    assert_eq!(restored, 0);
    wait_counted(&mut closed, LINES / 2);
    let said = closed.finish();
    assert!(
        said.contains(&"closed true".to_owned()) && !said.iter().any(|line| line.starts_with("failed")),
        "{said:#?}"
    );

    for _ in 0..rounds(1) {
        write(&mut runner);
        let (mut killed, restored) = start(SLOWLY);
        assert!(restored > 0);
        wait_counted(&mut killed, LINES / 2);
        killed.kill();
    }

    let words = write(&mut runner) * 2;
    let (last, restored) = start("0");
    assert!(restored > 0);
    let read = runner.succeed("Topics", &["read", bootstrap, &counts, &words.to_string()], "");
    let mut counted: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for line in read.iter().filter(|line| !line.is_empty()) {
        let mut columns = line.split('\t').skip(1);
        let (word, count) = (columns.next().unwrap(), columns.next().unwrap());
        counted.entry(word.to_owned()).or_default().push(count.parse().unwrap());
    }
    let mut truth: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for number in (0..words / 2).flat_map(|line| [line % 7, line % 3]) {
        let counts = truth.entry(format!("word{number}")).or_default();
        counts.push(counts.len() + 1);
    }
    assert_eq!(counted, truth);

    // What went through the repartition topic is removed behind the application.
    let deadline = Instant::now() + Duration::from_secs(10);
    let topics = loop {
        let topics = runner.succeed("Topics", &["describe", bootstrap, NAME], "");
        let is_removed = |topic: &String| topic.contains("repartition") && topic.ends_with("removed true");
        if topics.iter().any(is_removed) || Instant::now() > deadline {
            break topics;
        }
        thread::sleep(Duration::from_millis(100));
    };
    let said = last.finish();
    assert!(said.contains(&"closed true".to_owned()), "{said:#?}");
    topics
}

#[tokio::test(flavor = "multi_thread")]
async fn kafka_streams_counts_every_word_once_through_restarts_and_kills() {
    let ours = ours().await;
    let bootstrap = ours.bootstrap().to_owned();
    let count = move || {
        let (Some(java), Some(theirs)) = (java(), three_brokers()) else { return };
        let (ours, theirs) = thread::scope(|scope| {
            let ours = scope.spawn(|| count_words(java, &bootstrap));
            let theirs = count_words(java, theirs.bootstrap());
            (ours.join().unwrap(), theirs)
        });
        assert_eq!(ours, theirs);
        let internal = ours.iter().any(|topic| {
            topic.starts_with("streams-app-store-changelog partitions 2") && topic.contains("cleanup.policy=compact")
        });
        assert!(internal, "{ours:#?}");
    };
    tokio::task::spawn_blocking(count).await.unwrap();
}
