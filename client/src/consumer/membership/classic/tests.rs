//! The classic member in virtual time, and its table of states by events.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::*;
use crate::consumer::assignor;

/// A member with a clock, and what it asked for last.
struct World {
    member: Classic,
    now: Instant,
    partitions: PartitionCounts,
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

fn topics(names: &[&str]) -> BTreeSet<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn subscription(names: &[&str]) -> Bytes {
    Subscription { topics: topics(names).into_iter().collect(), generation: -1, ..Subscription::default() }.encode()
}

fn share(numbers: &[i32]) -> Share {
    let orders: Share = [(Arc::from("orders"), numbers.to_vec())].into();
    orders.into_iter().filter(|(_, numbers)| !numbers.is_empty()).collect()
}

/// What a `JoinGroup` says is still held.
fn held(actions: &[Action]) -> Share {
    let [Action::Join(join)] = actions else { panic!("no JoinGroup: {actions:?}") };
    Subscription::decode(&join.protocols[0].1).unwrap().owned
}

fn broker(code: ErrorCode) -> Failure {
    Failure::Broker(code)
}

impl World {
    fn new() -> Self {
        Self::with(assignor::default())
    }

    fn with(assignors: Vec<Arc<dyn Assignor>>) -> Self {
        let config = Config {
            group_instance_id: None,
            heartbeat_interval: Duration::from_secs(3),
            assignors,
            backoff: Backoff::new(Duration::from_millis(100), Duration::from_secs(1)),
            rack: None,
        };
        Self { member: Classic::new(config, 7), now: start(), partitions: PartitionCounts::new() }
    }

    fn poll(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.member.poll(self.now, &mut actions);
        actions
    }

    /// Lets time pass until the member has something to say.
    fn poll_later(&mut self) -> Vec<Action> {
        for _ in 0..10 {
            let mut actions = Vec::new();
            let wake_at = self.member.poll(self.now, &mut actions);
            if !actions.is_empty() {
                return actions;
            }
            self.now = wake_at.expect("a member with nothing to say and nothing to wait for");
        }
        panic!("the member woke ten times for nothing");
    }

    fn joined(&self, leader: &str) -> Joined {
        let members = if leader == "me" {
            vec![
                ("me".to_owned(), None, subscription(&["orders"])),
                ("other".to_owned(), None, subscription(&["orders"])),
            ]
        } else {
            Vec::new()
        };
        Joined {
            generation: 5,
            member_id: "me".to_owned(),
            protocol: "range".to_owned(),
            leader: leader.to_owned(),
            skip_assignment: false,
            members,
        }
    }

    fn attempt(&self) -> u64 {
        self.member.attempts
    }

    fn share() -> Bytes {
        encode_assignment(&Share::from([(Arc::from("orders"), vec![0, 1])]))
    }

    fn unjoined() -> Self {
        Self::new().subscribed()
    }

    fn subscribed(mut self) -> Self {
        self.member.on_subscribe(topics(&["orders"]), self.now);
        self
    }

    /// A cooperative member with two partitions.
    fn cooperative() -> Self {
        let mut world = Self::with(vec![Arc::new(assignor::CooperativeStickyAssignor)]).subscribed().joined_by_id();
        world.follow();
        world.sync(&[0, 1]);
        world.settle();
        world
    }

    /// The same, when the group rebalances.
    fn cooperative_joining() -> Self {
        let mut world = Self::cooperative();
        let actions = world.refuse_heartbeat(ErrorCode::REBALANCE_IN_PROGRESS);
        assert!(matches!(actions[..], [Action::Join(_)]), "{actions:?}");
        world
    }

    fn cooperative_syncing() -> Self {
        let mut world = Self::cooperative_joining();
        world.follow();
        world
    }

    fn follow(&mut self) {
        let joined = Joined { protocol: self.member.config.assignors[0].name().to_owned(), ..self.joined("other") };
        self.member.on_join_reply(self.attempt(), Ok(joined), self.now);
        self.poll();
    }

