//! What a broker answered, as a tree that can be compared with another broker's: read off the `Debug` text of the message,
//! which names every field; ids that the broker makes up, addresses and the clock taken out; lists without an order in one.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

/// An answer, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Value {
    Text(String),
    List(Vec<Self>),
    Fields(Vec<(String, Self)>),
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Said(Value),
    /// The connection was closed.
    Closed,
    /// There is no answer yet.
    Waits,
}

/// One place in which two answers differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The fields that lead there, without numbers of elements.
    pub(crate) path: String,
    pub(crate) ours: String,
    pub(crate) theirs: String,
}

/// Whether to drop what other sequences and the broker itself have made, in an answer that lists everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    All,
    Own,
}

/// The names that a sequence gives to what is different on every broker.
#[derive(Debug)]
pub(crate) struct Names {
    /// What all names of the sequence begin with.
    pub(crate) prefix: String,
    /// Milliseconds; what lies behind is the clock's.
    pub(crate) clock_begins: i64,
    /// Ids by field, in the order in which they were first seen.
    ids: BTreeMap<&'static str, Vec<String>>,
}

impl Value {
    /// Reads the `Debug` text of a message.
    pub(crate) fn read(text: &str) -> Self {
        let mut rest = text;
        let value = read(&mut rest);
        assert!(rest.is_empty(), "not read: {rest}");
        value
    }

    /// With all its lists in one order.
    fn sorted(&self) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.clone()),
            Self::List(elements) => {
                let mut sorted: Vec<Self> = elements.iter().map(Self::sorted).collect();
                sorted.sort();
                Self::List(sorted)
            }
            Self::Fields(fields) => {
                Self::Fields(fields.iter().map(|(name, value)| (name.clone(), value.sorted())).collect())
            }
        }
    }

    fn field(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Fields(fields) => fields.iter().find(|(other, _)| other == name).map(|(_, value)| value),
            Self::Text(_) | Self::List(_) => None,
        }
    }

    /// Whether any part of it is this text.
    pub(crate) fn has(&self, wanted: &dyn Fn(&str, &str) -> bool) -> bool {
        self.has_in("", wanted)
    }

    fn has_in(&self, name: &str, wanted: &dyn Fn(&str, &str) -> bool) -> bool {
        match self {
            Self::Text(text) => wanted(name, text),
            Self::List(elements) => elements.iter().any(|element| element.has_in(name, wanted)),
            Self::Fields(fields) => fields.iter().any(|(name, value)| value.has_in(name, wanted)),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::List(elements) => {
                f.write_char('[')?;
                for element in elements {
                    write!(f, "{element} ")?;
                }
                f.write_char(']')
            }
            Self::Fields(fields) => {
                f.write_char('{')?;
                for (name, value) in fields {
                    write!(f, "{name}: {value} ")?;
                }
                f.write_char('}')
            }
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(value) => value.fmt(f),
            Self::Closed => f.write_str("closed the connection"),
            Self::Waits => f.write_str("waits"),
        }
    }
}

impl Names {
    pub(crate) fn new(prefix: &str, clock_begins: i64) -> Self {
        Self { prefix: prefix.to_owned(), clock_begins, ids: BTreeMap::new() }
    }

    /// The answer without what is different on every broker: with its lists in an order of ours, and in the broker's.
    pub(crate) fn tell(&mut self, mut value: Value, keep: Keep) -> (Value, Value) {
        let mut as_said = value.clone();
        self.settle(&mut value, keep, true);
        self.learn(&value);
        self.put(&mut value);
        self.settle(&mut as_said, keep, false);
        self.put(&mut as_said);
        (value, as_said)
    }

    /// Words with the prefix taken out and ids that are known as their names.
    pub(crate) fn in_words(&self, text: &str) -> String {
        let mut text = text.replace(&self.prefix, "");
        for (kind, ids) in &self.ids {
            for (number, id) in ids.iter().enumerate().filter(|(_, id)| id.len() > 20) {
                text = text.replace(id, &format!("<{kind} {number}>"));
            }
        }
        text
    }

    /// Takes out what is not to be compared, and sorts, with ids that are not known left out of the order.
    fn settle(&self, value: &mut Value, keep: Keep, sort: bool) {
        match value {
            Value::Text(_) => {}
            Value::Fields(fields) => {
                fields.retain(|(name, value)| name != "unknown_tagged_fields" || *value != Value::Fields(Vec::new()));
                for (_, value) in fields {
                    self.settle(value, keep, sort);
                }
            }
            Value::List(elements) => {
                if keep == Keep::Own {
                    elements.retain(|element| self.is_own(element));
                }
                for element in elements.iter_mut() {
                    self.settle(element, keep, sort);
                }
                if sort {
                    elements.sort_by_cached_key(|element| self.masked("", element));
                }
            }
        }
    }

    fn is_own(&self, element: &Value) -> bool {
        let names = ["name", "topic_name", "group_id", "transactional_id", "topic", "resource_name", "user", "entity"];
        match names.iter().find_map(|name| element.field(name)) {
            Some(name) => name.has(&|_, text| text == "None" || text.contains(&self.prefix)),
            None => true,
        }
    }

