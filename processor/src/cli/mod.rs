//! The commands, a file each, and what they share: arguments and exit codes.
//!
//! - `demo`: everything in one process, checked while it runs
//! - `run`: runs a SQL file; `progress` is what it shows
//! - `explain`: the plan of a SQL file as a tree, with types
//! - `broker`: the embedded broker alone
//! - `script`: a SQL file and settings as a plan, or a complaint
//! - `signals`: being asked to stop; `numbers`: as people read them

#[cfg(feature = "embedded")]
mod broker;
#[cfg(feature = "embedded")]
mod demo;
mod explain;
mod numbers;
mod progress;
mod run;
mod script;
mod signals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Windowed aggregation over Kafka topics, written as Flink SQL.
#[derive(Debug, Parser)]
#[command(version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 ended or stopped, 1 failed or left at once, 2 usage or SQL error.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole system at work: a broker, clicks, a job that counts them, and a check of its results
    #[cfg(feature = "embedded")]
    #[command(after_help = EXIT_CODES)]
    Demo(demo::Options),
    /// Run all statements of a SQL file until they end, fail or are stopped
    ///
    /// Every INSERT runs at once, at least once: results are written and acknowledged before the offsets of what they
    /// were made of are committed, and open windows are built anew after a restart. SIGINT and SIGTERM finish the open
    /// commit and leave the group; a second one leaves at once.
    #[command(after_help = EXIT_CODES)]
    Run(run::Run),
    /// Print the plan of a SQL file as a tree, with types
    Explain(script::Script),
    /// Run the embedded broker alone: one node, in memory, for any Kafka client
    #[cfg(feature = "embedded")]
    #[command(after_help = EXIT_CODES)]
    Broker(broker::Options),
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// As it should.
    Well,
    /// It could not do its work.
    Failed,
    /// The command line or the SQL text is wrong.
    Misused,
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Well => Self::SUCCESS,
            Ended::Failed => Self::from(1),
            Ended::Misused => Self::from(2),
        }
    }
}

/// Runs the command that was asked for.
pub(crate) fn run(arguments: Arguments) -> ExitCode {
    let ended = match arguments.command {
        #[cfg(feature = "embedded")]
        Command::Demo(options) => demo::run(&options),
        #[cfg(feature = "embedded")]
        Command::Broker(options) => broker::run(&options),
        Command::Run(run) => run::run(run),
        Command::Explain(script) => explain::run(&script),
    };
    ended.into()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        Arguments::command().debug_assert();
    }
}
