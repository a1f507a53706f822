//! What the [`machine`](super::machine) asks of coordinators, in Kafka's messages, and what the answers say.
#![expect(clippy::disallowed_methods, reason = "the clock is read for the deadline of a request")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use tidemill_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use tidemill_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, EndTxnRequest, GroupId, InitProducerIdRequest, ProducerId,
    TopicName, TransactionalId, TxnOffsetCommitRequest,
};
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes};

use crate::clock::now;
use crate::cluster::{Cluster, CoordinatorKind, Purpose};
use crate::consumer::{GroupMetadata, OffsetAndMetadata};
use crate::error::Error;
use crate::producer::sequences::Identity;
use crate::record::TopicPartition;

/// Which of the two protocols of transactions is spoken: the cluster's feature `transaction.version` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::producer) enum Generation {
    /// KIP-98.
    First,
    /// KIP-890.
    Second,
}

impl Generation {
    pub(super) const fn of(transaction_version: i16) -> Self {
        if transaction_version >= 2 { Self::Second } else { Self::First }
    }
}

/// A request to a coordinator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::producer) enum Request {
    /// `InitProducerId`: as nobody yet, or as who we are, for the next epoch.
    Initialize(Option<Identity>),
    /// `AddPartitionsToTxn`.
    AddPartitions(Identity, Vec<TopicPartition>),
    /// `AddOffsetsToTxn`.
    AddGroup(Identity, String),
    /// `TxnOffsetCommit`, at the group's coordinator.
    CommitOffsets(Identity, Generation, GroupMetadata, BTreeMap<TopicPartition, OffsetAndMetadata>),
    /// `EndTxn`.
    End(Identity, Generation, Decision),
}

/// How a transaction ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::producer) enum Decision {
    Commit,
    Abort,
}

/// What came of a [`Request`].
#[derive(Debug)]
pub(in crate::producer) struct Reply {
    /// Who we are from now on, where an answer says so.
    pub(super) outcome: Result<Option<Identity>, Error>,
    /// What the coordinator of the transaction speaks.
    pub(super) generation: Option<Generation>,
}

/// Who asks, and of whom.
#[derive(Debug, Clone)]
pub(in crate::producer) struct Asker {
    pub(in crate::producer) cluster: Cluster,
    pub(in crate::producer) transactional_id: Arc<str>,
    pub(in crate::producer) transaction_timeout: Duration,
    pub(in crate::producer) request_timeout: Duration,
}

/// Makes one request, once.
pub(in crate::producer) async fn run(asker: Asker, request: Request) -> Reply {
    let group_id = match &request {
        Request::CommitOffsets(.., group, _) => Some(group.group_id().to_owned()),
        Request::Initialize(_) | Request::AddPartitions(..) | Request::AddGroup(..) | Request::End(..) => None,
    };
    let (kind, key) = match &group_id {
        Some(group_id) => (CoordinatorKind::Group, group_id.as_str()),
        None => (CoordinatorKind::Transaction, &*asker.transactional_id),
    };
    let mut generation = None;
    let outcome = ask(&asker, kind, key, request, &mut generation).await;
    if let Err(error) = &outcome
        && is_elsewhere(error)
    {
        asker.cluster.coordinator_moved(kind, key);
    }
    Reply { outcome, generation: generation.filter(|_| group_id.is_none()) }
}

/// Whether the coordinator is to be looked for again.
fn is_elsewhere(error: &Error) -> bool {
    match error.code() {
        None => true,
        Some(code) => matches!(
            code,
            ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_NOT_AVAILABLE | ErrorCode::REQUEST_TIMED_OUT
        ),
    }
}

