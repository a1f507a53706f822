//! The APIs: one file each, and the table of them.
//!
//! A handler takes a [`Request`], decodes its body in the version it came in, and replies, or leaves its token with who
//! will reply later. What a handler leaves out against Kafka stands at the head of its file.

mod add_offsets_to_txn;
mod add_partitions_to_txn;
mod alter_client_quotas;
mod alter_configs;
mod alter_partition_reassignments;
mod alter_user_scram_credentials;
mod api_versions;
mod consumer_group_describe;
mod consumer_group_heartbeat;
mod create_acls;
mod create_delegation_token;
mod create_partitions;
mod create_topics;
mod delete_acls;
mod delete_groups;
mod delete_records;
mod delete_topics;
mod describe_acls;
mod describe_client_quotas;
mod describe_cluster;
mod describe_configs;
mod describe_delegation_token;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
mod describe_transactions;
mod describe_user_scram_credentials;
mod elect_leaders;
mod end_txn;
mod expire_delegation_token;
pub(super) mod fetch;
mod find_coordinator;
mod group_access;
mod heartbeat;
mod incremental_alter_configs;
mod init_producer_id;
mod join_group;
mod leave_group;
mod list_config_resources;
mod list_groups;
mod list_offsets;
mod list_partition_reassignments;
mod list_transactions;
pub(super) mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub(super) mod produce;
mod renew_delegation_token;
pub(super) mod sasl_authenticate;
mod sasl_handshake;
mod sync_group;
mod txn_offset_commit;
mod write_txn_markers;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::TopicName;
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes};

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
    SASL_HANDSHAKE: sasl_handshake,
    API_VERSIONS: api_versions,
    CREATE_TOPICS: create_topics,
    DELETE_TOPICS: delete_topics,
    DELETE_RECORDS: delete_records,
    INIT_PRODUCER_ID: init_producer_id,
    OFFSET_FOR_LEADER_EPOCH: offset_for_leader_epoch,
    DESCRIBE_ACLS: describe_acls,
    CREATE_ACLS: create_acls,
    DELETE_ACLS: delete_acls,
    ADD_PARTITIONS_TO_TXN: add_partitions_to_txn,
    ADD_OFFSETS_TO_TXN: add_offsets_to_txn,
    END_TXN: end_txn,
    WRITE_TXN_MARKERS: write_txn_markers,
    TXN_OFFSET_COMMIT: txn_offset_commit,
    DESCRIBE_CONFIGS: describe_configs,
    ALTER_CONFIGS: alter_configs,
    DESCRIBE_LOG_DIRS: describe_log_dirs,
    SASL_AUTHENTICATE: sasl_authenticate,
    CREATE_PARTITIONS: create_partitions,
    CREATE_DELEGATION_TOKEN: create_delegation_token,
    RENEW_DELEGATION_TOKEN: renew_delegation_token,
    EXPIRE_DELEGATION_TOKEN: expire_delegation_token,
    DESCRIBE_DELEGATION_TOKEN: describe_delegation_token,
    DELETE_GROUPS: delete_groups,
    ELECT_LEADERS: elect_leaders,
    INCREMENTAL_ALTER_CONFIGS: incremental_alter_configs,
    ALTER_PARTITION_REASSIGNMENTS: alter_partition_reassignments,
    LIST_PARTITION_REASSIGNMENTS: list_partition_reassignments,
    OFFSET_DELETE: offset_delete,
    DESCRIBE_CLIENT_QUOTAS: describe_client_quotas,
    ALTER_CLIENT_QUOTAS: alter_client_quotas,
    DESCRIBE_USER_SCRAM_CREDENTIALS: describe_user_scram_credentials,
    ALTER_USER_SCRAM_CREDENTIALS: alter_user_scram_credentials,
    DESCRIBE_CLUSTER: describe_cluster,
    DESCRIBE_PRODUCERS: describe_producers,
    DESCRIBE_TRANSACTIONS: describe_transactions,
    LIST_TRANSACTIONS: list_transactions,
    CONSUMER_GROUP_HEARTBEAT: consumer_group_heartbeat,
    CONSUMER_GROUP_DESCRIBE: consumer_group_describe,
    LIST_CONFIG_RESOURCES: list_config_resources,
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
    if !cluster.playing.limited(key, api.versions).is_some_and(|spoken| spoken.contains(request.version)) {
        if key == ApiKey::API_VERSIONS {
            return api_versions::refuse_version(cluster, request);
        }
        return Err(Refused(format!("{key} v{} is not spoken", request.version)));
    }
    (api.handle)(cluster, request)
}

/// Text for an answer.
fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// The words of a refusal; where Kafka has none, its answer says null.
fn text_or_null(words: String) -> Option<StrBytes> {
    Some(words).filter(|words| !words.is_empty()).map(StrBytes::from_string)
}

/// `PRODUCER_FENCED`, which clients of the versions before this one do not know.
fn fenced_before(since: i16, version: i16, code: ErrorCode) -> ErrorCode {
    if version < since && code == ErrorCode::PRODUCER_FENCED { ErrorCode::INVALID_PRODUCER_EPOCH } else { code }
}

/// The name of a topic, for an answer.
fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}
