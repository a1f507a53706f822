//! Partitions: more of them, another leader, other replicas.
//!
//! Before: the application. After: [`driver`](super::driver) asks the controller.
//!
//! Source: KIP-195 (CreatePartitions), KIP-460 (ElectLeaders), KIP-455 (reassignments).

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::alter_partition_reassignments_request::{ReassignablePartition, ReassignableTopic};
use tidemill_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use tidemill_protocol::messages::elect_leaders_request::TopicPartitions;
use tidemill_protocol::messages::{
    AlterPartitionReassignmentsRequest, AlterPartitionReassignmentsResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, ElectLeadersRequest, ElectLeadersResponse, ListPartitionReassignmentsRequest,
    ListPartitionReassignmentsResponse,
};

use super::call::{Answer, Route, accepted};
use super::driver::Exchange;
use super::{Admin, Outcomes, all_refused, broker_ids, by_topic, millis, named, numbers_of, topic_name};
use crate::error::Error;
use crate::record::TopicPartition;

const CREATE_PARTITIONS_VERSIONS: VersionRange = VersionRange::new(0, 3);
/// Before 1 there is but the preferred leader.
const ELECT_LEADERS_VERSIONS: VersionRange = VersionRange::new(1, 2);
const ALTER_REASSIGNMENTS_VERSIONS: VersionRange = VersionRange::new(0, 1);
const LIST_REASSIGNMENTS_VERSIONS: VersionRange = VersionRange::new(0, 0);

/// A topic that gets more partitions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPartitions {
    topic: String,
    total: i32,
    assignments: Option<Vec<Vec<i32>>>,
}

impl NewPartitions {
    /// As many partitions as the topic has in the end, those it has included.
    #[must_use]
    pub fn increase_to(topic: impl Into<String>, total: i32) -> Self {
        Self { topic: topic.into(), total, assignments: None }
    }

    /// Which brokers hold each new partition, the preferred leader first. Default: the controller chooses.
    #[must_use]
    pub fn assignments(mut self, assignments: impl IntoIterator<Item = Vec<i32>>) -> Self {
        self.assignments = Some(assignments.into_iter().collect());
        self
    }

    fn request(&self) -> CreatePartitionsTopic {
        let assignments = self.assignments.as_ref().map(|assignments| {
            let of = |brokers: &Vec<i32>| CreatePartitionsAssignment::default().with_broker_ids(broker_ids(brokers));
            assignments.iter().map(of).collect()
        });
        CreatePartitionsTopic::default()
            .with_name(topic_name(&self.topic))
            .with_count(self.total)
            .with_assignments(assignments)
    }
}

/// Who is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElectionType {
    /// The first of the replicas, if it is in sync.
    Preferred,
    /// Any replica that is up, when none is in sync. Records that only others have are lost.
    Unclean,
}

/// A partition that moves to other brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartitionReassignment {
    /// The brokers that hold it now, those that are being added included.
    pub replicas: Vec<i32>,
    /// Those that are being added.
    pub adding: Vec<i32>,
    /// Those that will be removed.
    pub removing: Vec<i32>,
}

impl Admin {
    /// Gives topics more partitions; each has its own outcome. The keys of records are then spread differently. To ask
    /// for as many as there are, or fewer, is the error `INVALID_PARTITIONS`.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the partitions may have been created.
    pub async fn create_partitions(
        &self,
        topics: &[NewPartitions],
        timeout: Duration,
    ) -> Result<Outcomes<String>, Error> {
        self.create_or_validate_partitions(topics, false, timeout).await
    }

    /// What [`create_partitions`](Self::create_partitions) would answer, without creating anything.
    ///
    /// # Errors
    /// As [`create_partitions`](Self::create_partitions).
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn validate_partitions(
        &self,
        topics: &[NewPartitions],
        timeout: Duration,
    ) -> Result<Outcomes<String>, Error> {
        self.create_or_validate_partitions(topics, true, timeout).await
    }

