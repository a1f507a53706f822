//! Who leads, and who is in sync: what the controller does when brokers come and go.
//!
//! A broker that stops leaves the replicas in sync; where it led, the first replica in sync that runs takes over. Where
//! none does, nobody leads until one comes back, or, with `unclean.leader.election.enable`, any replica that runs does,
//! and what it lacks is lost. A replica that follows again catches up at once.
//!
//! Simplifications: the controller notices at once. A replica that does not follow leaves the replicas in sync when it is
//! told to by [`Cluster::shrink`], not by its lag. There are no eligible leader replicas (KIP-966).

use tidemill_protocol::ErrorCode;

use super::nodes::{CoordinatorKind, Nodes};
use super::partition::Partition;
use super::topic_config::TopicConfig;
use super::topics::{Topic, TopicError};
use super::{Action, Cluster};

/// How a broker goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_enums, reason = "there is no third way")]
pub enum Stop {
    /// It hands its partitions over and answers what it has begun.
    Clean,
    /// At once: connections are cut.
    Kill,
}

/// Which leader is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Election {
    /// The first replica.
    Preferred,
    /// Any replica, where nobody leads.
    Unclean,
}

impl Cluster {
    /// A broker goes away: its connections are closed and others lead its partitions. Nothing happens if it does not run.
    pub fn handle_broker_stopped(&mut self, node_id: i32, stop: Stop) {
        if !self.nodes.is_running(node_id) {
            return;
        }
        // Before it goes cleanly, the others copy what it has.
        if stop == Stop::Clean {
            self.replicate_all();
        }
        if let Some(node) = self.nodes.get_mut(node_id) {
            node.running = false;
        }
        self.nodes.count_coordinator_epochs();
        self.end_connections(node_id, &Action::Close);
        self.fetch_sessions.handle_broker_stopped(node_id);
        self.each_partition(|nodes, config, partition| {
            if partition.replicas.contains(&node_id) {
                let unclean = config.unclean_leader_election;
                if partition.in_sync.len() > 1 && partition.in_sync.contains(&node_id) {
                    partition.in_sync.retain(|replica| *replica != node_id);
                    partition.partition_epoch += 1;
                }
                if partition.leader == Some(node_id) {
                    elect(partition, unclean, |id| nodes.is_running(id));
                }
            }
        });
    }

    /// A broker dies, and with it what it had not given to others. What nobody but it had is gone when it comes back; a
    /// partition with one replica has no others, and loses nothing.
    pub(crate) fn lose_broker(&mut self, node_id: i32) {
        self.handle_broker_stopped(node_id, Stop::Kill);
        self.each_partition(|_, _, partition| {
            if partition.leader.is_none() && partition.in_sync.contains(&node_id) {
                partition.lose_tail(node_id);
            }
        });
    }

    /// A broker comes back: it catches up, and leads where nobody could.
    pub fn handle_broker_started(&mut self, node_id: i32) {
        let Some(node) = self.nodes.get_mut(node_id).filter(|node| !node.running) else { return };
        node.running = true;
        self.nodes.count_coordinator_epochs();
        self.each_partition(|nodes, config, partition| {
            if partition.leader.is_none() && partition.replicas.contains(&node_id) {
                elect(partition, config.unclean_leader_election, |id| nodes.is_running(id));
            }
        });
        self.replicate_all();
    }

    /// Whether a broker copies what its leaders write. While it does not, the high watermark of its partitions stands, and
    /// what only leaders have is lost when it becomes leader.
    pub fn set_follows(&mut self, node_id: i32, follows: bool) {
        if let Some(node) = self.nodes.get_mut(node_id) {
            node.follows = follows;
        }
        self.replicate_all();
    }

    /// Takes a replica that does not follow out of the replicas in sync, as Kafka does after `replica.lag.time.max.ms`.
    pub fn shrink(&mut self, node_id: i32) {
        self.each_partition(|_, _, partition| {
            // Where nobody leads, nobody is there to say that it lags.
            let is_led = partition.leader.is_some_and(|leader| leader != node_id);
            if is_led && partition.in_sync.contains(&node_id) {
                partition.in_sync.retain(|replica| *replica != node_id);
                partition.partition_epoch += 1;
            }
        });
        self.replicate_all();
    }

    /// Takes followers that do not hear their leaders, and lack something, out of the replicas in sync.
    pub(crate) fn shrink_parted(&mut self) {
        self.each_partition(|nodes, _, partition| {
            let Some(leader) = partition.leader else { return };
            let end = partition.log.end_offset();
            let ends: Vec<i64> = partition.in_sync.iter().map(|id| partition.end_of(*id)).collect();
            let mut ends = ends.into_iter();
            let before = partition.in_sync.len();
            partition.in_sync.retain(|id| ends.next() == Some(end) || nodes.converse(*id, leader));
            partition.partition_epoch += i32::from(partition.in_sync.len() != before);
        });
        self.replicate_all();
    }

    /// Makes another replica lead.
    ///
    /// # Errors
    /// `UNKNOWN_TOPIC_OR_PARTITION`; `INVALID_REPLICA_ASSIGNMENT` when this broker has no copy; `BROKER_NOT_AVAILABLE` when
    /// it does not run; `ELIGIBLE_LEADERS_NOT_AVAILABLE` when it is not in sync.
    pub fn move_leader(&mut self, topic: &str, partition: i32, to: i32) -> Result<(), ErrorCode> {
        let running = self.nodes.is_running(to);
        let found = self.topics.find_mut(topic, None)?.partition_mut(partition)?;
        if !found.replicas.contains(&to) {
            return Err(ErrorCode::INVALID_REPLICA_ASSIGNMENT);
        }
        if !running {
            return Err(ErrorCode::BROKER_NOT_AVAILABLE);
        }
        if !found.in_sync.contains(&to) {
            return Err(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE);
        }
        if found.leader != Some(to) {
            found.lead(Some(to));
        }
        // Those that did not hear the one before may hear this one.
        self.replicate_all();
        Ok(())
    }

