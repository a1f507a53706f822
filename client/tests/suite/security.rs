//! Listeners with TLS: who is let in, and what those are told who are not. [`logins`](crate::logins) has those with SASL.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tempfile::TempDir;
use tidemill_client::{
    Admin, AutoOffsetReset, ClientConfig, ConnectFuture, Connector, Consumer, ConsumerConfig, Error, ErrorKind,
    Producer, ProducerConfig, Record, Security, TcpConnector, Tls, TopicPartition,
};
use tidemill_testkit::broker::config::Mechanism;
use tidemill_testkit::kafka::{Certificates, ClientAuth, Kafka, Listener};
use tidemill_testkit::{ClusterConfig, TestCluster};

use crate::bed::PATIENCE;

/// A cluster with a listener of each kind, or one for each.
pub(crate) struct Place {
    pub(crate) plain: String,
    /// Asks for a certificate.
    ssl: String,
    pub(crate) sasl_plaintext: String,
    pub(crate) sasl_ssl: String,
    pub(crate) certificates: Certificates,
    _clusters: Vec<TestCluster>,
}

const SSL: Listener = Listener::Ssl(ClientAuth::Required);
const SASL_SSL: Listener = Listener::SaslSsl(ClientAuth::None);
pub(crate) const USER: (&str, &str) = ("alice", "alice-secret");
/// How long a login lasts. Brokers take no other within a second.
pub(crate) const SESSION: Duration = Duration::from_millis(1_800);

impl Place {
    pub(crate) async fn embedded() -> Self {
        let certificates = Certificates::make().unwrap();
        let (certificate, key) = certificates.server();
        let tls =
            |client_auth| tidemill_testkit::tls::Tls::new(certificate, key).clients(certificates.ca(), client_auth);
        let sasl = || ClusterConfig::default().sasl(Mechanism::ALL, [USER]).session_lifetime_max(SESSION);
        let configs = [
            ClusterConfig::default(),
            ClusterConfig::default().tls(tls(ClientAuth::Required)),
            sasl(),
            sasl().tls(tls(ClientAuth::None)),
        ];
        let mut clusters = Vec::new();
        for config in configs {
            clusters.push(TestCluster::start(config).await.unwrap());
        }
        let [plain, ssl, sasl_plaintext, sasl_ssl] = [0, 1, 2, 3].map(|place| clusters[place].bootstrap().to_owned());
        Self { plain, ssl, sasl_plaintext, sasl_ssl, certificates, _clusters: clusters }
    }

    /// None, after a line that says so, when there is no Kafka.
    pub(crate) async fn kafka() -> Option<Self> {
        static SHARED: OnceLock<Option<Kafka>> = OnceLock::new();
        let start = || {
            let builder = Kafka::builder().listener(SSL).listener(Listener::SaslPlaintext).listener(SASL_SSL);
            let builder = builder.property("connections.max.reauth.ms", &SESSION.as_millis().to_string());
            builder.user(USER.0, USER.1).start_if_there()
        };
        let kafka = tokio::task::spawn_blocking(move || SHARED.get_or_init(start).as_ref()).await.unwrap()?;
        Some(Self {
            plain: kafka.bootstrap().to_owned(),
            ssl: kafka.bootstrap_of(SSL).to_owned(),
            sasl_plaintext: kafka.bootstrap_of(Listener::SaslPlaintext).to_owned(),
            sasl_ssl: kafka.bootstrap_of(SASL_SSL).to_owned(),
            certificates: kafka.certificates().unwrap().clone(),
            _clusters: Vec::new(),
        })
    }

    /// Trusts the brokers.
    pub(crate) fn trusting(&self) -> Vec<(&str, &str)> {
        vec![("ssl.truststore.type", "PEM"), ("ssl.truststore.certificates", self.certificates.ca())]
    }

    /// Trusts the brokers, and shows a certificate.
    pub(crate) fn showing(&self) -> Vec<(&str, &str)> {
        let (certificate, key) = (self.certificates.client_certificate(), self.certificates.client_key());
        let shown = [("ssl.keystore.certificate.chain", certificate), ("ssl.keystore.key", key)];
        [&self.trusting()[..], &shown].concat()
    }
}

/// Makes two tests of each case, on the embedded cluster and on real Kafka.
macro_rules! in_both_places {
    ($($case:ident;)*) => {
        mod embedded {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case($crate::security::Place::embedded().await).await;
                }
            )*
        }

        mod kafka {
            $(
                #[tokio::test]
                async fn $case() {
                    if let Some(place) = $crate::security::Place::kafka().await {
                        super::$case(place).await;
                    }
                }
            )*
        }
    };
}
pub(crate) use in_both_places;

in_both_places! {
    records_go_both_ways_through_mutual_tls;
    who_does_not_trust_or_is_not_trusted_is_told_which_option_to_change;
    a_listener_of_another_protocol_is_recognised;
    files_that_are_replaced_are_used_by_the_next_connection;
}

pub(crate) fn config(bootstrap: &str, properties: &[(&str, &str)]) -> ClientConfig {
    let properties = properties.iter().copied().chain([("bootstrap.servers", bootstrap)]);
    ClientConfig::from_properties(properties).unwrap()
}

