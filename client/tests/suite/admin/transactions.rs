//! Transactions: those that are open, those that hang, and their producers.

use std::time::Duration;

use tidemill_client::{
    Admin, ErrorCode, HangingTransaction, IsolationLevel, OffsetSpec, ProducerConfig, ProducerState, Record,
    TransactionFilter, TransactionState, TransactionalConfig, TransactionalProducer,
};

use super::{code, only};
use crate::bed::{Bed, PATIENCE, on_every_version};

on_every_version! {
    an_open_transaction_is_listed_and_described(2);
    a_fenced_producer_is_told_and_what_it_left_open_is_aborted(1);
    a_transaction_in_one_partition_is_aborted_past_its_coordinator(1);
}

fn producer(bed: &Bed) -> TransactionalProducer {
    let config = ProducerConfig::default().client(bed.client(&[]));
    TransactionalProducer::new(TransactionalConfig::new(bed.topic.as_str(), config)).unwrap()
}

async fn producers(admin: &Admin, bed: &Bed) -> Vec<ProducerState> {
    only(admin.describe_producers(&[bed.partition(0)], PATIENCE).await.unwrap()).unwrap()
}

async fn an_open_transaction_is_listed_and_described(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let missing = format!("{}-missing", bed.topic);
    let mut producer = producer(&bed);
    let transaction = producer.begin().await.unwrap();
    transaction.deliver(Record::new(&bed.topic).partition(1).value(b"one")).await.unwrap().await.unwrap();

    let ongoing = TransactionFilter::default().states([TransactionState::Ongoing]);
    let listed = admin.list_transactions(&ongoing, PATIENCE).await.unwrap().complete().unwrap();
    let listing = listed.iter().find(|it| it.transactional_id == bed.topic).unwrap();
    let described = admin.describe_transactions(&[&missing, &bed.topic], PATIENCE).await.unwrap();
    assert_eq!(code(&described[0].1), Some(ErrorCode::TRANSACTIONAL_ID_NOT_FOUND));
    let open = described[1].1.as_ref().unwrap();
    assert_eq!((&open.state, open.producer_id), (&TransactionState::Ongoing, listing.producer_id));
    assert_eq!((open.partitions.clone(), open.timeout), (vec![bed.partition(1)], Duration::from_secs(60)));
    assert!(open.started.unwrap() > 0);
    let others = TransactionFilter::default().producer_ids([listing.producer_id + 1_000_000]);
    assert!(admin.list_transactions(&others, PATIENCE).await.unwrap().complete().unwrap().is_empty());
    let long = TransactionFilter::default().running_for(Duration::from_secs(3_600));
    let long = admin.list_transactions(&long, PATIENCE).await.unwrap().complete().unwrap();
    assert!(long.iter().all(|it| it.transactional_id != bed.topic));

    let at = only(admin.describe_producers(&[bed.partition(1)], PATIENCE).await.unwrap()).unwrap();
    let [state] = &at[..] else { panic!("{at:?}") };
    assert_eq!((state.producer_id, state.last_sequence, state.transaction_start), (open.producer_id, Some(0), Some(0)));
    transaction.commit().await.unwrap();
    // The markers are written by now or soon.
    let done = loop {
        let described = only(admin.describe_transactions(&[&bed.topic], PATIENCE).await.unwrap()).unwrap();
        if described.state.is_over() {
            break described;
        }
        assert_eq!(described.state, TransactionState::PrepareCommit);
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((done.state, done.started, done.partitions.len()), (TransactionState::CompleteCommit, None, 0));
}

async fn a_fenced_producer_is_told_and_what_it_left_open_is_aborted(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let mut producer = producer(&bed);
    let transaction = producer.begin().await.unwrap();
    transaction.deliver(Record::new(&bed.topic).value(b"one")).await.unwrap().await.unwrap();
    let before = only(admin.describe_transactions(&[&bed.topic], PATIENCE).await.unwrap()).unwrap();
    let fenced = only(admin.fence_producers(&[&bed.topic], PATIENCE).await.unwrap()).unwrap();
    assert_eq!(fenced.producer_id, before.producer_id);
    assert!(fenced.producer_epoch > before.producer_epoch);
    let error = transaction.commit().await.unwrap_err();
    assert!(error.is_fatal(), "{error}");
    let committed = [(bed.partition(0), OffsetSpec::Latest)];
    // The marker of the abort is written by now or soon.
    for _ in 0..500 {
        let end = only(admin.list_offsets(&committed, IsolationLevel::ReadCommitted, PATIENCE).await.unwrap());
        if end.unwrap().unwrap().offset == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("the transaction is still open");
}

async fn a_transaction_in_one_partition_is_aborted_past_its_coordinator(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    assert!(producers(&admin, &bed).await.is_empty());
    let mut producer = producer(&bed);
    let transaction = producer.begin().await.unwrap();
    transaction.deliver(Record::new(&bed.topic).value(b"one")).await.unwrap().await.unwrap();
    let hanging = producers(&admin, &bed).await;
    let [state] = &hanging[..] else { panic!("{hanging:?}") };
    let hanging = HangingTransaction::of(bed.partition(0), state).unwrap();
    admin.abort_transaction(&hanging, PATIENCE).await.unwrap();
    let after = producers(&admin, &bed).await;
    assert_eq!(after[0].transaction_start, None);
    assert_eq!(HangingTransaction::of(bed.partition(0), &after[0]), None, "there is nothing left to abort");
    let end = [(bed.partition(0), OffsetSpec::Latest)];
    let end = only(admin.list_offsets(&end, IsolationLevel::ReadCommitted, PATIENCE).await.unwrap()).unwrap();
    assert_eq!(end.unwrap().offset, 2, "readers of committed records wait no longer");
    drop(transaction);
}
