//! `DeleteTopics` 1-6 (KIP-4, KIP-516): removes topics, by name, or by id from version 6 on.
//!
//! Gone at once; what waits for their records is answered with `UNKNOWN_TOPIC_OR_PARTITION` or `UNKNOWN_TOPIC_ID`.

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
    let by_name = body.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let results = by_name.chain(body.topics).map(|topic| delete(cluster, topic, request)).collect();
    request.reply::<DeleteTopicsRequest>(&DeleteTopicsResponse::default().with_responses(results))
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
