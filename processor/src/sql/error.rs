//! What is wrong with a SQL text, where, and what to write instead.
//!
//! Before: `sql/parse` and `sql/bind` make errors that know a byte range. After: the binary prints
//! [`SqlError::render`]: one screen at most.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use tidemill_client::Properties;

/// A SQL text that cannot be run, with the place that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    message: String,
    span: Range<usize>,
    label: String,
    help: Option<String>,
    text: String,
}

impl SqlError {
    pub(super) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Self(Box::new(Inner { message: message.into(), span, label: String::new(), help: None, text: String::new() }))
    }

    /// Says at the caret what stands there.
    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.0.label = label.into();
        self
    }

    /// Says below what to do.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Suggests the known name nearest to `wrong`, if one is near, else lists the first few.
    pub(super) fn suggest<'n>(self, wrong: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        if let Some(near) = nearest(wrong, &known) {
            return self.label(format!("did you mean '{}'?", shorten(near)));
        }
        match known.len() {
            0 => self,
            1..=LISTED_MAX => {
                let all: Vec<_> = known.iter().map(|name| shorten(name)).collect();
                self.help(format!("known here: {}", all.join(", ")))
            }
            count => {
                let first: Vec<_> = known[..LISTED_MAX].iter().map(|name| shorten(name)).collect();
                self.help(format!("known here: {} and {} more", first.join(", "), count - LISTED_MAX))
            }
        }
    }

    /// Attaches the text that the span points into.
    pub(super) fn in_text(mut self, text: &str) -> Self {
        let start = text.floor_char_boundary(self.0.span.start.min(text.len()));
        let end = text.floor_char_boundary(self.0.span.end.clamp(start, text.len()));
        // A caret under one line says as much as one under twenty.
        let line_end = text[start..end].find('\n').map_or(end, |newline| start + newline);
        self.0.span = start..line_end;
        self.0.text = without_secrets(text);
        self
    }

    /// What is wrong, in one sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The bytes of the text that are at fault.
    pub fn span(&self) -> Range<usize> {
        self.0.span.clone()
    }

    /// Line and column of the fault, both from 1; the column counts characters.
    pub fn line_and_column(&self) -> (usize, usize) {
        let before = &self.0.text[..self.0.span.start];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
    }

    /// The error as rustc would draw it: message, file, line, column, caret and suggestion; at most one screen.
    /// `path` is the name to show for the text; `colour` is for terminals.
    pub fn render(&self, path: &str, colour: bool) -> String {
        let annotation = AnnotationKind::Primary.span(self.span());
        let annotation = if self.0.label.is_empty() { annotation } else { annotation.label(self.0.label.as_str()) };
        let snippet = Snippet::source(self.0.text.as_str()).path(path).annotation(annotation);
        let mut group = Level::ERROR.primary_title(self.0.message.as_str()).element(snippet);
        if let Some(help) = &self.0.help {
            group = group.element(Level::HELP.message(help.as_str()));
        }
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        renderer.render(&[group])
    }
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, column) = self.line_and_column();
        write!(f, "line {line}, column {column}: {}", self.0.message)?;
        if !self.0.label.is_empty() {
            write!(f, "; {}", self.0.label)?;
        }
        Ok(())
    }
}

impl std::error::Error for SqlError {}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlError")
            .field("message", &self.message)
            .field("span", &self.span)
            .field("label", &self.label)
            .field("help", &self.help)
            .finish_non_exhaustive()
    }
}

/// The text with an asterisk for each byte of a client property's value that may be secret: the line at fault is shown,
/// and what it holds beside the fault may be a password.
fn without_secrets(text: &str) -> String {
    let mut masked = String::with_capacity(text.len());
    // The key of a secret stood here, and what has come since.
    let (mut is_secret, mut between) = (false, String::new());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '\'' => {
                let content = &rest[1..1 + literal_end(&rest[1..])];
                let property = content.strip_prefix("properties.");
                let is_value = is_secret && between == "=";
                is_secret = !is_value && property.is_some_and(|name| !Properties::may_be_shown(name));
                between.clear();
                masked.push('\'');
                if is_value {
                    masked.extend(std::iter::repeat_n('*', content.len()));
                } else {
                    masked.push_str(content);
                }
                rest = &rest[1 + content.len()..];
                usize::from(!rest.is_empty()) // the closing quote
            }
            _ => {
                if !first.is_whitespace() {
                    between.push(first);
                }
                first.len_utf8()
            }
        };
        let (done, left) = rest.split_at(length);
        masked.push_str(done);
        rest = left;
    }
    masked
}

/// Where a literal ends, of which the opening quote is taken: a quote inside it is written twice.
fn literal_end(literal: &str) -> usize {
    let mut at = 0;
    while let Some(quote) = literal[at..].find('\'') {
        at += quote;
        if !literal[at + 1..].starts_with('\'') {
            return at;
        }
        at += 2;
    }
    literal.len()
}

/// Names from the user's text are cut in messages, so that an error stays on one screen.
pub(super) fn shorten(name: &str) -> String {
    const CHARS_MAX: usize = 60;
    match name.char_indices().nth(CHARS_MAX) {
        Some((cut, _)) => format!("{}…", &name[..cut]),
        None => name.to_owned(),
    }
}

fn nearest<'n>(wrong: &str, known: &[&'n str]) -> Option<&'n str> {
    if wrong.len() > 200 {
        return None;
    }
    if let Some(same) = known.iter().find(|name| name.eq_ignore_ascii_case(wrong)) {
        return Some(same);
    }
    // 'earliest' for 'earliest-offset': nearer to what was meant than its distance says.
    if wrong.len() >= 4
        && let Some(longer) = known.iter().find(|name| name.starts_with(wrong))
    {
        return Some(longer);
    }
    let distance_max = (wrong.chars().count() / 3).clamp(1, 4);
    let candidates = known.iter().filter(|name| name.len() <= 200);
    let distances = candidates.map(|name| (strsim::damerau_levenshtein(wrong, name), *name));
    distances.filter(|(distance, _)| *distance <= distance_max).min_by_key(|(distance, _)| *distance).map(|(_, n)| n)
}

const LISTED_MAX: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_beside_a_fault_are_not_shown() {
        let text = "-- don't\n/* can't */ WITH ('properties.client.id' = 'clicks', 'properties.sasl.password'='it''s hunter2', 'fromat' = 'json',
            'properties.sasl.pasword' = -- it's here
            'hunter2', 'properties.ssl.key.password' = 'hunter2 and no end";
        let start = text.find("'fromat'").unwrap();
        let error = SqlError::new("unknown option", start..start + 8).in_text(text);
        let shown = format!("{error} {error:?} {error:#?} {}", error.render("a.sql", false));
        assert!(!shown.contains("hunter2") && shown.contains("'clicks'") && shown.contains("'json'"), "{shown}");
        assert!(shown.contains("'properties.sasl.password'='*************', 'fromat'"), "{shown}");
        let masked = without_secrets(text);
        assert!(!masked.contains("hunter2") && masked.len() == text.len(), "{masked}");
    }
}
