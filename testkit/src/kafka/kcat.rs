//! kcat, the command line tool of librdkafka, against any broker.

use std::io;
use std::process::{Command, Output, Stdio};

use super::{is_required, tools};

/// kcat.
#[derive(Debug, Clone, Copy)]
pub struct Kcat(());

impl Kcat {
    /// Finds it. `None`, after a line that says so, when it is not there; with `TIDEMILL_REQUIRE_KAFKA=1` that fails the
    /// test instead.
    ///
    /// # Panics
    /// When it is not there and required.
    #[must_use]
    pub fn find() -> Option<Self> {
        match Command::new("kcat").arg("-V").stdin(Stdio::null()).output() {
            Ok(_) => Some(Self(())),
            Err(error) if !is_required() => {
                eprintln!("not run: tests with kcat need it ({error})");
                None
            }
            Err(error) => panic!("kcat: {error}"),
        }
    }

    /// Runs it, with `input` on its standard input, to its end.
    ///
    /// # Errors
    /// When it cannot be started or its pipes break.
    pub fn run(self, arguments: &[&str], input: &str) -> io::Result<Output> {
        let mut kcat = Command::new("kcat");
        kcat.args(arguments);
        tools::run(kcat, input)
    }
}
