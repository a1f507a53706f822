//! The `json` format, as Flink reads and writes it.
//!
//! - `decode`: record values into the columns that a scan needs
//! - `row`: one value as slots of raw text, a slot for each column
//! - `column`: raw text into a typed column, with Flink's coercions
//! - `decimal`: decimal numbers from text
//! - `encode`: columns into record values, byte for byte as Flink writes them
//! - `number`: floating point and decimal numbers as Java prints them

mod column;
mod decimal;
mod decode;
mod encode;
mod number;
mod row;

pub(crate) use self::decode::Decoder;
pub(crate) use self::encode::{Encoder, timestamp_text};
