//! Windowed aggregation over Kafka topics, written as Flink SQL.
//!
//! A SQL text becomes a [`plan::Plan`]: a tree of typed operators over [`schema::Table`]s, which prints itself.
//!
//! ```
//! let plan = tidemill::plan::Plan::from_sql(include_str!("../../examples/top_users.sql"))?;
//! assert!(plan.to_string().contains("TUMBLE(size 30 min)"));
//! # Ok::<(), tidemill::sql::SqlError>(())
//! ```
//!
//! [`job::Job`] runs it, from topic to topic, until it ends, fails or is stopped.
//!
//! What is wrong with a text is a [`sql::SqlError`]; [`sql::SqlError::render`] draws it for humans.

mod aggregate;
pub mod clock;
pub mod error;
pub mod format;
pub mod job;
mod operator;
mod partials;
pub mod plan;
pub mod schema;
pub mod sql;
pub mod task;
pub mod types;
mod window;
