//! Text to a [`Script`]: one rule a line, as `print` writes it.
//!
//! `#` begins a comment; empty lines are passed over. APIs, error codes and words may be written in any case. What cannot
//! be read is named by line and column, with what was expected there and what was probably meant.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tidemill_protocol::api::VersionRange;
use tidemill_protocol::{ApiKey, ErrorCode};

use super::phrase;
use super::print::is_plain;
use super::script::{Conditions, Count, Fault, On, Probability, Rule, Script};

/// A script that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseError {
    /// In which line, from 1.
    pub line: usize,
    /// At which character of it, from 1.
    pub column: usize,
    /// What is wrong there, and what would be right.
    pub reason: String,
    /// The line.
    pub text: String,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, reason, text } = self;
        write!(f, "line {line}, column {column}: {reason}\n  {text}\n  {:>column$}", "^")
    }
}

impl std::error::Error for ParseError {}

/// What is wrong, at which character of the line.
pub(super) struct Wrong {
    pub(super) column: usize,
    pub(super) reason: String,
}

/// What is asked for, or what is wrong.
pub(super) type Parsed<T> = Result<T, Wrong>;

impl FromStr for Script {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut rules = Vec::new();
        for (line, text) in (1..).zip(text.lines()) {
            let rule = rule(text).map_err(|Wrong { column, reason }| {
                // A tab would move the mark away from what it points at.
                ParseError { line, column, reason, text: text.replace('\t', " ") }
            })?;
            rules.extend(rule);
        }
        Ok(Self::new(rules))
    }
}

/// A rule alone, on one line.
impl TryFrom<&str> for Script {
    type Error = ParseError;

    fn try_from(text: &str) -> Result<Self, ParseError> {
        text.parse()
    }
}

impl FromStr for Rule {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let script: Script = text.parse()?;
        let reason = match script.rules() {
            [rule] => return Ok(rule.clone()),
            [] => "a rule is expected, as in `Produce times=1: lose reply`".to_owned(),
            [_, ..] => format!("one rule is expected, and there are {}", script.rules().len()),
        };
        Err(ParseError { line: 1, column: 1, reason, text: text.lines().next().unwrap_or_default().to_owned() })
    }
}

/// A word of a line, and where it begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word<'a> {
    pub(super) text: &'a str,
    pub(super) column: usize,
}

impl Word<'_> {
    pub(super) fn wrong<T>(self, reason: impl Into<String>) -> Parsed<T> {
        Err(Wrong { column: self.column, reason: reason.into() })
    }

    pub(super) fn is(self, word: &str) -> bool {
        self.text.eq_ignore_ascii_case(word)
    }
}

/// The words of a line that are not read yet.
pub(super) struct Words<'a> {
    words: std::vec::IntoIter<Word<'a>>,
    /// Where the next word would stand behind the last.
    end: usize,
}

impl<'a> Words<'a> {
    fn new(words: Vec<Word<'a>>, begin: usize) -> Self {
        let end = words.last().map_or(begin, |word| word.column + word.text.chars().count());
        Self { words: words.into_iter(), end }
    }

