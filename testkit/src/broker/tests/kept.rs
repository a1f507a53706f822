//! A cluster that is kept in a directory: what is there again when the process has ended at any point, and what is refused.

use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
use tidemill_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use tidemill_protocol::messages::offset_fetch_request::OffsetFetchRequestTopic;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use tidemill_protocol::messages::*;
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord, ProducerStamp};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::world::*;
use crate::broker::*;
use crate::kafka::Tools;

type Producer = (i64, i16);

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// A world on a new directory, with the topic `clicks` of so many partitions.
fn begin(partitions: i32) -> (TempDir, World) {
    let directory = tempdir().unwrap();
    let mut world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!(world.create(topic("clicks", partitions, &[])).error_code, 0);
    (directory, world)
}

fn again(directory: &Path) -> World {
    World::kept_in(directory, 1).unwrap()
}

fn refused(directory: &Path) -> String {
    World::kept_in(directory, 1).err().unwrap().to_string()
}

/// The file of a segment of `clicks`.
fn segment(directory: &Path, partition: i32, base_offset: i64) -> std::path::PathBuf {
    directory.join(format!("clicks-{partition}/{base_offset:020}.log"))
}

fn journal(directory: &Path) -> std::path::PathBuf {
    directory.join("cluster.journal")
}

fn read(world: &mut World, offset: i64) -> Vec<(i64, String)> {
    values(world.fetch(offset).records)
}

/// What a reader of committed records gets of a partition: values, without those of aborted transactions.
fn committed(world: &mut World, partition: i32) -> Vec<String> {
    let mut body = fetch(0, 0, 1).with_isolation_level(1);
    body.topics[0].partitions[0].partition = partition;
    let data = first(&world.ask(FETCH, &body)).clone();
    let aborted = data.aborted_transactions.unwrap();
    let mut aborted: Vec<(i64, i64)> = aborted.iter().map(|it| (it.producer_id.0, it.first_offset)).collect();
    let mut read = Vec::new();
    for batch in tidemill_protocol::records::RecordBatches::new(data.records.unwrap()).map(Result::unwrap) {
        let header = batch.header();
        let is_aborted = |(id, first): &(i64, i64)| *id == header.producer_id && *first <= header.base_offset;
        let at = aborted.iter().position(is_aborted);
        if header.is_control() || header.is_transactional() && at.is_some() {
            if header.is_control()
                && let Some(at) = at
            {
                aborted.remove(at);
            }
            continue;
        }
        let open = batch.open(1000).unwrap();
        read.extend(open.iter().map(|it| String::from_utf8(it.unwrap().value.unwrap().to_vec()).unwrap()));
    }
    read
}

fn new_producer_id(world: &mut World) -> i64 {
    let body = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_producer_id(ProducerId(-1))
        .with_producer_epoch(-1);
    world.ask(4, &body).producer_id.0
}

fn init(world: &mut World, id: &str) -> Result<Producer, ErrorCode> {
    let body = InitProducerIdRequest::default()
        .with_transactional_id(Some(text(id).into()))
        .with_transaction_timeout_ms(60_000);
    let response = world.ask(5, &body);
    ErrorCode(response.error_code).into_result().map(|()| (response.producer_id.0, response.producer_epoch))
}

/// Writes a value in a transaction.
fn write(world: &mut World, id: &str, producer: Producer, partition: i32, sequence: i32, value: &str) -> ErrorCode {
    let mut builder = BatchBuilder::new(100);
    builder.append(&NewRecord { timestamp: UNIX_MS, key: None, value: Some(value.as_bytes()), headers: &[] });
    let stamp = ProducerStamp { producer_id: producer.0, producer_epoch: producer.1, base_sequence: sequence };
    let flags = BatchFlags { transactional: true, ..BatchFlags::default() };
    let batch = builder.seal(Codec::None).stamp(Some(stamp), flags);
    let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name("clicks")).with_partition_data(vec![data]);
    let body = ProduceRequest::default()
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![topic])
        .with_transactional_id(Some(text(id).into()));
    ErrorCode(world.ask(12, &body).responses[0].partition_responses[0].error_code)
}

