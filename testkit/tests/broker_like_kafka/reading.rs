//! Records, offsets by time, and the ends of epochs.

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::fetch_request::FetchTopic;
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use tidemill_protocol::messages::*;
use uuid::Uuid;

use crate::peer::*;

pub(crate) async fn reading(broker: &mut Broker) {
    broker.make("read", &[]).await;
    let time = now() - 1_000_000;
    // Timestamps as found, counted from `time`.
    for records in
        [vec![(time, "0"), (time + 10, "1")], vec![(time + 30, "2"), (time + 20, "3")], vec![(time + 25, "4")]]
    {
        broker.ask(9, &produce("read", batch(&records, None))).await;
    }
    let records_of = |response: &mut FetchResponse| {
        for partition in response.responses.iter_mut().flat_map(|topic| &mut topic.partitions) {
            // They differ by their timestamps alone.
            let length = partition.records.as_ref().map_or(0, Bytes::len);
            partition.records = Some(Bytes::from(format!("{length} bytes")));
        }
    };
    let small = |offset, partition_bytes_max, bytes_max| {
        let mut body = fetch("read", offset).with_max_bytes(bytes_max);
        body.topics[0].partitions[0].partition_max_bytes = partition_bytes_max;
        body
    };
    let epochs = |current, last| {
        let mut body = fetch("read", 1);
        body.topics[0].partitions[0].current_leader_epoch = current;
        body.topics[0].partitions[0].last_fetched_epoch = last;
        body
    };
    let whole = batch(&[(time, "0"), (time + 10, "1")], None).len();
    let two = i32::try_from(whole * 2).unwrap();
    let mut missing = fetch("read", 0);
    missing.topics[0].partitions[0].partition = 7;
    let cases = [
        ("all", fetch("read", 0)),
        ("committed", fetch("read", 0).with_isolation_level(1)),
        ("from inside a batch", fetch("read", 3)),
        ("the end", fetch("read", 5)),
        ("past the end", fetch("read", 6)),
        ("below the start", fetch("read", -1)),
        ("far away", fetch("read", i64::MAX)),
        ("one byte", small(0, 1, 1)),
        ("one byte of the partition", small(0, 1, 1 << 20)),
        ("two batches", small(0, two, 1 << 20)),
        ("two batches in all", small(0, 1 << 20, two)),
        ("half of the second batch", small(0, two - 20, 1 << 20)),
        ("a bit of the third batch, in all", small(0, 1 << 20, two + 3)),
        ("a bit of the third batch, from the second", small(2, two - 50, 1 << 20)),
        ("a missing topic", fetch("read-missing", 0)),
        ("a missing partition", missing),
        ("a session that is not there", fetch("read", 0).with_session_id(5).with_session_epoch(1)),
        ("the leader's epoch", epochs(0, 0)),
        ("a leader epoch to come", epochs(1, -1)),
        ("a last epoch to come", epochs(0, 1)),
        ("nothing", fetch("read", 0).with_topics(vec![])),
    ];
    for (what, body) in cases {
        for version in [4, 7, 12] {
            let mut body = body.clone();
            if version < 12
                && body.topics.iter().any(|topic| {
                    topic.partitions.iter().any(|p| p.last_fetched_epoch >= 0 || p.current_leader_epoch >= 0)
                })
            {
                continue;
            }
            if version < 7 {
                if body.session_id != 0 {
                    continue;
                }
                body.session_epoch = -1;
            }
            let mut response = broker.ask(version, &body).await;
            records_of(&mut response);
            broker.note(&format!("Fetch v{version}: {what}"), &response);
        }
    }
    let mut by_id = fetch("", 0);
    by_id.topics[0].topic_id = Uuid::from_u128(5);
    let mut response = broker.ask(16, &by_id).await;
    records_of(&mut response);
    broker.note("Fetch by a missing id", &response);
    let id = broker.id_of("read").await;
    let mut by_id = fetch("", 0);
    by_id.topics[0].topic_id = id;
    for version in [13, 15, 17, 18] {
        let mut response = broker.ask(version, &by_id).await;
        records_of(&mut response);
        for topic in &mut response.responses {
            topic.topic_id = Uuid::nil();
        }
        broker.note(&format!("Fetch v{version} by id"), &response);
    }

    // What is not there stands behind what is, and before all else of that, ids that nobody knows.
    let of = |id: Uuid, number: i32| {
        let partition = fetch("", 0).topics[0].partitions[0].clone().with_partition(number);
        FetchTopic::default().with_topic_id(id).with_partitions(vec![partition])
    };
    let topics = vec![of(id, 7), of(Uuid::from_u128(5), 0), of(id, 0), of(Uuid::from_u128(6), 1), of(id, 8)];
    let mut response = broker.ask(17, &fetch("", 0).with_topics(topics)).await;
    records_of(&mut response);
    for topic in response.responses.iter_mut().filter(|topic| topic.topic_id == id) {
        topic.topic_id = Uuid::nil();
    }
    broker.note("Fetch of what is there and is not", &response);

    for (what, topics) in [
        ("alone", vec![of(Uuid::nil(), 0)]),
        ("behind others", vec![of(id, 0), of(id, 7), of(Uuid::nil(), 0)]),
        ("before others that are not there", vec![of(Uuid::nil(), 0), of(id, 7)]),
        ("before others that are there", vec![of(Uuid::nil(), 0), of(id, 0)]),
        ("twice", vec![of(Uuid::nil(), 0), of(Uuid::nil(), 1)]),
    ] {
        let mut response = broker.ask(17, &fetch("", 0).with_topics(topics)).await;
        records_of(&mut response);
        for topic in response.responses.iter_mut().filter(|topic| topic.topic_id == id) {
            topic.topic_id = Uuid::max();
        }
        broker.note(&format!("Fetch of the empty id {what}"), &response);
    }

    // A codec younger than the oldest versions (KIP-110), which until Kafka 3 were refused where a topic was set to it.
    for (topic, setting) in [("read-zstd", "zstd"), ("read-zstd-batches", "producer")] {
        broker.make(topic, &[("compression.type", setting)]).await;
        let records = compressed(&[(time, &"a".repeat(300))], Codec::Zstd);
        for (what, records) in [("nothing of", None), ("", Some(records))] {
            if let Some(records) = records {
                broker.ask(9, &produce(topic, records)).await;
            }
            for version in [4, 9, 10, 12] {
                let mut response = broker.ask(version, &fetch(topic, 0)).await;
                records_of(&mut response);
                broker.note(&format!("Fetch v{version}: {what} {topic}"), &response);
            }
            let mut response = broker.ask(9, &fetch(topic, 5)).await;
            records_of(&mut response);
            broker.note(&format!("Fetch v9 past the end: {what} {topic}"), &response);
        }
    }

    for timestamp in [-1, -2, -3, -4, -5, 0, time, time + 1, time + 15, time + 25, time + 30, time + 31] {
        // The special timestamps came one after the other.
        let versions: &[(i16, i8)] = match timestamp {
            -5 => &[(9, 0), (9, 1)],
            -4 | -3 => &[(8, 0), (8, 1)],
            _ => &[(1, 0), (2, 1), (8, 0), (8, 1), (10, 1)],
        };
        for (version, isolation_level) in versions.iter().copied() {
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
            let topic = ListOffsetsTopic::default().with_name(name("read")).with_partitions(vec![partition]);
            let body = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(-1))
                .with_isolation_level(isolation_level)
                .with_topics(vec![topic]);
            let mut response = broker.ask(version, &body).await;
            let found = &mut response.topics[0].partitions[0];
            if found.timestamp > 0 {
                found.timestamp -= time;
            }
            let asked = if timestamp > 0 { timestamp - time } else { timestamp };
            broker.note(&format!("ListOffsets v{version} {asked} {isolation_level}"), &response);
        }
    }
    broker.make("empty", &[]).await;
    for timestamp in [-1, -2, -3, 5] {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1);
        let topic = ListOffsetsTopic::default().with_name(name("empty")).with_partitions(vec![partition]);
        let body = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let response = broker.ask(8, &body).await;
        broker.note(&format!("ListOffsets {timestamp} of nothing"), &response);
    }
    let mut body = fetch("empty", 0);
    body.topics[0].partitions[0].last_fetched_epoch = 0;
    let mut response = broker.ask(12, &body).await;
    records_of(&mut response);
    broker.note("Fetch of nothing, by who knows the epoch", &response);
    for (current, epoch) in [(-1, 0), (0, 0), (1, 0), (-1, 1), (-1, -1)] {
        let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(current).with_leader_epoch(epoch);
        let topic = OffsetForLeaderTopic::default().with_topic(name("read")).with_partitions(vec![partition]);
        let body = OffsetForLeaderEpochRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let response = broker.ask(4, &body).await;
        broker.note(&format!("OffsetForLeaderEpoch {current} {epoch}"), &response);
    }
}
