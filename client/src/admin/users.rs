//! Users: what brokers know of their passwords, and their quotas.
//!
//! Before: the application. After: [`driver`](super::driver) asks the controller, or any broker to describe. No password
//! leaves the process: what is sent is derived from it.
//!
//! Source: KIP-554 (SCRAM credentials), KIP-546 (quotas).

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use bytes::Bytes;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, pbkdf2};
use tidemill_protocol::api::VersionRange;
use tidemill_protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use tidemill_protocol::messages::alter_client_quotas_response::EntryData as AlteredQuotas;
use tidemill_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use tidemill_protocol::messages::describe_user_scram_credentials_response::DescribeUserScramCredentialsResult;
use tidemill_protocol::messages::{
    AlterClientQuotasRequest, AlterClientQuotasResponse, AlterUserScramCredentialsRequest,
    AlterUserScramCredentialsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse,
    DescribeUserScramCredentialsRequest, DescribeUserScramCredentialsResponse,
};

use super::call::{Answer, Route, accepted};
use super::driver::Exchange;
use super::names::numbers;
use super::{Admin, Outcomes, named, text};
use crate::error::Error;
use crate::security::Secret;

const SCRAM_VERSIONS: VersionRange = VersionRange::new(0, 0);
const QUOTAS_VERSIONS: VersionRange = VersionRange::new(0, 1);

numbers! {
    /// A mechanism of SCRAM.
    ScramMechanism {
        /// With SHA-256.
        SHA_256 = 1 "SCRAM-SHA-256";
        /// With SHA-512.
        SHA_512 = 2 "SCRAM-SHA-512";
    }
}

/// That a user has a password, for one mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScramCredential {
    /// The mechanism.
    pub mechanism: ScramMechanism,
    /// How many rounds it takes to derive the keys.
    pub iterations: i32,
}

/// A change of a user's password for one mechanism. `Debug` does not show it.
#[derive(Debug, Clone)]
pub struct ScramChange {
    user: String,
    mechanism: ScramMechanism,
    /// None takes it away.
    password: Option<Secret>,
    iterations: u32,
}

impl ScramChange {
    /// Gives a user a password, in place of the one it may have, with 4096 iterations.
    #[must_use]
    pub fn set(user: impl Into<String>, mechanism: ScramMechanism, password: impl Into<String>) -> Self {
        Self { user: user.into(), mechanism, password: Some(Secret::new(password)), iterations: 4096 }
    }

    /// Takes a user's password away.
    #[must_use]
    pub fn delete(user: impl Into<String>, mechanism: ScramMechanism) -> Self {
        Self { user: user.into(), mechanism, password: None, iterations: 0 }
    }

    /// How many rounds it takes to derive the keys, which slows those who guess. Brokers take 4096 to 16384. Default 4096.
    #[must_use]
    pub const fn iterations(mut self, iterations: u32) -> Self {
        self.iterations = iterations;
        self
    }

    /// Takes milliseconds.
    fn derive(&self) -> Result<Derived, Error> {
        let Some(password) = &self.password else { return Ok(Derived::Deletion) };
        let unusable = |reason: &str| Error::config(self.attempt()).with_detail(reason);
        let (algorithm, length) = match self.mechanism {
            ScramMechanism::SHA_256 => (pbkdf2::PBKDF2_HMAC_SHA256, digest::SHA256_OUTPUT_LEN),
            ScramMechanism::SHA_512 => (pbkdf2::PBKDF2_HMAC_SHA512, digest::SHA512_OUTPUT_LEN),
            other => return Err(unusable(&format!("there is no mechanism {other}"))),
        };
        // Beyond this brokers refuse, and deriving takes ever longer.
        let iterations = NonZeroU32::new(self.iterations).filter(|count| count.get() <= ITERATIONS_MAX);
        let iterations = iterations.ok_or_else(|| unusable("set iterations to 4096 to 16384"))?;
        let mut salt = [0; SALT_BYTES];
        SystemRandom::new().fill(&mut salt).map_err(|_| unusable("the system has no random numbers"))?;
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, iterations, &salt, password.expose().as_bytes(), &mut salted);
        Ok(Derived::Upsertion { salt: Bytes::copy_from_slice(&salt), salted: salted.into() })
    }

    fn attempt(&self) -> String {
        format!("changing the {} password of user '{}'", self.mechanism, self.user)
    }
}

const SALT_BYTES: usize = 24;
const ITERATIONS_MAX: u32 = 16_384;

/// What is sent in place of a password.
enum Derived {
    Deletion,
    Upsertion { salt: Bytes, salted: Bytes },
}

/// Whose quota it is: a user, a client id, both, or an address; by name, or all that have none of their own.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QuotaEntity {
    parts: BTreeMap<String, Option<String>>,
}

impl QuotaEntity {
    /// Of this user.
    #[must_use]
    pub fn user(self, name: impl Into<String>) -> Self {
        self.part("user", Some(name.into()))
    }

    /// Of all users that have no quota of their own.
    #[must_use]
    pub fn default_user(self) -> Self {
        self.part("user", None)
    }

