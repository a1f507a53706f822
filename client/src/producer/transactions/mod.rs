//! Records and offsets that are all there or not at all (KIP-98, KIP-447, KIP-890).
//!
//! [`Transaction`] is what an application holds. The [`machine`] says what a coordinator is to be asked, and what an answer
//! changes; what an error means for the transaction is in [`verdict`]. The producer's [`driver`](super::driver) makes the
//! [`requests`], and the records go the way of all records.

mod config;
pub(super) mod machine;
pub(super) mod requests;
pub(super) mod verdict;

pub(crate) use self::config::PROPERTIES;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

pub use self::config::TransactionalConfig;
use self::machine::Transactions;
use super::{Deliveries, Delivery, Producer, Shared, now};
use crate::client::Client;
use crate::cluster::Cluster;
use crate::consumer::{GroupMetadata, OffsetAndMetadata};
use crate::error::{Error, Outcome};
use crate::record::{Record, TopicPartition};

/// Who a producer is to the coordinator of its transactions.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) transactional_id: Arc<str>,
    pub(super) timeout: Duration,
}

/// Writes records in transactions, one after the other: all records and offsets of one become visible together, or none.
///
/// Readers with `isolation.level=read_committed` see nothing of a transaction before it is committed. Of two producers
/// with the same `transactional.id`, the one that began to work first is fenced: none of its calls succeeds any more.
///
/// Dropping it aborts a transaction that is open.
///
/// ```no_run
/// # async fn run() -> Result<(), tidemill_client::Error> {
/// use tidemill_client::{Record, TransactionalProducer};
///
/// let mut producer = TransactionalProducer::from_properties([
///     ("bootstrap.servers", "localhost:9092"),
///     ("transactional.id", "payments-1"),
/// ])?;
/// let transaction = producer.begin().await?;
/// transaction.send(Record::new("debits").value(b"alice 5")).await?;
/// transaction.send(Record::new("credits").value(b"bob 5")).await?;
/// transaction.commit().await?;
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct TransactionalProducer {
    producer: Producer,
}

impl TransactionalProducer {
    /// A producer with connections of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// When the configuration makes no sense, or there is no runtime.
    pub fn new(config: TransactionalConfig) -> Result<Self, Error> {
        let cluster = Cluster::start(config.producer.client.clone())?;
        Self::start(cluster, config)
    }

    /// A producer of a Java or librdkafka dictionary.
    ///
    /// # Errors
    /// When a name or a value is not known, or as for [`TransactionalProducer::new`].
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        properties: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, Error> {
        Self::new(TransactionalConfig::from_properties(properties)?)
    }

    /// A producer on the connections of `client`; its own connection options are not used.
    ///
    /// # Errors
    /// As for [`TransactionalProducer::new`].
    pub fn with_client(client: &Client, config: TransactionalConfig) -> Result<Self, Error> {
        Self::start(client.cluster().clone(), config)
    }

    fn start(cluster: Cluster, config: TransactionalConfig) -> Result<Self, Error> {
        config.check()?;
        let TransactionalConfig { producer, transactional_id, timeout } = config;
        let settings = Settings { transactional_id: Arc::from(transactional_id), timeout };
        Ok(Self { producer: Producer::start(cluster, producer, Some(settings))? })
    }

    /// Begins a transaction. The first one registers the `transactional.id`, which fences who used it before, and has
    /// what that one left open aborted. Waits until the end of the transaction before is certain.
    ///
    /// # Errors
    /// When the coordinator cannot be reached, or the transaction before does not end, within `max.block.ms`: try again.
    /// [Fatal](Error::is_fatal) when the producer is fenced or the `transactional.id` may not be used.
    ///
    /// # Cancel safety
    /// Safe: dropped, no transaction has begun.
    pub async fn begin(&mut self) -> Result<Transaction<'_>, Error> {
        self.ask("beginning a transaction", |transactions, done| transactions.handle_begin(done)).await?;
        Ok(Transaction { producer: self, ended: false })
    }

    /// Ends the producer. There is no transaction any more, but the abort of one that was dropped may be under way; it is
    /// waited for, for `timeout` at most.
    ///
    /// # Errors
    /// When the abort did not end in time; the broker aborts it after `transaction.timeout.ms`.
    ///
    /// # Cancel safety
    /// Dropped, the producer still ends in the background.
    pub async fn close(self, timeout: Duration) -> Result<(), Error> {
        let (done, settled) = oneshot::channel();
        self.shared().machine().handle_settle(done);
        self.shared().woken.notify_one();
        // The sender is dropped when the driver has ended, and so has everything.
        let settled = tokio::time::timeout(timeout, settled).await;
        settled.map(|_| ()).map_err(|_| Error::timeout("closing the producer"))
    }

    fn shared(&self) -> &Shared {
        &self.producer.shared
    }

    /// Asks the machine, and waits for its answer for `max.block.ms`.
    async fn ask(
        &self,
        attempt: &str,
        ask: impl FnOnce(&mut Transactions, oneshot::Sender<Result<(), Error>>),
    ) -> Result<(), Error> {
        let answered = self.tell(ask);
        match tokio::time::timeout(self.shared().config.block_max, answered).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(Error::closed(attempt))),
            Err(_) => {
                Err(Error::timeout(attempt)
                    .with_detail("the coordinator does not answer, or is still at the one before"))
            }
        }
    }

    fn tell(
        &self,
        ask: impl FnOnce(&mut Transactions, oneshot::Sender<Result<(), Error>>),
    ) -> oneshot::Receiver<Result<(), Error>> {
        let (done, answered) = oneshot::channel();
        self.shared().machine().handle_transaction(|transactions| ask(transactions, done));
        self.shared().woken.notify_one();
        answered
    }
}

