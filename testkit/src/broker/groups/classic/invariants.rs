//! What must hold of a group of the classic protocol.

use std::collections::BTreeSet;

use super::{ClassicGroup, State};
use crate::broker::Token;
use crate::broker::invariants::{Holds, SeenGroup, hold};

impl ClassicGroup {
    pub(in crate::broker::groups) fn check(&self) -> Holds {
        let mut ids = BTreeSet::new();
        let mut names = BTreeSet::new();
        for member in self.members.iter() {
            hold(ids.insert(member.id.as_str()), || format!("{} is a member twice", member.id))?;
            let is_new = member.instance_id.as_ref().is_none_or(|name| names.insert(name.as_str()));
            hold(is_new, || format!("two members are the static member {:?}", member.instance_id))?;
        }
        for pending in self.members.pending() {
            hold(ids.insert(pending.id.as_str()), || format!("{} is pending, and known before", pending.id))?;
        }
        let leader = self.members.leader();
        let leads =
            self.members.is_empty() == leader.is_empty() && (leader.is_empty() || ids.contains(leader.as_str()));
        hold(leads, || format!("its leader is {leader:?}"))?;
        let is_empty = self.members.is_empty();
        match self.state {
            State::Empty => hold(is_empty, || "it is Empty, and has members".to_owned()),
            State::PreparingRebalance { .. } => Ok(()),
            State::CompletingRebalance { .. } | State::Stable { .. } => {
                hold(!is_empty, || format!("it is {}, and has no members", self.state_name()))?;
                let protocol = self.protocol.as_deref().unwrap_or_default();
                let speaks =
                    self.members.iter().all(|it| it.protocols.iter().any(|(name, _)| name.as_str() == protocol));
                hold(speaks, || format!("not all members speak {protocol:?}"))?;
                let is_stable = matches!(self.state, State::Stable { .. });
                let waits = self.members.iter().find(|it| it.joining.is_some() || is_stable && it.syncing.is_some());
                hold(waits.is_none(), || format!("it is {}, and a request of a member waits", self.state_name()))
            }
        }
    }

    /// The requests that it will answer.
    pub(in crate::broker::groups) fn tokens(&self) -> impl Iterator<Item = Token> {
        self.members.iter().flat_map(|member| [member.joining, member.syncing]).flatten().map(|asked| asked.token)
    }

    pub(in crate::broker::groups) fn seen(&self) -> SeenGroup {
        let members = self.members.iter().map(|member| member.id.to_string()).collect();
        SeenGroup { epoch: self.generation, is_classic: true, members }
    }
}
