//! Transactions: what is committed is there, all of it and once; what is not, never.

mod faults;

use std::time::Duration;

use tidemill_client::{
    Consumer, ConsumerConfig, Error, ErrorCode, ErrorKind, IsolationLevel, Producer, ProducerConfig, Record,
    Transaction, TransactionalConfig, TransactionalProducer,
};
use tidemill_testkit::ClusterConfig;
use tidemill_testkit::kafka::Kcat;

use crate::bed::{Bed, PATIENCE, on_every_cluster};

fn producer_as(bed: &Bed, id: &str, properties: &[(&str, &str)]) -> TransactionalProducer {
    let producer = ProducerConfig::from_properties(properties.iter().copied()).unwrap().client(bed.client(properties));
    TransactionalProducer::new(TransactionalConfig::new(id, producer)).unwrap()
}

/// A producer whose transactional id is this case's own.
fn producer(bed: &Bed) -> TransactionalProducer {
    producer_as(bed, &bed.topic, &[])
}

fn committed_only(bed: &Bed) -> ConsumerConfig {
    bed.reader().isolation_level(IsolationLevel::ReadCommitted)
}

/// The next values of the topic's partitions, of those that are committed, sorted.
async fn read(bed: &Bed, partitions: i32, count: usize) -> Vec<String> {
    let consumer = Consumer::new(committed_only(bed)).unwrap();
    consumer.assign(bed.partitions(partitions)).unwrap();
    let mut values = Vec::new();
    while values.len() < count {
        let record = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
        values.push(String::from_utf8(record.value().unwrap().to_vec()).unwrap());
    }
    values.sort_unstable();
    values
}

fn numbered(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix} {number:04}")).collect()
}

/// Sends the values to the partitions in turn.
async fn send(transaction: &Transaction<'_>, bed: &Bed, partitions: i32, values: &[String]) {
    for (value, number) in values.iter().zip(0..) {
        let record = Record::new(&bed.topic).partition(number % partitions).value(value.as_bytes());
        transaction.send(record).await.unwrap();
    }
}

/// Sends one record to partition 0, and waits until it is in the log.
async fn write(transaction: &Transaction<'_>, bed: &Bed, value: &str) {
    let record = Record::new(&bed.topic).partition(0).value(value.as_bytes());
    transaction.deliver(record).await.unwrap().await.unwrap();
}

on_every_cluster! {
    what_is_committed_is_read_and_what_is_aborted_is_not(3);
    offsets_move_with_the_commit_and_not_before(1);
    a_commit_does_not_wait_for_more_records(1);
    a_second_producer_of_the_same_id_fences_the_first(1);
    a_record_that_is_not_written_aborts_its_transaction_and_the_next_one_goes_on(1);
    a_transaction_that_takes_too_long_is_aborted_and_the_next_one_goes_on(1);
    a_member_that_its_group_has_replaced_cannot_commit(1);
    a_topic_is_copied_exactly_once(2);
}

mod beside_other_clients {
    use super::librdkafka_reads_what_is_committed;

    crate::bed::over_tcp! {
        librdkafka_reads_what_is_committed(1);
    }
}

/// The same on clusters where partitions are added to a transaction by a request of their own.
mod first_generation {
    use super::{Bed, ClusterConfig};

    macro_rules! cases {
        ($($case:ident($partitions:expr);)*) => {
            mod embedded {
                $(
                    #[tokio::test]
                    async fn $case() {
                        let config = super::ClusterConfig::default().transaction_version(0);
                        let bed = super::Bed::embedded_as(config, stringify!($case), $partitions).await;
                        super::super::$case(bed).await;
                    }
                )*
            }

            mod kafka {
                $(
                    #[tokio::test]
                    async fn $case() {
                        let bed = super::Bed::kafka_of_the_first_generation(stringify!($case), $partitions).await;
                        if let Some(bed) = bed {
                            super::super::$case(bed).await;
                        }
                    }
                )*
            }
        };
    }

    cases! {
        what_is_committed_is_read_and_what_is_aborted_is_not(3);
        offsets_move_with_the_commit_and_not_before(1);
        a_second_producer_of_the_same_id_fences_the_first(1);
        a_record_that_is_not_written_aborts_its_transaction_and_the_next_one_goes_on(1);
        a_member_that_its_group_has_replaced_cannot_commit(1);
        a_topic_is_copied_exactly_once(2);
        a_transaction_that_takes_too_long_fences_its_producer(1);
    }
}

