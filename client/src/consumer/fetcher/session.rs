//! What a broker remembers of our fetches (KIP-227): only what changed since the last one is said again, and only what is
//! new is answered. With many partitions of which few are busy, that is most of both.
//!
//! Before: the [`fetcher`](super) has decided which partitions the next `Fetch` is about. After: [`Said`] is what of them
//! goes onto the wire.

use std::collections::BTreeMap;

use tidemill_protocol::ErrorCode;
use uuid::Uuid;

use super::Wanted;
use crate::record::TopicPartition;

/// How a `Fetch` is said within a session.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::consumer) struct Said {
    pub(in crate::consumer) session_id: i32,
    pub(in crate::consumer) session_epoch: i32,
    /// Which of the plan's partitions the broker does not know as they are; none when all are said.
    pub(in crate::consumer) changed: Option<Vec<usize>>,
    /// Those that are not asked for any more.
    pub(in crate::consumer) forgotten: Vec<(TopicPartition, Uuid)>,
}

impl Said {
    /// Outside of any session: all partitions, and nothing is remembered.
    pub(super) const fn alone() -> Self {
        Self { session_id: 0, session_epoch: OUTSIDE, changed: None, forgotten: Vec::new() }
    }
}

/// The session epoch that asks for no session.
const OUTSIDE: i32 = -1;

/// One broker's session. With epoch 0 the next `Fetch` says all and asks for a new one; an id beside it is let go.
#[derive(Debug, Default)]
pub(super) struct Session {
    id: i32,
    epoch: i32,
    /// What the broker remembers.
    known: BTreeMap<TopicPartition, Wanted>,
}

impl Session {
    /// How to ask for these.
    pub(super) fn say(&mut self, wanted: &[Wanted]) -> Said {
        let (session_id, session_epoch) = (self.id, self.epoch);
        if session_epoch == 0 {
            self.known = wanted.iter().map(|wanted| (wanted.partition.clone(), wanted.clone())).collect();
            return Said { session_id, session_epoch, changed: None, forgotten: Vec::new() };
        }
        let mut before = std::mem::take(&mut self.known);
        let mut changed = Vec::new();
        for (index, wanted) in wanted.iter().enumerate() {
            let known = before.remove_entry(&wanted.partition);
            if !known.as_ref().is_some_and(|(_, known)| known.says_the_same_as(wanted)) {
                changed.push(index);
            }
            let partition = known.map_or_else(|| wanted.partition.clone(), |(partition, _)| partition);
            self.known.insert(partition, wanted.clone());
        }
        let forgotten = before.into_iter().map(|(partition, wanted)| (partition, wanted.topic_id)).collect();
        Said { session_id, session_epoch, changed: Some(changed), forgotten }
    }

    /// The broker answered, in this session; 0 when it has none for us.
    pub(super) fn on_reply(&mut self, session_id: i32) {
        if session_id == 0 {
            *self = Self::default();
        } else {
            self.id = session_id;
            self.epoch = self.epoch.checked_add(1).unwrap_or(1); // 0 would begin another
        }
    }

    /// It did not, or not as it should: whether it counted the `Fetch` is not known, so the next one begins anew.
    pub(super) fn on_failure(&mut self) {
        self.epoch = 0;
        self.known.clear();
    }
}

/// Whether the broker only lost the session: nothing is wrong with what was asked.
pub(super) fn is_over(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::FETCH_SESSION_ID_NOT_FOUND
            | ErrorCode::INVALID_FETCH_SESSION_EPOCH
            | ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR
    )
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn wanted(number: i32, offset: i64) -> Wanted {
        let partition = TopicPartition { topic: Arc::from("orders"), partition: number };
        Wanted { partition, topic_id: Uuid::nil(), leader_epoch: 1, offset, last_epoch: -1, version: 1 }
    }

    fn begun(wanted: &[Wanted]) -> Session {
        let mut session = Session::default();
        assert_eq!(session.say(wanted), Said::default(), "epoch 0 of no session: all is said");
        session.on_reply(7);
        session
    }

    #[test]
    fn only_what_changed_is_said_again_and_what_is_left_out_is_forgotten() {
        let mut session = begun(&[wanted(0, 0), wanted(1, 0)]);
        let said = session.say(&[wanted(0, 0), wanted(1, 5), wanted(2, 0)]);
        assert_eq!((said.session_id, said.session_epoch), (7, 1));
        assert_eq!((said.changed, said.forgotten), (Some(vec![1, 2]), Vec::new()));
        session.on_reply(7);
        let said = session.say(&[wanted(1, 5)]);
        assert_eq!((said.session_epoch, said.changed), (2, Some(Vec::new())));
        assert_eq!(said.forgotten, [(wanted(0, 0).partition, Uuid::nil()), (wanted(2, 0).partition, Uuid::nil())]);
        session.on_reply(7);
        assert_eq!(session.say(&[wanted(0, 0), wanted(1, 5)]).changed, Some(vec![0]), "it was forgotten");
    }

    #[test]
    fn a_new_version_of_the_position_alone_is_nothing_to_say() {
        let mut session = begun(&[wanted(0, 3)]);
        assert_eq!(session.say(&[Wanted { version: 9, ..wanted(0, 3) }]).changed, Some(Vec::new()));
        session.on_reply(7);
        assert_eq!(session.say(&[Wanted { leader_epoch: 2, ..wanted(0, 3) }]).changed, Some(vec![0]));
    }

    #[test]
    fn after_a_failure_all_is_said_and_the_old_session_let_go() {
        let mut session = begun(&[wanted(0, 0)]);
        session.say(&[wanted(0, 4)]);
        session.on_failure();
        let said = session.say(&[wanted(0, 4)]);
        assert_eq!((said.session_id, said.session_epoch, said.changed), (7, 0, None));
        session.on_reply(8);
        assert_eq!(session.say(&[wanted(0, 4)]).session_id, 8);
    }

    #[test]
    fn a_broker_without_room_for_sessions_is_told_all_each_time() {
        let mut session = Session::default();
        for _ in 0..3 {
            let said = session.say(&[wanted(0, 0)]);
            assert_eq!((said.session_id, said.session_epoch, said.changed), (0, 0, None));
            session.on_reply(0);
        }
    }
}
