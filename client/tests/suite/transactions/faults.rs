//! Exactly once, also when answers are lost, coordinators move and brokers stop: a copier goes on by itself, and the copy
//! has each record once.

use std::time::Duration;

use tidemill_client::{Outcome, ProducerConfig, TransactionalConfig, TransactionalProducer};
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::{DescribeTransactionsRequest, EndTxnRequest, TransactionalId};
use tidemill_testkit::ClusterConfig;

use super::{Bed, PATIENCE, copies_once, fill, numbered, producer_as, read, send, write};

/// At every level of `transaction.version` that there is, side by side.
async fn at_every_level(case: impl AsyncFn(i16)) {
    futures_util::future::join_all([0, 1, 2].map(|level| Box::pin(case(level)))).await;
}

async fn bed(name: &str, level: i16) -> Bed {
    let config = ClusterConfig::default().brokers(3).replication_factor(3).transaction_version(level);
    Bed::embedded_as(config, name, 2).await
}

/// Does not wait for long for an answer that was lost.
const HASTE: [(&str, &str); 4] = [
    ("request.timeout.ms", "200"),
    ("retry.backoff.ms", "10"),
    ("retry.backoff.max.ms", "50"),
    ("reconnect.backoff.max.ms", "50"),
];

fn hasty(bed: &Bed) -> TransactionalProducer {
    producer_as(bed, &bed.topic, &HASTE)
}

/// Copies while this script is played; every rule of it has to strike.
async fn copies_through(name: &str, level: i16, script: &str) {
    let bed = bed(name, level).await;
    let values = fill(&bed).await;
    bed.cluster().unwrap().play(script, 7).unwrap();
    let producer = hasty(&bed);
    let errors = copies_once(&bed, values, producer, async |_| ()).await;
    assert_eq!(bed.cluster().unwrap().never_fired(), [], "level {level}: {script}");
    assert!(errors.is_empty(), "level {level}: {script}: {errors:?}");
}

#[tokio::test]
async fn answers_that_are_lost_are_asked_for_again() {
    let scripts = [
        "EndTxn nth=1: lose reply\nEndTxn nth=4: lose reply",
        "TxnOffsetCommit nth=1: lose reply\nTxnOffsetCommit nth=5: lose reply",
        "InitProducerId nth=1: lose reply",
        "Produce nth=1: lose reply\nProduce nth=4: lose reply",
    ];
    at_every_level(async |level| {
        let copied = scripts.map(|script| Box::pin(copies_through("answers", level, script)));
        futures_util::future::join_all(copied).await;
    })
    .await;
}

#[tokio::test]
async fn in_the_first_generation_what_is_added_twice_is_there_once() {
    let script = "AddPartitionsToTxn nth=1: lose reply\nAddOffsetsToTxn nth=2: lose reply";
    tokio::join!(copies_through("adding", 0, script), copies_through("adding", 1, script));
}

#[tokio::test]
async fn requests_that_are_lost_are_made_again() {
    let script = "EndTxn nth=2: lose request\nTxnOffsetCommit nth=2: lose request\nProduce nth=3: lose request";
    at_every_level(async |level| copies_through("lost_requests", level, script).await).await;
}

/// By chance, and the same each time.
#[tokio::test]
async fn whatever_is_lost_each_record_is_copied_once() {
    let script = "Produce,AddPartitionsToTxn,AddOffsetsToTxn,TxnOffsetCommit,EndTxn,InitProducerId p=0.15: lose reply\n\
                  Produce,AddPartitionsToTxn,AddOffsetsToTxn,TxnOffsetCommit,EndTxn,InitProducerId p=0.1: lose request\n\
                  Produce,TxnOffsetCommit,EndTxn p=0.1: close after applying";
    at_every_level(async |level| {
        let copied = (1..=4).map(async |seed| {
            let bed = bed("chance", level).await;
            let values = fill(&bed).await;
            bed.cluster().unwrap().play(script, seed).unwrap();
            let errors = copies_once(&bed, values, hasty(&bed), async |_| ()).await;
            assert!(errors.is_empty(), "level {level}, seed {seed}: {errors:?}");
        });
        futures_util::future::join_all(copied).await;
    })
    .await;
}

#[tokio::test]
async fn a_coordinator_that_is_busy_is_asked_again() {
    let script = "EndTxn times=2: error COORDINATOR_LOAD_IN_PROGRESS\n\
                  TxnOffsetCommit times=1: error NOT_COORDINATOR\n\
                  InitProducerId times=2: error CONCURRENT_TRANSACTIONS\n\
                  EndTxn nth=3: error NOT_COORDINATOR";
    at_every_level(async |level| copies_through("busy", level, script).await).await;
}

