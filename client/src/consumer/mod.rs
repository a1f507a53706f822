//! Reading records: by partitions that the application names, or as a member of a group that shares topics out.
//!
//! # The walk of a record
//!
//! The [`driver`] sends what the [`machine`] wants. Inside, [`subscription`] knows what was asked for and
//! [`positions`] where to read each partition; [`offset_lookup`] and [`committed`] find out where to begin. The
//! [`fetcher`] asks each leader for records, always one fetch ahead of the application, in the words of [`requests`];
//! what comes waits in [`fetched`]. A receiver takes it in [`handing`], which opens the [`batch`] outside the lock,
//! skips what is [`aborted`] and moves the position.
//!
//! # The walk of a group
//!
//! [`membership`] talks to the coordinator; the leader among the members shares partitions out by an [`assignor`].
//! What is given and taken goes through [`rebalance`], which lets the application finish, tells the [`listener`], and
//! has [`commits`] write what was processed before the next owner begins.
#![expect(clippy::disallowed_methods, reason = "a front door reads the clock for its machine and spawns its driver")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use self::activity::Activity;
use self::driver::Driver;
use self::machine::Machine;
use self::offset_lookup::{Found, OffsetSpec};
use self::requests::Group;
use self::shared::Shared;
use crate::client::Client;
use crate::clock::now;
use crate::cluster::Cluster;
use crate::error::Error;
use crate::record::TopicPartition;

mod aborted;
mod activity;
mod assignor;
mod batch;
mod commits;
mod committed;
mod config;
mod driver;
mod fetched;
mod fetcher;
mod handing;
mod listener;
mod machine;
mod membership;
mod offset_lookup;
mod positions;
mod property_names;
mod rebalance;
mod requests;
mod shared;
mod subscription;

pub use self::assignor::{
    Assignor, CooperativeStickyAssignor, GroupMember, RangeAssignor, RoundRobinAssignor, StickyAssignor,
};
pub use self::batch::{ConsumedBatch, ConsumerRecord, RecordView};
pub use self::config::{AutoOffsetReset, ConsumerConfig, GroupProtocol, IsolationLevel};
pub use self::listener::{ListenerFuture, RebalanceListener, Rebalancing};
pub(crate) use self::membership::assigned_partitions;
pub(crate) use self::property_names::PROPERTIES;

/// Reads records from Kafka.
///
/// Everything but waiting for records and brokers returns at once. Records are fetched in the background, ahead of the
/// application, within [`ConsumerConfig::buffer_bytes_max`].
///
/// All methods take `&self`: a consumer can be shared. Receiving is in turns; with automatic commits it should be done
/// by one task, since whoever receives says that all records received before, by anyone, are processed.
///
/// Dropping a consumer leaves its group without committing what is being processed; [`close`](Self::close) commits it.
///
/// ```no_run
/// # async fn example() -> Result<(), tidemill_client::Error> {
/// use tidemill_client::{Consumer, ConsumerConfig};
///
/// let config = ConsumerConfig::default().bootstrap_servers("localhost:9092").group_id("readers");
/// let consumer = Consumer::new(config)?;
/// consumer.subscribe(["orders"])?;
/// loop {
///     let record = consumer.recv().await?;
///     println!("{:?} at {}", record.value(), record.offset());
/// }
/// # }
/// ```
#[derive(Debug)]
pub struct Consumer {
    shared: Arc<Shared>,
}

/// An offset to commit, or that was committed, with what the application wants to remember beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetAndMetadata {
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the record before it, if known.
    pub leader_epoch: Option<i32>,
    /// Anything, in the application's own words; empty by default.
    pub metadata: String,
}

impl OffsetAndMetadata {
    fn new(offset: i64, leader_epoch: Option<i32>) -> Self {
        Self { offset, leader_epoch, metadata: String::new() }
    }
}

/// Reading went on elsewhere than where it was: the records in between are gone, or never were
/// ([`ConsumerConfig::on_reset`]).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetReset {
    /// Where.
    pub partition: TopicPartition,
    /// The offset that was to be read next, and that the log does not have.
    pub from: i64,
    /// The offset that is read next instead. Beyond [`from`](Self::from), records were deleted before they were read;
    /// before it, the log was cut, or is another, and what was read of it is not there any more.
    pub to: i64,
}

impl From<positions::Skipped> for OffsetReset {
    fn from(positions::Skipped { partition, from, to }: positions::Skipped) -> Self {
        Self { partition, from, to }
    }
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new() }
    }
}

