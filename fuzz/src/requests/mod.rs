//! Any sequence of requests, faults and times over a cluster of one to three brokers: after every step all holds that the
//! cluster's own [`Watch`] asks for, every answer is well formed and goes with its request, and what is kept is in
//! proportion to what was sent.
//!
//! A byte chooses a step, the next ones what is in it; where the bytes end, the sequence does. Requests are composed along
//! Kafka's schemas by [`fields`], which knows names and numbers that have a meaning, and ids that answers have told; a few
//! are [changed](input) afterwards. Here and in tests of the testkit it is the same: bytes in, a report out.

mod fields;
mod input;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::guard::{compose_request, describe_request, describe_response};
use tidemill_protocol::messages::ApiVersionsRequest;
use tidemill_protocol::{ApiKey, header};
use tidemill_testkit::broker::{
    Action, BrokerConfig, Cluster, ClusterProperties, ConnectionId, MarkersOf, Reply, Stop, Watch,
};
use tokio::time::Instant;

use self::fields::{Known, Meant, TOPICS};
use self::input::Input;

/// The time of the wall clock at which all sequences begin.
pub const UNIX_MS: i64 = 1_800_000_000_000;

/// Longer sequences are cut.
const STEPS_MAX: usize = 400;

/// How often a cluster may have something to do by itself while the time goes on once.
const WAKES_MAX: usize = 64;

/// So many connections are there at a time.
const CONNECTIONS: usize = 5;

/// What a sequence was like.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Steps of any kind.
    pub steps: usize,
    /// Answers that were read.
    pub answers: usize,
    /// Answers that say no error at their first place.
    pub good: usize,
}

/// Runs a sequence; what is broken when something is. With a trace, everything that happens is told there.
pub fn run(bytes: &[u8], trace: Option<&mut String>) -> Result<Report, String> {
    let mut input = Input::new(bytes);
    let mut world = World::new(&mut input, trace);
    while !input.is_empty() && world.report.steps < STEPS_MAX {
        world.report.steps += 1;
        world.step(&mut input);
        world.settle()?;
    }
    world.cluster.check(world.now).map_err(|broken| format!("at the end, {broken}"))?;
    Ok(world.report)
}

struct World<'t> {
    cluster: Cluster,
    watch: Watch,
    now: Instant,
    wake_at: Option<Instant>,
    brokers: i32,
    /// Those that are open, and the requests of each that have no answer yet.
    connections: BTreeMap<ConnectionId, VecDeque<Asked>>,
    opened: u64,
    known: Known,
    spoken: Vec<(ApiKey, i16, i16)>,
    /// A script may have changed answers: they are not read any more.
    tampered: bool,
    report: Report,
    trace: Option<&'t mut String>,
}

#[derive(Debug, Clone, Copy)]
struct Asked {
    api: ApiKey,
    version: i16,
    correlation_id: i32,
}

/// What goes wrong, in turn.
const SCRIPTS: [&str; 14] = [
    "* p=0.1: delay 30ms after applying",
    "Produce,EndTxn p=0.3: lose reply",
    "Produce p=0.2: move leader after applying",
    "EndTxn,InitProducerId p=0.3: move transaction coordinator",
    "JoinGroup,SyncGroup,Heartbeat p=0.3: move group coordinator",
    "connect p=0.3: refuse",
    "* p=0.05: black hole",
    "at 1s: part broker 1 from broker 2 both ways\nat 40s: heal",
    "at 1s: crash broker 1 losing tail\nat 6s: start broker 1",
    "at 1s: crash broker 2 keeping tail\nat 6s: start broker 2",
    "at 1s: recreate topic a",
    "EndTxn p=0.5: hold markers\nat 8s: release markers",
    "Metadata: stale metadata",
    "* p=0.1: close after applying",
];

