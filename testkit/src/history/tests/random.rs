//! Histories of a small model that is right are never blamed; with one thing changed, they are, by the checker that should.
//!
//! In the model, a plain producer writes to two partitions, with sends that overlap and flushes; a transactional one moves
//! records of the first to the second, with offsets; two members share a group, and another reads everything. Any send,
//! commit or end of a transaction may fail, or have no outcome and take effect all the same.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MOVER: ClientId = ClientId(3);
const MOVED: ClientId = ClientId(13);
const ORACLE: ClientId = ClientId(20);

/// What decides: the test's random bytes.
struct Choices<'a>(std::slice::Iter<'a, u8>);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or_default()) % bound
    }

    fn outcome(&mut self) -> (Outcome, bool) {
        match self.below(6) {
            0 => (Outcome::Failed, false),
            1 => (Outcome::Unknown, false),
            2 => (Outcome::Unknown, true),
            _ => (Outcome::Ok, true),
        }
    }
}

#[derive(Default)]
struct Model {
    story: Story,
    logs: [Vec<Entry>; 2],
    next_value: u64,
    transactions: u64,
    /// Of the group `g`: who has each partition, at which epoch.
    owners: [Option<ClientId>; 2],
    epoch: i64,
    committed: BTreeMap<(&'static str, usize), i64>,
    positions: BTreeMap<ClientId, [i64; 2]>,
    /// What an auto-commit may cover.
    settled: BTreeMap<ClientId, [i64; 2]>,
}

impl Model {
    fn append(&mut self, partition: usize, content: Content, id: i64) -> i64 {
        let log = &mut self.logs[partition];
        let offset = i64::try_from(log.len()).unwrap();
        log.push(Entry { offset, producer: Some(Producer { id, epoch: 0 }), content });
        offset
    }

    fn new_send(&mut self, partition: usize, transaction: Option<Transaction>) -> Send {
        self.next_value += 1;
        let partition = Some(clicks(i32::try_from(partition).unwrap()));
        Send { partition, transaction, ..self.story.sent(self.next_value, -1) }
    }

    /// Ends a send, and writes it if that is how it goes.
    fn finish_send(&mut self, id: OperationId, choices: &mut Choices<'_>) {
        let (outcome, applied) = choices.outcome();
        let send = self.story.history.operation(id).unwrap().action.as_send().unwrap().clone();
        let partition = usize::try_from(send.partition.unwrap().partition).unwrap();
        let state = if send.transaction.is_some() { TransactionState::Open } else { TransactionState::None };
        let producer = if send.transaction.is_some() { 2 } else { 1 };
        let content = Content::Record { value: send.value, key: None, state };
        let offset = applied.then(|| self.append(partition, content, producer));
        let now = self.story.tick();
        self.story.history.end_with(id, now, outcome, |action| {
            if let Action::Send(send) = action {
                send.offset = offset.filter(|_| outcome == Outcome::Ok);
            }
        });
    }

    fn write(&mut self, choices: &mut Choices<'_>) {
        let sends: Vec<OperationId> = (0..=choices.below(3))
            .map(|_| {
                let send = self.new_send(choices.below(2), None);
                self.story.invoke(PRODUCER, Action::Send(send))
            })
            .collect();
        let flush = (choices.below(2) == 0).then(|| self.story.invoke(PRODUCER, Action::Flush));
        sends.into_iter().for_each(|send| self.finish_send(send, choices));
        if let Some(flush) = flush {
            self.story.end(flush, Outcome::Ok);
        }
    }

    /// The records from here on that a committed reader gets, and where it is then.
    fn fetch(&self, partition: usize, from: i64, max: usize, isolation: Isolation) -> (Vec<(i64, u64)>, i64) {
        let (mut records, mut next) = (Vec::new(), from);
        for entry in self.logs[partition].iter().filter(|entry| entry.offset >= from) {
            let open = entry.state() == Some(TransactionState::Open);
            if records.len() == max || isolation == Isolation::ReadCommitted && open {
                break;
            }
            if entry.is_visible(isolation) {
                records.push((entry.offset, entry.value().unwrap().0));
            }
            next = entry.offset + 1;
        }
        (records, next)
    }

