use std::time::Duration;

use bytes::BufMut;
use tidemill_protocol::messages::api_versions_response::ApiVersion;
use tidemill_protocol::messages::{
    ApiVersionsRequest, ApiVersionsResponse, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest,
    SaslHandshakeResponse,
};

use super::super::sasl::Login;
use super::*;
use crate::security::Secret;

/// A connection and the broker at its other end, in virtual time.
struct World {
    pipeline: Pipeline,
    now: Instant,
    buffer: BytesMut,
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
fn start() -> Instant {
    Instant::now()
}

impl World {
    fn new() -> Self {
        Self::with_mechanism(None)
    }

    fn with_mechanism(mechanism: Option<&'static str>) -> Self {
        let now = start();
        let setup = Setup { frame_bytes_max: 1000, timeout: Duration::from_secs(10), mechanism, renew_at: 0.9 };
        Self { pipeline: Pipeline::new(setup, now), now, buffer: BytesMut::new() }
    }

    fn ready() -> Self {
        let mut world = Self::new();
        world.pipeline.handle_connected(world.now);
        let range = ApiVersion::default().with_api_key(ApiKey::METADATA.0).with_min_version(0).with_max_version(13);
        let response = ApiVersionsResponse::default().with_api_keys(vec![range]);
        let frame = header::encode_response::<ApiVersionsRequest>(&response, 4, 0).unwrap();
        world.receive(&frame);
        assert!(matches!(world.pipeline.wait_ready(), Readiness::Ready));
        world
    }

    fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        self.pipeline.handle_bytes(&mut self.buffer, self.now);
    }

    /// A connection by PLAIN whose session lasts so long.
    fn logged_in(lifetime_ms: i64) -> Self {
        let mut world = Self::with_mechanism(Some("PLAIN"));
        world.pipeline.handle_connected(world.now);
        let range = |api: ApiKey, max| ApiVersion::default().with_api_key(api.0).with_max_version(max);
        let ranges = [(ApiKey::METADATA, 13), (ApiKey::SASL_HANDSHAKE, 1), (ApiKey::SASL_AUTHENTICATE, 2)];
        let ranges = ranges.map(|(api, max)| range(api, max)).to_vec();
        let response = ApiVersionsResponse::default().with_api_keys(ranges);
        world.receive(&header::encode_response::<ApiVersionsRequest>(&response, 4, 0).unwrap());
        world.log_in(1, lifetime_ms);
        assert!(world.pipeline.is_ready());
        world
    }

    /// Says who we are and is let in; `id` is the next correlation id.
    fn log_in(&mut self, id: i32, lifetime_ms: i64) {
        assert!(matches!(self.pipeline.take_errand(), Some(Errand::LogIn)));
        let login = Login::Plain { username: "alice".to_owned(), password: Secret::new("hunter2") };
        self.pipeline.handle_found(Ok(Found::Login(login)), self.now);
        let mechanism = SaslHandshakeResponse::default();
        self.receive(&header::encode_response::<SaslHandshakeRequest>(&mechanism, 1, id + 1).unwrap());
        let done = SaslAuthenticateResponse::default().with_session_lifetime_ms(lifetime_ms);
        self.receive(&header::encode_response::<SaslAuthenticateRequest>(&done, 2, id + 2).unwrap());
    }

    /// Sends a request that gets no answer.
    fn tell(&mut self, request: &'static [u8]) -> (i32, oneshot::Receiver<Result<Bytes, Failure>>) {
        let (answered, answer) = oneshot::channel();
        let id = self.pipeline.next_correlation_id();
        let deadline = self.now + Duration::from_secs(1);
        self.pipeline.tell(vec![Bytes::from_static(request)], id, deadline, answered);
        (id, answer)
    }

    /// Everything that has gone out since the last time is written.
    fn write(&mut self) {
        let written = self.outgoing().iter().map(Bytes::len).sum();
        self.pipeline.handle_written(written);
    }

    /// The frames that have gone out since the last time.
    fn outgoing(&mut self) -> Vec<Bytes> {
        let mut outgoing = VecDeque::new();
        self.pipeline.take_outgoing(&mut outgoing);
        outgoing.into()
    }

    fn answer(&mut self, correlation_id: i32) {
        let mut frame = BytesMut::new();
        frame.put_i32(4);
        frame.put_i32(correlation_id);
        self.receive(&frame);
    }

    fn send(&mut self, timeout_s: u64) -> (i32, oneshot::Receiver<Result<Bytes, Failure>>) {
        let (answered, answer) = oneshot::channel();
        let id = self.pipeline.next_correlation_id();
        let deadline = self.now + Duration::from_secs(timeout_s);
        self.pipeline.send(vec![Bytes::from_static(b"request")], id, deadline, answered);
        (id, answer)
    }

