//! Writing records: idempotent by default, batched by partition, each with exactly one outcome.
//!
//! # The walk of a record
//!
//! [`Producer::send`] encodes the record into its partition's open batch: [`partitioner`] says which, [`accumulator`]
//! holds it, in one of the [`buffers`]. The [`driver`] asks the [`machine`] what is due; [`sender`] puts the next batch of every ready partition of
//! a leader into one request, stamped with the [`sequences`] by which the broker recognises a repeated batch. Batches
//! are compressed and their checksum is taken off the lock. The answer completes the batch, and with it each record's
//! [`delivery`]. In a transaction, [`transactions`] says as whom batches are written, and when.
#![expect(clippy::disallowed_methods, reason = "a front door reads the clock for its machine")]

mod accumulator;
mod buffers;
mod compression;
mod config;
mod delivery;
mod driver;
mod machine;
mod partitioner;
mod payload;
mod sender;
mod sequences;
mod transactions;

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;

pub(crate) use self::config::PROPERTIES;
pub use self::config::{Guarantee, ProducerConfig};
pub use self::delivery::{Deliveries, Delivery, RecordMetadata};
use self::machine::{Machine, Refused, Turn};
pub use self::partitioner::{Partitioner, Partitioning};
pub(crate) use self::transactions::PROPERTIES as TRANSACTIONAL_PROPERTIES;
use self::transactions::machine::Transactions;
pub use self::transactions::{Transaction, TransactionalConfig, TransactionalProducer};
use crate::client::Client;
use crate::clock::now;
use crate::cluster::Cluster;
use crate::config::ClientConfig;
use crate::error::{Error, Outcome};
use crate::record::Record;

/// Writes records to topics. Share it: one producer serves many tasks.
///
/// Dropping it loses nothing while the runtime lives: what is buffered is still sent. [`Producer::close`] waits for it.
#[derive(Debug)]
pub struct Producer {
    shared: Arc<Shared>,
}

/// What the front door and the driver share.
#[derive(Debug)]
struct Shared {
    machine: Mutex<Machine>,
    cluster: Cluster,
    config: ProducerConfig,
    transactional: Option<transactions::Settings>,
    /// Those who wait for room in the buffer, one behind the other: the first is told of it.
    line: tokio::sync::Mutex<()>,
    room: Notify,
    woken: Notify,
}

impl Shared {
    fn machine(&self) -> MutexGuard<'_, Machine> {
        // A panic under the lock is a bug of ours; the state it leaves is still the best there is.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Producer {
    /// A producer with connections of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the configuration makes no sense, or there is no runtime.
    pub fn new(config: ProducerConfig) -> Result<Self, Error> {
        let cluster = Cluster::start(config.client.clone())?;
        Self::start(cluster, config, None)
    }

