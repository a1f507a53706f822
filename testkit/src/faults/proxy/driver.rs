//! The tasks of a proxy: one that takes connections, and one for each that moves frames between its client and its broker.
//!
//! What becomes of a frame is said by [`Faults`] and by [`rewrite`](super::rewrite); here it is done.
#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use tidemill_protocol::frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::rewrite::{Endpoint, Told, is_answered, refused, rewritten};
use crate::faults::change::LENGTH_BYTES;
use crate::faults::{ConnectVerdict, Faults, Outcome, ReplyPlan, RequestFacts, Script, Then};

/// Read at least this much at a time, and no more than this while something else is waited for.
const READ_BYTES: usize = 16 * 1024;

/// Make room for this much of a large frame at a time: its length is only what the other side says.
const ROOM_BYTES_MAX: usize = 1024 * 1024;

/// How long to wait after a connection could not be accepted.
const ACCEPT_PAUSE: Duration = Duration::from_millis(10);

/// What the connections of a proxy share.
#[derive(Debug)]
pub(super) struct Shared {
    faults: Mutex<Faults>,
    fronts: Mutex<BTreeMap<i32, Front>>,
    /// Listeners that nobody accepts from yet.
    opened: mpsc::UnboundedSender<(i32, TcpListener)>,
    connections: AtomicU64,
}

/// A broker, and where clients find it.
#[derive(Debug)]
struct Front {
    port: u16,
    upstream: String,
}

pub(super) type Opened = mpsc::UnboundedReceiver<(i32, TcpListener)>;

impl Shared {
    pub(super) fn new(
        script: Script,
        seed: u64,
        now: Instant,
        opened: mpsc::UnboundedSender<(i32, TcpListener)>,
    ) -> Self {
        let faults = Mutex::new(Faults::new(script, seed, now));
        Self { faults, fronts: Mutex::new(BTreeMap::new()), opened, connections: AtomicU64::new(0) }
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fronts(&self) -> MutexGuard<'_, BTreeMap<i32, Front>> {
        self.fronts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The port of a broker, which is listened on from now on. A broker that has moved is found at its new place.
    pub(super) fn front(&self, endpoint: &Endpoint) -> io::Result<u16> {
        let upstream = match endpoint.host.contains(':') {
            true => format!("[{}]:{}", endpoint.host, endpoint.port),
            false => format!("{}:{}", endpoint.host, endpoint.port),
        };
        let mut fronts = self.fronts();
        if let Some(front) = fronts.get_mut(&endpoint.broker) {
            front.upstream = upstream;
            return Ok(front.port);
        }
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let port = listener.local_addr()?.port();
        fronts.insert(endpoint.broker, Front { port, upstream });
        // When the server has stopped, nobody listens, which is right.
        let _ = self.opened.send((endpoint.broker, TcpListener::from_std(listener)?));
        Ok(port)
    }
}

/// Answers name brokers and topics.
impl Told for &Shared {
    fn broker(&mut self, endpoint: &Endpoint) -> Option<u16> {
        let port = self.front(endpoint);
        if let Err(error) = &port {
            tracing::warn!(broker = endpoint.broker, %error, "no port to listen on for a broker: clients go past the proxy");
        }
        port.ok()
    }

    fn topic(&mut self, id: Uuid, name: &str) {
        self.faults().name_topic(id, name);
    }
}

/// Takes connections until the other end of `stop` is dropped; then closes all.
pub(super) async fn serve(shared: Arc<Shared>, mut opened: Opened, mut stop: oneshot::Receiver<Infallible>) {
    let (accepted, mut streams) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stop => break,
            Some((broker, listener)) = opened.recv() => {
                tasks.spawn(accept(broker, listener, accepted.clone()));
            }
            Some((broker, stream, client)) = streams.recv() => {
                tasks.spawn(run(Arc::clone(&shared), broker, stream, client));
            }
            Some(_) = tasks.join_next() => {}
        }
    }
    tasks.shutdown().await;
}

type Accepted = mpsc::UnboundedSender<(i32, TcpStream, SocketAddr)>;

