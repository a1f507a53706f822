//! BYTES as text: base64 with padding, in the alphabet of RFC 4648.
//!
//! Before and after: the text formats, which have no other way to carry bytes.

/// Appends the bytes that `text` stands for. White space may stand between groups of four.
/// Returns false, and may have appended some, if the text is no base64.
pub(crate) fn decode(text: &str, out: &mut Vec<u8>) -> bool {
    let mut group = [0u8; 4];
    let (mut filled, mut padding) = (0, 0);
    for byte in text.bytes() {
        if byte <= b' ' && filled == 0 {
            continue;
        }
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            b'=' if filled >= 2 => {
                padding += 1;
                0
            }
            _ => return false,
        };
        // Only padding follows padding.
        if padding > 0 && byte != b'=' {
            return false;
        }
        group[filled] = value;
        filled += 1;
        if filled == 4 {
            let [a, b, c, d] = group;
            let bytes = [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d];
            out.extend_from_slice(&bytes[..3 - padding]);
            (filled, padding) = (0, 0);
        }
    }
    filled == 0
}

/// Appends `bytes` as base64.
pub(crate) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    for group in bytes.chunks(3) {
        let byte = |at: usize| group.get(at).copied().unwrap_or_default();
        let (a, b, c) = (byte(0), byte(1), byte(2));
        let digits = [a >> 2, (a & 3) << 4 | b >> 4, (b & 15) << 2 | c >> 6, c & 63];
        for (at, digit) in digits.into_iter().enumerate() {
            let digit = if at <= group.len() { ALPHABET[usize::from(digit)] } else { b'=' };
            out.push(digit);
        }
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        decode(text, &mut out).then_some(out)
    }

    #[test]
    fn bytes_come_back() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")] {
            let mut out = Vec::new();
            encode(bytes.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), text);
            assert_eq!(decoded(text).as_deref(), Some(bytes.as_bytes()));
        }
        let all: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        encode(&all, &mut out);
        assert_eq!(decoded(std::str::from_utf8(&out).unwrap()), Some(all));
    }

    #[test]
    fn what_is_no_base64_is_refused() {
        for text in ["Z", "Zg", "Zg=", "Z===", "Zg=a", "Zm9!", "é", "====", "Zm 9v"] {
            assert_eq!(decoded(text), None, "{text}");
        }
        assert_eq!(decoded(" Zm9v Zm9v\n").as_deref(), Some(&b"foofoo"[..]));
        assert_eq!(decoded("Zg==Zg==").as_deref(), Some(&b"ff"[..]));
    }
}
