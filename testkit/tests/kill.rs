//! A broker with a directory is killed (`kill -9`) while it is written to, again and again: every record that was
//! acknowledged is there, once, in order, and none is torn. So is what an administrator has set.
//!
//! `TIDEMILL_KILL_ROUNDS=50` kills it so often instead of five times; `TIDEMILL_KILL_SEED` repeats the pauses of a run.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use tidemill_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatches};
use tidemill_protocol::{ErrorCode, Request, StrBytes};
use tidemill_testkit::{ClusterConfig, TestCluster};

const PARTITIONS: i32 = 4;
const WRITERS: usize = 6;
const TOPIC: &str = "clicks";

/// Where the broker keeps everything, for the process that is one.
const DIRECTORY: &str = "TIDEMILL_KILL_DIRECTORY";

/// What stands before the address that it prints.
const BOOTSTRAP: &str = "bootstrap.servers=";

/// The broker, as a child: this same program, with [`DIRECTORY`] set.
struct Broker {
    child: Child,
    address: String,
}

impl Broker {
    fn start(directory: &Path) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "a_broker_to_be_killed", "--nocapture"])
            .env(DIRECTORY, directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.map_while(Result::ok).find_map(|line| Some(line.split_once(BOOTSTRAP)?.1.to_owned()));
        Self { address: address.expect("the broker starts"), child }
    }

    /// Ends it as `kill -9` does.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// The child. Anywhere else there is nothing to do.
#[tokio::test]
async fn a_broker_to_be_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let cluster = TestCluster::start(ClusterConfig::default().data(directory)).await.unwrap();
    println!("{BOOTSTRAP}{}", cluster.bootstrap());
    // It does not outlive who started it.
    let parent = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        error = cluster.failed() => panic!("{error}"),
        _ = parent => {}
    }
}

struct Connection(TcpStream);

impl Connection {
    fn open(address: &str) -> std::io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        Ok(Self(stream))
    }

    /// The answer, unless the broker ends before.
    fn ask<R: Request>(&mut self, version: i16, body: &R) -> std::io::Result<R::Response> {
        self.0.write_all(&encode_request(body, version, 1, None).unwrap())?;
        let mut length = [0; 4];
        self.0.read_exact(&mut length)?;
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut frame)?;
        let frame = Bytes::from(frame);
        assert_eq!(frame.clone().get_i32(), 1);
        Ok(decode_response::<R>(version, frame).unwrap())
    }
}

fn name() -> TopicName {
    TopicName(StrBytes::from_static_str(TOPIC))
}

/// An idempotent producer of one partition, that sends what was not acknowledged again, and commits how far it has come.
struct Writer {
    id: usize,
    producer_id: i64,
    sequence: i32,
    /// What was sent and not acknowledged.
    in_doubt: Option<Bytes>,
    /// The records of the batch in doubt.
    count: i32,
    acknowledged: i32,
    committed: i64,
}

impl Writer {
    fn partition(&self) -> i32 {
        i32::try_from(self.id).unwrap() % PARTITIONS
    }

    fn group(&self) -> GroupId {
        GroupId(StrBytes::from_string(format!("writer-{}", self.id)))
    }

    fn value(&self, number: i32) -> String {
        // Of many sizes, so that writes are torn at many places.
        format!("{}:{number}:{}", self.id, "x".repeat(usize::try_from(number).unwrap() * 37 % 3000))
    }

    fn batch(&self, count: i32) -> Bytes {
        let mut builder = BatchBuilder::new(1 << 20);
        for number in self.sequence..self.sequence + count {
            let value = self.value(number);
            builder.append(&NewRecord { timestamp: -1, key: None, value: Some(value.as_bytes()), headers: &[] });
        }
        let stamp = ProducerStamp { producer_id: self.producer_id, producer_epoch: 0, base_sequence: self.sequence };
        builder.seal(Codec::None).stamp(Some(stamp), BatchFlags::default())
    }

