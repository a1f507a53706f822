use std::collections::BTreeMap;
use std::future::Future;
use std::task::{Context, Poll, Waker};

use proptest::prelude::*;
use tidemill_protocol::ErrorCode;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::records::{BatchFlags, RecordBatches};

use super::*;
use crate::error::{ErrorKind, Outcome};
use crate::producer::{Delivery, RecordMetadata};

/// A partition as a broker keeps it: its log, and the sequence it expects of each producer.
#[derive(Debug, Default)]
struct Log {
    values: Vec<String>,
    expected: BTreeMap<(i64, i16), i32>,
    /// The last batches: producer, first sequence, offset.
    recent: Vec<((i64, i16), i32, i64)>,
}

impl Log {
    fn append(&mut self, part: &Part) -> Answer {
        let stamp = part.stamp.expect("idempotent batches are stamped");
        let producer = (stamp.producer_id, stamp.producer_epoch);
        if let Some((.., offset)) =
            self.recent.iter().rev().take(5).find(|(who, first, _)| (*who, *first) == (producer, stamp.base_sequence))
        {
            return Answer::Written(Some(*offset));
        }
        // A producer that a partition has not seen may begin with any sequence, as in Kafka.
        let expected = self.expected.entry(producer).or_insert(stamp.base_sequence);
        if *expected != stamp.base_sequence {
            return Answer::Refused(ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER);
        }
        let offset = i64::try_from(self.values.len()).unwrap();
        let batch = RecordBatches::new(part.payload.seal(Codec::None.into(), part.stamp, BatchFlags::default()))
            .next()
            .unwrap()
            .unwrap();
        assert_eq!(batch.header().base_sequence, stamp.base_sequence);
        *expected += batch.header().record_count;
        for record in batch.open(1 << 20).unwrap().iter() {
            self.values.push(String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap());
        }
        self.recent.push((producer, stamp.base_sequence, offset));
        Answer::Written(Some(offset))
    }
}

struct World {
    machine: Machine,
    now: Instant,
    logs: BTreeMap<i32, Log>,
    requests: Vec<Plan>,
    identities: i64,
    refreshes: usize,
    rooms: usize,
}

#[expect(clippy::disallowed_methods, reason = "virtual time starts somewhere")]
fn start() -> Instant {
    Instant::now()
}

impl World {
    fn new(partitions: i32) -> Self {
        let config = ProducerConfig::default().linger(Duration::ZERO).delivery_timeout(Duration::from_secs(10));
        let snapshot = Arc::new(Snapshot::for_tests(&[("clicks", partitions)]));
        Self {
            machine: Machine::new(&config, None, snapshot, 7),
            now: start(),
            logs: BTreeMap::new(),
            requests: Vec::new(),
            identities: 0,
            refreshes: 0,
            rooms: 0,
        }
    }

    /// Sends a record as a batch of its own.
    fn send(&mut self, partition: i32, value: &str) -> Delivery {
        let record = Record::new("clicks").partition(partition).value(value.as_bytes());
        let appended = self.machine.handle_send(&record, 0, self.now, Turn::First).unwrap();
        self.poll();
        Delivery::new(appended.completion, appended.index)
    }

    fn poll(&mut self) {
        let mut actions = Vec::new();
        self.machine.poll(self.now, &mut actions);
        for action in actions {
            match action {
                Action::Produce(plan) => self.requests.push(plan),
                Action::InitProducerId => {
                    self.identities += 1;
                    let identity = Identity { producer_id: self.identities, producer_epoch: 0 };
                    self.machine.handle_identity(Ok(identity), self.now);
                    self.poll();
                }
                Action::Room => self.rooms += 1,
                Action::Transaction(request) => unreachable!("{request:?} of a producer without transactions"),
                Action::RefreshMetadata => self.refreshes += 1,
            }
        }
    }

    fn answer(&mut self, plan: &Plan, mut with: impl FnMut(&mut Log, &Part) -> Answer) {
        for part in &plan.parts {
            let log = self.logs.entry(part.partition.partition).or_default();
            let answer = with(log, part);
            self.machine.handle_answer(part, answer, self.now);
        }
        self.poll();
    }

