//! The three ways to send, and what a full buffer means to each.

use std::sync::Arc;
use std::time::Duration;

use tidemill_client::{
    Consumer, ErrorKind, Guarantee, Outcome, Partitioner, Partitioning, Producer, ProducerConfig, Record,
};

use crate::bed::{Bed, PATIENCE, on_every_cluster};

on_every_cluster! {
    a_batch_of_records_has_the_outcome_of_each(2);
    who_does_not_wait_is_told_that_the_buffer_is_full(1);
    who_waits_for_room_gets_it(1);
    a_full_buffer_does_not_wait_for_the_linger(1);
    fewer_acks_are_taken_at_their_word(2);
    an_application_chooses_partitions_in_its_own_way(3);
}

async fn a_batch_of_records_has_the_outcome_of_each(bed: Bed) {
    let config = ProducerConfig::default().client(bed.client(&[])).batch_bytes(4_096).linger(Duration::ZERO);
    let producer = Producer::new(config).unwrap();
    let values: Vec<Vec<u8>> = (0..500).map(|number| format!("{number:0>100}").into_bytes()).collect();
    // One of them has nowhere to go.
    let partition_of = |number| if number == 250 { 9 } else { i32::from(number % 2 == 1) };
    let records = (0..).zip(&values);
    let records = records.map(|(number, value)| Record::new(&bed.topic).partition(partition_of(number)).value(value));
    let records: Vec<Record<'_>> = records.collect();
    let deliveries = producer.send_batch(&records).await;
    assert_eq!(deliveries.len(), 500);
    let mut next = [0, 0];
    for (number, delivery) in deliveries.into_iter().enumerate() {
        let outcome = delivery.await;
        if number == 250 {
            let error = outcome.unwrap_err();
            assert_eq!((error.kind(), error.outcome()), (ErrorKind::Misuse, Some(Outcome::NotWritten)), "{error}");
            continue;
        }
        let written = outcome.unwrap();
        assert_eq!(written.topic_partition, bed.partition(i32::from(number % 2 == 1)));
        assert_eq!(written.offset, Some(next[number % 2]), "record {number}");
        next[number % 2] += 1;
    }
    let mut refused = producer.send_batch(&[Record::new(&bed.topic).partition(9)]).await;
    assert!(refused.all().await.unwrap_err().to_string().contains("partitions 0 to 1"));
}

async fn who_does_not_wait_is_told_that_the_buffer_is_full(bed: Bed) {
    let config = ProducerConfig::default().client(bed.client(&[])).buffer_bytes(20_000).linger(Duration::from_secs(60));
    let producer = Producer::new(config).unwrap();
    let record = Record::new(&bed.topic).value(&[b'x'; 1_000]);
    let mut deliveries = Vec::new();
    let (mut unknown, mut full) = (0, None);
    while full.is_none() {
        match producer.try_send(record) {
            Ok(delivery) => deliveries.push(delivery),
            Err(error) => {
                assert_eq!((error.kind(), error.outcome()), (ErrorKind::WouldBlock, Some(Outcome::NotWritten)));
                assert!(error.is_retriable());
                if deliveries.is_empty() {
                    unknown += 1;
                    assert!(unknown < 3_000, "{error}");
                    tokio::time::sleep(Duration::from_millis(10)).await;
                } else {
                    full = Some(error);
                }
            }
        }
    }
    assert!(full.unwrap().to_string().contains("raise buffer.memory"));
    // A record may take a little more than it does, and a buffer has more room than its batch needs.
    assert!((16..=19).contains(&deliveries.len()), "{}", deliveries.len());
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.unwrap();
    }
    assert!(producer.try_send(record).is_ok(), "the buffer is empty again");
}

async fn a_full_buffer_does_not_wait_for_the_linger(bed: Bed) {
    let config =
        ProducerConfig::default().client(bed.client(&[])).buffer_bytes(20_000).linger(Duration::from_secs(3_600));
    let producer = Producer::new(config).unwrap();
    let all = async {
        for _ in 0..100 {
            drop(producer.send(Record::new(&bed.topic).value(&[b'x'; 1_000])).await.unwrap());
        }
    };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}

async fn fewer_acks_are_taken_at_their_word(bed: Bed) {
    let mut next = 0;
    // Not without acks first: a leader that does not know the new topic yet would drop a record and say nothing.
    let (few, none) = (Guarantee::AtLeastOnce { all_replicas: false }, Guarantee::AtMostOnce);
    for (acks, guarantee) in [(1, few), (0, none), (2, Guarantee::Idempotent)] {
        let config = ProducerConfig::default().client(bed.client(&[])).guarantee(guarantee).linger(Duration::ZERO);
        let producer = Producer::new(config).unwrap();
        for _ in 0..20 {
            let sent = producer.send(Record::new(&bed.topic).partition(1).value(b"a click")).await.unwrap();
            let written = sent.await.unwrap();
            assert_eq!(written.offset, (acks > 0).then_some(next), "{guarantee:?}");
            next += 1;
        }
        producer.close(PATIENCE).await.unwrap();
        // What nobody acknowledged is there all the same.
        let consumer = Consumer::new(bed.reader()).unwrap();
        let ends = async {
            while consumer.end_offsets([bed.partition(1)]).await.unwrap()[&bed.partition(1)] < next {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, ends).await.unwrap();
    }
}

/// The first byte of the value says which.
#[derive(Debug)]
struct ByFirstByte;

impl Partitioner for ByFirstByte {
    fn partition(&self, _topic: &str, _key: Option<&[u8]>, value: Option<&[u8]>, _count: i32) -> Option<i32> {
        value?.first().map(|byte| i32::from(*byte) - 48)
    }
}

async fn an_application_chooses_partitions_in_its_own_way(bed: Bed) {
    let partitioning = Partitioning::Custom(Arc::new(ByFirstByte));
    let config = ProducerConfig::default().client(bed.client(&[])).partitioning(partitioning).linger(Duration::ZERO);
    let producer = Producer::new(config).unwrap();
    for partition in [2, 0, 1, 1, 2] {
        let value = format!("{partition} a click");
        let sent = producer.send(Record::new(&bed.topic).key(b"key").value(value.as_bytes())).await.unwrap();
        assert_eq!(sent.await.unwrap().topic_partition, bed.partition(partition));
    }
    let refused = producer.send(Record::new(&bed.topic).value(b"7")).await.unwrap_err();
    assert!(refused.to_string().contains("partitions 0 to 2"), "{refused}");
    // One that it names itself is not asked for.
    let sent = producer.send(Record::new(&bed.topic).partition(0).value(b"7")).await.unwrap();
    assert_eq!(sent.await.unwrap().topic_partition, bed.partition(0));
}

async fn who_waits_for_room_gets_it(bed: Bed) {
    let config = ProducerConfig::default().client(bed.client(&[])).buffer_bytes(4_000).linger(Duration::ZERO);
    let producer = Producer::new(config).unwrap();
    let (large, small) = ([b'x'; 3_000], [b'x'; 10]);
    let send = async |value: &[u8]| {
        for _ in 0..50 {
            producer.send(Record::new(&bed.topic).value(value)).await.unwrap().await.unwrap();
        }
    };
    // The small ones do not starve the large ones.
    let all = async { tokio::join!(send(&small), send(&large), send(&small), send(&small)) };
    tokio::time::timeout(PATIENCE, all).await.unwrap();
}