async fn accept(broker: i32, listener: TcpListener, accepted: Accepted) {
    loop {
        match listener.accept().await {
            Ok((stream, client)) => {
                // Nobody is there any more: the proxy has stopped.
                if accepted.send((broker, stream, client)).is_err() {
                    return;
                }
            }
            Err(error) => {
                tracing::debug!(%error, "no connection accepted");
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// A connection, from its client to its end.
async fn run(shared: Arc<Shared>, broker: i32, stream: TcpStream, client: SocketAddr) {
    let connection = shared.connections.fetch_add(1, Ordering::Relaxed);
    let verdict = shared.faults().on_connect(connection, broker, &client.ip().to_string(), Instant::now());
    // Also when the task is aborted.
    let _disconnect = Disconnect { shared: &shared, connection };
    // A request is small and its answer is waited for; and one-byte writes are to be packets of one byte.
    let _ = stream.set_nodelay(true);
    let mut client = Side::new(stream);
    let ended = match verdict {
        ConnectVerdict::Accept(delay) => converse(&shared, connection, broker, &mut client, delay).await,
        ConnectVerdict::Refuse | ConnectVerdict::Reset => client.reset(),
        ConnectVerdict::HalfOpen | ConnectVerdict::BlackHole => client.swallow().await,
    };
    if let Err(error) = ended {
        tracing::debug!(broker, %error, "connection lost");
    }
}

struct Disconnect<'a> {
    shared: &'a Shared,
    connection: u64,
}

impl Drop for Disconnect<'_> {
    fn drop(&mut self) {
        self.shared.faults().on_disconnect(self.connection);
    }
}

/// One request after the other, until one of the sides or a rule closes the connection.
async fn converse(shared: &Shared, connection: u64, broker: i32, client: &mut Side, delay: Duration) -> io::Result<()> {
    client.wait(delay).await?;
    let upstream = shared.fronts().get(&broker).map(|front| front.upstream.clone()).unwrap_or_default();
    let Ok(stream) = TcpStream::connect(upstream).await else {
        // As near as one can come to what the client would have met there.
        return client.reset();
    };
    let _ = stream.set_nodelay(true);
    let mut upstream = Side::new(stream);
    loop {
        let request = tokio::select! {
            request = client.frame() => request?,
            // Closed, or something that nobody has asked for.
            _ = upstream.frame() => None,
        };
        let Some(request) = request else { break };
        let facts = shared.faults().read(connection, broker, &request).map_err(io::Error::other)?;
        let verdict = shared.faults().on_request(&facts, Instant::now());
        client.wait(verdict.delay).await?;
        let reply = match verdict.outcome {
            Outcome::Apply => match apply(shared, &facts, &request, client, &mut upstream).await? {
                Applied::Answered(reply) => reply,
                Applied::Silent => continue,
                Applied::Closed => break,
            },
            Outcome::Answer(reply) => reply,
            Outcome::Lose => continue,
            Outcome::Close => break,
            Outcome::Reset => return client.reset(),
        };
        let plan = shared.faults().on_reply(&facts, reply, Instant::now());
        match write(client, &plan).await? {
            Then::GoOn => {}
            Then::Close => break,
            Then::Reset => return client.reset(),
        }
    }
    client.stream.shutdown().await
}

/// What came of a request.
enum Applied {
    Answered(Bytes),
    /// It wants no answer.
    Silent,
    /// The broker has closed the connection.
    Closed,
}

async fn apply(
    shared: &Shared,
    facts: &RequestFacts,
    request: &Bytes,
    client: &mut Side,
    upstream: &mut Side,
) -> io::Result<Applied> {
    if let Some(refusal) = refused(facts) {
        return Ok(Applied::Answered(refusal));
    }
    upstream.stream.write_all(&with_length(request)?).await?;
    if !is_answered(facts) {
        return Ok(Applied::Silent);
    }
    let answer = tokio::select! {
        answer = upstream.frame() => answer?,
        gone = client.gone() => return Err(gone),
    };
    let Some(answer) = answer else { return Ok(Applied::Closed) };
    let mut told = shared;
    Ok(Applied::Answered(rewritten(facts, with_length(&answer)?, &mut told)))
}

async fn write(client: &mut Side, plan: &ReplyPlan) -> io::Result<Then> {
    for write in &plan.writes {
        client.wait(write.after).await?;
        client.stream.write_all(&write.bytes).await?;
    }
    client.wait(plan.mute).await?;
    Ok(plan.then)
}

fn with_length(frame: &Bytes) -> io::Result<Bytes> {
    let mut whole = BytesMut::with_capacity(LENGTH_BYTES + frame.len());
    whole.put_u32(u32::try_from(frame.len()).map_err(io::Error::other)?);
    whole.put_slice(frame);
    Ok(whole.freeze())
}

/// One side of a connection, and what it has sent that is not read yet.
#[derive(Debug)]
pub(super) struct Side {
    pub(super) stream: TcpStream,
    buffer: BytesMut,
}

impl Side {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// The next frame, without its length; none when the other side has closed the connection between two frames. Dropped
    /// before its end, it has lost nothing.
    pub(super) async fn frame(&mut self) -> io::Result<Option<Bytes>> {
        let malformed = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        loop {
            if let Some(frame) =
                frame::take_frame(&mut self.buffer, frame::FRAME_BYTES_MAX_DEFAULT).map_err(malformed)?
            {
                return Ok(Some(frame));
            }
            let missing = frame::bytes_missing(&self.buffer, frame::FRAME_BYTES_MAX_DEFAULT).map_err(malformed)?;
            self.buffer.reserve(missing.clamp(READ_BYTES, ROOM_BYTES_MAX));
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        }
    }

    /// Ends when the other side is gone. What is read meanwhile is part of the next frames.
    async fn gone(&mut self) -> io::Error {
        while self.buffer.len() < READ_BYTES {
            self.buffer.reserve(READ_BYTES - self.buffer.len());
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) => return io::ErrorKind::UnexpectedEof.into(),
                Ok(_) => {}
                Err(error) => return error,
            }
        }
        std::future::pending().await
    }

    /// Waits, unless the other side is gone before.
    async fn wait(&mut self, time: Duration) -> io::Result<()> {
        if time.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = sleep(time) => Ok(()),
            gone = self.gone() => Err(gone),
        }
    }

    /// Takes what comes, to nobody, until the other side closes.
    async fn swallow(&mut self) -> io::Result<()> {
        loop {
            self.buffer.clear();
            self.buffer.reserve(READ_BYTES);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    /// What is dropped now ends with a reset.
    fn reset(&self) -> io::Result<()> {
        self.stream.set_zero_linger()
    }
}