    /// Answers everything as a healthy broker does, until nothing is left to do.
    fn settle(&mut self) {
        for _ in 0..200 {
            for plan in std::mem::take(&mut self.requests) {
                self.answer(&plan, Log::append);
            }
            self.now += Duration::from_millis(100);
            self.poll();
        }
        assert!(self.requests.is_empty());
    }

    fn values(&self, partition: i32) -> Vec<&str> {
        self.logs.get(&partition).map(|log| log.values.iter().map(String::as_str).collect()).unwrap_or_default()
    }
}

fn outcome(delivery: &mut Delivery) -> Option<Result<RecordMetadata, Error>> {
    let mut context = Context::from_waker(Waker::noop());
    match std::pin::Pin::new(delivery).poll(&mut context) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}

fn lost_reply(_: &mut Log, _: &Part) -> Answer {
    Answer::Unanswered(Error::timeout("writing"))
}

#[test]
fn a_retried_batch_keeps_its_sequence() {
    let mut world = World::new(1);
    let mut delivery = world.send(0, "a");
    let plan = world.requests.remove(0);
    world.answer(&plan, |log, part| {
        log.append(part);
        Answer::Unanswered(Error::timeout("the reply was lost"))
    });
    assert!(outcome(&mut delivery).is_none());
    world.settle();
    assert_eq!(world.values(0), ["a"]);
    assert_eq!(outcome(&mut delivery).unwrap().unwrap().offset, Some(0));
}

#[test]
fn order_is_kept_when_the_first_of_five_in_flight_fails() {
    let mut world = World::new(1);
    let values = ["first", "a", "b", "c", "d", "e", "f"];
    let mut deliveries = vec![world.send(0, "first")];
    world.settle();
    deliveries.extend(values[1..].iter().map(|value| world.send(0, value)));
    assert_eq!(world.requests.len(), 5, "no more than five batches are on their way");
    let first = world.requests.remove(0);
    world.answer(&first, |_, _| Answer::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    world.settle();
    assert_eq!(world.values(0), values);
    for (offset, delivery) in deliveries.iter_mut().enumerate() {
        assert_eq!(outcome(delivery).unwrap().unwrap().offset, Some(i64::try_from(offset).unwrap()));
    }
    assert_eq!(
        world.identities, 1,
        "sequences that are out of order behind a failed batch are no reason to begin anew"
    );
}

#[test]
fn until_a_first_batch_is_written_only_one_is_on_its_way() {
    let mut world = World::new(1);
    for value in ["a", "b", "c"] {
        world.send(0, value).forget();
    }
    assert_eq!(world.requests.len(), 1, "a broker takes any first sequence: a later batch must not be it");
    let first = world.requests.remove(0);
    world.answer(&first, |_, _| Answer::Refused(ErrorCode::NOT_ENOUGH_REPLICAS));
    world.settle();
    assert_eq!(world.values(0), ["a", "b", "c"]);
}

#[test]
fn a_topic_that_was_made_anew_gets_its_first_batch_alone() {
    for code in [ErrorCode::UNKNOWN_TOPIC_ID, ErrorCode::INCONSISTENT_TOPIC_ID] {
        made_anew(code);
    }
}

fn made_anew(code: ErrorCode) {
    let mut world = World::new(1);
    world.send(0, "to the old one").forget();
    world.settle();
    let mut deliveries: Vec<Delivery> = ["a", "b", "c"].map(|value| world.send(0, value)).into();
    assert_eq!(world.requests.len(), 3);
    world.logs.clear();
    for plan in std::mem::take(&mut world.requests) {
        world.answer(&plan, |_, _| Answer::Refused(code));
    }
    assert!(world.refreshes > 0, "the new id is looked for");
    world.now += Duration::from_secs(1);
    world.poll();
    assert_eq!(world.requests.len(), 1, "the new log takes any first sequence: a later batch must not be it");
    let first = world.requests.remove(0);
    world.answer(&first, |_, _| Answer::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER));
    world.settle();
    assert_eq!(world.values(0), ["a", "b", "c"]);
    assert!(deliveries.iter_mut().all(|delivery| outcome(delivery).unwrap().is_ok()));
}

