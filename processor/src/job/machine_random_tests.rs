//! Members of one group in virtual time, under faults that a seed decides: crashes, expired sessions, rebalances, commits
//! and deliveries that are late, lost, refused, or done without anybody hearing of it.
//!
//! Every record has a user of its own, so the results say which records were counted, and how often in one window.

use super::*;
use crate::plan::Plan;

const SQL: &str = "
    CREATE TABLE clicks (user_id BIGINT, cURL STRING, proctime AS PROCTIME()) WITH ('connector'='kafka',
      'topic'='clicks', 'properties.bootstrap.servers'='localhost:9092', 'scan.startup.mode'='earliest-offset',
      'format'='json');
    CREATE TABLE counts (user_id BIGINT, cnt BIGINT) WITH ('connector'='kafka', 'topic'='counts',
      'properties.bootstrap.servers'='localhost:9092', 'format'='json');
    INSERT INTO counts SELECT user_id, COUNT(cURL) FROM TABLE(TUMBLE(TABLE clicks, DESCRIPTOR(proctime),
      INTERVAL '1' MINUTE)) GROUP BY window_start, window_end, user_id;";

const MEMBERS_MAX: usize = 3;

/// Where a member stands with the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It joined, and has what it was given.
    In,
    /// It was asked to let go, and has not yet.
    Asked,
    /// It let go, and waits for what it is given.
    Joining,
    /// The group went on without it, and it has not heard.
    Expired,
}

/// A process.
#[derive(Debug)]
struct Member {
    machine: Machine,
    standing: Standing,
    generation: u64,
    /// What its consumer reads, and from where, once that is known.
    reads: BTreeMap<i32, Option<i64>>,
    sends: Vec<(u64, usize, Arc<ClosedWindow>)>,
    commit: Option<(u64, Vec<(i32, i64)>)>,
    is_stopping: bool,
    ended: bool,
}

/// The brokers, and everyone who talks to them.
struct World {
    seed: u64,
    random: fastrand::Rng,
    now: Instant,
    start: Instant,
    /// The offsets of the records of each partition; compaction left gaps.
    logs: BTreeMap<i32, Vec<i64>>,
    ends: BTreeMap<i32, i64>,
    committed: BTreeMap<i32, i64>,
    generation: u64,
    is_rebalancing: bool,
    members: Vec<Member>,
    /// The windows of each pipeline, in minutes.
    minutes: Vec<u32>,
    /// The users in the results of each pipeline.
    counted: BTreeSet<(usize, i64)>,
    story: Vec<String>,
}

fn user(partition: i32, offset: i64) -> i64 {
    i64::from(partition) * 1_000_000 + offset
}

