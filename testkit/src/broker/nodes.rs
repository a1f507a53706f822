//! The brokers of the cluster: which there are, which run, and what each is responsible for.
//!
//! A topic's replicas are placed here, as Kafka's controller does it, and here groups and transactional ids find their
//! coordinators. Who leads a partition is for [`replication`](super::replication) to say.

use std::collections::{BTreeMap, BTreeSet};

use super::config::BrokerConfig;

/// `offsets.topic.num.partitions` and `transaction.state.log.num.partitions`: a coordinator is responsible for the ids
/// whose hash falls into one of its slots.
pub(crate) const COORDINATOR_SLOTS: u32 = 50;

/// Every broker that the cluster has.
#[derive(Debug)]
pub(crate) struct Nodes {
    nodes: BTreeMap<i32, Node>,
    /// The coordinators that were moved, by slot.
    moved: BTreeMap<(CoordinatorKind, u32), i32>,
    /// Who leads the partitions of the coordinators' topics, where those are there: each a slot.
    leaders: BTreeMap<CoordinatorKind, Vec<Option<i32>>>,
    /// Who coordinates each slot, and how often that has changed.
    epochs: BTreeMap<(CoordinatorKind, u32), (i32, i32)>,
    /// Rises when a coordinator may have changed.
    version: u64,
    /// What the first of two sends does not arrive at the second.
    parted: BTreeSet<(i32, i32)>,
}

/// One broker.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) config: BrokerConfig,
    pub(crate) running: bool,
    /// While false, it copies nothing from the leaders of its partitions.
    pub(crate) follows: bool,
}

/// What a coordinator coordinates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CoordinatorKind {
    Group,
    Transaction,
}

impl Nodes {
    /// Brokers that all run.
    pub(crate) fn new(brokers: &[BrokerConfig]) -> Self {
        let node =
            |config: &BrokerConfig| (config.node_id, Node { config: config.clone(), running: true, follows: true });
        let nodes = brokers.iter().map(node).collect();
        let mut nodes = Self {
            nodes,
            moved: BTreeMap::new(),
            leaders: BTreeMap::new(),
            epochs: BTreeMap::new(),
            version: 0,
            parted: BTreeSet::new(),
        };
        nodes.count_coordinator_epochs();
        nodes
    }

    /// Brokers have come or gone, or a coordinator was moved: slots with another coordinator than before begin an epoch.
    pub(crate) fn count_coordinator_epochs(&mut self) {
        for kind in [CoordinatorKind::Group, CoordinatorKind::Transaction] {
            for slot in 0..COORDINATOR_SLOTS {
                let Some(coordinator) = self.coordinator_of_slot(kind, slot) else { continue };
                let known = self.epochs.entry((kind, slot)).or_insert((coordinator, 0));
                if known.0 != coordinator {
                    *known = (coordinator, known.1 + 1);
                }
            }
        }
    }

    /// How often the coordinator of this group or transactional id has changed: the leader epoch of its partition.
    pub(crate) fn coordinator_epoch(&self, kind: CoordinatorKind, id: &str) -> i32 {
        self.epochs.get(&(kind, slot(id))).map_or(0, |(_, epoch)| *epoch)
    }

    pub(crate) fn get(&self, id: i32) -> Option<&Node> {
        self.nodes.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: i32) -> Option<&mut Node> {
        self.version += 1;
        self.nodes.get_mut(&id)
    }

    /// Another number when coordinators may be others than before.
    pub(crate) const fn version(&self) -> u64 {
        self.version
    }

