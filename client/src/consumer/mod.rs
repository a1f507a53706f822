//! Consumer.
mod aborted;
mod activity;
mod assignor;
mod commits;
mod committed;
mod config;
mod fetched;
mod fetcher;
mod machine;
pub(crate) use machine::Leader;
mod membership;
mod offset_lookup;
mod positions;
mod rebalance;
mod requests;
mod subscription;

/// An offset to commit, or that was committed, with what the application wants to remember beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OffsetAndMetadata {
    /// The next offset to read.
    pub offset: i64,
    /// The leader epoch of the record before it, if known.
    pub leader_epoch: Option<i32>,
    /// Anything, in the application's own words; empty by default.
    pub metadata: String,
}

impl From<i64> for OffsetAndMetadata {
    fn from(offset: i64) -> Self {
        Self { offset, leader_epoch: None, metadata: String::new() }
    }
}
