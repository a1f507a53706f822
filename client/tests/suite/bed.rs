//! What the cases stand on: a cluster, topics of their own, and records in them, written past the client.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use tidemill_client::{
    Admin, AutoOffsetReset, ClientConfig, ConnectFuture, Connector, ConsumerConfig, NewTopic, Stream, TcpConnector,
    TopicPartition,
};
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::{DeleteTopicsRequest, ProduceRequest, TopicName};
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord};
use tidemill_protocol::{Request, StrBytes};
use tidemill_testkit::kafka::{Kafka, KafkaVersion};
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// A topic of its own for each case, and its cluster.
#[derive(Debug, Clone)]
pub(crate) struct Bed {
    bootstrap: String,
    pub(crate) topic: String,
    pub(crate) group: String,
    connector: Arc<dyn Connector>,
    /// The embedded cluster, which stops with the last bed on it; none on a real Kafka.
    cluster: Option<Arc<TestCluster>>,
}

/// The timestamp of the record at `index` of what is filled in at once: of today, for what is old is not kept.
pub(crate) fn timestamp(index: i64) -> i64 {
    static START: OnceLock<i64> = OnceLock::new();
    let now_ms = || i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap();
    START.get_or_init(now_ms) + index
}

/// How long a case may wait for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The way through memory: the address does not matter, there is one broker.
#[derive(Debug)]
struct InMemory(Arc<TestCluster>);

impl Connector for InMemory {
    fn connect(&self, _host: String, _port: u16) -> ConnectFuture {
        let stream: Box<dyn Stream> = Box::new(self.0.connect());
        Box::pin(async { Ok(stream) })
    }
}

/// Makes three tests of each case: `memory::case` on a cluster inside the process that is reached without a socket, and
/// those of [`over_tcp`]. The number is how many partitions the case's topic has.
macro_rules! on_every_cluster {
    ($($case:ident($partitions:expr);)*) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::bed::Bed::memory(stringify!($case), $partitions).await).await;
                }
            )*
        }

        $crate::bed::over_tcp! { $($case($partitions);)* }
    };
}
pub(crate) use on_every_cluster;

