//! `tidemill explain`: what a SQL file would do, without a broker.

use std::io::{self, Write};

use super::Ended;
use super::script::Script;

/// Prints the plan of a file on stdout, or on stderr why there is none.
pub(super) fn run(script: &Script) -> Ended {
    let Some(plan) = script.plan() else { return Ended::Misused };
    match writeln!(io::stdout(), "{}", plan.to_string().trim_end()) {
        Ok(()) => Ended::Well,
        Err(_) => Ended::Failed,
    }
}
