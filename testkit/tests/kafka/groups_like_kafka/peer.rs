//! One broker as a case sees it: named connections, and a transcript of what it answered.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use tidemill_protocol::messages::leave_group_request::MemberIdentity;
use tidemill_protocol::messages::metadata_request::MetadataRequestTopic;
use tidemill_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use tidemill_protocol::messages::{
    ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatResponse, CreateTopicsRequest, DeleteGroupsResponse,
    DescribeGroupsRequest, DescribeGroupsResponse, FindCoordinatorRequest, FindCoordinatorResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsResponse, MetadataRequest, OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse,
    SyncGroupRequest, SyncGroupResponse, TopicName,
};
use tidemill_protocol::{ErrorCode, Request, StrBytes, header};
use tidemill_testkit::broker::GroupProperties;
use tidemill_testkit::kafka::{Kafka, Tools};
use tidemill_testkit::{ClusterConfig, TestCluster};
use uuid::Uuid;

/// How long a request that will wait is given to reach the place where it waits.
const SETTLE: Duration = Duration::from_millis(250);

/// Longer than any case makes a request wait.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Runs a case on both and compares what they said. Without a real Kafka, which says that it did not run, the testkit is
/// asked alone: it must answer.
pub(crate) fn compare(case: impl Fn(&mut Peer) + Sync) {
    compare_on(ClusterConfig::default(), Kafka::shared().map(Kafka::bootstrap), case);
}

/// The same, beside a Kafka that nobody else asks meanwhile.
pub(crate) fn compare_alone(case: impl Fn(&mut Peer) + Sync) {
    let theirs = Kafka::builder().start_if_there();
    compare_on(ClusterConfig::default(), theirs.as_ref().map(Kafka::bootstrap), case);
}

/// The same, where consumer groups are assigned at once: with Kafka's second between two assignments, a case would depend
/// on how long its requests take.
pub(crate) fn compare_at_once(case: impl Fn(&mut Peer) + Sync) {
    static AT_ONCE: OnceLock<Option<Kafka>> = OnceLock::new();
    let start = || Kafka::builder().property("group.consumer.assignment.interval.ms", "0").start().unwrap();
    let theirs = AT_ONCE.get_or_init(|| Tools::find().map(|_| start()));
    let mut properties = GroupProperties::default();
    properties.consumer_assignment_interval = Duration::ZERO;
    compare_on(ClusterConfig::default().groups(properties), theirs.as_ref().map(Kafka::bootstrap), case);
}

/// The same, on these clusters.
pub(crate) fn compare_on(ours: ClusterConfig, theirs: Option<&str>, case: impl Fn(&mut Peer) + Sync) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let ours = runtime.block_on(TestCluster::start(ours)).unwrap();
    let run = |address: &str| {
        let mut peer = Peer::new(address);
        case(&mut peer);
        peer.transcript
    };
    let (theirs, ours) = thread::scope(|scope| {
        let theirs = theirs.map(|theirs| scope.spawn(|| run(theirs)));
        let ours = run(ours.bootstrap());
        (theirs.map(|theirs| theirs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))), ours)
    });
    assert!(!ours.is_empty());
    let Some(theirs) = theirs else { return };
    let pairs = theirs.iter().zip(&ours).filter(|(theirs, ours)| theirs != ours);
    let differing: Vec<String> = pairs.map(|(theirs, ours)| format!("Kafka   {theirs}\ntestkit {ours}")).collect();
    assert!(differing.is_empty(), "{}", differing.join("\n"));
    assert_eq!(theirs.len(), ours.len());
}

pub(crate) struct Peer {
    address: String,
    connections: BTreeMap<&'static str, TcpStream>,
    /// The versions of the requests that have not been answered.
    open: BTreeMap<&'static str, i16>,
    /// Ids that the broker made up, and their names here.
    ids: Vec<String>,
    transcript: Vec<String>,
}

impl Peer {
    fn new(address: &str) -> Self {
        Self {
            address: address.to_owned(),
            connections: BTreeMap::new(),
            open: BTreeMap::new(),
            ids: Vec::new(),
            transcript: Vec::new(),
        }
    }

    /// Where the broker listens.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Another broker of the cluster.
    pub(crate) fn on(&self, address: &str) -> Self {
        Self::new(address)
    }

    /// Takes over what another broker has said.
    pub(crate) fn take(&mut self, other: Self) {
        self.transcript.extend(other.transcript);
    }

