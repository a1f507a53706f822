//! The member of a group of the consumer protocol in virtual time, and its table of states by events.

use std::fmt::Write as _;

use expect_test::expect_file;

use super::*;

/// A member with a clock.
struct World {
    member: ConsumerMember,
    now: Instant,
}

const INTERVAL: Duration = Duration::from_secs(5);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn orders(numbers: &[i32]) -> SharesById {
    SharesById::from([(id(1), numbers.to_vec())])
}

fn share(numbers: &[i32]) -> Share {
    Share::from([(Arc::from("orders"), numbers.to_vec())])
}

fn wish(names: &[&str]) -> Wish {
    Wish { topics: names.iter().map(|name| Arc::from(*name)).collect(), pattern: None }
}

fn refused(code: ErrorCode) -> Result<Beaten, Failure> {
    Err(Failure::Broker(code))
}

impl World {
    #[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
    fn new() -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let config = Config { group_instance_id: None, backoff };
        let mut member = ConsumerMember::new(config, 7);
        member.on_topic_names(BTreeMap::from([(id(1), Arc::from("orders"))]));
        Self { member, now: Instant::now() }
    }

    fn subscribed() -> Self {
        let mut world = Self::new();
        world.member.on_subscribe(wish(&["orders"]), world.now);
        world
    }

    /// Its first heartbeat is under way.
    fn joining() -> Self {
        let mut world = Self::subscribed();
        world.beat();
        world
    }

    /// A member of epoch 3 that holds partitions 0 and 1, and has said so.
    fn stable() -> Self {
        let mut world = Self::joining();
        world.answer(3, Some(orders(&[0, 1])));
        world.poll();
        world.settle();
        world.beat();
        world.answer(3, None);
        world
    }

    fn poll(&mut self) -> Vec<Action> {
        let mut actions = Vec::new();
        self.member.poll(self.now, &mut actions);
        actions
    }

    /// The heartbeat that is due now.
    fn beat(&mut self) -> Heartbeat {
        let actions = self.poll();
        let beat = |action: &Action| if let Action::GroupHeartbeat(beat) = action { Some(beat.clone()) } else { None };
        actions.iter().filter_map(beat).next_back().unwrap_or_else(|| panic!("no heartbeat: {actions:?}"))
    }

    fn beat_later(&mut self) -> Heartbeat {
        self.now += INTERVAL;
        self.beat()
    }

    fn answer(&mut self, epoch: i32, target: Option<SharesById>) {
        let reply = Ok(Beaten { epoch, interval: INTERVAL, target });
        self.member.on_reply(self.member.attempts, reply, self.now);
    }

    fn refuse(&mut self, code: ErrorCode) -> Vec<Action> {
        self.member.on_reply(self.member.attempts, refused(code), self.now);
        self.poll()
    }

    fn settle(&mut self) {
        self.member.on_settled(self.member.token, self.now);
    }
}

