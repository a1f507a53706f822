use super::*;

const START: &str = "changing it";

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

fn call(routes: &[Route], now: Instant) -> Call<&'static str> {
    let settings = Settings {
        timeout: Duration::from_secs(60),
        request_timeout: Duration::from_secs(30),
        items_max: usize::MAX,
        changes: true,
    };
    let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
    let mut call = Call::new(routes.iter().map(|route| (route.clone(), START.to_owned())), settings, backoff, 1, now);
    call.handle_reached();
    call
}

fn poll(call: &mut Call<&'static str>, now: Instant) -> (Vec<Action>, Option<Instant>) {
    let mut actions = Vec::new();
    let wake_at = call.poll(now, &mut actions);
    (actions, wake_at)
}

/// The requests among the actions: token, target, items.
fn asks(actions: &[Action]) -> Vec<(u64, Target, Vec<usize>)> {
    let ask = |action: &Action| match action {
        Action::Ask { token, target, items, .. } => Some((*token, target.clone(), items.clone())),
        Action::FindLeaders(_) | Action::FindCoordinators(..) | Action::Refresh | Action::CoordinatorMoved(..) => None,
    };
    actions.iter().filter_map(ask).collect()
}

fn refused(code: ErrorCode) -> Answer<&'static str> {
    Err(Refusal { code, message: None })
}

fn lost() -> Error {
    Error::network("asking", std::io::Error::from(std::io::ErrorKind::ConnectionReset))
}

fn partition(number: i32) -> Route {
    Route::Leader(TopicPartition::new("clicks", number))
}

fn group(name: &str) -> Route {
    Route::Coordinator(CoordinatorKind::Group, name.to_owned())
}

