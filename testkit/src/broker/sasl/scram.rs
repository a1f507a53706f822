//! SCRAM (RFC 5802, RFC 7677): the client proves that it knows a password without saying it.
//!
//! The exchange has two steps: [`first`] reads who it is and answers with the salt, [`last`] checks the proof. Delegation
//! tokens, which Kafka lets in by `tokenauth=true`, are known by nobody.

use super::{Rejection, base64, names};
use crate::broker::credentials::{Credentials, ScramCredential, ScramHash};

/// Between the two steps. Without `Debug`: it has what is kept of a password.
pub(super) struct Exchange {
    name: String,
    credential: ScramCredential,
    client_first: String,
    server_first: String,
    nonce: String,
}

/// The client says who it is.
pub(super) fn first(
    token: &[u8],
    hash: ScramHash,
    credentials: &Credentials,
    server_nonce: &str,
) -> Result<(Exchange, Vec<u8>), Rejection> {
    let message = std::str::from_utf8(token).map_err(|_| Rejection::Unsaid)?;
    let (wanted, bare) = split_header(message).ok_or(Rejection::Unsaid)?;
    let bare = bare.strip_prefix("m=").map_or(Some(bare), |reserved| reserved.split_once(',').map(|(_, rest)| rest));
    let parts: Vec<&str> = bare.ok_or(Rejection::Unsaid)?.split(',').collect();
    let [name, nonce, extensions @ ..] = parts.as_slice() else { return Err(Rejection::Unsaid) };
    let name = name.strip_prefix("n=").and_then(names::unescape).ok_or(Rejection::Unsaid)?;
    let client_nonce = nonce.strip_prefix("r=").filter(|nonce| names::is_printable(nonce)).ok_or(Rejection::Unsaid)?;
    if !extensions.iter().all(|it| names::is_extension(it)) || extensions.contains(&"tokenauth=true") {
        return Err(Rejection::Unsaid);
    }
    let credential = credentials.scram(&name, hash).ok_or(Rejection::Unsaid)?.clone();
    if !wanted.is_empty() && wanted != name {
        return Err(Rejection::said(super::OTHER_IDENTITY));
    }
    let nonce = format!("{client_nonce}{server_nonce}");
    let server_first = format!("r={nonce},s={},i={}", base64::encode(&credential.salt), credential.iterations);
    let answer = server_first.clone().into_bytes();
    let client_first = parts.join(",");
    Ok((Exchange { name, credential, client_first, server_first, nonce }, answer))
}

/// The client proves it. Its name, and the proof that the server knows it too.
pub(super) fn last(token: &[u8], hash: ScramHash, exchange: Exchange) -> Result<(String, Vec<u8>), Rejection> {
    let message = std::str::from_utf8(token).map_err(|_| Rejection::Unsaid)?;
    let parts: Vec<&str> = message.split(',').collect();
    let [channel, nonce, extensions @ .., proof] = parts.as_slice() else { return Err(Rejection::Unsaid) };
    let bytes_of = |text: &str| base64::decode(text.as_bytes()).filter(|_| text.len().is_multiple_of(4));
    let channel = channel.strip_prefix("c=").and_then(bytes_of).ok_or(Rejection::Unsaid)?;
    let nonce = nonce.strip_prefix("r=").ok_or(Rejection::Unsaid)?;
    let proof = proof.strip_prefix("p=").and_then(bytes_of).ok_or(Rejection::Unsaid)?;
    if !extensions.iter().all(|it| names::is_extension(it)) || !nonce.ends_with(&exchange.nonce) {
        return Err(Rejection::Unsaid);
    }
    let last = format!("c={},r={nonce}", base64::encode(&channel));
    let (first, second) = (exchange.client_first.as_bytes(), exchange.server_first.as_bytes());
    let said: [&[u8]; 5] = [first, b",", second, b",", last.as_bytes()];
    match exchange.credential.verify(hash, &said, &proof) {
        // Kafka stumbles over it.
        None => Err(Rejection::Unanswered),
        Some(false) => Err(Rejection::Unsaid),
        Some(true) => {
            let signature = exchange.credential.server_signature(hash, &said);
            Ok((exchange.name, format!("v={}", base64::encode(&signature)).into_bytes()))
        }
    }
}

/// Whom the client wants to be, and what follows the header; channels are not bound.
fn split_header(message: &str) -> Option<(String, &str)> {
    let (wanted, bare) = message.strip_prefix("n,")?.split_once(',')?;
    match wanted.strip_prefix("a=") {
        Some(name) => Some((names::unescape(name)?, bare)),
        None => wanted.is_empty().then(|| (String::new(), bare)),
    }
}
