//! Reading: by name and in groups, and everything that moves a position.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidemill_client::{Consumer, ConsumerRecord, ListenerFuture, RebalanceListener, Rebalancing, TopicPartition};
use tokio::time::timeout;

use crate::bed::{Bed, PATIENCE, on_every_cluster, timestamp};

fn numbered(range: std::ops::Range<usize>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}

fn value(record: &ConsumerRecord) -> String {
    String::from_utf8(record.value().unwrap().to_vec()).unwrap()
}

async fn recv(consumer: &Consumer) -> ConsumerRecord {
    timeout(PATIENCE, consumer.recv()).await.expect("no record came").unwrap()
}

/// What comes until nothing more does, by partition.
async fn drain(consumer: &Consumer, quiet: Duration) -> BTreeMap<i32, Vec<String>> {
    let mut found: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    while let Ok(record) = timeout(quiet, consumer.recv()).await {
        let record = record.unwrap();
        found.entry(record.partition()).or_default().push(value(&record));
    }
    found
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

on_every_cluster! {
    all_of_a_topic_is_read_in_order_from_the_earliest_record(3);
    the_ends_of_partitions_and_offsets_by_time_are_looked_up(2);
    what_is_committed_is_where_the_next_reader_goes_on(1);
    automatic_commits_leave_out_what_is_still_being_processed(1);
    a_seek_moves_back_and_forth(1);
    a_seek_past_the_end_resets_as_configured(1);
    a_pause_keeps_what_is_buffered(2);
    a_receive_that_is_dropped_loses_nothing_and_repeats_nothing(2);
    a_group_shares_a_topic_and_takes_over_from_who_leaves(4);
    what_a_listener_commits_while_it_gives_up_is_not_read_twice(2);
    an_application_that_stays_away_too_long_is_told_and_comes_back(1);
    a_topic_that_is_created_after_it_was_subscribed_to_is_read(1);
}

async fn all_of_a_topic_is_read_in_order_from_the_earliest_record(bed: Bed) {
    for partition in 0..3 {
        bed.fill(partition, numbered(0..500)).await;
        bed.fill(partition, numbered(500..1000)).await;
    }
    let consumer = Consumer::new(bed.reader()).unwrap();
    consumer.assign(bed.partitions(3)).unwrap();
    let mut found: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    while found.values().map(Vec::len).sum::<usize>() < 3000 {
        let batch = timeout(PATIENCE, consumer.recv_batch()).await.expect("no batch came").unwrap();
        let values = batch.iter().map(|record| String::from_utf8(record.value().unwrap().to_vec()).unwrap());
        found.entry(batch.topic_partition().partition).or_default().extend(values);
        assert_eq!(consumer.position(batch.topic_partition()), Some(batch.next_offset()));
    }
    let expected: Vec<String> = numbered(0..1000).collect();
    assert!(found.values().all(|values| *values == expected));
    assert_eq!(consumer.high_watermark(&bed.partition(0)), Some(1000));
}

async fn the_ends_of_partitions_and_offsets_by_time_are_looked_up(bed: Bed) {
    bed.fill(0, numbered(0..10)).await;
    let consumer = Consumer::new(bed.reader()).unwrap();
    let (first, second) = (bed.partition(0), bed.partition(1));
    let ends = consumer.end_offsets(bed.partitions(2)).await.unwrap();
    assert_eq!(ends, BTreeMap::from([(first.clone(), 10), (second.clone(), 0)]));
    let beginnings = consumer.beginning_offsets(bed.partitions(2)).await.unwrap();
    assert!(beginnings.values().all(|offset| *offset == 0));
    let times = [(first.clone(), timestamp(4)), (second, timestamp(4))];
    let found = consumer.offsets_for_times(times).await.unwrap();
    assert_eq!(found.len(), 1, "nothing in the empty partition: {found:?}");
    assert_eq!((found[&first].offset, found[&first].timestamp), (4, timestamp(4)));
}

async fn what_is_committed_is_where_the_next_reader_goes_on(bed: Bed) {
    bed.fill(0, numbered(0..100)).await;
    let partition = bed.partition(0);
    let consumer = Consumer::new(bed.member()).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    assert!(consumer.committed([partition.clone()]).await.unwrap().is_empty());
    for _ in 0..30 {
        recv(&consumer).await;
    }
    consumer.commit().await.unwrap();
    consumer.close(PATIENCE).await.unwrap();
    assert!(consumer.recv().await.is_err(), "it is closed");

    let consumer = Consumer::new(bed.member()).unwrap();
    assert_eq!(consumer.committed([partition.clone()]).await.unwrap()[&partition].offset, 30);
    consumer.assign([partition.clone()]).unwrap();
    assert_eq!(value(&recv(&consumer).await), "30");
    consumer.commit_offsets([(partition.clone(), 7)]).await.unwrap();
    assert_eq!(consumer.committed([partition.clone()]).await.unwrap()[&partition].offset, 7);
}

async fn automatic_commits_leave_out_what_is_still_being_processed(bed: Bed) {
    bed.fill(0, numbered(0..10)).await;
    let partition = bed.partition(0);
    let often = Duration::from_millis(100);
    let config = bed.member().enable_auto_commit(true).auto_commit_interval(often);
    let consumer = Consumer::new(config.clone()).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    for _ in 0..5 {
        recv(&consumer).await;
    }
    tokio::time::sleep(10 * often).await;
    let committed = consumer.committed([partition.clone()]).await.unwrap();
    assert_eq!(committed[&partition].offset, 4, "the fifth is in hand");
    consumer.close(PATIENCE).await.unwrap();
    let consumer = Consumer::new(config).unwrap();
    let committed = consumer.committed([partition.clone()]).await.unwrap();
    assert_eq!(committed[&partition].offset, 5, "who closes is through");
}

async fn a_seek_moves_back_and_forth(bed: Bed) {
    bed.fill(0, numbered(0..100)).await;
    let partition = bed.partition(0);
    let consumer = Consumer::new(bed.reader()).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    assert_eq!(value(&recv(&consumer).await), "0");
    consumer.seek(&partition, 90).unwrap();
    assert_eq!(value(&recv(&consumer).await), "90");
    consumer.seek(&partition, 10).unwrap();
    assert_eq!(value(&recv(&consumer).await), "10");
    assert_eq!(consumer.position(&partition), Some(11));
    consumer.seek_to_beginning(&partition).unwrap();
    assert_eq!(value(&recv(&consumer).await), "0");
    consumer.seek_to_end(&partition).unwrap();
    until("the end is found", || consumer.position(&partition) == Some(100)).await;
    bed.fill(0, ["new".to_owned()]).await;
    assert_eq!(value(&recv(&consumer).await), "new");
}

async fn a_seek_past_the_end_resets_as_configured(bed: Bed) {
    bed.fill(0, numbered(0..10)).await;
    let partition = bed.partition(0);
    let consumer = Consumer::new(bed.reader()).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    consumer.seek(&partition, 1_000).unwrap();
    assert_eq!(value(&recv(&consumer).await), "0");

    let config = bed.reader().auto_offset_reset(tidemill_client::AutoOffsetReset::None);
    let consumer = Consumer::new(config).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    let error = timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("seek"), "{error}");
    consumer.seek(&partition, 1_000).unwrap();
    let error = timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap_err();
    assert_eq!(error.topic_partition(), Some(&partition));
    consumer.seek(&partition, 3).unwrap();
    assert_eq!(value(&recv(&consumer).await), "3");
}

