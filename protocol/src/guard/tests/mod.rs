//! The guard against the structs' own decoders, for every API in every version; hostile inputs are in [`hostile`].

mod hostile;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiKey as TheirKey, RequestKind, ResponseKind};
use proptest::prelude::*;

use super::generate::{self, Random, Shape};
use super::schema::{Field, Kind, Message, Struct};
use super::tables::{REQUEST_HEADER, REQUESTS, RESPONSE_HEADER, RESPONSES, STRUCTS};
use super::{Budget, check, consumed};
use crate::api::ApiKey;
use crate::error::DecodeError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Request,
    Response,
}

/// Every message in every version.
fn every_message() -> impl Iterator<Item = (Side, &'static Message, i16)> {
    let requests = REQUESTS.iter().map(|message| (Side::Request, message));
    let responses = RESPONSES.iter().map(|message| (Side::Response, message));
    let versions = |message: &Message| message.versions.min..=message.versions.max;
    requests.chain(responses).flat_map(move |(side, message)| versions(message).map(move |v| (side, message, v)))
}

/// A body alone, of either side. What the plan says of it and what the rows say is the same, down to the memory.
fn checked(message: &Message, version: i16, body: &[u8]) -> Result<(), DecodeError> {
    let (by_plan, left_by_plan) = check::follow(message, version, body, 0, Budget::default());
    let (by_rows, left_by_rows) = check::walk_rows(message, version, body, 0, Budget::default());
    assert_eq!(by_plan, by_rows.as_ref().ok().copied(), "{} v{version} {body:02x?}", message.api);
    assert!(by_plan.is_none() || left_by_plan == left_by_rows, "{} v{version} {body:02x?}", message.api);
    check::walk(message, version, body, 0, Budget::default()).and_then(|end| consumed(end, body.len()))
}

/// Decodes without the guard and encodes again.
fn by_structs(side: Side, message: &Message, version: i16, body: &[u8]) -> Result<(String, Bytes), String> {
    let api = TheirKey::try_from(message.api).unwrap();
    let mut rest = Bytes::copy_from_slice(body);
    let mut again = BytesMut::new();
    let read = match side {
        Side::Request => RequestKind::decode(api, &mut rest, version)
            .and_then(|decoded| decoded.encode(&mut again, version).map(|()| format!("{decoded:?}"))),
        Side::Response => ResponseKind::decode(api, &mut rest, version)
            .and_then(|decoded| decoded.encode(&mut again, version).map(|()| format!("{decoded:?}"))),
    };
    let read = read.map_err(|error| error.to_string())?;
    if !rest.is_empty() {
        return Err(format!("{} bytes left", rest.len()));
    }
    Ok((read, again.freeze()))
}

/// The tags that the structs kept without knowing them.
fn unknown_tags(read: &str) -> Vec<u32> {
    let maps = read.split("unknown_tagged_fields: {").skip(1);
    maps.filter_map(|rest| rest.split(':').next().and_then(|tag| tag.parse().ok())).collect()
}

#[test]
fn the_tables_are_whole() {
    let apis: Vec<i16> = ApiKey::ALL.iter().map(|api| api.0).collect();
    assert_eq!(REQUESTS.iter().map(|message| message.api).collect::<Vec<_>>(), apis);
    assert_eq!(RESPONSES.iter().map(|message| message.api).collect::<Vec<_>>(), apis);
    for (request, response) in REQUESTS.iter().zip(RESPONSES) {
        assert_eq!(request.versions, response.versions, "API {}", request.api);
    }
}

#[test]
fn a_walk_ends_since_structs_hold_only_structs_of_lower_numbers() {
    fn depth(structure: &Struct) -> usize {
        let inner = |field: &Field| {
            if let Kind::Struct(number) = field.kind { depth(&STRUCTS[usize::from(number)]) } else { 0 }
        };
        1 + structure.fields.iter().map(inner).max().unwrap_or(0)
    }
    for (number, structure) in STRUCTS.iter().enumerate() {
        for field in structure.fields {
            if let Kind::Struct(inner) = field.kind {
                assert!(usize::from(inner) < number, "{}", field.name);
            }
        }
        assert!(depth(structure) <= 6);
        assert!(structure.least.is_sorted());
    }
    for message in REQUESTS.iter().chain(RESPONSES).chain([&REQUEST_HEADER, &RESPONSE_HEADER]) {
        assert!(usize::from(message.body) < STRUCTS.len());
    }
}

