//! The binary, and what it says.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A `tidemill` that runs. It is killed when it is dropped.
pub(crate) struct Tidemill {
    child: Child,
    said: Arc<Said>,
    readers: Vec<JoinHandle<()>>,
}

/// How it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stderr: String,
}

#[derive(Debug, Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    stdout: Mutex<Vec<u8>>,
    more: Condvar,
}

impl Tidemill {
    /// `tidemill run FILE ARGUMENTS`.
    pub(crate) fn run(file: &Path, arguments: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_tidemill"))
            .arg("run")
            .arg(file)
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Arc::new(Said::default());
        let (stderr, mut stdout) = (child.stderr.take().unwrap(), child.stdout.take().unwrap());
        let (errors, output) = (Arc::clone(&said), Arc::clone(&said));
        let readers = vec![
            std::thread::spawn(move || {
                for line in BufReader::new(stderr).lines() {
                    errors.lines.lock().unwrap().push(line.unwrap());
                    errors.more.notify_all();
                }
            }),
            std::thread::spawn(move || {
                let mut all = Vec::new();
                stdout.read_to_end(&mut all).unwrap();
                *output.stdout.lock().unwrap() = all;
            }),
        ];
        Self { child, said, readers }
    }

    /// Waits until it has said this line.
    pub(crate) fn says(&self, line: &str, patience: Duration) {
        self.says_one(line, |said| said == line, patience);
    }

    /// Waits until it has said a line that begins like this.
    pub(crate) fn says_a_line_with(&self, start: &str, patience: Duration) {
        self.says_one(start, |said| said.starts_with(start), patience);
    }

    fn says_one(&self, words: &str, is_it: impl Fn(&str) -> bool, patience: Duration) {
        let deadline = Instant::now() + patience;
        let mut lines = self.said.lines.lock().unwrap();
        while !lines.iter().any(|line| is_it(line)) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "it did not say '{words}' within {patience:?}, but:\n{}", lines.join("\n"));
            lines = self.said.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// SIGTERM.
    pub(crate) fn terminate(&self) {
        let killed = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(killed.success());
    }

    /// SIGKILL: it has no time for anything.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits until it has ended. Nothing may have come on stdout.
    pub(crate) fn ends(mut self, patience: Duration) -> Ended {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            let said = || self.said.lines.lock().unwrap().join("\n");
            assert!(Instant::now() < deadline, "it did not end within {patience:?}; it said:\n{}", said());
            std::thread::sleep(Duration::from_millis(10));
        };
        for reader in std::mem::take(&mut self.readers) {
            reader.join().unwrap();
        }
        assert_eq!(String::from_utf8_lossy(&self.said.stdout.lock().unwrap()), "", "stdout stays empty");
        Ended { code: status.code(), stderr: self.said.lines.lock().unwrap().join("\n") + "\n" }
    }
}

impl Drop for Tidemill {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("tidemill said:\n{}", self.said.lines.lock().unwrap().join("\n"));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
