//! Listeners with SASL: every mechanism, those who are not let in, and sessions that end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

use tidemill_client::{
    AutoOffsetReset, ClientConfig, ConnectFuture, Connector, Consumer, ConsumerConfig, OauthToken, Producer,
    ProducerConfig, Record, Sasl, Security, TcpConnector, TokenFuture, TokenProvider,
};
use tidemill_testkit::broker::config::Mechanism;
use tidemill_testkit::{ClusterConfig, TestCluster};

use crate::bed::PATIENCE;
use crate::security::{Place, SESSION, USER, config, in_both_places, refusal, round_trip};

in_both_places! {
    every_mechanism_lets_in_with_and_without_tls;
    who_does_not_prove_who_it_is_is_told_what_to_change;
    a_listener_with_sasl_is_told_apart_from_one_without;
    sessions_are_renewed_on_the_connections_that_there_are;
}

/// How alice logs in by this mechanism, as librdkafka has it.
fn login(mechanism: &'static str) -> Vec<(&'static str, &'static str)> {
    let how = if mechanism == "OAUTHBEARER" {
        [("enable.sasl.oauthbearer.unsecure.jwt", "true"), ("sasl.oauthbearer.config", "principal=alice")]
    } else {
        [("sasl.username", USER.0), ("sasl.password", USER.1)]
    };
    [&how[..], &[("sasl.mechanisms", mechanism)]].concat()
}

/// The same, as Java has it.
fn java_login(mechanism: &'static str) -> [(&'static str, String); 2] {
    let password = format!("username=\"{}\" password=\"{}\"", USER.0, USER.1);
    let (module, options) = match mechanism {
        "PLAIN" => ("plain.PlainLoginModule", &*password),
        "OAUTHBEARER" => ("oauthbearer.OAuthBearerLoginModule", "unsecuredLoginStringClaim_sub=\"alice\""),
        _ => ("scram.ScramLoginModule", &*password),
    };
    let jaas = format!("org.apache.kafka.common.security.{module} required {options};");
    [("sasl.mechanism", mechanism.to_owned()), ("sasl.jaas.config", jaas)]
}

const MECHANISMS: [&str; 4] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"];
const PLAINTEXT: (&str, &str) = ("security.protocol", "SASL_PLAINTEXT");

async fn every_mechanism_lets_in_with_and_without_tls(place: Place) {
    for mechanism in MECHANISMS {
        let plaintext = [&login(mechanism)[..], &[PLAINTEXT]].concat();
        round_trip(config(&place.sasl_plaintext, &plaintext), &format!("plaintext-{mechanism}")).await;
        let java = java_login(mechanism);
        let java: Vec<(&str, &str)> = java.iter().map(|(name, value)| (*name, &**value)).collect();
        let ssl = [&java[..], &place.trusting(), &[("security.protocol", "SASL_SSL")]].concat();
        round_trip(config(&place.sasl_ssl, &ssl), &format!("ssl-{mechanism}")).await;
    }
}

async fn who_does_not_prove_who_it_is_is_told_what_to_change(place: Place) {
    for mechanism in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
        for (username, password) in [(USER.0, "guess"), ("mallory", USER.1)] {
            let wrong = [("sasl.username", username), ("sasl.password", password), ("sasl.mechanism", mechanism)];
            let told = refusal(config(&place.sasl_plaintext, &[&wrong[..], &[PLAINTEXT]].concat())).await;
            let refused = format!("the broker refuses the login by {mechanism}: Authentication failed");
            assert!(told.contains(&refused), "{told}");
            assert!(told.contains("sasl.password") && !told.contains(password), "{told}");
        }
    }
    let security = Security::plaintext().sasl(Sasl::oauth_bearer(Arc::new(Token("not.a.token"))));
    let told = refusal(config(&place.sasl_plaintext, &[]).security(security)).await;
    assert!(told.contains("the broker refuses") && told.contains("invalid_token"), "{told}");
    let security = Security::plaintext().sasl(Sasl::oauth_bearer(Arc::new(NoToken)));
    let told = refusal(config(&place.sasl_plaintext, &[]).security(security)).await;
    assert!(told.contains("there is no token to log in with: the server of tokens is down"), "{told}");
}

