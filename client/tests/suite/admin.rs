//! Topics as a cluster describes them, and a cluster that is out of reach.

use std::time::Duration;

use tidemill_client::{Admin, Client, ClientConfig, ErrorCode, ErrorKind, Producer, ProducerConfig, Record};

use crate::bed::{Bed, PATIENCE, on_every_cluster};

on_every_cluster! {
    topics_are_described_in_the_order_asked_for(3);
    records_of_one_batch_know_that_they_are(1);
}

async fn topics_are_described_in_the_order_asked_for(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let missing = format!("{}-missing", bed.topic);
    let topics = [&missing, &bed.topic];
    // A topic that was made a moment ago may not be known yet.
    let described = loop {
        let described = admin.describe_topics(&topics, false, PATIENCE).await.unwrap();
        if described[1].is_ok() {
            break described;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let topic = described[1].as_ref().unwrap();
    assert_eq!((&topic.name, topic.partitions, topic.is_internal), (&bed.topic, 3, false));
    let kind = described[0].as_ref().unwrap_err().kind();
    assert_eq!(kind, ErrorKind::Broker(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
    let again = admin.describe_topics(&topics, false, PATIENCE).await.unwrap();
    assert!(again[0].is_err(), "asking does not create it");
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
    let asked = Admin::with_client(&client).describe_topics(&["any"], false, PATIENCE).await;
    assert_eq!(asked.unwrap_err().kind(), ErrorKind::Network);
    let reason = client.unreachable().expect("its only connection was refused").to_string();
    assert!(reason.contains(&address) && reason.contains("refused"), "{reason}");
}
