//! Writes the valid seeds of the fuzz target `frames`: every message in its oldest and its newest version.

use std::fs;
use std::path::Path;

use super::super::generate::{self, Shape};
use super::{Side, every_message};
use crate::api::ApiKey;

#[test]
#[ignore = "writes fuzz/seeds/frames, when the tables have changed"]
fn the_seeds_of_frames_are_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/seeds/frames");
    for (side, message, version) in every_message() {
        if version != message.versions.min && version != message.versions.max {
            continue;
        }
        let api = ApiKey(message.api);
        let mut seed = [api.0.to_be_bytes(), version.to_be_bytes()].concat();
        seed.extend(7_i32.to_be_bytes());
        if side == Side::Request {
            seed.extend(b"\x00\x04seed");
        }
        let header_version = match side {
            Side::Request => api.request_header_version(version).unwrap() - 1,
            Side::Response => api.response_header_version(version).unwrap(),
        };
        if header_version > 0 {
            seed.push(0);
        }
        seed.extend(generate::message(message, version, Shape::Any, 20));
        let side = if side == Side::Request { "request" } else { "response" };
        let name = format!("{}_{side}_v{version}", api.to_string().to_lowercase());
        fs::write(folder.join(name), seed).unwrap();
    }
}