/// APIs that are asked more often than the others, because they change something.
const OFTEN: [ApiKey; 22] = [
    ApiKey::PRODUCE,
    ApiKey::PRODUCE,
    ApiKey::PRODUCE,
    ApiKey::FETCH,
    ApiKey::FETCH,
    ApiKey::INIT_PRODUCER_ID,
    ApiKey::ADD_PARTITIONS_TO_TXN,
    ApiKey::ADD_OFFSETS_TO_TXN,
    ApiKey::TXN_OFFSET_COMMIT,
    ApiKey::END_TXN,
    ApiKey::END_TXN,
    ApiKey::OFFSET_COMMIT,
    ApiKey::JOIN_GROUP,
    ApiKey::JOIN_GROUP,
    ApiKey::SYNC_GROUP,
    ApiKey::HEARTBEAT,
    ApiKey::LEAVE_GROUP,
    ApiKey::CONSUMER_GROUP_HEARTBEAT,
    ApiKey::CONSUMER_GROUP_HEARTBEAT,
    ApiKey::CREATE_TOPICS,
    ApiKey::DELETE_RECORDS,
    ApiKey::ALTER_PARTITION_REASSIGNMENTS,
];

impl<'t> World<'t> {
    #[allow(clippy::disallowed_methods, reason = "any instant will do to count from; nothing waits for it")]
    fn new(input: &mut Input<'_>, trace: Option<&'t mut String>) -> Self {
        let shape = input.byte();
        let brokers = i32::from(shape % 3) + 1;
        let mut properties = ClusterProperties::default();
        properties.brokers.clear();
        for node_id in 1..=brokers {
            let mut broker = BrokerConfig::default();
            broker.node_id = node_id;
            broker.rack = (shape & 4 != 0).then(|| format!("rack-{}", node_id % 2));
            properties.brokers.push(broker);
        }
        properties.default_replication_factor = i16::from(shape % 3) + 1;
        properties.num_partitions = 2;
        properties.transaction_version = if shape & 8 == 0 { 2 } else { 1 };
        properties.rack_aware_fetch = shape & 4 != 0;
        let now = Instant::now();
        let cluster = Cluster::new(properties, now, UNIX_MS, u64::from(shape));
        let mut world = Self {
            cluster,
            watch: Watch::new(),
            now,
            wake_at: None,
            brokers,
            connections: BTreeMap::new(),
            opened: 0,
            known: Known::default(),
            spoken: Vec::new(),
            tampered: false,
            report: Report::default(),
            trace,
        };
        world.learn_versions();
        world
    }

    fn learn_versions(&mut self) {
        let connection = self.connect(1);
        let mut frame = header::encode_request(&ApiVersionsRequest::default(), 2, 0, None).expect("an empty request");
        frame = frame.slice(4..);
        self.cluster.handle_frame(connection, frame, self.now);
        let mut replies = Vec::new();
        self.wake_at = self.cluster.poll(self.now, &mut replies);
        let frame = replies.into_iter().find_map(|reply| match reply.action {
            Action::Send(frame) => Some(frame),
            _ => None,
        });
        let frame = frame.expect("an answer").slice(4..);
        let answer = header::decode_response::<ApiVersionsRequest>(2, frame).expect("which versions there are");
        let range = |api: &tidemill_protocol::messages::api_versions_response::ApiVersion| {
            (ApiKey(api.api_key), api.min_version, api.max_version)
        };
        self.spoken = answer.api_keys.iter().map(range).collect();
    }

    fn tell(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.trace.is_some() {
            let line = what(self);
            if let Some(trace) = &mut self.trace {
                let _ = writeln!(trace, "{line}");
            }
        }
    }

