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

/// Targets that need a cluster: the testkit replays their seeds, as the protocol does not know it.
const OF_CLUSTER: [&str; 1] = ["requests"];

/// The hostile inputs of a target, and what a fuzzer has found.
fn files(target: &str) -> Vec<Seed> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds").join(target);
    let read = |path: &Path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(path).unwrap());
    fs::read_dir(folder).unwrap().map(|entry| read(&entry.unwrap().path())).collect()
}

#[test]
fn every_target_has_seeds_and_a_line_in_the_readme() {
    let manifest = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/Cargo.toml")).unwrap();
    let bins: Vec<&str> =
        manifest.split("[[bin]]\nname = \"").skip(1).filter_map(|bin| bin.split('"').next()).collect();
    let (of_cluster, of_protocol): (Vec<&str>, Vec<&str>) = bins.iter().partition(|name| OF_CLUSTER.contains(name));
    assert_eq!(of_protocol, targets::TARGETS.map(|target| target.name));
    assert_eq!(of_cluster, OF_CLUSTER);
    assert!(targets::TARGETS.iter().all(|target| (target.seeds)().len() >= 9));
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: Vec<&str> = rows.filter(|name| bins.contains(name)).collect();
    assert_eq!(rows, bins, "the README lists them all");
}

/// What a fuzzer has found, in whichever target.
#[test]
fn files_of_every_target() {
    let folders = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds")).unwrap();
    let mut folders: Vec<String> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    for target in targets::TARGETS {
        if let Some(at) = folders.iter().position(|folder| folder == target.name) {
            folders.swap_remove(at);
            for (_, seed) in files(target.name) {
                (target.run)(&seed, uncounted);
            }
        }
    }
    folders.retain(|folder| !OF_CLUSTER.contains(&folder.as_str()));
    assert!(folders.is_empty(), "seeds of no target: {folders:?}");
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
fn messages_with_changes() {
    for (name, seed) in targets::changed::seeds() {
        assert!(targets::changed::run(&seed, uncounted), "{name}, unchanged");
    }
    let changed = |seed: u64| {
        let changes = noise(seed, 40);
        targets::changed::run(&changes, uncounted)
    };
    let accepted = (0..2_000).filter(|seed| changed(*seed)).count();
    assert!((200..1_800).contains(&accepted), "{accepted} of 2000 accepted");
}

#[test]
fn produce_on_both_roads() {
    for (name, seed) in targets::produce::seeds() {
        // What it cannot say is neighbours of one topic, topics without partitions and unknown tags.
        let is_written = targets::produce::run(&seed, uncounted);
        assert!(is_written || !name.ends_with("_0"), "{name}");
    }
    let written = (0..2_000).filter(|seed| targets::produce::run(&noise(*seed, 300), uncounted)).count();
    assert!(written > 500, "{written} of 2000 written");
}

#[test]
fn fetch_on_both_roads() {
    for (name, seed) in targets::fetch::seeds() {
        assert!(targets::fetch::run(&seed, uncounted), "{name}");
    }
    let read = (0..2_000).filter(|seed| targets::fetch::run(&noise(*seed, 600), uncounted)).count();
    assert!(read > 200, "{read} of 2000 read");
}

#[test]
fn legacy() {
    let read = targets::legacy::seeds().iter().filter(|(_, seed)| targets::legacy::run(seed, uncounted) > 0).count();
    assert!(read >= 8, "{read} of the seeds are read");
    let choose = |seed| [&[2, 0, 0][..], &noise(seed, 400)].concat();
    let read: usize = (0..2_000).map(|seed| targets::legacy::run(&choose(seed), uncounted)).sum();
    assert!(read > 2_000, "{read} records");
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
    let choose = |length: usize| [&[1][..], &noise(7, length)].concat();
    let read: usize = (0..2_000).map(|length| targets::records::run(&choose(length), uncounted)).sum();
    assert!(read > 100, "{read} records");
}

/// As many bytes of a seed.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut next = || {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        random.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn compressions() {
    for (name, seed) in targets::compression::seeds() {
        let may_be_refused = name.ends_with("_empty") || name.ends_with("_to_compress");
        assert!(targets::compression::run(&seed, uncounted) || may_be_refused, "{name}");
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