    /// The brokers that run, in the order of their numbers.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values().filter(|node| node.running)
    }

    pub(crate) fn is_running(&self, id: i32) -> bool {
        self.get(id).is_some_and(|node| node.running)
    }

    /// Whether this broker copies what a leader writes: it asks for it, and hears the answer.
    pub(crate) fn follows(&self, id: i32, leader: Option<i32>) -> bool {
        self.get(id).is_some_and(|node| node.running && node.follows)
            && leader.is_none_or(|leader| self.converse(id, leader))
    }

    /// What one sends does not arrive at the other from now on.
    pub(crate) fn part(&mut self, from: i32, to: i32) {
        self.parted.insert((from, to));
    }

    /// All brokers hear each other.
    pub(crate) fn heal(&mut self) {
        self.parted.clear();
    }

    /// Whether two brokers hear each other both ways, as a request and its answer need it.
    pub(crate) fn converse(&self, one: i32, other: i32) -> bool {
        self.parted.is_empty() || !self.parted.contains(&(one, other)) && !self.parted.contains(&(other, one))
    }

    /// The broker that is told to clients as the controller; -1 when none runs.
    pub(crate) fn controller(&self) -> i32 {
        self.running().next().map_or(-1, |node| node.config.node_id)
    }

    /// The broker that coordinates this group or transactional id; none when none runs.
    pub(crate) fn coordinator(&self, kind: CoordinatorKind, id: &str) -> Option<i32> {
        self.coordinator_of_slot(kind, slot(id))
    }

    pub(crate) fn coordinator_of_slot(&self, kind: CoordinatorKind, slot: u32) -> Option<i32> {
        let index = usize::try_from(slot).unwrap_or_default();
        if let Some(leader) = self.leaders.get(&kind).and_then(|leaders| leaders.get(index)) {
            return leader.filter(|leader| self.is_running(*leader));
        }
        if let Some(moved) = self.moved.get(&(kind, slot)).filter(|moved| self.is_running(**moved)) {
            return Some(*moved);
        }
        // Slots lie over all brokers in turn; the next one that runs takes those of one that does not.
        let ids: Vec<i32> = self.nodes.keys().copied().collect();
        let in_turn = ids.iter().cycle().skip(index).take(ids.len());
        in_turn.copied().find(|id| self.is_running(*id))
    }

    /// These lead the partitions of the topic of these coordinators, and so coordinate; none where it has no topic.
    pub(crate) fn set_leaders(&mut self, kind: CoordinatorKind, leaders: Vec<Option<i32>>) {
        if self.leaders.get(&kind).map_or(&[] as &[_], Vec::as_slice) == leaders {
            return;
        }
        if leaders.is_empty() {
            self.leaders.remove(&kind);
        } else {
            self.leaders.insert(kind, leaders);
        }
        self.version += 1;
        self.count_coordinator_epochs();
    }

    /// Lets this broker coordinate the slot of a group or transactional id from now on.
    pub(crate) fn move_coordinator(&mut self, kind: CoordinatorKind, id: &str, to: i32) {
        self.version += 1;
        self.moved.insert((kind, slot(id)), to);
        self.count_coordinator_epochs();
    }

    /// Where the replicas of a new topic lie: partitions in turn over the brokers that run, from a random one on. None
    /// when there are too few of them.
    pub(crate) fn place(&self, partitions: i32, factor: i16, random: &mut fastrand::Rng) -> Option<Vec<Vec<i32>>> {
        let ids = self.by_racks();
        let factor = usize::try_from(factor).ok().filter(|factor| (1..=ids.len()).contains(factor))?;
        let start = if ids.len() > 1 { random.usize(..ids.len()) } else { 0 };
        let partitions = usize::try_from(partitions).ok()?;
        let replicas = |partition: usize| ids.iter().cycle().skip((start + partition) % ids.len()).take(factor);
        Some((0..partitions).map(|partition| replicas(partition).copied().collect()).collect())
    }

    /// The brokers that run, one of each rack in turn, so that neighbours lie in different ones.
    fn by_racks(&self) -> Vec<i32> {
        let mut racks: BTreeMap<Option<&str>, Vec<i32>> = BTreeMap::new();
        for node in self.running() {
            racks.entry(node.config.rack.as_deref()).or_default().push(node.config.node_id);
        }
        let longest = racks.values().map(Vec::len).max().unwrap_or_default();
        let turn = |turn: usize| racks.values().filter_map(move |ids| ids.get(turn).copied());
        (0..longest).flat_map(turn).collect()
    }
}

/// Which slot an id falls into, the partition of `__consumer_offsets` or `__transaction_state` in Kafka: Java's hash of the
/// text, as a positive number.
pub(crate) fn slot(id: &str) -> u32 {
    let hash = id.encode_utf16().fold(0_u32, |hash, unit| hash.wrapping_mul(31).wrapping_add(u32::from(unit)));
    let positive = hash.cast_signed().checked_abs().unwrap_or_default();
    positive.cast_unsigned() % COORDINATOR_SLOTS
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(racks: &[Option<&str>]) -> Nodes {
        let config = |(node_id, rack): (i32, &Option<&str>)| BrokerConfig {
            node_id,
            rack: rack.map(str::to_owned),
            ..BrokerConfig::default()
        };
        Nodes::new(&(1..).zip(racks).map(config).collect::<Vec<_>>())
    }

    #[test]
    fn replicas_lie_in_different_racks() {
        let nodes = nodes(&[Some("a"), Some("a"), Some("b"), Some("b")]);
        let placed = nodes.place(4, 2, &mut fastrand::Rng::with_seed(1)).unwrap();
        assert_eq!(placed.len(), 4);
        for replicas in placed {
            assert_ne!(replicas[0] <= 2, replicas[1] <= 2, "{replicas:?} are in one rack");
        }
        assert!(nodes.place(1, 5, &mut fastrand::Rng::with_seed(1)).is_none());
    }

    #[test]
    fn the_next_broker_coordinates_for_one_that_is_down() {
        let mut nodes = nodes(&[None, None, None]);
        let first = nodes.coordinator(CoordinatorKind::Group, "billing").unwrap();
        nodes.get_mut(first).unwrap().running = false;
        let second = nodes.coordinator(CoordinatorKind::Group, "billing").unwrap();
        assert_ne!(first, second);
        nodes.get_mut(first).unwrap().running = true;
        assert_eq!(nodes.coordinator(CoordinatorKind::Group, "billing"), Some(first));
        nodes.move_coordinator(CoordinatorKind::Group, "billing", second);
        assert_eq!(nodes.coordinator(CoordinatorKind::Group, "billing"), Some(second));
    }

    #[test]
    fn slots_are_those_of_javas_hash() {
        // "polygenelubricants".hashCode() is the smallest integer, which has no positive counterpart.
        assert_eq!(slot("polygenelubricants"), 0);
        // "hello".hashCode() is 99162322.
        assert_eq!(slot("hello"), 22);
        // "billing".hashCode() is -109829509.
        assert_eq!(slot("billing"), 9);
    }
}
