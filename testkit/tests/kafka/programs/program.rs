//! Java programs as processes: started, told what to do, heard and killed.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout};
use std::sync::OnceLock;

use tempfile::TempDir;
use tidemill_testkit::kafka::Tools;

/// Kafka's jars and our programs of `tests/java`, compiled once.
pub(crate) fn java() -> Option<&'static Tools> {
    static JAVA: OnceLock<Option<(Tools, TempDir)>> = OnceLock::new();
    let compile = || {
        let classes = TempDir::new().unwrap();
        let sources = ["RunTools", "WordCount", "CopyRecords", "Topics", "Transactions"].map(|name| {
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/java")).join(name).with_extension("java")
        });
        Some((Tools::find_with_streams()?.compile(&sources, classes.path()).unwrap(), classes))
    };
    JAVA.get_or_init(compile).as_ref().map(|(tools, _)| tools)
}

/// A process that ends, at the latest, when this is dropped; if nothing is dropped, at the end of its standard input.
pub(crate) struct Program {
    process: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    heard: Vec<String>,
}

impl Program {
    pub(crate) fn start(tools: &Tools, class: &str, arguments: &[&str]) -> Self {
        let mut process = tools.start(class, arguments).unwrap();
        let (stdin, stdout) = (process.stdin.take(), BufReader::new(process.stdout.take().unwrap()));
        Self { process, stdin, stdout, heard: Vec::new() }
    }

    pub(crate) fn tell(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{line}").unwrap();
        stdin.flush().unwrap();
    }

    /// The next line it prints; none when it has ended.
    fn hear(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.stdout.read_line(&mut line).unwrap();
        let line = (read > 0).then(|| line.trim_end().to_owned())?;
        self.heard.push(line.clone());
        Some(line)
    }

    /// Hears it out until a line begins like this; the rest of that line.
    pub(crate) fn wait_for(&mut self, start: &str) -> String {
        while let Some(line) = self.hear() {
            if let Some(rest) = line.strip_prefix(start) {
                return rest.to_owned();
            }
        }
        panic!("it ended before it said '{start}': {:#?}", self.words());
    }

    /// Everything it prints until a line that begins like this, and the rest of that line.
    pub(crate) fn hear_until(&mut self, start: &str) -> (Vec<String>, String) {
        self.heard.clear();
        let rest = self.wait_for(start);
        self.heard.pop();
        (std::mem::take(&mut self.heard), rest)
    }

    /// What it said, apart from its counting.
    fn words(&self) -> Vec<&String> {
        self.heard.iter().filter(|line| !line.starts_with("counted ") && !line.starts_with("copied ")).collect()
    }

    /// Ends it without a warning.
    pub(crate) fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Lets it end by itself, for which it is told that there is nothing more to do.
    pub(crate) fn finish(mut self) -> Vec<String> {
        self.stdin = None;
        while self.hear().is_some() {}
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}: {:#?}", self.words());
        self.words().into_iter().cloned().collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended long ago.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A process that runs tools.
pub(crate) struct ToolRunner(Program);

impl ToolRunner {
    pub(crate) fn start(tools: &Tools) -> Self {
        Self(Program::start(tools, "RunTools", &[]))
    }

    /// Runs a class to its end; what it printed and its exit status.
    pub(crate) fn run(&mut self, class: &str, arguments: &[&str], input: &str) -> (Vec<String>, String) {
        let line = [&[class, &input.replace('\n', "\\n")], arguments].concat().join("\t");
        self.0.tell(&line);
        self.0.hear_until("status ")
    }

    /// The same of what must not fail.
    pub(crate) fn succeed(&mut self, class: &str, arguments: &[&str], input: &str) -> Vec<String> {
        let (printed, status) = self.run(class, arguments, input);
        assert_eq!(status, "0", "{class} {arguments:?}: {printed:#?}");
        printed
    }
}