    /// The port of the broker that coordinates a group, once there is one.
    pub(crate) fn coordinator(&mut self, group: &str) -> i32 {
        let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
        for _ in 0..200 {
            self.send("setup", 4, &find);
            let (_, found) = self.read::<FindCoordinatorRequest>("setup");
            if found.coordinators[0].error_code == 0 {
                return found.coordinators[0].port;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{}: no coordinator for {group}", self.address);
    }

    /// Notes something that is to be the same on both.
    pub(crate) fn push(&mut self, text: String) {
        self.transcript.push(text);
    }

    /// Sends a request and notes the answer.
    pub(crate) fn ask<R: Request>(&mut self, who: &'static str, version: i16, request: &R) -> R::Response
    where
        R::Response: Told,
    {
        self.ask_of(who, version, request, |_| ())
    }

    /// Like [`Self::ask`], for what is left of the answer.
    pub(crate) fn ask_of<R: Request>(
        &mut self,
        who: &'static str,
        version: i16,
        request: &R,
        leave: impl FnOnce(&mut R::Response),
    ) -> R::Response
    where
        R::Response: Told,
    {
        self.send(who, version, request);
        let (version, mut response) = self.read::<R>(who);
        leave(&mut response);
        self.note(who, version, &response);
        response
    }

    /// Sends a request that will have to wait.
    pub(crate) fn send_and_wait<R: Request>(&mut self, who: &'static str, version: i16, request: &R) {
        self.send(who, version, request);
        thread::sleep(SETTLE);
    }

    /// Reads the answer to what was sent last, and notes it.
    pub(crate) fn receive<R: Request>(&mut self, who: &'static str) -> R::Response
    where
        R::Response: Told,
    {
        let (version, response) = self.read::<R>(who);
        self.note(who, version, &response);
        response
    }

    /// Notes whether what was sent last is answered soon, and reads the answer if it is.
    pub(crate) fn receive_or_wait<R: Request>(&mut self, who: &'static str)
    where
        R::Response: Told,
    {
        let connection = self.connections.get(who).unwrap();
        connection.set_read_timeout(Some(SETTLE)).unwrap();
        let answered = connection.peek(&mut [0; 1]).is_ok_and(|length| length == 1);
        connection.set_read_timeout(Some(ANSWER_MAX)).unwrap();
        if answered {
            self.receive::<R>(who);
        } else {
            self.transcript.push(format!("{who} waits"));
        }
    }

    fn note(&mut self, who: &str, version: i16, response: &impl Told) {
        let mut told = response.clone();
        told.sort();
        told.sort_by_ids(&self.ids);
        for id in told.ids() {
            if !id.is_empty() && !self.ids.iter().any(|known| *known == *id) {
                self.ids.push(id.as_str().to_owned());
            }
        }
        let mut text = format!("{} {who} v{version}: {told:?}", self.transcript.len());
        for (number, id) in self.ids.iter().enumerate() {
            text = text.replace(id, &format!("id {number}"));
        }
        self.transcript.push(text);
    }

    /// Waits until the group's coordinator answers, and for a topic.
    pub(crate) fn prepare(&mut self, group: &str) {
        let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(group)]);
        let describe = DescribeGroupsRequest::default().with_groups(vec![group_id(group)]);
        for _ in 0..200 {
            self.send("setup", 4, &find);
            let (_, found) = self.read::<FindCoordinatorRequest>("setup");
            self.send("setup", 5, &describe);
            let (_, described) = self.read::<DescribeGroupsRequest>("setup");
            if found.coordinators[0].error_code == 0 && described.groups[0].error_code == 0 {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        panic!("{}: no coordinator for {group}", self.address);
    }

    /// Makes a topic, if it is not there.
    pub(crate) fn create_topic(&mut self, name: &str, partitions: i32) {
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1);
        let create = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
        self.send("setup", 5, &create);
        let (_, created) = self.read::<CreateTopicsRequest>("setup");
        let code = ErrorCode(created.topics[0].error_code);
        assert!(code.is_none() || code == ErrorCode::TOPIC_ALREADY_EXISTS, "{code:?}");
        // Kafka answers before this broker, or its coordinators, have heard of it from the controller.
        self.catch_up();
    }

    /// Waits until the broker has learnt what has been told to its controller so far. It learns of one thing after the
    /// other, and of some in one go; so when it knows the second of two topics, it is done with what came before them.
    pub(crate) fn catch_up(&mut self) {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        for _ in 0..2 {
            let mark = format!("mark-{}", MARKS.fetch_add(1, Ordering::Relaxed));
            let name = || TopicName(text(&mark));
            let topic = CreatableTopic::default().with_name(name()).with_num_partitions(1).with_replication_factor(1);
            let create = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(10_000);
            self.send("setup", 5, &create);
            let (_, created) = self.read::<CreateTopicsRequest>("setup");
            assert_eq!(created.topics[0].error_code, 0, "{created:?}");
            let is_known = (0..1000).any(|_| {
                let topic = MetadataRequestTopic::default().with_name(Some(name()));
                self.send("setup", 12, &MetadataRequest::default().with_topics(Some(vec![topic])));
                let (_, found) = self.read::<MetadataRequest>("setup");
                let is_known = found.topics[0].error_code == 0 && found.topics[0].partitions[0].error_code == 0;
                if !is_known {
                    thread::sleep(Duration::from_millis(20));
                }
                is_known
            });
            assert!(is_known, "{}: no topic {mark}", self.address);
        }
    }

    /// The id of a topic; it is named in the transcript.
    pub(crate) fn topic_id(&mut self, name: &str) -> Uuid {
        let topic = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        self.send("setup", 12, &MetadataRequest::default().with_topics(Some(vec![topic])));
        let (_, found) = self.read::<MetadataRequest>("setup");
        let id = found.topics[0].topic_id;
        assert!(!id.is_nil(), "{name} is not there");
        self.ids.push(id.to_string());
        id
    }

    pub(crate) fn send<R: Request>(&mut self, who: &'static str, version: i16, request: &R) {
        let client_id = StrBytes::from_static_str(who);
        let frame = header::encode_request(request, version, 7, Some(&client_id)).unwrap();
        let address = &self.address;
        let connection = self.connections.entry(who).or_insert_with(|| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        });
        connection.write_all(&frame).unwrap();
        assert_eq!(self.open.insert(who, version), None, "{who} has not been answered yet");
    }

    pub(crate) fn read<R: Request>(&mut self, who: &'static str) -> (i16, R::Response) {
        let version = self.open.remove(who).unwrap();
        let connection = self.connections.get_mut(who).unwrap();
        let mut length = [0; 4];
        let read = connection.read_exact(&mut length);
        read.unwrap_or_else(|error| {
            panic!("{}: no answer to {who} after {:?}: {error}", self.address, self.transcript)
        });
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
        connection.read_exact(&mut frame).unwrap();
        (version, header::decode_response::<R>(version, Bytes::from(frame)).unwrap())
    }
}

/// An answer that can be compared.
pub(crate) trait Told: Debug + Clone {
    /// Ids that the broker makes up.
    fn ids(&self) -> Vec<StrBytes> {
        Vec::new()
    }

    /// Puts into an order what has none.
    fn sort(&mut self) {}

    /// The same, where that is the order in which ids were first seen.
    fn sort_by_ids(&mut self, _ids: &[String]) {}
}

impl Told for JoinGroupResponse {
    fn ids(&self) -> Vec<StrBytes> {
        let members = self.members.iter().map(|member| member.member_id.clone());
        [self.member_id.clone()].into_iter().chain(members).collect()
    }

    fn sort(&mut self) {
        self.members.sort_by_key(|member| (member.group_instance_id.clone(), member.metadata.clone()));
    }
}

impl Told for DescribeGroupsResponse {
    fn ids(&self) -> Vec<StrBytes> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members.map(|member| member.member_id.clone()).collect()
    }

    fn sort(&mut self) {
        for group in &mut self.groups {
            group.members.sort_by_key(|member| (member.group_instance_id.clone(), member.client_id.clone()));
        }
    }
}

impl Told for ListGroupsResponse {
    fn sort(&mut self) {
        self.groups.sort_by_key(|group| group.group_id.clone());
    }
}

impl Told for OffsetCommitResponse {
    fn sort(&mut self) {
        self.topics.sort_by_key(|topic| topic.name.clone());
        for topic in &mut self.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
    }
}

impl Told for OffsetFetchResponse {
    fn sort(&mut self) {
        self.topics.sort_by_key(|topic| topic.name.clone());
        for topic in &mut self.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
        for group in &mut self.groups {
            group.topics.sort_by_key(|topic| topic.name.clone());
            for topic in &mut group.topics {
                topic.partitions.sort_by_key(|partition| partition.partition_index);
            }
        }
    }
}

impl Told for OffsetDeleteResponse {
    fn sort(&mut self) {
        self.topics.sort_by_key(|topic| topic.name.clone());
        for topic in &mut self.topics {
            topic.partitions.sort_by_key(|partition| partition.partition_index);
        }
    }
}

impl Told for DeleteGroupsResponse {
    fn sort(&mut self) {
        self.results.sort_by_key(|result| result.group_id.clone());
    }
}

impl Told for ConsumerGroupHeartbeatResponse {
    fn sort_by_ids(&mut self, ids: &[String]) {
        let Some(assignment) = &mut self.assignment else { return };
        for topic in &mut assignment.topic_partitions {
            topic.partitions.sort_unstable();
        }
        assignment.topic_partitions.sort_by_key(|topic| ids.iter().position(|id| *id == topic.topic_id.to_string()));
    }
}

impl Told for ConsumerGroupDescribeResponse {
    fn sort(&mut self) {
        for member in self.groups.iter_mut().flat_map(|group| &mut group.members) {
            member.subscribed_topic_names.sort();
            for assignment in [&mut member.assignment, &mut member.target_assignment] {
                assignment.topic_partitions.sort_by_key(|topic| topic.topic_name.clone());
                for topic in &mut assignment.topic_partitions {
                    topic.partitions.sort_unstable();
                }
            }
        }
        for group in &mut self.groups {
            group.members.sort_by_key(|member| (member.client_id.clone(), member.member_id.clone()));
        }
    }
}

impl Told for FindCoordinatorResponse {}
impl Told for SyncGroupResponse {}
impl Told for HeartbeatResponse {}
impl Told for LeaveGroupResponse {}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn group_id(id: &str) -> GroupId {
    GroupId(text(id))
}

/// What a consumer says of the topics it reads, in the form of Kafka's own consumers.
pub(crate) fn subscription(topics: &[&str], user_data: &[u8]) -> Bytes {
    let mut bytes = vec![0, 0];
    bytes.extend(u32::try_from(topics.len()).unwrap().to_be_bytes());
    for topic in topics {
        bytes.extend(u16::try_from(topic.len()).unwrap().to_be_bytes());
        bytes.extend(topic.bytes());
    }
    bytes.extend(u32::try_from(user_data.len()).unwrap().to_be_bytes());
    bytes.extend(user_data);
    Bytes::from(bytes)
}

/// A consumer that joins by these protocols; it reads the topic `read`, and `says` tells it from others.
pub(crate) fn join(group: &str, member_id: &str, protocols: &[&str], says: &'static [u8]) -> JoinGroupRequest {
    let protocol = |name: &&str| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(subscription(&["read"], says))
    };
    JoinGroupRequest::default()
        .with_group_id(group_id(group))
        .with_session_timeout_ms(30_000)
        .with_rebalance_timeout_ms(30_000)
        .with_member_id(text(member_id))
        .with_protocol_type(StrBytes::from_static_str("consumer"))
        .with_protocols(protocols.iter().map(protocol).collect())
}

/// Joins with a new id: two requests in the versions that want it so. Waits for nobody else.
pub(crate) fn join_new(
    peer: &mut Peer,
    who: &'static str,
    version: i16,
    request: &JoinGroupRequest,
) -> JoinGroupResponse {
    let first = peer.ask(who, version, request);
    if ErrorCode(first.error_code) != ErrorCode::MEMBER_ID_REQUIRED {
        return first;
    }
    peer.ask(who, version, &request.clone().with_member_id(first.member_id))
}

/// A sync without a plan, as followers send it.
pub(crate) fn sync(group: &str, generation: i32, member_id: &str) -> SyncGroupRequest {
    SyncGroupRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(text(member_id))
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
}

/// The leader's: everybody gets its name.
pub(crate) fn plan(group: &str, generation: i32, leader: &str, shares: &[(&str, &'static [u8])]) -> SyncGroupRequest {
    let share = |(member, share): &(&str, &'static [u8])| {
        let share = Bytes::from_static(share);
        SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(share)
    };
    sync(group, generation, leader).with_assignments(shares.iter().map(share).collect())
}

pub(crate) fn heartbeat(group: &str, generation: i32, member_id: &str) -> HeartbeatRequest {
    HeartbeatRequest::default()
        .with_group_id(group_id(group))
        .with_generation_id(generation)
        .with_member_id(text(member_id))
}

pub(crate) fn leave(group: &str, members: &[(&str, Option<&str>)]) -> LeaveGroupRequest {
    let identity = |(member, instance): &(&str, Option<&str>)| {
        MemberIdentity::default().with_member_id(text(member)).with_group_instance_id(instance.map(text))
    };
    LeaveGroupRequest::default().with_group_id(group_id(group)).with_members(members.iter().map(identity).collect())
}

pub(crate) fn describe(group: &str) -> DescribeGroupsRequest {
    DescribeGroupsRequest::default().with_groups(vec![group_id(group)])
}

/// Two members in generation 2, stable; the first leads.
pub(crate) fn two_members(peer: &mut Peer, group: &str) -> (String, String) {
    let first = join_new(peer, "first", 9, &join(group, "", &["range"], b"first")).member_id.to_string();
    peer.ask("first", 5, &plan(group, 1, &first, &[(&first, b"all")]));
    let id = peer.ask("second", 9, &join(group, "", &["range"], b"second")).member_id;
    peer.send_and_wait("second", 9, &join(group, &id, &["range"], b"second"));
    peer.ask("first", 9, &join(group, &first, &["range"], b"first"));
    let second = peer.receive::<JoinGroupRequest>("second").member_id.to_string();
    peer.send_and_wait("second", 5, &sync(group, 2, &second));
    peer.ask("first", 5, &plan(group, 2, &first, &[(&first, b"one half"), (&second, b"the other")]));
    peer.receive::<SyncGroupRequest>("second");
    (first, second)
}
