//! Where the `kafka-protocol` crate is behind Kafka 4.3, and where it is wrong: the one place that says so.
//!
//! That crate gives the message structs ([`messages`](crate::messages)), and nothing else. Its structs come from the
//! schemas of Kafka 4.1.1, and so do the tables of the [`guard`](crate::guard).
//!
//! # Behind
//!
//! [`MISSING`] lists what Kafka 4.3 speaks and we do not. No version of it is ever chosen: what is negotiated is what
//! [`ApiKey::versions`] gives. A broker of Kafka 4.3 speaks the older versions as well, so nothing that a client needs is
//! lost but what the list says.
//!
//! # Wrong about versions
//!
//! [`OVERSTATED`] lists the versions that the crate counts as valid while Kafka 4.1.1 called them unstable: the struct of
//! the request refuses such a version, that of the response writes it all the same. The tables leave them out.
//!
//! # Wrong about bytes
//!
//! All that the guard accepts, the crate's decoders read. Without the guard
//!
//! - a count or a length is allocated as it stands: four bytes end the process;
//! - null is read in versions in which the field may not be null, when in another it may;
//! - a tagged field may have another size than its value, which shifts all that follows;
//! - of tags that are repeated the last counts, their order does not, and those above 2^31 - 1 are counted when they are
//!   written again but left out;
//! - varints may have more than 32 bits, whose upper ones are lost, and more bytes than they need;
//! - a nullable struct whose first byte is neither 1 nor -1 is taken for null, without a look at what follows;
//! - in flexible versions, strings may have more than 32,767 bytes, which Kafka's own decoders refuse.
//!
//! # Wrong about records
//!
//! Its record batches and codecs are not used; [`records`](crate::records) and [`compression`](crate::compression) are
//! ours. There the headers of a record are a map, so that of equal keys one is left; a whole batch is lost with the one
//! behind it that a broker cut short; sums of offsets and timestamps overflow; counts are allocated as they stand; and
//! what is compressed inflates without a limit.
//!
//! # Wrong about secrets
//!
//! `Debug` of a struct shows all of it, the password in a `SaslAuthenticateRequest` too. What is to be logged is
//! [described](crate::guard::describe_request).

use crate::api::{ApiKey, VersionRange};

/// Versions of an API that are not spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Gap {
    /// The number of the API. One that has no struct at all is none of [`ApiKey::ALL`].
    pub api: ApiKey,
    /// Kafka's name of it.
    pub name: &'static str,
    /// The versions that are missing.
    pub versions: VersionRange,
    /// What they would bring.
    pub brings: &'static str,
}

macro_rules! gaps {
    ($($number:literal $name:ident $first:literal..=$last:literal $brings:literal;)*) => {
        &[$(Gap {
            api: ApiKey($number),
            name: stringify!($name),
            versions: VersionRange::new($first, $last),
            brings: $brings,
        }),*]
    };
}

/// What Kafka 4.3 speaks beyond the structs.
pub const MISSING: &[Gap] = gaps! {
    2 ListOffsets 11..=11 "the offset from which on records are still to be moved to tiered storage (KIP-1023)";
    8 OffsetCommit 10..=10 "topics by id (KIP-848); unstable in 4.1.1";
    9 OffsetFetch 10..=10 "topics by id (KIP-848); unstable in 4.1.1";
    27 WriteTxnMarkers 2..=2 "between brokers: the transaction's generation (KIP-1228)";
    35 DescribeLogDirs 5..=5 "which log directories are cordoned";
    63 BrokerHeartbeat 2..=2 "between brokers: which log directories are cordoned";
    78 ShareFetch 2..=2 "share groups: how records are acquired, and renewal (KIP-1206, KIP-1222)";
    79 ShareAcknowledge 2..=2 "share groups: renewal (KIP-1222)";
    80 AddRaftVoter 1..=1 "among controllers: an answer before the change is committed";
    85 WriteShareGroupState 1..=1 "between brokers: how many records were delivered (KIP-1226)";
    87 ReadShareGroupStateSummary 1..=1 "between brokers: how many records were delivered (KIP-1226)";
    88 StreamsGroupHeartbeat 0..=0 "the group protocol of Kafka Streams (KIP-1071)";
    89 StreamsGroupDescribe 0..=0 "the group protocol of Kafka Streams (KIP-1071)";
    90 DescribeShareGroupOffsets 1..=1 "share groups: the lag (KIP-1226)";
};

/// What the crate counts as valid and has no struct for.
pub const OVERSTATED: &[Gap] = gaps! {
    8 OffsetCommit 10..=10 "topics by id (KIP-848); in Kafka 4.3 no longer unstable";
    9 OffsetFetch 10..=10 "topics by id (KIP-848); in Kafka 4.3 no longer unstable";
    22 InitProducerId 6..=6 "two-phase commit (KIP-939); in Kafka 4.3 still unstable";
};

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: VersionRange = VersionRange::new(0, -1);

    /// What `theirs` has beyond `ours`, which begins where theirs begins.
    fn beyond(ours: VersionRange, theirs: VersionRange) -> Option<VersionRange> {
        assert!(ours == NOTHING || ours.min == theirs.min, "{ours:?} {theirs:?}");
        (ours.max < theirs.max).then(|| VersionRange::new(theirs.min.max(ours.max + 1), theirs.max))
    }

    fn listed(gaps: &[Gap]) -> Vec<(i16, &'static str, VersionRange)> {
        gaps.iter().map(|gap| (gap.api.0, gap.name, gap.versions)).collect()
    }

    /// Kafka 4.3 says for itself which versions it speaks; a test of the testkit holds the file against it.
    #[test]
    fn what_is_missing_is_all_that_kafka_has_beyond_the_structs() {
        let mut missing = Vec::new();
        for line in include_str!("../tests/golden/api_versions.txt").lines() {
            let [number, name, oldest, newest, _draft] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            let api = ApiKey(number.parse().unwrap());
            let kafka = VersionRange::new(oldest.parse().unwrap(), newest.parse().unwrap());
            // Kafka keeps the numbers of what it no longer speaks.
            if kafka == NOTHING {
                assert_eq!(api.versions(), None, "{name}");
                continue;
            }
            assert_eq!(api.name().unwrap_or(name), name);
            if let Some(beyond) = beyond(api.versions().unwrap_or(NOTHING), kafka) {
                missing.push((api.0, name, beyond));
            }
        }
        assert_eq!(listed(MISSING), missing);
    }

    #[test]
    fn what_is_overstated_is_all_that_the_crate_has_beyond_the_structs() {
        let mut overstated = Vec::new();
        for api in ApiKey::ALL {
            let theirs = kafka_protocol::messages::ApiKey::try_from(api.0).unwrap().valid_versions();
            let theirs = VersionRange::new(theirs.min, theirs.max);
            if let Some(beyond) = beyond(api.versions().unwrap(), theirs) {
                overstated.push((api.0, api.name().unwrap(), beyond));
            }
        }
        assert_eq!(listed(OVERSTATED), overstated);
    }
}
