//! [`RequestFacts`]: what a request says that a rule can ask for.
//!
//! Read once, as the request comes; [`Faults`](super::Faults) matches rules with it, before the request is applied and after.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use tidemill_protocol::header::{decode_request, read_request_header};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, DecodeError, Request, StrBytes};
use uuid::Uuid;

/// The names of topics that requests name by their id.
pub(super) type TopicNames = BTreeMap<Uuid, String>;

/// What a request says of itself.
#[derive(Clone)]
#[non_exhaustive]
pub struct RequestFacts {
    /// On which connection it came.
    pub connection: u64,
    /// To which broker.
    pub broker: i32,
    /// What is asked.
    pub api: ApiKey,
    /// In which version.
    pub version: i16,
    /// The answer will bear it.
    pub correlation_id: i32,
    /// The name the client gives itself; empty when it gives none.
    pub client_id: String,
    /// What the body names.
    pub named: Named,
    /// The body.
    pub body: Bytes,
}

/// What the body of a request names. An API that names none of these, or a body that cannot be read, has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Named {
    /// Topics, and the partition, where one is named. In a fetch session (KIP-227) only what the request adds.
    pub partitions: Vec<(String, Option<i32>)>,
    /// Groups.
    pub groups: Vec<String>,
    /// Transactional ids.
    pub transactional_ids: Vec<String>,
}

/// The body is counted, not shown: it may hold a secret.
impl fmt::Debug for RequestFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { connection, broker, api, version, correlation_id, client_id, named: _, body } = self;
        write!(f, "RequestFacts {{ connection {connection} to broker {broker}: {api} v{version}, ")?;
        write!(f, "correlation id {correlation_id}, client id \"{client_id}\", {} bytes }}", body.len())
    }
}

impl RequestFacts {
    /// What a request frame says, without its length; `is_body_asked` when rules ask for what only the body names.
    pub(super) fn read(
        connection: u64,
        broker: i32,
        frame: &Bytes,
        names: &TopicNames,
        is_body_asked: bool,
    ) -> Result<Self, DecodeError> {
        let mut body = frame.clone();
        let header = read_request_header(&mut body)?;
        let mut named = Named::default();
        if is_body_asked {
            Reader { version: header.api_version, body: &body, names, named: &mut named }.read(header.api_key);
        }
        Ok(Self {
            connection,
            broker,
            api: header.api_key,
            version: header.api_version,
            correlation_id: header.correlation_id,
            client_id: header.client_id.unwrap_or_default(),
            named,
            body,
        })
    }
}

/// A `DescribeConfigs` resource of this type is a topic.
const TOPIC_RESOURCE: i8 = 2;

/// Who coordinates a group.
const GROUP_COORDINATOR: i8 = 0;

/// Who coordinates a transactional id.
const TRANSACTION_COORDINATOR: i8 = 1;

/// Fills `named` from a body.
struct Reader<'a> {
    version: i16,
    body: &'a Bytes,
    names: &'a TopicNames,
    named: &'a mut Named,
}