    fn sync(&mut self, numbers: &[i32]) -> Vec<Action> {
        let share = encode_assignment(&share(numbers));
        self.member.on_sync_reply(self.attempt(), Ok(share), self.now);
        self.poll()
    }

    fn joining() -> Self {
        Self::unjoined().joined_by_id()
    }

    /// Asks to join, and asks again with the id that the coordinator gives.
    fn joined_by_id(self) -> Self {
        let mut world = self;
        world.poll();
        let required = (broker(ErrorCode::MEMBER_ID_REQUIRED), "me".to_owned());
        world.member.on_join_reply(world.attempt(), Err(required), world.now);
        world.poll();
        world
    }

    fn assigning() -> Self {
        let mut world = Self::joining();
        world.member.on_join_reply(world.attempt(), Ok(world.joined("me")), world.now);
        world.poll();
        world
    }

    fn syncing() -> Self {
        let mut world = Self::joining();
        world.member.on_join_reply(world.attempt(), Ok(world.joined("other")), world.now);
        world.poll();
        world
    }

    fn stable() -> Self {
        let mut world = Self::syncing();
        world.member.on_sync_reply(world.attempt(), Ok(Self::share()), world.now);
        world.poll();
        world
    }

    fn leading() -> Self {
        let mut world = Self::assigning();
        world.know(&[("orders", 4)]);
        world.poll();
        world.member.on_sync_reply(world.attempt(), Ok(Self::share()), world.now);
        world.poll();
        world
    }

    /// What shall be owned is owned.
    fn settle(&mut self) {
        self.member.on_settled(self.member.token, self.now);
    }

    fn know(&mut self, partitions: &[(&str, i32)]) {
        self.partitions.extend(partitions.iter().map(|(topic, count)| (Arc::from(*topic), *count)));
        self.member.on_partition_counts(self.partitions.clone(), self.now);
    }

    /// Sends the heartbeat that is due and refuses it.
    fn refuse_heartbeat(&mut self, code: ErrorCode) -> Vec<Action> {
        self.now += Duration::from_secs(3);
        let sent = self.poll();
        assert!(matches!(sent[..], [Action::Heartbeat { .. }]), "{sent:?}");
        self.member.on_heartbeat_reply(self.attempt(), Err(broker(code)), self.now);
        self.poll()
    }
}

#[test]
fn a_new_member_asks_for_an_id_and_joins_with_it() {
    let mut world = World::unjoined();
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::Join(join)] if join.member_id.is_empty()), "{actions:?}");
    let required = (broker(ErrorCode::MEMBER_ID_REQUIRED), "me".to_owned());
    world.member.on_join_reply(world.attempt(), Err(required), world.now);
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::Join(join)] if join.member_id == "me"), "{actions:?}");
}

#[test]
fn the_leader_waits_for_the_partitions_of_topics_that_only_others_read() {
    let mut world = World::joining();
    world.know(&[("orders", 2)]);
    let mut joined = world.joined("me");
    joined.members[1].2 = subscription(&["orders", "clicks"]);
    world.member.on_join_reply(world.attempt(), Ok(joined), world.now);
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::TrackTopics(topics)] if **topics == [Arc::from("clicks")]), "{actions:?}");
    world.know(&[("clicks", 1)]);
    let [Action::Sync(sync)] = &world.poll()[..] else { panic!("no SyncGroup") };
    assert_eq!(sync.identity, Identity { generation: 5, member_id: "me".to_owned() });
    let shares: Vec<(&str, Share)> = sync
        .assignments
        .iter()
        .map(|(member_id, assignment)| (member_id.as_str(), decode_assignment(assignment).unwrap()))
        .collect();
    let expected = [
        ("me", Share::from([(Arc::from("orders"), vec![0])])),
        ("other", Share::from([(Arc::from("clicks"), vec![0]), (Arc::from("orders"), vec![1])])),
    ];
    assert_eq!(shares, expected);
}