#[test]
fn a_batch_that_may_be_written_is_not_written_under_another_identity() {
    let mut world = World::new(1);
    world.send(0, "first").forget();
    world.settle();
    let mut refused = world.send(0, "refused");
    let mut ambiguous = world.send(0, "ambiguous");
    let (one, two) = (world.requests.remove(0), world.requests.remove(0));
    world.answer(&two, lost_reply);
    world.answer(&one, |_, _| Answer::Refused(ErrorCode::MESSAGE_TOO_LARGE));
    drop((one, two));
    world.settle();
    assert_eq!(outcome(&mut refused).unwrap().unwrap_err().outcome(), Some(Outcome::NotWritten));
    assert_eq!(outcome(&mut ambiguous).unwrap().unwrap_err().outcome(), Some(Outcome::PossiblyWritten));
    assert_eq!(world.values(0), ["first"]);
    assert_eq!(world.machine.buffered_bytes(), 0);
}

/// Its count was used up, so what is behind it gets another.
#[test]
fn what_cannot_be_sent_ends_at_once_and_the_next_is_numbered_anew() {
    let mut world = World::new(1);
    let mut refused = world.send(0, "refused");
    let plan = world.requests.remove(0);
    world.answer(&plan, |_, _| Answer::Unsendable(Error::config("writing")));
    drop(plan);
    let error = outcome(&mut refused).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Configuration, Some(Outcome::NotWritten)));
    world.send(0, "next").forget();
    world.settle();
    assert_eq!(world.values(0), ["next"]);
    assert_eq!(world.machine.buffered_bytes(), 0);
}

#[test]
fn all_partitions_of_a_leader_go_in_one_request() {
    let mut world = World::new(3);
    let mut actions = Vec::new();
    world.machine.poll(world.now, &mut actions);
    for partition in 0..3 {
        let record = Record::new("clicks").partition(partition).value(b"x");
        world.machine.handle_send(&record, 0, world.now, Turn::First).unwrap();
    }
    let identity = Identity { producer_id: 1, producer_epoch: 0 };
    world.machine.handle_identity(Ok(identity), world.now);
    world.poll();
    assert_eq!(world.requests.len(), 1);
    assert_eq!(world.requests[0].parts.len(), 3);
}

#[test]
fn what_expires_says_whether_it_may_have_been_written() {
    let mut world = World::new(2);
    let mut sent = world.send(0, "sent");
    let plan = world.requests.remove(0);
    world.answer(&plan, lost_reply);
    drop(plan);
    let mut never_sent = world.send(0, "behind it");
    world.now += Duration::from_secs(10);
    world.requests.clear();
    world.poll();
    let error = outcome(&mut sent).unwrap().unwrap_err();
    assert_eq!((error.kind(), error.outcome()), (ErrorKind::Timeout, Some(Outcome::PossiblyWritten)));
    assert_eq!(outcome(&mut never_sent).unwrap().unwrap_err().outcome(), Some(Outcome::NotWritten));
    assert_eq!(world.machine.buffered_bytes(), 0);
    let mut next = world.send(0, "next");
    world.settle();
    assert!(outcome(&mut next).unwrap().is_ok());
    assert_eq!(world.identities, 2, "the sequences go on under a new identity");
}

#[test]
fn a_batch_that_the_broker_has_already_is_written() {
    let mut world = World::new(1);
    let mut delivery = world.send(0, "a");
    let plan = world.requests.remove(0);
    world.answer(&plan, |_, _| Answer::Refused(ErrorCode::DUPLICATE_SEQUENCE_NUMBER));
    assert_eq!(outcome(&mut delivery).unwrap().unwrap().offset, None);
}

#[test]
fn a_broker_that_lost_count_is_told_a_new_identity() {
    let mut world = World::new(1);
    world.send(0, "a").forget();
    world.settle();
    // As when the log was cut behind an unclean election.
    world.logs.get_mut(&0).unwrap().expected.values_mut().for_each(|expected| *expected = 100);
    let mut delivery = world.send(0, "b");
    world.settle();
    assert_eq!(world.values(0), ["a", "b"]);
    assert!(outcome(&mut delivery).unwrap().is_ok());
    assert_eq!(world.identities, 2);
}