    /// Writes until the broker is gone.
    fn run(&mut self, address: &str, stop: &AtomicBool) {
        let Ok(mut connection) = Connection::open(address) else { return };
        if self.producer_id < 0 {
            let body = InitProducerIdRequest::default()
                .with_transactional_id(None)
                .with_producer_id(ProducerId(-1))
                .with_producer_epoch(-1);
            let Ok(response) = connection.ask(4, &body) else { return };
            self.producer_id = response.producer_id.0;
        }
        while !stop.load(Ordering::Relaxed) {
            if self.in_doubt.is_none() {
                self.count = 1 + self.sequence % 5;
                self.in_doubt = Some(self.batch(self.count));
            }
            let data = PartitionProduceData::default().with_index(self.partition()).with_records(self.in_doubt.clone());
            let topic = TopicProduceData::default().with_name(name()).with_partition_data(vec![data]);
            let body = ProduceRequest::default().with_acks(-1).with_timeout_ms(5000).with_topic_data(vec![topic]);
            let Ok(response) = connection.ask(9, &body) else { return };
            let code = ErrorCode(response.responses[0].partition_responses[0].error_code);
            assert_eq!(code, ErrorCode::NONE, "writer {} at sequence {}", self.id, self.sequence);
            self.sequence += self.count;
            self.acknowledged = self.sequence;
            self.in_doubt = None;
            if self.sequence % 3 == 0 {
                let offset = i64::from(self.acknowledged);
                let partition = OffsetCommitRequestPartition::default()
                    .with_partition_index(self.partition())
                    .with_committed_offset(offset);
                let topic = OffsetCommitRequestTopic::default().with_name(name()).with_partitions(vec![partition]);
                let body = OffsetCommitRequest::default()
                    .with_group_id(self.group())
                    .with_generation_id_or_member_epoch(-1)
                    .with_topics(vec![topic]);
                let Ok(response) = connection.ask(8, &body) else { return };
                assert_eq!(response.topics[0].partitions[0].error_code, 0);
                self.committed = offset;
            }
        }
    }
}

/// Counts up a quota, and behind it the rounds of a SCRAM user.
#[derive(Default)]
struct Administrator {
    quota: i32,
    rounds: i32,
}

impl Administrator {
    const USER: &str = "alice";
    const ROUNDS_MIN: i32 = 4096;

    /// Sets until the broker is gone.
    fn run(&mut self, address: &str, stop: &AtomicBool) {
        let Ok(mut connection) = Connection::open(address) else { return };
        let text = |text: &'static str| StrBytes::from_static_str(text);
        while !stop.load(Ordering::Relaxed) {
            let entity = EntityData::default().with_entity_type(text("user")).with_entity_name(Some(text(Self::USER)));
            let value = f64::from(self.quota + 1);
            let op = OpData::default().with_key(text("request_percentage")).with_value(value);
            let entry = EntryData::default().with_entity(vec![entity]).with_ops(vec![op]);
            let body = AlterClientQuotasRequest::default().with_entries(vec![entry]);
            let Ok(response) = connection.ask(1, &body) else { return };
            assert_eq!(response.entries[0].error_code, 0, "{response:?}");
            self.quota += 1;
            let upsertion = ScramCredentialUpsertion::default()
                .with_name(text(Self::USER))
                .with_mechanism(1)
                .with_iterations(Self::rounds_of(self.rounds + 1))
                .with_salt("salt".into())
                .with_salted_password("salted".into());
            let body = AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]);
            let Ok(response) = connection.ask(0, &body) else { return };
            assert_eq!(response.results[0].error_code, 0);
            self.rounds += 1;
        }
    }

    fn rounds_of(number: i32) -> i32 {
        Self::ROUNDS_MIN + number % 10_000
    }

    /// What was acknowledged is set, or what came after it.
    fn check(&mut self, connection: &mut Connection) {
        let quotas = connection.ask(1, &DescribeClientQuotasRequest::default()).unwrap().entries.unwrap_or_default();
        let quota = quotas.first().map_or(0.0, |entry| entry.values[0].value);
        assert!([self.quota, self.quota + 1].map(f64::from).contains(&quota), "{quota} of {}", self.quota);
        let body = DescribeUserScramCredentialsRequest::default().with_users(None);
        let users = connection.ask(0, &body).unwrap().results;
        let rounds = users.first().map_or_else(|| Self::rounds_of(0), |user| user.credential_infos[0].iterations);
        let possible = [self.rounds, self.rounds + 1].map(Self::rounds_of);
        assert!(possible.contains(&rounds), "{rounds} of {possible:?}");
        // What was not acknowledged, and is there, is counted.
        self.quota += i32::from(quota > f64::from(self.quota));
        self.rounds += i32::from(rounds == possible[1]);
    }
}

