//! Who logs in and how, as the options say it one by one.
//!
//! Before: [`properties`](super::properties) sets the options. After: [`sasl`](super::sasl) has what they come to.

use std::sync::Arc;
use std::time::Duration;

use super::jaas::Jaas;
use super::sasl::{Mechanism, ScramHash};
use super::secret::Secret;
use super::tokens::{Tokens, Unsecured};
use crate::error::Error;

/// What has been said so far.
#[derive(Debug, Clone, Default)]
pub(super) struct LoginDraft {
    pub(super) mechanism: Option<String>,
    pub(super) jaas: Option<Jaas>,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    /// What makes tokens that nobody signs, and whether they may be shown.
    pub(super) unsecured: Option<Unsecured>,
    pub(super) allows_unsecured: bool,
}

impl LoginDraft {
    pub(super) const fn says_anything(&self) -> bool {
        self.mechanism.is_some() || self.jaas.is_some() || self.username.is_some()
    }

    /// # Errors
    /// What does not fit together, or is missing.
    pub(super) fn finish(&self) -> Result<Mechanism, Error> {
        let mechanism = self.mechanism.as_deref().unwrap_or("GSSAPI").to_ascii_uppercase();
        let scram = |hash| {
            let (username, password) = self.by_password(&mechanism)?;
            Ok(Mechanism::Scram { hash, username, password })
        };
        match &*mechanism {
            "PLAIN" => {
                let (username, password) = self.by_password(&mechanism)?;
                Ok(Mechanism::Plain { username, password })
            }
            "SCRAM-SHA-256" => scram(ScramHash::Sha256),
            "SCRAM-SHA-512" => scram(ScramHash::Sha512),
            "OAUTHBEARER" => Ok(Mechanism::OauthBearer(Arc::new(Tokens::new(Arc::new(self.unsecured()?))))),
            other => Err(Error::config(format!("sasl.mechanism is {}", crate::properties::shorten(other))).with_detail(
                "what is spoken is PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER; GSSAPI (Kerberos), which is the \
                 default of Java and librdkafka, is not",
            )),
        }
    }

    /// Name and password, of whichever option has them.
    fn by_password(&self, mechanism: &str) -> Result<(String, Secret), Error> {
        let module = if mechanism == "PLAIN" { "PlainLoginModule" } else { "ScramLoginModule" };
        let (username, password) = match &self.jaas {
            Some(jaas) => {
                check_module(jaas, module, mechanism)?;
                (jaas.option("username").map(|name| name.expose().to_owned()), jaas.option("password").cloned())
            }
            None => (self.username.clone(), self.password.clone()),
        };
        let missing = |what: &str| {
            Error::config(format!("{what} is missing for SASL by {mechanism}")).with_detail(format!(
                "set sasl.username and sasl.password, or sasl.jaas.config to a {module} with username and password"
            ))
        };
        let username = username.filter(|name| !name.is_empty()).ok_or_else(|| missing("the name"))?;
        Ok((username, password.ok_or_else(|| missing("the password"))?))
    }

    fn unsecured(&self) -> Result<Unsecured, Error> {
        if let Some(jaas) = &self.jaas {
            check_module(jaas, "OAuthBearerLoginModule", "OAUTHBEARER")?;
            return of_jaas(jaas);
        }
        let unsecured = self.unsecured.clone().filter(|_| self.allows_unsecured);
        unsecured.ok_or_else(|| {
            Error::config("no tokens for OAUTHBEARER").with_detail(
                "give them in code, by Sasl::oauth_bearer and a TokenProvider; for development, brokers may take tokens \
                 that nobody signs: enable.sasl.oauthbearer.unsecure.jwt=true and sasl.oauthbearer.config=principal=NAME",
            )
        })
    }
}

fn check_module(jaas: &Jaas, module: &str, mechanism: &str) -> Result<(), Error> {
    if jaas.module == module {
        return Ok(());
    }
    // What stands there in place of a module may be a secret.
    let known = ["PlainLoginModule", "ScramLoginModule", "OAuthBearerLoginModule"].contains(&&*jaas.module);
    let found = if known { &*jaas.module } else { "another module" };
    let error = Error::config(format!("sasl.jaas.config has {found}, and sasl.mechanism is {mechanism}"));
    Err(error.with_detail(format!("{mechanism} goes with {module}")))
}

/// Tokens that nobody signs, as Java's login module makes them.
fn of_jaas(jaas: &Jaas) -> Result<Unsecured, Error> {
    let option = |name: &str| jaas.option(name).map(Secret::expose);
    let mut made = Unsecured::default();
    if let Some(claim) = option("unsecuredLoginPrincipalClaimName") {
        claim.clone_into(&mut made.principal_claim);
    }
    if let Some(claim) = option("unsecuredLoginScopeClaimName") {
        claim.clone_into(&mut made.scope_claim);
    }
    let claim = |kind: &str, name: &str| option(&format!("unsecuredLogin{kind}Claim_{name}"));
    claim("String", &made.principal_claim).unwrap_or_default().clone_into(&mut made.principal);
    if made.principal.is_empty() {
        return Err(Error::config("no tokens for OAUTHBEARER").with_detail(
            "give them in code, by Sasl::oauth_bearer and a TokenProvider; what sasl.jaas.config can say is a name for \
             tokens that nobody signs, as unsecuredLoginStringClaim_sub",
        ));
    }
    // A list begins with what separates its parts.
    let list = claim("List", &made.scope_claim).and_then(|list| Some(list.split(list.chars().next()?)));
    made.scope = list.into_iter().flatten().filter(|part| !part.is_empty()).map(str::to_owned).collect();
    if let Some(seconds) = option("unsecuredLoginLifetimeSeconds") {
        let told = |reason| Error::config("unsecuredLoginLifetimeSeconds in sasl.jaas.config").with_detail(reason);
        made.lifetime = lifetime(seconds).map_err(told)?;
    }
    for (name, value) in &jaas.options {
        if let Some(name) = name.strip_prefix("unsecuredLoginExtension_") {
            made.extensions.insert(name.to_owned(), value.expose().to_owned());
        }
    }
    Ok(made)
}

/// `principal=alice scope=read,write`, as librdkafka has it.
pub(super) fn unsecured(value: &str) -> Result<Unsecured, String> {
    let mut made = Unsecured::default();
    for pair in value.split_whitespace() {
        let (name, value) = pair.split_once('=').ok_or("a part without an equals sign")?;
        match name {
            "principal" => value.clone_into(&mut made.principal),
            "principalClaimName" => value.clone_into(&mut made.principal_claim),
            "scope" => made.scope = value.split(',').map(str::to_owned).collect(),
            "scopeClaimName" => value.clone_into(&mut made.scope_claim),
            "lifeSeconds" => made.lifetime = lifetime(value)?,
            other => {
                let extension = other.strip_prefix("extension_").ok_or("a part of another name")?;
                made.extensions.insert(extension.to_owned(), value.to_owned());
            }
        }
    }
    if made.principal.is_empty() { Err("no principal".to_owned()) } else { Ok(made) }
}

fn lifetime(seconds: &str) -> Result<Duration, &'static str> {
    match seconds.parse() {
        // Much longer, and no time of day would hold it.
        Ok(seconds @ 1..=31_536_000) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err("not a number of seconds from 1 to a year"),
    }
}
