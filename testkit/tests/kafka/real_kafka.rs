//! Real Kafka, as tests start it: one broker or three, of several releases, with ways in by SASL and TLS, which can be
//! stopped, killed and paused in the middle.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Output;
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::ApiKey;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use tidemill_testkit::kafka::{ClientAuth, Kafka, KafkaBuilder, KafkaVersion, Kcat, Listener};

fn start(brokers: usize) -> Option<Kafka> {
    Kafka::builder().brokers(brokers).start_if_there()
}

const USER: &str = "alice";
const PASSWORD: &str = "alice-secret";
const TLS: Listener = Listener::Ssl(ClientAuth::Required);
const SASL: Listener = Listener::SaslPlaintext;
const SASL_TLS: Listener = Listener::SaslSsl(ClientAuth::None);

/// A broker with every way in, which the cases share.
fn secured() -> Option<&'static Kafka> {
    static SECURED: OnceLock<Option<Kafka>> = OnceLock::new();
    let start = || {
        let builder = [TLS, SASL, SASL_TLS].into_iter().fold(Kafka::builder(), KafkaBuilder::listener);
        builder.user(USER, PASSWORD).start_if_there()
    };
    SECURED.get_or_init(start).as_ref()
}

/// Runs a tool and returns what it printed.
fn run(kafka: &Kafka, class: &str, arguments: &[&str], input: &str) -> String {
    let bootstrap = ["--bootstrap-server", kafka.bootstrap()];
    let output = kafka.run_tool(class, &[&bootstrap[..], arguments].concat(), input).unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

fn topics(kafka: &Kafka, arguments: &[&str]) -> String {
    run(kafka, "org.apache.kafka.tools.TopicCommand", arguments, "")
}

/// Waits until every replica of every partition is in sync.
fn wait_in_sync(kafka: &Kafka) {
    for _ in 0..60 {
        if topics(kafka, &["--describe", "--under-replicated-partitions"]).trim().is_empty() {
            return;
        }
        thread::sleep(Duration::from_millis(500));
    }
    panic!("replicas that stay behind");
}

#[test]
fn a_broker_of_three_comes_back_with_its_port_and_data() {
    let Some(kafka) = start(3) else { return };
    let addresses: Vec<&str> = kafka.bootstrap().split(',').collect();
    assert_eq!(addresses.len(), 3);
    topics(&kafka, &["--create", "--topic", "orders", "--partitions", "1", "--replication-factor", "3"]);
    run(&kafka, PRODUCER, &["--topic", "orders"], "before\n");
    for crash in [false, true] {
        if crash {
            kafka.kill_broker(1).unwrap()
        } else {
            kafka.stop_broker(1).unwrap()
        }
        assert!(TcpStream::connect(addresses[1]).is_err());
        // The other two go on without it.
        run(&kafka, PRODUCER, &["--topic", "orders"], "meanwhile\n");
        kafka.start_broker(1).unwrap();
        TcpStream::connect(addresses[1]).unwrap();
        wait_in_sync(&kafka);
    }
    let read = run(&kafka, CONSUMER, &["--topic", "orders", "--from-beginning", "--max-messages", "3"], "");
    assert_eq!(read, "before\nmeanwhile\nmeanwhile\n");
    let described = topics(&kafka, &["--describe", "--topic", "__consumer_offsets"]);
    assert!(described.contains("ReplicationFactor: 3"), "{described}");
}

#[test]
fn one_broker_can_be_killed_and_stopped_and_nothing_is_left_of_it() {
    let Some(kafka) = start(1) else { return };
    let address = kafka.bootstrap().to_owned();
    let folder = PathBuf::from(kafka.folder(0));
    topics(&kafka, &["--create", "--topic", "orders"]);
    kafka.kill_broker(0).unwrap();
    kafka.kill_broker(0).unwrap();
    kafka.start_broker(0).unwrap();
    assert!(topics(&kafka, &["--list"]).contains("orders"));
    kafka.stop_broker(0).unwrap();
    assert!(TcpStream::connect(&address).is_err());
    assert!(folder.is_dir(), "what is stopped can be started again");
    drop(kafka);
    assert!(!folder.parent().unwrap().exists());

    // A test that panics drops its broker too, and one that is stopped needs no more than one that runs.
    let Some(kafka) = start(1) else { return };
    let (address, folder) = (kafka.bootstrap().to_owned(), PathBuf::from(kafka.folder(0)));
    let panicked = thread::spawn(move || {
        let _kafka = kafka;
        panic!("a case that fails");
    });
    assert!(panicked.join().is_err());
    assert!(TcpStream::connect(&address).is_err());
    assert!(!folder.exists());
}

/// Asks which versions a broker speaks; what comes back is read by [`answer`].
fn ask(broker: &mut TcpStream) {
    let question = ApiVersionsRequest::default();
    broker.write_all(&encode_request(&question, 0, 1, None).unwrap()).unwrap();
}

fn answer(broker: &mut TcpStream) -> io::Result<ApiVersionsResponse> {
    let mut length = [0; 4];
    broker.read_exact(&mut length)?;
    let mut frame = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap()];
    broker.read_exact(&mut frame)?;
    Ok(decode_response::<ApiVersionsRequest>(0, Bytes::from(frame)).unwrap())
}

