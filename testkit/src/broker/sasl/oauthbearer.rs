//! OAUTHBEARER (RFC 7628): the client shows a token.
//!
//! Tokens are taken as Kafka's own validator for development takes them: written as a JWS that nobody signed, with a
//! subject and an end. A token that is not good is answered with the reason, which the client has to acknowledge before it
//! is refused.

use serde_json::{Map, Value};

use super::{Rejection, base64, names};

/// What the client sends when it has seen why its token is not good.
pub(super) const ACKNOWLEDGED: &[u8] = b"\x01";

/// Why a token is not good, as the client is told.
pub(super) const INVALID_TOKEN: &str = "{\"status\":\"invalid_token\"}";

/// What is said about a token, by name.
type Claims = Map<String, Value>;

/// A token that is good.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) name: String,
    /// When it ends, in milliseconds since 1970.
    pub(super) ends_unix_ms: i64,
}

/// The token's owner; none when the token is not good.
pub(super) fn evaluate(message: &[u8], unix_ms: i64) -> Result<Option<Token>, Rejection> {
    let message = std::str::from_utf8(message).map_err(|_| Rejection::Unsaid)?;
    let (wanted, scheme, token) = read(message).ok_or(Rejection::Unsaid)?;
    // Kafka stumbles over it.
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Rejection::Unanswered);
    }
    let Some(token) = validate(token, unix_ms)? else { return Ok(None) };
    if !wanted.is_empty() && wanted != token.name {
        return Err(Rejection::said(format!(
            "Authentication failed: Client requested an authorization id ({wanted}) that is different from the token's \
             principal name ({})",
            token.name
        )));
    }
    Ok(Some(token))
}

/// Whom the client wants to be, what kind of token it has, and the token.
fn read(message: &str) -> Option<(String, &str, &str)> {
    let (wanted, rest) = message.strip_prefix("n,")?.split_once(',')?;
    let wanted = match wanted.strip_prefix("a=") {
        Some(name) => names::unescape(name)?,
        None => wanted.is_empty().then(String::new)?,
    };
    let pairs = rest.strip_prefix('\x01')?.strip_suffix('\x01')?;
    let mut authorization = None;
    for pair in pairs.split_terminator('\x01') {
        let (key, value) = pair.split_once('=')?;
        let is_value = |byte: u8| (0x20..=0x7e).contains(&byte) || matches!(byte, b'\t' | b'\r' | b'\n');
        if !names::is_key(key) || value.is_empty() || !value.bytes().all(is_value) {
            return None;
        }
        if key == "auth" {
            authorization = Some(value);
        }
    }
    let (scheme, token) = authorization?.split_once(' ')?;
    let token = token.trim_start_matches(' ');
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_~+/.".contains(&byte);
    let is_token = !token.is_empty() && token.trim_end_matches('=').bytes().all(is_token);
    is_token.then_some((wanted, scheme, token))
}

fn validate(token: &str, unix_ms: i64) -> Result<Option<Token>, Rejection> {
    let Some((header, claims, signature)) = split(token) else { return Ok(None) };
    // So it does over this.
    let algorithm = header.get("alg").ok_or(Rejection::Unanswered)?;
    let is_unsigned = algorithm.as_str() == Some("none") && signature.is_empty();
    Ok(is_unsigned.then(|| owner(&claims, unix_ms)).flatten())
}

/// The parts of a token: what it says of itself, of its owner, and its signature.
fn split(token: &str) -> Option<(Claims, Claims, &str)> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let object = |part: &str| -> Option<Claims> {
        serde_json::from_slice(&base64::decode(part.as_bytes()).filter(|_| !part.is_empty())?).ok()
    };
    Some((object(header)?, object(claims)?, signature))
}

/// Whose a token is, if it is good now.
fn owner(claims: &Claims, unix_ms: i64) -> Option<Token> {
    // A time is a number of seconds, with any fraction; what is there and not a number is no time.
    let time = |claim: &str| claims.get(claim).map(|value| value.as_f64().map(|seconds| seconds * 1000.0));
    let now = milliseconds(unix_ms);
    let ends = time("exp")??;
    let issued = match time("iat") {
        Some(issued) => Some(issued?),
        None => None,
    };
    if ends <= now || issued.is_some_and(|issued| issued > now || ends <= issued) {
        return None;
    }
    let name = claims.get("sub").and_then(Value::as_str).filter(|name| !name.trim().is_empty())?;
    Some(Token { name: name.to_owned(), ends_unix_ms: whole(ends) })
}

#[expect(clippy::cast_precision_loss, reason = "a time is far below 2^53 milliseconds")]
const fn milliseconds(unix_ms: i64) -> f64 {
    unix_ms as f64
}

#[expect(clippy::cast_possible_truncation, reason = "what is too large becomes the largest")]
fn whole(milliseconds: f64) -> i64 {
    milliseconds.round() as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn token(header: &str, claims: &str) -> String {
        let part = |text: &str| base64::encode(text.as_bytes()).trim_end_matches('=').to_owned();
        format!("{}.{}.", part(header), part(claims))
    }

    fn shown(header: &str, claims: &str) -> Option<String> {
        let message = format!("n,,\x01auth=Bearer {}\x01\x01", token(header, claims));
        evaluate(message.as_bytes(), NOW).unwrap().map(|token| token.name)
    }

    #[test]
    fn a_token_without_a_signature_is_good_until_it_ends() {
        let none = r#"{"alg":"none"}"#;
        assert_eq!(shown(none, r#"{"sub":"alice","exp":1800000001}"#).as_deref(), Some("alice"));
        assert_eq!(shown(none, r#"{"sub":"alice","exp":1800000000}"#), None);
        assert_eq!(shown(none, r#"{"sub":"alice","exp":1800000001,"iat":1800000000.5}"#), None);
        assert_eq!(shown(none, r#"{"sub":"alice","exp":"later"}"#), None);
        assert_eq!(shown(none, r#"{"sub":"alice"}"#), None);
        assert_eq!(shown(none, r#"{"exp":1800000001}"#), None);
        assert_eq!(shown(r#"{"alg":"RS256"}"#, r#"{"sub":"alice","exp":1800000001}"#), None);
    }

    #[test]
    fn a_message_that_is_not_written_as_the_standard_says_is_refused() {
        for message in ["", "n,,", "n,,\x01\x01", "y,,\x01auth=Bearer a\x01\x01", "n,,\x01auth=Basic a\x01\x01"] {
            assert!(evaluate(message.as_bytes(), NOW).is_err(), "{message:?}");
        }
    }
}
