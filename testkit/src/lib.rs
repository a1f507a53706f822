//! What tests and demonstrations need of Kafka.
//!
//! - [`TestCluster`]: a Kafka-compatible broker inside the process, for any client in any language
//! - [`broker`]: the machine under it, which needs neither a socket nor a clock
//! - [`faults`]: what can go wrong between a client and its brokers, as a script; the cluster plays it, and a proxy in front of
//!   any Kafka
//! - [`simulation`]: the cluster and links to it in virtual time, from one seed
//! - [`kafka`]: a real Apache Kafka, from jars that Maven resolves or from `KAFKA_HOME`, so that the same cases run on the
//!   real thing
//! - [`history`]: what clients did, and whether it may be so
//! - [`logs`]: what is logged, as text
//! - `tls`: certificates for listeners, with the feature of this name

#![warn(clippy::indexing_slicing, clippy::cast_possible_truncation, clippy::cast_possible_wrap, clippy::cast_sign_loss)]
#![cfg_attr(
    test,
    allow(
        clippy::indexing_slicing,
        clippy::cast_possible_truncation,
        clippy::cast_possible_wrap,
        clippy::cast_sign_loss,
        reason = "a test that panics has failed, which is what it is for"
    )
)]

pub mod broker;
pub mod cluster;
mod cluster_config;
mod directory;
pub mod faults;
pub mod history;
pub mod kafka;
pub mod logs;
mod server;
pub mod simulation;
#[cfg(feature = "tls")]
pub mod tls;

pub use cluster::{ClusterConfig, TestCluster};
