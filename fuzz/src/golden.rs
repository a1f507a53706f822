//! The messages of `protocol/tests/wire/golden.txt`, which Kafka's own classes have written.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::ApiKey;

/// Name, version, bytes in hex and JSON, a message a line.
const BODIES: &str = include_str!("../../protocol/tests/wire/golden.txt");

/// Which way a message goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// To a broker.
    Request,
    /// From a broker.
    Response,
}

/// The body of a request or a response.
#[derive(Debug)]
pub struct Golden {
    /// Its API.
    pub api: ApiKey,
    /// The version it is written in.
    pub version: i16,
    /// Whether it is the request or the response.
    pub side: Side,
    /// As Kafka writes it.
    pub body: Bytes,
    /// The same, as Kafka's `JsonConverter` writes it.
    pub json: &'static str,
    /// Which of those of its API, version and side.
    pub number: usize,
}

/// A header, without a body.
#[derive(Debug)]
pub struct Header {
    /// `RequestHeader` or `ResponseHeader`.
    pub name: &'static str,
    /// The version of the header.
    pub version: i16,
    /// As Kafka writes it.
    pub body: Bytes,
    /// The same, as Kafka's `JsonConverter` writes it.
    pub json: &'static str,
}

/// Every body, in order of API, version and side.
pub fn all() -> Vec<Golden> {
    let mut all: Vec<Golden> = Vec::new();
    for line in lines() {
        let (name, side) = match (line.name.strip_suffix("Request"), line.name.strip_suffix("Response")) {
            (Some(name), _) => (name, Side::Request),
            (None, Some(name)) => (name, Side::Response),
            (None, None) => continue,
        };
        let known = ApiKey::ALL.iter().find(|api| api.name() == Some(name));
        let api = *known.unwrap_or_else(|| panic!("{name} is no API"));
        let same = |golden: &&Golden| (golden.api, golden.version, golden.side) == (api, line.version, side);
        let number = all.iter().rev().take_while(same).count();
        all.push(Golden { api, version: line.version, side, body: line.body, json: line.json, number });
    }
    all
}

/// Every header.
pub fn headers() -> Vec<Header> {
    lines().filter(|line| line.name.ends_with("Header")).collect()
}

fn lines() -> impl Iterator<Item = Header> {
    BODIES.lines().map(|line| {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().expect("a line of four words");
        let (name, version, hex, json) = (word(), word(), word(), word());
        let version = version.strip_prefix('v').and_then(|version| version.parse().ok()).expect("a version");
        Header { name, version, body: from_hex(hex), json }
    })
}

/// The bytes of digits; `-` for none.
pub(super) fn from_hex(hex: &str) -> Bytes {
    if hex == "-" {
        return Bytes::new();
    }
    let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("two digits");
    (0..hex.len()).step_by(2).map(byte).collect()
}

impl Golden {
    /// A name for it among files.
    pub fn file_name(&self) -> String {
        let side = if self.side == Side::Request { "request" } else { "response" };
        format!("{}_{side}_v{}_{}", self.api, self.version, self.number).to_lowercase()
    }

    /// With a header in front, without a length.
    pub fn frame(&self) -> Bytes {
        self.framed(&self.body)
    }

    /// Other bytes as the body of such a message, with a header in front.
    pub fn framed(&self, body: &[u8]) -> Bytes {
        framed(self.api, self.version, self.side, body)
    }
}

/// A body with a header in front, without a length.
pub fn framed(api: ApiKey, version: i16, side: Side, body: &[u8]) -> Bytes {
    let key = tidemill_protocol::messages::ApiKey::try_from(api.0).expect("an API that is known");
    let mut frame = BytesMut::new();
    let is_flexible = match side {
        Side::Request => {
            frame.put_i16(api.0);
            frame.put_i16(version);
            frame.put_i32(7);
            frame.put_slice(b"\0\x04seed");
            key.request_header_version(version) >= 2
        }
        Side::Response => {
            frame.put_i32(7);
            key.response_header_version(version) >= 1
        }
    };
    if is_flexible {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    frame.freeze()
}

impl fmt::Display for Golden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{} {:?} {}", self.api, self.version, self.side, self.number)
    }
}