async fn a_pause_keeps_what_is_buffered(bed: Bed) {
    bed.fill(0, numbered(0..100)).await;
    bed.fill(1, numbered(0..100)).await;
    let consumer = Consumer::new(bed.reader()).unwrap();
    consumer.assign(bed.partitions(2)).unwrap();
    let first = recv(&consumer).await;
    consumer.pause([first.topic_partition().clone()]).unwrap();
    assert_eq!(consumer.paused(), BTreeSet::from([first.topic_partition().clone()]));
    let others = drain(&consumer, Duration::from_millis(700)).await;
    assert_eq!(others.keys().copied().collect::<Vec<_>>(), [1 - first.partition()]);
    consumer.resume([first.topic_partition().clone()]).unwrap();
    let start = Instant::now();
    assert_eq!(value(&recv(&consumer).await), "1");
    assert!(start.elapsed() < Duration::from_millis(200), "it was there all the time: {:?}", start.elapsed());
    let rest = drain(&consumer, Duration::from_millis(700)).await;
    assert_eq!(rest[&first.partition()], numbered(2..100).collect::<Vec<_>>());
}

async fn a_receive_that_is_dropped_loses_nothing_and_repeats_nothing(bed: Bed) {
    let consumer = Consumer::new(bed.reader()).unwrap();
    consumer.assign(bed.partitions(2)).unwrap();
    let writer = tokio::spawn({
        let bed = bed.clone();
        async move {
            for part in 0..20 {
                for partition in 0..2 {
                    bed.fill(partition, numbered(part * 10..part * 10 + 10)).await;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    });
    let mut found: BTreeMap<i32, Vec<String>> = BTreeMap::new();
    let (mut count, mut dropped, start) = (0, 0, Instant::now());
    while count < 400 {
        assert!(start.elapsed() < PATIENCE, "only {count} came");
        // Polled once and dropped, at whatever point it has got to.
        tokio::select! {
            biased;
            record = consumer.recv(), if dropped % 2 == 0 => {
                let record = record.unwrap();
                found.entry(record.partition()).or_default().push(value(&record));
                count += 1;
            }
            batch = consumer.recv_batch(), if dropped % 2 == 1 => {
                let batch = batch.unwrap();
                let values = batch.iter().map(|record| String::from_utf8(record.value().unwrap().to_vec()).unwrap());
                found.entry(batch.topic_partition().partition).or_default().extend(values);
                count += batch.len();
            }
            () = tokio::task::yield_now() => dropped += 1,
        }
    }
    writer.await.unwrap();
    assert!(dropped > 0);
    let expected: Vec<String> = numbered(0..200).collect();
    assert!(found.values().all(|values| *values == expected), "{found:?}");
}

async fn a_group_shares_a_topic_and_takes_over_from_who_leaves(bed: Bed) {
    let first = Consumer::new(bed.member()).unwrap();
    first.subscribe([bed.topic.as_str()]).unwrap();
    let second = Consumer::new(bed.member()).unwrap();
    let all: BTreeSet<TopicPartition> = bed.partitions(4).into_iter().collect();
    receive_while(&first, &second, || first.assignment() == all).await;
    second.subscribe([bed.topic.as_str()]).unwrap();
    receive_while(&first, &second, || first.assignment().len() == 2 && second.assignment().len() == 2).await;
    assert!(first.assignment().is_disjoint(&second.assignment()));
    for partition in 0..4 {
        bed.fill(partition, numbered(0..10)).await;
    }
    let (mut by_first, by_second) =
        tokio::join!(drain(&first, Duration::from_secs(1)), drain(&second, Duration::from_secs(1)));
    assert_eq!((by_first.len(), by_second.len()), (2, 2));
    by_first.extend(by_second);
    assert!(by_first.values().all(|values| values.len() == 10) && by_first.len() == 4, "{by_first:?}");
    second.commit().await.unwrap();
    second.close(PATIENCE).await.unwrap();
    receive_while(&first, &second, || first.assignment() == all).await;
}

/// Both keep asking for records, as members do, until this holds.
async fn receive_while(first: &Consumer, second: &Consumer, mut holds: impl FnMut() -> bool) {
    let receive = async |consumer: &Consumer| {
        loop {
            if consumer.recv().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        () = receive(first) => {}
        () = receive(second) => {}
        () = until("the assignment", &mut holds) => {}
    }
}

/// Commits what is given up, and remembers what it was told.
#[derive(Debug, Default)]
struct Committer {
    told: Mutex<Vec<(&'static str, usize)>>,
}

impl RebalanceListener for Committer {
    fn revoked<'a>(&'a self, group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(async move {
            group.commit().await.unwrap();
            self.told.lock().unwrap().push(("revoked", partitions.len()));
        })
    }

    fn assigned<'a>(&'a self, _: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(async move { self.told.lock().unwrap().push(("assigned", partitions.len())) })
    }
}

async fn what_a_listener_commits_while_it_gives_up_is_not_read_twice(bed: Bed) {
    for partition in 0..2 {
        bed.fill(partition, numbered(0..100)).await;
    }
    let listener = Arc::new(Committer::default());
    let first = Consumer::new(bed.member()).unwrap();
    first.subscribe_with([bed.topic.as_str()], listener.clone()).unwrap();
    let by_first = drain(&first, Duration::from_secs(5)).await;
    assert_eq!(by_first.values().map(Vec::len).sum::<usize>(), 200);
    let second = Consumer::new(bed.member()).unwrap();
    second.subscribe([bed.topic.as_str()]).unwrap();
    let (again, by_second) =
        tokio::join!(drain(&first, Duration::from_secs(5)), drain(&second, Duration::from_secs(5)));
    assert!(again.is_empty() && by_second.is_empty(), "{again:?} {by_second:?}");
    assert_eq!(second.assignment().len(), 1);
    assert_eq!(*listener.told.lock().unwrap(), [("assigned", 2), ("revoked", 2), ("assigned", 1)]);
}

async fn an_application_that_stays_away_too_long_is_told_and_comes_back(bed: Bed) {
    bed.fill(0, numbered(0..100)).await;
    let config = bed.member().max_poll_interval(Duration::from_secs(2)).session_timeout(Duration::from_secs(6));
    let consumer = Consumer::new(config).unwrap();
    consumer.subscribe([bed.topic.as_str()]).unwrap();
    assert_eq!(value(&recv(&consumer).await), "0");
    until("the partition is taken away", || consumer.assignment().is_empty()).await;
    let error = consumer.recv().await.unwrap_err();
    assert!(error.to_string().contains("max.poll.interval.ms"), "{error}");
    assert_eq!(value(&recv(&consumer).await), "0", "nothing was committed");
}

async fn a_topic_that_is_created_after_it_was_subscribed_to_is_read(bed: Bed) {
    let late = format!("{}-late", bed.topic);
    let config = bed.member().client(bed.client(&[("metadata.max.age.ms", "200")])).allow_auto_create_topics(false);
    let consumer = Consumer::new(config).unwrap();
    consumer.subscribe([bed.topic.as_str(), late.as_str()]).unwrap();
    bed.fill(0, ["early".to_owned()]).await;
    assert_eq!(value(&recv(&consumer).await), "early");
    let late = bed.another(&late, 1).await;
    late.fill(0, ["late".to_owned()]).await;
    loop {
        let record = recv(&consumer).await;
        if record.topic() == late.topic {
            return assert_eq!(value(&record), "late");
        }
    }
}
