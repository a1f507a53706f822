//! A broker that keeps everything in a directory, as a process of its own: `kept_broker DIRECTORY` prints its address and runs
//! until its standard input ends. `testkit/tests/kill.rs` kills it.

use std::io::{self, Read, Write};

use tidemill_testkit::{ClusterConfig, TestCluster};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let directory = std::env::args().nth(1).ok_or("usage: kept_broker DIRECTORY")?;
    let cluster = TestCluster::start(ClusterConfig::default().partitions(4).data(directory)).await?;
    writeln!(io::stdout(), "{}", cluster.bootstrap())?;
    let parent = tokio::task::spawn_blocking(|| io::stdin().read_to_end(&mut Vec::new()));
    tokio::select! {
        error = cluster.failed() => Err(error.into()),
        _ = parent => Ok(cluster.stop().await),
    }
}
