//! Where Kafka's jars come from: `KAFKA_HOME`, or Maven, once, into a folder of the user's cache.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use super::{KafkaError, KafkaVersion};

/// The class path for a release of Kafka; that of `KAFKA_HOME`, whichever it is, when none is asked for.
pub(super) fn classpath(version: Option<KafkaVersion>) -> Result<OsString, KafkaError> {
    java_build()?;
    let libs = match (version, env::var_os("KAFKA_HOME")) {
        (None, Some(home)) => PathBuf::from(home).join("libs"),
        (None, None) => resolve(KafkaVersion::default().name(), BROKER)?,
        (Some(version), _) => libs(version.name())?,
    };
    if !libs.is_dir() {
        return Err(KafkaError::Missing(format!("no jars in {}", libs.display())));
    }
    Ok(libs.join("*").into_os_string())
}

/// The class path without a version, and Kafka Streams: an installation of Kafka has it, a broker does not need it.
pub(super) fn classpath_with_streams() -> Result<OsString, KafkaError> {
    let classpath = classpath(None)?;
    if env::var_os("KAFKA_HOME").is_some() {
        return Ok(classpath);
    }
    let streams = resolve(KafkaVersion::default().name(), STREAMS)?;
    join([&classpath, streams.join("*").as_os_str()])
}

/// One class path of several.
pub(super) fn join<const N: usize>(paths: [&OsStr; N]) -> Result<OsString, KafkaError> {
    let single = paths.iter().flat_map(env::split_paths);
    env::join_paths(single).map_err(|error| KafkaError::Failed(format!("no class path: {error}")))
}

/// Artifacts that are resolved together, and the folder of the cache they lie in.
struct Jars {
    folder: &'static str,
    artifacts: &'static [&'static str],
}

const BROKER: Jars = Jars { folder: "libs", artifacts: &["kafka_2.13", "kafka-tools"] };

const STREAMS: Jars = Jars { folder: "streams", artifacts: &["kafka-streams"] };

/// The folder with the jars of a release of Kafka, whichever one `KAFKA_HOME` holds.
///
/// # Errors
/// When Maven is missing or cannot resolve them.
pub fn libs(version: &str) -> Result<PathBuf, KafkaError> {
    let home = env::var_os("KAFKA_HOME").map(|home| PathBuf::from(home).join("libs"));
    match home.filter(|libs| libs.join(format!("kafka-clients-{version}.jar")).is_file()) {
        Some(libs) => Ok(libs),
        None => resolve(version, BROKER),
    }
}

/// The folder with the jars, filled by Maven the first time.
fn resolve(version: &str, jars: Jars) -> Result<PathBuf, KafkaError> {
    let cache = cache().join(format!("kafka-{version}"));
    let libs = cache.join(jars.folder);
    if libs.is_dir() {
        return Ok(libs);
    }
    require("mvn", "-version")?;
    let failed = |error: io::Error| KafkaError::Failed(format!("{}: {error}", cache.display()));
    fs::create_dir_all(&cache).map_err(failed)?;
    // Several test processes may come here at once: each fills a folder of its own, the first to finish gives it its name.
    let work = tempfile::TempDir::new_in(&cache).map_err(failed)?;
    fs::write(work.path().join("pom.xml"), pom(version, jars.artifacts)).map_err(failed)?;
    let maven = Command::new("mvn")
        .args(["-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=libs"])
        .current_dir(work.path())
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    if !maven.status.success() {
        let said = String::from_utf8_lossy(&maven.stdout);
        let first: Vec<&str> = said.lines().filter(|line| line.contains("ERROR")).take(5).collect();
        return Err(KafkaError::Failed(format!("Maven could not resolve the jars:\n{}", first.join("\n"))));
    }
    match fs::rename(work.path().join("libs"), &libs) {
        Ok(()) => Ok(libs),
        Err(_) if libs.is_dir() => Ok(libs),
        Err(error) => Err(failed(error)),
    }
}

/// The cache of the release that tests use when they say nothing; none when that is not Maven's.
pub(super) fn default_cache() -> Option<PathBuf> {
    let of_maven = env::var_os("KAFKA_HOME").is_none();
    of_maven.then(|| cache().join(format!("kafka-{}", KafkaVersion::default().name())))
}

/// Which build of Java there is, in its own words. It is asked once.
pub(super) fn java_build() -> Result<&'static str, KafkaError> {
    static BUILD: OnceLock<Result<String, String>> = OnceLock::new();
    let ask = || {
        let output = Command::new("java").arg("-version").stdin(Stdio::null()).output();
        let output = output.ok().filter(|output| output.status.success());
        let said = output.map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        let last = said.as_deref().map(|said| said.lines().last().unwrap_or_default().to_owned());
        last.ok_or_else(|| "`java -version` does not run".to_owned())
    };
    BUILD.get_or_init(ask).as_deref().map_err(|reason| KafkaError::Missing(reason.clone()))
}

fn require(program: &str, version: &str) -> Result<(), KafkaError> {
    let ran = Command::new(program).arg(version).stdin(Stdio::null()).output();
    match ran {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) | Err(_) => Err(KafkaError::Missing(format!("`{program} {version}` does not run"))),
    }
}

/// The folder, in the user's cache, for what tests fetch once and keep.
#[must_use]
pub fn cache() -> PathBuf {
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    let of_user = env::var_os("XDG_CACHE_HOME").map(PathBuf::from).or_else(home);
    of_user.unwrap_or_else(env::temp_dir).join("tidemill")
}

fn pom(version: &str, artifacts: &[&str]) -> String {
    let dependency = |artifact: &&str| {
        format!(
            "<dependency><groupId>org.apache.kafka</groupId><artifactId>{artifact}</artifactId>\
             <version>{version}</version></dependency>"
        )
    };
    let dependencies: String = artifacts.iter().map(dependency).collect();
    format!(
        "<project xmlns=\"http://maven.apache.org/POM/4.0.0\"><modelVersion>4.0.0</modelVersion>\
         <groupId>tidemill</groupId><artifactId>kafka</artifactId><version>1</version>\
         <dependencies>{dependencies}</dependencies></project>\n"
    )
}
