//! What the cases ask, and how the answers are made comparable.

use std::fmt::Write;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::add_partitions_to_txn_request::{
    AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction,
};
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp, RecordBatches, control};
use tidemill_protocol::{ErrorCode, Request, StrBytes};

use super::peer::{Peer, Told, text};

/// A producer id and its epoch.
pub(crate) type Producer = (i64, i16);

pub(crate) const NOBODY: Producer = (-1, -1);

pub(crate) fn transactional_id(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

pub(crate) fn init(id: &str, (producer_id, epoch): Producer) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(transactional_id(id)))
        .with_transaction_timeout_ms(60_000)
        .with_producer_id(ProducerId(producer_id))
        .with_producer_epoch(epoch)
}

fn topics(partitions: &[(&str, i32)]) -> Vec<AddPartitionsToTxnTopic> {
    let topic = |(name, number): &(&str, i32)| {
        AddPartitionsToTxnTopic::default().with_name(TopicName(text(name))).with_partitions(vec![*number])
    };
    partitions.iter().map(topic).collect()
}

pub(crate) fn add(id: &str, producer: Producer, partitions: &[(&str, i32)]) -> AddPartitionsToTxnRequest {
    AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(transactional_id(id))
        .with_v3_and_below_producer_id(ProducerId(producer.0))
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(topics(partitions))
}

