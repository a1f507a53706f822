//! What is wrong with a SQL text, where, and what to write instead.
//!
//! Before: `sql/parse` and `sql/bind` make errors that know a byte range. After: the binary prints
//! [`SqlError::render`]: one screen at most.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A SQL text that cannot be run, with the place that is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
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
        text.clone_into(&mut self.0.text);
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
