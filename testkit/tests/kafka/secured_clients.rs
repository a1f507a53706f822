//! Clients of others who have to show who they are: kcat (librdkafka) and Kafka's own tools (Java), with SASL and TLS, against
//! the embedded broker.
//!
//! Where a program is missing, its test says that it did not run; with `TIDEMILL_REQUIRE_KAFKA=1` that is a failure.

use std::fs;
use std::process::Output;

use tempfile::TempDir;
use tidemill_testkit::broker::config::Mechanism;
use tidemill_testkit::kafka::{Certificates, ClientAuth, Kcat};
use tidemill_testkit::tls::Tls;
use tidemill_testkit::{ClusterConfig, TestCluster};
use tokio::task::spawn_blocking;

use crate::java::run_tool;

const USERS: [(&str, &str); 2] = [("admin", "admin-secret"), ("alice", "alice-secret")];

const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
const ACLS: &str = "org.apache.kafka.tools.AclCommand";
const CONFIGS: &str = "kafka.admin.ConfigCommand";
const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";

async fn cluster(config: ClusterConfig) -> TestCluster {
    TestCluster::start(config).await.unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// A listener with TLS, of a new authority.
fn tls(client_auth: ClientAuth) -> (Certificates, Tls) {
    let certificates = Certificates::make().unwrap();
    let (certificate, key) = certificates.server();
    let tls = Tls::new(certificate, key).clients(certificates.ca(), client_auth);
    (certificates, tls)
}

/// Runs kcat with these of librdkafka's properties; `None`, after a line that says so, when it is not there.
async fn kcat(
    cluster: &TestCluster,
    properties: &[(&str, &str)],
    arguments: &[&str],
    input: &'static str,
) -> Option<Output> {
    let mut all = vec!["-b".to_owned(), cluster.bootstrap().to_owned()];
    all.extend(properties.iter().map(|(name, value)| format!("-X{name}={value}")));
    all.extend(arguments.iter().map(|argument| (*argument).to_owned()));
    let output = spawn_blocking(move || {
        let arguments: Vec<&str> = all.iter().map(String::as_str).collect();
        Some(Kcat::find()?.run(&arguments, input).unwrap())
    });
    output.await.unwrap()
}

fn login(mechanism: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut login = vec![("sasl.mechanisms", mechanism)];
    if mechanism == "OAUTHBEARER" {
        login
            .extend([("enable.sasl.oauthbearer.unsecure.jwt", "true"), ("sasl.oauthbearer.config", "principal=alice")]);
    } else {
        login.extend([("sasl.username", "alice"), ("sasl.password", "alice-secret")]);
    }
    login
}

/// SCRAM is left to Java: librdkafka says the client's nonce twice before 2.6.1, which Kafka does not let pass.
#[tokio::test]
async fn kcat_is_let_in_with_and_without_tls() {
    let (certificates, tls) = tls(ClientAuth::None);
    let config = || ClusterConfig::default().sasl(Mechanism::ALL, USERS);
    for (protocol, cluster) in
        [("sasl_plaintext", cluster(config()).await), ("sasl_ssl", cluster(config().tls(tls)).await)]
    {
        for mechanism in ["PLAIN", "OAUTHBEARER"] {
            let way = [&login(mechanism)[..], &[("security.protocol", protocol), ("ssl.ca.pem", certificates.ca())]];
            let write = ["-P", "-t", mechanism, "-p", "0"];
            let Some(output) = kcat(&cluster, &way.concat(), &write, "one\ntwo\n").await else { return };
            stdout(&output);
            let read = ["-C", "-t", mechanism, "-o", "beginning", "-e", "-q"];
            assert_eq!(stdout(&kcat(&cluster, &way.concat(), &read, "").await.unwrap()), "one\ntwo\n");
        }
        let wrong = [("security.protocol", protocol), ("sasl.mechanisms", "PLAIN"), ("ssl.ca.pem", certificates.ca())];
        let wrong = [&wrong[..], &[("sasl.username", "alice"), ("sasl.password", "guess")]].concat();
        let output = kcat(&cluster, &wrong, &["-L", "-m", "2"], "").await.unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("Invalid username or password"), "{said}");
    }
}

