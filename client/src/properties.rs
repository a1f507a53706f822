//! Kafka's property names, as Java and librdkafka spell them, and the options they set.
//!
//! Each kind of configuration has one table; [`apply`] reads a dictionary with it. A name that no table knows is an
//! error that suggests the right one; a name that belongs to another kind of client is passed over, so that one
//! dictionary can serve producer and consumer.

use std::collections::{BTreeMap, btree_map};
use std::fmt;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::time::Duration;

use self::without_effect::{IGNORED, UNSUPPORTED};
use crate::error::Error;

mod file;
#[cfg(test)]
mod table;
mod without_effect;

/// Client properties by their names, as a Java or librdkafka dictionary has them.
///
/// Its `Debug` may go into a log: it shows the values of properties that are known not to be secret, and of no others.
///
/// ```
/// use tidemill_client::Properties;
/// let properties: Properties = [("client.id", "clicks"), ("sasl.password", "hunter2")].into_iter().collect();
/// assert_eq!(format!("{properties:?}"), r#"{"client.id": "clicks", "sasl.password": [hidden]}"#);
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Whether the value of a property may be shown: the name is known, and is not that of a secret. A misspelt name may
    /// be a misspelt password.
    #[must_use]
    pub fn may_be_shown(name: &str) -> bool {
        let mut known = crate::config::names().chain(of_some()).chain(PASSED_OVER.iter().copied());
        known.any(|known| known == name) && !is_secret(name)
    }

    /// Those that Java or librdkafka have an option for and that change nothing here, each with the reason. A client that
    /// is made from them says the same in its log.
    pub fn without_effect(&self) -> impl Iterator<Item = (&str, &'static str)> {
        self.0.iter().filter_map(|(name, value)| Some((name.as_str(), without_effect(name, value)?)))
    }

    /// Reads a `.properties` file as Java does: `name=value`, `name: value` or `name value`, with comments (`#`, `!`), lines
    /// that go on (`\\` at the end) and escapes (`\\n`, `\\u00e9`, ...).
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8, or has an escape that is none; a name that is there twice.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let path = path.as_ref();
        let text = std::fs::read_to_string(path)
            .map_err(|error| Error::config(format!("reading {}: {error}", path.display())))?;
        file::parse(&text).map_err(|error| Error::config(format!("{}: {error}", path.display()))).map(Self)
    }
}

/// Names of what opens a lock, as Java and librdkafka spell them.
fn is_secret(name: &str) -> bool {
    [
        "credential",
        "jaas",
        "key.pem",
        "keystore.key",
        "oauthbearer.config",
        "password",
        "private.key",
        "secret",
        "token",
    ]
    .iter()
    .any(|part| name.contains(part))
}

impl fmt::Debug for Properties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (name, value) in &self.0 {
            let shown: &dyn fmt::Debug = if Self::may_be_shown(name) { value } else { &format_args!("[hidden]") };
            map.entry(name, shown);
        }
        map.finish()
    }
}

