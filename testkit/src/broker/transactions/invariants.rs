//! What must hold of transactional ids: no two have one producer id, and whatever ends is on its way.

use std::collections::BTreeMap;

use super::{State, Transactions};

impl Transactions {
    /// Whether all holds; else of which id it does not.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let mut owners: BTreeMap<i64, &str> = BTreeMap::new();
        for (id, transaction) in self.iter() {
            let broken = |reason: String| Err((id.to_owned(), reason));
            let producer_id = transaction.producer_id;
            if let Some(other) = owners.insert(producer_id, id) {
                return broken(format!("its producer id {producer_id} is also that of {other}"));
            }
            if producer_id >= self.next_producer_id {
                return broken(format!("its producer id {producer_id} will be given to another"));
            }
            let ends = matches!(transaction.state, State::PrepareCommit(_) | State::PrepareAbort(_));
            if ends != self.sending.contains_key(id) {
                let sends = if ends { "nobody sends" } else { "somebody sends" };
                return broken(format!("it is in {}, and {sends} its markers", transaction.state.name()));
            }
            let due = transaction.expires_at_ms().map(|at| (at, id.to_owned()));
            if due.as_ref().is_some_and(|due| !self.expiring.contains(due)) {
                return broken("nobody will abort it when it has been open for too long".to_owned());
            }
        }
        if let Some(id) = self.sending.keys().find(|id| !self.transactions.contains_key(*id)) {
            return Err((id.clone(), "its markers are sent, and there is no such id".to_owned()));
        }
        let is_due = |(at, id): &&(i64, String)| self.get(id).and_then(super::Transaction::expires_at_ms) == Some(*at);
        match self.expiring.iter().find(|due| !is_due(due)) {
            Some((at, id)) => Err((id.clone(), format!("it is to be aborted at {at}, and is not open"))),
            None => Ok(()),
        }
    }
}
