//! Random sequences of requests to the embedded broker and to a real Kafka: whatever is asked, both must answer the same,
//! field by field.
//!
//! A sequence comes from a seed, which is all that is needed to repeat it. It asks one broker after the other, step by
//! step ([`steps`]): about topics, records, transactions, groups of both kinds, configurations and access, in all versions
//! that both speak, mostly with sense and now and then without ([`draw`]). Ids that a broker makes up, addresses and the
//! clock are taken out before answers are compared ([`answer`]); what is left is equal, or in the list of [`differences`].
//! One that is not is shrunk to the steps that show it ([`run`]).
//!
//! `TIDEMILL_DIFFERENTIAL_SEQUENCES=2000` runs so many instead of a few; `TIDEMILL_DIFFERENTIAL_SEED` is that of the first.
//! Unless it is given, sequences come first that once were answered differently.
#![expect(clippy::disallowed_methods, reason = "tests read the clock")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answer;
mod differences;
mod draw;
mod run;
mod side;
mod steps;

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tidemill_testkit::broker::GroupProperties;
use tidemill_testkit::kafka::Kafka;
use tidemill_testkit::{ClusterConfig, TestCluster};

use tidemill_protocol::messages::{
    DescribeGroupsRequest, DescribeTransactionsRequest, FindCoordinatorRequest, GroupId, TransactionalId,
};

use self::answer::Keep;
use self::run::{Pair, Tally};
use self::side::Side;

/// How many sequences run when nothing else is said.
const SEQUENCES: u64 = 30;

/// Sequences that showed a difference, which is none any more.
const FOUND: [u64; 34] = [
    185, 217, 406, 1005, 1040, 2005, 2012, 2020, 2112, 2135, 2186, 2199, 2211, 2215, 2271, 2274, 2387, 2524, 2548,
    2673, 2822, 3037, 4035, 4713, 4785, 5037, 5200, 6419, 6794, 6867, 8134, 10094, 20039, 6407,
];

/// A run of so many has seen every known difference.
const SEQUENCES_LONG: u64 = 5000;

/// Sequences at a time: they mostly wait for answers.
const THREADS: usize = 4;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is a number, not '{text}'")))
}

#[test]
fn whatever_is_asked_the_embedded_broker_answers_as_kafka_does() {
    let sequences = number("TIDEMILL_DIFFERENTIAL_SEQUENCES").unwrap_or(SEQUENCES);
    let first = number("TIDEMILL_DIFFERENTIAL_SEED");
    let found: &[u64] = if first.is_some() { &[] } else { &FOUND };
    let first = first.unwrap_or(0);
    let seeds = found.iter().copied().chain(first..first + sequences);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    // With Kafka's second between two assignments, answers would depend on how long requests take.
    let mut properties = GroupProperties::default();
    properties.consumer_assignment_interval = Duration::ZERO;
    let ours = runtime.block_on(TestCluster::start(ClusterConfig::default().groups(properties))).unwrap();
    let theirs = Kafka::builder()
        .property("group.consumer.assignment.interval.ms", "0")
        // As many as the embedded broker has, and as Kafka has by itself: a group's partition is told.
        .property("offsets.topic.num.partitions", "50")
        .start_if_there();
    let theirs = theirs.as_ref().map(Kafka::bootstrap);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let pair = Pair {
        ours: ours.bootstrap().to_owned(),
        theirs: theirs.map(str::to_owned),
        versions: side::common_versions(ours.bootstrap(), theirs.unwrap_or_else(|| ours.bootstrap())),
        begun: i64::try_from(now).unwrap(),
    };
    prepare(&pair);
    let (seeds, tally) = (Mutex::new(seeds), Mutex::new(Tally::default()));
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let Some(seed) = seeds.lock().unwrap().next() else { return };
                    // What is known to fail is not shrunk again.
                    let failures = tally.lock().unwrap().failures.clone();
                    let mut own = Tally { failures, ..Tally::default() };
                    pair.run(seed, &mut own);
                    tally.lock().unwrap().add(own);
                }
            });
        }
    });
    let tally = tally.into_inner().unwrap();
    println!("{tally}");
    assert!(tally.failures.is_empty(), "{} differences that are not known", tally.failures.len());
    if theirs.is_some() && sequences >= SEQUENCES_LONG {
        let unseen = differences::KNOWN.iter().enumerate().filter(|(number, _)| !tally.seen.contains(number));
        let unseen: Vec<&str> = unseen.map(|(_, known)| known.reason).collect();
        assert!(unseen.is_empty(), "known differences that are none any more: {unseen:?}");
    }
}

/// Has the coordinators' topics made, and waits until all their partitions are led.
fn prepare(pair: &Pair) {
    let Some(theirs) = &pair.theirs else { return };
    let mut side = Side::new(theirs, "prepare-", 0, pair.versions.clone());
    let keys: Vec<_> = (0..20).map(|number| side.named(&number.to_string())).collect();
    let groups: Vec<_> = keys.iter().cloned().map(GroupId).collect();
    let groups = DescribeGroupsRequest::default().with_groups(groups);
    let ids = keys.iter().cloned().map(TransactionalId).collect();
    let transactions = DescribeTransactionsRequest::default().with_transactional_ids(ids);
    for kind in [0, 1] {
        let find = FindCoordinatorRequest::default().with_key_type(kind).with_coordinator_keys(keys.clone());
        for _ in 0..2000 {
            let found = side.ask_in(4, &find, Keep::All).unwrap();
            let codes: Vec<i16> = if kind == 0 {
                side.ask_in(5, &groups, Keep::All).unwrap().groups.iter().map(|it| it.error_code).collect()
            } else {
                let told = side.ask_in(0, &transactions, Keep::All).unwrap();
                told.transaction_states.iter().map(|it| it.error_code).collect()
            };
            if found.coordinators.iter().all(|it| it.error_code == 0)
                && codes.iter().all(|code| [0, 105].contains(code))
            {
                break;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}
