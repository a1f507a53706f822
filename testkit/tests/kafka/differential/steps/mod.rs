//! The steps that a sequence is made of. A step draws what it asks from its own seed, so that it stays the same when others
//! are taken out.

mod access;
mod administration;
mod classic;
mod configs;
mod consumers;
mod offsets;
mod reading;
mod topics;
mod transactions;
mod writing;

use crate::differential::draw::Draw;
use crate::differential::side::Side;

/// What a step does.
pub(crate) type Do = fn(&mut Side, &mut Draw);

/// One step of a sequence.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) what: Do,
    pub(crate) seed: u64,
}

/// Steps that go together, each with its weight.
type Theme = &'static [(u32, &'static str, Do)];

const TOPICS: Theme = &[
    (6, "create topics", topics::create),
    (4, "delete topics", topics::delete),
    (3, "create partitions", topics::create_partitions),
    (4, "metadata", topics::metadata),
    (2, "describe topic partitions", topics::describe_partitions),
    (1, "describe cluster", topics::describe_cluster),
    (2, "produce", writing::produce),
    (2, "list offsets", reading::list_offsets),
    (1, "fetch", reading::fetch),
    (2, "elect leaders", administration::elect_leaders),
    (2, "reassign", administration::reassign),
    (1, "list reassignments", administration::list_reassignments),
    (1, "describe log dirs", administration::describe_log_dirs),
];

const RECORDS: Theme = &[
    (8, "produce", writing::produce),
    (2, "produce unanswered", writing::produce_unanswered),
    (6, "fetch", reading::fetch),
    (6, "fetch in a session", reading::fetch_in_session),
    (4, "list offsets", reading::list_offsets),
    (2, "offset for leader epoch", reading::offset_for_leader_epoch),
    (3, "delete records", writing::delete_records),
    (2, "init producer", transactions::init),
    (3, "describe producers", transactions::describe_producers),
    (1, "alter configs", configs::alter),
    (1, "describe log dirs", administration::describe_log_dirs),
    (1, "delete topics", topics::delete),
    (1, "create topics", topics::create),
];

const TRANSACTIONS: Theme = &[
    (4, "init producer", transactions::init),
    (4, "add partitions", transactions::add_partitions),
    (2, "add partitions of brokers", transactions::add_partitions_batched),
    (2, "add offsets", transactions::add_offsets),
    (3, "commit offsets", transactions::commit_offsets),
    (7, "produce", writing::produce),
    (6, "end", transactions::end),
    (2, "describe transactions", transactions::describe),
    (2, "list transactions", transactions::list),
    (2, "describe producers", transactions::describe_producers),
    (3, "fetch", reading::fetch),
    (2, "list offsets", reading::list_offsets),
    (2, "fetch offsets", offsets::fetch),
    (1, "find coordinator", offsets::find_coordinator),
    (1, "delete topics", topics::delete),
];

const CLASSIC: Theme = &[
    (8, "join", classic::join),
    (8, "sync", classic::sync),
    (4, "heartbeat", classic::heartbeat),
    (4, "leave", classic::leave),
    (4, "commit offsets", offsets::commit),
    (3, "fetch offsets", offsets::fetch),
    (2, "delete offsets", offsets::delete),
    (3, "describe groups", classic::describe),
    (2, "list groups", classic::list),
    (1, "delete groups", classic::delete),
    (1, "find coordinator", offsets::find_coordinator),
    (1, "consumer group heartbeat", consumers::heartbeat),
    (1, "commit offsets in a transaction", transactions::commit_offsets),
    (1, "delete topics", topics::delete),
];

const CONSUMERS: Theme = &[
    (14, "consumer group heartbeat", consumers::heartbeat),
    (4, "describe consumer groups", consumers::describe),
    (4, "commit offsets", offsets::commit),
    (3, "fetch offsets", offsets::fetch),
    (1, "delete offsets", offsets::delete),
    (2, "describe groups", classic::describe),
    (2, "list groups", classic::list),
    (1, "delete groups", classic::delete),
    (1, "join", classic::join),
    (1, "heartbeat", classic::heartbeat),
    (1, "leave", classic::leave),
    (1, "create partitions", topics::create_partitions),
    (1, "delete topics", topics::delete),
    (1, "create topics", topics::create),
];

const ADMINISTRATION: Theme = &[
    (6, "describe configs", configs::describe),
    (6, "alter configs", configs::alter),
    (6, "incremental alter configs", configs::incremental_alter),
    (1, "list config resources", configs::list_resources),
    (3, "quotas", access::alter_quotas),
    (3, "describe quotas", access::describe_quotas),
    (3, "users", access::alter_users),
    (2, "describe users", access::describe_users),
    (2, "rules", access::rules),
    (2, "tokens", access::tokens),
    (2, "create topics", topics::create),
    (2, "describe log dirs", administration::describe_log_dirs),
    (2, "elect leaders", administration::elect_leaders),
    (2, "reassign", administration::reassign),
    (1, "list reassignments", administration::list_reassignments),
    (1, "describe cluster", topics::describe_cluster),
    (2, "produce", writing::produce),
];

const THEMES: [(u32, Theme); 6] =
    [(3, TOPICS), (4, RECORDS), (4, TRANSACTIONS), (4, CLASSIC), (3, CONSUMERS), (2, ADMINISTRATION)];

/// The sequence of a seed.
pub(crate) fn sequence(seed: u64) -> Vec<Step> {
    let mut draw = Draw::new(seed, 0);
    let weights: Vec<u32> = THEMES.iter().map(|(weight, _)| *weight).collect();
    let (_, theme) = THEMES[chosen(&mut draw, &weights)];
    let first = Step { name: "make topics", what: topics::make, seed: draw.seed() };
    let length = 8 + usize::from(draw.below(40));
    let rest = (0..length).map(|_| {
        // Now and then something from elsewhere.
        let theme = if draw.chance(8) { THEMES[usize::from(draw.below(6))].1 } else { theme };
        let weights: Vec<u32> = theme.iter().map(|(weight, ..)| *weight).collect();
        let (_, name, what) = theme[chosen(&mut draw, &weights)];
        Step { name, what, seed: draw.seed() }
    });
    let rest: Vec<Step> = rest.collect();
    [first].into_iter().chain(rest).collect()
}

fn chosen(draw: &mut Draw, weights: &[u32]) -> usize {
    let sum: u32 = weights.iter().sum();
    let mut left = u32::try_from(draw.seed() % u64::from(sum)).unwrap();
    weights.iter().position(|weight| left.checked_sub(*weight).map(|rest| left = rest).is_none()).unwrap()
}

/// Removes what the sequence has made.
pub(crate) fn clean_up(side: &mut Side, draw: &mut Draw) {
    reading::close_sessions(side);
    classic::leave_all(side);
    consumers::leave_all(side);
    transactions::end_all(side);
    topics::delete_all(side);
    access::remove_all(side, draw);
}
