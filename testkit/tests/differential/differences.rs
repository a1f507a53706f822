//! The differences that stay, each with its reason and no wider than it is: what was asked, and what both said. What is not in
//! this list makes a test fail, and so does what is in it and was not seen in a long run.
//!
//! Not asked at all, because Kafka 4.3.1 never answers, or the brokers would go on differently:
//! - AlterConfigs with a resource twice, WriteTxnMarkers without topics: no answer;
//! - JoinGroup of consumers whose metadata is no subscription: `UNKNOWN_SERVER_ERROR`, or no answer;
//! - JoinGroup with a protocol twice: counted twice, so that later joins of anyone are refused, fail or are not answered;
//! - settings of brokers and groups, which all sequences share;
//! - WriteTxnMarkers, which is for brokers.

use tidemill_protocol::ApiKey;

use crate::answer::Difference;
use crate::side::Said;

/// A difference that stays.
pub(crate) struct Known {
    pub(crate) api: ApiKey,
    /// The field, without numbers of elements.
    pub(crate) path: &'static str,
    /// Whether it was asked for by this request, in words.
    pub(crate) when: fn(&str) -> bool,
    /// Whether it is this that we and Kafka said there.
    pub(crate) said: fn(&str, &str) -> bool,
    /// Whether the brokers go on differently behind it, so that a sequence ends there.
    pub(crate) parts: bool,
    pub(crate) reason: &'static str,
}

/// All that is known.
pub(crate) const KNOWN: &[Known] = &[
    Known {
        api: ApiKey::DESCRIBE_CONFIGS,
        path: "results.configs.documentation",
        when: |request| request.contains("include_documentation: true"),
        said: |ours, theirs| ours == "None" && theirs.starts_with('"'),
        parts: false,
        reason: "what a setting means is said in Kafka's own words, which are not ours to copy",
    },
    Known {
        api: ApiKey::ADD_PARTITIONS_TO_TXN,
        path: "",
        when: |request| request.starts_with("transactions: 0"),
        said: |ours, theirs| ours.contains("results_by_transaction: []") && theirs == "waits",
        parts: false,
        reason: "Kafka never answers a request about no transaction; ours says there is nothing to say",
    },
    Known {
        api: ApiKey::CONSUMER_GROUP_HEARTBEAT,
        path: "error_message",
        when: |request| request.contains("subscribed_topic_regex: \"(\""),
        said: |ours, theirs| ours.contains("unclosed group") && theirs.contains("missing closing )"),
        parts: false,
        reason: "what is wrong with a pattern is said by the library that reads it, which is RE2 in Kafka",
    },
    Known {
        api: ApiKey::DESCRIBE_TOPIC_PARTITIONS,
        path: "next_cursor",
        when: |request| request.contains("partition_index: 2147483647"),
        said: |ours, theirs| ours == "None" && theirs.contains("partition_index: -21474"),
        parts: false,
        reason: "Kafka counts from the cursor beyond what its numbers hold",
    },
    Known {
        api: ApiKey::JOIN_GROUP,
        path: "leader",
        when: |_| true,
        said: |ours, theirs| [ours, theirs].iter().all(|leader| leader.starts_with("<member ")),
        parts: true,
        reason: "who leads after the leader has left, Kafka takes from a hash map by ids that it draws; here it is the oldest",
    },
    Known {
        api: ApiKey::PRODUCE,
        path: "",
        when: |request| request.contains("records: null"),
        said: |ours, theirs| ours.contains("error_code") && theirs == "waits",
        parts: true,
        reason: "Kafka never answers null records beside others or with acks it does not know; ours are refused",
    },
];

