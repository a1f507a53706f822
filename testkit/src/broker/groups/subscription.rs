//! Which topics a consumer says it reads: the head of Kafka's `ConsumerProtocolSubscription`, which members hand to each
//! other and the coordinator looks into only to keep offsets of topics that are being read.

use bytes::{Buf, Bytes};

/// The topics; `None` when this is not a subscription.
pub(super) fn topics(metadata: &Bytes) -> Option<Vec<String>> {
    let mut rest = metadata.clone();
    let version = rest.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = rest.try_get_i32().ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let length = usize::try_from(rest.try_get_i16().ok()?).ok()?;
        if rest.len() < length {
            return None;
        }
        topics.push(std::str::from_utf8(&rest.split_to(length)).ok()?.to_owned());
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

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
