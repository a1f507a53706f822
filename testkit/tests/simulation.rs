//! A simulation from one seed: the same in every process, and true to its links.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::disallowed_methods, reason = "any instant will do to count from; nothing waits for it")]

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp};
use tidemill_protocol::{Request, StrBytes};
use tidemill_testkit::broker::{BrokerConfig, ClusterProperties};
use tidemill_testkit::simulation::{LinkConditions, LinkId, Simulation, What};
use tokio::time::Instant;

const UNIX_MS: i64 = 1_800_000_000_000;

fn simulation(seed: u64) -> Simulation {
    let mut properties = ClusterProperties::default();
    let broker = |node_id| {
        let mut broker = BrokerConfig::default();
        broker.node_id = node_id;
        broker
    };
    properties.brokers = (1..=3).map(broker).collect();
    properties.default_replication_factor = 3;
    let shaky = LinkConditions::latency(ms(1)).jitter(ms(3)).bytes_per_second(1_000_000);
    Simulation::new(properties, Instant::now(), UNIX_MS, seed).conditions(shaky).traced()
}

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn frame<R: Request>(body: &R, version: i16) -> Bytes {
    encode_request(body, version, 7, Some(&StrBytes::from_static_str("simulated"))).unwrap()
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str("clicks"))
}

fn create_topic() -> Bytes {
    let topic = CreatableTopic::default().with_name(name()).with_num_partitions(3).with_replication_factor(3);
    frame(&CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(1000), 7)
}

fn transactional_id() -> TransactionalId {
    TransactionalId(StrBytes::from_static_str("writer-1"))
}

fn produce(producer: (i64, i16), sequence: i32, partition: i32, transactional: bool) -> Bytes {
    let mut builder = BatchBuilder::new(100);
    builder.append(&NewRecord { timestamp: UNIX_MS, key: None, value: Some(b"a"), headers: &[] });
    let stamp = ProducerStamp { producer_id: producer.0, producer_epoch: producer.1, base_sequence: sequence };
    let batch = builder.seal(Codec::None).stamp(Some(stamp), BatchFlags { transactional, ..BatchFlags::default() });
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name()).with_partition_data(vec![data]);
    let id = transactional.then(transactional_id);
    let body = ProduceRequest::default().with_acks(-1).with_timeout_ms(500).with_transactional_id(id);
    frame(&body.with_topic_data(vec![topic]), 9)
}

fn fetch(session: (i32, i32)) -> Bytes {
    let partition = |index| {
        FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20).with_current_leader_epoch(-1)
    };
    let topic = FetchTopic::default().with_topic(name()).with_partitions((0..3).map(partition).collect());
    let topics = if session.1 == 0 { vec![topic] } else { Vec::new() };
    let body = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(100)
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_id(session.0)
        .with_session_epoch(session.1);
    frame(&body.with_topics(topics), 12)
}

fn join() -> Bytes {
    let protocol = JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
    let body = JoinGroupRequest::default()
        .with_group_id(GroupId(StrBytes::from_static_str("readers")))
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_session_timeout_ms(10_000)
        .with_rebalance_timeout_ms(1000)
        .with_protocols(vec![protocol]);
    frame(&body, 2)
}

/// What a client waits for an answer to.
#[derive(Clone, Copy)]
enum Asked {
    InitProducer,
    Fetch,
    Other,
}

/// Clients that ask at random, whatever they are answered.
struct Clients {
    random: fastrand::Rng,
    asked: BTreeMap<LinkId, Asked>,
    producer: (i64, i16),
    sequences: [i32; 3],
    session: (i32, i32),
    answers: usize,
}

