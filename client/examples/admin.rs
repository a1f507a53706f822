//! How do I make a topic be as I want it, whether or not it exists, and see who has not read it yet?
//!
//! `cargo run -p tidemill-client --example admin -- localhost:9092 user_clicks 8`

#![expect(clippy::print_stdout, reason = "it is what the example is for")]

use std::time::Duration;

use tidemill_client::{
    Admin, ClientConfig, ConfigChange, ConfigResource, Error, ErrorCode, ErrorKind, GroupFilter, IsolationLevel,
    NewPartitions, NewTopic,
};

/// For each call, its attempts included.
const TIMEOUT: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let servers = arguments.next().unwrap_or_else(|| "localhost:9092".to_owned());
    let topic = arguments.next().unwrap_or_else(|| "user_clicks".to_owned());
    let partitions = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(8);

    let admin = Admin::new(ClientConfig::default().bootstrap_servers(servers))?;
    let new = [NewTopic::new(&topic).partitions(partitions)];
    for (topic, outcome) in admin.create_topics(&new, TIMEOUT).await? {
        match outcome {
            Ok(created) => println!("{topic} is created, with {} partitions", created.partitions),
            Err(error) if error.kind() == ErrorKind::Broker(ErrorCode::TOPIC_ALREADY_EXISTS) => {
                for (topic, outcome) in
                    admin.create_partitions(&[NewPartitions::increase_to(&topic, partitions)], TIMEOUT).await?
                {
                    match outcome {
                        Ok(()) => println!("{topic} has {partitions} partitions now"),
                        Err(error) => println!("{topic} stays as it is: {error}"),
                    }
                }
            }
            Err(error) => println!("{error}"),
        }
    }
    let changes = vec![ConfigChange::set("retention.ms", "604800000"), ConfigChange::delete("segment.ms")];
    for (resource, outcome) in admin.alter_configs(&[(ConfigResource::topic(&topic), changes)], TIMEOUT).await? {
        match outcome {
            Ok(()) => println!("{resource} keeps its records for a week"),
            Err(error) => println!("{error}"),
        }
    }
    for group in admin.list_groups(&GroupFilter::default(), TIMEOUT).await?.complete()? {
        let lag = admin.group_lag(&group.group_id, IsolationLevel::ReadCommitted, TIMEOUT).await?;
        let of_topic = lag.into_iter().filter(|(partition, _)| *partition.topic == *topic);
        for (partition, outcome) in of_topic {
            match outcome {
                Ok(lag) => println!("{} has {} records of {partition} before it", group.group_id, lag.lag()),
                Err(error) => println!("{error}"),
            }
        }
    }
    Ok(())
}
