//! Who asks, and what they may do: stories of listeners that ask for SASL, and of rules.

use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::{
    ApiVersionsRequest, CreateAclsRequest, DeleteTopicsRequest, DescribeAclsRequest, InitProducerIdRequest,
    MetadataRequest, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use tidemill_protocol::{ErrorCode, StrBytes};

use super::world::*;
use crate::broker::acls::{Operation, PatternType, Permission, ResourceType};
use crate::broker::config::{Authorizer, Mechanism, SaslProperties, User};
use crate::broker::credentials::ScramHash;
use crate::broker::sasl::base64;
use crate::broker::*;

fn world(lifetime: Option<Duration>) -> World {
    let users = vec![User::new("alice", "alice-secret"), User::new("bob", "bob-secret")];
    let sasl = SaslProperties { users, session_lifetime_max: lifetime, ..SaslProperties::default() };
    let super_users = vec!["User:alice".to_owned()];
    let authorizer = Authorizer { super_users, ..Authorizer::default() };
    let mut world = World::with_properties(ClusterProperties {
        sasl: Some(sasl),
        authorizer: Some(authorizer),
        ..ClusterProperties::default()
    });
    world.cluster.create_topic("clicks", 1, 1, []).unwrap();
    world
}

impl World {
    fn shake(&mut self, connection: ConnectionId, mechanism: &'static str) -> SaslHandshakeResponse {
        let body = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
        self.ask_on(connection, 1, &body)
    }

    fn prove(&mut self, connection: ConnectionId, token: impl Into<Vec<u8>>) -> SaslAuthenticateResponse {
        let token: Vec<u8> = token.into();
        self.ask_on(connection, 2, &SaslAuthenticateRequest::default().with_auth_bytes(token.into()))
    }

    fn log_in(&mut self, connection: ConnectionId, user: &str) {
        self.shake(connection, "PLAIN");
        let proved = self.prove(connection, format!("\0{user}\0{user}-secret"));
        assert_eq!(proved.error_code, 0, "{:?}", proved.error_message);
    }

    fn rule(&mut self, name: &str, pattern: PatternType, operation: Operation, permission: Permission) {
        let creation = AclCreation::default()
            .with_resource_type(ResourceType::Topic.code())
            .with_resource_name(StrBytes::from_string(name.to_owned()))
            .with_resource_pattern_type(pattern.code())
            .with_principal(StrBytes::from_static_str("User:bob"))
            .with_host(StrBytes::from_static_str("*"))
            .with_operation(operation.code())
            .with_permission_type(permission.code());
        let made = self.ask_on(ALICE, 3, &CreateAclsRequest::default().with_creations(vec![creation]));
        assert_eq!(made.results[0].error_code, 0, "{:?}", made.results[0].error_message);
    }

    fn topics_of(&mut self, connection: ConnectionId) -> Vec<String> {
        let told = self.ask_on(connection, 9, &MetadataRequest::default().with_topics(None));
        told.topics.iter().map(|topic| topic.name.as_ref().unwrap().to_string()).collect()
    }
}

#[test]
fn nothing_is_answered_before_it_is_known_who_asks() {
    let mut world = world(None);
    world.send(BOB, 9, &MetadataRequest::default());
    assert_eq!(world.told(BOB), Told::Closed);
    // Versions may be asked for, once.
    let versions = ApiVersionsRequest::default()
        .with_client_software_name(StrBytes::from_static_str("test"))
        .with_client_software_version(StrBytes::from_static_str("1"));
    let spoken = world.ask_on(ALICE, 3, &versions);
    assert_eq!(spoken.error_code, 0);
    world.send(ALICE, 3, &versions);
    assert_eq!(world.told(ALICE), Told::Closed);
}

#[test]
fn a_password_opens_the_connection_and_a_wrong_one_closes_it() {
    let mut world = world(None);
    world.log_in(ALICE, "alice");
    assert_eq!(world.topics_of(ALICE), ["clicks"]);
    world.shake(BOB, "PLAIN");
    let refused = world.prove(BOB, "\0bob\0guess");
    assert_eq!(refused.error_code, ErrorCode::SASL_AUTHENTICATION_FAILED.0);
    assert_eq!(refused.error_message.as_deref(), Some("Authentication failed: Invalid username or password"));
    assert_eq!(world.told(BOB), Told::Closed);
}

#[test]
fn a_mechanism_that_is_not_enabled_is_answered_with_those_that_are() {
    let mut world = world(None);
    let shaken = world.shake(BOB, "GSSAPI");
    assert_eq!(shaken.error_code, ErrorCode::UNSUPPORTED_SASL_MECHANISM.0);
    let names: Vec<&str> = shaken.mechanisms.iter().map(|name| &**name).collect();
    assert_eq!(names, Mechanism::ALL.map(Mechanism::name));
    assert_eq!(world.told(BOB), Told::Closed);
}

/// A client's part of SCRAM; the last message, and what the server has to answer it with.
fn scram(hash: ScramHash, password: &str, first: &str, answer: &str) -> String {
    let parts: Vec<&str> = answer.split(',').collect();
    let [nonce, salt, iterations] = parts.as_slice() else { panic!("{answer}") };
    let salt = base64::decode(salt.strip_prefix("s=").unwrap().as_bytes()).unwrap();
    let iterations = iterations.strip_prefix("i=").unwrap().parse().unwrap();
    let salted = hash.salted(password, &salt, iterations);
    let last = format!("c=biws,{nonce}");
    let said = format!("{first},{answer},{last}");
    let (hmac, digest) = match hash {
        ScramHash::Sha256 => (ring::hmac::HMAC_SHA256, &ring::digest::SHA256),
        ScramHash::Sha512 => (ring::hmac::HMAC_SHA512, &ring::digest::SHA512),
    };
    let client_key = ring::hmac::sign(&ring::hmac::Key::new(hmac, &salted), b"Client Key");
    let stored_key = ring::digest::digest(digest, client_key.as_ref());
    let signature = ring::hmac::sign(&ring::hmac::Key::new(hmac, stored_key.as_ref()), said.as_bytes());
    let proof: Vec<u8> = client_key.as_ref().iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
    format!("{last},p={}", base64::encode(&proof))
}

#[test]
fn scram_proves_a_password_without_saying_it() {
    for (mechanism, hash) in [("SCRAM-SHA-256", ScramHash::Sha256), ("SCRAM-SHA-512", ScramHash::Sha512)] {
        for (password, is_good) in [("bob-secret", true), ("guess", false)] {
            let mut world = world(None);
            world.shake(BOB, mechanism);
            let answer = world.prove(BOB, "n,,n=bob,r=abc").auth_bytes;
            let answer = String::from_utf8(answer.to_vec()).unwrap();
            assert!(answer.starts_with("r=abc"), "{answer}");
            let proved = world.prove(BOB, scram(hash, password, "n=bob,r=abc", &answer));
            if is_good {
                assert!(proved.auth_bytes.starts_with(b"v="));
                assert!(world.topics_of(BOB).is_empty());
            } else {
                let words = format!(
                    "Authentication failed during authentication due to invalid credentials with SASL mechanism {mechanism}"
                );
                assert_eq!(proved.error_message.as_deref(), Some(words.as_str()));
                assert_eq!(world.told(BOB), Told::Closed);
            }
        }
    }
}

#[test]
fn after_the_first_handshake_the_proof_comes_bare() {
    let mut world = world(None);
    let body = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("PLAIN"));
    world.ask_on(BOB, 0, &body);
    world.raw(BOB, Bytes::from_static(b"\0bob\0bob-secret"));
    assert_eq!(world.told(BOB), Told::Frame(Bytes::new()));
    assert!(world.topics_of(BOB).is_empty());
    world.ask_on(ALICE, 0, &body);
    world.raw(ALICE, Bytes::from_static(b"\0alice\0guess"));
    assert_eq!(world.told(ALICE), Told::Closed);
}

