//! Bytes as a request frame, and as the response to a request of the API and version in their first four bytes.
//!
//! What must hold: nothing panics and nothing is allocated out of proportion; guard and decoder agree; what was read can
//! be written, and reads as the same; what is accepted can be described.

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::frame::take_frame;
use tidemill_protocol::guard;
use tidemill_protocol::header::read_request_header;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request};

use super::golden::{self, Side};
use super::messages::{request, response};
use super::{Peak, Seed};

/// As what the bytes were accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Accepted {
    /// A request.
    pub request: bool,
    /// A response.
    pub response: bool,
}

/// The frames that bytes hold by their own lengths are no longer than this.
const FRAME_BYTES_MAX: usize = 1 << 20;

/// Both, and as a stream of frames.
pub fn run(bytes: &[u8], peak: Peak) -> Accepted {
    stream(bytes, peak);
    let mut framed = BytesMut::new();
    framed.put_u32(u32::try_from(bytes.len()).expect("a fuzzer's input is short"));
    framed.put_slice(bytes);
    let frame = take_frame(&mut framed, bytes.len()).expect("the length is true").expect("the frame is whole");
    assert_eq!(frame, bytes);
    Accepted { request: as_request(frame.clone(), peak), response: as_response(&frame, peak) }
}

/// Whether they are a request or a response.
pub fn accepts(bytes: &[u8], peak: Peak) -> bool {
    let Accepted { request, response } = run(bytes, peak);
    request || response
}

/// As a stream whose lengths may lie: what is taken was there.
fn stream(bytes: &[u8], peak: Peak) {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(frame)) = take_frame(&mut stream, FRAME_BYTES_MAX) {
        assert!(frame.len() <= FRAME_BYTES_MAX && frame.len() + stream.len() + 4 <= bytes.len());
        as_request(frame, peak);
    }
}

fn as_request(frame: Bytes, peak: Peak) -> bool {
    let mut body = frame.clone();
    let accepted = match read_request_header(&mut body) {
        Ok(header) => with_request!(header.api_key, request(header.api_version, body, peak)),
        Err(_) => false,
    };
    assert_eq!(guard::describe_request(&frame).is_ok(), accepted);
    accepted
}

fn as_response(bytes: &Bytes, peak: Peak) -> bool {
    let Some(([api_high, api_low, version_high, version_low], _)) = bytes.split_first_chunk::<4>() else {
        return false;
    };
    let api = ApiKey(i16::from_be_bytes([*api_high, *api_low]));
    let version = i16::from_be_bytes([*version_high, *version_low]);
    let frame = bytes.slice(4..);
    let accepted = with_request!(api, response(version, frame.clone(), peak));
    assert_eq!(guard::describe_response(api, version, &frame).is_ok(), accepted);
    accepted
}

/// Every golden message as a request frame, or as a response frame behind API and version.
pub fn seeds() -> Vec<Seed> {
    let seed = |golden: golden::Golden| {
        let frame = golden.frame();
        let bytes = match golden.side {
            Side::Request => frame.to_vec(),
            Side::Response => [&golden.api.0.to_be_bytes()[..], &golden.version.to_be_bytes()[..], &frame[..]].concat(),
        };
        (golden.file_name(), bytes)
    };
    golden::all().into_iter().map(seed).collect()
}
