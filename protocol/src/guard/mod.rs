//! Checks a frame against Kafka's own schema before any struct is built.
//!
//! The message structs come from the `kafka-protocol` crate. Its decoders believe what they read: a count of 2^31 is
//! allocated before the first element is looked at, and four bytes are enough to end the process. So nothing reaches them
//! that this module has not walked first. [`header`](crate::header) calls it between splitting a frame and building a
//! struct. What it refuses:
//!
//! - counts and lengths that the bytes left cannot hold, negative lengths, null where the field may not be null;
//! - varints of more bits than 32, or in more bytes than they need;
//! - tagged fields (KIP-482) out of order, repeated, of a number above 2^31 - 1 or not of the size they say;
//! - strings that are not UTF-8 or longer than Kafka reads;
//! - bytes behind the last field, but where a request is taken from them as Kafka does (`header::take_request`);
//! - messages whose structs would take more memory than the [`Budget`].
//!
//! # Files
//!
//! - `schema`: what a row of the tables says
//! - `tables`: the rows, generated from the schemas of Kafka by `protocol/schemagen`
//! - `cursor`: reads lengths and varints
//! - `check`: the walk
//! - `plan`: the walk of good messages, in fewer steps
//! - `steps`: the same walk, step by step, for a message that is read by hand
//! - `describe`: the same walk, printed for humans
//! - `compose`: bodies made along the tables, with the feature `compose`
//!
//! The structs' decoders accept some of what it refuses, and are wrong there: [`behind`](crate::behind) says how.

mod check;
#[cfg(any(test, feature = "compose"))]
mod compose;
mod cursor;
mod describe;
mod plan;
mod schema;
mod steps;
#[rustfmt::skip]
mod tables;
#[cfg(test)]
pub(crate) mod generate;
#[cfg(test)]
mod tests;

use crate::api::{ApiKey, VersionRange};
use crate::error::DecodeError;
#[cfg(feature = "compose")]
pub use compose::{Fields, compose_request};
pub use describe::{describe_request, describe_response};
use schema::Message;
pub(crate) use steps::{Row, Walk, Walked, behind_tags, read_response};

/// How much memory the structs of one message may take, beside the frame that they share.
///
/// A short frame can name many small things: an empty string takes one byte on the wire and 32 in memory. The messages
/// that Kafka's clients and brokers exchange take two to eight times their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    bytes_min: usize,
    times_frame: usize,
}

impl Budget {
    /// What every message may take, however short: 1 MiB unless set.
    #[must_use]
    pub const fn bytes_min(self, bytes: usize) -> Self {
        Self { bytes_min: bytes, ..self }
    }

    /// How many times its own size a message may take: 16 unless set.
    #[must_use]
    pub const fn times_frame(self, times: usize) -> Self {
        Self { times_frame: times, ..self }
    }

    /// What a frame of `frame_bytes` may take.
    const fn bytes_for(self, frame_bytes: usize) -> usize {
        let proportional = frame_bytes.saturating_mul(self.times_frame);
        if proportional > self.bytes_min { proportional } else { self.bytes_min }
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes_min: 1024 * 1024, times_frame: 16 }
    }
}

/// Checks the body of a request; all of it must be used. Offsets count from the body's first byte.
///
/// # Errors
/// When the bytes are not a request of this API in this version, or it would take more memory than the budget.
///
/// ```
/// use tidemill_protocol::{ApiKey, guard};
/// // Metadata v0: an array of 2^31 - 1 topics, and no bytes of them.
/// let error = guard::check_request(ApiKey::METADATA, 0, &[0x7f, 0xff, 0xff, 0xff], guard::Budget::default()).unwrap_err();
/// assert_eq!((error.field.as_str(), error.offset), ("topics", 0));
/// ```
pub fn check_request(api: ApiKey, version: i16, body: &[u8], budget: Budget) -> Result<(), DecodeError> {
    request_end(api, version, body, budget)
        .and_then(|end| consumed(end, body.len()).map_err(|error| error.in_message(api, version)))
}

/// Checks the request that `body` begins with and returns where it ends, whatever follows.
///
/// # Errors
/// As [`check_request`], but for bytes behind the last field.
pub fn request_end(api: ApiKey, version: i16, body: &[u8], budget: Budget) -> Result<usize, DecodeError> {
    let message = find(tables::REQUESTS, api, version)?;
    check::walk(message, version, body, 0, budget).map_err(|error| error.in_message(api, version))
}

/// Checks a whole response frame (without its length), header and body; all of it must be used. Returns where the body
/// begins. Offsets count from the frame's first byte.
///
/// # Errors
/// As [`check_request`].
pub fn check_response(api: ApiKey, version: i16, frame: &[u8], budget: Budget) -> Result<usize, DecodeError> {
    let message = find(tables::RESPONSES, api, version)?;
    let header_version = api.response_header_version(version).unwrap_or(0);
    let walked = check::walk(&tables::RESPONSE_HEADER, header_version, frame, 0, budget).and_then(|start| {
        check::walk(message, version, frame, start, budget).and_then(|end| consumed(end, frame.len())).map(|()| start)
    });
    walked.map_err(|error| error.in_message(api, version))
}

/// Checks the header of a request frame and returns where the body begins.
pub(crate) fn check_request_header(header_version: i16, frame: &[u8]) -> Result<usize, DecodeError> {
    check::walk(&tables::REQUEST_HEADER, header_version, frame, 0, Budget::default())
}

/// The versions of an API that have tables, and so a struct.
pub(crate) fn versions(api: ApiKey) -> Option<VersionRange> {
    row(tables::REQUESTS, api).map(|message| message.versions)
}

fn row(messages: &'static [Message], api: ApiKey) -> Option<&'static Message> {
    let index = messages.binary_search_by_key(&api.0, |message| message.api).ok()?;
    messages.get(index)
}

fn find(messages: &'static [Message], api: ApiKey, version: i16) -> Result<&'static Message, DecodeError> {
    row(messages, api)
        .filter(|message| message.versions.contains(version))
        .ok_or_else(|| DecodeError::new(0, "a version that is not known").in_message(api, version))
}

/// A body that is longer than its fields is of another version than it says.
fn consumed(end: usize, length: usize) -> Result<(), DecodeError> {
    match length.saturating_sub(end) {
        0 => Ok(()),
        rest => Err(DecodeError::new(end, format!("{rest} bytes behind the last field"))),
    }
}
