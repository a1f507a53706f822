//! What groups have committed: the next offset to read, per topic and partition.
//!
//! Whether a member may commit is for its [group](super::classic::ClassicGroup) to say. Offsets are kept until they, their
//! group or their topic are deleted, or they [expire](super::expiry). What is committed in a
//! [transaction](super::transactions) is pending until that ends.

use std::collections::BTreeMap;

use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
use tidemill_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic;
use tidemill_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
use tidemill_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
use tidemill_protocol::messages::{
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, TopicName,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::classic::Identity;
use super::{Around, Groups, Protocol, owned};

/// Since this version a commit into a group that is not there is told so.
const SAYS_NO_SUCH_GROUP_SINCE: i16 = 9;

/// Since this version one OffsetFetch asks for several groups.
const FETCHES_IN_BATCHES_SINCE: i16 = 8;

/// Since this version OffsetFetch has an error for the whole group.
const SAYS_ERROR_OF_GROUP_SINCE: i16 = 2;

/// The offsets of one group.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    pub(super) topics: BTreeMap<String, BTreeMap<i32, Committed>>,
    /// What counts when the transaction of a producer id is committed.
    pub(super) pending: BTreeMap<i64, BTreeMap<(String, i32), Committed>>,
}

/// A committed offset.
#[derive(Debug, Clone)]
pub(super) struct Committed {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: StrBytes,
    /// Counts all commits: of two, the one that was written later holds.
    pub(super) written: i64,
    pub(super) committed_ms: i64,
}

/// One committed offset, or that there is none.
struct Found {
    partition: i32,
    committed: Committed,
    code: ErrorCode,
}