fn end(world: &mut World, id: &str, producer: Producer, committed: bool) -> Result<Producer, ErrorCode> {
    let body = EndTxnRequest::default()
        .with_transactional_id(text(id).into())
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(committed);
    let response = world.ask(5, &body);
    ErrorCode(response.error_code).into_result().map(|()| (response.producer_id.0, response.producer_epoch))
}

fn commit_offset(world: &mut World, group: &str, offset: i64) {
    let partition = OffsetCommitRequestPartition::default().with_committed_offset(offset).with_committed_metadata(None);
    let topic = OffsetCommitRequestTopic::default().with_name(name("clicks")).with_partitions(vec![partition]);
    let body = OffsetCommitRequest::default()
        .with_group_id(text(group).into())
        .with_generation_id_or_member_epoch(-1)
        .with_topics(vec![topic]);
    assert_eq!(world.ask(8, &body).topics[0].partitions[0].error_code, 0);
}

fn commit_offset_in_transaction(
    world: &mut World,
    id: &str,
    producer: Producer,
    group: &str,
    offset: i64,
) -> ErrorCode {
    let partition = TxnOffsetCommitRequestPartition::default().with_committed_offset(offset);
    let topic = TxnOffsetCommitRequestTopic::default().with_name(name("clicks")).with_partitions(vec![partition]);
    let body = TxnOffsetCommitRequest::default()
        .with_transactional_id(text(id).into())
        .with_group_id(text(group).into())
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_generation_id(-1)
        .with_topics(vec![topic]);
    ErrorCode(world.ask(5, &body).topics[0].partitions[0].error_code)
}

fn committed_offset(world: &mut World, group: &str) -> i64 {
    let topic = OffsetFetchRequestTopic::default().with_name(name("clicks")).with_partition_indexes(vec![0]);
    let body = OffsetFetchRequest::default().with_group_id(text(group).into()).with_topics(Some(vec![topic]));
    world.ask(7, &body).topics[0].partitions[0].committed_offset
}

#[test]
fn a_restart_keeps_topics_settings_records_and_offsets() {
    let (directory, mut world) = begin(2);
    world.create(topic("settings", 1, &[("retention.ms", "1234567")]));
    for value in ["a", "b", "c"] {
        assert_eq!(world.produce(batch(&[value])).error_code, 0);
    }
    commit_offset(&mut world, "billing", 2);
    let wanted = delete_records_request::DeleteRecordsPartition::default().with_offset(1);
    let wanted =
        delete_records_request::DeleteRecordsTopic::default().with_name(name("clicks")).with_partitions(vec![wanted]);
    world.ask(2, &DeleteRecordsRequest::default().with_topics(vec![wanted]));
    let (cluster_id, topic_id) = (world.cluster.cluster_id.clone(), world.cluster.topics.by_name("clicks").unwrap().id);
    drop(world);

    for _ in 0..2 {
        let mut world = again(directory.path());
        assert_eq!(world.cluster.cluster_id, cluster_id);
        assert_eq!(world.cluster.topics.by_name("clicks").unwrap().id, topic_id);
        assert_eq!(world.cluster.topics.by_name("clicks").unwrap().partitions.len(), 2);
        assert_eq!(world.cluster.topics.by_name("settings").unwrap().config.retention_ms, Some(1_234_567));
        assert_eq!(read(&mut world, 1), [(1, "b".to_owned()), (2, "c".to_owned())]);
        let data = world.fetch(3);
        assert_eq!((data.high_watermark, data.last_stable_offset, data.log_start_offset), (3, 3, 1));
        assert_eq!(world.fetch(0).error_code, ErrorCode::OFFSET_OUT_OF_RANGE.0);
        assert_eq!(committed_offset(&mut world, "billing"), 2);
    }
    let mut world = again(directory.path());
    assert_eq!(world.produce(batch(&["d"])).base_offset, 3);
    drop(world);
    let mut world = again(directory.path());
    assert_eq!(read(&mut world, 3), [(3, "d".to_owned())]);
    let partition = &world.cluster.topics.by_name("clicks").unwrap().partitions[0];
    assert_eq!(partition.leader_epoch, 4, "each start begins a leader epoch");
    let epochs: Vec<_> = partition.log.epochs().collect();
    assert_eq!(epochs[epochs.len() - 2..], [(3, 3), (4, 4)]);
    assert_eq!(partition.log.epoch_at(2), Some(0));
    assert_eq!(partition.log.epoch_at(3), Some(3));
}

