//! What a cluster is to be like, and its start.

use std::fmt::Write;
use std::io;
use std::path::Path;
use std::thread;

use tempfile::TempDir;

use super::listener::{self, User};
use super::node::{Node, Ports};
use super::{Certificates, Kafka, KafkaError, KafkaVersion, Listener, Tools, is_required};

/// What a cluster is to be like.
#[derive(Clone)]
pub struct KafkaBuilder {
    brokers: usize,
    version: Option<KafkaVersion>,
    properties: String,
    /// Those of single brokers, by their place.
    broker_properties: Vec<(usize, String)>,
    listeners: Vec<Listener>,
    users: Vec<User>,
}

/// Properties may hold passwords, and users have some: both stay out of it.
impl std::fmt::Debug for KafkaBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { brokers, version, listeners, .. } = self;
        f.debug_struct("KafkaBuilder")
            .field("brokers", brokers)
            .field("version", version)
            .field("listeners", listeners)
            .finish_non_exhaustive()
    }
}

impl KafkaBuilder {
    pub(super) const fn new() -> Self {
        Self {
            brokers: 1,
            version: None,
            properties: String::new(),
            broker_properties: Vec::new(),
            listeners: Vec::new(),
            users: Vec::new(),
        }
    }

    /// How many nodes, each a broker and a controller. Default 1.
    #[must_use]
    pub const fn brokers(mut self, count: usize) -> Self {
        self.brokers = count;
        self
    }

    /// The release. Without one, `KAFKA_HOME` says which, and without that it is [`KafkaVersion::default`].
    #[must_use]
    pub const fn version(mut self, version: KafkaVersion) -> Self {
        self.version = Some(version);
        self
    }

    /// One of Kafka's broker properties, for every node.
    #[must_use]
    pub fn property(mut self, name: &str, value: &str) -> Self {
        // Writing to a string does not fail.
        let _ = writeln!(self.properties, "{name}={value}");
        self
    }

    /// One of Kafka's broker properties for one broker only, such as its `broker.rack`.
    #[must_use]
    pub fn broker_property(mut self, broker: usize, name: &str, value: &str) -> Self {
        self.broker_properties.push((broker, format!("{name}={value}\n")));
        self
    }

