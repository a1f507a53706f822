//! The same requests, of users who may do this and that, to the embedded broker and to a real Kafka: the answers must be the
//! same, field by field.
//!
//! Both ask for SASL and have an authorizer; `admin` may do everything. Without a real Kafka the embedded broker is asked
//! alone, which shows that it answers.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod access;
mod logins;
mod peer;
mod rules;
mod users;

use tidemill_testkit::broker::config::Mechanism;
use tidemill_testkit::kafka::{Kafka, Listener};
use tidemill_testkit::{ClusterConfig, TestCluster};

const USERS: [(&str, &str); 3] = [("admin", "admin-secret"), ("alice", "alice-secret"), ("bob", "bob-secret")];

const LISTENER: Listener = Listener::SaslPlaintext;

async fn everything(bootstrap: &str) -> Vec<(String, String)> {
    let mut peer = peer::Peer::new(bootstrap).await;
    logins::logins(&mut peer).await;
    rules::rules(&mut peer).await;
    access::topics(&mut peer).await;
    access::groups(&mut peer).await;
    access::administration(&mut peer).await;
    users::scram(&mut peer).await;
    users::quotas(&mut peer).await;
    users::tokens(&mut peer).await;
    peer.answers()
}

fn real() -> Option<Kafka> {
    // Brokers come by the plain listener, as nobody.
    let builder = Kafka::builder()
        .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
        .property("super.users", "User:ANONYMOUS;User:admin")
        .listener(LISTENER);
    USERS.iter().fold(builder, |builder, (name, password)| builder.user(name, password)).start_if_there()
}

#[tokio::test]
async fn the_embedded_broker_refuses_as_kafka_does() {
    let config = ClusterConfig::default().sasl(Mechanism::ALL, USERS).authorizer(["User:admin"]);
    let cluster = TestCluster::start(config).await.unwrap();
    let ours = everything(cluster.bootstrap()).await;
    let Some(kafka) = tokio::task::spawn_blocking(real).await.unwrap() else { return };
    let theirs = everything(kafka.bootstrap_of(LISTENER)).await;
    assert_eq!(ours.len(), theirs.len());
    let mut different = 0;
    for ((what, ours), (same, theirs)) in ours.iter().zip(&theirs) {
        assert_eq!(what, same);
        if ours != theirs {
            different += 1;
            println!("== {what}");
            for line in theirs.lines().filter(|line| !ours.lines().any(|other| other == *line)) {
                println!("  kafka: {}", line.trim());
            }
            for line in ours.lines().filter(|line| !theirs.lines().any(|other| other == *line)) {
                println!("  ours:  {}", line.trim());
            }
            if ours.lines().all(|line| theirs.lines().any(|other| other == line)) {
                println!("kafka: {theirs}\nours: {ours}");
            }
            if ours.lines().count() != theirs.lines().count() {
                println!("  kafka: {} lines, ours: {}", theirs.lines().count(), ours.lines().count());
            }
        }
    }
    assert_eq!(different, 0, "of {} answers, {different} are not Kafka's", ours.len());
}
