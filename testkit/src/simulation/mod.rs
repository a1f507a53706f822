//! [`Simulation`]: a cluster and the links to it in virtual time, from one seed.
//!
//! A client connects, sends frames and is given what arrives, with its time. Nothing here reads a clock, sleeps or spawns:
//! time goes on when [`Simulation::step`] or [`Simulation::run_until`] is called, from one event to the next, so a simulated
//! hour costs what happens in it. The same seed and the same calls give the same trace, byte for byte, in any process.
//!
//! What goes wrong is a [`Script`], which the cluster plays. How long frames take is said by [`LinkConditions`], for each
//! link if need be.
//!
//! - `network`: when what is sent on a link arrives
//! - `trace`: what happened, as lines

mod network;
mod trace;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidemill_protocol::frame;
use tokio::time::Instant;

pub use self::network::LinkConditions;
use self::network::Pipe;
use self::trace::Trace;
use crate::broker::{Action, Broken, Cluster, ClusterProperties, ConnectionId, Reply, Watch};
use crate::faults::Script;

/// One connection of a client. Each number is used once.
pub type LinkId = ConnectionId;

/// The length in front of a frame.
const LENGTH_BYTES: usize = 4;

/// What every client connects from.
const CLIENT_HOST: &str = "/127.0.0.1";

/// A cluster, its clients' links, and the time.
#[derive(Debug)]
pub struct Simulation {
    cluster: Cluster,
    watch: Watch,
    started: Instant,
    now: Instant,
    /// When the cluster has something to do.
    wake_at: Option<Instant>,
    conditions: LinkConditions,
    links: BTreeMap<LinkId, Link>,
    links_opened: u64,
    /// What arrives when; what arrives at one time, in the order in which it was sent.
    events: BTreeMap<(Instant, u64), Event>,
    events_sent: u64,
    delivered: VecDeque<Delivered>,
    random: fastrand::Rng,
    trace: Trace,
    /// Kept for its memory.
    replies: Vec<Reply>,
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivered {
    /// When, from the start.
    pub at: Duration,
    /// On which link.
    pub link: LinkId,
    /// What.
    pub what: What,
}

/// What arrives on a link.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum What {
    /// A frame, without its length.
    Frame(Bytes),
    /// Bytes that are no frame; nothing more can be read of this link.
    Malformed(String),
    /// The broker has closed the link.
    Closed,
    /// The link is reset.
    Reset,
    /// Nobody listens.
    Refused,
}

#[derive(Debug)]
struct Link {
    node_id: i32,
    conditions: LinkConditions,
    up: Pipe,
    down: Pipe,
    /// What has arrived of a frame.
    buffer: BytesMut,
}

#[derive(Debug)]
enum Event {
    Connect(LinkId),
    Request(LinkId, Bytes),
    Leave(LinkId),
    Reply(LinkId, Action),
}

impl Simulation {
    /// A cluster whose clock shows `unix_ms` at `start`, and no client yet. Everything random is drawn from `seed`.
    #[must_use]
    pub fn new(properties: ClusterProperties, start: Instant, unix_ms: i64, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut simulation = Self {
            cluster: Cluster::new(properties, start, unix_ms, random.u64(..)),
            watch: Watch::new(),
            started: start,
            now: start,
            wake_at: None,
            conditions: LinkConditions::default(),
            links: BTreeMap::new(),
            links_opened: 0,
            events: BTreeMap::new(),
            events_sent: 0,
            delivered: VecDeque::new(),
            random,
            trace: Trace::default(),
            replies: Vec::new(),
        };
        simulation.poll();
        simulation
    }

    /// How links are that are opened from now on.
    #[must_use]
    pub const fn conditions(mut self, conditions: LinkConditions) -> Self {
        self.conditions = conditions;
        self
    }

    /// Keeps a line of everything that happens from now on.
    #[must_use]
    pub fn traced(mut self) -> Self {
        self.trace.start();
        self
    }

    /// What happened, a line each: the time, the link, and what was sent, with its length and its checksum.
    #[must_use]
    pub fn trace(&self) -> &str {
        self.trace.text()
    }

    /// Plays a script from now on; its chances are drawn from the seed of the simulation.
    pub fn play(&mut self, script: Script) {
        let seed = self.random.u64(..);
        self.cluster.play(script, seed, self.now);
        self.poll();
    }

    /// The cluster, to look at it.
    #[must_use]
    pub const fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Does something to the cluster.
    pub fn change<T>(&mut self, change: impl FnOnce(&mut Cluster, Instant) -> T) -> T {
        let changed = change(&mut self.cluster, self.now);
        self.poll();
        changed
    }

    /// Whether everything holds that must hold of the cluster, also since the last look (see [`Watch`]).
    ///
    /// # Errors
    /// What does not hold: the first thing that was found.
    pub fn check(&mut self) -> Result<(), Broken> {
        self.watch.check(&self.cluster, self.now)
    }

    /// The time, from the start.
    #[must_use]
    pub fn now(&self) -> Duration {
        self.now.saturating_duration_since(self.started)
    }

    /// A client connects to a broker.
    pub fn connect(&mut self, node_id: i32) -> LinkId {
        let id = ConnectionId(self.links_opened);
        self.links_opened += 1;
        let (up, down) = (Pipe::new(self.now), Pipe::new(self.now));
        let link = Link { node_id, conditions: self.conditions, up, down, buffer: BytesMut::new() };
        self.links.insert(id, link);
        self.send_up(id, 0, Event::Connect(id));
        id
    }

