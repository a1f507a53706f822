use bytes::Buf;
use proptest::prelude::*;
use tidemill_protocol::messages::api_versions_response::ApiVersion;
use tidemill_protocol::{Request, StrBytes};

use super::super::sasl::Login;
use super::*;
use crate::security::{OauthToken, ScramHash, Secret};

fn answer<R: Request>(version: i16, response: &R::Response) -> Bytes {
    let mut frame = header::encode_response::<R>(response, version, 0).unwrap();
    frame.advance(4);
    frame
}

fn versions(version: i16, code: ErrorCode, ranges: &[(ApiKey, i16, i16)]) -> Bytes {
    let range = |(api, min, max): &(ApiKey, i16, i16)| {
        ApiVersion::default().with_api_key(api.0).with_min_version(*min).with_max_version(*max)
    };
    let keys = ranges.iter().map(range).collect();
    answer::<ApiVersionsRequest>(version, &ApiVersionsResponse::default().with_error_code(code.0).with_api_keys(keys))
}

const SASL: [(ApiKey, i16, i16); 2] = [(ApiKey::SASL_HANDSHAKE, 0, 1), (ApiKey::SASL_AUTHENTICATE, 0, 2)];

/// A handshake that has said its mechanism.
fn proving(mechanism: &'static str, login: Login) -> Handshake {
    let mut handshake = Handshake::new(Some(mechanism));
    handshake.handle_answer(&versions(4, ErrorCode::NONE, &SASL)).unwrap();
    assert!(matches!(handshake.next(1).unwrap(), Next::Run(Errand::LogIn)));
    handshake.handle_found(Found::Login(login)).unwrap();
    assert!(matches!(handshake.next(2).unwrap(), Next::Say(_)));
    handshake.handle_answer(&answer::<SaslHandshakeRequest>(1, &SaslHandshakeResponse::default())).unwrap();
    assert!(matches!(handshake.next(3).unwrap(), Next::Say(_)));
    handshake
}

fn plain() -> Login {
    Login::Plain { username: "alice".to_owned(), password: Secret::new("hunter2") }
}

fn token(bytes: &'static [u8]) -> SaslAuthenticateResponse {
    SaslAuthenticateResponse::default().with_auth_bytes(Bytes::from_static(bytes))
}

