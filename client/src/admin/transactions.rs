//! Transactions: list, describe, find those that hang and abort them, fence their producers.
//!
//! Before: the application. After: [`driver`](super::driver) asks every broker for its transactions, the coordinator of a
//! transactional id, or the leader of a partition.
//!
//! Source: KIP-664 (tools for hanging transactions), KIP-588 and KIP-360 (fencing by InitProducerId).

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_producers_request::TopicRequest;
use tidemill_protocol::messages::describe_producers_response::PartitionResponse;
use tidemill_protocol::messages::describe_transactions_response::TransactionState as DescribedTransaction;
use tidemill_protocol::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use tidemill_protocol::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
    InitProducerIdRequest, InitProducerIdResponse, ListTransactionsRequest, ListTransactionsResponse, ProducerId,
    TransactionalId, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};

use super::call::{Answer, Route, accepted};
use super::driver::Exchange;
use super::names::words;
use super::{Admin, Listed, Outcomes, by_topic, millis, named, text, topic_name};
use crate::cluster::CoordinatorKind;
use crate::error::Error;
use crate::record::TopicPartition;

const LIST_TRANSACTIONS_VERSIONS: VersionRange = VersionRange::new(0, 2);
const DESCRIBE_TRANSACTIONS_VERSIONS: VersionRange = VersionRange::new(0, 0);
const DESCRIBE_PRODUCERS_VERSIONS: VersionRange = VersionRange::new(0, 0);
const WRITE_TXN_MARKERS_VERSIONS: VersionRange = VersionRange::new(1, 1);
const INIT_PRODUCER_ID_VERSIONS: VersionRange = VersionRange::new(0, 5);

words! {
    /// How far a transaction is.
    TransactionState {
        /// There is none: the producer has not begun one yet.
        Empty = "Empty";
        /// It is open.
        Ongoing = "Ongoing";
        /// It will be committed.
        PrepareCommit = "PrepareCommit";
        /// It will be aborted.
        PrepareAbort = "PrepareAbort";
        /// It is committed.
        CompleteCommit = "CompleteCommit";
        /// It is aborted.
        CompleteAbort = "CompleteAbort";
        /// Its transactional id is being forgotten.
        Dead = "Dead";
        /// It will be aborted, and its producer is fenced.
        PrepareEpochFence = "PrepareEpochFence";
    }
}

impl TransactionState {
    /// Whether there is none, or none any more.
    #[must_use]
    pub const fn is_over(&self) -> bool {
        match self {
            Self::Empty | Self::CompleteCommit | Self::CompleteAbort | Self::Dead => true,
            Self::Ongoing | Self::PrepareCommit | Self::PrepareAbort | Self::PrepareEpochFence | Self::Other(_) => {
                false
            }
        }
    }
}

/// Which transactions to list. Default: all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TransactionFilter {
    states: Vec<TransactionState>,
    producer_ids: Vec<i64>,
    running_for: Option<Duration>,
    transactional_id_pattern: Option<String>,
}

impl TransactionFilter {
    /// Those in one of these states.
    #[must_use]
    pub fn states(mut self, states: impl IntoIterator<Item = TransactionState>) -> Self {
        self.states = states.into_iter().collect();
        self
    }

    /// Those of one of these producer ids.
    #[must_use]
    pub fn producer_ids(mut self, ids: impl IntoIterator<Item = i64>) -> Self {
        self.producer_ids = ids.into_iter().collect();
        self
    }

    /// Those open for longer than this, in milliseconds (KIP-994, brokers since 3.8).
    #[must_use]
    pub const fn running_for(mut self, duration: Duration) -> Self {
        self.running_for = Some(duration);
        self
    }

    /// Those whose transactional id matches this expression, in RE2's syntax (KIP-1152, brokers since 4.1).
    #[must_use]
    pub fn transactional_id_pattern(mut self, pattern: impl Into<String>) -> Self {
        self.transactional_id_pattern = Some(pattern.into());
        self
    }
}