impl Reader<'_> {
    fn body<R: Request>(&self) -> Option<R> {
        decode_request(self.version, self.body.clone()).ok()
    }

    fn partition(&mut self, topic: &str, partition: i32) {
        self.named.partitions.push((topic.to_owned(), Some(partition)));
    }

    fn topic(&mut self, topic: &str) {
        self.named.partitions.push((topic.to_owned(), None));
    }

    fn partitions(&mut self, topic: &str, partitions: impl IntoIterator<Item = i32>) {
        for partition in partitions {
            self.partition(topic, partition);
        }
    }

    /// A topic goes by its name or its id; one of an id that nobody has told is named by that.
    fn name(&self, name: &TopicName, id: Uuid) -> String {
        if !name.0.is_empty() || id.is_nil() {
            return name.0.to_string();
        }
        self.names.get(&id).cloned().unwrap_or_else(|| id.to_string())
    }

    fn group(&mut self, group: &str) {
        self.named.groups.push(group.to_owned());
    }

    fn transaction(&mut self, id: &str) {
        self.named.transactional_ids.push(id.to_owned());
    }

    fn read(&mut self, api: ApiKey) {
        // An API or a version that is not known names nothing that could be read.
        let _ = self.read_data(api).or_else(|| self.read_group(api)).or_else(|| self.read_admin(api));
    }

    /// Records, offsets, metadata. None when it is another API, or its body cannot be read.
    fn read_data(&mut self, api: ApiKey) -> Option<()> {
        match api {
            ApiKey::PRODUCE => {
                let body: ProduceRequest = self.body()?;
                for topic in &body.topic_data {
                    let name = self.name(&topic.name, topic.topic_id);
                    self.partitions(&name, topic.partition_data.iter().map(|partition| partition.index));
                }
                if let Some(id) = &body.transactional_id {
                    self.transaction(&id.0);
                }
            }
            ApiKey::FETCH => {
                for topic in &self.body::<FetchRequest>()?.topics {
                    let name = self.name(&topic.topic, topic.topic_id);
                    self.partitions(&name, topic.partitions.iter().map(|partition| partition.partition));
                }
            }
            ApiKey::SHARE_FETCH => {
                let body: ShareFetchRequest = self.body()?;
                for topic in &body.topics {
                    let name = self.name(&TopicName::default(), topic.topic_id);
                    self.partitions(&name, topic.partitions.iter().map(|partition| partition.partition_index));
                }
                body.group_id.iter().for_each(|group| self.group(&group.0));
            }
            ApiKey::SHARE_ACKNOWLEDGE => {
                let body: ShareAcknowledgeRequest = self.body()?;
                for topic in &body.topics {
                    let name = self.name(&TopicName::default(), topic.topic_id);
                    self.partitions(&name, topic.partitions.iter().map(|partition| partition.partition_index));
                }
                body.group_id.iter().for_each(|group| self.group(&group.0));
            }
            ApiKey::LIST_OFFSETS => {
                for topic in &self.body::<ListOffsetsRequest>()?.topics {
                    self.partitions(&topic.name.0, topic.partitions.iter().map(|partition| partition.partition_index));
                }
            }
            ApiKey::OFFSET_FOR_LEADER_EPOCH => {
                for topic in &self.body::<OffsetForLeaderEpochRequest>()?.topics {
                    self.partitions(&topic.topic.0, topic.partitions.iter().map(|partition| partition.partition));
                }
            }
            ApiKey::DELETE_RECORDS => {
                for topic in &self.body::<DeleteRecordsRequest>()?.topics {
                    self.partitions(&topic.name.0, topic.partitions.iter().map(|partition| partition.partition_index));
                }
            }
            ApiKey::METADATA => {
                for topic in self.body::<MetadataRequest>()?.topics.iter().flatten() {
                    let name = self.name(&topic.name.clone().unwrap_or_default(), topic.topic_id);
                    self.topic(&name);
                }
            }
            ApiKey::DESCRIBE_TOPIC_PARTITIONS => {
                for topic in &self.body::<DescribeTopicPartitionsRequest>()?.topics {
                    self.topic(&topic.name.0);
                }
            }
            _ => return None,
        }
        Some(())
    }

    /// Groups and transactions.
    fn read_group(&mut self, api: ApiKey) -> Option<()> {
        match api {
            ApiKey::OFFSET_COMMIT => {
                let body: OffsetCommitRequest = self.body()?;
                self.group(&body.group_id.0);
                for topic in &body.topics {
                    let name = self.name(&topic.name, topic.topic_id);
                    self.partitions(&name, topic.partitions.iter().map(|partition| partition.partition_index));
                }
            }
            ApiKey::OFFSET_FETCH => self.read_offset_fetch(&self.body()?),
            ApiKey::OFFSET_DELETE => {
                let body: OffsetDeleteRequest = self.body()?;
                self.group(&body.group_id.0);
                for topic in &body.topics {
                    self.partitions(&topic.name.0, topic.partitions.iter().map(|partition| partition.partition_index));
                }
            }
            ApiKey::FIND_COORDINATOR => {
                let body: FindCoordinatorRequest = self.body()?;
                let keys: Vec<StrBytes> = if self.version >= 4 { body.coordinator_keys } else { vec![body.key] };
                for key in &keys {
                    match body.key_type {
                        GROUP_COORDINATOR => self.group(key),
                        TRANSACTION_COORDINATOR => self.transaction(key),
                        // A partition of a share group.
                        _ => {}
                    }
                }
            }
            ApiKey::JOIN_GROUP => self.group(&self.body::<JoinGroupRequest>()?.group_id.0),
            ApiKey::SYNC_GROUP => self.group(&self.body::<SyncGroupRequest>()?.group_id.0),
            ApiKey::HEARTBEAT => self.group(&self.body::<HeartbeatRequest>()?.group_id.0),
            ApiKey::LEAVE_GROUP => self.group(&self.body::<LeaveGroupRequest>()?.group_id.0),
            ApiKey::CONSUMER_GROUP_HEARTBEAT => self.group(&self.body::<ConsumerGroupHeartbeatRequest>()?.group_id.0),
            ApiKey::SHARE_GROUP_HEARTBEAT => self.group(&self.body::<ShareGroupHeartbeatRequest>()?.group_id.0),
            ApiKey::DESCRIBE_GROUPS => {
                self.body::<DescribeGroupsRequest>()?.groups.iter().for_each(|group| self.group(&group.0));
            }
            ApiKey::CONSUMER_GROUP_DESCRIBE => {
                self.body::<ConsumerGroupDescribeRequest>()?.group_ids.iter().for_each(|group| self.group(&group.0));
            }
            ApiKey::SHARE_GROUP_DESCRIBE => {
                self.body::<ShareGroupDescribeRequest>()?.group_ids.iter().for_each(|group| self.group(&group.0));
            }
            ApiKey::DELETE_GROUPS => {
                self.body::<DeleteGroupsRequest>()?.groups_names.iter().for_each(|group| self.group(&group.0));
            }
            ApiKey::INIT_PRODUCER_ID => {
                self.body::<InitProducerIdRequest>()?.transactional_id.iter().for_each(|id| self.transaction(&id.0));
            }
            ApiKey::END_TXN => self.transaction(&self.body::<EndTxnRequest>()?.transactional_id.0),
            ApiKey::ADD_OFFSETS_TO_TXN => {
                let body: AddOffsetsToTxnRequest = self.body()?;
                self.transaction(&body.transactional_id.0);
                self.group(&body.group_id.0);
            }
            ApiKey::ADD_PARTITIONS_TO_TXN => self.read_add_partitions_to_txn(&self.body()?),
            ApiKey::TXN_OFFSET_COMMIT => {
                let body: TxnOffsetCommitRequest = self.body()?;
                self.transaction(&body.transactional_id.0);
                self.group(&body.group_id.0);
                for topic in &body.topics {
                    self.partitions(&topic.name.0, topic.partitions.iter().map(|partition| partition.partition_index));
                }
            }
            ApiKey::WRITE_TXN_MARKERS => {
                for topic in self.body::<WriteTxnMarkersRequest>()?.markers.iter().flat_map(|marker| &marker.topics) {
                    self.partitions(&topic.name.0, topic.partition_indexes.iter().copied());
                }
            }
            ApiKey::DESCRIBE_TRANSACTIONS => {
                let body: DescribeTransactionsRequest = self.body()?;
                body.transactional_ids.iter().for_each(|id| self.transaction(&id.0));
            }
            _ => return None,
        }
        Some(())
    }

    fn read_offset_fetch(&mut self, body: &OffsetFetchRequest) {
        if self.version < 8 {
            self.group(&body.group_id.0);
            for topic in body.topics.iter().flatten() {
                self.partitions(&topic.name.0, topic.partition_indexes.iter().copied());
            }
        }
        for group in &body.groups {
            self.group(&group.group_id.0);
            for topic in group.topics.iter().flatten() {
                let name = self.name(&topic.name, topic.topic_id);
                self.partitions(&name, topic.partition_indexes.iter().copied());
            }
        }
    }

    fn read_add_partitions_to_txn(&mut self, body: &AddPartitionsToTxnRequest) {
        if self.version < 4 {
            self.transaction(&body.v3_and_below_transactional_id.0);
        }
        body.transactions.iter().for_each(|transaction| self.transaction(&transaction.transactional_id.0));
        let topics = body.transactions.iter().flat_map(|transaction| &transaction.topics);
        for topic in topics.chain(&body.v3_and_below_topics) {
            self.partitions(&topic.name.0, topic.partitions.iter().copied());
        }
    }

    /// What administrators do with topics.
    fn read_admin(&mut self, api: ApiKey) -> Option<()> {
        match api {
            ApiKey::CREATE_TOPICS => {
                self.body::<CreateTopicsRequest>()?.topics.iter().for_each(|topic| self.topic(&topic.name.0));
            }
            ApiKey::DELETE_TOPICS => {
                let body: DeleteTopicsRequest = self.body()?;
                body.topic_names.iter().for_each(|name| self.topic(&name.0));
                for topic in &body.topics {
                    let name = self.name(&topic.name.clone().unwrap_or_default(), topic.topic_id);
                    self.topic(&name);
                }
            }
            ApiKey::CREATE_PARTITIONS => {
                self.body::<CreatePartitionsRequest>()?.topics.iter().for_each(|topic| self.topic(&topic.name.0));
            }
            ApiKey::DESCRIBE_CONFIGS => {
                for resource in &self.body::<DescribeConfigsRequest>()?.resources {
                    self.resource(resource.resource_type, &resource.resource_name);
                }
            }
            ApiKey::ALTER_CONFIGS => {
                for resource in &self.body::<AlterConfigsRequest>()?.resources {
                    self.resource(resource.resource_type, &resource.resource_name);
                }
            }
            ApiKey::INCREMENTAL_ALTER_CONFIGS => {
                for resource in &self.body::<IncrementalAlterConfigsRequest>()?.resources {
                    self.resource(resource.resource_type, &resource.resource_name);
                }
            }
            ApiKey::ELECT_LEADERS => {
                for topic in self.body::<ElectLeadersRequest>()?.topic_partitions.iter().flatten() {
                    self.partitions(&topic.topic.0, topic.partitions.iter().copied());
                }
            }
            ApiKey::ALTER_PARTITION_REASSIGNMENTS => {
                for topic in &self.body::<AlterPartitionReassignmentsRequest>()?.topics {
                    self.partitions(&topic.name.0, topic.partitions.iter().map(|partition| partition.partition_index));
                }
            }
            ApiKey::LIST_PARTITION_REASSIGNMENTS => {
                for topic in self.body::<ListPartitionReassignmentsRequest>()?.topics.iter().flatten() {
                    self.partitions(&topic.name.0, topic.partition_indexes.iter().copied());
                }
            }
            ApiKey::DESCRIBE_PRODUCERS => {
                for topic in &self.body::<DescribeProducersRequest>()?.topics {
                    self.partitions(&topic.name.0, topic.partition_indexes.iter().copied());
                }
            }
            _ => return None,
        }
        Some(())
    }

    fn resource(&mut self, kind: i8, name: &str) {
        if kind == TOPIC_RESOURCE {
            self.topic(name);
        }
    }
}
