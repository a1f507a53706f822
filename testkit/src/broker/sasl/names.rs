//! The grammar that the messages of SCRAM and OAUTHBEARER have in common.

/// A name, with `=2C` for a comma and `=3D` for an equals sign. None when it is not written so, or empty.
pub(super) fn unescape(name: &str) -> Option<String> {
    let is_escaped = name.split('=').skip(1).all(|rest| rest.starts_with("2C") || rest.starts_with("3D"));
    let is_ascii = !name.is_empty() && name.bytes().all(|byte| (0x01..=0x7f).contains(&byte) && byte != b',');
    (is_escaped && is_ascii).then(|| name.replace("=2C", ",").replace("=3D", "="))
}

/// Whether it can be a nonce.
pub(super) fn is_printable(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b',')
}

/// `name=value`.
pub(super) fn is_extension(text: &str) -> bool {
    let is_value = |value: &str| !value.is_empty() && value.bytes().all(|byte| (0x01..=0x7f).contains(&byte));
    text.split_once('=').is_some_and(|(name, value)| is_key(name) && is_value(value))
}

/// Letters only.
pub(super) fn is_key(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic())
}
