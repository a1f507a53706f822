//! Message bodies written by Kafka's own classes, frozen in `protocol/tests/wire/golden.txt`.
//!
//! `Golden.java` beside this file makes them, from the jars that the schemas come from. The tests of `protocol` read what
//! is frozen, without Java; the fuzz targets begin with it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidemill_testkit::kafka::{self, KafkaError};

/// Where they are frozen.
pub(crate) fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/wire/golden.txt")
}

/// Makes them anew: two lines for each message and version.
pub(crate) fn bodies(release: &str) -> Result<String, KafkaError> {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/Golden.java");
    let output = Command::new("java")
        .args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"])
        .arg(kafka::libs(release)?.join("*"))
        .arg(program)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| KafkaError::Missing(format!("`java` does not run: {error}")))?;
    if !output.status.success() {
        return Err(KafkaError::Failed(String::from_utf8_lossy(&output.stderr).into_owned()));
    }
    String::from_utf8(output.stdout).map_err(|error| KafkaError::Failed(error.to_string()))
}
