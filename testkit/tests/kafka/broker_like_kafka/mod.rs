//! The same requests to the embedded broker and to a real Kafka: the answers must be the same, field by field.
//!
//! Only ids, addresses, the clock and the words of some refusals are taken out before answers are compared. Without a real
//! Kafka the embedded broker is asked alone, which shows that it answers.

mod administration;
mod compaction;
mod describing;
mod internal;
mod peer;
mod reading;
mod replicas;
mod security;
mod sessions;
mod settings;
mod topics;
mod writing;

use tidemill_testkit::kafka::Kafka;
use tidemill_testkit::{ClusterConfig, TestCluster};

async fn everything(bootstrap: &str) -> Vec<(String, String)> {
    let mut broker = peer::Broker::connect(bootstrap).await;
    topics::versions(&mut broker).await;
    topics::metadata(&mut broker).await;
    topics::create_and_delete(&mut broker).await;
    writing::writing(&mut broker).await;
    reading::reading(&mut broker).await;
    sessions::sessions(&mut broker).await;
    compaction::compressing(&mut broker).await;
    administration::administration(&mut broker).await;
    administration::placing(&mut broker).await;
    describing::describing(&mut broker).await;
    security::security(&mut broker).await;
    replicas::replicas(&mut broker).await;
    internal::internal(&mut broker).await;
    settings::settings(&mut broker).await;
    broker.answers()
}

#[tokio::test]
async fn the_embedded_broker_answers_as_kafka_does() {
    let cluster = TestCluster::start(ClusterConfig::default()).await.unwrap();
    let ours = everything(cluster.bootstrap()).await;
    // It is asked for everything there is, so nobody else uses it.
    let Some(kafka) = tokio::task::spawn_blocking(|| Kafka::builder().start_if_there()).await.unwrap() else { return };
    let theirs = everything(kafka.bootstrap()).await;
    compare(&ours, &theirs);
}

/// Shows the answers that differ, and fails if there are any.
fn compare(ours: &[(String, String)], theirs: &[(String, String)]) {
    assert_eq!(ours.len(), theirs.len());
    let mut different = 0;
    for ((what, ours), (same, theirs)) in ours.iter().zip(theirs) {
        assert_eq!(what, same);
        if ours != theirs {
            different += 1;
            eprintln!("== {what}");
            for line in theirs.lines().filter(|line| !ours.lines().any(|other| other == *line)) {
                eprintln!("  kafka: {}", line.trim());
            }
            for line in ours.lines().filter(|line| !theirs.lines().any(|other| other == *line)) {
                eprintln!("  ours:  {}", line.trim());
            }
        }
    }
    assert_eq!(different, 0, "of {} answers, {different} are not Kafka's", ours.len());
}
