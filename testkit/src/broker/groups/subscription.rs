//! What classic consumers hand to each other: Kafka's `ConsumerProtocolSubscription` and `ConsumerProtocolAssignment`. The
//! coordinator looks into them to keep offsets of topics that are being read, and when a group changes its protocol.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Partitions, by the names of their topics.
pub(super) type PartitionsByName = Vec<(String, Vec<i32>)>;

/// What a consumer says of itself in JoinGroup.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Subscription {
    pub(super) topics: Vec<String>,
    /// The partitions that it owns, since version 1.
    pub(super) owned: PartitionsByName,
    pub(super) rack: Option<String>,
}

/// The topics; `None` when this is not a subscription.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut rest = metadata.clone();
    if version(&mut rest)? < 0 {
        return None;
    }
    topic_names(&mut rest)
}

/// All of a subscription; `None` when it is none.
pub(super) fn subscription(metadata: &Bytes) -> Option<Subscription> {
    let mut rest = metadata.clone();
    let version = version(&mut rest)?;
    if version < 0 {
        return None;
    }
    let mut read = Subscription { topics: topic_names(&mut rest)?, ..Subscription::default() };
    user_data(&mut rest)?;
    if version >= 1 {
        read.owned = partitions(&mut rest)?;
    }
    if version >= 2 {
        rest.try_get_i32().ok()?;
    }
    if version >= 3 {
        read.rack = text(&mut rest)?;
    }
    Some(read)
}

/// Kafka's `ConsumerProtocolAssignment`: the partitions, and whether there is something else in it.
pub(super) fn assignment(bytes: &Bytes) -> Option<(PartitionsByName, bool)> {
    let mut rest = bytes.clone();
    if version(&mut rest)? < 0 {
        return None;
    }
    let partitions = partitions(&mut rest)?;
    let data = user_data(&mut rest)?;
    Some((partitions, data > 0))
}

/// An assignment in the version of a member's subscription.
pub(super) fn write_assignment(metadata: &Bytes, partitions: &[(String, Vec<i32>)]) -> Bytes {
    // As far as Kafka has versions.
    let version = version(&mut metadata.clone()).unwrap_or_default().clamp(0, 3);
    let length = |length: usize| i32::try_from(length).unwrap_or(i32::MAX);
    let mut bytes = BytesMut::new();
    bytes.put_i16(version);
    bytes.put_i32(length(partitions.len()));
    for (topic, numbers) in partitions {
        bytes.put_i16(i16::try_from(topic.len()).unwrap_or(i16::MAX));
        bytes.put_slice(topic.as_bytes());
        bytes.put_i32(length(numbers.len()));
        numbers.iter().for_each(|number| bytes.put_i32(*number));
    }
    // No data of users.
    bytes.put_i32(-1);
    bytes.freeze()
}

fn version(rest: &mut Bytes) -> Option<i16> {
    rest.try_get_i16().ok()
}

fn topic_names(rest: &mut Bytes) -> Option<Vec<String>> {
    let count = rest.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        topics.push(text(rest)??);
    }
    Some(topics)
}

fn partitions(rest: &mut Bytes) -> Option<PartitionsByName> {
    let count = rest.try_get_i32().ok()?;
    let mut read = Vec::new();
    for _ in 0..count {
        let topic = text(rest)??;
        let count = rest.try_get_i32().ok()?;
        let mut numbers = Vec::new();
        for _ in 0..count {
            numbers.push(rest.try_get_i32().ok()?);
        }
        read.push((topic, numbers));
    }
    Some(read)
}

/// How many bytes of it there are.
fn user_data(rest: &mut Bytes) -> Option<usize> {
    let length = usize::try_from(rest.try_get_i32().ok()?).unwrap_or_default();
    if rest.len() < length {
        return None;
    }
    rest.advance(length);
    Some(length)
}

/// Text that may be null.
fn text(rest: &mut Bytes) -> Option<Option<String>> {
    let Ok(length) = usize::try_from(rest.try_get_i16().ok()?) else { return Some(None) };
    if rest.len() < length {
        return None;
    }
    Some(Some(std::str::from_utf8(&rest.split_to(length)).ok()?.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_it_was_written() {
        let partitions = vec![("a".to_owned(), vec![0, 2]), ("bc".to_owned(), vec![])];
        let written = write_assignment(&Bytes::from_static(b"\0\x01"), &partitions);
        assert_eq!(written[..2], [0, 1], "in the version of the subscription");
        assert_eq!(assignment(&written), Some((partitions, false)));
        for length in 0..written.len() {
            assert_eq!(assignment(&written.slice(..length)), None, "{length} bytes");
        }
    }

    #[test]
    fn a_subscription_says_what_is_owned_and_where() {
        let bytes = b"\0\x03\0\0\0\x01\0\x01a\0\0\0\x01x\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x07\0\0\0\x05\0\x01r";
        let read = subscription(&Bytes::from_static(bytes)).unwrap();
        assert_eq!((read.topics, read.owned), (vec!["a".to_owned()], vec![("a".to_owned(), vec![7])]));
        assert_eq!(read.rack.as_deref(), Some("r"));
        for length in 0..bytes.len() {
            assert_eq!(subscription(&Bytes::from_static(&bytes[..length])), None, "{length} bytes");
        }
    }

    #[test]
    fn topics_are_read_and_nothing_else_is_believed() {
        let subscription = b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(topics(&Bytes::from_static(subscription)).unwrap(), ["a", "bc"]);
        for length in 0..12 {
            assert_eq!(topics(&Bytes::from_static(&subscription[..length])), None, "{length} bytes");
        }
        assert_eq!(topics(&Bytes::from_static(b"\0\0\x7f\xff\xff\xff\0\x01a")), None);
        assert_eq!(topics(&Bytes::from_static(b"range")), None);
    }
}
