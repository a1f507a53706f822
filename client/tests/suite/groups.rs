//! Groups: members that come, go and return, by every way to share partitions out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidemill_client::{
    AutoOffsetReset, Consumer, ConsumerConfig, ListenerFuture, RebalanceListener, Rebalancing, TopicPartition,
};
use tokio::task::JoinHandle;

use crate::bed::{Bed, PATIENCE, on_every_cluster};

on_every_cluster! {
    members_of_round_robin_come_and_go_and_nothing_is_lost_or_read_twice(6);
    members_of_sticky_come_and_go_and_nothing_is_lost_or_read_twice(6);
    cooperative_members_come_and_go_and_nothing_is_lost_or_read_twice(6);
    eager_members_give_up_all_and_cooperative_ones_only_what_moves(6);
    a_group_goes_over_from_eager_to_cooperative_one_member_at_a_time(4);
    cooperative_members_read_on_while_another_partition_is_given_up(2);
    a_static_member_returns_to_its_partitions_and_the_others_hear_nothing(4);
    members_of_the_consumer_protocol_come_and_go_and_nothing_is_lost_or_read_twice(6);
    a_static_member_of_the_consumer_protocol_returns_to_its_partitions(4);
    topics_that_match_a_pattern_are_read_also_those_created_later(1);
    a_member_of_the_consumer_protocol_that_stays_away_too_long_is_told_and_comes_back(1);
}

pub(crate) type Properties<'a> = &'a [(&'a str, &'a str)];

pub(crate) const CONSUMER: Properties<'_> = &[("group.protocol", "consumer")];
pub(crate) const COOPERATIVE: Properties<'_> = &[("partition.assignment.strategy", "cooperative-sticky")];

/// What all members of a case have read, by partition; and whether the writer is to end.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    values: Mutex<BTreeMap<i32, Vec<usize>>>,
    enough: AtomicBool,
}

impl Seen {
    /// Lets the writer end.
    pub(crate) fn end(&self) {
        self.enough.store(true, Ordering::Relaxed);
    }

    pub(crate) fn values(&self) -> BTreeMap<i32, Vec<usize>> {
        self.values.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, partition: i32) -> usize {
        self.values.lock().unwrap().get(&partition).map_or(0, Vec::len)
    }
}

/// Commits what it gives up, and remembers what it was told.
#[derive(Debug, Default)]
struct Told {
    revoked: Mutex<Vec<BTreeSet<TopicPartition>>>,
    assigned: Mutex<Vec<BTreeSet<TopicPartition>>>,
    /// How long it takes to give something up.
    slow: Duration,
}

impl RebalanceListener for Told {
    fn revoked<'a>(&'a self, group: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(async move {
            self.revoked.lock().unwrap().push(partitions.clone());
            tokio::time::sleep(self.slow).await;
            group.commit().await.unwrap();
        })
    }

    fn assigned<'a>(&'a self, _: &'a Rebalancing, partitions: &'a BTreeSet<TopicPartition>) -> ListenerFuture<'a> {
        Box::pin(async move { self.assigned.lock().unwrap().push(partitions.clone()) })
    }
}

/// A member that reads until it is stopped.
pub(crate) struct Member {
    consumer: Arc<Consumer>,
    told: Arc<Told>,
    task: JoinHandle<()>,
}

fn config(bed: &Bed, properties: Properties<'_>) -> ConsumerConfig {
    ConsumerConfig::from_properties(properties.iter().copied())
        .unwrap()
        .client(bed.client(&[]))
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .group_id(&*bed.group)
        .enable_auto_commit(false)
}

impl Member {
    pub(crate) fn start(bed: &Bed, properties: Properties<'_>, seen: &Arc<Seen>) -> Self {
        Self::start_slow(bed, properties, seen, Duration::ZERO)
    }

    fn start_slow(bed: &Bed, properties: Properties<'_>, seen: &Arc<Seen>, slow: Duration) -> Self {
        let consumer = Arc::new(Consumer::new(config(bed, properties)).unwrap());
        let told = Arc::new(Told { slow, ..Told::default() });
        consumer.subscribe_with([bed.topic.as_str()], told.clone()).unwrap();
        let task = tokio::spawn({
            let (consumer, seen) = (Arc::clone(&consumer), Arc::clone(seen));
            async move {
                loop {
                    let record = consumer.recv().await.unwrap();
                    let value = std::str::from_utf8(record.value().unwrap()).unwrap().parse().unwrap();
                    seen.values.lock().unwrap().entry(record.partition()).or_default().push(value);
                }
            }
        });
        Self { consumer, told, task }
    }

    pub(crate) fn owns(&self) -> BTreeSet<i32> {
        self.consumer.assignment().iter().map(|partition| partition.partition).collect()
    }

    /// Commits what it read, and leaves.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let ended = self.task.await;
        assert!(ended.is_err_and(|error| error.is_cancelled()), "it failed before");
        self.consumer.commit().await.unwrap();
        self.consumer.close(PATIENCE).await.unwrap();
    }
}

pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Waits until the members have all partitions, each as many as it should.
pub(crate) async fn shared(members: &[&Member], sizes: &[usize]) {
    let total = sizes.iter().sum::<usize>();
    let holds = || {
        let owned: Vec<BTreeSet<i32>> = members.iter().map(|member| member.owns()).collect();
        let mut counts: Vec<usize> = owned.iter().map(BTreeSet::len).collect();
        counts.sort_unstable();
        let all: BTreeSet<i32> = owned.into_iter().flatten().collect();
        counts == sizes && all.len() == total
    };
    until(&format!("shared as {sizes:?}"), holds).await;
}

/// Writes to all partitions in turn until enough is read; how much each has in the end.
pub(crate) fn write(bed: &Bed, partitions: i32, seen: &Arc<Seen>) -> JoinHandle<usize> {
    let (bed, seen) = (bed.clone(), Arc::clone(seen));
    tokio::spawn(async move {
        let mut next = 0;
        while !seen.enough.load(Ordering::Relaxed) {
            for partition in 0..partitions {
                bed.fill(partition, (next..next + 5).map(|number| number.to_string())).await;
            }
            next += 5;
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        next
    })
}

/// Ends the writing, and waits until everything is read: once, and in order.
async fn all_read_once(seen: &Seen, writer: JoinHandle<usize>, partitions: i32) {
    seen.end();
    let written = writer.await.unwrap();
    let expected: Vec<usize> = (0..written).collect();
    let start = Instant::now();
    while (0..partitions).any(|partition| seen.count(partition) < written) {
        if start.elapsed() > PATIENCE {
            for (partition, values) in seen.values() {
                let odd = values.iter().zip(&expected).position(|(value, expected)| value != expected);
                eprintln!("partition {partition}: {} of {written} read, as expected up to {odd:?}", values.len());
            }
            panic!("not all is read");
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    for (partition, values) in seen.values.lock().unwrap().iter() {
        assert_eq!(*values, expected, "partition {partition}");
    }
}

async fn members_come_and_go(bed: Bed, properties: Properties<'_>) {
    let seen = Arc::default();
    let writer = write(&bed, 6, &seen);
    let first = Member::start(&bed, properties, &seen);
    shared(&[&first], &[6]).await;
    let second = Member::start(&bed, properties, &seen);
    shared(&[&first, &second], &[3, 3]).await;
    let third = Member::start(&bed, properties, &seen);
    shared(&[&first, &second, &third], &[2, 2, 2]).await;
    let reads = (0..6).map(|partition| seen.count(partition)).collect::<Vec<_>>();
    until("all are read on", || (0..6).zip(&reads).all(|(partition, read)| seen.count(partition) > *read)).await;
    first.stop().await;
    shared(&[&second, &third], &[3, 3]).await;
    third.stop().await;
    shared(&[&second], &[6]).await;
    all_read_once(&seen, writer, 6).await;
    second.stop().await;
}

async fn members_of_round_robin_come_and_go_and_nothing_is_lost_or_read_twice(bed: Bed) {
    members_come_and_go(bed, &[("partition.assignment.strategy", "roundrobin")]).await;
}

async fn members_of_sticky_come_and_go_and_nothing_is_lost_or_read_twice(bed: Bed) {
    let sticky = "org.apache.kafka.clients.consumer.StickyAssignor";
    members_come_and_go(bed, &[("partition.assignment.strategy", sticky)]).await;
}

async fn cooperative_members_come_and_go_and_nothing_is_lost_or_read_twice(bed: Bed) {
    members_come_and_go(bed, COOPERATIVE).await;
}

async fn eager_members_give_up_all_and_cooperative_ones_only_what_moves(bed: Bed) {
    for (group, strategy, given_up) in [("eager", "sticky", 6), ("cooperative", "cooperative-sticky", 3)] {
        let mut bed = bed.clone();
        bed.group = format!("{}-{group}", bed.group);
        let properties = [("partition.assignment.strategy", strategy)];
        let seen = Arc::default();
        let first = Member::start(&bed, &properties, &seen);
        shared(&[&first], &[6]).await;
        let second = Member::start(&bed, &properties, &seen);
        shared(&[&first, &second], &[3, 3]).await;
        until("the listener has heard of it", || !first.told.revoked.lock().unwrap().is_empty()).await;
        let revoked: Vec<usize> = first.told.revoked.lock().unwrap().iter().map(BTreeSet::len).collect();
        assert_eq!(revoked, [given_up], "{strategy}");
        second.stop().await;
        first.stop().await;
    }
}

async fn a_group_goes_over_from_eager_to_cooperative_one_member_at_a_time(bed: Bed) {
    let range: Properties<'_> = &[("partition.assignment.strategy", "range")];
    let both: Properties<'_> = &[("partition.assignment.strategy", "cooperative-sticky,range")];
    let seen = Arc::default();
    let writer = write(&bed, 4, &seen);
    let mut members = vec![Member::start(&bed, range, &seen), Member::start(&bed, range, &seen)];
    shared(&members.iter().collect::<Vec<_>>(), &[2, 2]).await;
    for properties in [both, both, COOPERATIVE, COOPERATIVE] {
        members.remove(0).stop().await;
        members.push(Member::start(&bed, properties, &seen));
        shared(&members.iter().collect::<Vec<_>>(), &[2, 2]).await;
    }
    all_read_once(&seen, writer, 4).await;
    for member in members {
        member.stop().await;
    }
}

async fn cooperative_members_read_on_while_another_partition_is_given_up(bed: Bed) {
    let seen: Arc<Seen> = Arc::default();
    let writer = write(&bed, 2, &seen);
    let first = Member::start_slow(&bed, COOPERATIVE, &seen, Duration::from_secs(1));
    shared(&[&first], &[2]).await;
    let second = Member::start(&bed, COOPERATIVE, &seen);
    until("something is given up", || !first.told.revoked.lock().unwrap().is_empty()).await;
    let goes = first.told.revoked.lock().unwrap()[0].first().unwrap().partition;
    let before = (seen.count(goes), seen.count(1 - goes));
    until("the other is read on", || seen.count(1 - goes) > before.1 + 20).await;
    assert_eq!(seen.count(goes), before.0, "what is being given up is not read");
    shared(&[&first, &second], &[1, 1]).await;
    all_read_once(&seen, writer, 2).await;
    first.stop().await;
    second.stop().await;
}

async fn static_member_returns(bed: Bed, protocol: Properties<'_>) {
    let seen = Arc::default();
    let named = |name: &'static str| [protocol, &[("group.instance.id", name)]].concat();
    let writer = write(&bed, 4, &seen);
    let stays = Member::start(&bed, &named("stays"), &seen);
    shared(&[&stays], &[4]).await;
    let returns = Member::start(&bed, &named("returns"), &seen);
    shared(&[&stays, &returns], &[2, 2]).await;
    let owned = returns.owns();
    let told =
        |member: &Member| (member.told.revoked.lock().unwrap().len(), member.told.assigned.lock().unwrap().len());
    let before = told(&stays);
    returns.stop().await;
    let returns = Member::start(&bed, &named("returns"), &seen);
    shared(&[&stays, &returns], &[2, 2]).await;
    assert_eq!(returns.owns(), owned);
    all_read_once(&seen, writer, 4).await;
    assert_eq!(told(&stays), before, "the other member heard of it");
    returns.stop().await;
    stays.stop().await;
}

async fn a_static_member_returns_to_its_partitions_and_the_others_hear_nothing(bed: Bed) {
    static_member_returns(bed, &[]).await;
}

async fn members_of_the_consumer_protocol_come_and_go_and_nothing_is_lost_or_read_twice(bed: Bed) {
    members_come_and_go(bed, CONSUMER).await;
}

async fn a_static_member_of_the_consumer_protocol_returns_to_its_partitions(bed: Bed) {
    static_member_returns(bed, CONSUMER).await;
}

async fn topics_that_match_a_pattern_are_read_also_those_created_later(bed: Bed) {
    bed.fill(0, ["early".to_owned()]).await;
    let properties = [CONSUMER, &[("metadata.max.age.ms", "60000")]].concat();
    let consumer = Consumer::new(config(&bed, &properties)).unwrap();
    consumer.subscribe_pattern(format!("{}.*", bed.topic)).unwrap();
    let record = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
    assert_eq!((record.topic(), record.value()), (bed.topic.as_str(), Some(&b"early"[..])));
    let late = bed.another(&format!("{}-late", bed.topic), 1).await;
    late.fill(0, ["late".to_owned()]).await;
    let record = tokio::time::timeout(PATIENCE, consumer.recv()).await.unwrap().unwrap();
    assert_eq!((record.topic(), record.value()), (late.topic.as_str(), Some(&b"late"[..])));
    consumer.close(PATIENCE).await.unwrap();

    let classic = Consumer::new(config(&bed, &[])).unwrap();
    assert!(classic.subscribe_pattern(".*").unwrap_err().to_string().contains("group.protocol"));
}

async fn a_member_of_the_consumer_protocol_that_stays_away_too_long_is_told_and_comes_back(bed: Bed) {
    bed.fill(0, ["first".to_owned(), "second".to_owned()]).await;
    let properties = [CONSUMER, &[("max.poll.interval.ms", "1000")]].concat();
    let consumer = Consumer::new(config(&bed, &properties)).unwrap();
    consumer.subscribe([bed.topic.as_str()]).unwrap();
    let recv = || tokio::time::timeout(PATIENCE, consumer.recv());
    assert_eq!(recv().await.unwrap().unwrap().offset(), 0);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let error = recv().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), tidemill_client::ErrorKind::Timeout);
    assert!(error.to_string().contains("max.poll.interval.ms"), "{error}");
    assert_eq!(recv().await.unwrap().unwrap().offset(), 0, "nothing was committed");
    consumer.close(PATIENCE).await.unwrap();
}
