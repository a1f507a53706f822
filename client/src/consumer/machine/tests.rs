//! One consumer in virtual time: the parts together, with brokers played by the test.

use std::time::Duration;

use bytes::Bytes;

use super::*;
use crate::consumer::OffsetAndMetadata;
use crate::consumer::commits::Offsets;

struct World {
    machine: Machine,
    now: Instant,
    actions: Vec<Action>,
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition { topic: Arc::from("orders"), partition: number }
}

fn partitions(numbers: &[i32]) -> BTreeSet<TopicPartition> {
    numbers.iter().map(|number| partition(*number)).collect()
}

fn settings(group: bool) -> Settings {
    Settings { group_id: group.then(|| "readers".to_owned()), ..Settings::for_tests() }
}

/// Four partitions of one topic, all led by broker 0.
fn metadata() -> Arc<Snapshot> {
    Arc::new(Snapshot::for_tests(&[("orders", 4)]))
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn new(group: bool) -> Self {
        let now = Instant::now();
        let mut machine = Machine::new(settings(group), Arc::new(Snapshot::default()), Arc::default(), 5, now);
        machine.handle_metadata(metadata(), now);
        Self { machine, now, actions: Vec::new() }
    }

    /// A member of a group to which partitions 0 and 1 are assigned, read from offset 10.
    fn member() -> Self {
        let mut world = Self::new(true);
        world.machine.subscribe([Arc::from("orders")].into(), false, world.now).unwrap();
        world.poll();
        world.join();
        let plan = world.expect(|action| if let Action::FetchCommitted(plan) = action { Some(plan) } else { None });
        let found = plan.partitions.into_iter().map(|partition| (partition, Ok(Some(10.into())))).collect();
        world.machine.handle_committed_reply(plan.token, Ok(Ok(found)), world.now);
        world.poll();
        world
    }

    /// Plays the coordinator until partitions 0 and 1 are assigned.
    fn join(&mut self) {
        let join = self.expect(|action| if let Action::Join(join) = action { Some(join) } else { None });
        let joined = Joined {
            generation: 1,
            member_id: "me".to_owned(),
            protocol: "range".to_owned(),
            leader: "other".to_owned(),
            skip_assignment: false,
            members: Vec::new(),
        };
        self.machine.handle_join_reply(join.attempt, Ok(joined), self.now);
        self.poll();
        let sync = self.expect(|action| if let Action::Sync(sync) = action { Some(sync) } else { None });
        let share = Bytes::from_static(b"\0\0\0\0\0\x01\0\x06orders\0\0\0\x02\0\0\0\0\0\0\0\x01\xff\xff\xff\xff");
        self.machine.handle_sync_reply(sync.attempt, Ok(share), self.now);
        self.poll();
    }

    fn poll(&mut self) {
        self.machine.poll(self.now, &mut self.actions);
    }

    /// The first such action, which is taken out.
    fn find<T>(&mut self, pick: impl Fn(Action) -> Option<T>) -> Option<T> {
        let mut found = None;
        for action in mem::take(&mut self.actions) {
            let shown = format!("{action:?}");
            match pick(action) {
                Some(picked) if found.is_none() => found = Some(picked),
                _ => drop(shown),
            }
        }
        found
    }

    fn expect<T>(&mut self, pick: impl Fn(Action) -> Option<T>) -> T {
        let shown = format!("{:?}", self.actions);
        self.find(pick).unwrap_or_else(|| panic!("not among {shown}"))
    }

    fn fetch(&mut self) -> Arc<fetcher::Plan> {
        self.expect(|action| if let Action::Fetch(plan) = action { Some(plan) } else { None })
    }

    /// Answers a fetch with ten records for each partition.
    fn answer(&mut self, plan: &fetcher::Plan) {
        let answers = plan
            .partitions
            .iter()
            .enumerate()
            .map(|(index, wanted)| fetcher::Answer {
                high_watermark: 1000,
                records: Bytes::from_static(&[0; 100]),
                next_offset: Some(wanted.offset + 10),
                ..fetcher::Answer::empty(index)
            })
            .collect();
        self.machine.handle_fetch_reply((plan.broker, plan.token), Ok(Ok((answers, 0))), self.now);
        self.poll();
    }

    /// As a receiver does: takes a chunk and hands all of it out.
    fn receive(&mut self) -> (TopicPartition, Arc<Progress>) {
        self.machine.activity.polled();
        match self.machine.take() {
            Taken::Chunk(chunk, progress) => {
                progress.hand_out(chunk.from_offset + 10);
                (chunk.partition, progress)
            }
            other @ (Taken::Error(_) | Taken::Nothing) => panic!("{other:?}"),
        }
    }

    fn commit(&mut self) -> Option<commits::Plan> {
        self.find(|action| if let Action::Commit(plan) = action { Some(plan) } else { None })
    }

    fn answer_commit(&mut self, plan: &commits::Plan) {
        let answer = plan.offsets.keys().map(|partition| (partition.clone(), Ok(()))).collect();
        self.machine.handle_commit_reply(plan.token, Ok(answer), self.now);
        self.poll();
    }

    fn begin_rebalance(&mut self) {
        self.now += Duration::from_secs(3);
        self.poll();
        let attempt =
            self.expect(|action| if let Action::Heartbeat { attempt, .. } = action { Some(attempt) } else { None });
        let failure = Failure::Broker(ErrorCode::REBALANCE_IN_PROGRESS);
        self.machine.handle_heartbeat_reply(attempt, Err(failure), self.now);
        self.poll();
    }

    fn joins_again(&mut self) -> bool {
        self.find(|action| if let Action::Join(join) = action { Some(join) } else { None }).is_some()
    }
}

