//! Bytes as text (RFC 4648), as SCRAM and tokens have them.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// In the standard alphabet, padded.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = digits(bytes);
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// In the alphabet for addresses, without padding.
pub(crate) fn encode_for_urls(bytes: &[u8]) -> String {
    digits(bytes).replace('+', "-").replace('/', "_")
}

fn digits(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 4 / 3 + 4);
    let (mut held, mut held_bits) = (0_u32, 0_u32);
    for byte in bytes {
        held = held << 8 | u32::from(*byte);
        held_bits += 8;
        while held_bits >= 6 {
            held_bits -= 6;
            text.push(digit(held >> held_bits));
        }
        held &= (1 << held_bits) - 1;
    }
    if held_bits > 0 {
        text.push(digit(held << (6 - held_bits)));
    }
    text
}

fn digit(sextet: u32) -> char {
    char::from(DIGITS[(sextet & 0x3f) as usize])
}

/// In either alphabet, padded or not; none when it is something else.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    let digits = text.trim_end_matches('=');
    let padding = text.len() - digits.len();
    if digits.len() % 4 == 1 || padding > 0 && (padding > 2 || !text.len().is_multiple_of(4)) {
        return None;
    }
    let mut bytes = Vec::with_capacity(digits.len() * 3 / 4);
    let (mut held, mut held_bits) = (0_u32, 0_u32);
    for digit in digits.bytes() {
        let standard = match digit {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        };
        let sextet = DIGITS.iter().position(|it| *it == standard)?;
        held = held << 6 | u32::try_from(sextet).ok()?;
        held_bits += 6;
        if held_bits >= 8 {
            held_bits -= 8;
            bytes.push(u8::try_from(held >> held_bits).ok()?);
            held &= (1 << held_bits) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_vectors_of_the_standard_hold() {
        let vectors = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (length, text) in vectors.into_iter().enumerate() {
            let bytes = &b"foobar"[..length];
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text).as_deref(), Some(bytes));
            assert_eq!(decode(&encode_for_urls(bytes)).as_deref(), Some(bytes));
        }
        assert_eq!(decode("-_-_"), decode("+/+/"));
    }

    #[test]
    fn what_is_something_else_is_not_read() {
        for text in ["A", "AAAAA", "Zg=", "Zg===", "=", "Z g=", "Zé=="] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
