//! The live view: what is drawn, from plain values.
//!
//! Before: [`watch`](super::watch) fills [`View`]. After: [`screen`](super::screen) puts it on the terminal. Made for
//! 80 by 24; what does not fit is left out, the least important first.

use std::collections::VecDeque;
use std::iter;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

use super::super::numbers::grouped;
use super::check::{CheckedWindow, TOP};

/// Everything that is shown.
#[derive(Debug, Clone)]
pub(super) struct View {
    /// Where the broker is, as `host:port`.
    pub(super) bootstrap: String,
    /// How many times faster than time itself processing time runs.
    pub(super) speed: f64,
    /// The length of a window, in milliseconds.
    pub(super) window_ms: i64,
    pub(super) phase: Phase,
    /// Clicks that the job takes in per second.
    pub(super) rate: f64,
    /// Clicks that the job has not taken in yet, if known.
    pub(super) lag: Option<u64>,
    /// Processing time, in unix milliseconds; 0 before the start.
    pub(super) processing_time_ms: i64,
    /// When the open window ends, in unix milliseconds of processing time.
    pub(super) window_ends_ms: Option<i64>,
    /// Windows that were closed and checked.
    pub(super) windows: u64,
    /// The clicks in them.
    pub(super) clicks: u64,
    /// The latest of them, newest first.
    pub(super) recent: VecDeque<CheckedWindow>,
    pub(super) palette: Palette,
}

/// Where the demo is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    Running,
    /// The broker is away or the like; it goes on by itself.
    Trouble(String),
    Ended,
}

/// How things are set apart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Palette {
    title: Style,
    accent: Style,
    good: Style,
    bad: Style,
}

impl Palette {
    pub(super) const COLOUR: Self = Self {
        title: Style::new().fg(Color::Cyan).add_modifier(Modifier::BOLD),
        accent: Style::new().fg(Color::Cyan),
        good: Style::new().fg(Color::Green),
        bad: Style::new().fg(Color::Red),
    };
    /// Without any colour.
    pub(super) const PLAIN: Self = Self {
        title: Style::new().add_modifier(Modifier::BOLD),
        accent: Style::new(),
        good: Style::new(),
        bad: Style::new().add_modifier(Modifier::BOLD),
    };
    /// Readable on light and dark ground, where a grey would not be.
    const FAINT: Style = Style::new().add_modifier(Modifier::DIM);
    const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
}

impl View {
    /// Takes in a window that was checked.
    pub(super) fn handle_checked(&mut self, window: CheckedWindow) {
        self.windows += 1;
        self.clicks += window.clicks;
        self.recent.push_front(window);
        self.recent.truncate(RECENT_MAX);
    }

    /// The lines of the view for a terminal of this size: from the top, and those that stand at its foot.
    fn lines(&self, width: usize, height: usize) -> (Vec<Line<'_>>, Vec<Line<'_>>) {
        let roomy = height >= 20;
        let mut lines = vec![self.heading(width)];
        if roomy {
            lines.push(self.subtitle());
        }
        lines.push(self.rule("Now", "", width));
        lines.extend(self.now(width));
        if height >= 23 {
            lines.push(Line::default());
        }
        let foot = self.foot(width, roomy);
        let left = height.saturating_sub(lines.len() + foot.len());
        lines.extend(self.last_window(width, left));
        let left = height.saturating_sub(lines.len() + foot.len());
        lines.extend(self.earlier_windows(width, left));
        (lines, foot)
    }

