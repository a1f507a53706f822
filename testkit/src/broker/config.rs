//! What a broker is started with. Names and defaults are those of Kafka's broker properties.

use super::topic_config::Kind;

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

impl BrokerConfig {
    /// The settings as DescribeConfigs lists them.
    pub(crate) fn list(&self) -> Vec<(&'static str, String, Kind)> {
        let listener = format!("PLAINTEXT://{}:{}", self.host, self.port);
        vec![
            ("advertised.listeners", listener.clone(), Kind::List),
            ("auto.create.topics.enable", self.auto_create_topics.to_string(), Kind::Boolean),
            ("default.replication.factor", "1".to_owned(), Kind::Int),
            ("listeners", listener, Kind::List),
            ("min.insync.replicas", "1".to_owned(), Kind::Int),
            ("node.id", self.node_id.to_string(), Kind::Int),
            ("num.partitions", self.num_partitions.to_string(), Kind::Int),
        ]
    }
}