/// A transactional id and how far its transaction is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionListing {
    /// The transactional id.
    pub transactional_id: String,
    /// Its producer id.
    pub producer_id: i64,
    /// How far its transaction is.
    pub state: TransactionState,
    /// The broker that coordinates it.
    pub coordinator: i32,
}

/// A transactional id and its transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TransactionDescription {
    /// How far it is.
    pub state: TransactionState,
    /// The producer id of the transactional id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i16,
    /// After how long the coordinator aborts a transaction.
    pub timeout: Duration,
    /// When the open transaction began, in milliseconds since 1970; `None` without one.
    pub started: Option<i64>,
    /// The partitions written to in it.
    pub partitions: Vec<TopicPartition>,
}

/// A producer as the leader of a partition knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProducerState {
    /// Its producer id.
    pub producer_id: i64,
    /// Its epoch.
    pub producer_epoch: i32,
    /// The sequence number of its last record; `None` without one.
    pub last_sequence: Option<i32>,
    /// The timestamp of its last batch, in milliseconds since 1970; `None` without one.
    pub last_timestamp: Option<i64>,
    /// How often the coordinator of its transactions has changed; `None` without a transaction.
    pub coordinator_epoch: Option<i32>,
    /// Where the open transaction begins in this partition; `None` without one.
    pub transaction_start: Option<i64>,
}

/// A transaction to abort in one partition: where [`Admin::describe_producers`] shows one that is open and the
/// coordinator ([`Admin::describe_transactions`]) knows of none. Readers of committed records wait for it for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HangingTransaction {
    partition: TopicPartition,
    producer_id: i64,
    producer_epoch: i16,
    coordinator_epoch: i32,
}

impl HangingTransaction {
    /// The open transaction of a producer of this partition; `None` when it has none.
    #[must_use]
    pub fn of(partition: TopicPartition, producer: &ProducerState) -> Option<Self> {
        producer.transaction_start?;
        Some(Self {
            partition,
            producer_id: producer.producer_id,
            producer_epoch: i16::try_from(producer.producer_epoch).ok()?,
            // One that wrote no marker yet has none.
            coordinator_epoch: producer.coordinator_epoch.unwrap_or(0),
        })
    }
}

/// The producer id and epoch that a transactional id has after its producers were fenced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct FencedProducer {
    /// The producer id.
    pub producer_id: i64,
    /// The epoch.
    pub producer_epoch: i16,
}