    /// A producer of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// When a name or a value is not known, or as for [`Producer::new`].
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        Self::new(ProducerConfig::from_properties(properties)?)
    }

    /// A producer on the connections of `client`; its own connection options are not used.
    ///
    /// # Errors
    /// As for [`Producer::new`].
    pub fn with_client(client: &Client, config: ProducerConfig) -> Result<Self, Error> {
        Self::start(client.cluster().clone(), config, None)
    }

    fn start(
        cluster: Cluster,
        config: ProducerConfig,
        transactional: Option<transactions::Settings>,
    ) -> Result<Self, Error> {
        config.check()?;
        config.compression.warn();
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::misuse("a producer needs a tokio runtime: create it inside one"))?;
        let transactions = transactional.as_ref().map(|settings| {
            let ClientConfig { default_api_timeout, .. } = config.client;
            Transactions::new(settings.timeout, default_api_timeout, config.client.backoff(), fastrand::u64(..))
        });
        let machine = Machine::new(&config, transactions, cluster.snapshot(), fastrand::u64(..));
        let shared = Arc::new(Shared {
            machine: Mutex::new(machine),
            cluster,
            config,
            transactional,
            line: tokio::sync::Mutex::default(),
            room: Notify::new(),
            woken: Notify::new(),
        });
        runtime.spawn(driver::run(Arc::clone(&shared)));
        Ok(Self { shared })
    }

    /// Appends a record to its partition's batch; waits when the buffer is full or the topic is not known yet.
    ///
    /// The [`Delivery`] is the record's outcome; it need not be awaited for the record to be sent.
    ///
    /// # Errors
    /// When there is no room, or the topic does not become known, within `max.block.ms`; when the record is larger
    /// than `max.request.size`, its partition does not exist, or the producer is closed.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready has sent nothing; one that was ready has sent the record.
    pub async fn send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        match self.shared.append(&record, Turn::New) {
            Ok(delivery) => Ok(delivery),
            Err(refused) => self.shared.append_later(&record, refused).await,
        }
    }

    /// [`send`](Self::send) that never waits.
    ///
    /// # Errors
    /// Of kind [`ErrorKind::WouldBlock`](crate::ErrorKind::WouldBlock) when the buffer is full, others wait for room in
    /// it, or the topic is not known yet, which is then asked for; otherwise as [`send`](Self::send).
    pub fn try_send(&self, record: Record<'_>) -> Result<Delivery, Error> {
        let refused = match self.shared.append(&record, Turn::New) {
            Err(Refused::Ready) => self.shared.append(&record, Turn::New),
            answer => answer,
        };
        let detail = match refused {
            Ok(delivery) => return Ok(delivery),
            Err(Refused::Final(error)) => return Err(error.with_outcome(Outcome::NotWritten)),
            Err(Refused::Ready | Refused::Full) => "the buffer is full: wait for deliveries, or raise buffer.memory",
            Err(Refused::UnknownTopic) => {
                self.shared.cluster.track_topics([record.topic], true);
                self.shared.machine().handle_metadata(self.shared.cluster.snapshot());
                match self.shared.append(&record, Turn::New) {
                    Ok(delivery) => return Ok(delivery),
                    Err(_) => "the topic is not known yet",
                }
            }
        };
        let attempt = format!("sending to topic '{}'", record.topic);
        Err(Error::would_block(attempt).with_detail(detail).with_outcome(Outcome::NotWritten))
    }

    /// Sends many records, in this order: one look at the clock and the lock for many of them. Waits for room as
    /// [`send`](Self::send) does.
    ///
    /// Every record has its outcome in [`Deliveries`], also one that could not be sent.
    ///
    /// # Cancel safety
    /// When the future is dropped, the records that there was room for so far are sent, in order; the others are not.
    ///
    /// ```no_run
    /// # async fn example(producer: tidemill_client::Producer) -> Result<(), tidemill_client::Error> {
    /// use tidemill_client::Record;
    ///
    /// let clicks = [r#"{"user_id":7}"#, r#"{"user_id":8}"#];
    /// let records: Vec<_> = clicks.iter().map(|click| Record::new("clicks").value(click.as_bytes())).collect();
    /// producer.send_batch(&records).await.all().await?;
    /// # Ok(()) }
    /// ```
    pub async fn send_batch(&self, records: &[Record<'_>]) -> Deliveries {
        let mut deliveries = Deliveries::default();
        let mut left = records;
        while let Some(refused) = self.shared.append_many(&mut left, &mut deliveries) {
            let Some((record, others)) = left.split_first() else { break };
            left = others;
            match self.shared.append_later(record, refused).await {
                Ok(delivery) => deliveries.push(delivery),
                Err(error) => deliveries.push_failed(record.topic, record.partition, error),
            }
        }
        deliveries
    }

    /// Waits until everything sent so far has its outcome. Failures are told by the deliveries.
    ///
    /// # Cancel safety
    /// Nothing is lost when the future is dropped.
    pub async fn flush(&self) {
        let batches = self.shared.machine().handle_flush();
        self.shared.woken.notify_one();
        for batch in batches {
            // The outcome itself is for those who hold the delivery.
            let _ = Delivery::new(batch, 0).await;
        }
    }

    /// Sends what is buffered and ends; what has no outcome after `timeout` is given up.
    ///
    /// # Errors
    /// When something was given up; its deliveries say what.
    ///
    /// # Cancel safety
    /// When the future is dropped, what is buffered is still sent, as after a drop of the producer.
    pub async fn close(self, timeout: Duration) -> Result<(), Error> {
        self.shared.machine().handle_close();
        let finished = tokio::time::timeout(timeout, self.flush()).await;
        if finished.is_err() {
            self.shared.machine().handle_abandon();
        }
        self.shared.woken.notify_one();
        finished.map_err(|_| Error::timeout("closing the producer"))
    }
}

/// How many records are appended under one lock and one look at the clock.
const RECORDS_AT_ONCE: usize = 64;

impl Shared {
    /// Appends a record, if that is possible at once.
    fn append(&self, record: &Record<'_>, turn: Turn) -> Result<Delivery, Refused> {
        let now = now();
        let appended = {
            let mut machine = self.machine();
            let timestamp = machine.timestamp(now, time_of_day);
            machine.handle_send(record, timestamp, now, turn).inspect_err(|refused| self.wake_for_room(refused))?
        };
        if appended.wake {
            self.woken.notify_one();
        }
        Ok(Delivery::new(appended.completion, appended.index))
    }

    /// Who finds no room may have to wait for a batch that nobody would close otherwise.
    fn wake_for_room(&self, refused: &Refused) {
        match refused {
            Refused::Full => self.woken.notify_one(),
            Refused::Ready | Refused::UnknownTopic | Refused::Final(_) => {}
        }
    }

