//! What the application asks of its consumer: checked, and passed to the part it concerns.
//!
//! Before: [`Consumer`](crate::consumer::Consumer) locks the machine. After: the driver polls it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tidemill_protocol::ErrorCode;
use tokio::sync::oneshot;

use super::{Action, Closing, Machine};
use crate::consumer::commits::Offsets;
use crate::consumer::membership::Identity;
use crate::consumer::membership::consumer::Wish;
use crate::consumer::offset_lookup::OffsetSpec;
use crate::consumer::subscription::Wanted;
use crate::consumer::{GroupMetadata, OffsetAndMetadata};
use crate::consumer::{committed, offset_lookup};
use crate::error::Error;
use crate::record::TopicPartition;

impl Machine {
    /// Reads the topics' partitions that the group gives us; none at all unsubscribes.
    pub(in crate::consumer) fn subscribe(
        &mut self,
        topics: BTreeSet<Arc<str>>,
        has_listener: bool,
        now: Instant,
    ) -> Result<(), Error> {
        self.check_subscribing()?;
        self.wish(Wish { topics, pattern: None }, has_listener, now);
        Ok(())
    }

    /// Reads the topics whose names match, as the coordinator finds them.
    pub(in crate::consumer) fn subscribe_pattern(
        &mut self,
        pattern: Arc<str>,
        has_listener: bool,
        now: Instant,
    ) -> Result<(), Error> {
        self.check_subscribing()?;
        if !self.membership.takes_patterns() {
            return Err(Error::config(
                "subscribing by pattern needs the protocol in which the coordinator matches it: set group.protocol to consumer",
            ));
        }
        self.wish(Wish { topics: BTreeSet::new(), pattern: Some(pattern) }, has_listener, now);
        Ok(())
    }

    fn check_subscribing(&self) -> Result<(), Error> {
        self.check_open()?;
        if self.settings.group_id.is_none() {
            return Err(Error::config("subscribing needs a group: set group.id, or assign partitions by name"));
        }
        if self.subscription.wanted == Wanted::Partitions {
            return Err(Error::misuse(
                "this consumer has partitions assigned by name: unsubscribe before you subscribe",
            ));
        }
        Ok(())
    }

    fn wish(&mut self, wish: Wish, has_listener: bool, now: Instant) {
        self.subscription.wanted = if wish == Wish::default() { Wanted::Nothing } else { Wanted::Topics };
        self.has_listener = has_listener;
        self.fatal = None;
        self.polled_at = now;
        if !wish.topics.is_empty() {
            self.out.push(Action::TrackTopics(wish.topics.iter().cloned().collect()));
        }
        self.membership.on_subscribe(wish, now);
        self.route_membership(now);
    }

    /// Reads these partitions and no others.
    pub(in crate::consumer) fn assign(&mut self, partitions: BTreeSet<TopicPartition>) -> Result<(), Error> {
        self.check_open()?;
        if matches!(self.subscription.wanted, Wanted::Topics) {
            return Err(Error::misuse(
                "this consumer is subscribed to topics: unsubscribe before you assign partitions",
            ));
        }
        if !self.membership.is_idle() {
            return Err(Error::misuse("this consumer is still leaving its group: assign partitions when it has left"));
        }
        self.subscription.wanted = if partitions.is_empty() { Wanted::Nothing } else { Wanted::Partitions };
        let topics: BTreeSet<Arc<str>> = partitions.iter().map(|partition| partition.topic.clone()).collect();
        if !topics.is_empty() {
            self.out.push(Action::TrackTopics(topics.into_iter().collect()));
        }
        self.subscription.keep_only(&partitions);
        self.own(&partitions);
        Ok(())
    }

    /// Gives everything up.
    pub(in crate::consumer) fn unsubscribe(&mut self, now: Instant) -> Result<(), Error> {
        match self.subscription.wanted {
            Wanted::Nothing => Ok(()),
            Wanted::Partitions => self.assign(BTreeSet::new()),
            Wanted::Topics => self.subscribe(BTreeSet::new(), self.has_listener, now),
        }
    }

    pub(in crate::consumer) fn seek(&mut self, partition: &TopicPartition, offset: i64) -> Result<(), Error> {
        self.check_open()?;
        if offset < 0 {
            return Err(Error::misuse("seeking to a negative offset").with_partition(partition.clone()));
        }
        self.check_assigned(partition)?;
        self.positions.seek(partition, offset);
        self.commits.handle_seek(partition);
        self.drop_stale();
        Ok(())
    }

    /// Reads on from what the group has committed, once that is known.
    pub(in crate::consumer) fn seek_to_committed(&mut self) -> Result<(), Error> {
        self.check_group("seeking to what is committed")?;
        for partition in self.assignment() {
            self.positions.restart(&partition);
            self.commits.handle_seek(&partition);
        }
        self.drop_stale();
        Ok(())
    }

    /// Who received the last records, or would receive the first.
    pub(in crate::consumer) fn group_metadata(&self) -> Result<GroupMetadata, Error> {
        let attempt = "telling who the consumer is to its group";
        self.check_group(attempt)?;
        let identity = self.received_as.clone().or_else(|| self.identity());
        let Some((group_id, Identity { generation, member_id })) = self.settings.group_id.as_deref().zip(identity)
        else {
            return Err(Error::broker(attempt, ErrorCode::REBALANCE_IN_PROGRESS));
        };
        let instance_id = self.settings.group_instance_id.clone().filter(|_| generation >= 0);
        Ok(GroupMetadata { group_id: Arc::from(group_id), generation, member_id, instance_id })
    }