    /// Of this `client.id`.
    #[must_use]
    pub fn client_id(self, name: impl Into<String>) -> Self {
        self.part("client-id", Some(name.into()))
    }

    /// Of all `client.id`s that have no quota of their own.
    #[must_use]
    pub fn default_client_id(self) -> Self {
        self.part("client-id", None)
    }

    /// Of this address (KIP-612).
    #[must_use]
    pub fn ip(self, address: impl Into<String>) -> Self {
        self.part("ip", Some(address.into()))
    }

    /// Of all addresses that have no quota of their own (KIP-612).
    #[must_use]
    pub fn default_ip(self) -> Self {
        self.part("ip", None)
    }

    /// Its parts: `user`, `client-id` or `ip`, and the name, or none for the default.
    pub fn parts(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.parts.iter().map(|(kind, name)| (&**kind, name.as_deref()))
    }

    fn part(mut self, kind: &str, name: Option<String>) -> Self {
        self.parts.insert(kind.to_owned(), name);
        self
    }
}

/// Changes of an entity's limits, such as `producer_byte_rate` in bytes per second.
#[derive(Debug, Clone, PartialEq)]
pub struct QuotaChange {
    entity: QuotaEntity,
    /// By name; none takes the limit away.
    limits: BTreeMap<String, Option<f64>>,
}

impl QuotaChange {
    /// Of this entity, nothing yet.
    #[must_use]
    pub const fn of(entity: QuotaEntity) -> Self {
        Self { entity, limits: BTreeMap::new() }
    }

    /// Sets a limit.
    #[must_use]
    pub fn set(mut self, name: impl Into<String>, limit: f64) -> Self {
        self.limits.insert(name.into(), Some(limit));
        self
    }

    /// Takes a limit away.
    #[must_use]
    pub fn remove(mut self, name: impl Into<String>) -> Self {
        self.limits.insert(name.into(), None);
        self
    }
}

impl fmt::Display for QuotaEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (kind, name)) in self.parts().enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            match name {
                Some(name) => write!(f, "{separator}{kind} '{name}'")?,
                None => write!(f, "{separator}every {kind}")?,
            }
        }
        Ok(())
    }
}

impl Admin {
    /// The users that have passwords for SCRAM, and for which mechanisms.
    ///
    /// # Errors
    /// When no broker answers within `timeout`, or it refuses.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn list_scram_credentials(
        &self,
        timeout: Duration,
    ) -> Result<BTreeMap<String, Vec<ScramCredential>>, Error> {
        let exchange = Exchange {
            versions: SCRAM_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| DescribeUserScramCredentialsRequest::default().with_users(None),
            read: |items: &[usize], reply: DescribeUserScramCredentialsResponse| {
                items.iter().map(|place| (*place, credentials(&reply))).collect()
            },
        };
        self.ask_one((Route::Any, "listing SCRAM credentials".to_owned()), timeout, exchange).await
    }

    /// Gives users passwords for SCRAM, or takes them away; each user has its own outcome. To take one away that is not
    /// there is the error `RESOURCE_NOT_FOUND`. A user can be named once in a call.
    ///
    /// # Errors
    /// When the number of iterations is beyond what brokers take, or no broker says anything about any of them within
    /// `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the passwords may have been changed.
    pub async fn alter_scram_credentials(
        &self,
        changes: &[ScramChange],
        timeout: Duration,
    ) -> Result<Outcomes<String>, Error> {
        let to_derive = changes.to_vec();
        let derived = tokio::task::spawn_blocking(move || to_derive.iter().map(ScramChange::derive).collect());
        let derived: Result<Vec<Derived>, Error> =
            derived.await.map_err(|_| Error::closed("changing SCRAM credentials"))?;
        let derived = derived?;
        let items = changes.iter().map(|change| (Route::Controller, change.attempt()));
        let exchange = Exchange {
            versions: SCRAM_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let (mut deletions, mut upsertions) = (Vec::new(), Vec::new());
                for place in items {
                    let change = &changes[*place];
                    match &derived[*place] {
                        Derived::Deletion => deletions.push(
                            ScramCredentialDeletion::default()
                                .with_name(text(&change.user))
                                .with_mechanism(change.mechanism.0),
                        ),
                        Derived::Upsertion { salt, salted } => upsertions.push(
                            ScramCredentialUpsertion::default()
                                .with_name(text(&change.user))
                                .with_mechanism(change.mechanism.0)
                                .with_iterations(i32::try_from(change.iterations).unwrap_or(i32::MAX))
                                .with_salt(salt.clone())
                                .with_salted_password(salted.clone()),
                        ),
                    }
                }
                AlterUserScramCredentialsRequest::default().with_deletions(deletions).with_upsertions(upsertions)
            },
            read: |items: &[usize], reply: AlterUserScramCredentialsResponse| {
                let found: BTreeMap<&str, _> = reply.results.iter().map(|result| (&*result.user, result)).collect();
                let of = |user: &str| {
                    let found = found.get(user)?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(&changes[*place].user)?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(changes.iter().map(|change| change.user.clone()), outcomes))
    }

    /// All quotas: for each entity its limits, such as `producer_byte_rate` in bytes per second.
    ///
    /// # Errors
    /// When no broker answers within `timeout`, or it refuses.
    ///
    /// # Cancel safety
    /// Safe: nothing changes.
    pub async fn describe_quotas(
        &self,
        timeout: Duration,
    ) -> Result<BTreeMap<QuotaEntity, BTreeMap<String, f64>>, Error> {
        let exchange = Exchange {
            versions: QUOTAS_VERSIONS,
            changes: false,
            items_max: 1,
            build: |_: &[usize], _, _| DescribeClientQuotasRequest::default(),
            read: |items: &[usize], reply: DescribeClientQuotasResponse| {
                items.iter().map(|place| (*place, quotas(&reply))).collect()
            },
        };
        self.ask_one((Route::Any, "describing quotas".to_owned()), timeout, exchange).await
    }

    /// Sets limits of entities, or takes them away; each entity has its own outcome. An entity can be named once in a call.
    ///
    /// # Errors
    /// When no broker says anything about any of them within `timeout`.
    ///
    /// # Cancel safety
    /// When the future is dropped the limits may have been changed.
    pub async fn alter_quotas(
        &self,
        changes: &[QuotaChange],
        timeout: Duration,
    ) -> Result<Outcomes<QuotaEntity>, Error> {
        let items =
            changes.iter().map(|change| (Route::Controller, format!("changing the quota of {}", change.entity)));
        let exchange = Exchange {
            versions: QUOTAS_VERSIONS,
            changes: true,
            items_max: usize::MAX,
            build: |items: &[usize], _, _| {
                let entries = items.iter().map(|place| {
                    let QuotaChange { entity, limits } = &changes[*place];
                    let parts = entity.parts().map(|(kind, name)| {
                        EntityData::default().with_entity_type(text(kind)).with_entity_name(name.map(text))
                    });
                    let limits = limits.iter().map(|(name, limit)| {
                        OpData::default()
                            .with_key(text(name))
                            .with_value(limit.unwrap_or(0.0))
                            .with_remove(limit.is_none())
                    });
                    EntryData::default().with_entity(parts.collect()).with_ops(limits.collect())
                });
                AlterClientQuotasRequest::default().with_entries(entries.collect())
            },
            read: |items: &[usize], reply: AlterClientQuotasResponse| {
                let entity = |entry: &AlteredQuotas| {
                    let parts = entry.entity.iter();
                    entity_of(parts.map(|part| (&*part.entity_type, part.entity_name.as_deref())))
                };
                let found: BTreeMap<QuotaEntity, _> =
                    reply.entries.iter().map(|entry| (entity(entry), entry)).collect();
                let of = |entity: &QuotaEntity| {
                    let found = found.get(entity)?;
                    Some(accepted(found.error_code, found.error_message.as_ref()))
                };
                items.iter().filter_map(|place| Some((*place, of(&changes[*place].entity)?))).collect()
            },
        };
        let outcomes = self.ask(items.collect(), timeout, exchange).await?;
        Ok(named(changes.iter().map(|change| change.entity.clone()), outcomes))
    }
}

