//! What tests and demonstrations need of Kafka: brokers inside the process that other people's clients cannot tell from
//! Kafka, with any fault on demand.
//!
//! # A test of one's own service, with a fault
//!
//! In `Cargo.toml`, under `[dev-dependencies]`, stand this package and `tokio` with its features `macros` and `rt`. The
//! service may use any Kafka client; it is told where the brokers are.
//!
//! ```
//! # mod my_service {
//! #     use std::error::Error;
//! #     use tidemill_protocol::{header::encode_request, messages::MetadataRequest};
//! #     use tokio::io::{AsyncReadExt, AsyncWriteExt};
//! #     pub async fn run(bootstrap: &str) -> Result<(), Box<dyn Error>> {
//! #         let mut socket = tokio::net::TcpStream::connect(bootstrap.split(',').next().unwrap()).await?;
//! #         socket.write_all(&encode_request(&MetadataRequest::default(), 9, 1, None)?).await?;
//! #         socket.write_all(&encode_request(&MetadataRequest::default(), 9, 2, None)?).await?;
//! #         socket.read_i32().await?;
//! #         assert_eq!(socket.read_i32().await?, 2, "the first answer is lost");
//! #         Ok(())
//! #     }
//! # }
//! use tidemill_testkit::{ClusterConfig, TestCluster};
//!
//! #[tokio::main(flavor = "current_thread")] // in a test: #[tokio::test]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let cluster = TestCluster::start(ClusterConfig::default().brokers(3).replication_factor(3)).await?;
//!     cluster.create_topic("orders", 2, &[])?;
//!     cluster.play("Metadata times=1: lose reply", 1)?;
//!     my_service::run(cluster.bootstrap()).await?;
//!     assert!(cluster.never_fired().is_empty(), "the fault has struck");
//!     Ok(())
//! }
//! ```
//!
//! [`faults`] lists what can go wrong. [`TestCluster`] also kills brokers, moves leaders and evicts members of groups.
//!
//! # The same test on real Kafka
//!
//! It needs Java 17, and Maven once. Without them the test says so and passes; with `TIDEMILL_REQUIRE_KAFKA=1` it fails. A
//! [proxy](faults::proxy::Proxy) plays the faults of connections and answers in front of any Kafka.
//!
//! ```no_run
//! # mod my_service { pub async fn run(_: &str) -> Result<(), Box<dyn std::error::Error>> { Ok(()) } }
//! use tidemill_testkit::{faults::proxy::Proxy, kafka::Kafka};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     // One broker for all tests of the process. It blocks: before there is a runtime.
//!     let Some(kafka) = Kafka::shared() else { return Ok(()) };
//!     tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//!         let proxy = Proxy::start(kafka.bootstrap(), "Metadata times=1: lose reply".parse()?, 1).await?;
//!         my_service::run(proxy.bootstrap()).await
//!     })
//! }
//! ```
//!
//! # From another language
//!
//! The binary `tidemill` is the same brokers for clients in any language; here with Python's `confluent-kafka`:
//!
//! ```text
//! $ echo 'Produce p=0.1: lose reply' > faults.txt
//! $ tidemill broker --listen 127.0.0.1:9092 --brokers 3 --faults faults.txt --seed 7
//!
//! from confluent_kafka import Producer
//! producer = Producer({"bootstrap.servers": "127.0.0.1:9092", "enable.idempotence": True})
//! for number in range(1000):
//!     producer.produce("orders", str(number))
//! assert producer.flush(60) == 0
//! ```
//!
//! # Parts
//!
//! - [`TestCluster`]: a Kafka-compatible cluster inside the process, for any client in any language
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
