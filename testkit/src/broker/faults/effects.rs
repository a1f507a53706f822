//! What a rule does to the cluster: each [`ClusterEffect`] by its name.
//!
//! What cannot be had, such as a leader that has no copy, is told by [`Cluster::carried_out`], and nothing else happens.

use std::time::Duration;

use tidemill_protocol::ErrorCode;
use tokio::time::Instant;

use super::{CarriedOut, EFFECTS_KEPT_MAX, Later, after};
use crate::broker::handlers::metadata;
use crate::broker::nodes::CoordinatorKind;
use crate::broker::replication::Stop;
use crate::broker::transactions::MarkersOf;
use crate::broker::{Action, Cluster, ConnectionId};
use crate::faults::ClusterEffect;

/// `replica.lag.time.max.ms`: a follower that its leader has not heard of for so long leaves the replicas in sync.
const REPLICA_LAG_MAX: Duration = Duration::from_secs(30);

impl Cluster {
    /// Does all this, in order.
    pub(in crate::broker) fn carry_out(&mut self, effects: Vec<ClusterEffect>, now: Instant) {
        for effect in effects {
            let refused = self.carry_out_one(&effect, now).err();
            if let Some(reason) = &refused {
                tracing::warn!(?effect, reason, "a fault could not be carried out");
            }
            self.changed = true;
            let kept = &mut self.playing.carried_out;
            if kept.len() == EFFECTS_KEPT_MAX {
                kept.pop_front();
            }
            kept.push_back(CarriedOut { at: now, effect, refused });
        }
    }

    fn carry_out_one(&mut self, effect: &ClusterEffect, now: Instant) -> Result<(), String> {
        match effect {
            ClusterEffect::MoveLeader { topic, partition, to } => self.hand_over(topic, *partition, *to)?,
            ClusterEffect::MoveGroupCoordinator { group, to } => {
                let to = self.other_coordinator(CoordinatorKind::Group, group, *to)?;
                self.move_group_coordinator(group, to);
            }
            ClusterEffect::MoveTransactionCoordinator { transactional_id, to } => {
                let to = self.other_coordinator(CoordinatorKind::Transaction, transactional_id, *to)?;
                self.move_transaction_coordinator(transactional_id, to);
            }
            ClusterEffect::Crash { broker, keeps_tail } => self.crash(*broker, *keeps_tail)?,
            ClusterEffect::Start { broker } => {
                self.check_broker(*broker)?;
                self.handle_broker_started(*broker);
            }
            ClusterEffect::HoldMarkers => self.hold_markers(MarkersOf::All),
            ClusterEffect::ReleaseMarkers => self.release_markers(&MarkersOf::All),
            ClusterEffect::RecreateTopic { topic } => self.recreate_topic(topic)?,
            ClusterEffect::DeleteTopic { topic } => {
                self.topics.by_name(topic).ok_or_else(|| no_topic(topic))?;
                self.delete_topic(topic);
            }
            ClusterEffect::EvictGroup { group } => self.evict(group, now)?,
            ClusterEffect::JumpClock { ms } => self.started_unix_ms = self.started_unix_ms.saturating_add(*ms),
            ClusterEffect::StaleMetadata { broker } => {
                self.check_broker(*broker)?;
                if !self.playing.stale.contains_key(broker) {
                    let known = metadata::known(self);
                    self.playing.stale.insert(*broker, known);
                }
            }
            ClusterEffect::Part { from, to, both_ways } => {
                self.check_broker(*from)?;
                self.check_broker(*to)?;
                self.nodes.part(*from, *to);
                if *both_ways {
                    self.nodes.part(*to, *from);
                }
                self.playing.put_off(after(now, REPLICA_LAG_MAX), Later::Shrink);
            }
            ClusterEffect::Heal => {
                self.playing.stale.clear();
                self.nodes.heal();
                self.replicate_all();
            }
            ClusterEffect::ExpireSession { connection } => {
                let connection = ConnectionId(*connection);
                if self.connections.is_open(connection) {
                    self.playing.expired.insert(connection);
                }
            }
            ClusterEffect::LimitVersions { api, versions } => {
                self.playing.limits.insert(*api, *versions);
            }
        }
        Ok(())
    }

    fn check_broker(&self, id: i32) -> Result<(), String> {
        self.nodes.get(id).map(|_| ()).ok_or_else(|| format!("there is no broker {id}"))
    }

    /// Another replica in sync leads.
    fn hand_over(&mut self, topic: &str, number: i32, to: Option<i32>) -> Result<(), String> {
        let none = || format!("there is no partition {topic}/{number}");
        let partition = self.topics.by_name(topic).and_then(|topic| topic.partition(number).ok()).ok_or_else(none)?;
        let in_sync = partition.in_sync.iter().copied();
        let other = || in_sync.clone().find(|id| partition.leader != Some(*id) && self.nodes.is_running(*id));
        let to = to.or_else(other).ok_or("no other replica is in sync and runs")?;
        self.move_leader(topic, number, to).map_err(|code: ErrorCode| format!("broker {to} cannot lead: {code}"))
    }

    /// The broker that is asked for, or the next that runs behind the one that coordinates now.
    fn other_coordinator(&self, kind: CoordinatorKind, id: &str, to: Option<i32>) -> Result<i32, String> {
        if let Some(to) = to {
            return self.check_broker(to).map(|()| to);
        }
        let now = self.nodes.coordinator(kind, id).ok_or("no broker runs")?;
        let running = || self.nodes.running().map(|node| node.config.node_id);
        let next = running().find(|id| *id > now).or_else(|| running().find(|id| *id != now));
        next.ok_or_else(|| "no other broker runs".to_owned())
    }

    /// A broker dies, and all its connections with it.
    fn crash(&mut self, node_id: i32, keeps_tail: bool) -> Result<(), String> {
        self.check_broker(node_id)?;
        self.end_connections(node_id, &Action::Reset);
        if keeps_tail {
            self.handle_broker_stopped(node_id, Stop::Kill);
        } else {
            self.lose_broker(node_id);
        }
        Ok(())
    }

    /// The same name, replicas and settings; another id, and no records.
    fn recreate_topic(&mut self, name: &str) -> Result<(), String> {
        let topic = self.topics.by_name(name).ok_or_else(|| no_topic(name))?;
        let replicas = topic.partitions.iter().map(|partition| partition.settled_replicas().to_vec()).collect();
        let config = topic.config.clone();
        self.delete_topic(name);
        self.create_topic_at(name, replicas, []).map_err(|error| error.message)?;
        self.set_topic_config(name, config);
        Ok(())
    }

    /// The members of a group leave it without having been asked.
    fn evict(&mut self, group: &str, now: Instant) -> Result<(), String> {
        match self.evict_group(group, now) {
            0 => Err(format!("group `{group}` has no members")),
            _ => Ok(()),
        }
    }
}

fn no_topic(name: &str) -> String {
    format!("there is no topic `{name}`")
}