    fn step(&mut self, input: &mut Input<'_>) {
        match input.byte() {
            0..=199 => self.ask(input),
            200..=219 => self.go_on(input),
            220..=227 => self.change_brokers(input),
            228..=235 => self.move_something(input),
            236..=239 => self.play(input),
            240..=243 => {
                let ids: Vec<ConnectionId> = self.connections.keys().copied().collect();
                if let Some(id) = ids.get(usize::from(input.byte()) % ids.len().max(1)) {
                    self.tell(|_| format!("{id:?} leaves"));
                    self.connections.remove(id);
                    self.cluster.handle_disconnected(*id, self.now);
                }
            }
            244..=247 => {
                let of = match input.byte() % 3 {
                    0 => MarkersOf::All,
                    1 => MarkersOf::TransactionalId("x".to_owned()),
                    _ => MarkersOf::Partition(TOPICS[0].to_owned(), 0),
                };
                let holds = input.byte().is_multiple_of(2);
                self.tell(|_| format!("markers of {of:?}: hold is {holds}"));
                if holds { self.cluster.hold_markers(of) } else { self.cluster.release_markers(&of) }
            }
            _ => self.raw(input),
        }
    }

    fn ask(&mut self, input: &mut Input<'_>) {
        let choice = usize::from(input.byte());
        let api = if choice < 190 {
            OFTEN[choice % OFTEN.len()]
        } else {
            self.spoken[usize::from(input.byte()) % self.spoken.len()].0
        };
        let Some((_, min, max)) = self.spoken.iter().find(|(spoken, ..)| *spoken == api).copied() else { return };
        // The newest is asked most.
        let back = i16::from(input.byte());
        let version = if back < 128 { max } else { max - (back - 128) % (max - min + 1) };
        let mut meant = Meant { input, known: &mut self.known, api };
        let Ok(body) = compose_request(api, version, &mut meant) else { return };
        self.send(api, version, &body, input);
    }

    /// A request that is composed, and then changed.
    fn raw(&mut self, input: &mut Input<'_>) {
        let (api, min, max) = self.spoken[usize::from(input.byte()) % self.spoken.len()];
        let version = min + i16::from(input.byte()) % (max - min + 1);
        let mut meant = Meant { input, known: &mut self.known, api };
        let Ok(mut body) = compose_request(api, version, &mut meant) else { return };
        input.change(&mut body);
        self.send(api, version, &body, input);
    }

