//! Reading where there are several replicas: from the nearest, and from one that lost what was read.
//!
//! Three brokers in three racks, inside the process and of a real Kafka.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tidemill_client::{
    Admin, AutoOffsetReset, ClientConfig, ConnectFuture, Connector, Consumer, ConsumerConfig, Guarantee, NewTopic,
    OffsetReset, Producer, ProducerConfig, Record, Stream, TcpConnector, TopicPartition,
};
use tidemill_testkit::kafka::Kafka;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::bed::PATIENCE;

const RACKS: [&str; 3] = ["a", "b", "c"];

/// Three brokers.
enum Three {
    Embedded(TestCluster),
    Kafka(Arc<Kafka>),
}

impl Three {
    async fn embedded() -> Self {
        let config = ClusterConfig::default().racks(RACKS).rack_aware_fetch(true);
        Self::Embedded(TestCluster::start(config).await.unwrap())
    }

    async fn kafka() -> Option<Self> {
        let start = || {
            let selector = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
            let mut builder = Kafka::builder()
                .brokers(3)
                .property("replica.selector.class", selector)
                .property("broker.session.timeout.ms", "3000");
            for (broker, rack) in RACKS.iter().enumerate() {
                builder = builder.broker_property(broker, "broker.rack", rack);
            }
            builder.start_if_there()
        };
        Some(Self::Kafka(Arc::new(tokio::task::spawn_blocking(start).await.unwrap()?)))
    }

    fn client(&self) -> ClientConfig {
        let bootstrap = match self {
            Self::Embedded(cluster) => cluster.bootstrap().to_owned(),
            Self::Kafka(kafka) => kafka.bootstrap().to_owned(),
        };
        ClientConfig::default().bootstrap_servers(bootstrap)
    }

    /// The ids of the brokers in the order of their racks, and their ports.
    async fn brokers(&self) -> Vec<(i32, u16)> {
        let admin = Admin::new(self.client()).unwrap();
        let mut brokers = admin.describe_cluster(PATIENCE).await.unwrap().brokers;
        brokers.sort_by(|a, b| a.rack.cmp(&b.rack));
        brokers.iter().map(|broker| (broker.id, broker.port)).collect()
    }

    async fn topic(&self, replicas: Vec<i32>) -> TopicPartition {
        let topic = NewTopic::new("clicks")
            .assignments([replicas])
            .config("unclean.leader.election.enable", "true")
            .config("min.insync.replicas", "1");
        let created = Admin::new(self.client()).unwrap().create_topics(&[topic], PATIENCE).await.unwrap();
        assert!(created.iter().all(|(_, outcome)| outcome.is_ok()), "{created:?}");
        TopicPartition::new("clicks", 0)
    }

    /// Ends the broker in this place of the racks at once.
    async fn kill(&self, place: usize) {
        match self {
            Self::Embedded(cluster) => cluster.kill_broker(self.brokers().await[place].0).await,
            Self::Kafka(kafka) => kafka.kill_broker(place).unwrap(),
        }
    }

    async fn start(&self, place: usize, id: i32) {
        match self {
            Self::Embedded(cluster) => cluster.start_broker(id).await.unwrap(),
            Self::Kafka(kafka) => {
                let kafka = Arc::clone(kafka);
                tokio::task::spawn_blocking(move || kafka.start_broker(place).unwrap()).await.unwrap();
            }
        }
    }
}

macro_rules! on_three_brokers {
    ($($case:ident;)*) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(super::Three::embedded().await).await;
                }
            )*
        }

        mod kafka {
            $(
                #[tokio::test]
                async fn $case() {
                    if let Some(three) = super::Three::kafka().await {
                        super::$case(three).await;
                    }
                }
            )*
        }
    };
}

on_three_brokers! {
    the_replica_in_the_rack_of_the_reader_is_read_from_and_the_leader_when_it_is_gone;
    a_log_that_was_cut_is_read_on_from_the_cut_and_the_application_hears_of_it;
}

/// Counts what comes from each port.
#[derive(Debug, Default)]
struct Counting {
    bytes: Arc<Mutex<BTreeMap<u16, usize>>>,
}

impl Counting {
    fn bytes_from(&self, port: u16) -> usize {
        self.bytes.lock().unwrap().get(&port).copied().unwrap_or(0)
    }
}

impl Connector for Counting {
    fn connect(&self, host: String, port: u16) -> ConnectFuture {
        let bytes = Arc::clone(&self.bytes);
        let connecting = TcpConnector::default().connect(host, port);
        Box::pin(async move {
            let stream = connecting.await?;
            Ok(Box::new(Counted { stream, port, bytes }) as Box<dyn Stream>)
        })
    }
}