async fn what_is_committed_is_read_and_what_is_aborted_is_not(bed: Bed) {
    let mut producer = producer(&bed);
    let mut expected = Vec::new();
    for round in 0..3 {
        let committed = producer.begin().await.unwrap();
        let values = numbered(&format!("committed {round}"), 50);
        send(&committed, &bed, 3, &values).await;
        expected.extend(values);
        committed.commit().await.unwrap();

        let aborted = producer.begin().await.unwrap();
        send(&aborted, &bed, 3, &numbered("aborted", 50)).await;
        if round == 1 {
            // Some of it is in the log already.
            write(&aborted, &bed, "aborted").await;
        }
        if round == 2 {
            drop(aborted)
        } else {
            aborted.abort().await.unwrap()
        }

        // One that is empty is ended without a broker.
        producer.begin().await.unwrap().commit().await.unwrap();
    }
    let last = producer.begin().await.unwrap();
    send(&last, &bed, 3, &["last".to_owned()]).await;
    last.commit().await.unwrap();
    expected.push("last".to_owned());
    expected.sort_unstable();
    assert_eq!(read(&bed, 3, expected.len()).await, expected);
    producer.close(PATIENCE).await.unwrap();
}

async fn a_commit_does_not_wait_for_more_records(bed: Bed) {
    let mut producer = producer_as(&bed, &bed.topic, &[("linger.ms", "3600000")]);
    let transaction = producer.begin().await.unwrap();
    send(&transaction, &bed, 1, &numbered("alone", 1)).await;
    tokio::time::timeout(PATIENCE, transaction.commit()).await.unwrap().unwrap();
    // Neither does an abort.
    let transaction = producer.begin().await.unwrap();
    send(&transaction, &bed, 1, &numbered("aborted", 1)).await;
    tokio::time::timeout(PATIENCE, transaction.abort()).await.unwrap().unwrap();
    assert_eq!(read(&bed, 1, 1).await, ["alone 0000"]);
}

async fn offsets_move_with_the_commit_and_not_before(bed: Bed) {
    bed.fill(0, numbered("input", 10)).await;
    let output = bed.another(&format!("{}-out", bed.topic), 1).await;
    let consumer = Consumer::new(bed.member()).unwrap();
    consumer.subscribe([bed.topic.as_str()]).unwrap();
    let committed = async || {
        let found = consumer.committed(bed.partitions(1)).await.unwrap();
        found.get(&bed.partition(0)).map(|offset| offset.offset)
    };
    let mut producer = producer(&bed);
    for (decision, expected) in [("abort", None), ("commit", Some(10))] {
        let batch = tokio::time::timeout(PATIENCE, consumer.recv_batch()).await.unwrap().unwrap();
        assert_eq!(batch.len(), 10);
        let group = consumer.group_metadata().unwrap();
        assert!(group.generation() >= 0 && !group.member_id().is_empty());
        let transaction = producer.begin().await.unwrap();
        send(&transaction, &output, 1, &numbered(decision, 1)).await;
        transaction.send_offsets(&group, [(bed.partition(0), batch.next_offset())]).await.unwrap();
        match decision {
            "abort" => transaction.abort().await.unwrap(),
            _ => transaction.commit().await.unwrap(),
        }
        assert_eq!(committed().await, expected);
        // What was read in a transaction that is aborted is read again.
        consumer.seek_to_committed().unwrap();
    }
    assert_eq!(read(&output, 1, 1).await, ["commit 0000"]);
}

async fn a_second_producer_of_the_same_id_fences_the_first(bed: Bed) {
    let (mut first, mut second) = (producer(&bed), producer(&bed));
    let of_first = first.begin().await.unwrap();
    // It is there, so the second has something to abort.
    write(&of_first, &bed, "first").await;
    let of_second = second.begin().await.unwrap();
    send(&of_second, &bed, 1, &numbered("second", 1)).await;
    let error = of_first.commit().await.unwrap_err();
    assert!(error.is_fatal() && !error.requires_abort(), "{error}");
    let code = error.kind();
    let fenced = [ErrorCode::PRODUCER_FENCED, ErrorCode::INVALID_PRODUCER_EPOCH].map(ErrorKind::Broker);
    assert!(fenced.contains(&code), "{code:?}");
    assert!(first.begin().await.unwrap_err().is_fatal());
    of_second.commit().await.unwrap();
    assert_eq!(read(&bed, 1, 1).await, ["second 0000"]);
}

