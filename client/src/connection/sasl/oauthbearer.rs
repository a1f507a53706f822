//! OAUTHBEARER (RFC 7628): shows a token.

use bytes::Bytes;

use crate::security::OauthToken;

/// What is answered to a broker that says why the token is not good, before it refuses it.
pub(super) const ACKNOWLEDGED: &[u8] = b"\x01";

/// The token, and what is said beside it.
pub(super) fn message(token: &OauthToken) -> Result<Bytes, String> {
    let value = token.value.expose();
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if value.is_empty() || !value.bytes().all(is_token) {
        return Err("the token provider gave a token with other characters than RFC 6750 has".to_owned());
    }
    let mut message = format!("n,,\x01auth=Bearer {value}\x01");
    for (name, said) in &token.extensions {
        let is_value = |byte: u8| (0x20..=0x7e).contains(&byte) || matches!(byte, b'\t' | b'\r' | b'\n');
        let is_named = !name.is_empty() && name != "auth" && name.bytes().all(|byte| byte.is_ascii_alphabetic());
        if !is_named || said.is_empty() || !said.bytes().all(is_value) {
            return Err(
                "an extension of the token has another name than letters, the name auth, or a value that is not \
                        printable"
                    .to_owned(),
            );
        }
        message.push_str(&format!("{name}={said}\x01"));
    }
    message.push('\x01');
    Ok(message.into())
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    fn token(value: &str) -> OauthToken {
        OauthToken::new(value, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_token_is_shown_with_what_is_said_beside_it() {
        assert_eq!(message(&token("a.b.")).unwrap(), "n,,\x01auth=Bearer a.b.\x01\x01");
        let beside = token("a.b.").extension("cluster", "lkc-1");
        assert_eq!(message(&beside).unwrap(), "n,,\x01auth=Bearer a.b.\x01cluster=lkc-1\x01\x01");
    }

    #[test]
    fn a_provider_cannot_say_more_than_a_token() {
        for value in ["", "a b", "a\r\nb", "a\x01admin=true", "hunter2\n"] {
            assert!(!message(&token(value)).unwrap_err().contains("hunter2"));
        }
        for (name, value) in [("auth", "x"), ("", "x"), ("a1", "x"), ("a", ""), ("a", "x\x01y")] {
            assert!(message(&token("a").extension(name, value)).is_err(), "{name}={value}");
        }
    }
}