    fn poll(&mut self, client: ClientId, group: Option<&str>, partition: usize, max: usize) {
        let isolation = if group.is_some() { Isolation::ReadCommitted } else { Isolation::ReadUncommitted };
        let positions = *self.positions.entry(client).or_default();
        let (records, next) = self.fetch(partition, positions[partition], max, isolation);
        let mut action = self.story.polled(i32::try_from(partition).unwrap(), &records);
        if let Action::Poll(poll) = &mut action {
            poll.group = group.map(Into::into);
            poll.isolation = isolation;
        }
        self.settled.insert(client, positions);
        let poll = self.story.invoke(client, action);
        self.story.end(poll, Outcome::Ok);
        self.positions.get_mut(&client).unwrap()[partition] = next;
    }

    fn commit_position(&mut self, client: ClientId, partition: usize, trigger: Trigger, how: (Outcome, bool)) {
        let from = if trigger == Trigger::Auto { &self.settled } else { &self.positions };
        let Some(offset) = from.get(&client).map(|positions| positions[partition]) else { return };
        // What the application commits, it is done with.
        self.settled.entry(client).or_default()[partition] = offset;
        let offsets = vec![(clicks(i32::try_from(partition).unwrap()), offset)];
        self.story.run(client, Action::CommitOffsets { group: "g".into(), offsets, trigger }, how.0);
        if how.1 {
            self.committed.insert(("g", partition), offset);
        }
    }

    fn rebalance(&mut self, partition: usize, to: ClientId) {
        let number = i32::try_from(partition).unwrap();
        if let Some(owner) = self.owners[partition].replace(to) {
            let partitions = vec![clicks(number)];
            self.story.run(owner, Action::Revoked { group: "g".into(), partitions, lost: false }, Outcome::Ok);
        }
        self.epoch += 1;
        let (partitions, epoch) = (vec![clicks(number)], Some(self.epoch));
        self.story.run(to, Action::Assigned { group: "g".into(), partitions, epoch }, Outcome::Ok);
        let committed = self.committed.get(&("g", partition)).copied().unwrap_or_default();
        self.positions.entry(to).or_default()[partition] = committed;
        self.settled.entry(to).or_default()[partition] = committed;
    }

    /// A transaction that moves what was read to another partition.
    fn transfer(&mut self, choices: &mut Choices<'_>) {
        self.transactions += 1;
        let transaction = Transaction { transactional_id: "mover".into(), number: self.transactions };
        self.story.run(MOVER, Action::Begin(transaction.clone()), Outcome::Ok);
        self.poll(MOVED, Some("h"), 0, 2);
        for partition in [0, 1] {
            let send = self.new_send(partition, Some(transaction.clone()));
            let id = self.story.invoke(MOVER, Action::Send(send));
            self.finish_send(id, choices);
        }
        let position = self.positions[&MOVED][0];
        let offsets = vec![(clicks(0), position)];
        let offsets = Action::SendOffsets { transaction: transaction.clone(), group: "h".into(), offsets };
        self.story.run(MOVER, offsets, Outcome::Ok);
        let (commit, outcome) = match choices.below(6) {
            0 => (false, Outcome::Ok),
            1 => (false, Outcome::Unknown),
            2 => (true, Outcome::Unknown),
            _ => (true, Outcome::Ok),
        };
        // Without an outcome, nobody knows which it was.
        let end = if commit || outcome == Outcome::Unknown {
            Action::Commit(transaction)
        } else {
            Action::Abort(transaction)
        };
        let end = self.story.invoke(MOVER, end);
        for partition in 0..2 {
            let mut wrote = false;
            for entry in &mut self.logs[partition] {
                if let Content::Record { state: state @ TransactionState::Open, .. } = &mut entry.content {
                    *state = if commit { TransactionState::Committed } else { TransactionState::Aborted };
                    wrote = true;
                }
            }
            if wrote {
                self.append(partition, Content::Marker { commit }, 2);
            }
        }
        self.story.end(end, outcome);
        if commit {
            self.committed.insert(("h", 0), position);
        } else {
            let offset = self.committed.get(&("h", 0)).copied().unwrap_or_default();
            let seek = Action::Seek { partition: clicks(0), offset, reason: SeekReason::Explicit };
            self.story.run(MOVED, seek, Outcome::Ok);
            self.positions.entry(MOVED).or_default()[0] = offset;
        }
    }

