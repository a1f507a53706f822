//! The differences that stay, each with its reason. What is not in this list makes a test fail, and so does what is in it
//! and was not seen in a long run.
//!
//! Not asked at all, because the brokers would go on differently:
//! - what Kafka 4.3.1 never answers: AlterConfigs with a resource twice, Produce with unknown acks and null records,
//!   WriteTxnMarkers without topics, and JoinGroup of consumers whose metadata is no subscription (it is answered with
//!   `UNKNOWN_SERVER_ERROR`, or by nothing);
//! - OffsetCommit with a topic twice, which Kafka answers in one piece only if it refuses it;
//! - DescribeTopicPartitions with a cursor at a topic that is not asked for;
//! - an empty `cleanup.policy`, which Kafka takes;
//! - settings of brokers, groups and what does not exist;
//! - WriteTxnMarkers, which is for brokers.

use tidemill_protocol::ApiKey;

use crate::answer::Difference;

/// A difference that stays.
pub(crate) struct Known {
    pub(crate) api: ApiKey,
    /// The field, without numbers of elements.
    pub(crate) path: &'static str,
    /// What stands there; `*` is anything.
    pub(crate) ours: &'static str,
    pub(crate) theirs: &'static str,
    /// Whether the brokers go on differently behind it, so that a sequence ends there.
    pub(crate) parts: bool,
    pub(crate) reason: &'static str,
}

/// All that is known.
pub(crate) const KNOWN: &[Known] = &[
    known(
        ApiKey::ADD_PARTITIONS_TO_TXN,
        "results_by_topic_v3_and_below.results_by_partition",
        "*",
        "*",
        true,
        "Kafka answers a partition that stands there twice once, if one is not there",
    ),
    known(
        ApiKey::ADD_PARTITIONS_TO_TXN,
        "results_by_transaction.topic_results",
        "*",
        "*",
        true,
        "Kafka answers a partition that stands there twice once, if one is not there",
    ),
    known(
        ApiKey::CONSUMER_GROUP_HEARTBEAT,
        "assignment.topic_partitions",
        "*",
        "*",
        true,
        "Kafka's group coordinator hears of topics later than who asks for them",
    ),
    known(
        ApiKey::DESCRIBE_CONFIGS,
        "results.configs.documentation",
        "None",
        "*",
        false,
        "what a setting means is said in Kafka's own words",
    ),
    known(
        ApiKey::ALTER_CONFIGS,
        "responses.error_code",
        "*",
        "*",
        true,
        "of several faults of settings, another is told: Kafka looks for doubles first, and sets before it looks for the topic",
    ),
    known(
        ApiKey::ALTER_CONFIGS,
        "responses.error_message",
        "*",
        "*",
        true,
        "of several faults of settings, Kafka's hash map tells another",
    ),
    known(ApiKey::ALTER_CONFIGS, "", "*", "waits", true, "Kafka never answers a resource that stands there twice"),
    known(
        ApiKey::INCREMENTAL_ALTER_CONFIGS,
        "responses.error_code",
        "*",
        "*",
        true,
        "of several faults of settings, another is told",
    ),
    known(
        ApiKey::INCREMENTAL_ALTER_CONFIGS,
        "responses.error_message",
        "*",
        "*",
        true,
        "of several faults of settings, Kafka's hash map tells another",
    ),
    known(ApiKey::CREATE_TOPICS, "topics.error_code", "*", "*", true, "of several faults of a topic, another is told"),
    known(
        ApiKey::CREATE_TOPICS,
        "topics.error_message",
        "*",
        "*",
        true,
        "of several faults of a topic, another is told, or in other words",
    ),
    known(
        ApiKey::FETCH,
        "responses.partitions.error_code",
        "100",
        "3",
        true,
        "a session whose topic was deleted says so by name",
    ),
    known(
        ApiKey::FETCH,
        "responses.partitions.error_code",
        "*",
        "-1",
        true,
        "Kafka fails over an isolation level that there is not",
    ),
    known(ApiKey::FETCH, "error_code", "0", "-1", true, "Kafka fails over an isolation level that there is not"),
    known(
        ApiKey::LIST_OFFSETS,
        "topics.partitions.error_code",
        "*",
        "-1",
        true,
        "Kafka fails over an isolation level that there is not",
    ),
    known(
        ApiKey::LIST_OFFSETS,
        "topics.partitions",
        "*",
        "*",
        true,
        "Kafka fails over an isolation level that there is not, for a partition as often as it stands there",
    ),
    known(ApiKey::OFFSET_COMMIT, "topics", "*", "*", true, "topics without partitions are answered only by us"),
    known(
        ApiKey::TXN_OFFSET_COMMIT,
        "topics",
        "*",
        "*",
        true,
        "Kafka answers a topic that stands there twice in one piece",
    ),
    known(
        ApiKey::ADD_PARTITIONS_TO_TXN,
        "results_by_topic_v3_and_below",
        "*",
        "*",
        true,
        "Kafka answers topics in as many pieces as there were, if it refuses all",
    ),
    known(ApiKey::ADD_PARTITIONS_TO_TXN, "", "*", "waits", true, "Kafka never answers a request about no transaction"),
    known(
        ApiKey::PRODUCE,
        "responses.partition_responses.error_code",
        "0",
        "87",
        true,
        "Kafka judges also the batches of a partition that it then does not write",
    ),
    known(
        ApiKey::PRODUCE,
        "responses.partition_responses.error_code",
        "19",
        "0",
        true,
        "Kafka takes fewer in-sync replicas than wanted where there are no more",
    ),
    known(
        ApiKey::PRODUCE,
        "responses.partition_responses.record_errors.batch_index_error_message",
        "*",
        "*",
        true,
        "which times are allowed is said in Kafka's words",
    ),
    known(ApiKey::DELETE_GROUPS, "results", "*", "*", true, "Kafka answers a group that stands there twice once"),
    known(ApiKey::ALTER_PARTITION_REASSIGNMENTS, "error_message", "None", "\"\"", true, "no words are null here"),
];

const fn known(
    api: ApiKey,
    path: &'static str,
    ours: &'static str,
    theirs: &'static str,
    parts: bool,
    reason: &'static str,
) -> Known {
    Known { api, path, ours, theirs, parts, reason }
}

/// The place in the list of what explains a difference.
pub(crate) fn explained(api: ApiKey, difference: &Difference) -> Option<usize> {
    let is = |pattern: &str, text: &str| pattern == "*" || pattern == text;
    KNOWN.iter().position(|known| {
        known.api == api
            && known.path == difference.path
            && is(known.ours, &difference.ours)
            && is(known.theirs, &difference.theirs)
    })
}
