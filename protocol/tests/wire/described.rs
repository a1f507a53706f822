//! A description held against the JSON of the same message.

use serde_json::Value;

use crate::targets::describe::Node;

/// Fails unless the description says what the JSON says: the same fields, no more and no less, with the same values;
/// of bytes and of what may be a secret, the same length.
#[track_caller]
pub(crate) fn assert_says(node: &Node, json: &Value, path: &str) {
    let text = node.text.as_str();
    match json {
        Value::Null => assert_eq!(text, "null", "{path}"),
        Value::Bool(flag) => assert_eq!(text, flag.to_string(), "{path}"),
        Value::Number(number) => match number.as_i64() {
            Some(number) => assert_eq!(text, number.to_string(), "{path}"),
            None => assert_eq!(text.parse().ok(), number.as_f64(), "{path}"),
        },
        Value::String(string) => {
            let expected = if text.starts_with('"') {
                format!("{string:?}")
            } else if text.starts_with("a string of") {
                format!("a string of {} bytes", string.len())
            } else if text.ends_with(" bytes") {
                format!("{} bytes", from_base64(string).len())
            } else {
                uuid(&from_base64(string))
            };
            assert_eq!(text, expected, "{path}");
        }
        Value::Array(elements) => {
            assert_eq!(text, elements.len().to_string(), "{path}");
            assert_eq!(node.children.len(), elements.len(), "{path}");
            for (index, (element, (label, child))) in elements.iter().zip(&node.children).enumerate() {
                assert_eq!(label, &index.to_string(), "{path}");
                assert_says(child, element, &format!("{path}[{index}]"));
            }
        }
        Value::Object(fields) => {
            assert_eq!(text, "", "{path}");
            // Kafka's JSON leaves record batches out and gives their size.
            let size = |name: &str| name.strip_suffix("SizeInBytes").map(str::to_owned);
            let name = |field: &String| snake_case(&size(field).unwrap_or_else(|| field.clone()));
            let mut expected: Vec<_> = fields.iter().map(|field| (name(field.0), field)).collect();
            let mut found: Vec<_> = node.children.iter().map(|(name, child)| (name.clone(), child)).collect();
            expected.sort_by_key(|(name, _)| name.clone());
            found.sort_by_key(|(name, _)| name.clone());
            let names = |found: &[(String, _)]| found.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
            let expected_names: Vec<_> = expected.iter().map(|(name, _)| name.clone()).collect();
            assert_eq!(names(&found), expected_names, "{path}");
            for ((name, (field, value)), (_, child)) in expected.iter().zip(found) {
                let path = format!("{path}.{name}");
                if size(field).is_some() && value.is_number() {
                    assert_eq!(child.text, format!("{value} bytes"), "{path}");
                } else {
                    assert_says(child, value, &path);
                }
            }
        }
    }
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(character.to_ascii_lowercase());
    }
    snake
}

/// In either alphabet, padded or not.
fn from_base64(text: &str) -> Vec<u8> {
    let (mut bytes, mut bits, mut count) = (Vec::new(), 0_u32, 0);
    for character in text.trim_end_matches('=').bytes() {
        let digit = match character {
            b'A'..=b'Z' => character - b'A',
            b'a'..=b'z' => character - b'a' + 26,
            b'0'..=b'9' => character - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => panic!("`{text}` is not base64"),
        };
        bits = bits << 6 | u32::from(digit);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
        }
    }
    bytes
}

fn uuid(bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
}
