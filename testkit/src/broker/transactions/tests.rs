use std::collections::BTreeSet;
use std::fmt::Write;

use expect_test::expect;
use tidemill_protocol::ErrorCode;

use super::transaction::*;

const PRODUCER: (i64, i16) = (7, 3);

fn partitions() -> BTreeSet<TopicPartition> {
    BTreeSet::from([("clicks".to_owned(), 0)])
}

fn transaction(state: State) -> Transaction {
    Transaction {
        producer_id: PRODUCER.0,
        previous_producer_id: PRODUCER.0,
        producer_epoch: PRODUCER.1,
        last_producer_epoch: PRODUCER.1 - 1,
        timeout_ms: 1000,
        updated_ms: 0,
        state,
    }
}

fn states() -> Vec<Transaction> {
    let ending =
        || Ending { partitions: partitions(), started_ms: 1, generation: Generation::V2, next_producer_id: None };
    [
        State::Empty,
        State::Ongoing { partitions: partitions(), started_ms: 1 },
        State::PrepareCommit(ending()),
        State::PrepareAbort(ending()),
        State::CompleteCommit { started_ms: 1 },
        State::CompleteAbort { started_ms: 1 },
    ]
    .map(transaction)
    .to_vec()
}

fn told(result: Result<Option<Transaction>, ErrorCode>) -> String {
    match result {
        Ok(None) => "stays".to_owned(),
        Ok(Some(next)) => format!("{} {}/{}", next.state.name(), next.producer_id, next.producer_epoch),
        Err(code) => code.name().unwrap_or_default().to_owned(),
    }
}

fn initialized(initialized: Initialized) -> Transaction {
    match initialized {
        Initialized::Ready(next) | Initialized::Aborting(next) => next,
    }
}

fn ended(ended: Ended) -> Option<Transaction> {
    match ended {
        Ended::Ending(next) => Some(next),
        Ended::Already => None,
    }
}