    fn masked(&self, name: &str, value: &Value) -> String {
        match value {
            Value::Text(text) => match (id_kind(name), self.name_of(name, text)) {
                (Some(_), Some(name)) => name,
                (Some(_), None) => "?".to_owned(),
                (None, _) => self.plain(name, text),
            },
            Value::List(elements) => {
                let mut masked: Vec<String> = elements.iter().map(|element| self.masked(name, element)).collect();
                masked.sort();
                masked.join(" ")
            }
            Value::Fields(fields) => {
                let masked = fields.iter().map(|(name, value)| format!("{name}:{}", self.masked(name, value)));
                masked.collect::<Vec<_>>().join(" ")
            }
        }
    }

    fn name_of(&self, field: &str, id: &str) -> Option<String> {
        let kind = id_kind(field)?;
        if is_no_id(id) {
            return Some(id.to_owned());
        }
        let number = self.ids.get(kind)?.iter().position(|known| known == id.trim_matches('"'))?;
        Some(format!("<{kind} {number}>"))
    }

    fn learn(&mut self, value: &Value) {
        self.learn_in("", value);
    }

    fn learn_in(&mut self, name: &str, value: &Value) {
        match value {
            Value::Text(text) => {
                if let Some(kind) = id_kind(name)
                    && !is_no_id(text)
                {
                    let ids = self.ids.entry(kind).or_default();
                    let id = text.trim_matches('"');
                    if !ids.iter().any(|known| known == id) {
                        ids.push(id.to_owned());
                    }
                }
            }
            Value::List(elements) => {
                // Which is which of those that only their ids tell apart, a later answer may say.
                let alike: Vec<String> = elements.iter().map(|element| self.masked(name, element)).collect();
                let is_one = |it: &String| !it.contains('?') || alike.iter().filter(|other| *other == it).count() == 1;
                for (element, _) in elements.iter().zip(&alike).filter(|(_, alike)| is_one(alike)) {
                    self.learn_in(name, element);
                }
            }
            Value::Fields(fields) => fields.iter().for_each(|(name, value)| self.learn_in(name, value)),
        }
    }

    fn put(&self, value: &mut Value) {
        self.put_in("", value);
    }

    fn put_in(&self, name: &str, value: &mut Value) {
        match value {
            Value::Text(text) => {
                let unknown = || id_kind(name).map(|kind| format!("<{kind} ?>"));
                *text = self.name_of(name, text).or_else(unknown).unwrap_or_else(|| self.plain(name, text));
            }
            Value::List(elements) => elements.iter_mut().for_each(|element| self.put_in(name, element)),
            Value::Fields(fields) => fields.iter_mut().for_each(|(name, value)| self.put_in(name, value)),
        }
    }

    fn plain(&self, name: &str, text: &str) -> String {
        match name {
            "port" => return "<port>".to_owned(),
            "cluster_id" => return "<cluster>".to_owned(),
            "log_dir" => return "<folder>".to_owned(),
            "total_bytes" | "usable_bytes" => return "<disk>".to_owned(),
            _ => {}
        }
        match text.parse::<i64>() {
            Ok(number) if self.is_clocks(number) => "<now>".to_owned(),
            Ok(_) => text.to_owned(),
            Err(_) => self.without_clock(&self.in_words(text)),
        }
    }

    fn is_clocks(&self, number: i64) -> bool {
        number >= self.clock_begins && number < i64::MAX / 2
    }

    /// Words in which no number is the clock's, nor one that is reckoned from it.
    fn without_clock(&self, words: &str) -> String {
        let mut told = String::new();
        let mut rest = words;
        while let Some(begin) = rest.find(|it: char| it.is_ascii_digit()) {
            let digits = rest[begin..].find(|it: char| !it.is_ascii_digit()).map_or(rest.len(), |end| begin + end);
            let begin = if rest[..begin].ends_with('-') { begin - 1 } else { begin };
            let number = rest[begin..digits].parse::<i64>();
            let is_clocks = number.is_ok_and(|it| {
                self.clock_begins > 0 && (self.is_clocks(it) || self.is_clocks(it.wrapping_add(i64::MAX)))
            });
            told.push_str(&rest[..begin]);
            told.push_str(if is_clocks { "<now>" } else { &rest[begin..digits] });
            rest = &rest[digits..];
        }
        told + rest
    }
}

/// The lists that stand in another order: answers are otherwise the same.
pub(crate) fn orders(ours: &Value, theirs: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare_order("", ours, theirs, &mut found);
    found
}

fn compare_order(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<String>) {
    match (ours, theirs) {
        (ours, theirs) if ours == theirs => {}
        (Value::List(ours), Value::List(theirs)) => {
            let is_same =
                ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(it, other)| it.sorted() == other.sorted());
            if !is_same {
                return found.push(path.to_owned());
            }
            ours.iter().zip(theirs).for_each(|(ours, theirs)| compare_order(path, ours, theirs, found));
        }
        (Value::Fields(ours), Value::Fields(theirs)) => {
            for ((name, ours), (_, theirs)) in ours.iter().zip(theirs) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare_order(&path, ours, theirs, found);
            }
        }
        _ => found.push(path.to_owned()),
    }
}