/// Who a consumer is to its group: what a transaction needs to commit offsets in its name (KIP-447).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupMetadata {
    group_id: Arc<str>,
    generation: i32,
    member_id: String,
    instance_id: Option<String>,
}

impl GroupMetadata {
    /// Of a group whose offsets are committed by one that is no member: nobody is fenced.
    #[must_use]
    pub fn new(group_id: impl Into<Arc<str>>) -> Self {
        Self { group_id: group_id.into(), generation: -1, member_id: String::new(), instance_id: None }
    }

    #[cfg(test)]
    pub(crate) fn of_member(group_id: &str, generation: i32, member_id: &str, instance_id: Option<&str>) -> Self {
        let (member_id, instance_id) = (member_id.to_owned(), instance_id.map(str::to_owned));
        Self { group_id: Arc::from(group_id), generation, member_id, instance_id }
    }

    /// The group.
    #[must_use]
    pub fn group_id(&self) -> &str {
        &self.group_id
    }

    /// The generation of the group that the member is in, or its epoch; -1 outside.
    #[must_use]
    pub const fn generation(&self) -> i32 {
        self.generation
    }

    /// The name that the coordinator gave the member; empty outside.
    #[must_use]
    pub fn member_id(&self) -> &str {
        &self.member_id
    }

    /// The member's `group.instance.id`, if it has one.
    #[must_use]
    pub fn instance_id(&self) -> Option<&str> {
        self.instance_id.as_deref()
    }
}

/// A record found by its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetAndTimestamp {
    /// Its offset.
    pub offset: i64,
    /// Its timestamp, in milliseconds since 1970.
    pub timestamp: i64,
}

impl Consumer {
    /// A consumer with connections of its own. Nothing is sent yet but to learn the cluster.
    ///
    /// # Errors
    /// When the configuration makes no sense, or there is no tokio runtime to run on.
    pub fn new(config: ConsumerConfig) -> Result<Self, Error> {
        let cluster = Cluster::start(config.client_config().clone())?;
        Self::start(cluster, &config)
    }