async fn a_record_that_is_not_written_aborts_its_transaction_and_the_next_one_goes_on(bed: Bed) {
    let mut producer = producer_as(&bed, &bed.topic, &[("max.request.size", "4000000")]);
    let transaction = producer.begin().await.unwrap();
    send(&transaction, &bed, 1, &numbered("aborted", 1)).await;
    // Larger than the topic takes.
    let large = vec![b'x'; 2_000_000];
    let delivery = transaction.deliver(Record::new(&bed.topic).partition(0).value(&large)).await.unwrap();
    let error = delivery.await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broker(ErrorCode::MESSAGE_TOO_LARGE));
    assert!(error.requires_abort() && !error.is_fatal());
    // From now on nothing is taken.
    let refused = transaction.send(Record::new(&bed.topic).partition(0).value(b"aborted")).await.unwrap_err();
    assert!(refused.requires_abort(), "{refused}");
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broker(ErrorCode::MESSAGE_TOO_LARGE));
    assert!(error.requires_abort());
    let next = producer.begin().await.unwrap();
    send(&next, &bed, 1, &numbered("next", 3)).await;
    next.commit().await.unwrap();
    assert_eq!(read(&bed, 1, 3).await, numbered("next", 3));
}

/// A producer whose transactions last a second.
fn impatient(bed: &Bed) -> TransactionalProducer {
    let config = TransactionalConfig::new(&*bed.topic, ProducerConfig::default().client(bed.client(&[])));
    TransactionalProducer::new(config.transaction_timeout(Duration::from_secs(1))).unwrap()
}

/// Waits until the transaction that is open in partition 0 is over: then what lies behind it can be read.
async fn aborted_by_the_broker(bed: &Bed) {
    bed.fill(0, ["behind".to_owned()]).await;
    assert_eq!(read(bed, 1, 1).await, ["behind"]);
}

async fn a_transaction_that_takes_too_long_is_aborted_and_the_next_one_goes_on(bed: Bed) {
    let mut producer = impatient(&bed);
    let transaction = producer.begin().await.unwrap();
    write(&transaction, &bed, "late").await;
    aborted_by_the_broker(&bed).await;
    send(&transaction, &bed, 1, &numbered("too late", 1)).await;
    let error = transaction.commit().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Broker(ErrorCode::INVALID_PRODUCER_EPOCH), "{error}");
    assert!(error.requires_abort() && !error.is_fatal(), "{error}");
    let next = producer.begin().await.unwrap();
    send(&next, &bed, 1, &numbered("next", 1)).await;
    next.commit().await.unwrap();
    assert_eq!(read(&bed, 1, 2).await, ["behind", "next 0000"]);
}

async fn a_transaction_that_takes_too_long_fences_its_producer(bed: Bed) {
    let mut producer = impatient(&bed);
    let transaction = producer.begin().await.unwrap();
    write(&transaction, &bed, "late").await;
    aborted_by_the_broker(&bed).await;
    let error = transaction.commit().await.unwrap_err();
    assert!(error.is_fatal() && !error.requires_abort(), "{error}");
    assert!(producer.begin().await.unwrap_err().is_fatal());
}

async fn a_member_that_its_group_has_replaced_cannot_commit(bed: Bed) {
    bed.fill(0, numbered("input", 1)).await;
    let consumer = Consumer::new(bed.member()).unwrap();
    consumer.subscribe([bed.topic.as_str()]).unwrap();
    let batch = tokio::time::timeout(PATIENCE, consumer.recv_batch()).await.unwrap().unwrap();
    let group = consumer.group_metadata().unwrap();
    consumer.close(PATIENCE).await.unwrap();
    let mut producer = producer(&bed);
    let transaction = producer.begin().await.unwrap();
    let offsets = [(bed.partition(0), batch.next_offset())];
    let error = transaction.send_offsets(&group, offsets).await.unwrap_err();
    assert!(error.requires_abort() && !error.is_fatal(), "{error}");
    drop(transaction);
    let next = producer.begin().await.unwrap();
    send(&next, &bed, 1, &numbered("next", 1)).await;
    next.commit().await.unwrap();
}

