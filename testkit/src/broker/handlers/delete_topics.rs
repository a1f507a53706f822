//! `DeleteTopics` 1-6 (KIP-4, KIP-516): removes topics, by name, or by id from version 6 on.
//!
//! Gone at once; what waits for their records is answered with `UNKNOWN_TOPIC_OR_PARTITION` or `UNKNOWN_TOPIC_ID`.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::delete_topics_request::DeleteTopicState;
use tidemill_protocol::messages::delete_topics_response::DeletableTopicResult;
use tidemill_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};
use uuid::Uuid;

use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(1, 6);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DeleteTopicsRequest = request.decode()?;
    let by_name = body.topic_names.into_iter().map(|name| DeleteTopicState::default().with_name(Some(name)));
    let results = by_name.chain(body.topics).map(|topic| delete(cluster, topic)).collect();
    request.reply::<DeleteTopicsRequest>(&DeleteTopicsResponse::default().with_responses(results))
}

fn delete(cluster: &mut Cluster, topic: DeleteTopicState) -> DeletableTopicResult {
    let id = topic.name.is_none().then_some(topic.topic_id);
    let found = cluster.topics.find(topic.name.as_ref().map_or("", |name| &name.0), id);
    let result = DeletableTopicResult::default().with_error_message(None);
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