#[test]
fn a_batch_that_comes_again_after_a_restart_is_a_duplicate() {
    let (directory, mut world) = begin(1);
    let first = new_producer_id(&mut world);
    for sequence in 0..7 {
        assert_eq!(world.produce(sequenced(0, sequence, &["x"])).base_offset, i64::from(sequence));
    }
    drop(world);
    let mut world = again(directory.path());
    let again = world.produce(sequenced(0, 6, &["x"]));
    assert_eq!((again.error_code, again.base_offset), (0, 6));
    assert_eq!(world.produce(sequenced(0, 2, &["x"])).base_offset, 2, "one of the last five");
    assert_eq!(world.produce(sequenced(0, 8, &["x"])).error_code, ErrorCode::OUT_OF_ORDER_SEQUENCE_NUMBER.0);
    assert_eq!(world.produce(sequenced(0, 7, &["x"])).base_offset, 7);
    assert_eq!(new_producer_id(&mut world), first + 1, "nobody has it already");
}

#[test]
fn transactions_end_as_they_would_have_without_the_restart() {
    let (directory, mut world) = begin(1);
    let aborted = init(&mut world, "aborted").unwrap();
    assert_eq!(write(&mut world, "aborted", aborted, 0, 0, "aborted"), ErrorCode::NONE);
    let fenced = end(&mut world, "aborted", aborted, false).unwrap();
    let open = init(&mut world, "open").unwrap();
    assert_eq!(write(&mut world, "open", open, 0, 0, "open"), ErrorCode::NONE);
    assert_eq!(commit_offset_in_transaction(&mut world, "open", open, "billing", 9), ErrorCode::NONE);
    let late = init(&mut world, "late").unwrap();
    assert_eq!(write(&mut world, "late", late, 0, 0, "late"), ErrorCode::NONE);
    drop(world);

    let mut world = again(directory.path());
    assert!(committed(&mut world, 0).is_empty(), "one was aborted, the others are open");
    assert_eq!(committed_offset(&mut world, "billing"), -1);
    // One goes on and is committed; another is aborted by the next producer; a fenced one stays so.
    assert_eq!(write(&mut world, "open", open, 0, 1, "more"), ErrorCode::NONE);
    end(&mut world, "open", open, true).unwrap();
    assert_eq!(committed_offset(&mut world, "billing"), 9);
    assert_eq!(write(&mut world, "aborted", aborted, 0, 1, "fenced"), ErrorCode::INVALID_PRODUCER_EPOCH);
    assert_eq!(init(&mut world, "late"), Err(ErrorCode::CONCURRENT_TRANSACTIONS));
    let next = init(&mut world, "late").unwrap();
    assert_eq!(next.0, late.0);
    assert!(next.1 > late.1);
    assert_eq!(write(&mut world, "aborted", fenced, 0, 0, "new"), ErrorCode::NONE);
    end(&mut world, "aborted", fenced, true).unwrap();
    assert_eq!(committed(&mut world, 0), ["open", "more", "new"]);
    drop(world);
    let mut world = again(directory.path());
    assert_eq!(committed(&mut world, 0), ["open", "more", "new"]);
    assert_eq!(committed_offset(&mut world, "billing"), 9);
}

#[test]
fn an_open_transaction_times_out_after_a_restart() {
    let (directory, mut world) = begin(1);
    let producer = init(&mut world, "job").unwrap();
    assert_eq!(write(&mut world, "job", producer, 0, 0, "open"), ErrorCode::NONE);
    drop(world);
    let mut world = again(directory.path());
    world.advance(Duration::from_secs(90));
    assert_eq!(world.cluster.transactions.get("job").unwrap().state.name(), "CompleteAbort");
    let data = world.fetch(0);
    assert_eq!((data.high_watermark, data.last_stable_offset), (2, 2));
}

