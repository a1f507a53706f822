//! How much time of the processor a simulated cluster takes: 1,000 seconds of three brokers, a record written every
//! millisecond with `acks=all`.
//!
//! `cargo run --release -p tidemill-testkit --example simulate`
#![expect(clippy::print_stdout, reason = "what it is for")]
#![expect(clippy::disallowed_methods, reason = "any instant will do to count from; nothing waits for it")]

use std::error::Error;
use std::time::Duration;

use tidemill_protocol::StrBytes;
use tidemill_protocol::compression::Codec;
use tidemill_protocol::header::encode_request;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use tidemill_protocol::messages::{CreateTopicsRequest, ProduceRequest, TopicName};
use tidemill_protocol::records::{BatchBuilder, BatchFlags, NewRecord};
use tidemill_testkit::broker::{BrokerConfig, ClusterProperties};
use tidemill_testkit::simulation::{LinkConditions, Simulation, What};
use tokio::time::Instant;

const SECONDS: u64 = 1000;
const UNIX_MS: i64 = 1_800_000_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let mut properties = ClusterProperties::default();
    properties.brokers.clear();
    for node_id in 1..=3 {
        let mut broker = BrokerConfig::default();
        broker.node_id = node_id;
        properties.brokers.push(broker);
    }
    let conditions = LinkConditions::latency(Duration::from_micros(200)).jitter(Duration::from_micros(100));
    let mut simulation = Simulation::new(properties, Instant::now(), UNIX_MS, 1).conditions(conditions);
    let name = TopicName(StrBytes::from_static_str("clicks"));
    let topic = CreatableTopic::default().with_name(name.clone()).with_num_partitions(1).with_replication_factor(3);
    let link = simulation.connect(1);
    simulation.send(link, encode_request(&CreateTopicsRequest::default().with_topics(vec![topic]), 7, 0, None)?);
    simulation.run_until(Duration::from_secs(1));
    simulation.change(|cluster, _| cluster.move_leader("clicks", 0, 1))?;

    let mut builder = BatchBuilder::new(100);
    builder.append(&NewRecord { timestamp: UNIX_MS, key: None, value: Some(b"a click"), headers: &[] });
    let batch = builder.seal(Codec::None).stamp(None, BatchFlags::default());
    let data = PartitionProduceData::default().with_records(Some(batch));
    let topic = TopicProduceData::default().with_name(name).with_partition_data(vec![data]);
    let body = ProduceRequest::default().with_acks(-1).with_timeout_ms(1000).with_topic_data(vec![topic]);
    let request = encode_request(&body, 9, 1, None)?;

    let before = cpu_seconds();
    let mut answers = 0_u64;
    for ms in 1..=SECONDS * 1000 {
        simulation.send(link, request.clone());
        let delivered = simulation.run_until(Duration::from_millis(1000 + ms));
        answers += delivered.iter().filter(|delivered| matches!(delivered.what, What::Frame(_))).count() as u64;
    }
    println!("{SECONDS} simulated seconds, {answers} writes answered");
    let measured = before.zip(cpu_seconds());
    simulation.check()?;
    match measured {
        Some((before, after)) => println!("{:.2} s of the processor", after - before),
        None => println!("this system does not tell the time of the processor"),
    }
    Ok(())
}

/// The time of the processor that this process has taken, as Linux tells it.
fn cpu_seconds() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/self/schedstat").ok()?;
    let nanos: f64 = text.split_whitespace().next()?.parse().ok()?;
    Some(nanos / 1e9)
}