/// A transaction that is open. [`commit`](Self::commit) it or [`abort`](Self::abort) it; dropped, it is aborted in the
/// background, before the next one begins.
///
/// Whatever fails in it says how to go on: when the error [requires an abort](Error::requires_abort), drop or abort the
/// transaction, go back to what is [committed](crate::Consumer::seek_to_committed) and begin another; when it is
/// [fatal](Error::is_fatal), give the producer up.
#[derive(Debug)]
#[must_use = "a transaction that is dropped is aborted"]
pub struct Transaction<'a> {
    producer: &'a TransactionalProducer,
    ended: bool,
}

impl Transaction<'_> {
    /// Appends a record to its partition's batch, as [`Producer::send`] does. [`commit`](Self::commit) waits for every
    /// record, and fails if one of them was not written.
    ///
    /// # Errors
    /// As [`Producer::send`]; of a transaction that cannot be committed any more, the reason.
    ///
    /// # Cancel safety
    /// A future that is dropped before it is ready has sent nothing; one that was ready has sent the record.
    pub async fn send(&self, record: Record<'_>) -> Result<(), Error> {
        self.deliver(record).await.map(drop)
    }

    /// [`send`](Self::send) that also says where the record is written. It can be read there once it is committed.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    ///
    /// # Cancel safety
    /// As [`send`](Self::send).
    pub async fn deliver(&self, record: Record<'_>) -> Result<Delivery, Error> {
        self.producer.producer.send(record).await
    }

    /// Sends many records, in this order: one look at the clock and the lock for many of them.
    ///
    /// # Errors
    /// As [`send`](Self::send), of the first record that cannot be sent; those behind it are not.
    ///
    /// # Cancel safety
    /// When the future is dropped, the records that there was room for so far are sent, in order; the others are not.
    pub async fn send_batch(&self, records: &[Record<'_>]) -> Result<(), Error> {
        let shared = self.producer.shared();
        let mut deliveries = Deliveries::default();
        let mut left = records;
        while let Some(refused) = shared.append_many(&mut left, &mut deliveries) {
            let Some((record, others)) = left.split_first() else { break };
            left = others;
            drop(shared.append_later(record, refused).await?);
        }
        drop(deliveries);
        Ok(())
    }

    /// Commits these offsets of a consumer's group with the transaction: for each partition, the next to read. `group` is
    /// the consumer's [`group_metadata`](crate::Consumer::group_metadata), by which one that is no longer a member is
    /// found out (KIP-447).
    ///
    /// # Errors
    /// When the group has gone on without the consumer, or refuses, or does not answer for `default.api.timeout.ms`: the
    /// transaction has to be aborted.
    ///
    /// # Cancel safety
    /// Dropped, the offsets are part of the transaction all the same.
    pub async fn send_offsets<O: Into<OffsetAndMetadata>>(
        &self,
        group: &GroupMetadata,
        offsets: impl IntoIterator<Item = (TopicPartition, O)>,
    ) -> Result<(), Error> {
        let offsets: BTreeMap<_, _> =
            offsets.into_iter().map(|(partition, offset)| (partition, offset.into())).collect();
        let group = group.clone();
        let answered =
            self.producer.tell(|transactions, done| transactions.handle_offsets(group, offsets, done, now()));
        answered.await.unwrap_or_else(|_| Err(Error::closed("committing offsets with a transaction")))
    }

    /// Waits until every record is written, and commits them with the offsets.
    ///
    /// # Errors
    /// When a record or an offset failed, with the first reason: the transaction is aborted then, which the error
    /// [says](Error::requires_abort). When brokers did not say for `transaction.timeout.ms` whether it is committed: it is
    /// or it is not, [`Error::outcome`] is then [`Outcome::PossiblyWritten`], and what the group has committed tells, once
    /// that is known. [Fatal](Error::is_fatal) when the producer is fenced.
    ///
    /// # Cancel safety
    /// Dropped, it is still committed, in the background.
    pub async fn commit(mut self) -> Result<(), Error> {
        self.ended = true;
        // What is still open has waited for long enough.
        drop(self.producer.shared().machine().handle_flush());
        let answered = self.producer.tell(|transactions, done| transactions.handle_commit(done));
        answered
            .await
            .unwrap_or_else(|_| Err(Error::closed("committing a transaction").with_outcome(Outcome::PossiblyWritten)))
    }

    /// Gives up all that was sent in it, and waits until that is certain, for `max.block.ms` at most.
    ///
    /// # Errors
    /// When the coordinator does not answer: it is asked again before the next transaction begins. Fatal when the
    /// producer is fenced.
    ///
    /// # Cancel safety
    /// Dropped, it is still aborted, in the background.
    pub async fn abort(mut self) -> Result<(), Error> {
        self.ended = true;
        self.producer.ask("aborting a transaction", |transactions, done| transactions.handle_abort(Some(done))).await
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.producer.shared().machine().handle_transaction(|transactions| transactions.handle_abort(None));
            self.producer.shared().woken.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
