//! The properties that mean something here, each with what it sets. Beside them are those of listeners, TLS and users, and
//! those that are defaults of topics.

use std::time::Duration;

use crate::broker::authorization::Authorizer;
use crate::broker::config::ClusterProperties;
use crate::broker::groups::MigrationPolicy;
use crate::broker::millis;

/// A property that means something here.
pub(crate) struct Honoured {
    pub(crate) name: &'static str,
    /// What it is about, in a sentence.
    pub(crate) doc: &'static str,
    /// Its value was checked as Kafka checks it.
    pub(crate) set: fn(&mut ClusterProperties, &str) -> Result<(), String>,
    /// None where it is not set.
    pub(crate) get: fn(&ClusterProperties) -> Option<String>,
}

impl std::fmt::Debug for Honoured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.doc)
    }
}

fn number<N: std::str::FromStr>(value: &str) -> Result<N, String> {
    value.trim().parse().map_err(|_| format!("`{value}` is out of range"))
}

fn yes(value: &str) -> bool {
    value.trim().eq_ignore_ascii_case("true")
}

fn ms(value: &str) -> Result<Duration, String> {
    number(value).map(Duration::from_millis)
}

fn shown(duration: Duration) -> Option<String> {
    Some(millis(duration).to_string())
}

const AUTHORIZER: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
const RACK_AWARE: &str = "org.apache.kafka.common.replica.RackAwareReplicaSelector";
const MINUTE_SECONDS: u64 = 60;

/// A property that is one field, which is set and shown as it is.
macro_rules! honoured {
    (milliseconds $name:literal, $($field:ident).+, $doc:literal) => {
        Honoured {
            name: $name,
            doc: $doc,
            set: |cluster, value| ms(value).map(|it| cluster.$($field).+ = it),
            get: |cluster| shown(cluster.$($field).+),
        }
    };
    (number $name:literal, $($field:ident).+, $doc:literal) => {
        Honoured {
            name: $name,
            doc: $doc,
            set: |cluster, value| number(value).map(|it| cluster.$($field).+ = it),
            get: |cluster| Some(cluster.$($field).+.to_string()),
        }
    };
}