impl Clients {
    fn ask(&mut self, simulation: &mut Simulation, link: LinkId) {
        let mut asked = Asked::Other;
        let partition = self.random.usize(..3);
        let index = i32::try_from(partition).unwrap();
        let request = match self.random.u8(..10) {
            0 => create_topic(),
            1 => {
                asked = Asked::InitProducer;
                let id = self.random.bool().then(transactional_id);
                frame(&InitProducerIdRequest::default().with_transactional_id(id).with_transaction_timeout_ms(5000), 4)
            }
            2..=4 => {
                self.sequences[partition] += 1;
                produce(self.producer, self.sequences[partition] - 1, index, self.random.bool())
            }
            5 => join(),
            6 => {
                let topic = AddPartitionsToTxnTopic::default().with_name(name()).with_partitions(vec![index]);
                let body = AddPartitionsToTxnRequest::default()
                    .with_v3_and_below_transactional_id(transactional_id())
                    .with_v3_and_below_producer_id(ProducerId(self.producer.0))
                    .with_v3_and_below_producer_epoch(self.producer.1)
                    .with_v3_and_below_topics(vec![topic]);
                frame(&body, 3)
            }
            7 => {
                let body = EndTxnRequest::default()
                    .with_transactional_id(transactional_id())
                    .with_producer_id(ProducerId(self.producer.0))
                    .with_producer_epoch(self.producer.1)
                    .with_committed(self.random.bool());
                frame(&body, 3)
            }
            _ => {
                asked = Asked::Fetch;
                fetch(self.session)
            }
        };
        self.asked.insert(link, asked);
        simulation.send(link, request);
    }

    fn answered(&mut self, link: LinkId, answer: &Bytes) {
        self.answers += 1;
        match self.asked.remove(&link).unwrap_or(Asked::Other) {
            Asked::InitProducer => {
                if let Ok(response) = decode_response::<InitProducerIdRequest>(4, answer.clone())
                    && response.error_code == 0
                {
                    self.producer = (response.producer_id.0, response.producer_epoch);
                    self.sequences = [0; 3];
                }
            }
            Asked::Fetch => {
                let id = decode_response::<FetchRequest>(12, answer.clone()).map_or(0, |response| response.session_id);
                self.session = if id == 0 { (0, 0) } else { (id, self.session.1 + 1) };
            }
            Asked::Other => {}
        }
    }
}

/// A script drawn from a seed.
fn script(random: &mut fastrand::Rng) -> String {
    let always = ["* p=0.02: delay 30ms after applying", "Produce p=0.05: lose reply"];
    let some = [
        "Produce p=0.02: move leader after applying",
        "* p=0.01: close after applying",
        "Fetch p=0.05: corrupt byte at anywhere",
        "Fetch p=0.03: cut reply anywhere",
        "EndTxn p=0.2: move transaction coordinator",
        "JoinGroup p=0.3: move group coordinator",
        "connect p=0.2: refuse",
        "* p=0.005: black hole",
        "at 4s: part broker 1 from broker 2 both ways\nat 9s: heal",
        "at 3s: crash broker 2 losing tail\nat 6s: start broker 2",
        "at 7s: recreate topic clicks",
        "EndTxn p=0.1: hold markers\nat 8s: release markers",
        "Metadata broker=3: stale metadata",
        "at 5s: jump clock +1h",
    ];
    let drawn = some.iter().filter(|_| random.bool());
    let text: Vec<String> =
        always.iter().chain(drawn).map(|rule| rule.replace("byte at anywhere", "byte anywhere")).collect();
    text.join("\n")
}

/// Ten seconds of clients that ask at random, under a random script: what happened, and how often somebody was answered.
fn run(seed: u64) -> (String, usize) {
    let mut simulation = simulation(seed);
    let mut random = fastrand::Rng::with_seed(seed);
    simulation.play(script(&mut random).parse().unwrap());
    let mut clients =
        Clients { random, asked: BTreeMap::new(), producer: (0, 0), sequences: [0; 3], session: (0, 0), answers: 0 };
    for link in 0..9 {
        let link = simulation.connect(link % 3 + 1);
        simulation.send(link, create_topic());
    }
    let mut time = Duration::ZERO;
    while time < ms(10_000) {
        time += ms(10);
        for delivered in simulation.run_until(time) {
            match delivered.what {
                What::Frame(answer) => {
                    clients.answered(delivered.link, &answer);
                    clients.ask(&mut simulation, delivered.link);
                }
                // Whoever is cut off comes back, to any broker.
                What::Malformed(_) | What::Closed | What::Reset | What::Refused | _ => {
                    let node = clients.random.i32(1..=3);
                    let link = simulation.connect(node);
                    clients.ask(&mut simulation, link);
                }
            }
        }
        if time.as_millis().is_multiple_of(100) {
            simulation.check().unwrap_or_else(|broken| panic!("seed {seed} at {time:?}: {broken}"));
        }
        // Those that a fault has silenced are joined by new ones.
        if time.as_millis().is_multiple_of(500) {
            let node = clients.random.i32(1..=3);
            let link = simulation.connect(node);
            clients.ask(&mut simulation, link);
        }
    }
    (simulation.trace().to_owned(), clients.answers)
}

