//! The task around the socket: opens it, then moves bytes between it and the [`pipeline`](super::pipeline). Decides
//! nothing.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

use super::pipeline::Failure;
use super::sasl::{self, Errand, Found, Login};
use super::transport::Stream;
use super::{Access, Shared, tls};
use crate::clock;
use crate::error::Error;
use crate::security::{Mechanism, Sasl};

/// Read at least this much at a time.
const READ_BYTES: usize = 16 * 1024;

/// How many slices one write gathers.
const SLICES: usize = 64;

/// How long to listen to one who does not take what is written.
const LAST_WORD_MAX: Duration = Duration::from_secs(1);

pub(super) async fn run(shared: Arc<Shared>, host: String, port: u16) {
    let opened = tokio::select! {
        opened = open(&shared.access, host, port) => opened,
        () = closed(&shared) => return,
    };
    let failure = match opened {
        Ok(stream) => match move_bytes(&shared, stream).await {
            Ok(()) => None,
            Err(error) => Some(meaning(&shared, &error)),
        },
        Err(failure) => Some(failure),
    };
    if let Some(failure) = failure {
        tracing::debug!(address = shared.address, ?failure, "connection lost");
        shared.pipeline().close(&failure);
    }
    let failure = shared.pipeline().failure();
    if let Some(Failure::Refused(reason)) = failure {
        if let Some(Sasl(Mechanism::OauthBearer(tokens))) = &shared.access.security.sasl {
            tokens.forget().await;
        }
        shared.access.refused(Error::security(&shared.address, reason));
    }
}

async fn open(access: &Access, host: String, port: u16) -> Result<Box<dyn Stream>, Failure> {
    let network = |error: io::Error| Failure::Network(error.kind(), error.to_string());
    let stream = access.connector.connect(host.clone(), port).await.map_err(network)?;
    match &access.tls {
        Some(tls) => Arc::clone(tls).secure(stream, &host).await,
        None => Ok(stream),
    }
}

/// What it means that the connection was lost.
fn meaning(shared: &Shared, error: &io::Error) -> Failure {
    if let Some(failure) = tls::meaning(error) {
        return failure;
    }
    let is_suspicious = tls::HUNG_UP.contains(&error.kind()) && !shared.access.is_known();
    let suspicion = shared.pipeline().suspicion(&shared.access.security).filter(|_| is_suspicious);
    match suspicion {
        Some(reason) if shared.access.is_suspicious() => Failure::Refused(reason),
        Some(reason) => Failure::Network(error.kind(), reason),
        None => Failure::Network(error.kind(), error.to_string()),
    }
}

/// Waits until the pipeline is closed: by its owner, or by the time that opening may take.
async fn closed(shared: &Shared) {
    loop {
        let Some(wake_at) = shared.pipeline().poll(Instant::now()) else { return };
        tokio::select! {
            () = clock::sleep_until(Some(wake_at)) => {}
            () = shared.woken.notified() => {}
        }
    }
}

