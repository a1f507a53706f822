//! The outcomes as a table in Markdown, one column for each cluster.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::outcome::{Outcome, Verdict};

/// A cluster, and what became of the tests on it so far.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) cluster: String,
    pub(crate) outcomes: BTreeMap<String, Outcome>,
}

/// Counts for each cluster, then a line for each test.
pub(crate) fn render(librdkafka: &str, columns: &[Column]) -> String {
    let mut text = format!("librdkafka {librdkafka}, tests that need brokers\n\n");
    for column in columns {
        let count = |verdict| column.outcomes.values().filter(|outcome| outcome.verdict == verdict).count();
        // Writing to a string does not fail.
        let _ = writeln!(
            text,
            "- {}: {} passed, {} failed, {} skipped, {} not run",
            column.cluster,
            count(Verdict::Passed),
            count(Verdict::Failed),
            count(Verdict::Skipped),
            count(Verdict::NotRun)
        );
    }
    let clusters: Vec<&str> = columns.iter().map(|column| column.cluster.as_str()).collect();
    let _ = writeln!(text, "\n| test | {} | why |", clusters.join(" | "));
    let _ = writeln!(text, "|---|{}---|", "---|".repeat(columns.len()));
    let tests: BTreeSet<&String> = columns.iter().flat_map(|column| column.outcomes.keys()).collect();
    for test in tests {
        let outcomes: Vec<Option<&Outcome>> = columns.iter().map(|column| column.outcomes.get(test)).collect();
        let verdict = |outcome: &Option<&Outcome>| outcome.map_or(String::new(), |outcome| outcome.verdict.to_string());
        let verdicts: Vec<String> = outcomes.iter().map(verdict).collect();
        let mut reasons: Vec<String> = outcomes.iter().flatten().map(|outcome| cell(&outcome.reason)).collect();
        reasons.retain(|reason| !reason.is_empty());
        reasons.dedup();
        let _ = writeln!(text, "| {test} | {} | {} |", verdicts.join(" | "), reasons.join("; "));
    }
    text
}

/// A reason on one line of the table; the log has all of it.
fn cell(reason: &str) -> String {
    let mut cell = reason.replace('|', "\\|");
    if let Some((end, _)) = cell.char_indices().nth(REASON_CHARS_MAX) {
        cell.truncate(end);
        cell.push_str("...");
    }
    cell
}

const REASON_CHARS_MAX: usize = 240;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_stand_side_by_side() {
        let outcome = |test: &str, verdict, reason: &str| {
            (test.to_owned(), Outcome { test: test.to_owned(), verdict, reason: reason.to_owned() })
        };
        let column = |cluster: &str, outcomes: Vec<(String, Outcome)>| Column {
            cluster: cluster.to_owned(),
            outcomes: outcomes.into_iter().collect(),
        };
        let real = column("real", vec![outcome("0001_a", Verdict::Passed, ""), outcome("0002_b", Verdict::Passed, "")]);
        let ours =
            column("ours", vec![outcome("0001_a", Verdict::Failed, "a|b"), outcome("0002_b", Verdict::Passed, "")]);
        expect_test::expect![[r"
            librdkafka 2, tests that need brokers

            - real: 2 passed, 0 failed, 0 skipped, 0 not run
            - ours: 1 passed, 1 failed, 0 skipped, 0 not run

            | test | real | ours | why |
            |---|---|---|---|
            | 0001_a | passed | FAILED | a\|b |
            | 0002_b | passed | passed |  |
        "]]
        .assert_eq(&render("2", &[real, ours]));
    }
}
