//! The APIs: one file each, and the table of them.
//!
//! A handler takes a [`Request`], decodes its body in the version it came in, and replies, or leaves its token with who
//! will reply later. What a handler leaves out against Kafka stands at the head of its file.

mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_topics;
mod delete_groups;
mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_topic_partitions;
pub(super) mod fetch;
mod find_coordinator;
mod heartbeat;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
mod list_offsets;
mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub(super) mod produce;
mod sync_group;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, StrBytes};

use super::{Cluster, Outcome, Refused, Request};

/// One API: which versions are spoken, and who handles it.
struct Api {
    key: ApiKey,
    versions: VersionRange,
    handle: fn(&mut Cluster, &Request<'_>) -> Result<Outcome, Refused>,
}

/// Lists the files of the handlers, each of which has its `VERSIONS` and its `handle`.
macro_rules! apis {
    ($($key:ident: $file:ident,)*) => {
        /// Every API this broker speaks, in the order of their numbers. ApiVersions says exactly this.
        const APIS: &[Api] = &[$(Api { key: ApiKey::$key, versions: $file::VERSIONS, handle: $file::handle },)*];
    };
}

apis! {
    PRODUCE: produce,
    FETCH: fetch,
    LIST_OFFSETS: list_offsets,
    METADATA: metadata,
    OFFSET_COMMIT: offset_commit,
    OFFSET_FETCH: offset_fetch,
    FIND_COORDINATOR: find_coordinator,
    JOIN_GROUP: join_group,
    HEARTBEAT: heartbeat,
    LEAVE_GROUP: leave_group,
    SYNC_GROUP: sync_group,
    DESCRIBE_GROUPS: describe_groups,
    LIST_GROUPS: list_groups,
    API_VERSIONS: api_versions,
    CREATE_TOPICS: create_topics,
    DELETE_TOPICS: delete_topics,
    INIT_PRODUCER_ID: init_producer_id,
    OFFSET_FOR_LEADER_EPOCH: offset_for_leader_epoch,
    DESCRIBE_CONFIGS: describe_configs,
    DELETE_GROUPS: delete_groups,
    OFFSET_DELETE: offset_delete,
    DESCRIBE_CLUSTER: describe_cluster,
    CONSUMER_GROUP_HEARTBEAT: consumer_group_heartbeat,
    CONSUMER_GROUP_DESCRIBE: consumer_group_describe,
    DESCRIBE_TOPIC_PARTITIONS: describe_topic_partitions,
}

/// Runs the handler of an API.
///
/// # Errors
/// When the API or the version is not spoken, or the body is not what the version says. Kafka then closes the
/// connection; only ApiVersions is answered in any version (KIP-511).
pub(super) fn handle(cluster: &mut Cluster, key: ApiKey, request: &Request<'_>) -> Result<Outcome, Refused> {
    let Some(api) = APIS.iter().find(|api| api.key == key) else {
        return Err(Refused(format!("{key} is not spoken")));
    };
    if !(api.versions.min..=api.versions.max).contains(&request.version) {
        if key == ApiKey::API_VERSIONS {
            return api_versions::refuse_version(request);
        }
        return Err(Refused(format!("{key} v{} is not spoken", request.version)));
    }
    (api.handle)(cluster, request)
}

/// Text for an answer.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}