/// As [`on_every_cluster`], and `kafka_3_9::case` on a real Kafka of the oldest release.
macro_rules! on_every_version {
    ($($case:ident($partitions:expr);)*) => {
        $crate::bed::on_every_cluster! { $($case($partitions);)* }

        mod kafka_3_9 {
            $(
                #[tokio::test]
                async fn $case() {
                    if let Some(bed) = $crate::bed::Bed::kafka_3_9(stringify!($case), $partitions).await {
                        super::$case(bed).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use on_every_version;

/// Makes two tests of each case: `embedded::case` on a cluster inside the process, `kafka::case` on the real Kafka that
/// the tests share.
macro_rules! over_tcp {
    ($($case:ident($partitions:expr);)*) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::bed::Bed::embedded(stringify!($case), $partitions).await).await;
                }
            )*
        }

        mod kafka {
            $(
                #[tokio::test]
                async fn $case() {
                    if let Some(bed) = $crate::bed::Bed::kafka(stringify!($case), $partitions).await {
                        super::$case(bed).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use over_tcp;

impl Bed {
    /// A fresh topic on a fresh cluster inside the process.
    pub(crate) async fn embedded(name: &str, partitions: i32) -> Self {
        Self::embedded_as(ClusterConfig::default(), name, partitions).await
    }

    /// A fresh topic on a fresh cluster inside the process that is like this.
    pub(crate) async fn embedded_as(config: ClusterConfig, name: &str, partitions: i32) -> Self {
        let cluster = TestCluster::start(config).await.unwrap();
        let bootstrap = cluster.bootstrap().to_owned();
        Self::on(&bootstrap, Arc::new(TcpConnector::default()), Some(Arc::new(cluster)), name, partitions).await
    }

    /// The same, reached through memory: no socket could be opened to the address that the clients are given.
    pub(crate) async fn memory(name: &str, partitions: i32) -> Self {
        let cluster = Arc::new(TestCluster::start(ClusterConfig::default()).await.unwrap());
        let connector = Arc::new(InMemory(Arc::clone(&cluster)));
        Self::on("memory.invalid:1", connector, Some(cluster), name, partitions).await
    }

    /// A fresh topic on the real Kafka that the tests share; none, after a line that says so, when there is no Kafka.
    pub(crate) async fn kafka(name: &str, partitions: i32) -> Option<Self> {
        let kafka = tokio::task::spawn_blocking(Kafka::shared).await.unwrap()?;
        Some(Self::on(kafka.bootstrap(), Arc::new(TcpConnector::default()), None, name, partitions).await)
    }

    /// As [`kafka`](Self::kafka), on the oldest release that tests run on.
    pub(crate) async fn kafka_3_9(name: &str, partitions: i32) -> Option<Self> {
        static KAFKA: OnceLock<Option<Kafka>> = OnceLock::new();
        let start = || Kafka::builder().version(KafkaVersion::V3_9_1).start_if_there();
        let kafka = tokio::task::spawn_blocking(move || KAFKA.get_or_init(start).as_ref()).await.unwrap()?;
        Some(Self::on(kafka.bootstrap(), Arc::new(TcpConnector::default()), None, name, partitions).await)
    }

    /// As [`kafka`](Self::kafka), on three brokers of this case's own.
    pub(crate) async fn three_brokers_of_kafka(name: &str, partitions: i32) -> Option<(Self, Kafka)> {
        let start = || Kafka::builder().brokers(3).start_if_there();
        let kafka = tokio::task::spawn_blocking(start).await.unwrap()?;
        let bed = Self::on(kafka.bootstrap(), Arc::new(TcpConnector::default()), None, name, partitions).await;
        Some((bed, kafka))
    }

    /// As [`kafka`](Self::kafka), on one whose transactions are those of Kafka before 4.0 (KIP-890).
    pub(crate) async fn kafka_of_the_first_generation(name: &str, partitions: i32) -> Option<Self> {
        static KAFKA: OnceLock<Option<Kafka>> = OnceLock::new();
        let start = || {
            let kafka = Kafka::builder().start_if_there()?;
            let feature = ["--bootstrap-server", kafka.bootstrap(), "downgrade", "--feature", "transaction.version=0"];
            let output = kafka.run_tool("org.apache.kafka.tools.FeatureCommand", &feature, "").unwrap();
            assert!(output.status.success(), "{output:?}");
            Some(kafka)
        };
        let kafka = tokio::task::spawn_blocking(move || KAFKA.get_or_init(start).as_ref()).await.unwrap()?;
        Some(Self::on(kafka.bootstrap(), Arc::new(TcpConnector::default()), None, name, partitions).await)
    }

    async fn on(
        bootstrap: &str,
        connector: Arc<dyn Connector>,
        cluster: Option<Arc<TestCluster>>,
        name: &str,
        partitions: i32,
    ) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let start = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
        let unique = format!("{name}-{start}-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let bed =
            Self { bootstrap: bootstrap.to_owned(), topic: unique.clone(), group: unique.clone(), connector, cluster };
        bed.another(&unique, partitions).await
    }

    /// The same cluster and group, with another topic, which is made.
    pub(crate) async fn another(&self, topic: &str, partitions: i32) -> Self {
        let admin = Admin::new(self.client(&[])).unwrap();
        let created = admin.create_topics(&[NewTopic::new(topic).partitions(partitions)], PATIENCE).await.unwrap();
        assert!(created.iter().all(|(_, outcome)| outcome.is_ok()), "{created:?}");
        Self { topic: topic.to_owned(), ..self.clone() }
    }

    /// The cluster inside the process, where it is one.
    pub(crate) fn cluster(&self) -> Option<&TestCluster> {
        self.cluster.as_deref()
    }

    /// The cluster's address.
    pub(crate) fn bootstrap(&self) -> &str {
        &self.bootstrap
    }

    /// How to reach the cluster, with these of Kafka's properties.
    pub(crate) fn client(&self, properties: &[(&str, &str)]) -> ClientConfig {
        let properties = properties.iter().copied().chain([("bootstrap.servers", &*self.bootstrap)]);
        ClientConfig::from_properties(properties).unwrap().connector(Arc::clone(&self.connector))
    }

    pub(crate) fn partition(&self, number: i32) -> TopicPartition {
        TopicPartition::new(self.topic.as_str(), number)
    }

    pub(crate) fn partitions(&self, count: i32) -> Vec<TopicPartition> {
        (0..count).map(|number| self.partition(number)).collect()
    }

    /// A reader from the earliest record, without a group.
    pub(crate) fn reader(&self) -> ConsumerConfig {
        ConsumerConfig::default().client(self.client(&[])).auto_offset_reset(AutoOffsetReset::Earliest)
    }

    /// A reader in this case's own group, which commits when it is told to.
    pub(crate) fn member(&self) -> ConsumerConfig {
        self.reader().group_id(&*self.group).enable_auto_commit(false)
    }

    /// Writes one batch of values to a partition.
    pub(crate) async fn fill(&self, partition: i32, values: impl IntoIterator<Item = String>) {
        let mut builder = BatchBuilder::new(1 << 16);
        for value in values {
            builder.append(&NewRecord {
                timestamp: timestamp(i64::from(builder.record_count())),
                key: None,
                value: Some(value.as_bytes()),
                headers: &[],
            });
        }
        let batch = builder.seal(Codec::Lz4).stamp(None, BatchFlags { transactional: false, control: false });
        for _ in 0..100 {
            match self.produce(partition, batch.clone()).await {
                0 => return,
                // The topic is so new that its leader does not know of it yet.
                3 | 6 => tokio::time::sleep(Duration::from_millis(50)).await,
                code => panic!("Produce: error {code}"),
            }
        }
        panic!("no leader for {}-{partition}", self.topic);
    }

    /// Deletes the topic and makes another of its name.
    pub(crate) async fn make_anew(&self, partitions: i32) {
        let name = TopicName(StrBytes::from_string(self.topic.clone()));
        let request = DeleteTopicsRequest::default().with_topic_names(vec![name]).with_timeout_ms(5_000);
        let response = self.ask(&request, 5).await;
        assert_eq!(response.responses[0].error_code, 0);
        self.another(&self.topic, partitions).await;
    }

    async fn produce(&self, partition: i32, batch: Bytes) -> i16 {
        let data = PartitionProduceData::default().with_index(partition).with_records(Some(batch));
        let topic = TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_string(self.topic.clone())))
            .with_partition_data(vec![data]);
        let request = ProduceRequest::default().with_acks(-1).with_timeout_ms(5_000).with_topic_data(vec![topic]);
        self.ask(&request, 9).await.responses[0].partition_responses[0].error_code
    }

    /// Makes a request past the client.
    pub(crate) async fn ask<R: Request>(&self, request: &R, version: i16) -> R::Response {
        let (host, port) = self.bootstrap.rsplit_once(':').unwrap();
        let mut stream = self.connector.connect(host.to_owned(), port.parse().unwrap()).await.unwrap();
        stream.write_all(&encode_request(request, version, 1, None).unwrap()).await.unwrap();
        let size = stream.read_i32().await.unwrap();
        let mut frame = vec![0; usize::try_from(size).unwrap()];
        stream.read_exact(&mut frame).await.unwrap();
        decode_response::<R>(version, frame.into()).unwrap()
    }
}
