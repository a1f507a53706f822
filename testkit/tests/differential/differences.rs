//! The differences that stay, each with its reason and no wider than it is: what was asked, and what both said. What is not in
//! this list makes a test fail, and so does what is in it and was not seen in a long run.
//!
//! Not asked at all, because Kafka 4.3.1 never answers, or the brokers would go on differently:
//! - AlterConfigs with a resource twice, Produce with unknown acks and null records, WriteTxnMarkers without topics: no answer;
//! - JoinGroup of consumers whose metadata is no subscription: `UNKNOWN_SERVER_ERROR`, or no answer;
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
];

/// Lists whose order says nothing: Kafka has them in hash maps, or its threads are not in one order.
const UNORDERED: &[(ApiKey, &str)] = &[];

/// Whether the order of a list says nothing.
pub(crate) fn is_unordered(api: ApiKey, path: &str) -> bool {
    UNORDERED.contains(&(api, path))
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
