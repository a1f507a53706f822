//! Messages that Kafka's own classes have written, two for each API, version and side: the guard accepts each, the structs
//! read it and write the same bytes, and its description says what Kafka's JSON of it says.
//!
//! `golden.txt` holds them, a message a line: name, version, bytes, JSON. `protocol/schemagen` writes it and tests that
//! Kafka still writes the same.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::{decode_request, decode_response, read_correlation_id, read_request_header};
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Decodable, Encodable, Request};

use crate::described;
use crate::targets::describe;
use crate::targets::golden::{self, Golden, Side};

fn json(golden: &Golden) -> Value {
    serde_json::from_str(golden.json).unwrap()
}

#[test]
fn there_are_two_of_each() {
    let golden = golden::all();
    for api in ApiKey::ALL {
        let versions = api.versions().unwrap();
        for version in versions.min..=versions.max {
            for side in [Side::Request, Side::Response] {
                let same = |golden: &&Golden| (golden.api, golden.version, golden.side) == (*api, version, side);
                assert_eq!(golden.iter().filter(same).count(), 2, "{api} v{version} {side:?}");
            }
        }
    }
    let versions = |api: &ApiKey| api.versions().map_or(0, |range| usize::try_from(range.max - range.min + 1).unwrap());
    assert_eq!(golden.len(), 4 * ApiKey::ALL.iter().map(versions).sum::<usize>());
}

#[test]
fn the_structs_read_them_and_write_the_same_bytes() {
    for golden in golden::all() {
        let read = match golden.side {
            Side::Request => with_request!(golden.api, request(&golden)),
            Side::Response => with_request!(golden.api, response(&golden)),
        };
        assert!(read, "{golden}");
    }
}

fn request<R: Request>(golden: &Golden) -> bool {
    let read =
        decode_request::<R>(golden.version, golden.body.clone()).unwrap_or_else(|error| panic!("{golden}: {error}"));
    assert_writes(&read, golden)
}

fn response<R: Request>(golden: &Golden) -> bool {
    let read = decode_response::<R>(golden.version, golden.frame()).unwrap_or_else(|error| panic!("{golden}: {error}"));
    assert_writes(&read, golden)
}

fn assert_writes<M: Encodable>(read: &M, golden: &Golden) -> bool {
    let mut written = BytesMut::new();
    read.encode(&mut written, golden.version).unwrap();
    assert_eq!(written, golden.body, "{golden}");
    assert_eq!(read.compute_size(golden.version).unwrap(), golden.body.len(), "{golden}");
    true
}

#[test]
fn their_descriptions_say_what_their_json_says() {
    for golden in golden::all() {
        let frame = golden.frame();
        let description = match golden.side {
            Side::Request => guard::describe_request(&frame),
            Side::Response => guard::describe_response(golden.api, golden.version, &frame),
        };
        let description = description.unwrap_or_else(|error| panic!("{golden}: {error}"));
        described::assert_says(&describe::read(&description), &json(&golden), &golden.to_string());
    }
}

/// A message cut anywhere is none, nor is one with a byte behind it.
#[test]
fn cut_or_prolonged_they_are_refused() {
    let check = |golden: &Golden, bytes: &[u8]| match golden.side {
        Side::Request => guard::check_request(golden.api, golden.version, bytes, Budget::default()).is_ok(),
        Side::Response => {
            guard::check_response(golden.api, golden.version, &golden.framed(bytes), Budget::default()).is_ok()
        }
    };
    for golden in golden::all() {
        for end in 0..golden.body.len() {
            assert!(!check(&golden, &golden.body[..end]), "{golden} cut to {end} bytes");
        }
        assert!(!check(&golden, &[&golden.body[..], &[0]].concat()), "{golden} and a byte");
    }
}

#[test]
fn headers_are_read_as_kafka_wrote_them() {
    let headers = golden::headers();
    assert_eq!(headers.len(), 8);
    for header in headers {
        let json: Value = serde_json::from_str(header.json).unwrap();
        let mut written = BytesMut::new();
        if header.name == "ResponseHeader" {
            ResponseHeader::decode(&mut header.body.clone(), header.version)
                .unwrap()
                .encode(&mut written, header.version)
                .unwrap();
            assert_eq!(written, header.body);
            assert_eq!(i64::from(read_correlation_id(&header.body).unwrap()), json["correlationId"].as_i64().unwrap());
            continue;
        }
        RequestHeader::decode(&mut header.body.clone(), header.version)
            .unwrap()
            .encode(&mut written, header.version)
            .unwrap();
        assert_eq!(written, header.body);
        // Which header a request has depends on its API and version: those of a request that has this one.
        let mut frame = BytesMut::from(&header.body[..]);
        frame[..2].copy_from_slice(&ApiKey::METADATA.0.to_be_bytes());
        frame[2..4].copy_from_slice(&[0, if header.version == 1 { 8 } else { 9 }]);
        frame.put_slice(b"body");
        let mut frame = frame.freeze();
        let read = read_request_header(&mut frame).unwrap();
        assert_eq!(i64::from(read.correlation_id), json["correlationId"].as_i64().unwrap());
        assert_eq!(read.client_id.as_deref(), json["clientId"].as_str());
        assert_eq!(frame, Bytes::from_static(b"body"));
    }
}