#[tokio::test]
async fn coordinators_move_and_brokers_stop_while_a_topic_is_copied() {
    at_every_level(async |level| {
        let bed = bed("moving", level).await;
        let values = fill(&bed).await;
        let producer = hasty(&bed);
        let cluster = bed.cluster().unwrap();
        let mut ends = 0;
        let brokers: Vec<i32> = cluster.brokers().map(|(id, _)| id).collect();
        let between = async |transactions: usize| {
            ends += 1;
            let broker = brokers[transactions % brokers.len()];
            match transactions % 3 {
                0 => cluster.move_transaction_coordinator(&bed.topic, broker),
                1 => cluster.stop_broker(broker).await,
                _ => {
                    for broker in &brokers {
                        cluster.start_broker(*broker).await.unwrap();
                    }
                }
            }
            if transactions % 3 == 1 {
                // One at a time, and not for ever.
                cluster.start_broker(broker).await.unwrap();
            }
        };
        copies_once(&bed, values, producer, between).await;
        assert!(ends >= 4, "level {level}: {ends}");
    })
    .await;
}

/// A commit whose answers are all lost, until long after its transaction's time.
#[tokio::test]
async fn a_commit_that_is_not_known_is_told_as_such_and_nothing_is_copied_twice() {
    at_every_level(async |level| {
        let bed = bed("unknown", level).await;
        let values = fill(&bed).await;
        bed.cluster().unwrap().play("EndTxn until=3s: lose reply", 7).unwrap();
        let producer = ProducerConfig::default().client(bed.client(&HASTE));
        let config = TransactionalConfig::new(&*bed.topic, producer).transaction_timeout(Duration::from_secs(1));
        let errors = copies_once(&bed, values, TransactionalProducer::new(config).unwrap(), async |_| ()).await;
        let unknown = errors.iter().filter(|error| error.outcome() == Some(Outcome::PossiblyWritten)).count();
        assert!(unknown >= 1, "level {level}: {errors:?}");
    })
    .await;
}

/// The end of the first transaction arrives twice, the second time while the next one is open: as after an answer that was
/// lost, when the request that was made again overtook the first.
#[tokio::test]
async fn an_end_that_comes_late_does_not_end_the_next_transaction() {
    at_every_level(async |level| {
        let bed = Bed::embedded_as(ClusterConfig::default().transaction_version(level), "late", 2).await;
        bed.cluster().unwrap().play("EndTxn nth=1: lose reply", 7).unwrap();
        let mut producer = hasty(&bed);
        let first = producer.begin().await.unwrap();
        write(&first, &bed, "first").await;
        let id = TransactionalId(StrBytes::from_string(bed.topic.clone()));
        let describe = DescribeTransactionsRequest::default().with_transactional_ids(vec![id.clone()]);
        let described = bed.ask(&describe, 0).await.transaction_states.remove(0);
        first.commit().await.unwrap();
        let second = producer.begin().await.unwrap();
        write(&second, &bed, "second").await;
        let late = EndTxnRequest::default()
            .with_transactional_id(id)
            .with_producer_id(described.producer_id)
            .with_producer_epoch(described.producer_epoch)
            .with_committed(true);
        bed.ask(&late, if level >= 2 { 5 } else { 4 }).await;
        second.abort().await.unwrap();
        let third = producer.begin().await.unwrap();
        write(&third, &bed, "third").await;
        third.commit().await.unwrap();
        assert_eq!(read(&bed, 2, 2).await, ["first", "third"], "level {level}");
    })
    .await;
}

#[tokio::test]
async fn closing_waits_for_the_abort_of_what_was_dropped_and_no_longer_than_told() {
    at_every_level(async |level| {
        let bed = bed("closing", level).await;
        let mut producer = hasty(&bed);
        let transaction = producer.begin().await.unwrap();
        send(&transaction, &bed, 2, &numbered("dropped", 2)).await;
        drop(transaction);
        producer.close(PATIENCE).await.unwrap();
        // Nobody is fenced by what is over.
        let mut next = hasty(&bed);
        let transaction = next.begin().await.unwrap();
        send(&transaction, &bed, 2, &numbered("next", 2)).await;
        transaction.commit().await.unwrap();
        assert_eq!(read(&bed, 2, 2).await, numbered("next", 2));

        let transaction = next.begin().await.unwrap();
        send(&transaction, &bed, 2, &numbered("dropped", 2)).await;
        bed.cluster().unwrap().play("EndTxn: lose reply", 7).unwrap();
        write(&transaction, &bed, "dropped").await;
        drop(transaction);
        let error = next.close(Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(error.kind(), tidemill_client::ErrorKind::Timeout);
    })
    .await;
}