#[test]
fn the_leader_plans_without_a_topic_that_nobody_knows() {
    let mut world = World::assigning();
    let [Action::Sync(sync)] = &world.poll_later()[..] else { panic!("no SyncGroup") };
    assert!(sync.assignments.iter().all(|(_, share)| decode_assignment(share).unwrap().is_empty()));
}

#[test]
fn partitions_are_given_up_before_the_group_is_joined_again() {
    let mut world = World::stable();
    let actions = world.refuse_heartbeat(ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(matches!(actions[..], [Action::Own { lost: false, .. }]), "{actions:?}");
    assert!(world.member.identity().is_some(), "what was read can still be committed");
    let actions = world.poll_later();
    assert!(matches!(actions[..], [Action::Heartbeat { .. }]), "the member stays alive meanwhile: {actions:?}");
    world.settle();
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::Join(join)] if join.member_id == "me"), "{actions:?}");
}

#[test]
fn a_member_that_is_unknown_commits_nothing_more_and_joins_as_a_new_one() {
    let mut world = World::stable();
    let actions = world.refuse_heartbeat(ErrorCode::UNKNOWN_MEMBER_ID);
    assert!(matches!(actions[..], [Action::Own { lost: true, .. }]), "{actions:?}");
    assert_eq!(world.member.identity(), None);
    world.settle();
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::Join(join)] if join.member_id.is_empty()), "{actions:?}");
}

#[test]
fn a_rebalance_that_becomes_a_loss_is_told_as_one() {
    let mut world = World::stable();
    world.refuse_heartbeat(ErrorCode::REBALANCE_IN_PROGRESS);
    let actions = world.refuse_heartbeat(ErrorCode::ILLEGAL_GENERATION);
    assert!(matches!(actions[..], [Action::Own { lost: true, .. }]), "{actions:?}");
    assert_eq!(world.member.identity(), None);
}

#[test]
fn a_coordinator_that_moved_is_looked_for_and_the_membership_goes_on() {
    let mut world = World::stable();
    let actions = world.refuse_heartbeat(ErrorCode::NOT_COORDINATOR);
    assert!(matches!(actions[..], [Action::CoordinatorMoved]), "{actions:?}");
    let before = world.now;
    let actions = world.poll_later();
    assert!(matches!(actions[..], [Action::Heartbeat { .. }]), "{actions:?}");
    assert!(world.now - before < Duration::from_secs(1), "the next heartbeat does not wait for its interval");
}

#[test]
fn a_reply_to_an_earlier_attempt_changes_nothing() {
    let mut world = World::joining();
    let old = world.attempt() - 1;
    world.member.on_join_reply(old, Ok(world.joined("other")), world.now);
    assert!(world.poll().is_empty());
    assert!(matches!(world.member.state, State::Joining { .. }));
    let mut world = World::stable();
    world.member.on_heartbeat_reply(1, Err(broker(ErrorCode::UNKNOWN_MEMBER_ID)), world.now);
    assert!(matches!(world.member.state, State::Stable { .. }));
}

#[test]
fn partitions_added_to_a_topic_are_given_to_members() {
    let mut world = World::leading();
    world.know(&[("unrelated", 9)]);
    assert!(world.poll().is_empty());
    world.know(&[("orders", 6)]);
    let actions = world.poll();
    assert!(matches!(actions[..], [Action::Own { lost: false, .. }]), "{actions:?}");
}

#[test]
fn a_stalled_application_leaves_at_once_and_joins_when_it_comes_back() {
    let mut world = World::stable();
    world.member.on_stalled(world.now);
    let actions = world.poll();
    assert!(
        matches!(&actions[..], [Action::Own { lost: true, .. }, Action::Leave { member_id, .. }] if member_id == "me")
    );
    world.settle();
    assert!(world.poll().is_empty(), "nothing happens while the application is away");
    world.member.on_polled(world.now);
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::Join(join)] if join.member_id.is_empty()), "{actions:?}");
}

