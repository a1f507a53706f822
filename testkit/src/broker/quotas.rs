//! Client quotas (KIP-546): how much users, clients and addresses may ask for. They are kept and described; nobody is
//! slowed down by them.

use std::collections::BTreeMap;

use super::watched::Watched;

/// Whom a quota is for: kinds of names, and which name. Without a name it is for all that have no quota of their own.
pub(crate) type Entity = BTreeMap<String, Option<String>>;

pub(crate) const USER: &str = "user";
pub(crate) const CLIENT_ID: &str = "client-id";
pub(crate) const IP: &str = "ip";

/// Every quota there is.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    pub(super) quotas: Watched<Entity, BTreeMap<String, f64>>,
}

/// What values a quota takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Long,
    Double,
}

impl Quotas {
    /// Sets a quota, or removes it.
    pub(crate) fn apply(&mut self, entity: &Entity, key: &str, value: Option<f64>) {
        let quotas = self.quotas.get_or_insert_with(entity.clone(), BTreeMap::new);
        match value {
            Some(value) => quotas.insert(key.to_owned(), value),
            None => quotas.remove(key),
        };
        if quotas.is_empty() {
            self.quotas.remove(entity);
        }
    }

    /// All of them, each with whom it is for.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&Entity, &BTreeMap<String, f64>)> {
        self.quotas.iter()
    }
}

/// Whether somebody like this may have quotas.
///
/// # Errors
/// Why not, in Kafka's words.
pub(crate) fn check_entity(entity: &Entity) -> Result<(), String> {
    if entity.is_empty() {
        return Err("Invalid empty client quota entity".to_owned());
    }
    for (kind, name) in entity {
        if ![USER, CLIENT_ID, IP].contains(&kind.as_str()) {
            return Err(format!("Unhandled client quota entity type: {kind}"));
        }
        if name.as_deref() == Some("") {
            return Err(format!("Empty {kind} not supported"));
        }
    }
    let Some(ip) = entity.get(IP) else { return Ok(()) };
    if entity.len() > 1 {
        // Kafka's words run together here too.
        let words = "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId";
        return Err(words.to_owned());
    }
    // Names of hosts are not looked up.
    let is_address = |ip: &str| ip == "localhost" || ip.parse::<std::net::IpAddr>().is_ok();
    match ip {
        Some(ip) if !is_address(ip) => Err(format!("{ip} is not a valid IP or resolvable host.")),
        Some(_) | None => Ok(()),
    }
}

/// Whether this quota of somebody may have this value.
///
/// # Errors
/// Why not, in Kafka's words.
pub(crate) fn check_value(entity: &Entity, key: &str, value: f64) -> Result<(), String> {
    let kind = match key {
        "connection_creation_rate" if entity.contains_key(IP) => Kind::Int,
        "producer_byte_rate" | "consumer_byte_rate" if !entity.contains_key(IP) => Kind::Long,
        "request_percentage" | "controller_mutation_rate" if !entity.contains_key(IP) => Kind::Double,
        _ => return Err(format!("Invalid configuration key {key}")),
    };
    if value <= 0.0 {
        return Err(format!("Quota {key} must be greater than 0"));
    }
    let (largest, name) = match kind {
        Kind::Double => return Ok(()),
        Kind::Int => (2_147_483_647.0, "an INT"),
        Kind::Long => (9_223_372_036_854_775_807.0, "a LONG"),
    };
    if value > largest {
        return Err(format!("Proposed value for {key} is too large for {name}."));
    }
    if (value % 1.0).abs() > 1e-6 {
        return Err(format!("{key} cannot be a fractional value."));
    }
    Ok(())
}