/// So a count is never held against more bytes than its elements take.
#[test]
fn the_least_message_is_as_long_as_the_tables_say() {
    for (side, message, version) in every_message() {
        let body = generate::message(message, version, Shape::Least, 0);
        let least = STRUCTS[usize::from(message.body)].least_bytes(version);
        assert_eq!(body.len(), least, "{side:?} {} v{version}", ApiKey(message.api));
        assert_eq!(checked(message, version, &body), Ok(()));
    }
}

/// So an array is bounded by the bytes behind its count.
#[test]
fn no_element_of_an_array_takes_no_bytes() {
    for message in REQUESTS.iter().chain(RESPONSES) {
        for version in message.versions.min..=message.versions.max {
            let mut open = vec![&STRUCTS[usize::from(message.body)]];
            while let Some(structure) = open.pop() {
                for field in structure.fields.iter().filter(|field| field.versions.contains(version)) {
                    if let Kind::Struct(number) = field.kind {
                        let inner = &STRUCTS[usize::from(number)];
                        assert!(!field.is_array || inner.least_bytes(version) > 0, "{}", field.name);
                        open.push(inner);
                    }
                }
            }
        }
    }
}

#[test]
fn headers_are_flexible_when_the_tables_say_so() {
    for (side, message, version) in every_message() {
        let api = ApiKey(message.api);
        let is_flexible = version >= message.flexible;
        match side {
            Side::Request => assert_eq!(api.request_header_version(version), Some(1 + i16::from(is_flexible))),
            // A client must be able to read the answer before it knows which versions the broker speaks.
            Side::Response if api == ApiKey::API_VERSIONS => assert_eq!(api.response_header_version(version), Some(0)),
            Side::Response => assert_eq!(api.response_header_version(version), Some(i16::from(is_flexible)), "{api}"),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// The strong one: what the tables write, the guard accepts, and the structs read and write to the same bytes.
    #[test]
    fn guard_and_structs_read_the_same_messages(seed: u64) {
        for (side, message, version) in every_message() {
            let api = ApiKey(message.api);
            let body = generate::message(message, version, Shape::Any, seed);
            prop_assert_eq!(checked(message, version, &body), Ok(()), "{:?} {} v{} {:02x?}", side, api, version, body);
            match by_structs(side, message, version, &body) {
                Ok((read, again)) => {
                    prop_assert_eq!(&again[..], &body[..], "{:?} {} v{}", side, api, version);
                    prop_assert!(unknown_tags(&read).iter().all(|tag| *tag >= generate::UNKNOWN_TAG_MIN), "{read}");
                }
                Err(error) => prop_assert!(false, "{side:?} {api} v{version}: {error}: {body:02x?}"),
            }
        }
    }

    #[test]
    fn a_message_cut_short_is_refused(seed: u64) {
        for (side, message, version) in every_message() {
            let body = generate::message(message, version, Shape::Any, seed);
            let cut = Random(seed).below(body.len().max(1));
            if cut < body.len() {
                prop_assert!(checked(message, version, &body[..cut]).is_err(), "{side:?} {} v{version}", message.api);
            }
        }
    }

    /// Whatever the guard accepts, the structs read, and what they write they read as the same.
    #[test]
    fn bytes_that_were_changed_are_refused_or_read(seed: u64, changes in 1..4_usize) {
        let mut random = Random(seed);
        for (side, message, version) in every_message() {
            let mut body = generate::message(message, version, Shape::Any, seed);
            for _ in 0..changes {
                if body.is_empty() {
                    continue;
                }
                let at = random.below(body.len());
                body[at] = match random.below(3) {
                    0 => body[at] ^ (1 << random.below(8)),
                    1 => random.below(256) as u8,
                    _ => [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
                };
            }
            if checked(message, version, &body).is_ok() {
                let api = ApiKey(message.api);
                let read = by_structs(side, message, version, &body);
                prop_assert!(read.is_ok(), "{side:?} {api} v{version}: {read:?}: {body:02x?}");
                let (read, again) = read.unwrap();
                prop_assert_eq!(checked(message, version, &again), Ok(()), "{:?} {} v{}", side, api, version);
                prop_assert_eq!(by_structs(side, message, version, &again), Ok((read, again)));
            }
        }
    }
}
