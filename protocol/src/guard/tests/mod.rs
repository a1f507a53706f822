//! The guard against the structs' own decoders, for every API in every version; hostile inputs are in [`hostile`].

mod hostile;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::{ApiKey as TheirKey, BrokerId, MetadataResponse, RequestKind, ResponseKind, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes};
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

/// A body alone, of either side.
fn checked(message: &Message, version: i16, body: &[u8]) -> Result<(), DecodeError> {
    agreed(message, version, body, Budget::default());
    check::walk(message, version, body, 0, Budget::default()).and_then(|end| consumed(end, body.len()))
}

/// What the plan says of a body and what the rows say is the same, down to the memory.
#[track_caller]
fn agreed(message: &Message, version: i16, body: &[u8], budget: Budget) {
    let (by_plan, left_by_plan) = check::follow(message, version, body, 0, budget);
    let (by_rows, left_by_rows) = check::walk_rows(message, version, body, 0, budget);
    assert_eq!(by_plan, by_rows.as_ref().ok().copied(), "{} v{version} {body:02x?}", message.api);
    assert!(by_plan.is_none() || left_by_plan == left_by_rows, "{} v{version} {body:02x?}", message.api);
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

/// Arrays of numbers whose counts differ from element to element, are null or take two bytes; names of every length, all of
/// ASCII and with one letter that is not, at any place.
#[test]
fn counts_and_names_of_every_length_are_walked_alike() {
    let message = super::find(RESPONSES, ApiKey::METADATA, 12).unwrap();
    for version in [8, 9, 12] {
        let nodes = |count: usize| vec![BrokerId(7); count];
        let partition = |(index, count): (usize, &usize)| {
            let partition = MetadataResponsePartition::default().with_replica_nodes(nodes(*count));
            partition.with_isr_nodes(nodes(count / 2)).with_offline_replicas(nodes(index % 2))
        };
        let partitions: Vec<_> =
            [3, 3, 1, 0, 0, 126, 127, 128, 3, 3, 200, 20_000, 3].iter().enumerate().map(partition).collect();
        let names = (0..70_usize).chain([126, 127, 128, 200]).flat_map(|length| {
            let plain = "x".repeat(length);
            let places = (0..length.saturating_sub(1))
                .map(move |at| format!("{}\u{f6}{}", "x".repeat(at), "x".repeat(length - 2 - at)));
            std::iter::once(plain).chain(places)
        });
        let names: Vec<_> = names.collect();
        let topic = |name: &String| {
            MetadataResponseTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.clone()))))
        };
        let mut topics: Vec<_> = names.iter().map(topic).collect();
        topics.push(topic(&String::new()).with_partitions(partitions));
        let mut body = BytesMut::new();
        MetadataResponse::default().with_topics(topics).encode(&mut body, version).unwrap();
        assert_eq!(checked(message, version, &body), Ok(()));
        agreed(message, version, &body, Budget::default().bytes_min(0).times_frame(1));
        // Half a letter, wherever the letter stands in the name, is none.
        for at in
            body.windows(2).enumerate().filter(|(_, two)| *two == "\u{f6}".as_bytes()).map(|(at, _)| at).step_by(97)
        {
            let mut broken = body.clone();
            broken[at + 1] = b'x';
            assert!(checked(message, version, &broken).unwrap_err().reason.contains("UTF-8"));
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

    /// Bytes changed, left out, put in and doubled, within budgets that some messages are over.
    #[test]
    fn plan_and_rows_agree_on_whatever_bytes_within_whatever_budget(seed: u64, bytes_min in 0..2_000_usize) {
        let mut random = Random(seed);
        for (_, message, version) in every_message() {
            let mut body = generate::message(message, version, Shape::Any, seed);
            let budget = Budget::default().bytes_min(bytes_min).times_frame(random.below(3));
            agreed(message, version, &body, budget);
            for _ in 0..4 {
                let at = random.below(body.len() + 1);
                let end = at + random.below(body.len() + 1 - at);
                match random.below(4) {
                    0 => drop(body.splice(at..end.min(at + 2), [])),
                    1 => body.insert(at, [0, 1, 2, 4, 0x7f, 0x80, 0x81, 0xff][random.below(8)]),
                    2 => body.extend_from_within(at..end),
                    _ if at < body.len() => body[at] = random.below(256) as u8,
                    _ => {}
                }
                agreed(message, version, &body, budget);
            }
        }
    }
}
