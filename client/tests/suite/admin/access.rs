//! Who may do what, with which passwords, and how fast: ACLs, SCRAM credentials, quotas.

use std::sync::OnceLock;
use std::time::Duration;

use tidemill_client::{
    AclBinding, AclFilter, AclOperation, Admin, ClientConfig, ErrorCode, ErrorKind, NewTopic, PatternType,
    PermissionType, QuotaChange, QuotaEntity, ResourceType, ScramChange, ScramMechanism,
};
use tidemill_testkit::broker::config::Mechanism;
use tidemill_testkit::kafka::{Kafka, Listener};
use tidemill_testkit::{ClusterConfig, TestCluster};

use super::{code, only};
use crate::bed::{Bed, PATIENCE, on_every_version};

/// A cluster that asks who clients are, and lets `admin` do everything.
struct Guarded {
    bootstrap: String,
    _cluster: Option<TestCluster>,
}

const ADMIN: (&str, &str) = ("admin", "admin-secret");
const ALICE: (&str, &str) = ("alice", "alice-secret");

impl Guarded {
    async fn embedded() -> Self {
        let config = ClusterConfig::default().sasl(Mechanism::ALL, [ADMIN, ALICE]).authorizer(["User:admin"]);
        let cluster = TestCluster::start(config).await.unwrap();
        Self { bootstrap: cluster.bootstrap().to_owned(), _cluster: Some(cluster) }
    }

    async fn kafka() -> Option<Self> {
        static KAFKA: OnceLock<Option<Kafka>> = OnceLock::new();
        let start = || {
            Kafka::builder()
                .listener(Listener::SaslPlaintext)
                .user(ADMIN.0, ADMIN.1)
                .user(ALICE.0, ALICE.1)
                .property("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")
                .property("super.users", "User:admin;User:ANONYMOUS")
                .start_if_there()
        };
        let kafka = tokio::task::spawn_blocking(move || KAFKA.get_or_init(start).as_ref()).await.unwrap()?;
        Some(Self { bootstrap: kafka.bootstrap_of(Listener::SaslPlaintext).to_owned(), _cluster: None })
    }

    fn admin(&self, (user, password): (&str, &str), mechanism: &str) -> Admin {
        let jaas = format!(
            "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" password=\"{password}\";"
        );
        let properties = [
            ("bootstrap.servers", self.bootstrap.as_str()),
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", mechanism),
            ("sasl.jaas.config", &jaas),
        ];
        Admin::new(ClientConfig::from_properties(properties).unwrap()).unwrap()
    }
}

macro_rules! on_guarded_clusters {
    ($($case:ident;)*) => {
        mod embedded_guarded {
            $(
                #[tokio::test]
                async fn $case() {
                    super::$case(super::Guarded::embedded().await).await;
                }
            )*
        }

        mod kafka_guarded {
            $(
                #[tokio::test]
                async fn $case() {
                    if let Some(guarded) = super::Guarded::kafka().await {
                        super::$case(guarded).await;
                    }
                }
            )*
        }
    };
}

on_guarded_clusters! {
    an_acl_lets_a_user_in_and_its_deletion_keeps_it_out;
    a_user_logs_in_with_the_password_it_was_given;
}