    pub(super) fn peek(&self) -> Option<Word<'a>> {
        self.words.as_slice().first().copied()
    }

    /// The next word, whatever it is.
    pub(super) fn any(&mut self, expected: &str) -> Parsed<Word<'a>> {
        self.words.next().ok_or_else(|| Wrong { column: self.end, reason: format!("{expected} is expected here") })
    }

    /// Whether these words come next; if so, they are read.
    pub(super) fn take(&mut self, expected: &str) -> bool {
        let count = expected.split(' ').count();
        let is_next = self
            .words
            .as_slice()
            .get(..count)
            .is_some_and(|next| next.iter().zip(expected.split(' ')).all(|(word, expected)| word.is(expected)));
        if is_next {
            self.words.nth(count - 1);
        }
        is_next
    }

    /// These words come next.
    pub(super) fn expect(&mut self, expected: &str) -> Parsed<()> {
        if self.take(expected) {
            return Ok(());
        }
        let word = self.any(&format!("`{expected}`"))?;
        word.wrong(format!("`{expected}` is expected here, and not `{}`", word.text))
    }

    /// One of these words comes next; which.
    pub(super) fn one_of(&mut self, choices: &[&'static str]) -> Parsed<&'static str> {
        let expected = choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(" or ");
        let word = self.any(&expected)?;
        match choices.iter().find(|choice| word.is(choice)) {
            Some(choice) => Ok(choice),
            None => {
                word.wrong(format!("{expected} is expected here, and not `{}`{}", word.text, near(word.text, choices)))
            }
        }
    }

    /// Nothing comes next.
    fn end(&self) -> Parsed<()> {
        match self.peek() {
            None => Ok(()),
            Some(word) => word.wrong(format!("nothing more is expected here, and there is `{}`", word.text)),
        }
    }

    pub(super) fn number<N: FromStr>(&mut self, what: &str) -> Parsed<N> {
        let word = self.any(what)?;
        number(word, what)
    }

    pub(super) fn time(&mut self) -> Parsed<Duration> {
        let word = self.any("a time, such as 200ms,")?;
        time(word)
    }

    pub(super) fn name(&mut self, what: &str) -> Parsed<String> {
        let word = self.any(what)?;
        name(word)
    }
}

/// One line; none when nothing stands on it.
fn rule(line: &str) -> Parsed<Option<Rule>> {
    let (mut head, tail) = words(line)?;
    if head.peek().is_none() && tail.is_none() {
        return Ok(None);
    }
    let on = on(&mut head)?;
    let keys = match on {
        On::Connect => CONNECT_KEYS,
        On::Request { .. } => KEYS,
        On::At(_) => &[],
    };
    let conditions = conditions(&mut head, keys)?;
    let Some(mut tail) = tail else {
        let expected = "a colon and a fault are expected here, as in `: lose reply`";
        return Err(Wrong { column: head.end, reason: expected.to_owned() });
    };
    let first = tail.peek().map_or(tail.end, |word| word.column);
    let fault = phrase::fault(&on, &mut tail)?;
    tail.end()?;
    if let (On::At(_), Fault::Cluster(effect, _)) = (&on, &fault)
        && let Some(missing) = effect.missing()
    {
        return Err(Wrong { column: first, reason: format!("there is no request here that says it: name {missing}") });
    }
    Ok(Some(Rule { on, conditions, fault }))
}

/// The words in front of the colon, and those behind it, if there is one.
fn words(line: &str) -> Parsed<(Words<'_>, Option<Words<'_>>)> {
    let mut head: Vec<Word<'_>> = Vec::new();
    let mut tail: Option<(usize, Vec<Word<'_>>)> = None;
    let mut begun: Option<(usize, usize)> = None;
    let mut quote = None;
    let mut escaped = false;
    // A space behind the line ends its last word.
    let characters = line.char_indices().chain([(line.len(), ' ')]);
    for (column, (at, character)) in (1..).zip(characters) {
        if let Some(opened) = quote {
            if at == line.len() {
                return Err(Wrong { column: opened, reason: "this quote is not closed".to_owned() });
            }
            if escaped {
                escaped = false;
            } else if character == '\\' {
                escaped = true;
            } else if character == '"' {
                quote = None;
            }
            continue;
        }
        let splits = character == ':' && tail.is_none();
        let comments = character == '#';
        if character.is_whitespace() || splits || comments {
            if let Some((column, from)) = begun.take() {
                let word = Word { text: line.get(from..at).unwrap_or_default(), column };
                tail.as_mut().map_or(&mut head, |(_, words)| words).push(word);
            }
            if splits {
                tail = Some((column + 1, Vec::new()));
            }
            if comments {
                break;
            }
            continue;
        }
        begun.get_or_insert((column, at));
        if character == '"' {
            quote = Some(column);
        }
    }
    Ok((Words::new(head, 1), tail.map(|(begin, words)| Words::new(words, begin))))
}

/// What stands first: the event.
fn on(head: &mut Words<'_>) -> Parsed<On> {
    let word = head.any("`connect`, `at` and a time, an API or `*`")?;
    if word.is("connect") {
        return Ok(On::Connect);
    }
    if word.is("at") {
        return Ok(On::At(head.time()?));
    }
    let mut apis = Vec::new();
    if word.text != "*" {
        let mut column = word.column;
        for text in word.text.split(',') {
            apis.push(api(Word { text, column })?);
            column += text.chars().count() + 1;
        }
    }
    let is_range = |word: &Word<'_>| {
        word.text.strip_prefix(['v', 'V']).is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit()))
    };
    let versions = match head.peek().filter(is_range) {
        Some(word) => {
            head.any("versions")?;
            Some(versions(word)?)
        }
        None => None,
    };
    Ok(On::Request { apis, versions })
}

