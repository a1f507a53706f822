//! The table of all properties in `docs/properties.md`, made from where each is declared.
//!
//! `TIDEMILL_WRITE_DOCS=1 cargo test -p tidemill-client properties::table` writes it anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use super::{IGNORED, PASSED_OVER, Property, UNSUPPORTED};

struct Row {
    names: &'static [&'static str],
    default: &'static str,
    doc: &'static str,
}

fn rows<T>(table: &[Property<T>]) -> Vec<Row> {
    table.iter().map(|property| Row { names: property.names, default: property.default, doc: property.doc }).collect()
}

fn sections() -> [(&'static str, Vec<Row>); 5] {
    [
        ("All clients", rows(crate::config::PROPERTIES)),
        ("Security, of all clients", rows(crate::security::PROPERTIES)),
        ("Producers", rows(crate::producer::PROPERTIES)),
        ("Transactional producers, beside those of producers", rows(crate::producer::TRANSACTIONAL_PROPERTIES)),
        ("Consumers", rows(crate::consumer::PROPERTIES)),
    ]
}

/// What a value has to be, by its default.
fn kind(row: &Row) -> &'static str {
    match row.default {
        "true" | "false" => "true or false",
        default if default.parse::<i64>().is_ok() => "whole number",
        _ if row.names.iter().any(|name| name.ends_with(".ms") || name.ends_with(".bytes")) => "whole number",
        _ => "text",
    }
}

fn markdown() -> String {
    let mut text = "# Properties of the client\n\n\
        Java's names first, then librdkafka's. A dictionary or a `.properties` file with them works as it is \
        (`from_properties`, `Properties::from_file`); a name that nobody has is refused with the nearest one. This file is \
        made from the code (`client/src/properties/table.rs`).\n"
        .to_owned();
    for (title, rows) in sections() {
        write!(text, "\n## {title}\n\n| names | value | default | what it is |\n|---|---|---|---|\n").unwrap();
        for row in rows {
            let names: Vec<String> = row.names.iter().map(|name| format!("`{name}`")).collect();
            let (kind, doc) = (kind(&row), row.doc.replace('|', "\\|"));
            writeln!(text, "| {} | {kind} | {} | {doc} |", names.join(", "), row.default).unwrap();
        }
    }
    text.push_str("\n## Without effect\n\nReported in the log, and by `Properties::without_effect`.\n\n| names | why |\n|---|---|\n");
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, reason) in IGNORED {
        reasons.entry(reason).or_default().push(format!("`{name}`"));
    }
    for (reason, names) in reasons {
        writeln!(text, "| {} | {reason} |", names.join(", ")).unwrap();
    }
    text.push_str(
        "\n## Refused\n\nTheir effect would be missed; a value that asks for none is as one without effect.\n\n\
         | names | what to do |\n|---|---|\n",
    );
    let mut reasons: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (name, _, reason) in UNSUPPORTED {
        reasons.entry(reason).or_default().push(format!("`{name}`"));
    }
    for (reason, names) in reasons {
        writeln!(text, "| {} | {reason} |", names.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_table_in_the_docs_is_what_is_declared() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/properties.md");
    if std::env::var_os("TIDEMILL_WRITE_DOCS").is_some() {
        std::fs::write(&path, markdown()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap();
    assert!(written == markdown(), "docs/properties.md is stale: see the head of client/src/properties/table.rs");
}

#[test]
fn no_name_both_has_an_effect_and_has_none() {
    let known: BTreeSet<&str> =
        sections().iter().flat_map(|(_, rows)| rows).flat_map(|row| row.names).copied().collect();
    let without = IGNORED.iter().map(|(name, _)| *name).chain(UNSUPPORTED.iter().map(|(name, _, _)| *name));
    let without: Vec<&str> = without.collect();
    let both: Vec<_> = without.iter().filter(|name| known.contains(*name) || PASSED_OVER.contains(name)).collect();
    assert!(both.is_empty(), "{both:?}");
    assert_eq!(without.iter().collect::<BTreeSet<_>>().len(), without.len(), "a name is there twice");
}

/// Every option of librdkafka 2.12.1, by its CONFIGURATION.md, and of Kafka 4.3.1's clients, by their `configNames`.
#[test]
fn every_name_of_javas_and_librdkafkas_is_known() {
    let names = include_str!("names.txt");
    assert!(names.lines().count() > 250);
    for name in names.lines() {
        let read = [
            crate::ClientConfig::from_properties([(name, "")]).err(),
            crate::ProducerConfig::from_properties([(name, "")]).err(),
            crate::ConsumerConfig::from_properties([(name, "")]).err(),
        ];
        for error in read.into_iter().flatten() {
            assert!(!error.to_string().contains("unknown property"), "{error}");
        }
    }
}

#[test]
fn what_is_without_effect_is_told_and_what_would_be_missed_is_refused() {
    let properties: super::Properties =
        [("bootstrap.servers", "a:1"), ("log_level", "7"), ("interceptor.classes", "")].into_iter().collect();
    let told: Vec<&str> = properties.without_effect().map(|(name, _)| name).collect();
    assert_eq!(told, ["interceptor.classes", "log_level"]);
    assert!(crate::ConsumerConfig::from_properties(&properties).is_ok());
    let error = crate::ConsumerConfig::from_properties([("interceptor.classes", "org.acme.Count")]).unwrap_err();
    assert!(error.to_string().contains("interceptor.classes"), "{error}");
    assert!(crate::ProducerConfig::from_properties([("enable.auto.offset.store", "false")]).is_err());
}