impl Groups {
    /// Of partitions that are not there Kafka does not even ask the group. `refused` was refused before.
    pub(crate) fn handle_commit(
        &mut self,
        request: &OffsetCommitRequest,
        version: i16,
        mut refused: Vec<OffsetCommitResponseTopic>,
        around: &Around<'_>,
    ) -> OffsetCommitResponse {
        let answer = |topic: &OffsetCommitRequestTopic, partitions| {
            OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
        };
        let answer_partition = |partition: &OffsetCommitRequestPartition, code: ErrorCode| {
            OffsetCommitResponsePartition::default()
                .with_partition_index(partition.partition_index)
                .with_error_code(code.0)
        };
        let mut asked = Vec::new();
        for topic in &request.topics {
            let exists = |it: &&OffsetCommitRequestPartition| around.topics.has(&topic.name, it.partition_index);
            let (there, missing): (Vec<_>, Vec<_>) = topic.partitions.iter().partition(exists);
            if !missing.is_empty() || around.topics.by_name(&topic.name).is_none() {
                let missing = missing.into_iter().map(|it| answer_partition(it, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                refused.push(answer(topic, missing.collect()));
            }
            if !there.is_empty() {
                asked.push((topic, there));
            }
        }
        let allowed = if asked.is_empty() { Ok(None) } else { self.check_commit(request, version, around) };
        let written = self.transactions.next_written();
        let mut group = self.groups.get_mut(request.group_id.as_str());
        let committed = asked.into_iter().map(|(topic, partitions)| {
            let partitions = partitions.into_iter().map(|partition| {
                let result = allowed.and_then(|old_epoch| {
                    let group = group.as_mut().ok_or(ErrorCode::UNKNOWN_MEMBER_ID)?;
                    if let (Some(epoch), Protocol::Consumer(consumer)) = (old_epoch, &group.protocol) {
                        let id = around.topics.by_name(&topic.name).map(|topic| topic.id).unwrap_or_default();
                        let number = partition.partition_index;
                        consumer.may_commit(&request.member_id, epoch, id, number, version)?;
                    }
                    group.offsets.commit(&topic.name, partition, written, around)?;
                    group.unwritten = false;
                    Ok(())
                });
                answer_partition(partition, result.err().unwrap_or(ErrorCode::NONE))
            });
            answer(topic, partitions.collect())
        });
        let committed = committed.collect();
        let topics = in_one_piece(refused, committed, |it| it.name.0.to_string(), |it| &mut it.partitions);
        OffsetCommitResponse::default().with_topics(topics)
    }

    pub(crate) fn handle_offset_fetch(
        &self,
        request: OffsetFetchRequest,
        version: i16,
        around: &Around<'_>,
    ) -> OffsetFetchResponse {
        let response = OffsetFetchResponse::default();
        if version >= FETCHES_IN_BATCHES_SINCE {
            let groups = request.groups.into_iter().map(|group| {
                let id = &group.group_id;
                let refused = around
                    .coordinates(id)
                    .and_then(|()| self.check_offset_fetch(id, group.member_id.as_deref(), group.member_epoch));
                if let Err(code) = refused {
                    let refused = OffsetFetchResponseGroup::default().with_error_code(code.0);
                    return refused.with_group_id(group.group_id);
                }
                let asked = group.topics.map(|topics| topics.into_iter().map(|it| (it.name, it.partition_indexes)));
                let found = self.find_offsets(&group.group_id, asked, request.require_stable);
                let topics = found.into_iter().map(|(name, found)| {
                    let partitions = found.into_iter().map(|Found { partition, committed, code }| {
                        OffsetFetchResponsePartitions::default()
                            .with_partition_index(partition)
                            .with_error_code(code.0)
                            .with_committed_offset(committed.offset)
                            .with_committed_leader_epoch(committed.leader_epoch)
                            .with_metadata(Some(committed.metadata))
                    });
                    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions.collect())
                });
                OffsetFetchResponseGroup::default().with_group_id(group.group_id).with_topics(topics.collect())
            });
            return response.with_groups(groups.collect());
        }
        let refused = around.coordinates(&request.group_id).err();
        let asked = request.topics.map(|topics| topics.into_iter().map(|it| (it.name, it.partition_indexes)));
        if let Some(code) = refused {
            return refuse_fetch(asked, version, code);
        }
        let topics =
            self.find_offsets(&request.group_id, asked, request.require_stable).into_iter().map(|(name, found)| {
                let partitions = found.into_iter().map(|Found { partition, committed, code }| {
                    OffsetFetchResponsePartition::default()
                        .with_partition_index(partition)
                        .with_error_code(code.0)
                        .with_committed_offset(committed.offset)
                        .with_committed_leader_epoch(committed.leader_epoch)
                        .with_metadata(Some(committed.metadata))
                });
                OffsetFetchResponseTopic::default().with_name(name).with_partitions(partitions.collect())
            });
        response.with_topics(topics.collect())
    }

    /// Offsets of topics that the group reads stay. `exists` knows the partitions that there are.
    pub(crate) fn handle_offset_delete(
        &mut self,
        request: &OffsetDeleteRequest,
        mut refused: Vec<OffsetDeleteResponseTopic>,
        around: &Around<'_>,
    ) -> OffsetDeleteResponse {
        let response = OffsetDeleteResponse::default();
        if request.group_id.is_empty() {
            return response.with_error_code(ErrorCode::INVALID_GROUP_ID.0);
        }
        if let Err(code) = around.coordinates(&request.group_id) {
            return response.with_error_code(code.0);
        }
        let Some(group) = self.groups.get_mut(request.group_id.as_str()) else {
            return response.with_error_code(ErrorCode::GROUP_ID_NOT_FOUND.0);
        };
        if let Protocol::Classic(classic) = &group.protocol
            && let Err(code) = classic.on_delete_offsets()
        {
            return response.with_error_code(code.0);
        }
        let answer = |topic: &OffsetDeleteRequestTopic, codes: Vec<(i32, ErrorCode)>| {
            let partition = |(number, code): (i32, ErrorCode)| {
                OffsetDeleteResponsePartition::default().with_partition_index(number).with_error_code(code.0)
            };
            let partitions = codes.into_iter().map(partition).collect();
            OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
        };
        let mut deleted = Vec::new();
        for topic in &request.topics {
            let reads = group.protocol.reads(&topic.name);
            let exists = |number: &i32| around.topics.has(&topic.name, *number);
            let numbers = topic.partitions.iter().map(|partition| partition.partition_index);
            let (there, missing): (Vec<i32>, Vec<i32>) = numbers.partition(exists);
            if !missing.is_empty() || around.topics.by_name(&topic.name).is_none() {
                let missing = missing.into_iter().map(|number| (number, ErrorCode::UNKNOWN_TOPIC_OR_PARTITION));
                refused.push(answer(topic, missing.collect()));
            }
            if there.is_empty() {
                continue;
            }
            let codes = there.into_iter().map(|number| {
                if reads {
                    return (number, ErrorCode::GROUP_SUBSCRIBED_TO_TOPIC);
                }
                group.offsets.remove(&topic.name, number);
                (number, ErrorCode::NONE)
            });
            deleted.push(answer(topic, codes.collect()));
        }
        response.with_topics(in_one_piece(refused, deleted, |it| it.name.0.to_string(), |it| &mut it.partitions))
    }

    /// A topic is gone, and with it what groups have committed for it.
    pub(crate) fn handle_topic_deleted(&mut self, topic: &str) {
        for group in self.groups.values_mut() {
            group.offsets.topics.remove(topic);
            for pending in group.offsets.pending.values_mut() {
                pending.retain(|(of, _), _| of != topic);
            }
        }
    }

    /// A group that is not there is made when the one who commits is no member: that is how offsets are kept by those who
    /// assign partitions themselves. An epoch is one that is over, in which the member may commit for some partitions.
    fn check_commit(
        &mut self,
        request: &OffsetCommitRequest,
        version: i16,
        around: &Around<'_>,
    ) -> Result<Option<i32>, ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let group_id = request.group_id.as_str();
        around.coordinates(group_id)?;
        if generation < 0 && self.groups.get(group_id).is_none() {
            self.group_or_new(group_id, around).unwritten = true;
        }
        let identity =
            Identity { generation, member_id: &request.member_id, instance_id: request.group_instance_id.as_deref() };
        let checked = self.change(group_id, around, |group, out| match &mut group.protocol {
            Protocol::Classic(classic) => classic.on_commit(identity, out.now).map(|()| None),
            Protocol::Consumer(consumer) => consumer.on_commit(identity, version),
        });
        checked.unwrap_or(Err(if version >= SAYS_NO_SUCH_GROUP_SINCE {
            ErrorCode::GROUP_ID_NOT_FOUND
        } else {
            ErrorCode::ILLEGAL_GENERATION
        }))
    }

