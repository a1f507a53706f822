//! What came of the runs, as a table: medians, and how many times ours is as fast.

use std::fmt::Write;

use crate::contestants::Contestant;
use crate::round::{Line, Mode};

/// All runs of one client in one mode.
#[derive(Debug)]
pub(crate) struct Runs {
    pub(crate) contestant: Contestant,
    pub(crate) mode: Mode,
    pub(crate) lines: Vec<Line>,
    pub(crate) failures: Vec<String>,
}

impl Runs {
    /// The middle of what the runs said.
    fn median(&self, field: impl Fn(&Line) -> Option<f64>) -> Option<f64> {
        let mut values: Vec<f64> = self.lines.iter().filter_map(field).collect();
        values.sort_by(f64::total_cmp);
        let (low, high) = (values.len().checked_sub(1)? / 2, values.len() / 2);
        Some((values[low] + values[high]) / 2.0)
    }

    fn of(&self, field: &str) -> Option<f64> {
        self.median(|line| number(line, field))
    }

    /// Records per CPU second, start-up included.
    fn records_per_cpu_second(&self) -> Option<f64> {
        self.median(|line| Some(number(line, "records")? / cpu_seconds(line)?))
    }
}

fn number(line: &Line, field: &str) -> Option<f64> {
    line.get(field)?.as_f64()
}

/// Of the measured part, and of the start where a mode has one.
fn cpu_seconds(line: &Line) -> Option<f64> {
    Some(number(line, "cpu_seconds")? + number(line, "startup_cpu_seconds").unwrap_or(0.0))
}

/// The table of one mode.
pub(crate) fn print(title: &str, runs: &[&Runs]) -> String {
    // Ours, or else the best.
    let ours = runs.iter().find(|runs| runs.contestant == Contestant::Tidemill && !runs.lines.is_empty());
    let best = || {
        runs.iter().copied().max_by(|a, b| {
            a.records_per_cpu_second().unwrap_or(0.0).total_cmp(&b.records_per_cpu_second().unwrap_or(0.0))
        })
    };
    let Some(reference) = ours.copied().or_else(best) else { return String::new() };
    let by = |reference: &Runs| format!("{} / it", reference.contestant.name());
    let is_latency = reference.mode == Mode::EndToEnd;
    let mut header = vec!["client".to_owned(), "records/CPU s".to_owned(), "CPU s/M records".to_owned(), by(reference)];
    header.extend(["records/s", "peak RSS MB"].map(str::to_owned));
    match reference.mode {
        Mode::Consume => header.push("start s".to_owned()),
        Mode::EndToEnd => header.extend(["p50 ms", "p90 ms", "p99 ms", "max ms"].map(str::to_owned)),
        Mode::Produce(_) | Mode::Copy => {}
    }
    header.push("runs".to_owned());
    let mut rows = vec![header];
    for run in runs {
        let rate = run.records_per_cpu_second();
        let digits = |value: Option<f64>, digits: usize| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
        };
        let ratio = rate.zip(reference.records_per_cpu_second()).map(|(rate, ours)| ours / rate);
        let mut row = vec![
            run.contestant.name().to_owned(),
            thousands(rate),
            digits(rate.map(|rate| 1e6 / rate), if is_latency { 0 } else { 3 }),
            digits(ratio, 2),
            thousands(run.of("records_per_second")),
            digits(run.of("peak_rss_mb"), 0),
        ];
        match run.mode {
            Mode::Consume => row.push(digits(run.of("startup_seconds"), 2)),
            Mode::EndToEnd => {
                row.extend(["p50_ms", "p90_ms", "p99_ms", "max_ms"].map(|field| digits(run.of(field), 2)))
            }
            Mode::Produce(_) | Mode::Copy => {}
        }
        let all = run.lines.len() + run.failures.len();
        row.push(match run.failures.len() {
            0 => all.to_string(),
            failed => format!("{all}, {failed} FAILED"),
        });
        rows.push(row);
    }
    let mut text = format!("\n{title}\n{}", aligned(&rows));
    for run in runs {
        for failure in &run.failures {
            // Writing to a string does not fail.
            let _ = writeln!(text, "FAILED {}: {failure}", run.contestant.name());
        }
    }
    text
}

/// Columns as wide as their widest cell; the first to the left, numbers to the right.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| match column {
            0 => format!("{cell:<width$}"),
            _ => format!("{cell:>width$}"),
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// `2_600_000` as `2,600,000`.
fn thousands(value: Option<f64>) -> String {
    let Some(value) = value else { return "-".to_owned() };
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(contestant: Contestant, cpu_seconds: &[f64], failures: &[&str]) -> Runs {
        let line = |cpu: &f64| {
            let line = serde_json::json!({
                "records": 1_000_000, "cpu_seconds": cpu / 2.0, "startup_cpu_seconds": cpu / 2.0,
                "records_per_second": 1234.5, "peak_rss_mb": 99.6, "startup_seconds": 0.125,
            });
            line.as_object().unwrap().clone()
        };
        let lines = cpu_seconds.iter().map(line).collect();
        Runs {
            contestant,
            mode: Mode::Consume,
            lines,
            failures: failures.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn medians_count_what_succeeded_and_failures_are_shown() {
        let ours = runs(Contestant::Tidemill, &[0.5, 0.25, 4.0], &[]);
        let rival = runs(Contestant::FranzGo, &[1.0, 2.0], &["the brokers have 7 records of 8"]);
        let table = print("consume", &[&ours, &rival]);
        let expected = "
consume
client    records/CPU s  CPU s/M records  tidemill / it  records/s  peak RSS MB  start s         runs
tidemill      2,000,000            0.500           1.00      1,234          100     0.12            3
franz-go        750,000            1.333           2.67      1,234          100     0.12  3, 1 FAILED
FAILED franz-go: the brokers have 7 records of 8
";
        assert_eq!(table, expected);
    }

    #[test]
    fn without_ours_the_best_rival_is_what_others_are_held_against() {
        let slow = runs(Contestant::FranzGo, &[1.0], &[]);
        let fast = runs(Contestant::Java, &[0.5], &[]);
        let ours = runs(Contestant::Tidemill, &[], &["exit status: 1"]);
        let table = print("consume", &[&ours, &slow, &fast]);
        assert!(table.contains("java / it"), "{table}");
        assert!(table.contains("franz-go      1,000,000            1.000       2.00"), "{table}");
    }
}