#[test]
fn a_paused_broker_answers_when_it_goes_on() {
    let Some(kafka) = secured() else { return };
    let mut before = TcpStream::connect(kafka.bootstrap()).unwrap();
    before.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
    ask(&mut before);
    answer(&mut before).unwrap();

    kafka.pause_broker(0).unwrap();
    kafka.pause_broker(0).unwrap();
    ask(&mut before);
    let waited = answer(&mut before).unwrap_err();
    assert_eq!(waited.kind(), io::ErrorKind::WouldBlock, "{waited}");
    // It is there, and even takes connections.
    let mut meanwhile = TcpStream::connect(kafka.bootstrap()).unwrap();
    ask(&mut meanwhile);

    kafka.resume_broker(0).unwrap();
    before.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    answer(&mut before).unwrap();
    answer(&mut meanwhile).unwrap();
}

#[test]
fn each_release_says_which_versions_it_speaks() {
    let expected =
        [(KafkaVersion::V3_9_1, [(0, 11), (0, 17), (0, 12)]), (KafkaVersion::V4_1_1, [(0, 13), (4, 18), (0, 13)])];
    thread::scope(|scope| {
        for (version, expected) in expected {
            scope.spawn(move || {
                let Some(kafka) = Kafka::builder().version(version).start_if_there() else { return };
                let mut broker = TcpStream::connect(kafka.bootstrap()).unwrap();
                ask(&mut broker);
                let speaks = answer(&mut broker).unwrap().api_keys;
                let ranges = [ApiKey::PRODUCE, ApiKey::FETCH, ApiKey::METADATA].map(|api| {
                    let range = speaks.iter().find(|range| range.api_key == api.0).unwrap();
                    (range.min_version, range.max_version)
                });
                assert_eq!(ranges, expected, "{version}");
                // A paused broker can be stopped like any other.
                kafka.pause_broker(0).unwrap();
                kafka.stop_broker(0).unwrap();
            });
        }
    });
}

