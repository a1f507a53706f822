//! Windowed aggregation over Kafka topics, written as Flink SQL.
//!
//! A SQL text becomes a [`plan::Plan`]: a tree of typed operators over [`schema::Table`]s, which prints itself.

pub mod plan;
pub mod schema;
pub mod sql;
pub mod types;
