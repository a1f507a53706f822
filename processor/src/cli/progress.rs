//! What a running job shows on stderr: a bar for what ends, a line for what does not, and plain lines every few seconds
//! where there is no terminal.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use tidemill::job::{PipelineStatus, State, Status};
use tidemill::plan::Plan;
use tidemill::schema::Table;

use super::numbers::{counted, grouped};
use super::script::complain;

/// How often a plain line is written.
const PLAIN_INTERVAL: Duration = Duration::from_secs(5);
/// After how long without trouble it counts as over: connections are tried again and again until one holds.
const TROUBLE_OVER_AFTER: Duration = Duration::from_secs(1);
/// After how long it is said what is waited for.
const PATIENT_FOR: Duration = Duration::from_secs(2);

/// What is shown, and where.
#[derive(Debug)]
pub(super) struct Progress {
    view: View,
    lines: Vec<Line>,
}

#[derive(Debug)]
enum View {
    None,
    Plain,
    Live(MultiProgress),
}

/// What is shown of one pipeline.
#[derive(Debug)]
struct Line {
    bar: Option<ProgressBar>,
    rate: Rate,
    written: Option<Instant>,
    was_reading: bool,
    waiting_since: Option<Instant>,
    said_waiting: bool,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
struct Trouble {
    gone_since: Option<Instant>,
}

/// Records in a second, over the last few.
#[derive(Debug, Default)]
struct Rate {
    measured: Option<(Instant, u64)>,
    per_second: f64,
}

impl Progress {
    /// Shows nothing.
    pub(super) fn none() -> Self {
        Self { view: View::None, lines: Vec::new() }
    }

    /// Says what will be read and written, and is ready to show how that goes.
    pub(super) fn new(plan: &Plan, live: bool) -> Self {
        let view = if live { View::Live(MultiProgress::new()) } else { View::Plain };
        for pipeline in &plan.pipelines {
            let (source, sink) = (&pipeline.scan().table, &pipeline.sink);
            complain(&format!("reading {}, writing {}", place(source), place(sink)));
        }
        let bar = || match &view {
            View::Live(bars) => Some(bars.add(ProgressBar::new_spinner().with_style(style(SPINNER)))),
            View::Plain | View::None => None,
        };
        let line = |_| Line {
            bar: bar(),
            rate: Rate::default(),
            written: None,
            was_reading: false,
            waiting_since: None,
            said_waiting: false,
            trouble: None,
        };
        let lines = plan.pipelines.iter().map(line).collect();
        Self { view, lines }
    }

    /// Whether all pipelines have been seen to read.
    pub(super) fn is_reading(&self) -> bool {
        self.lines.iter().all(|line| line.was_reading)
    }

    /// Shows how far it is.
    pub(super) fn show(&mut self, status: &Status, now: Instant) {
        let named = status.pipelines.len() > 1;
        for (line, pipeline) in self.lines.iter_mut().zip(&status.pipelines) {
            let name = if named { format!("{}: ", pipeline.sink) } else { String::new() };
            for said in line.news(pipeline, now) {
                say(&self.view, &format!("{name}{said}"));
            }
            line.rate.measure(pipeline.records_in, now);
            let text = format!("{name}{}", describe(pipeline, line.rate.per_second));
            if let Some(bar) = &line.bar {
                draw(bar, pipeline, text);
            } else if line.is_due(pipeline, now) {
                say(&self.view, &text);
            }
        }
    }

    /// Says something that stays.
    pub(super) fn say(&self, text: &str) {
        say(&self.view, text);
    }

    /// Takes off what is live.
    pub(super) fn clear(&self) {
        for bar in self.lines.iter().filter_map(|line| line.bar.as_ref()) {
            bar.finish_and_clear();
        }
    }

