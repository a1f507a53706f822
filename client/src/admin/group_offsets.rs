//! What groups have committed: list, alter, delete, and how far behind they are.
//!
//! Before: the application. After: [`driver`](super::driver) asks the coordinator of each group.
//!
//! Source: KIP-222 and KIP-396 (offsets of groups), KIP-496 (OffsetDelete), KIP-709 (several groups in one request).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use tidemill_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use tidemill_protocol::messages::{
    GroupId, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse,
};

use super::call::{Answer, accepted};
use super::driver::{Deadline, Exchange};
use super::groups::coordinator_of;
use super::records::OffsetSpec;
use super::{Admin, Outcomes, all_refused, by_topic, named, text, topic_name};
use crate::consumer::{IsolationLevel, OffsetAndMetadata};
use crate::error::Error;
use crate::record::TopicPartition;

/// From 8 on several groups can be asked about at once (KIP-709, brokers since 3.0).
const OFFSET_FETCH_VERSIONS: VersionRange = VersionRange::new(8, 9);
const OFFSET_COMMIT_VERSIONS: VersionRange = VersionRange::new(2, 9);
const OFFSET_DELETE_VERSIONS: VersionRange = VersionRange::new(0, 0);

/// How far a group is in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionLag {
    /// The next offset that the group reads, as committed.
    pub committed: OffsetAndMetadata,
    /// The first offset that is still there.
    pub earliest: i64,
    /// The offset that the next record will get; of committed records only, the first that is undecided.
    pub latest: i64,
}

impl PartitionLag {
    /// How many offsets lie between what the group has read and what there is. Of those before [`earliest`](Self::earliest)
    /// the records are gone, and are not counted.
    #[must_use]
    pub const fn lag(&self) -> i64 {
        let next = if self.committed.offset > self.earliest { self.committed.offset } else { self.earliest };
        let lag = self.latest.saturating_sub(next);
        if lag > 0 { lag } else { 0 }
    }
}

