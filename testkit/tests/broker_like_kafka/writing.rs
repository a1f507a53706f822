//! Batches, sound and not, and what is remembered of their producers.

use bytes::Bytes;
use tidemill_protocol::compression::Codec;
use uuid::Uuid;

use crate::peer::*;

pub(crate) async fn writing(broker: &mut Broker) {
    broker.make("write", &[("max.message.bytes", "500")]).await;
    broker.make("compacted", &[("cleanup.policy", "compact")]).await;
    broker.make("stamped", &[("message.timestamp.type", "LogAppendTime")]).await;
    let now = now();
    let sound = batch(&[(now, "a"), (now, "b")], None);
    let sequenced = batch(&[(now, "a")], Some((0, 0)));
    let last = sound.len() - 1;
    let cases = [
        ("checksum", with(&sound, last, &[9], false)),
        ("magic 1", with(&sound, 16, &[1], false)),
        ("magic 9", with(&sound, 16, &[9], false)),
        ("nothing", Bytes::new()),
        ("cut", sound.slice(..last)),
        ("cut in the header", sound.slice(..15)),
        ("transactional, and cut", with(&sequenced, 21, &16_i16.to_be_bytes(), true).slice(..sequenced.len() - 1)),
        ("an epoch before any", batch(&[(now, "a")], Some((-3, 0)))),
        ("two batches", Bytes::from([&sound[..], &sound[..]].concat())),
        ("a negative length", with(&sound, 8, &(-1_i32).to_be_bytes(), false)),
        ("a short length", with(&sound, 8, &20_i32.to_be_bytes(), false)),
        ("a count too many", with(&sound, 57, &3_i32.to_be_bytes(), true)),
        ("a negative count", with(&sound, 57, &(-3_i32).to_be_bytes(), true)),
        ("a last offset too far", with(&sound, 23, &5_i32.to_be_bytes(), true)),
        ("a negative last offset", with(&sound, 23, &(-1_i32).to_be_bytes(), true)),
        ("a base offset", with(&sound, 0, &4_i64.to_be_bytes(), false)),
        ("a record too long", with(&sound, 61, &[60], true)),
        ("transactional", with(&sequenced, 21, &16_i16.to_be_bytes(), true)),
        ("a marker", with(&sound, 21, &32_i16.to_be_bytes(), true)),
        ("not lz4", with(&sound, 21, &3_i16.to_be_bytes(), true)),
        ("a codec that is not there", with(&sound, 21, &5_i16.to_be_bytes(), true)),
        ("a negative sequence", with(&sequenced, 53, &(-1_i32).to_be_bytes(), true)),
        ("too large", batch(&[(now, &"x".repeat(500))], None)),
        ("from the future", batch(&[(now + 4_000_000, "x")], None)),
        ("from the past", batch(&[(1, "x")], None)),
        ("no time", batch(&[(-1, "x")], None)),
        ("sound", sound.clone()),
    ];
    for (what, batch) in cases {
        broker.produce(what, "write", batch).await;
    }
    broker.produce("no key", "compacted", sound.clone()).await;
    broker.produce("the broker's time", "stamped", sound.clone()).await;
    broker.produce("a missing topic", "write-missing", sound.clone()).await;
    let response = broker.ask(9, &produce("write", sound.clone()).with_acks(2)).await;
    broker.note("Produce of 2 acknowledgements", &response);
    let mut elsewhere = produce("write", sound.clone());
    elsewhere.topic_data[0].partition_data[0].index = 7;
    let response = broker.ask(9, &elsewhere).await;
    broker.note("Produce to a missing partition", &response);
    let mut by_id = produce("", sound);
    by_id.topic_data[0].topic_id = Uuid::from_u128(5);
    let response = broker.ask(13, &by_id).await;
    broker.note("Produce to a missing id", &response);
    let mut by_id = produce("", batch(&[(now, "a")], None));
    by_id.topic_data[0].topic_id = broker.id_of("write").await;
    let mut response = broker.ask(13, &by_id).await;
    response.responses[0].topic_id = Uuid::nil();
    broker.note("Produce by id", &response);

    // A codec younger than the oldest versions (KIP-110).
    for version in [3, 6, 7, 13] {
        for codec in [Codec::Lz4, Codec::Zstd] {
            let mut body = produce("write", compressed(&[(now, &"a".repeat(300))], codec));
            body.topic_data[0].topic_id = broker.id_of("write").await;
            let mut response = broker.ask(version, &body).await;
            response.responses[0].topic_id = Uuid::nil();
            broker.note(&format!("Produce v{version} of {codec:?}"), &response);
        }
    }

    broker.make("sequences", &[]).await;
    // (epoch, first sequence, records): what a partition remembers of one producer.
    for (epoch, sequence, count) in [
        (0, 5, 1), // any start
        (0, 6, 2),
        (0, 6, 2), // again
        (0, 6, 1), // another batch in its place
        (0, 9, 1), // a gap
        (0, 8, 1),
        (0, 9, 1),
        (0, 10, 1),
        (0, 11, 1),
        (0, 5, 1), // the sixth before
        (0, 6, 2), // the fifth before
        (2, 3, 1), // a new epoch in the middle
        (2, 0, 1),
        (2, 0, 1),
        (1, 12, 1), // an old one
        (2, 1, 1),
    ] {
        let records = vec![(now, "x"); count];
        let what = format!("epoch {epoch}, sequence {sequence}, {count} records");
        broker.produce(&what, "sequences", batch(&records, Some((epoch, sequence)))).await;
    }
}
