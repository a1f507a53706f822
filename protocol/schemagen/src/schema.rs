//! A message schema as Kafka writes it: JSON with `//` comments, one message a file.
//!
//! [`tables`](super::tables) makes rows of what is read here. The format is described in the README beside the schemas in
//! Kafka's source (`clients/src/main/resources/common/message`).

use serde::{Deserialize, Deserializer};

/// One message.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Schema {
    pub(crate) api_key: Option<i16>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) valid_versions: Versions,
    #[serde(default)]
    pub(crate) flexible_versions: Versions,
    /// The newest version may still change: Kafka does not offer it, and there is no struct for it.
    #[serde(default)]
    pub(crate) latest_version_unstable: bool,
    #[serde(default)]
    pub(crate) fields: Vec<Field>,
    #[serde(default)]
    pub(crate) common_structs: Vec<CommonStruct>,
}

/// One field of a message or of a struct inside it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Field {
    pub(crate) name: String,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) versions: Versions,
    #[serde(default)]
    pub(crate) nullable_versions: Versions,
    #[serde(default)]
    pub(crate) tagged_versions: Versions,
    /// Only where it differs from the message's.
    pub(crate) flexible_versions: Option<Versions>,
    pub(crate) tag: Option<u8>,
    #[serde(default)]
    pub(crate) fields: Vec<Self>,
}

/// A struct that several fields of one message share.
#[derive(Debug, Deserialize)]
pub(crate) struct CommonStruct {
    pub(crate) name: String,
    pub(crate) fields: Vec<Field>,
}

/// A range of versions: `none` (first above last), `3`, `3-7` or `3+`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Versions {
    pub(crate) first: i16,
    pub(crate) last: i16,
}

impl Versions {
    pub(crate) const NONE: Self = Self { first: 0, last: -1 };

    pub(crate) fn is_none(self) -> bool {
        self.first > self.last
    }

    pub(crate) fn contains(self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    pub(crate) fn intersect(self, other: Self) -> Self {
        let both = Self { first: self.first.max(other.first), last: self.last.min(other.last) };
        if both.is_none() { Self::NONE } else { both }
    }

    fn parse(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::NONE);
        }
        if let Some(first) = text.strip_suffix('+') {
            return Some(Self { first: first.parse().ok()?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }
}

impl Default for Versions {
    fn default() -> Self {
        Self::NONE
    }
}

impl<'de> Deserialize<'de> for Versions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no range of versions")))
    }
}

/// Reads one file.
pub(crate) fn read(text: &str) -> Result<Schema, serde_json::Error> {
    serde_json::from_str(&without_comments(text))
}

/// JSON as it is without `//` comments; two slashes inside a string stay.
fn without_comments(text: &str) -> String {
    let mut json = String::with_capacity(text.len());
    for line in text.lines() {
        json.push_str(&line[..comment_start(line)]);
        json.push('\n');
    }
    json
}

/// Where the comment of a line begins. Strings do not span lines in JSON.
fn comment_start(line: &str) -> usize {
    let (mut in_string, mut escaped, mut previous) = (false, false, ' ');
    for (at, character) in line.char_indices() {
        if !in_string && character == '/' && previous == '/' {
            return at - 1;
        }
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
        previous = character;
    }
    line.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_go_and_strings_stay() {
        let text = "{ // why\n\"about\": \"see https://x \\\" // y\", // z\n\"tag\": 1 }";
        assert_eq!(without_comments(text), "{ \n\"about\": \"see https://x \\\" // y\", \n\"tag\": 1 }\n");
    }

    #[test]
    fn a_range_is_read_in_each_of_its_forms() {
        let range = |first, last| Some(Versions { first, last });
        assert_eq!(Versions::parse("none"), range(0, -1));
        assert_eq!(Versions::parse("3"), range(3, 3));
        assert_eq!(Versions::parse("3-7"), range(3, 7));
        assert_eq!(Versions::parse("3+"), range(3, i16::MAX));
        assert_eq!(Versions::parse("three"), None);
        assert!(range(0, 2).unwrap().intersect(range(3, 4).unwrap()).is_none());
    }
}
