//! `DeleteTopics` 1-6 (KIP-4, KIP-516): removes topics, by name, or by id from version 6 on.
//!
//! Gone at once; what waits for their records is answered with `UNKNOWN_TOPIC_OR_PARTITION` or `UNKNOWN_TOPIC_ID`.

use std::collections::BTreeMap;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::delete_topics_response::DeletableTopicResult;
use tidemill_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};
use uuid::Uuid;

use crate::broker::acls::Operation;
use crate::broker::authorization::{Resource, words};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 6);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DeleteTopicsRequest = request.decode()?;
    let (wanted, mut results) = sort_out(cluster, body);
    results.extend(wanted.into_iter().map(|topic| delete(cluster, topic, request)).collect::<Vec<_>>());
    request.reply::<DeleteTopicsRequest>(&DeleteTopicsResponse::default().with_responses(results))
}

/// What can be deleted, and what is refused because it is said twice, or not rightly.
fn sort_out(cluster: &Cluster, body: DeleteTopicsRequest) -> (Vec<DeleteTopicState>, Vec<DeletableTopicResult>) {
    let by_name = body.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let refuse = |topic: DeleteTopicState, words| {
        DeletableTopicResult::default()
            .with_name(topic.name)
            .with_topic_id(topic.topic_id)
            .with_error_code(ErrorCode::INVALID_REQUEST.0)
            .with_error_message(Some(StrBytes::from_static_str(words)))
    };
    let mut results = Vec::new();
    let mut times: BTreeMap<(Option<String>, Uuid), u32> = BTreeMap::new();
    let mut wanted: Vec<DeleteTopicState> = Vec::new();
    for topic in by_name.chain(body.topics) {
        match (&topic.name, topic.topic_id.is_nil()) {
            (None, true) => results.push(refuse(topic, "Neither topic name nor id were specified.")),
            (Some(_), false) => results.push(refuse(topic, "You may not specify both topic name and topic id.")),
            (Some(_), true) | (None, false) => {
                let times =
                    times.entry((topic.name.as_ref().map(|name| name.0.to_string()), topic.topic_id)).or_default();
                *times += 1;
                if *times == 1 {
                    wanted.push(topic);
                }
            }
        }
    }
    // Names first: an id that comes with its name as well is answered once, by the name.
    wanted.sort_by_key(|topic| topic.name.is_some());
    let mut good = Vec::new();
    for topic in wanted {
        let name = topic.name.as_ref().map(|name| name.0.to_string());
        // A name whose id is said as well.
        let id = name.as_deref().and_then(|name| cluster.topics.by_name(name)).map(|topic| topic.id);
        match (times.get(&(name, topic.topic_id)), id.filter(|id| times.contains_key(&(None, *id)))) {
            (Some(2..), _) => {
                let words = if topic.name.is_some() { "Duplicate topic name." } else { "Duplicate topic id." };
                results.push(refuse(topic, words));
            }
            (_, Some(id)) => {
                let words = "The provided topic name maps to an ID that was already supplied.";
                good.retain(|topic: &DeleteTopicState| topic.topic_id != id);
                results.push(refuse(topic.with_topic_id(id), words));
            }
            (_, None) => good.push(topic),
        }
    }
    (good, results)
}

fn delete(cluster: &mut Cluster, topic: DeleteTopicState, request: &Request<'_>) -> DeletableTopicResult {
    let id = topic.name.is_none().then_some(topic.topic_id);
    let found = cluster.topics.find(topic.name.as_ref().map_or("", |name| &name.0), id);
    let result = DeletableTopicResult::default().with_error_message(None);
    let name = match (&topic.name, found) {
        (Some(name), _) => Some(name.clone()),
        (None, Ok(found)) => Some(found.name.clone()),
        (None, Err(_)) => None,
    };
    if let Some(name) = name
        && !request.may(cluster, Operation::Delete, Resource::Cluster)
    {
        let may = |operation| request.may(cluster, operation, Resource::Topic(&name.0));
        // Who may look at it is told that it is not there, or whose the id is.
        let told = if may(Operation::Describe) { topic.name.is_none() || found.is_ok() } else { true };
        if told && !may(Operation::Delete) {
            let code = ErrorCode::TOPIC_AUTHORIZATION_FAILED;
            let name = Some(name.clone()).filter(|_| topic.name.is_some() || may(Operation::Describe));
            return result
                .with_name(name)
                .with_topic_id(id.unwrap_or_default())
                .with_error_code(code.0)
                .with_error_message(Some(StrBytes::from_static_str(words(code))));
        }
    }
    match found.map(|found| (found.name.clone(), found.id)) {
        Ok((name, id)) => {
            cluster.delete_topic(&name.0);
            result.with_name(Some(name)).with_topic_id(id)
        }
        Err(code) => {
            let message = match code {
                ErrorCode::UNKNOWN_TOPIC_ID => "This server does not host this topic ID.",
                _ => "This server does not host this topic-partition.",
            };
            let id = if topic.name.is_some() { Uuid::nil() } else { topic.topic_id };
            result
                .with_name(topic.name)
                .with_topic_id(id)
                .with_error_code(code.0)
                .with_error_message(Some(StrBytes::from_static_str(message)))
        }
    }
}
