//! Transactions: which transactional ids there are, and what producers and administrators ask of them.
//!
//! Before: the handlers, and Produce and TxnOffsetCommit for what they write in a transaction. After: markers in the logs of
//! the partitions and in what groups have committed. There is one store for all coordinators, as if each had replicated
//! what it knows; who is asked is checked by [`Cluster::check_transaction_coordinator`].
//!
//! - `transaction`: one transactional id, as a machine
//! - `keeping`: what of them outlives the brokers
//! - `expiry`: transactional ids that nobody uses are forgotten
//! - `markers`: how the partitions of a transaction learn of its end, and what holds that up

mod expiry;
mod invariants;
mod keeping;
mod markers;
#[cfg(test)]
mod tests;
mod transaction;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidemill_protocol::ErrorCode;
use tokio::time::Instant;

pub(crate) use self::expiry::next_look;
pub use self::markers::MarkersOf;
use self::markers::Sending;
pub(crate) use self::transaction::{Ended, Generation, Initialized, State, TopicPartition, Transaction};
pub(crate) use super::internal_topics::OFFSETS_TOPIC;
use super::nodes::{self, CoordinatorKind};
use super::watched::Watched;
use super::{Cluster, millis};

/// Every transactional id.
#[derive(Debug, Default)]
pub(crate) struct Transactions {
    transactions: Watched<String, Transaction>,
    /// When which open transaction has been open for too long, in milliseconds since 1970.
    expiring: BTreeSet<(i64, String)>,
    /// The ends that not all partitions know of.
    sending: BTreeMap<String, Sending>,
    held: BTreeSet<MarkersOf>,
    next_producer_id: i64,
    /// The transactions whose end was decided since it was last asked for, as they were then.
    decided: BTreeMap<String, Transaction>,
    watches: bool,
    /// When it is next looked for transactional ids that nobody uses; none before the first look.
    next_expiry_check: Option<Instant>,
}

/// What a request that writes in a transaction does with a partition that its transaction has not come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// It is refused, as clients of the time before KIP-890 know it.
    Verify,
    /// It is refused, and the client may abort.
    VerifyAbortable,
    /// It adds the partition.
    AddPartition,
}

impl Transactions {
    pub(crate) fn get(&self, id: &str) -> Option<&Transaction> {
        self.transactions.get(id)
    }

    /// In the order of their ids.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Transaction)> {
        self.transactions.iter().map(|(id, transaction)| (id.as_str(), transaction))
    }

    /// What a transactional id is like from now on: the one place where it changes.
    fn apply(&mut self, id: &str, changed: Transaction, unix_ms: i64) {
        let changed = Transaction { updated_ms: unix_ms, ..changed };
        let expires_at = changed.expires_at_ms();
        if self.watches && matches!(changed.state, State::PrepareCommit(_) | State::PrepareAbort(_)) {
            self.decided.insert(id.to_owned(), changed.clone());
        }
        let before = self.transactions.insert(id.to_owned(), changed);
        if let Some(at) = before.and_then(|before| before.expires_at_ms()) {
            self.expiring.remove(&(at, id.to_owned()));
        }
        self.expiring.extend(expires_at.map(|at| (at, id.to_owned())));
    }

    /// A producer id that nobody had before.
    pub(crate) fn new_producer_id(&mut self) -> i64 {
        let id = self.next_producer_id;
        self.next_producer_id += 1;
        id
    }

    /// The partitions that the open transaction has, or of which it is not known that they know of its end.
    pub(crate) fn partitions(&self, id: &str) -> Vec<TopicPartition> {
        match self.get(id).map(|transaction| &transaction.state) {
            Some(State::Ongoing { partitions, .. }) => partitions.iter().cloned().collect(),
            Some(State::PrepareCommit(ending) | State::PrepareAbort(ending)) => match self.sending.get(id) {
                Some(sending) => sending.partitions().cloned().collect(),
                None => ending.partitions.iter().cloned().collect(),
            },
            Some(State::Empty | State::CompleteCommit { .. } | State::CompleteAbort { .. }) | None => Vec::new(),
        }
    }
}

impl Cluster {
    /// The generation of what a coordinator does of its own accord.
    const fn own_generation(&self) -> Generation {
        if self.config.transaction_version >= 2 { Generation::V2 } else { Generation::V1 }
    }

    /// Whether this broker is the one to ask for a transactional id.
    pub(crate) fn check_transaction_coordinator(&self, id: &str, node_id: i32) -> Result<(), ErrorCode> {
        let coordinator = self.nodes.coordinator(CoordinatorKind::Transaction, id);
        if coordinator == Some(node_id) { Ok(()) } else { Err(ErrorCode::NOT_COORDINATOR) }
    }

    /// A producer takes a transactional id. Its producer id and epoch.
    pub(crate) fn init_producer_id(
        &mut self,
        id: &str,
        expected: Option<(i64, i16)>,
        timeout_ms: i32,
        now: Instant,
    ) -> Result<(i64, i16), ErrorCode> {
        let (fence, unix_ms) = (self.own_generation(), self.unix_ms(now));
        let known = self.transactions.get(id).cloned();
        let known = known.unwrap_or_else(|| Transaction::new(self.transactions.new_producer_id()));
        let initialized = known.on_init(expected, timeout_ms, fence, || self.transactions.new_producer_id())?;
        match initialized {
            Initialized::Ready(transaction) => {
                let producer = (transaction.producer_id, transaction.producer_epoch);
                self.transactions.apply(id, transaction, unix_ms);
                Ok(producer)
            }
            Initialized::Aborting(transaction) => {
                self.transactions.apply(id, transaction, unix_ms);
                self.send_markers(id, now);
                Err(ErrorCode::CONCURRENT_TRANSACTIONS)
            }
        }
    }

