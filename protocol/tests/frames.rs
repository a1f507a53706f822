//! The seeds of the fuzz target `frames`: valid ones are accepted, hostile ones refused, and all that the target holds to
//! be true is true of them. And the structs as they come, empty, in every version.

use std::fs;
use std::path::Path;

use tidemill_protocol::header::{RequestHeader, read_request_header};
use tidemill_protocol::header::{decode_request, decode_response, encode_request, encode_response};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Message, Request};

#[macro_use]
#[path = "../../fuzz/src/frames.rs"]
mod frames;

#[test]
fn every_seed_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/frames");
    let (mut valid, mut hostile) = (0, 0);
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let accepted = frames::run(&fs::read(&path).unwrap());
        if name.starts_with("hostile") {
            assert!(!accepted.request && !accepted.response, "{name}: {accepted:?}");
            hostile += 1;
        } else {
            let as_named = if name.contains("_request_") { accepted.request } else { accepted.response };
            assert!(as_named, "{name}: {accepted:?}");
            valid += 1;
        }
    }
    assert!(valid > 250 && hostile > 10, "{valid} valid and {hostile} hostile seeds");
}

#[test]
fn structs_of_defaults_are_accepted_in_every_version() {
    for api in ApiKey::ALL {
        assert!(with_request!(api, defaults()), "{api}");
    }
}

fn defaults<R: Request + Default>() -> bool
where
    R::Response: Default,
{
    let versions = ApiKey(R::KEY).versions().expect("an API of the list");
    assert_eq!((versions.min, versions.max), (R::VERSIONS.min, R::VERSIONS.max));
    // The response's struct may know one more: only the request is marked as unstable.
    let responses = <R::Response as Message>::VERSIONS;
    assert!(responses.min == versions.min && responses.max >= versions.max, "{responses}");
    for version in versions.min..=versions.max {
        let mut frame = encode_request(&R::default(), version, 7, None).expect("defaults can be written").slice(4..);
        let RequestHeader { api_key, api_version, correlation_id, .. } =
            read_request_header(&mut frame).expect("a header");
        assert_eq!((api_key, api_version, correlation_id), (ApiKey(R::KEY), version, 7));
        decode_request::<R>(version, frame).expect("defaults can be read");
        let frame =
            encode_response::<R>(&R::Response::default(), version, 7).expect("defaults can be written").slice(4..);
        decode_response::<R>(version, frame).expect("defaults can be read");
    }
    true
}