    fn run(bytes: &[u8]) -> Story {
        let mut choices = Choices(bytes.iter());
        let mut model = Self::default();
        (0..2).for_each(|partition| model.rebalance(partition, CONSUMER));
        while !choices.0.as_slice().is_empty() {
            let partition = choices.below(2);
            let owner = model.owners[partition].unwrap();
            match choices.below(8) {
                0..=2 => model.write(&mut choices),
                3 => model.transfer(&mut choices),
                4 => model.poll(owner, Some("g"), partition, 1 + choices.below(4)),
                5 => {
                    let trigger = [Trigger::Explicit, Trigger::Auto][choices.below(2)];
                    let how = choices.outcome();
                    model.commit_position(owner, partition, trigger, how);
                }
                6 => model.rebalance(partition, [CONSUMER, OTHER_CONSUMER][choices.below(2)]),
                _ => model.poll(ORACLE, None, partition, 3),
            }
        }
        let now = model.story.tick();
        model.story.history.heal(now);
        for partition in 0..2 {
            let owner = model.owners[partition].unwrap();
            model.poll(owner, Some("g"), partition, usize::MAX);
            model.commit_position(owner, partition, Trigger::Explicit, (Outcome::Ok, true));
            model.poll(ORACLE, None, partition, usize::MAX);
        }
        model.poll(MOVED, Some("h"), 0, usize::MAX);
        let Self { mut story, logs, committed, .. } = model;
        story.history.watch_until(story.now_us + 100_000_000);
        for (number, log) in (0..).zip(logs) {
            story.history.logs.partitions.insert(clicks(number), PartitionLog::new(log));
        }
        for ((group, partition), offset) in committed {
            let partition = clicks(i32::try_from(partition).unwrap());
            story.history.logs.committed.entry(group.into()).or_default().insert(partition, offset);
        }
        story
    }
}

/// One of these, by a random number; none if there is none.
fn pick<T>(all: Vec<T>, random: usize) -> Option<T> {
    let count = all.len();
    all.into_iter().nth(random.checked_rem(count)?)
}

/// All operations with this outcome that are like this.
fn operations<T>(history: &History, like: impl Fn(&Operation) -> Option<T>) -> Vec<(OperationId, T)> {
    history.operations().filter_map(|(id, operation)| Some((id, like(operation)?))).collect()
}

fn ok_sends(history: &History) -> Vec<(OperationId, Send)> {
    operations(history, |operation| operation.action.as_send().filter(|_| operation.outcome == Outcome::Ok).cloned())
}

fn entries<'a>(history: &'a mut History, partition: &TopicPartition) -> &'a mut Vec<Entry> {
    &mut history.logs.partitions.get_mut(partition).unwrap().entries
}

fn value_mut(entry: &mut Entry) -> &mut Value {
    let Content::Record { value, .. } = &mut entry.content else { panic!("a marker") };
    value
}

fn action_mut(history: &mut History, id: OperationId) -> &mut Action {
    &mut history.entries[id.0].operation.action
}

fn poll_mut(history: &mut History, id: OperationId) -> &mut Poll {
    let Action::Poll(poll) = action_mut(history, id) else { panic!("not a poll") };
    poll
}

