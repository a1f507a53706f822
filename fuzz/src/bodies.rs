//! A request or response of any API and version, behind a header that is right: two bytes choose which, the rest is its
//! body.

use std::sync::OnceLock;

use bytes::Bytes;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request};

use super::golden::{self, Side};
use super::messages::{request, response};
use super::{Peak, Seed};

/// Whether the body was accepted. What must hold is in [`messages`](super::messages).
pub fn run(bytes: &[u8], peak: Peak) -> bool {
    let Some((api, version, side, body)) = choose(bytes) else { return false };
    match side {
        Side::Request => with_request!(api, request(version, Bytes::copy_from_slice(body), peak)),
        Side::Response => {
            with_request!(api, response(version, golden::framed(api, version, side, body), peak))
        }
    }
}

/// Which message the bytes are, and the bytes behind the choice.
pub(super) fn choose(bytes: &[u8]) -> Option<(ApiKey, i16, Side, &[u8])> {
    let (choice, body) = bytes.split_first_chunk::<2>()?;
    let messages = messages();
    let (api, version, side) = messages[usize::from(u16::from_be_bytes(*choice)) % messages.len()];
    Some((api, version, side, body))
}

/// Every golden body behind its choice.
pub fn seeds() -> Vec<Seed> {
    let seed = |golden: golden::Golden| {
        let wanted = (golden.api, golden.version, golden.side);
        let choice = messages().iter().position(|message| *message == wanted).expect("a message that is known");
        let choice = u16::try_from(choice).expect("some hundred messages");
        (golden.file_name(), [&choice.to_be_bytes()[..], &golden.body[..]].concat())
    };
    golden::all().into_iter().map(seed).collect()
}

fn messages() -> &'static [(ApiKey, i16, Side)] {
    static MESSAGES: OnceLock<Vec<(ApiKey, i16, Side)>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let versions = |api: &ApiKey| {
            let (api, range) = (*api, api.versions().expect("an API of the list"));
            (range.min..=range.max).map(move |version| (api, version))
        };
        let sides = |(api, version)| [(api, version, Side::Request), (api, version, Side::Response)];
        ApiKey::ALL.iter().flat_map(versions).flat_map(sides).collect()
    })
}
