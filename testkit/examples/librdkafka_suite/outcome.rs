//! What became of a test, read from what the suite's runner printed.

use std::fmt;

/// One test; a file may hold several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// As the suite calls it: `0045_subscribe_update_mock`.
    pub(crate) test: String,
    pub(crate) verdict: Verdict,
    /// Why it failed or was not run.
    pub(crate) reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passed,
    Failed,
    /// The suite finds that it does not apply here.
    Skipped,
    /// One before it in the same file took the whole process down.
    NotRun,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
            Self::NotRun => "not run",
        })
    }
}

/// The tests of one file. Those that need no broker, and those that belong to another scenario, are left out: the suite
/// passes them over without a word.
pub(crate) fn read(number: &str, output: &str, out_of_time: Option<u64>) -> Vec<Outcome> {
    let output = without_colours(output);
    let mut outcomes: Vec<Outcome> =
        output.lines().filter_map(summary).filter(|outcome| outcome.test.starts_with(number)).collect();
    let last_failure = last_failure(&output);
    if let Some(limit_s) = out_of_time {
        let last = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
        let reason = format!("no end within {limit_s} s; {}", last_failure.unwrap_or_else(|| format!("last: {last}")));
        let has_failed = outcomes.iter().any(|outcome| outcome.verdict == Verdict::Failed);
        if !has_failed {
            outcomes.push(Outcome { test: number.to_owned(), verdict: Verdict::Failed, reason });
        }
    } else if outcomes.is_empty() && !output.contains("SUMMARY") {
        let reason = last_failure.unwrap_or_else(|| "it ended without a word".to_owned());
        outcomes.push(Outcome { test: number.to_owned(), verdict: Verdict::Failed, reason });
    } else {
        for outcome in &mut outcomes {
            if outcome.verdict == Verdict::Failed && outcome.reason.is_empty() {
                outcome.reason = last_failure.clone().unwrap_or_else(|| "it crashed".to_owned());
            }
        }
    }
    outcomes.retain(|outcome| outcome.verdict != Verdict::Skipped || !is_passed_over(&outcome.reason));
    outcomes
}

fn is_passed_over(reason: &str) -> bool {
    reason.is_empty() || reason.contains("negative test flags")
}

/// A line of the table at the end: `| 0001_multiobj | PASSED | 1.234s | why`.
fn summary(line: &str) -> Option<Outcome> {
    let mut columns = line.strip_prefix('|')?.splitn(4, '|').map(str::trim);
    let (test, state, _seconds, reason) = (columns.next()?, columns.next()?, columns.next()?, columns.next()?);
    let verdict = match state {
        "PASSED" => Verdict::Passed,
        "FAILED" | "RUNNING" => Verdict::Failed,
        "SKIPPED" => Verdict::Skipped,
        "DNS" => Verdict::NotRun,
        _ => return None,
    };
    Some(Outcome { test: test.to_owned(), verdict, reason: one_line(reason) })
}

/// What stands below the last `### Test "..." failed at ...`, or the assertion that ended the process. The suite's own
/// complaint about threads that a failed test left behind comes last, and says nothing.
fn last_failure(output: &str) -> Option<String> {
    let mut lines = output.lines().skip_while(|line| !line.starts_with("### Test \""));
    let mut last = None;
    while let Some(line) = lines.next() {
        if line.starts_with("### Test \"") && !(last.is_some() && line.contains("<MAIN>")) {
            last = lines.next().map(one_line);
        }
    }
    last.or_else(|| output.lines().rfind(|line| line.contains("Assertion") || line.contains("***")).map(one_line))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn without_colours(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    plain.push_str(parts.next().unwrap_or_default());
    for part in parts {
        plain.push_str(part.split_once('m').map_or("", |(_, rest)| rest));
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUMMARY: &str = "TEST 20260101 (bare, scenario default) SUMMARY\n#====#\n";

    #[test]
    fn the_table_at_the_end_says_what_became_of_each_test() {
        let output = format!(
            "{SUMMARY}|\x1b[32m <MAIN>        |     PASSED |   1.234s \x1b[0m|\n\
             |\x1b[32m 0045_one      |     PASSED |   1.234s \x1b[0m|\n\
             |\x1b[31m 0045_two      |     FAILED |   1.234s \x1b[0m|\x1b[31m do():12: a | b\x1b[0m\n\
             |\x1b[36m 0045_local    |    SKIPPED |   0.000s \x1b[0m|\x1b[36m Filtered due to negative test flags\x1b[0m\n\
             |\x1b[36m 0045_other    |    SKIPPED |   0.000s \x1b[0m|\n\
             |\x1b[36m 0045_admin    |    SKIPPED |   0.000s \x1b[0m|\x1b[36m Cannot create topics\x1b[0m\n"
        );
        let read: Vec<String> = read("0045", &output, None)
            .iter()
            .map(|outcome| format!("{} {} {}", outcome.test, outcome.verdict, outcome.reason))
            .collect();
        assert_eq!(
            read,
            ["0045_one passed ", "0045_two FAILED do():12: a | b", "0045_admin skipped Cannot create topics"]
        );
    }

    #[test]
    fn a_test_that_ran_out_of_its_own_time_has_its_reason_above_or_below_the_table() {
        let output = format!(
            "{SUMMARY}| 0045_one | FAILED | 60.1s |\n| 0045_two | DNS | 0.0s |\n\
             ### Test \"0045_one\" failed at test.c:1:0() at Tue: ###\n\
             check():1: Test 0045_one timed out (timeout set to 60 seconds)\n"
        );
        let read = read("0045", &output, None);
        assert_eq!(read[0].reason, "check():1: Test 0045_one timed out (timeout set to 60 seconds)");
        assert_eq!(read[1].verdict, Verdict::NotRun);
    }

    #[test]
    fn a_process_that_dies_or_hangs_is_a_failure_with_its_last_words() {
        let crashed = read("0001", "a\nrunner: rdkafka.c:7: f: Assertion `x == 1' failed.\n", None);
        assert_eq!(crashed[0].verdict, Verdict::Failed);
        assert_eq!(crashed[0].reason, "runner: rdkafka.c:7: f: Assertion `x == 1' failed.");
        let hung = read("0001", "waiting\nfor a reply\n", Some(300));
        assert_eq!(hung[0].reason, "no end within 300 s; last: for a reply");
    }

    #[test]
    fn a_file_without_a_test_for_brokers_gives_nothing() {
        assert!(read("0004", SUMMARY, None).is_empty());
    }
}
