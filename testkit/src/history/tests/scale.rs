//! A long history is checked in about the time that it takes to sort it.

use super::*;

/// So many sends and polls, of four producers and four consumers, over eight partitions. Where it is rough, every hundredth
/// round a partition has a new leader, which has all there is, and a flush of its producer begins that never ends.
fn long(operations: usize, rough: bool) -> History {
    let mut story = Story::default();
    let mut logs: [Vec<Entry>; 8] = Default::default();
    let mut next = [0_usize; 8];
    let mut value = 0;
    let mut truncations = Vec::new();
    while story.history.len() < operations {
        let turn = story.history.len();
        let partition = turn / 5 % 8;
        let number = i32::try_from(partition).unwrap();
        let client = u32::try_from(partition / 2).unwrap();
        for _ in 0..4 {
            value += 1;
            let offset = i64::try_from(logs[partition].len()).unwrap();
            logs[partition].push(Entry::record(offset, Value(value)));
            let send = Send { partition: Some(clicks(number)), ..story.sent(value, offset) };
            story.run(ClientId(client), Action::Send(send), Outcome::Ok);
        }
        let records = logs[partition].get(next[partition]..).unwrap();
        let records: Vec<(i64, u64)> = records.iter().map(|entry| (entry.offset, entry.value().unwrap().0)).collect();
        next[partition] = logs[partition].len();
        let poll = story.polled(number, &records);
        story.run(ClientId(20 + client), poll, Outcome::Ok);
        if rough && turn / 5 % 100 == 0 {
            let to = i64::try_from(logs[partition].len()).unwrap();
            truncations.push((number, Change::Truncated { at_us: story.tick(), to, removed: Vec::new() }));
            story.invoke(ClientId(client), Action::Flush);
        }
    }
    for (number, log) in (0..).zip(logs) {
        story.history.logs.partitions.insert(clicks(number), PartitionLog::new(log));
    }
    for (number, truncation) in truncations {
        story.history.logs.partitions.get_mut(&clicks(number)).unwrap().change(truncation);
    }
    // What never ends hangs, which is for others to say.
    story.history.limits.operation_us = u64::MAX;
    story.history
}

/// The time is shown, not judged: `cargo test --release -- --nocapture` on a quiet machine tells it.
#[test]
fn a_long_history_is_checked() {
    let operations = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    for rough in [false, true] {
        for operations in [operations / 4, operations] {
            let history = long(operations, rough);
            #[expect(clippy::disallowed_methods, reason = "measures")]
            let started = std::time::Instant::now();
            let report = history.check_all();
            println!("{operations} operations, rough: {rough}, checked in {:?}", started.elapsed());
            assert!(report.is_clean(), "{report}");
        }
    }
}
