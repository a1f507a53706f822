//! What happens on a connection: the handshake first, then requests in flight, each answered in its turn or failed by
//! its deadline, and between them, before the session ends, the login once more.
//!
//! A machine: [`driver`](super::driver) gives it bytes and takes bytes from it; [`Connection`](super::Connection) puts
//! requests in. A broker answers in the order it was asked, so an answer that does not carry the oldest correlation id
//! means that the stream cannot be trusted any more.

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, frame, header};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handshake::{Handshake, Next};
use super::sasl::{Errand, Found};
use super::versions::Versions;
use crate::error::Error;
use crate::security::Security;

/// Where an answer goes.
pub(super) type Answered = oneshot::Sender<Result<Bytes, Failure>>;

/// Why a request gets no answer on this connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    /// It could not be opened, or broke.
    Network(std::io::ErrorKind, String),
    /// The deadline passed.
    TimedOut,
    /// Another request on the connection was not answered in time, which takes all behind it along.
    BehindTimedOut,
    /// The broker sent what it must not.
    Misbehaved(String),
    /// The two sides do not agree on how the line is secured, or who they are.
    Refused(String),
    /// It was closed from our side.
    Closed,
}

impl Failure {
    pub(super) fn into_error(self, api: ApiKey, address: &str) -> Error {
        let attempt = format!("{api} to {address}");
        match self {
            Self::Network(kind, reason) => Error::network(attempt, std::io::Error::new(kind, reason)),
            Self::TimedOut => Error::timeout(attempt),
            Self::BehindTimedOut => {
                let reason = "a request before it was not answered in time";
                Error::network(attempt, std::io::Error::new(std::io::ErrorKind::ConnectionAborted, reason))
            }
            Self::Misbehaved(reason) => Error::protocol(attempt).with_detail(reason),
            Self::Refused(reason) => Error::security(address, reason),
            Self::Closed => Error::closed(attempt),
        }
    }
}

/// ```text
/// Connecting --connected--> Handshaking --done--> Ready
///      \________________________\___________________\--lost--> Closed
/// ```
#[derive(Debug)]
enum State {
    Connecting,
    Handshaking(Talk),
    Ready { versions: Versions, renewal: Renewal },
    Closed(Failure),
}

/// A handshake, and which answer it waits for; none while an errand is run for it.
#[derive(Debug)]
struct Talk {
    handshake: Handshake,
    correlation_id: Option<i32>,
}

/// How a session is kept from ending (KIP-368). A broker reads nothing else between the words of a login, so requests are
/// held back from the time it is due: first those in flight are answered, then the login is said.
///
/// ```text
/// Never        Due --its time--> Draining --nothing in flight--> Talking --done--> Due or Never
/// ```
#[derive(Debug)]
enum Renewal {
    /// The session does not end.
    Never,
    Due(Instant),
    Draining {
        deadline: Instant,
    },
    Talking {
        talk: Talk,
        deadline: Instant,
    },
}

impl Renewal {
    const fn holds_requests(&self) -> bool {
        match self {
            Self::Never | Self::Due(_) => false,
            Self::Draining { .. } | Self::Talking { .. } => true,
        }
    }
}

/// How connections are set up.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) frame_bytes_max: usize,
    /// How long opening, and logging in once more, may take.
    pub(super) timeout: Duration,
    pub(super) mechanism: Option<&'static str>,
    /// At which part of its lifetime a session is renewed; by chance, so that not all are at once.
    pub(super) renew_at: f64,
}

/// As much as a broker has to say before it is known to be one.
const HANDSHAKE_BYTES_MAX: usize = 512 * 1024;

#[derive(Debug)]
struct InFlight {
    correlation_id: i32,
    deadline: Instant,
    answered: Answered,
}

/// Where a request was put.
struct Put {
    /// It waits for the session to be renewed.
    is_held: bool,
    /// How many bytes there are with it, in all.
    end: u64,
}

