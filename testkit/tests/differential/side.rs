//! One of the two brokers, as a sequence sees it: connections, what it made up, and what it answered.
//!
//! A step runs on the embedded broker first. On Kafka, whose effects come later than its answers, what the embedded broker
//! said is at hand: a request that changes nothing, or was refused for what may pass, is asked again until it is answered
//! so, or for [`CATCH_UP_MAX`].

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tidemill_protocol::api::{VersionRange, choose_version};
use tidemill_protocol::messages::{ApiVersionsRequest, JoinGroupRequest, SyncGroupRequest};
use tidemill_protocol::{ApiKey, ErrorCode, Request, StrBytes, guard, header};
use uuid::Uuid;

use crate::answer::{Answer, Keep, Names, Value};
use crate::draw::Draw;

/// How long Kafka may take until it says what the embedded broker says at once; and when it is known not to.
pub(crate) const CATCH_UP_MAX: Duration = Duration::from_secs(3);
pub(crate) const CATCH_UP_AGAIN: Duration = Duration::from_millis(1500);

/// Between two questions.
pub(crate) const PAUSE: Duration = Duration::from_millis(4);

/// How long a request that waits for others is given until it is taken to wait.
const WAITS_AFTER: Duration = Duration::from_millis(60);

/// Longer than any answer takes.
const ANSWER_MAX: Duration = Duration::from_secs(6);

/// Who does not wait for anybody.
pub(crate) const ME: u8 = 0;

/// A question and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) api: ApiKey,
    pub(crate) version: i16,
    pub(crate) request: String,
    pub(crate) answer: Answer,
    /// The same with its lists as the broker has them, where there is an answer.
    pub(crate) as_said: Option<Value>,
}

/// A member of a classic group.
#[derive(Debug, Clone, Default)]
pub(crate) struct Member {
    pub(crate) id: StrBytes,
    pub(crate) generation: i32,
    pub(crate) leads: bool,
    pub(crate) all: Vec<StrBytes>,
}

/// A member of a group of the other protocol.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consumer {
    pub(crate) id: StrBytes,
    pub(crate) epoch: i32,
    pub(crate) assigned: Vec<(Uuid, Vec<i32>)>,
}

/// A producer id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Producer {
    pub(crate) id: i64,
    pub(crate) epoch: i16,
}

impl Default for Producer {
    fn default() -> Self {
        Self { id: -1, epoch: -1 }
    }
}

/// What waits at a connection.
struct Open {
    version: i16,
    request: String,
    /// Reads the answer: a join or a sync, by a member.
    member: (u8, u8),
    is_join: bool,
}

pub(crate) struct Side {
    address: String,
    connections: BTreeMap<u8, TcpStream>,
    open: BTreeMap<u8, Open>,
    versions: BTreeMap<i16, VersionRange>,
    pub(crate) catch_up: Duration,
    pub(crate) names: Names,
    /// What the other broker said to what comes next.
    expected: Option<VecDeque<Said>>,
    said: Vec<Said>,
    pub(crate) topic_ids: BTreeMap<String, Uuid>,
    /// The topics that there are, with as many partitions; and whether a coordinator may not have heard of it.
    pub(crate) existing: BTreeMap<String, (Uuid, usize)>,
    pub(crate) is_news: bool,
    pub(crate) producers: BTreeMap<u8, Producer>,
    /// The next sequence by producer, topic and partition.
    pub(crate) sequences: BTreeMap<(u8, String, i32), i32>,
    /// Fetch sessions, and the epoch that is next in each.
    pub(crate) sessions: BTreeMap<u8, (i32, i32)>,
    pub(crate) members: BTreeMap<(u8, u8), Member>,
    pub(crate) consumers: BTreeMap<(u8, u8), Consumer>,
}

/// The versions that both brokers speak.
pub(crate) fn common_versions(ours: &str, theirs: &str) -> BTreeMap<i16, VersionRange> {
    let spoken = |address: &str| {
        let mut side = Side::new(address, "", 0, BTreeMap::new());
        let frame = header::encode_request(&ApiVersionsRequest::default(), 2, 1, None).unwrap();
        let answer = side.exchange(ME, &frame).unwrap();
        let answer = header::decode_response::<ApiVersionsRequest>(2, answer).unwrap();
        let range = |api: &tidemill_protocol::messages::api_versions_response::ApiVersion| {
            (api.api_key, VersionRange::new(api.min_version, api.max_version))
        };
        answer.api_keys.iter().map(range).collect::<BTreeMap<_, _>>()
    };
    let theirs = spoken(theirs);
    let both = |(key, ours): (i16, VersionRange)| {
        let theirs = *theirs.get(&key)?;
        let mine = ApiKey(key).versions()?;
        choose_version(ours, theirs)?;
        let min = ours.min.max(theirs.min).max(mine.min);
        Some((key, VersionRange::new(min, ours.max.min(theirs.max).min(mine.max))))
    };
    spoken(ours).into_iter().filter_map(both).collect()
}