#[tokio::test]
async fn kcat_is_known_by_its_certificate() {
    let (certificates, tls) = tls(ClientAuth::Required);
    let config = ClusterConfig::default().tls(tls).authorizer(["User:CN=tidemill-client"]);
    let cluster = cluster(config).await;
    let trusting = [("security.protocol", "ssl"), ("ssl.ca.pem", certificates.ca())];
    let shown =
        [("ssl.certificate.pem", certificates.client_certificate()), ("ssl.key.pem", certificates.client_key())];
    let list = ["-L", "-m", "2"];
    let Some(output) = kcat(&cluster, &trusting, &list, "").await else { return };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("ertificate"), "{said}");
    let write = ["-P", "-t", "clicks", "-p", "0"];
    stdout(&kcat(&cluster, &[&trusting[..], &shown].concat(), &write, "one\n").await.unwrap());
    let read = ["-C", "-t", "clicks", "-o", "beginning", "-e", "-q"];
    assert_eq!(stdout(&kcat(&cluster, &[&trusting[..], &shown].concat(), &read, "").await.unwrap()), "one\n");
    // Who trusts another authority does not talk to the broker.
    let other = Certificates::make().unwrap();
    let trusting = [("security.protocol", "ssl"), ("ssl.ca.pem", other.ca())];
    let output = kcat(&cluster, &[&trusting[..], &shown].concat(), &list, "").await.unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("certificate verify failed"), "{said}");
}

/// Kafka's tools, as one user.
struct Java<'a> {
    cluster: &'a TestCluster,
    /// Of the client.
    properties: String,
    folder: TempDir,
}

impl<'a> Java<'a> {
    fn new(cluster: &'a TestCluster, protocol: &str, mechanism: &str, user: &str, password: &str, ca: &str) -> Self {
        let module = if mechanism == "PLAIN" { "plain.Plain" } else { "scram.Scram" };
        let properties = format!(
            "security.protocol={protocol}\nsasl.mechanism={mechanism}\n\
             sasl.jaas.config=org.apache.kafka.common.security.{module}LoginModule required \
             username=\"{user}\" password=\"{password}\";\n\
             ssl.truststore.type=PEM\nssl.truststore.certificates={}\n",
            ca.trim_end().replace('\n', "\\n")
        );
        Self { cluster, properties, folder: TempDir::new().unwrap() }
    }

    fn admin(cluster: &'a TestCluster) -> Self {
        Self::new(cluster, "SASL_PLAINTEXT", "PLAIN", "admin", "admin-secret", "")
    }

    /// `None`, after a line that says so, when the tools are not there.
    async fn run(&self, class: &'static str, arguments: &[&str], input: &'static str) -> Option<Output> {
        let config = self.folder.path().join("client.properties");
        // One certificate is no certificates at all.
        let lines =
            self.properties.lines().filter(|line| !line.ends_with('=') && !line.starts_with("ssl.truststore.type"));
        let typed = self.properties.contains("BEGIN").then_some("ssl.truststore.type=PEM");
        fs::write(&config, lines.chain(typed).collect::<Vec<_>>().join("\n")).unwrap();
        let config = config.to_str().unwrap();
        let way = ["--bootstrap-server", self.cluster.bootstrap(), "--command-config", config];
        let all: Vec<String> = way.iter().chain(arguments).map(|argument| (*argument).to_owned()).collect();
        let output = spawn_blocking(move || {
            let arguments: Vec<&str> = all.iter().map(String::as_str).collect();
            run_tool(class, &arguments, input)
        });
        output.await.unwrap()
    }
}

#[tokio::test]
async fn java_is_let_in_by_scram_and_plain_with_and_without_tls() {
    let (certificates, tls) = tls(ClientAuth::None);
    let config = || ClusterConfig::default().sasl(Mechanism::ALL, USERS);
    let plain = cluster(config()).await;
    let secured = cluster(config().tls(tls)).await;
    for (cluster, protocol, writes_by, reads_by) in
        [(&plain, "SASL_PLAINTEXT", "PLAIN", "SCRAM-SHA-256"), (&secured, "SASL_SSL", "SCRAM-SHA-512", "PLAIN")]
    {
        let ca = if protocol == "SASL_SSL" { certificates.ca() } else { "" };
        let writer = Java::new(cluster, protocol, writes_by, "alice", "alice-secret", ca);
        let Some(output) = writer.run(PRODUCER, &["--topic", "java"], "one\ntwo\n").await else { return };
        stdout(&output);
        let reader = Java::new(cluster, protocol, reads_by, "alice", "alice-secret", ca);
        let read = ["--topic", "java", "--from-beginning", "--max-messages", "2", "--timeout-ms", "30000"];
        assert_eq!(stdout(&reader.run(CONSUMER, &read, "").await.unwrap()), "one\ntwo\n");
    }
    let guesses = Java::new(&plain, "SASL_PLAINTEXT", "SCRAM-SHA-256", "alice", "guess", "");
    let output = guesses.run(TOPICS, &["--list"], "").await.unwrap();
    let said = format!("{output:?}");
    assert!(!output.status.success() && said.contains("due to invalid credentials with SASL mechanism"), "{said}");
}

