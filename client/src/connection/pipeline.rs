//! What happens on a connection: the handshake first, then requests in flight, each answered in its turn or failed by
//! its deadline.
//!
//! A machine: [`driver`](super::driver) gives it bytes and takes bytes from it; [`Connection`](super::Connection) puts
//! requests in. A broker answers in the order it was asked, so an answer that does not carry the oldest correlation id
//! means that the stream cannot be trusted any more.

use std::collections::VecDeque;
use std::fmt;

use bytes::{Bytes, BytesMut};
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, frame, header};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::handshake::Handshake;
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
/// Connecting --connected--> Handshaking --answered--> Ready
///      \________________________\______________________\--lost--> Closed
/// ```
#[derive(Debug)]
enum State {
    Connecting,
    Handshaking { handshake: Handshake, correlation_id: i32 },
    Ready { handshake: Handshake },
    Closed(Failure),
}

#[derive(Debug)]
struct InFlight {
    correlation_id: i32,
    deadline: Instant,
    answered: Answered,
}

/// Whether requests can be sent.
pub(super) enum Readiness {
    Ready,
    Wait(oneshot::Receiver<Result<(), Failure>>),
    Lost(Failure),
}

pub(super) struct Pipeline {
    state: State,
    frame_bytes_max: usize,
    setup_deadline: Instant,
    correlation_id: i32,
    outgoing: VecDeque<Bytes>,
    in_flight: VecDeque<InFlight>,
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
            .finish_non_exhaustive()
    }
}

impl Pipeline {
    pub(super) const fn new(frame_bytes_max: usize, setup_deadline: Instant) -> Self {
        Self {
            state: State::Connecting,
            frame_bytes_max,
            setup_deadline,
            correlation_id: 0,
            outgoing: VecDeque::new(),
            in_flight: VecDeque::new(),
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
            State::Connecting | State::Handshaking { .. } | State::Ready { .. } => None,
        }
    }

    /// Whether a request was answered behind the handshake: then both sides agree on everything.
    pub(super) const fn is_trusted(&self) -> bool {
        self.answered
    }

    /// What it may mean that the other side hangs up now, given how connections are secured.
    pub(super) fn suspicion(&self, security: &Security) -> Option<String> {
        let (when, who) = match &self.state {
            State::Handshaking { .. } if security.tls.is_none() => ("at the first word", "a listener with TLS"),
            State::Ready { .. } if !self.answered && !self.in_flight.is_empty() => {
                ("at the first request", "a listener with SASL")
            }
            State::Connecting | State::Handshaking { .. } | State::Ready { .. } | State::Closed(_) => return None,
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
            State::Connecting | State::Handshaking { .. } => {
                let (ready, wait) = oneshot::channel();
                self.waiting.push(ready);
                Readiness::Wait(wait)
            }
        }
    }

    pub(super) fn choose_version(&self, api: ApiKey, ours: VersionRange) -> Result<i16, String> {
        match &self.state {
            State::Ready { handshake: Handshake::Done(versions) } => versions.choose(api, ours),
            State::Ready { .. } | State::Connecting | State::Handshaking { .. } | State::Closed(_) => {
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
        self.outgoing.extend(request);
        self.in_flight.push_back(InFlight { correlation_id, deadline, answered });
    }

    /// The connection is open.
    pub(super) fn handle_connected(&mut self) {
        match &self.state {
            State::Connecting => self.say(Handshake::new()),
            State::Handshaking { .. } | State::Ready { .. } | State::Closed(_) => {}
        }
    }

    /// Bytes have come: takes the whole frames off the front.
    pub(super) fn handle_bytes(&mut self, buffer: &mut BytesMut) {
        while !self.is_closed() {
            match frame::take_frame(buffer, self.frame_bytes_max) {
                Ok(Some(frame)) => self.handle_frame(frame),
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
        frame::bytes_missing(buffer, self.frame_bytes_max).unwrap_or(0)
    }

    /// Takes the bytes to write, in order.
    pub(super) fn take_outgoing(&mut self, into: &mut VecDeque<Bytes>) {
        into.append(&mut self.outgoing);
    }

    /// Fails what has passed its deadline. Returns when to ask again; `None` when the connection is closed or idle.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Instant> {
        let setting_up = match &self.state {
            State::Connecting | State::Handshaking { .. } => true,
            State::Ready { .. } => false,
            State::Closed(_) => return None,
        };
        if setting_up {
            if now >= self.setup_deadline {
                self.close(&Failure::TimedOut);
                return None;
            }
            return Some(self.setup_deadline);
        }
        // Deadlines may differ by request: one that has passed takes the connection along, because its answer
        // would still stand before all others.
        if self.in_flight.iter().any(|request| now >= request.deadline) {
            for request in std::mem::take(&mut self.in_flight) {
                let failure = if now >= request.deadline { Failure::TimedOut } else { Failure::BehindTimedOut };
                let _ = request.answered.send(Err(failure));
            }
            self.close(&Failure::BehindTimedOut);
            return None;
        }
        self.in_flight.iter().map(|request| request.deadline).min()
    }

    /// Ends the connection; everything that waits fails with `failure`. The first reason stays.
    pub(super) fn close(&mut self, failure: &Failure) {
        if self.is_closed() {
            return;
        }
        self.state = State::Closed(failure.clone());
        self.outgoing.clear();
        for request in self.in_flight.drain(..) {
            let _ = request.answered.send(Err(failure.clone()));
        }
        for ready in self.waiting.drain(..) {
            let _ = ready.send(Err(failure.clone()));
        }
    }

    fn handle_frame(&mut self, frame: Bytes) {
        let correlation_id = match header::read_correlation_id(&frame) {
            Ok(id) => id,
            Err(error) => return self.close(&Failure::Misbehaved(error.to_string())),
        };
        match std::mem::replace(&mut self.state, State::Connecting) {
            State::Handshaking { mut handshake, correlation_id: expected } if expected == correlation_id => {
                match handshake.handle_answer(&frame) {
                    Ok(()) => self.say(handshake),
                    Err(refused) => self.close(&Failure::Misbehaved(refused.0)),
                }
            }
            state @ State::Ready { .. } => {
                self.state = state;
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
            state @ (State::Connecting | State::Handshaking { .. } | State::Closed(_)) => {
                self.state = state;
                self.close(&Failure::Misbehaved(format!("answer {correlation_id} to no request")));
            }
        }
    }

    /// Says what the handshake says next, or opens the connection for requests when it has nothing more to say.
    fn say(&mut self, handshake: Handshake) {
        let correlation_id = self.next_correlation_id();
        match handshake.request(correlation_id) {
            Ok(Some(frame)) => {
                self.outgoing.push_back(frame);
                self.state = State::Handshaking { handshake, correlation_id };
            }
            Ok(None) => {
                self.state = State::Ready { handshake };
                for ready in self.waiting.drain(..) {
                    let _ = ready.send(Ok(()));
                }
            }
            Err(refused) => self.close(&Failure::Misbehaved(refused.0)),
        }
    }
}

#[cfg(test)]
#[path = "pipeline_tests.rs"]
mod tests;