impl Side {
    pub(crate) fn new(address: &str, prefix: &str, clock_begins: i64, versions: BTreeMap<i16, VersionRange>) -> Self {
        Self {
            address: address.to_owned(),
            connections: BTreeMap::new(),
            open: BTreeMap::new(),
            versions,
            catch_up: CATCH_UP_MAX,
            names: Names::new(prefix, clock_begins),
            expected: None,
            said: Vec::new(),
            topic_ids: BTreeMap::new(),
            existing: BTreeMap::new(),
            is_news: false,
            producers: BTreeMap::new(),
            sequences: BTreeMap::new(),
            sessions: BTreeMap::new(),
            members: BTreeMap::new(),
            consumers: BTreeMap::new(),
        }
    }

    /// What it has said since the last time.
    pub(crate) fn take_said(&mut self) -> Vec<Said> {
        std::mem::take(&mut self.said)
    }

    /// What the other broker said, before this one is asked the same.
    pub(crate) fn expect(&mut self, said: &[Said]) {
        self.expected = Some(said.iter().cloned().collect());
    }

    /// The name of something of this sequence.
    pub(crate) fn named(&self, name: &str) -> StrBytes {
        StrBytes::from_string(format!("{}{name}", self.names.prefix))
    }

    /// Asks in a version that is drawn.
    pub(crate) fn ask<R: Request>(&mut self, draw: &mut Draw, request: &R) -> Option<R::Response>
    where
        R::Response: Debug + Clone,
    {
        self.ask_of(draw, request, Keep::All, |_| ())
    }

    /// Asks for everything, of which only what this sequence has made is compared.
    pub(crate) fn ask_own<R: Request>(&mut self, draw: &mut Draw, request: &R) -> Option<R::Response>
    where
        R::Response: Debug + Clone,
    {
        self.ask_of(draw, request, Keep::Own, |_| ())
    }

    /// Asks, and changes what is compared.
    pub(crate) fn ask_of<R: Request>(
        &mut self,
        draw: &mut Draw,
        request: &R,
        keep: Keep,
        change: impl Fn(&mut R::Response),
    ) -> Option<R::Response>
    where
        R::Response: Debug + Clone,
    {
        let (version, frame) = self.encode(draw, request)?;
        self.ask_framed::<R>(version, &frame, keep, change)
    }

    /// Asks in this version.
    pub(crate) fn ask_in<R: Request>(&mut self, version: i16, request: &R, keep: Keep) -> Option<R::Response>
    where
        R::Response: Debug + Clone,
    {
        let frame = header::encode_request(request, version, 1, Some(&StrBytes::from_static_str("client"))).unwrap();
        self.ask_framed::<R>(version, &frame, keep, |_| ())
    }

    fn ask_framed<R: Request>(
        &mut self,
        version: i16,
        frame: &[u8],
        keep: Keep,
        change: impl Fn(&mut R::Response),
    ) -> Option<R::Response>
    where
        R::Response: Debug + Clone,
    {
        let expected = self.expected.as_mut().and_then(VecDeque::pop_front).map(|said| said.answer);
        let asked = Instant::now();
        let request = described(frame);
        loop {
            let (answer, as_said, response) = match self.exchange(ME, frame) {
                Err(answer) => (answer, None, None),
                Ok(bytes) => {
                    let response = header::decode_response::<R>(version, bytes).unwrap();
                    let mut told = response.clone();
                    change(&mut told);
                    let value = Value::read(&format!("{told:?}"));
                    let (value, as_said) = self.names.tell(value, keep);
                    (Answer::Said(value), Some(as_said), Some(response))
                }
            };
            let is_as_expected = expected.as_ref().is_none_or(|expected| *expected == answer);
            if !is_as_expected && asked.elapsed() < self.catch_up && may_pass(ApiKey(R::KEY), &request, &answer) {
                thread::sleep(PAUSE);
                continue;
            }
            let request = self.names.in_words(&request);
            self.said.push(Said { api: ApiKey(R::KEY), version, request, answer, as_said });
            return response;
        }
    }