fn refusal(outcome: Result<(), Failure>) -> String {
    match outcome {
        Err(Failure::Refused(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_ranges_of_the_answer_are_kept() {
    let mut handshake = Handshake::new(None);
    assert!(matches!(handshake.next(0).unwrap(), Next::Say(_)));
    handshake.handle_answer(&versions(4, ErrorCode::NONE, &[(ApiKey::FETCH, 4, 18)])).unwrap();
    let Next::Done(versions, None) = handshake.next(1).unwrap() else { panic!("{handshake:?}") };
    assert_eq!(versions.choose(ApiKey::FETCH, VersionRange::new(4, 12)), Ok(12));
}

#[test]
fn an_older_broker_is_asked_again_in_its_version() {
    let mut handshake = Handshake::new(None);
    handshake.handle_answer(&versions(0, ErrorCode::UNSUPPORTED_VERSION, &[(ApiKey::API_VERSIONS, 0, 2)])).unwrap();
    assert!(matches!(handshake.state, State::AskVersions { version: 2 }));
    handshake.handle_answer(&versions(2, ErrorCode::NONE, &[])).unwrap();
    assert!(matches!(handshake.next(1).unwrap(), Next::Done(..)));
}

#[test]
fn refusals_do_not_go_round_for_ever() {
    let mut handshake = Handshake::new(None);
    for _ in 0..10 {
        let refusal = versions(0, ErrorCode::UNSUPPORTED_VERSION, &[(ApiKey::API_VERSIONS, 0, 99)]);
        if handshake.handle_answer(&refusal).is_err() {
            return;
        }
    }
    panic!("still asking: {handshake:?}");
}

#[test]
fn garbage_is_refused_wherever_it_comes() {
    for bytes in [&[][..], &[0, 0, 0, 0], &[0, 0, 0, 0, 0, 0, 0xff], &[0xff; 64]] {
        let garbage = Bytes::copy_from_slice(bytes);
        assert!(Handshake::new(None).handle_answer(&garbage).is_err());
        let mut handshake = proving("PLAIN", plain());
        assert!(handshake.handle_answer(&garbage).is_err());
        assert!(handshake.next(4).is_err());
    }
}

#[test]
fn a_login_is_done_when_the_broker_says_so_and_the_session_may_end() {
    for (lifetime_ms, session) in [(0, None), (-1, None), (i64::MIN, None), (60_000, Some(Duration::from_secs(60)))] {
        let mut handshake = proving("PLAIN", plain());
        let done = token(b"").with_session_lifetime_ms(lifetime_ms);
        handshake.handle_answer(&answer::<SaslAuthenticateRequest>(2, &done)).unwrap();
        let Next::Done(_, lasts) = handshake.next(4).unwrap() else { panic!("{handshake:?}") };
        assert_eq!(lasts, session);
    }
}

#[test]
fn a_wrong_password_is_told_in_the_brokers_words_and_with_the_option() {
    let mut handshake = proving("PLAIN", plain());
    let refused = SaslAuthenticateResponse::default()
        .with_error_code(ErrorCode::SASL_AUTHENTICATION_FAILED.0)
        .with_error_message(Some(StrBytes::from_static_str("Authentication failed: Invalid username or password")));
    let told = refusal(handshake.handle_answer(&answer::<SaslAuthenticateRequest>(2, &refused)));
    assert!(told.contains("PLAIN: Authentication failed: Invalid username or password"), "{told}");
    assert!(told.contains("sasl.password") && !told.contains("hunter2"), "{told}");
}

#[test]
fn a_mechanism_that_is_not_enabled_is_told_with_those_that_are() {
    let mut handshake = Handshake::new(Some("PLAIN"));
    handshake.handle_answer(&versions(4, ErrorCode::NONE, &SASL)).unwrap();
    handshake.handle_found(Found::Login(plain())).unwrap();
    let offered = ["SCRAM-SHA-256", "OAUTHBEARER"].map(StrBytes::from_static_str).to_vec();
    let refused = SaslHandshakeResponse::default()
        .with_error_code(ErrorCode::UNSUPPORTED_SASL_MECHANISM.0)
        .with_mechanisms(offered);
    let told = refusal(handshake.handle_answer(&answer::<SaslHandshakeRequest>(1, &refused)));
    assert!(told.contains("does not take PLAIN, it takes SCRAM-SHA-256, OAUTHBEARER: set sasl.mechanism"), "{told}");
}

/// It could have a password said in plain.
#[test]
fn a_broker_that_is_too_old_for_words_of_refusal_gets_no_password() {
    for ranges in [&[][..], &[(ApiKey::SASL_HANDSHAKE, 0, 0)]] {
        let mut handshake = Handshake::new(Some("PLAIN"));
        refusal(handshake.handle_answer(&versions(4, ErrorCode::NONE, ranges)));
    }
}

#[test]
fn a_broker_that_skips_the_proof_of_scram_is_not_believed() {
    let scram = || Login::Scram {
        hash: ScramHash::Sha256,
        username: "alice".to_owned(),
        password: Secret::new("hunter2"),
        nonce: "nonce".to_owned(),
    };
    for early in [&b""[..], b"v=AAAA", b"r=nonce,s=AAAA,i=4096", b"r=nonce2,s=AAAA,i=1"] {
        let mut handshake = proving("SCRAM-SHA-256", scram());
        let answered = handshake.handle_answer(&answer::<SaslAuthenticateRequest>(2, &token(early)));
        let told = refusal(answered);
        assert!(!told.contains("hunter2"), "{told}");
    }
    let mut handshake = proving("SCRAM-SHA-256", scram());
    let salt = answer::<SaslAuthenticateRequest>(2, &token(b"r=nonce2,s=AAAA,i=4096"));
    handshake.handle_answer(&salt).unwrap();
    let Next::Run(Errand::Salt(salting)) = handshake.next(4).unwrap() else { panic!("{handshake:?}") };
    // An answer before the proof has gone out.
    assert!(handshake.handle_answer(&salt).is_err());
    assert!(!format!("{salting:?} {handshake:?}").contains("hunter2"));
}

#[test]
fn nothing_of_a_login_is_shown() {
    let shown = format!("{:?} {:?}", proving("PLAIN", plain()), plain());
    assert!(!shown.contains("hunter2"), "{shown}");
    let mut handshake = Handshake::new(Some("PLAIN"));
    handshake.handle_answer(&versions(4, ErrorCode::NONE, &SASL)).unwrap();
    handshake.handle_found(Found::Login(plain())).unwrap();
    assert!(!format!("{handshake:?}").contains("hunter2"), "{handshake:?}");
}

proptest! {
    /// Whatever a broker says in the middle of a login, the handshake goes on, ends or refuses, and shows no secret.
    #[test]
    fn nothing_that_a_broker_says_breaks_a_login(
        messages in proptest::collection::vec(
            prop_oneof![
                proptest::collection::vec(any::<u8>(), 0..80),
                "[a-z]=[ -~]{0,20}(,[a-z]=[ -~]{0,20}){0,3}".prop_map(String::into_bytes),
                Just(b"r=nonce2,s=AAAA,i=4096".to_vec()),
                Just(Vec::new()),
            ],
            1..6,
        ),
        code in prop_oneof![4 => Just(0_i16), 1 => any::<i16>()],
        lifetime_ms in any::<i64>(),
        which in 0..3,
    ) {
        let (mechanism, login) = match which {
            0 => ("PLAIN", plain()),
            1 => ("SCRAM-SHA-256", Login::Scram {
                hash: ScramHash::Sha256,
                username: "alice".to_owned(),
                password: Secret::new("hunter2"),
                nonce: "nonce".to_owned(),
            }),
            _ => ("OAUTHBEARER", Login::OauthBearer(OauthToken::new("hunter2", std::time::SystemTime::UNIX_EPOCH))),
        };
        let mut handshake = proving(mechanism, login);
        for message in messages {
            let said = SaslAuthenticateResponse::default()
                .with_error_code(code)
                .with_auth_bytes(message.into())
                .with_session_lifetime_ms(lifetime_ms);
            let outcome = handshake.handle_answer(&answer::<SaslAuthenticateRequest>(2, &said));
            let shown = format!("{outcome:?} {handshake:?}");
            prop_assert!(!shown.contains("hunter2"));
            let next = outcome.and_then(|()| handshake.next(9));
            match next {
                Ok(Next::Run(Errand::Salt(salting))) => {
                    handshake.handle_found(Found::Keys(salting.derive())).unwrap();
                    prop_assert!(matches!(handshake.next(10), Ok(Next::Say(_))));
                }
                Ok(Next::Say(_)) => {}
                // SCRAM is not done before the broker has shown that it knows the password.
                Ok(Next::Done(..)) => {
                    prop_assert!(which != 1 && code == 0);
                    break;
                }
                Ok(Next::Run(Errand::LogIn)) => panic!("logged in twice"),
                Err(_) => break,
            }
        }
    }
}