/// All values of a partition, every batch of which must be whole and in its place.
fn read(connection: &mut Connection, partition: i32) -> Vec<String> {
    let mut found = Vec::new();
    let mut offset = 0;
    loop {
        let asked = FetchPartition::default()
            .with_partition(partition)
            .with_fetch_offset(offset)
            .with_partition_max_bytes(8 << 20)
            .with_current_leader_epoch(-1);
        let topic = FetchTopic::default().with_topic(name()).with_partitions(vec![asked]);
        let body = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_bytes(8 << 20)
            .with_session_epoch(-1)
            .with_topics(vec![topic]);
        let response = connection.ask(12, &body).unwrap();
        let data = &response.responses[0].partitions[0];
        assert_eq!(data.error_code, 0);
        let records = data.records.clone().unwrap_or_default();
        if records.is_empty() {
            assert_eq!(offset, data.high_watermark);
            return found;
        }
        let mut batches = RecordBatches::new(records);
        for batch in batches.by_ref() {
            let batch = batch.expect("a torn or damaged batch was served");
            assert_eq!(batch.header().base_offset, offset);
            for record in &batch.open(8 << 20).unwrap() {
                let value = record.expect("a torn record was served").value.unwrap().to_vec();
                found.push(String::from_utf8(value).unwrap());
                offset += 1;
            }
        }
        assert!(batches.truncated().is_empty());
    }
}

/// How many records there are.
fn check(broker: &Broker, writers: &[Writer]) -> usize {
    let mut connection = Connection::open(&broker.address).unwrap();
    let mut written: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for partition in 0..PARTITIONS {
        for value in read(&mut connection, partition) {
            let writer = value.split(':').next().unwrap().parse().unwrap();
            written.entry(writer).or_default().push(value);
        }
    }
    for writer in writers {
        let values = written.remove(&writer.id).unwrap_or_default();
        let count = i32::try_from(values.len()).unwrap();
        assert!(count >= writer.acknowledged, "writer {}: {count} of {} acknowledged", writer.id, writer.acknowledged);
        let whole_batches = [writer.sequence, writer.sequence + writer.count];
        assert!(whole_batches.contains(&count), "writer {}: {count} is half a batch: {whole_batches:?}", writer.id);
        for (number, value) in (0..).zip(&values) {
            assert_eq!(*value, writer.value(number), "each once, in order");
        }
        let topic =
            OffsetFetchRequestTopic::default().with_name(name()).with_partition_indexes(vec![writer.partition()]);
        let body = OffsetFetchRequest::default().with_group_id(writer.group()).with_topics(Some(vec![topic]));
        let committed = connection.ask(7, &body).unwrap().topics[0].partitions[0].committed_offset;
        assert!(committed >= writer.committed, "writer {}: {committed} of {}", writer.id, writer.committed);
    }
    assert!(written.is_empty(), "nobody wrote {written:?}");
    let ids: BTreeSet<i64> = writers.iter().map(|it| it.producer_id).filter(|id| *id >= 0).collect();
    assert_eq!(ids.len(), writers.iter().filter(|it| it.producer_id >= 0).count(), "a producer id was given twice");
    usize::try_from(writers.iter().map(|it| it.acknowledged).sum::<i32>()).unwrap()
}

#[test]
fn a_broker_that_is_killed_loses_nothing_that_it_acknowledged() {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().unwrap());
    let rounds = number("TIDEMILL_KILL_ROUNDS").unwrap_or(5);
    let seed = number("TIDEMILL_KILL_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("TIDEMILL_KILL_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let directory = tempfile::tempdir().unwrap();
    let writer =
        |id| Writer { id, producer_id: -1, sequence: 0, in_doubt: None, count: 0, acknowledged: 0, committed: -1 };
    let mut writers: Vec<Writer> = (0..WRITERS).map(writer).collect();

    let mut administrator = Administrator::default();

    let mut broker = Broker::start(directory.path());
    let topic = CreatableTopic::default().with_name(name()).with_num_partitions(PARTITIONS).with_replication_factor(1);
    let body = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5000);
    let created = Connection::open(&broker.address).unwrap().ask(7, &body).unwrap();
    assert_eq!(created.topics[0].error_code, 0);
    for round in 1..=rounds {
        let pause = Duration::from_micros(random.u64(20_000..400_000));
        let stop = AtomicBool::new(false);
        let address = broker.address.clone();
        std::thread::scope(|scope| {
            for writer in &mut writers {
                scope.spawn(|| writer.run(&address, &stop));
            }
            scope.spawn(|| administrator.run(&address, &stop));
            std::thread::sleep(pause);
            broker.kill();
            stop.store(true, Ordering::Relaxed);
        });
        broker = Broker::start(directory.path());
        let records = check(&broker, &writers);
        administrator.check(&mut Connection::open(&broker.address).unwrap());
        println!("round {round}: {records} records acknowledged");
    }
    broker.kill();
    assert!(writers.iter().all(|writer| writer.acknowledged > 0));
    assert!(administrator.rounds > 0);
}