    fn check_offset_fetch(&self, group_id: &str, member_id: Option<&str>, epoch: i32) -> Result<(), ErrorCode> {
        match self.groups.get(group_id).map(|group| &group.protocol) {
            Some(Protocol::Consumer(consumer)) => consumer.on_offset_fetch(member_id, epoch),
            Some(Protocol::Classic(_)) | None => Ok(()),
        }
    }

    /// What was committed for these partitions, or everything; nothing for those without, and for a group that is not
    /// there. With `stable`, what a transaction may still change is not said.
    fn find_offsets(
        &self,
        group_id: &str,
        asked: Option<impl Iterator<Item = (TopicName, Vec<i32>)>>,
        stable: bool,
    ) -> Vec<(TopicName, Vec<Found>)> {
        let offsets = self.groups.get(group_id).map(|group| &group.offsets);
        let Some(asked) = asked else {
            return offsets.map(|offsets| offsets.all(stable)).unwrap_or_default();
        };
        let find = |(topic, partitions): (TopicName, Vec<i32>)| {
            let find = |partition| match offsets {
                Some(offsets) => offsets.find(&topic, partition, stable),
                None => Found { partition, committed: Committed::nothing(), code: ErrorCode::NONE },
            };
            let found = partitions.into_iter().map(find).collect();
            (topic, found)
        };
        asked.map(find).collect()
    }
}

/// The answer for one group in the versions before several could be asked for: the first of them say it per partition.
fn refuse_fetch(
    asked: Option<impl Iterator<Item = (TopicName, Vec<i32>)>>,
    version: i16,
    code: ErrorCode,
) -> OffsetFetchResponse {
    let response = OffsetFetchResponse::default();
    if version >= SAYS_ERROR_OF_GROUP_SINCE {
        return response.with_error_code(code.0);
    }
    let nothing = |partition| {
        OffsetFetchResponsePartition::default()
            .with_partition_index(partition)
            .with_committed_offset(-1)
            .with_committed_leader_epoch(-1)
            .with_metadata(Some(StrBytes::new()))
            .with_error_code(code.0)
    };
    let topic = |(name, partitions): (TopicName, Vec<i32>)| {
        OffsetFetchResponseTopic::default()
            .with_name(name)
            .with_partitions(partitions.into_iter().map(nothing).collect())
    };
    response.with_topics(asked.into_iter().flatten().map(topic).collect())
}