/// In the order of their names, but that the authorizer comes before what it reads.
pub(crate) const HONOURED: &[Honoured] = &[
    Honoured {
        name: "authorizer.class.name",
        doc: "who may do what is decided by rules: Kafka's StandardAuthorizer, or none",
        set: |cluster, value| match value.trim() {
            "" => {
                cluster.authorizer = None;
                Ok(())
            }
            AUTHORIZER => {
                cluster.authorizer.get_or_insert_with(Authorizer::default);
                Ok(())
            }
            other => Err(format!("`{other}` is not here: there is {AUTHORIZER}")),
        },
        get: |cluster| Some(cluster.authorizer.as_ref().map_or("", |_| AUTHORIZER).to_owned()),
    },
    Honoured {
        name: "allow.everyone.if.no.acl.found",
        doc: "whether everyone may do what no rule is about",
        set: |cluster, value| {
            if let Some(authorizer) = &mut cluster.authorizer {
                authorizer.allow_everyone_if_no_acl_found = yes(value);
            }
            Ok(())
        },
        get: |cluster| {
            cluster.authorizer.as_ref().filter(|it| it.allow_everyone_if_no_acl_found).map(|_| "true".to_owned())
        },
    },
    Honoured {
        name: "auto.create.topics.enable",
        doc: "whether asking for a topic that is not there makes it",
        set: |cluster, value| {
            cluster.auto_create_topics = yes(value);
            Ok(())
        },
        get: |cluster| Some(cluster.auto_create_topics.to_string()),
    },
    honoured!(number "default.replication.factor", default_replication_factor, "how many replicas a topic gets that is made without a factor"),
    honoured!(milliseconds "group.consumer.assignment.interval.ms", groups.consumer_assignment_interval, "the least time between two assignments of a consumer group"),
    honoured!(milliseconds "group.consumer.heartbeat.interval.ms", groups.consumer_heartbeat_interval, "how often members of consumer groups are told to send heartbeats"),
    honoured!(number "group.consumer.max.size", groups.consumer_max_size, "how many members a consumer group may have"),
    Honoured {
        name: "group.consumer.migration.policy",
        doc: "which way groups with members may change their protocol",
        set: |cluster, value| {
            let named = MigrationPolicy::ALL.into_iter().find(|it| it.name().eq_ignore_ascii_case(value.trim()));
            let named = named.ok_or_else(|| format!("`{value}` is no policy"))?;
            cluster.groups.consumer_migration_policy = named;
            Ok(())
        },
        get: |cluster| Some(cluster.groups.consumer_migration_policy.name().to_owned()),
    },
    honoured!(milliseconds "group.consumer.regex.refresh.interval.ms", groups.consumer_regex_refresh_interval, "how often patterns of consumer groups are matched although no topic is new"),
    honoured!(milliseconds "group.consumer.session.timeout.ms", groups.consumer_session_timeout, "after this time without a heartbeat a member of a consumer group is removed"),
    honoured!(milliseconds "group.initial.rebalance.delay.ms", groups.initial_rebalance_delay, "how long an empty classic group waits for further members"),
    honoured!(milliseconds "group.max.session.timeout.ms", groups.max_session_timeout, "the longest session that a member of a classic group may ask for"),
    honoured!(number "group.max.size", groups.max_size, "how many members a classic group may have"),
    honoured!(milliseconds "group.min.session.timeout.ms", groups.min_session_timeout, "the shortest session that a member of a classic group may ask for"),
    honoured!(milliseconds "log.cleaner.backoff.ms", log_cleaner_backoff, "how often compacted topics are looked at"),
    honoured!(number "num.partitions", num_partitions, "how many partitions a topic gets that is made without a count"),
    honoured!(number "offset.metadata.max.bytes", groups.offset_metadata_max_bytes, "how much may be said beside a committed offset"),
    honoured!(milliseconds "offsets.retention.check.interval.ms", groups.offsets_retention_check_interval, "how often offsets are looked for that nobody uses"),
    Honoured {
        name: "offsets.retention.minutes",
        doc: "how long offsets are kept that nobody uses",
        set: |cluster, value| {
            number::<u64>(value).map(|minutes| {
                cluster.groups.offsets_retention = Duration::from_secs(minutes.saturating_mul(MINUTE_SECONDS));
            })
        },
        get: |cluster| Some((cluster.groups.offsets_retention.as_secs() / MINUTE_SECONDS).to_string()),
    },
    honoured!(milliseconds "producer.id.expiration.check.interval.ms", producer_id_expiration_interval, "how often producer ids are looked for that have written nothing for long"),
    honoured!(milliseconds "producer.id.expiration.ms", producer_id_expiration, "how long a partition remembers a producer id that writes nothing"),
    Honoured {
        name: "replica.selector.class",
        doc: "readers that say their rack are sent to a replica there: Kafka's RackAwareReplicaSelector, or none",
        set: |cluster, value| {
            cluster.rack_aware_fetch = value.trim() == RACK_AWARE;
            let is_known = cluster.rack_aware_fetch || value.trim().is_empty();
            if is_known { Ok(()) } else { Err(format!("`{value}` is not here: there is {RACK_AWARE}")) }
        },
        get: |cluster| cluster.rack_aware_fetch.then(|| RACK_AWARE.to_owned()),
    },
    Honoured {
        name: "super.users",
        doc: "who may do everything, as User:admin;User:root",
        set: |cluster, value| {
            if let Some(authorizer) = &mut cluster.authorizer {
                let users = value.split(';').map(str::trim).filter(|user| !user.is_empty());
                authorizer.super_users = users.map(str::to_owned).collect();
            }
            Ok(())
        },
        get: |cluster| {
            cluster.authorizer.as_ref().filter(|it| !it.super_users.is_empty()).map(|it| it.super_users.join(";"))
        },
    },
    honoured!(milliseconds "transaction.abort.timed.out.transaction.cleanup.interval.ms", transaction_abort_interval, "how often transactions are looked for that have been open for too long"),
    honoured!(milliseconds "transaction.max.timeout.ms", transaction_timeout_max, "the longest transaction that a client may ask for"),
    honoured!(milliseconds "transaction.remove.expired.transaction.cleanup.interval.ms", transactional_id_expiration_interval, "how often transactional ids are looked for that nobody uses"),
    honoured!(milliseconds "transactional.id.expiration.ms", transactional_id_expiration, "how long a transactional id is remembered that nobody uses"),
];
