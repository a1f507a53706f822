//! The options of a consumer.
use std::time::Duration;

use super::{fetcher, membership};
use crate::cluster::Backoff;

/// Where reading begins when nothing is committed, or what was committed is not in the log any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AutoOffsetReset {
    /// At the first record that the log still holds.
    Earliest,
    /// At the end: only records written from now on.
    #[default]
    Latest,
    /// Nowhere: the consumer is told, and has to seek.
    None,
}

/// Which records of transactions are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum IsolationLevel {
    /// All, committed or not.
    #[default]
    ReadUncommitted,
    /// Those of committed transactions, and those outside of any.
    ReadCommitted,
}

/// What the [`machine`](super::machine) needs to know.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) group_id: Option<String>,
    pub(super) auto_offset_reset: AutoOffsetReset,
    pub(super) auto_commit_interval: Option<Duration>,
    pub(super) session_timeout: Duration,
    pub(super) max_poll_interval: Duration,
    pub(super) allow_auto_create_topics: bool,
    pub(super) request_timeout: Duration,
    /// For calls of the application that wait for brokers.
    pub(super) api_timeout: Duration,
    pub(super) backoff: Backoff,
    pub(super) fetch: fetcher::Config,
    pub(super) membership: membership::classic::Config,
}

/// Stand-in.
#[derive(Debug, Clone, Default)]
pub struct ConsumerConfig {}
impl ConsumerConfig {
    pub(super) fn client(&self) -> &crate::config::ClientConfig {
        todo!()
    }
    pub(super) fn settings(&self) -> Result<Settings, crate::error::Error> {
        todo!()
    }
    pub fn from_properties<K: AsRef<str>, V: AsRef<str>>(
        _: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, crate::error::Error> {
        todo!()
    }
}
