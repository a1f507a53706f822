//! What administrators do, a file per noun, and a cluster that is out of reach.

mod access;
mod cluster;
mod configs;
mod groups;
mod records;
mod topics;
mod transactions;

use std::time::Duration;

use tidemill_client::{
    Admin, Client, ClientConfig, Error, ErrorCode, ErrorKind, Outcomes, Producer, ProducerConfig, Record,
};

use crate::bed::{Bed, PATIENCE, on_every_cluster};

on_every_cluster! {
    topics_are_described_in_the_order_asked_for(3);
    records_of_one_batch_know_that_they_are(1);
}

/// The outcome of a call about one item.
fn only<K, V>(mut outcomes: Outcomes<K, V>) -> Result<V, Error> {
    assert_eq!(outcomes.len(), 1);
    outcomes.pop().unwrap().1
}

/// The error code of an outcome; none of one that went well.
fn code<V>(outcome: &Result<V, Error>) -> Option<ErrorCode> {
    let error = outcome.as_ref().err()?;
    let ErrorKind::Broker(code) = error.kind() else { panic!("{error}") };
    Some(code)
}

async fn topics_are_described_in_the_order_asked_for(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let missing = format!("{}-missing", bed.topic);
    let topics = [&missing, &bed.topic];
    // A topic that was made a moment ago may not be known yet.
    let described = loop {
        let described = admin.describe_topics(&topics, PATIENCE).await.unwrap();
        if described[1].1.is_ok() {
            break described;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let topic = described[1].1.as_ref().unwrap();
    assert_eq!((&topic.name, topic.partitions.len(), topic.is_internal), (&bed.topic, 3, false));
    assert_eq!(code(&described[0].1), Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let again = admin.describe_topics(&topics, PATIENCE).await.unwrap();
    assert!(again[0].1.is_err(), "asking does not create it");
}

async fn records_of_one_batch_know_that_they_are(bed: Bed) {
    let producer = Producer::new(ProducerConfig::default().client(bed.client(&[]))).unwrap();
    let record = Record::new(&bed.topic).value(b"one");
    let first = producer.send(record).await.unwrap();
    let second = producer.send(record).await.unwrap();
    producer.flush().await;
    let third = producer.send(record).await.unwrap();
    assert!(first.is_in_batch_of(&second));
    assert!(!first.is_in_batch_of(&third));
    assert_eq!(first.await.unwrap().offset, Some(0));
    assert_eq!(third.await.unwrap().offset, Some(2));
}

#[tokio::test]
async fn a_cluster_that_is_out_of_reach_says_why() {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let client = Client::new(ClientConfig::default().bootstrap_servers(&address)).unwrap();
    let asked = Admin::with_client(&client).describe_topics(&["any"], PATIENCE).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Network);
    let reason = client.unreachable().expect("its only connection was refused").to_string();
    assert!(reason.contains(&address) && reason.contains("refused"), "{reason}");
}
