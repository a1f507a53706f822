//! Groups of ours and of Java's members: either leads, and both read by one plan.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};

use tidemill_testkit::kafka::Tools;

use crate::bed::{Bed, over_tcp};
use crate::groups::{CONSUMER, COOPERATIVE, Member, Properties, Seen, shared, until, write};

over_tcp! {
    ours_and_javas_share_by_sticky(4);
    ours_and_javas_share_by_cooperative_sticky(4);
    ours_and_javas_share_by_the_consumer_protocol(4);
}

/// Java's `VerifiableConsumer`, which tells in JSON what it was given and what it read.
struct JavaMember {
    process: Child,
    lines: Arc<Mutex<Vec<String>>>,
}

impl JavaMember {
    fn start(tools: &Tools, bed: &Bed, arguments: &[&str]) -> Self {
        let common = ["--bootstrap-server", bed.bootstrap(), "--topic", &bed.topic, "--group-id", &bed.group];
        let common = [&common[..], &["--reset-policy", "earliest", "--verbose"], arguments].concat();
        let mut process = tools.start("org.apache.kafka.tools.VerifiableConsumer", &common).unwrap();
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let kept = Arc::clone(&lines);
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).for_each(|line| kept.lock().unwrap().push(line))
        });
        Self { process, lines }
    }

    /// The values it read, by partition.
    fn read(&self) -> BTreeMap<i32, Vec<usize>> {
        let mut read: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
        for line in self.lines.lock().unwrap().iter().filter(|line| line.contains("\"name\":\"record_data\"")) {
            let field = |name: &str| {
                let (_, after) = line.split_once(&format!("\"{name}\":")).unwrap();
                after.trim_start_matches('"').split(['"', ',', '}']).next().unwrap().parse::<usize>().unwrap()
            };
            read.entry(i32::try_from(field("partition")).unwrap()).or_default().push(field("value"));
        }
        read
    }

    /// Lets it leave the group and end.
    fn stop(&mut self) {
        let told = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(told.success());
        self.process.wait().unwrap();
    }
}

impl Drop for JavaMember {
    fn drop(&mut self) {
        // A case that failed leaves nothing running; one that stopped it has nothing left to kill.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn share_with_java(bed: Bed, properties: Properties<'_>, arguments: &[&str]) {
    let Some(tools) = Tools::find() else { return };
    let seen: Arc<Seen> = Arc::default();
    let writer = write(&bed, 4, &seen);
    let ours = Member::start(&bed, properties, &seen);
    shared(&[&ours], &[4]).await;
    let mut javas = JavaMember::start(&tools, &bed, arguments);
    shared(&[&ours], &[2]).await;
    until("Java's member reads two partitions", || javas.read().len() == 2).await;
    // Java's leads when ours comes back.
    ours.stop().await;
    until("Java's member reads all partitions", || javas.read().len() == 4).await;
    let ours = Member::start(&bed, properties, &seen);
    shared(&[&ours], &[2]).await;
    let kept = ours.owns();
    let counts: Vec<usize> = kept.iter().map(|partition| seen.count(*partition)).collect();
    until("ours reads on", || kept.iter().zip(&counts).all(|(partition, count)| seen.count(*partition) > *count)).await;
    let javas = tokio::task::spawn_blocking(move || {
        javas.stop();
        javas
    })
    .await
    .unwrap();
    shared(&[&ours], &[4]).await;
    seen.end();
    let written = writer.await.unwrap();
    let all = || {
        let mut all: BTreeMap<i32, BTreeSet<usize>> = BTreeMap::new();
        for (partition, values) in javas.read().into_iter().chain(seen.values()) {
            all.entry(partition).or_default().extend(values);
        }
        all
    };
    until("all is read", || all().values().map(BTreeSet::len).sum::<usize>() == 4 * written).await;
    for (partition, values) in seen.values() {
        assert!(values.is_sorted_by(|a, b| a < b), "partition {partition} was read twice or out of order: {values:?}");
    }
    ours.stop().await;
}

async fn ours_and_javas_share_by_sticky(bed: Bed) {
    let class = "org.apache.kafka.clients.consumer.StickyAssignor";
    let properties = [("partition.assignment.strategy", class)];
    share_with_java(bed, &properties, &["--assignment-strategy", class]).await;
}

async fn ours_and_javas_share_by_cooperative_sticky(bed: Bed) {
    let class = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    share_with_java(bed, COOPERATIVE, &["--assignment-strategy", class]).await;
}

async fn ours_and_javas_share_by_the_consumer_protocol(bed: Bed) {
    share_with_java(bed, CONSUMER, &["--group-protocol", "consumer"]).await;
}
