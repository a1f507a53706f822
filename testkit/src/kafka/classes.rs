//! Kafka's classes as Java keeps them once it has read them: with them a broker, and each tool, starts in little more than
//! half of the time.
//!
//! Java writes such an archive as a program ends (`-XX:ArchiveClassesAtExit`). So the first cluster of a machine is one that
//! nobody asked for: a broker, and a tool that administers, writes and reads. What they leave lies beside the jars, by the
//! build of Java, which alone can read it. Where it cannot be made, everything works without.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use super::{Kafka, KafkaError, Tools, jars};

/// A tool that does what tools and clients do.
const EVERYTHING: &str = "org.apache.kafka.tools.EndToEndLatency";

/// Where the classes of a program are.
#[derive(Debug, Clone)]
pub(super) enum Classes {
    /// In the jars.
    InJars,
    /// In the jars; they are written to this folder.
    Written(PathBuf),
    /// In this folder.
    Archived(PathBuf),
}

/// Which program: each has an archive of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Program {
    Broker,
    Tool,
}

impl Classes {
    /// Those of the default release as Maven fetched it. Made on first use.
    pub(super) fn find() -> Self {
        static FOUND: OnceLock<Classes> = OnceLock::new();
        FOUND.get_or_init(|| Self::find_or_make().unwrap_or(Self::InJars)).clone()
    }

    fn find_or_make() -> Result<Self, KafkaError> {
        let failed = |error: io::Error| KafkaError::Failed(error.to_string());
        let Some(cache) = jars::default_cache() else { return Ok(Self::InJars) };
        let is_of_name = |character: &char| character.is_ascii_alphanumeric() || ".+-".contains(*character);
        let build: String = jars::java_build()?.chars().filter(is_of_name).collect();
        let archive = cache.join(format!("classes-{build}"));
        if !archive.is_dir() {
            // Several test processes may come here at once: each fills a folder of its own, the first to finish gives it
            // its name.
            let work = tempfile::TempDir::new_in(&cache).map_err(failed)?;
            write(work.path())?;
            let written = work.keep();
            if fs::rename(&written, &archive).is_err() {
                fs::remove_dir_all(&written).map_err(failed)?;
            }
        }
        Ok(Self::Archived(archive))
    }

    /// What Java is told.
    pub(super) fn options(&self, program: Program) -> Vec<OsString> {
        let option = |option: &str, folder: &Path| {
            let mut option = OsString::from(option);
            option.push(folder.join(match program {
                Program::Broker => "broker.jsa",
                Program::Tool => "tool.jsa",
            }));
            // An archive that does not fit is passed over; nobody has to hear of it.
            vec![option, OsString::from("-Xlog:disable"), OsString::from("-Xlog:all=error:stderr")]
        };
        match self {
            Self::InJars => Vec::new(),
            Self::Written(folder) => option("-XX:ArchiveClassesAtExit=", folder),
            Self::Archived(folder) => option("-XX:SharedArchiveFile=", folder),
        }
    }
}

/// Has a broker and a tool write their classes to a folder.
fn write(folder: &Path) -> Result<(), KafkaError> {
    let failed = |error: io::Error| KafkaError::Failed(error.to_string());
    let tools = Tools::with(jars::classpath(None)?, Classes::Written(folder.to_owned()));
    let kafka = Kafka::builder().start_with(tools)?;
    let arguments = ["--bootstrap-server", kafka.bootstrap(), "--topic", "classes", "--num-records", "1"];
    let arguments = [&arguments[..], &["--producer-acks", "1", "--record-size", "10"]].concat();
    let output = kafka.run_tool(EVERYTHING, &arguments, "").map_err(failed)?;
    if !output.status.success() {
        return Err(KafkaError::Failed(format!("{EVERYTHING}: {output:?}")));
    }
    kafka.stop_broker(0).map_err(failed)
}
