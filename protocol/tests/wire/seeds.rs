//! The seeds of the fuzz targets: valid ones are accepted, hostile ones refused, and all that a target holds to be true is
//! true of them. And the structs as they come, empty, in every version.

use std::fs;
use std::path::Path;

use tidemill_protocol::header::{RequestHeader, read_request_header};
use tidemill_protocol::header::{decode_request, decode_response, encode_request, encode_response};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Message, Request};

use crate::targets::{self, Seed};

/// Counting takes an allocator with `unsafe` in it: done in `fuzz/tests`.
fn uncounted(run: &mut dyn FnMut()) -> usize {
    run();
    0
}

/// The hostile inputs of a target, and what a fuzzer has found.
fn files(target: &str) -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let read = |path: &Path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path())).collect()
}

#[test]
fn every_target_has_seeds() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml")).unwrap();
    let bins: Vec<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|bin| bin.split('"').next()).collect();
    let seeds = targets::seeds();
    assert_eq!(bins, seeds.iter().map(|(target, _)| *target).collect::<Vec<_>>());
    assert!(seeds.iter().all(|(_, seeds)| seeds.len() >= 9));
}

#[test]
fn frames() {
    for (name, seed) in targets::frames::seeds() {
        let accepted = targets::frames::run(&seed, uncounted);
        assert!(if name.contains("_request_") { accepted.request } else { accepted.response }, "{name}: {accepted:?}");
    }
    for (name, seed) in files("frames") {
        let accepted = targets::frames::run(&seed, uncounted);
        assert!(!accepted.request && !accepted.response, "{name}: {accepted:?}");
    }
}

#[test]
fn bodies_and_their_descriptions() {
    for (name, seed) in targets::bodies::seeds() {
        assert!(targets::bodies::run(&seed, uncounted), "{name}");
        assert!(targets::describe::run(&seed), "{name}");
    }
}

#[test]
fn records() {
    for (name, seed) in targets::records::seeds() {
        let count = if name.ends_with("many") { 60 } else { usize::from(name.ends_with("one")) };
        assert_eq!(targets::records::run(&seed, uncounted), count, "{name}");
    }
}

/// Any bytes at all can be a batch put together from parts.
#[test]
fn records_put_together_from_any_bytes() {
    let mut random = 7_u64;
    let mut read = 0;
    for length in 0..2_000 {
        let mut seed = vec![1];
        for _ in 0..length {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            seed.push(random.to_be_bytes()[0]);
        }
        read += targets::records::run(&seed, uncounted);
    }
    assert!(read > 100, "{read} records");
}

#[test]
fn compressions() {
    for (name, seed) in targets::compression::seeds() {
        assert!(targets::compression::run(&seed, uncounted) || name.ends_with("_empty"), "{name}");
    }
    for (name, seed) in files("compression") {
        assert!(!targets::compression::run(&seed, uncounted), "{name}");
    }
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