#[test]
fn a_static_member_that_closes_keeps_its_place() {
    let mut world = World::stable();
    world.member.config.group_instance_id = Some("one".to_owned());
    world.member.on_subscribe(BTreeSet::new(), world.now);
    world.poll();
    world.settle();
    assert!(world.poll().is_empty());
    assert!(world.member.is_idle());
}

#[test]
fn an_unreadable_assignment_is_asked_for_again() {
    let mut world = World::syncing();
    world.member.on_sync_reply(world.attempt(), Ok(Bytes::from_static(b"\0\x03\x7f\xff\xff\xff")), world.now);
    assert!(matches!(world.poll_later()[..], [Action::Join(_)]));
}

#[test]
fn a_member_whose_subscription_is_unreadable_harms_nobody_else() {
    let mut world = World::joining();
    world.know(&[("orders", 2)]);
    let mut joined = world.joined("me");
    joined.members[1].2 = Bytes::from_static(b"\0");
    world.member.on_join_reply(world.attempt(), Ok(joined), world.now);
    let [Action::Sync(sync)] = &world.poll()[..] else { panic!("no SyncGroup") };
    assert_eq!(decode_assignment(&sync.assignments[0].1).unwrap(), Share::from([(Arc::from("orders"), vec![0, 1])]));
}

#[test]
fn a_cooperative_member_joins_again_with_what_it_holds_and_keeps_it() {
    let mut world = World::cooperative();
    let actions = world.refuse_heartbeat(ErrorCode::REBALANCE_IN_PROGRESS);
    assert_eq!(held(&actions), share(&[0, 1]));
    assert_eq!(world.member.committer(), Committer::Later, "commits wait for the new generation");
    world.follow();
    let actions = world.sync(&[0, 1, 2]);
    assert!(matches!(&actions[..], [Action::Own { share: new, lost: false, .. }] if *new == share(&[0, 1, 2])));
    assert!(matches!(world.member.state, State::Stable { .. }));
}

#[test]
fn a_cooperative_member_gives_up_what_the_plan_takes_and_joins_once_more() {
    let mut world = World::cooperative_syncing();
    let actions = world.sync(&[1]);
    assert!(
        matches!(&actions[..], [Action::Own { share: new, lost: false, .. }] if *new == share(&[1])),
        "{actions:?}"
    );
    assert!(matches!(world.member.committer(), Committer::As(_)), "what goes can be committed");
    assert!(matches!(world.poll_later()[..], [Action::Heartbeat { .. }]), "the member stays alive meanwhile");
    world.member.on_settled(world.member.token - 1, world.now);
    assert!(world.poll().is_empty(), "an earlier wish came true");
    world.settle();
    assert_eq!(held(&world.poll()), share(&[1]));
}

#[test]
fn a_cooperative_member_that_is_unknown_loses_all_before_it_joins_as_a_new_one() {
    let mut world = World::cooperative_joining();
    let unknown = (broker(ErrorCode::UNKNOWN_MEMBER_ID), String::new());
    world.member.on_join_reply(world.attempt(), Err(unknown), world.now);
    let actions = world.poll();
    assert!(matches!(actions[..], [Action::Own { lost: true, .. }]), "{actions:?}");
    assert_eq!(world.member.committer(), Committer::Nobody);
    world.settle();
    let actions = world.poll();
    assert_eq!(held(&actions), Share::new());
    assert!(matches!(&actions[..], [Action::Join(join)] if join.member_id.is_empty()));
}

#[test]
fn a_cooperative_member_gives_up_topics_that_it_does_not_want_any_more_before_it_joins() {
    let mut world = World::cooperative();
    world.member.on_subscribe(topics(&["clicks"]), world.now);
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::Own { share, .. }] if share.is_empty()), "{actions:?}");
    world.settle();
    assert_eq!(held(&world.poll()), Share::new());
    let mut world = World::cooperative_joining();
    world.member.on_subscribe(topics(&["clicks"]), world.now);
    world.follow();
    let actions = world.sync(&[0, 1]);
    let gives_up = |action: &Action| matches!(action, Action::Own { share, lost: false, .. } if share.is_empty());
    assert!(actions.iter().any(gives_up), "{actions:?}");
}

