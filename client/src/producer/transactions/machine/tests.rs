use expect_test::expect;

use super::*;
use crate::producer::transactions::verdict::with_consequence;

const TIMEOUT: Duration = Duration::from_secs(60);

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
fn start() -> Instant {
    Instant::now()
}

fn broker(code: ErrorCode) -> Error {
    Error::broker("asking", code)
}

/// A machine in virtual time, and its coordinator, which answers what it is told to.
struct World {
    machine: Transactions,
    now: Instant,
    /// Whether every record has its outcome.
    idle: bool,
    generation: Generation,
    epoch: i16,
}

impl World {
    fn new(generation: Generation) -> Self {
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let machine = Transactions::new(TIMEOUT, TIMEOUT, backoff, 7);
        Self { machine, now: start(), idle: true, generation, epoch: 0 }
    }

    /// In a transaction that has something to end.
    fn in_transaction(generation: Generation) -> Self {
        let mut world = Self::new(generation);
        let mut begun = world.begin();
        world.answer_all();
        assert!(begun.try_recv().unwrap().is_ok());
        world.write(0);
        world.answer_all();
        world
    }

    fn begin(&mut self) -> oneshot::Receiver<Result<(), Error>> {
        let (done, begun) = oneshot::channel();
        self.machine.handle_begin(done);
        begun
    }

    fn commit(&mut self) -> oneshot::Receiver<Result<(), Error>> {
        let (done, committed) = oneshot::channel();
        self.machine.handle_commit(done);
        committed
    }

    /// A record for this partition is ready; whether it may go.
    fn write(&mut self, partition: i32) -> bool {
        let written = self.machine.may_write(&TopicPartition::new("clicks", partition));
        if written {
            self.machine.handle_writing();
        }
        written
    }

    fn offsets(&mut self) -> oneshot::Receiver<Result<(), Error>> {
        let (done, added) = oneshot::channel();
        let offsets = BTreeMap::from([(TopicPartition::new("clicks", 0), 5.into())]);
        self.machine.handle_offsets(GroupMetadata::of_member("copiers", 3, "m", None), offsets, done, self.now);
        added
    }

    /// The request that goes out, after as much time as it takes until one does; none if none ever will.
    fn asked(&mut self) -> Option<Request> {
        for _ in 0..10 {
            match self.machine.poll(self.idle, self.now) {
                (Some(request), _) => return Some(request),
                (None, Some(at)) => self.now = self.now.max(at),
                (None, None) => return None,
            }
        }
        None
    }

    fn refuse(&mut self, code: ErrorCode) {
        self.machine.handle_reply(Reply { outcome: Err(broker(code)), generation: None }, self.now);
    }

    /// What a healthy coordinator says.
    fn answer(&mut self, request: &Request) {
        let bumps = match request {
            Request::Initialize(_) => true,
            Request::End(_, generation, _) => *generation == Generation::Second,
            Request::AddPartitions(..) | Request::AddGroup(..) | Request::CommitOffsets(..) => false,
        };
        self.epoch += i16::from(bumps);
        let identity = bumps.then_some(Identity { producer_id: 1, producer_epoch: self.epoch });
        let reply = Reply { outcome: Ok(identity), generation: Some(self.generation) };
        self.machine.handle_reply(reply, self.now);
    }

    /// Answers for as long as something is asked; says what it was.
    fn answer_all(&mut self) -> Vec<&'static str> {
        let mut asked = Vec::new();
        while let (Some(request), _) = self.machine.poll(self.idle, self.now) {
            asked.push(match &request {
                Request::Initialize(None) => "register",
                Request::Initialize(Some(_)) => "next epoch",
                Request::AddPartitions(..) => "add partitions",
                Request::AddGroup(..) => "add group",
                Request::CommitOffsets(..) => "commit offsets",
                Request::End(.., Decision::Commit) => "commit",
                Request::End(.., Decision::Abort) => "abort",
            });
            self.answer(&request);
        }
        asked
    }

    fn state(&self) -> &'static str {
        match &self.machine.state {
            State::Uninitialized => "Uninitialized",
            State::Initializing => "Initializing",
            State::Ready => "Ready",
            State::InTransaction => "InTransaction",
            State::Committing { .. } => "Committing",
            State::Resolving => "Resolving",
            State::Aborting { .. } => "Aborting",
            State::MustAbort(_) => "MustAbort",
            State::Fenced(_) => "Fenced",
        }
    }
}

