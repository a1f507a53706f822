//! How users show who they are, and how they are refused.

use bytes::Bytes;
use tidemill_protocol::messages::*;

use super::peer::*;

pub(crate) async fn logins(peer: &mut Peer) {
    tokens(peer).await;
    orders(peer).await;
    bare(peer).await;
}

async fn tokens(peer: &mut Peer) {
    let long = format!("n,,n=alice,r={}", "x".repeat(3));
    let unsigned =
        |header: &str, claims: &str| format!("n,,\x01auth=Bearer {}.{}.\x01\x01", base64(header), base64(claims));
    let none = r#"{"alg":"none"}"#;
    let cases: Vec<(&str, String)> = vec![
        ("PLAIN", "\0alice\0alice-secret".into()),
        ("PLAIN", "alice\0alice\0alice-secret".into()),
        ("PLAIN", "bob\0alice\0alice-secret".into()),
        ("PLAIN", "\0alice\0wrong".into()),
        ("PLAIN", "\0nobody\0wrong".into()),
        ("PLAIN", "\0\0alice-secret".into()),
        ("PLAIN", "\0alice\0".into()),
        ("PLAIN", "alice\0alice-secret".into()),
        ("PLAIN", "\0alice\0alice-secret\0more".into()),
        ("PLAIN", "\0alice\0alice-secret\0more\0more".into()),
        ("PLAIN", String::new()),
        ("SCRAM-SHA-256", "n,,n=nobody,r=abc".into()),
        ("SCRAM-SHA-256", "n,a=bob,n=alice,r=abc".into()),
        ("SCRAM-SHA-256", "y,,n=alice,r=abc".into()),
        ("SCRAM-SHA-256", "n,,n=al=ice,r=abc".into()),
        ("SCRAM-SHA-256", "n,,n=alice".into()),
        ("SCRAM-SHA-256", "n,,n=alice,r=abc,tokenauth=true".into()),
        ("SCRAM-SHA-256", String::new()),
        ("SCRAM-SHA-512", long),
        ("SCRAM-SHA-512", "n,a=alice,n=alice,r=abc,x=y".into()),
        ("OAUTHBEARER", unsigned(none, r#"{"sub":"alice","exp":4000000000}"#)),
        ("OAUTHBEARER", unsigned(none, r#"{"sub":"alice","exp":1}"#)),
        ("OAUTHBEARER", unsigned(none, r#"{"sub":"alice","exp":4000000000,"iat":3999999999}"#)),
        ("OAUTHBEARER", unsigned(none, r#"{"exp":4000000000}"#)),
        ("OAUTHBEARER", unsigned(none, r#"{"sub":"alice"}"#)),
        ("OAUTHBEARER", unsigned(r#"{"alg":"RS256"}"#, r#"{"sub":"alice","exp":4000000000}"#)),
        ("OAUTHBEARER", "n,,\x01auth=Bearer abc\x01\x01".into()),
        ("OAUTHBEARER", "n,,\x01auth=Basic abc\x01\x01".into()),
        ("OAUTHBEARER", "n,a=bob,\x01auth=Bearer e30.e30.\x01\x01".into()),
        ("OAUTHBEARER", unsigned(none, r#"{"sub":"alice","exp":4000000000}"#).replace("n,,", "n,a=bob,")),
        ("OAUTHBEARER", String::new()),
        ("GSSAPI", String::new()),
        ("", String::new()),
    ];
    for (mechanism, token) in cases {
        let mut stream = peer.connect().await;
        let what = format!("{mechanism} {token:?}");
        let handshake = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
        let mut shaken = ask_on(&mut stream, 1, &handshake).await;
        if let Some(shaken) = &mut shaken {
            shaken.mechanisms.sort();
        }
        peer.note(&format!("SaslHandshake: {what}"), &shaken);
        for (step, token) in [token, "\x01".into()].into_iter().enumerate() {
            let proof = SaslAuthenticateRequest::default().with_auth_bytes(token.into_bytes().into());
            let mut proved = ask_on(&mut stream, 2, &proof).await;
            if let Some(proved) = &mut proved {
                // The salt is random, and so is what the server adds to the nonce.
                if proved.auth_bytes.starts_with(b"r=") {
                    proved.auth_bytes = proved.auth_bytes.slice(..5);
                }
                // It is counted from now.
                proved.session_lifetime_ms = proved.session_lifetime_ms.min(1);
            }
            peer.note(&format!("SaslAuthenticate {step}: {what}"), &proved);
        }
    }
}

/// Requests where none is expected.
async fn orders(peer: &mut Peer) {
    let handshake = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
    let proof = SaslAuthenticateRequest::default().with_auth_bytes(Bytes::from_static(b"\0alice\0alice-secret"));
    let versions =
        ApiVersionsRequest::default().with_client_software_name(text("test")).with_client_software_version(text("1"));
    let told = |answer: Option<i16>| answer.map(|code| format!("code {code}"));

    let mut stream = peer.connect().await;
    let answer = ask_on(&mut stream, 9, &MetadataRequest::default()).await;
    peer.note("Metadata first", &told(answer.map(|_| 0)));

    let mut stream = peer.connect().await;
    let answer = ask_on(&mut stream, 2, &proof).await;
    peer.note("SaslAuthenticate first", &told(answer.map(|it| it.error_code)));

    let mut stream = peer.connect().await;
    let strange = versions.clone().with_client_software_name(text("-"));
    for (what, body) in [("strange", &strange), ("good", &versions), ("again", &versions)] {
        let answer = ask_on(&mut stream, 3, body).await;
        peer.note(&format!("ApiVersions {what}"), &told(answer.map(|it| it.error_code)));
    }

    let mut stream = peer.connect().await;
    for what in ["after all", "again", "and again"] {
        let shaken = ask_on(&mut stream, 1, &handshake).await;
        peer.note(&format!("SaslHandshake {what}"), &told(shaken.map(|it| it.error_code)));
        if what == "after all" {
            let proved = ask_on(&mut stream, 1, &proof).await;
            peer.note("SaslAuthenticate 1", &proved);
            let proved = ask_on(&mut stream, 0, &proof).await;
            peer.note("SaslAuthenticate after it", &proved);
        }
    }
    let answer = ask_on(&mut stream, 3, &versions).await;
    peer.note("ApiVersions after it", &told(answer.map(|it| it.error_code)));
}

/// After the first version of the handshake tokens come without headers.
async fn bare(peer: &mut Peer) {
    for token in ["\0alice\0alice-secret", "\0alice\0wrong"] {
        let mut stream = peer.connect().await;
        let handshake = SaslHandshakeRequest::default().with_mechanism(text("PLAIN"));
        let mut shaken = ask_on(&mut stream, 0, &handshake).await.unwrap();
        shaken.mechanisms.sort();
        peer.note("SaslHandshake 0", &shaken);
        let length = u32::try_from(token.len()).unwrap().to_be_bytes();
        let answer = raw(&mut stream, &[&length[..], token.as_bytes()].concat()).await;
        peer.note(&format!("bare {token:?}"), &answer);
        let after = ask_on(&mut stream, 0, &ApiVersionsRequest::default()).await;
        peer.note("ApiVersions after a bare token", &after.map(|it| it.error_code));
    }
}

fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut encoded = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| bits << 8 | usize::from(chunk.get(at).copied().unwrap_or(0)));
        for place in 0..=chunk.len() {
            encoded.push(char::from(DIGITS[bits >> (18 - 6 * place) & 63]));
        }
    }
    encoded
}