    async fn create_or_validate_partitions(
        &self,
        topics: &[NewPartitions],
        validate_only: bool,
        timeout: Duration,
    ) -> Result<Outcomes<String>, Error> {
        let items =
            topics.iter().map(|topic| (Route::Controller, format!("creating partitions of topic '{}'", topic.topic)));
        let exchange = Exchange {
            versions: CREATE_PARTITIONS_VERSIONS,
            changes: !validate_only,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                CreatePartitionsRequest::default()
                    .with_topics(items.iter().map(|place| topics[*place].request()).collect())
                    .with_timeout_ms(millis(patience))
                    .with_validate_only(validate_only)
            },
            read: |items: &[usize], reply: CreatePartitionsResponse| {
                let found: BTreeMap<&str, _> = reply.results.iter().map(|topic| (&**topic.name, topic)).collect();
                let of = |topic: &NewPartitions| {
                    let found = found.get(&*topic.topic)?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(&topics[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(topics.iter().map(|topic| topic.topic.clone()), outcomes))
    }

    /// Has leaders elected; each partition has its own outcome. One whose leader is the right one already is the error
    /// `ELECTION_NOT_NEEDED`; where the replica that is to lead is down, `PREFERRED_LEADER_NOT_AVAILABLE` or
    /// `ELIGIBLE_LEADERS_NOT_AVAILABLE`. Brokers take it since 2.4.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the leaders may have been elected.
    pub async fn elect_leaders(
        &self,
        election: ElectionType,
        partitions: &[TopicPartition],
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition>, Error> {
        let items =
            partitions.iter().map(|partition| (Route::Controller, format!("electing the leader of {partition}")));
        let exchange = Exchange {
            versions: ELECT_LEADERS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| &partitions[*place]).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let numbers = places.iter().map(|place| asked[*place].partition);
                    TopicPartitions::default().with_topic(topic_name(topic)).with_partitions(numbers.collect())
                });
                ElectLeadersRequest::default()
                    .with_election_type(match election {
                        ElectionType::Preferred => 0,
                        ElectionType::Unclean => 1,
                    })
                    .with_topic_partitions(Some(topics.collect()))
                    .with_timeout_ms(millis(patience))
            },
            read: |items: &[usize], reply: ElectLeadersResponse| {
                if let Err(refusal) = accepted(reply.error_code, None) {
                    return all_refused(items, &refusal);
                }
                let mut found = BTreeMap::new();
                for topic in &reply.replica_election_results {
                    for result in &topic.partition_result {
                        found.insert((&**topic.topic, result.partition_id), result);
                    }
                }
                let of = |partition: &TopicPartition| {
                    let found = found.get(&(&*partition.topic, partition.partition))?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(&partitions[*place])?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(partitions.iter().cloned(), outcomes))
    }

    /// Moves partitions to other brokers, the preferred leader first; `None` cancels a move that is under way (if none
    /// is, that is the error `NO_REASSIGNMENT_IN_PROGRESS`). Each has its own outcome, which says that the move has
    /// begun: [`list_partition_reassignments`](Self::list_partition_reassignments) shows when it is over. Brokers take
    /// it since 2.4.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the moves may have begun.
    pub async fn alter_partition_reassignments(
        &self,
        moves: &[(TopicPartition, Option<Vec<i32>>)],
        timeout: Duration,
    ) -> Result<Outcomes<TopicPartition>, Error> {
        let items = moves.iter().map(|(partition, _)| (Route::Controller, format!("reassigning {partition}")));
        let exchange = Exchange {
            versions: ALTER_REASSIGNMENTS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, patience| {
                let asked: Vec<&TopicPartition> = items.iter().map(|place| &moves[*place].0).collect();
                let topics = by_topic(&asked).into_iter().map(|(topic, places)| {
                    let partitions = places.iter().map(|place| {
                        let (partition, replicas) = &moves[items[*place]];
                        ReassignablePartition::default()
                            .with_partition_index(partition.partition)
                            .with_replicas(replicas.as_deref().map(broker_ids))
                    });
                    ReassignableTopic::default().with_name(topic_name(topic)).with_partitions(partitions.collect())
                });
                AlterPartitionReassignmentsRequest::default()
                    .with_topics(topics.collect())
                    .with_timeout_ms(millis(patience))
            },
            read: |items: &[usize], reply: AlterPartitionReassignmentsResponse| {
                if let Err(refusal) = accepted(reply.error_code, reply.error_message.as_ref()) {
                    return all_refused(items, &refusal);
                }
                let mut found = BTreeMap::new();
                for topic in &reply.responses {
                    for result in &topic.partitions {
                        found.insert((&**topic.name, result.partition_index), result);
                    }
                }
                let of = |partition: &TopicPartition| {
                    let found = found.get(&(&*partition.topic, partition.partition))?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(&moves[*place].0)?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(moves.iter().map(|(partition, _)| partition.clone()), outcomes))
    }

    /// The partitions that are moving to other brokers. Brokers tell since 2.4.
    ///
    /// # Errors
    /// When the controller does not answer within `timeout`, or refuses.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_partition_reassignments(
        &self,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, PartitionReassignment>, Error> {
        let exchange = Exchange {
            versions: LIST_REASSIGNMENTS_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, patience| {
                ListPartitionReassignmentsRequest::default().with_topics(None).with_timeout_ms(millis(patience))
            },
            read: |items: &[usize], reply: ListPartitionReassignmentsResponse| {
                items.iter().map(|place| (*place, moving(&reply))).collect()
            },
        };
        self.ask_one((Route::Controller, "listing reassignments".to_owned()), timeout, exchange).await
    }
}

fn moving(reply: &ListPartitionReassignmentsResponse) -> Answer<BTreeMap<TopicPartition, PartitionReassignment>> {
    accepted(reply.error_code, reply.error_message.as_ref())?;
    let mut moving = BTreeMap::new();
    for topic in &reply.topics {
        for partition in &topic.partitions {
            let reassignment = PartitionReassignment {
                replicas: numbers_of(&partition.replicas),
                adding: numbers_of(&partition.adding_replicas),
                removing: numbers_of(&partition.removing_replicas),
            };
            moving.insert(TopicPartition::new(&**topic.name, partition.partition_index), reassignment);
        }
    }
    Ok(moving)
}
