//! The same requests, of users who may do this and that, to the embedded broker and to a real Kafka: the answers must be the
//! same, field by field.
//!
//! Both ask for SASL and have an authorizer; `admin` may do everything. Without a real Kafka the embedded broker is asked
//! alone, which shows that it answers.

mod access;
mod certificates;
mod logins;
mod peer;
mod rules;
mod sessions;
mod users;

use tidemill_testkit::broker::config::Mechanism;
use tidemill_testkit::kafka::{Certificates, ClientAuth, Kafka, Listener};
use tidemill_testkit::tls::Tls;
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

/// How long sessions last where they end.
const LIFETIME_MS: u64 = 3000;

#[tokio::test]
async fn sessions_of_the_embedded_broker_end_as_kafkas() {
    let lifetime = std::time::Duration::from_millis(LIFETIME_MS);
    let config = ClusterConfig::default().sasl(Mechanism::ALL, USERS).session_lifetime_max(lifetime);
    let cluster = TestCluster::start(config).await.unwrap();
    let ours = of_sessions(cluster.bootstrap()).await;
    let start = || {
        let lifetime = LIFETIME_MS.to_string();
        let builder = Kafka::builder().property("connections.max.reauth.ms", &lifetime).listener(LISTENER);
        USERS.iter().fold(builder, |builder, (name, password)| builder.user(name, password)).start_if_there()
    };
    let Some(kafka) = tokio::task::spawn_blocking(start).await.unwrap() else { return };
    compare(&ours, &of_sessions(kafka.bootstrap_of(LISTENER)).await);
}

async fn of_sessions(bootstrap: &str) -> Vec<(String, String)> {
    let mut peer = peer::Peer::new(bootstrap).await;
    sessions::sessions(&mut peer).await;
    peer.answers()
}

#[tokio::test]
async fn the_embedded_broker_reads_names_off_certificates_as_kafka_does() {
    let certificates = Certificates::make().unwrap();
    let (certificate, key) = certificates.server();
    let tls = Tls::new(certificate, key).clients(certificates.ca(), ClientAuth::Requested);
    let cluster = TestCluster::start(ClusterConfig::default().tls(tls)).await.unwrap();
    let ours = certificates::names(cluster.bootstrap(), &certificates).await;
    let listener = Listener::Ssl(ClientAuth::Requested);
    let start = move || Kafka::builder().listener(listener).start_if_there();
    let Some(kafka) = tokio::task::spawn_blocking(start).await.unwrap() else { return };
    let theirs = certificates::names(kafka.bootstrap_of(listener), kafka.certificates().unwrap()).await;
    compare(&ours, &theirs);
}

#[tokio::test]
async fn the_embedded_broker_refuses_as_kafka_does() {
    let config = ClusterConfig::default().sasl(Mechanism::ALL, USERS).authorizer(["User:admin"]);
    let cluster = TestCluster::start(config).await.unwrap();
    let ours = everything(cluster.bootstrap()).await;
    let Some(kafka) = tokio::task::spawn_blocking(real).await.unwrap() else { return };
    let theirs = everything(kafka.bootstrap_of(LISTENER)).await;
    compare(&ours, &theirs);
}

fn compare(ours: &[(String, String)], theirs: &[(String, String)]) {
    assert_eq!(ours.len(), theirs.len());
    let mut different = String::new();
    for ((what, ours), (same, theirs)) in ours.iter().zip(theirs) {
        assert_eq!(what, same);
        if ours == theirs {
            continue;
        }
        different += &format!("== {what}\n");
        let only_in = |one: &str, other: &str, who: &str| -> String {
            let lines = one.lines().filter(|line| !other.lines().any(|it| it == *line));
            lines.map(|line| format!("  {who}: {}\n", line.trim())).collect()
        };
        let lines = only_in(theirs, ours, "kafka") + &only_in(ours, theirs, "ours");
        // The same lines in another order, or another number of them.
        different += &if lines.is_empty() { format!("  kafka: {theirs}\n  ours: {ours}\n") } else { lines };
    }
    assert!(different.is_empty(), "of {} answers these are not Kafka's:\n{different}", ours.len());
}
