//! A broker under test, connections of users to it, and what they were answered.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::Duration;

use bytes::Bytes;
use tidemill_protocol::header::{decode_response, encode_request};
use tidemill_protocol::messages::create_acls_request::AclCreation;
use tidemill_protocol::messages::create_topics_request::CreatableTopic;
use tidemill_protocol::messages::*;
use tidemill_protocol::{Request, StrBytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) struct Peer {
    bootstrap: String,
    users: BTreeMap<String, TcpStream>,
    said: Vec<(String, String)>,
}

/// What a rule says: whose, of what (type, name, pattern), operation, permission.
pub(crate) type Rule<'a> = (&'a str, (i8, &'a str, i8), i8, i8);

pub(crate) const TOPIC: i8 = 2;
pub(crate) const GROUP: i8 = 3;
pub(crate) const CLUSTER: i8 = 4;
pub(crate) const TRANSACTIONAL_ID: i8 = 5;
pub(crate) const LITERAL: i8 = 3;
pub(crate) const PREFIXED: i8 = 4;
pub(crate) const ALL: i8 = 2;
pub(crate) const READ: i8 = 3;
pub(crate) const WRITE: i8 = 4;
pub(crate) const CREATE: i8 = 5;
pub(crate) const DELETE: i8 = 6;
pub(crate) const ALTER: i8 = 7;
pub(crate) const DESCRIBE: i8 = 8;
pub(crate) const DESCRIBE_CONFIGS: i8 = 10;
pub(crate) const ALTER_CONFIGS: i8 = 11;
pub(crate) const DENY: i8 = 2;
pub(crate) const ALLOW: i8 = 3;

impl Peer {
    pub(crate) async fn new(bootstrap: &str) -> Self {
        let mut peer = Self { bootstrap: bootstrap.to_owned(), users: BTreeMap::new(), said: Vec::new() };
        for (user, password) in super::USERS {
            let stream = peer.log_in(user, password).await;
            peer.users.insert(user.to_owned(), stream);
        }
        peer
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.bootstrap).await.unwrap()
    }

    async fn log_in(&self, user: &str, password: &str) -> TcpStream {
        let mut stream = self.connect().await;
        let handshake = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
        assert_eq!(ask_on(&mut stream, 1, &handshake).await.unwrap().error_code, 0);
        let token = format!("\0{user}\0{password}");
        let proof = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
        assert_eq!(ask_on(&mut stream, 2, &proof).await.unwrap().error_code, 0);
        stream
    }

    pub(crate) fn note(&mut self, what: &str, answer: &impl Debug) {
        self.said.push((what.to_owned(), format!("{answer:#?}")));
    }

    pub(crate) fn answers(self) -> Vec<(String, String)> {
        self.said
    }

    pub(crate) async fn ask<R: Request>(&mut self, user: &str, version: i16, body: &R) -> R::Response {
        let stream = self.users.get_mut(user).unwrap();
        let answer = ask_on(stream, version, body).await;
        answer.unwrap_or_else(|| panic!("{} v{version} closed it", tidemill_protocol::ApiKey(R::KEY)))
    }

    /// Makes topics as `admin`, and waits until all know of them.
    pub(crate) async fn make(&mut self, topics: &[&str]) {
        let body = CreateTopicsRequest::default().with_topics(topics.iter().map(|it| new_topic(it)).collect());
        let made = self.ask("admin", 7, &body.with_timeout_ms(5000)).await;
        assert!(made.topics.iter().all(|topic| topic.error_code == 0), "{made:?}");
        for topic in topics {
            let wanted = metadata_request::MetadataRequestTopic::default().with_name(Some(name(topic)));
            let wanted = MetadataRequest::default().with_topics(Some(vec![wanted]));
            for _ in 0..200 {
                let told = self.ask("admin", 9, &wanted).await;
                if told.topics[0].error_code == 0 && told.topics[0].partitions[0].error_code == 0 {
                    break;
                }
                pause().await;
            }
        }
    }

    /// Adds rules as `admin`, and waits until the broker knows them.
    pub(crate) async fn allow(&mut self, rules: &[Rule<'_>]) {
        let creations = rules.iter().map(|(principal, (kind, name, pattern), operation, permission)| {
            AclCreation::default()
                .with_resource_type(*kind)
                .with_resource_name(text(name))
                .with_resource_pattern_type(*pattern)
                .with_principal(text(&format!("User:{principal}")))
                .with_host(text("*"))
                .with_operation(*operation)
                .with_permission_type(*permission)
        });
        let body = CreateAclsRequest::default().with_creations(creations.collect());
        let made = self.ask("admin", 3, &body).await;
        assert!(made.results.iter().all(|it| it.error_code == 0), "{made:?}");
        self.settle().await;
    }

    /// Removes every rule of a user, as `admin`.
    pub(crate) async fn forbid(&mut self, user: &str) {
        let filter = delete_acls_request::DeleteAclsFilter::default()
            .with_resource_type_filter(1)
            .with_pattern_type_filter(1)
            .with_resource_name_filter(None)
            .with_principal_filter(Some(text(&format!("User:{user}"))))
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1);
        self.ask("admin", 3, &DeleteAclsRequest::default().with_filters(vec![filter])).await;
        self.settle().await;
    }

    /// A rule is known when it is described; Kafka's brokers learn of it a moment after the controller has answered. So a
    /// mark is added, and waited for.
    pub(crate) async fn settle(&mut self) {
        let mark = format!("mark-{}", self.said.len());
        let creation = AclCreation::default()
            .with_resource_type(TOPIC)
            .with_resource_name(text(&mark))
            .with_resource_pattern_type(LITERAL)
            .with_principal(text("User:mark"))
            .with_host(text("*"))
            .with_operation(READ)
            .with_permission_type(ALLOW);
        self.ask("admin", 3, &CreateAclsRequest::default().with_creations(vec![creation])).await;
        let filter = DescribeAclsRequest::default()
            .with_resource_type_filter(1)
            .with_resource_name_filter(Some(text(&mark)))
            .with_pattern_type_filter(1)
            .with_principal_filter(None)
            .with_host_filter(None)
            .with_operation(1)
            .with_permission_type(1);
        for _ in 0..200 {
            if !self.ask("admin", 3, &filter).await.resources.is_empty() {
                return;
            }
            pause().await;
        }
        panic!("a rule was not learnt of");
    }
}

