//! A long history is checked in about the time that it takes to sort it.

use super::*;

/// So many sends and polls, of four producers and four consumers, over eight partitions.
fn long(operations: usize) -> History {
    let mut story = Story::default();
    let mut logs: [Vec<Entry>; 8] = Default::default();
    let mut next = [0_usize; 8];
    let mut value = 0;
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
    }
    for (number, log) in (0..).zip(logs) {
        story.history.logs.partitions.insert(clicks(number), PartitionLog::new(log));
    }
    story.history
}

/// The time is shown, not judged: `cargo test --release -- --nocapture` on a quiet machine tells it.
#[test]
fn a_long_history_is_checked() {
    let operations = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let history = long(operations);
    #[expect(clippy::disallowed_methods, reason = "measures")]
    let started = std::time::Instant::now();
    let report = history.check_all();
    println!("{operations} operations checked in {:?}", started.elapsed());
    assert!(report.is_clean(), "{report}");
}