fn through(progress: &Progress) {
    progress.processed_to(progress.position());
}

#[test]
fn partitions_assigned_by_name_are_read_from_where_the_policy_says() {
    let mut world = World::new(false);
    world.machine.assign(partitions(&[0, 1])).unwrap();
    world.poll();
    let plan = world.expect(|action| if let Action::ListOffsets(plan) = action { Some(plan) } else { None });
    assert_eq!(plan.partitions.len(), 2);
    let found = |offset| Ok(Some(offset_lookup::Found { offset, timestamp: -1 }));
    let answers = vec![(partition(0), found(5)), (partition(1), found(6))];
    world.machine.handle_list_offsets_reply(plan.token, Ok(answers), world.now);
    world.poll();
    assert_eq!(world.fetch().partitions.iter().map(|wanted| wanted.offset).collect::<Vec<_>>(), [5, 6]);
}

#[test]
fn a_group_is_joined_and_read_from_what_it_committed() {
    let mut world = World::member();
    assert_eq!(world.machine.assignment(), partitions(&[0, 1]));
    let plan = world.fetch();
    assert!(plan.partitions.iter().all(|wanted| wanted.offset == 10));
}

#[test]
fn nothing_is_handed_out_and_nothing_joined_until_the_application_is_through() {
    let mut world = World::member();
    let plan = world.fetch();
    world.answer(&plan);
    let (_, progress) = world.receive();
    world.begin_rebalance();
    assert!(matches!(world.machine.take(), Taken::Nothing), "the other partition's records stay here");
    assert!(!world.joins_again());
    through(&progress);
    world.poll();
    let plan = world.commit().expect("what was processed is committed first");
    assert_eq!(plan.identity.generation, 1);
    assert_eq!(plan.offsets, Offsets::from([(partition(0), OffsetAndMetadata::from(20))]));
    assert!(!world.joins_again());
    world.answer_commit(&plan);
    assert!(world.joins_again());
    assert!(world.machine.assignment().is_empty());
}

#[test]
fn a_receiver_in_the_middle_of_a_chunk_gives_it_back_when_its_partition_is_paused() {
    let mut world = World::member();
    let plan = world.fetch();
    world.answer(&plan);
    let before = world.machine.activity.disturbances();
    let Taken::Chunk(chunk, _) = world.machine.take() else { panic!("no records") };
    world.machine.pause(vec![chunk.partition.clone()]).unwrap();
    assert_ne!(world.machine.activity.disturbances(), before);
    assert_eq!(world.machine.verdict(&chunk.partition, chunk.version), Verdict::GiveBack);
    world.machine.give_back(chunk.clone());
    let Taken::Chunk(other, _) = world.machine.take() else { panic!("no records") };
    assert_ne!(other.partition, chunk.partition);
    assert!(matches!(world.machine.take(), Taken::Nothing));
    world.machine.resume(std::slice::from_ref(&chunk.partition)).unwrap();
    assert!(matches!(world.machine.take(), Taken::Chunk(again, _) if again == chunk));
}

#[test]
fn a_seek_drops_what_is_buffered_and_what_a_receiver_holds() {
    let mut world = World::member();
    let plan = world.fetch();
    world.answer(&plan);
    let Taken::Chunk(chunk, _) = world.machine.take() else { panic!("no records") };
    world.machine.seek(&chunk.partition, 500).unwrap();
    assert_eq!(world.machine.verdict(&chunk.partition, chunk.version), Verdict::Drop);
    world.machine.give_back(chunk);
    let Taken::Chunk(other, _) = world.machine.take() else { panic!("no records") };
    assert_eq!(other.partition, partition(1));
    assert!(matches!(world.machine.take(), Taken::Nothing));
}

