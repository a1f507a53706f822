//! `tidemill explain`: what a SQL file would do, without a broker.

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use tidemill::sql::{Settings, plan_script};

use super::Ended;

/// Prints the plan of a file on stdout, or on stderr why there is none.
pub(super) fn run(file: &Path, settings: Vec<(String, String)>) -> Ended {
    let mut chosen = Settings::default();
    for (key, value) in settings {
        chosen = match chosen.set(&key, &value) {
            Ok(chosen) => chosen,
            Err(reason) => return complain(Ended::Misused, &format!("error: --set '{key}'='{value}': {reason}")),
        };
    }
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => return complain(Ended::Misused, &format!("error: cannot read {}: {error}", file.display())),
    };
    match plan_script(&text, &chosen) {
        Ok(plan) => match writeln!(io::stdout(), "{}", plan.to_string().trim_end()) {
            Ok(()) => Ended::Well,
            Err(_) => Ended::Failed,
        },
        Err(error) => {
            let colour = io::stderr().is_terminal();
            complain(Ended::Misused, &error.render(&file.display().to_string(), colour))
        }
    }
}

/// Says on stderr what went wrong; when even that cannot be written, the exit code is all there is.
fn complain(ended: Ended, message: &str) -> Ended {
    let _ = writeln!(io::stderr(), "{message}");
    ended
}