impl World {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let start = start();
        let partitions = random.i32(1..=4);
        Self {
            seed,
            now: start,
            start,
            logs: (0..partitions).map(|partition| (partition, Vec::new())).collect(),
            ends: (0..partitions).map(|partition| (partition, 0)).collect(),
            committed: BTreeMap::new(),
            generation: 0,
            is_rebalancing: false,
            members: Vec::new(),
            minutes: if random.bool() { vec![1] } else { vec![3, 1] },
            counted: BTreeSet::new(),
            story: Vec::new(),
            random,
        }
    }

    fn tell(&mut self, what: String) {
        let at = self.now - self.start;
        self.story.push(format!("{at:?} {what}"));
    }

    #[track_caller]
    fn holds(&self, condition: bool, what: &str) {
        if !condition {
            let story = &self.story[self.story.len().saturating_sub(60)..];
            panic!("seed {}: {what}\n{}", self.seed, story.join("\n"));
        }
    }

    /// Whether the results of every pipeline have this record.
    fn is_counted(&self, partition: i32, offset: i64) -> bool {
        (0..self.minutes.len()).all(|pipeline| self.counted.contains(&(pipeline, user(partition, offset))))
    }

    fn join(&mut self) {
        if self.members.len() == MEMBERS_MAX {
            return;
        }
        let tasks = self.minutes.iter().map(|minutes| {
            let plan = Plan::from_sql(&SQL.replace("'1' MINUTE", &format!("'{minutes}' MINUTE"))).unwrap();
            Task::new(&plan.pipelines[0], &jiff::tz::TimeZone::UTC)
        });
        let clock = Clock::new(self.start, 1_795_428_000_000, 1.0);
        self.members.push(Member {
            machine: Machine::new(tasks, None, clock, Duration::from_millis(100), self.now),
            standing: Standing::Joining,
            generation: 0,
            reads: BTreeMap::new(),
            sends: Vec::new(),
            commit: None,
            is_stopping: false,
            ended: false,
        });
        self.tell("a member joins".to_owned());
        self.rebalance();
    }

    /// All are asked to let go of what they have.
    fn rebalance(&mut self) {
        self.is_rebalancing = true;
        for member in self.members.iter_mut().filter(|member| member.standing == Standing::In) {
            member.standing = if member.reads.is_empty() { Standing::Joining } else { Standing::Asked };
            if !member.reads.is_empty() {
                member.machine.handle_revoked(member.reads.keys().copied().collect());
            }
        }
    }

    /// Once all have let go, everyone gets a share.
    fn hand_round(&mut self) {
        let is_waiting = self.members.iter().any(|member| matches!(member.standing, Standing::In | Standing::Asked));
        if !self.is_rebalancing || is_waiting {
            return;
        }
        self.is_rebalancing = false;
        self.generation += 1;
        let (generation, now) = (self.generation, self.now);
        let joining: Vec<usize> =
            (0..self.members.len()).filter(|index| self.members[*index].standing == Standing::Joining).collect();
        let mut shares: BTreeMap<usize, BTreeSet<i32>> =
            joining.iter().map(|index| (*index, BTreeSet::new())).collect();
        for partition in self.logs.keys() {
            if !joining.is_empty() {
                let index = joining[self.random.usize(..joining.len())];
                shares.entry(index).or_default().insert(*partition);
            }
        }
        for (index, share) in shares {
            self.tell(format!("{index} gets {share:?}"));
            let member = &mut self.members[index];
            member.standing = Standing::In;
            member.generation = generation;
            member.reads = share.iter().map(|partition| (*partition, None)).collect();
            let mut actions = Vec::new();
            member.machine.handle_assigned(&share, now, &mut actions);
            self.holds(actions.is_empty(), "all partitions were asked back, so none is sought");
        }
    }

    fn write(&mut self) {
        let partition = self.random.i32(0..self.logs.len() as i32);
        let Some(end) = self.ends.get_mut(&partition) else { return };
        for _ in 0..self.random.usize(1..5) {
            *end += i64::from(self.random.u8(0..10) == 0);
            self.logs.entry(partition).or_default().push(*end);
            *end += 1;
        }
        *end += i64::from(self.random.u8(0..10) == 0);
    }

    /// A member's consumer hears where to read, or hands a batch out.
    fn read(&mut self, index: usize) {
        let is_reading = matches!(self.members[index].standing, Standing::In | Standing::Expired);
        let partitions: Vec<i32> = self.members[index].reads.keys().copied().collect();
        if partitions.is_empty() || !is_reading {
            return;
        }
        let partition = partitions[self.random.usize(..partitions.len())];
        let end = self.ends[&partition];
        let member = &mut self.members[index];
        let Some(position) = member.reads[&partition] else {
            if member.standing == Standing::In {
                let position = self.committed.get(&partition).copied().unwrap_or(0);
                member.reads.insert(partition, Some(position));
                member.machine.handle_position(partition, Some(position), None);
            }
            return;
        };
        if !member.machine.wants_records() {
            return;
        }
        let ahead = self.logs[&partition].iter().copied().filter(|offset| *offset >= position);
        let batch: Vec<i64> = ahead.take(self.random.usize(1..6)).collect();
        let is_last = batch.last() == self.logs[&partition].last();
        let Some(last) = batch.last() else { return };
        let next = if is_last { end } else { last + 1 };
        let values: Vec<String> =
            batch.iter().map(|offset| format!(r#"{{"user_id":{},"cURL":"/"}}"#, user(partition, *offset))).collect();
        let records = || {
            let rows = batch.iter().zip(&values);
            rows.map(|(offset, value)| InputRecord { offset: *offset, value: Some(value.as_bytes()) })
        };
        member.machine.handle_records(partition, records, next, end, self.now).unwrap();
        member.reads.insert(partition, Some(next));
        self.tell(format!("{index} reads {partition}: {batch:?}, next {next}"));
    }

    fn poll(&mut self, index: usize) -> Option<Instant> {
        let mut actions = Vec::new();
        loop {
            let member = &mut self.members[index];
            let wake_at = member.machine.poll(self.now, &mut actions);
            if actions.is_empty() {
                return wake_at;
            }
            for action in std::mem::take(&mut actions) {
                let member = &mut self.members[index];
                match action {
                    Action::Send { token, pipeline, window } => member.sends.push((token, pipeline, window)),
                    Action::Commit(offsets) => {
                        let (is_alone, generation) = (member.commit.is_none(), member.generation);
                        member.commit = Some((generation, offsets.clone()));
                        self.tell(format!("{index} commits {offsets:?}"));
                        self.holds(is_alone, "two commits are under way");
                    }
                    Action::Seek { partition, offset } => {
                        let is_read = member.reads.insert(partition, Some(offset)).is_some();
                        self.holds(is_read, "a seek where nothing is read");
                    }
                    Action::Release => {
                        if member.standing == Standing::Asked {
                            member.standing = Standing::Joining;
                            member.reads.clear();
                        }
                        self.tell(format!("{index} lets go"));
                    }
                    Action::End => {
                        member.ended = true;
                        self.tell(format!("{index} ends"));
                    }
                }
            }
        }
    }

    /// Something comes of a window that was sent.
    fn deliver(&mut self, index: usize, is_fault: bool) {
        if self.members[index].sends.is_empty() {
            return;
        }
        let sends = self.members[index].sends.len();
        let (token, pipeline, window) = self.members[index].sends.swap_remove(self.random.usize(..sends));
        let is_written = !is_fault || self.random.bool();
        if is_written {
            for value in window.values.iter() {
                let row: serde_json::Value = serde_json::from_slice(value).unwrap();
                let (user, count) = (row["user_id"].as_i64().unwrap(), row["cnt"].as_i64().unwrap());
                self.counted.insert((pipeline, user));
                self.holds(count == 1, &format!("user {user} was counted {count} times in one window"));
            }
        }
        self.tell(format!("{index}: window {token} is written: {is_written}, acknowledged: {}", !is_fault));
        let (now, member) = (self.now, &mut self.members[index]);
        if is_fault {
            member.machine.handle_undelivered(token, now);
        } else {
            member.machine.handle_delivered(token).unwrap();
        }
    }

    /// Something comes of a commit.
    fn answer(&mut self, index: usize, is_fault: bool) {
        let Some((generation, offsets)) = self.members[index].commit.take() else { return };
        let is_taken = generation == self.generation && (!is_fault || self.random.bool());
        if is_taken {
            for (partition, offset) in &offsets {
                let before = self.committed.insert(*partition, *offset).unwrap_or(0);
                self.holds(before <= *offset, &format!("{partition} goes back from {before} to {offset}"));
                for counted in self.logs[partition].iter().filter(|record| *record < offset) {
                    let is_counted = self.is_counted(*partition, *counted);
                    self.holds(is_counted, &format!("{partition}:{counted} is passed, and no result has it"));
                }
            }
        }
        let is_heard = is_taken && !is_fault;
        self.tell(format!("{index}: the commit is done: {is_taken}, heard of: {is_heard}"));
        self.members[index].machine.handle_committed(is_heard);
    }

    /// The group goes on without a member, which hears of it later.
    fn expire(&mut self, index: usize) {
        if self.members[index].standing != Standing::Expired {
            self.members[index].standing = Standing::Expired;
            self.members[index].generation = u64::MAX;
            self.tell(format!("the session of {index} ends"));
            self.rebalance();
        }
    }

    /// A member hears that the group went on without it.
    fn lose(&mut self, index: usize) {
        let member = &mut self.members[index];
        if member.standing != Standing::Expired {
            return;
        }
        let lost: BTreeSet<i32> = std::mem::take(&mut member.reads).into_keys().collect();
        let mut actions = Vec::new();
        if !lost.is_empty() {
            member.machine.handle_lost(&lost, &mut actions);
        }
        member.standing = Standing::Joining;
        self.tell(format!("{index} has lost {lost:?}: {actions:?}"));
        self.rebalance();
    }

    /// The consumer does not wait any longer for partitions to be let go.
    fn wait_no_longer(&mut self, index: usize) {
        if self.members[index].standing == Standing::Asked {
            self.members[index].standing = Standing::Joining;
            self.members[index].reads.clear();
            self.tell(format!("{index} is not waited for any longer"));
        }
    }

    fn remove_ended(&mut self) {
        let before = self.members.len();
        self.members.retain(|member| !member.ended);
        if self.members.len() < before {
            self.rebalance();
        }
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            let wakes: Vec<_> = (0..self.members.len()).filter_map(|index| self.poll(index)).collect();
            self.remove_ended();
            self.hand_round();
            let Some(wake_at) = wakes.into_iter().min().filter(|wake_at| *wake_at <= until) else { break };
            if wake_at <= self.now {
                self.now += Duration::from_millis(1);
            }
            self.now = self.now.max(wake_at);
        }
        self.now = self.now.max(until);
    }

    fn step(&mut self) {
        let index = if self.members.is_empty() { 0 } else { self.random.usize(..self.members.len()) };
        let is_fault = self.random.u8(0..4) == 0;
        let kind = self.random.u8(0..100);
        match kind {
            0..20 => self.write(),
            20..24 => self.join(),
            _ if self.members.is_empty() => self.join(),
            24..50 => self.read(index),
            50..65 => self.deliver(index, is_fault),
            65..80 => self.answer(index, is_fault),
            80..82 => self.rebalance(),
            82..84 => self.expire(index),
            84..88 => self.lose(index),
            88..90 => self.wait_no_longer(index),
            90 => {
                self.tell(format!("{index} is killed"));
                self.members.remove(index);
                self.rebalance();
            }
            91 => {
                self.tell(format!("{index} is asked to stop"));
                self.members[index].machine.handle_stop(self.now);
                self.members[index].is_stopping = true;
            }
            _ => {
                let longest = if kind < 97 { 300 } else { 40_000 };
                let time = Duration::from_millis(self.random.u64(0..longest));
                self.pass(time);
            }
        }
        self.pass(Duration::ZERO);
    }

    /// No more faults: everything is read and counted.
    fn heal(&mut self) {
        if self.members.is_empty() {
            self.join();
        }
        for _ in 0..600 {
            for index in 0..self.members.len() {
                self.lose(index);
                self.read(index);
                while !self.members.get(index).is_none_or(|member| member.sends.is_empty()) {
                    self.deliver(index, false);
                }
                self.answer(index, false);
            }
            self.pass(Duration::from_millis(100));
            if self.members.is_empty() {
                self.join();
            }
        }
        self.pass(Duration::from_secs(181));
        for index in 0..self.members.len() {
            while !self.members[index].sends.is_empty() {
                self.deliver(index, false);
            }
        }
        for (partition, log) in &self.logs {
            for offset in log {
                let is_counted = self.is_counted(*partition, *offset);
                self.holds(is_counted, &format!("{partition}:{offset} is in no result"));
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a start for virtual time; nothing waits for it")]
fn start() -> Instant {
    Instant::now()
}

/// What is committed is counted, offsets never go back, no record counts twice in a window, and in the end every record
/// is in a result.
#[test]
fn whatever_happens_every_record_is_counted_and_nothing_is_committed_before() {
    let first = std::env::var("TIDEMILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = std::env::var("TIDEMILL_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(60);
    let seeds = first.map_or(0..seeds, |first: u64| first..first + 1);
    for seed in seeds {
        let mut world = World::new(seed);
        world.join();
        for _ in 0..400 {
            world.step();
        }
        world.heal();
    }
}