/// Lists whose order says nothing: Kafka has them in hash maps, or its threads are not in one order.
const UNORDERED: &[(ApiKey, &str)] = &[
    (ApiKey::ADD_PARTITIONS_TO_TXN, "results_by_topic_v3_and_below"),
    (ApiKey::ADD_PARTITIONS_TO_TXN, "results_by_topic_v3_and_below.results_by_partition"),
    (ApiKey::ADD_PARTITIONS_TO_TXN, "results_by_transaction"),
    (ApiKey::ADD_PARTITIONS_TO_TXN, "results_by_transaction.topic_results"),
    (ApiKey::ADD_PARTITIONS_TO_TXN, "results_by_transaction.topic_results.results_by_partition"),
    (ApiKey::ALTER_CLIENT_QUOTAS, "entries"),
    (ApiKey::ALTER_CLIENT_QUOTAS, "entries.entity"),
    (ApiKey::DESCRIBE_CLIENT_QUOTAS, "entries"),
    (ApiKey::DESCRIBE_CLIENT_QUOTAS, "entries.entity"),
    (ApiKey::DESCRIBE_CLIENT_QUOTAS, "entries.values"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups.members.subscribed_topic_names"),
    (ApiKey::ALTER_CONFIGS, "responses"),
    (ApiKey::ALTER_USER_SCRAM_CREDENTIALS, "results"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups.members"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups.members.assignment.topic_partitions"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups.members.assignment.topic_partitions.partitions"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups.members.target_assignment.topic_partitions"),
    (ApiKey::CONSUMER_GROUP_DESCRIBE, "groups.members.target_assignment.topic_partitions.partitions"),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, "assignment.topic_partitions"),
    (ApiKey::CONSUMER_GROUP_HEARTBEAT, "assignment.topic_partitions.partitions"),
    (ApiKey::CREATE_PARTITIONS, "results"),
    (ApiKey::DELETE_GROUPS, "results"),
    (ApiKey::DELETE_RECORDS, "topics"),
    (ApiKey::DELETE_RECORDS, "topics.partitions"),
    // Kafka shuffles them.
    (ApiKey::DELETE_TOPICS, "responses"),
    (ApiKey::DESCRIBE_CONFIGS, "results.configs"),
    (ApiKey::DESCRIBE_GROUPS, "groups"),
    (ApiKey::DESCRIBE_GROUPS, "groups.members"),
    (ApiKey::DESCRIBE_LOG_DIRS, "results.topics"),
    (ApiKey::DESCRIBE_LOG_DIRS, "results.topics.partitions"),
    (ApiKey::DESCRIBE_TRANSACTIONS, "transaction_states.topics"),
    (ApiKey::DESCRIBE_TRANSACTIONS, "transaction_states.topics.partitions"),
    (ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, "results"),
    // In a hash map whose order is another in every process.
    (ApiKey::DESCRIBE_USER_SCRAM_CREDENTIALS, "results.credential_infos"),
    (ApiKey::JOIN_GROUP, "members"),
    (ApiKey::LIST_GROUPS, "groups"),
    (ApiKey::LIST_OFFSETS, "topics"),
    (ApiKey::LIST_OFFSETS, "topics.partitions"),
    (ApiKey::LIST_TRANSACTIONS, "transaction_states"),
    (ApiKey::LIST_TRANSACTIONS, "unknown_state_filters"),
    (ApiKey::METADATA, "topics"),
    (ApiKey::PRODUCE, "responses"),
    (ApiKey::PRODUCE, "responses.partition_responses"),
];

/// Whether the order of a list says nothing.
pub(crate) fn is_unordered(api: ApiKey, path: &str, request: &str) -> bool {
    // All that a group has committed; what is asked for by name is told in the order of the request.
    let is_of_all = api == ApiKey::OFFSET_FETCH && request.contains("topics: null");
    UNORDERED.contains(&(api, path))
        || is_of_all && ["topics", "topics.partitions", "groups.topics", "groups.topics.partitions"].contains(&path)
}

/// The place in the list of what explains a difference.
pub(crate) fn explained(asked: &Said, difference: &Difference) -> Option<usize> {
    KNOWN.iter().position(|known| {
        known.api == asked.api
            && known.path == difference.path
            && (known.when)(&asked.request)
            && (known.said)(&difference.ours, &difference.theirs)
    })
}
