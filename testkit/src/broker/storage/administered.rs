//! What administrators have set, beside topics: rules, users, quotas, and settings of brokers and groups. Each is a value
//! of its own, so that one that changes costs what it is large, not what all of them are.
//!
//! A further kind is one line in each of the three methods.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Damage, Entries, Entry, UNKNOWN};
use crate::broker::Cluster;
use crate::broker::acls::{Acl, Operation, PatternType, Permission, ResourceType};
use crate::broker::credentials::{ScramCredential, ScramHash};
use crate::broker::quotas::Entity;
use crate::broker::settings::Owner;
use crate::broker::watched::Watched;

const ACL: &str = "acl";
const SCRAM: &str = "scram";
const QUOTA: &str = "quota";
const SETTINGS: &str = "settings";

impl Cluster {
    /// Remembers from now on which of them change.
    pub(super) fn watch_administered(&mut self) {
        self.acls.acls.watch();
        self.credentials.altered.watch();
        self.quotas.quotas.watch();
        self.settings.set.watch();
    }

    /// Adds those that have changed since the last call.
    pub(super) fn take_changed_administered(&mut self, changed: &mut Entries) {
        take(&mut self.acls.acls, ACL, acl_name, |()| Value::Bool(true), changed);
        take(&mut self.credentials.altered, SCRAM, user_name, keep_user, changed);
        take(&mut self.quotas.quotas, QUOTA, |entity| json!(entity).to_string(), keep_quotas, changed);
        take(&mut self.settings.set, SETTINGS, Owner::name, |set| json!(set), changed);
    }

    /// Puts back one that was kept under this name.
    pub(super) fn restore_administered(&mut self, kind: &str, name: &str, kept: Entry<'_>) -> Result<(), Damage> {
        match kind {
            ACL => self.acls.apply_created(acl(name)?),
            SCRAM => {
                let (user, hash) = user(name)?;
                let credential = if kept.is_false() { None } else { Some(ScramCredential::restore(kept)?) };
                self.credentials.altered.insert((user, hash), credential);
            }
            QUOTA => {
                let entity: Entity = serde_json::from_str(name).map_err(|error| error.to_string())?;
                for (key, value) in kept.fields().ok_or("quotas are no object")? {
                    let value = value.as_text().and_then(|value| value.parse().ok());
                    self.quotas.apply(&entity, key, Some(value.ok_or_else(|| format!("{key} is no number"))?));
                }
            }
            SETTINGS => self.restore_settings(name, kept)?,
            _ => return Err(UNKNOWN.to_owned()),
        }
        Ok(())
    }
}

/// Adds what has changed in a map, each value under its kind and name.
fn take<K: Ord + Clone, V>(
    map: &mut Watched<K, V>,
    kind: &str,
    name: impl Fn(&K) -> String,
    keep: impl Fn(&V) -> Value,
    changed: &mut Entries,
) {
    for key in map.take_changed() {
        changed.insert(format!("{kind}/{}", name(&key)), map.get(&key).map_or(Value::Null, &keep));
    }
}

/// All that a rule says is its name.
fn acl_name(acl: &Acl) -> String {
    let (kind, pattern) = (acl.resource_type.code(), acl.pattern.code());
    let (operation, permission) = (acl.operation.code(), acl.permission.code());
    json!([kind, acl.name, pattern, acl.principal, acl.host, operation, permission]).to_string()
}

fn acl(name: &str) -> Result<Acl, Damage> {
    let parts: (i8, String, i8, String, String, i8, i8) =
        serde_json::from_str(name).map_err(|error| error.to_string())?;
    let (kind, name, pattern, principal, host, operation, permission) = parts;
    Ok(Acl {
        resource_type: ResourceType::from_code(kind).ok_or("it is about an unknown kind of resource")?,
        name,
        pattern: PatternType::from_code(pattern).ok_or("its pattern is unknown")?,
        principal,
        host,
        operation: Operation::from_code(operation).ok_or("its operation is unknown")?,
        permission: Permission::from_code(permission).ok_or("its permission is unknown")?,
    })
}

fn user_name((user, hash): &(String, ScramHash)) -> String {
    format!("{}/{user}", hash.code())
}

fn user(name: &str) -> Result<(String, ScramHash), Damage> {
    let (hash, user) = name.split_once('/').ok_or("there is no hash")?;
    let hash = hash.parse().ok().and_then(ScramHash::from_code).ok_or("its hash is unknown")?;
    Ok((user.to_owned(), hash))
}

/// False stands for one that was removed though the cluster is started with it.
fn keep_user(credential: &Option<ScramCredential>) -> Value {
    credential.as_ref().map_or(Value::Bool(false), ScramCredential::keep)
}

/// As text, because JSON has no infinity.
fn keep_quotas(quotas: &BTreeMap<String, f64>) -> Value {
    quotas.iter().map(|(key, value)| (key.clone(), Value::from(value.to_string()))).collect()
}