/// Says the test binary which file to write its trace to.
const TRACE_FILE: &str = "TIDEMILL_SIMULATION_TRACE";

#[test]
fn the_same_seed_gives_the_same_trace_in_another_process() {
    if let Some(file) = std::env::var_os(TRACE_FILE) {
        let traces: String = (0..5).map(|seed| run(seed).0).collect();
        return std::fs::write(file, traces).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let traces = ["one", "two"].map(|name| {
        let file = folder.path().join(name);
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_same_seed_gives_the_same_trace_in_another_process"])
            .env(TRACE_FILE, &file)
            .output()
            .unwrap()
            .status;
        assert!(status.success());
        std::fs::read_to_string(file).unwrap()
    });
    assert!(traces[0].lines().count() > 5000, "{} lines", traces[0].lines().count());
    let differs = traces[0].lines().zip(traces[1].lines()).find(|(one, two)| one != two);
    assert_eq!(differs, None);
    assert!(traces[0] == traces[1]);
}

#[test]
fn another_seed_gives_another_trace_and_none_comes_to_a_halt() {
    let runs: Vec<_> = (0..5).map(run).collect();
    for (seed, (trace, answers)) in runs.iter().enumerate() {
        assert!(*answers > 300, "seed {seed}: {answers} answers");
        assert_eq!(runs.iter().filter(|(other, _)| other == trace).count(), 1, "seed {seed}");
    }
}

#[test]
fn a_frame_takes_the_time_of_its_link_both_ways() {
    let mut simulation = simulation(1);
    let link = simulation.connect(1);
    simulation.set_conditions(link, LinkConditions::latency(ms(20)));
    simulation.send(link, frame(&MetadataRequest::default(), 9));
    assert_eq!(simulation.run_until(ms(39)), []);
    let delivered = simulation.run_until(ms(50));
    assert_eq!((delivered.len(), delivered[0].at, delivered[0].link), (1, ms(40), link));
    assert_eq!(simulation.now(), ms(50));
}

#[test]
fn a_link_that_ends_says_how() {
    for (rule, expected) in [
        ("connect: refuse", What::Refused),
        ("connect: reset", What::Reset),
        ("Metadata: close", What::Closed),
        ("Metadata: crash keeping tail", What::Reset),
    ] {
        let mut simulation = simulation(1);
        simulation.play(rule.parse().unwrap());
        let link = simulation.connect(1);
        simulation.send(link, frame(&MetadataRequest::default(), 9));
        let told: Vec<What> = simulation.run_until(ms(50)).into_iter().map(|delivered| delivered.what).collect();
        assert_eq!(told, [expected], "{rule}");
        assert_eq!(simulation.cluster().faults().never_fired().count(), 0);
    }
}

/// What would make one run unlike the next does not stand in the sources.
#[test]
fn nothing_in_a_simulation_reads_a_clock_spawns_or_has_an_order_of_its_own() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/simulation");
    let banned = ["HashMap", "HashSet", "SystemTime", "spawn(", ".await", "thread_rng", "fastrand::u", "sleep("];
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        files += 1;
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in banned.iter().chain(&["Instant::now"]) {
            assert!(!code.contains(word), "{word}");
        }
    }
    assert!(files >= 3);
}