    pub(crate) fn add_partitions_to_transaction(
        &mut self,
        id: &str,
        producer: (i64, i16),
        partitions: &BTreeSet<TopicPartition>,
        now: Instant,
    ) -> Result<(), ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        let unix_ms = self.unix_ms(now);
        let known = self.transactions.get(id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        if let Some(changed) = known.on_add_partitions(producer, partitions, unix_ms)? {
            self.transactions.apply(id, changed, unix_ms);
        }
        Ok(())
    }

    /// Whether each partition is in the transaction.
    pub(crate) fn verify_partitions_in_transaction(
        &self,
        id: &str,
        producer: (i64, i16),
        partitions: &BTreeSet<TopicPartition>,
    ) -> Result<Vec<(TopicPartition, bool)>, ErrorCode> {
        if id.is_empty() {
            return Err(ErrorCode::INVALID_REQUEST);
        }
        self.transactions.get(id).ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?.on_verify(producer, partitions)
    }

    /// Asks the coordinator about partitions that something is about to be written to in a transaction: those that may not
    /// be, with the code their writer is told.
    pub(crate) fn join_transaction(
        &mut self,
        id: &str,
        producer: (i64, i16),
        partitions: &BTreeSet<TopicPartition>,
        operation: Operation,
        now: Instant,
    ) -> BTreeMap<TopicPartition, ErrorCode> {
        let asked = if self.nodes.coordinator(CoordinatorKind::Transaction, id).is_none() {
            Err(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        } else if operation == Operation::AddPartition {
            self.add_partitions_to_transaction(id, producer, partitions, now).map(|()| Vec::new())
        } else {
            self.verify_partitions_in_transaction(id, producer, partitions)
        };
        let absent = match operation {
            Operation::Verify => ErrorCode::INVALID_TXN_STATE,
            Operation::VerifyAbortable | Operation::AddPartition => ErrorCode::TRANSACTION_ABORTABLE,
        };
        match asked {
            Ok(verified) => {
                let absent_of = |(partition, there): (TopicPartition, bool)| (!there).then_some((partition, absent));
                verified.into_iter().filter_map(absent_of).collect()
            }
            Err(code) => {
                let code = if code == ErrorCode::PRODUCER_FENCED { ErrorCode::INVALID_PRODUCER_EPOCH } else { code };
                partitions.iter().map(|partition| (partition.clone(), code)).collect()
            }
        }
    }

    /// The producer id and epoch to go on with.
    pub(crate) fn end_transaction(
        &mut self,
        id: &str,
        producer: (i64, i16),
        committed: bool,
        generation: Generation,
        now: Instant,
    ) -> Result<(i64, i16), ErrorCode> {
        let unix_ms = self.unix_ms(now);
        let known = self.transactions.get(id).cloned().ok_or(ErrorCode::INVALID_PRODUCER_ID_MAPPING)?;
        let new_producer_id = || self.transactions.new_producer_id();
        match known.on_end(producer, committed, generation, unix_ms, new_producer_id)? {
            Ended::Already => Ok((known.producer_id, known.producer_epoch)),
            Ended::Ending(transaction) => {
                let after = transaction.producer_after_end();
                self.transactions.apply(id, transaction, unix_ms);
                self.send_markers(id, now);
                Ok(after)
            }
        }
    }

    /// Aborts what has been open for too long and writes markers that could not be written before; says when the next
    /// will have been open for too long.
    pub(super) fn poll_transactions(&mut self, now: Instant) -> Option<Instant> {
        while let Some((at_ms, id)) = self.transactions.expiring.first().cloned() {
            let wake_at = self.next_abort(at_ms);
            if wake_at > now {
                break;
            }
            let fenced = self.transactions.get(&id).and_then(|known| known.on_fence(self.own_generation()).ok());
            let Some(fenced) = fenced else {
                self.transactions.expiring.remove(&(at_ms, id));
                continue;
            };
            let unix_ms = self.unix_ms(now);
            self.transactions.apply(&id, fenced, unix_ms);
            self.send_markers(&id, now);
        }
        for id in self.transactions.sending.keys().cloned().collect::<Vec<_>>() {
            self.send_markers(&id, now);
        }
        let aborts = self.transactions.expiring.first().map(|(at_ms, _)| self.next_abort(*at_ms));
        aborts.into_iter().chain(self.expire_transactional_ids(now)).min()
    }

    /// When the coordinators look for transactions for the first time from this time on.
    fn next_abort(&self, at_ms: i64) -> Instant {
        let interval_ms = millis(self.config.transaction_abort_interval).max(1);
        let after_ms = at_ms.saturating_sub(self.started_unix_ms).max(0);
        let rounds = after_ms.saturating_add(interval_ms - 1) / interval_ms;
        let wait_ms = u64::try_from(rounds.saturating_mul(interval_ms)).unwrap_or_default();
        self.started + Duration::from_millis(wait_ms)
    }
}

/// The partition of `__consumer_offsets` that a group writes to.
pub(crate) fn offsets_partition(group_id: &str) -> TopicPartition {
    (OFFSETS_TOPIC.to_owned(), i32::try_from(nodes::slot(group_id)).unwrap_or_default())
}
