//! Kafka's own command line tools, against any broker that speaks its protocol.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use super::classes::{Classes, Program};
use super::{KafkaError, KafkaVersion, is_required, jars};

/// Kafka's tools, by the names of their classes. No broker has to run for them to be there.
#[derive(Debug, Clone)]
pub struct Tools {
    classpath: OsString,
    classes: Classes,
}

impl Tools {
    /// Finds Java and the jars. `None`, after a line that says so, when they cannot be had; with
    /// `TIDEMILL_REQUIRE_KAFKA=1` that fails the test instead.
    ///
    /// # Panics
    /// When they are not there and required, or when the jars cannot be resolved.
    #[must_use]
    pub fn find() -> Option<Self> {
        Self::if_there(Self::resolve())
    }

    /// [`Self::find`], with Kafka Streams beside the tools.
    ///
    /// # Panics
    /// As [`Self::find`].
    #[must_use]
    pub fn find_with_streams() -> Option<Self> {
        Self::if_there(jars::classpath_with_streams().map(|classpath| Self::with(classpath, Classes::find())))
    }

    pub(super) const fn with(classpath: OsString, classes: Classes) -> Self {
        Self { classpath, classes }
    }

    fn if_there(found: Result<Self, KafkaError>) -> Option<Self> {
        match found {
            Ok(tools) => Some(tools),
            Err(KafkaError::Missing(reason)) if !is_required() => {
                eprintln!("not run: tests with Kafka's tools need Java 17 and Maven ({reason})");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Finds Java and the jars.
    ///
    /// # Errors
    /// When Java, Maven or the jars are missing, or the jars cannot be resolved.
    pub fn resolve() -> Result<Self, KafkaError> {
        Ok(Self::with(jars::classpath(None)?, Classes::find()))
    }

    /// Finds Java and the jars of this release.
    ///
    /// # Errors
    /// As [`Self::resolve`].
    pub fn of_version(version: KafkaVersion) -> Result<Self, KafkaError> {
        Ok(Self::with(jars::classpath(Some(version))?, Classes::InJars))
    }

    /// Runs a tool, such as `org.apache.kafka.tools.TopicCommand`, with `input` on its standard input, to its end.
    ///
    /// # Errors
    /// When the tool cannot be started or its pipes break.
    pub fn run(&self, class: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
        let mut tool = self.java(class, "-Xmx256m");
        tool.args(arguments);
        run(tool, input)
    }

    /// Compiles Java sources into a folder, and puts it behind the class path: archived classes are those of its beginning.
    ///
    /// # Errors
    /// When the compiler cannot be started or refuses the sources: its words are the error.
    pub fn compile(&self, sources: &[PathBuf], folder: &Path) -> io::Result<Self> {
        let mut compiler = self.java("com.sun.tools.javac.Main", "-Xmx256m");
        // It runs with the class path that the sources are about, and takes that.
        compiler.arg("-d").arg(folder).args(sources);
        let output = run(compiler, "")?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
        }
        let classpath = jars::join([&self.classpath, folder.as_os_str()]).map_err(io::Error::other)?;
        Ok(Self { classpath, classes: self.classes.clone() })
    }

    /// Starts a program that is told on its standard input what to do, and tells on its standard output what it did. Whoever
    /// takes it ends it.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, class: &str, arguments: &[&str]) -> io::Result<Child> {
        let mut program = self.java(class, "-Xmx256m");
        program.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
    }

    pub(super) fn classpath(&self) -> &OsStr {
        &self.classpath
    }

    /// What Java is told of where classes are.
    pub(super) fn options(&self, program: Program) -> Vec<OsString> {
        self.classes.options(program)
    }

    /// Java, about to run this class without input.
    pub(super) fn java(&self, class: &str, heap: &str) -> Command {
        let mut command = Command::new("java");
        // Short-lived programs on small machines: the simplest collector and compiler start fastest.
        command.args([heap, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
        command.args(self.options(Program::Tool));
        command.arg("-cp").arg(&self.classpath).arg(class).stdin(Stdio::null());
        command
    }
}

/// Runs a program, with `input` on its standard input, to its end.
pub(super) fn run(mut program: Command, input: &str) -> io::Result<Output> {
    let mut process = program.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let stdin = process.stdin.take();
    // From a thread of its own: a program that writes while it reads would otherwise wait for us, and we for it.
    std::thread::scope(|scope| {
        scope.spawn(move || {
            if let Some(mut stdin) = stdin {
                // It may end before it has read everything; its output and status say what came of it.
                let _ = stdin.write_all(input.as_bytes());
            }
        });
        process.wait_with_output()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_runs_without_a_broker() {
        let Some(tools) = Tools::find() else { return };
        let output = tools.run("kafka.tools.StorageTool", &["random-uuid"], "").unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(String::from_utf8_lossy(&output.stdout).trim().len(), 22);
    }
}
