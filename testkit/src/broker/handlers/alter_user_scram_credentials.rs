//! `AlterUserScramCredentials` 0 (KIP-554): what SCRAM knows of users is set or removed.
//!
//! Passwords come salted; of these only keys are kept. Of a user that stands there twice nothing is changed.

use std::collections::BTreeMap;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use tidemill_protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use tidemill_protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::{NEEDS_ALTER, Resource};
use crate::broker::credentials::{ITERATIONS_MAX, ITERATIONS_MIN, ScramCredential, ScramHash};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 0);

type Error = (ErrorCode, &'static str);

/// What becomes of a user.
type Change = Result<(ScramHash, Option<ScramCredential>), Error>;

const TWICE: Error = (ErrorCode::DUPLICATE_RESOURCE, "A user credential cannot be altered twice in the same request");

/// Java has no key without bytes.
const NO_KEY: Error = (ErrorCode::UNKNOWN_SERVER_ERROR, "");

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: AlterUserScramCredentialsRequest = request.decode()?;
    let mut changes: BTreeMap<&str, Change> = BTreeMap::new();
    let deletions = body.deletions.iter().map(|deletion| (&*deletion.name, check_deletion(cluster, deletion)));
    let upsertions = body.upsertions.iter().map(|upsertion| (&*upsertion.name, check_upsertion(upsertion)));
    for (name, change) in deletions.chain(upsertions) {
        // What was wrong first is said; only in the end Kafka finds that it makes no key of a password.
        let wrong = |before: &Change| before.as_ref().err().copied().filter(|it| it.0 != NO_KEY.0);
        changes.entry(name).and_modify(|before| *before = Err(wrong(before).unwrap_or(TWICE))).or_insert(change);
    }
    if let Err(code) = request.authorize(cluster, Operation::Alter, Resource::Cluster) {
        changes.values_mut().for_each(|change| *change = Err((code, NEEDS_ALTER)));
    }
    let mut results = Vec::with_capacity(changes.len());
    for (name, change) in changes {
        let result = AlterUserScramCredentialsResult::default().with_user(text(name));
        results.push(match change {
            Ok((hash, credential)) => {
                cluster.credentials.apply_scram(name, hash, credential);
                result.with_error_message(None)
            }
            Err((code, message)) => {
                let message = Some(message).filter(|message| !message.is_empty());
                result.with_error_code(code.0).with_error_message(message.map(StrBytes::from_static_str))
            }
        });
    }
    let response = AlterUserScramCredentialsResponse::default().with_results(results);
    request.reply::<AlterUserScramCredentialsRequest>(&response)
}

fn check(name: &str, mechanism: i8) -> Result<ScramHash, Error> {
    if name.is_empty() {
        return Err((ErrorCode::UNACCEPTABLE_CREDENTIAL, "Username must not be empty"));
    }
    ScramHash::from_code(mechanism).ok_or((ErrorCode::UNSUPPORTED_SASL_MECHANISM, "Unknown SCRAM mechanism"))
}

fn check_deletion(cluster: &Cluster, deletion: &ScramCredentialDeletion) -> Change {
    let hash = check(&deletion.name, deletion.mechanism)?;
    if cluster.credentials.scram(&deletion.name, hash).is_none() {
        let message = "Attempt to delete a user credential that does not exist";
        return Err((ErrorCode::RESOURCE_NOT_FOUND, message));
    }
    Ok((hash, None))
}

fn check_upsertion(upsertion: &ScramCredentialUpsertion) -> Change {
    let hash = check(&upsertion.name, upsertion.mechanism)?;
    let iterations = u32::try_from(upsertion.iterations).unwrap_or_default();
    if iterations < ITERATIONS_MIN {
        return Err((ErrorCode::UNACCEPTABLE_CREDENTIAL, "Too few iterations"));
    }
    if iterations > ITERATIONS_MAX {
        return Err((ErrorCode::UNACCEPTABLE_CREDENTIAL, "Too many iterations"));
    }
    if upsertion.salted_password.is_empty() {
        return Err(NO_KEY);
    }
    // Copied, so that the rest of the frame, with the password, is not kept.
    let salt = bytes::Bytes::copy_from_slice(&upsertion.salt);
    Ok((hash, Some(ScramCredential::new(hash, salt, iterations, &upsertion.salted_password))))
}
