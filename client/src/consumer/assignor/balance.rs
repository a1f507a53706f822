//! Sharing out evenly with the fewest moves: what both sticky assignors plan by.
//!
//! Three steps. Members keep what they had: where two claim one partition, who was given it later; where both were
//! given it in one generation, neither. What nobody has goes to whoever has least. Then, as long as somebody could take
//! over from somebody who has at least two more, directly or by a chain of members each handing one on, the shortest
//! such chain is followed. Every chain lowers the sum of the squares of all loads, so this ends; and where none is left,
//! no other plan is more even.
//!
//! Chains lead to the least loaded first. Whoever can be reached by none is settled, together with all who could hand
//! on to it: they have at most one more, so no later chain can pass through them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::{GroupMember, PartitionCounts, Plan, Share, empty_plan};

/// A balanced plan.
#[derive(Debug)]
pub(super) struct Balanced {
    pub(super) plan: Plan,
    /// What of the plan its owner had already.
    pub(super) kept: Plan,
}

pub(super) fn assign(members: &[GroupMember], partitions: &PartitionCounts) -> Balanced {
    let mut board = Board::new(members, partitions);
    board.keep_previous();
    board.deal_the_rest();
    board.even_out();
    board.into_plans(members)
}

/// A topic that somebody reads. Members and topics go by their place in the board's lists.
struct Topic<'a> {
    name: &'a Arc<str>,
    count: i32,
    subscribers: Vec<usize>,
    /// Who had each partition.
    previous: BTreeMap<i32, usize>,
}

struct Board<'a> {
    members: Vec<&'a GroupMember>,
    topics: Vec<Topic<'a>>,
    /// The topics of each member.
    wants: Vec<Vec<usize>>,
    /// The partitions of each member, by topic.
    held: Vec<BTreeMap<usize, BTreeSet<i32>>>,
    loads: Vec<usize>,
}

impl<'a> Board<'a> {
    fn new(members: &'a [GroupMember], partitions: &'a PartitionCounts) -> Self {
        let mut ordered: Vec<&GroupMember> = members.iter().collect();
        ordered.sort_by_key(|member| &member.member_id);
        ordered.dedup_by_key(|member| &member.member_id);
        let mut subscribers: BTreeMap<&Arc<str>, BTreeSet<usize>> = BTreeMap::new();
        for (index, member) in ordered.iter().enumerate() {
            for topic in &member.topics {
                subscribers.entry(topic).or_default().insert(index);
            }
        }
        let mut topics: Vec<Topic<'_>> = Vec::new();
        let mut wants = vec![Vec::new(); ordered.len()];
        for (name, &count) in partitions {
            let Some(subscribers) = subscribers.get(name).filter(|_| count > 0) else { continue };
            for &member in subscribers {
                wants[member].push(topics.len());
            }
            let subscribers: Vec<usize> = subscribers.iter().copied().collect();
            let previous = previous_owners(name, count, &ordered, &subscribers);
            topics.push(Topic { name, count, subscribers, previous });
        }
        let count = ordered.len();
        Self { members: ordered, topics, wants, held: vec![BTreeMap::new(); count], loads: vec![0; count] }
    }

    fn give(&mut self, member: usize, topic: usize, partition: i32) {
        self.held[member].entry(topic).or_default().insert(partition);
        self.loads[member] += 1;
    }

    fn take(&mut self, member: usize, topic: usize, partition: i32) {
        if let Some(numbers) = self.held[member].get_mut(&topic) {
            numbers.remove(&partition);
            self.loads[member] -= 1;
            if numbers.is_empty() {
                self.held[member].remove(&topic);
            }
        }
    }

    fn keep_previous(&mut self) {
        for topic in 0..self.topics.len() {
            for (partition, member) in self.topics[topic].previous.clone() {
                self.give(member, topic, partition);
            }
        }
    }

    /// Topics that few read come first: what many read can still even things out.
    fn deal_the_rest(&mut self) {
        let mut order: Vec<usize> = (0..self.topics.len()).collect();
        order.sort_by_key(|topic| self.topics[*topic].subscribers.len());
        for topic in order {
            for partition in 0..self.topics[topic].count {
                if self.topics[topic].previous.contains_key(&partition) {
                    continue;
                }
                let least = self.topics[topic].subscribers.iter().copied().min_by_key(|member| self.loads[*member]);
                if let Some(member) = least {
                    self.give(member, topic, partition);
                }
            }
        }
    }

    fn even_out(&mut self) {
        let mut settled = vec![false; self.members.len()];
        loop {
            let open = || (0..settled.len()).filter(|member| !settled[*member]);
            let Some(least) = open().map(|member| self.loads[member]).min() else { return };
            let most = open().map(|member| self.loads[member]).max().unwrap_or(least);
            if most < least + 2 {
                return;
            }
            let sinks: Vec<usize> = open().filter(|member| self.loads[*member] == least).collect();
            match self.find_chain(&sinks, least, most, &settled) {
                Ok(chain) => self.follow(&chain),
                Err(reached) => {
                    for member in reached {
                        settled[member] = true;
                    }
                }
            }
        }
    }