    /// Asks aside: nothing of it is compared.
    pub(crate) fn ask_aside<R: Request>(&mut self, version: i16, request: &R) -> Option<R::Response> {
        let frame = header::encode_request(request, version, 1, None).ok()?;
        let bytes = self.exchange(ME, &frame).ok()?;
        header::decode_response::<R>(version, bytes).ok()
    }

    /// Sends what is never answered, and asks something behind it on the same connection.
    pub(crate) fn send_unanswered<R: Request>(&mut self, draw: &mut Draw, request: &R) {
        let Some((_, frame)) = self.encode(draw, request) else { return };
        let _ = self.connection(ME).write_all(&frame);
    }

    /// In the drawn version, or the next that can say it.
    fn encode<R: Request>(&self, draw: &mut Draw, request: &R) -> Option<(i16, Bytes)> {
        let range = *self.versions.get(&R::KEY)?;
        let drawn = draw.version(range);
        let versions = (drawn..=range.max).chain(range.min..drawn);
        let client_id = StrBytes::from_static_str("client");
        let encode = |version| Some((version, header::encode_request(request, version, 1, Some(&client_id)).ok()?));
        versions.into_iter().find_map(encode)
    }

    fn connection(&mut self, who: u8) -> &mut TcpStream {
        let address = &self.address;
        self.connections.entry(who).or_insert_with(|| {
            let stream = TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
            stream.set_nodelay(true).unwrap();
            stream
        })
    }

    /// The answer, or what happened instead.
    fn exchange(&mut self, who: u8, frame: &[u8]) -> Result<Bytes, Answer> {
        let sent = self.connection(who).write_all(frame);
        if sent.is_err() {
            self.connections.remove(&who);
            return Err(Answer::Closed);
        }
        self.read(who)
    }

    fn read(&mut self, who: u8) -> Result<Bytes, Answer> {
        let stream = self.connection(who);
        let mut length = [0; 4];
        let read = stream.read_exact(&mut length).and_then(|()| {
            let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
            stream.read_exact(&mut frame)?;
            Ok(frame)
        });
        read.map(Bytes::from).map_err(|error| {
            self.connections.remove(&who);
            let is_late = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            if is_late { Answer::Waits } else { Answer::Closed }
        })
    }

    /// Whether something of a member waits.
    pub(crate) fn is_waiting(&self, member: (u8, u8)) -> bool {
        self.open.contains_key(&connection_of(member))
    }

    /// Sends a join of a member.
    pub(crate) fn join(&mut self, draw: &mut Draw, member: (u8, u8), request: &JoinGroupRequest) {
        self.send(draw, member, request, true);
    }

    /// Sends a sync of a member.
    pub(crate) fn sync(&mut self, draw: &mut Draw, member: (u8, u8), request: &SyncGroupRequest) {
        self.send(draw, member, request, false);
    }

    fn send<R: Request>(&mut self, draw: &mut Draw, member: (u8, u8), request: &R, is_join: bool) {
        let who = connection_of(member);
        let Some((version, frame)) = self.encode(draw, request) else { return };
        self.connection(who).write_all(&frame).unwrap();
        let request = described(&frame);
        self.open.insert(who, Open { version, request, member, is_join });
    }

    /// Reads what has been answered of what waits. What is then still waiting is noted too.
    pub(crate) fn collect(&mut self) {
        for who in self.open.keys().copied().collect::<Vec<_>>() {
            let expected = self.expected.as_mut().and_then(VecDeque::pop_front).map(|said| said.answer);
            let wait = match expected {
                Some(Answer::Said(_) | Answer::Closed) => CATCH_UP_MAX,
                Some(Answer::Waits) | None => WAITS_AFTER,
            };
            // The embedded broker, which is first, has no more to do than to answer, however busy the machine is.
            if expected.is_none() {
                for _ in 0..2 {
                    self.ask_aside(0, &ApiVersionsRequest::default());
                }
            }
            let stream = self.connection(who);
            stream.set_read_timeout(Some(wait)).unwrap();
            let is_there = stream.peek(&mut [0; 1]).is_ok();
            stream.set_read_timeout(Some(ANSWER_MAX)).unwrap();
            let Some(open) = self.open.remove(&who) else { continue };
            let api = if open.is_join { ApiKey::JOIN_GROUP } else { ApiKey::SYNC_GROUP };
            let request = self.names.in_words(&open.request);
            let version = open.version;
            let mut as_said = None;
            let answer = if !is_there {
                self.open.insert(who, open);
                Answer::Waits
            } else if let Ok(bytes) = self.read(who) {
                let text = if open.is_join {
                    self.joined(&open, bytes)
                } else {
                    format!("{:?}", header::decode_response::<SyncGroupRequest>(version, bytes).unwrap())
                };
                let (value, unsorted) = self.names.tell(Value::read(&text), Keep::All);
                as_said = Some(unsorted);
                Answer::Said(value)
            } else {
                Answer::Closed
            };
            self.said.push(Said { api, version, request, answer, as_said });
        }
    }

