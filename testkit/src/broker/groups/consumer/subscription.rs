//! Which topics the members of a consumer group read: by name and by pattern.
//!
//! Patterns are RE2's in Kafka; here they are those of the `regex` crate, which are the same but for `\Q...\E`, which is
//! rewritten, and `\C`, which is refused. A pattern must match the whole name.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use tokio::time::Instant;
use uuid::Uuid;

use super::member::Member;
use crate::broker::topics::Topics;

/// The topics that a pattern matched when it was last looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Resolved {
    pub(super) topics: BTreeSet<String>,
}

/// The patterns of a group's members, and what they match.
#[derive(Debug, Clone, Default)]
pub(super) struct Patterns {
    pub(super) resolved: BTreeMap<String, Resolved>,
    pub(super) refreshed_at: Option<Instant>,
    /// The topics that there were then.
    known: BTreeSet<Uuid>,
}

/// The topics that are read and exist: a group rebalances when they change.
pub(super) type Metadata = BTreeMap<String, (Uuid, i32)>;

impl Patterns {
    /// The names of the topics that a member reads, whether they exist or not.
    pub(super) fn topics_of<'a>(&'a self, member: &'a Member) -> impl Iterator<Item = &'a str> {
        let matched = self.resolved.get(&member.regex).into_iter().flat_map(|resolved| &resolved.topics);
        member.topics.iter().chain(matched).map(String::as_str)
    }

    /// Whether a topic was made since the patterns were looked at.
    pub(super) fn misses_topic(&self, topics: &Topics) -> bool {
        topics.iter().any(|topic| !self.known.contains(&topic.id))
    }

    /// Looks at these patterns again. Whether one matches other topics than before.
    pub(super) fn resolve(&mut self, patterns: &BTreeSet<String>, topics: &Topics, now: Instant) -> bool {
        let resolve = |pattern: &String| {
            // It was taken when it came, so it is one.
            let regex = compile(pattern).ok()?;
            let matching = topics.iter().map(|topic| topic.name.0.as_str()).filter(|name| regex.is_match(name));
            Some((pattern.clone(), Resolved { topics: matching.map(str::to_owned).collect() }))
        };
        let resolved: BTreeMap<String, Resolved> = patterns.iter().filter_map(resolve).collect();
        let nothing = Resolved::default();
        let before = |pattern: &String| self.resolved.get(pattern).unwrap_or(&nothing);
        let changed = resolved.iter().any(|(pattern, matches)| before(pattern) != matches);
        self.resolved = resolved;
        self.known = topics.iter().map(|topic| topic.id).collect();
        self.refreshed_at = Some(now);
        changed
    }
}

/// A pattern for whole names.
///
/// # Errors
/// What is wrong with it.
pub(super) fn compile(pattern: &str) -> Result<Regex, String> {
    // By itself first: a parenthesis too many must not end the group around it.
    let unquoted = unquote(pattern);
    Regex::new(&unquoted).and_then(|_| Regex::new(&format!("^(?:{unquoted})$"))).map_err(|error| error.to_string())
}

/// What stands between `\Q` and `\E` is meant literally.
fn unquote(pattern: &str) -> String {
    let mut plain = String::new();
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        plain.push_str(before);
        if let Some(quoted) = escape.strip_prefix("\\Q") {
            let (literal, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
            plain.push_str(&regex::escape(literal));
            rest = after;
        } else {
            let end = escape.char_indices().nth(2).map_or(escape.len(), |(end, _)| end);
            let (pair, after) = escape.split_at(end);
            plain.push_str(pair);
            rest = after;
        }
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names() {
        let matches = |pattern: &str, name: &str| compile(pattern).unwrap().is_match(name);
        assert!(matches("a|b.*", "a") && matches("a|b.*", "bcd") && !matches("a|b.*", "ab"));
        assert!(matches(r"\Qa.b\E.*", "a.bc") && !matches(r"\Qa.b\E.*", "aXbc"));
        assert!(matches(r"\pL+\d", "abc1") && matches(r"(?i)ABC", "abc"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for pattern in ["[a", "a)(b", "*", r"\C", "(?=a)"] {
            assert!(compile(pattern).is_err(), "{pattern}");
        }
    }
}
