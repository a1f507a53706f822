//! `DescribeUserScramCredentials` 0 (KIP-554): by which SCRAM mechanisms users are known.

use std::collections::BTreeMap;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use tidemill_protocol::messages::{DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::credentials::ScramHash;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeUserScramCredentialsRequest = request.decode()?;
    let users = body.users.unwrap_or_default();
    if let Err(code) = request.authorize(cluster, Operation::Describe, Resource::Cluster) {
        // Each is refused, none by its name.
        let result = DescribeUserScramCredentialsResult::default().with_error_code(code.0);
        let results = vec![result.with_error_message(None); users.len()];
        let response = DescribeUserScramCredentialsResponse::default().with_error_code(code.0);
        let response = response.with_error_message(None).with_results(results);
        return request.reply::<DescribeUserScramCredentialsRequest>(&response);
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for user in &users {
        *times.entry(&user.name).or_default() += 1;
    }
    if users.is_empty() {
        times.extend(cluster.credentials.all_scram().map(|(user, ..)| (user, 1)));
    }
    let results = times.into_iter().map(|(user, times)| describe(cluster, user, times));
    let response = DescribeUserScramCredentialsResponse::default();
    request.reply::<DescribeUserScramCredentialsRequest>(&response.with_results(results.collect()))
}

fn describe(cluster: &Cluster, user: &str, times: usize) -> DescribeUserScramCredentialsResult {
    let result = DescribeUserScramCredentialsResult::default().with_user(text(user));
    let refuse = |code: ErrorCode, message: &str| {
        result
            .clone()
            .with_error_code(code.0)
            .with_error_message(Some(StrBytes::from_string(format!("{message}{user}"))))
    };
    if times > 1 {
        let message = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
        return refuse(ErrorCode::DUPLICATE_RESOURCE, message);
    }
    let known = [ScramHash::Sha256, ScramHash::Sha512].into_iter();
    let known = known.filter_map(|hash| Some((hash, cluster.credentials.scram(user, hash)?)));
    let infos: Vec<CredentialInfo> = known
        .map(|(hash, credential)| {
            let iterations = i32::try_from(credential.iterations).unwrap_or(i32::MAX);
            CredentialInfo::default().with_mechanism(hash.code()).with_iterations(iterations)
        })
        .collect();
    if infos.is_empty() {
        return refuse(ErrorCode::RESOURCE_NOT_FOUND, "Attempt to describe a user credential that does not exist: ");
    }
    result.with_credential_infos(infos)
}