/// Sets the states of the records of a transaction with this reported end, if it wrote any.
fn rewrite_transaction(history: &mut History, commit: bool, random: usize) -> Option<Invariant> {
    let ends = operations(history, |operation| {
        if let Action::Commit(transaction) = &operation.action {
            return (commit && operation.outcome == Outcome::Ok).then(|| transaction.clone());
        }
        if let Action::Abort(transaction) = &operation.action { (!commit).then(|| transaction.clone()) } else { None }
    });
    let (_, transaction) = pick(ends, random)?;
    let sends = ok_sends(history).into_iter().filter(|(_, send)| send.transaction.as_ref() == Some(&transaction));
    let (_, send) = pick(sends.collect(), random)?;
    let entry = &mut entries(history, &send.partition?)[usize::try_from(send.offset?).unwrap()];
    let other = if commit { TransactionState::Aborted } else { TransactionState::Committed };
    entry.content = Content::Record { value: send.value, key: None, state: other };
    Some(Invariant::AllOrNothing)
}

const MUTATIONS: usize = 16;

/// Changes one thing, and says who has to see it; none if there is no such thing in this history.
fn mutate(history: &mut History, mutation: usize, random: usize) -> Option<Invariant> {
    match mutation {
        // A record disappears.
        0 => {
            let (_, send) = pick(ok_sends(history), random)?;
            entries(history, &send.partition?).retain(|entry| entry.value() != Some(send.value));
            Some(Invariant::AckedInLogOnce)
        }
        // A record is written twice.
        1 | 2 => {
            let (_, send) = pick(ok_sends(history), random)?;
            let log = history.logs.partitions.get_mut(&send.partition?)?;
            log.push(Entry::record(log.end_offset(), send.value));
            Some([Invariant::AckedInLogOnce, Invariant::IdempotentOnce][mutation - 1])
        }
        // Two records change places.
        3 => {
            let sends = ok_sends(history);
            let (_, one) = pick(sends.clone(), random)?;
            let same = |send: &Send| send.partition == one.partition && send.transaction == one.transaction;
            let others = sends.into_iter().filter(|(_, send)| same(send) && send.value != one.value);
            let (_, other) = pick(others.collect(), random / 7)?;
            let log = entries(history, &one.partition?);
            *value_mut(&mut log[usize::try_from(one.offset?).unwrap()]) = other.value;
            *value_mut(&mut log[usize::try_from(other.offset?).unwrap()]) = one.value;
            Some(Invariant::SendOrder)
        }
        // A producer is told another offset.
        4 => {
            let (id, _) = pick(ok_sends(history), random)?;
            if let Action::Send(send) = action_mut(history, id) {
                send.offset = send.offset.map(|offset| offset + 1000);
            }
            Some(Invariant::SendOrder)
        }
        // What is in the log had failed.
        5 => {
            let (id, _) = pick(ok_sends(history), random)?;
            history.entries[id.0].operation.outcome = Outcome::Failed;
            Some(Invariant::FailedAbsent)
        }
        // A reader finds another record, or one at another offset.
        6 | 7 => {
            let polls = operations(history, |operation| {
                operation.action.as_poll().filter(|poll| !poll.records.is_empty()).map(|_| ())
            });
            let (id, ()) = pick(polls, random)?;
            let read = poll_mut(history, id).records.first_mut()?;
            if mutation == 6 {
                read.value = Some(Value(1_000_000));
            } else {
                read.offset += 1000;
            }
            Some(Invariant::ReadersAgree)
        }
        // A record is passed over, or handed out twice.
        8 | 9 => {
            let polls = operations(history, |operation| {
                operation.action.as_poll().filter(|poll| poll.records.len() >= 3).map(|_| ())
            });
            let (id, ()) = pick(polls, random)?;
            let records = &mut poll_mut(history, id).records;
            let at = 1 + random % (records.len() - 2);
            if mutation == 8 {
                records.remove(at);
            } else {
                records.insert(at, records[at].clone());
            }
            Some(Invariant::PollsContiguous)
        }
        // A committed offset moves back.
        10 => {
            let commits = operations(history, |operation| {
                let Action::CommitOffsets { offsets, .. } = &operation.action else { return None };
                offsets.first().filter(|_| operation.outcome == Outcome::Ok).cloned()
            });
            let (id, (partition, _)) = pick(commits.clone(), random)?;
            let before = commits.iter().filter(|(other, (same, _))| *other < id && *same == partition);
            let floor = before.map(|(_, (_, offset))| *offset).max().filter(|floor| *floor > 0)?;
            if let Action::CommitOffsets { offsets, .. } = action_mut(history, id) {
                offsets[0].1 = floor - 1;
            }
            Some(Invariant::CommitsForward)
        }
        // A partition has two owners.
        11 => {
            let assigned = operations(history, |operation| {
                let Action::Assigned { partitions, epoch, .. } = &operation.action else { return None };
                Some((operation.client, partitions.clone(), *epoch))
            });
            let (id, (client, partitions, _)) = pick(assigned.clone(), random)?;
            let others = assigned.into_iter().filter(|(_, other)| other.0 != client && other.1 == partitions);
            let (_, (_, _, other)) = pick(others.collect(), random)?;
            if let Action::Assigned { epoch, .. } = action_mut(history, id) {
                *epoch = other;
            }
            Some(Invariant::OneOwner)
        }
        // A record below the committed offset was handed to nobody.
        12 => {
            let group = Some("g".into());
            let polls = operations(history, |operation| {
                operation.action.as_poll().filter(|poll| poll.group == group && poll.records.len() > 1).cloned()
            });
            let (_, poll) = pick(polls.clone(), random)?;
            let missed = poll.records.last()?.clone();
            for (id, _) in operations(history, |operation| operation.action.as_poll().map(|_| ())) {
                let poll = poll_mut(history, id);
                if poll.group == group {
                    poll.records.retain(|read| *read != missed);
                }
            }
            Some(Invariant::AtLeastOnce)
        }
        // A transaction took effect in part, or against what was reported.
        13 => rewrite_transaction(history, true, random),
        14 => rewrite_transaction(history, false, random),
        // A flush ends before what was sent before it.
        _ => {
            let flushes = operations(history, |operation| (operation.action == Action::Flush).then_some(()));
            let (id, ()) = pick(flushes, random)?;
            let at = history.entries[id.0].ended_at?;
            history.events.swap(at - 1, at);
            let Event::Ended(send) = history.events[at] else { panic!("a send ended before the flush") };
            history.entries[send.0].ended_at = Some(at);
            history.entries[id.0].ended_at = Some(at - 1);
            Some(Invariant::FlushComplete)
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn what_is_right_is_never_blamed(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let report = Model::run(&bytes).history.check_all();
        prop_assert!(report.is_clean(), "{report}");
    }

    #[test]
    fn one_change_is_seen_by_who_should(
        bytes in prop::collection::vec(any::<u8>(), 100..400),
        mutation in 0..MUTATIONS,
        random in 0_usize..10_000,
    ) {
        let mut history = Model::run(&bytes).history;
        if let Some(invariant) = mutate(&mut history, mutation, random) {
            let verdict = history.check(invariant);
            prop_assert!(verdict.violation_count > 0, "mutation {mutation} was not seen by {invariant:?}");
        }
    }
}

#[test]
fn the_model_leaves_no_checker_that_it_feeds_without_evidence() {
    let mut random = fastrand::Rng::with_seed(3);
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(4000).collect();
    let history = Model::run(&bytes).history;
    let vacuous: Vec<Invariant> = history.check_all().vacuous().collect();
    // The one needs measurements, the other a truncation.
    assert_eq!(vacuous, [Invariant::Bounded, Invariant::ChangesReported]);
    // And there is something to change in every way.
    for mutation in 0..MUTATIONS {
        let mut changed = history.clone();
        let done = (0..200).any(|random| mutate(&mut changed, mutation, random * 31).is_some());
        assert!(done, "mutation {mutation}");
    }
}