    /// The shortest chain from somebody with at least two more than the sinks have; the most loaded of those. Else
    /// everybody from whom a chain leads to a sink.
    fn find_chain(
        &self,
        sinks: &[usize],
        least: usize,
        most: usize,
        settled: &[bool],
    ) -> Result<Vec<(usize, usize, usize)>, Vec<usize>> {
        // By member: to whom it would hand on, and of which topic.
        let mut next: Vec<Option<(usize, usize)>> = vec![None; self.members.len()];
        let mut depth: Vec<Option<usize>> = vec![None; self.members.len()];
        let mut seen_topics = vec![false; self.topics.len()];
        let mut reached: Vec<usize> = sinks.to_vec();
        let mut queue: VecDeque<usize> = sinks.iter().copied().collect();
        for &sink in sinks {
            depth[sink] = Some(0);
        }
        let mut best: Option<usize> = None;
        'search: while let Some(taker) = queue.pop_front() {
            let taker_depth = depth[taker].unwrap_or(0);
            if best.is_some_and(|best| depth[best].is_some_and(|depth| depth <= taker_depth)) {
                break;
            }
            for &topic in &self.wants[taker] {
                if std::mem::replace(&mut seen_topics[topic], true) {
                    continue;
                }
                for &giver in &self.topics[topic].subscribers {
                    if settled[giver] || depth[giver].is_some() || !self.held[giver].contains_key(&topic) {
                        continue;
                    }
                    depth[giver] = Some(taker_depth + 1);
                    next[giver] = Some((topic, taker));
                    reached.push(giver);
                    queue.push_back(giver);
                    if self.loads[giver] >= least + 2 && best.is_none_or(|best| self.loads[best] < self.loads[giver]) {
                        best = Some(giver);
                        if self.loads[giver] == most {
                            break 'search;
                        }
                    }
                }
            }
        }
        let Some(mut giver) = best else { return Err(reached) };
        let mut chain = Vec::new();
        while let Some((topic, taker)) = next[giver] {
            chain.push((giver, topic, taker));
            giver = taker;
        }
        Ok(chain)
    }

    fn follow(&mut self, chain: &[(usize, usize, usize)]) {
        for &(giver, topic, taker) in chain {
            let previous = &self.topics[topic].previous;
            // Best one that comes back to whom it belonged, then one that the giver has only just got.
            let cost = |partition: &i32| match previous.get(partition) {
                Some(owner) if *owner == taker => 0,
                Some(owner) if *owner == giver => 2,
                Some(_) | None => 1,
            };
            let numbers = self.held[giver].get(&topic);
            let chosen = numbers.and_then(|numbers| numbers.iter().rev().min_by_key(|partition| cost(partition)));
            if let Some(&partition) = chosen {
                self.take(giver, topic, partition);
                self.give(taker, topic, partition);
            }
        }
    }

    fn into_plans(self, members: &[GroupMember]) -> Balanced {
        let mut plan = empty_plan(members);
        let mut kept = empty_plan(members);
        for (index, held) in self.held.iter().enumerate() {
            let member_id = &self.members[index].member_id;
            for (topic, numbers) in held {
                let Topic { name, previous, .. } = &self.topics[*topic];
                let all: Vec<i32> = numbers.iter().copied().collect();
                let old: Vec<i32> = all.iter().copied().filter(|number| previous.get(number) == Some(&index)).collect();
                put(&mut plan, member_id, name, all);
                put(&mut kept, member_id, name, old);
            }
        }
        Balanced { plan, kept }
    }
}

fn put(plan: &mut Plan, member_id: &str, topic: &Arc<str>, numbers: Vec<i32>) {
    if let Some(share) = plan.get_mut(member_id).filter(|_| !numbers.is_empty()) {
        share.insert(topic.clone(), numbers);
    }
}

/// Who had each partition of a topic, among those who want it still.
fn previous_owners(
    topic: &Arc<str>,
    count: i32,
    members: &[&GroupMember],
    subscribers: &[usize],
) -> BTreeMap<i32, usize> {
    // The generation of the latest claim, and who made it; none where two did.
    let mut claims: BTreeMap<i32, (i32, Option<usize>)> = BTreeMap::new();
    for &index in subscribers {
        let member = members[index];
        let numbers: BTreeSet<i32> = Share::get(&member.owned, topic).into_iter().flatten().copied().collect();
        for number in numbers.range(0..count) {
            let claim = claims.entry(*number).or_insert((member.generation, Some(index)));
            if claim.0 < member.generation {
                *claim = (member.generation, Some(index));
            } else if claim.0 == member.generation && claim.1 != Some(index) {
                claim.1 = None;
            }
        }
    }
    claims.into_iter().filter_map(|(number, (_, owner))| Some((number, owner?))).collect()
}