/// Writes a record and reads it.
pub(crate) async fn round_trip(config: ClientConfig, topic: &str) {
    let producer = Producer::new(ProducerConfig::default().client(config.clone())).unwrap();
    let sent = producer.send(Record::new(topic).partition(0).value(topic.as_bytes())).await.unwrap();
    tokio::time::timeout(PATIENCE, sent).await.unwrap().unwrap();
    let reader = ConsumerConfig::default().client(config).auto_offset_reset(AutoOffsetReset::Earliest);
    let reader = Consumer::new(reader.group_id(topic)).unwrap();
    reader.subscribe([topic]).unwrap();
    let record = tokio::time::timeout(PATIENCE, reader.recv()).await.unwrap().unwrap();
    assert_eq!(record.value(), Some(topic.as_bytes()));
    reader.close(PATIENCE).await.unwrap();
}

/// What everybody is told who is not let in: at once, not when time is up.
pub(crate) async fn refusal(config: ClientConfig) -> String {
    let start = Instant::now();
    let admin = Admin::new(config.clone()).unwrap();
    let producer = Producer::new(ProducerConfig::default().client(config.clone())).unwrap();
    let consumer = Consumer::new(ConsumerConfig::default().client(config).group_id("refused")).unwrap();
    let partition = TopicPartition::new("clicks", 0);
    consumer.assign([partition.clone()]).unwrap();
    let told = async {
        let sent: Error = producer.send(Record::new("clicks").value(b"x")).await.unwrap_err();
        let received = consumer.recv().await.unwrap_err();
        // A hang-up is believed when it has happened a few times.
        let listed = loop {
            let error = admin.list_topics(PATIENCE).await.unwrap_err();
            if error.kind() != ErrorKind::Network {
                break error;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        let ends = consumer.end_offsets([partition.clone()]).await.unwrap_err();
        let committed = consumer.committed([partition]).await.unwrap_err();
        [sent, received, listed, ends, committed]
    };
    let told = tokio::time::timeout(PATIENCE, told).await.unwrap();
    for error in &told {
        assert_eq!(error.kind(), ErrorKind::Security, "{error}");
        assert!(!error.is_retriable());
    }
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    let [told, ..] = told.map(|error| error.to_string());
    told
}

async fn records_go_both_ways_through_mutual_tls(place: Place) {
    let ssl = ("security.protocol", "SSL");
    round_trip(config(&place.ssl, &[&place.showing()[..], &[ssl]].concat()), "mutual-java").await;
    // The same from files, by the names of librdkafka, and in one version of TLS after the other.
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (ca, certificate, key) = (
        file("ca.pem", place.certificates.ca()),
        file("client.pem", place.certificates.client_certificate()),
        file("client.key", place.certificates.client_key()),
    );
    for version in ["TLSv1.2", "TLSv1.3"] {
        let files = [
            ("security.protocol", "ssl"),
            ("ssl.ca.location", &*ca),
            ("ssl.certificate.location", &*certificate),
            ("ssl.key.location", &*key),
            ("ssl.enabled.protocols", version),
        ];
        round_trip(config(&place.ssl, &files), &format!("mutual-{version}")).await;
    }
    let tls = Tls::default().authorities_file(&ca).identity_files(&certificate, &key);
    round_trip(config(&place.ssl, &[]).security(Security::tls(tls)), "mutual-typed").await;
}

async fn who_does_not_trust_or_is_not_trusted_is_told_which_option_to_change(place: Place) {
    let ssl = ("security.protocol", "SSL");
    for version in ["TLSv1.2", "TLSv1.3"] {
        let version = ("ssl.enabled.protocols", version);
        let told = refusal(config(&place.ssl, &[&place.trusting()[..], &[ssl, version]].concat())).await;
        assert!(told.contains("the broker refuses TLS") && told.contains("ssl.keystore.location"), "{told}");
        let other = Certificates::make().unwrap();
        let stranger =
            [("ssl.keystore.certificate.chain", other.client_certificate()), ("ssl.keystore.key", other.client_key())];
        let told = refusal(config(&place.ssl, &[&place.trusting()[..], &stranger, &[ssl, version]].concat())).await;
        assert!(told.contains("the broker refuses TLS") && told.contains("ssl.keystore.location"), "{told}");
    }
    let other = Certificates::make().unwrap();
    let told = refusal(config(&place.ssl, &[ssl, ("ssl.ca.pem", other.ca())])).await;
    assert!(told.contains("is not trusted: set ssl.truststore.location"), "{told}");
}

async fn a_listener_of_another_protocol_is_recognised(place: Place) {
    let ssl = ("security.protocol", "SSL");
    let told = refusal(config(&place.plain, &[&place.showing()[..], &[ssl]].concat())).await;
    assert!(told.contains("set security.protocol to PLAINTEXT or SASL_PLAINTEXT"), "{told}");
    let told = refusal(config(&place.ssl, &[])).await;
    assert!(told.contains("security.protocol") && told.contains("TLS"), "{told}");
}

async fn files_that_are_replaced_are_used_by_the_next_connection(place: Place) {
    let folder = TempDir::new().unwrap();
    let [certificate, key] = ["client.pem", "client.key"].map(|name| folder.path().join(name));
    let write = |from: &Certificates, blanks: &str| {
        std::fs::write(&certificate, format!("{}{blanks}", from.client_certificate())).unwrap();
        std::fs::write(&key, format!("{}{blanks}", from.client_key())).unwrap();
    };
    write(&Certificates::make().unwrap(), "");
    let tls = Tls::default().authorities_pem(place.certificates.ca()).identity_files(&certificate, &key);
    let config = config(&place.ssl, &[]).security(Security::tls(tls));
    let admin = Admin::new(config).unwrap();
    assert_eq!(admin.list_topics(PATIENCE).await.unwrap_err().kind(), ErrorKind::Security);
    write(&place.certificates, "\n\n");
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = admin.list_topics(PATIENCE).await {
        assert!(Instant::now() < deadline, "{error}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// The way to one address, under whatever name.
#[derive(Debug)]
struct Detour(SocketAddr);

impl Connector for Detour {
    fn connect(&self, _host: String, _port: u16) -> ConnectFuture {
        TcpConnector::default().connect(self.0.ip().to_string(), self.0.port())
    }
}

/// An authority, its certificate, and one of a server that it has signed.
fn odd_certificate(change: impl FnOnce(&mut CertificateParams)) -> (String, String, String) {
    let mut authority = CertificateParams::new([]).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "odd");
    let key = KeyPair::generate().unwrap();
    let ca = authority.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(authority, key);
    let mut server = CertificateParams::new(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    change(&mut server);
    let key = KeyPair::generate().unwrap();
    (ca, server.signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
}

async fn told_about(change: impl FnOnce(&mut CertificateParams)) -> String {
    let (ca, certificate, key) = odd_certificate(change);
    let config = ClusterConfig::default().tls(tidemill_testkit::tls::Tls::new(&certificate, &key));
    let cluster = TestCluster::start(config).await.unwrap();
    refusal(self::config(cluster.bootstrap(), &[("security.protocol", "SSL"), ("ssl.ca.pem", &ca)])).await
}

#[tokio::test]
async fn a_certificate_that_is_out_of_date_is_told() {
    let told = told_about(|server| server.not_after = rcgen::date_time_ymd(2020, 1, 1)).await;
    assert!(told.contains("the broker's certificate has expired"), "{told}");
    let told = told_about(|server| server.not_before = rcgen::date_time_ymd(3000, 1, 1)).await;
    assert!(told.contains("the broker's certificate is not valid yet"), "{told}");
}

#[tokio::test]
async fn a_broker_under_a_name_that_is_not_in_its_certificate_is_not_talked_to_unless_code_says_so() {
    let place = Place::embedded().await;
    let detour = || Arc::new(Detour(place.ssl.parse().unwrap()));
    let ssl = [&place.showing()[..], &[("security.protocol", "SSL")]].concat();
    let told = refusal(config("broker.invalid:9093", &ssl).connector(detour())).await;
    assert!(told.contains("is for other names") && told.contains("broker.invalid"), "{told}");
    assert!(told.contains("ssl.endpoint.identification.algorithm"), "{told}");
    let identity = (place.certificates.client_certificate(), place.certificates.client_key());
    let tls = Tls::default().authorities_pem(place.certificates.ca()).identity_pem(identity.0, identity.1);
    let any_name = config("broker.invalid:9093", &[]).connector(detour());
    round_trip(any_name.security(Security::tls(tls.dangerous_accept_any_name())), "any-name").await;
    // Of any name, but not of any authority.
    let other = Certificates::make().unwrap();
    let tls = Tls::default().authorities_pem(other.ca()).identity_pem(identity.0, identity.1);
    let stranger = config("broker.invalid:9093", &[]).connector(detour());
    let told = refusal(stranger.clone().security(Security::tls(tls.clone().dangerous_accept_any_name()))).await;
    assert!(told.contains("is not trusted"), "{told}");
    let anybody = Security::tls(tls.dangerous_accept_any_certificate());
    round_trip(stranger.security(anybody), "anybody").await;
}

#[tokio::test]
async fn a_host_name_that_is_not_known_is_told() {
    let admin = Admin::new(config("no-such-broker.invalid:9092", &[])).unwrap();
    let told = admin.list_topics(PATIENCE).await.unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Network);
    let told = told.to_string();
    assert!(told.contains("the host name 'no-such-broker.invalid' is not known here"), "{told}");
}

#[tokio::test]
async fn a_file_that_is_not_there_is_told_before_anything_is_connected() {
    let absent = Path::new("/nowhere/ca.pem").to_str().unwrap();
    let config = config("127.0.0.1:1", &[("security.protocol", "SSL"), ("ssl.ca.location", absent)]);
    let error = Admin::new(config).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Configuration);
    let told = error.to_string();
    assert!(told.contains(absent) && told.contains("ssl.ca.location"), "{told}");
}