    /// Says how it ended.
    pub(super) fn end(&self, status: &Status) {
        self.clear();
        let named = status.pipelines.len() > 1;
        for pipeline in &status.pipelines {
            let name = if named { format!("{}: ", pipeline.sink) } else { String::new() };
            let PipelineStatus { records_in, windows_closed, rows_out, rows_open, .. } = pipeline;
            self.say(&format!(
                "{name}ended: {} in, {} closed, {} out",
                counted(*records_in, "record"),
                counted(*windows_closed, "window"),
                counted(*rows_out, "row")
            ));
            if pipeline.is_cut_short {
                self.say(&format!(
                    "{name}note: not all of it could be written and committed in time: the next start reads it again"
                ));
            }
            if pipeline.bounded.is_some() && *rows_open > 0 {
                self.say(&format!(
                    "{name}note: {} stayed in windows that are open. Windows on processing time close when the clock \
                     reaches their end,\n  and a bounded read ends before that: no result is written for them, as in \
                     Flink. They are not committed: the next run reads them again.",
                    counted(*rows_open, "record")
                ));
            }
        }
    }
}

impl Line {
    /// What happened since the last time that is worth a line of its own.
    fn news(&mut self, status: &PipelineStatus, now: Instant) -> Vec<String> {
        let mut news = Vec::new();
        let is_waiting = matches!(status.state, State::Connecting | State::Joining);
        if !is_waiting && !self.was_reading && self.bar.is_none() {
            news.push(format!("reading topic {}", status.topic));
        }
        self.was_reading |= !is_waiting;
        if is_waiting {
            let since = *self.waiting_since.get_or_insert(now);
            if now.duration_since(since) >= PATIENT_FOR && !self.said_waiting {
                self.said_waiting = true;
                let what = if status.state == State::Joining {
                    "the group to give out partitions: a member that was lost keeps its own until its session ends \
                     (properties.session.timeout.ms)"
                } else {
                    "a broker"
                };
                news.push(format!("waiting for {what}"));
            }
        } else {
            self.waiting_since = None;
            self.said_waiting = false;
        }
        match (&status.trouble, &mut self.trouble) {
            (Some(trouble), None) => {
                news.push(format!("no connection, trying on: {trouble}"));
                self.trouble = Some(Trouble { gone_since: None });
            }
            (Some(_), Some(known)) => known.gone_since = None,
            (None, Some(known)) => {
                if now.duration_since(*known.gone_since.get_or_insert(now)) >= TROUBLE_OVER_AFTER {
                    self.trouble = None;
                    news.push("connected again".to_owned());
                }
            }
            (None, None) => {}
        }
        news
    }

    /// Whether it is time for the next plain line.
    fn is_due(&mut self, status: &PipelineStatus, now: Instant) -> bool {
        if status.state != State::Reading {
            return false;
        }
        let due = self.written.is_none_or(|written| now.duration_since(written) >= PLAIN_INTERVAL);
        if due {
            // The first one comes an interval after reading began.
            let first = self.written.is_none();
            self.written = Some(now);
            return !first;
        }
        false
    }
}

impl Rate {
    fn measure(&mut self, count: u64, now: Instant) {
        let Some((then, before)) = self.measured else {
            self.measured = Some((now, count));
            return;
        };
        let seconds = now.duration_since(then).as_secs_f64();
        if seconds >= 1.0 {
            #[expect(clippy::cast_precision_loss, reason = "a rate for the eye")]
            let latest = count.saturating_sub(before) as f64 / seconds;
            self.per_second = if self.per_second > 0.0 { (self.per_second + latest) / 2.0 } else { latest };
            if self.per_second < 0.5 {
                self.per_second = 0.0;
            }
            self.measured = Some((now, count));
        }
    }
}

fn say(view: &View, text: &str) {
    match view {
        View::None => {}
        View::Plain => complain(text),
        View::Live(bars) => {
            let _ = bars.println(text);
        }
    }
}

fn draw(bar: &ProgressBar, status: &PipelineStatus, text: String) {
    match status.bounded {
        Some(bounded) if bar.length() != Some(bounded.total) => {
            bar.set_style(style(BAR));
            bar.set_length(bounded.total);
            bar.set_position(bounded.read);
        }
        Some(bounded) => bar.set_position(bounded.read),
        None => bar.tick(),
    }
    bar.set_message(text);
}

/// What is live is one line, cut at the terminal's edge: of a line that goes on below, a part would stay behind.
const SPINNER: &str = "{spinner} {wide_msg}";
const BAR: &str = "{bar:20} {percent:>3}%  {wide_msg}";

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// One line, what matters most first: what comes in, what lies behind, what goes out, and what is next.
fn describe(status: &PipelineStatus, per_second: f64) -> String {
    if status.state == State::Connecting {
        return "connecting".to_owned();
    }
    if status.state == State::Joining {
        return "joining the group".to_owned();
    }
    let mut text = format!("{} in ({}/s)", counted(status.records_in, "record"), grouped(rounded(per_second)));
    if let Some(lag) = status.lag {
        text += &format!(", lag {}", grouped(lag));
    }
    text += &format!(", {} closed", counted(status.windows_closed, "window"));
    if let Some(ends_ms) = status.window_ends_ms {
        text += &format!(", next in {}", duration(ends_ms.saturating_sub(status.processing_time_ms)));
    }
    text + &format!(", {} out", counted(status.rows_out, "row"))
}

fn place(table: &Table) -> String {
    let options = &table.options;
    let servers = options.properties.get("bootstrap.servers").map_or("", String::as_str);
    format!("topic {} at {servers} (table {})", options.topic, table.name)
}

fn rounded(number: f64) -> u64 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate is small and not negative")]
    let rounded = number.round() as u64;
    rounded
}

/// The largest unit that fits, and the next smaller one: `29 min 12 s`.
fn duration(ms: i64) -> String {
    let seconds = ms.max(0) / 1_000;
    let (days, hours, minutes, rest) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{rest} s"),
        (0, 0, _) => format!("{minutes} min {rest} s"),
        (0, _, _) => format!("{hours} h {minutes} min"),
        (_, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(duration(999), "0 s");
        assert_eq!(duration(29 * 60_000 + 12_345), "29 min 12 s");
        assert_eq!(duration(25 * 3_600_000), "1 d 1 h");
    }
}
