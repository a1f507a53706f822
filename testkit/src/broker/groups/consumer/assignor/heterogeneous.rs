//! The uniform assignor for members that read different topics: free partitions go to the reader with the fewest, topics
//! with the most partitions per reader first; then, topic by topic, partitions move from the readers with the most to
//! those with the fewest until they differ by one at most.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::{Plan, Spec, add, remove};
use crate::broker::groups::consumer::Partitions;

/// How often all topics are gone through before it is good enough.
const ROUNDS_MAX: usize = 16;

/// What is being made.
struct Balance {
    /// By the number of the member.
    assigned: Vec<Partitions>,
    sizes: Vec<i32>,
    owners: BTreeMap<Uuid, Vec<Option<usize>>>,
}

/// The readers of one topic, by how many partitions they have: the least loaded are asked for in turn from one end, the
/// most loaded from the other.
struct Readers {
    sorted: Vec<usize>,
    least_end: usize,
    least_load: i32,
    next_least: usize,
    most_start: usize,
    most_end: usize,
    most_load: i32,
    /// One more than the place of the next, so that 0 is none.
    next_most: usize,
}

pub(super) fn assign(spec: &Spec) -> Plan {
    let mut readers: BTreeMap<Uuid, Vec<usize>> = BTreeMap::new();
    for (number, member) in spec.members.iter().enumerate() {
        for topic in &member.topics {
            readers.entry(*topic).or_default().push(number);
        }
    }
    if readers.is_empty() {
        return Plan::new();
    }
    let mut balance = Balance::keep(spec, &readers);
    let order = order(spec, &readers);
    for topic in &order {
        let Some(of_topic) = readers.get(topic) else { continue };
        let mut turn = Readers::new(of_topic, &balance.sizes);
        for partition in balance.free(*topic) {
            let Some(least) = turn.next_least(&balance.sizes) else { break };
            balance.give(*topic, partition, least);
        }
    }
    balance.even_out(&order, &readers);
    let ids = spec.members.iter().map(|member| member.id.clone());
    ids.zip(balance.assigned).collect()
}

/// Most partitions per reader first, then fewest readers.
fn order(spec: &Spec, readers: &BTreeMap<Uuid, Vec<usize>>) -> Vec<Uuid> {
    let mut order: Vec<Uuid> = readers.keys().copied().collect();
    let size = |topic: &Uuid| i64::from(spec.topics.get(topic).copied().unwrap_or_default());
    let count = |topic: &Uuid| i64::try_from(readers.get(topic).map_or(1, Vec::len)).unwrap_or(i64::MAX);
    // Fractions compared without dividing.
    order.sort_by(|a, b| {
        (size(b) * count(a)).cmp(&(size(a) * count(b))).then(count(a).cmp(&count(b))).then(by_id(a, b))
    });
    order
}

/// Kafka compares ids as two signed numbers.
fn by_id(a: &Uuid, b: &Uuid) -> Ordering {
    let halves = |id: &Uuid| {
        let (high, low) = id.as_u64_pair();
        (high.cast_signed(), low.cast_signed())
    };
    halves(a).cmp(&halves(b))
}

impl Balance {
    /// Everybody keeps what it has of the topics it reads.
    fn keep(spec: &Spec, readers: &BTreeMap<Uuid, Vec<usize>>) -> Self {
        let count = |topic: &Uuid| usize::try_from(spec.topics.get(topic).copied().unwrap_or_default());
        let nobody = |topic: &Uuid| (*topic, vec![None; count(topic).unwrap_or_default()]);
        let mut balance = Self {
            assigned: vec![Partitions::new(); spec.members.len()],
            sizes: vec![0; spec.members.len()],
            owners: readers.keys().map(nobody).collect(),
        };
        for (number, member) in spec.members.iter().enumerate() {
            for (topic, partitions) in member.assigned.iter().filter(|(topic, _)| member.topics.contains(topic)) {
                for partition in partitions {
                    balance.give(*topic, *partition, number);
                }
            }
        }
        balance
    }

    fn free(&self, topic: Uuid) -> Vec<i32> {
        let owners = self.owners.get(&topic).into_iter().flatten();
        (0..).zip(owners).filter(|(_, owner)| owner.is_none()).map(|(partition, _)| partition).collect()
    }

    fn give(&mut self, topic: Uuid, partition: i32, to: usize) {
        let Some(owner) =
            self.owners.get_mut(&topic).and_then(|owners| owners.get_mut(usize::try_from(partition).ok()?))
        else {
            return;
        };
        let before = owner.replace(to);
        if let Some((assigned, size)) =
            before.and_then(|before| Some((self.assigned.get_mut(before)?, self.sizes.get_mut(before)?)))
        {
            remove(assigned, topic, partition);
            *size -= 1;
        }
        if let (Some(assigned), Some(size)) = (self.assigned.get_mut(to), self.sizes.get_mut(to)) {
            add(assigned, topic, partition);
            *size += 1;
        }
    }

