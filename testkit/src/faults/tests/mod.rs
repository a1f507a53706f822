//! Scripts, their matching and what they do to bytes.

mod error_replies;
mod playing;
mod replies;
mod scripts;

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::header::encode_request;
use tidemill_protocol::{ApiKey, Request, StrBytes};
use tokio::time::Instant;

use super::{ConnectVerdict, Faults, ReplyPlan, RequestFacts, RequestVerdict};

/// A script that is played, and a clock.
pub(super) struct World {
    faults: Faults,
    now: Instant,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
    pub(super) fn new(script: &str, seed: u64) -> Self {
        let now = Instant::now();
        Self { faults: Faults::new(script.parse().unwrap_or_else(|error| panic!("{error}")), seed, now), now }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn connect(&mut self, connection: u64, broker: i32) -> ConnectVerdict {
        self.faults.on_connect(connection, broker, "/127.0.0.1", self.now)
    }

    /// A request of client `a`, on the connection of the broker's number.
    pub(super) fn read<R: Request>(&self, broker: i32, body: &R, version: i16) -> RequestFacts {
        let frame = encode_request(body, version, 7, Some(&StrBytes::from_static_str("a"))).unwrap();
        self.faults.read(u64::try_from(broker).unwrap(), broker, &frame.slice(4..)).unwrap()
    }

    fn ask(&mut self, facts: &RequestFacts) -> RequestVerdict {
        self.faults.on_request(facts, self.now)
    }

    fn reply(&mut self, facts: &RequestFacts, frame: &Bytes) -> ReplyPlan {
        self.faults.on_reply(facts, frame.clone(), self.now)
    }

    fn fired(&self) -> Vec<u64> {
        self.faults.fired().map(|(_, fired)| fired).collect()
    }
}

/// Responses as Kafka's own classes have written them: frames, with their length.
pub(super) fn golden_responses() -> Vec<(ApiKey, i16, Bytes)> {
    let text = std::fs::read_to_string(error_replies::GOLDEN).unwrap();
    let mut responses = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let Some(name) = words[0].strip_suffix("Response") else { continue };
        let api = *ApiKey::ALL.iter().find(|api| api.name() == Some(name)).unwrap();
        let version = words[1][1..].parse().unwrap();
        let body = error_replies::from_hex(words[2].trim_start_matches('-'));
        let key = tidemill_protocol::messages::ApiKey::try_from(api.0).unwrap();
        let header: &[u8] = if key.response_header_version(version) >= 1 { &[0, 0, 0, 7, 0] } else { &[0, 0, 0, 7] };
        let length = u32::try_from(header.len() + body.len()).unwrap().to_be_bytes();
        responses.push((api, version, [&length[..], header, &body].concat().into()));
    }
    responses
}
