//! Records: delete those before an offset, and look up offsets.
//!
//! Before: the application. After: [`driver`](super::driver) asks the leader of each partition.
//!
//! Source: KIP-107 (DeleteRecords), KIP-396 (ListOffsets by administrators), KIP-734 (the largest timestamp), KIP-405 and
//! KIP-1005 (tiered storage).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use tidemill_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use tidemill_protocol::messages::{
    BrokerId, DeleteRecordsRequest, DeleteRecordsResponse, ListOffsetsRequest, ListOffsetsResponse,
};

use super::call::{Route, accepted};
use super::driver::Exchange;
use super::{Admin, Outcomes, by_topic, millis, named, topic_name};
use crate::consumer::IsolationLevel;
use crate::error::Error;
use crate::record::TopicPartition;

const DELETE_RECORDS_VERSIONS: VersionRange = VersionRange::new(0, 2);
const LIST_OFFSETS_VERSION_MAX: i16 = 10;

/// Which offset is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum OffsetSpec {
    /// The first record that is still there.
    Earliest,
    /// What the next record will get; of committed ones only, the first that is undecided.
    Latest,
    /// The first record whose timestamp is this one or later, in milliseconds since 1970.
    Timestamp(i64),
    /// The record with the largest timestamp; of several, the first (KIP-734, brokers since 3.0).
    MaxTimestamp,
    /// The first record that the leader has on its own disk (KIP-405, brokers since 3.4).
    EarliestLocal,
    /// The last record in tiered storage (KIP-1005, brokers since 3.9).
    LatestTiered,
}

impl OffsetSpec {
    /// As the protocol has it, and the first version that does.
    const fn wire(self) -> (i64, i16) {
        match self {
            Self::Earliest => (-2, 1),
            Self::Latest => (-1, 1),
            Self::Timestamp(timestamp) => (timestamp, 1),
            Self::MaxTimestamp => (-3, 7),
            Self::EarliestLocal => (-4, 8),
            Self::LatestTiered => (-5, 9),
        }
    }
}

/// An offset that was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetListing {
    /// The offset.
    pub offset: i64,
    /// The timestamp of the record there, in milliseconds since 1970; `None` where an end of the log was asked for.
    pub timestamp: Option<i64>,
    /// The leader epoch of the record there; `None` when the broker does not know.
    pub leader_epoch: Option<i32>,
}

