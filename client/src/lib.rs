//! A native asynchronous Kafka client in pure Rust.
//!
//! A Java or librdkafka configuration dictionary works as it is:
//!
//! ```no_run
//! # async fn run() -> Result<(), tidemill_client::Error> {
//! use tidemill_client::Consumer;
//!
//! let consumer = Consumer::from_properties([
//!     ("bootstrap.servers", "localhost:9092"),
//!     ("group.id", "mygroup"),
//!     ("auto.offset.reset", "earliest"),
//! ])?;
//! consumer.subscribe(["user_clicks"])?;
//! loop {
//!     let record = consumer.recv().await?;
//!     println!("{:?}", record.value());
//! }
//! # }
//! ```
//!
//! [`Producer`] writes, idempotent by default, [`TransactionalProducer`] all or nothing; [`Consumer`] reads, alone or in a group; [`Admin`] looks after topics, groups, configurations and all else of a cluster; [`Client`] shares connections between
//! them. Nothing blocks: everything that waits is `async`, says whether it is cancel-safe, and is bounded in time.

mod admin;
mod base64;
mod client;
mod clock;
mod cluster;
mod config;
mod connection;
mod consumer;
mod error;
mod producer;
mod properties;
mod record;
mod security;

pub use admin::{
    AclBinding, AclFilter, AclOperation, Admin, BrokerDescription, ClassicGroup, ClusterDescription, ConfigChange,
    ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, ConfigType, ConsumerGroup, CreatedTopic, ElectionType,
    FeatureLevels, FencedProducer, GroupDescription, GroupDetails, GroupFilter, GroupListing, GroupMemberDescription,
    GroupMemberId, GroupState, GroupType, HangingTransaction, Listed, NewPartitions, NewTopic, OffsetListing,
    OffsetSpec, Outcomes, PartitionDescription, PartitionLag, PartitionReassignment, PatternType, PermissionType,
    ProducerState, QuotaChange, QuotaEntity, ResourceType, ScramChange, ScramCredential, ScramMechanism,
    TopicDescription, TopicListing, TransactionDescription, TransactionFilter, TransactionListing, TransactionState,
};
pub use client::Client;
pub use config::ClientConfig;
pub use connection::{ConnectFuture, Connector, Stream, TcpConnector};
pub use consumer::{
    Assignor, AutoOffsetReset, ConsumedBatch, Consumer, ConsumerConfig, ConsumerRecord, CooperativeStickyAssignor,
    GroupMember, GroupMetadata, GroupProtocol, IsolationLevel, ListenerFuture, OffsetAndMetadata, OffsetAndTimestamp,
    OffsetReset, RangeAssignor, RebalanceListener, Rebalancing, RecordView, RoundRobinAssignor, StickyAssignor,
};
pub use error::{Error, ErrorKind, Outcome};
pub use producer::{
    Deliveries, Delivery, Guarantee, Partitioner, Partitioning, Producer, ProducerConfig, RecordMetadata, Transaction,
    TransactionalConfig, TransactionalProducer,
};
pub use properties::Properties;
pub use record::{Record, TopicId, TopicPartition};
pub use security::{OauthToken, Sasl, Security, Tls, TokenFuture, TokenProvider};
/// What a broker answers with when it refuses.
pub use tidemill_protocol::ErrorCode;
/// How a producer compresses its batches.
pub use tidemill_protocol::compression::{Codec, Compression, LevelError};
/// A header of a record; keys are bytes and may repeat.
pub use tidemill_protocol::records::Header;
