//! Flink SQL into a typed [`Plan`].
//!
//! The walk: [`dialect`] says what a token is, [`parse`] reads statements, [`bind`] resolves names and types against
//! the tables; [`error`] draws what is wrong. What Flink accepts and we do not run yet is refused by name and place;
//! nothing is ignored.

mod bind;
mod dialect;
mod error;
mod parse;
mod settings;

pub use self::error::SqlError;
pub use self::settings::Settings;

use crate::plan::Plan;

/// Plans all statements of a text.
///
/// # Errors
/// The first thing in the text that is wrong or not supported yet, with its place.
pub fn plan_script(text: &str, settings: &Settings) -> Result<Plan, SqlError> {
    if text.len() > TEXT_BYTES_MAX {
        let message = format!("a SQL file has at most {TEXT_BYTES_MAX} bytes, this one has {}", text.len());
        return Err(SqlError::new(message, 0..0));
    }
    let planned = parse::parse(text).and_then(|statements| bind::bind(statements, settings, text.len()));
    planned.map_err(|error| error.in_text(text))
}

/// Far above any file written by hand or machine; keeps a wrong path (a log, a disk image) from being tokenized.
const TEXT_BYTES_MAX: usize = 4 * 1024 * 1024;

#[cfg(test)]
mod tests;
