//! Messages as Kafka writes them, with a few [changes](super::changes): most of what the guard has to tell from a good
//! message is one byte away from it, where bytes that are only random never come.
//!
//! Two bytes choose the message, the rest says what is changed. What must hold is in [`messages`](super::messages), and
//! what is accepted can be described.

use std::sync::OnceLock;

use arbitrary::Unstructured;
use bytes::Bytes;
use tidemill_protocol::messages::*;
use tidemill_protocol::{Request, guard};

use super::changes::change;
use super::golden::{self, Golden, Side};
use super::messages::{request, response};
use super::{Peak, Seed};

/// Whether the message is still accepted.
pub fn run(bytes: &[u8], peak: Peak) -> bool {
    let Some((choice, changes)) = bytes.split_first_chunk::<2>() else { return false };
    let goldens = goldens();
    let golden = &goldens[usize::from(u16::from_be_bytes(*choice)) % goldens.len()];
    let mut body = golden.body.to_vec();
    if change(&mut body, &mut Unstructured::new(changes)).is_err() {
        return false;
    }
    let (api, version) = (golden.api, golden.version);
    let frame = golden.framed(&body);
    let (accepted, described) = match golden.side {
        Side::Request => {
            let accepted = with_request!(api, request(version, Bytes::from(body), peak));
            (accepted, guard::describe_request(&frame))
        }
        Side::Response => {
            let accepted = with_request!(api, response(version, frame.clone(), peak));
            (accepted, guard::describe_response(api, version, &frame))
        }
    };
    assert_eq!(described.is_ok(), accepted);
    accepted
}

/// Every golden message, unchanged.
pub fn seeds() -> Vec<Seed> {
    let seed = |(index, golden): (usize, &Golden)| {
        let choice = u16::try_from(index).expect("some thousand messages");
        (golden.file_name(), choice.to_be_bytes().to_vec())
    };
    goldens().iter().enumerate().map(seed).collect()
}

fn goldens() -> &'static [Golden] {
    static GOLDENS: OnceLock<Vec<Golden>> = OnceLock::new();
    GOLDENS.get_or_init(golden::all)
}