/// Runs kcat against a listener, with these of librdkafka's properties.
fn kcat(
    kafka: &Kafka,
    listener: Listener,
    properties: &[(&str, &str)],
    arguments: &[&str],
    input: &str,
) -> Option<Output> {
    let ca = kafka.certificates().unwrap().ca();
    let way = [
        ("bootstrap.servers", kafka.bootstrap_of(listener)),
        ("security.protocol", listener.security_protocol()),
        ("ssl.ca.pem", ca),
    ];
    let all = way.iter().chain(properties);
    let all: Vec<String> = all.map(|(name, value)| format!("-X{name}={value}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).chain(arguments.iter().copied()).collect();
    Some(Kcat::find()?.run(&all, input).unwrap())
}

/// The properties of librdkafka that let the user in.
fn login(mechanism: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut login = vec![("sasl.mechanisms", mechanism)];
    if mechanism == "OAUTHBEARER" {
        login
            .extend([("enable.sasl.oauthbearer.unsecure.jwt", "true"), ("sasl.oauthbearer.config", "principal=alice")]);
    } else {
        login.extend([("sasl.username", USER), ("sasl.password", PASSWORD)]);
    }
    login
}

/// SCRAM is left to Java below: librdkafka says the client's nonce twice before 2.6.1, which Kafka does not let pass.
#[test]
fn kcat_is_let_in_with_and_without_tls() {
    let Some(kafka) = secured() else { return };
    let mut sent = Vec::new();
    for listener in [SASL, SASL_TLS] {
        for mechanism in ["PLAIN", "OAUTHBEARER"] {
            let line = format!("{mechanism} on {}", listener.security_protocol());
            let write = ["-P", "-t", "mechanisms", "-p", "0"];
            let Some(output) = kcat(kafka, listener, &login(mechanism), &write, &line) else { return };
            assert!(output.status.success(), "{line}: {output:?}");
            sent.push(line);
        }
    }
    let read = ["-C", "-t", "mechanisms", "-o", "beginning", "-e", "-q"];
    let output = kcat(kafka, SASL_TLS, &login("PLAIN"), &read, "").unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().lines().eq(&sent));
}

#[test]
fn whoever_is_not_known_stays_out() {
    let Some(kafka) = secured() else { return };
    let list = ["-L", "-m", "2"];
    let wrong = [("sasl.mechanisms", "PLAIN"), ("sasl.username", USER), ("sasl.password", "wrong")];
    let Some(output) = kcat(kafka, SASL, &wrong, &list, "") else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Authentication failed"), "{said}");
    // Without a certificate, and with one.
    let output = kcat(kafka, TLS, &[], &list, "").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("ertificate"), "{said}");
    let certificates = kafka.certificates().unwrap();
    let client =
        [("ssl.certificate.pem", certificates.client_certificate()), ("ssl.key.pem", certificates.client_key())];
    let output = kcat(kafka, TLS, &client, &list, "").unwrap();
    assert!(output.status.success(), "{output:?}");
    // Who trusts another authority does not talk to the broker.
    let other = tidemill_testkit::kafka::Certificates::make().unwrap();
    let output =
        kcat(kafka, SASL_TLS, &[&login("PLAIN")[..], &[("ssl.ca.pem", other.ca())]].concat(), &list, "").unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("certificate verify failed"), "{said}");
}

/// Kafka's own tools, with the configuration that a Java client has.
#[test]
fn java_is_let_in_by_scram_with_and_without_tls() {
    let Some(kafka) = secured() else { return };
    let folder = tempfile::TempDir::new().unwrap();
    let ca = kafka.certificates().unwrap().ca().trim_end().replace('\n', "\\n");
    let run = |listener: Listener, mechanism: &str, class: &str, arguments: &[&str], input: &str| {
        let config = folder.path().join(mechanism);
        let properties = format!(
            "security.protocol={}\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required \
             username=\"{USER}\" password=\"{PASSWORD}\";\n\
             ssl.truststore.type=PEM\nssl.truststore.certificates={ca}\n",
            listener.security_protocol()
        );
        fs::write(&config, properties).unwrap();
        let way = ["--bootstrap-server", kafka.bootstrap_of(listener), "--command-config", config.to_str().unwrap()];
        let output = kafka.run_tool(class, &[&way[..], arguments].concat(), input).unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    run(SASL_TLS, "SCRAM-SHA-512", PRODUCER, &["--topic", "java"], "one\ntwo\n");
    let read = ["--topic", "java", "--from-beginning", "--max-messages", "2", "--timeout-ms", "30000"];
    assert_eq!(run(SASL, "SCRAM-SHA-256", CONSUMER, &read, ""), "one\ntwo\n");
}

const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
