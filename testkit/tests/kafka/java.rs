//! Java programs as processes: started, told what to do, heard and killed; and Kafka's tools, which run one after the other
//! in processes that are kept, as starting Java takes longer than most of what they do.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, ExitStatus, Output};
use std::sync::{Mutex, OnceLock};

use tempfile::TempDir;
use tidemill_testkit::kafka::Tools;

/// Kafka's jars and our programs of `tests/java`, compiled once.
pub(crate) fn java() -> Option<&'static Tools> {
    static JAVA: OnceLock<Option<(Tools, TempDir)>> = OnceLock::new();
    let compile = || {
        let classes = TempDir::new().unwrap();
        let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/java")).unwrap();
        let sources: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
        Some((Tools::find_with_streams()?.compile(&sources, classes.path()).unwrap(), classes))
    };
    JAVA.get_or_init(compile).as_ref().map(|(tools, _)| tools)
}

/// Runs one of Kafka's tools or of our programs, by the name of its class, with `input` on its standard input, to its end.
/// `None`, after a line that says so, when Java or the jars are not there.
pub(crate) fn run_tool(class: &str, arguments: &[&str], input: &str) -> Option<Output> {
    static IDLE: Mutex<Vec<ToolRunner>> = Mutex::new(Vec::new());
    let tools = java()?;
    let idle = IDLE.lock().unwrap().pop();
    let mut runner = idle.unwrap_or_else(|| ToolRunner::start(tools));
    let (mut printed, status) = runner.run_apart(class, arguments, input);
    IDLE.lock().unwrap().push(runner);
    let stdout = printed.pop().unwrap().replace("\\n", "\n");
    let status = ExitStatus::from_raw(status.parse::<i32>().unwrap() << 8);
    Some(Output { status, stdout: stdout.into_bytes(), stderr: printed.join("\n").into_bytes() })
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
        let (mut printed, status) = self.run_apart(class, arguments, input);
        // On its standard output alone.
        printed.pop();
        (printed, status)
    }

    /// The same, and behind all that it printed, on one line, what of it was on the standard output.
    fn run_apart(&mut self, class: &str, arguments: &[&str], input: &str) -> (Vec<String>, String) {
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