    /// A way in beside the plain one, on ports of its own; of the same security protocol, the last counts.
    /// [`Kafka::bootstrap_of`] gives the addresses. One with TLS needs the feature `certificates`.
    #[must_use]
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.retain(|other| other.security_protocol() != listener.security_protocol());
        self.listeners.push(listener);
        self
    }

    /// Somebody whom listeners with SASL let in by PLAIN and SCRAM.
    ///
    /// # Panics
    /// When the name or the password has characters that Kafka's files and tools would have to quote.
    #[must_use]
    pub fn user(mut self, name: &str, password: &str) -> Self {
        let is_plain = |character: char| character.is_ascii_graphic() && !"\"'\\,=[]".contains(character);
        assert!(
            name.chars().all(is_plain),
            "the user '{name}' has a name with characters that would have to be quoted"
        );
        assert!(password.chars().all(is_plain), "the password of '{name}' has characters that would have to be quoted");
        self.users.push(User { name: name.to_owned(), password: password.to_owned() });
        self
    }

    /// Starts the cluster and waits until every broker answers and knows all others.
    ///
    /// # Errors
    /// When Java, Maven or the jars are missing, or a broker does not start.
    pub fn start(self) -> Result<Kafka, KafkaError> {
        let tools = self.version.map_or_else(Tools::resolve, Tools::of_version)?;
        self.start_with(tools)
    }

    pub(super) fn start_with(self, tools: Tools) -> Result<Kafka, KafkaError> {
        let failed = |error: io::Error| KafkaError::Failed(error.to_string());
        let has_tls = self.listeners.iter().any(|listener| listener.has_tls());
        let certificates = has_tls.then(Certificates::make).transpose()?;
        let folder = TempDir::with_prefix("tidemill-kafka-").map_err(failed)?;
        let ports = Ports::free(self.brokers, self.listeners.len()).map_err(failed)?;
        let credentials: Vec<String> = listener::scram_credentials(&self.users).collect();
        // Preparing a folder takes a second of Java: all at once.
        let nodes = thread::scope(|scope| {
            let prepare = |(id, own): (usize, &Ports)| {
                let folder = folder.path().join(format!("node-{id}"));
                let properties = self.properties_of(id, &ports, &folder, certificates.as_ref());
                let (port, credentials, tools) = (own.broker, &credentials, &tools);
                scope.spawn(move || Node::new(folder, port, &properties, credentials, tools))
            };
            let preparing: Vec<_> = (1..).zip(&ports).map(prepare).collect();
            let panicked = |_| Err(KafkaError::Failed("a thread that prepares a broker panicked".to_owned()));
            preparing.into_iter().map(|node| node.join().unwrap_or_else(panicked)).collect::<Result<Vec<_>, _>>()
        })?;
        let addresses = |port: &dyn Fn(&Ports) -> Option<u16>| {
            let addresses: Vec<String> =
                ports.iter().filter_map(port).map(|port| format!("127.0.0.1:{port}")).collect();
            addresses.join(",")
        };
        let bootstrap = addresses(&|ports| Some(ports.broker));
        let listeners = self.listeners.iter().enumerate();
        let listeners = listeners
            .map(|(place, listener)| (*listener, addresses(&|ports| ports.listeners.get(place).copied())))
            .collect();
        let kafka = Kafka { bootstrap, listeners, certificates, tools, nodes, _folder: folder };
        for node in &kafka.nodes {
            node.start().map_err(failed)?;
        }
        kafka.wait_ready()?;
        Ok(kafka)
    }

    /// [`Self::start`] for tests. `None`, after a line that says so, when Java, Maven or the jars are missing; with
    /// `TIDEMILL_REQUIRE_KAFKA=1` that fails the test instead.
    ///
    /// # Panics
    /// When there is none and it is required, or when it is there and does not start.
    #[must_use]
    pub fn start_if_there(self) -> Option<Kafka> {
        match self.start() {
            Ok(kafka) => Some(kafka),
            Err(KafkaError::Missing(reason)) if !is_required() => {
                eprintln!("not run: tests on real Kafka need Java 17 and Maven ({reason})");
                None
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// What stands in the file of the node with this id.
    fn properties_of(&self, id: usize, ports: &[Ports], folder: &Path, certificates: Option<&Certificates>) -> String {
        let mut properties = of_node(id, ports, &self.listeners, folder);
        properties.extend(self.listeners.iter().map(|listener| listener.properties(&self.users, certificates)));
        properties.push_str(&self.properties);
        let own = self.broker_properties.iter().filter(|(broker, _)| broker + 1 == id);
        properties.extend(own.map(|(_, property)| property.as_str()));
        properties
    }
}

/// The properties of the node with this id, of all that have these ports.
fn of_node(id: usize, ports: &[Ports], listeners: &[Listener], folder: &Path) -> String {
    let data = folder.join("data");
    let voter = |(id, ports): (usize, &Ports)| format!("{id}@127.0.0.1:{}", ports.controller);
    let voters: Vec<String> = (1..).zip(ports).map(voter).collect();
    let own = ports.get(id.saturating_sub(1));
    let (broker, controller) = own.map_or((0, 0), |own| (own.broker, own.controller));
    let others = listeners.iter().zip(own.map_or(&[][..], |own| &own.listeners));
    let others: Vec<(&str, u16)> = others.map(|(listener, port)| (listener.security_protocol(), *port)).collect();
    let addresses: String = others.iter().map(|(name, port)| format!(",{name}://127.0.0.1:{port}")).collect();
    let protocols: String = others.iter().map(|(name, _)| format!(",{name}:{name}")).collect();
    let replicas = ports.len().min(3);
    let in_sync = replicas.min(2);
    format!(
        "process.roles=broker,controller\n\
         node.id={id}\n\
         controller.quorum.voters={voters}\n\
         listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{addresses}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{broker}{addresses}\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}\n\
         log.dirs={data}\n\
         offsets.topic.replication.factor={replicas}\n\
         offsets.topic.num.partitions=4\n\
         transaction.state.log.replication.factor={replicas}\n\
         transaction.state.log.min.isr={in_sync}\n\
         transaction.state.log.num.partitions=4\n\
         share.coordinator.state.topic.replication.factor={replicas}\n\
         share.coordinator.state.topic.min.isr={in_sync}\n\
         group.initial.rebalance.delay.ms=0\n",
        voters = voters.join(","),
        data = data.display()
    )
}