impl Admin {
    /// All that groups have committed; each has its own outcome. A group that does not exist has committed nothing, which
    /// is no error. Brokers take it since 3.0.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_group_offsets<G: AsRef<str> + Sync>(
        &self,
        groups: &[G],
        timeout: Duration,
    ) -> Result<Outcomes<String, BTreeMap<TopicPartition, OffsetAndMetadata>>, Error> {
        let items = groups.iter().map(|group| coordinator_of(group.as_ref(), "listing the offsets of"));
        let exchange = Exchange {
            versions: OFFSET_FETCH_VERSIONS,
            changes: false,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let groups = items.iter().map(|place| {
                    OffsetFetchRequestGroup::default()
                        .with_group_id(GroupId(text(groups[*place].as_ref())))
                        .with_member_epoch(-1)
                        .with_topics(None)
                });
                OffsetFetchRequest::default().with_groups(groups.collect())
            },
            read: |items: &[usize], reply: OffsetFetchResponse| {
                let found: BTreeMap<&str, _> = reply.groups.iter().map(|group| (&**group.group_id, group)).collect();
                let of = |group: &str| Some(committed(found.get(group)?));
                items.iter().filter_map(|place| Some((*place, of(groups[*place].as_ref())?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(groups.iter().map(|group| group.as_ref().to_owned()), outcomes))
    }

    /// Sets what a group has committed; each partition has its own outcome. The group must have no members, or the error is
    /// `UNKNOWN_MEMBER_ID`. One that does not exist is made.
    ///
    /// # Errors
    /// When the coordinator says nothing about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the offsets may have been set.
    pub async fn alter_group_offsets(
        &self,
        group: &str,
        offsets: &[(TopicPartition, OffsetAndMetadata)],
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition>, Error> {
        let items = offsets.iter().map(|_| coordinator_of(group, "setting an offset of"));
        let exchange = Exchange {
            versions: OFFSET_COMMIT_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| &offsets[*place].0).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let partitions = places.iter().map(|place| {
                        let (partition, offset) = &offsets[items[*place]];
                        OffsetCommitRequestPartition::default()
                            .with_partition_index(partition.partition)
                            .with_committed_offset(offset.offset)
                            .with_committed_leader_epoch(offset.leader_epoch.unwrap_or(-1))
                            .with_committed_metadata(Some(text(&offset.metadata)))
                    });
                    OffsetCommitRequestTopic::default()
                        .with_name(topic_name(topic))
                        .with_partitions(partitions.collect())
                });
                OffsetCommitRequest::default()
                    .with_group_id(GroupId(text(group)))
                    .with_generation_id_or_member_epoch(-1)
                    .with_topics(topics.collect())
            },
            read: |items: &[usize], reply: OffsetCommitResponse| {
                let mut found = BTreeMap::new();
                for topic in &reply.topics {
                    for result in &topic.partitions {
                        found.insert((&**topic.name, result.partition_index), result.error_code);
                    }
                }
                let of = |partition: &TopicPartition| {
                    Some(accepted(*found.get(&(&*partition.topic, partition.partition))?, None))
                };
                items.iter().filter_map(|place| Some((*place, of(&offsets[*place].0)?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        let partitions = offsets.iter().map(|(partition, _)| partition.clone());
        let about = |(partition, outcome): (TopicPartition, Result<(), Error>)| {
            let outcome = outcome.map_err(|error| error.with_partition(partition.clone()));
            (partition, outcome)
        };
        Ok(named(partitions, outcomes).into_iter().map(about).collect())
    }

    /// Forgets what a group has committed; each partition has its own outcome. One of a topic that members read is the
    /// error `GROUP_SUBSCRIBED_TO_TOPIC`. Brokers take it since 2.4.
    ///
    /// # Errors
    /// When the coordinator says nothing about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the offsets may have been forgotten.
    pub async fn delete_group_offsets(
        &self,
        group: &str,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition>, Error> {
        let items = partitions.iter().map(|_| coordinator_of(group, "deleting an offset of"));
        let exchange = Exchange {
            versions: OFFSET_DELETE_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| &partitions[*place]).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let number = |place: &usize| {
                        OffsetDeleteRequestPartition::default().with_partition_index(asked[*place].partition)
                    };
                    OffsetDeleteRequestTopic::default()
                        .with_name(topic_name(topic))
                        .with_partitions(places.iter().map(number).collect())
                });
                OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(topics.collect())
            },
            read: |items: &[usize], reply: OffsetDeleteResponse| {
                if let Err(refusal) = accepted(reply.error_code, None) {
                    return all_refused(items, &refusal);
                }
                let mut found = BTreeMap::new();
                for topic in &reply.topics {
                    for result in &topic.partitions {
                        found.insert((&**topic.name, result.partition_index), result.error_code);
                    }
                }
                let of = |partition: &TopicPartition| {
                    Some(accepted(*found.get(&(&*partition.topic, partition.partition))?, None))
                };
                items.iter().filter_map(|place| Some((*place, of(&partitions[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        let about = |(partition, outcome): (TopicPartition, Result<(), Error>)| {
            let outcome = outcome.map_err(|error| error.with_partition(partition.clone()));
            (partition, outcome)
        };
        Ok(named(partitions.iter().cloned(), outcomes).into_iter().map(about).collect())
    }

    /// How far a group is in every partition it has committed an offset of: what it has read, and what there is. Each
    /// partition has its own outcome; one that does not exist any more is the error `UNKNOWN_TOPIC_OR_PARTITION`. With
    /// `isolation` the end is that of all records, or of committed ones.
    ///
    /// # Errors
    /// When the coordinator, or then no leader, answers within `timeout`.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn group_lag(
        &self,
        group: &str,
        isolation: IsolationLevel,
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition, PartitionLag>, Error> {
        let deadline = Deadline::after(timeout);
        let mut listed = self.list_group_offsets(&[group], timeout).await?;
        let committed = listed.pop().map_or_else(|| Ok(BTreeMap::new()), |(_, offsets)| offsets)?;
        let ends = [OffsetSpec::Earliest, OffsetSpec::Latest];
        let wanted: Vec<_> = committed.keys().flat_map(|partition| ends.map(|end| (partition.clone(), end))).collect();
        let left = deadline.left();
        let found = self.list_offsets(&wanted, isolation, left).await?;
        let mut found = found.into_iter().map(|(_, outcome)| outcome);
        let mut next = || match found.next() {
            Some(outcome) => outcome.map(|listing| listing.map_or(0, |listing| listing.offset)),
            None => Ok(0),
        };
        let lag = committed.into_iter().map(|(partition, committed)| {
            let (earliest, latest) = (next(), next());
            let lag = earliest.and_then(|earliest| Ok(PartitionLag { committed, earliest, latest: latest? }));
            (partition, lag)
        });
        Ok(lag.collect())
    }
}

fn committed(group: &OffsetFetchResponseGroup) -> Answer<BTreeMap<TopicPartition, OffsetAndMetadata>> {
    accepted(group.error_code, None)?;
    let mut offsets = BTreeMap::new();
    for topic in &group.topics {
        let name: Arc<str> = Arc::from(&**topic.name);
        for partition in &topic.partitions {
            accepted(partition.error_code, None)?;
            if partition.committed_offset < 0 {
                continue;
            }
            let mut offset = OffsetAndMetadata::from(partition.committed_offset);
            offset.leader_epoch = Some(partition.committed_leader_epoch).filter(|epoch| *epoch >= 0);
            offset.metadata = partition.metadata.as_ref().map(ToString::to_string).unwrap_or_default();
            offsets.insert(TopicPartition::new(Arc::clone(&name), partition.partition_index), offset);
        }
    }
    Ok(offsets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_that_are_gone_are_no_lag_and_a_log_that_was_made_anew_is_none_either() {
        let lag =
            |committed: i64, earliest, latest| PartitionLag { committed: committed.into(), earliest, latest }.lag();
        assert_eq!((lag(3, 0, 10), lag(3, 5, 10), lag(10, 0, 10), lag(12, 0, 10)), (7, 5, 0, 0));
    }
}
