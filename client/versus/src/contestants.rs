//! Who runs: how each contestant is built, and how it is started.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidemill_testkit::kafka;

/// One client, by its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contestant {
    Tidemill,
    FranzGo,
    Librdkafka,
    Krafka,
    Java,
}

/// A contestant that was built.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    pub(crate) contestant: Contestant,
    program: OsString,
    arguments: Vec<OsString>,
}

impl Contestant {
    /// Ours is the first: ratios are to it.
    pub(crate) const ALL: [Self; 5] = [Self::Tidemill, Self::FranzGo, Self::Librdkafka, Self::Krafka, Self::Java];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Tidemill => "tidemill",
            Self::FranzGo => "franz-go",
            Self::Librdkafka => "librdkafka",
            Self::Krafka => "krafka",
            Self::Java => "java",
        }
    }

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contestant| contestant.name() == name)
    }

    /// Builds it in release mode. The error says what is missing, or what failed.
    pub(crate) fn build(self, kafka_version: &str) -> Result<Built, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let target = target(here);
        let plain = |program: PathBuf| Built { contestant: self, program: program.into(), arguments: Vec::new() };
        match self {
            Self::Tidemill => {
                let root = here.join("../..");
                if !root.join("client/examples/perf").exists() && !root.join("client/examples/perf.rs").exists() {
                    return Err("client/examples/perf is not there".to_owned());
                }
                let mut cargo = cargo(&root);
                // A folder for it alone, so that the workspace's own builds and these do not undo each other.
                cargo.args(["-p", "tidemill-client", "--example", "perf", "--target-dir"]).arg(target.join("tidemill"));
                run(&mut cargo)?;
                Ok(plain(target.join("tidemill/release/examples/perf")))
            }
            Self::Librdkafka | Self::Krafka => {
                let package = format!("contest-{}", self.name());
                if self == Self::Librdkafka {
                    require("cc", "--version")?;
                    require("make", "--version")?;
                }
                run(cargo(here).args(["-p", &package, "--target-dir"]).arg(&target))?;
                Ok(plain(target.join("release").join(package)))
            }
            Self::FranzGo => {
                require("go", "version")?;
                let program = target.join("contest-franz-go");
                run(Command::new("go")
                    .args(["build", "-o"])
                    .arg(&program)
                    .arg(".")
                    .current_dir(here.join("franz-go")))?;
                Ok(plain(program))
            }
            Self::Java => {
                require("javac", "-version")?;
                let classes = target.join("java");
                fs::create_dir_all(&classes).map_err(|error| format!("{}: {error}", classes.display()))?;
                let jars = kafka::libs(kafka_version).map_err(|error| error.to_string())?.join("*");
                let source = here.join("java/Contest.java");
                run(Command::new("javac").arg("-cp").arg(&jars).arg("-d").arg(&classes).arg(source))?;
                let classpath = env::join_paths([jars, classes]).map_err(|error| error.to_string())?;
                let arguments = ["-XX:+UseParallelGC", "-Xms512m", "-Xmx512m", "-cp"].map(OsString::from);
                let arguments = arguments.into_iter().chain([classpath, OsString::from("Contest")]).collect();
                Ok(Built { contestant: self, program: "java".into(), arguments })
            }
        }
    }
}

impl Built {
    /// Its program, on these CPUs alone if there are some.
    pub(crate) fn command(&self, cpus: Option<&str>) -> Command {
        let mut command = match cpus {
            Some(cpus) => {
                let mut command = Command::new("taskset");
                command.args(["-c", cpus]).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command.args(&self.arguments);
        command
    }
}

/// Where everything is built into, beside the runner.
pub(crate) fn target(here: &Path) -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("target"), PathBuf::from)
}

fn cargo(folder: &Path) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["build", "--release", "--locked", "--quiet"]).current_dir(folder);
    cargo
}

fn require(program: &str, version: &str) -> Result<(), String> {
    match Command::new(program).arg(version).stdin(Stdio::null()).output() {
        Ok(output) if output.status.success() => Ok(()),
        Ok(_) | Err(_) => Err(format!("`{program} {version}` does not run")),
    }
}

fn run(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{command:?}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(format!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr))),
    }
}