    fn pass(&mut self, seconds: u64) -> Option<Instant> {
        self.now += Duration::from_secs(seconds);
        self.pipeline.poll(self.now)
    }
}

#[test]
fn requests_wait_for_the_handshake() {
    let mut world = World::new();
    let Readiness::Wait(mut wait) = world.pipeline.wait_ready() else { panic!("ready before the handshake") };
    assert!(world.pipeline.choose_version(ApiKey::METADATA, VersionRange::new(0, 9)).is_err());
    world.pipeline.handle_connected(world.now);
    assert!(wait.try_recv().is_err());
    let world = World::ready();
    assert_eq!(world.pipeline.choose_version(ApiKey::METADATA, VersionRange::new(0, 9)), Ok(9));
}

#[test]
fn answers_find_their_requests_in_order() {
    let mut world = World::ready();
    let (first, mut one) = world.send(30);
    let (second, mut two) = world.send(30);
    world.answer(first);
    assert!(one.try_recv().unwrap().is_ok());
    assert!(two.try_recv().is_err());
    world.answer(second);
    assert!(two.try_recv().unwrap().is_ok());
}

#[test]
fn an_answer_out_of_turn_ends_the_connection() {
    let mut world = World::ready();
    let (_, mut one) = world.send(30);
    let (second, mut two) = world.send(30);
    world.answer(second);
    assert!(matches!(one.try_recv().unwrap(), Err(Failure::Misbehaved(_))));
    assert!(matches!(two.try_recv().unwrap(), Err(Failure::Misbehaved(_))));
    assert!(world.pipeline.is_closed());
}

#[test]
fn an_answer_to_nothing_ends_the_connection() {
    let mut world = World::ready();
    world.answer(77);
    assert!(world.pipeline.is_closed());
    let mut early = World::new();
    early.answer(0);
    assert!(early.pipeline.is_closed());
}

#[test]
fn a_passed_deadline_takes_the_requests_behind_it_along() {
    let mut world = World::ready();
    let (_, mut one) = world.send(5);
    let (_, mut two) = world.send(30);
    let deadline = world.now + Duration::from_secs(5);
    assert_eq!(world.pass(4), Some(deadline));
    assert_eq!(world.pass(1), None);
    assert_eq!(one.try_recv().unwrap(), Err(Failure::TimedOut));
    assert_eq!(two.try_recv().unwrap(), Err(Failure::BehindTimedOut));
    let (_, mut late) = world.send(30);
    assert_eq!(late.try_recv().unwrap(), Err(Failure::BehindTimedOut));
}

#[test]
fn a_connection_that_does_not_open_fails_those_who_wait() {
    let mut world = World::new();
    let Readiness::Wait(mut wait) = world.pipeline.wait_ready() else { panic!("ready at once") };
    world.pass(9);
    assert!(wait.try_recv().is_err());
    world.pass(1);
    assert_eq!(wait.try_recv().unwrap(), Err(Failure::TimedOut));
}

#[test]
fn a_frame_over_the_limit_ends_the_connection_before_it_is_read() {
    let mut world = World::ready();
    let (_, mut answer) = world.send(30);
    world.receive(b"HTTP/1.1 400");
    assert!(matches!(answer.try_recv().unwrap(), Err(Failure::Misbehaved(reason)) if reason.contains("HTTP")));
}

#[test]
fn a_frame_may_come_byte_by_byte() {
    let mut world = World::ready();
    let (id, mut answer) = world.send(30);
    let mut frame = BytesMut::new();
    frame.put_i32(4);
    frame.put_i32(id);
    for byte in frame {
        assert!(answer.try_recv().is_err());
        world.receive(&[byte]);
    }
    assert!(answer.try_recv().unwrap().is_ok());
}

