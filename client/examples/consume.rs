//! How do I read a topic as a member of a group?
//!
//! `cargo run -p tidemill-client --example consume -- localhost:9092 user_clicks [COUNT]`

#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use tidemill_client::{Consumer, Error};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "user_clicks".to_owned());
    let count = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(usize::MAX);

    let consumer = Consumer::from_properties([
        ("bootstrap.servers", servers.as_str()),
        ("group.id", "mygroup"),
        ("auto.offset.reset", "earliest"),
    ])?;
    consumer.subscribe([topic.as_str()])?;
    for _ in 0..count {
        let record = consumer.recv().await?;
        println!("Received message: {}", String::from_utf8_lossy(record.value().unwrap_or_default()));
    }
    consumer.close(std::time::Duration::from_secs(5)).await
}
