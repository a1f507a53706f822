//! The commands, a file each, and what they share: arguments and exit codes.
//!
//! - `demo`: everything in one process, checked while it runs
//! - `explain`: the plan of a SQL file as a tree, with types
//! - `broker`: the embedded broker alone

#[cfg(feature = "embedded")]
mod broker;
#[cfg(feature = "embedded")]
mod demo;
mod explain;
#[cfg(feature = "embedded")]
mod signals;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Windowed aggregation over Kafka topics, written as Flink SQL.
#[derive(Debug, Parser)]
#[command(version, after_help = "Exit codes: 0 ended, 1 failed, 2 usage or SQL error.")]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole system at work: a broker, clicks, a job that counts them, and a check of its results
    #[cfg(feature = "embedded")]
    Demo(demo::Options),
    /// Print the plan of a SQL file as a tree, with types
    Explain {
        /// The SQL file
        #[arg(value_name = "FILE.sql")]
        file: PathBuf,
        /// Set an option, as SET does in the file; may be given several times
        #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
        settings: Vec<(String, String)>,
    },
    /// Run the embedded broker alone: one node, in memory, for any Kafka client
    #[cfg(feature = "embedded")]
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
        Command::Explain { file, settings } => explain::run(&file, settings),
    };
    ended.into()
}

/// Reads `key=value`; quotes around either are taken off, as in `SET 'key'='value'`.
fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as 'key'='value'")?;
    let bare = |part: &str| part.trim().trim_matches('\'').to_owned();
    Ok((bare(key), bare(value)))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_makes_sense() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn settings_are_read_with_and_without_quotes() {
        let expected = Ok(("table.local-time-zone".to_owned(), "UTC".to_owned()));
        assert_eq!(setting("table.local-time-zone=UTC"), expected);
        assert_eq!(setting("'table.local-time-zone'='UTC'"), expected);
        assert!(setting("table.local-time-zone").is_err());
    }
}
