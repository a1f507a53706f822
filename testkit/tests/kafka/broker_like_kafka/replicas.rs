//! Readers that say they are replicas, or debug them (-2).

use bytes::Bytes;
use tidemill_protocol::messages::fetch_request::ReplicaState;
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::*;
use uuid::Uuid;

use super::peer::*;

pub(crate) async fn replicas(broker: &mut Broker) {
    broker.make("copied", &[]).await;
    let time = now() - 1_000_000;
    for value in ["a", "b"] {
        broker.ask(9, &produce("copied", batch(&[(time, value)], None))).await;
    }
    for replica_id in [-3, -2, 0, 1, 7] {
        for (timestamp, isolation_level, epoch) in
            [(-1, 0, -1), (-1, 1, -1), (-2, 0, -1), (-3, 0, -1), (time, 0, -1), (-1, 0, 0), (-1, 0, 3)]
        {
            let partition = ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(epoch);
            let topic = ListOffsetsTopic::default().with_name(name("copied")).with_partitions(vec![partition]);
            let body = ListOffsetsRequest::default()
                .with_replica_id(BrokerId(replica_id))
                .with_isolation_level(isolation_level)
                .with_topics(vec![topic]);
            let mut response = broker.ask(8, &body).await;
            let found = &mut response.topics[0].partitions[0];
            if found.timestamp > 0 {
                found.timestamp -= time;
            }
            let asked = if timestamp > 0 { 0 } else { timestamp };
            broker.note(&format!("ListOffsets {asked} {isolation_level} {epoch} of replica {replica_id}"), &response);
        }
    }
    let id = broker.id_of("copied").await;
    for replica_id in [-2, 1, 7] {
        for (version, epoch) in [(4, -1), (12, -1), (12, 0), (12, 3), (14, 0), (15, -1), (15, 0), (17, 0)] {
            let mut body = fetch(if version < 13 { "copied" } else { "" }, 1);
            body.topics[0].partitions[0].current_leader_epoch = epoch;
            if version >= 13 {
                body.topics[0].topic_id = id;
            }
            if version >= 15 {
                body.replica_state = ReplicaState::default().with_replica_id(BrokerId(replica_id));
            } else {
                body.replica_id = BrokerId(replica_id);
            }
            let mut response = broker.ask(version, &body).await;
            for topic in &mut response.responses {
                topic.topic_id = Uuid::nil();
                for partition in &mut topic.partitions {
                    // They differ by their timestamps alone.
                    let length = partition.records.as_ref().map_or(0, Bytes::len);
                    partition.records = Some(Bytes::from(format!("{length} bytes")));
                }
            }
            response.node_endpoints.clear();
            broker.note(&format!("Fetch v{version} {epoch} of replica {replica_id}"), &response);
        }
    }
}
