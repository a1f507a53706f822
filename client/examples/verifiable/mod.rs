//! What both verifiable programs do: read their options, print one JSON object a line, and hear that they are to stop.
#![expect(clippy::disallowed_methods, reason = "every event has its time")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// The options of a command line, each with its value, `true` if it takes none.
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    /// Reads `--name value` and `--name=value`.
    pub(crate) fn parse(
        arguments: impl IntoIterator<Item = String>,
        with_value: &[&str],
        flags: &[&str],
    ) -> Result<Self, String> {
        let mut options = BTreeMap::new();
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            let (name, value) = match argument.split_once('=') {
                Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                None => (argument, None),
            };
            if with_value.contains(&&*name) {
                let value = value.or_else(|| arguments.next()).ok_or_else(|| format!("{name} needs a value"))?;
                options.insert(name, value);
            } else if flags.contains(&&*name) && value.is_none() {
                options.insert(name, "true".to_owned());
            } else {
                let known: Vec<&str> = with_value.iter().chain(flags).copied().collect();
                return Err(format!("there is no option {name}; there are {}", known.join(", ")));
            }
        }
        Ok(Self(options))
    }

    /// The value of an option, if it is given.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, String> {
        self.text(name).ok_or_else(|| format!("{name} is missing"))
    }

    pub(crate) fn number<N: FromStr>(&self, name: &str, default: N) -> Result<N, String> {
        match self.text(name) {
            Some(text) => text.parse().map_err(|_| format!("{name} cannot be '{text}': a number is wanted")),
            None => Ok(default),
        }
    }

    /// The properties of the file that one of these options names, if one is given.
    pub(crate) fn properties(&self, names: &[&str]) -> Result<Vec<(String, String)>, String> {
        let Some(file) = names.iter().find_map(|name| self.text(name)) else { return Ok(Vec::new()) };
        let text = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
        let property = |line: &str| {
            let (name, value) = line.split_once(['=', ':']).ok_or_else(|| format!("{file}: '{line}' has no value"))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        };
        lines.map(property).collect()
    }
}

/// An event, as one line of JSON.
pub(crate) struct Event(String);

impl Event {
    pub(crate) fn new(name: &str) -> Self {
        let at = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        Self(format!("{{\"timestamp\":{at},\"name\":\"{name}\""))
    }

    /// The value of an option, if it is given.
    pub(crate) fn text(self, field: &str, value: Option<&str>) -> Self {
        let value = value.map_or_else(|| "null".to_owned(), json_text);
        self.raw(field, &value)
    }

    pub(crate) fn number(self, field: &str, value: i64) -> Self {
        self.raw(field, &value.to_string())
    }

    /// A value that is JSON already.
    pub(crate) fn raw(mut self, field: &str, value: &str) -> Self {
        // Writing to a string cannot fail.
        let _ = write!(self.0, ",\"{field}\":{value}");
        self
    }

    /// Prints it at once, whole.
    pub(crate) fn print(mut self) {
        self.0.push_str("}\n");
        let mut out = std::io::stdout().lock();
        // Whoever has closed the other end wants to hear nothing more.
        let _ = out.write_all(self.0.as_bytes()).and_then(|()| out.flush());
    }
}

/// Text as JSON has it.
pub(crate) fn json_text(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            control if control.is_control() => {
                let _ = write!(json, "\\u{:04x}", u32::from(control));
            }
            other => json.push(other),
        }
    }
    json.push('"');
    json
}

/// Waits until the process is asked to stop: Ctrl-C, or the signal that `kill` sends.
#[cfg(unix)]
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};

    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Ok(())
}

/// Waits until the process is asked to stop by Ctrl-C.
#[cfg(not(unix))]
pub(crate) async fn asked_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