    /// Appends the first of these records for as long as that is possible at once. Left are those that were not; why the
    /// first of them has to wait.
    fn append_many(&self, left: &mut &[Record<'_>], deliveries: &mut Deliveries) -> Option<Refused> {
        while !left.is_empty() {
            let (mut wake, mut refused, mut count) = (false, None, 0);
            {
                let now = now();
                let mut machine = self.machine();
                let timestamp = machine.timestamp(now, time_of_day);
                for record in left.iter().take(RECORDS_AT_ONCE) {
                    match machine.handle_send(record, timestamp, now, Turn::New) {
                        Ok(appended) => {
                            wake |= appended.wake;
                            deliveries.push(Delivery::new(appended.completion, appended.index));
                        }
                        Err(reason) => {
                            self.wake_for_room(&reason);
                            refused = Some(reason);
                            break;
                        }
                    }
                    count += 1;
                }
            }
            *left = left.get(count..).unwrap_or_default();
            if wake {
                self.woken.notify_one();
            }
            if refused.is_some() {
                return refused;
            }
        }
        None
    }

    /// Appends a record once there is no reason any more why it was refused.
    #[cold]
    fn append_later<'a>(
        &'a self,
        record: &'a Record<'_>,
        refused: Refused,
    ) -> Pin<Box<dyn Future<Output = Result<Delivery, Error>> + Send + 'a>> {
        Box::pin(async move {
            let deadline = now() + self.config.block_max;
            let mut refused = refused;
            loop {
                match refused {
                    Refused::Final(error) => return Err(error.with_outcome(Outcome::NotWritten)),
                    Refused::Ready => tokio::task::yield_now().await,
                    Refused::UnknownTopic => self.topic_known(record.topic, deadline).await?,
                    Refused::Full => match self.append_in_turn(record, deadline).await? {
                        Ok(delivery) => return Ok(delivery),
                        Err(other) => {
                            refused = other;
                            continue;
                        }
                    },
                }
                match self.append(record, Turn::New) {
                    Ok(delivery) => return Ok(delivery),
                    Err(again) => refused = again,
                }
            }
        })
    }

    /// Waits for room behind those who came before. What else keeps the record from being appended is given back.
    async fn append_in_turn(&self, record: &Record<'_>, deadline: Instant) -> Result<Result<Delivery, Refused>, Error> {
        let _waiting = Waiting::new(self);
        let in_turn = async {
            let _first = self.line.lock().await;
            loop {
                match self.append(record, Turn::First) {
                    Err(Refused::Full) => self.room.notified().await,
                    other => return other,
                }
            }
        };
        tokio::time::timeout_at(deadline.into(), in_turn).await.map_err(|_| {
            let detail = "the brokers are slower than the application: raise buffer.memory or max.block.ms";
            Error::timeout("waiting for room in the buffer").with_detail(detail).with_outcome(Outcome::NotWritten)
        })
    }

    /// Waits until the machine knows a topic, or its absence is certain.
    async fn topic_known(&self, topic: &str, deadline: Instant) -> Result<(), Error> {
        let cluster = &self.cluster;
        let mut refusals = cluster.refusals();
        cluster.track_topics([topic], true);
        loop {
            let snapshot = cluster.snapshot();
            let (seen, missing) = (snapshot.version(), snapshot.missing(topic));
            if snapshot.topic(topic).is_some() {
                self.machine().handle_metadata(snapshot);
                return Ok(());
            }
            let error = missing.map(|code| Error::broker(format!("sending to topic '{topic}'"), code));
            if missing.is_some_and(|code| !code.is_retriable())
                && let Some(error) = error
            {
                return Err(error.with_outcome(Outcome::NotWritten));
            }
            tokio::select! {
                () = cluster.changed(seen) => {}
                refused = cluster.refused(&mut refusals) => return Err(refused.with_outcome(Outcome::NotWritten)),
                () = tokio::time::sleep_until(deadline.into()) => {
                    let unknown = || {
                        let reason = cluster.unreachable().map(|error| error.to_string());
                        let reason = reason.as_deref().unwrap_or("is there a broker at the addresses in bootstrap.servers?");
                        Error::timeout(format!("waiting for the metadata of topic '{topic}'")).with_detail(reason)
                    };
                    return Err(error.unwrap_or_else(unknown).with_outcome(Outcome::NotWritten));
                }
            }
        }
    }
}

/// A sender that waits for room, for as long as it does.
struct Waiting<'a>(&'a Shared);

impl<'a> Waiting<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.machine().handle_waiting(true);
        Self(shared)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.machine().handle_waiting(false);
    }
}

/// Since 1970.
fn time_of_day() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.shared.machine().handle_close();
        self.shared.woken.notify_one();
    }
}