#[test]
fn a_member_that_lists_an_eager_way_too_is_eager() {
    let ways: Vec<Arc<dyn Assignor>> =
        vec![Arc::new(assignor::CooperativeStickyAssignor), Arc::new(assignor::RangeAssignor)];
    let mut world = World::with(ways).subscribed().joined_by_id();
    world.follow();
    world.sync(&[0, 1]);
    let actions = world.refuse_heartbeat(ErrorCode::REBALANCE_IN_PROGRESS);
    assert!(matches!(&actions[..], [Action::Own { share, .. }] if share.is_empty()), "{actions:?}");
    world.settle();
    assert_eq!(held(&world.poll()), Share::new());
}

/// Every state by every event: where it leads, and what is asked for.
#[test]
fn the_table_of_states_and_events() {
    type Start = fn() -> World;
    let states: [(&str, Start); 15] = [
        ("Idle", World::new),
        ("Unjoined", || {
            let mut world = World::joining();
            let moved = (broker(ErrorCode::NOT_COORDINATOR), String::new());
            world.member.on_join_reply(world.attempt(), Err(moved), world.now);
            world.poll();
            world
        }),
        ("Unjoined, away", || {
            let mut world = World::stable();
            world.member.on_stalled(world.now);
            world.settle();
            world.poll();
            world
        }),
        ("Joining", World::joining),
        ("Assigning", World::assigning),
        ("Syncing", World::syncing),
        ("Stable", World::stable),
        ("Revoking", || {
            let mut world = World::stable();
            world.refuse_heartbeat(ErrorCode::REBALANCE_IN_PROGRESS);
            world
        }),
        ("Revoking, lost", || {
            let mut world = World::stable();
            world.refuse_heartbeat(ErrorCode::ILLEGAL_GENERATION);
            world
        }),
        ("Cooperative, Unjoined", || {
            let mut world = World::cooperative_joining();
            let moved = (broker(ErrorCode::NOT_COORDINATOR), String::new());
            world.member.on_join_reply(world.attempt(), Err(moved), world.now);
            world.poll();
            world
        }),
        ("Cooperative, Joining", World::cooperative_joining),
        ("Cooperative, Syncing", World::cooperative_syncing),
        ("Cooperative, Stable", World::cooperative),
        ("Cooperative, Revoking", || {
            let mut world = World::cooperative_syncing();
            world.sync(&[1]);
            world
        }),
        ("Leaving", || {
            let mut world = World::joining();
            world.member.on_subscribe(BTreeSet::new(), world.now);
            world.poll();
            world
        }),
    ];
    type Event = Box<dyn Fn(&mut World)>;
    let mut events: Vec<(String, Event)> = vec![
        ("time passes".to_owned(), Box::new(|world| world.now += Duration::from_secs(60))),
        ("subscribe, same".to_owned(), Box::new(|world| world.member.on_subscribe(topics(&["orders"]), world.now))),
        ("subscribe, other".to_owned(), Box::new(|world| world.member.on_subscribe(topics(&["clicks"]), world.now))),
        ("unsubscribe".to_owned(), Box::new(|world| world.member.on_subscribe(BTreeSet::new(), world.now))),
        ("partitions known".to_owned(), Box::new(|world| world.know(&[("orders", 4)]))),
        (
            "joined, following".to_owned(),
            Box::new(|world| {
                world.member.on_join_reply(world.attempt(), Ok(world.joined("other")), world.now);
            }),
        ),
        (
            "joined, leading".to_owned(),
            Box::new(|world| {
                world.member.on_join_reply(world.attempt(), Ok(world.joined("me")), world.now);
            }),
        ),
        (
            "synced".to_owned(),
            Box::new(|world| {
                world.member.on_sync_reply(world.attempt(), Ok(World::share()), world.now);
            }),
        ),
        ("settled".to_owned(), Box::new(|world| world.settle())),
        ("stalled".to_owned(), Box::new(|world| world.member.on_stalled(world.now))),
        ("polled".to_owned(), Box::new(|world| world.member.on_polled(world.now))),
        ("left".to_owned(), Box::new(|world| world.member.on_left(world.attempt(), world.now))),
    ];
    let failures = [
        ErrorCode::REBALANCE_IN_PROGRESS,
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::FENCED_INSTANCE_ID,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
    ];
    for code in failures {
        let name = code.name().unwrap();
        events.push((
            format!("join, {name}"),
            Box::new(move |world| {
                world.member.on_join_reply(world.attempt(), Err((broker(code), String::new())), world.now);
            }),
        ));
        events.push((
            format!("sync, {name}"),
            Box::new(move |world| {
                world.member.on_sync_reply(world.attempt(), Err(broker(code)), world.now);
            }),
        ));
        events.push((
            format!("beat, {name}"),
            Box::new(move |world| {
                // The heartbeat that is refused is sent first, where one can be.
                let attempt = world.attempt();
                if matches!(world.member.state, State::Stable { .. } | State::Revoking { .. }) {
                    world.now += Duration::from_secs(3);
                    world.poll();
                }
                if world.attempt() > attempt {
                    world.member.on_heartbeat_reply(world.attempt(), Err(broker(code)), world.now);
                }
            }),
        ));
        events.push((
            format!("commit, {name}"),
            Box::new(move |world| {
                if let Some(identity) = world.member.identity() {
                    world.member.on_commit_refused(&identity, broker(code), world.now);
                }
            }),
        ));
    }
    let mut table = String::new();
    for (state, world) in states {
        writeln!(table, "{state}").unwrap();
        for (event, apply) in &events {
            let mut world = world();
            let before = state_name(&world.member.state);
            apply(&mut world);
            let actions: Vec<String> = world.poll().iter().map(action_name).collect();
            let after = state_name(&world.member.state);
            if before != after || !actions.is_empty() {
                writeln!(table, "    {event:<36} {after:<20} {}", actions.join(", ")).unwrap();
            }
        }
    }
    let trimmed: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    expect_file!["table.txt"].assert_eq(&trimmed);
}