    /// Goes through the topics until a whole round changes nothing.
    fn even_out(&mut self, order: &[Uuid], readers: &BTreeMap<Uuid, Vec<usize>>) {
        let shared = order.iter().filter_map(|topic| Some((*topic, readers.get(topic).filter(|it| it.len() >= 2)?)));
        let shared: Vec<(Uuid, &Vec<usize>)> = shared.collect();
        let mut last_changed = None;
        for _ in 0..ROUNDS_MAX {
            for (number, (topic, readers)) in shared.iter().enumerate() {
                if last_changed == Some(number) {
                    return;
                }
                if self.even_out_topic(*topic, readers) || last_changed.is_none() {
                    last_changed = Some(number);
                }
            }
        }
    }

    /// Whether anything moved.
    fn even_out_topic(&mut self, topic: Uuid, readers: &[usize]) -> bool {
        let mut turn = Readers::new(readers, &self.sizes);
        if turn.imbalance(&self.sizes) <= 1 {
            return false;
        }
        // What each may give away, the highest partition first.
        let mut owned: BTreeMap<usize, BTreeSet<i32>> = BTreeMap::new();
        for (partition, owner) in (0..).zip(self.owners.get(&topic).into_iter().flatten()) {
            if let Some(owner) = owner {
                owned.entry(*owner).or_default().insert(partition);
            }
        }
        let mut moved = false;
        while !turn.is_balanced() {
            let most = loop {
                let Some(most) = turn.next_most(&self.sizes) else { return moved };
                match owned.get_mut(&most).and_then(BTreeSet::pop_last) {
                    Some(partition) => break partition,
                    None => turn.exclude_most(),
                }
            };
            let Some(least) = turn.next_least(&self.sizes) else { return moved };
            if turn.is_balanced() {
                return moved;
            }
            self.give(topic, most, least);
            moved = true;
        }
        moved
    }
}

impl Readers {
    fn new(readers: &[usize], sizes: &[i32]) -> Self {
        let mut sorted = readers.to_vec();
        sorted.sort_by_key(|member| (load(sizes, *member), *member));
        let lowest = sorted.first().map_or(0, |member| load(sizes, *member));
        let highest = sorted.last().map_or(0, |member| load(sizes, *member));
        let end = sorted.len();
        Self {
            sorted,
            least_end: 0,
            least_load: lowest - 1,
            next_least: 0,
            most_start: end,
            most_end: end,
            most_load: highest + 1,
            next_most: end,
        }
    }

    fn imbalance(&self, sizes: &[i32]) -> i32 {
        let load = |member: Option<&usize>| member.map_or(0, |member| load(sizes, *member));
        load(self.sorted.last()) - load(self.sorted.first())
    }

    const fn is_balanced(&self) -> bool {
        self.most_load - self.least_load <= 1
    }

    /// A reader with the fewest partitions; who asks gives it one.
    fn next_least(&mut self, sizes: &[i32]) -> Option<usize> {
        if self.next_least >= self.least_end {
            self.least_load += 1;
            let has_load = |member: &usize| load(sizes, *member) == self.least_load;
            self.least_end += self.sorted.iter().skip(self.least_end).take_while(|it| has_load(it)).count();
            self.next_least = 0;
        }
        let member = self.sorted.get(self.next_least).copied();
        self.next_least += 1;
        member
    }

    /// A reader with the most partitions; who asks takes one from it.
    fn next_most(&mut self, sizes: &[i32]) -> Option<usize> {
        if self.next_most <= self.most_start {
            let before = self.most_start.checked_sub(1).and_then(|place| self.sorted.get(place));
            self.most_load = match before {
                Some(before) if self.most_end <= self.most_start => load(sizes, *before),
                Some(_) | None => self.most_load - 1,
            };
            let has_load = |member: &usize| load(sizes, *member) == self.most_load;
            let more = self.sorted.iter().take(self.most_start).rev().take_while(|it| has_load(it)).count();
            self.most_start -= more;
            self.next_most = self.most_end;
        }
        let place = self.next_most.checked_sub(1)?;
        self.next_most = place;
        self.sorted.get(place).copied()
    }

    /// The reader that was told last has nothing of this topic to give.
    fn exclude_most(&mut self) {
        if let Some(last) = self.most_end.checked_sub(1) {
            self.sorted.swap(self.next_most, last);
            self.most_end = last;
        }
    }
}

fn load(sizes: &[i32], member: usize) -> i32 {
    sizes.get(member).copied().unwrap_or_default()
}
