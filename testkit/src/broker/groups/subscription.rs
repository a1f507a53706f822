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

/// Why it cannot be read: Kafka takes one for the member's fault, and stumbles over the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unreadable {
    /// It ends within a number, or is of a version before the first.
    EndsEarly,
    /// It says that more of something follows than there are bytes, or nothing where something has to be.
    Lengths,
}

type Read<T> = Result<T, Unreadable>;

/// The topics; `None` when this is not a subscription.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut rest = metadata.clone();
    version(&mut rest).ok()?;
    topic_names(&mut rest).ok()
}

/// All of a subscription.
///
/// # Errors
/// When it is none.
pub(super) fn subscription(metadata: &Bytes) -> Read<Subscription> {
    let mut rest = metadata.clone();
    let version = version(&mut rest)?;
    let mut read = Subscription { topics: topic_names(&mut rest)?, ..Subscription::default() };
    user_data(&mut rest)?;
    if version >= 1 {
        read.owned = partitions(&mut rest)?;
    }
    if version >= 2 {
        number(&mut rest)?;
    }
    if version >= 3 {
        read.rack = text(&mut rest)?;
    }
    Ok(read)
}

/// Kafka's `ConsumerProtocolAssignment`: the partitions, and whether there is something else in it.
///
/// # Errors
/// When it is none.
pub(super) fn assignment(bytes: &Bytes) -> Read<(PartitionsByName, bool)> {
    let mut rest = bytes.clone();
    version(&mut rest)?;
    let partitions = partitions(&mut rest)?;
    let data = user_data(&mut rest)?;
    Ok((partitions, data > 0))
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

fn version(rest: &mut Bytes) -> Read<i16> {
    rest.try_get_i16().ok().filter(|version| *version >= 0).ok_or(Unreadable::EndsEarly)
}

fn number(rest: &mut Bytes) -> Read<i32> {
    rest.try_get_i32().map_err(|_| Unreadable::EndsEarly)
}

/// How many of something follow, each of which has at least one byte.
fn count(rest: &mut Bytes) -> Read<usize> {
    let count = usize::try_from(number(rest)?).map_err(|_| Unreadable::Lengths)?;
    if count > rest.len() { Err(Unreadable::Lengths) } else { Ok(count) }
}

fn topic_names(rest: &mut Bytes) -> Read<Vec<String>> {
    (0..count(rest)?).map(|_| text(rest)?.ok_or(Unreadable::Lengths)).collect()
}

fn partitions(rest: &mut Bytes) -> Read<PartitionsByName> {
    let mut read = Vec::new();
    for _ in 0..count(rest)? {
        let topic = text(rest)?.ok_or(Unreadable::Lengths)?;
        let numbers = (0..count(rest)?).map(|_| number(rest)).collect::<Read<Vec<i32>>>()?;
        read.push((topic, numbers));
    }
    Ok(read)
}

/// How many bytes of it there are.
fn user_data(rest: &mut Bytes) -> Read<usize> {
    let length = usize::try_from(number(rest)?).unwrap_or_default();
    if rest.len() < length {
        return Err(Unreadable::Lengths);
    }
    rest.advance(length);
    Ok(length)
}

/// Text that may be null.
fn text(rest: &mut Bytes) -> Read<Option<String>> {
    let length = rest.try_get_i16().map_err(|_| Unreadable::EndsEarly)?;
    let Ok(length) = usize::try_from(length) else { return Ok(None) };
    if rest.len() < length {
        return Err(Unreadable::Lengths);
    }
    Ok(Some(String::from_utf8_lossy(&rest.split_to(length)).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assignment_is_read_as_it_was_written() {
        let partitions = vec![("a".to_owned(), vec![0, 2]), ("bc".to_owned(), vec![])];
        let written = write_assignment(&Bytes::from_static(b"\0\x01"), &partitions);
        assert_eq!(written[..2], [0, 1], "in the version of the subscription");
        assert_eq!(assignment(&written), Ok((partitions, false)));
        for length in 0..written.len() {
            assert!(assignment(&written.slice(..length)).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_subscription_says_what_is_owned_and_where() {
        let bytes = b"\0\x03\0\0\0\x01\0\x01a\0\0\0\x01x\0\0\0\x01\0\x01a\0\0\0\x01\0\0\0\x07\0\0\0\x05\0\x01r";
        let read = subscription(&Bytes::from_static(bytes)).unwrap();
        assert_eq!((read.topics, read.owned), (vec!["a".to_owned()], vec![("a".to_owned(), vec![7])]));
        assert_eq!(read.rack.as_deref(), Some("r"));
        for length in 0..bytes.len() {
            assert!(subscription(&Bytes::from_static(&bytes[..length])).is_err(), "{length} bytes");
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