fn state_name(state: &State) -> &'static str {
    match state {
        State::Idle => "Idle",
        State::Unjoined { join_at: Some(_) } => "Unjoined",
        State::Unjoined { join_at: None } => "Unjoined, away",
        State::Joining { .. } => "Joining",
        State::Assigning { .. } => "Assigning",
        State::Syncing { .. } => "Syncing",
        State::Stable { .. } => "Stable",
        State::Revoking { generation, then, .. } => match (generation, then) {
            (Some(_), Then::Join) => "Revoking",
            (None, Then::Join) => "Revoking, lost",
            (_, Then::AwaitPoll) => "Revoking, away",
            (_, Then::Stop) => "Revoking, to stop",
        },
        State::Leaving { .. } => "Leaving",
    }
}

fn action_name(action: &Action) -> String {
    match action {
        Action::Join(_) => "Join".to_owned(),
        Action::Sync(_) => "Sync".to_owned(),
        Action::Heartbeat { .. } => "Heartbeat".to_owned(),
        Action::Leave { .. } => "Leave".to_owned(),
        Action::CoordinatorMoved => "CoordinatorMoved".to_owned(),
        Action::TrackTopics(_) => "TrackTopics".to_owned(),
        other @ (Action::GroupHeartbeat(_) | Action::NameTopics(_)) => panic!("of the other protocol: {other:?}"),
        Action::Own { lost: true, .. } => "Revoke lost".to_owned(),
        Action::Own { share, .. } if share.is_empty() => "Revoke".to_owned(),
        Action::Own { share, .. } => format!("Own {:?}", share.values().flatten().collect::<Vec<_>>()),
        Action::Failed { fatal: true, .. } => "Failed for good".to_owned(),
        Action::Failed { fatal: false, .. } => "Failed".to_owned(),
    }
}
