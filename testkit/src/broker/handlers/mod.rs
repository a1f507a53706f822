//! The APIs: one file each, and the table of them.
//!
//! A handler takes a [`Request`], decodes its body in the version it came in, and replies, or leaves its token with who
//! will reply later. What a handler leaves out against Kafka stands at the head of its file.

mod api_versions;

use tidemill_protocol::ApiKey;
use tidemill_protocol::api::VersionRange;

use super::{Broker, Outcome, Refused, Request};

/// One API: which versions are spoken, and who handles it.
pub(super) struct Api {
    key: ApiKey,
    versions: VersionRange,
    handle: fn(&mut Broker, &Request<'_>) -> Result<Outcome, Refused>,
}

/// Every API this broker speaks, in the order of their numbers. ApiVersions says exactly this.
const APIS: &[Api] =
    &[Api { key: ApiKey::API_VERSIONS, versions: api_versions::VERSIONS, handle: api_versions::handle }];

/// Runs the handler of an API.
///
/// # Errors
/// When the API or the version is not spoken, or the body is not what the version says. Kafka then closes the
/// connection; only ApiVersions is answered in any version (KIP-511).
pub(super) fn handle(broker: &mut Broker, key: ApiKey, request: &Request<'_>) -> Result<Outcome, Refused> {
    let Some(api) = APIS.iter().find(|api| api.key == key) else {
        return Err(Refused(format!("{key} is not spoken")));
    };
    if !(api.versions.min..=api.versions.max).contains(&request.version) {
        if key == ApiKey::API_VERSIONS {
            return api_versions::refuse_version(request);
        }
        return Err(Refused(format!("{key} v{} is not spoken", request.version)));
    }
    (api.handle)(broker, request)
}
