//! The fetcher in virtual time.

use super::*;
use crate::consumer::config::AutoOffsetReset;

const RECORDS: usize = 1000;

struct World {
    fetcher: Fetcher,
    positions: Positions,
    subscription: Subscription,
    fetched: Fetched,
    now: Instant,
    wake_at: Option<Instant>,
    refreshes: usize,
}

fn partition(number: i32) -> TopicPartition {
    TopicPartition { topic: Arc::from("orders"), partition: number }
}

/// Partitions 0 to 9 are led by broker 0, 10 to 19 by broker 1, and so on; from 90 on nobody leads.
fn leader_of(partition: &TopicPartition) -> Option<Leader> {
    let broker = partition.partition / 10;
    (broker < 9).then_some(Leader { broker, epoch: 1, topic_id: Uuid::nil() })
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn new(partitions: &[i32]) -> Self {
        let config = Config {
            bytes_min: 1,
            bytes_max: 50_000,
            partition_bytes_max: 2_000,
            wait_max: Duration::from_millis(500),
            budget_bytes: 10_000,
            isolation_level: IsolationLevel::ReadUncommitted,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(1)),
            rack: Some(Arc::from("east")),
            nearest_age_max: Duration::from_secs(300),
        };
        let mut positions = Positions::new(AutoOffsetReset::Earliest, false);
        positions.assign(&partitions.iter().map(|number| partition(*number)).collect());
        for number in partitions {
            positions.seek(&partition(*number), 0);
        }
        Self {
            fetcher: Fetcher::new(config, 3),
            positions,
            subscription: Subscription::default(),
            fetched: Fetched::default(),
            now: Instant::now(),
            wake_at: None,
            refreshes: 0,
        }
    }

    fn poll(&mut self) -> Vec<Arc<Plan>> {
        let mut actions = Vec::new();
        let parts = (&self.positions, &self.subscription, &self.fetched);
        self.wake_at = self.fetcher.poll(self.now, parts, &leader_of, &mut actions);
        let mut plans = Vec::new();
        for action in actions {
            if let Action::Fetch(plan) = action {
                plans.push(plan);
            } else {
                assert!(matches!(action, Action::RefreshMetadata), "{action:?}");
                self.refreshes += 1;
            }
        }
        plans
    }

    fn one(&mut self) -> Arc<Plan> {
        let mut plans = self.poll();
        assert_eq!(plans.len(), 1, "{plans:?}");
        plans.remove(0)
    }

    fn answer(&mut self, plan: &Plan, answers: &[(i32, ErrorCode)]) {
        let answers = answers
            .iter()
            .map(|(number, code)| {
                let wanted = plan.partitions.iter().position(|wanted| wanted.partition == partition(*number));
                let index = wanted.expect("the partition was asked for");
                Answer {
                    code: *code,
                    records: if code.is_none() { Bytes::from(vec![0; RECORDS]) } else { Bytes::new() },
                    next_offset: Some(plan.partitions[index].offset + 10),
                    last_epoch: 1,
                    ..Answer::empty(index)
                }
            })
            .collect();
        self.reply(plan, Ok(Ok(answers)));
    }

    /// As a broker does that has nothing new.
    fn answer_empty(&mut self, plan: &Plan) {
        self.reply(plan, Ok(Ok((0..plan.partitions.len()).map(Answer::empty).collect())));
    }

    fn reply(&mut self, plan: &Plan, reply: Result<Result<Vec<Answer>, ErrorCode>, Error>) {
        let reply = reply.map(|reply| reply.map(|answers| (answers, 7)));
        let parts = (&mut self.positions, &mut self.fetched);
        self.fetcher.handle_reply((plan.broker, plan.token), reply, parts, self.now);
    }
}

fn numbers(plan: &Plan) -> Vec<i32> {
    let mut numbers: Vec<i32> = plan.partitions.iter().map(|wanted| wanted.partition.partition).collect();
    numbers.sort_unstable();
    numbers
}

#[test]
fn each_broker_has_one_fetch_for_all_its_partitions() {
    let mut world = World::new(&[0, 1, 10]);
    let plans = world.poll();
    assert_eq!(
        plans.iter().map(|plan| (plan.broker, numbers(plan))).collect::<Vec<_>>(),
        [(0, vec![0, 1]), (1, vec![10])]
    );
    assert!(world.poll().is_empty());
}

#[test]
fn the_next_fetch_goes_out_while_the_records_of_the_last_still_wait() {
    let mut world = World::new(&[0]);
    let plan = world.one();
    world.answer(&plan, &[(0, ErrorCode::NONE)]);
    let next = world.one();
    assert_eq!(next.partitions[0].offset, 10);
    assert_eq!(world.positions.position(&partition(0)), Some(0), "the application's position does not move");
    assert_eq!(world.fetched.bytes(), RECORDS);
}

