//! What a client proves itself with, or configures, is in no log and in no `Debug`.

use bytes::Buf;
use tidemill_protocol::StrBytes;
use tidemill_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use tidemill_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use tidemill_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use tidemill_protocol::messages::{
    AlterUserScramCredentialsRequest, CreateTopicsRequest, EnvelopeRequest, IncrementalAlterConfigsRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest,
};

use super::world::*;
use crate::broker::*;
use crate::logs;

const PLANTED: &str = "hunter2hunter2";

fn frame<R: Message>(request: &R, version: i16) -> Bytes {
    let mut frame = header::encode_request(request, version, 7, None).unwrap();
    frame.advance(4);
    frame
}

#[test]
fn a_broker_shows_no_secret_of_a_request() {
    let secret = Bytes::from_static(PLANTED.as_bytes());
    let text = Some(StrBytes::from_static_str(PLANTED));
    let config = AlterableConfig::default().with_value(text.clone());
    let resource = AlterConfigsResource::default().with_configs(vec![config]);
    let config = CreatableTopicConfig::default().with_value(text);
    let topic = CreatableTopic::default().with_num_partitions(1).with_configs(vec![config]);
    let upsertion = ScramCredentialUpsertion::default()
        .with_name(StrBytes::from_static_str("alice"))
        .with_mechanism(1)
        .with_iterations(4096)
        .with_salt(secret.clone())
        .with_salted_password(secret.clone());
    let frames = [
        frame(&SaslAuthenticateRequest::default().with_auth_bytes(secret.clone()), 2),
        frame(&EnvelopeRequest::default().with_request_data(secret), 0),
        frame(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]), 1),
        frame(&AlterUserScramCredentialsRequest::default().with_upsertions(vec![upsertion]), 0),
        frame(&CreateTopicsRequest::default().with_topics(vec![topic]), 7),
    ];
    for whole in frames {
        for cut in [0, 1, 3] {
            let frame = whole.slice(..whole.len() - cut);
            let mut world = World::new();
            let mut shown = String::new();
            let mut replies = Vec::new();
            let ((), logged) = logs::captured(|| {
                // The second waits until the first is answered.
                for _ in 0..2 {
                    world.cluster.handle_frame(ALICE, frame.clone(), world.now);
                    shown += &format!("{:?}", world.cluster);
                }
                world.cluster.poll(world.now, &mut replies);
                shown += &format!("{:?} {replies:?}", world.cluster);
            });
            assert!(!replies.is_empty());
            for said in [shown, logged] {
                let bytes = format!("{:?}", PLANTED.as_bytes());
                assert!(!said.contains(PLANTED) && !said.contains(bytes.trim_matches(['[', ']'])), "{said}");
            }
        }
    }
}

#[test]
fn a_broker_shows_no_secret_of_who_proves_himself() {
    let users = vec![config::User::new("alice", PLANTED)];
    let sasl = config::SaslProperties { users, ..config::SaslProperties::default() };
    let properties = ClusterProperties { sasl: Some(sasl), ..ClusterProperties::default() };
    let mut shown = format!("{properties:?}");
    let ((), logged) = logs::captured(|| {
        let mut world = World::with_properties(properties);
        for (connection, mechanism) in [(ALICE, "PLAIN"), (BOB, "SCRAM-SHA-256")] {
            let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(mechanism));
            world.raw(connection, frame(&handshake, 1));
            shown += &format!("{:?}", world.cluster);
            for token in [format!("\0alice\0{PLANTED}"), format!("n,,n=alice,r={PLANTED}"), format!("p={PLANTED}")] {
                world.raw(connection, frame(&SaslAuthenticateRequest::default().with_auth_bytes(token.into()), 2));
                shown += &format!("{:?}", world.cluster);
            }
        }
    });
    assert!(!shown.contains(PLANTED) && !logged.contains(PLANTED), "{shown} {logged}");
}