async fn ask(
    asker: &Asker,
    kind: CoordinatorKind,
    key: &str,
    request: Request,
    generation: &mut Option<Generation>,
) -> Result<Option<Identity>, Error> {
    let until = now() + asker.request_timeout;
    let broker = asker.cluster.coordinator(kind, key).await?;
    let connection = asker.cluster.connection_to_broker(broker, Purpose::Transactions)?;
    connection.opened(asker.request_timeout).await?;
    *generation = Some(Generation::of(connection.transaction_version()));
    let left = until.saturating_duration_since(now());
    let id = || TransactionalId(text(&asker.transactional_id));
    macro_rules! answer {
        ($versions:expr, $build:expr) => {
            connection.request($versions, left, $build).await.map(|(_, answer)| answer)
        };
    }
    match request {
        Request::Initialize(identity) => {
            let timeout_ms = i32::try_from(asker.transaction_timeout.as_millis()).unwrap_or(i32::MAX);
            let versions = if identity.is_some() { NEXT_EPOCH_VERSIONS } else { INIT_PRODUCER_ID_VERSIONS };
            // A broker from before gives the next epoch to whoever asks.
            let speaks = connection.unspeakable(ApiKey::INIT_PRODUCER_ID, versions).is_none();
            let identity = identity.filter(|_| speaks);
            let (producer_id, epoch) = identity.map_or((-1, -1), |known| (known.producer_id, known.producer_epoch));
            let answer = answer!(INIT_PRODUCER_ID_VERSIONS, |_| InitProducerIdRequest::default()
                .with_transactional_id(Some(id()))
                .with_transaction_timeout_ms(timeout_ms)
                .with_producer_id(ProducerId(producer_id))
                .with_producer_epoch(epoch))?;
            check("registering the transactional id", answer.error_code)?;
            Ok(Some(Identity { producer_id: answer.producer_id.0, producer_epoch: answer.producer_epoch }))
        }
        Request::AddPartitions(identity, partitions) => {
            let answer = answer!(ADD_PARTITIONS_VERSIONS, |_| AddPartitionsToTxnRequest::default()
                .with_v3_and_below_transactional_id(id())
                .with_v3_and_below_producer_id(ProducerId(identity.producer_id))
                .with_v3_and_below_producer_epoch(identity.producer_epoch)
                .with_v3_and_below_topics(
                    by_topic(partitions.iter().map(|partition| (partition, partition.partition)))
                        .map(|(name, numbers)| AddPartitionsToTxnTopic::default()
                            .with_name(name)
                            .with_partitions(numbers))
                        .collect()
                ))?;
            let answers = answer.results_by_topic_v3_and_below.iter().flat_map(|topic| {
                let name = topic.name.0.as_str();
                topic
                    .results_by_partition
                    .iter()
                    .map(move |part| (name, part.partition_index, part.partition_error_code))
            });
            check_all("adding partitions to the transaction", partitions.iter(), answers)
        }
        Request::AddGroup(identity, group_id) => {
            let answer = answer!(ADD_OFFSETS_VERSIONS, |_| AddOffsetsToTxnRequest::default()
                .with_transactional_id(id())
                .with_producer_id(ProducerId(identity.producer_id))
                .with_producer_epoch(identity.producer_epoch)
                .with_group_id(GroupId(text(&group_id))))?;
            check("adding a group's offsets to the transaction", answer.error_code).map(|()| None)
        }
        Request::CommitOffsets(identity, spoken, group, offsets) => {
            let versions = match spoken {
                Generation::First => VersionRange::new(0, 4),
                Generation::Second => VersionRange::new(5, 5),
            };
            let answer = answer!(versions, |version| offsets_request(id(), identity, &group, &offsets, version))?;
            let answers = answer.topics.iter().flat_map(|topic| {
                let name = topic.name.0.as_str();
                topic.partitions.iter().map(move |part| (name, part.partition_index, part.error_code))
            });
            check_all("committing offsets with the transaction", offsets.keys(), answers)
        }
        Request::End(identity, spoken, decision) => {
            let versions = match spoken {
                Generation::First => VersionRange::new(0, 4),
                Generation::Second => VersionRange::new(5, 5),
            };
            let answer = answer!(versions, |_| EndTxnRequest::default()
                .with_transactional_id(id())
                .with_producer_id(ProducerId(identity.producer_id))
                .with_producer_epoch(identity.producer_epoch)
                .with_committed(decision == Decision::Commit))?;
            let attempt = match decision {
                Decision::Commit => "committing the transaction",
                Decision::Abort => "aborting the transaction",
            };
            check(attempt, answer.error_code)?;
            let next = Identity { producer_id: answer.producer_id.0, producer_epoch: answer.producer_epoch };
            Ok((spoken == Generation::Second && next.producer_id >= 0).then_some(next))
        }
    }
}

fn offsets_request(
    transactional_id: TransactionalId,
    identity: Identity,
    group: &GroupMetadata,
    offsets: &BTreeMap<TopicPartition, OffsetAndMetadata>,
    version: i16,
) -> TxnOffsetCommitRequest {
    let parts = by_topic(offsets.iter().map(|(partition, offset)| {
        let part = TxnOffsetCommitRequestPartition::default()
            .with_partition_index(partition.partition)
            .with_committed_offset(offset.offset)
            .with_committed_leader_epoch(offset.leader_epoch.filter(|_| version >= 2).unwrap_or(-1))
            .with_committed_metadata(Some(text(&offset.metadata)));
        (partition, part)
    }));
    let topics =
        parts.map(|(name, parts)| TxnOffsetCommitRequestTopic::default().with_name(name).with_partitions(parts));
    let request = TxnOffsetCommitRequest::default()
        .with_transactional_id(transactional_id)
        .with_group_id(GroupId(text(group.group_id())))
        .with_producer_id(ProducerId(identity.producer_id))
        .with_producer_epoch(identity.producer_epoch)
        .with_topics(topics.collect());
    if version < MEMBER_SINCE {
        return request;
    }
    let request = request.with_generation_id(group.generation()).with_member_id(text(group.member_id()));
    request.with_group_instance_id(group.instance_id().map(text))
}