/// The end of a transaction of two partitions and a group is written in several steps. Wherever the process ends between
/// them, all of the transaction counts or all of it is still open.
#[test]
fn a_transaction_counts_everywhere_or_nowhere_wherever_the_process_ends() {
    let (directory, mut world) = begin(2);
    let producer = init(&mut world, "job").unwrap();
    let partitions = AddPartitionsToTxnTopic::default().with_name(name("clicks")).with_partitions(vec![0, 1]);
    let body = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(text("job").into())
        .with_v3_and_below_producer_id(ProducerId(producer.0))
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(vec![partitions]);
    world.ask(3, &body);
    for partition in [0, 1] {
        assert_eq!(write(&mut world, "job", producer, partition, 0, "value"), ErrorCode::NONE);
    }
    assert_eq!(commit_offset_in_transaction(&mut world, "job", producer, "billing", 9), ErrorCode::NONE);
    let keep = |directory: &Path| [0, 1].map(|partition| fs::read(segment(directory, partition, 0)).unwrap());
    let (logs_before, journal_before) = (keep(directory.path()), fs::read(journal(directory.path())).unwrap());
    end(&mut world, "job", producer, true).unwrap();
    drop(world);
    let (logs, whole) = (keep(directory.path()), fs::read(journal(directory.path())).unwrap());
    let decided_bytes = 8 + u32::from_be_bytes(whole[journal_before.len()..][..4].try_into().unwrap()) as usize;
    let decided = journal_before.len() + decided_bytes;
    assert!(whole.len() > decided, "that it is decided is written first, alone");

    let (mut open, mut complete) = (0, 0);
    for cut in journal_before.len()..=whole.len() {
        // Logs are written when the first frame is whole: one, then the other, byte by byte.
        let torn = logs_before[0].len() + (cut % (logs[0].len() - logs_before[0].len()));
        let states: &[[&[u8]; 2]] = if cut < decided {
            &[[&logs_before[0], &logs_before[1]]]
        } else if cut == decided {
            &[
                [&logs_before[0], &logs_before[1]],
                [&logs[0][..torn], &logs_before[1]],
                [&logs[0], &logs_before[1]],
                [&logs[0], &logs[1]],
            ]
        } else {
            &[[&logs[0], &logs[1]]]
        };
        for state in states {
            fs::write(journal(directory.path()), &whole[..cut]).unwrap();
            for (partition, log) in (0..).zip(state) {
                fs::write(segment(directory.path(), partition, 0), log).unwrap();
            }
            let mut world = again(directory.path());
            let found = [committed(&mut world, 0).len(), committed(&mut world, 1).len()];
            let offset = committed_offset(&mut world, "billing");
            if cut < decided {
                assert_eq!((found, offset), ([0, 0], -1), "cut at {cut}");
                open += 1;
            } else {
                assert_eq!((found, offset), ([1, 1], 9), "cut at {cut}");
                assert_eq!(world.cluster.transactions.get("job").unwrap().state.name(), "CompleteCommit");
                complete += 1;
            }
            let end = end(&mut world, "job", producer, true);
            assert_eq!(end, Ok((producer.0, producer.1 + 1)), "who was not answered asks again");
            assert_eq!([committed(&mut world, 0).len(), committed(&mut world, 1).len()], [1, 1]);
        }
    }
    assert!(open > 8 && complete > 8);
}

#[test]
fn a_log_cut_at_any_byte_of_its_last_batch_ends_before_it() {
    let (directory, mut world) = begin(1);
    world.produce(sequenced(0, 0, &["a", "b"]));
    let path = segment(directory.path(), 0, 0);
    let before = fs::read(&path).unwrap().len();
    world.produce(sequenced(0, 2, &["c"]));
    drop(world);
    let whole = fs::read(&path).unwrap();
    for end in before..whole.len() {
        fs::write(&path, &whole[..end]).unwrap();
        let mut world = again(directory.path());
        assert_eq!(read(&mut world, 0), [(0, "a".to_owned()), (1, "b".to_owned())], "cut at {end}");
        assert_eq!(fs::read(&path).unwrap().len(), before);
        let response = world.produce(sequenced(0, 2, &["c"]));
        assert_eq!((response.error_code, response.base_offset), (0, 2), "cut at {end}");
    }
    let mut world = again(directory.path());
    assert_eq!(read(&mut world, 2), [(2, "c".to_owned())]);
}