/// Each state, in a transaction of the second generation where there is one.
fn states() -> Vec<World> {
    let mut worlds = vec![World::new(Generation::Second), World::new(Generation::Second)];
    drop(worlds[1].begin());
    let in_transaction = || World::in_transaction(Generation::Second);
    let mut ready = in_transaction();
    drop(ready.commit());
    ready.answer_all();
    worlds.extend([ready, in_transaction()]);
    let mut committing = in_transaction();
    drop(committing.commit());
    let mut resolving = in_transaction();
    drop(resolving.commit());
    let _ = resolving.machine.poll(true, resolving.now);
    resolving.now += TIMEOUT;
    let _ = resolving.machine.poll(true, resolving.now);
    resolving.machine.handle_reply(Reply { outcome: Err(Error::timeout("asking")), generation: None }, resolving.now);
    let mut aborting = in_transaction();
    aborting.machine.handle_abort(None);
    let mut must_abort = in_transaction();
    must_abort.machine.handle_record_failed(with_consequence(Error::timeout("writing")));
    let mut fenced = in_transaction();
    fenced.machine.handle_record_failed(with_consequence(broker(ErrorCode::PRODUCER_FENCED)));
    worlds.extend([committing, resolving, aborting, must_abort, fenced]);
    worlds
}

/// An event, and what it does to a world.
type Event = (&'static str, fn(&mut World));

const EVENTS: &[Event] = &[
    ("begin", |world| drop(world.begin())),
    ("commit", |world| drop(world.commit())),
    ("abort", |world| world.machine.handle_abort(None)),
    ("record failed", |world| world.machine.handle_record_failed(with_consequence(Error::timeout("writing")))),
    ("answered", |world| {
        if let Some(request) = world.asked() {
            world.answer(&request);
        }
    }),
    ("try again", |world| {
        let _ = world.asked();
        world.refuse(ErrorCode::CONCURRENT_TRANSACTIONS);
    }),
    ("abortable", |world| {
        let _ = world.asked();
        world.refuse(ErrorCode::TRANSACTION_ABORTABLE);
    }),
    ("fenced", |world| {
        let _ = world.asked();
        world.refuse(ErrorCode::PRODUCER_FENCED);
    }),
    ("no answer", |world| {
        let _ = world.machine.poll(true, world.now);
        world.now += TIMEOUT;
        let _ = world.machine.poll(true, world.now);
    }),
    ("closed", |world| world.machine.handle_close()),
];

#[test]
fn the_table_of_states_and_events() {
    let mut table = String::new();
    for place in 0..states().len() {
        table += &format!("{}\n", states()[place].state());
        for (event, apply) in EVENTS {
            let mut world = states().swap_remove(place);
            let before = world.state();
            apply(&mut world);
            if world.state() != before {
                table += &format!("  {event}: {}\n", world.state());
            }
        }
    }
    expect![[r#"
        Uninitialized
          begin: Initializing
        Initializing
          answered: Ready
          abortable: Fenced
          fenced: Fenced
        Ready
        InTransaction
          begin: Aborting
          commit: Committing
          abort: Aborting
          record failed: MustAbort
          closed: Aborting
        Committing
          record failed: Aborting
          answered: Ready
          abortable: Aborting
          fenced: Fenced
          no answer: Resolving
        Resolving
          answered: Ready
          fenced: Fenced
        Aborting
          answered: Ready
          abortable: Fenced
          fenced: Fenced
        MustAbort
          begin: Aborting
          commit: Aborting
          abort: Aborting
          closed: Aborting
        Fenced
    "#]]
    .assert_eq(&table);
}

#[test]
fn in_the_first_generation_a_partition_is_added_before_it_is_written_to_and_all_new_ones_at_once() {
    let mut world = World::new(Generation::First);
    let _begun = world.begin();
    assert_eq!(world.answer_all(), ["register"]);
    assert!(!world.write(0) && !world.write(1));
    let Some(Request::AddPartitions(_, partitions)) = world.asked() else { panic!("nothing is added") };
    assert_eq!(partitions.len(), 2);
    // Meanwhile there is a third.
    assert!(!world.write(2));
    world.answer(&Request::AddPartitions(Identity { producer_id: 1, producer_epoch: 1 }, partitions));
    assert!(world.write(0) && world.write(1) && !world.write(2));
    assert_eq!(world.answer_all(), ["add partitions"]);
    assert!(world.write(2));
    let mut committed = world.commit();
    assert_eq!(world.answer_all(), ["commit"]);
    assert!(committed.try_recv().unwrap().is_ok());
    // The next one keeps the epoch, and begins without a partition.
    let _begun = world.begin();
    assert_eq!(world.answer_all(), [""; 0]);
    assert!(!world.write(0));
}

#[test]
fn in_the_second_generation_writing_adds_and_every_end_has_an_epoch_of_its_own() {
    let mut world = World::in_transaction(Generation::Second);
    let mut added = world.offsets();
    assert_eq!(world.answer_all(), ["commit offsets"]);
    assert!(added.try_recv().unwrap().is_ok());
    let before = world.machine.identity();
    drop(world.commit());
    assert_eq!(world.answer_all(), ["commit"]);
    assert_ne!(world.machine.identity(), before);
}

#[test]
fn offsets_belong_to_the_transaction_also_when_nobody_waits_for_them() {
    let mut world = World::in_transaction(Generation::First);
    drop(world.offsets());
    drop(world.commit());
    assert_eq!(world.answer_all(), ["add group", "commit offsets", "commit"]);
}

#[test]
fn a_transaction_that_no_broker_heard_of_ends_without_one() {
    for generation in [Generation::First, Generation::Second] {
        let mut world = World::new(generation);
        let _begun = world.begin();
        world.answer_all();
        let mut committed = world.commit();
        assert_eq!(world.answer_all(), [""; 0]);
        assert!(committed.try_recv().unwrap().is_ok());
        assert_eq!(world.state(), "Ready");
    }
}

#[test]
fn a_commit_waits_for_every_record() {
    let mut world = World::in_transaction(Generation::Second);
    world.idle = false;
    drop(world.commit());
    assert_eq!(world.answer_all(), [""; 0]);
    world.idle = true;
    assert_eq!(world.answer_all(), ["commit"]);
}

#[test]
fn a_record_that_is_not_written_fails_the_commit_with_its_reason_and_the_transaction_is_aborted() {
    for generation in [Generation::First, Generation::Second] {
        let mut world = World::in_transaction(generation);
        world.machine.handle_record_failed(with_consequence(broker(ErrorCode::MESSAGE_TOO_LARGE)));
        let error = world.commit().try_recv().unwrap().unwrap_err();
        assert!(error.requires_abort() && !error.is_fatal() && !error.is_retriable());
        assert_eq!(error.code(), Some(ErrorCode::MESSAGE_TOO_LARGE));
        // Its sequence is missing: the first generation needs another epoch.
        let asked = world.answer_all();
        assert_eq!(asked, if generation == Generation::First { vec!["abort", "next epoch"] } else { vec!["abort"] });
        let mut begun = world.begin();
        world.answer_all();
        assert!(begun.try_recv().unwrap().is_ok());
    }
}

#[test]
fn a_commit_without_an_answer_is_asked_for_again_and_never_turned_into_an_abort() {
    for generation in [Generation::First, Generation::Second] {
        let mut world = World::in_transaction(generation);
        let mut committed = world.commit();
        let until = world.now + TIMEOUT;
        while world.now < until {
            if let Some(request) = world.asked() {
                assert!(matches!(request, Request::End(.., Decision::Commit)), "{request:?}");
                world.now += Duration::from_secs(5);
                world
                    .machine
                    .handle_reply(Reply { outcome: Err(Error::timeout("asking")), generation: None }, world.now);
            }
        }
        let asked = world.asked().unwrap();
        let error = committed.try_recv().unwrap().unwrap_err();
        assert_eq!(error.outcome(), Some(Outcome::PossiblyWritten));
        assert!(error.requires_abort());
        assert_eq!(world.state(), "Resolving");
        // Nothing else happens before it is certain, and then under an epoch that an end which is still on its way lacks.
        let mut begun = world.begin();
        let before = world.machine.identity();
        assert!(matches!(asked, Request::End(.., Decision::Commit)), "{asked:?}");
        world.answer(&asked);
        let again = world.answer_all();
        assert_eq!(again, if generation == Generation::First { vec!["next epoch"] } else { vec![] });
        assert_ne!(world.machine.identity(), before);
        assert!(begun.try_recv().unwrap().is_ok());
    }
}

#[test]
fn what_was_asked_twice_cannot_reach_into_the_next_transaction() {
    let lost = |world: &mut World| {
        let request = world.asked().unwrap();
        world.machine.handle_reply(Reply { outcome: Err(Error::timeout("asking")), generation: None }, world.now);
        assert_eq!(world.asked().as_ref(), Some(&request));
        world.answer(&request);
        request
    };
    for generation in [Generation::First, Generation::Second] {
        let mut world = World::in_transaction(generation);
        drop(world.commit());
        let Request::End(identity, ..) = lost(&mut world) else { panic!("the transaction does not end") };
        assert_eq!(world.answer_all(), if generation == Generation::First { vec!["next epoch"] } else { vec![] });
        assert_ne!(world.machine.identity(), Some(identity));
    }
    let mut world = World::in_transaction(Generation::First);
    drop(world.offsets());
    assert!(matches!(lost(&mut world), Request::AddGroup(..)));
    drop(world.commit());
    assert_eq!(world.answer_all(), ["commit offsets", "commit", "next epoch"]);
}

#[test]
fn a_member_whose_group_has_gone_on_aborts_and_goes_on_itself() {
    for code in [
        ErrorCode::ILLEGAL_GENERATION,
        ErrorCode::UNKNOWN_MEMBER_ID,
        ErrorCode::FENCED_INSTANCE_ID,
        ErrorCode::STALE_MEMBER_EPOCH,
    ] {
        let mut world = World::in_transaction(Generation::Second);
        let mut added = world.offsets();
        let _ = world.asked();
        world.refuse(code);
        let error = added.try_recv().unwrap().unwrap_err();
        assert!(error.requires_abort() && !error.is_fatal(), "{error}");
        assert_eq!(world.state(), "MustAbort");
    }
}

#[test]
fn a_producer_that_is_fenced_says_so_to_everybody() {
    let mut world = World::in_transaction(Generation::Second);
    let mut added = world.offsets();
    let _ = world.asked();
    world.refuse(ErrorCode::INVALID_PRODUCER_EPOCH);
    for error in [
        added.try_recv().unwrap().unwrap_err(),
        world.machine.refusal().unwrap(),
        world.commit().try_recv().unwrap().unwrap_err(),
        world.begin().try_recv().unwrap().unwrap_err(),
    ] {
        assert!(error.is_fatal() && !error.requires_abort(), "{error}");
    }
    assert!(world.machine.is_settled());
}

#[test]
fn a_transaction_that_nobody_holds_is_aborted_before_the_next_begins() {
    let mut world = World::in_transaction(Generation::Second);
    let mut begun = world.begin();
    assert_eq!(world.answer_all(), ["abort"]);
    assert!(begun.try_recv().unwrap().is_ok());
    // Whoever does not wait any more gets none.
    world.machine.handle_abort(None);
    drop(world.begin());
    world.answer_all();
    assert_eq!(world.state(), "Ready");
}

#[test]
fn a_first_partition_that_may_or_may_not_have_been_added_is_aborted_either_way() {
    let mut world = World::new(Generation::First);
    let _begun = world.begin();
    world.answer_all();
    world.write(0);
    let _ = world.asked();
    world.machine.handle_abort(None);
    world.machine.handle_reply(Reply { outcome: Err(Error::timeout("asking")), generation: None }, world.now);
    assert!(matches!(world.asked(), Some(Request::End(.., Decision::Abort))));
    world.refuse(ErrorCode::INVALID_TXN_STATE);
    assert_eq!(world.answer_all(), ["next epoch"]);
    assert_eq!(world.state(), "Ready");
}

#[test]
fn a_cluster_that_moves_to_the_second_generation_is_followed_between_two_transactions() {
    let mut world = World::in_transaction(Generation::First);
    world.generation = Generation::Second;
    drop(world.commit());
    assert_eq!(world.answer_all(), ["commit", "next epoch"]);
    let _begun = world.begin();
    world.answer_all();
    assert!(world.write(0), "writing adds");
}

#[test]
fn a_producer_that_is_closed_waits_no_longer_than_brokers_do() {
    let mut world = World::in_transaction(Generation::Second);
    world.machine.handle_close();
    assert_eq!(world.state(), "Aborting");
    let _ = world.machine.poll(true, world.now);
    assert!(!world.machine.is_settled());
    world.now += TIMEOUT;
    let _ = world.machine.poll(true, world.now);
    assert!(world.machine.is_settled());
}