#[test]
fn a_token_gives_a_session_that_ends_with_it() {
    let mut world = world(None);
    let token = |end: i64| {
        let part = |text: &str| base64::encode(text.as_bytes()).trim_end_matches('=').to_owned();
        let claims = format!(r#"{{"sub":"bob","exp":{}}}"#, UNIX_MS / 1000 + end);
        format!("n,,\x01auth=Bearer {}.{}.\x01\x01", part(r#"{"alg":"none"}"#), part(&claims))
    };
    world.shake(BOB, "OAUTHBEARER");
    assert_eq!(world.prove(BOB, token(60)).session_lifetime_ms, 60_000);
    assert!(world.topics_of(BOB).is_empty());
    world.advance(Duration::from_secs(61));
    world.send(BOB, 9, &MetadataRequest::default());
    assert_eq!(world.told(BOB), Told::Closed);
    // One that has ended is answered with the reason, and refused when the client has seen it.
    world.shake(ALICE, "OAUTHBEARER");
    assert_eq!(&*world.prove(ALICE, token(0)).auth_bytes, b"{\"status\":\"invalid_token\"}");
    let refused = world.prove(ALICE, b"\x01".to_vec());
    assert_eq!(refused.error_message.as_deref(), Some("{\"status\":\"invalid_token\"}"));
    assert_eq!(world.told(ALICE), Told::Closed);
}

#[test]
fn a_session_is_begun_anew_by_the_same_name_and_mechanism() {
    let minute = Duration::from_secs(60);
    let mut world = world(Some(minute));
    world.log_in(BOB, "bob");
    world.advance(Duration::from_secs(50));
    world.log_in(BOB, "bob");
    // A minute from now, not from the first time.
    world.advance(Duration::from_secs(50));
    assert!(world.topics_of(BOB).is_empty());
    world.shake(BOB, "PLAIN");
    let refused = world.prove(BOB, "\0alice\0alice-secret");
    let words = "Cannot change principals during re-authentication from User.bob: User.alice";
    assert_eq!(refused.error_message.as_deref(), Some(words));
    assert_eq!(world.told(BOB), Told::Closed);
    world.log_in(ALICE, "alice");
    assert_eq!(world.shake(ALICE, "SCRAM-SHA-256").error_code, 0);
    world.send(ALICE, 2, &SaslAuthenticateRequest::default());
    assert_eq!(world.told(ALICE), Told::Closed);
}

#[test]
fn a_session_without_an_end_is_not_begun_anew() {
    let mut world = world(None);
    world.log_in(BOB, "bob");
    assert_eq!(world.shake(BOB, "PLAIN").error_code, ErrorCode::ILLEGAL_SASL_STATE.0);
    assert_eq!(world.prove(BOB, "").error_code, ErrorCode::ILLEGAL_SASL_STATE.0);
    assert!(world.topics_of(BOB).is_empty());
}

#[test]
fn topics_are_seen_read_and_written_by_who_may() {
    let mut world = world(None);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    assert!(world.topics_of(BOB).is_empty());
    let denied = ErrorCode::TOPIC_AUTHORIZATION_FAILED.0;
    let fetched = |world: &mut World| world.ask_on(BOB, FETCH, &fetch(0, 0, 1)).responses[0].partitions[0].error_code;
    let written = |world: &mut World| {
        let body = produce(batch(&["a"]));
        world.ask_on(BOB, 9, &body).responses[0].partition_responses[0].error_code
    };
    assert_eq!((fetched(&mut world), written(&mut world)), (denied, denied));
    world.rule("cli", PatternType::Prefixed, Operation::Read, Permission::Allow);
    assert_eq!(world.topics_of(BOB), ["clicks"]);
    assert_eq!((fetched(&mut world), written(&mut world)), (0, denied));
    world.rule("*", PatternType::Literal, Operation::All, Permission::Allow);
    assert_eq!((fetched(&mut world), written(&mut world)), (0, 0));
    world.rule("clicks", PatternType::Literal, Operation::Read, Permission::Deny);
    assert_eq!((fetched(&mut world), written(&mut world)), (denied, 0));
    assert_eq!(world.topics_of(BOB), ["clicks"]);
}

#[test]
fn who_may_write_somewhere_may_write_idempotently() {
    let mut world = world(None);
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    let init = InitProducerIdRequest::default().with_transactional_id(None);
    assert_eq!(world.ask_on(BOB, 4, &init).error_code, ErrorCode::CLUSTER_AUTHORIZATION_FAILED.0);
    world.rule("clicks", PatternType::Literal, Operation::Write, Permission::Allow);
    assert_eq!(world.ask_on(BOB, 4, &init).error_code, 0);
}

#[test]
fn a_topic_that_may_not_be_described_is_not_told_from_one_that_is_not_there() {
    let mut world = world(None);
    world.log_in(BOB, "bob");
    let body = DeleteTopicsRequest::default().with_topic_names(vec![name("clicks"), name("nothing")]);
    let answered = world.ask_on(BOB, 5, &body);
    let codes: Vec<i16> = answered.responses.iter().map(|it| it.error_code).collect();
    assert_eq!(codes, [ErrorCode::TOPIC_AUTHORIZATION_FAILED.0; 2]);
}

#[test]
fn without_an_authorizer_there_are_no_rules() {
    let mut world = World::new();
    let any = DescribeAclsRequest::default()
        .with_resource_type_filter(1)
        .with_pattern_type_filter(1)
        .with_operation(1)
        .with_permission_type(1);
    let answered = world.ask(3, &any);
    assert_eq!(answered.error_code, ErrorCode::SECURITY_DISABLED.0);
    assert_eq!(answered.error_message.as_deref(), Some("No Authorizer is configured on the broker"));
}

#[test]
fn a_certificate_names_who_asks_where_nothing_else_is_asked_for() {
    let super_users = vec!["User:CN=orders".to_owned()];
    let authorizer = Some(Authorizer { super_users, ..Authorizer::default() });
    let mut world = World::with_properties(ClusterProperties { authorizer, ..ClusterProperties::default() });
    world.cluster.create_topic("clicks", 1, 1, []).unwrap();
    let known = ConnectionId(9);
    world.cluster.handle_connected_as(known, 1, "/127.0.0.1", Some("User:CN=orders"), world.now);
    assert_eq!(world.topics_of(known), ["clicks"]);
    assert!(world.topics_of(BOB).is_empty());
}

#[test]
fn without_a_rule_about_it_everyone_may_do_it_where_that_is_said() {
    let authorizer = Authorizer { super_users: vec!["User:alice".to_owned()], allow_everyone_if_no_acl_found: true };
    let sasl = SaslProperties {
        users: vec![User::new("alice", "alice-secret"), User::new("bob", "bob-secret")],
        ..SaslProperties::default()
    };
    let (authorizer, sasl) = (Some(authorizer), Some(sasl));
    let mut world = World::with_properties(ClusterProperties { authorizer, sasl, ..ClusterProperties::default() });
    for topic in ["clicks", "orders"] {
        world.cluster.create_topic(topic, 1, 1, []).unwrap();
    }
    world.log_in(ALICE, "alice");
    world.log_in(BOB, "bob");
    assert_eq!(world.topics_of(BOB), ["clicks", "orders"]);
    // One rule about a topic, and only who it names may.
    world.rule("clicks", PatternType::Literal, Operation::Create, Permission::Allow);
    assert_eq!(world.topics_of(BOB), ["orders"]);
}

#[test]
fn a_frame_is_small_until_it_is_known_who_sends_it() {
    let large = Bytes::from(vec![0; 513 * 1024]);
    let mut world = world(None);
    let token = |bytes: &Bytes| SaslAuthenticateRequest::default().with_auth_bytes(bytes.clone());
    world.shake(BOB, "PLAIN");
    world.send(BOB, 2, &token(&large));
    assert_eq!(world.told(BOB), Told::Closed);
    world.log_in(ALICE, "alice");
    assert_eq!(world.ask_on(ALICE, 2, &token(&large)).error_code, ErrorCode::ILLEGAL_SASL_STATE.0);
}

#[test]
fn any_bytes_are_answered_or_close_the_connection() {
    let mut random = fastrand::Rng::with_seed(3);
    let pieces: [&[u8]; 12] =
        [b"n,", b",", b"n=alice", b"r=", b"abc", b"=2C", b"=", b"\x01", b"auth=Bearer ", b"e30.e30.", b"\0", b"p=dg=="];
    let mut world = world(None);
    for round in 0..3000_u64 {
        let connection = ConnectionId(1000 + round);
        world.cluster.handle_connected(connection, 1, "/127.0.0.1", world.now);
        world.shake(connection, Mechanism::ALL[random.usize(..4)].name());
        for _ in 0..2 {
            let mut token: Vec<u8> = (0..random.usize(..9)).flat_map(|_| pieces[random.usize(..12)]).copied().collect();
            if random.bool() && !token.is_empty() {
                let at = random.usize(..token.len());
                token[at] = random.u8(..);
            }
            world.send(connection, 2, &SaslAuthenticateRequest::default().with_auth_bytes(token.into()));
            assert_ne!(world.told(connection), Told::Nothing);
            if world.told(connection) == Told::Closed {
                break;
            }
        }
    }
}
