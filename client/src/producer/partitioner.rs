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
mod tests;
