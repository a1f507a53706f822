//! `ApiVersions` 0-4 (KIP-35, KIP-511): what this broker speaks, read off the table of handlers.
//!
//! A version that is not spoken is answered in version 0 with `UNSUPPORTED_VERSION` and the range of ApiVersions itself.
//! No features are listed, so clients take every feature to be at level 0.

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::header;
use tidemill_protocol::messages::api_versions_response::ApiVersion;
use tidemill_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use tidemill_protocol::{ApiKey, ErrorCode};

use super::{APIS, Api};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 4);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: ApiVersionsRequest = request.decode()?;
    let mut response = ApiVersionsResponse::default().with_finalized_features_epoch(-1);
    if request.version >= 3
        && !(is_software_name(&body.client_software_name) && is_software_name(&body.client_software_version))
    {
        response.error_code = ErrorCode::INVALID_REQUEST.0;
    } else {
        cluster.session(request.caller.connection)?.versions_said();
        response.api_keys = APIS.iter().map(range).collect();
    }
    request.reply::<ApiVersionsRequest>(&response)
}

/// The answer to a version of ApiVersions that is not spoken.
pub(super) fn refuse_version(request: &Request<'_>) -> Result<Outcome, Refused> {
    let own = APIS.iter().filter(|api| api.key == ApiKey::API_VERSIONS).map(range).collect();
    let response = ApiVersionsResponse::default().with_error_code(ErrorCode::UNSUPPORTED_VERSION.0).with_api_keys(own);
    Ok(Outcome::Reply(header::encode_response::<ApiVersionsRequest>(&response, 0, request.correlation_id)?))
}

/// librdkafka compresses only where the broker says that it knows Produce 0; like Kafka 4, which does not know it either,
/// this says so (KAFKA-18659).
fn range(api: &Api) -> ApiVersion {
    let min = if api.key == ApiKey::PRODUCE { 0 } else { api.versions.min };
    ApiVersion::default().with_api_key(api.key.0).with_min_version(min).with_max_version(api.versions.max)
}

/// Kafka's pattern: letters and digits, with `-` and `.` inside.
fn is_software_name(name: &str) -> bool {
    let is_inside = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    let is_edge = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    is_edge(name.bytes().next()) && is_edge(name.bytes().last()) && name.bytes().all(is_inside)
}
