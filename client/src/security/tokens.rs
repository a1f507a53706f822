//! Tokens for OAUTHBEARER: kept while they are good, and made here where nobody signs them.
//!
//! Before: a connection asks for one. After: [`TokenProvider`] is asked, if the one at hand is too old.
#![expect(clippy::disallowed_methods, reason = "what is good until a time of day has to be held against it")]

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Mutex;

use super::sasl::{OauthToken, TokenFuture, TokenProvider};
use crate::base64;

/// The tokens of one provider.
pub(crate) struct Tokens {
    provider: Arc<dyn TokenProvider>,
    /// The last one, and when to ask for the next. Locked while the provider is asked.
    last: Mutex<Option<(OauthToken, SystemTime)>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("provider", &self.provider).finish_non_exhaustive()
    }
}

impl Tokens {
    pub(crate) fn new(provider: Arc<dyn TokenProvider>) -> Self {
        Self { provider, last: Mutex::new(None) }
    }

    /// A token that is good now.
    pub(crate) async fn token(&self) -> Result<OauthToken, String> {
        let mut last = self.last.lock().await;
        let now = SystemTime::now();
        if let Some((token, renew_at)) = &*last
            && now < *renew_at
        {
            return Ok(token.clone());
        }
        match self.provider.token().await {
            Ok(token) => {
                let left = token.expires_at.duration_since(now).unwrap_or_default();
                *last = Some((token.clone(), now + left.mul_f64(0.8)));
                Ok(token)
            }
            Err(error) => match &*last {
                Some((token, _)) if now < token.expires_at => {
                    tracing::warn!(%error, "there is no new token yet; the old one is shown while it is good");
                    Ok(token.clone())
                }
                Some(_) | None => Err(format!("there is no token to log in with: {error}")),
            },
        }
    }

    /// A broker has refused it.
    pub(crate) async fn forget(&self) {
        *self.last.lock().await = None;
    }
}

/// Makes tokens that nobody signs, as brokers take them that are set up for development.
#[derive(Debug, Clone)]
pub(super) struct Unsecured {
    pub(super) principal: String,
    pub(super) principal_claim: String,
    pub(super) scope: Vec<String>,
    pub(super) scope_claim: String,
    pub(super) lifetime: Duration,
    pub(super) extensions: BTreeMap<String, String>,
}

impl Default for Unsecured {
    fn default() -> Self {
        Self {
            principal: String::new(),
            principal_claim: "sub".to_owned(),
            scope: Vec::new(),
            scope_claim: "scope".to_owned(),
            lifetime: Duration::from_secs(3600),
            extensions: BTreeMap::new(),
        }
    }
}

impl TokenProvider for Unsecured {
    fn token(&self) -> TokenFuture {
        let token = self.make(SystemTime::now());
        Box::pin(async { Ok(token) })
    }
}

impl Unsecured {
    fn make(&self, now: SystemTime) -> OauthToken {
        let expires_at = now + self.lifetime;
        let seconds = |at: SystemTime| at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let scope: Vec<String> = self.scope.iter().map(|scope| json(scope)).collect();
        let scope = if scope.is_empty() {
            String::new()
        } else {
            format!(",{}:[{}]", json(&self.scope_claim), scope.join(","))
        };
        let claims = format!(
            "{{{}:{},\"iat\":{},\"exp\":{}{scope}}}",
            json(&self.principal_claim),
            json(&self.principal),
            seconds(now),
            seconds(expires_at)
        );
        let part = |text: &str| base64::encode_for_urls(text.as_bytes());
        let token = OauthToken::new(format!("{}.{}.", part("{\"alg\":\"none\"}"), part(&claims)), expires_at);
        OauthToken { extensions: self.extensions.clone(), ..token }
    }
}

/// A string as JSON has it.
fn json(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            control if control < ' ' => quoted.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Debug)]
    struct Counting {
        asked: AtomicUsize,
        lifetime: Duration,
        fails_after: usize,
    }

    impl TokenProvider for Counting {
        fn token(&self) -> TokenFuture {
            let count = self.asked.fetch_add(1, Ordering::Relaxed);
            let (expires_at, fails) = (SystemTime::now() + self.lifetime, count >= self.fails_after);
            Box::pin(async move {
                if fails {
                    Err("the server is down".into())
                } else {
                    Ok(OauthToken::new(count.to_string(), expires_at))
                }
            })
        }
    }

    fn tokens(lifetime: Duration, fails_after: usize) -> Tokens {
        Tokens::new(Arc::new(Counting { asked: AtomicUsize::new(0), lifetime, fails_after }))
    }

    async fn shown(tokens: &Tokens) -> Result<String, String> {
        tokens.token().await.map(|token| token.value.expose().to_owned())
    }

    #[tokio::test]
    async fn a_token_is_shown_while_it_is_good_and_not_when_it_was_refused() {
        let long = tokens(Duration::from_secs(3600), 9);
        assert_eq!(shown(&long).await.unwrap(), "0");
        assert_eq!(shown(&long).await.unwrap(), "0");
        long.forget().await;
        assert_eq!(shown(&long).await.unwrap(), "1");
        let over = tokens(Duration::ZERO, 9);
        assert_eq!(shown(&over).await.unwrap(), "0");
        assert_eq!(shown(&over).await.unwrap(), "1");
    }

    #[tokio::test]
    async fn a_provider_that_fails_is_forgiven_while_the_last_token_is_good() {
        let short = tokens(Duration::from_millis(500), 1);
        assert_eq!(shown(&short).await.unwrap(), "0");
        tokio::time::sleep(Duration::from_millis(430)).await;
        let told = shown(&short).await;
        assert!(told.is_err() || told == Ok("0".to_owned()), "{told:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(shown(&short).await.unwrap_err().contains("the server is down"));
    }

    #[test]
    fn a_token_that_nobody_signs_says_who_and_until_when() {
        let made = Unsecured {
            principal: "al\"ice".to_owned(),
            scope: vec!["read".to_owned(), "write".to_owned()],
            ..Unsecured::default()
        };
        let token = made.make(UNIX_EPOCH + Duration::from_secs(1000));
        let parts: Vec<&str> = token.value.expose().split('.').collect();
        let [header, claims, ""] = parts[..] else { panic!("{parts:?}") };
        let text = |part: &str| String::from_utf8(base64::decode(part).unwrap()).unwrap();
        assert_eq!(text(header), r#"{"alg":"none"}"#);
        assert_eq!(text(claims), r#"{"sub":"al\"ice","iat":1000,"exp":4600,"scope":["read","write"]}"#);
    }
}
