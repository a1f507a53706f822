//! `ApiVersions` 0-4 (KIP-35, KIP-511, KIP-584): what this broker speaks, read off the table of handlers, and the features of
//! Kafka 4.3.
//!
//! A version that is not spoken is answered in version 0 with `UNSUPPORTED_VERSION` and the range of ApiVersions itself.
//! Of the features only the level of `transaction.version` can be chosen; that one is listed does not say that its APIs are
//! spoken.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::header;
use tidemill_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
use tidemill_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use tidemill_protocol::{ApiKey, ErrorCode, StrBytes};

use super::{APIS, Api};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 4);

/// Since this version a feature may be at level 0.
const LISTS_LEVEL_ZERO_SINCE: i16 = 4;

/// The feature whose level can be chosen.
const TRANSACTION_VERSION: &str = "transaction.version";

/// The features of Kafka 4.3.1: the lowest and the highest level that it knows, and the one a new cluster is at.
const FEATURES: [(&str, i16, i16, i16); 7] = [
    ("eligible.leader.replicas.version", 0, 1, 1),
    ("group.version", 0, 1, 1),
    ("kraft.version", 0, 1, 0),
    ("metadata.version", 7, 30, 30),
    ("share.version", 0, 1, 1),
    ("streams.version", 0, 1, 1),
    (TRANSACTION_VERSION, 0, 2, 2),
];

/// Counts the changes of features, of which there are none.
const FINALIZED_FEATURES_EPOCH: i64 = 1;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ApiVersionsRequest = request.decode()?;
    let mut response = ApiVersionsResponse::default();
    if request.version >= 3
        && !(is_software_name(&body.client_software_name) && is_software_name(&body.client_software_version))
    {
        response.error_code = ErrorCode::INVALID_REQUEST.0;
    } else {
        cluster.session(request.caller.connection)?.versions_said();
        response.api_keys = APIS.iter().filter_map(|api| range(cluster, api)).collect();
        response.finalized_features_epoch = FINALIZED_FEATURES_EPOCH;
        for (name, min, max, level) in FEATURES {
            let name = StrBytes::from_static_str(name);
            let level = if name.as_str() == TRANSACTION_VERSION { cluster.config.transaction_version } else { level };
            if level > 0 {
                let finalized = FinalizedFeatureKey::default().with_name(name.clone());
                response.finalized_features.push(finalized.with_min_version_level(level).with_max_version_level(level));
            }
            if min > 0 || request.version >= LISTS_LEVEL_ZERO_SINCE {
                let supported = SupportedFeatureKey::default().with_name(name);
                response.supported_features.push(supported.with_min_version(min).with_max_version(max));
            }
        }
    }
    request.reply::<ApiVersionsRequest>(&response)
}

/// The answer to a version of ApiVersions that is not spoken.
pub(super) fn refuse_version(cluster: &Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let own = APIS.iter().filter(|api| api.key == ApiKey::API_VERSIONS).filter_map(|api| range(cluster, api)).collect();
    let response = ApiVersionsResponse::default().with_error_code(ErrorCode::UNSUPPORTED_VERSION.0).with_api_keys(own);
    Ok(Outcome::Reply(header::encode_response::<ApiVersionsRequest>(&response, 0, request.correlation_id)?))
}

/// librdkafka compresses only where the broker says that it knows Produce 0; like Kafka 4, which does not know it either,
/// this says so (KAFKA-18659).
///
/// A script may leave fewer versions of an API, or none.
fn range(cluster: &Cluster, api: &Api) -> Option<ApiVersion> {
    let spoken = cluster.playing.limited(api.key, api.versions)?;
    let min = if api.key == ApiKey::PRODUCE && spoken == api.versions { 0 } else { spoken.min };
    Some(ApiVersion::default().with_api_key(api.key.0).with_min_version(min).with_max_version(spoken.max))
}

/// Kafka's pattern: letters and digits, with `-` and `.` inside.
fn is_software_name(name: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    is_edge(name.bytes().next()) && is_edge(name.bytes().last()) && name.bytes().all(is_inside)
}