fn by_topic<'a, T>(parts: impl Iterator<Item = (&'a TopicPartition, T)>) -> impl Iterator<Item = (TopicName, Vec<T>)> {
    let mut topics: BTreeMap<&str, Vec<T>> = BTreeMap::new();
    for (partition, part) in parts {
        topics.entry(&partition.topic).or_default().push(part);
    }
    topics.into_iter().map(|(name, parts)| (TopicName(text(name)), parts))
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn check(attempt: &str, code: i16) -> Result<(), Error> {
    ErrorCode(code).into_result().map_err(|code| Error::broker(attempt, code))
}

/// The answers for all partitions as one: what is worst of them. A partition that was left out was not answered.
fn check_all<'a>(
    attempt: &str,
    asked: impl Iterator<Item = &'a TopicPartition>,
    answers: impl Iterator<Item = (&'a str, i32, i16)>,
) -> Result<Option<Identity>, Error> {
    let answers: BTreeMap<(&str, i32), i16> =
        answers.map(|(topic, partition, code)| ((topic, partition), code)).collect();
    let mut worst: Option<(u8, Error)> = None;
    for partition in asked {
        let Some(code) = answers.get(&(&*partition.topic, partition.partition)) else {
            return Err(Error::protocol(attempt).with_detail("the answer leaves a partition out"));
        };
        let Err(error) = check(attempt, *code) else { continue };
        let code = ErrorCode(*code);
        let badness = match code {
            _ if code.is_retriable() => 0,
            // Another partition says why.
            ErrorCode::OPERATION_NOT_ATTEMPTED => 1,
            _ => 2,
        };
        if worst.as_ref().is_none_or(|(other, _)| *other < badness) {
            worst = Some((badness, error.with_partition(partition.clone())));
        }
    }
    worst.map_or(Ok(None), |(_, error)| Err(error))
}

const INIT_PRODUCER_ID_VERSIONS: VersionRange = VersionRange::new(0, 5);
/// From 3 on, a producer may ask for its next epoch (KIP-360).
const NEXT_EPOCH_VERSIONS: VersionRange = VersionRange::new(3, 5);
/// From 4 on, it is spoken among brokers.
const ADD_PARTITIONS_VERSIONS: VersionRange = VersionRange::new(0, 3);
const ADD_OFFSETS_VERSIONS: VersionRange = VersionRange::new(0, 4);
/// From 3 on, the member of the group is named, so that it can be fenced (KIP-447).
const MEMBER_SINCE: i16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_partitions_the_one_that_says_why_is_named() {
        let partitions: Vec<TopicPartition> = (0..3).map(|number| TopicPartition::new("clicks", number)).collect();
        let codes = |codes: [ErrorCode; 3]| {
            let answers = codes.iter().zip(0..).map(|(code, number)| ("clicks", number, code.0));
            check_all("adding", partitions.iter(), answers).map_err(|error| error.code())
        };
        let (none, skipped) = (ErrorCode::NONE, ErrorCode::OPERATION_NOT_ATTEMPTED);
        assert_eq!(codes([none; 3]), Ok(None));
        let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
        assert_eq!(codes([skipped, denied, skipped]), Err(Some(denied)));
        assert_eq!(codes([ErrorCode::CONCURRENT_TRANSACTIONS, denied, none]), Err(Some(denied)));
        let short = check_all("adding", partitions.iter(), [("clicks", 0, 0)].into_iter());
        assert!(short.unwrap_err().to_string().contains("leaves a partition out"));
    }

    #[test]
    fn a_member_is_named_to_brokers_that_can_fence_it() {
        let group = GroupMetadata::of_member("copiers", 7, "member-1", Some("static-1"));
        let identity = Identity { producer_id: 1, producer_epoch: 2 };
        let offsets = BTreeMap::from([(TopicPartition::new("clicks", 0), OffsetAndMetadata::from(5))]);
        let id = || TransactionalId(text("copier-1"));
        let named = offsets_request(id(), identity, &group, &offsets, 3);
        assert_eq!((named.generation_id, named.member_id.as_str()), (7, "member-1"));
        assert_eq!(named.group_instance_id, Some(text("static-1")));
        let old = offsets_request(id(), identity, &group, &offsets, 2);
        assert_eq!((old.generation_id, old.member_id.as_str()), (-1, ""));
    }
}