    /// How this link is from now on.
    pub fn set_conditions(&mut self, link: LinkId, conditions: LinkConditions) {
        if let Some(link) = self.links.get_mut(&link) {
            link.conditions = conditions;
        }
    }

    /// A client sends a frame, its length included. On a link that is over, it is lost.
    pub fn send(&mut self, link: LinkId, frame: Bytes) {
        let bytes = frame.len();
        // Links carry whole frames this way: the length has done its duty.
        let body = frame.get(LENGTH_BYTES..).map(|_| frame.slice(LENGTH_BYTES..)).unwrap_or_default();
        self.send_up(link, bytes, Event::Request(link, body));
    }

    /// A client closes its link, and hears no more of it.
    pub fn disconnect(&mut self, link: LinkId) {
        self.send_up(link, 0, Event::Leave(link));
        self.links.remove(&link);
    }

    /// Goes on to the next event; false when nothing will ever happen by itself. What arrived is taken by
    /// [`Self::take_delivered`].
    pub fn step(&mut self) -> bool {
        let arrives_at = self.events.first_key_value().map(|((at, _), _)| *at);
        let Some(next) = arrives_at.into_iter().chain(self.wake_at).min() else { return false };
        self.now = self.now.max(next);
        if arrives_at.is_some_and(|at| at <= self.now)
            && let Some((_, event)) = self.events.pop_first()
        {
            self.handle(event);
        }
        self.poll();
        true
    }

    /// Goes on until this time from the start, and takes what has arrived by then.
    pub fn run_until(&mut self, time: Duration) -> Vec<Delivered> {
        let end = self.started + time;
        while self.next_at().is_some_and(|at| at <= end) {
            self.step();
        }
        self.now = self.now.max(end);
        self.take_delivered()
    }

    /// What has arrived and was not taken yet, in the order of its times.
    pub fn take_delivered(&mut self) -> Vec<Delivered> {
        self.delivered.drain(..).collect()
    }

    /// When something happens next by itself.
    fn next_at(&self) -> Option<Instant> {
        self.events.first_key_value().map(|((at, _), _)| *at).into_iter().chain(self.wake_at).min()
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Connect(id) => {
                let Some(link) = self.links.get(&id) else { return };
                let node_id = link.node_id;
                self.trace.connect(self.now - self.started, id, node_id);
                self.cluster.handle_connected(id, node_id, CLIENT_HOST, self.now);
            }
            Event::Request(id, frame) => {
                self.trace.frame(self.now - self.started, id, "request", &frame);
                self.cluster.handle_frame(id, frame, self.now);
            }
            Event::Leave(id) => {
                self.trace.word(self.now - self.started, id, "left");
                self.cluster.handle_disconnected(id, self.now);
            }
            Event::Reply(id, action) => self.deliver(id, action),
        }
    }

    /// Something arrives at a client.
    fn deliver(&mut self, id: LinkId, action: Action) {
        let at = self.now - self.started;
        let Some(link) = self.links.get_mut(&id) else { return };
        let end = match action {
            Action::Send(bytes) | Action::Write(bytes) => {
                self.trace.frame(at, id, "arrived", &bytes);
                link.buffer.extend_from_slice(&bytes);
                loop {
                    match frame::take_frame(&mut link.buffer, frame::FRAME_BYTES_MAX_DEFAULT) {
                        Ok(Some(frame)) => {
                            self.delivered.push_back(Delivered { at, link: id, what: What::Frame(frame) });
                        }
                        Ok(None) => return,
                        Err(error) => break What::Malformed(error.to_string()),
                    }
                }
            }
            Action::Skip => return,
            Action::Close => What::Closed,
            Action::Reset => What::Reset,
            Action::Refuse => What::Refused,
        };
        // A client that cannot read on leaves.
        if matches!(end, What::Malformed(_)) {
            self.disconnect(id);
        }
        self.links.remove(&id);
        self.trace.word(at, id, "ended");
        self.delivered.push_back(Delivered { at, link: id, what: end });
    }

    /// Lets the cluster do what is due, and sends what it says.
    fn poll(&mut self) {
        let mut replies = std::mem::take(&mut self.replies);
        self.wake_at = self.cluster.poll(self.now, &mut replies);
        let at = self.now - self.started;
        for done in self.cluster.take_carried_out() {
            self.trace.effect(at, &done);
        }
        for Reply { connection, action } in replies.drain(..) {
            let bytes = match &action {
                Action::Send(bytes) | Action::Write(bytes) => {
                    self.trace.frame(at, connection, "reply", bytes);
                    bytes.len()
                }
                Action::Skip => {
                    self.trace.word(at, connection, "no reply");
                    continue;
                }
                Action::Close | Action::Reset | Action::Refuse => 0,
            };
            let Some(link) = self.links.get_mut(&connection) else { continue };
            let arrives_at = link.down.arrival(self.now, bytes, &link.conditions, &mut self.random);
            self.put(arrives_at, Event::Reply(connection, action));
        }
        self.replies = replies;
    }

    fn send_up(&mut self, link: LinkId, bytes: usize, event: Event) {
        let Some(link) = self.links.get_mut(&link) else { return };
        let arrives_at = link.up.arrival(self.now, bytes, &link.conditions, &mut self.random);
        self.put(arrives_at, event);
    }

    fn put(&mut self, at: Instant, event: Event) {
        self.events.insert((at, self.events_sent), event);
        self.events_sent += 1;
    }
}