fn outcomes(call: Call<&'static str>) -> Vec<Result<&'static str, Option<ErrorCode>>> {
    call.into_outcomes().map(|outcome| outcome.map_err(|error| error.code())).collect()
}

#[test]
fn what_one_broker_leads_is_one_request_and_one_bad_item_fails_alone() {
    let now = start();
    let mut call = call(&[partition(0), partition(1), partition(2)], now);
    let topics = BTreeSet::from([Arc::from("clicks")]);
    assert_eq!(poll(&mut call, now).0, [Action::FindLeaders(topics)]);
    let leaders = BTreeMap::from([(0, Some(7)), (1, Some(8)), (2, Some(7))]);
    call.handle_leaders(Ok(BTreeMap::from([(Arc::from("clicks"), Ok(leaders))])), now);
    let asked = asks(&poll(&mut call, now).0);
    assert_eq!(asked, [(1, Target::Broker(7), vec![0, 2]), (2, Target::Broker(8), vec![1])]);
    call.handle_answers(1, Ok(vec![(0, refused(ErrorCode::OFFSET_OUT_OF_RANGE)), (2, Ok("two"))]), now);
    call.handle_answers(2, Ok(vec![(1, Ok("one"))]), now);
    assert_eq!(poll(&mut call, now), (vec![], None));
    assert_eq!(outcomes(call), [Err(Some(ErrorCode::OFFSET_OUT_OF_RANGE)), Ok("one"), Ok("two")]);
}

#[test]
fn a_leader_that_moved_is_looked_up_and_asked_again_where_it_is() {
    let now = start();
    let mut call = call(&[partition(0)], now);
    let mut now = now;
    for (leader, answer) in [(7, refused(ErrorCode::NOT_LEADER_OR_FOLLOWER)), (8, Ok("done"))] {
        assert!(matches!(poll(&mut call, now).0[..], [Action::FindLeaders(_)]));
        let leaders = BTreeMap::from([(0, Some(leader))]);
        call.handle_leaders(Ok(BTreeMap::from([(Arc::from("clicks"), Ok(leaders))])), now);
        let [(token, Target::Broker(broker), _)] = asks(&poll(&mut call, now).0)[..] else { panic!("no request") };
        assert_eq!(broker, leader);
        call.handle_answers(token, Ok(vec![(0, answer)]), now);
        if let (_, Some(wake_at)) = poll(&mut call, now) {
            assert!(wake_at > now, "it backs off");
            now = wake_at;
        }
    }
    assert_eq!(outcomes(call), [Ok("done")]);
}

#[test]
fn a_topic_that_nobody_knows_is_believed_to_be_missing_after_a_moment() {
    let mut now = start();
    let begun = now;
    let mut call = call(&[partition(0)], now);
    while let (_, Some(wake_at)) = poll(&mut call, now) {
        let missing = Err(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION);
        call.handle_leaders(Ok(BTreeMap::from([(Arc::from("clicks"), missing)])), now);
        now = poll(&mut call, now).1.unwrap_or(wake_at);
    }
    let took = now.duration_since(begun);
    assert!(Duration::from_millis(500) < took && took < Duration::from_secs(61), "{took:?}");
    assert_eq!(outcomes(call), [Err(Some(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION))]);
}

#[test]
fn a_coordinator_that_moved_is_forgotten_and_looked_up_and_that_of_another_group_is_not() {
    let now = start();
    let mut call = call(&[group("a"), group("b")], now);
    let keys = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
    assert_eq!(poll(&mut call, now).0, [Action::FindCoordinators(CoordinatorKind::Group, keys)]);
    let found = BTreeMap::from([("a".to_owned(), Ok(1)), ("b".to_owned(), Ok(1))]);
    call.handle_coordinators(CoordinatorKind::Group, Ok(found), now);
    assert_eq!(asks(&poll(&mut call, now).0), [(1, Target::Broker(1), vec![0, 1])]);
    call.handle_answers(1, Ok(vec![(0, refused(ErrorCode::NOT_COORDINATOR)), (1, Ok("b"))]), now);
    let (actions, wake_at) = poll(&mut call, now);
    assert_eq!(actions, [Action::CoordinatorMoved(CoordinatorKind::Group, "a".to_owned())]);
    let keys = BTreeSet::from(["a".to_owned()]);
    let actions = poll(&mut call, wake_at.unwrap()).0;
    assert_eq!(actions, [Action::FindCoordinators(CoordinatorKind::Group, keys)]);
}

#[test]
fn an_answer_that_was_lost_leaves_open_whether_it_was_done_and_the_error_says_so() {
    let now = start();
    let mut call = call(&[Route::Controller], now);
    poll(&mut call, now);
    call.handle_answers(1, Err(lost()), now);
    let (actions, wake_at) = poll(&mut call, now);
    assert_eq!(actions, [Action::Refresh]);
    let now = wake_at.unwrap();
    poll(&mut call, now);
    call.handle_answers(2, Ok(vec![(0, refused(ErrorCode::TOPIC_ALREADY_EXISTS))]), now);
    let error = call.into_outcomes().next().unwrap().unwrap_err();
    assert_eq!(error.code(), Some(ErrorCode::TOPIC_ALREADY_EXISTS));
    assert!(error.to_string().contains("may have done it already"), "{error}");
}

#[test]
fn addresses_that_never_answered_fail_at_once_and_those_that_did_are_tried_until_the_deadline() {
    let now = start();
    for was_reached in [false, true] {
        let mut call = call(&[Route::Any], now);
        call.was_reached = was_reached;
        poll(&mut call, now);
        call.handle_answers(1, Err(lost()), now);
        assert_eq!(poll(&mut call, now).1.is_some(), was_reached);
        poll(&mut call, now + Duration::from_secs(60));
        let error = call.into_outcomes().next().unwrap().unwrap_err();
        assert_eq!(error.kind() == ErrorKind::Timeout, was_reached);
        assert!(error.to_string().contains("connection reset"), "the reason is not lost: {error}");
    }
}

#[test]
fn at_the_deadline_every_item_has_an_outcome() {
    let now = start();
    let mut call = call(&[Route::Controller, partition(0), group("a")], now);
    poll(&mut call, now);
    assert_eq!(poll(&mut call, now + Duration::from_secs(60)).1, None);
    assert!(call.into_outcomes().all(|outcome| outcome.unwrap_err().kind() == ErrorKind::Timeout));
}

#[test]
fn an_item_that_the_answer_leaves_out_has_an_error_of_its_own() {
    let now = start();
    let mut call = call(&[Route::Controller, Route::Controller], now);
    poll(&mut call, now);
    call.handle_answers(1, Ok(vec![(1, Ok("second")), (9, Ok("never asked for"))]), now);
    let outcomes: Vec<_> = call.into_outcomes().collect();
    assert_eq!(outcomes[0].as_ref().unwrap_err().kind(), ErrorKind::Protocol);
    assert_eq!(*outcomes[1].as_ref().unwrap(), "second");
}

#[test]
fn a_broker_that_stays_away_is_given_up_before_the_deadline() {
    let mut now = start();
    let begun = now;
    let mut call = call(&[Route::Broker(3)], now);
    while let (actions, Some(wake_at)) = poll(&mut call, now) {
        if let [(token, ..)] = asks(&actions)[..] {
            call.handle_answers(token, Err(lost()), now);
        } else {
            now = wake_at;
        }
    }
    assert!(now.duration_since(begun) < Duration::from_secs(5));
    assert_eq!(call.into_outcomes().next().unwrap().unwrap_err().kind(), ErrorKind::Network);
}