async fn an_acl_lets_a_user_in_and_its_deletion_keeps_it_out(guarded: Guarded) {
    let (admin, alice) = (guarded.admin(ADMIN, "SCRAM-SHA-256"), guarded.admin(ALICE, "SCRAM-SHA-256"));
    let create =
        async |name: &str| only(alice.create_topics(&[NewTopic::new(name).partitions(1)], PATIENCE).await.unwrap());
    let kept_out = create("orders-1").await;
    assert_eq!(code(&kept_out), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
    let allowed = AclBinding {
        pattern_type: PatternType::PREFIXED,
        ..AclBinding::allow("User:alice", AclOperation::CREATE, ResourceType::TOPIC, "orders-")
    };
    let denied =
        AclBinding { permission: PermissionType::DENY, resource_name: "orders-9".to_owned(), ..allowed.clone() };
    let wrong = AclBinding { principal: "alice".to_owned(), ..allowed.clone() };
    let acls = [allowed.clone(), wrong, denied.clone()];
    let outcomes = admin.create_acls(&acls, PATIENCE).await.unwrap();
    let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
    assert_eq!(codes, [None, Some(ErrorCode::INVALID_REQUEST), None], "{outcomes:?}");

    // Brokers hear of it after the controller has answered.
    let of_alice = AclFilter::default().principal("User:alice");
    let found = loop {
        let mut found = admin.describe_acls(&of_alice, PATIENCE).await.unwrap();
        if found.len() == 2 {
            found.sort();
            break found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(found, [allowed.clone(), denied.clone()]);
    let counts = AclFilter::default().resource(ResourceType::TOPIC, "orders-1", PatternType::MATCH);
    assert_eq!(admin.describe_acls(&counts, PATIENCE).await.unwrap(), std::slice::from_ref(&allowed));
    assert_eq!(create("orders-1").await.unwrap().partitions, -1, "to create is not to describe");
    assert_eq!(code(&create("orders-99").await), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));

    let deleted = only(admin.delete_acls(&[AclFilter::from(&allowed)], PATIENCE).await.unwrap()).unwrap();
    assert_eq!(deleted.len(), 1);
    assert!(deleted[0].0 == allowed && deleted[0].1.is_ok(), "{deleted:?}");
    only(admin.delete_acls(&[of_alice], PATIENCE).await.unwrap()).unwrap();
    assert_eq!(code(&create("orders-2").await), Some(ErrorCode::TOPIC_AUTHORIZATION_FAILED));
}

async fn a_user_logs_in_with_the_password_it_was_given(guarded: Guarded) {
    let admin = guarded.admin(ADMIN, "SCRAM-SHA-256");
    let changes = [
        ScramChange::set("bob", ScramMechanism::SHA_512, "bobs-secret").iterations(5_000),
        ScramChange::delete("carol", ScramMechanism::SHA_256),
    ];
    let outcomes = admin.alter_scram_credentials(&changes, PATIENCE).await.unwrap();
    let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
    assert_eq!(codes, [None, Some(ErrorCode::RESOURCE_NOT_FOUND)]);
    let credentials = loop {
        let users = admin.list_scram_credentials(PATIENCE).await.unwrap();
        if let Some(credentials) = users.get("bob") {
            break credentials.clone();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let of = credentials.iter().map(|it| (it.mechanism, it.iterations)).collect::<Vec<_>>();
    assert_eq!(of, [(ScramMechanism::SHA_512, 5_000)]);
    let bob = guarded.admin(("bob", "bobs-secret"), "SCRAM-SHA-512");
    assert!(bob.list_topics(PATIENCE).await.unwrap().is_empty(), "he may see none");
    let stranger = guarded.admin(("bob", "another"), "SCRAM-SHA-512");
    assert_eq!(stranger.list_topics(PATIENCE).await.unwrap_err().kind(), ErrorKind::Security);
    let gone = [ScramChange::delete("bob", ScramMechanism::SHA_512)];
    assert_eq!(code(&only(admin.alter_scram_credentials(&gone, PATIENCE).await.unwrap())), None);
}

on_every_version! {
    without_an_authorizer_there_are_no_acls(1);
    quotas_are_set_and_taken_away(1);
}

async fn without_an_authorizer_there_are_no_acls(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let refused = admin.describe_acls(&AclFilter::default(), PATIENCE).await;
    assert_eq!(code(&refused), Some(ErrorCode::SECURITY_DISABLED));
    let acl = AclBinding::allow("User:alice", AclOperation::READ, ResourceType::TOPIC, "*");
    let refused = only(admin.create_acls(&[acl], PATIENCE).await.unwrap());
    assert_eq!(code(&refused), Some(ErrorCode::SECURITY_DISABLED));
}

async fn quotas_are_set_and_taken_away(bed: Bed) {
    let admin = Admin::new(bed.client(&[])).unwrap();
    let entity = QuotaEntity::default().user(&bed.topic).default_client_id();
    let changes = [
        QuotaChange::of(entity.clone()).set("producer_byte_rate", 1024.0),
        QuotaChange::of(QuotaEntity::default().user(&bed.group)).set("no_such_limit", 1.0),
    ];
    let outcomes = admin.alter_quotas(&changes, PATIENCE).await.unwrap();
    let codes: Vec<_> = outcomes.iter().map(|(_, outcome)| code(outcome)).collect();
    assert_eq!(codes, [None, Some(ErrorCode::INVALID_REQUEST)]);
    let until = async |expected: Option<f64>| {
        for _ in 0..500 {
            let quotas = admin.describe_quotas(PATIENCE).await.unwrap();
            let limit = quotas.get(&entity).and_then(|limits| limits.get("producer_byte_rate").copied());
            if limit == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the limit does not become {expected:?}");
    };
    until(Some(1024.0)).await;
    let gone = [QuotaChange::of(entity.clone()).remove("producer_byte_rate")];
    let outcome = only(admin.alter_quotas(&gone, PATIENCE).await.unwrap());
    assert_eq!(code(&outcome), None);
    until(None).await;
}