async fn move_bytes(shared: &Shared, stream: Box<dyn Stream>) -> io::Result<()> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut outgoing = VecDeque::new();
    let mut buffer = BytesMut::with_capacity(READ_BYTES);
    // TLS may hold back what it has taken.
    let mut unflushed = false;
    // Whether others know that this connection was let in.
    let mut told = false;
    shared.pipeline().handle_connected(Instant::now());
    let mut errand: Option<ErrandFuture<'_>> = None;
    loop {
        let wake_at = {
            let mut pipeline = shared.pipeline();
            let wake_at = pipeline.poll(Instant::now());
            if pipeline.is_closed() {
                return Ok(());
            }
            pipeline.take_outgoing(&mut outgoing);
            if let Some(next) = pipeline.take_errand() {
                errand = Some(Box::pin(run_errand(next, &shared.access)));
            }
            buffer.reserve(pipeline.bytes_missing(&buffer).max(READ_BYTES));
            wake_at
        };
        tokio::select! {
            biased;
            written = write_some(&mut writer, &outgoing), if !outgoing.is_empty() || unflushed => match written {
                Ok(0) => unflushed = false,
                Ok(written) => {
                    forget(&mut outgoing, written);
                    shared.pipeline().handle_written(written);
                    unflushed = shared.access.tls.is_some();
                }
                Err(error) => return Err(last_word(&mut reader, &mut buffer).await.unwrap_or(error)),
            },
            read = reader.read_buf(&mut buffer) => {
                if read? == 0 {
                    return Err(io::Error::new(io::ErrorKind::ConnectionReset, "the broker closed the connection"));
                }
                let trusted = {
                    let mut pipeline = shared.pipeline();
                    pipeline.handle_bytes(&mut buffer, Instant::now());
                    pipeline.is_trusted()
                };
                if trusted && !told {
                    told = true;
                    shared.access.trusted();
                }
            }
            found = run_some(&mut errand) => {
                errand = None;
                shared.pipeline().handle_found(found, Instant::now());
            }
            () = clock::sleep_until(wake_at) => {}
            () = shared.woken.notified() => {}
        }
    }
}

type ErrandFuture<'a> = Pin<Box<dyn Future<Output = Result<Found, String>> + Send + 'a>>;

/// Finds out what the handshake needs: by asking for a token, by chance, or by work that takes long.
async fn run_errand(errand: Errand, access: &Access) -> Result<Found, String> {
    let mechanism = match errand {
        Errand::Salt(salting) => {
            let keys = tokio::task::spawn_blocking(|| salting.derive()).await;
            return keys.map(Found::Keys).map_err(|error| format!("salting the password failed: {error}"));
        }
        Errand::LogIn => access.security.sasl.as_ref().map(|sasl| &sasl.0),
    };
    Ok(Found::Login(match mechanism.ok_or("nobody is to log in")?.clone() {
        Mechanism::Plain { username, password } => Login::Plain { username, password },
        Mechanism::Scram { hash, username, password } => {
            Login::Scram { hash, username, password, nonce: sasl::nonce()? }
        }
        Mechanism::OauthBearer(tokens) => Login::OauthBearer(tokens.token().await?),
    }))
}

/// Why the other side does not take what is written: with TLS, it may have said so before it hung up.
async fn last_word(reader: &mut (impl AsyncReadExt + Unpin), buffer: &mut BytesMut) -> Option<io::Error> {
    let said = async {
        loop {
            match reader.read_buf(buffer).await {
                Ok(0) => return None,
                Ok(_) => {}
                Err(error) => return tls::meaning(&error).is_some().then_some(error),
            }
        }
    };
    tokio::time::timeout(LAST_WORD_MAX, said).await.unwrap_or_default()
}

/// One gathered write of what is waiting; cancelled, it has written nothing. When nothing is waiting, 0, and what was held
/// back has gone out.
async fn write_some(writer: &mut (impl AsyncWriteExt + Unpin), outgoing: &VecDeque<Bytes>) -> io::Result<usize> {
    if outgoing.is_empty() {
        return writer.flush().await.map(|()| 0);
    }
    let mut slices = [IoSlice::new(&[]); SLICES];
    let mut used = 0;
    for (slice, bytes) in slices.iter_mut().zip(outgoing) {
        *slice = IoSlice::new(bytes);
        used += 1;
    }
    match writer.write_vectored(slices.get(..used).unwrap_or_default()).await? {
        0 => Err(io::ErrorKind::WriteZero.into()),
        written => Ok(written),
    }
}

/// Drops what has been written from the front.
fn forget(outgoing: &mut VecDeque<Bytes>, mut written: usize) {
    while let Some(first) = outgoing.front_mut() {
        if first.len() > written {
            first.advance(written);
            return;
        }
        written -= first.len();
        outgoing.pop_front();
    }
}

async fn run_some(errand: &mut Option<ErrandFuture<'_>>) -> Result<Found, String> {
    match errand {
        Some(errand) => errand.await,
        None => std::future::pending().await,
    }
}