#[tokio::test]
async fn kafkas_tool_of_rules_adds_lists_and_removes_them() {
    let config = ClusterConfig::default().sasl(Mechanism::ALL, USERS).authorizer(["User:admin"]);
    let cluster = cluster(config).await;
    cluster.create_topic("clicks", 1, &[]).unwrap();
    let (admin, alice) =
        (Java::admin(&cluster), Java::new(&cluster, "SASL_PLAINTEXT", "SCRAM-SHA-512", "alice", "alice-secret", ""));
    let list = ["--list"];
    let Some(output) = alice.run(TOPICS, &list, "").await else { return };
    assert_eq!(stdout(&output).trim(), "");
    let rule = ["--allow-principal", "User:alice", "--operation", "Read", "--topic", "cli", "--resource-pattern-type"];
    let rule = [&rule[..], &["prefixed"]].concat();
    let added = stdout(&admin.run(ACLS, &[&["--add"][..], &rule].concat(), "").await.unwrap());
    assert!(added.contains("(principal=User:alice, host=*, operation=READ, permissionType=ALLOW)"), "{added}");
    let listed =
        stdout(&admin.run(ACLS, &["--list", "--topic", "cli", "--resource-pattern-type", "any"], "").await.unwrap());
    assert!(listed.contains("(principal=User:alice, host=*, operation=READ, permissionType=ALLOW)"), "{listed}");
    assert_eq!(stdout(&alice.run(TOPICS, &list, "").await.unwrap()).trim(), "clicks");
    let refused = alice.run(ACLS, &["--list"], "").await.unwrap();
    assert!(format!("{refused:?}").contains("ClusterAuthorizationException"), "{refused:?}");
    stdout(&admin.run(ACLS, &[&["--remove", "--force"][..], &rule].concat(), "").await.unwrap());
    let listed = stdout(&admin.run(ACLS, &list, "").await.unwrap());
    assert!(!listed.contains("User:alice"), "{listed}");
    assert_eq!(stdout(&alice.run(TOPICS, &list, "").await.unwrap()).trim(), "");
}

#[tokio::test]
async fn kafkas_tool_of_settings_knows_users_and_quotas() {
    let cluster = cluster(ClusterConfig::default().sasl(Mechanism::ALL, USERS)).await;
    let admin = Java::admin(&cluster);
    let of = |user: &'static str| ["--entity-type", "users", "--entity-name", user];
    let set = "SCRAM-SHA-256=[iterations=8192,password=carol-secret]";
    let alter = [&["--alter", "--add-config", set][..], &of("carol")].concat();
    let Some(output) = admin.run(CONFIGS, &alter, "").await else { return };
    stdout(&output);
    let quota = ["--alter", "--add-config", "producer_byte_rate=1024"];
    stdout(&admin.run(CONFIGS, &[&quota[..], &of("carol")].concat(), "").await.unwrap());
    let described = stdout(&admin.run(CONFIGS, &[&["--describe"][..], &of("carol")].concat(), "").await.unwrap());
    assert!(
        described.contains("Quota configs for user-principal 'carol' are producer_byte_rate=1024.0"),
        "{described}"
    );
    assert!(
        described.contains("SCRAM credential configs for user-principal 'carol' are SCRAM-SHA-256=iterations=8192"),
        "{described}"
    );
    // Who was added is let in, and not when taken away again.
    let carol = Java::new(&cluster, "SASL_PLAINTEXT", "SCRAM-SHA-256", "carol", "carol-secret", "");
    stdout(&carol.run(TOPICS, &["--list"], "").await.unwrap());
    let remove = ["--alter", "--delete-config", "SCRAM-SHA-256"];
    stdout(&admin.run(CONFIGS, &[&remove[..], &of("carol")].concat(), "").await.unwrap());
    assert!(!carol.run(TOPICS, &["--list"], "").await.unwrap().status.success());
}
