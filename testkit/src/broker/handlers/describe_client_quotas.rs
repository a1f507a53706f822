//! `DescribeClientQuotas` 0-1 (KIP-546): the quotas of those that a filter means.

use std::collections::{BTreeMap, BTreeSet};

use tidemill_protocol::ErrorCode;
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::describe_client_quotas_request::ComponentData;
use tidemill_protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use tidemill_protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::{text, text_or_null};
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::quotas::{CLIENT_ID, Entity, IP, USER};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

const EXACT: i8 = 0;
const DEFAULT: i8 = 1;
const SPECIFIED: i8 = 2;

/// Whom a filter means: some by their names or as all others, some whatever they are called.
#[derive(Default)]
struct Wanted<'a> {
    named: BTreeMap<&'a str, Option<&'a str>>,
    any: BTreeSet<&'a str>,
    strict: bool,
}

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: DescribeClientQuotasRequest = request.decode()?;
    let authorized = request.authorize(cluster, Operation::DescribeConfigs, Resource::Cluster);
    let wanted = authorized.map_err(|code| (code, String::new())).and_then(|()| read(&body.components, body.strict));
    let response = DescribeClientQuotasResponse::default();
    let response = match wanted {
        Ok(wanted) => {
            let found = cluster.quotas.iter().filter(|(entity, _)| wanted.means(entity));
            response.with_entries(Some(found.map(describe).collect()))
        }
        Err((code, message)) => {
            response.with_error_code(code.0).with_error_message(text_or_null(message)).with_entries(None)
        }
    };
    request.reply::<DescribeClientQuotasRequest>(&response)
}

fn read(components: &[ComponentData], strict: bool) -> Result<Wanted<'_>, (ErrorCode, String)> {
    let refuse = |message: String| Err((ErrorCode::INVALID_REQUEST, message));
    let mut wanted = Wanted { strict, ..Wanted::default() };
    for component in components {
        let kind = &*component.entity_type;
        if kind.is_empty() {
            return refuse("Invalid empty entity type.".to_owned());
        }
        if wanted.has(kind) {
            return refuse(format!("Entity type {kind} cannot appear more than once in the filter."));
        }
        if ![USER, CLIENT_ID, IP].contains(&kind) {
            return Err((ErrorCode::UNSUPPORTED_VERSION, format!("Unsupported entity type {kind}")));
        }
        match (component.match_type, component._match.as_deref()) {
            (EXACT, Some(name)) => {
                wanted.named.insert(kind, Some(name));
            }
            (EXACT, None) => {
                return refuse("Request specified MATCH_TYPE_EXACT, but set match string to null.".to_owned());
            }
            (DEFAULT, None) => {
                wanted.named.insert(kind, None);
            }
            (SPECIFIED, None) => {
                wanted.any.insert(kind);
            }
            (kind @ (DEFAULT | SPECIFIED), Some(_)) => {
                let kind = if kind == DEFAULT { "MATCH_TYPE_DEFAULT" } else { "MATCH_TYPE_SPECIFIED" };
                return refuse(format!("Request specified {kind}, but also specified a match string."));
            }
            (kind, _) => return refuse(format!("Unknown match type {kind}")),
        }
    }
    if wanted.has(IP) && (wanted.has(USER) || wanted.has(CLIENT_ID)) {
        return refuse(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component."
                .to_owned(),
        );
    }
    Ok(wanted)
}

impl Wanted<'_> {
    fn has(&self, kind: &str) -> bool {
        self.named.contains_key(kind) || self.any.contains(kind)
    }

    fn means(&self, entity: &Entity) -> bool {
        let as_many = entity.len() == self.named.len() + self.any.len();
        (!self.strict || as_many)
            && self.named.iter().all(|(kind, name)| entity.get(*kind).is_some_and(|it| it.as_deref() == *name))
            && self.any.iter().all(|kind| entity.contains_key(*kind))
    }
}

fn describe((entity, values): (&Entity, &BTreeMap<String, f64>)) -> EntryData {
    let entity = entity.iter().map(|(kind, name)| {
        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.as_deref().map(text))
    });
    let values = values.iter().map(|(key, value)| ValueData::default().with_key(text(key)).with_value(*value));
    EntryData::default().with_entity(entity.collect()).with_values(values.collect())
}
