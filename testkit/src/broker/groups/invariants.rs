//! What must hold of groups: of each as its protocol says, when each is looked at again, and of what is committed in
//! transactions.

use std::collections::BTreeSet;

use super::{Groups, Protocol};
use crate::broker::Token;
use crate::broker::invariants::SeenGroup;
use crate::broker::transactions::offsets_partition;

impl Groups {
    /// Whether all holds; else of what it does not.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let mut deadlines = BTreeSet::new();
        for (id, group) in self.groups.iter() {
            let broken = |reason| (format!("group {id}"), reason);
            match &group.protocol {
                Protocol::Classic(classic) => classic.check().map_err(broken)?,
                Protocol::Consumer(consumer) => consumer.check().map_err(broken)?,
            }
            let due = group.protocol.next_deadline();
            if due != group.deadline {
                return Err(broken("it is not looked at when it has something to do".to_owned()));
            }
            deadlines.extend(due.map(|at| (at, id.clone())));
        }
        if deadlines == self.deadlines { Ok(()) } else { Err(("groups".to_owned(), "their deadlines".to_owned())) }
    }

    /// What is committed in a transaction is pending only as long as that is open.
    pub(crate) fn check_pending(&self) -> Result<(), (String, String)> {
        for (id, group) in self.groups.iter() {
            let (_, partition) = offsets_partition(id);
            for producer_id in group.offsets.pending.keys() {
                let producers = self.transactions.partitions.get(&partition);
                let known = producers.and_then(|producers| producers.get(producer_id));
                if !known.is_some_and(|producer| producer.is_open) {
                    let reason =
                        format!("offsets of producer {producer_id} are pending, and it has no transaction open");
                    return Err((format!("group {id}"), reason));
                }
            }
        }
        Ok(())
    }

    /// The requests that groups will answer.
    pub(crate) fn tokens(&self) -> BTreeSet<Token> {
        let mut tokens: BTreeSet<Token> = self.answers.iter().map(|(token, _)| *token).collect();
        for group in self.groups.values() {
            match &group.protocol {
                Protocol::Classic(classic) => tokens.extend(classic.tokens()),
                Protocol::Consumer(_) => {}
            }
        }
        tokens
    }

    /// The groups that have members, to be compared with what they will be.
    pub(crate) fn seen(&self) -> impl Iterator<Item = (String, SeenGroup)> {
        self.groups.iter().map(|(id, group)| {
            (
                id.clone(),
                match &group.protocol {
                    Protocol::Classic(classic) => classic.seen(),
                    Protocol::Consumer(consumer) => consumer.seen(),
                },
            )
        })
    }
}
