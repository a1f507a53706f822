//! librdkafka's test suite, in a folder of the user's cache: fetched by Cargo, built by its own makefiles, once.
//!
//! The crate `rdkafka-sys` ships librdkafka's sources with the tests; nothing of it is built into anything of ours.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tidemill_testkit::kafka::{self, KafkaVersion};

/// The release of librdkafka whose suite it is.
pub(crate) const LIBRDKAFKA: &str = "2.12.1";

/// The crate that ships its sources.
const CRATE: &str = "4.10.0";

/// The suite, built.
#[derive(Debug)]
pub(crate) struct Suite {
    /// Where the runner is started: it looks for its files in the folder where it is.
    pub(crate) tests: PathBuf,
    cache: PathBuf,
}

impl Suite {
    /// Finds the suite, or fetches and builds it, which takes some minutes.
    pub(crate) fn prepare() -> io::Result<Self> {
        let cache = kafka::cache().join(format!("librdkafka-{LIBRDKAFKA}"));
        fs::create_dir_all(&cache)?;
        let source = cache.join("src");
        let tests = source.join("tests");
        if !tests.join("test-runner").is_file() {
            eprintln!("building librdkafka {LIBRDKAFKA} and its tests in {}", cache.display());
            if !source.is_dir() {
                fetch(&cache, &source)?;
            }
            let jobs = format!("-j{}", std::thread::available_parallelism().map_or(1, usize::from));
            // What it is built without needs headers that few machines have, and no test against a broker.
            run(&source, "./configure", &["--disable-gssapi", "--disable-curl"])?;
            run(&source, "make", &[&jobs, "libs"])?;
            run(&tests, "make", &[&jobs, "build"])?;
        }
        // Programs that some tests run; built beforehand, because several tests would build them at once.
        let suite = Self { tests, cache };
        let kafka = format!("KAFKA_PATH={}", suite.installation(KafkaVersion::default())?.display());
        run(&suite.tests, "make", &["-s", "-C", "java", &kafka])?;
        Ok(suite)
    }

    /// A folder like that of an unpacked Kafka: the jars, and those of its scripts that the tests call.
    pub(crate) fn installation(&self, version: KafkaVersion) -> io::Result<PathBuf> {
        let folder = self.cache.join(format!("kafka-{version}"));
        let bin = folder.join("bin");
        fs::create_dir_all(&bin)?;
        let jars = kafka::libs(version.name()).map_err(io::Error::other)?;
        match std::os::unix::fs::symlink(jars, folder.join("libs")) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        for (name, class) in SCRIPTS {
            let script = format!(
                "#!/bin/sh\nlibs=\"$(dirname \"$0\")/../libs/*\"\n\
                 exec java -Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -cp \"$CLASSPATH:$libs\" {class} \"$@\"\n"
            );
            let path = bin.join(name);
            fs::write(&path, script)?;
            fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
        }
        Ok(folder)
    }

    /// The tests' files, by their numbers, in order. Those from 1000 on need brokers that are set up for them, or hands.
    pub(crate) fn numbers(&self) -> io::Result<Vec<String>> {
        let mut numbers = Vec::new();
        for entry in fs::read_dir(&self.tests)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let is_source = name.ends_with(".c") || name.ends_with(".cpp");
            if let (true, Some((number, _))) = (is_source, name.split_once('-'))
                && number.len() == 4
                && number.starts_with('0')
                && number.bytes().all(|byte| byte.is_ascii_digit())
            {
                numbers.push(number.to_owned());
            }
        }
        numbers.sort();
        numbers.dedup();
        Ok(numbers)
    }
}

fn fetch(cache: &Path, source: &Path) -> io::Result<()> {
    let work = tempfile::TempDir::new_in(cache)?;
    let manifest = format!(
        "[package]\nname = \"fetch\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n\
         rdkafka-sys = {{ version = \"={CRATE}\", default-features = false }}\n"
    );
    fs::write(work.path().join("Cargo.toml"), manifest)?;
    fs::create_dir(work.path().join("src"))?;
    fs::write(work.path().join("src/lib.rs"), "")?;
    run(work.path(), "cargo", &["vendor", "--quiet", "vendor"])?;
    fs::rename(work.path().join("vendor/rdkafka-sys/librdkafka"), source)
}

/// Scripts of Kafka, and the classes behind them; the last takes the class from its arguments.
const SCRIPTS: [(&str, &str); 3] = [
    ("kafka-topics.sh", "org.apache.kafka.tools.TopicCommand"),
    ("kafka-acls.sh", "org.apache.kafka.tools.AclCommand"),
    ("kafka-run-class.sh", ""),
];

/// Runs a program to its end; what it says is shown when it fails.
fn run(folder: &Path, program: &str, arguments: &[&str]) -> io::Result<()> {
    let output = Command::new(program).args(arguments).current_dir(folder).stdin(Stdio::null()).output();
    let failed = |reason: String| io::Error::other(format!("{program} {}: {reason}", arguments.join(" ")));
    let output = output.map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    Err(failed(lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")))
}
