//! What is logged, as text: for tests of what a log says, and of what it must not.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, PoisonError};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Runs something and returns what it logged on this thread, at any level: a line for each event, with all its fields.
pub fn captured<T>(run: impl FnOnce() -> T) -> (T, String) {
    let logs = Logs::default();
    let returned = tracing::subscriber::with_default(logs.clone(), run);
    let text = std::mem::take(&mut *logs.0.lock().unwrap_or_else(PoisonError::into_inner));
    (returned, text)
}

#[derive(Debug, Clone, Default)]
struct Logs(Arc<Mutex<String>>);

impl Logs {
    fn line(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Line)) {
        let mut line = Line(format!("{} {}", metadata.level(), metadata.target()));
        record(&mut line);
        let mut text = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.push_str(&line.0);
        text.push('\n');
    }
}

impl Subscriber for Logs {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.line(span.metadata(), |line| span.record(line));
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.line(event.metadata(), |line| event.record(line));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Line(String);

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string cannot fail.
        let _ = write!(self.0, " {}={value:?}", field.name());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_captured_with_its_fields() {
        let (returned, text) = captured(|| {
            tracing::debug!(name = "linger.ms", "passed over");
            7
        });
        assert_eq!(returned, 7);
        assert_eq!(text, "DEBUG tidemill_testkit::logs::tests message=passed over name=\"linger.ms\"\n");
        assert_eq!(captured(|| ()).1, "");
    }
}