fn credentials(reply: &DescribeUserScramCredentialsResponse) -> Answer<BTreeMap<String, Vec<ScramCredential>>> {
    accepted(reply.error_code, reply.error_message.as_ref())?;
    let of = |user: &DescribeUserScramCredentialsResult| {
        let infos = user.credential_infos.iter();
        infos
            .map(|info| ScramCredential { mechanism: ScramMechanism(info.mechanism), iterations: info.iterations })
            .collect()
    };
    Ok(reply.results.iter().map(|user| (user.user.to_string(), of(user))).collect())
}

fn quotas(reply: &DescribeClientQuotasResponse) -> Answer<BTreeMap<QuotaEntity, BTreeMap<String, f64>>> {
    accepted(reply.error_code, reply.error_message.as_ref())?;
    let entries = reply.entries.iter().flatten().map(|entry| {
        let parts = entry.entity.iter();
        let entity = entity_of(parts.map(|part| (&*part.entity_type, part.entity_name.as_deref())));
        (entity, entry.values.iter().map(|value| (value.key.to_string(), value.value)).collect())
    });
    Ok(entries.collect())
}

fn entity_of<'a>(parts: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> QuotaEntity {
    parts.fold(QuotaEntity::default(), |entity, (kind, name)| entity.part(kind, name.map(str::to_owned)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_change_does_not_show_the_password() {
        let change = ScramChange::set("orders", ScramMechanism::SHA_512, "hunter2");
        assert!(!format!("{change:?}").contains("hunter2"));
    }

    #[test]
    fn iterations_that_no_broker_takes_are_refused_before_they_are_done() {
        for iterations in [0, 20_000, u32::MAX] {
            let change = ScramChange::set("orders", ScramMechanism::SHA_256, "hunter2").iterations(iterations);
            let error = change.derive().err().expect("it is refused").to_string();
            assert!(error.contains("4096 to 16384"), "{error}");
        }
    }

    #[test]
    fn an_entity_is_shown_in_words() {
        let entity = QuotaEntity::default().user("orders").default_client_id();
        assert_eq!(entity.to_string(), "every client-id, user 'orders'");
    }
}