    /// Lets the preferred replica lead, or any that runs where nobody does.
    pub(crate) fn elect_leader(&mut self, topic: &str, number: i32, election: Election) -> Result<(), TopicError> {
        let nodes = &self.nodes;
        let unknown = |what: String| TopicError::new(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, what);
        let found = self.topics.find_mut(topic, None).map_err(|_| unknown(format!("No such topic as {topic}")))?;
        let partition =
            found.partition_mut(number).map_err(|_| unknown(format!("No such partition as {topic}-{number}")))?;
        let not_needed =
            TopicError::new(ErrorCode::ELECTION_NOT_NEEDED, "Leader election not needed for topic partition.");
        match election {
            Election::Preferred => {
                let preferred = partition.replicas.first().copied();
                if partition.leader == preferred {
                    return Err(not_needed);
                }
                let Some(preferred) = preferred.filter(|id| partition.in_sync.contains(id) && nodes.is_running(*id))
                else {
                    let message = "The preferred leader was not available.";
                    return Err(TopicError::new(ErrorCode::PREFERRED_LEADER_NOT_AVAILABLE, message));
                };
                partition.lead(Some(preferred));
            }
            Election::Unclean => {
                if partition.leader.is_some() {
                    return Err(not_needed);
                }
                elect(partition, true, |id| nodes.is_running(id));
                if partition.leader.is_none() {
                    let message = "Eligible topic partition leaders are not available.";
                    return Err(TopicError::new(ErrorCode::ELIGIBLE_LEADERS_NOT_AVAILABLE, message));
                }
            }
        }
        self.replicate_all();
        Ok(())
    }

    /// Moves the replicas of a partition to these brokers.
    pub(crate) fn move_replicas(&mut self, topic: &str, number: i32, to: Vec<i32>) {
        if let Ok(partition) = self.topics.find_mut(topic, None).and_then(|topic| topic.partition_mut(number)) {
            partition.move_to(to);
        }
        self.replicate_all();
    }

    /// Leaves the replicas of a partition where they were before they were moved.
    pub(crate) fn stop_moving(&mut self, topic: &str, number: i32) {
        let nodes = &self.nodes;
        if let Ok(partition) = self.topics.find_mut(topic, None).and_then(|topic| topic.partition_mut(number)) {
            partition.stop_moving();
            if partition.leader.is_none_or(|leader| !partition.replicas.contains(&leader)) {
                elect(partition, false, |id| nodes.is_running(id));
            }
        }
        self.replicate_all();
    }

    /// Lets another broker coordinate a group, and all whose ids have the same hash.
    pub fn move_group_coordinator(&mut self, group_id: &str, to: i32) {
        self.move_coordinator(CoordinatorKind::Group, group_id, to);
    }

    /// Lets another broker coordinate a transactional id, and all that have the same hash.
    pub fn move_transaction_coordinator(&mut self, transactional_id: &str, to: i32) {
        self.move_coordinator(CoordinatorKind::Transaction, transactional_id, to);
    }

    /// Replicas that follow copy what there is and are in sync again.
    pub(crate) fn replicate_all(&mut self) {
        self.each_partition(|nodes, _, partition| {
            let partition_leader = partition.leader;
            partition.replicate(|id| nodes.follows(id, partition_leader));
            let Some(leader) = partition_leader else { return };
            let end = partition.log.end_offset();
            let joins = |id: &i32| {
                let copies = || nodes.follows(*id, Some(leader)) && partition.end_of(*id) >= end;
                *id == leader || partition.in_sync.contains(id) || copies()
            };
            let in_sync: Vec<i32> = partition.replicas.iter().copied().filter(joins).collect();
            if in_sync != partition.in_sync {
                partition.in_sync = in_sync;
                partition.partition_epoch += 1;
            }
            partition.advance();
            if partition.settle() {
                elect(partition, false, |id| nodes.is_running(id));
            }
        });
    }

    /// Runs through all partitions, then wakes who waits for them.
    pub(super) fn each_partition(&mut self, mut change: impl FnMut(&Nodes, &TopicConfig, &mut Partition)) {
        for topic in self.topics.iter_mut() {
            let Topic { config, partitions, .. } = topic;
            for partition in partitions {
                change(&self.nodes, config, partition);
            }
        }
        self.follow_leaders();
        self.changed_leader();
    }

    /// Everybody who waits for a partition has to look again.
    fn changed_leader(&mut self) {
        self.changed = true;
        for topic in self.topics.iter() {
            for (number, _) in topic.numbered() {
                self.fetches.touch((topic.id, number));
                self.produces.touch((topic.id, number));
            }
        }
    }
}

/// Gives a partition the leader that it can have.
pub(super) fn elect(partition: &mut Partition, unclean: bool, runs: impl Fn(i32) -> bool) {
    let clean = partition.replicas.iter().copied().find(|id| partition.in_sync.contains(id) && runs(*id));
    let any = || partition.replicas.iter().copied().find(|id| unclean && runs(*id));
    let leader = clean.or_else(any);
    if leader == partition.leader {
        return;
    }
    if let Some(leader) = leader.filter(|_| clean.is_none()) {
        partition.in_sync = vec![leader];
        partition.losses += 1;
    }
    partition.lead(leader);
}
