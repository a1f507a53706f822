//! The two messages members of a group send each other through the coordinator: subscription and assignment.
//!
//! To the broker they are opaque bytes inside `JoinGroup` and `SyncGroup`, and another member wrote them: nothing in
//! them is believed. Every count is checked against the bytes that are left before anything is allocated for it. Both
//! are written in the version the Java client writes; of a newer version, which may only append fields, the known
//! fields are read. Source: `ConsumerProtocolSubscription.json` and `ConsumerProtocolAssignment.json` of Kafka 4.1.

use std::sync::Arc;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::DecodeError;

use crate::consumer::assignor::Share;

/// What a member wants to read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Subscription {
    pub(super) topics: Vec<Arc<str>>,
    /// What the member still holds on to while it joins; nothing for an eager member.
    pub(super) owned: Share,
    /// The generation in which `owned` was assigned, -1 for none.
    pub(super) generation: i32,
    pub(super) rack: Option<Arc<str>>,
    /// What the assignor has to say, if it has.
    pub(super) user_data: Option<Bytes>,
}

/// The version in which both messages are written.
const VERSION: i16 = 3;

impl Subscription {
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_i16(VERSION);
        put_count(&mut bytes, self.topics.len());
        for topic in &self.topics {
            put_string(&mut bytes, topic);
        }
        match &self.user_data {
            Some(user_data) => {
                put_count(&mut bytes, user_data.len());
                bytes.put_slice(user_data);
            }
            None => bytes.put_i32(-1),
        }
        put_share(&mut bytes, &self.owned);
        bytes.put_i32(self.generation);
        match &self.rack {
            Some(rack) => put_string(&mut bytes, rack),
            None => bytes.put_i16(-1),
        }
        bytes.freeze()
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader { bytes, at: 0 };
        let version = reader.version()?;
        let mut topics = Vec::new();
        for _ in 0..reader.count("topics", 2)? {
            topics.push(reader.string("topics")?);
        }
        let user_data = reader.user_data()?.map(Bytes::copy_from_slice);
        let owned = if version >= 1 { reader.share("owned_partitions")? } else { Share::new() };
        let generation = if version >= 2 { reader.i32("generation_id")? } else { -1 };
        let rack = if version >= 3 { reader.nullable_string("rack_id")? } else { None };
        Ok(Self { topics, owned, generation, rack, user_data })
    }
}

pub(super) fn encode_assignment(share: &Share) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_i16(VERSION);
    put_share(&mut bytes, share);
    bytes.put_i32(-1); // user data
    bytes.freeze()
}

/// The partitions assigned. No bytes at all mean none: so answers the coordinator when the leader named no share.
pub(super) fn decode_assignment(bytes: &[u8]) -> Result<Share, DecodeError> {
    if bytes.is_empty() {
        return Ok(Share::new());
    }
    let mut reader = Reader { bytes, at: 0 };
    reader.version()?;
    let share = reader.share("assigned_partitions")?;
    reader.user_data()?;
    Ok(share)
}

/// What a member of Kafka's `StickyAssignor` says of itself: what it was given last, and in which generation.
pub(in crate::consumer) fn encode_previous(previous: &Share, generation: i32) -> Bytes {
    let mut bytes = BytesMut::new();
    put_share(&mut bytes, previous);
    bytes.put_i32(generation);
    bytes.freeze()
}

/// The same, read. In the older of its two forms there is no generation, and none at all means nothing.
pub(in crate::consumer) fn decode_previous(bytes: &[u8]) -> Result<(Share, i32), DecodeError> {
    if bytes.is_empty() {
        return Ok((Share::new(), -1));
    }
    let mut reader = Reader { bytes, at: 0 };
    let previous = reader.share("previous_assignment")?;
    let generation = if reader.at == bytes.len() { -1 } else { reader.i32("generation")? };
    Ok((previous, generation))
}