    fn joined(&mut self, open: &Open, bytes: Bytes) -> String {
        let response = header::decode_response::<JoinGroupRequest>(open.version, bytes).unwrap();
        let code = ErrorCode(response.error_code);
        let member = self.members.entry(open.member).or_default();
        if code.is_none() || code == ErrorCode::MEMBER_ID_REQUIRED {
            member.id = response.member_id.clone();
        }
        if code.is_none() {
            member.generation = response.generation_id;
            member.leads = response.leader == response.member_id;
            member.all = response.members.iter().map(|member| member.member_id.clone()).collect();
        }
        format!("{response:?}")
    }
}

/// A request as text, on one line.
fn described(frame: &[u8]) -> String {
    // What Kafka's schema does not allow is sent all the same.
    let lines = guard::describe_request(&frame[4..]).unwrap_or_else(|error| format!("\n{error}"));
    lines.lines().skip(1).map(str::trim).collect::<Vec<_>>().join(" ")
}

const fn connection_of((group, member): (u8, u8)) -> u8 {
    1 + group * 8 + member
}

/// Whether the same question may be answered otherwise in a moment, and may be put again.
fn may_pass(api: ApiKey, request: &str, answer: &Answer) -> bool {
    let changes_nothing = [
        ApiKey::METADATA,
        ApiKey::DESCRIBE_CLUSTER,
        ApiKey::DESCRIBE_TOPIC_PARTITIONS,
        ApiKey::LIST_OFFSETS,
        ApiKey::OFFSET_FOR_LEADER_EPOCH,
        ApiKey::DESCRIBE_CONFIGS,
        ApiKey::FIND_COORDINATOR,
        ApiKey::CONSUMER_GROUP_DESCRIBE,
        ApiKey::OFFSET_FETCH,
        ApiKey::LIST_GROUPS,
        ApiKey::DESCRIBE_GROUPS,
        ApiKey::LIST_TRANSACTIONS,
        ApiKey::DESCRIBE_TRANSACTIONS,
        ApiKey::DESCRIBE_PRODUCERS,
        ApiKey::DESCRIBE_LOG_DIRS,
        ApiKey::LIST_PARTITION_REASSIGNMENTS,
        ApiKey::DESCRIBE_ACLS,
        ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS,
        ApiKey::DESCRIBE_CLIENT_QUOTAS,
        ApiKey::DESCRIBE_DELEGATION_TOKEN,
        ApiKey::LIST_CONFIG_RESOURCES,
        ApiKey::HEARTBEAT,
    ];
    if changes_nothing.contains(&api) {
        return true;
    }
    // A fetch moves its session on.
    if api == ApiKey::FETCH {
        return !request.contains("session_id") || request.contains("session_epoch: -1");
    }
    let passes = [
        ErrorCode::UNKNOWN_TOPIC_OR_PARTITION,
        ErrorCode::UNKNOWN_TOPIC_ID,
        ErrorCode::LEADER_NOT_AVAILABLE,
        ErrorCode::NOT_LEADER_OR_FOLLOWER,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::COORDINATOR_NOT_AVAILABLE,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::CONCURRENT_TRANSACTIONS,
    ];
    let passes =
        |field: &str, text: &str| field.ends_with("error_code") && passes.iter().any(|code| text == code.0.to_string());
    let succeeds = |field: &str, text: &str| field == "error_code" && text == "0";
    match answer {
        // What was written is not written again.
        Answer::Said(value) if api == ApiKey::PRODUCE => value.has(&passes) && !value.has(&succeeds),
        Answer::Said(value) => value.has(&passes),
        Answer::Closed | Answer::Waits => false,
    }
}
