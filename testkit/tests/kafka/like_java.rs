//! What Kafka's own classes say, beside what we say: small Java programs, run with Kafka's jars.

use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tempfile::TempDir;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{
    BatchBuilder, BatchFlags, Header, NewRecord, ProducerStamp, RecordBatches, assign, control, control::Marker,
};
use tidemill_testkit::kafka::Kafka;

use crate::clusters::cleaning;
use crate::java::run_tool;

/// Runs a program of `tests/java` and returns what it printed. `None`, after a line that says so, without Java.
fn java(program: &str, arguments: &[&str]) -> Option<String> {
    let output = run_tool(program, arguments, "")?;
    assert!(output.status.success(), "{output:?}");
    Some(String::from_utf8(output.stdout).unwrap())
}

#[test]
fn every_error_code_is_kafkas() {
    let Some(printed) = java("ErrorCodes", &[]) else { return };
    let mut numbers = Vec::new();
    for line in printed.lines() {
        let number = line.split(' ').next().unwrap().parse().unwrap();
        let code = ErrorCode(number);
        let name = code.name().unwrap_or("not known");
        assert_eq!(format!("{number} {name} {} {}", code.is_retriable(), code.refreshes_metadata()), line);
        numbers.push(number);
    }
    assert!(numbers.len() > 130, "{printed}");
    let ours: Vec<i16> = (i16::MIN..=i16::MAX).filter(|number| ErrorCode(*number).name().is_some()).collect();
    numbers.sort_unstable();
    assert_eq!(ours, numbers);
}

/// The file that the protocol's tests read is what Kafka writes, and what Kafka reads in it.
#[test]
fn the_old_message_sets_are_kafkas() {
    let Some(printed) = java("LegacyRecords", &[]) else { return };
    assert_eq!(printed, include_str!("../../../protocol/tests/golden/legacy_records.txt"));
}

/// The same of the versions of its APIs.
#[test]
fn the_versions_of_the_apis_are_kafkas() {
    let Some(printed) = java("ApiVersions", &[]) else { return };
    assert_eq!(printed, include_str!("../../../protocol/tests/golden/api_versions.txt"));
}

/// The same of batches in several compressed streams, cut, and with something behind them.
#[test]
fn the_streams_and_what_is_behind_them_are_kafkas() {
    let Some(printed) = java("CodecTails", &[]) else { return };
    assert_eq!(printed, include_str!("../../../protocol/tests/golden/codec_tails.txt"));
}

/// The files of the only partition of a topic, one after the other.
fn log(kafka: &Kafka, topic: &str) -> Bytes {
    let folder = kafka.folder(0).join("data").join(format!("{topic}-0"));
    let mut segments: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    let mut bytes = Vec::new();
    for segment in segments {
        bytes.extend(fs::read(segment).unwrap());
    }
    Bytes::from(bytes)
}

/// Every record of a log as the Java program prints them, and the markers by the offset they are at.
fn printed(topic: &str, log: Bytes) -> (Vec<String>, Vec<(i64, Marker)>) {
    let text = |bytes: Option<&[u8]>| {
        bytes.map_or_else(|| "null".to_owned(), |bytes| format!("\"{}\"", std::str::from_utf8(bytes).unwrap()))
    };
    let (mut lines, mut markers, mut end) = (Vec::new(), Vec::new(), 0);
    for batch in RecordBatches::new(log) {
        let batch = batch.unwrap();
        let header = batch.header();
        assert!(header.base_offset >= end, "{topic}: {header:?}");
        end = header.next_offset();
        if header.is_control() {
            markers.push((header.base_offset, control::read(&batch).unwrap()));
            continue;
        }
        assert_eq!(header.is_transactional(), topic == "transactional");
        for record in batch.open(1 << 20).unwrap().iter() {
            let record = record.unwrap();
            let (key, value) = (text(record.key), text(record.value));
            let mut line = format!("{topic} {} {} {key} {value}", record.offset, record.timestamp);
            for header in record.headers() {
                line += &format!(" {}:{}", std::str::from_utf8(header.key).unwrap(), text(header.value));
            }
            lines.push(line);
        }
    }
    (lines, markers)
}