pub(crate) async fn pause() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

/// The answer; none when the connection is closed.
pub(crate) async fn ask_on<R: Request>(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    version: i16,
    body: &R,
) -> Option<R::Response> {
    let frame = encode_request(body, version, 1, None).unwrap();
    let answer = raw(stream, &frame).await?;
    Some(decode_response::<R>(version, answer).unwrap())
}

pub(crate) async fn raw(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), frame: &[u8]) -> Option<Bytes> {
    stream.write_all(frame).await.ok()?;
    let length = stream.read_i32().await.ok()?;
    let mut answer = vec![0; usize::try_from(length).unwrap()];
    stream.read_exact(&mut answer).await.unwrap();
    Some(answer.into())
}

pub(crate) fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub(crate) fn name(topic: &str) -> TopicName {
    TopicName(text(topic))
}

pub(crate) fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

pub(crate) fn new_topic(topic: &str) -> CreatableTopic {
    CreatableTopic::default().with_name(name(topic)).with_num_partitions(1).with_replication_factor(1)
}

/// Kafka also shows the request.
pub(crate) fn words(message: &mut Option<StrBytes>) {
    let needed = message.as_deref().and_then(|message| message.strip_prefix("Request ")?.rsplit("needs ").next());
    if let Some(needed) = needed {
        *message = Some(text(&format!("needs {needed}")));
    }
}