/// Where two answers differ.
pub(crate) fn differences(ours: &Answer, theirs: &Answer) -> Vec<Difference> {
    let mut found = Vec::new();
    match (ours, theirs) {
        (Answer::Said(ours), Answer::Said(theirs)) => compare("", ours, theirs, &mut found),
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => {
            found.push(Difference { path: String::new(), ours: ours.to_string(), theirs: theirs.to_string() });
        }
    }
    found
}

fn compare(path: &str, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
    match (ours, theirs) {
        (Value::List(ours), Value::List(theirs)) if ours.len() == theirs.len() => {
            for (ours, theirs) in ours.iter().zip(theirs) {
                compare(path, ours, theirs, found);
            }
        }
        (Value::Fields(ours), Value::Fields(theirs))
            if ours.iter().map(|it| &it.0).eq(theirs.iter().map(|it| &it.0)) =>
        {
            for ((name, ours), (_, theirs)) in ours.iter().zip(theirs) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                compare(&path, ours, theirs, found);
            }
        }
        (ours, theirs) if ours == theirs => {}
        (ours, theirs) => {
            found.push(Difference { path: path.to_owned(), ours: ours.to_string(), theirs: theirs.to_string() });
        }
    }
}

/// Of which kind the ids are that stand in a field.
fn id_kind(field: &str) -> Option<&'static str> {
    match field {
        "producer_id" => Some("producer"),
        "topic_id" => Some("topic"),
        "member_id" | "leader" => Some("member"),
        "session_id" => Some("session"),
        _ => None,
    }
}

fn is_no_id(text: &str) -> bool {
    matches!(text, "\"\"" | "None" | "0" | "-1" | "00000000-0000-0000-0000-000000000000")
}

/// Values nest: `Name { field: value, .. }`, `[value, ..]`, `Name(value)`, `"text"`, `b"bytes"`, `{}` and words. A
/// wrapper is as good as what is in it.
fn read(rest: &mut &str) -> Value {
    skip(rest);
    if let Some(inside) = rest.strip_prefix('[') {
        *rest = inside;
        return Value::List(read_until(rest, ']'));
    }
    let quoted = rest.starts_with('"') || rest.starts_with("b\"");
    if quoted {
        return Value::Text(read_quoted(rest));
    }
    let end = rest.find(|it: char| "{}[](), :".contains(it)).unwrap_or(rest.len());
    let word = rest[..end].to_owned();
    *rest = &rest[end..];
    let after = rest.trim_start();
    if let Some(inside) = after.strip_prefix('{') {
        *rest = inside;
        return Value::Fields(read_fields(rest));
    }
    if let Some(inside) = rest.strip_prefix('(') {
        *rest = inside;
        let mut values = read_until(rest, ')');
        return if values.len() == 1 { values.remove(0) } else { Value::List(values) };
    }
    Value::Text(word)
}

fn skip(rest: &mut &str) {
    *rest = rest.trim_start_matches([' ', ',']);
}

fn read_until(rest: &mut &str, end: char) -> Vec<Value> {
    let mut values = Vec::new();
    loop {
        skip(rest);
        if let Some(after) = rest.strip_prefix(end) {
            *rest = after;
            return values;
        }
        values.push(read(rest));
    }
}

fn read_fields(rest: &mut &str) -> Vec<(String, Value)> {
    let mut fields = Vec::new();
    loop {
        skip(rest);
        if let Some(after) = rest.strip_prefix('}') {
            *rest = after;
            return fields;
        }
        let (name, after) = rest.split_once(": ").unwrap();
        *rest = after;
        fields.push((name.to_owned(), read(rest)));
    }
}

fn read_quoted(rest: &mut &str) -> String {
    let begin = rest.find('"').unwrap();
    let mut escaped = false;
    for (place, character) in rest.char_indices().skip(begin + 1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => {
                let text = rest[..=place].to_owned();
                *rest = &rest[place + 1..];
                return text;
            }
            _ => {}
        }
    }
    panic!("a text without an end: {rest}")
}

#[test]
fn the_text_of_a_message_becomes_a_tree() {
    let text = r#"Answer { code: -1, name: Some(Name("a \"b\"")), list: [Inner { x: b"\x00\"" }, Inner { x: None }], tags: {} }"#;
    let text_of = |value: &str| Value::Text(value.to_owned());
    let inner = |value| Value::Fields(vec![("x".to_owned(), text_of(value))]);
    let expected = Value::Fields(vec![
        ("code".to_owned(), text_of("-1")),
        ("name".to_owned(), text_of(r#""a \"b\"""#)),
        ("list".to_owned(), Value::List(vec![inner(r#"b"\x00\"""#), inner("None")])),
        ("tags".to_owned(), Value::Fields(Vec::new())),
    ]);
    assert_eq!(Value::read(text), expected);
}
