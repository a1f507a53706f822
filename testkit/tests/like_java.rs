//! What Kafka's own classes say, beside what we say: small Java programs, run from their source with Kafka's jars.

#![expect(clippy::unwrap_used, reason = "a case that cannot go on has failed")]

use tidemill_protocol::ErrorCode;
use tidemill_testkit::kafka::Tools;

/// Runs a program of `tests/java` and returns what it printed.
fn java(tools: &Tools, program: &str, arguments: &[&str]) -> String {
    let path = format!("{}/tests/java/{program}.java", env!("CARGO_MANIFEST_DIR"));
    let output = tools.run(&path, arguments, "").unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn every_error_code_is_kafkas() {
    let Some(tools) = Tools::find() else { return };
    let printed = java(&tools, "ErrorCodes", &[]);
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
    let Some(tools) = Tools::find() else { return };
    let printed = java(&tools, "LegacyRecords", &[]);
    assert_eq!(printed, include_str!("../../protocol/tests/golden/legacy_records.txt"));
}