const CONNECT_KEYS: &[&str] = &["broker", "host", "times", "nth", "p", "after", "until"];

const KEYS: &[&str] = &["broker", "topic", "group", "client", "host", "times", "nth", "p", "after", "until"];

fn conditions(head: &mut Words<'_>, keys: &[&'static str]) -> Parsed<Conditions> {
    let mut conditions = Conditions::default();
    let mut seen: Vec<&str> = Vec::new();
    while head.peek().is_some() {
        let word = head.any("a condition")?;
        if keys.is_empty() {
            return word.wrong(format!("a colon is expected here, and not `{}`", word.text));
        }
        let Some((key, text)) = word.text.split_once('=') else {
            let expected = "a condition, such as `broker=1`, or a colon is expected here";
            return word.wrong(format!("{expected}, and not `{}`", word.text));
        };
        let value = Word { text, column: word.column + key.chars().count() + 1 };
        let Some(key) = keys.iter().find(|known| known.eq_ignore_ascii_case(key)) else {
            let near = near(key, keys);
            let all = keys.join(", ");
            return word.wrong(format!("there is no condition `{key}` here{near} (there are {all})"));
        };
        if seen.contains(key)
            || (seen.contains(&"times") && *key == "nth")
            || (seen.contains(&"nth") && *key == "times")
        {
            return word
                .wrong(format!("`{key}` is one condition too many: each stands once, and either `times` or `nth`"));
        }
        seen.push(key);
        match *key {
            "broker" => conditions.broker = Some(number(value, "the id of a broker")?),
            "topic" => {
                let (topic, partition) = topic(value)?;
                (conditions.topic, conditions.partition) = (Some(topic), partition);
            }
            "group" => conditions.group = Some(name(value)?),
            "client" => conditions.client = Some(name(value)?),
            "host" => conditions.host = Some(name(value)?),
            "times" => conditions.count = Count::Times(number(value, "a number of times")?),
            "nth" => conditions.count = Count::Nth(number(value, "which time, from 1,")?),
            "p" => conditions.probability = Some(probability(value)?),
            "after" => conditions.after = Some(time(value)?),
            _ => conditions.until = Some(time(value)?),
        }
    }
    Ok(conditions)
}

/// An API by name or number.
pub(super) fn api(word: Word<'_>) -> Parsed<ApiKey> {
    if let Ok(number) = word.text.parse() {
        return Ok(ApiKey(number));
    }
    if let Some(api) = ApiKey::ALL.iter().find(|api| api.name().is_some_and(|name| word.is(name))) {
        return Ok(*api);
    }
    let names: Vec<&str> = ApiKey::ALL.iter().filter_map(|api| api.name()).chain(["connect", "at"]).collect();
    word.wrong(format!("there is no API `{}`{}", word.text, near(word.text, &names)))
}

/// An error code by name or number.
pub(super) fn error_code(word: Word<'_>) -> Parsed<ErrorCode> {
    if let Ok(number) = word.text.parse() {
        return Ok(ErrorCode(number));
    }
    let named = || (-1..=1000).map(ErrorCode).filter_map(|code| Some((code, code.name()?)));
    if let Some((code, _)) = named().find(|(_, name)| word.is(name)) {
        return Ok(code);
    }
    let names: Vec<&str> = named().map(|(_, name)| name).collect();
    word.wrong(format!("there is no error code `{}`{}", word.text, near(word.text, &names)))
}

/// `v3-8`, or `v3` for one.
pub(super) fn versions(word: Word<'_>) -> Parsed<VersionRange> {
    let read = |text: &str| text.parse::<i16>().ok();
    let range = word.text.strip_prefix(['v', 'V']).and_then(|text| match text.split_once('-') {
        Some((min, max)) => Some(VersionRange::new(read(min)?, read(max)?)),
        None => read(text).map(|version| VersionRange::new(version, version)),
    });
    match range.filter(|range| range.min <= range.max) {
        Some(range) => Ok(range),
        None => word.wrong(format!("versions such as v3-8 are expected here, and not `{}`", word.text)),
    }
}

