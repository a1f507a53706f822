//! Scripts, their matching and what they do to bytes.

mod error_replies;
mod playing;
mod replies;
mod scripts;

use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::header::encode_request;
use tidemill_protocol::{Request, StrBytes};
use tokio::time::Instant;

use super::{ConnectVerdict, Faults, ReplyPlan, RequestFacts, RequestVerdict};

/// A script that is played, and a clock.
struct World {
    faults: Faults,
    now: Instant,
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "any instant will do to count from")]
    fn new(script: &str, seed: u64) -> Self {
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
    fn read<R: Request>(&self, broker: i32, body: &R, version: i16) -> RequestFacts {
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