fn put_share(bytes: &mut BytesMut, share: &Share) {
    put_count(bytes, share.len());
    for (topic, partitions) in share {
        put_string(bytes, topic);
        put_count(bytes, partitions.len());
        for partition in partitions {
            bytes.put_i32(*partition);
        }
    }
}

fn put_count(bytes: &mut BytesMut, count: usize) {
    bytes.put_i32(i32::try_from(count).expect("a subscription lists fewer than 2^31 things: each takes bytes"));
}

fn put_string(bytes: &mut BytesMut, text: &str) {
    // Names longer than a Kafka string can say are refused when they are configured; a cut one fails at the broker.
    let size = text.len().min(32_767);
    bytes.put_i16(i16::try_from(size).unwrap_or(i16::MAX));
    bytes.put_slice(&text.as_bytes()[..size]);
}

/// Reads what somebody else wrote.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn refuse(&self, field: &str, reason: &str) -> DecodeError {
        DecodeError::new(self.at, reason).in_field(field)
    }

    fn take(&mut self, size: usize, field: &str) -> Result<&'a [u8], DecodeError> {
        match self.bytes.get(self.at..self.at.saturating_add(size)) {
            Some(taken) => {
                self.at += size;
                Ok(taken)
            }
            None => Err(self.refuse(field, "the message ends inside this field")),
        }
    }

    fn i16(&mut self, field: &str) -> Result<i16, DecodeError> {
        let mut number = [0; 2];
        number.copy_from_slice(self.take(2, field)?);
        Ok(i16::from_be_bytes(number))
    }

    fn i32(&mut self, field: &str) -> Result<i32, DecodeError> {
        let mut number = [0; 4];
        number.copy_from_slice(self.take(4, field)?);
        Ok(i32::from_be_bytes(number))
    }

    fn version(&mut self) -> Result<i16, DecodeError> {
        match self.i16("version")? {
            version if version < 0 => Err(self.refuse("version", "a negative version")),
            version => Ok(version),
        }
    }

    /// The size of an array whose elements take at least `element_bytes_min`: never more than can follow.
    fn count(&mut self, field: &str, element_bytes_min: usize) -> Result<usize, DecodeError> {
        let left = self.bytes.len().saturating_sub(self.at + 4);
        match usize::try_from(self.i32(field)?) {
            Ok(count) if count <= left / element_bytes_min => Ok(count),
            Ok(_) => Err(self.refuse(field, "more elements than bytes are left for")),
            Err(_) => Err(self.refuse(field, "a negative count")),
        }
    }

    fn nullable_string(&mut self, field: &str) -> Result<Option<Arc<str>>, DecodeError> {
        let size = self.i16(field)?;
        if size == -1 {
            return Ok(None);
        }
        let size = usize::try_from(size).map_err(|_| self.refuse(field, "a string of negative length"))?;
        let text = self.take(size, field)?;
        match std::str::from_utf8(text) {
            Ok(text) => Ok(Some(Arc::from(text))),
            Err(_) => Err(self.refuse(field, "a string that is not UTF-8")),
        }
    }

    fn string(&mut self, field: &str) -> Result<Arc<str>, DecodeError> {
        self.nullable_string(field)?.ok_or_else(|| self.refuse(field, "null where a string must be"))
    }

    fn user_data(&mut self) -> Result<Option<&'a [u8]>, DecodeError> {
        match self.i32("user_data")? {
            -1 => Ok(None),
            size => {
                let size = usize::try_from(size).map_err(|_| self.refuse("user_data", "bytes of negative length"))?;
                self.take(size, "user_data").map(Some)
            }
        }
    }

    /// Topics with partitions. Repeated topics are joined, repeated partitions count once.
    fn share(&mut self, field: &str) -> Result<Share, DecodeError> {
        let mut share = Share::new();
        for _ in 0..self.count(field, 6)? {
            let topic = self.string(field)?;
            let partitions = share.entry(topic).or_default();
            for _ in 0..self.count(field, 4)? {
                let partition = self.i32(field)?;
                if partition < 0 {
                    return Err(self.refuse(field, "a negative partition"));
                }
                partitions.push(partition);
            }
            partitions.sort_unstable();
            partitions.dedup();
        }
        share.retain(|_, partitions| !partitions.is_empty());
        Ok(share)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tidemill_protocol::messages::{ConsumerProtocolAssignment, ConsumerProtocolSubscription};
    use tidemill_protocol::{Decodable, Encodable};

    use super::*;

    fn subscription() -> Subscription {
        Subscription {
            topics: vec![Arc::from("orders"), Arc::from("clicks")],
            owned: Share::from([(Arc::from("orders"), vec![0, 2])]),
            generation: 4,
            rack: Some(Arc::from("east")),
            user_data: Some(Bytes::from_static(b"mine")),
        }
    }

    #[test]
    fn a_subscription_reads_back_and_reads_as_kafkas_own() {
        let bytes = subscription().encode();
        assert_eq!(Subscription::decode(&bytes).unwrap(), subscription());
        let theirs = ConsumerProtocolSubscription::decode(&mut bytes.slice(2..), 3).unwrap();
        assert_eq!(theirs.topics.len(), 2);
        assert_eq!(theirs.owned_partitions[0].partitions, [0, 2]);
        assert_eq!((theirs.generation_id, theirs.rack_id.as_deref()), (4, Some("east")));
    }

    #[test]
    fn subscriptions_of_every_older_version_are_read() {
        for version in 0..=3 {
            let theirs = ConsumerProtocolSubscription::default().with_topics(vec!["orders".into()]);
            let mut bytes = BytesMut::new();
            bytes.put_i16(version);
            theirs.encode(&mut bytes, version).unwrap();
            let ours = Subscription::decode(&bytes).unwrap();
            assert_eq!(ours.topics, [Arc::from("orders")]);
            assert_eq!(ours.generation, -1);
        }
    }

    #[test]
    fn an_assignment_reads_back_and_reads_as_kafkas_own() {
        let share = Share::from([(Arc::from("clicks"), vec![1]), (Arc::from("orders"), vec![0, 2])]);
        let bytes = encode_assignment(&share);
        assert_eq!(decode_assignment(&bytes).unwrap(), share);
        let theirs = ConsumerProtocolAssignment::decode(&mut bytes.slice(2..), 3).unwrap();
        assert_eq!(theirs.assigned_partitions[1].partitions, [0, 2]);
    }

    #[test]
    fn what_a_sticky_member_had_reads_back_with_and_without_its_generation() {
        let share = Share::from([(Arc::from("t"), vec![1, 2])]);
        let bytes = encode_previous(&share, 7);
        // As Kafka's schema has it: an array of (topic, array of partitions), then the generation.
        assert_eq!(&*bytes, b"\0\0\0\x01\0\x01t\0\0\0\x02\0\0\0\x01\0\0\0\x02\0\0\0\x07");
        assert_eq!(decode_previous(&bytes).unwrap(), (share.clone(), 7));
        assert_eq!(decode_previous(&bytes[..bytes.len() - 4]).unwrap(), (share, -1));
        assert_eq!(decode_previous(&[]).unwrap(), (Share::new(), -1));
    }

    #[test]
    fn no_assignment_is_an_empty_one() {
        assert_eq!(decode_assignment(&[]).unwrap(), Share::new());
    }

    #[test]
    fn a_count_beyond_the_bytes_is_refused_before_it_is_allocated() {
        let error = Subscription::decode(&[0, 3, 0x7f, 0xff, 0xff, 0xff, 0, 0]).unwrap_err();
        assert_eq!(error.field, "topics");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Subscription::decode(&bytes);
            let _ = decode_assignment(&bytes);
        }

        #[test]
        fn a_message_cut_anywhere_is_refused(cut in 0_usize..1000) {
            let bytes = subscription().encode();
            let cut = cut % bytes.len();
            prop_assert!(Subscription::decode(&bytes[..cut]).is_err());
        }
    }
}