/// Every state by every event: the state that follows, with its producer id and epoch, or the refusal.
#[test]
fn the_table_of_states_and_events() {
    type Event = (&'static str, fn(&Transaction) -> Result<Option<Transaction>, ErrorCode>);
    let events: [Event; 14] = [
        ("init", |it| it.on_init(None, 1000, Generation::V2, || 8).map(initialized).map(Some)),
        ("init, goes on", |it| it.on_init(Some(PRODUCER), 1000, Generation::V2, || 8).map(initialized).map(Some)),
        ("init, again", |it| it.on_init(Some((7, 2)), 1000, Generation::V2, || 8).map(initialized).map(Some)),
        ("init, of another", |it| it.on_init(Some((6, 3)), 1000, Generation::V2, || 8).map(initialized).map(Some)),
        ("add a partition", |it| it.on_add_partitions(PRODUCER, &BTreeSet::from([("clicks".to_owned(), 1)]), 5)),
        ("add it again", |it| it.on_add_partitions(PRODUCER, &partitions(), 5)),
        ("add, old epoch", |it| it.on_add_partitions((7, 2), &partitions(), 5)),
        ("commit v1", |it| it.on_end(PRODUCER, true, Generation::V1, 5, || 8).map(ended)),
        ("abort v1", |it| it.on_end(PRODUCER, false, Generation::V1, 5, || 8).map(ended)),
        ("commit v2", |it| it.on_end(PRODUCER, true, Generation::V2, 5, || 8).map(ended)),
        ("abort v2", |it| it.on_end(PRODUCER, false, Generation::V2, 5, || 8).map(ended)),
        ("commit v2, again", |it| it.on_end((7, 2), true, Generation::V2, 5, || 8).map(ended)),
        ("abort v2, again", |it| it.on_end((7, 2), false, Generation::V2, 5, || 8).map(ended)),
        ("time is up", |it| it.on_fence(Generation::V2).map(Some)),
    ];
    let mut table = String::new();
    for state in states() {
        writeln!(table, "{}", state.state.name()).unwrap();
        for (name, event) in events {
            writeln!(table, "  {name:17} {}", told(event(&state))).unwrap();
        }
        writeln!(table, "  {:17} {}", "markers written", told(Ok(state.on_markers_written()))).unwrap();
    }
    expect![[r#"
        Empty
          init              Empty 7/4
          init, goes on     Empty 7/4
          init, again       Empty 7/3
          init, of another  PRODUCER_FENCED
          add a partition   Ongoing 7/3
          add it again      Ongoing 7/3
          add, old epoch    PRODUCER_FENCED
          commit v1         INVALID_TXN_STATE
          abort v1          INVALID_TXN_STATE
          commit v2         INVALID_TXN_STATE
          abort v2          PrepareAbort 7/4
          commit v2, again  PRODUCER_FENCED
          abort v2, again   PRODUCER_FENCED
          time is up        INVALID_TXN_STATE
          markers written   stays
        Ongoing
          init              PrepareAbort 7/4
          init, goes on     PrepareAbort 7/4
          init, again       PrepareAbort 7/4
          init, of another  PRODUCER_FENCED
          add a partition   Ongoing 7/3
          add it again      stays
          add, old epoch    PRODUCER_FENCED
          commit v1         PrepareCommit 7/3
          abort v1          PrepareAbort 7/3
          commit v2         PrepareCommit 7/4
          abort v2          PrepareAbort 7/4
          commit v2, again  PRODUCER_FENCED
          abort v2, again   PRODUCER_FENCED
          time is up        PrepareAbort 7/4
          markers written   stays
        PrepareCommit
          init              CONCURRENT_TRANSACTIONS
          init, goes on     CONCURRENT_TRANSACTIONS
          init, again       CONCURRENT_TRANSACTIONS
          init, of another  PRODUCER_FENCED
          add a partition   CONCURRENT_TRANSACTIONS
          add it again      CONCURRENT_TRANSACTIONS
          add, old epoch    PRODUCER_FENCED
          commit v1         CONCURRENT_TRANSACTIONS
          abort v1          INVALID_TXN_STATE
          commit v2         PRODUCER_FENCED
          abort v2          PRODUCER_FENCED
          commit v2, again  CONCURRENT_TRANSACTIONS
          abort v2, again   INVALID_TXN_STATE
          time is up        CONCURRENT_TRANSACTIONS
          markers written   CompleteCommit 7/3
        PrepareAbort
          init              CONCURRENT_TRANSACTIONS
          init, goes on     CONCURRENT_TRANSACTIONS
          init, again       CONCURRENT_TRANSACTIONS
          init, of another  PRODUCER_FENCED
          add a partition   CONCURRENT_TRANSACTIONS
          add it again      CONCURRENT_TRANSACTIONS
          add, old epoch    PRODUCER_FENCED
          commit v1         INVALID_TXN_STATE
          abort v1          CONCURRENT_TRANSACTIONS
          commit v2         PRODUCER_FENCED
          abort v2          PRODUCER_FENCED
          commit v2, again  INVALID_TXN_STATE
          abort v2, again   CONCURRENT_TRANSACTIONS
          time is up        CONCURRENT_TRANSACTIONS
          markers written   CompleteAbort 7/3
        CompleteCommit
          init              Empty 7/4
          init, goes on     Empty 7/4
          init, again       Empty 7/3
          init, of another  PRODUCER_FENCED
          add a partition   Ongoing 7/3
          add it again      Ongoing 7/3
          add, old epoch    PRODUCER_FENCED
          commit v1         stays
          abort v1          INVALID_TXN_STATE
          commit v2         INVALID_TXN_STATE
          abort v2          PrepareAbort 7/4
          commit v2, again  stays
          abort v2, again   INVALID_TXN_STATE
          time is up        INVALID_TXN_STATE
          markers written   stays
        CompleteAbort
          init              Empty 7/4
          init, goes on     Empty 7/4
          init, again       Empty 7/3
          init, of another  PRODUCER_FENCED
          add a partition   Ongoing 7/3
          add it again      Ongoing 7/3
          add, old epoch    PRODUCER_FENCED
          commit v1         INVALID_TXN_STATE
          abort v1          stays
          commit v2         INVALID_TXN_STATE
          abort v2          PrepareAbort 7/4
          commit v2, again  INVALID_TXN_STATE
          abort v2, again   stays
          time is up        INVALID_TXN_STATE
          markers written   stays
    "#]]
    .assert_eq(&table);
}

#[test]
fn used_up_epochs_give_another_producer_id() {
    let last = Transaction { producer_epoch: i16::MAX - 1, ..transaction(State::Empty) };
    let of_before = last.on_init(Some((7, 5)), 5, Generation::V2, || 8);
    assert_eq!(of_before, Err(ErrorCode::UNKNOWN_SERVER_ERROR), "as a real Kafka says");
    let next = last.on_init(None, 5, Generation::V2, || 8).map(initialized).unwrap();
    assert_eq!((next.producer_id, next.producer_epoch, next.last_producer_epoch), (8, 0, -1));
    let next = last.on_init(Some((7, i16::MAX - 1)), 5, Generation::V2, || 8).map(initialized).unwrap();
    assert_eq!((next.producer_id, next.producer_epoch, next.last_producer_epoch), (8, 0, i16::MAX - 1));
    // Who did not hear of it asks again, by its old id.
    let again = next.on_init(Some((7, i16::MAX - 1)), 5, Generation::V2, || 9).map(initialized).unwrap();
    assert_eq!((again.producer_id, again.producer_epoch), (8, 0));
}

#[test]
fn an_end_that_uses_up_the_epochs_gives_another_producer_id() {
    let last = (7, i16::MAX - 1);
    let open = Transaction {
        producer_epoch: last.1,
        ..transaction(State::Ongoing { partitions: partitions(), started_ms: 1 })
    };
    let ending = open.on_end(last, true, Generation::V2, 5, || 8).map(ended).unwrap().unwrap();
    assert_eq!((ending.producer_id, ending.producer_epoch), (7, i16::MAX), "as its markers have it");
    assert_eq!(ending.producer_after_end(), (8, 0));
    let complete = ending.on_markers_written().unwrap();
    assert_eq!((complete.producer_id, complete.producer_epoch), (8, 0));
    assert_eq!(complete.on_end(last, true, Generation::V2, 5, || 9), Ok(Ended::Already), "it comes again");
    assert_eq!(complete.on_end(last, false, Generation::V2, 5, || 9), Err(ErrorCode::INVALID_TXN_STATE));
}