/// A consumer's or a producer's `Debug` comes down to here.
#[test]
fn frames_that_wait_to_be_written_are_not_shown() {
    let mut world = World::ready();
    let secret = Bytes::from_static(b"\0user\0hunter2");
    let login = SaslAuthenticateRequest::default().with_auth_bytes(secret);
    let id = world.pipeline.next_correlation_id();
    let frame = header::encode_request(&login, 2, id, None).unwrap();
    let (answered, _answer) = oneshot::channel();
    world.pipeline.send(vec![frame], id, world.now + Duration::from_secs(1), answered);
    let shown = format!("{:?} {:#?}", world.pipeline, world.pipeline);
    assert!(shown.contains("frames") && !shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_session_is_renewed_between_requests_before_it_ends() {
    let mut world = World::logged_in(60_000);
    world.outgoing();
    let (first, mut one) = world.send(600);
    assert_eq!(world.pass(53), Some(world.now + Duration::from_secs(1)));
    assert!(world.pipeline.take_errand().is_none());
    world.pass(1);
    // It is time, and an answer is still to come: what is asked now waits.
    let (second, mut two) = world.send(600);
    assert_eq!(world.outgoing(), [&b"request"[..]]);
    assert!(world.pipeline.take_errand().is_none());
    assert!(world.pipeline.is_ready() && matches!(world.pipeline.wait_ready(), Readiness::Ready));
    world.answer(first);
    assert!(one.try_recv().unwrap().is_ok());
    world.pass(0);
    let id = second + 1;
    world.log_in(id, 60_000);
    let said = world.outgoing();
    assert_eq!(said.len(), 3);
    assert_eq!(said[2], &b"request"[..]);
    assert!(two.try_recv().is_err());
    world.answer(second);
    assert!(two.try_recv().unwrap().is_ok());
    // And so on.
    assert_eq!(world.pass(53), Some(world.now + Duration::from_secs(1)));
    world.pass(1);
    assert!(matches!(world.pipeline.take_errand(), Some(Errand::LogIn)));
}

#[test]
fn a_renewal_that_is_refused_fails_what_waits_for_it() {
    let mut world = World::logged_in(1_000);
    world.pass(1);
    assert!(matches!(world.pipeline.take_errand(), Some(Errand::LogIn)));
    let (_, mut held) = world.send(30);
    world.pipeline.handle_found(Err("there is no token".to_owned()), world.now);
    assert_eq!(held.try_recv().unwrap(), Err(Failure::Refused("there is no token".to_owned())));
    assert!(world.pipeline.is_closed());
}

#[test]
fn a_renewal_is_not_waited_for_for_ever() {
    let mut world = World::logged_in(1_000);
    world.pass(1);
    assert!(world.pipeline.take_errand().is_some());
    let (_, mut held) = world.send(30);
    world.pass(10);
    assert_eq!(held.try_recv().unwrap(), Err(Failure::TimedOut));
}

#[test]
fn a_held_request_keeps_its_deadline() {
    let mut world = World::logged_in(1_000);
    world.pass(1);
    assert!(world.pipeline.take_errand().is_some());
    let (_, mut held) = world.send(2);
    world.pass(2);
    assert_eq!(held.try_recv().unwrap(), Err(Failure::TimedOut));
}

#[test]
fn a_frame_before_it_is_known_who_sends_it_is_small() {
    let mut world = World::with_mechanism(Some("PLAIN"));
    world.pipeline.setup.frame_bytes_max = 100 << 20;
    world.pipeline.handle_connected(world.now);
    world.receive(&(HANDSHAKE_BYTES_MAX as i32 + 1).to_be_bytes());
    assert!(matches!(world.pipeline.failure(), Some(Failure::Misbehaved(_))));
}

#[test]
fn who_speaks_tls_to_us_is_told_apart_from_garbage() {
    for (bytes, is_tls) in [(&b"\x15\x03\x03\x00\x02\x02\x50"[..], true), (b"HTTP/1.1 400", false)] {
        let mut world = World::new();
        world.pipeline.handle_connected(world.now);
        world.receive(bytes);
        let failure = world.pipeline.failure().unwrap();
        assert_eq!(
            matches!(&failure, Failure::Refused(reason) if reason.contains("SSL or SASL_SSL")),
            is_tls,
            "{failure:?}"
        );
    }
}

#[test]
fn a_request_without_an_answer_is_done_once_all_of_it_is_written() {
    let mut world = World::ready();
    world.write();
    let ((_, mut first), (_, mut second)) = (world.tell(b"first"), world.tell(b"second"));
    assert_eq!(world.outgoing().len(), 2);
    world.pipeline.handle_written(4);
    assert!(first.try_recv().is_err());
    world.pipeline.handle_written(1);
    assert_eq!(first.try_recv().unwrap(), Ok(Bytes::new()));
    world.pipeline.handle_written(5);
    assert!(second.try_recv().is_err());
    // What is not written in time has failed.
    world.now += Duration::from_secs(1);
    assert_eq!(world.pipeline.poll(world.now), None);
    assert_eq!(second.try_recv().unwrap(), Err(Failure::TimedOut));
}

#[test]
fn a_request_without_an_answer_waits_for_the_session_to_be_renewed() {
    let mut world = World::logged_in(60_000);
    world.write();
    world.pass(54);
    let (id, mut told) = world.tell(b"told");
    world.write();
    assert!(told.try_recv().is_err());
    world.log_in(id, 60_000);
    assert!(told.try_recv().is_err());
    world.write();
    assert_eq!(told.try_recv().unwrap(), Ok(Bytes::new()));
}
