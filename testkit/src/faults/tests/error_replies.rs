//! Error replies against what Kafka's own classes say, for every API in every version.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::guard::{self, Budget};
use tidemill_protocol::header::decode_request;
use tidemill_protocol::messages::ProduceRequest;
use tidemill_protocol::{ApiKey, ErrorCode};

use crate::faults::Failed;
use crate::kafka::{self, KafkaError};

pub(super) const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/tests/wire/golden.txt");

/// Requests as Kafka's own classes have written them.
pub(super) fn requests() -> Vec<Failed> {
    let text = std::fs::read_to_string(GOLDEN).unwrap();
    let mut requests = Vec::new();
    for line in text.lines() {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        let Some(name) = words[0].strip_suffix("Request") else { continue };
        let api = *ApiKey::ALL.iter().find(|api| api.name() == Some(name)).unwrap();
        requests.push(Failed::new(api, words[1][1..].parse().unwrap(), 7, from_hex(words[2].trim_start_matches('-'))));
    }
    requests
}

pub(super) fn from_hex(hex: &str) -> Bytes {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn every_api_in_every_version_can_say_an_error() {
    let requests = requests();
    for api in ApiKey::ALL {
        let versions = api.versions().unwrap();
        for version in versions.min..=versions.max {
            let mut answered = 0;
            for request in requests.iter().filter(|request| (request.api, request.version) == (*api, version)) {
                let answer = request.answer(ErrorCode::COORDINATOR_NOT_AVAILABLE).unwrap();
                let Some(answer) = answer else { continue };
                guard::check_response(*api, version, &answer[4..], Budget::default()).unwrap();
                answered += 1;
            }
            assert!(answered > 0, "{api} v{version}");
        }
    }
}

#[test]
fn a_producer_that_wants_no_answer_gets_none() {
    let acks_0 = Bytes::from_static(&[0xff, 0xff, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0]);
    assert_eq!(Failed::new(ApiKey::PRODUCE, 3, 7, acks_0).answer(ErrorCode::NOT_LEADER_OR_FOLLOWER), Ok(None));
}

#[test]
fn what_is_no_request_cannot_be_answered() {
    let error = Failed::new(ApiKey::METADATA, 0, 7, Bytes::new()).answer(ErrorCode::INVALID_REQUEST).unwrap_err();
    assert!(error.to_string().starts_with("Metadata v0: topics"), "{error}");
    let error = Failed::new(ApiKey(500), 0, 7, Bytes::new()).answer(ErrorCode::INVALID_REQUEST).unwrap_err();
    assert_eq!(error.to_string(), "API 500 is not known, nor where its answer has an error code");
}

/// What Kafka's own classes answer to the golden requests.
fn kafkas(error: ErrorCode) -> Option<Vec<String>> {
    let libs = match kafka::libs(kafka::KafkaVersion::default().name()) {
        Ok(libs) => libs,
        Err(KafkaError::Missing(reason)) if !kafka::is_required() => {
            eprintln!("not run: Kafka's own error replies need Java and Maven ({reason})");
            return None;
        }
        Err(error) => panic!("{error}"),
    };
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/faults/tests/ErrorReplies.java");
    let output = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(libs.join("*"))
        .arg(program)
        .args([GOLDEN, &error.0.to_string()])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect())
}

#[test]
fn error_replies_are_those_of_kafkas_own_classes() {
    let error = ErrorCode::COORDINATOR_NOT_AVAILABLE;
    let Some(kafkas) = kafkas(error) else { return };
    let requests = requests();
    assert_eq!(requests.len(), kafkas.len());
    let mut differences: BTreeMap<String, String> = BTreeMap::new();
    for (request, kafkas) in requests.iter().zip(&kafkas) {
        let kafkas = kafkas.rsplit(' ').next().unwrap();
        // Kafka's own class cannot answer partitions without records; and it makes one of two topics of the same name.
        if kafkas.starts_with("throws") || names_a_topic_twice(request) {
            continue;
        }
        let ours = match request.answer(error) {
            Ok(Some(ours)) => described(request, ours.slice(4..)),
            Ok(None) => "none".to_owned(),
            Err(error) => error.to_string(),
        };
        let theirs = match kafkas.strip_prefix('x') {
            Some(hex) => described(request, framed(request, &from_hex(hex))),
            None => kafkas.to_owned(),
        };
        if ours != theirs {
            let name = format!("{} v{}", request.api, request.version);
            differences.entry(name).or_insert_with(|| format!("ours: {ours}\nKafka's: {theirs}"));
        }
    }
    let text: String = differences.iter().map(|(name, difference)| format!("{name}\n{difference}\n")).collect();
    assert!(differences.is_empty(), "{text}\n{:?}", differences.keys());
}

fn names_a_topic_twice(request: &Failed) -> bool {
    if request.api != ApiKey::PRODUCE {
        return false;
    }
    let body: ProduceRequest = decode_request(request.version, request.body.clone()).unwrap();
    let mut names: Vec<_> = body.topic_data.iter().map(|topic| (topic.name.clone(), topic.topic_id)).collect();
    names.sort();
    names.dedup();
    names.len() < body.topic_data.len()
}

/// All that it says, but for its words. The order of markers is that of a hash map in Kafka.
fn described(request: &Failed, frame: Bytes) -> String {
    let description = guard::describe_response(request.api, request.version, &frame).unwrap();
    let mut lines: Vec<&str> = description.lines().filter(|line| !line.contains("error_message")).collect();
    if request.api == ApiKey::WRITE_TXN_MARKERS {
        lines.sort_unstable();
    }
    lines.join("\n")
}

fn framed(request: &Failed, body: &[u8]) -> Bytes {
    let api = tidemill_protocol::messages::ApiKey::try_from(request.api.0).unwrap();
    let mut frame = BytesMut::new();
    frame.put_i32(request.correlation_id);
    if api.response_header_version(request.version) >= 1 {
        frame.put_u8(0);
    }
    frame.put_slice(body);
    frame.freeze()
}
