//! What happened in a simulation, as lines of text that can be compared.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;

use super::LinkId;
use crate::broker::CarriedOut;

/// Lines, once they are asked for.
#[derive(Debug, Default)]
pub(super) struct Trace {
    text: Option<String>,
}

impl Trace {
    pub(super) fn start(&mut self) {
        self.text.get_or_insert_default();
    }

    pub(super) fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    pub(super) fn connect(&mut self, at: Duration, link: LinkId, node_id: i32) {
        self.line(at, |text| write!(text, "link {} connects to broker {node_id}", link.0));
    }

    /// Bytes, by their length and checksum.
    pub(super) fn frame(&mut self, at: Duration, link: LinkId, what: &str, bytes: &Bytes) {
        self.line(at, |text| {
            write!(text, "link {} {what}: {} bytes, {:08x}", link.0, bytes.len(), crc32c::crc32c(bytes))
        });
    }

    pub(super) fn word(&mut self, at: Duration, link: LinkId, what: &str) {
        self.line(at, |text| write!(text, "link {} {what}", link.0));
    }

    pub(super) fn effect(&mut self, at: Duration, done: &CarriedOut) {
        self.line(at, |text| write!(text, "{:?}, refused: {:?}", done.effect, done.refused));
    }

    fn line(&mut self, at: Duration, write_rest: impl FnOnce(&mut String) -> std::fmt::Result) {
        let Some(text) = &mut self.text else { return };
        // Writing to a string does not fail.
        let _ = write!(text, "{}.{:09} ", at.as_secs(), at.subsec_nanos());
        let _ = write_rest(text);
        text.push('\n');
    }
}