    fn heading(&self, width: usize) -> Line<'_> {
        let name = Span::styled("Tidemill", self.palette.title);
        let rest = Span::raw(": top users by clicks");
        let end = match self.phase {
            Phase::Running | Phase::Trouble(_) => "q ends it",
            Phase::Ended => "ended",
        };
        apart(vec![name, rest], vec![Span::styled(end, Palette::FAINT)], width)
    }

    fn subtitle(&self) -> Line<'_> {
        let minutes = self.window_ms / 60_000;
        let text =
            format!("examples/top_users.sql on {minutes}-minute windows, time runs {} times as fast", self.speed);
        Line::styled(text, Palette::FAINT)
    }

    /// What goes on, one line for each thing.
    fn now(&self, width: usize) -> Vec<Line<'_>> {
        let lag = self.lag.map_or_else(|| "unknown".to_owned(), |lag| format!("{} records", grouped(lag)));
        let input = match &self.phase {
            Phase::Trouble(trouble) => Line::from(vec![label("Clicks in"), Span::styled(trouble, self.palette.bad)]),
            Phase::Running | Phase::Ended => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "for display")]
                let rate = format!("{}/s", grouped(self.rate.round() as u64));
                let rate = Span::styled(format!("{rate:<16}"), Palette::STRONG);
                Line::from(vec![label("Clicks in"), rate, Span::raw("lag "), Span::styled(lag, Palette::STRONG)])
            }
        };
        let mut watermark = vec![label("Watermark")];
        if self.processing_time_ms > 0 {
            watermark.push(Span::styled(wall_clock(self.processing_time_ms), Palette::STRONG));
            let unit = if width < WIDE { " UTC" } else { " UTC, processing time" };
            watermark.push(Span::styled(unit, Palette::FAINT));
        } else {
            watermark.push(Span::styled("none yet", Palette::FAINT));
        }
        let closed = Span::styled(format!("{:<16}", format!("{} closed", grouped(self.windows))), Palette::STRONG);
        let mut windows = vec![label("Windows"), closed];
        if self.windows > 0 {
            if width >= WIDE {
                windows.push(Span::raw(format!("{} clicks, ", grouped(self.clicks))));
            }
            windows.push(Span::styled("every sum right ✓", self.palette.good));
        }
        let mut lines = vec![input, Line::from(watermark), Line::from(windows)];
        if self.phase != Phase::Ended {
            lines.push(self.open_window(width));
        }
        lines
    }

    /// How far the open window is.
    fn open_window(&self, width: usize) -> Line<'_> {
        let Some(ends_ms) = self.window_ends_ms else {
            return Line::from(vec![label("Open"), Span::styled("none", Palette::FAINT)]);
        };
        let left_ms = (ends_ms - self.processing_time_ms).clamp(0, self.window_ms);
        let bounds = span_of_time(&wall_clock(ends_ms - self.window_ms), &wall_clock(ends_ms), width);
        let closes = format!("closes in {}", self.real_time(left_ms));
        let taken = LABEL_WIDTH + bounds.chars().count() + 2 + CLOSES_WIDTH;
        let bar_width = width.saturating_sub(taken).min(40);
        let done = scaled(self.window_ms - left_ms, self.window_ms, bar_width);
        Line::from(vec![
            label("Open"),
            Span::styled(bounds, Palette::STRONG),
            Span::raw(" "),
            Span::styled("━".repeat(done), self.palette.accent),
            Span::styled("─".repeat(bar_width - done), Palette::FAINT),
            Span::raw(" "),
            Span::raw(closes),
        ])
    }

    /// The users with the most clicks in the last window, with a bar each; at most `height` lines.
    fn last_window(&self, width: usize, height: usize) -> Vec<Line<'_>> {
        let Some(last) = self.recent.front() else {
            let lines = [self.rule("Last window", "", width), Line::styled("None has closed yet.", Palette::FAINT)];
            return lines.into_iter().take(height).collect();
        };
        let left = format!("Top users {}", span_of_time(&last.start, &last.end, width));
        let right = format!("{} clicks, {} users", grouped(last.clicks), grouped(last.users as u64));
        let head =
            [self.rule(&left, &right, width), Line::styled(format!("{:>10} {:>10}", "user_id", "cnt"), Palette::FAINT)];
        let most = last.top.first().map_or(0, |(_, cnt)| *cnt);
        let bar_width = width.saturating_sub(23);
        let users = last.top.iter().take(TOP).map(|(user_id, cnt)| {
            let name = user_id.map_or_else(|| "NULL".to_owned(), |user_id| user_id.to_string());
            let count = grouped(u64::try_from(*cnt).unwrap_or(0));
            Line::from(vec![
                Span::raw(format!("{name:>10} ")),
                Span::styled(format!("{count:>10} "), Palette::STRONG),
                Span::styled(bar(*cnt, most, bar_width), self.palette.accent),
            ])
        });
        head.into_iter().chain(users).take(height).collect()
    }

    /// The windows before the last, where there is room for some.
    fn earlier_windows(&self, width: usize, height: usize) -> Vec<Line<'_>> {
        if height < 3 || self.recent.len() < 2 {
            return Vec::new();
        }
        let rows = self.recent.iter().skip(1).map(|window| {
            let top = window.top.first().map_or_else(String::new, |(user_id, cnt)| {
                let name = user_id.map_or_else(|| "NULL".to_owned(), |user_id| user_id.to_string());
                format!("  most: user {name} with {}", grouped(u64::try_from(*cnt).unwrap_or(0)))
            });
            Line::from(vec![
                Span::raw(format!("  {}", span_of_time(&window.start, &window.end, width))),
                Span::styled(format!("{:>12}", grouped(window.sum)), Palette::STRONG),
                Span::styled(" ✓", self.palette.good),
                Span::styled(top, Palette::FAINT),
            ])
        });
        iter::once(self.rule("Earlier windows: sum of cnt = clicks written", "", width))
            .chain(rows)
            .take(height - 1)
            .collect()
    }

    fn foot(&self, width: usize, roomy: bool) -> Vec<Line<'_>> {
        if self.phase == Phase::Ended {
            return Vec::new();
        }
        let watch = Line::from(vec![label("Watch"), Span::raw(watch_command(&self.bootstrap))]);
        if roomy {
            let broker = Line::from(vec![label("Broker"), Span::raw(self.bootstrap.as_str())]);
            return vec![self.rule("In another terminal", "", width), broker, watch];
        }
        vec![watch]
    }

    /// `── left ───── right ──`; the right part is left out where it does not fit.
    fn rule(&self, left: &str, right: &str, width: usize) -> Line<'static> {
        let left_width = left.chars().count() + 4;
        let right_width = right.chars().count() + 4;
        let fits = !right.is_empty() && left_width + right_width < width;
        let fill = width.saturating_sub(left_width + if fits { right_width } else { 0 });
        let mut spans = vec![
            Span::styled("── ", Palette::FAINT),
            Span::styled(left.to_owned(), self.palette.title),
            Span::styled(format!(" {}", "─".repeat(fill)), Palette::FAINT),
        ];
        if fits {
            spans.push(Span::raw(format!(" {right} ")));
            spans.push(Span::styled("──", Palette::FAINT));
        }
        Line::from(spans)
    }

    /// How long a piece of processing time takes.
    #[expect(clippy::cast_precision_loss, reason = "for display")]
    fn real_time(&self, processing_ms: i64) -> String {
        let seconds = processing_ms as f64 / 1000.0 / self.speed;
        if seconds < 100.0 { format!("{seconds:.1} s") } else { format!("{:.0} min", seconds / 60.0) }
    }
}

