//! Which partition a record goes to: by its key's hash as the Java client has it, or, without a key, wherever the open
//! batch is (KIP-480, KIP-794); or in any of librdkafka's ways, or the application's own.
//!
//! [`machine`](super::machine) asks for each record that names no partition.

use std::fmt;
use std::sync::Arc;

use crate::record::Record;

/// How the partition of a record is chosen that names none. Kafka's `partitioner.class`, librdkafka's `partitioner`.
///
/// Records that may go anywhere fill a batch of one partition before they go to another.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Partitioning {
    /// By the murmur2 hash of the key, as the Java client does it; anywhere without a key. The default.
    #[default]
    Murmur2Random,
    /// By the murmur2 hash of the key; all records without a key to the same.
    Murmur2,
    /// By the CRC-32 of the key; anywhere when it is null or empty. The default of librdkafka.
    ConsistentRandom,
    /// By the CRC-32 of the key; all records whose key is null or empty to the first.
    Consistent,
    /// By the FNV-1a hash of the key, as the Go client sarama does it; anywhere without a key.
    Fnv1aRandom,
    /// By the FNV-1a hash of the key; all records without a key to the same.
    Fnv1a,
    /// Records with a key by chance, each anew; anywhere without a key.
    Random,
    /// One record after the other to the next partition that has a leader, whatever the keys.
    RoundRobin,
    /// Anywhere, whatever the keys.
    Sticky,
    /// As the application says.
    Custom(Arc<dyn Partitioner>),
}

/// An application's own way to choose partitions.
///
/// ```
/// use std::sync::Arc;
/// use tidemill_client::{Partitioner, Partitioning, ProducerConfig};
///
/// /// The first byte of the key says which.
/// #[derive(Debug)]
/// struct ByFirstByte;
///
/// impl Partitioner for ByFirstByte {
///     fn partition(&self, _topic: &str, key: Option<&[u8]>, _value: Option<&[u8]>, partition_count: i32) -> Option<i32> {
///         key?.first().map(|byte| i32::from(*byte) % partition_count)
///     }
/// }
///
/// let config = ProducerConfig::default().partitioning(Partitioning::Custom(Arc::new(ByFirstByte)));
/// ```
pub trait Partitioner: fmt::Debug + Send + Sync {
    /// The partition of a record, from 0 to below `partition_count`; any other refuses the record. `None`: anywhere.
    ///
    /// Called for each record that names no partition, under the producer's lock: it has to be quick.
    fn partition(&self, topic: &str, key: Option<&[u8]>, value: Option<&[u8]>, partition_count: i32) -> Option<i32>;
}

/// What was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    At(i32),
    Anywhere,
}

impl Partitioning {
    /// What a dictionary calls it.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            // The last is what Java's was called until Kafka 4.
            "murmur2_random" | "org.apache.kafka.clients.producer.internals.DefaultPartitioner" => Self::Murmur2Random,
            "murmur2" => Self::Murmur2,
            "consistent_random" => Self::ConsistentRandom,
            "consistent" => Self::Consistent,
            "fnv1a_random" => Self::Fnv1aRandom,
            "fnv1a" => Self::Fnv1a,
            "random" => Self::Random,
            "roundrobin" | "org.apache.kafka.clients.producer.RoundRobinPartitioner" => Self::RoundRobin,
            "org.apache.kafka.clients.producer.UniformStickyPartitioner" => Self::Sticky,
            _ => return None,
        })
    }

    /// Where a record goes that names no partition. `turn` counts those of its topic that go round.
    pub(super) fn choose(
        &self,
        record: &Record<'_>,
        count: i32,
        random: &mut fastrand::Rng,
        turn: &mut u32,
        is_available: &dyn Fn(i32) -> bool,
    ) -> Choice {
        let key = record.key.unwrap_or_default();
        match self {
            Self::Murmur2Random | Self::Fnv1aRandom | Self::Random if record.key.is_none() => Choice::Anywhere,
            Self::ConsistentRandom if key.is_empty() => Choice::Anywhere,
            Self::Murmur2Random | Self::Murmur2 => Choice::At(of_key(key, count)),
            Self::ConsistentRandom | Self::Consistent => Choice::At(of_hash(crc32fast::hash(key), count)),
            Self::Fnv1aRandom | Self::Fnv1a => Choice::At(of_hash(fnv1a(key), count)),
            Self::Random => {
                let mut draw = || random.i32(0..count.max(1));
                Choice::At(Some(draw()).filter(|partition| is_available(*partition)).unwrap_or_else(draw))
            }
            Self::RoundRobin => {
                let mut next = || {
                    let partition = of_hash(*turn, count);
                    *turn = turn.wrapping_add(1) & 0x7fff_ffff;
                    partition
                };
                let first = next();
                let available = is_available(first).then_some(first);
                let available =
                    available.or_else(|| (1..count).map(|_| next()).find(|partition| is_available(*partition)));
                Choice::At(available.unwrap_or(first))
            }
            Self::Sticky => Choice::Anywhere,
            Self::Custom(partitioner) => partitioner
                .partition(record.topic, record.key, record.value, count)
                .map_or(Choice::Anywhere, Choice::At),
        }
    }
}

/// The partition of a key: the same one that the Java client chooses.
pub(super) fn of_key(key: &[u8], partitions: i32) -> i32 {
    of_hash(murmur2(key) & 0x7fff_ffff, partitions)
}

fn of_hash(hash: u32, partitions: i32) -> i32 {
    let count = u32::try_from(partitions.max(1)).unwrap_or(1);
    i32::try_from(hash % count).unwrap_or(0)
}

/// FNV-1a, 32 bits, without its sign, which is how sarama and librdkafka have it.
fn fnv1a(data: &[u8]) -> u32 {
    let hash = data.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
    hash.cast_signed().unsigned_abs()
}

/// Murmur2, 32 bits, with the seed and constants that Kafka fixed.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut hash = SEED ^ length;
    let (words, tail) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> 24;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !tail.is_empty() {
        for (place, byte) in tail.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
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
        (0..100)
            .map(|_| partitioning.choose(&record, count, &mut random, &mut turn, &|partition| partition != 2))
            .collect()
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
        assert_eq!(
            choices("org.apache.kafka.clients.producer.RoundRobinPartitioner", None, 1)[..2],
            [Choice::At(0); 2]
        );
    }

    #[test]
    fn every_key_has_a_partition() {
        for key in [&b""[..], b"a", b"ab", b"abc", b"abcd"] {
            assert!((0..7).contains(&of_key(key, 7)));
        }
    }
}
