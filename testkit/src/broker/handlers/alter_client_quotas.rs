//! `AlterClientQuotas` 0-1 (KIP-546): sets and removes quotas.

use std::collections::BTreeMap;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::alter_client_quotas_request::EntryData as Wanted;
use tidemill_protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use tidemill_protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::text;
use crate::broker::acls::Operation;
use crate::broker::authorization::Resource;
use crate::broker::quotas::{Entity, check_entity, check_value};
use crate::broker::{Cluster, Outcome, Refused, Request};

pub(super) const VERSIONS: VersionRange = VersionRange::new(0, 1);

/// Whether somebody's quotas are set, or why not.
type Checked = Result<(), (ErrorCode, String)>;

pub(super) fn handle(cluster: &mut Cluster, request: &Request<'_>) -> Result<Outcome, Refused> {
    let body: AlterClientQuotasRequest = request.decode()?;
    let refused = request.authorize(cluster, Operation::AlterConfigs, Resource::Cluster).err();
    // Who stands there twice is answered once.
    let mut answers: Vec<(Entity, Checked)> = Vec::new();
    let mut places: BTreeMap<Entity, usize> = BTreeMap::new();
    let mut changes = Vec::new();
    for wanted in &body.entries {
        let entity = entity(wanted);
        let before = places.get(&entity).copied();
        let checked = match refused {
            Some(code) => Err((code, "Cluster authorization failed.".to_owned())),
            None => check(wanted, &entity, before.is_some()).map_err(|it| (ErrorCode::INVALID_REQUEST, it)),
        };
        let answer = checked.map(|values| changes.push((entity.clone(), values)));
        match before.and_then(|before| answers.get_mut(before)).filter(|_| refused.is_none()) {
            Some(before) => before.1 = answer,
            None => {
                places.insert(entity.clone(), answers.len());
                answers.push((entity, answer));
            }
        }
    }
    if !body.validate_only {
        for (entity, values) in &changes {
            values.iter().for_each(|(key, value)| cluster.quotas.apply(entity, key, *value));
        }
    }
    let entries = answers.into_iter().map(|(entity, answer)| {
        let name = |(kind, name): (String, Option<String>)| {
            EntityData::default().with_entity_type(text(&kind)).with_entity_name(name.as_deref().map(text))
        };
        let entry = EntryData::default().with_entity(entity.into_iter().map(name).collect());
        match answer {
            Ok(()) => entry.with_error_message(None),
            Err((code, message)) => {
                entry.with_error_code(code.0).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    });
    let response = AlterClientQuotasResponse::default().with_entries(entries.collect());
    request.reply::<AlterClientQuotasRequest>(&response)
}

fn entity(wanted: &Wanted) -> Entity {
    let named = |name: &StrBytes| (**name).to_owned();
    wanted.entity.iter().map(|part| (named(&part.entity_type), part.entity_name.as_ref().map(named))).collect()
}

/// Names in the order of a Java hash map that was made for all of them, each where it stands first.
fn in_hash_order<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let (mut once, mut count): (Vec<&str>, u32) = (Vec::new(), 0);
    for name in names {
        count = count.saturating_add(1);
        if !once.contains(&name) {
            once.push(name);
        }
    }
    let mut places = u64::from(count).next_power_of_two();
    while u64::try_from(once.len()).unwrap_or(u64::MAX) > places * 3 / 4 {
        places *= 2;
    }
    once.sort_by_key(|name| {
        let hash = name.encode_utf16().fold(0_u32, |hash, it| hash.wrapping_mul(31).wrapping_add(u32::from(it)));
        u64::from(hash ^ (hash >> 16)) & (places - 1)
    });
    once
}

/// The values to set, or, without one, to remove.
fn check(wanted: &Wanted, entity: &Entity, again: bool) -> Result<BTreeMap<String, Option<f64>>, String> {
    let shown = || {
        let name = |kind: &str| {
            let name = entity.get(kind).and_then(Option::as_deref);
            format!("{kind}={}", name.unwrap_or("null"))
        };
        let kinds = in_hash_order(wanted.entity.iter().map(|part| &*part.entity_type));
        format!("ClientQuotaEntity(entries={{{}}})", kinds.into_iter().map(name).collect::<Vec<_>>().join(", "))
    };
    let mut values = BTreeMap::new();
    let mut twice = again;
    for op in &wanted.ops {
        let value = (!op.remove).then_some(op.value);
        twice |= values.insert((*op.key).to_owned(), value).is_some();
    }
    if twice {
        // A key that stands there twice is answered so too.
        return Err(format!("Ignoring duplicate entity {}", shown()));
    }
    check_entity(entity)?;
    // Of several faults the first is told.
    for key in in_hash_order(wanted.ops.iter().map(|op| &*op.key)) {
        // What is removed need not be known.
        values.get(key).copied().flatten().map_or(Ok(()), |value| check_value(entity, key, value))?;
    }
    Ok(values)
}