    /// Reads on from an end of the log, once it is known where that is.
    pub(in crate::consumer) fn seek_to(&mut self, partition: &TopicPartition, spec: OffsetSpec) -> Result<(), Error> {
        self.check_open()?;
        self.check_assigned(partition)?;
        self.positions.seek_to(partition, spec);
        self.commits.handle_seek(partition);
        self.drop_stale();
        Ok(())
    }

    pub(in crate::consumer) fn pause(&mut self, partitions: Vec<TopicPartition>) -> Result<(), Error> {
        for partition in &partitions {
            self.check_assigned(partition)?;
        }
        self.subscription.pause(partitions);
        self.activity.disturb();
        Ok(())
    }

    pub(in crate::consumer) fn resume(&mut self, partitions: &[TopicPartition]) -> Result<(), Error> {
        for partition in partitions {
            self.check_assigned(partition)?;
        }
        self.subscription.resume(partitions);
        self.ready = true;
        Ok(())
    }

    pub(in crate::consumer) fn paused(&self) -> BTreeSet<TopicPartition> {
        self.subscription.paused().clone()
    }

    pub(in crate::consumer) fn assignment(&self) -> BTreeSet<TopicPartition> {
        self.positions.assigned().cloned().collect()
    }

    pub(in crate::consumer) fn position(&self, partition: &TopicPartition) -> Option<i64> {
        self.positions.position(partition)
    }

    pub(in crate::consumer) fn high_watermark(&self, partition: &TopicPartition) -> Option<i64> {
        self.fetcher.high_watermark(partition)
    }

    /// Commits `offsets`; without any, all that was handed out.
    pub(in crate::consumer) fn commit(
        &mut self,
        offsets: Option<Offsets>,
        done: oneshot::Sender<Result<(), Error>>,
        now: Instant,
    ) {
        // A listener that is told of the end commits what was processed, also when it is closing that takes it away.
        let is_last =
            self.closing.as_ref().is_some_and(|closing| !closing.closed) && self.rebalance.is_telling_revoked();
        if let Err(error) = self.check_group("committing offsets")
            && !is_last
        {
            let _ = done.send(Err(error));
            return;
        }
        let offsets = offsets.unwrap_or_else(|| {
            let known = self.positions.known();
            let known = known.map(|(partition, progress)| {
                (partition.clone(), OffsetAndMetadata::new(progress.position(), progress.leader_epoch()))
            });
            known.collect()
        });
        self.commits.handle_commit(offsets, self.settings.api_timeout, done, now);
    }

    pub(in crate::consumer) fn committed(
        &mut self,
        partitions: Vec<TopicPartition>,
        done: oneshot::Sender<committed::Reply>,
        now: Instant,
    ) {
        if let Err(error) = self.check_group("asking for committed offsets") {
            let _ = done.send(Err(error));
            return;
        }
        self.committed.handle_call(partitions, self.settings.api_timeout, done, now);
    }

    pub(in crate::consumer) fn look_up_offsets(
        &mut self,
        wanted: BTreeMap<TopicPartition, OffsetSpec>,
        done: oneshot::Sender<offset_lookup::Reply>,
        now: Instant,
    ) {
        if let Err(error) = self.check_open() {
            let _ = done.send(Err(error));
            return;
        }
        let topics: BTreeSet<Arc<str>> = wanted.keys().map(|partition| partition.topic.clone()).collect();
        self.out.push(Action::TrackTopics(topics.into_iter().collect()));
        self.offset_lookup.handle_call(wanted, self.settings.api_timeout, done, now);
    }

    /// Commits what was handed out, if that is automatic, leaves the group and ends, by `deadline` at the latest.
    pub(in crate::consumer) fn close(
        &mut self,
        deadline: Instant,
        done: oneshot::Sender<Result<(), Error>>,
        now: Instant,
    ) {
        if self.closing.is_some() {
            let _ = done.send(Err(Error::closed("closing the consumer")));
            return;
        }
        // Who closes is through with what was handed out, and gets no more.
        self.positions.seal(&self.assignment());
        for (_, progress) in self.positions.known() {
            progress.processed_to(progress.position());
        }
        self.begin_closing(deadline, Some(done), now);
    }

    /// Leaves the group and ends, as when the application vanished: what it was working on is not committed.
    pub(in crate::consumer) fn abandon(&mut self, deadline: Instant, now: Instant) {
        if self.closing.is_none() {
            self.positions.seal(&self.assignment());
            self.begin_closing(deadline, None, now);
            self.rebalance.on_drained();
        }
    }

    fn begin_closing(&mut self, deadline: Instant, done: Option<oneshot::Sender<Result<(), Error>>>, now: Instant) {
        self.closing = Some(Closing { deadline, done, closed: false });
        match self.subscription.wanted {
            Wanted::Topics => {
                self.membership.on_subscribe(Wish::default(), now);
                self.route_membership(now);
            }
            Wanted::Partitions => {
                let partitions: Vec<TopicPartition> = self.positions.assigned().cloned().collect();
                self.subscription.withhold(partitions);
                self.commit_processed();
            }
            Wanted::Nothing => {}
        }
        self.activity.disturb();
        self.ready = true;
    }

    fn check_open(&self) -> Result<(), Error> {
        match self.closing {
            Some(_) => Err(Error::closed("using the consumer")),
            None => Ok(()),
        }
    }

    fn check_group(&self, attempt: &str) -> Result<(), Error> {
        self.check_open()?;
        match self.settings.group_id {
            Some(_) => Ok(()),
            None => Err(Error::config(format!("{attempt} needs a group: set group.id"))),
        }
    }

    fn check_assigned(&self, partition: &TopicPartition) -> Result<(), Error> {
        if self.positions.contains(partition) {
            Ok(())
        } else {
            Err(Error::misuse("this partition is not assigned to the consumer").with_partition(partition.clone()))
        }
    }
}
