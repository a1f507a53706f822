//! What a broker is started with. Names and defaults are those of Kafka's broker properties.

/// The settings of a [`Broker`](super::Broker).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// `node.id`. Default 1.
    pub node_id: i32,
    /// The host that clients are told to connect to. Default `127.0.0.1`.
    pub host: String,
    /// The port that clients are told to connect to. Default 9092.
    pub port: u16,
    /// `num.partitions`: of a topic that is made without a count. Default 1.
    pub num_partitions: i32,
    /// `auto.create.topics.enable`. Default true.
    pub auto_create_topics: bool,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self { node_id: 1, host: "127.0.0.1".to_owned(), port: 9092, num_partitions: 1, auto_create_topics: true }
    }
}
