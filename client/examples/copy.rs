//! How do I copy a topic exactly once?
//!
//! `cargo run -p tidemill-client --example copy -- localhost:9092 user_clicks copied_clicks`
//!
//! Start it twice at the same time, with two names behind the topics (`copier-1`, `copier-2`): they share the partitions.

#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use tidemill_client::{Consumer, Error, Header, Record, TransactionalProducer};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let servers = argument("localhost:9092");
    let (input, output) = (argument("user_clicks"), argument("copied_clicks"));
    let name = argument("copier-1");

    let mut producer =
        TransactionalProducer::from_properties([("bootstrap.servers", servers.as_str()), ("transactional.id", &name)])?;
    let consumer = Consumer::from_properties([
        ("bootstrap.servers", servers.as_str()),
        ("group.id", "copiers"),
        ("isolation.level", "read_committed"),
        ("auto.offset.reset", "earliest"),
        ("enable.auto.commit", "false"),
    ])?;
    consumer.subscribe([input.as_str()])?;
    loop {
        let batch = consumer.recv_batch().await?;
        let copied = async {
            let transaction = producer.begin().await?;
            for record in batch.iter() {
                let headers: Vec<Header<'_>> = record.headers().collect();
                let mut copy = Record::new(&output).timestamp(record.timestamp()).headers(&headers);
                copy = record.key().map_or(copy, |key| copy.key(key));
                copy = record.value().map_or(copy, |value| copy.value(value));
                transaction.send(copy).await?;
            }
            let offset = (batch.topic_partition().clone(), batch.next_offset());
            transaction.send_offsets(&consumer.group_metadata()?, [offset]).await?;
            transaction.commit().await
        };
        match copied.await {
            Ok(()) => println!("{} is copied up to {}", batch.topic_partition(), batch.next_offset()),
            Err(error) if error.requires_abort() => {
                println!("once more: {error}");
                consumer.seek_to_committed()?;
            }
            // Another copier took the name over, or something is not allowed.
            Err(error) => return Err(error),
        }
    }
}
