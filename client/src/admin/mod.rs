//! What is done to a cluster rather than to its records.
//!
//! A file per noun; each says what is asked, of whom, and what the answers mean:
//!
//! - `topics`, `partitions`, `configs`, `records`
//! - `groups`, `group_offsets`, `transactions`
//! - `acls`, `users`, `cluster`
//!
//! All of them hand their items to `driver`, which moves what the machine in `call` decides: which broker is asked for
//! which item, when again, and when it is over. `names` has the protocol's numbers and words.

mod acls;
mod call;
mod cluster;
mod configs;
mod driver;
mod group_offsets;
mod groups;
mod names;
mod partitions;
mod records;
mod topics;
mod transactions;
mod users;

use std::collections::BTreeMap;
use std::time::Duration;

use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::{BrokerId, TopicName};

use self::call::{Answer, Refusal};
use crate::client::Client;
use crate::config::ClientConfig;
use crate::error::Error;
use crate::record::TopicPartition;

pub use self::acls::{AclBinding, AclFilter, PatternType, PermissionType, ResourceType};
pub use self::cluster::{BrokerDescription, ClusterDescription, FeatureLevels};
pub use self::configs::{ConfigChange, ConfigEntry, ConfigResource, ConfigSource, ConfigSynonym, ConfigType};
pub use self::group_offsets::PartitionLag;
pub use self::groups::{
    ClassicGroup, ConsumerGroup, GroupDescription, GroupDetails, GroupFilter, GroupListing, GroupMemberDescription,
    GroupMemberId, GroupState, GroupType,
};
pub use self::names::AclOperation;
pub use self::partitions::{ElectionType, NewPartitions, PartitionReassignment};
pub use self::records::{OffsetListing, OffsetSpec};
pub use self::topics::{CreatedTopic, NewTopic, PartitionDescription, TopicDescription, TopicListing};
pub use self::transactions::{
    FencedProducer, HangingTransaction, ProducerState, TransactionDescription, TransactionFilter, TransactionListing,
    TransactionState,
};
pub use self::users::{QuotaChange, QuotaEntity, ScramChange, ScramCredential, ScramMechanism};

/// What became of each item of a call, in the order they were given.
pub type Outcomes<K, V = ()> = Vec<(K, Result<V, Error>)>;

/// Administers a cluster: topics, configurations, records, groups, transactions, ACLs, users.
///
/// A call may be about many items at once. Each is asked for where it has to be (the controller, its leader, its
/// coordinator), all of one broker in one request, and has an outcome of its own: a bad one neither fails nor delays the
/// others. What can be tried again is, until the call's `timeout`: a leader or coordinator that moved, a broker that
/// was lost. A call fails as a whole only when no broker said anything about any of its items.
///
/// An answer that is lost leaves open whether a change was made; the next attempt then finds it made, and is refused. The
/// error says so.
///
/// ```no_run
/// # async fn run() -> Result<(), tidemill_client::Error> {
/// use std::time::Duration;
/// use tidemill_client::{Admin, ClientConfig, NewTopic};
///
/// let admin = Admin::new(ClientConfig::default().bootstrap_servers("localhost:9092"))?;
/// let topics = [NewTopic::new("clicks").partitions(8), NewTopic::new("orders").config("cleanup.policy", "compact")];
/// for (topic, outcome) in admin.create_topics(&topics, Duration::from_secs(10)).await? {
///     match outcome {
///         Ok(created) => println!("{topic} has {} partitions", created.partitions),
///         Err(error) => println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    client: Client,
}

/// What several brokers know of, as far as they answered.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Listed<T> {
    /// What those that answered know of.
    pub found: Vec<T>,
    /// The brokers that did not answer, and why. What only they know of is missing.
    pub unanswered: Vec<(i32, Error)>,
}

impl<T> Listed<T> {
    /// Everything, if every broker answered.
    ///
    /// # Errors
    /// That of the first broker that did not.
    pub fn complete(self) -> Result<Vec<T>, Error> {
        match self.unanswered.into_iter().next() {
            None => Ok(self.found),
            Some((_, error)) => Err(error),
        }
    }
}

impl Admin {
    /// With connections of its own. Needs a tokio runtime.
    ///
    /// # Errors
    /// When `bootstrap.servers` is not set.
    pub fn new(config: ClientConfig) -> Result<Self, Error> {
        Ok(Self { client: Client::new(config)? })
    }

    /// With the connections of a client.
    #[must_use]
    pub fn with_client(client: &Client) -> Self {
        Self { client: client.clone() }
    }
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

fn broker_ids(ids: &[i32]) -> Vec<BrokerId> {
    ids.iter().copied().map(BrokerId).collect()
}

fn numbers_of(ids: &[BrokerId]) -> Vec<i32> {
    ids.iter().map(|id| id.0).collect()
}

fn millis(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX)
}

/// The topics of these partitions, each once, with the places of its partitions.
fn by_topic<'a>(partitions: &[&'a TopicPartition]) -> BTreeMap<&'a str, Vec<usize>> {
    let mut topics: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (place, partition) in partitions.iter().enumerate() {
        topics.entry(&partition.topic).or_default().push(place);
    }
    topics
}

/// Joins what was asked for with what became of it.
fn named<K, V>(keys: impl IntoIterator<Item = K>, outcomes: Vec<Result<V, Error>>) -> Outcomes<K, V> {
    keys.into_iter().zip(outcomes).collect()
}

/// The same refusal for all.
fn all_refused<V>(items: &[usize], refusal: &Refusal) -> Vec<(usize, Answer<V>)> {
    items.iter().map(|place| (*place, Err(refusal.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn calls_can_be_made_from_any_task() {
        const fn can_move<F: Future + Send>(_: &F) {}
        let admin = Admin::new(ClientConfig::default().bootstrap_servers("localhost:1")).unwrap();
        let second = Duration::from_secs(1);
        can_move(&admin.create_topics(&[], second));
        can_move(&admin.describe_groups(&["readers"], second));
        can_move(&admin.list_groups(&GroupFilter::default(), second));
        can_move(&admin.list_offsets(&[], crate::consumer::IsolationLevel::ReadCommitted, second));
        can_move(&admin.alter_scram_credentials(&[], second));
    }

    #[tokio::test]
    async fn a_call_about_nothing_asks_nobody() {
        let admin = Admin::new(ClientConfig::default().bootstrap_servers("localhost:1")).unwrap();
        assert!(admin.create_topics(&[], Duration::ZERO).await.unwrap().is_empty());
        assert!(admin.delete_groups::<&str>(&[], Duration::ZERO).await.unwrap().is_empty());
    }
}
