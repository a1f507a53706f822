//! The line that each mode ends with.

use std::fmt;

use super::usage::{Mark, peak_rss_mb};

/// What was measured.
pub(super) struct Report {
    mode: &'static str,
    records: u64,
    seconds: f64,
    cpu_seconds: f64,
    peak_rss_mb: f64,
    pub(super) errors: u64,
    /// What only this mode has.
    extra: Vec<(&'static str, f64)>,
}

impl Report {
    pub(super) fn new(
        mode: &'static str,
        (records, errors): (u64, u64),
        from: Mark,
        to: Mark,
    ) -> std::io::Result<Self> {
        let (seconds, cpu_seconds) = from.until(to);
        Ok(Self { mode, records, seconds, cpu_seconds, peak_rss_mb: peak_rss_mb()?, errors, extra: Vec::new() })
    }

    pub(super) fn with(mut self, name: &'static str, value: f64) -> Self {
        self.extra.push((name, value));
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mode, records, seconds, cpu_seconds, peak_rss_mb, errors, extra } = self;
        #[expect(clippy::cast_precision_loss, reason = "a rate needs no more digits than that")]
        let rate = *records as f64 / seconds.max(1e-9);
        write!(
            f,
            r#"{{"client":"tidemill","mode":"{mode}","records":{records},"seconds":{seconds:.6},"cpu_seconds":{cpu_seconds:.6},"#
        )?;
        write!(f, r#""records_per_second":{rate:.0},"peak_rss_mb":{peak_rss_mb:.1},"errors":{errors}"#)?;
        for (name, value) in extra {
            write!(f, r#","{name}":{value:.6}"#)?;
        }
        f.write_str("}")
    }
}