impl Widget for &View {
    fn render(self, area: Rect, buffer: &mut Buffer) {
        let (width, height) = (usize::from(area.width), usize::from(area.height));
        let (lines, foot) = self.lines(width, height);
        for (row, line) in area.rows().zip(&lines) {
            line.render(row, buffer);
        }
        let rows = area.rows().skip(height.saturating_sub(foot.len()));
        for (row, line) in rows.zip(&foot) {
            line.render(row, buffer);
        }
    }
}

/// A moment as the rows have it: the wall clock of UTC.
fn wall_clock(unix_ms: i64) -> String {
    let moment = Timestamp::from_millisecond(unix_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    TimeZone::UTC.to_datetime(moment).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How to see the results from outside.
pub(super) fn watch_command(bootstrap: &str) -> String {
    format!("kcat -C -b {bootstrap} -t top_users")
}

fn label(name: &str) -> Span<'static> {
    Span::styled(format!("{name:<LABEL_WIDTH$}"), Palette::FAINT)
}

/// One part at the left edge, one at the right; only the left one where both do not fit.
fn apart<'a>(mut left: Vec<Span<'a>>, right: Vec<Span<'a>>, width: usize) -> Line<'a> {
    let taken: usize = left.iter().chain(&right).map(Span::width).sum();
    if taken < width {
        left.push(Span::raw(" ".repeat(width - taken)));
        left.extend(right);
    }
    Line::from(left)
}

/// `2026-11-23 10:00 – 10:30` of two bounds as rows have them; without the day where there is little room.
fn span_of_time(start: &str, end: &str, width: usize) -> String {
    let from = if width < WIDE { 11 } else { 0 };
    let (start, end) = (start.get(from..16).unwrap_or(start), end.get(11..16).unwrap_or(end));
    format!("{start} – {end}")
}

/// `part` of `whole` as a share of `width`.
fn scaled(part: i64, whole: i64, width: usize) -> usize {
    let (part, whole) = (part.max(0), whole.max(1));
    let scaled = i128::from(part) * width as i128 / i128::from(whole);
    usize::try_from(scaled).unwrap_or(0).min(width)
}

/// A bar of `width` cells for `most`, in steps of an eighth.
fn bar(count: i64, most: i64, width: usize) -> String {
    let eighths = scaled(count, most, width * 8);
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"].get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}

/// From here on there is room for what is nice to know.
const WIDE: usize = 70;
const LABEL_WIDTH: usize = 11;
/// `closes in 99.9 s`
const CLOSES_WIDTH: usize = 16;
/// As many as a tall terminal shows.
const RECENT_MAX: usize = 100;

#[cfg(test)]
mod tests;
