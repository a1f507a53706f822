//! PLAIN (RFC 4616): a name and its password, in one message.

use super::Rejection;
use crate::broker::credentials::Credentials;

/// Who it is.
pub(super) fn evaluate(token: &[u8], credentials: &Credentials) -> Result<String, Rejection> {
    let token = String::from_utf8_lossy(token);
    // A fourth part is noticed, and more are not told from it.
    let parts: Vec<&str> = token.splitn(5, '\0').take(4).collect();
    let [wanted, name, password] = parts.as_slice() else {
        return Err(Rejection::said(format!("Invalid SASL/PLAIN response: expected 3 tokens, got {}", parts.len())));
    };
    if name.is_empty() {
        return Err(Rejection::said("Authentication failed: username not specified"));
    }
    if password.is_empty() {
        return Err(Rejection::said("Authentication failed: password not specified"));
    }
    if !credentials.is_password(name, password) {
        return Err(Rejection::said("Authentication failed: Invalid username or password"));
    }
    if !wanted.is_empty() && wanted != name {
        return Err(Rejection::said(super::OTHER_IDENTITY));
    }
    Ok((*name).to_owned())
}