/// What is answered to a commit: a topic of which something was refused stands there in one piece. Where nothing was, as
/// often as it was asked for, as in Kafka.
pub(crate) fn in_one_piece<T, P>(
    refused: Vec<T>,
    committed: Vec<T>,
    name: impl Fn(&T) -> String,
    partitions: impl Fn(&mut T) -> &mut Vec<P>,
) -> Vec<T> {
    if refused.is_empty() {
        return committed;
    }
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut topics: Vec<T> = Vec::new();
    for mut topic in refused.into_iter().chain(committed) {
        let place = *places.entry(name(&topic)).or_insert(topics.len());
        match topics.get_mut(place) {
            Some(known) => partitions(known).append(partitions(&mut topic)),
            None => topics.push(topic),
        }
    }
    topics
}

impl Offsets {
    fn commit(
        &mut self,
        topic: &str,
        partition: &OffsetCommitRequestPartition,
        written: i64,
        around: &Around<'_>,
    ) -> Result<(), ErrorCode> {
        let committed = Committed {
            offset: partition.committed_offset,
            leader_epoch: partition.committed_leader_epoch,
            metadata: checked_metadata(partition.committed_metadata.as_deref(), around)?,
            written,
            committed_ms: around.unix_ms,
        };
        self.apply(topic, partition.partition_index, committed);
        Ok(())
    }

    /// An offset counts from now on, unless a later one does.
    pub(super) fn apply(&mut self, topic: &str, partition: i32, committed: Committed) {
        let partitions = self.topics.entry(topic.to_owned()).or_default();
        if partitions.get(&partition).is_none_or(|known| known.written <= committed.written) {
            partitions.insert(partition, committed);
        }
    }

    /// What was committed for a partition.
    fn find(&self, topic: &str, partition: i32, stable: bool) -> Found {
        let is_pending = |pending: &BTreeMap<(String, i32), Committed>| {
            pending.keys().any(|(of, number)| of == topic && *number == partition)
        };
        if stable && self.pending.values().any(is_pending) {
            return Found { partition, committed: Committed::nothing(), code: ErrorCode::UNSTABLE_OFFSET_COMMIT };
        }
        let committed = self.topics.get(topic).and_then(|partitions| partitions.get(&partition));
        let committed = committed.cloned().unwrap_or_else(Committed::nothing);
        Found { partition, committed, code: ErrorCode::NONE }
    }

    fn remove(&mut self, topic: &str, partition: i32) {
        for pending in self.pending.values_mut() {
            pending.remove(&(topic.to_owned(), partition));
        }
        let Some(partitions) = self.topics.get_mut(topic) else { return };
        partitions.remove(&partition);
        if partitions.is_empty() {
            self.topics.remove(topic);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.pending.is_empty()
    }

    /// Forgets what has expired, which is told by the topic and the time of the commit.
    pub(super) fn expire(&mut self, expires: impl Fn(&str, i64) -> bool) {
        self.topics.retain(|topic, partitions| {
            partitions.retain(|_, committed| !expires(topic, committed.committed_ms));
            !partitions.is_empty()
        });
    }

    fn all(&self, stable: bool) -> Vec<(TopicName, Vec<Found>)> {
        let topic = |(name, partitions): (&String, &BTreeMap<i32, Committed>)| {
            let found = partitions.keys().map(|partition| self.find(name, *partition, stable));
            (TopicName(owned(name)), found.collect())
        };
        self.topics.iter().map(topic).collect()
    }
}

impl Committed {
    const fn nothing() -> Self {
        Self { offset: -1, leader_epoch: -1, metadata: StrBytes::new(), written: -1, committed_ms: 0 }
    }
}

/// What is kept of the metadata of a commit, unless it is too long.
pub(super) fn checked_metadata(metadata: Option<&str>, around: &Around<'_>) -> Result<StrBytes, ErrorCode> {
    let metadata = metadata.unwrap_or_default();
    // Kafka counts it in UTF-16.
    if metadata.encode_utf16().count() > around.properties.offset_metadata_max_bytes {
        return Err(ErrorCode::OFFSET_METADATA_TOO_LARGE);
    }
    Ok(owned(metadata))
}