/// Gives always the same.
#[derive(Debug)]
struct Token(&'static str);

impl TokenProvider for Token {
    fn token(&self) -> TokenFuture {
        let token = OauthToken::new(self.0, SystemTime::now() + Duration::from_secs(3600));
        Box::pin(async { Ok(token) })
    }
}

#[derive(Debug)]
struct NoToken;

impl TokenProvider for NoToken {
    fn token(&self) -> TokenFuture {
        Box::pin(async { Err("the server of tokens is down".into()) })
    }
}

async fn a_listener_with_sasl_is_told_apart_from_one_without(place: Place) {
    let told = refusal(config(&place.sasl_plaintext, &[])).await;
    assert!(told.contains("as a listener with SASL does: is security.protocol (PLAINTEXT)"), "{told}");
    let told = refusal(config(&place.plain, &[&login("PLAIN")[..], &[PLAINTEXT]].concat())).await;
    assert!(told.contains("the listener takes no SASL: set security.protocol to PLAINTEXT"), "{told}");
}

/// Counts the connections that are opened.
#[derive(Debug, Default)]
struct Counting(AtomicUsize);

impl Connector for Counting {
    fn connect(&self, host: String, port: u16) -> ConnectFuture {
        self.0.fetch_add(1, Ordering::Relaxed);
        TcpConnector::default().connect(host, port)
    }
}

/// All mechanisms at the same time, each over several sessions.
async fn sessions_are_renewed_on_the_connections_that_there_are(place: Place) {
    let of_mechanism = |mechanism| {
        let opened = Arc::new(Counting::default());
        let config = config(&place.sasl_plaintext, &[&login(mechanism)[..], &[PLAINTEXT]].concat());
        long_lived(config.connector(opened.clone()), opened, format!("sessions-{mechanism}"))
    };
    futures_util::future::join_all(MECHANISMS.map(of_mechanism)).await;
}

async fn long_lived(config: ClientConfig, opened: Arc<Counting>, topic: String) {
    let producer = Producer::new(ProducerConfig::default().client(config.clone())).unwrap();
    let reader = ConsumerConfig::default().client(config).auto_offset_reset(AutoOffsetReset::Earliest);
    let reader = Consumer::new(reader.group_id(&*topic)).unwrap();
    reader.subscribe([&*topic]).unwrap();
    let exchange = async || {
        let sent = producer.send(Record::new(&topic).value(b"tick")).await.unwrap();
        tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap();
        tokio::time::timeout(PATIENCE, reader.recv()).await.unwrap().unwrap();
    };
    exchange().await;
    let (start, at_first) = (Instant::now(), opened.0.load(Ordering::Relaxed));
    while start.elapsed() < SESSION * 4 {
        exchange().await;
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(opened.0.load(Ordering::Relaxed), at_first, "{topic}: a connection was opened anew");
    reader.close(PATIENCE).await.unwrap();
}

#[tokio::test]
async fn a_mechanism_that_is_not_enabled_is_told_with_those_that_are() {
    let enabled = ClusterConfig::default().sasl([Mechanism::ScramSha256, Mechanism::ScramSha512], [USER]);
    let cluster = TestCluster::start(enabled).await.unwrap();
    let told = refusal(config(cluster.bootstrap(), &[&login("PLAIN")[..], &[PLAINTEXT]].concat())).await;
    assert!(told.contains("does not take PLAIN, it takes SCRAM-SHA-256, SCRAM-SHA-512: set sasl.mechanism"), "{told}");
}

/// Whoever may read logs and errors may not log in by them.
#[test]
fn no_secret_of_a_login_is_logged_or_told() {
    const WRONG: &str = "hunter2-wrong";
    let ((), logged) = tidemill_testkit::logs::captured(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let place = Place::embedded().await;
            for mechanism in MECHANISMS {
                let shown = place.showing();
                let ssl = [&login(mechanism)[..], &shown, &[("security.protocol", "SASL_SSL")]].concat();
                let good = config(&place.sasl_ssl, &ssl);
                assert_no_secret(&place, &format!("{good:?} {good:#?}"));
                round_trip(good.clone(), &format!("logged-{mechanism}")).await;
                let producer = Producer::new(ProducerConfig::default().client(good)).unwrap();
                drop(producer.send(Record::new("clicks").value(b"x")).await.unwrap());
                assert_no_secret(&place, &format!("{producer:?} {producer:#?}"));
            }
            for mechanism in ["PLAIN", "SCRAM-SHA-256"] {
                let wrong = [("sasl.username", USER.0), ("sasl.password", WRONG), ("sasl.mechanism", mechanism)];
                let told = refusal(config(&place.sasl_plaintext, &[&wrong[..], &[PLAINTEXT]].concat())).await;
                assert!(!told.contains(WRONG), "{told}");
            }
            assert_no_secret(&place, "");
        });
    });
    assert!(logged.contains("connection lost"), "nothing was captured");
    assert!(!logged.contains(WRONG) && !logged.contains(USER.1) && !logged.contains("PRIVATE KEY"), "{logged}");
    // A token that nobody signs begins with this.
    assert!(!logged.contains("eyJhbGciOiJub25lIn0"), "{logged}");
}

fn assert_no_secret(place: &Place, text: &str) {
    let key = place.certificates.client_key().lines().nth(1).unwrap();
    for secret in [USER.1, key, "eyJhbGciOiJub25lIn0"] {
        assert!(!text.contains(secret), "{text}");
    }
}