/// `name` or `name/partition`.
fn topic(word: Word<'_>) -> Parsed<(String, Option<i32>)> {
    let closing = word.text.rfind('"').unwrap_or(0);
    let Some(slash) = word.text.rfind('/').filter(|slash| *slash > closing) else {
        return Ok((name(word)?, None));
    };
    let (text, partition) = word.text.split_at(slash);
    let column = word.column + text.chars().count() + 1;
    let partition = Word { text: partition.get(1..).unwrap_or_default(), column };
    Ok((name(Word { text, ..word })?, Some(number(partition, "the number of a partition")?)))
}

/// `topic/partition`.
pub(super) fn topic_partition(word: Word<'_>) -> Parsed<(String, i32)> {
    match topic(word)? {
        (topic, Some(partition)) => Ok((topic, partition)),
        (_, None) => word.wrong(format!("a partition such as clicks/0 is expected here, and not `{}`", word.text)),
    }
}

/// A name, with its quotes taken off.
pub(super) fn name(word: Word<'_>) -> Parsed<String> {
    let Some(quoted) = word.text.strip_prefix('"') else {
        if is_plain(word.text) {
            return Ok(word.text.to_owned());
        }
        return word.wrong(format!("a name is expected here; in quotes, if it is to be `{}`", word.text));
    };
    let mut name = String::new();
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        match character {
            '"' if characters.as_str().is_empty() => return Ok(name),
            '"' => break,
            '\\' => match characters.next() {
                Some('n') => name.push('\n'),
                Some('r') => name.push('\r'),
                Some(escaped) => name.push(escaped),
                None => break,
            },
            _ => name.push(character),
        }
    }
    word.wrong("nothing but a name in quotes is expected here")
}

fn number<N: FromStr>(word: Word<'_>, what: &str) -> Parsed<N> {
    match word.text.parse() {
        Ok(number) => Ok(number),
        Err(_) => word.wrong(format!("{what} is expected here, and not `{}`", word.text)),
    }
}

/// A whole number and a unit.
pub(super) fn time(word: Word<'_>) -> Parsed<Duration> {
    let digits = word.text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = word.text.split_at(digits);
    let nanos_of_unit: Option<u128> = match unit {
        "ns" => Some(1),
        "us" => Some(1000),
        "ms" => Some(1_000_000),
        "s" => Some(1_000_000_000),
        "m" => Some(60_000_000_000),
        "h" => Some(3_600_000_000_000),
        _ => None,
    };
    let time = nanos_of_unit.zip(number.parse::<u128>().ok()).and_then(|(nanos, number)| {
        let nanos = number.checked_mul(nanos)?;
        let below_second = u32::try_from(nanos % 1_000_000_000).ok()?;
        Some(Duration::new(u64::try_from(nanos / 1_000_000_000).ok()?, below_second))
    });
    match time {
        Some(time) => Ok(time),
        None => word.wrong(format!(
            "a time is expected here (a whole number and one of ns, us, ms, s, m, h), and not `{}`",
            word.text
        )),
    }
}

/// A fraction of up to six digits.
fn probability(word: Word<'_>) -> Parsed<Probability> {
    let (whole, fraction) = word.text.split_once('.').unwrap_or((word.text, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let millionths = match (is_number(fraction) && fraction.len() <= 6, whole) {
        (true, "0" | "1") => format!("{whole}{fraction:0<6}").parse().ok(),
        _ => None,
    };
    match millionths.and_then(Probability::millionths) {
        Some(probability) => Ok(probability),
        None => word
            .wrong(format!("a number from 0 to 1, of at most six decimals, is expected here, and not `{}`", word.text)),
    }
}

/// What was probably meant, as the end of a sentence; empty when nothing is near.
pub(crate) fn near(written: &str, choices: &[&str]) -> String {
    let written = written.to_ascii_lowercase();
    let distance = |choice: &str| strsim::damerau_levenshtein(&written, &choice.to_ascii_lowercase());
    let nearest = choices.iter().map(|choice| (distance(choice), *choice)).min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((distance, choice)) if distance <= 1 + choice.len() / 4 => format!("; did you mean `{choice}`?"),
        _ => String::new(),
    }
}