#[test]
fn a_partition_with_enough_buffered_is_left_out_and_the_others_are_not_waited_for() {
    let mut world = World::new(&[0, 1]);
    for _ in 0..2 {
        let plan = world.one();
        world.answer(&plan, &[(0, ErrorCode::NONE)]);
    }
    assert!(world.poll().is_empty(), "the others were asked a moment ago");
    world.now = world.wake_at.unwrap();
    let plan = world.one();
    assert_eq!((numbers(&plan), plan.wait_max), (vec![1], Duration::ZERO));
    world.answer_empty(&plan);
    world.fetched.take(|_| true);
    let plan = world.one();
    assert_eq!((numbers(&plan), plan.wait_max), (vec![0, 1], Duration::from_millis(500)));
}

#[test]
fn what_is_buffered_and_what_is_on_its_way_stay_within_the_budget() {
    let mut world = World::new(&[0, 1, 2, 3, 10, 11, 12, 13]);
    for _ in 0..50 {
        let reserved: usize = world.fetcher.brokers.values().map(Broker::reserved).sum();
        assert!(world.fetched.bytes() + reserved <= 10_000);
        for plan in world.poll() {
            assert!(plan.bytes_max >= 2_000);
            let some: Vec<(i32, ErrorCode)> =
                numbers(&plan).into_iter().take(2).map(|number| (number, ErrorCode::NONE)).collect();
            world.answer(&plan, &some);
        }
        world.now += Duration::from_millis(100);
    }
    assert!(world.fetched.bytes() > 5_000);
}

#[test]
fn a_budget_smaller_than_one_fetch_still_lets_one_through() {
    let mut world = World::new(&[0, 10]);
    world.fetcher.config.budget_bytes = 10;
    let plan = world.one();
    assert_eq!(plan.bytes_max, 2_000);
    world.answer(&plan, &[(0, ErrorCode::NONE)]);
    assert!(world.poll().is_empty());
    world.fetched.take(|_| true);
    assert_eq!(world.poll().len(), 1);
}

#[test]
fn paused_partitions_are_left_out_and_keep_what_is_buffered() {
    let mut world = World::new(&[0, 1]);
    let plan = world.one();
    world.answer(&plan, &[(0, ErrorCode::NONE)]);
    world.subscription.pause([partition(0)]);
    assert_eq!(numbers(&world.one()), [1]);
    assert_eq!(world.fetched.bytes_of(&partition(0)), RECORDS);
}

#[test]
fn a_reply_from_before_a_seek_is_dropped() {
    let mut world = World::new(&[0]);
    let plan = world.one();
    world.positions.seek(&partition(0), 500);
    world.answer(&plan, &[(0, ErrorCode::NONE)]);
    assert_eq!(world.fetched.bytes(), 0);
    assert_eq!(world.one().partitions[0].offset, 500);
}

#[test]
fn a_partition_that_comes_late_does_not_wait_for_the_fetch_under_way() {
    let mut world = World::new(&[0, 1]);
    let regular = world.one();
    world.positions.seek(&partition(0), 500);
    let express = world.one();
    assert!(express.express && !regular.express);
    assert_eq!((numbers(&express), express.partitions[0].offset, express.wait_max), (vec![0], 500, Duration::ZERO));
    world.answer_empty(&express);
    assert!(world.poll().is_empty(), "not again at once");
    world.now = world.wake_at.unwrap();
    let express = world.one();
    world.answer(&regular, &[]);
    assert!(world.poll().is_empty(), "the two lanes wait for each other to become one again");
    world.answer(&express, &[]);
    let plan = world.one();
    assert_eq!((numbers(&plan), plan.express), (vec![0, 1], false));
}

#[test]
fn a_moved_leader_costs_only_its_own_partition_time() {
    let mut world = World::new(&[0, 1]);
    let plan = world.one();
    world.answer(&plan, &[(0, ErrorCode::NOT_LEADER_OR_FOLLOWER), (1, ErrorCode::NONE)]);
    let plan = world.one();
    assert_eq!((numbers(&plan), world.refreshes), (vec![1], 1));
    world.answer(&plan, &[]);
    world.fetcher.handle_metadata(world.now);
    assert_eq!(numbers(&world.one()), [0, 1], "newer metadata ends the wait");
}

#[test]
fn a_partition_without_a_leader_asks_for_metadata_and_holds_up_nobody() {
    let mut world = World::new(&[0, 95]);
    assert_eq!(numbers(&world.one()), [0]);
    assert_eq!(world.refreshes, 1);
    world.poll();
    assert_eq!(world.refreshes, 1, "not again at once");
}

#[test]
fn a_broker_that_does_not_answer_is_asked_again_later_and_later() {
    let mut world = World::new(&[0, 10]);
    let plans = world.poll();
    let mut waits = Vec::new();
    let mut plan = plans[0].clone();
    for _ in 0..4 {
        world.reply(&plan, Err(Error::timeout("fetching records")));
        assert!(world.poll().is_empty());
        let wake_at = world.wake_at.unwrap();
        waits.push(wake_at - world.now);
        world.now = wake_at;
        plan = world.one();
    }
    assert!(waits[3] > 3 * waits[0], "{waits:?}");
    world.answer(&plans[1], &[(10, ErrorCode::NONE)]);
    assert_eq!(world.fetched.bytes(), RECORDS, "the other broker goes on");
}