/// One of several transactions, as of version 4.
pub(crate) fn transaction(
    id: &str,
    producer: Producer,
    verify_only: bool,
    partitions: &[(&str, i32)],
) -> AddPartitionsToTxnTransaction {
    AddPartitionsToTxnTransaction::default()
        .with_transactional_id(transactional_id(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_verify_only(verify_only)
        .with_topics(topics(partitions))
}

pub(crate) fn end(id: &str, producer: Producer, committed: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(transactional_id(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(committed)
}

pub(crate) fn describe(ids: &[&str]) -> DescribeTransactionsRequest {
    DescribeTransactionsRequest::default().with_transactional_ids(ids.iter().map(|id| transactional_id(id)).collect())
}

/// The time of every record: that of the first. Kafka begins a segment where they lie far apart, and reads from one.
pub(crate) fn now_ms() -> i64 {
    static NOW: OnceLock<i64> = OnceLock::new();
    let clock = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap();
    *NOW.get_or_init(clock)
}

/// A batch of one producer, in a transaction or not.
pub(crate) fn batch(producer: Producer, base_sequence: i32, transactional: bool, values: &[&str]) -> Bytes {
    let mut builder = BatchBuilder::new(100);
    for value in values {
        builder.append(&NewRecord { timestamp: now_ms(), key: None, value: Some(value.as_bytes()), headers: &[] });
    }
    let stamp = ProducerStamp { producer_id: producer.0, producer_epoch: producer.1, base_sequence };
    builder.seal(Codec::None).stamp(Some(stamp), BatchFlags { transactional, ..BatchFlags::default() })
}

pub(crate) fn produce(id: Option<&str>, batches: Vec<(&str, i32, Bytes)>) -> ProduceRequest {
    let mut topics: Vec<TopicProduceData> = Vec::new();
    for (topic, number, batch) in batches {
        let data = PartitionProduceData::default().with_index(number).with_records(Some(batch));
        match topics.iter_mut().find(|known| known.name.as_str() == topic) {
            Some(known) => known.partition_data.push(data),
            None => topics
                .push(TopicProduceData::default().with_name(TopicName(text(topic))).with_partition_data(vec![data])),
        }
    }
    ProduceRequest::default()
        .with_transactional_id(id.map(transactional_id))
        .with_acks(-1)
        .with_timeout_ms(5000)
        .with_topic_data(topics)
}

/// One record of a transaction.
pub(crate) fn write(id: &str, topic: &str, producer: Producer, sequence: i32) -> ProduceRequest {
    produce(Some(id), vec![(topic, 0, batch(producer, sequence, true, &["a"]))])
}

pub(crate) fn fetch(topic: &str, offset: i64, committed: bool, bytes_max: i32) -> FetchRequest {
    let partition = FetchPartition::default()
        .with_fetch_offset(offset)
        .with_partition_max_bytes(bytes_max)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1);
    let topic = FetchTopic::default().with_topic(TopicName(text(topic))).with_partitions(vec![partition]);
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_bytes(bytes_max)
        .with_isolation_level(i8::from(committed))
        .with_session_epoch(-1)
        .with_topics(vec![topic])
}

pub(crate) fn list_offset(topic: &str, timestamp: i64, committed: bool) -> ListOffsetsRequest {
    let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
    let topic = ListOffsetsTopic::default().with_name(TopicName(text(topic))).with_partitions(vec![partition]);
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(i8::from(committed))
        .with_topics(vec![topic])
}

impl Peer {
    /// Sends a request whose answer is not compared.
    pub(crate) fn ask_aside<R: Request>(&mut self, who: &'static str, version: i16, request: &R) -> R::Response {
        self.send(who, version, request);
        self.read::<R>(who).1
    }

    /// Waits until transactional ids have coordinators that answer, and producer ids are there.
    pub(crate) fn prepare_transactions(&mut self, ids: &[&str]) {
        for id in ids {
            let find = FindCoordinatorRequest::default().with_key_type(1).with_coordinator_keys(vec![text(id)]);
            self.until(|peer| {
                let found = peer.ask_aside("setup", 4, &find);
                let described = peer.ask_aside("setup", 0, &describe(&[id]));
                let code = ErrorCode(described.transaction_states[0].error_code);
                found.coordinators[0].error_code == 0 && code == ErrorCode::TRANSACTIONAL_ID_NOT_FOUND
            });
        }
        let idempotent = InitProducerIdRequest::default().with_transactional_id(None);
        self.until(|peer| peer.ask_aside("setup", 5, &idempotent).error_code == 0);
    }

    /// Makes a topic and waits until its leader answers.
    pub(crate) fn make(&mut self, topic: &str, partitions: i32) {
        self.create_topic(topic, partitions);
        self.until(|peer| {
            let fetched = peer.ask_aside("setup", 4, &fetch(topic, 0, false, 1000));
            fetched.responses[0].partitions[0].error_code == 0
        });
    }

    /// Waits until no marker is on its way.
    pub(crate) fn settle(&mut self, id: &str) {
        self.until(|peer| {
            let described = peer.ask_aside("setup", 0, &describe(&[id]));
            !described.transaction_states[0].transaction_state.starts_with("Prepare")
        });
    }

    fn until(&mut self, mut happened: impl FnMut(&mut Self) -> bool) {
        for _ in 0..200 {
            if happened(self) {
                return;
            }
            thread::sleep(Duration::from_millis(25));
        }
        panic!("it does not happen");
    }

    /// Takes a transactional id, whatever is open.
    pub(crate) fn init(&mut self, id: &str) -> Producer {
        let mut answer = NOBODY;
        self.until(|peer| {
            let response = peer.ask_aside("setup", 5, &init(id, NOBODY));
            answer = (response.producer_id.0, response.producer_epoch);
            assert!(response.error_code == 0 || response.error_code == ErrorCode::CONCURRENT_TRANSACTIONS.0);
            response.error_code == 0
        });
        answer
    }

    /// Ends a transaction, and waits until all know of it.
    pub(crate) fn end(&mut self, version: i16, id: &str, producer: Producer, committed: bool) -> Producer {
        let response = self.ask("me", version, &end(id, producer, committed));
        self.settle(id);
        if response.producer_id.0 < 0 { producer } else { (response.producer_id.0, response.producer_epoch) }
    }
}

fn producer_ids(ids: impl IntoIterator<Item = i64>) -> Vec<StrBytes> {
    ids.into_iter().filter(|id| *id >= 0).map(|id| text(&format!("producer_id: {id},"))).collect()
}

impl Told for InitProducerIdResponse {
    fn ids(&self) -> Vec<StrBytes> {
        producer_ids([self.producer_id.0])
    }
}

impl Told for AddPartitionsToTxnResponse {
    fn sort(&mut self) {
        let topics = self.results_by_transaction.iter_mut().map(|result| &mut result.topic_results);
        for topics in topics.chain([&mut self.results_by_topic_v3_and_below]) {
            topics.sort_by_key(|topic| topic.name.clone());
            for topic in topics {
                topic.results_by_partition.sort_by_key(|partition| partition.partition_index);
            }
        }
        self.results_by_transaction.sort_by_key(|result| result.transactional_id.clone());
    }
}

impl Told for AddOffsetsToTxnResponse {}

impl Told for TxnOffsetCommitResponse {
    fn sort(&mut self) {
        self.topics.sort_by_key(|topic| topic.name.clone());
        for topic in &mut self.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
    }
}

impl Told for EndTxnResponse {
    fn ids(&self) -> Vec<StrBytes> {
        producer_ids([self.producer_id.0])
    }
}

impl Told for WriteTxnMarkersResponse {
    fn sort(&mut self) {
        for marker in &mut self.markers {
            marker.topics.sort_by_key(|topic| topic.name.clone());
            for topic in &mut marker.topics {
                topic.partitions.sort_by_key(|partition| partition.partition_index);
            }
        }
    }
}

impl Told for ListTransactionsResponse {
    fn ids(&self) -> Vec<StrBytes> {
        producer_ids(self.transaction_states.iter().map(|state| state.producer_id.0))
    }

    fn sort(&mut self) {
        self.transaction_states.sort_by_key(|state| state.transactional_id.clone());
    }
}

impl Told for DescribeTransactionsResponse {
    fn ids(&self) -> Vec<StrBytes> {
        producer_ids(self.transaction_states.iter().map(|state| state.producer_id.0))
    }

    fn sort(&mut self) {
        for state in &mut self.transaction_states {
            state.transaction_start_time_ms = state.transaction_start_time_ms.min(1);
            state.topics.sort_by_key(|topic| topic.topic.clone());
            for topic in &mut state.topics {
                topic.partitions.sort_unstable();
            }
        }
    }
}

impl Told for DescribeProducersResponse {
    fn ids(&self) -> Vec<StrBytes> {
        let partitions = self.topics.iter().flat_map(|topic| &topic.partitions);
        producer_ids(partitions.flat_map(|it| &it.active_producers).map(|producer| producer.producer_id.0))
    }

    fn sort(&mut self) {
        for partition in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.active_producers.sort_by_key(|producer| producer.producer_id);
            for producer in &mut partition.active_producers {
                producer.last_timestamp = producer.last_timestamp.min(1);
            }
        }
    }
}

impl Told for ProduceResponse {
    fn sort(&mut self) {
        self.responses.sort_by_key(|topic| topic.name.clone());
        for topic in &mut self.responses {
            topic.topic_id = uuid::Uuid::nil();
            topic.partition_responses.sort_by_key(|partition| partition.index);
        }
    }
}

impl Told for ListOffsetsResponse {
    /// Markers have the time at which they were written.
    fn sort(&mut self) {
        for partition in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition.timestamp = partition.timestamp.min(now_ms() + 1);
        }
    }
}

impl Told for FetchResponse {
    /// Batches by what they hold, since they hold ids and times.
    fn sort(&mut self) {
        for partition in self.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            let Some(records) = partition.records.take() else { continue };
            let mut held = String::new();
            for batch in RecordBatches::new(records).map_while(Result::ok) {
                let header = batch.header();
                let _ = write!(
                    held,
                    "{} producer_id: {}, epoch {} sequence {} ",
                    header.base_offset, header.producer_id, header.producer_epoch, header.base_sequence
                );
                if header.is_control() {
                    let marker = control::read(&batch).unwrap();
                    let open = batch.open(1000).unwrap();
                    let value = open.iter().next().unwrap().unwrap().value.unwrap().to_vec();
                    let _ = write!(held, "{marker:?} {value:?} ");
                } else {
                    for record in batch.open(1 << 20).unwrap().iter().map(Result::unwrap) {
                        let _ = write!(held, "{:?} ", record.value.map(<[u8]>::len));
                    }
                }
            }
            partition.records = Some(Bytes::from(held));
        }
    }
}
