//! Consumer groups.

use tidemill_protocol::messages::{JoinGroupResponse, SyncGroupResponse};
use tokio::time::Instant;

use super::Token;

#[derive(Debug, Default)]
pub(crate) struct Groups {}

/// The answer to a request that waited.
#[derive(Debug)]
pub(crate) enum GroupAnswer {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
}

impl Groups {
    pub(crate) fn poll(&mut self, _now: Instant, _answers: &mut Vec<(Token, GroupAnswer)>) -> Option<Instant> {
        None
    }
}