    fn send(&mut self, api: ApiKey, version: i16, body: &[u8], input: &mut Input<'_>) {
        let choice = input.byte();
        let connection = self.connection(choice);
        let correlation_id = i32::try_from(self.report.steps).expect("few steps");
        let mut frame = Vec::new();
        frame.extend(api.0.to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend(correlation_id.to_be_bytes());
        frame.extend(b"\0\x01c");
        let key = tidemill_protocol::messages::ApiKey::try_from(api.0).expect("an API that is known");
        if key.request_header_version(version) >= 2 {
            frame.push(0);
        }
        frame.extend(body);
        self.tell(|_| {
            let said = describe_request(&frame).unwrap_or_else(|error| format!("{api} v{version}: {error}"));
            format!("{connection:?} asks {}", said.replace('\n', " | "))
        });
        if let Some(asked) = self.connections.get_mut(&connection) {
            asked.push_back(Asked { api, version, correlation_id });
        }
        self.cluster.handle_frame(connection, Bytes::from(frame), self.now);
    }

    /// One of the connections that are open, or a new one.
    fn connection(&mut self, choice: u8) -> ConnectionId {
        let node_id = i32::from(choice >> 4) % self.brokers + 1;
        let at = usize::from(choice & 0xf);
        if at < 13
            && let Some(id) = self.connections.keys().nth(at % CONNECTIONS)
        {
            return *id;
        }
        if self.connections.len() > CONNECTIONS {
            return *self.connections.keys().next().expect("more than one");
        }
        self.connect(node_id)
    }

    fn connect(&mut self, node_id: i32) -> ConnectionId {
        self.opened += 1;
        let id = ConnectionId(self.opened);
        self.tell(|_| format!("{id:?} connects to broker {node_id}"));
        self.connections.insert(id, VecDeque::new());
        self.cluster.handle_connected(id, node_id, "/127.0.0.1", self.now);
        id
    }

    fn go_on(&mut self, input: &mut Input<'_>) {
        let ms = [1, 20, 100, 500, 1000, 3000, 5000, 10_000, 45_000, 60_000, 310_000, 86_400_000];
        let by = Duration::from_millis(ms[usize::from(input.byte()) % ms.len()]);
        self.tell(|_| format!("{by:?} go by"));
        let end = self.now + by;
        for _ in 0..WAKES_MAX {
            let Some(at) = self.wake_at.filter(|at| *at <= end) else { break };
            self.now = self.now.max(at);
            self.poll();
        }
        self.now = end;
    }

    fn change_brokers(&mut self, input: &mut Input<'_>) {
        let node_id = i32::from(input.byte()) % self.brokers + 1;
        let what = input.byte() % 7;
        self.tell(|_| format!("broker {node_id}: change {what}"));
        match what {
            0 => self.cluster.handle_broker_stopped(node_id, Stop::Clean),
            1 => self.cluster.handle_broker_stopped(node_id, Stop::Kill),
            2 | 3 => self.cluster.handle_broker_started(node_id),
            4 => self.cluster.set_follows(node_id, false),
            5 => self.cluster.set_follows(node_id, true),
            _ => self.cluster.shrink(node_id),
        }
    }

    fn move_something(&mut self, input: &mut Input<'_>) {
        let node_id = i32::from(input.byte()) % self.brokers + 1;
        let choice = usize::from(input.byte());
        self.tell(|_| format!("to broker {node_id}: move {choice}"));
        match choice % 6 {
            0 | 1 => {
                let partition = i32::try_from(choice / 16 % 2).unwrap_or_default();
                let _ = self.cluster.move_leader(TOPICS[choice / 6 % 2], partition, node_id);
            }
            2 => self.cluster.move_group_coordinator("g", node_id),
            3 => self.cluster.move_transaction_coordinator("x", node_id),
            4 => drop(self.cluster.evict_group("g", self.now)),
            _ => drop(self.cluster.evict_group("h", self.now)),
        }
    }

    fn play(&mut self, input: &mut Input<'_>) {
        let script = SCRIPTS[usize::from(input.byte()) % SCRIPTS.len()];
        self.tell(|_| format!("from now on: {script}"));
        self.tampered = true;
        self.cluster.play(script.parse().expect("a script that is right"), u64::from(input.byte()), self.now);
    }

    fn poll(&mut self) {
        let mut replies = Vec::new();
        self.wake_at = self.cluster.poll(self.now, &mut replies);
        for Reply { connection, action, .. } in replies {
            match action {
                Action::Send(frame) => self.answered(connection, frame),
                Action::Skip => drop(self.connections.get_mut(&connection).and_then(VecDeque::pop_front)),
                Action::Write(_) => {}
                Action::Close | Action::Reset | Action::Refuse => {
                    self.tell(|_| format!("{connection:?} is closed"));
                    self.connections.remove(&connection);
                }
                _ => {}
            }
        }
    }

    /// An answer goes with the oldest request of its connection, and is what its version says.
    fn answered(&mut self, connection: ConnectionId, frame: Bytes) {
        let Some(asked) = self.connections.get_mut(&connection).and_then(VecDeque::pop_front) else {
            assert!(self.tampered, "an answer to nothing");
            return;
        };
        if self.tampered {
            return;
        }
        let Asked { api, version, correlation_id } = asked;
        let frame = frame.slice(4..);
        assert_eq!(header::read_correlation_id(&frame), Ok(correlation_id), "{api} v{version}");
        let said = describe_response(api, version, &frame);
        let said = said.unwrap_or_else(|error| panic!("the answer to {api} v{version}: {error}"));
        self.report.answers += 1;
        let code = said.lines().find_map(|line| line.trim_start().strip_prefix("error_code: "));
        self.report.good += usize::from(code.is_none_or(|code| code == "0"));
        self.known.learn(&said);
        self.tell(|_| format!("{connection:?} is told {}", said.replace('\n', " | ")));
    }

    fn settle(&mut self) -> Result<(), String> {
        self.poll();
        let step = self.report.steps;
        self.watch.check(&self.cluster, self.now).map_err(|broken| format!("after step {step}, {broken}"))
    }
}
