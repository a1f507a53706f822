//! The binary `tidemill`: reads the command line and hands over to the command.
//!
//! Exit codes: 0 ended, 1 failed, 2 usage or SQL error.

mod cli;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    cli::run(cli::Arguments::parse())
}
