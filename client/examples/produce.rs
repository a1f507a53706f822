//! How do I write lines to a topic and learn what became of each?
//!
//! `seq 10 | cargo run -p tidemill-client --example produce -- localhost:9092 user_clicks`

#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::io::BufRead;

use tidemill_client::{Error, Producer, Record};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "user_clicks".to_owned());

    let producer = Producer::from_properties([("bootstrap.servers", servers.as_str())])?;
    let mut deliveries = Vec::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        deliveries.push(producer.send(Record::new(&topic).value(line.as_bytes())).await?);
    }
    for delivery in deliveries {
        match delivery.await {
            Ok(written) => println!("Message delivered to {}", written.topic_partition),
            Err(error) => println!("Message delivery failed: {error}"),
        }
    }
    producer.close(std::time::Duration::from_secs(5)).await
}