async fn librdkafka_reads_what_is_committed(bed: Bed) {
    let Some(kcat) = Kcat::find() else {
        eprintln!("not run: no kcat");
        return;
    };
    let mut producer = producer(&bed);
    let aborted = producer.begin().await.unwrap();
    send(&aborted, &bed, 1, &numbered("aborted", 5)).await;
    write(&aborted, &bed, "aborted").await;
    aborted.abort().await.unwrap();
    let committed = producer.begin().await.unwrap();
    send(&committed, &bed, 1, &numbered("committed", 5)).await;
    committed.commit().await.unwrap();
    let (bootstrap, topic) = (bed.bootstrap().to_owned(), bed.topic.clone());
    let run = move || {
        let isolation = "isolation.level=read_committed";
        kcat.run(&["-C", "-e", "-q", "-b", &bootstrap, "-t", &topic, "-o", "beginning", "-X", isolation], "")
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap().unwrap();
    let lines: Vec<String> = String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect();
    assert_eq!(lines, numbered("committed", 5));
}

/// Copies what is in the case's topic to another, in transactions, until the group has committed all of it; `between` is
/// done after each transaction, and told how many there were. Gives the errors of those that were not committed.
async fn copy(
    bed: &Bed,
    output: &Bed,
    producer: &mut TransactionalProducer,
    count: usize,
    mut between: impl AsyncFnMut(usize),
) -> Vec<Error> {
    let consumer = Consumer::new(bed.member().isolation_level(IsolationLevel::ReadCommitted)).unwrap();
    consumer.subscribe([bed.topic.as_str()]).unwrap();
    let (mut errors, mut transactions) = (Vec::new(), 0);
    loop {
        let committed = consumer.committed(bed.partitions(2)).await.unwrap();
        if committed.values().map(|offset| offset.offset).sum::<i64>() == i64::try_from(count).unwrap() {
            break;
        }
        let batch = tokio::time::timeout(PATIENCE, consumer.recv_batch()).await.unwrap().unwrap();
        let attempt = async {
            let transaction = producer.begin().await?;
            for record in batch.iter() {
                let copy = Record::new(&output.topic).partition(batch.topic_partition().partition);
                transaction.send(copy.value(record.value().unwrap())).await?;
            }
            let offset = (batch.topic_partition().clone(), batch.next_offset());
            transaction.send_offsets(&consumer.group_metadata()?, [offset]).await?;
            transaction.commit().await
        };
        match attempt.await {
            Ok(()) => {}
            Err(error) if error.requires_abort() || error.is_retriable() => {
                errors.push(error);
                consumer.seek_to_committed().unwrap();
            }
            Err(error) => panic!("{error}"),
        }
        transactions += 1;
        between(transactions).await;
    }
    consumer.close(PATIENCE).await.unwrap();
    errors
}

/// Writes what is to be copied: batches of 20 in two partitions.
async fn fill(bed: &Bed) -> Vec<String> {
    let producer = Producer::new(ProducerConfig::default().client(bed.client(&[]))).unwrap();
    let values = numbered("input", 200);
    for (chunk, partition) in values.chunks(20).zip([0, 1].into_iter().cycle()) {
        let records = chunk.iter().map(|value| Record::new(&bed.topic).partition(partition).value(value.as_bytes()));
        let records: Vec<Record<'_>> = records.collect();
        producer.send_batch(&records).await.all().await.unwrap();
    }
    values
}

/// Copies these values with this producer, and sees that each is there once. Gives the errors that there were.
async fn copies_once(
    bed: &Bed,
    values: Vec<String>,
    mut producer: TransactionalProducer,
    between: impl AsyncFnMut(usize),
) -> Vec<Error> {
    let output = bed.another(&format!("{}-out", bed.topic), 2).await;
    let errors = copy(bed, &output, &mut producer, values.len(), between).await;
    let last = producer.begin().await.unwrap();
    send(&last, &output, 2, &["last".to_owned(), "last".to_owned()]).await;
    last.commit().await.unwrap();
    let mut expected = values;
    expected.extend(["last".to_owned(), "last".to_owned()]);
    assert_eq!(read(&output, 2, expected.len()).await, expected);
    errors
}

async fn a_topic_is_copied_exactly_once(bed: Bed) {
    let values = fill(&bed).await;
    let producer = producer(&bed);
    let errors = copies_once(&bed, values, producer, async |_| ()).await;
    assert!(errors.is_empty(), "{errors:?}");
}