#[test]
fn a_log_ends_before_a_damaged_batch() {
    let (directory, mut world) = begin(1);
    // Two of these fill a segment of 4 MiB.
    world.create(topic("large", 1, &[("max.message.bytes", "10000000")]));
    let large = "x".repeat(2_000_000);
    for _ in 0..5 {
        let mut body = produce(batch(&[&large]));
        body.topic_data[0].name = name("large");
        assert_eq!(world.ask(9, &body).responses[0].partition_responses[0].error_code, 0);
    }
    let bytes = world.cluster.topics.by_name("large").unwrap().partitions[0].log.bytes();
    drop(world);
    let files = || {
        let mut files: Vec<_> =
            fs::read_dir(directory.path().join("large-0")).unwrap().map(|it| it.unwrap().path()).collect();
        files.sort();
        files
    };
    assert_eq!(files().len(), 3);
    let mut content = fs::read(&files()[1]).unwrap();
    assert_eq!(bytes, files().iter().map(|it| fs::metadata(it).unwrap().len()).sum::<u64>());
    let middle = content.len() - 1000;
    content[middle] ^= 1;
    fs::write(&files()[1], &content).unwrap();
    let world = again(directory.path());
    let log = &world.cluster.topics.by_name("large").unwrap().partitions[0].log;
    assert_eq!((log.start_offset(), log.end_offset()), (0, 3));
    assert_eq!(files().len(), 2, "what lies behind it is gone from the directory too");
    assert_eq!(log.bytes(), files().iter().map(|it| fs::metadata(it).unwrap().len()).sum::<u64>());
}

#[test]
fn a_topic_made_anew_has_nothing_of_the_old_one() {
    let (directory, mut world) = begin(1);
    world.produce(batch(&["old"]));
    commit_offset(&mut world, "billing", 1);
    let before = fs::read(journal(directory.path())).unwrap();
    world.ask(3, &DeleteTopicsRequest::default().with_topic_names(vec![name("clicks")]));
    assert!(!directory.path().join("clicks-0").exists());
    world.create(topic("clicks", 1, &[]));
    assert_eq!(world.produce(batch(&["new"])).base_offset, 0);
    drop(world);
    let mut world = again(directory.path());
    assert_eq!(read(&mut world, 0), [(0, "new".to_owned())]);
    assert_eq!(committed_offset(&mut world, "billing"), -1);
    world.cluster.delete_topic("clicks");
    world.cluster.create_topic("clicks", 1, 1, []).unwrap();
    world.poll();
    drop(world);
    let mut world = again(directory.path());
    assert!(read(&mut world, 0).is_empty(), "also when both is one step");
    drop(world);
    // The process ended before the topic was in the journal.
    fs::create_dir(directory.path().join("unknown-0")).unwrap();
    fs::write(directory.path().join("unknown-0/00000000000000000000.log"), b"rest").unwrap();
    drop(again(directory.path()));
    assert!(!directory.path().join("unknown-0").exists());
    assert!(!before.is_empty());
}