#[test]
fn automatic_commits_cover_what_was_returned_before_the_last_poll() {
    let mut world = World::member();
    let plan = world.fetch();
    world.answer(&plan);
    let (first, progress) = world.receive();
    through(&progress);
    let (second, _working) = world.receive();
    world.now += Duration::from_secs(6);
    world.poll();
    let plan = world.commit().expect("the interval is over");
    assert_eq!(plan.offsets.get(&first), Some(&20.into()));
    assert_eq!(plan.offsets.get(&second), None, "still being processed");
}

#[test]
fn an_application_that_stays_away_too_long_is_told_and_the_group_is_joined_again() {
    let mut world = World::member();
    let plan = world.fetch();
    world.answer(&plan);
    let (_, progress) = world.receive();
    world.poll();
    world.now += Duration::from_secs(300);
    world.poll();
    let left = world.find(|action| if let Action::Leave { member_id, .. } = action { Some(member_id) } else { None });
    assert_eq!(left.as_deref(), Some("me"));
    through(&progress);
    world.machine.activity.polled();
    assert!(matches!(world.machine.take(), Taken::Error(_)));
    assert!(matches!(world.machine.take(), Taken::Nothing), "the records of lost partitions are gone");
    world.poll();
    assert!(world.joins_again());
}

#[test]
fn an_application_that_waits_for_records_is_not_away() {
    let mut world = World::member();
    let activity = world.machine.activity.clone();
    let _waiting = activity.wait();
    for _ in 0..10 {
        world.now += Duration::from_secs(200);
        world.poll();
    }
    assert!(matches!(world.machine.take(), Taken::Nothing));
}

#[test]
fn closing_commits_what_was_handed_out_and_leaves() {
    let mut world = World::member();
    let plan = world.fetch();
    world.answer(&plan);
    world.receive();
    let (done, mut closed) = oneshot::channel();
    world.machine.close(world.now + Duration::from_secs(10), done, world.now);
    world.poll();
    let plan = world.commit().expect("a last commit");
    assert_eq!(plan.offsets, Offsets::from([(partition(0), OffsetAndMetadata::from(20))]));
    world.answer_commit(&plan);
    let attempt = world.expect(|action| if let Action::Leave { attempt, .. } = action { Some(attempt) } else { None });
    assert!(!world.machine.is_closed());
    world.machine.handle_left(attempt, world.now);
    world.poll();
    assert!(world.machine.is_closed());
    assert!(closed.try_recv().unwrap().is_ok());
    assert!(matches!(world.machine.take(), Taken::Error(_)));
}

#[test]
fn closing_commits_nothing_when_commits_are_the_applications() {
    let mut world = World::member();
    world.machine.settings.auto_commit_interval = None;
    let plan = world.fetch();
    world.answer(&plan);
    world.receive();
    let (done, _closed) = oneshot::channel();
    world.machine.close(world.now + Duration::from_secs(10), done, world.now);
    world.poll();
    assert_eq!(world.commit(), None);
}

#[test]
fn closing_takes_no_longer_than_allowed() {
    let mut world = World::member();
    let (done, mut closed) = oneshot::channel();
    world.machine.close(world.now + Duration::from_secs(10), done, world.now);
    world.now += Duration::from_secs(10);
    world.poll();
    assert!(world.machine.is_closed());
    assert!(closed.try_recv().unwrap().is_err());
}

#[test]
fn fetching_goes_on_while_a_commit_is_under_way() {
    let mut world = World::member();
    let plan = world.fetch();
    let (done, _outcome) = oneshot::channel();
    world.machine.commit(Some(Offsets::from([(partition(0), 5.into())])), done, world.now);
    world.poll();
    world.answer(&plan);
    assert!(matches!(world.machine.take(), Taken::Chunk(..)));
    world.fetch();
}

#[test]
fn what_makes_no_sense_is_refused() {
    let mut world = World::new(false);
    assert!(world.machine.subscribe([Arc::from("orders")].into(), false, world.now).is_err());
    assert!(world.machine.seek(&partition(0), 1).is_err());
    let mut world = World::member();
    assert!(world.machine.assign(partitions(&[0])).is_err());
    assert!(world.machine.pause(vec![partition(3)]).is_err());
}