struct Counted {
    stream: Box<dyn Stream>,
    port: u16,
    bytes: Arc<Mutex<BTreeMap<u16, usize>>>,
}

impl AsyncRead for Counted {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        *self.bytes.lock().unwrap().entry(self.port).or_default() += buf.filled().len() - before;
        polled
    }
}

impl AsyncWrite for Counted {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// Writes these values, one batch each, to the replicas that are there.
async fn write(three: &Three, values: std::ops::Range<usize>, padding: usize) {
    let config =
        ProducerConfig::default().client(three.client()).guarantee(Guarantee::AtLeastOnce { all_replicas: false });
    let producer = Producer::new(config).unwrap();
    for value in values {
        let value = format!("{value}{}", " ".repeat(padding));
        producer.send(Record::new("clicks").value(value.as_bytes())).await.unwrap().await.unwrap();
    }
    producer.close(PATIENCE).await.unwrap();
}

async fn read(consumer: &Consumer, expected: std::ops::Range<usize>) {
    for number in expected {
        let record = timeout(PATIENCE, consumer.recv()).await.expect("no record came").unwrap();
        let value = std::str::from_utf8(record.value().unwrap()).unwrap().trim_end();
        assert_eq!(value, number.to_string());
    }
}

async fn until_led_by(three: &Three, broker: i32, in_sync: usize) {
    let admin = Admin::new(three.client()).unwrap();
    let start = Instant::now();
    loop {
        let described = admin.describe_topics(&["clicks"], PATIENCE).await.unwrap();
        let partition = &described[0].1.as_ref().unwrap().partitions[0];
        if partition.leader == Some(broker) && partition.in_sync_replicas.len() == in_sync {
            return;
        }
        assert!(start.elapsed() < PATIENCE, "{partition:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn the_replica_in_the_rack_of_the_reader_is_read_from_and_the_leader_when_it_is_gone(three: Three) {
    let brokers = three.brokers().await;
    let [leader, near] = [brokers[0], brokers[1]];
    let partition = three.topic(vec![leader.0, near.0]).await;
    until_led_by(&three, leader.0, 2).await;
    write(&three, 0..200, 5_000).await;
    let counting = Arc::new(Counting::default());
    let config = ConsumerConfig::default()
        .client(three.client().connector(Arc::clone(&counting) as Arc<dyn Connector>))
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .client_rack("b");
    let consumer = Consumer::new(config).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    read(&consumer, 0..200).await;
    let (from_leader, from_near) = (counting.bytes_from(leader.1), counting.bytes_from(near.1));
    assert!(from_near > 1_000_000, "{from_near} bytes came from the replica in the rack");
    assert!(from_leader < 100_000, "{from_leader} bytes came from the leader");

    three.kill(1).await;
    write(&three, 200..210, 0).await;
    read(&consumer, 200..210).await;
    assert_eq!(consumer.lag(&partition), Some(0));
    consumer.close(PATIENCE).await.unwrap();
}

async fn a_log_that_was_cut_is_read_on_from_the_cut_and_the_application_hears_of_it(three: Three) {
    let brokers = three.brokers().await;
    let partition = three.topic(vec![brokers[0].0, brokers[1].0]).await;
    until_led_by(&three, brokers[0].0, 2).await;
    write(&three, 0..10, 0).await;
    let resets: Arc<Mutex<Vec<OffsetReset>>> = Arc::default();
    let told = Arc::clone(&resets);
    let config = ConsumerConfig::default()
        .client(three.client())
        .auto_offset_reset(AutoOffsetReset::Latest)
        .on_reset(move |reset| told.lock().unwrap().push(reset.clone()));
    let consumer = Consumer::new(config).unwrap();
    consumer.assign([partition.clone()]).unwrap();
    consumer.seek(&partition, 0).unwrap();
    read(&consumer, 0..10).await;
    // What only the leader has, is read, and lost with it.
    three.kill(1).await;
    until_led_by(&three, brokers[0].0, 1).await;
    write(&three, 10..20, 0).await;
    read(&consumer, 10..20).await;
    three.kill(0).await;
    three.start(1, brokers[1].0).await;
    until_led_by(&three, brokers[1].0, 1).await;
    // The log is longer again than what was read: only its epochs tell.
    write(&three, 100..120, 0).await;
    read(&consumer, 100..120).await;
    let resets = resets.lock().unwrap();
    assert_eq!(resets.len(), 1, "{resets:?}");
    assert_eq!((resets[0].from, resets[0].to), (20, 10));
}
