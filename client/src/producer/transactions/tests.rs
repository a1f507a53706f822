use std::future::Future;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tidemill_protocol::ErrorCode;

use super::requests::{Decision, Generation, Reply, Request};
use super::*;
use crate::cluster::{Backoff, Snapshot};
use crate::producer::ProducerConfig;
use crate::producer::machine::{Action, Machine, Refused, Turn};
use crate::producer::sender::{Answer, Plan};
use crate::producer::sequences::Identity;

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
fn start() -> Instant {
    Instant::now()
}

/// A producer in virtual time, in its first transaction.
struct World {
    machine: Machine,
    now: Instant,
    epoch: i16,
    /// Requests to brokers that have no answer yet.
    writing: Vec<Plan>,
    /// The one to a coordinator.
    asked: Option<Request>,
    generation: Generation,
}

impl World {
    fn new(generation: Generation) -> Self {
        let config = ProducerConfig::default().linger(Duration::ZERO).delivery_timeout(Duration::from_secs(10));
        let backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let transactions = Transactions::new(Duration::from_secs(60), Duration::from_secs(60), backoff, 7);
        let snapshot = Arc::new(Snapshot::for_tests(&[("clicks", 2)]));
        let machine = Machine::new(&config, Some(transactions), snapshot, 7);
        let mut world = Self { machine, now: start(), epoch: 0, writing: Vec::new(), asked: None, generation };
        world.begin();
        world
    }

    fn begin(&mut self) {
        let (done, mut begun) = oneshot::channel();
        self.machine.handle_transaction(|transactions| transactions.handle_begin(done));
        self.coordinate();
        assert!(begun.try_recv().unwrap().is_ok());
    }

    fn commit(&mut self) -> oneshot::Receiver<Result<(), Error>> {
        let (done, committed) = oneshot::channel();
        drop(self.machine.handle_flush());
        self.machine.handle_transaction(|transactions| transactions.handle_commit(done));
        self.poll();
        committed
    }

    /// Sends a record as a batch of its own.
    fn send(&mut self, partition: i32) -> Result<Delivery, Error> {
        let record = Record::new("clicks").partition(partition).value(b"click");
        let sent = self.machine.handle_send(&record, 0, self.now, Turn::First);
        self.poll();
        match sent {
            Ok(appended) => Ok(Delivery::new(appended.completion, appended.index)),
            Err(Refused::Final(error)) => Err(error),
            Err(refused) => panic!("{refused:?}"),
        }
    }

    fn poll(&mut self) {
        let mut actions = Vec::new();
        self.machine.poll(self.now, &mut actions);
        for action in actions {
            match action {
                Action::Produce(plan) => self.writing.push(plan),
                Action::Transaction(request) => self.asked = Some(request),
                Action::InitProducerId => panic!("the coordinator of transactions says who we are"),
                Action::Room | Action::RefreshMetadata => {}
            }
        }
    }

    /// Answers one request to a coordinator, as a healthy one does.
    fn answer(&mut self) -> Option<Request> {
        self.poll();
        let request = self.asked.take()?;
        let bumps = match &request {
            Request::Initialize(_) => true,
            Request::End(_, generation, _) => *generation == Generation::Second,
            Request::AddPartitions(..) | Request::AddGroup(..) | Request::CommitOffsets(..) => false,
        };
        self.epoch += i16::from(bumps);
        let outcome = Ok(bumps.then_some(Identity { producer_id: 1, producer_epoch: self.epoch }));
        let reply = Reply { outcome, generation: Some(self.generation) };
        self.machine.handle_transaction_reply(reply, self.now);
        self.poll();
        Some(request)
    }

    /// Answers coordinators until nothing is asked.
    fn coordinate(&mut self) {
        while self.answer().is_some() {}
    }

    /// Answers what was written last.
    fn written(&mut self, answer: &Answer) {
        let plan = self.writing.remove(0);
        for part in &plan.parts {
            self.machine.handle_answer(part, answer.clone(), self.now);
        }
        self.poll();
    }

    /// The epoch and sequence of the next batch that is on its way.
    fn stamp(&self) -> (i16, i32) {
        let stamp = self.writing[0].parts[0].stamp.unwrap();
        (stamp.producer_epoch, stamp.base_sequence)
    }
}

const WRITTEN: Answer = Answer::Written(Some(0));

