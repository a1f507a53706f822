//! What a message proves somebody's identity with, or configures to do so, is in no description and in no error.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display};

use bytes::{Bytes, BytesMut};
use tidemill_protocol::frame::take_frame;
use tidemill_protocol::guard;
use tidemill_protocol::header::{
    decode_request, decode_response, encode_request, encode_response, read_request_header,
};
use tidemill_protocol::messages::alter_configs_request as alter_configs;
use tidemill_protocol::messages::alter_user_scram_credentials_request::ScramCredentialUpsertion;
use tidemill_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use tidemill_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
use tidemill_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use tidemill_protocol::messages::describe_delegation_token_response::DescribedDelegationToken;
use tidemill_protocol::messages::incremental_alter_configs_request as incremental;
use tidemill_protocol::messages::*;
use tidemill_protocol::{ApiKey, Request, StrBytes};

use crate::targets::describe::{self, Node};
use crate::targets::golden::{self, Side};

const PLANTED: &str = "hunter2hunter2";

fn bytes() -> Bytes {
    Bytes::from_static(PLANTED.as_bytes())
}

fn string() -> StrBytes {
    StrBytes::from_static_str(PLANTED)
}

/// In none of the ways in which bytes are written.
#[track_caller]
fn assert_hidden(said: &str) {
    let hex: String = PLANTED.bytes().map(|byte| format!("{byte:02x}")).collect();
    let list = format!("{:?}", PLANTED.as_bytes());
    for written in [PLANTED, &hex, list.trim_matches(['[', ']'])] {
        assert!(!said.contains(written), "{said}");
    }
}

fn assert_says_nothing<E: Debug + Display>(error: &E) {
    assert_hidden(&format!("{error} {error:?} {error:#?}"));
}

/// A request with a secret, whole and broken at every byte, in each version that can say it.
fn request<R: Request + Debug>(planted: &R) {
    assert!(format!("{planted:?}").contains(PLANTED), "nothing is planted in {planted:?}");
    let versions = ApiKey(R::KEY).versions().unwrap();
    let mut written = 0;
    for version in versions.min..=versions.max {
        let whole = match encode_request(planted, version, 7, None) {
            Ok(whole) => whole.slice(4..),
            Err(error) => {
                assert_says_nothing(&error);
                continue;
            }
        };
        written += usize::from(whole.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes()));
        assert_hidden(&guard::describe_request(&whole).unwrap());
        for frame in broken(&whole) {
            match guard::describe_request(&frame) {
                Ok(text) => assert_hidden(&text),
                Err(error) => assert_says_nothing(&error),
            }
            let mut body = frame.clone();
            let Ok(header) = read_request_header(&mut body) else { continue };
            assert_hidden(&format!("{header:?}"));
            if let Err(error) = decode_request::<R>(version, body) {
                assert_says_nothing(&error);
            }
            if let Err(error) = take_frame(&mut BytesMut::from(&frame[..]), 8) {
                assert_says_nothing(&error);
            }
        }
    }
    assert!(written > 0, "no version says it: {planted:?}");
}

/// The same of a response.
fn response<R: Request>(planted: &R::Response)
where
    R::Response: Debug,
{
    assert!(format!("{planted:?}").contains(PLANTED), "nothing is planted in {planted:?}");
    let api = ApiKey(R::KEY);
    let versions = api.versions().unwrap();
    let mut written = 0;
    for version in versions.min..=versions.max {
        let whole = match encode_response::<R>(planted, version, 7) {
            Ok(whole) => whole.slice(4..),
            Err(error) => {
                assert_says_nothing(&error);
                continue;
            }
        };
        written += usize::from(whole.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes()));
        assert_hidden(&guard::describe_response(api, version, &whole).unwrap());
        for frame in broken(&whole) {
            match guard::describe_response(api, version, &frame) {
                Ok(text) => assert_hidden(&text),
                Err(error) => assert_says_nothing(&error),
            }
            if let Err(error) = decode_response::<R>(version, frame) {
                assert_says_nothing(&error);
            }
        }
    }
    assert!(written > 0, "no version says it: {planted:?}");
}

/// Cut at every byte, and with every byte another; the secret itself stays whole.
fn broken(whole: &Bytes) -> Vec<Bytes> {
    let mut broken: Vec<Bytes> = (0..whole.len()).map(|end| whole.slice(..end)).collect();
    for at in 0..whole.len() {
        for lie in [0, 0x7f, 0x80, 0xff, whole[at] ^ 1, whole[at].wrapping_add(1)] {
            let mut bytes = whole.to_vec();
            bytes[at] = lie;
            broken.push(bytes.into());
        }
    }
    broken
}