impl Deref for Properties {
    type Target = BTreeMap<String, String>;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl DerefMut for Properties {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.0
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(properties: I) -> Self {
        Self(properties.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl IntoIterator for Properties {
    type Item = (String, String);
    type IntoIter = btree_map::IntoIter<String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Properties {
    type Item = (&'a String, &'a String);
    type IntoIter = btree_map::Iter<'a, String, String>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

/// One option: its names (Java's first), what it is, and how its value is read.
pub(crate) struct Property<T> {
    pub(crate) names: &'static [&'static str],
    pub(crate) default: &'static str,
    pub(crate) doc: &'static str,
    pub(crate) set: fn(&mut T, &str) -> Result<(), String>,
}

/// Names that belong to producers or consumers and mean nothing to the other, that are Flink's own among those it hands
/// to Kafka, or that change nothing here.
const PASSED_OVER: &[&str] = &[
    "acks",
    "allow.auto.create.topics",
    "auto.commit.interval.ms",
    "auto.offset.reset",
    "batch.num.messages",
    "batch.size",
    "buffer.memory",
    "check.crcs",
    "client.id.prefix",
    "commit.offsets.on.checkpoint",
    "compression.codec",
    "compression.gzip.level",
    "compression.level",
    "compression.lz4.level",
    "compression.type",
    "compression.zstd.level",
    "delivery.timeout.ms",
    "enable.auto.commit",
    "enable.idempotence",
    "fetch.max.bytes",
    "fetch.max.wait.ms",
    "fetch.message.max.bytes",
    "fetch.min.bytes",
    "fetch.wait.max.ms",
    "flink.disable-metrics",
    "flink.partition-discovery.interval-millis",
    "group.id",
    "group.instance.id",
    "group.protocol",
    "heartbeat.interval.ms",
    "isolation.level",
    "key.deserializer",
    "key.serializer",
    "linger.ms",
    "max.block.ms",
    "max.in.flight",
    "max.in.flight.requests.per.connection",
    "max.partition.fetch.bytes",
    "max.poll.interval.ms",
    "max.poll.records",
    "max.request.size",
    "message.max.bytes",
    "message.send.max.retries",
    "message.timeout.ms",
    "partition.assignment.strategy",
    "partition.discovery.interval.ms",
    "partitioner",
    "partitioner.class",
    "queue.buffering.max.kbytes",
    "queue.buffering.max.messages",
    "queue.buffering.max.ms",
    "queued.max.messages.kbytes",
    "register.consumer.metrics",
    "register.producer.metrics",
    "request.required.acks",
    "retries",
    "session.timeout.ms",
    "statistics.interval.ms",
    "transaction.timeout.ms",
    "transactional.id",
    "value.deserializer",
    "value.serializer",
];

/// Reads a dictionary: what `own` knows is set on `config`; what is left is handed to `others`, which says whether
/// it knew the name.
///
/// # Errors
/// A name that nobody knows, with the nearest that somebody does; a value that the option cannot have.
pub(crate) fn apply<T, K: AsRef<str>, V: AsRef<str>>(
    config: &mut T,
    own: &[Property<T>],
    properties: impl IntoIterator<Item = (K, V)>,
    mut others: impl FnMut(&mut T, &str, &str) -> Result<bool, Error>,
) -> Result<(), Error> {
    for (name, value) in properties {
        let (name, value) = (name.as_ref(), value.as_ref());
        if set(config, own, name, value)? || others(config, name, value)? {
            continue;
        }
        if let Some((_, _, reason)) = UNSUPPORTED.iter().find(|(known, _, _)| *known == name)
            && let Some(reason) = without_effect(name, value).is_none().then_some(reason)
        {
            return Err(Error::config(format!("property '{name}'")).with_detail(*reason));
        }
        if let Some(reason) = without_effect(name, value) {
            tracing::warn!(name, reason, "this property changes nothing here");
            continue;
        }
        if is_of_another(name) {
            tracing::debug!(name, "property passed over: it belongs to another kind of client");
            continue;
        }
        return Err(unknown(
            name,
            own.iter().flat_map(|property| property.names).copied().chain(crate::config::names()),
        ));
    }
    Ok(())
}

/// The names that some kinds of clients have and others have not.
fn of_some() -> impl Iterator<Item = &'static str> {
    fn names<T>(table: &'static [Property<T>]) -> impl Iterator<Item = &'static str> {
        table.iter().flat_map(|property| property.names).copied()
    }
    use crate::producer::{self, TRANSACTIONAL_PROPERTIES};
    names(crate::consumer::PROPERTIES).chain(names(producer::PROPERTIES)).chain(names(TRANSACTIONAL_PROPERTIES))
}

/// Whether the name belongs to another kind of client, or means nothing anywhere here.
fn is_of_another(name: &str) -> bool {
    PASSED_OVER.contains(&name) || of_some().any(|other| other == name)
}

/// Why this property changes nothing here, if it is one of those.
fn without_effect(name: &str, value: &str) -> Option<&'static str> {
    if let Some((_, reason)) = IGNORED.iter().find(|(known, _)| *known == name) {
        return Some(reason);
    }
    let (_, none, _) = UNSUPPORTED.iter().find(|(known, _, _)| *known == name)?;
    let value = value.trim();
    (value.is_empty() || value.eq_ignore_ascii_case(none)).then_some("its value asks for nothing")
}

/// Sets one property, if the table knows its name.
pub(crate) fn set<T>(config: &mut T, table: &[Property<T>], name: &str, value: &str) -> Result<bool, Error> {
    let Some(property) = table.iter().find(|property| property.names.contains(&name)) else {
        return Ok(false);
    };
    // A password may begin or end with a blank.
    let trimmed = if is_secret(name) { value } else { value.trim() };
    (property.set)(config, trimmed).map_err(|reason| {
        let usage = format!("{} (default: {})", property.doc, property.default);
        if is_secret(name) {
            // Its reason may quote the value.
            return Error::config(format!("property '{name}' cannot have this value")).with_detail(usage);
        }
        Error::config(format!("property '{name}' cannot be '{}': {reason}", shorten(value))).with_detail(usage)
    })?;
    Ok(true)
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Error {
    let without = IGNORED.iter().map(|(name, _)| *name).chain(UNSUPPORTED.iter().map(|(name, _, _)| *name));
    let candidates = known.chain(PASSED_OVER.iter().copied()).chain(without);
    let nearest = candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, _)| *distance <= name.len().div_ceil(3));
    let error = Error::config(format!("unknown property '{}'", shorten(name)));
    match nearest {
        Some((_, candidate)) => error.with_detail(format!("did you mean '{candidate}'?")),
        None => error.with_detail("no property has a similar name"),
    }
}

/// What is not known to be short is cut in messages, so that an error stays on one screen.
pub(crate) fn shorten(text: &str) -> String {
    shorten_to(text, 60)
}

/// [`shorten`] to another length.
pub(crate) fn shorten_to(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

/// A whole number of milliseconds.
pub(crate) fn milliseconds(value: &str) -> Result<Duration, String> {
    number::<u64>(value).map(Duration::from_millis)
}

/// A whole number in the range of its type.
pub(crate) fn number<N: std::str::FromStr>(value: &str) -> Result<N, String> {
    value.parse().map_err(|_| "not a whole number in range".to_owned())
}

/// `host:port`, separated by commas; a missing port is 9092, as librdkafka has it.
pub(crate) fn addresses(value: &str) -> Result<Vec<(String, u16)>, String> {
    let mut addresses = Vec::new();
    for address in value.split(',').map(str::trim).filter(|address| !address.is_empty()) {
        let bare = address.strip_prefix("PLAINTEXT://").unwrap_or(address);
        let (host, port) = match bare.rsplit_once(':') {
            Some((host, port)) if !host.ends_with(':') && (host.starts_with('[') || !host.contains(':')) => {
                let port: u16 =
                    port.parse().map_err(|_| format!("'{}' in '{}' is not a port", shorten(port), shorten(address)))?;
                (host, port)
            }
            Some(_) | None => (bare, 9092),
        };
        addresses.push((host.trim_matches(['[', ']']).to_owned(), port));
    }
    if addresses.is_empty() { Err("no address in it".to_owned()) } else { Ok(addresses) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that Java's and librdkafka's documents call a password or a secret.
    const SECRETS: &[&str] = &[
        "sasl.jaas.config",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.oauthbearer.assertion.private.key.pem",
        "sasl.oauthbearer.client.credentials.client.secret",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.key",
        "ssl.keystore.password",
        "ssl.truststore.password",
    ];
    const PLANTED: &str = "hunter2";

    #[test]
    fn no_secret_is_shown_whichever_way_it_is_read() {
        let misspelt = ["sasl.pasword", "sasl.jas.config", "SASL.PASSWORD", "ssl.keystore.pasword"];
        for name in SECRETS.iter().copied().chain(misspelt) {
            let properties: Properties = [("bootstrap.servers", "a:1"), (name, PLANTED)].into_iter().collect();
            let shown = format!("{properties:?} {properties:#?}");
            assert!(!shown.contains(PLANTED) && shown.contains("[hidden]") && shown.contains("a:1"), "{shown}");
            let errors = [
                crate::ClientConfig::from_properties(&properties).map(|config| format!("{config:?}")),
                crate::ConsumerConfig::from_properties(&properties).map(|config| format!("{config:?}")),
                crate::ProducerConfig::from_properties(&properties).map(|config| format!("{config:?}")),
            ];
            let (_, logged) = tidemill_testkit::logs::captured(|| crate::ClientConfig::from_properties(&properties));
            assert!(!logged.contains(PLANTED), "{name}: {logged}");
            for read in errors {
                let said = read.unwrap_or_else(|error| format!("{error} {error:?}"));
                assert!(!said.contains(PLANTED), "{name}: {said}");
            }
        }
        assert!(SECRETS.iter().all(|name| is_secret(name)));
    }

    /// Also when the table will know it, and the value is refused.
    #[test]
    fn a_secret_that_is_refused_is_not_quoted() {
        let table = &[Property::<()> {
            names: &["sasl.password", "sasl.mechanism"],
            default: "none",
            doc: "what opens the lock",
            set: |(), value| Err(format!("'{value}' is too short")),
        }];
        let error = set(&mut (), table, "sasl.password", PLANTED).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(PLANTED), "{error:?}");
        assert!(set(&mut (), table, "sasl.mechanism", PLANTED).unwrap_err().to_string().contains(PLANTED));
    }

    #[test]
    fn addresses_are_read_as_java_and_librdkafka_write_them() {
        let read = |text| addresses(text).unwrap();
        assert_eq!(read("a:1, b:2"), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
        assert_eq!(read("mybroker"), [("mybroker".to_owned(), 9092)]);
        assert_eq!(read("[::1]:19092"), [("::1".to_owned(), 19092)]);
        assert_eq!(read("::1"), [("::1".to_owned(), 9092)]);
        assert_eq!(read("PLAINTEXT://a:1"), [("a".to_owned(), 1)]);
        assert!(addresses("a:99999").is_err());
        assert!(addresses(" , ").is_err());
    }

    #[test]
    fn a_message_does_not_grow_with_what_was_given() {
        let long = "9".repeat(10_000);
        for (name, value) in
            [("bootstrap.servers", format!("a:{long}")), ("linger.ms", long.clone()), (&*long, long.clone())]
        {
            let refused = crate::ProducerConfig::from_properties([(name, value)]).unwrap_err().to_string();
            assert!(refused.len() < 500, "{refused}");
        }
    }
}