impl Admin {
    /// The transactional ids that pass the filter and that we may see, in no order. What brokers that do not answer know
    /// of is missing, and the answer says so. Brokers tell since 3.0.
    ///
    /// # Errors
    /// When no broker answers within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_transactions(
        &self,
        filter: &TransactionFilter,
        timeout: Duration,
    ) -> Result<Listed<TransactionListing>, Error> {
        let oldest = match (&filter.transactional_id_pattern, filter.running_for) {
            (Some(_), _) => 2,
            (None, Some(_)) => 1,
            (None, None) => 0,
        };
        let exchange = Exchange {
            versions: VersionRange::new(oldest, LIST_TRANSACTIONS_VERSIONS.max),
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| {
                let running_for = filter.running_for.map_or(-1, |duration| i64::from(millis(duration)));
                ListTransactionsRequest::default()
                    .with_state_filters(filter.states.iter().map(|state| text(state.name())).collect())
                    .with_producer_id_filters(filter.producer_ids.iter().copied().map(ProducerId).collect())
                    .with_duration_filter(running_for)
                    .with_transactional_id_pattern(filter.transactional_id_pattern.as_deref().map(text))
            },
            read: |items: &[usize], reply: ListTransactionsResponse| {
                items.iter().map(|place| (*place, listed(&reply))).collect()
            },
        };
        let mut listed = self.ask_every_broker("listing transactions", timeout, exchange).await?;
        for (broker, transaction) in &mut listed.found {
            transaction.coordinator = *broker;
        }
        let found = listed.found.into_iter().map(|(_, transaction)| transaction).collect();
        Ok(Listed { found, unanswered: listed.unanswered })
    }

    /// Transactional ids and their transactions; each has its own outcome. One that the coordinator does not know is the
    /// error `TRANSACTIONAL_ID_NOT_FOUND`. Brokers tell since 3.0.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_transactions<T: AsRef<str> + Sync>(
        &self,
        transactional_ids: &[T],
        timeout: Duration,
    ) -> Result<Outcomes<String, TransactionDescription>, Error> {
        let items = transactional_ids.iter().map(|id| coordinator_of(id.as_ref(), "describing the transaction of"));
        let exchange = Exchange {
            versions: DESCRIBE_TRANSACTIONS_VERSIONS,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let ids = items.iter().map(|place| TransactionalId(text(transactional_ids[*place].as_ref())));
                DescribeTransactionsRequest::default().with_transactional_ids(ids.collect())
            },
            read: |items: &[usize], reply: DescribeTransactionsResponse| {
                let states = reply.transaction_states.iter();
                let found: BTreeMap<&str, _> = states.map(|state| (&**state.transactional_id, state)).collect();
                let of = |id: &str| Some(described(found.get(id)?));
                items.iter().filter_map(|place| Some((*place, of(transactional_ids[*place].as_ref())?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(transactional_ids.iter().map(|id| id.as_ref().to_owned()), outcomes))
    }

    /// The producers that the leader of each partition remembers, idempotent and transactional ones; each partition has its
    /// own outcome. Brokers tell since 2.8.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_producers(
        &self,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition, Vec<ProducerState>>, Error> {
        let items =
            partitions.iter().map(|partition| (Route::Leader(partition.clone()), "describing producers".to_owned()));
        let exchange = Exchange {
            versions: DESCRIBE_PRODUCERS_VERSIONS,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| &partitions[*place]).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let numbers = places.iter().map(|place| asked[*place].partition);
                    TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(numbers.collect())
                });
                DescribeProducersRequest::default().with_topics(topics.collect())
            },
            read: |items: &[usize], reply: DescribeProducersResponse| {
                let mut found = BTreeMap::new();
                for topic in &reply.topics {
                    for partition in &topic.partitions {
                        found.insert((&**topic.name, partition.partition_index), partition);
                    }
                }
                let of =
                    |partition: &TopicPartition| Some(producers(found.get(&(&*partition.topic, partition.partition))?));
                items.iter().filter_map(|place| Some((*place, of(&partitions[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(partitions.iter().cloned(), outcomes))
    }

    /// Aborts a transaction in one partition, past its coordinator. It is for one that the coordinator knows nothing of:
    /// what is aborted here and committed elsewhere was half committed.
    ///
    /// # Errors
    /// When the leader does not answer within `timeout`, or refuses: `CLUSTER_AUTHORIZATION_FAILED` without the right to
    /// it, `INVALID_PRODUCER_EPOCH` and `TRANSACTION_COORDINATOR_FENCED` when the producer or the coordinator has gone on.
    ///
    /// # Cancel safety
    /// When the future is dropped the transaction may have been aborted.
    pub async fn abort_transaction(&self, hanging: &HangingTransaction, timeout: Duration) -> Result<(), Error> {
        let partition = &hanging.partition;
        let exchange = Exchange {
            versions: WRITE_TXN_MARKERS_VERSIONS,
            changes: true,
            items_max: 1,
            build: |_: &[usize], _, _| {
                let topic = WritableTxnMarkerTopic::default()
                    .with_name(topic_name(&partition.topic))
                    .with_partition_indexes(vec![partition.partition]);
                let marker = WritableTxnMarker::default()
                    .with_producer_id(ProducerId(hanging.producer_id))
                    .with_producer_epoch(hanging.producer_epoch)
                    .with_coordinator_epoch(hanging.coordinator_epoch)
                    .with_transaction_result(false)
                    .with_topics(vec![topic]);
                WriteTxnMarkersRequest::default().with_markers(vec![marker])
            },
            read: |items: &[usize], reply: WriteTxnMarkersResponse| {
                let mut results = reply.markers.iter().flat_map(|marker| &marker.topics).flat_map(|it| &it.partitions);
                let code = results.next().map(|result| result.error_code);
                items.iter().filter_map(|place| Some((*place, accepted(code?, None)))).collect()
            },
        };
        let item = (Route::Leader(partition.clone()), "aborting a transaction".to_owned());
        self.ask_one(item, timeout, exchange).await
    }

    /// Fences the producers of transactional ids and aborts their open transactions; each has its own outcome. A producer
    /// that still runs learns of it at its next step, as a fatal error.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the producers may have been fenced.
    pub async fn fence_producers<T: AsRef<str> + Sync>(
        &self,
        transactional_ids: &[T],
        timeout: Duration,
    ) -> Result<Outcomes<String, FencedProducer>, Error> {
        let items = transactional_ids.iter().map(|id| coordinator_of(id.as_ref(), "fencing the producers of"));
        let exchange = Exchange {
            versions: INIT_PRODUCER_ID_VERSIONS,
            changes: true,
            items_max: 1,
            build: |items: &[usize], _, _| {
                let id = items.first().map(|place| TransactionalId(text(transactional_ids[*place].as_ref())));
                InitProducerIdRequest::default()
                    .with_transactional_id(id)
                    // Nobody begins a transaction under it; the next producer sets its own.
                    .with_transaction_timeout_ms(FENCING_TRANSACTION_TIMEOUT_MS)
                    .with_producer_id(ProducerId(-1))
                    .with_producer_epoch(-1)
            },
            read: |items: &[usize], reply: InitProducerIdResponse| {
                let fenced = FencedProducer { producer_id: reply.producer_id.0, producer_epoch: reply.producer_epoch };
                items.iter().map(|place| (*place, accepted(reply.error_code, None).map(|()| fenced))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(transactional_ids.iter().map(|id| id.as_ref().to_owned()), outcomes))
    }
}

/// That of a producer by default.
const FENCING_TRANSACTION_TIMEOUT_MS: i32 = 60_000;

fn coordinator_of(transactional_id: &str, attempt: &str) -> (Route, String) {
    let route = Route::Coordinator(CoordinatorKind::Transaction, transactional_id.to_owned());
    (route, format!("{attempt} transactional id '{transactional_id}'"))
}

fn listed(reply: &ListTransactionsResponse) -> Answer<Vec<TransactionListing>> {
    accepted(reply.error_code, None)?;
    let transactions = reply.transaction_states.iter().map(|state| TransactionListing {
        transactional_id: state.transactional_id.to_string(),
        producer_id: state.producer_id.0,
        state: TransactionState::of(&state.transaction_state),
        coordinator: -1,
    });
    Ok(transactions.collect())
}

fn described(state: &DescribedTransaction) -> Answer<TransactionDescription> {
    accepted(state.error_code, None)?;
    let mut partitions = Vec::new();
    for topic in &state.topics {
        partitions.extend(topic.partitions.iter().map(|number| TopicPartition::new(&**topic.topic, *number)));
    }
    partitions.sort();
    let started = Some(state.transaction_start_time_ms).filter(|at| *at >= 0);
    let how_far = TransactionState::of(&state.transaction_state);
    Ok(TransactionDescription {
        // Of one that is over, brokers go on to tell when it began.
        started: started.filter(|_| !how_far.is_over()),
        state: how_far,
        producer_id: state.producer_id.0,
        producer_epoch: state.producer_epoch,
        timeout: Duration::from_millis(u64::try_from(state.transaction_timeout_ms).unwrap_or(0)),
        partitions,
    })
}

fn producers(partition: &PartitionResponse) -> Answer<Vec<ProducerState>> {
    accepted(partition.error_code, partition.error_message.as_ref())?;
    let producers = partition.active_producers.iter().map(|producer| ProducerState {
        producer_id: producer.producer_id.0,
        producer_epoch: producer.producer_epoch,
        last_sequence: Some(producer.last_sequence).filter(|sequence| *sequence >= 0),
        last_timestamp: Some(producer.last_timestamp).filter(|timestamp| *timestamp >= 0),
        coordinator_epoch: Some(producer.coordinator_epoch).filter(|epoch| *epoch >= 0),
        transaction_start: Some(producer.current_txn_start_offset).filter(|offset| *offset >= 0),
    });
    Ok(producers.collect())
}