/// A number of bytes, to be added up.
fn count(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}

/// Whether requests can be sent.
pub(super) enum Readiness {
    Ready,
    Wait(oneshot::Receiver<Result<(), Failure>>),
    Lost(Failure),
}

pub(super) struct Pipeline {
    state: State,
    setup: Setup,
    setup_deadline: Instant,
    correlation_id: i32,
    outgoing: VecDeque<Bytes>,
    in_flight: VecDeque<InFlight>,
    /// How many bytes were ever put into `outgoing`, and how many of those were written.
    queued_bytes: u64,
    written_bytes: u64,
    /// Requests that get no answer, each with how many bytes are written once it is.
    unanswered: VecDeque<(u64, InFlight)>,
    /// What is held back while the session is renewed.
    held: VecDeque<Bytes>,
    held_in_flight: VecDeque<InFlight>,
    held_bytes: u64,
    held_unanswered: VecDeque<(u64, InFlight)>,
    errand: Option<Errand>,
    waiting: Vec<oneshot::Sender<Result<(), Failure>>>,
    /// Whether a request was answered.
    answered: bool,
}

/// Frames are counted, not shown: they may hold what a client proves itself with.
impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline")
            .field("state", &self.state)
            .field("outgoing", &format_args!("{} frames", self.outgoing.len()))
            .field("in_flight", &self.in_flight)
            .field("held", &format_args!("{} frames", self.held.len()))
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    pub(super) fn new(setup: Setup, now: Instant) -> Self {
        Self {
            state: State::Connecting,
            setup_deadline: now + setup.timeout,
            setup,
            correlation_id: 0,
            outgoing: VecDeque::new(),
            in_flight: VecDeque::new(),
            queued_bytes: 0,
            written_bytes: 0,
            unanswered: VecDeque::new(),
            held: VecDeque::new(),
            held_in_flight: VecDeque::new(),
            held_bytes: 0,
            held_unanswered: VecDeque::new(),
            errand: None,
            waiting: Vec::new(),
            answered: false,
        }
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed(_))
    }

    pub(super) const fn is_ready(&self) -> bool {
        matches!(self.state, State::Ready { .. })
    }

    /// Why it was closed, if it was.
    pub(super) fn failure(&self) -> Option<Failure> {
        match &self.state {
            State::Closed(failure) => Some(failure.clone()),
            State::Connecting | State::Handshaking(_) | State::Ready { .. } => None,
        }
    }

    /// Whether a request was answered behind the handshake: then both sides agree on everything.
    pub(super) const fn is_trusted(&self) -> bool {
        self.answered
    }

    /// What it may mean that the other side hangs up now, given how connections are secured.
    pub(super) fn suspicion(&self, security: &Security) -> Option<String> {
        let (when, who) = match &self.state {
            State::Handshaking(_) if security.tls.is_none() => ("at the first word", "a listener with TLS"),
            State::Ready { .. } if security.sasl.is_none() && !self.answered && !self.in_flight.is_empty() => {
                ("at the first request", "a listener with SASL")
            }
            State::Connecting | State::Handshaking(_) | State::Ready { .. } | State::Closed(_) => return None,
        };
        Some(format!(
            "the broker closed the connection {when}, as {who} does: is security.protocol ({}) that of the listener?",
            security.protocol()
        ))
    }

    pub(super) fn wait_ready(&mut self) -> Readiness {
        match &self.state {
            State::Ready { .. } => Readiness::Ready,
            State::Closed(failure) => Readiness::Lost(failure.clone()),
            State::Connecting | State::Handshaking(_) => {
                let (ready, wait) = oneshot::channel();
                self.waiting.push(ready);
                Readiness::Wait(wait)
            }
        }
    }

    /// The cluster's level of the feature `transaction.version`, once it is known.
    pub(super) const fn transaction_version(&self) -> i16 {
        match &self.state {
            State::Ready { versions, .. } => versions.transaction_version,
            State::Connecting | State::Handshaking(_) | State::Closed(_) => 0,
        }
    }

    pub(super) fn choose_version(&self, api: ApiKey, ours: VersionRange) -> Result<i16, String> {
        match &self.state {
            State::Ready { versions, .. } => versions.choose(api, ours),
            State::Connecting | State::Handshaking(_) | State::Closed(_) => {
                Err("the connection is not open".to_owned())
            }
        }
    }

    pub(super) const fn next_correlation_id(&mut self) -> i32 {
        let id = self.correlation_id;
        self.correlation_id = self.correlation_id.wrapping_add(1) & i32::MAX;
        id
    }

    /// Sends a request, given as slices of one frame; its answer or its failure goes to `answered`.
    pub(super) fn send(&mut self, request: Vec<Bytes>, correlation_id: i32, deadline: Instant, answered: Answered) {
        if let State::Closed(failure) = &self.state {
            // The caller may have given up meanwhile.
            let _ = answered.send(Err(failure.clone()));
            return;
        }
        let in_flight = InFlight { correlation_id, deadline, answered };
        if self.put(request).is_held {
            self.held_in_flight.push_back(in_flight);
        } else {
            self.in_flight.push_back(in_flight);
        }
    }

    /// Sends a request that gets no answer; that all of it was written, or its failure, goes to `answered`.
    pub(super) fn tell(&mut self, request: Vec<Bytes>, correlation_id: i32, deadline: Instant, answered: Answered) {
        if let State::Closed(failure) = &self.state {
            let _ = answered.send(Err(failure.clone()));
            return;
        }
        let in_flight = InFlight { correlation_id, deadline, answered };
        let Put { is_held, end } = self.put(request);
        if is_held {
            self.held_unanswered.push_back((end, in_flight));
        } else {
            self.unanswered.push_back((end, in_flight));
        }
    }

    /// Has a request written, now or once the session is renewed.
    fn put(&mut self, request: Vec<Bytes>) -> Put {
        let is_held = matches!(&self.state, State::Ready { renewal, .. } if renewal.holds_requests());
        let (frames, total) =
            if is_held { (&mut self.held, &mut self.held_bytes) } else { (&mut self.outgoing, &mut self.queued_bytes) };
        *total = request.iter().fold(*total, |total, bytes| total.saturating_add(count(bytes.len())));
        frames.extend(request);
        Put { is_held, end: *total }
    }

    /// So many bytes of what was taken were written.
    pub(super) fn handle_written(&mut self, bytes: usize) {
        self.written_bytes = self.written_bytes.saturating_add(count(bytes));
        let written_bytes = self.written_bytes;
        while let Some((_, request)) = self.unanswered.pop_front_if(|(end, _)| *end <= written_bytes) {
            let _ = request.answered.send(Ok(Bytes::new()));
        }
    }

    /// The connection is open.
    pub(super) fn handle_connected(&mut self, now: Instant) {
        match &self.state {
            State::Connecting => self.say(Handshake::new(self.setup.mechanism), now),
            State::Handshaking(_) | State::Ready { .. } | State::Closed(_) => {}
        }
    }

    /// Bytes have come: takes the whole frames off the front.
    pub(super) fn handle_bytes(&mut self, buffer: &mut BytesMut, now: Instant) {
        while !self.is_closed() {
            match frame::take_frame(buffer, self.frame_bytes_max()) {
                Ok(Some(frame)) => self.handle_frame(frame, now),
                Ok(None) => return,
                Err(error) => {
                    let is_tls = matches!(**buffer, [0x15 | 0x16, 0x03, ..]) && !self.answered;
                    let reason = error.to_string();
                    self.close(&if is_tls { Failure::Refused(reason) } else { Failure::Misbehaved(reason) });
                }
            }
        }
    }

    /// How many bytes the next frame still needs, so that it can be read into one allocation.
    pub(super) fn bytes_missing(&self, buffer: &BytesMut) -> usize {
        frame::bytes_missing(buffer, self.frame_bytes_max()).unwrap_or(0)
    }

    fn frame_bytes_max(&self) -> usize {
        match &self.state {
            State::Ready { renewal: Renewal::Never | Renewal::Due(_) | Renewal::Draining { .. }, .. } => {
                self.setup.frame_bytes_max
            }
            State::Ready { renewal: Renewal::Talking { .. }, .. }
            | State::Connecting
            | State::Handshaking(_)
            | State::Closed(_) => self.setup.frame_bytes_max.min(HANDSHAKE_BYTES_MAX),
        }
    }

    /// What is to be found out for the handshake.
    pub(super) const fn take_errand(&mut self) -> Option<Errand> {
        self.errand.take()
    }

    /// What an errand has found, or why it has not.
    pub(super) fn handle_found(&mut self, found: Result<Found, String>, now: Instant) {
        let talk = match &mut self.state {
            State::Handshaking(talk) | State::Ready { renewal: Renewal::Talking { talk, .. }, .. } => talk,
            State::Ready { .. } | State::Connecting | State::Closed(_) => return,
        };
        let went_on = found.map_err(Failure::Refused).and_then(|found| talk.handshake.handle_found(found));
        self.go_on(went_on, now);
    }

    /// Takes the bytes to write, in order.
    pub(super) fn take_outgoing(&mut self, into: &mut VecDeque<Bytes>) {
        into.append(&mut self.outgoing);
    }

    /// Fails what has passed its deadline, and begins to renew a session in time. Returns when to ask again; `None` when the
    /// connection is closed or idle.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Instant> {
        match &self.state {
            State::Connecting | State::Handshaking(_) => {
                if now >= self.setup_deadline {
                    self.close(&Failure::TimedOut);
                    return None;
                }
                return Some(self.setup_deadline);
            }
            State::Ready { .. } => {}
            State::Closed(_) => return None,
        }
        // Deadlines may differ by request: one that has passed takes the connection along, because its answer
        // would still stand before all others.
        if self.all_waiting().any(|request| now >= request.deadline) {
            for request in self.take_waiting() {
                let failure = if now >= request.deadline { Failure::TimedOut } else { Failure::BehindTimedOut };
                let _ = request.answered.send(Err(failure));
            }
            self.close(&Failure::BehindTimedOut);
            return None;
        }
        let renewal_at = self.renew(now);
        self.all_waiting().map(|request| request.deadline).chain(renewal_at).min()
    }

    /// All requests that nothing was said of yet.
    fn all_waiting(&self) -> impl Iterator<Item = &InFlight> {
        let unanswered = self.unanswered.iter().chain(&self.held_unanswered).map(|(_, request)| request);
        self.in_flight.iter().chain(&self.held_in_flight).chain(unanswered)
    }

    fn take_waiting(&mut self) -> Vec<InFlight> {
        let mut waiting: Vec<InFlight> = self.in_flight.drain(..).chain(self.held_in_flight.drain(..)).collect();
        waiting.extend(self.unanswered.drain(..).chain(self.held_unanswered.drain(..)).map(|(_, request)| request));
        waiting
    }

    /// Brings the renewal of the session on; when to look at it again.
    fn renew(&mut self, now: Instant) -> Option<Instant> {
        let deadline = now + self.setup.timeout;
        let idle = self.in_flight.is_empty();
        let State::Ready { renewal, versions } = &mut self.state else { return None };
        if let Renewal::Due(at) = renewal {
            if now < *at {
                return Some(*at);
            }
            *renewal = Renewal::Draining { deadline };
        }
        match renewal {
            Renewal::Never | Renewal::Due(_) => None,
            Renewal::Draining { deadline } | Renewal::Talking { deadline, .. } if now >= *deadline => {
                self.close(&Failure::TimedOut);
                None
            }
            Renewal::Draining { deadline } if !idle => Some(*deadline),
            Renewal::Draining { .. } => {
                let handshake = Handshake::again(versions.clone(), self.setup.mechanism);
                *renewal = Renewal::Talking { talk: Talk { handshake, correlation_id: None }, deadline };
                self.go_on(Ok(()), now);
                Some(deadline)
            }
            Renewal::Talking { deadline, .. } => Some(*deadline),
        }
    }

    /// Ends the connection; everything that waits fails with `failure`. The first reason stays.
    pub(super) fn close(&mut self, failure: &Failure) {
        if self.is_closed() {
            return;
        }
        self.state = State::Closed(failure.clone());
        self.outgoing.clear();
        self.held.clear();
        self.errand = None;
        for request in self.take_waiting() {
            let _ = request.answered.send(Err(failure.clone()));
        }
        for ready in self.waiting.drain(..) {
            let _ = ready.send(Err(failure.clone()));
        }
    }

    fn handle_frame(&mut self, frame: Bytes, now: Instant) {
        let correlation_id = match header::read_correlation_id(&frame) {
            Ok(id) => id,
            Err(error) => return self.close(&Failure::Misbehaved(error.to_string())),
        };
        if let State::Handshaking(talk) | State::Ready { renewal: Renewal::Talking { talk, .. }, .. } = &mut self.state
            && talk.correlation_id == Some(correlation_id)
        {
            talk.correlation_id = None;
            let went_on = talk.handshake.handle_answer(&frame);
            return self.go_on(went_on, now);
        }
        if !self.is_ready() {
            return self.close(&Failure::Misbehaved(format!("answer {correlation_id} to no request")));
        }
        match self.in_flight.pop_front() {
            Some(request) if request.correlation_id == correlation_id => {
                self.answered = true;
                // The caller may have given up meanwhile.
                let _ = request.answered.send(Ok(frame));
            }
            Some(request) => {
                let reason = format!("answer {correlation_id} came before {}", request.correlation_id);
                self.in_flight.push_front(request);
                self.close(&Failure::Misbehaved(reason));
            }
            None => self.close(&Failure::Misbehaved(format!("answer {correlation_id} to no request"))),
        }
    }

    /// Begins a handshake.
    fn say(&mut self, handshake: Handshake, now: Instant) {
        self.state = State::Handshaking(Talk { handshake, correlation_id: None });
        self.go_on(Ok(()), now);
    }

    /// Says what the handshake says next, or lets requests out when it has nothing more to say.
    fn go_on(&mut self, so_far: Result<(), Failure>, now: Instant) {
        let id = self.next_correlation_id();
        let (State::Handshaking(talk) | State::Ready { renewal: Renewal::Talking { talk, .. }, .. }) = &mut self.state
        else {
            return;
        };
        match so_far.and_then(|()| talk.handshake.next(id)) {
            Ok(Next::Say(frame)) => {
                talk.correlation_id = Some(id);
                self.queued_bytes = self.queued_bytes.saturating_add(count(frame.len()));
                self.outgoing.push_back(frame);
            }
            Ok(Next::Run(errand)) => self.errand = Some(errand),
            Ok(Next::Done(versions, session)) => {
                let renewal = session.map_or(Renewal::Never, |lifetime| {
                    Renewal::Due(now + lifetime.mul_f64(self.setup.renew_at.clamp(0.0, 1.0)))
                });
                self.state = State::Ready { versions, renewal };
                self.outgoing.append(&mut self.held);
                self.in_flight.append(&mut self.held_in_flight);
                let before = self.queued_bytes;
                let unanswered = self.held_unanswered.drain(..);
                self.unanswered.extend(unanswered.map(|(end, request)| (before.saturating_add(end), request)));
                self.queued_bytes = before.saturating_add(std::mem::take(&mut self.held_bytes));
                for ready in self.waiting.drain(..) {
                    let _ = ready.send(Ok(()));
                }
            }
            Err(failure) => self.close(&failure),
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
