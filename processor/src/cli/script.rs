//! A SQL file and the settings of the command line as a plan, or on stderr why there is none.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use tidemill::plan::Plan;
use tidemill::sql::{Settings, plan_script};

/// Which file, and what is set beside it.
#[derive(Args)]
pub(super) struct Script {
    /// The SQL file
    #[arg(value_name = "FILE.sql")]
    pub(super) file: PathBuf,
    /// Set an option, as SET does in the file; may be given several times
    ///
    /// Known: table.local-time-zone, and properties.NAME, which sets the client property NAME in every table.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    pub(super) settings: Vec<(String, String)>,
}

/// Names what is set, and not to what: that may be a password.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.settings.iter().map(|(key, _)| key.as_str()).collect();
        f.debug_struct("Script").field("file", &self.file).field("settings", &keys).finish()
    }
}

impl Script {
    /// The plan; `None` after a message on stderr.
    pub(super) fn plan(&self) -> Option<Plan> {
        let mut chosen = Settings::default();
        for (key, value) in &self.settings {
            chosen = match chosen.set(key, value) {
                Ok(chosen) => chosen,
                Err(reason) => {
                    // The value of a misspelt key may be a password.
                    complain(&format!("error: --set '{key}': {reason}"));
                    return None;
                }
            };
        }
        let text = match std::fs::read_to_string(&self.file) {
            Ok(text) => text,
            Err(error) => {
                complain(&format!("error: cannot read {}: {error}", name(&self.file)));
                return None;
            }
        };
        match plan_script(&text, &chosen) {
            Ok(plan) => Some(plan),
            Err(error) => {
                complain(&error.render(&name(&self.file), io::stderr().is_terminal()));
                None
            }
        }
    }
}

/// Says something on stderr; when even that cannot be written, the exit code is all there is.
pub(super) fn complain(message: &str) {
    let _ = writeln!(io::stderr(), "{message}");
}

fn name(file: &Path) -> String {
    file.display().to_string()
}

/// Reads `key=value`; quotes around either are taken off, as in `SET 'key'='value'`.
fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as 'key'='value'")?;
    let bare = |part: &str| part.trim().trim_matches('\'').to_owned();
    Ok((bare(key), bare(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_with_and_without_quotes() {
        let expected = Ok(("table.local-time-zone".to_owned(), "UTC".to_owned()));
        assert_eq!(setting("table.local-time-zone=UTC"), expected);
        assert_eq!(setting("'table.local-time-zone'='UTC'"), expected);
        assert!(setting("table.local-time-zone").is_err());
    }
}
