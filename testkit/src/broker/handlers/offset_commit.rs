//! `OffsetCommit` 2-9 (KIP-98, KIP-345, KIP-848): a group's next offsets to read.
//!
//! Version 10, with ids of topics, is not spoken: its request has no message struct. Retention times are not looked at.

use std::collections::BTreeMap;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::OffsetCommitRequest;
use tidemill_protocol::messages::offset_commit_request::OffsetCommitRequestTopic;

use super::group_access;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(2, 9);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let mut body: OffsetCommitRequest = request.decode()?;
    body.topics = by_topic(body.topics);
    let refused = group_access::take_refused_commits(cluster, request, &mut body);
    let (groups, around) = cluster.groups(request);
    let mut response = groups.handle_commit(&body, request.version, &around);
    response.topics.extend(refused);
    request.reply::<OffsetCommitRequest>(&response)
}

/// A topic that stands there several times is answered once, with all its partitions.
fn by_topic(topics: Vec<OffsetCommitRequestTopic>) -> Vec<OffsetCommitRequestTopic> {
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut once: Vec<OffsetCommitRequestTopic> = Vec::with_capacity(topics.len());
    for topic in topics {
        let place = *places.entry(topic.name.0.to_string()).or_insert(once.len());
        match once.get_mut(place) {
            Some(known) => known.partitions.extend(topic.partitions),
            None => once.push(topic),
        }
    }
    once
}