#[test]
fn an_offset_out_of_range_resets_the_position() {
    let mut world = World::new(&[0]);
    let plan = world.one();
    world.answer(&plan, &[(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    assert!(world.poll().is_empty());
    assert_eq!(world.positions.take_awaiting_offset().len(), 1);
}

#[test]
fn an_error_that_will_not_pass_is_told_and_tried_again_later() {
    let mut world = World::new(&[0]);
    let plan = world.one();
    world.answer(&plan, &[(0, ErrorCode::TOPIC_AUTHORIZATION_FAILED)]);
    assert_eq!(world.fetcher.take_errors()[0].code(), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    assert!(world.poll().is_empty());
    world.now = world.wake_at.unwrap();
    assert_eq!(world.poll().len(), 1);
}

#[test]
fn another_partition_is_first_each_time() {
    let mut world = World::new(&[0, 1, 2]);
    let mut firsts = BTreeSet::new();
    for _ in 0..3 {
        let plan = world.one();
        firsts.insert(plan.first);
        world.answer(&plan, &[]);
    }
    assert_eq!(firsts.len(), 3);
}

#[test]
fn a_nearer_replica_is_read_from_until_its_time_is_up_or_it_cannot_serve_us() {
    let mut world = World::new(&[0]);
    let plan = world.one();
    assert_eq!((plan.broker, plan.rack.as_deref()), (0, Some("east")));
    let points_to = |broker| Answer { preferred_replica: Some(broker), ..Answer::empty(0) };
    world.reply(&plan, Ok(Ok(vec![points_to(5)])));
    let near = world.one();
    assert_eq!(near.broker, 5);
    world.answer(&near, &[(0, ErrorCode::NONE)]);
    let near = world.one();
    assert_eq!((near.broker, near.partitions[0].offset), (5, 10));
    world.answer(&near, &[(0, ErrorCode::OFFSET_OUT_OF_RANGE)]);
    world.now += Duration::from_secs(1);
    let plan = world.one();
    assert_eq!((plan.broker, plan.partitions[0].offset), (0, 10), "a replica that lags says nothing about the log");
    world.reply(&plan, Ok(Ok(vec![points_to(5)])));
    let near = world.one();
    world.reply(&near, Err(Error::timeout("fetching")));
    world.now += Duration::from_secs(1);
    let plan = world.one();
    assert_eq!(plan.broker, 0, "it is not there any more");
    world.reply(&plan, Ok(Ok(vec![points_to(5)])));
    let near = world.one();
    world.answer_empty(&near);
    world.now += Duration::from_secs(300);
    assert_eq!(world.one().broker, 0, "the leader is asked again from time to time");
}

#[test]
fn a_log_that_was_cut_before_the_position_is_read_on_from_there_and_the_application_hears_of_it() {
    let mut world = World::new(&[0]);
    let plan = world.one();
    assert_eq!(plan.partitions[0].last_epoch, -1, "nothing was read before");
    world.answer(&plan, &[(0, ErrorCode::NONE)]);
    let plan = world.one();
    assert_eq!((plan.partitions[0].offset, plan.partitions[0].last_epoch), (10, 1));
    let diverges_at = |offset| Answer { diverges_at: Some(offset), ..Answer::empty(0) };
    world.reply(&plan, Ok(Ok(vec![diverges_at(7)])));
    assert_eq!(world.positions.take_skipped(), [], "what was fetched was not handed out yet");
    let plan = world.one();
    assert_eq!((plan.partitions[0].offset, plan.partitions[0].last_epoch), (0, -1));
    world.answer(&plan, &[(0, ErrorCode::NONE)]);
    let chunk = world.fetched.take(|_| true).unwrap();
    let chunk = if chunk.version == plan.partitions[0].version { chunk } else { world.fetched.take(|_| true).unwrap() };
    world.positions.progress(&chunk.partition, chunk.version).unwrap().hand_out(10);
    let plan = world.one();
    world.reply(&plan, Ok(Ok(vec![diverges_at(7)])));
    let skipped = world.positions.take_skipped();
    assert_eq!((skipped[0].from, skipped[0].to), (10, 7));
    assert_eq!(world.one().partitions[0].offset, 7);
}

#[test]
fn a_broker_hears_within_a_session_only_what_changed_and_all_when_it_lost_count() {
    let mut world = World::new(&[0, 1]);
    let plan = world.one();
    assert_eq!((plan.said.session_id, plan.said.session_epoch, &plan.said.changed), (0, 0, &None));
    world.answer(&plan, &[(1, ErrorCode::NONE)]);
    let plan = world.one();
    assert_eq!((plan.said.session_id, plan.said.session_epoch, &plan.said.changed), (7, 1, &Some(vec![1])));
    world.reply(&plan, Ok(Err(ErrorCode::INVALID_FETCH_SESSION_EPOCH)));
    let plan = world.one();
    assert_eq!((plan.said.session_id, plan.said.session_epoch, &plan.said.changed), (7, 0, &None), "and at once");
    world.reply(&plan, Ok(Err(ErrorCode::FETCH_SESSION_ID_NOT_FOUND)));
    assert!(world.poll().is_empty(), "a broker that never has a session is not asked without pause");
}