impl Admin {
    /// Deletes the records before an offset, or without one all that are written so far; each partition has its own
    /// outcome: its first offset from now on. One beyond the high watermark is the error `OFFSET_OUT_OF_RANGE`, a topic
    /// that is only compacted `POLICY_VIOLATION`.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the records may have been deleted.
    pub async fn delete_records(
        &self,
        before: &[(TopicPartition, Option<i64>)],
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition, i64>, Error> {
        let items = before.iter().map(|(partition, _)| leader_of(partition, "deleting records"));
        let exchange = Exchange {
            versions: DELETE_RECORDS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| &before[*place].0).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let partitions = places.iter().map(|place| {
                        let (partition, offset) = &before[items[*place]];
                        DeleteRecordsPartition::default()
                            .with_partition_index(partition.partition)
                            // -1 is the high watermark.
                            .with_offset(offset.unwrap_or(-1))
                    });
                    DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(partitions.collect())
                });
                DeleteRecordsRequest::default().with_topics(topics.collect()).with_timeout_ms(millis(patience))
            },
            read: |items: &[usize], reply: DeleteRecordsResponse| {
                let mut found = BTreeMap::new();
                for topic in &reply.topics {
                    for result in &topic.partitions {
                        found.insert((&**topic.name, result.partition_index), result);
                    }
                }
                let of = |partition: &TopicPartition| {
                    let found = found.get(&(&*partition.topic, partition.partition))?;
                    Some(accepted(found.error_code, None).map(|()| found.low_watermark))
                };
                items.iter().filter_map(|place| Some((*place, of(&before[*place].0)?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(before.iter().map(|(partition, _)| partition.clone()), outcomes))
    }

    /// Looks up offsets; each has its own outcome, `None` where there is no such record. A partition may be asked about
    /// in several ways in one call. A broker too old for one of the ways refuses all that go to it.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_offsets(
        &self,
        wanted: &[(TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition, Option<OffsetListing>>, Error> {
        // A request may name a partition once.
        let mut rounds: Vec<Vec<(usize, &TopicPartition, OffsetSpec)>> = Vec::new();
        let mut named_before: BTreeMap<&TopicPartition, usize> = BTreeMap::new();
        for (place, (partition, spec)) in wanted.iter().enumerate() {
            let round = named_before.entry(partition).or_default();
            if *round == rounds.len() {
                rounds.push(Vec::new());
            }
            rounds[*round].push((place, partition, *spec));
            *round += 1;
        }
        let asking = rounds.iter().map(|round| self.list_offsets_once(round, isolation, timeout));
        let mut outcomes = Vec::with_capacity(wanted.len());
        for (round, found) in rounds.iter().zip(join_all(asking).await) {
            let places = round.iter().map(|(place, ..)| *place);
            outcomes.extend(places.zip(found?));
        }
        outcomes.sort_by_key(|(place, _)| *place);
        let partitions = wanted.iter().map(|(partition, _)| partition.clone());
        Ok(partitions.zip(outcomes.into_iter().map(|(_, outcome)| outcome)).collect())
    }

    async fn list_offsets_once(
        &self,
        wanted: &[(usize, &TopicPartition, OffsetSpec)],
        isolation: IsolationLevel,
        timeout: Duration,
    ) -> Result<Vec<Result<Option<OffsetListing>, Error>>, Error> {
        let items = wanted.iter().map(|(_, partition, _)| leader_of(partition, "looking up an offset"));
        let oldest = wanted.iter().map(|(_, _, spec)| spec.wire().1).max().unwrap_or(1);
        // Before 2 there is no choice of committed records.
        let oldest = if isolation == IsolationLevel::ReadCommitted { oldest.max(2) } else { oldest };
        let exchange = Exchange {
            versions: VersionRange::new(oldest, LIST_OFFSETS_VERSION_MAX),
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| wanted[*place].1).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let partitions = places.iter().map(|place| {
                        let (_, partition, spec) = &wanted[items[*place]];
                        ListOffsetsPartition::default()
                            .with_partition_index(partition.partition)
                            .with_timestamp(spec.wire().0)
                    });
                    ListOffsetsTopic::default().with_name(topic_name(topic)).with_partitions(partitions.collect())
                });
                ListOffsetsRequest::default()
                    .with_replica_id(BrokerId(-1))
                    .with_isolation_level(match isolation {
                        IsolationLevel::ReadUncommitted => 0,
                        IsolationLevel::ReadCommitted => 1,
                    })
                    .with_topics(topics.collect())
                    .with_timeout_ms(millis(patience))
            },
            read: |items: &[usize], reply: ListOffsetsResponse| {
                let mut found = BTreeMap::new();
                for topic in &reply.topics {
                    for result in &topic.partitions {
                        found.insert((&**topic.name, result.partition_index), result);
                    }
                }
                let of = |partition: &TopicPartition| {
                    let found = found.get(&(&*partition.topic, partition.partition))?;
                    let listing = OffsetListing {
                        offset: found.offset,
                        timestamp: Some(found.timestamp).filter(|timestamp| *timestamp >= 0),
                        leader_epoch: Some(found.leader_epoch).filter(|epoch| *epoch >= 0),
                    };
                    Some(accepted(found.error_code, None).map(|()| Some(listing).filter(|listing| listing.offset >= 0)))
                };
                items.iter().filter_map(|place| Some((*place, of(wanted[*place].1)?))).collect()
            },
        };
        self.ask(items.collect(), timeout, exchange).await
    }
}

fn leader_of(partition: &TopicPartition, attempt: &str) -> (Route, String) {
    (Route::Leader(partition.clone()), attempt.to_owned())
}
