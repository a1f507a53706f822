//! Writing records: idempotent by default, batched by partition, each with exactly one outcome.
//!
//! # The walk of a record
//!
//! [`Producer::send`] encodes the record into its partition's open batch: [`partitioner`] says which, [`accumulator`]
//! holds it. The [`driver`] asks the [`machine`] what is due; [`sender`] puts the next batch of every ready partition of
//! a leader into one request, stamped with the [`sequences`] by which the broker recognises a repeated batch. Batches
//! are compressed and their checksum is taken off the lock. The answer completes the batch, and with it each record's
//! [`delivery`].
#![expect(clippy::disallowed_methods, reason = "a front door reads the clock for its machine")]

mod accumulator;
mod compression;
mod config;
mod delivery;
mod driver;
mod machine;
mod partitioner;
mod sender;
mod sequences;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, Semaphore};

pub(crate) use self::config::property_names;
pub use self::config::{Guarantee, ProducerConfig};
pub use self::delivery::{Delivery, RecordMetadata};
use self::machine::{Machine, Refused};
use crate::client::Client;
use crate::cluster::Cluster;
use crate::error::{Error, Outcome};
use crate::record::Record;

/// What a batch takes beside a record's own bytes, shared out generously: lengths, deltas and counts.
const RECORD_OVERHEAD_BYTES: usize = 32;
/// The header of a batch, which its first record pays for.
const BATCH_OVERHEAD_BYTES: usize = 61;

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
    /// The bytes that may still be buffered.
    room: Semaphore,
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
        Self::start(cluster, config)
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
        Self::start(client.cluster().clone(), config)
    }

    fn start(cluster: Cluster, config: ProducerConfig) -> Result<Self, Error> {
        config.check()?;
        config.compression.warn();
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::misuse("a producer needs a tokio runtime: create it inside one"))?;
        let machine = Machine::new(&config, cluster.snapshot(), fastrand::u64(..));
        let room = usize::try_from(config.buffer_bytes).unwrap_or(Semaphore::MAX_PERMITS).min(Semaphore::MAX_PERMITS);
        let shared = Arc::new(Shared {
            machine: Mutex::new(machine),
            cluster,
            config,
            room: Semaphore::new(room),
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
        let deadline = Instant::now() + self.shared.config.block_max;
        loop {
            let room = self.reserve(&record, deadline).await?;
            let now = Instant::now();
            let timestamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
            let timestamp = i64::try_from(timestamp).unwrap_or(i64::MAX);
            let sent = self.shared.machine().handle_send(&record, timestamp, now);
            match sent {
                Ok(appended) => {
                    if appended.wake {
                        self.shared.woken.notify_one();
                    }
                    room.used(appended.bytes);
                    return Ok(Delivery::new(appended.completion, appended.index));
                }
                Err(Refused::Final(error)) => return Err(error.with_outcome(Outcome::NotWritten)),
                Err(Refused::UnknownTopic) => {}
            }
            // Waiting for one topic takes no room from the others.
            drop(room);
            self.topic_known(record.topic, deadline).await?;
        }
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

    /// Takes room in the buffer for a record.
    async fn reserve(&self, record: &Record<'_>, deadline: Instant) -> Result<Room<'_>, Error> {
        let headers: usize =
            record.headers.iter().map(|header| header.key.len() + header.value.map_or(0, <[u8]>::len) + 10).sum();
        let bytes = record.key.map_or(0, <[u8]>::len) + record.value.map_or(0, <[u8]>::len) + headers;
        let bytes = bytes + RECORD_OVERHEAD_BYTES + BATCH_OVERHEAD_BYTES;
        let limit = self.shared.config.request_bytes_max.min(self.shared.config.buffer_bytes as usize);
        if bytes > limit {
            let attempt = format!("sending {bytes} bytes to topic '{}'", record.topic);
            let detail = format!("the limit is {limit} bytes: raise max.request.size and buffer.memory");
            return Err(Error::misuse(attempt).with_detail(detail).with_outcome(Outcome::NotWritten));
        }
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let taken = match self.shared.room.try_acquire_many(permits) {
            Ok(taken) => taken,
            Err(_) => {
                let waiting = self.shared.room.acquire_many(permits);
                match tokio::time::timeout_at(deadline.into(), waiting).await {
                    Ok(Ok(taken)) => taken,
                    Ok(Err(_)) | Err(_) => {
                        let error = Error::timeout("waiting for room in the buffer");
                        let detail = "the brokers are slower than the application: raise buffer.memory or max.block.ms";
                        return Err(error.with_detail(detail).with_outcome(Outcome::NotWritten));
                    }
                }
            }
        };
        Ok(Room { shared: &self.shared, taken })
    }

    /// Waits until the machine knows a topic, or its absence is certain.
    async fn topic_known(&self, topic: &str, deadline: Instant) -> Result<(), Error> {
        let cluster = &self.shared.cluster;
        cluster.track_topics([topic], true);
        loop {
            let snapshot = cluster.snapshot();
            let (seen, missing) = (snapshot.version(), snapshot.missing(topic));
            if snapshot.topic(topic).is_some() {
                self.shared.machine().handle_metadata(snapshot);
                return Ok(());
            }
            let error = match missing {
                Some(code) => Error::broker(format!("sending to topic '{topic}'"), code),
                None => Error::timeout(format!("waiting for the metadata of topic '{topic}'"))
                    .with_detail("is there a broker at the addresses in bootstrap.servers?"),
            };
            let hopeless = missing.is_some_and(|code| !code.is_retriable());
            if hopeless || tokio::time::timeout_at(deadline.into(), cluster.changed(seen)).await.is_err() {
                return Err(error.with_outcome(Outcome::NotWritten));
            }
        }
    }
}

impl Drop for Producer {
    fn drop(&mut self) {
        self.shared.machine().handle_close();
        self.shared.woken.notify_one();
    }
}

/// Room in the buffer, given back unless a record takes it.
struct Room<'a> {
    shared: &'a Shared,
    taken: tokio::sync::SemaphorePermit<'a>,
}

impl Room<'_> {
    /// A record took `bytes` of it; the rest is given back. What the record took is given back with its batch.
    fn used(self, bytes: usize) {
        let taken = self.taken.num_permits();
        self.taken.forget();
        self.shared.room.add_permits(taken.saturating_sub(bytes));
    }
}