    /// A consumer of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// When a name or a value is not known, or as for [`Consumer::new`].
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        Self::new(ConsumerConfig::from_properties(properties)?)
    }

    /// A consumer on the connections of `client`; its own connection options are not used.
    ///
    /// # Errors
    /// When the configuration makes no sense, or there is no tokio runtime to run on.
    pub fn with_client(client: &Client, config: &ConsumerConfig) -> Result<Self, Error> {
        Self::start(client.cluster().clone(), config)
    }

    fn start(cluster: Cluster, config: &ConsumerConfig) -> Result<Self, Error> {
        let settings = config.settings()?;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::misuse("a consumer needs a tokio runtime: create it inside one"))?;
        let group = settings.group_id.as_deref().map(|group_id| Group {
            id: requests::text(group_id),
            instance_id: settings.group_instance_id.as_deref().map(requests::text),
            remote_assignor: settings.group_remote_assignor.as_deref().map(requests::text),
            session_timeout: settings.session_timeout,
            rebalance_timeout: settings.max_poll_interval,
        });
        let activity = Arc::<Activity>::default();
        let driver_settings = settings.clone();
        let machine = Machine::new(settings, cluster.snapshot(), activity.clone(), fastrand::u64(..), now());
        let shared = Arc::new(Shared::new(machine, activity));
        let driver = Driver::new(shared.clone(), cluster, group, &driver_settings);
        runtime.spawn(driver.run());
        Ok(Self { shared })
    }

    /// Joins the group and reads the partitions of these topics that it gives us, in place of what was subscribed to
    /// before. Topics that do not exist yet are read once they do.
    ///
    /// # Errors
    /// Without a `group.id`, or while partitions are assigned by name.
    pub fn subscribe<T: Into<Arc<str>>>(&self, topics: impl IntoIterator<Item = T>) -> Result<(), Error> {
        self.subscribe_to(topics.into_iter().map(Into::into).collect(), None)
    }

    /// As [`Consumer::subscribe`]; the listener is told of partitions that come and go.
    ///
    /// # Errors
    /// As [`Consumer::subscribe`].
    pub fn subscribe_with<T: Into<Arc<str>>>(
        &self,
        topics: impl IntoIterator<Item = T>,
        listener: Arc<dyn RebalanceListener>,
    ) -> Result<(), Error> {
        self.subscribe_to(topics.into_iter().map(Into::into).collect(), Some(listener))
    }

    /// Joins the group and reads the partitions that it gives us of the topics whose names match `pattern`, also of those
    /// that are created later. The coordinator matches: a regular expression of RE2, for the whole name. Only with
    /// `group.protocol=consumer`.
    ///
    /// # Errors
    /// Without a `group.id`, with the classic protocol, or while partitions are assigned by name.
    pub fn subscribe_pattern(&self, pattern: impl Into<Arc<str>>) -> Result<(), Error> {
        self.shared.set_listener(None);
        self.change(|machine| machine.subscribe_pattern(pattern.into(), false, now()))
    }

    /// As [`Consumer::subscribe_pattern`]; the listener is told of partitions that come and go.
    ///
    /// # Errors
    /// As [`Consumer::subscribe_pattern`].
    pub fn subscribe_pattern_with(
        &self,
        pattern: impl Into<Arc<str>>,
        listener: Arc<dyn RebalanceListener>,
    ) -> Result<(), Error> {
        self.shared.set_listener(Some(listener));
        self.change(|machine| machine.subscribe_pattern(pattern.into(), true, now()))
    }

    fn subscribe_to(
        &self,
        topics: BTreeSet<Arc<str>>,
        listener: Option<Arc<dyn RebalanceListener>>,
    ) -> Result<(), Error> {
        if topics.is_empty() {
            return self.unsubscribe();
        }
        let has_listener = listener.is_some();
        self.shared.set_listener(listener);
        self.change(|machine| machine.subscribe(topics, has_listener, now()))
    }

    /// Reads these partitions and no others. Where to begin: at what the group committed, if there is a `group.id`
    /// and it did; else where `auto.offset.reset` says. Partitions that were assigned before keep their place.
    ///
    /// # Errors
    /// While subscribed to topics.
    pub fn assign(&self, partitions: impl IntoIterator<Item = TopicPartition>) -> Result<(), Error> {
        let partitions = partitions.into_iter().collect();
        self.change(|machine| machine.assign(partitions))
    }

    /// Gives up what was subscribed to or assigned. What was processed is committed first, if that is automatic.
    ///
    /// # Errors
    /// After [`close`](Self::close).
    pub fn unsubscribe(&self) -> Result<(), Error> {
        self.change(|machine| machine.unsubscribe(now()))
    }

    /// The next record, of whichever partition has one; waits until there is one.
    ///
    /// # Errors
    /// What the application should know, once; after most of them the next call goes on: a position that is not in the
    /// log, a batch that is damaged, a topic or group that may not be read, or that records were not asked for within
    /// `max.poll.interval.ms` (the group is then joined again). After [`close`](Self::close), always.
    ///
    /// # Cancel safety
    /// Safe: a record that is not returned is not lost, the next call returns it. To call it again says that all
    /// records received before are processed, even if this call is then dropped.
    pub async fn recv(&self) -> Result<ConsumerRecord, Error> {
        let mut turn = self.shared.turn.lock().await;
        turn.begin();
        loop {
            if let Some(record) = turn.next_record(&self.shared, now)? {
                return Ok(record);
            }
            let _waiting = self.shared.activity.wait();
            self.shared.receiver_woken().await;
        }
    }

    /// The next records of one partition, as many as were written together: one step, however many there are.
    ///
    /// # Errors
    /// As [`recv`](Self::recv).
    ///
    /// # Cancel safety
    /// As [`recv`](Self::recv).
    pub async fn recv_batch(&self) -> Result<ConsumedBatch, Error> {
        let mut turn = self.shared.turn.lock().await;
        turn.begin();
        loop {
            if let Some(batch) = turn.next_batch(&self.shared, now)? {
                return Ok(batch);
            }
            let _waiting = self.shared.activity.wait();
            self.shared.receiver_woken().await;
        }
    }

    /// Commits the position of every assigned partition: all that was received counts as processed.
    ///
    /// # Errors
    /// Without a `group.id`; when the group is rebalancing or has gone on without us, in which case the partitions may
    /// be another's; when the coordinator refuses; when it does not answer for `default.api.timeout.ms`.
    ///
    /// # Cancel safety
    /// Dropped, it may commit or not. Commits take effect in the order they were asked for.
    pub async fn commit(&self) -> Result<(), Error> {
        commit(&self.shared, None).await
    }

    /// Commits these offsets: for each partition, the next to read.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    ///
    /// # Cancel safety
    /// As [`commit`](Self::commit).
    pub async fn commit_offsets<O: Into<OffsetAndMetadata>>(
        &self,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<(), Error> {
        let offsets = offsets.into_iter().map(|(partition, offset)| (partition, offset.into())).collect();
        commit(&self.shared, Some(offsets)).await
    }

    /// What the group has committed of each of these partitions; nothing for those without a commit.
    ///
    /// # Errors
    /// Without a `group.id`; when the coordinator refuses, or does not answer for `default.api.timeout.ms`.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn committed(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, Error> {
        committed_by_group(&self.shared, partitions.into_iter().collect()).await
    }

    /// Reads a partition on from `offset`. What is buffered of it is dropped; committing back is meant then.
    ///
    /// # Errors
    /// When the partition is not assigned, or `offset` is negative.
    pub fn seek(&self, partition: &TopicPartition, offset: i64) -> Result<(), Error> {
        self.change(|machine| machine.seek(partition, offset))
    }

    /// Reads every partition on from what the group has committed of it, as when it was assigned: what a transaction that
    /// is aborted has read is read again. Offsets of a transaction that is still being ended are waited for.
    ///
    /// # Errors
    /// Without a `group.id`, or after [`close`](Self::close).
    pub fn seek_to_committed(&self) -> Result<(), Error> {
        self.change(Machine::seek_to_committed)
    }

    /// Who the consumer was to its group when it received the last records: to commit offsets of these with a
    /// [`Transaction`](crate::Transaction), which fails if the group has gone on without it since.
    ///
    /// # Errors
    /// Without a `group.id`, or when the consumer is no member any more.
    pub fn group_metadata(&self) -> Result<GroupMetadata, Error> {
        self.shared.machine().group_metadata()
    }

    /// Reads a partition again from the first record that its log holds.
    ///
    /// # Errors
    /// When the partition is not assigned.
    pub fn seek_to_beginning(&self, partition: &TopicPartition) -> Result<(), Error> {
        self.change(|machine| machine.seek_to(partition, OffsetSpec::Earliest))
    }

    /// Reads a partition on from its end: only records written from now on.
    ///
    /// # Errors
    /// When the partition is not assigned.
    pub fn seek_to_end(&self, partition: &TopicPartition) -> Result<(), Error> {
        self.change(|machine| machine.seek_to(partition, OffsetSpec::Latest))
    }

    /// Hands out nothing more of these partitions until they are resumed. What is buffered stays.
    ///
    /// # Errors
    /// When one of them is not assigned; then none is paused.
    pub fn pause(&self, partitions: impl IntoIterator<Item = TopicPartition>) -> Result<(), Error> {
        let partitions = partitions.into_iter().collect();
        self.change(|machine| machine.pause(partitions))
    }

    /// Goes on with partitions that were paused.
    ///
    /// # Errors
    /// When one of them is not assigned; then none is resumed.
    pub fn resume(&self, partitions: impl IntoIterator<Item = TopicPartition>) -> Result<(), Error> {
        let partitions: Vec<TopicPartition> = partitions.into_iter().collect();
        self.change(|machine| machine.resume(&partitions))
    }

    /// The partitions that are paused.
    #[must_use]
    pub fn paused(&self) -> BTreeSet<TopicPartition> {
        self.shared.machine().paused()
    }

    /// The partitions that are read now: those assigned by name, or given by the group.
    #[must_use]
    pub fn assignment(&self) -> BTreeSet<TopicPartition> {
        self.shared.machine().assignment()
    }

    /// The next offset that will be handed out of a partition. None while it is not assigned, or not known yet.
    #[must_use]
    pub fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared.machine().position(partition)
    }

    /// The end of what can be read of a partition, as its leader told with the last fetch. None before the first.
    #[must_use]
    pub fn high_watermark(&self, partition: &TopicPartition) -> Option<i64> {
        self.shared.machine().high_watermark(partition)
    }

    /// How many offsets of a partition are between the position and [`high_watermark`](Self::high_watermark): what is
    /// still to be handed out, and offsets that no record has. None until both are known.
    #[must_use]
    pub fn lag(&self, partition: &TopicPartition) -> Option<u64> {
        let machine = self.shared.machine();
        let end = machine.high_watermark(partition)?;
        Some(u64::try_from(end - machine.position(partition)?).unwrap_or(0))
    }

    /// The first offset that the log of each partition holds. They need not be assigned.
    ///
    /// # Errors
    /// When a leader refuses, or one is not found or does not answer for `default.api.timeout.ms`.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn beginning_offsets(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        self.ends(partitions, OffsetSpec::Earliest).await
    }

    /// The end of each partition: the offset that the next record will get, or, when reading only what is committed,
    /// that of the first record of the oldest open transaction. They need not be assigned.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets).
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn end_offsets(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
    ) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        self.ends(partitions, OffsetSpec::Latest).await
    }

    /// The first record of each partition whose timestamp is the one given or later, in milliseconds since 1970.
    /// Partitions without such a record are left out.
    ///
    /// # Errors
    /// As [`beginning_offsets`](Self::beginning_offsets); also when a timestamp is negative.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn offsets_for_times(
        &self,
        timestamps: impl IntoIterator<Item = (TopicPartition, i64)>,
    ) -> Result<BTreeMap<TopicPartition, OffsetAndTimestamp>, Error> {
        let mut wanted = BTreeMap::new();
        for (partition, timestamp) in timestamps {
            if timestamp < 0 {
                return Err(Error::misuse("looking up an offset by a negative timestamp").with_partition(partition));
            }
            wanted.insert(partition, OffsetSpec::Timestamp(timestamp));
        }
        let found = self.look_up(wanted).await?;
        let found = found.into_iter().filter_map(|(partition, found)| Some((partition, found?)));
        Ok(found
            .map(|(partition, Found { offset, timestamp })| (partition, OffsetAndTimestamp { offset, timestamp }))
            .collect())
    }

    async fn ends(
        &self,
        partitions: impl IntoIterator<Item = TopicPartition>,
        end: OffsetSpec,
    ) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        let found = self.look_up(partitions.into_iter().map(|partition| (partition, end)).collect()).await?;
        Ok(found.into_iter().filter_map(|(partition, found)| Some((partition, found?.offset))).collect())
    }

    async fn look_up(
        &self,
        wanted: BTreeMap<TopicPartition, OffsetSpec>,
    ) -> Result<BTreeMap<TopicPartition, Option<Found>>, Error> {
        let (done, reply) = oneshot::channel();
        self.change(|machine| machine.look_up_offsets(wanted, done, now()));
        reply.await.map_err(|_| closed())?
    }

    /// Ends the consumer: commits what was received, if that is automatic, and leaves the group. Takes `deadline` at
    /// most; a broker that does not answer is not waited for any longer.
    ///
    /// # Errors
    /// When the deadline passed before all was done, or the consumer was closed before.
    ///
    /// # Cancel safety
    /// Dropped, closing goes on in the background.
    pub async fn close(&self, deadline: Duration) -> Result<(), Error> {
        let (done, closed_by) = oneshot::channel();
        self.change(|machine| machine.close(now() + deadline, done, now()));
        closed_by.await.map_err(|_| closed())?
    }

    /// Changes the machine, and has the driver look at it.
    fn change<T>(&self, change: impl FnOnce(&mut Machine) -> T) -> T {
        let result = change(&mut self.shared.machine());
        self.shared.wake_driver();
        result
    }
}

impl Drop for Consumer {
    fn drop(&mut self) {
        self.change(|machine| machine.abandon(now() + ABANDON_MAX, now()));
    }
}

/// What the group has committed of these partitions, of those with a commit.
async fn committed_by_group(
    shared: &Shared,
    partitions: BTreeSet<TopicPartition>,
) -> Result<BTreeMap<TopicPartition, OffsetAndMetadata>, Error> {
    let (done, reply) = oneshot::channel();
    shared.machine().committed(partitions.into_iter().collect(), done, now());
    shared.wake_driver();
    let found = reply.await.map_err(|_| closed())??;
    Ok(found.into_iter().filter_map(|(partition, offset)| Some((partition, offset?))).collect())
}

/// How long a consumer that was dropped may take to tell its group.
const ABANDON_MAX: Duration = Duration::from_secs(3);

async fn commit(shared: &Shared, offsets: Option<commits::Offsets>) -> Result<(), Error> {
    let (done, outcome) = oneshot::channel();
    shared.machine().commit(offsets, done, now());
    shared.wake_driver();
    outcome.await.map_err(|_| closed())?
}

fn closed() -> Error {
    Error::closed("using the consumer")
}
