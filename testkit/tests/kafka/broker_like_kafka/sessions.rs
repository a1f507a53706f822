//! Fetch sessions, request after request.

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use tidemill_protocol::messages::*;
use uuid::Uuid;

use super::peer::*;

/// What is asked of a session: its epoch, counted from the session's beginning, partitions to add, and to forget.
struct Step {
    what: &'static str,
    epoch: i32,
    add: &'static [(i32, i64)],
    forget: &'static [i32],
}

pub(crate) async fn sessions(broker: &mut Broker) {
    let topic = CreateTopicsRequest::default().with_topics(vec![new_topic("session", 3, &[])]).with_timeout_ms(5000);
    assert_eq!(broker.ask(7, &topic).await.topics[0].error_code, 0);
    for number in 0..3 {
        for _ in 0..200 {
            let mut body = fetch("session", 0);
            body.topics[0].partitions[0].partition = number;
            if broker.ask(4, &body).await.responses[0].partitions[0].error_code == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    let id = broker.id_of("session").await;
    for version in [7, 12, 13, 17] {
        session(broker, version, if version >= 13 { id } else { Uuid::nil() }).await;
    }
    mixed(broker, id).await;
}

async fn session(broker: &mut Broker, version: i16, id: Uuid) {
    let steps = [
        Step { what: "begin", epoch: 0, add: &[(0, 0), (1, 0)], forget: &[] },
        Step { what: "nothing new", epoch: 1, add: &[], forget: &[] },
        Step { what: "one more", epoch: 2, add: &[(2, 0)], forget: &[] },
        Step { what: "the same epoch again", epoch: 2, add: &[], forget: &[] },
        Step { what: "an epoch left out", epoch: 4, add: &[], forget: &[] },
        Step { what: "written", epoch: 3, add: &[], forget: &[] },
        Step { what: "not read on", epoch: 4, add: &[], forget: &[] },
        Step { what: "out of range", epoch: 5, add: &[(1, 1 << 40)], forget: &[] },
        Step { what: "still out of range", epoch: 6, add: &[], forget: &[] },
        Step { what: "in range again", epoch: 7, add: &[(1, 0)], forget: &[] },
        Step { what: "a missing partition", epoch: 8, add: &[(9, 0)], forget: &[] },
        Step { what: "that is missing still", epoch: 9, add: &[], forget: &[] },
        Step { what: "forget", epoch: 10, add: &[], forget: &[0, 9, 77] },
        Step { what: "after that", epoch: 11, add: &[], forget: &[] },
        Step { what: "forget all", epoch: 12, add: &[], forget: &[1, 2] },
        Step { what: "of a session without partitions", epoch: 13, add: &[], forget: &[] },
        Step { what: "begin again", epoch: 0, add: &[(0, 0)], forget: &[] },
        Step { what: "end", epoch: -1, add: &[(0, 0)], forget: &[] },
        Step { what: "after the end", epoch: 1, add: &[], forget: &[] },
        Step { what: "begin with nothing", epoch: 0, add: &[], forget: &[] },
    ];
    let mut current = 0;
    for Step { what, epoch, add, forget } in steps {
        if what == "written" {
            let mut body = produce("session", batch(&[(now(), "a")], None));
            body.topic_data[0].partition_data[0].index = 2;
            broker.ask(9, &body).await;
        }
        let session_id = if what == "begin" || what == "begin with nothing" { 0 } else { current };
        let body = request(version, id, (session_id, epoch), add, forget);
        let mut response = broker.ask(version, &body).await;
        if epoch == 0 {
            current = response.session_id;
        }
        note(broker, &format!("Fetch v{version} session: {what}"), current, &mut response);
    }
}

/// A session by names that goes on by ids, and the other way round.
async fn mixed(broker: &mut Broker, id: Uuid) {
    for (first, second) in [(12, 13), (13, 12)] {
        let of = |version| if version >= 13 { id } else { Uuid::nil() };
        let mut response = broker.ask(first, &request(first, of(first), (0, 0), &[(0, 0)], &[])).await;
        let current = response.session_id;
        note(broker, &format!("Fetch v{first} before v{second}"), current, &mut response);
        let body = request(second, of(second), (current, 1), &[(1, 0)], &[]);
        let mut response = broker.ask(second, &body).await;
        note(broker, &format!("Fetch v{second} after v{first}"), current, &mut response);
    }
}

fn request(version: i16, id: Uuid, session: (i32, i32), add: &[(i32, i64)], forget: &[i32]) -> FetchRequest {
    let wanted = |(number, offset): &(i32, i64)| {
        FetchPartition::default()
            .with_partition(*number)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
    };
    let topic_name = if version >= 13 { name("") } else { name("session") };
    let added = FetchTopic::default()
        .with_topic(topic_name.clone())
        .with_topic_id(id)
        .with_partitions(add.iter().map(wanted).collect());
    let forgotten = ForgottenTopic::default().with_topic(topic_name).with_topic_id(id).with_partitions(forget.to_vec());
    FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_min_bytes(1)
        .with_max_bytes(1 << 20)
        .with_session_id(session.0)
        .with_session_epoch(session.1)
        .with_topics(if add.is_empty() { Vec::new() } else { vec![added] })
        .with_forgotten_topics_data(if forget.is_empty() { Vec::new() } else { vec![forgotten] })
}

fn note(broker: &mut Broker, what: &str, current: i32, response: &mut FetchResponse) {
    if response.session_id != 0 && response.session_id == current {
        response.session_id = 4711;
    }
    for topic in &mut response.responses {
        topic.topic_id = Uuid::nil();
        for partition in &mut topic.partitions {
            let length = partition.records.as_ref().map_or(0, Bytes::len);
            partition.records = Some(Bytes::from(format!("{length} bytes")));
        }
    }
    broker.note(what, response);
}
