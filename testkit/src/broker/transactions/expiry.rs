//! Transactional ids with which nothing was done for `transactional.id.expiration.ms`, and that have no transaction open or
//! ending, are forgotten (KIP-98). Who still uses one is answered `INVALID_PRODUCER_ID_MAPPING`, as if it had never been; who
//! initializes it gets a new producer id.

use std::time::Duration;

use tokio::time::Instant;

use crate::broker::{Cluster, millis};

impl Cluster {
    /// Forgets what has become too old, if it is time to look, and says when it is next.
    pub(super) fn expire_transactional_ids(&mut self, now: Instant) -> Option<Instant> {
        let interval = self.config.transactional_id_expiration_interval;
        let known = &mut self.transactions;
        let at = *known.next_expiry_check.get_or_insert_with(|| self.started + interval);
        if at <= now {
            known.next_expiry_check = Some(next_look(self.started, interval, now));
            let before_ms = self.unix_ms(now).saturating_sub(millis(self.config.transactional_id_expiration));
            let known = &mut self.transactions.transactions;
            let unused = known.iter().filter(|(_, it)| it.state.may_expire() && it.updated_ms <= before_ms);
            for id in unused.map(|(id, _)| id.clone()).collect::<Vec<_>>() {
                known.remove(&id);
            }
        }
        let is_watched = !self.transactions.transactions.is_empty();
        self.transactions.next_expiry_check.filter(|_| is_watched)
    }
}

/// The first time behind `now` of those that come again every so often from the start on.
pub(crate) fn next_look(started: Instant, interval: Duration, now: Instant) -> Instant {
    let interval_ms = interval.as_millis().max(1);
    let rounds = now.saturating_duration_since(started).as_millis() / interval_ms + 1;
    started + Duration::from_millis(u64::try_from(rounds * interval_ms).unwrap_or(u64::MAX))
}