/// The only thing asked for: what shall be owned, and whether what was is lost.
fn owning(actions: &[Action]) -> (Share, bool) {
    match actions {
        [Action::Own { share, lost, .. }] => (share.clone(), *lost),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_member_introduces_itself_and_says_later_only_what_is_new() {
    let mut world = World::subscribed();
    let first = world.beat();
    assert_eq!((first.identity.generation, first.introduces), (0, true));
    assert_eq!(first.wish, Some(wish(&["orders"])));
    assert_eq!(first.held, Some(SharesById::new()), "it holds nothing, and says so");
    assert_eq!(world.member.committer(), Committer::Nobody);
    world.answer(3, Some(orders(&[0, 1])));
    assert_eq!(owning(&world.poll()), (share(&[0, 1]), false));
    world.settle();
    let acknowledged = world.beat();
    assert_eq!((acknowledged.identity.generation, acknowledged.introduces), (3, false));
    assert_eq!((acknowledged.wish, acknowledged.held), (None, Some(orders(&[0, 1]))));
    world.answer(3, None);
    assert!(world.poll().is_empty());
    let quiet = world.beat_later();
    assert_eq!((quiet.wish, quiet.held), (None, None));
}

#[test]
fn what_is_taken_away_is_said_to_be_given_up_only_when_it_is() {
    let mut world = World::stable();
    world.beat_later();
    world.answer(3, Some(orders(&[1])));
    assert_eq!(owning(&world.poll()), (share(&[1]), false));
    assert!(matches!(world.member.committer(), Committer::As(_)), "what goes can be committed");
    let meanwhile = world.beat_later();
    assert_eq!(meanwhile.held, Some(orders(&[0, 1])), "all is still held");
    world.answer(3, None);
    world.member.on_settled(world.member.token - 1, world.now);
    assert!(world.poll().is_empty(), "an earlier wish came true");
    world.settle();
    assert_eq!(world.beat().held, Some(orders(&[1])));
}

#[test]
fn what_settles_while_a_heartbeat_is_under_way_is_said_right_after_it() {
    let mut world = World::joining();
    world.answer(3, Some(orders(&[0])));
    world.poll();
    world.beat_later();
    world.settle();
    assert!(world.poll().is_empty());
    world.answer(3, None);
    assert_eq!(world.beat().held, Some(orders(&[0])));
}

#[test]
fn a_topic_that_metadata_has_not_named_is_asked_for_and_read_once_it_has() {
    let mut world = World::joining();
    let mut target = orders(&[0]);
    target.insert(id(2), vec![5]);
    world.answer(3, Some(target.clone()));
    let actions = world.poll();
    assert!(matches!(&actions[..], [Action::NameTopics(ids), Action::Own { .. }] if **ids == [id(2)]), "{actions:?}");
    world.settle();
    assert_eq!(world.beat().held, Some(orders(&[0])), "what it can read, it holds");
    world.answer(3, None);
    let names = [(id(1), Arc::from("orders")), (id(2), Arc::from("late"))];
    world.member.on_topic_names(BTreeMap::from(names));
    let (share, _) = owning(&world.poll());
    assert_eq!(share.get("late"), Some(&vec![5]));
    world.settle();
    assert_eq!(world.beat().held, Some(target));
}

#[test]
fn commits_are_made_in_the_newest_epoch() {
    let mut world = World::stable();
    world.beat_later();
    world.answer(4, None);
    assert!(matches!(world.member.committer(), Committer::As(identity) if identity.generation == 4));
}

#[test]
fn a_fenced_member_loses_all_and_joins_again_under_its_id() {
    for code in [ErrorCode::FENCED_MEMBER_EPOCH, ErrorCode::UNKNOWN_MEMBER_ID] {
        let mut world = World::stable();
        let before = world.beat_later().identity.member_id;
        assert_eq!(owning(&world.refuse(code)), (Share::new(), true));
        assert_eq!(world.member.committer(), Committer::Nobody);
        world.settle();
        let again = world.beat();
        assert_eq!((again.identity.generation, again.identity.member_id), (0, before));
        assert_eq!((again.wish, again.held), (Some(wish(&["orders"])), Some(SharesById::new())));
    }
}

#[test]
fn after_a_heartbeat_that_may_be_lost_everything_is_said_again() {
    let mut world = World::stable();
    world.beat_later();
    world.member.on_reply(world.member.attempts, Err(Failure::NoAnswer), world.now);
    assert!(matches!(world.poll()[..], [Action::CoordinatorMoved]));
    let again = world.beat_later();
    assert_eq!((again.identity.generation, again.introduces), (3, true));
    assert_eq!((again.wish, again.held), (Some(wish(&["orders"])), Some(orders(&[0, 1]))));
}

#[test]
fn a_member_that_unsubscribes_gives_all_up_and_says_goodbye() {
    for (instance, epoch) in [(None, -1), (Some("one".to_owned()), -2)] {
        let mut world = World::stable();
        world.member.config.group_instance_id = instance;
        world.member.on_subscribe(Wish::default(), world.now);
        assert_eq!(owning(&world.poll()), (Share::new(), false));
        assert!(matches!(world.member.committer(), Committer::As(_)));
        world.settle();
        assert_eq!(world.beat().identity.generation, epoch);
        assert!(!world.member.is_idle());
        world.answer(epoch, None);
        assert!(world.member.is_idle());
    }
}

#[test]
fn a_stalled_application_leaves_at_once_and_joins_when_it_comes_back() {
    let mut world = World::stable();
    world.member.on_stalled(world.now);
    let actions = world.poll();
    let left = |beat: &Heartbeat| beat.identity.generation == -1;
    assert!(matches!(&actions[..], [Action::GroupHeartbeat(beat), Action::Own { lost: true, .. }] if left(beat)));
    world.settle();
    world.now += Duration::from_secs(1000);
    assert!(world.poll().is_empty(), "nothing happens while the application is away");
    world.member.on_polled(world.now);
    assert_eq!(world.beat().identity.generation, 0);
}

#[test]
fn another_subscription_is_said_at_once() {
    let mut world = World::stable();
    world.member.on_subscribe(wish(&["orders", "clicks"]), world.now);
    assert_eq!(world.beat().wish, Some(wish(&["orders", "clicks"])));
    let mut world = World::joining();
    let pattern = Wish { topics: BTreeSet::new(), pattern: Some(Arc::from("ord.*")) };
    world.member.on_subscribe(pattern.clone(), world.now);
    world.answer(1, None);
    assert_eq!(world.beat().wish, Some(pattern), "right after the heartbeat that was under way");
}

/// Every state by every event: where it leads, and what is asked for.
#[test]
fn the_table_of_states_and_events() {
    type Start = fn() -> World;
    let states: [(&str, Start); 8] = [
        ("Idle", World::new),
        ("Unjoined, away", || {
            let mut world = World::stable();
            world.member.on_stalled(world.now);
            world.poll();
            world.settle();
            world
        }),
        ("Joining", World::joining),
        ("Stable", || {
            let mut world = World::stable();
            world.beat_later();
            world
        }),
        ("Revoking", || {
            let mut world = World::stable();
            world.member.on_subscribe(Wish::default(), world.now);
            world.now += INTERVAL;
            world.poll();
            world
        }),
        ("Revoking, lost", || {
            let mut world = World::stable();
            world.beat_later();
            world.refuse(ErrorCode::FENCED_MEMBER_EPOCH);
            world
        }),
        ("Revoking, away", || {
            let mut world = World::stable();
            world.member.on_stalled(world.now);
            world.poll();
            world
        }),
        ("Leaving", || {
            let mut world = World::stable();
            world.member.on_subscribe(Wish::default(), world.now);
            world.settle();
            world.poll();
            world
        }),
    ];
    type Event = Box<dyn Fn(&mut World)>;
    let mut events: Vec<(String, Event)> = vec![
        ("time passes".to_owned(), Box::new(|world| world.now += Duration::from_secs(60))),
        ("subscribe, same".to_owned(), Box::new(|world| world.member.on_subscribe(wish(&["orders"]), world.now))),
        ("subscribe, other".to_owned(), Box::new(|world| world.member.on_subscribe(wish(&["clicks"]), world.now))),
        ("unsubscribe".to_owned(), Box::new(|world| world.member.on_subscribe(Wish::default(), world.now))),
        ("answered".to_owned(), Box::new(|world| world.answer(4, None))),
        ("answered, more".to_owned(), Box::new(|world| world.answer(4, Some(orders(&[0, 1, 2]))))),
        ("answered, less".to_owned(), Box::new(|world| world.answer(4, Some(orders(&[1]))))),
        ("settled".to_owned(), Box::new(World::settle)),
        ("stalled".to_owned(), Box::new(|world| world.member.on_stalled(world.now))),
        ("polled".to_owned(), Box::new(|world| world.member.on_polled(world.now))),
    ];
    let failures = [
        ErrorCode::FENCED_MEMBER_EPOCH,
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::NOT_COORDINATOR,
        ErrorCode::COORDINATOR_LOAD_IN_PROGRESS,
        ErrorCode::UNRELEASED_INSTANCE_ID,
        ErrorCode::UNSUPPORTED_ASSIGNOR,
        ErrorCode::GROUP_AUTHORIZATION_FAILED,
    ];
    for code in failures {
        let answered: Event = Box::new(move |world| {
            world.member.on_reply(world.member.attempts, refused(code), world.now);
        });
        events.push((code.name().unwrap().to_owned(), answered));
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
                writeln!(table, "    {event:<32} {after:<20} {}", actions.join(", ")).unwrap();
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
        State::Member { epoch: 0, .. } => "Joining",
        State::Member { .. } => "Stable",
        State::Revoking { epoch, then, .. } => match (epoch, then) {
            (_, Then::AwaitPoll) => "Revoking, away",
            (_, Then::Stop) => "Revoking, to stop",
            (Some(_), Then::Leave | Then::Join) => "Revoking",
            (None, Then::Leave | Then::Join) => "Revoking, lost",
        },
        State::Leaving { .. } => "Leaving",
    }
}

fn action_name(action: &Action) -> String {
    match action {
        Action::GroupHeartbeat(beat) => {
            let said = [(beat.wish.is_some(), ", wish"), (beat.held.is_some(), ", held")];
            let said: String = said.into_iter().filter(|(is_said, _)| *is_said).map(|(_, name)| name).collect();
            format!("Heartbeat {}{said}", beat.identity.generation)
        }
        Action::CoordinatorMoved => "CoordinatorMoved".to_owned(),
        Action::NameTopics(_) => "NameTopics".to_owned(),
        Action::Own { lost: true, .. } => "Revoke lost".to_owned(),
        Action::Own { share, .. } if share.is_empty() => "Revoke".to_owned(),
        Action::Own { share, .. } => format!("Own {:?}", share.values().flatten().collect::<Vec<_>>()),
        Action::Failed { fatal: true, .. } => "Failed for good".to_owned(),
        Action::Failed { fatal: false, .. } => "Failed".to_owned(),
        other @ (Action::Join(_)
        | Action::Sync(_)
        | Action::Heartbeat { .. }
        | Action::Leave { .. }
        | Action::TrackTopics(_)) => panic!("of the classic protocol: {other:?}"),
    }
}
