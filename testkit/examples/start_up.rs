//! How long a test waits for a cluster: from nothing to three brokers, each of which has told a client of all three.
//!
//! `cargo run --release -p tidemill-testkit --example start_up`
#![expect(clippy::print_stdout, reason = "what it is for")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]

use std::error::Error;
use std::time::{Duration, Instant};

use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::MetadataRequest;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const ROUNDS: usize = 51;
const BROKERS: usize = 3;
const METADATA_VERSION: i16 = 12;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut took = Vec::with_capacity(ROUNDS);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let cluster = TestCluster::start(ClusterConfig::default().brokers(BROKERS).replication_factor(3)).await?;
        let started = start.elapsed();
        for (_, address) in cluster.brokers() {
            let mut connection = TcpStream::connect(address).await?;
            let request = encode_request(&MetadataRequest::default().with_topics(None), METADATA_VERSION, 1, None)?;
            connection.write_all(&request).await?;
            let mut answer = vec![0; usize::try_from(connection.read_i32().await?)?];
            connection.read_exact(&mut answer).await?;
            let metadata = decode_response::<MetadataRequest>(METADATA_VERSION, answer.into())?;
            if metadata.brokers.len() != BROKERS {
                return Err("a broker does not know all others".into());
            }
        }
        took.push((start.elapsed(), started));
        cluster.stop().await;
    }
    took.sort_unstable();
    let show = |what: &str, (all, started): (Duration, Duration)| println!("{what:<8}{started:>12.1?}{all:>16.1?}");
    println!("{:<8}{:>12}{:>16}", "", "listening", "Metadata of all");
    show("least", took.first().copied().unwrap_or_default());
    show("median", took.get(ROUNDS / 2).copied().unwrap_or_default());
    show("most", took.last().copied().unwrap_or_default());
    Ok(())
}
