//! PLAIN (RFC 4616): name and password as they are.

use bytes::Bytes;

use crate::security::Secret;

/// All there is to say.
pub(super) fn message(username: &str, password: &Secret) -> Result<Bytes, String> {
    if username.contains('\0') || password.expose().contains('\0') {
        return Err("sasl.username and sasl.password cannot have NUL in them with PLAIN".to_owned());
    }
    Ok(Bytes::from(format!("\0{username}\0{}", password.expose())))
}
