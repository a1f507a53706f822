//! Sessions that end (KIP-368): how long they last, and how they are begun anew.

use std::time::Duration;

use tidemill_protocol::messages::*;
use tokio::net::TcpStream;

use super::peer::*;

pub(crate) async fn sessions(peer: &mut Peer) {
    let handshake = |mechanism: &str| SaslHandshakeRequest::default().with_mechanism(text(mechanism));
    let proof = |token: &str| SaslAuthenticateRequest::default().with_auth_bytes(token.to_owned().into());
    let (alice, bob, wrong) = ("\0alice\0alice-secret", "\0bob\0bob-secret", "\0alice\0wrong");
    let metadata = MetadataRequest::default().with_topics(Some(Vec::new()));

    for version in [0, 1, 2] {
        let mut stream = peer.connect().await;
        ask_on(&mut stream, 1, &handshake("PLAIN")).await.unwrap();
        let proved = ask_on(&mut stream, version, &proof(alice)).await;
        peer.note(&format!("SaslAuthenticate v{version}"), &proved);
    }

    // The same, another's name, a wrong password, and other mechanisms; then whether more may be asked.
    let again = [
        ("PLAIN", alice),
        ("PLAIN", bob),
        ("PLAIN", wrong),
        ("SCRAM-SHA-256", "n,,n=alice,r=abc"),
        ("OAUTHBEARER", "n,,\x01auth=Bearer abc\x01\x01"),
        ("GSSAPI", ""),
    ];
    for (mechanism, token) in again {
        let mut stream = begun(peer, "PLAIN", alice).await;
        let mut shaken = ask_on(&mut stream, 1, &handshake(mechanism)).await;
        if let Some(shaken) = &mut shaken {
            shaken.mechanisms.sort();
        }
        peer.note(&format!("SaslHandshake again: {mechanism}"), &shaken);
        let proved = ask_on(&mut stream, 2, &proof(token)).await;
        peer.note(&format!("SaslAuthenticate again: {mechanism} {token:?}"), &proved);
        let asked = ask_on(&mut stream, 9, &metadata).await;
        peer.note(&format!("Metadata after it: {mechanism} {token:?}"), &asked.map(|it| it.error_code));
    }

    // Twice within a second is once too often.
    let mut stream = begun(peer, "PLAIN", alice).await;
    for what in ["once", "twice"] {
        let shaken = ask_on(&mut stream, 1, &handshake("PLAIN")).await;
        peer.note(&format!("SaslHandshake {what}"), &shaken.map(|it| it.error_code));
        let proved = ask_on(&mut stream, 2, &proof(alice)).await;
        peer.note(&format!("SaslAuthenticate {what}"), &proved);
    }
    let asked = ask_on(&mut stream, 9, &metadata).await;
    peer.note("Metadata after twice", &asked.map(|it| it.error_code));

    // SCRAM says no more the second time than the first.
    let mut stream = peer.connect().await;
    ask_on(&mut stream, 1, &handshake("SCRAM-SHA-256")).await.unwrap();
    let proved = ask_on(&mut stream, 2, &proof("n,,n=nobody,r=abc")).await;
    peer.note("SCRAM of nobody", &proved);

    // What has ended is closed with the next request, save that it may be begun anew.
    let mut ended = begun(peer, "PLAIN", alice).await;
    let mut renewed = begun(peer, "PLAIN", alice).await;
    tokio::time::sleep(Duration::from_millis(super::LIFETIME_MS + 500)).await;
    let asked = ask_on(&mut ended, 9, &metadata).await;
    peer.note("Metadata after the end", &asked.map(|it| it.error_code));
    let shaken = ask_on(&mut renewed, 1, &handshake("PLAIN")).await;
    peer.note("SaslHandshake after the end", &shaken.map(|it| it.error_code));
    let proved = ask_on(&mut renewed, 2, &proof(alice)).await;
    peer.note("SaslAuthenticate after the end", &proved);
    let asked = ask_on(&mut renewed, 9, &metadata).await;
    peer.note("Metadata after a new beginning", &asked.map(|it| it.error_code));
}

async fn begun(peer: &Peer, mechanism: &str, token: &'static str) -> TcpStream {
    let mut stream = peer.connect().await;
    let handshake = SaslHandshakeRequest::default().with_mechanism(text(mechanism));
    assert_eq!(ask_on(&mut stream, 1, &handshake).await.unwrap().error_code, 0);
    let proof = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    assert_eq!(ask_on(&mut stream, 2, &proof).await.unwrap().error_code, 0);
    stream
}