/// What stands in the files of a broker is what the Java client sent, record for record.
#[test]
fn a_brokers_files_read_as_the_java_client_wrote_them() {
    let Some(kafka) = cleaning() else { return };
    let codecs: Vec<&str> = [0, 1, 2, 3, 4]
        .into_iter()
        .filter_map(|attributes| Codec::from_attributes(attributes).ok().map(Codec::name))
        .collect();
    let written = java("WriteRecords", &[kafka.bootstrap(), &codecs.join(",")]).unwrap();
    let of_topic = |topic: &str| {
        let mut lines: Vec<&str> = written.lines().filter(|line| line.split(' ').next() == Some(topic)).collect();
        lines.sort_by_key(|line| line.split(' ').nth(1).unwrap().parse::<i64>().unwrap());
        lines
    };
    for topic in ["plain", "stamped", "transactional"] {
        let (read, markers) = printed(topic, log(kafka, topic));
        assert!(!read.is_empty());
        assert_eq!(read, of_topic(topic), "{topic}");
        let expected: &[(i64, Marker)] = match topic {
            "transactional" => &[(3, Marker::COMMIT), (7, Marker::ABORT), (11, Marker::COMMIT)],
            _ => &[],
        };
        assert_eq!(markers, expected, "{topic}");
    }

    // Compaction leaves the newest of each key, at the offsets they had.
    let all = of_topic("compacted");
    let deadline = Instant::now() + Duration::from_secs(30);
    let kept = loop {
        let (read, _) = printed("compacted", log(kafka, "compacted"));
        if read.len() < all.len() {
            break read;
        }
        assert!(Instant::now() < deadline, "the log was not compacted: {read:?}");
        thread::sleep(Duration::from_millis(100));
    };
    assert!(kept.len() >= 10);
    assert!(kept.iter().all(|line| all.contains(&line.as_str())), "{kept:?} of {all:?}");
    assert_eq!(kept[kept.len() - 1], all[all.len() - 1]);
}

/// A segment file of ours, checked and printed by Kafka's own tool.
#[test]
fn kafkas_tool_finds_our_batches_sound() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("00000000000000000000.log");
    let mut log = Vec::new();
    let codecs = (0..5).filter_map(|attributes| Codec::from_attributes(attributes).ok());
    let mut offset = 0;
    for codec in codecs {
        let mut builder = BatchBuilder::new(0);
        for number in 0..100 {
            let headers = [Header { key: b"x", value: None }, Header { key: b"x", value: Some(b"2") }];
            let value = "value ".repeat(number);
            builder.append(&NewRecord {
                timestamp: 1_700_000_000_000 - i64::try_from(number).unwrap(),
                key: (number % 2 == 0).then_some(b"key"),
                value: (number % 3 > 0).then_some(value.as_bytes()),
                headers: if number % 4 == 0 { &headers } else { &[] },
            });
        }
        let producer = ProducerStamp { producer_id: 7, producer_epoch: 1, base_sequence: offset };
        let batch = builder.seal(codec).stamp(Some(producer), BatchFlags::default());
        let batch = RecordBatches::new(batch).next().unwrap().unwrap();
        assert_eq!(batch.header().codec().unwrap(), codec);
        log.extend(assign(&batch, offset.into(), 0, None));
        offset += 100;
    }
    log.extend(assign_marker(offset));
    fs::write(&file, log).unwrap();
    let arguments = ["--files", file.to_str().unwrap(), "--print-data-log", "--deep-iteration"];
    let Some(output) = run_tool("org.apache.kafka.tools.DumpLogSegments", &arguments, "") else { return };
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let lines = |part: &str| printed.lines().filter(|line| line.contains(part)).count();
    assert_eq!(lines("isvalid: true"), usize::try_from(offset / 100).unwrap() + 1, "{printed}");
    assert_eq!(lines("isvalid: false"), 0, "{printed}");
    assert_eq!(lines("| offset: "), usize::try_from(offset).unwrap() + 1, "{printed}");
    assert_eq!(lines("headerKeys: [x,x]"), usize::try_from(offset / 4).unwrap(), "{printed}");
    assert_eq!(lines("endTxnMarker: COMMIT"), 1, "{printed}");
}

/// The marker that ends a transaction, at an offset.
fn assign_marker(offset: i32) -> Bytes {
    let marker = RecordBatches::new(control::build(Marker::COMMIT, 7, 1, 0, 1000)).next().unwrap().unwrap();
    assign(&marker, offset.into(), 0, None)
}