#[test]
fn a_refused_batch_fails_alone() {
    let mut world = World::new(1);
    world.send(0, "first").forget();
    world.settle();
    let mut refused = world.send(0, "too large");
    let mut behind = world.send(0, "fine");
    let plan = world.requests.remove(0);
    world.answer(&plan, |_, _| Answer::Refused(ErrorCode::MESSAGE_TOO_LARGE));
    world.settle();
    assert_eq!(outcome(&mut refused).unwrap().unwrap_err().outcome(), Some(Outcome::NotWritten));
    assert!(outcome(&mut behind).unwrap().is_ok());
    assert_eq!(world.values(0), ["first", "fine"]);
}

#[test]
fn a_closed_producer_takes_nothing_and_sends_what_it_has() {
    let mut world = World::new(1);
    let mut delivery = world.send(0, "a");
    world.machine.handle_close();
    assert!(!world.machine.is_finished());
    let refused = world.machine.handle_send(&Record::new("clicks"), 0, world.now, Turn::New);
    assert!(matches!(refused, Err(Refused::Final(error)) if error.kind() == ErrorKind::Closed));
    world.settle();
    assert!(outcome(&mut delivery).unwrap().is_ok());
    assert!(world.machine.is_finished());
}

#[test]
fn records_without_a_key_fill_a_batch_in_one_partition_before_they_go_to_another() {
    let mut world = World::new(100);
    let mut partitions = Vec::new();
    for number in 0..400 {
        let appended = world.machine.handle_send(&Record::new("clicks").value(&[0; 1_000]), 0, world.now, Turn::First);
        let delivery = appended.map(|appended| Delivery::new(appended.completion, appended.index)).unwrap();
        // Batches that are sent early make no difference.
        if number % 3 == 0 {
            world.machine.handle_flush();
            world.settle();
        }
        partitions.push(delivery);
    }
    world.machine.handle_flush();
    world.settle();
    let partitions: Vec<i32> =
        partitions.iter_mut().map(|delivery| outcome(delivery).unwrap().unwrap().topic_partition.partition).collect();
    let runs: Vec<usize> = partitions.chunk_by(|one, other| one == other).map(<[i32]>::len).collect();
    let (last, whole) = runs.split_last().unwrap();
    assert!(whole.iter().all(|run| (15..=33).contains(run)) && *last <= 33, "{runs:?}");
}

#[test]
fn who_waits_for_room_is_not_overtaken() {
    let mut world = World::new(1);
    let record = Record::new("clicks").value(b"a");
    world.machine.handle_waiting(true);
    assert!(matches!(world.machine.handle_send(&record, 0, world.now, Turn::New), Err(Refused::Full)));
    assert!(world.machine.handle_send(&record, 0, world.now, Turn::First).is_ok());
    world.machine.handle_waiting(false);
    assert!(world.machine.handle_send(&record, 0, world.now, Turn::New).is_ok());
}

#[test]
fn a_buffer_that_is_full_is_sent_however_long_batches_may_linger() {
    let mut world = World::new(1);
    world.machine.linger = Duration::from_secs(3_600);
    let record = Record::new("clicks").value(&[b'x'; 10_000]);
    while world.machine.handle_send(&record, 0, world.now, Turn::First).is_ok() {}
    world.poll();
    assert!(!world.requests.is_empty());
    // Batches on their way will make room: what is open stays open until then.
    let open = world.machine.accumulator.busy().len();
    let requests = world.requests.len();
    assert!(matches!(world.machine.handle_send(&record, 0, world.now, Turn::First), Err(Refused::Full)));
    world.poll();
    assert_eq!((world.machine.accumulator.busy().len(), world.requests.len()), (open, requests));
    world.settle();
    assert!(world.machine.handle_send(&record, 0, world.now, Turn::First).is_ok());
}

