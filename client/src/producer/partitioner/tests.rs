//! Keys, and the partitions that Java and librdkafka give them.

use super::*;

/// Values that Kafka's own `Utils.murmur2` gives, kept as its unit tests have them.
#[test]
fn the_hash_is_kafkas() {
    for (key, hash) in [
        ("21", -973_932_308_i32),
        ("foobar", -790_332_482),
        ("a-little-bit-long-string", -985_981_536),
        ("a-little-bit-longer-string", -1_486_304_829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
    ] {
        assert_eq!(murmur2(key.as_bytes()).cast_signed(), hash, "{key}");
    }
}

/// Values that librdkafka's own unit test has, taken from Go.
#[test]
fn the_fnv1a_hash_is_that_of_librdkafka() {
    for (key, hash) in [
        ("kafka", 0x0d33_c4e1),
        ("giberish123456789", 0x77a5_8295),
        ("1234", 0x023b_dd03),
        ("234", 0x2dea_3cd2),
        ("34", 0x740f_a83e),
        ("4", 0x310c_a263),
        ("", 0x7ee3_623b),
    ] {
        assert_eq!(fnv1a(key.as_bytes()), hash, "{key}");
    }
}

fn choices(name: &str, key: Option<&[u8]>, count: i32) -> Vec<Choice> {
    let partitioning = Partitioning::from_name(name).unwrap();
    let (mut random, mut turn) = (fastrand::Rng::with_seed(7), 0);
    let mut record = Record::new("clicks");
    record.key = key;
    // Partition 2 has no leader.
    (0..100).map(|_| partitioning.choose(&record, count, &mut random, &mut turn, &|partition| partition != 2)).collect()
}

/// The CRC-32 of "123456789" is 0xcbf43926, which is the check value of its definition, and that of nothing is 0.
#[test]
fn each_name_of_librdkafka_chooses_as_it_does() {
    let all = |choice| vec![choice; 100];
    let key = Some(&b"123456789"[..]);
    let (empty, null) = (Some(&b""[..]), None);
    let crc32 = Choice::At(i32::try_from(0xcbf4_3926_u32 % 7).unwrap());
    assert_eq!(choices("consistent", key, 7), all(crc32));
    assert_eq!(choices("consistent", empty, 7), all(Choice::At(0)));
    assert_eq!(choices("consistent", null, 7), all(Choice::At(0)));
    assert_eq!(choices("consistent_random", key, 7), all(crc32));
    assert_eq!(choices("consistent_random", empty, 7), all(Choice::Anywhere));
    assert_eq!(choices("consistent_random", null, 7), all(Choice::Anywhere));
    let hash_of_nothing = Choice::At(of_key(b"", 7));
    assert_eq!(choices("murmur2", key, 7), all(Choice::At(of_key(b"123456789", 7))));
    assert_eq!(choices("murmur2", null, 7), all(hash_of_nothing));
    assert_eq!(choices("murmur2_random", empty, 7), all(hash_of_nothing));
    assert_eq!(choices("murmur2_random", null, 7), all(Choice::Anywhere));
    let hash_of_nothing = Choice::At(0x7ee3_623b % 7);
    assert_eq!(choices("fnv1a", Some(b"kafka"), 7), all(Choice::At(0x0d33_c4e1 % 7)));
    assert_eq!(choices("fnv1a", null, 7), all(hash_of_nothing));
    assert_eq!(choices("fnv1a_random", empty, 7), all(hash_of_nothing));
    assert_eq!(choices("fnv1a_random", null, 7), all(Choice::Anywhere));
    assert_eq!(choices("random", null, 7), all(Choice::Anywhere));
    let drawn = choices("random", key, 7);
    assert!((0..7).all(|partition| drawn.contains(&Choice::At(partition))), "{drawn:?}");
}

#[test]
fn round_robin_passes_over_partitions_without_a_leader() {
    let first: Vec<Choice> = choices("roundrobin", Some(b"key"), 4).into_iter().take(6).collect();
    assert_eq!(first, [0, 1, 3, 0, 1, 3].map(Choice::At));
    assert_eq!(choices("org.apache.kafka.clients.producer.RoundRobinPartitioner", None, 1)[..2], [Choice::At(0); 2]);
}

#[test]
fn every_key_has_a_partition() {
    for key in [&b""[..], b"a", b"ab", b"abc", b"abcd"] {
        assert!((0..7).contains(&of_key(key, 7)));
    }
}
