//! Kafka's message schemas to the tables of the guard: `cargo run -p tidemill-schemagen` writes
//! `protocol/src/guard/tables.rs` anew, and the golden bodies that its tests read.
//!
//! The schemas are data inside Kafka's own `kafka-clients` jar, which Maven resolves. This file fetches them and puts the
//! results in their places.
//!
//! - [`schema`]: the JSON, as Kafka writes it
//! - [`tables`]: a message's fields, in the form the guard walks
//! - [`golden`]: messages as Kafka's own classes write them

mod golden;
mod schema;
mod tables;

use std::error::Error;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use tidemill_testkit::kafka::{self, KafkaError};

use schema::Schema;

/// The release that the message structs of `kafka-protocol` 0.18 were generated from. (It names 4.1.0, whose schemas are
/// the same to the byte.)
const KAFKA: &str = "4.1.1";

fn main() -> ExitCode {
    match write() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tables and golden bodies were not written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn write() -> Result<(), Box<dyn Error>> {
    fs::write(tables_path(), tables::render(KAFKA, &schemas()?)?)?;
    fs::write(golden::path(), golden::bodies(KAFKA)?)?;
    Ok(())
}

fn tables_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../src/guard/tables.rs")
}

/// Every schema in the jar, in order of their names.
fn schemas() -> Result<Vec<Schema>, KafkaError> {
    let failed = |error: &dyn Error| KafkaError::Failed(error.to_string());
    let jar = kafka::libs(KAFKA)?.join(format!("kafka-clients-{KAFKA}.jar"));
    let folder = tempfile::TempDir::with_prefix("tidemill-schemas-").map_err(|error| failed(&error))?;
    let unpacked = Command::new("jar")
        .arg("xf")
        .arg(&jar)
        .arg("common/message")
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .output()
        .map_err(|error| KafkaError::Missing(format!("`jar` does not run: {error}")))?;
    if !unpacked.status.success() {
        return Err(KafkaError::Failed(String::from_utf8_lossy(&unpacked.stderr).into_owned()));
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.path().join("common/message")).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        if path.extension() == Some(OsStr::new("json")) {
            files.push(path);
        }
    }
    files.sort();
    let mut schemas = Vec::new();
    for path in files {
        let text = fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let schema = schema::read(&text);
        schemas.push(schema.map_err(|error| KafkaError::Failed(format!("{}: {error}", path.display())))?);
    }
    Ok(schemas)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Kafka's jar gives, if it can be had.
    fn from_kafka<T>(made: Result<T, KafkaError>) -> Option<T> {
        match made {
            Ok(made) => Some(made),
            Err(KafkaError::Missing(reason)) if !kafka::is_required() => {
                eprintln!("not run: reading Kafka's jar needs Java and Maven ({reason})");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    fn assert_fresh(fresh: &str, path: &Path) {
        let checked_in = fs::read_to_string(path).unwrap();
        if fresh != checked_in {
            let same = fresh.lines().zip(checked_in.lines()).take_while(|(ours, theirs)| ours == theirs).count();
            panic!("{} is stale from line {}: run `cargo run -p tidemill-schemagen`", path.display(), same + 1);
        }
    }

    #[test]
    fn the_tables_are_those_of_the_schemas() {
        let Some(schemas) = from_kafka(schemas()) else { return };
        assert_fresh(&tables::render(KAFKA, &schemas).unwrap(), &tables_path());
    }

    #[test]
    fn the_golden_bodies_are_what_kafka_writes() {
        let Some(bodies) = from_kafka(golden::bodies(KAFKA)) else { return };
        assert_fresh(&bodies, &golden::path());
    }
}
