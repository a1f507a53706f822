//! What a cluster and its brokers are started with. Names and defaults are those of Kafka's broker properties.

use super::groups::GroupProperties;
use super::topic_config::Kind;

/// One broker of a [`Cluster`](super::Cluster).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BrokerConfig {
    /// `node.id`. Default 1.
    pub node_id: i32,
    /// The host that clients are told to connect to. Default `127.0.0.1`.
    pub host: String,
    /// The port that clients are told to connect to. Default 9092.
    pub port: u16,
    /// `broker.rack`. Default none.
    pub rack: Option<String>,
}

/// What all brokers of a [`Cluster`](super::Cluster) have in common.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ClusterProperties {
    /// The brokers, each with a number of its own. Default one.
    pub brokers: Vec<BrokerConfig>,
    /// `num.partitions`: of a topic that is made without a count. Default 1.
    pub num_partitions: i32,
    /// `default.replication.factor`: of a topic that is made without one. Default 1.
    pub default_replication_factor: i16,
    /// `auto.create.topics.enable`. Default true.
    pub auto_create_topics: bool,
    /// How groups are coordinated.
    pub groups: GroupProperties,
}

impl Default for BrokerConfig {
    fn default() -> Self {
        Self { node_id: 1, host: "127.0.0.1".to_owned(), port: 9092, rack: None }
    }
}

impl Default for ClusterProperties {
    fn default() -> Self {
        Self {
            brokers: vec![BrokerConfig::default()],
            num_partitions: 1,
            default_replication_factor: 1,
            auto_create_topics: true,
            groups: GroupProperties::default(),
        }
    }
}

impl ClusterProperties {
    /// The settings of one broker, as DescribeConfigs lists them.
    pub(crate) fn list(&self, broker: &BrokerConfig) -> Vec<(&'static str, String, Kind)> {
        let listener = format!("PLAINTEXT://{}:{}", broker.host, broker.port);
        let mut listed = vec![
            ("advertised.listeners", listener.clone(), Kind::List),
            ("auto.create.topics.enable", self.auto_create_topics.to_string(), Kind::Boolean),
            ("default.replication.factor", self.default_replication_factor.to_string(), Kind::Int),
            ("listeners", listener, Kind::List),
            ("min.insync.replicas", "1".to_owned(), Kind::Int),
            ("node.id", broker.node_id.to_string(), Kind::Int),
            ("num.partitions", self.num_partitions.to_string(), Kind::Int),
        ];
        listed.extend(broker.rack.clone().map(|rack| ("broker.rack", rack, Kind::String)));
        listed.sort_unstable_by_key(|(name, ..)| *name);
        listed
    }
}
