//! `AlterConfigs` 0-2 (KIP-133): gives a topic, a broker or a group these settings and no others. [`incremental_alter_configs`] changes single
//! ones.
//!
//! [`incremental_alter_configs`]: super::incremental_alter_configs

use std::collections::BTreeMap;

use tidemill_protocol::StrBytes;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::alter_configs_request::AlterConfigsResource;
use tidemill_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use tidemill_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::describe_configs::TOPIC;
use super::incremental_alter_configs::{apply, authorize, check_once_and_there, check_settings, owner, topic_settings};
use crate::broker::topics::TopicError;
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 2);

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: AlterConfigsRequest = request.decode()?;
    let mut responses = Vec::with_capacity(body.resources.len());
    for resource in &body.resources {
        let altered = alter(cluster, request, resource, body.validate_only);
        let response = AlterConfigsResourceResponse::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone());
        responses.push(match altered {
            Ok(()) => response.with_error_message(None),
            Err(error) => {
                response.with_error_code(error.code.0).with_error_message(Some(StrBytes::from_string(error.message)))
            }
        });
    }
    request.reply::<AlterConfigsRequest>(&AlterConfigsResponse::default().with_responses(responses))
}

fn alter(
    cluster: &mut Cluster,
    request: &Request<'_>,
    resource: &AlterConfigsResource,
    validate_only: bool,
) -> Result<(), TopicError> {
    let name = &*resource.resource_name;
    let set = resource.configs.iter().map(|config| (&*config.name, config.value.is_none()));
    check_once_and_there(set)?;
    authorize(cluster, request, resource.resource_type, name)?;
    let owner = owner(resource.resource_type, name, request.caller.node_id)?;
    if owner.is_none() {
        if resource.resource_type == TOPIC {
            let set = resource.configs.iter().filter_map(|config| Some((&*config.name, config.value.as_deref()?)));
            check_settings(name, set)?;
        }
        topic_settings(cluster, resource.resource_type, name)?;
    }
    let settings: BTreeMap<String, String> = resource
        .configs
        .iter()
        .filter_map(|config| Some(((*config.name).to_owned(), (**config.value.as_ref()?).to_owned())))
        .collect();
    let Some(owner) = owner else { return apply(cluster, name, &settings, validate_only) };
    cluster.check_settings(&owner, &settings)?;
    if !validate_only {
        cluster.set_settings(owner, settings);
    }
    Ok(())
}