#[test]
fn what_a_new_leader_lacks_is_gone_from_the_directory_too() {
    let directory = tempdir().unwrap();
    let mut world = World::kept_in(directory.path(), 2).unwrap();
    world.cluster.create_topic("clicks", 1, 2, [("unclean.leader.election.enable", "true")]).unwrap();
    let leader = world.cluster.topics.by_name("clicks").unwrap().partitions[0].leader.unwrap();
    let other = 3 - leader;
    world.ask_on(to(leader), 9, &produce(batch(&["both"])));
    world.cluster.set_follows(other, false);
    world.cluster.shrink(other);
    world.ask_on(to(leader), 9, &produce(batch(&["one"])));
    world.cluster.handle_broker_stopped(leader, Stop::Kill);
    world.poll();
    assert_eq!(
        world.ask_on(to(other), 9, &produce(batch(&["two"]))).responses[0].partition_responses[0].base_offset,
        1
    );
    drop(world);
    let mut world = World::kept_in(directory.path(), 2).unwrap();
    let partition = &world.cluster.topics.by_name("clicks").unwrap().partitions[0];
    assert_eq!((partition.leader, partition.in_sync.len()), (Some(other), 2), "all brokers run and follow");
    let records = first(&world.ask_on(to(other), FETCH, &fetch(0, 0, 1))).records.clone();
    assert_eq!(values(records), [(0, "both".to_owned()), (1, "two".to_owned())]);
    // A cluster with fewer brokers: others lead where they can.
    drop(world);
    let world = World::kept_in(directory.path(), 1).unwrap();
    assert_eq!(world.cluster.topics.by_name("clicks").unwrap().partitions[0].leader, Some(1));
}

#[test]
fn retention_removes_files_and_a_generation_is_not_used_twice() {
    let (directory, mut world) = begin(1);
    world.cluster.set_topic_config("clicks", TopicConfig::new([("retention.ms", "1000")]).unwrap());
    world.produce(batch(&["old"]));
    world.advance(Duration::from_secs(400));
    drop(world);
    assert!(!segment(directory.path(), 0, 0).exists());
    assert!(segment(directory.path(), 0, 1).exists());
    let mut world = again(directory.path());
    let data = world.fetch(1);
    assert_eq!((data.log_start_offset, data.high_watermark), (1, 1));
    assert_eq!(world.produce(batch(&["new"])).base_offset, 1);

    let join = |world: &mut World| {
        let protocol = join_group_request::JoinGroupRequestProtocol::default().with_name(text("range"));
        let body = JoinGroupRequest::default()
            .with_group_id(text("billing").into())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(10_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        world.send(ALICE, 3, &body);
        world.advance(Duration::from_secs(5));
        world.answer::<JoinGroupRequest>(ALICE, 3).1.generation_id
    };
    assert_eq!(join(&mut world), 1);
    drop(world);
    assert_eq!(join(&mut again(directory.path())), 2);
}

#[test]
fn a_directory_belongs_to_one_cluster() {
    let (directory, world) = begin(1);
    assert!(refused(directory.path()).contains("is in use by another broker: stop it, or choose another directory"));
    drop(world);
    drop(again(directory.path()));
    let other = tempdir().unwrap();
    fs::write(other.path().join("letters.txt"), "dear").unwrap();
    let reason = refused(other.path());
    assert!(reason.contains("it has no cluster.journal, but letters.txt; choose an empty directory"), "{reason}");
    let text = fs::read(journal(directory.path())).unwrap();
    let text = String::from_utf8_lossy(&text).replace("journal 1", "journal 2");
    fs::write(journal(directory.path()), text).unwrap();
    assert!(refused(directory.path()).contains("no journal of a cluster, or one of another release"));
}

#[test]
fn kafkas_own_tool_reads_the_segments() {
    let Some(tools) = Tools::find() else { return };
    let (directory, mut world) = begin(1);
    world.produce(batch(&["first"]));
    world.produce(sequenced(3, 0, &["second", "third"]));
    let producer = init(&mut world, "job").unwrap();
    assert_eq!(write(&mut world, "job", producer, 0, 0, "fourth"), ErrorCode::NONE);
    end(&mut world, "job", producer, false).unwrap();
    drop(world);
    let path = segment(directory.path(), 0, 0);
    let arguments = ["--deep-iteration", "--print-data-log", "--files", path.to_str().unwrap()];
    let output = tools.run("org.apache.kafka.tools.DumpLogSegments", &arguments, "").unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    for value in ["payload: first", "payload: second", "payload: third", "payload: fourth", "endTxnMarker: ABORT"] {
        assert!(text.contains(value), "no {value} in {text}");
    }
    assert_eq!(text.matches("isvalid: true").count(), 4, "{text}");
    assert!(
        text.contains("baseOffset: 1 lastOffset: 2") && text.contains("producerId: 4711 producerEpoch: 3"),
        "{text}"
    );
}