fn outcome(delivery: &mut Delivery) -> Option<Result<crate::RecordMetadata, Error>> {
    match std::pin::Pin::new(delivery).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

#[test]
fn in_the_first_generation_a_batch_waits_until_its_partition_is_in_the_transaction() {
    let mut world = World::new(Generation::First);
    let _first = world.send(0).unwrap();
    assert!(world.writing.is_empty());
    assert!(matches!(world.answer(), Some(Request::AddPartitions(..))));
    assert_eq!(world.writing[0].generation, Some(Generation::First));
    world.written(&WRITTEN);
    // The next batch of it goes at once.
    let _second = world.send(0).unwrap();
    assert_eq!(world.writing.len(), 1);
    assert!(world.asked.is_none());
}

#[test]
fn sequences_go_on_under_one_epoch_and_begin_again_under_the_next() {
    for (generation, expected) in [(Generation::First, (1, 1)), (Generation::Second, (2, 0))] {
        let mut world = World::new(generation);
        let _first = world.send(0).unwrap();
        world.coordinate();
        assert_eq!(world.stamp(), (1, 0));
        world.written(&WRITTEN);
        let mut committed = world.commit();
        world.coordinate();
        assert!(committed.try_recv().unwrap().is_ok());
        world.begin();
        let _second = world.send(0).unwrap();
        world.coordinate();
        assert_eq!(world.stamp(), expected, "{generation:?}");
    }
}

#[test]
fn a_commit_ends_the_transaction_when_the_last_record_is_written_also_one_that_is_sent_again() {
    let mut world = World::new(Generation::Second);
    let mut delivery = world.send(0).unwrap();
    let _committed = world.commit();
    world.written(&Answer::Unanswered(Error::timeout("writing")));
    assert!(world.asked.is_none());
    world.now += Duration::from_secs(1);
    world.poll();
    world.written(&WRITTEN);
    assert!(outcome(&mut delivery).unwrap().is_ok());
    assert!(matches!(world.asked, Some(Request::End(.., Decision::Commit))));
}

#[test]
fn a_record_that_is_refused_takes_what_waits_along_and_the_next_transaction_counts_anew() {
    for generation in [Generation::First, Generation::Second] {
        let mut world = World::new(generation);
        let mut refused = world.send(0).unwrap();
        world.coordinate();
        // One batch of a partition that has acknowledged none is on its way: these wait.
        let mut waiting = [world.send(0).unwrap(), world.send(0).unwrap()];
        world.written(&Answer::Refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER));
        for delivery in std::iter::once(&mut refused).chain(&mut waiting) {
            let error = outcome(delivery).unwrap().unwrap_err();
            assert!(error.requires_abort(), "{error}");
            assert_eq!(error.outcome(), Some(Outcome::NotWritten));
        }
        assert!(world.writing.is_empty());
        assert!(world.send(0).unwrap_err().requires_abort());
        assert!(world.commit().try_recv().unwrap().unwrap_err().requires_abort());
        world.coordinate();
        world.begin();
        let _next = world.send(0).unwrap();
        world.coordinate();
        assert_eq!(world.stamp(), (2, 0), "{generation:?}");
    }
}

#[test]
fn an_abort_waits_for_what_is_on_its_way_and_gives_up_what_is_not() {
    let mut world = World::new(Generation::Second);
    let mut on_its_way = world.send(0).unwrap();
    let mut waiting = world.send(0).unwrap();
    world.machine.handle_transaction(|transactions| transactions.handle_abort(None));
    world.poll();
    assert!(outcome(&mut waiting).unwrap().is_err());
    assert!(outcome(&mut on_its_way).is_none());
    assert!(world.asked.is_none());
    // Without an answer it is not sent again.
    world.written(&Answer::Unanswered(Error::timeout("writing")));
    assert_eq!(outcome(&mut on_its_way).unwrap().unwrap_err().outcome(), Some(Outcome::PossiblyWritten));
    assert!(world.writing.is_empty());
    assert!(matches!(world.asked, Some(Request::End(.., Decision::Abort))));
}

#[test]
fn records_that_expire_before_their_partition_is_added_fail_the_transaction() {
    let mut world = World::new(Generation::First);
    let mut delivery = world.send(0).unwrap();
    world.now += Duration::from_secs(10);
    world.poll();
    assert!(outcome(&mut delivery).unwrap().unwrap_err().requires_abort());
    assert!(world.commit().try_recv().unwrap().unwrap_err().requires_abort());
}

#[test]
fn a_producer_that_is_fenced_while_writing_can_do_nothing_more() {
    let mut world = World::new(Generation::Second);
    let mut delivery = world.send(0).unwrap();
    world.written(&Answer::Refused(ErrorCode::PRODUCER_FENCED));
    assert!(outcome(&mut delivery).unwrap().unwrap_err().is_fatal());
    assert!(world.send(0).unwrap_err().is_fatal());
    assert!(world.commit().try_recv().unwrap().unwrap_err().is_fatal());
}