#[test]
fn what_a_client_proves_itself_with() {
    request(&SaslAuthenticateRequest::default().with_auth_bytes(bytes()));
    response::<SaslAuthenticateRequest>(&SaslAuthenticateResponse::default().with_auth_bytes(bytes()));
    request(&EnvelopeRequest::default().with_request_data(bytes()));
    request(&EnvelopeRequest::default().with_request_principal(Some(bytes())));
    response::<EnvelopeRequest>(&EnvelopeResponse::default().with_response_data(Some(bytes())));
}

#[test]
fn what_a_broker_keeps_of_a_password() {
    let salted = ScramCredentialUpsertion::default().with_salted_password(bytes());
    request(&AlterUserScramCredentialsRequest::default().with_upsertions(vec![salted]));
    let salt = ScramCredentialUpsertion::default().with_salt(bytes());
    request(&AlterUserScramCredentialsRequest::default().with_upsertions(vec![salt]));
}

#[test]
fn delegation_tokens() {
    response::<CreateDelegationTokenRequest>(&CreateDelegationTokenResponse::default().with_hmac(bytes()));
    let token = DescribedDelegationToken::default().with_hmac(bytes());
    response::<DescribeDelegationTokenRequest>(&DescribeDelegationTokenResponse::default().with_tokens(vec![token]));
    request(&RenewDelegationTokenRequest::default().with_hmac(bytes()));
    request(&ExpireDelegationTokenRequest::default().with_hmac(bytes()));
}

#[test]
fn passwords_among_the_values_of_configurations() {
    let config = alter_configs::AlterableConfig::default().with_value(Some(string()));
    let resource = alter_configs::AlterConfigsResource::default().with_configs(vec![config]);
    request(&AlterConfigsRequest::default().with_resources(vec![resource]));
    let config = incremental::AlterableConfig::default().with_value(Some(string()));
    let resource = incremental::AlterConfigsResource::default().with_configs(vec![config]);
    request(&IncrementalAlterConfigsRequest::default().with_resources(vec![resource]));
    let config = CreatableTopicConfig::default().with_value(Some(string()));
    let topic = CreatableTopic::default().with_configs(vec![config]);
    request(&CreateTopicsRequest::default().with_topics(vec![topic]));
    let config = CreatableTopicConfigs::default().with_value(Some(string()));
    let topic = CreatableTopicResult::default().with_configs(Some(vec![config]));
    response::<CreateTopicsRequest>(&CreateTopicsResponse::default().with_topics(vec![topic]));
    let synonym = DescribeConfigsSynonym::default().with_value(Some(string()));
    let config = DescribeConfigsResourceResult::default().with_value(Some(string())).with_synonyms(vec![synonym]);
    let result = DescribeConfigsResult::default().with_configs(vec![config]);
    response::<DescribeConfigsRequest>(&DescribeConfigsResponse::default().with_results(vec![result]));
}

/// Every string that a description shows, by the name of its field: a new one that sounds like a secret is looked at.
#[test]
fn no_field_that_sounds_like_a_secret_is_shown() {
    fn strings(name: &str, node: &Node, shown: &mut BTreeSet<String>) {
        if node.text.starts_with('"') {
            shown.insert(name.to_owned());
        }
        for (label, child) in &node.children {
            let is_index = label.parse::<usize>().is_ok();
            strings(if is_index { name } else { label }, child, shown);
        }
    }
    let mut shown = BTreeSet::new();
    for golden in golden::all() {
        let frame = golden.frame();
        let text = match golden.side {
            Side::Request => guard::describe_request(&frame).unwrap(),
            Side::Response => guard::describe_response(golden.api, golden.version, &frame).unwrap(),
        };
        strings("", &describe::read(&text), &mut shown);
    }
    assert!(shown.len() > 50 && shown.contains("host"), "{shown:?}");
    let sounds = |name: &&String| {
        let parts = ["auth", "credential", "hmac", "key", "metadata", "password", "salt", "secret", "token", "value"];
        parts.iter().any(|part| name.contains(part))
    };
    let harmless = [
        "committed_metadata",
        "configuration_keys",
        "coordinator_key",
        "coordinator_keys",
        "key",
        "metadata",
        "token_id",
        "token_requester_principal_name",
        "token_requester_principal_type",
    ];
    let unknown: Vec<&String> = shown.iter().filter(sounds).filter(|name| !harmless.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
}