#[test]
fn what_is_buffered_is_never_more_than_the_limit_whatever_the_partitions() {
    const LIMIT: u32 = 100_000;
    let mut world = World::new(50);
    let config = ProducerConfig::default().buffer_bytes(LIMIT).linger(Duration::from_secs(1));
    let snapshot = Arc::new(Snapshot::for_tests(&[("clicks", 50)]));
    world.machine = Machine::new(&config, None, snapshot, 7);
    let mut random = fastrand::Rng::with_seed(11);
    let (mut sent, mut refused) = (0, 0);
    for _ in 0..5_000 {
        let value = "v".repeat(random.usize(0..3_000));
        let record = Record::new("clicks").partition(random.i32(0..50)).value(value.as_bytes());
        match world.machine.handle_send(&record, 0, world.now, Turn::First) {
            Ok(_) => sent += 1,
            Err(Refused::Full) => {
                refused += 1;
                world.poll();
                for plan in std::mem::take(&mut world.requests) {
                    world.answer(&plan, Log::append);
                }
            }
            Err(other) => panic!("{other:?}"),
        }
        assert!(world.machine.buffered_bytes() <= to_usize(LIMIT));
    }
    assert!(sent > 4_000 && refused > 10, "{sent} sent, {refused} refused");
    world.machine.handle_flush();
    world.settle();
    assert_eq!(world.machine.buffered_bytes(), 0);
    assert_eq!(world.logs.values().map(|log| log.values.len()).sum::<usize>(), sent);
}

#[test]
fn partitions_with_nothing_to_do_are_not_looked_at() {
    let mut world = World::new(1_000);
    for partition in 0..1_000 {
        world.send(partition, "a").forget();
    }
    world.settle();
    assert!(world.machine.accumulator.is_idle());
    world.send(7, "b").forget();
    assert_eq!(world.machine.accumulator.busy().len(), 1);
    world.settle();
    assert!(world.machine.accumulator.is_idle());
}

#[test]
fn what_is_abandoned_has_an_outcome() {
    let mut world = World::new(1);
    let mut delivery = world.send(0, "a");
    world.machine.handle_abandon();
    assert_eq!(outcome(&mut delivery).unwrap().unwrap_err().outcome(), Some(Outcome::PossiblyWritten));
    assert!(world.machine.is_finished());
}

impl Delivery {
    /// The record is sent all the same.
    fn forget(self) {}
}

/// What happens to a request.
#[derive(Debug, Clone, Copy)]
enum Fault {
    None,
    LoseRequest,
    LoseReply,
    NotLeader,
    Wait,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever the network does, every record is written once and in order, and has one outcome that is true.
    #[test]
    fn nothing_is_lost_nothing_is_twice_and_order_is_kept(
        steps in prop::collection::vec(
            (0i32..2, prop_oneof![
                3 => Just(Fault::None), 1 => Just(Fault::LoseRequest), 1 => Just(Fault::LoseReply), 1 => Just(Fault::NotLeader),
                2 => Just(Fault::Wait),
            ], any::<prop::sample::Index>(), 0u64..150),
            1..60,
        )
    ) {
        let mut world = World::new(2);
        let mut deliveries = Vec::new();
        let mut sent: BTreeMap<i32, Vec<String>> = BTreeMap::new();
        for (number, (partition, fault, which, millis)) in steps.into_iter().enumerate() {
            let value = number.to_string();
            deliveries.push((partition, value.clone(), world.send(partition, &value)));
            sent.entry(partition).or_default().push(value);
            world.now += Duration::from_millis(millis);
            world.poll();
            if world.requests.is_empty() {
                continue;
            }
            let place = which.index(world.requests.len());
            match fault {
                Fault::Wait => {}
                Fault::None => {
                    let plan = world.requests.remove(place);
                    world.answer(&plan, Log::append);
                }
                Fault::LoseRequest => {
                    let plan = world.requests.remove(place);
                    world.answer(&plan, lost_reply);
                }
                Fault::LoseReply => {
                    let plan = world.requests.remove(place);
                    world.answer(&plan, |log, part| {
                        log.append(part);
                        Answer::Unanswered(Error::timeout("the reply was lost"))
                    });
                }
                Fault::NotLeader => {
                    let plan = world.requests.remove(place);
                    world.answer(&plan, |_, _| Answer::Refused(ErrorCode::NOT_LEADER_OR_FOLLOWER));
                }
            }
        }
        world.settle();
        for (partition, values) in &sent {
            prop_assert_eq!(world.values(*partition), values.iter().map(String::as_str).collect::<Vec<_>>());
        }
        for (partition, value, mut delivery) in deliveries {
            let written = outcome(&mut delivery).expect("every record has an outcome").unwrap();
            if let Some(offset) = written.offset {
                prop_assert_eq!(&world.logs[&partition].values[usize::try_from(offset).unwrap()], &value);
            }
        }
        prop_assert_eq!(world.machine.buffered_bytes(), 0);
    }
}
